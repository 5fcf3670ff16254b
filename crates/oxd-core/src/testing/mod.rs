//! Test doubles for unit tests: a scripted oxd, a browser's cookies, a request.

mod fake_oxd;
mod host;
mod past_vulnerabilities;
mod request;
mod signer;

pub(crate) use fake_oxd::FakeOxd;
pub(crate) use host::{FakeStore, FakeStream, Log, NoStores, Trail, new_stores_are_atomic};
pub(crate) use request::{Headers, TestRequest};
pub(crate) use signer::{Signer, ed25519, p256};

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use zerocopy::FromZeros as _;

use crate::access::{Admission, Visit, enter};
use crate::base::{KeyRing, Reason, Reference, Revocations, Seconds, SystemRandom};
use crate::config::store::StoreAddress;
use crate::config::{RawSettings, ServerDefaults, SessionStore, Settings, SiteFile, TokenRefresh};
use crate::flow::Ctx;
use crate::http::{Form, Method, RequestEnv, Response};
use crate::login::{self, AuthRequestOverrides};
use crate::shm::stats::{
    Action, Answered, Audit, Command, End, Event, Login, Outcome, Presented, Renewal, Stats, Token, Worth,
};
use crate::shm::{MAGIC, Memory, USUAL_MARKS, memory_words};
use crate::tokens::TokenCache;

/// The time at which the tests begin.
pub(crate) const NOW: Seconds = Seconds(1_800_000_000);

/// A site with this `oxd_id`, without the settings that only calls need.
pub(crate) fn site(id: &str) -> SiteFile {
    SiteFile {
        oxd_id: Some(id.into()),
        client_id: None,
        client_secret: None,
        op_host: None,
        op_configuration_endpoint: None,
        redirect_uri: None,
    }
}

/// How state machines are run: so many sequences, or as many as `PROPTEST_CASES` says. What fails is shown, not kept.
pub(crate) fn machines(usual: u32) -> proptest::test_runner::Config {
    let cases = std::env::var("PROPTEST_CASES").ok();
    proptest::test_runner::Config {
        cases: cases.and_then(|cases| cases.parse().ok()).unwrap_or(usual),
        failure_persistence: None,
        // Steps that cannot be taken are left out of a sequence; there are more of them in more sequences.
        max_local_rejects: u32::MAX,
        ..proptest::test_runner::Config::default()
    }
}

/// Counts everything once.
pub(crate) fn everything(stats: &Stats<'_>) {
    stats.begin(NOW - 60);
    Login::ALL.iter().for_each(|how_far| stats.login(*how_far, NOW));
    for reason in Reason::ALL {
        stats.login_failed(*reason, NOW);
        stats.refused(*reason);
        stats.refused_last(*reason, NOW, &Reference::new(&SystemRandom));
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
    Audit::ALL.iter().for_each(|what| stats.audit(*what));
    Renewal::ALL.iter().for_each(|what| stats.renewal(*what));
    for token in Token::ALL {
        Worth::ALL.iter().for_each(|worth| stats.token(*token, *worth));
    }
    for action in Action::ALL {
        for answered in Answered::ALL {
            stats.store(*action, *answered, Duration::from_millis(1));
        }
    }
}

/// A browser at one location: it keeps cookies and sends requests to rules.
pub(crate) struct Browser<'s> {
    pub settings: RawSettings<'s>,
    pub oxd: FakeOxd,
    pub log: Log,
    pub cookies: Vec<(String, String)>,
    pub now: Seconds,
    pub method: Method,
    pub headers: Headers,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The user that httpd knows for its requests.
    pub user: Option<String>,
    /// What the process knows about tokens.
    pub tokens: TokenCache,
    /// The machine's memory, which browsers may share.
    pub memory: Memory<'static>,
    pub store: Option<&'s FakeStore>,
    /// The store in which sessions were until now.
    pub older: Option<&'s FakeStore>,
    /// The stream of ends that it shares with other machines.
    pub stream: Option<&'s FakeStream>,
    pub stats: Stats<'static>,
    /// The path of the cookie with the tokens.
    pub tokens_path: Option<&'static str>,
    /// The path of each cookie that was set last.
    paths: std::collections::HashMap<String, String>,
    keys: KeyRing,
}

/// Fresh counters.
pub(crate) fn stats() -> Stats<'static> {
    Stats::over(zeros(crate::shm::stats::WORDS)).unwrap()
}

/// Fresh memory of a machine.
pub(crate) fn memory() -> Memory<'static> {
    let words = zeros(memory_words(USUAL_MARKS));
    // Without it each word would be looked at.
    words[0].store(MAGIC, Ordering::Relaxed);
    Memory::over(words).unwrap()
}

/// Words that cost nothing until they are written.
fn zeros(number: usize) -> &'static [AtomicU64] {
    AtomicU64::new_vec_zeroed(number).expect("memory").leak()
}

