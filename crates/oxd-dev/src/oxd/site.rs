//! `register-site`, `update-site`, `remove-site`.

use super::failure::{
    BAD_REDIRECT_URI, Failure, INTERNAL, NO_CLIENT_ID, NO_CLIENT_RETURNED, NO_CLIENT_SECRET,
    NO_REGISTRATION_ENDPOINT, REDIRECT_URI_HAS_FRAGMENT,
};
use super::store::{Registration, Site};
use super::{Oxd, given, op};
use crate::Provider;
use crate::util::{lock, random_uuid};
use openidconnect::core::{
    CoreApplicationType, CoreClientAuthMethod, CoreGrantType, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreRegisterErrorResponseType,
    CoreResponseType, CoreSubjectIdentifierType,
};
use openidconnect::registration::{
    AdditionalClientMetadata, ClientRegistrationRequest, EmptyAdditionalClientRegistrationResponse,
};
use openidconnect::{ClientName, RedirectUrl, ResponseTypes};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Parameters of `register-site` that mean something here; all others are ignored.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(crate) struct RegisterSite {
    pub(crate) redirect_uris: Option<Vec<String>>,
    pub(crate) op_host: Option<String>,
    pub(crate) op_configuration_endpoint: Option<String>,
    pub(crate) post_logout_redirect_uris: Option<Vec<String>>,
    pub(crate) response_types: Option<Vec<String>>,
    pub(crate) grant_types: Option<Vec<String>>,
    pub(crate) scope: Option<Vec<String>>,
    pub(crate) acr_values: Option<Vec<String>>,
    pub(crate) client_name: Option<String>,
    pub(crate) client_frontchannel_logout_uris: Option<Vec<String>>,
    pub(crate) front_channel_logout_session_required: Option<bool>,
    /// No parameter of `register-site`; see [`Addresses`](super::Addresses).
    #[serde(skip)]
    pub(crate) backchannel_logout_uri: Option<String>,
    /// No parameter either.
    #[serde(skip)]
    pub(crate) backchannel_logout_session_required: bool,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<String>,
    pub(crate) client_token_endpoint_auth_method: Option<String>,
    pub(crate) claims_redirect_uri: Option<Vec<String>>,
    pub(crate) rpt_as_jwt: Option<bool>,
}

/// Client metadata that the crate's own type does not name: RFC 7591 (section 2) and the
/// OpenID Connect logout specifications; and, in Gluu's words, what is UMA's.
#[derive(Debug, Deserialize, Serialize)]
struct MoreMetadata {
    #[serde(default)]
    post_logout_redirect_uris: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frontchannel_logout_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frontchannel_logout_session_required: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_logout_uri: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backchannel_logout_session_required: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    claims_redirect_uris: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rpt_as_jwt: Option<bool>,
}

impl AdditionalClientMetadata for MoreMetadata {}

type RegistrationRequest = ClientRegistrationRequest<
    MoreMetadata,
    EmptyAdditionalClientRegistrationResponse,
    CoreApplicationType,
    CoreClientAuthMethod,
    CoreRegisterErrorResponseType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

