//! What all threads of a store's turn share: the site, what is broken just now, and what was seen.

use std::sync::RwLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oxd_dev::DevServer;
use oxd_tests::{Answer, Ask, StoreKind};

use crate::record::{Kind, Record};

/// What can be broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// oxd stalls, or is not there.
    Oxd,
    /// The store stalls, or is not there.
    Store,
    /// httpd restarts gracefully. No excuse for an answer, only for some lines of the log.
    Restart,
}

impl Trouble {
    /// How much longer its effects may be seen. After oxd's return: calls under way run into `OxdServerTimeout`, a
    /// refused one rests the breaker, and tokens that could not be refreshed have run out. After a store's: httpd's own
    /// client leaves a failed server out for five seconds.
    fn grace(self) -> Duration {
        Duration::from_secs(match self {
            Trouble::Oxd => 16,
            Trouble::Store => 12,
            Trouble::Restart => 8,
        })
    }
}

struct Span {
    trouble: Trouble,
    from: Instant,
    to: Option<Instant>,
}

/// How many connections a thread keeps at most: at a restart httpd closes all of them at once.
const CONNECTIONS: usize = 8;

/// A kept connection that was closed is noticed at once. Who has waited longer for an answer has lost it.
const STALE: Duration = Duration::from_secs(3);

/// No answer may take longer, whatever is broken: `OxdServerTimeout` and a few `OxdStoreTimeout`s.
const LONGEST: Duration = Duration::from_secs(20);

/// What is counted where httpd has answered at once a request that was long on its way: while children are busy the system
/// may have no room for a new connection, and TCP sends the request ever more seldom again (RFC 6298 section 5.5).
const ON_ITS_WAY: &str = "request that TCP brought to httpd only after 20 s";

/// How a request ended.
pub enum Outcome {
    /// As it should.
    Right(Box<Answer>),
    /// Not so, but something was broken on purpose.
    Excused,
    /// It has been noted.
    Wrong,
}

/// What the threads of a turn share.
pub struct World {
    /// What the visitors saw, in this turn and in those before.
    pub record: Arc<Record>,
    /// Where sessions are kept.
    pub store: StoreKind,
    /// The site's address, without a slash at the end.
    pub site: String,
    /// The site's `client_id`.
    pub client_id: String,
    /// The provider.
    pub issuer: String,
    /// The development server, which signs for the provider, too.
    pub oxd: RwLock<DevServer>,
    /// Goes up whenever sessions of before may be gone.
    pub epoch: AtomicU64,
    /// Goes up with each new `OxdCryptoKey`.
    pub keys: AtomicU64,
    /// Goes up with each new key of the provider.
    pub signing: AtomicU64,
    /// Whether the threads shall end.
    pub over: AtomicBool,
    /// What the program itself does wrong, to see that it is noticed.
    pub mischief: Option<Mischief>,
    troubles: Mutex<Vec<Span>>,
    key_since: Mutex<Option<Instant>>,
}

/// Ways to do wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mischief {
    /// Connections to httpd are opened and never closed: its descriptors grow
    Descriptors,
    /// Somebody brings the cookies of somebody else
    Stranger,
    /// Somebody is held to be signed out who is not
    Alive,
    /// A child of httpd is killed
    Crash,
}

impl World {
    /// Nothing has happened yet.
    pub fn new(
        record: Arc<Record>,
        store: StoreKind,
        (site, client_id): (String, String),
        oxd: DevServer,
        mischief: Option<Mischief>,
    ) -> World {
        World {
            record,
            store,
            site,
            client_id,
            issuer: oxd.provider_url(),
            oxd: RwLock::new(oxd),
            epoch: AtomicU64::new(0),
            keys: AtomicU64::new(0),
            signing: AtomicU64::new(0),
            over: AtomicBool::new(false),
            mischief,
            troubles: Mutex::default(),
            key_since: Mutex::default(),
        }
    }