/// Keys for tests, always the same.
pub(crate) fn keys() -> KeyRing {
    KeyRing::derive([&b"a key for the tests"[..]]).unwrap()
}

/// Settings that refresh tokens in their last minute.
pub(crate) fn refresh_ahead<'s>() -> RawSettings<'s> {
    RawSettings {
        token_refresh: Some(TokenRefresh::Ahead(Seconds(60))),
        ..RawSettings::default()
    }
}

impl<'s> Browser<'s> {
    /// A browser at a location whose tokens are refreshed in their last minute.
    pub(crate) fn that_refreshes(site: &'s SiteFile) -> Self {
        Self::at(RawSettings {
            site: Some(site),
            ..refresh_ahead()
        })
    }

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
            authorization: None,
            user: None,
            tokens: TokenCache::default(),
            memory: memory(),
            store: None,
            older: None,
            stream: None,
            stats: stats(),
            keys: keys(),
            tokens_path: None,
            paths: Default::default(),
        }
    }

    /// The `Cookie` header for a target: the cookie with the tokens may have a path of its own.
    fn cookies_for(&self, target: &str) -> String {
        let is_sent = |name: &str| {
            let path = self.paths.get(name).filter(|_| name.contains(".tokens"));
            path.is_none_or(|path| target.starts_with(path.as_str()))
        };
        self.cookies
            .iter()
            .filter(|(name, _)| is_sent(name))
            .map(|(n, v)| format!("{n}={v}"))
            .collect::<Vec<_>>()
            .join("; ")
    }

    /// Runs a rule on a request for a target, and ignores the answer's cookies.
    pub(crate) fn look<A>(&self, target: &str, rule: impl FnOnce(&Ctx<'_>) -> A) -> A {
        let request = TestRequest {
            now: self.now,
            method: self.method,
            target: target.to_owned(),
            cookies: self.cookies_for(target),
            authorization: self.authorization.clone(),
            user: self.user.clone(),
            headers: self.headers,
        };
        let mut raw = self.settings;
        if let Some(store) = self.store {
            raw.session_store = Some(SessionStore::Shared(store));
        }
        raw.older_store = Some(self.older.map(|store| SessionStore::Shared(store)));
        let address = StoreAddress::parse("redis://h").unwrap();
        if self.stream.is_some() {
            raw.revocations = Some(&address);
        }
        let defaults = ServerDefaults {
            keys: &self.keys,
            threads: 16,
            stores: &NoStores,
            revocations: self.stream.map(|stream| stream as &dyn Revocations),
            tokens_path: self.tokens_path,
        };
        let settings = Settings::of(&raw, defaults);
        let env = RequestEnv::new(&settings, &request, &self.log, self.stats, Some("/oxd"));
        rule(&Ctx::new(env, &self.memory, &self.oxd, &self.tokens).expect("a site"))
    }

    /// Runs a rule, and keeps the answer's cookies.
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
            let path = attributes.split("Path=").nth(1).unwrap_or_default();
            let path = path.split(';').next().unwrap_or_default();
            let is_gone = attributes.contains("Max-Age=0");
            // One of another path is another cookie.
            if is_gone && self.paths.get(name).is_some_and(|known| known != path) {
                continue;
            }
            self.cookies.retain(|(n, _)| n != name);
            if !is_gone {
                self.cookies.push((name.into(), value.into()));
                self.paths.insert(name.into(), path.into());
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

    /// A handler address, to which a form is sent.
    pub(crate) fn post(&mut self, target: &str, form: &str) -> Response {
        self.method = Method::Post;
        self.headers.content_type = Some("application/x-www-form-urlencoded");
        let form = Form::Read(form.as_bytes().to_vec());
        let answer = self.ask(target, |ctx| {
            let path = ctx.request.path().into_owned();
            crate::handler::routes::answer(ctx, crate::handler::routes::locate(&path, Some("/oxd")).1, &form)
        });
        self.method = Method::Get;
        answer
    }

    /// A plain request to a protected place.
    pub(crate) fn visit<A>(&self, target: &str, look: impl FnOnce(&Ctx<'_>, &Visit<'_, 'static>) -> A) -> A {
        self.look(target, |ctx| {
            let visit = Visit {
                is_subrequest: false,
                is_renewed: false,
                held: None,
                token: None,
                memory: &crate::session::Leaked,
                read_form: &|_| Ok(Form::None),
            };
            look(ctx, &visit)
        })
    }

    /// The protected place at a target, asked as a plain request.
    pub(crate) fn enter(&mut self, target: &str) -> Response {
        let answer = self.visit(target, |ctx, visit| match enter(ctx, visit) {
            Admission::Respond(response) => response,
            other => panic!("no answer: {other:?}"),
        });
        self.take_cookies(&answer.cookies);
        answer
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