/// `register-site`: takes the client that is given, or registers a new one (OpenID Connect
/// Dynamic Client Registration 1.0).
pub(crate) async fn register(oxd: &Oxd, params: RegisterSite) -> Result<Site, Failure> {
    let host = op::op_host(oxd, &params.op_host, &params.op_configuration_endpoint)?
        .unwrap_or_else(|| oxd.default_op_host.clone());
    let redirect_uris = redirect_uris(params.redirect_uris.as_deref())?;
    let configured = match &oxd.options.provider {
        Provider::External {
            issuer,
            client: Some(client),
        } if *issuer == host => Some(client),
        _ => None,
    };
    let site = match (given(&params.client_id), given(&params.client_secret), configured) {
        (Some(id), Some(secret), _) => existing(&host, id, secret, &params),
        (Some(_), None, _) => return Err(NO_CLIENT_SECRET),
        (None, Some(_), _) => return Err(NO_CLIENT_ID),
        (None, None, Some((id, secret))) => existing(&host, id, secret, &params),
        (None, None, None) => dynamic(oxd, &host, &redirect_uris, &params).await?,
    };
    let grant_types = grant_types(&params);
    let signed = given(&params.client_token_endpoint_auth_method) == Some(op::PRIVATE_KEY_JWT);
    lock(&oxd.store).put_site(Registration {
        site: site.clone(),
        redirect_uris,
        post_logout_redirect_uris: params.post_logout_redirect_uris.unwrap_or_default(),
        scope: params.scope.unwrap_or_else(|| vec!["openid".to_owned()]),
        acr_values: params.acr_values.unwrap_or_default(),
        grant_types,
        front_channel_logout_uris: params.client_frontchannel_logout_uris.unwrap_or_default(),
        front_channel_logout_session_required: params.front_channel_logout_session_required,
        response_types: params.response_types.unwrap_or_else(|| vec!["code".to_owned()]),
        claims_redirect_uris: params.claims_redirect_uri.unwrap_or_default(),
        rpt_as_jwt: params.rpt_as_jwt == Some(true),
        resources: Vec::new(),
        pat: None,
        signed,
    });
    Ok(site)
}

fn existing(host: &str, id: &str, secret: &str, params: &RegisterSite) -> Site {
    let oxd_id = random_uuid();
    let name = client_name(params, &oxd_id);
    Site {
        oxd_id,
        op_host: host.to_owned(),
        client_id: id.to_owned(),
        client_name: Some(name),
        client_secret: secret.to_owned(),
        client_registration_access_token: None,
        client_registration_client_uri: None,
        client_id_issued_at: Some(0),
        client_secret_expires_at: Some(0),
    }
}

fn client_name(params: &RegisterSite, oxd_id: &str) -> String {
    given(&params.client_name).map_or_else(|| format!("oxd client for rp: {oxd_id}"), str::to_owned)
}

async fn dynamic(
    oxd: &Oxd,
    host: &str,
    redirect_uris: &[String],
    params: &RegisterSite,
) -> Result<Site, Failure> {
    let metadata = oxd.op.metadata(host).await?;
    let endpoint = metadata.registration_endpoint().ok_or(NO_REGISTRATION_ENDPOINT)?;
    let uris = redirect_uris
        .iter()
        .map(|uri| RedirectUrl::new(uri.clone()).map_err(|why| BAD_REDIRECT_URI.because(why)))
        .collect::<Result<_, _>>()?;
    let logout = params
        .client_frontchannel_logout_uris
        .as_deref()
        .unwrap_or_default();
    let more = MoreMetadata {
        post_logout_redirect_uris: params.post_logout_redirect_uris.clone().unwrap_or_default(),
        scope: params.scope.as_ref().map(|scope| scope.join(" ")),
        frontchannel_logout_uri: logout.first().cloned(),
        frontchannel_logout_session_required: params
            .front_channel_logout_session_required
            .filter(|_| !logout.is_empty()),
        backchannel_logout_uri: params.backchannel_logout_uri.clone(),
        backchannel_logout_session_required: params
            .backchannel_logout_uri
            .as_ref()
            .map(|_| params.backchannel_logout_session_required),
        claims_redirect_uris: params.claims_redirect_uri.clone(),
        rpt_as_jwt: params.rpt_as_jwt,
    };
    let oxd_id = random_uuid();
    let name = client_name(params, &oxd_id);
    let mut request = RegistrationRequest::new(uris, more)
        .set_client_name(Some(
            [(None, ClientName::new(name.clone()))].into_iter().collect(),
        ))
        .set_grant_types(Some(grant_types(params).into_iter().map(grant_type).collect()));
    if let Some(types) = &params.response_types {
        request = request.set_response_types(Some(types.iter().map(|t| response_type(t)).collect()));
    }
    let answer = request
        .register_async(endpoint, &oxd.op.http)
        .await
        .map_err(|why| NO_CLIENT_RETURNED.because(op::chain(&why)))?;
    Ok(Site {
        oxd_id,
        op_host: host.to_owned(),
        client_id: answer.client_id().to_string(),
        client_name: Some(name),
        client_secret: answer
            .client_secret()
            .map_or(String::new(), |s| s.secret().clone()),
        client_registration_access_token: answer
            .registration_access_token()
            .map(|token| token.secret().clone()),
        client_registration_client_uri: answer
            .registration_client_uri()
            .map(|uri| uri.as_str().to_owned()),
        client_id_issued_at: answer.client_id_issued_at().map(|time| time.timestamp()),
        client_secret_expires_at: answer.client_secret_expires_at().map(|time| time.timestamp()),
    })
}