    /// The address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.site)
    }

    /// Notes the calls that have reached oxd, which would otherwise be kept; some may be missed.
    pub fn count_calls(&self) {
        let oxd = self.oxd.read().expect("a lock");
        let calls = oxd.calls();
        oxd.clear_calls();
        for call in calls {
            self.record.happened(format!("call to oxd: {}", call.command));
        }
    }

    /// The provider has a new key.
    pub fn new_key(&self) {
        self.signing.fetch_add(1, Ordering::SeqCst);
        *self.key_since.lock().expect("a lock") = Some(Instant::now());
    }

    /// All children are new, and know the provider's keys of now.
    pub fn new_children(&self) {
        *self.key_since.lock().expect("a lock") = None;
    }

    /// For how long children of now have known of the provider's last key; for ever, if they know no other.
    pub fn key_age(&self) -> Duration {
        let since = *self.key_since.lock().expect("a lock");
        since.map_or(Duration::MAX, |since| since.elapsed())
    }

    /// Whether the threads shall end.
    pub fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Something is broken from now on.
    pub fn begin(&self, trouble: Trouble) {
        let from = Instant::now();
        let span = Span {
            trouble,
            from,
            to: None,
        };
        self.troubles.lock().expect("a lock").push(span);
    }

    /// It works again.
    pub fn end(&self, trouble: Trouble) {
        let mut troubles = self.troubles.lock().expect("a lock");
        for span in troubles.iter_mut().filter(|span| span.trouble == trouble) {
            span.to.get_or_insert_with(Instant::now);
        }
    }

    /// Whether one of these was at work, or still to be felt, at some time of these.
    pub fn troubled(&self, kinds: &[Trouble], from: Instant, to: Instant) -> bool {
        let troubles = self.troubles.lock().expect("a lock");
        troubles.iter().any(|span| {
            kinds.contains(&span.trouble)
                && span.from <= to
                && span.to.is_none_or(|end| end + span.trouble.grace() >= from)
        })
    }

    /// The same of the time until now, this far back.
    pub fn troubled_lately(&self, kinds: &[Trouble], back: Duration) -> bool {
        let now = Instant::now();
        self.troubled(kinds, now - back, now)
    }

    /// Sends a request, again while its connection turns out to be closed (as browsers do), and notes how it ended.
    /// While something of `excuses` is broken, it may be refused with 502, 503 or 504. Nothing excuses an answer that
    /// takes longer than [`LONGEST`].
    pub fn ask(
        &self,
        kind: Kind,
        request: impl Fn() -> Result<Answer, Failed>,
        excuses: &[Trouble],
        check: impl FnOnce(&Answer) -> Result<(), String>,
    ) -> Outcome {
        let begun = Instant::now();
        let mut answer = request();
        for _ in 0..CONNECTIONS {
            match &answer {
                Err(failed) if failed.is_stale => answer = request(),
                _ => break,
            }
        }
        let (took, ended) = (begun.elapsed(), Instant::now());
        let in_httpd = answer.as_ref().ok().and_then(time_in_httpd).unwrap_or(took);
        let took = match took > LONGEST && in_httpd < took / 2 {
            true => {
                self.record.happened(ON_ITS_WAY.to_owned());
                in_httpd
            }
            false => took,
        };
        let fault = match &answer {
            Ok(answer) if took > LONGEST => format!("too long waited for {}", brief(answer)),
            Ok(answer) => match check(answer) {
                Ok(()) => {
                    let in_trouble = self.troubled(&[Trouble::Oxd, Trouble::Store], begun, ended);
                    self.record.right(kind, took, in_trouble);
                    return Outcome::Right(Box::new(answer.clone()));
                }
                Err(_) if is_refusal(answer) && self.troubled(excuses, begun, ended) => {
                    self.record.excused(kind);
                    return Outcome::Excused;
                }
                Err(why) => format!("{why}: {}", brief(answer)),
            },
            Err(failed) => failed.why.clone(),
        };
        self.record.wrong(
            kind,
            &format!("{:?}: {fault}, after {} ms", self.store, took.as_millis()),
        );
        Outcome::Wrong
    }
}

/// How long httpd had the request, by its header with `%D`: `D=`, and microseconds.
fn time_in_httpd(answer: &Answer) -> Option<Duration> {
    let text = answer.header("soak-time")?.strip_prefix("D=")?;
    text.parse().ok().map(Duration::from_micros)
}

/// A request without an answer.
pub struct Failed {
    why: String,
    /// Whether its connection was kept from a request of before.
    is_stale: bool,
}

/// Sends a request on a connection that may have been kept.
pub fn send(ask: Ask<'_>, keeps: bool) -> Result<Answer, Failed> {
    let begun = Instant::now();
    ask.try_send().map_err(|error| Failed {
        is_stale: keeps && begun.elapsed() < STALE,
        why: format!(
            "no answer on a {} connection: {error:?}",
            if keeps { "kept" } else { "new" }
        ),
    })
}

fn is_refusal(answer: &Answer) -> bool {
    matches!(answer.status, 502..=504)
}

/// An answer in one line.
fn brief(answer: &Answer) -> String {
    let text: String = answer.text().split_whitespace().collect::<Vec<_>>().join(" ");
    let text: String = text.chars().take(160).collect();
    let location = answer
        .headers
        .get("location")
        .and_then(|value| value.to_str().ok());
    format!("{} for {} to {location:?} {text:?}", answer.status, answer.url)
}
