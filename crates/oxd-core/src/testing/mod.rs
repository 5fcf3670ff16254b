//! Test doubles for unit tests: a scripted oxd, a browser's cookies, a request.

mod past_vulnerabilities;

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::access::{Admission, Visit, enter};
use crate::base::{
    Failure, Key, KeyRing, Level, Millis, NoRandomness, Random, Reason, Seconds, Secret, Store, StoreError,
    SystemRandom,
};
use crate::config::{Expression, RawSettings, ServerDefaults, SessionStore, Settings, SiteFile};
use crate::flow::Ctx;
use crate::http::{Form, Header, Host, Method, Origin, Request, RequestEnv, Response};
use crate::login::{self, AuthRequestOverrides};
use crate::oxd::commands::refresh::{GetAccessTokenByRefreshToken, Refreshed};
use crate::oxd::commands::tokens_by_code::GetTokensByCode;
use crate::oxd::commands::user_info::GetUserInfo;
use crate::oxd::{self, BadAnswer, Call, Cause, Oxd, Request as _, Trouble};
use crate::shm::stats::{Action, Answered, Command, End, Event, Login, Outcome, Presented, Renewal, Stats};
use crate::shm::{MEMORY_WORDS, Memory};

/// The time at which the tests begin.
pub(crate) const NOW: Seconds = Seconds(1_800_000_000);

/// A site of that `oxd_id`, without anything that only calls need.
pub(crate) fn site(id: &str) -> SiteFile {
    SiteFile {
        oxd_id: Some(id.into()),
        client_id: None,
        client_secret: None,
        op_host: None,
        op_configuration_endpoint: None,
    }
}

/// An oxd that answers what a test tells it to, and remembers what it was asked.
pub(crate) struct FakeOxd {
    pub asked: RefCell<Vec<(&'static str, Value)>>,
    pub id_token_claims: Value,
    pub user_info: Value,
    pub authorization_url: Option<String>,
    pub failure: Option<(&'static str, Reason)>,
    pub keys: Vec<Value>,
}

impl Default for FakeOxd {
    fn default() -> Self {
        Self {
            asked: RefCell::default(),
            id_token_claims: json!({"sub": "alice", "iss": "https://op", "exp": NOW + 3600, "acr": "basic"}),
            user_info: json!({"sub": "alice", "name": "Alice"}),
            authorization_url: None,
            failure: None,
            keys: Vec::new(),
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

/// An error of oxd that is refused for this reason.
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
        BadAnswer::scripted(GetAccessTokenByRefreshToken::COMMAND, 400, ""),
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
            "get-user-info" => object(self.user_info.clone()),
            "get-logout-uri" => object(json!({"uri": "https://op/end_session"})),
            other => panic!("nobody has scripted {other}"),
        })
    }
}

impl Oxd for FakeOxd {
    fn refresh(&self, refresh_token: &str, scope: &[&str]) -> Result<Refreshed, oxd::Error> {
        self.ask("refresh", json!({"refresh_token": refresh_token, "scope": scope}))?;
        Ok(Refreshed {
            access_token: Secret::new("new-access".into()),
            expires_in: Some(300),
            refresh_token: None,
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

/// Collects what is logged.
#[derive(Default)]
pub(crate) struct Log(pub RefCell<Vec<String>>);

impl Random for Log {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        SystemRandom.fill(buffer)
    }
}

impl Host for Log {
    fn evaluate(&self, expression: Expression<'_>) -> Result<String, String> {
        match expression.0.downcast_ref() {
            None | Some(0) => Err("scripted".into()),
            Some(number) => Ok(format!("value{number}")),
        }
    }

    fn logs(&self, _: Level) -> bool {
        true
    }

    fn log(&self, _: Level, line: &str) {
        self.0.borrow_mut().push(line.to_owned());
    }
}

/// A store in this process, which can be out of order.
#[derive(Debug, Default)]
pub(crate) struct FakeStore {
    pub entries: Mutex<HashMap<Key, Vec<u8>>>,
    pub asked: AtomicUsize,
    pub is_down: AtomicBool,
}

impl FakeStore {
    fn ask(&self) -> Result<MutexGuard<'_, HashMap<Key, Vec<u8>>>, StoreError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("scripted".into()));
        }
        Ok(self.entries.lock().unwrap())
    }
}

impl Store for FakeStore {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.ask()?.get(key).cloned())
    }

    fn put(&self, key: &Key, value: &[u8], _: Seconds) -> Result<(), StoreError> {
        if value.len() > 8_000 {
            return Err(StoreError::TooLarge("scripted".into()));
        }
        self.ask()?.insert(*key, value.to_vec());
        Ok(())
    }

