//! A small OpenID Provider for demonstrations and tests: code flow, RS256, plain http.
//!
//! It follows OpenID Connect Core 1.0 as far as a relying party can see it. It does not
//! protect anybody: passwords are known, everything is in memory.

mod authorize;
mod client;
mod end_session;
mod keys;
mod logout;
mod metadata;
mod pages;
mod respond;
mod sign_in;
mod state;
mod token;
mod uma;
mod userinfo;

use crate::util::{Clock, lock};
use crate::{Error, ProviderOptions};
use axum::Router;
use axum::routing::{get, post};
use http::HeaderMap;
use http::header::COOKIE;
use std::sync::{Arc, Mutex, OnceLock};

pub(crate) use keys::Keyring;
pub use logout::LogoutNotice;
pub(crate) use uma::{Answer, NewResource, RptRequest};

/// The provider's whole state.
pub(crate) struct Op {
    pub(crate) issuer: String,
    /// Cookies do not know ports: the name keeps two providers on one host apart.
    cookie: String,
    options: ProviderOptions,
    clock: Clock,
    pub(crate) keys: Keyring,
    state: Mutex<state::State>,
    /// The logout notices that were sent to clients.
    notices: Mutex<Vec<LogoutNotice>>,
    /// For telling them; made at the first sign-out.
    http: OnceLock<reqwest::Client>,
    /// The authorization server of User-Managed Access, where there is one.
    uma: Option<uma::Server>,
}

type Shared = axum::extract::State<Arc<Op>>;

impl Op {
    pub(crate) fn new(
        address: std::net::SocketAddr,
        options: ProviderOptions,
        clock: Clock,
    ) -> Result<Op, Error> {
        Ok(Op {
            issuer: format!("http://{address}"),
            cookie: format!("oxd_dev_session_{}", address.port()),
            uma: options.uma.clone().map(uma::Server::new),
            options,
            clock,
            keys: Keyring::new()?,
            state: Mutex::default(),
            notices: Mutex::default(),
            http: OnceLock::new(),
        })
    }

    /// Ends every sign-in at the provider.
    pub(crate) fn forget_sessions(&self) {
        lock(&self.state).browsers.clear();
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    /// The value of our cookie.
    fn browser(&self, headers: &HeaderMap) -> Option<String> {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(name, _)| *name == self.cookie)
            .map(|(_, value)| value.to_owned())
    }
}

/// All endpoints and pages.
pub(crate) fn router(op: Arc<Op>) -> Router {
    let mut router = Router::new()
        .route("/", get(pages::home))
        .route("/style.css", get(pages::style))
        .route("/favicon.ico", get(pages::no_icon))
        .route("/.well-known/openid-configuration", get(metadata::discovery))
        .route("/jwks", get(metadata::jwks))
        .route("/register", post(client::register))
        .route("/register/{id}", get(client::read).put(client::update))
        .route("/authorize", get(authorize::get).post(authorize::post))
        .route("/sign-in", get(sign_in::page_handler).post(sign_in::submit))
        .route("/consent", get(sign_in::consent_page).post(sign_in::consent))
        .route("/token", post(token::endpoint))
        .route("/userinfo", get(userinfo::endpoint).post(userinfo::endpoint))
        .route("/introspect", post(userinfo::introspect));
    if op.options.end_session {
        router = router
            .route("/end_session", get(end_session::get).post(end_session::post))
            .route("/signed-out", get(pages::signed_out));
    }
    if op.uma.is_some() {
        router = router
            .route(uma::GATHER, get(uma::gather).post(uma::gathered))
            .route(uma::REQUESTS, get(uma::requests).post(uma::decide));
    }
    router.fallback(pages::not_found).with_state(op)
}
