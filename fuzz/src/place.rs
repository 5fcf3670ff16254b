//! A place of a server with the module, without httpd: its configuration, a request, an oxd that answers from memory.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use oxd_core::access::{Admission, Visit, enter};
use oxd_core::base::{Arena, Key, KeyRing, Level, Millis, NoRandomness, Random, Seconds, Store, StoreError};
use oxd_core::config::{AuthParam, Expression, RawSettings, directive};
use oxd_core::flow::Ctx;
use oxd_core::fuzzing::{self, Sealed};
use oxd_core::http::{Form, Header, Host, Method, Origin, Request, RequestEnv, Response};
use oxd_core::oxd::commands::refresh::Refreshed;
use oxd_core::oxd::{Call, Command, Error, Oxd, Place as Waiting};
use oxd_core::session::{SessionMemory, SessionRecord};
use oxd_core::shm::stats::{Stats, WORDS};
use oxd_core::shm::{Memory, memory_words};
use oxd_core::tokens::TokenCache;
use serde_json::{Map, Value, json};

use crate::configuration::{Files, keys, settings};

/// When each request comes.
pub(crate) const NOW: Seconds = Seconds(1_800_000_000);
/// The nonce of each login: the random bytes of [`Server`] are always the same.
pub(crate) const NONCE: &str = "a-nonce-of-the-fuzz-targets";

/// A request.
#[derive(Clone, Default)]
pub(crate) struct Asked<'a> {
    pub method: Option<Method>,
    pub target: &'a str,
    pub cookies: &'a [u8],
    pub authorization: Option<&'a [u8]>,
    pub headers: Vec<(Header, &'a str)>,
}

impl Request for Asked<'_> {
    fn millis(&self) -> Millis {
        NOW.millis()
    }

    fn method(&self) -> Method {
        self.method.unwrap_or(Method::Get)
    }

    fn path(&self) -> Cow<'_, str> {
        self.target.split('?').next().unwrap_or_default().into()
    }

    fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, query)| query)
    }

    fn target(&self) -> Cow<'_, str> {
        self.target.into()
    }

    fn origin(&self) -> Origin {
        Origin::new("https", "app.example", None)
    }

    fn realm(&self) -> Option<&str> {
        None
    }

    fn header_limit(&self) -> usize {
        8_190
    }

    fn cookies(&self) -> Option<&[u8]> {
        (!self.cookies.is_empty()).then_some(self.cookies)
    }

    fn has_one_cookie(&self) -> bool {
        !self.cookies.iter().any(|byte| matches!(byte, b';' | b','))
    }

    fn authorization(&self) -> Option<&[u8]> {
        self.authorization
    }

    fn server_name(&self) -> Cow<'_, str> {
        "app.example".into()
    }

    fn address(&self) -> Cow<'_, str> {
        "192.0.2.7".into()
    }

    fn agent(&self) -> Cow<'_, str> {
        "".into()
    }

    fn user(&self) -> Option<Cow<'_, str>> {
        None
    }

    fn max_age_at(&self, _: &str) -> Option<Seconds> {
        None
    }

    fn header(&self, header: Header) -> Option<&str> {
        let found = self.headers.iter().find(|(name, _)| *name == header);
        found.map(|(_, value)| *value)
    }
}

/// httpd: a log that is checked and not kept, and bytes in place of random ones that are the same for the same input.
#[derive(Default)]
pub(crate) struct Server(Cell<u8>);

impl Random for Server {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        for byte in buffer {
            self.0.set(self.0.get().wrapping_add(1));
            *byte = self.0.get();
        }
        Ok(())
    }
}

impl Host for Server {
    fn evaluate(&self, _: Expression<'_>) -> Result<String, String> {
        Ok("value".into())
    }

    fn logs(&self, _: Level) -> bool {
        true
    }

    fn log(&self, _: Level, line: &str) {
        assert!(line.len() < 64 * 1024, "a line of {} bytes", line.len());
    }
}

/// oxd, as it answers when all is well.
#[derive(Default)]
pub(crate) struct Answering {
    pub keys: Vec<Value>,
}

impl Call for Answering {
    fn call(&self, command: Command, members: Map<String, Value>) -> Result<Map<String, Value>, Error> {
        let answer = match command.name {
            "get-authorization-url" => {
                let text = |name: &str| members.get(name).and_then(Value::as_str).unwrap_or_default();
                json!({"authorization_url": format!(
                    "https://op/authorize?state={}&nonce={}", text("state"), text("nonce")
                )})
            }
            "get-tokens-by-code" => json!({
                "access_token": "access", "refresh_token": "refresh", "expires_in": 300, "id_token": "e30.e30.sig",
                "id_token_claims": {"sub": "alice", "iss": "https://op", "exp": NOW.0 + 3600, "nonce": NONCE},
            }),
            "get-user-info" => json!({"sub": "alice", "name": "Alice"}),
            "get-logout-uri" => json!({"uri": "https://op/end_session"}),
            _ => return Err(Error::NotConfigured("nothing is scripted".into())),
        };
        Ok(serde_json::from_value(answer).unwrap_or_default())
    }
}

impl Oxd for Answering {
    fn refresh(&self, _: &str, _: &[&str]) -> Result<Refreshed, Error> {
        Err(Error::NotConfigured("nothing is refreshed".into()))
    }

    fn user_info_again(&self, _: &str, _: &str, _: Seconds) -> Result<Map<String, Value>, Error> {
        Err(Error::NotConfigured("nothing is asked again".into()))
    }

    fn signing_keys(&self, _: bool) -> Result<Vec<Value>, Error> {
        Ok(self.keys.clone())
    }