fn grant_types(params: &RegisterSite) -> Vec<String> {
    let default = ["authorization_code", "refresh_token", "client_credentials"];
    let named = params.grant_types.clone();
    named.unwrap_or_else(|| default.map(String::from).to_vec())
}

fn grant_type(name: String) -> CoreGrantType {
    match name.as_str() {
        "authorization_code" => CoreGrantType::AuthorizationCode,
        "refresh_token" => CoreGrantType::RefreshToken,
        "client_credentials" => CoreGrantType::ClientCredentials,
        _ => CoreGrantType::Extension(name),
    }
}

/// A response type as OAuth 2.0 writes it: names with spaces between.
fn response_type(text: &str) -> ResponseTypes<CoreResponseType> {
    let one = |name: &str| match name {
        "code" => CoreResponseType::Code,
        "id_token" => CoreResponseType::IdToken,
        "token" => CoreResponseType::Token,
        other => CoreResponseType::Extension(other.to_owned()),
    };
    ResponseTypes::new(text.split_whitespace().map(one).collect())
}

fn redirect_uris(uris: Option<&[String]>) -> Result<Vec<String>, Failure> {
    let uris = uris.filter(|uris| !uris.is_empty()).ok_or(BAD_REDIRECT_URI)?;
    for uri in uris {
        let url = url::Url::parse(uri).map_err(|why| BAD_REDIRECT_URI.because(why))?;
        if url.fragment().is_some() {
            return Err(REDIRECT_URI_HAS_FRAGMENT);
        }
    }
    Ok(uris.to_vec())
}

/// Parameters of `update-site` that mean something here.
#[derive(Deserialize)]
pub(crate) struct UpdateSite {
    oxd_id: Option<String>,
    redirect_uris: Option<Vec<String>>,
    post_logout_redirect_uris: Option<Vec<String>>,
    scope: Option<Vec<String>>,
    acr_values: Option<Vec<String>>,
    client_name: Option<String>,
    client_token_endpoint_auth_method: Option<String>,
    claims_redirect_uri: Option<Vec<String>>,
    rpt_as_jwt: Option<bool>,
}

/// `update-site`: changes what is named, here and, where the provider lets us (RFC 7592,
/// section 2.2), at the provider.
pub(crate) async fn update(oxd: &Oxd, params: UpdateSite) -> Result<Value, Failure> {
    let mut site = oxd.site(params.oxd_id.as_deref())?;
    if params.redirect_uris.is_some() {
        site.redirect_uris = redirect_uris(params.redirect_uris.as_deref())?;
    }
    if let Some(uris) = params.post_logout_redirect_uris {
        site.post_logout_redirect_uris = uris;
    }
    if let Some(scope) = params.scope {
        site.scope = scope;
    }
    if let Some(acr_values) = params.acr_values {
        site.acr_values = acr_values;
    }
    if let Some(uris) = params.claims_redirect_uri {
        site.claims_redirect_uris = uris;
    }
    site.rpt_as_jwt = params.rpt_as_jwt.unwrap_or(site.rpt_as_jwt);
    if let Some(method) = given(&params.client_token_endpoint_auth_method) {
        site.signed = method == op::PRIVATE_KEY_JWT;
    }
    if params.client_name.is_some() {
        site.site.client_name = params.client_name;
    }
    if let (Some(uri), Some(token)) = (
        &site.site.client_registration_client_uri,
        &site.site.client_registration_access_token,
    ) {
        let metadata = json!({
            "client_id": site.site.client_id,
            "client_name": site.site.client_name,
            "redirect_uris": site.redirect_uris,
            "post_logout_redirect_uris": site.post_logout_redirect_uris,
            "scope": site.scope.join(" "),
            "claims_redirect_uris": site.claims_redirect_uris,
            "rpt_as_jwt": site.rpt_as_jwt,
        });
        let request = oxd.op.http.raw().put(uri).bearer_auth(token);
        let request = request.header("content-type", "application/json");
        let answer = request.body(metadata.to_string()).send().await;
        let answer = answer.map_err(|why| INTERNAL.because(op::chain(&why)))?;
        if !answer.status().is_success() {
            return Err(INTERNAL.because(format!("the provider answered {}", answer.status())));
        }
    }
    let oxd_id = site.site.oxd_id.clone();
    lock(&oxd.store).change(&oxd_id, |kept| {
        // These may have changed while the provider was asked.
        site.resources = std::mem::take(&mut kept.resources);
        site.pat = kept.pat.take();
        *kept = site;
    });
    Ok(json!({ "oxd_id": oxd_id }))
}

