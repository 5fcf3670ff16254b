//! What oxd-core needs to decide about a request: the location's settings, the request, sessions and oxd.

use std::borrow::Cow;

use oxd_core::access::{Held, Visit};
use oxd_core::base::{Failure, Seconds};
use oxd_core::config::Settings;
use oxd_core::flow::Ctx;
use oxd_core::http::Request as CoreRequest;
use oxd_core::http::{Form, RequestEnv, Response};
use oxd_core::oxd::commands::refresh::Refreshed;
use oxd_core::oxd::{Call, Command, Error, HttpTransport, Oxd, Site, SiteClient};
use oxd_core::session::{Opened, SessionEnv, SessionMemory, SessionRecord};
use serde_json::{Map, Value};

use super::child;
use super::redis::RedisStores;
use super::request::RequestView;
use super::revocations;
use crate::ffi::Status;
use crate::ffi::dir_config::DirConfig;
use crate::ffi::pool::Pool;
use crate::ffi::request::Request;

/// A request and the location that it belongs to.
pub struct Place<'r> {
    request: Request<'r>,
    view: RequestView<'r>,
    held: Option<&'r Held<'r>>,
    token: Option<&'r Opened<'r>>,
    is_renewed: bool,
    base: Option<Cow<'r, str>>,
    /// The settings of the location.
    pub settings: Settings<'r>,
}

impl<'r> Place<'r> {
    /// Resolves the settings that apply to a request.
    pub fn of(request: Request<'r>, config: &'r DirConfig<'r>) -> Self {
        let here = request.config_id();
        let (mut held, mut token, mut is_renewed) = (None, None, false);
        let (mut cookies, mut authorization) = (None, None);
        request.each_state(|state| {
            held = held.or(state.session);
            token = token.or(state.token);
            is_renewed |= state.renewed;
            cookies = cookies.or(state.cookies);
            authorization = authorization.or(state.authorization);
        });
        Self {
            request,
            view: RequestView::of(request, cookies, authorization),
            held,
            token: token.and_then(|(place, token)| (*place == here).then_some(token)),
            is_renewed,
            base: config.login_base().map(Into::into),
            settings: Settings::of(
                &config.settings,
                child::defaults(
                    &RedisStores,
                    revocations::current(),
                    config.server.and_then(|server| server.tokens_path),
                ),
            ),
        }
    }

    /// The same, with another base path for the handler's endpoints.
    pub fn with_base(self, base: String) -> Self {
        Self {
            base: Some(base.into()),
            ..self
        }
    }

    /// The environment for every response.
    pub fn env(&self) -> RequestEnv<'_> {
        RequestEnv::new(
            &self.settings,
            &self.view,
            &self.view,
            child::stats(),
            self.base.as_deref(),
        )
    }

    /// The environment for session operations; `None` where the location has no site.
    pub fn session_env(&self) -> Option<SessionEnv<'_>> {
        SessionEnv::new(self.env(), child::memory())
    }

    /// Runs a decision that may call oxd. The oxd client is created on the first call, because most decisions need
    /// none. An error names the missing directive where the location has no site.
    #[inline]
    pub fn decide<A>(&self, decision: impl FnOnce(&Ctx<'_>) -> A) -> Result<A, Failure> {
        let oxd = LazyCommands {
            settings: &self.settings,
            request: &self.view,
        };
        Ctx::new(self.env(), child::memory(), &oxd, child::tokens()).map(|ctx| decision(&ctx))
    }

    /// Runs a decision that produces a response, and sends the response with `send`.
    pub fn answer(
        &self,
        send: fn(Request<'_>, &Response) -> Status,
        decision: impl FnOnce(&Ctx<'_>) -> Response,
    ) -> Status {
        let answer = self.decide(decision);
        let answer = answer.unwrap_or_else(|missing| self.env().refuse(&missing, None, None));
        send(self.request, &answer)
    }

    /// Whether a bearer token or an RPT has been taken here for this request.
    pub fn has_token(&self) -> bool {
        self.token.is_some()
    }

    /// Whether the request brings a bearer token, or something in its form.
    pub fn brings_token(&self) -> bool {
        oxd_core::access::has_bearer_header(&self.view)
    }

    /// Whether a script or an API client has sent the request.
    pub fn is_script(&self) -> bool {
        self.view.is_script()
    }

    /// Whether the request has a session that this place accepts.
    pub fn has_session(&self) -> bool {
        let Some(env) = self.session_env() else {
            return false;
        };
        let found = self.visit(|visit| oxd_core::access::known(&env, visit.held, visit.memory));
        matches!(found, Ok(Some(_)))
    }

    /// Runs an access decision.
    #[inline]
    pub fn visit<A>(&self, decision: impl FnOnce(&Visit<'_, 'r>) -> A) -> A {
        let request = self.request;
        decision(&Visit {
            is_subrequest: request.is_subrequest(),
            is_renewed: self.is_renewed,
            held: self.held,
            token: self.token,
            memory: &InPool(request.pool()),
            read_form: &|limit| read_form(request, limit),
        })
    }
}

/// Memory of a request's pool.
struct InPool<'r>(Pool<'r>);

impl<'r> SessionMemory<'r> for InPool<'r> {
    fn bytes(&self, len: usize) -> &'r mut [u8] {
        self.0.bytes(len)
    }

    fn keep(&self, record: SessionRecord<'r>) -> &'r SessionRecord<'r> {
        self.0.keep(record)
    }

    fn copy(&self, text: &[u8]) -> &'r mut [u8] {
        self.0.bytes_of(text)
    }
}

/// Reads the form of a request, up to `limit` bytes; an HTTP status when it cannot be read.
pub fn read_form(request: Request<'_>, limit: usize) -> Result<Form, u16> {
    Ok(match request.read_body(limit)? {
        Some(bytes) => Form::Read(bytes),
        None => Form::TooLarge,
    })
}

/// Sends commands for the location's site, which is resolved when the first command is sent.
struct LazyCommands<'a> {
    settings: &'a Settings<'a>,
    request: &'a dyn CoreRequest,
}

impl LazyCommands<'_> {
    fn at_site<A>(
        &self,
        call: impl FnOnce(&SiteClient<'_, HttpTransport>) -> Result<A, Error>,
    ) -> Result<A, Error> {
        let child = child::current()?;
        let site = Site::of(self.settings, &self.request.path())?;
        call(&child.client.at(site.traced(self.request.trace())))
    }
}

impl Call for LazyCommands<'_> {
    fn call(&self, command: Command, members: Map<String, Value>) -> Result<Map<String, Value>, Error> {
        self.at_site(|site| site.call(command, members))
    }
}

impl Oxd for LazyCommands<'_> {
    fn refresh(&self, refresh_token: &str, scope: &[&str]) -> Result<Refreshed, Error> {
        self.at_site(|site| site.refresh(refresh_token, scope))
    }

    fn user_info_again(
        &self,
        access_token: &str,
        id_token: &str,
        since: Seconds,
    ) -> Result<Map<String, Value>, Error> {
        self.at_site(|site| site.user_info_again(access_token, id_token, since))
    }

    fn issuer(&self) -> Result<Option<String>, Error> {
        self.at_site(|site| site.issuer())
    }

    fn wait_place(&self) -> Result<oxd_core::oxd::Place<'_>, Error> {
        child::current()?
            .client
            .wait_place(self.settings.server().max_calls)
    }

    fn signing_keys(&self, anew: bool) -> Result<Vec<Value>, Error> {
        self.at_site(|site| site.signing_keys(anew))
    }
}
