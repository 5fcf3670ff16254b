//! Talking to the OpenID Provider: HTTP, discovery, keys. Which command needs what of it is
//! said elsewhere.

use super::failure::{BAD_OP, BAD_OP_CONFIGURATION_ENDPOINT, Failure, INTERNAL, NO_DISCOVERY, NO_ISSUER};
use super::{Oxd, given};
use crate::util::lock;
use openidconnect::core::{
    CoreAuthDisplay, CoreClaimName, CoreClaimType, CoreClient, CoreClientAuthMethod, CoreGrantType,
    CoreJsonWebKey, CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::{
    AdditionalProviderMetadata, AsyncHttpClient, AuthType, ClientId, ClientSecret, DiscoveryError,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, ProviderMetadata,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Longer than any provider on the same machine needs.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The client proves itself with a statement that oxd signs (OpenID Connect Core 9). No provider here is asked for it:
/// the stand-in only tells whether its caller says so where it has to.
pub(crate) const PRIVATE_KEY_JWT: &str = "private_key_jwt";
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// The HTTP client, in the shape that `openidconnect` wants.
#[derive(Clone)]
pub(crate) struct Http(reqwest::Client);

impl Http {
    /// `roots`: trust the system's roots too. Loading them takes time that the built-in
    /// provider, plain http, has no use for.
    pub(crate) fn new(extra_ca: Option<&str>, roots: bool) -> Result<Http, String> {
        let mut builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIMEOUT);
        let extra = match extra_ca {
            Some(pem) => reqwest::Certificate::from_pem_bundle(pem.as_bytes())
                .map_err(|why| format!("the provider's CA certificates: {why}"))?,
            None => Vec::new(),
        };
        builder = match roots {
            true => builder.tls_certs_merge(extra),
            false => builder.tls_certs_only(extra),
        };
        builder.build().map(Http).map_err(|why| why.to_string())
    }

    pub(crate) fn raw(&self) -> &reqwest::Client {
        &self.0
    }

    /// A GET whose answer is JSON.
    pub(crate) async fn json(&self, url: &str) -> Result<Value, String> {
        let answer = self.0.get(url).send().await.map_err(|why| why.to_string())?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|why| why.to_string())?;
        if !status.is_success() {
            return Err(format!("{url} answered {status}"));
        }
        serde_json::from_slice(&body).map_err(|why| format!("{url}: {why}"))
    }
}

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, reqwest::Error>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let answer = self.0.execute(request.try_into()?).await?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            let mut response = HttpResponse::new(answer.bytes().await?.to_vec());
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        })
    }
}

/// Endpoints that the crate's own metadata type does not name: OpenID Connect RP-Initiated
/// Logout 1.0 (2.1) and RFC 8414 (section 2).
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct MoreMetadata {
    pub(crate) end_session_endpoint: Option<String>,
    pub(crate) introspection_endpoint: Option<String>,
}

impl AdditionalProviderMetadata for MoreMetadata {}

/// A provider's discovery document (OpenID Connect Discovery 1.0) and keys.
pub(crate) type Metadata = ProviderMetadata<
    MoreMetadata,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// A relying party at a discovered provider.
pub(crate) type RelyingParty = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// The providers met so far.
pub(crate) struct Providers {
    pub(crate) http: Http,
    known: Mutex<HashMap<String, Arc<Metadata>>>,
}

impl Providers {
    pub(crate) fn new(http: Http) -> Providers {
        Providers {
            http,
            known: Mutex::default(),
        }
    }

    /// The provider's discovery document, fetched once.
    pub(crate) async fn metadata(&self, op_host: &str) -> Result<Arc<Metadata>, Failure> {
        if let Some(known) = lock(&self.known).get(op_host) {
            return Ok(known.clone());
        }
        let found = Arc::new(self.discover(op_host).await?);
        lock(&self.known).insert(op_host.to_owned(), found.clone());
        Ok(found)
    }

    /// Asks again next time: for keys that were exchanged.
    pub(crate) fn forget(&self, op_host: &str) {
        lock(&self.known).remove(op_host);
    }

    async fn discover(&self, op_host: &str) -> Result<Metadata, Failure> {
        let issuer = |text: &str| IssuerUrl::new(text.to_owned()).map_err(|why| BAD_OP.because(why));
        match Metadata::discover_async(issuer(op_host)?, &self.http).await {
            Ok(metadata) => Ok(metadata),
            Err(DiscoveryError::Validation(_)) => {
                // Most likely the issuer ends with the slash that op_host lacks, or the other
                // way round. To OpenID Connect these are two issuers, to oxd one.
                let other = match op_host.strip_suffix('/') {
                    Some(without) => without.to_owned(),
                    None => format!("{op_host}/"),
                };
                let retried = Metadata::discover_async(issuer(&other)?, &self.http).await;
                retried.map_err(|why| NO_DISCOVERY.because(chain(&why)))
            }
            Err(why) => Err(NO_DISCOVERY.because(chain(&why))),
        }
    }
}