/// Parameters of `remove-site`.
#[derive(Deserialize)]
pub(crate) struct RemoveSite {
    oxd_id: Option<String>,
}

/// `remove-site`: forgets the site; the client at the provider stays, as with the real one.
pub(crate) fn remove(oxd: &Oxd, params: RemoveSite) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    lock(&oxd.store).remove_site(&site.site.oxd_id);
    Ok(json!({ "oxd_id": site.site.oxd_id }))
}

/// Parameters of `get-rp`.
#[derive(Deserialize)]
pub(crate) struct GetRp {
    oxd_id: Option<String>,
    list: Option<bool>,
}

/// `get-rp`: all that is known of a site, its secret included, or the names of all sites.
pub(crate) fn get_rp(oxd: &Oxd, params: GetRp) -> Result<Value, Failure> {
    if params.list == Some(true) {
        let store = lock(&oxd.store);
        let sites = store.sites().map(|registration| {
            let site = &registration.site;
            json!({ "oxd_id": site.oxd_id, "client_name": site.client_name })
        });
        return Ok(json!({ "node": sites.collect::<Vec<_>>() }));
    }
    let registration = oxd.site(params.oxd_id.as_deref())?;
    let site = serde_json::to_value(&registration.site).map_err(|why| INTERNAL.because(why))?;
    let pat = registration.pat.as_ref();
    let more = json!({
        "redirect_uri": registration.redirect_uris[0],
        "redirect_uris": registration.redirect_uris,
        "logout_redirect_uris": some(&registration.post_logout_redirect_uris),
        "claims_redirect_uri": some(&registration.claims_redirect_uris),
        "front_channel_logout_uris": some(&registration.front_channel_logout_uris),
        "front_channel_logout_session_required": registration.front_channel_logout_session_required,
        "grant_types": registration.grant_types,
        "ui_locales": ["en"],
        "application_type": "web",
        "response_types": registration.response_types,
        "scope": registration.scope,
        "acr_values": registration.acr_values,
        "require_auth_time": false,
        "access_token_as_jwt": false,
        "rpt_as_jwt": registration.rpt_as_jwt,
        "pat": pat.map(|pat| &pat.token),
        "pat_expires_in": pat.map(|pat| pat.lifetime.as_secs()),
        "pat_created_at": pat.map(|pat| pat.created_at),
        "uma_protected_resources": some(&registration.resources),
        "run_introspection_script_beforeaccess_token_as_jwt_creation_and_include_claims": false,
        "custom_attributes": { "oxd_id": registration.site.oxd_id },
        "sync_client_from_op": false,
        "sync_client_period_in_seconds": 86_400,
        "allow_spontaneous_scopes": false,
    });
    let mut node = Map::new();
    for part in [site, more] {
        if let Value::Object(members) = part {
            node.extend(members.into_iter().filter(|(_, value)| !value.is_null()));
        }
    }
    Ok(json!({ "node": node }))
}

/// A list that is not shown when it is empty.
fn some<T>(list: &[T]) -> Option<&[T]> {
    (!list.is_empty()).then_some(list)
}
