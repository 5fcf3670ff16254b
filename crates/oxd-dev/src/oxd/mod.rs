//! The oxd API: reads a request, lets its fault or its command answer it, notes the call.

mod failure;
mod login;
mod op;
mod protect;
mod serve;
mod site;
mod store;
mod token;
mod uma;

pub use store::{Addresses, Site};

use crate::calls::CallLog;
use crate::fault::Faults;
use crate::provider::Op;
use crate::util::{Clock, lock};
use crate::{Options, UmaSite};
use failure::Failure;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

pub(crate) use op::Http;
pub(crate) use serve::router;

/// The whole state of the oxd side.
pub(crate) struct Oxd {
    pub(crate) options: Options,
    /// What `op_host` means when `register-site` does not say: the configured provider.
    pub(crate) default_op_host: String,
    pub(crate) clock: Clock,
    pub(crate) calls: CallLog,
    pub(crate) faults: Faults,
    pub(crate) op: op::Providers,
    store: Mutex<store::Store>,
    /// The built-in provider, for UMA.
    authorization_server: Option<Arc<Op>>,
    /// The last RPT of each site; see `Options::mixes_up_callers`.
    kept_rpts: Mutex<HashMap<String, Value>>,
}

impl Oxd {
    pub(crate) fn new(
        options: Options,
        default_op_host: String,
        clock: Clock,
        http: Http,
        authorization_server: Option<Arc<Op>>,
    ) -> Oxd {
        Oxd {
            options,
            default_op_host,
            clock,
            calls: CallLog::default(),
            faults: Faults::default(),
            op: op::Providers::new(http),
            store: Mutex::default(),
            authorization_server,
            kept_rpts: Mutex::default(),
        }
    }

    pub(crate) fn expire_client_tokens(&self) {
        lock(&self.store).expire_tokens();
    }

    /// `register-site` from inside the process: neither noted nor subject to faults.
    pub(crate) async fn register(
        self: Arc<Oxd>,
        addresses: Addresses,
        uma: Option<UmaSite>,
    ) -> Result<Site, String> {
        let mut scope = vec!["openid", "profile", "email", "address", "phone", "oxd"];
        if uma.is_some() {
            scope.push(uma::UMA_PROTECTION);
        }
        let params = site::RegisterSite {
            redirect_uris: Some(addresses.redirect_uris),
            post_logout_redirect_uris: Some(addresses.post_logout_redirect_uris),
            scope: Some(scope.into_iter().map(String::from).collect()),
            client_name: Some("Development client".to_owned()),
            client_frontchannel_logout_uris: addresses.frontchannel_logout_uri.map(|uri| vec![uri]),
            front_channel_logout_session_required: Some(true),
            backchannel_logout_session_required: addresses.backchannel_logout_session_required,
            backchannel_logout_uri: addresses.backchannel_logout_uri,
            rpt_as_jwt: uma.as_ref().map(|uma| uma.rpt_as_jwt),
            claims_redirect_uri: uma.map(|uma| uma.claims_redirect_uris),
            ..site::RegisterSite::default()
        };
        site::register(&self, params)
            .await
            .map_err(|failure| format!("{failure:?}"))
    }

    /// Carries a command out.
    async fn run(&self, request: &Request) -> Result<Value, Failure> {
        match request.command.as_str() {
            "register-site" => {
                let site = site::register(self, request.checked(self)?).await?;
                serde_json::to_value(site).map_err(|why| failure::INTERNAL.because(why))
            }
            "update-site" => site::update(self, request.checked(self)?).await,
            "remove-site" => site::remove(self, request.checked(self)?),
            "get-client-token" => token::client_token(self, request.checked(self)?).await,
            "get-access-token-by-refresh-token" => token::refresh(self, request.checked(self)?).await,
            "introspect-access-token" => token::introspect(self, request.checked(self)?).await,
            "get-authorization-url" => login::authorization_url(self, request.checked(self)?).await,
            "get-tokens-by-code" => login::tokens_by_code(self, request.checked(self)?).await,
            "get-user-info" => login::user_info(self, request.checked(self)?).await,
            "get-logout-uri" => login::logout_uri(self, request.checked(self)?).await,
            "get-jwks" => op::jwks(self, request.checked(self)?).await,
            "get-discovery" => op::discovery(self, request.checked(self)?).await,
            "get-issuer" => op::issuer(self, request.checked(self)?),
            "get-rp" => site::get_rp(self, request.checked(self)?),
            "uma-rs-protect" => uma::protect(self, request.checked(self)?),
            "uma-rs-modify" => uma::modify(self, request.checked(self)?),
            "uma-rs-check-access" => uma::check_access(self, request.checked(self)?),
            "introspect-rpt" => uma::introspect_rpt(self, request.checked(self)?),
            "uma-rp-get-rpt" => uma::get_rpt(self, request.checked(self)?).await,
            "uma-rp-get-claims-gathering-url" => uma::claims_gathering_url(self, request.checked(self)?),
            _ => Err(serve::NOT_FOUND),
        }
    }

    /// The site a command is about.
    fn site(&self, oxd_id: Option<&str>) -> Result<store::Registration, Failure> {
        let oxd_id = oxd_id
            .filter(|id| !id.trim().is_empty())
            .ok_or(failure::NO_OXD_ID)?;
        lock(&self.store)
            .site(oxd_id)
            .cloned()
            .ok_or(failure::UNKNOWN_OXD_ID)
    }
}

/// A call, taken apart.
pub(crate) struct Request {
    command: String,
    authorization: Option<String>,
    authorization_oxd_id: Option<String>,
    body: Value,
}

impl Request {
    /// The parameters. Members that the command does not know are ignored, numbers are texts too; members of any
    /// other wrong type are as bad as no JSON at all.
    fn params<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let mut body = self.body.clone();
        for value in body.as_object_mut().into_iter().flat_map(Map::values_mut) {
            if let Value::Number(number) = value {
                *value = Value::String(number.to_string());
            }
        }
        serde_json::from_value(body).map_err(unreadable)
    }

    /// The parameters of a caller that may call: types are looked at before the client token is.
    fn checked<T: DeserializeOwned>(&self, oxd: &Oxd) -> Result<T, Failure> {
        let params = self.params()?;
        protect::check(oxd, self)?;
        Ok(params)
    }

    fn oxd_id(&self) -> Option<&str> {
        self.body
            .get("oxd_id")
            .and_then(Value::as_str)
            .filter(|id| !id.is_empty())
    }
}

fn unreadable(why: impl std::fmt::Display) -> Failure {
    Failure::Unreadable(format!("Invalid parameters. Message: {why}"))
}

/// A parameter that is there and not blank.
fn given(parameter: &Option<String>) -> Option<&str> {
    parameter
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty())
}