    fn remove(&self, key: &Key) -> Result<(), StoreError> {
        self.ask()?.remove(key);
        Ok(())
    }

    fn is_shared(&self) -> bool {
        false
    }
}

/// Counts everything once.
pub(crate) fn everything(stats: &Stats<'_>) {
    stats.begin(NOW - 60);
    Login::ALL.iter().for_each(|how_far| stats.login(*how_far, NOW));
    for reason in Reason::ALL {
        stats.login_failed(*reason, NOW);
        stats.refused(*reason);
    }
    Presented::ALL.iter().for_each(|what| stats.presented(*what));
    stats.made();
    End::ALL.iter().for_each(|by| stats.ended(*by));
    for command in Command::ALL {
        for outcome in Outcome::ALL {
            stats.call(*command, *outcome, Duration::from_millis(7), NOW);
        }
    }
    Event::ALL.iter().for_each(|event| stats.event(*event));
    Renewal::ALL.iter().for_each(|what| stats.renewal(*what));
    for action in Action::ALL {
        for answered in Answered::ALL {
            stats.store(*action, *answered, Duration::from_millis(1));
        }
    }
}

/// The headers of a request.
#[derive(Clone, Copy, Default)]
pub(crate) struct Headers {
    pub accept: Option<&'static str>,
    pub content_type: Option<&'static str>,
    pub sec_fetch_mode: Option<&'static str>,
    pub sec_fetch_site: Option<&'static str>,
    pub origin: Option<&'static str>,
    pub x_requested_with: Option<&'static str>,
    pub x_forwarded_proto: Option<&'static str>,
    pub x_forwarded_host: Option<&'static str>,
    pub x_forwarded_port: Option<&'static str>,
    pub forwarded: Option<&'static str>,
}

/// A request as plain data.
pub(crate) struct TestRequest {
    pub now: Seconds,
    pub method: Method,
    pub target: String,
    pub cookies: String,
    pub headers: Headers,
}

impl TestRequest {
    /// A plain navigation.
    pub(crate) fn navigation(target: &str) -> Self {
        Self {
            now: NOW,
            method: Method::Get,
            target: target.to_owned(),
            cookies: String::new(),
            headers: Headers {
                accept: Some("text/html,*/*;q=0.8"),
                ..Headers::default()
            },
        }
    }

    fn parts(&self) -> (&str, Option<&str>) {
        match self.target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (&self.target, None),
        }
    }
}

impl Request for TestRequest {
    fn millis(&self) -> Millis {
        self.now.millis()
    }

    fn method(&self) -> Method {
        self.method
    }

    fn path(&self) -> Cow<'_, str> {
        self.parts().0.into()
    }

    fn query(&self) -> Option<&str> {
        self.parts().1
    }

    fn target(&self) -> Cow<'_, str> {
        self.target.as_str().into()
    }

    fn origin(&self) -> Origin {
        Origin::new("https", "app.example", None)
    }

    fn realm(&self) -> Option<&str> {
        None
    }

    fn header_limit(&self) -> usize {
        8190
    }

    fn cookies(&self) -> Option<&[u8]> {
        (!self.cookies.is_empty()).then_some(self.cookies.as_bytes())
    }

    fn header(&self, header: Header) -> Option<&str> {
        let headers = &self.headers;
        match header {
            Header::Accept => headers.accept,
            Header::ContentType => headers.content_type,
            Header::SecFetchMode => headers.sec_fetch_mode,
            Header::SecFetchSite => headers.sec_fetch_site,
            Header::Origin => headers.origin,
            Header::RequestedWith => headers.x_requested_with,
            Header::ForwardedProto => headers.x_forwarded_proto,
            Header::ForwardedHost => headers.x_forwarded_host,
            Header::ForwardedPort => headers.x_forwarded_port,
            Header::Forwarded => headers.forwarded,
        }
    }
}

/// A browser in front of one place: it keeps cookies and asks rules for answers.
pub(crate) struct Browser<'s> {
    pub settings: RawSettings<'s>,
    pub oxd: FakeOxd,
    pub log: Log,
    pub cookies: Vec<(String, String)>,
    pub now: Seconds,
    pub method: Method,
    pub headers: Headers,
    /// The machine's memory, which browsers may share.
    pub memory: Memory<'static>,
    pub store: Option<&'s FakeStore>,
    pub stats: Stats<'static>,
    keys: KeyRing,
}