    fn issuer(&self) -> Result<Option<String>, Error> {
        Ok(Some("https://op".into()))
    }

    fn wait_place(&self) -> Result<Waiting<'_>, Error> {
        Err(Error::NotConfigured("nobody waits".into()))
    }
}

/// A store in memory.
#[derive(Debug, Default)]
pub(crate) struct Kept(pub Mutex<HashMap<Key, Vec<u8>>>);

impl Store for Kept {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().expect("one thread").get(key).cloned())
    }

    fn put(&self, key: &Key, value: &[u8], _: Seconds) -> Result<(), StoreError> {
        self.0.lock().expect("one thread").insert(*key, value.to_vec());
        Ok(())
    }

    fn remove(&self, key: &Key) -> Result<(), StoreError> {
        self.0.lock().expect("one thread").remove(key);
        Ok(())
    }

    fn is_shared(&self) -> bool {
        false
    }
}

/// Memory of a request, which goes with it.
#[derive(Default)]
pub(crate) struct OfRequest<'b> {
    bytes: typed_arena::Arena<u8>,
    records: typed_arena::Arena<SessionRecord<'b>>,
}

impl<'b> SessionMemory<'b> for &'b OfRequest<'b> {
    fn bytes(&self, len: usize) -> &'b mut [u8] {
        self.bytes.alloc_extend(std::iter::repeat_n(0, len))
    }

    fn keep(&self, record: SessionRecord<'b>) -> &'b SessionRecord<'b> {
        self.records.alloc(record)
    }
}

/// A place, and the process that serves it.
pub(crate) struct Place {
    raw: RawSettings<'static>,
    keys: KeyRing,
    pub memory: Memory<'static>,
    stats: Stats<'static>,
    tokens: TokenCache,
    pub oxd: Answering,
}

fn words(count: usize) -> &'static [AtomicU64] {
    let words: Vec<AtomicU64> = (0..count).map(|_| AtomicU64::new(0)).collect();
    words.leak()
}

/// The memory of a machine.
pub(crate) fn memory() -> Memory<'static> {
    Memory::over(words(memory_words(1 << 12))).expect("it has the size")
}

impl Place {
    /// A place with these directives. A target makes it once.
    pub(crate) fn with(lines: &[&[&str]], store: Option<&'static Kept>, oxd: Answering) -> Self {
        let arena: &'static Arena<AuthParam<'static>> = Box::leak(Box::default());
        let files = Files {
            content: b"",
            store,
            ..Files::default()
        };
        let mut raw = RawSettings::default();
        for line in lines {
            let (name, arguments) = line.split_first().expect("a directive");
            let directive = directive::TABLE
                .iter()
                .find(|known| known.name() == *name)
                .expect(name);
            let place = directive::Place { arena, env: &files };
            if let Err(why) = directive.parse(&mut raw, &place, arguments) {
                panic!("{why}");
            }
        }
        Self {
            raw,
            keys: keys(),
            memory: memory(),
            stats: Stats::over(words(WORDS)).expect("it has the size"),
            tokens: TokenCache::default(),
            oxd,
        }
    }

    /// Looks at a request.
    pub(crate) fn ask<A>(&self, request: &Asked<'_>, rule: impl FnOnce(&Ctx<'_>) -> A) -> A {
        let server = Server::default();
        let settings = settings(&self.raw, &self.keys);
        let env = RequestEnv::new(&settings, request, &server, self.stats, Some("/oxd"));
        rule(&Ctx::new(env, &self.memory, &self.oxd, &self.tokens).expect("a site"))
    }

    /// Looks at a request without a site.
    pub(crate) fn see<A>(&self, request: &Asked<'_>, rule: impl FnOnce(&RequestEnv<'_>) -> A) -> A {
        let server = Server::default();
        let settings = settings(&self.raw, &self.keys);
        rule(&RequestEnv::new(
            &settings,
            request,
            &server,
            self.stats,
            Some("/oxd"),
        ))
    }

    /// The cookie of a login in progress that the module has sealed, as a browser brings it; `None` where it cannot be
    /// sealed.
    pub(crate) fn login_cookie(&self, state: &str, pending: &[u8]) -> Option<String> {
        let nobody = Asked {
            target: "/oxd/callback",
            ..Asked::default()
        };
        let sealed = self.ask(&nobody, |ctx| fuzzing::seal(ctx, Sealed::Login, pending));
        let sealed = sealed.ok()?;
        Some(format!("{}={sealed}", fuzzing::login_cookie(state)))
    }

    /// The handler's answer.
    pub(crate) fn handle(&self, request: &Asked<'_>, form: &Form) -> Response {
        use oxd_core::handler::routes::{answer, locate};
        let path = request.path();
        let (_, endpoint) = locate(&path, Some("/oxd"));
        self.ask(request, |ctx| answer(ctx, endpoint, form))
    }

    /// The user that a protected place admits, or the status of its answer.
    pub(crate) fn admitted(&self, request: &Asked<'_>) -> Result<Vec<u8>, u16> {
        let memory = OfRequest::default();
        self.ask(request, |ctx| {
            let visit = Visit {
                is_subrequest: false,
                is_renewed: false,
                held: None,
                token: None,
                memory: &&memory,
                read_form: &|_| Ok(Form::None),
            };
            match enter(ctx, &visit) {
                Admission::Admit(admitted) => Ok(admitted.user.into_owned()),
                Admission::Pass => Err(0),
                Admission::Respond(response) => Err(response.status),
                Admission::Status(status) => Err(status),
            }
        })
    }
}
