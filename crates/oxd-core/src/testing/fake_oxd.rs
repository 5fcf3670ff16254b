//! A scripted oxd.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Map, Value, json};

use super::NOW;
use crate::base::{Failure, Reason, Seconds, Secret};
use crate::oxd::commands::refresh::{GetAccessTokenByRefreshToken, Refreshed};
use crate::oxd::commands::tokens_by_code::GetTokensByCode;
use crate::oxd::commands::user_info::GetUserInfo;
use crate::oxd::{self, BadAnswer, Call, Cause, Oxd, Request as _, Trouble};

/// What a refresh with this token brings.
type Refreshes = fn(&str) -> Result<Refreshed, Reason>;

/// An oxd with scripted answers that records its calls.
pub(crate) struct FakeOxd {
    pub asked: RefCell<Vec<(&'static str, Value)>>,
    /// How many have begun to wait for another request's call.
    pub waiting: Arc<AtomicUsize>,
    pub id_token_claims: Value,
    pub user_info: Value,
    pub authorization_url: Option<String>,
    pub logout_uri: &'static str,
    pub failure: Option<(&'static str, Reason)>,
    /// What becomes of a refresh token, if not always the same.
    pub refreshes: Option<Refreshes>,
    pub keys: Vec<Value>,
    pub issuer: Option<String>,
    /// The answers of `introspect-rpt` and of `uma-rs-check-access`, the latter by `rpt`.
    pub rpt: Result<Value, oxd::Error>,
    pub access: fn(&Map<String, Value>) -> Result<Value, oxd::Error>,
    /// The answers of `uma-rp-get-rpt`, the next one first; without one left, `rpt` is granted.
    pub rpts: RefCell<Vec<Result<Value, oxd::Error>>>,
    /// The answer of `introspect-access-token`.
    pub introspection: Result<Value, oxd::Error>,
}

impl Default for FakeOxd {
    fn default() -> Self {
        Self {
            asked: RefCell::default(),
            waiting: Arc::default(),
            id_token_claims: json!({"sub": "alice", "iss": "https://op", "exp": NOW + 3600, "acr": "basic"}),
            user_info: json!({"sub": "alice", "name": "Alice"}),
            authorization_url: None,
            logout_uri: "https://op/end_session",
            failure: None,
            refreshes: None,
            keys: Vec::new(),
            issuer: None,
            introspection: Ok(json!({"active": false})),
            rpt: Ok(json!({"active": false})),
            rpts: RefCell::default(),
            access: |_| Ok(json!({"access": "granted"})),
        }
    }
}

impl FakeOxd {
    pub(crate) fn commands(&self) -> Vec<&'static str> {
        self.asked.borrow().iter().map(|(command, _)| *command).collect()
    }

    fn ask(&self, command: &'static str, request: Value) -> Result<(), oxd::Error> {
        self.asked.borrow_mut().push((command, request));
        match self.failure {
            Some((failing, reason)) if failing == command => Err(error_for(reason)),
            _ => Ok(()),
        }
    }

    fn last_nonce(&self) -> Option<Value> {
        let asked = self.asked.borrow();
        asked
            .iter()
            .rev()
            .find(|(c, _)| *c == "get-authorization-url")
            .map(|(_, r)| r["nonce"].clone())
    }
}

/// An oxd error that the module maps to this reason.
fn error_for(reason: Reason) -> oxd::Error {
    let at = || "http://oxd/scripted".to_owned();
    let trouble = |cause| oxd::Error::NoAnswer {
        at: at(),
        trouble: Trouble::new(cause, "scripted"),
    };
    let by_code = |said| BadAnswer::scripted(GetTokensByCode::COMMAND, 400, said);
    let all = [
        trouble(Cause::ConnectionRefused),
        trouble(Cause::NoAnswer),
        trouble(Cause::NotHttp),
        by_code("'code' is invalid."),
        by_code("'state' is not registered."),
        BadAnswer::scripted(GetAccessTokenByRefreshToken::COMMAND, 500, "invalid_grant"),
    ];
    let is_meant = |error: &oxd::Error| Failure::from(error.clone()).reason == reason;
    all.into_iter()
        .find(is_meant)
        .unwrap_or_else(|| panic!("{reason:?}"))
}

fn object(value: Value) -> Map<String, Value> {
    serde_json::from_value(value).unwrap()
}

impl Call for FakeOxd {
    fn call(
        &self,
        command: oxd::Command,
        request: Map<String, Value>,
    ) -> Result<Map<String, Value>, oxd::Error> {
        self.ask(command.name, Value::Object(request.clone()))?;
        Ok(match command.name {
            "get-authorization-url" => {
                let url = self.authorization_url.clone().unwrap_or_else(|| {
                    format!(
                        "https://op/authorize?client_id=@!1&redirect_uri=https://app.example/oxd/login\
                         &state={}&nonce={}",
                        request["state"].as_str().unwrap(),
                        request["nonce"].as_str().unwrap()
                    )
                });
                object(json!({"authorization_url": url}))
            }
            "get-tokens-by-code" => {
                let mut claims = self.id_token_claims.clone();
                if let (None, Some(nonce)) = (claims.get("nonce"), self.last_nonce()) {
                    claims["nonce"] = nonce;
                }
                object(json!({
                    "access_token": "access", "refresh_token": "refresh", "expires_in": 300,
                    "id_token": "e30.e30.sig", "id_token_claims": claims,
                }))
            }
            "introspect-rpt" => object(self.rpt.clone()?),
            "uma-rs-check-access" => object((self.access)(&request)?),
            "uma-rp-get-rpt" => {
                let mut scripted = self.rpts.borrow_mut();
                match scripted.is_empty() {
                    true => object(json!({"access_token": "rpt", "pct": "pct"})),
                    false => object(scripted.remove(0)?),
                }
            }
            "uma-rp-get-claims-gathering-url" => {
                let state = request["state"].as_str().unwrap();
                object(json!({"url": format!("https://as/gather?state={state}")}))
            }
            "introspect-access-token" => object(self.introspection.clone()?),
            "get-user-info" => object(self.user_info.clone()),
            "get-logout-uri" => object(json!({"uri": self.logout_uri})),
            other => panic!("nobody has scripted {other}"),
        })
    }
}

impl Oxd for FakeOxd {
    fn issuer(&self) -> Result<Option<String>, oxd::Error> {
        self.ask("get-discovery", Value::Null)?;
        Ok(self.issuer.clone())
    }

    fn wait_place(&self) -> Result<oxd::Place<'_>, oxd::Error> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        Ok(oxd::Place::unlimited())
    }

    fn refresh(&self, refresh_token: &str, scope: &[&str]) -> Result<Refreshed, oxd::Error> {
        self.ask("refresh", json!({"refresh_token": refresh_token, "scope": scope}))?;
        if let Some(refreshes) = self.refreshes {
            return refreshes(refresh_token).map_err(error_for);
        }
        Ok(Refreshed {
            access_token: Secret::new("new-access".into()),
            expires_in: Some(300),
            refresh_token: None,
            scope: Value::Null,
        })
    }

    fn user_info_again(
        &self,
        access_token: &str,
        id_token: &str,
        _: Seconds,
    ) -> Result<Map<String, Value>, oxd::Error> {
        let request = GetUserInfo {
            access_token,
            id_token,
        };
        request.send(self)
    }

    fn signing_keys(&self, anew: bool) -> Result<Vec<Value>, oxd::Error> {
        self.ask("get-jwks", json!({"anew": anew}))?;
        Ok(self.keys.clone())
    }
}