/// Fresh counters.
pub(crate) fn stats() -> Stats<'static> {
    let words: Vec<AtomicU64> = (0..crate::shm::stats::WORDS).map(|_| AtomicU64::new(0)).collect();
    Stats::over(words.leak()).unwrap()
}

/// Fresh memory of a machine.
pub(crate) fn memory() -> Memory<'static> {
    let words: Vec<AtomicU64> = (0..MEMORY_WORDS).map(|_| AtomicU64::new(0)).collect();
    Memory::over(words.leak()).unwrap()
}

/// Keys for tests, always the same.
pub(crate) fn keys() -> KeyRing {
    KeyRing::derive([&b"a key for the tests"[..]]).unwrap()
}

impl<'s> Browser<'s> {
    pub(crate) fn at(settings: RawSettings<'s>) -> Self {
        Self {
            settings,
            oxd: FakeOxd::default(),
            log: Log::default(),
            cookies: Vec::new(),
            now: NOW,
            method: Method::Get,
            headers: Headers {
                accept: Some("text/html"),
                ..Headers::default()
            },
            memory: memory(),
            store: None,
            stats: stats(),
            keys: keys(),
        }
    }

    pub(crate) fn cookie_header(&self) -> String {
        self.cookies
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Lets a rule look at a request for a target, without taking its cookies over.
    pub(crate) fn look<A>(&self, target: &str, rule: impl FnOnce(&Ctx<'_>) -> A) -> A {
        let request = TestRequest {
            now: self.now,
            method: self.method,
            target: target.to_owned(),
            cookies: self.cookie_header(),
            headers: self.headers,
        };
        let mut raw = self.settings;
        if let Some(store) = self.store {
            raw.session_store = Some(SessionStore::Shared(store));
        }
        let defaults = ServerDefaults {
            keys: &self.keys,
            max_calls: 8,
        };
        let settings = Settings::of(&raw, defaults);
        let env = RequestEnv::new(&settings, &request, &self.log, self.stats, Some("/oxd"));
        rule(&Ctx::new(env, self.memory, &self.oxd).expect("a site"))
    }

    /// Lets a rule answer, and keeps the cookies of the answer.
    pub(crate) fn ask(&mut self, target: &str, rule: impl FnOnce(&Ctx<'_>) -> Response) -> Response {
        let answer = self.look(target, rule);
        self.take_cookies(&answer.cookies);
        answer
    }

    /// Keeps cookies as a browser does.
    pub(crate) fn take_cookies(&mut self, lines: &[String]) {
        for line in lines {
            let (pair, attributes) = line.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(n, _)| n != name);
            if !attributes.contains("Max-Age=0") {
                self.cookies.push((name.into(), value.into()));
            }
        }
    }

    /// A handler address.
    pub(crate) fn get(&mut self, target: &str) -> Response {
        use crate::handler::routes::{answer, locate};
        let path = target.split('?').next().unwrap_or_default();
        let (_, endpoint) = locate(path, Some("/oxd"));
        self.ask(target, |ctx| answer(ctx, endpoint, &Form::None))
    }

    /// The protected place at a target, asked as a plain request.
    pub(crate) fn enter(&mut self, target: &str) -> Response {
        self.ask(target, |ctx| {
            let visit = Visit {
                is_subrequest: false,
                is_renewed: false,
                held: None,
                memory: &|len| vec![0; len].leak(),
                read_form: &|_| Ok(Form::None),
            };
            match enter(ctx, &visit) {
                Admission::Respond(response) => response,
                other => panic!("no answer: {other:?}"),
            }
        })
    }

    /// The state that the last login sent to the provider.
    pub(crate) fn last_state(&self) -> String {
        let asked = self.oxd.asked.borrow();
        let (_, request) = asked
            .iter()
            .rev()
            .find(|(c, _)| *c == "get-authorization-url")
            .unwrap();
        request["state"].as_str().unwrap().to_owned()
    }

    /// The beginning of a login from an address, with a session or without.
    pub(crate) fn start_login(&mut self, target: &str) -> Response {
        self.ask(target, |ctx| {
            login::start_with(ctx, login::own_address(ctx), AuthRequestOverrides::default())
        })
    }

    /// A whole login from an address, with a session or without.
    pub(crate) fn log_in(&mut self, target: &str) -> Response {
        let answer = self.start_login(target);
        assert_eq!(answer.status, 302, "{answer:?}");
        let state = self.last_state();
        self.get(&format!("/oxd/login?code=c&state={state}"))
    }
}

/// The value of a header of an answer.
pub(crate) fn header<'a>(answer: &'a Response, name: &str) -> Option<&'a str> {
    answer
        .headers
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, v)| v.as_str())
}