/// The site's client at its provider.
pub(crate) fn relying_party(metadata: &Metadata, client_id: &str, secret: &str) -> RelyingParty {
    let id = ClientId::new(client_id.to_owned());
    let secret = ClientSecret::new(secret.to_owned());
    let client = CoreClient::from_provider_metadata(metadata.clone(), id, Some(secret));
    // client_secret_basic is the default of both OpenID Connect and oxd.
    match metadata.token_endpoint_auth_methods_supported() {
        Some(methods) if !methods.contains(&CoreClientAuthMethod::ClientSecretBasic) => {
            client.set_auth_type(AuthType::RequestBody)
        }
        _ => client,
    }
}

/// Which provider a command means; `None` when it does not say.
pub(crate) fn op_host(
    oxd: &Oxd,
    op_host: &Option<String>,
    configuration_endpoint: &Option<String>,
) -> Result<Option<String>, Failure> {
    let endpoint = given(configuration_endpoint).filter(|_| oxd.options.like.is_since_4_2());
    let text = match (endpoint, given(op_host)) {
        (Some(endpoint), _) => endpoint
            .strip_suffix(WELL_KNOWN)
            .ok_or(BAD_OP_CONFIGURATION_ENDPOINT)?
            .to_owned(),
        (None, Some(host)) if host.contains("://") => host.to_owned(),
        (None, Some(host)) => format!("https://{host}"),
        (None, None) => return Ok(None),
    };
    match url::Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => Ok(Some(text)),
        Ok(url) => Err(BAD_OP.because(format!("the scheme is {}", url.scheme()))),
        Err(why) => Err(BAD_OP.because(why)),
    }
}

/// Parameters of the commands that are about a provider.
#[derive(Deserialize)]
pub(crate) struct AboutProvider {
    op_host: Option<String>,
    op_configuration_endpoint: Option<String>,
}

impl AboutProvider {
    fn host(&self, oxd: &Oxd) -> Result<Option<String>, Failure> {
        op_host(oxd, &self.op_host, &self.op_configuration_endpoint)
    }
}

/// Members of a provider's metadata that oxd knows, and the words they are made of.
const DISCOVERED: [&str; 21] = [
    "authorization_endpoint",
    "token_endpoint",
    "user_info_endpoint",
    "end_session_endpoint",
    "jwks_uri",
    "registration_endpoint",
    "introspection_endpoint",
    "scopes_supported",
    "response_types_supported",
    "grant_types_supported",
    "acr_values_supported",
    "subject_types_supported",
    "id_token_signing_alg_values_supported",
    "token_endpoint_auth_methods_supported",
    "token_endpoint_auth_signing_alg_values_supported",
    "claim_types_supported",
    "claims_supported",
    "claims_parameter_supported",
    "request_parameter_supported",
    "request_uri_parameter_supported",
    "issuer",
];

/// `get-discovery`: the members that oxd knows, each under two names, with all others dropped.
pub(crate) async fn discovery(oxd: &Oxd, params: AboutProvider) -> Result<Value, Failure> {
    let host = params.host(oxd)?.ok_or(INTERNAL)?;
    let url = format!("{}{WELL_KNOWN}", host.trim_end_matches('/'));
    let document = oxd
        .op
        .http
        .json(&url)
        .await
        .map_err(|why| NO_DISCOVERY.because(why))?;
    let mut members = Map::new();
    for name in DISCOVERED {
        // OpenID Connect Discovery writes it in one word.
        let value = match name {
            "user_info_endpoint" => document.get("userinfo_endpoint"),
            other => document.get(other),
        };
        if let Some(value) = value {
            members.insert(camel_case(name), value.clone());
            members.insert(name.to_owned(), value.clone());
        }
    }
    Ok(Value::Object(members))
}

/// `jwks_uri` as `jwksUri`.
fn camel_case(name: &str) -> String {
    let mut words = name.split('_');
    let mut text = words.next().unwrap_or_default().to_owned();
    for word in words {
        text += &word[..1].to_ascii_uppercase();
        text += &word[1..];
    }
    text
}

/// `get-jwks`: the provider's keys as they are.
pub(crate) async fn jwks(oxd: &Oxd, params: AboutProvider) -> Result<Value, Failure> {
    let host = params.host(oxd)?.ok_or(BAD_OP)?;
    let metadata = oxd.op.metadata(&host).await?;
    let url = metadata.jwks_uri().to_string();
    oxd.op.http.json(&url).await.map_err(|why| INTERNAL.because(why))
}

/// `get-issuer` (OpenID Connect Discovery 1.0, section 2): no provider here speaks WebFinger.
pub(crate) fn issuer(oxd: &Oxd, params: AboutProvider) -> Result<Value, Failure> {
    params.host(oxd)?.ok_or(BAD_OP)?;
    Err(NO_ISSUER)
}

/// An error with its causes on one line.
pub(crate) fn chain(why: &dyn std::error::Error) -> String {
    let mut text = why.to_string();
    let mut next = why.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
