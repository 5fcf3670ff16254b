//! The people and programs of one thread: each person has a name of its own, and knows whether it is signed in.

mod ended;
mod programs;

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use oxd_dev::Signer;
use oxd_tests::{Answer, Browser, StoreKind, decide};
use serde_json::json;

use self::ended::Ended;
use self::programs::{ask_as_nobody, now, unique};
use crate::record::Kind;
use crate::site::{LIFETIME, PASSWORD};
use crate::world::{Mischief, Outcome, Trouble, World, send};

/// How exactly ends of lifetimes are known here.
const MARGIN: Duration = Duration::from_secs(8);

/// What breaks a request with a session.
const STORE: &[Trouble] = &[Trouble::Store];
/// What breaks whatever needs oxd, too.
const BOTH: &[Trouble] = &[Trouble::Store, Trouble::Oxd];

struct Session {
    browser: Browser,
    since: Instant,
    epoch: u64,
    keys: u64,
    sid: Option<String>,
}

struct User {
    name: String,
    session: Option<Session>,
    /// Further browsers of the user that are still signed in.
    others: Vec<Session>,
}

impl User {
    /// The name and the session, while there is one.
    fn signed_in(&self) -> Option<(&str, &Session)> {
        Some((&self.name, self.session.as_ref()?))
    }
}

/// The visitors of one thread.
pub struct Visitors<'a> {
    world: &'a World,
    template: Browser,
    keeps: bool,
    users: Vec<User>,
    ended: VecDeque<Ended>,
    jwt: Option<(String, u64, Instant)>,
    random: u64,
    count: u64,
    /// The browser of whoever signed in first, for [`Mischief::Stranger`].
    strange: Option<Browser>,
}

impl<'a> Visitors<'a> {
    /// The visitors of the thread of this number, with these names.
    pub fn new(world: &'a World, number: usize, names: impl Iterator<Item = String>) -> Visitors<'a> {
        let keeps = number.is_multiple_of(2);
        let users = names.map(|name| User {
            name,
            session: None,
            others: Vec::new(),
        });
        Visitors {
            world,
            template: if keeps {
                Browser::keeping_connections()
            } else {
                Browser::new()
            },
            keeps,
            users: users.collect(),
            ended: VecDeque::new(),
            jwt: None,
            random: 0x9E37_79B9_7F4A_7C15 ^ (number as u64 + 1).wrapping_mul(0xD134_2543_DE82_EF95),
            count: 0,
            strange: None,
        }
    }

    /// A number below `below`, which must not be 0 (xorshift: no secret depends on it).
    pub fn random(&mut self, below: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % below
    }

    /// Does one thing of this kind. Who needs a session for it and has none signs in instead.
    pub fn act(&mut self, kind: Kind) {
        self.count += 1;
        let user = self.random(self.users.len() as u64) as usize;
        match kind {
            Kind::Login | Kind::Callback => self.sign_in(user),
            Kind::Open => self.open(),
            Kind::Jwt => self.bring_jwt(),
            Kind::Ended => self.try_ended(),
            Kind::Stranger => self.stranger(),
            Kind::Metrics => self.metrics(),
            _ if self.users[user].session.is_none() => self.sign_in(user),
            Kind::Page | Kind::Session => self.view(user, kind),
            Kind::Tabs => self.tabs(user),
            Kind::Opaque => self.bring_opaque(user),
            Kind::Logout => self.sign_out(user),
            Kind::BackChannel => self.tell(user),
        }
    }

    fn sign_in(&mut self, user: usize) {
        let (world, since) = (self.world, Instant::now());
        let epoch = world.epoch.load(Ordering::SeqCst);
        let keys = world.keys.load(Ordering::SeqCst);
        let browser = self.template.copy();
        let name = self.users[user].name.clone();
        let ask = |url: &str| send(browser.ask("GET", url), self.keeps);
        let page = world.url("/app/1k.bin");
        let begun = world.ask(Kind::Login, || ask(&page), BOTH, |answer| status(answer, 302));
        let Outcome::Right(start) = begun else { return };
        // The bed's walk through the provider's pages panics where they are not as they should be.
        let walk = || decide(&browser, &start.location(), (&name, PASSWORD), "allow");
        let Ok(approval) = catch_unwind(AssertUnwindSafe(walk)) else {
            return world.record.wrong(Kind::Login, "the provider's pages are odd");
        };
        let callback = approval.url().as_str();
        // Not a word about the user yet; a restart of the login would be a redirect, too, but with 302.
        let ended = world.ask(
            Kind::Callback,
            || ask(callback),
            BOTH,
            |answer| status(answer, 303),
        );
        let Outcome::Right(_) = ended else { return };
        let session = Session {
            browser,
            since,
            epoch,
            keys,
            sid: None,
        };
        if self.strange.is_none() {
            self.strange = Some(session.browser.copy());
        }
        if let Some(old) = self.users[user].session.replace(session) {
            self.users[user].others.push(old);
            // Whoever is not told of an end forgets: their lifetimes end them.
            let others = &mut self.users[user].others;
            if others.len() > 3 {
                others.remove(0);
            }
        }
        self.view(user, Kind::Page);
    }

    fn view(&mut self, user: usize, kind: Kind) {
        let User {
            name,
            session: Some(session),
            ..
        } = &mut self.users[user]
        else {
            return;
        };
        let world = self.world;
        let browser = match (world.mischief, &self.strange) {
            (Some(Mischief::Stranger), Some(strange)) => strange,
            _ => &session.browser,
        };
        let url = world.url(if kind == Kind::Page {
            "/app/1k.bin"
        } else {
            "/oxd/session"
        });
        let mut is_gone = false;
        let outcome = world.ask(
            kind,
            || send(browser.ask("GET", &url), self.keeps),
            session.excuses(world),
            |answer| match answer.status {
                200 if session.must_be_gone() => Err("a session of long ago works".to_owned()),
                200 => shows(answer, kind, name),
                302 | 401 if session.may_be_gone(world) => {
                    is_gone = true;
                    Ok(())
                }
                302 | 401 => Err("the session is gone".to_owned()),
                _ => Err("not the page".to_owned()),
            },
        );
        match outcome {
            Outcome::Right(answer) if kind == Kind::Session && !is_gone => {
                session.sid = answer.json()["claims"]["sid"].as_str().map(str::to_owned);
            }
            Outcome::Right(_) if is_gone => self.users[user].session = None,
            Outcome::Wrong => self.users[user].session = None,
            _ => {}
        }
    }

    /// Four requests at once with the same cookies.
    fn tabs(&mut self, user: usize) {
        let (world, keeps) = (self.world, self.keeps);
        let Some((name, session)) = self.users[user].signed_in() else {
            return;
        };
        let url = world.url("/app/other.html");
        let one = || {
            let check = |answer: &Answer| match answer.status {
                200 => shows(answer, Kind::Page, name),
                302 | 401 if session.may_be_gone(world) => Ok(()),
                _ => Err("not the page".to_owned()),
            };
            world.ask(
                Kind::Tabs,
                || send(session.browser.ask("GET", &url), keeps),
                session.excuses(world),
                check,
            )
        };
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(one);
            }
        });
    }

    fn sign_out(&mut self, user: usize) {
        let world = self.world;
        let Some(session) = self.users[user].session.take() else {
            return;
        };
        let begun = Instant::now();
        let url = world.url("/oxd/logoutme");
        let outcome = match world.mischief {
            Some(Mischief::Alive) => return self.has_ended(user, session),
            _ => world.ask(
                Kind::Logout,
                || send(session.browser.ask("GET", &url), self.keeps),
                BOTH,
                |answer| match answer.status {
                    303 => Ok(()),
                    // oxd does not say where the provider signs out, or the store cannot be told: the session has ended
                    // on this machine anyway.
                    200 if world.troubled(BOTH, begun, Instant::now()) => Ok(()),
                    _ => Err("not signed out".to_owned()),
                },
            ),
        };
        // oxd need not be there for a session to end; the store must.
        let in_doubt = world.troubled(STORE, begun, Instant::now());
        match outcome {
            Outcome::Right(_) => self.has_ended(user, session),
            Outcome::Excused if !in_doubt => self.has_ended(user, session),
            _ => {}
        }
    }

    /// The provider tells of the end of a session, or of all of a user's.
    fn tell(&mut self, user: usize) {
        let world = self.world;
        let Some(session) = self.users[user].session.take() else {
            return;
        };
        let mut claims = json!({
            "iss": world.issuer, "aud": world.client_id, "iat": now(), "exp": now() + 120,
            "jti": unique(),
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        match session.sid.clone().filter(|_| self.count.is_multiple_of(2)) {
            Some(sid) => claims["sid"] = json!(sid),
            None => claims["sub"] = json!(format!("sub-of-{}", self.users[user].name)),
        }
        let header = json!({ "typ": "logout+jwt" });
        let token = {
            let oxd = world.oxd.read().expect("a lock");
            oxd.jws(&header, &claims.to_string(), &Signer::Current)
                .expect("a key")
        };
        let url = world.url("/oxd/backchannel-logout");
        // A request that changes something is not repeated, as one on a connection of before would have to be.
        let provider = Browser::new();
        let ask = || {
            let ask = ask_as_nobody(&provider, "POST", &url)
                .without("sec-fetch-mode")
                .without("sec-fetch-dest");
            send(ask.form(&[("logout_token", &token)]), false)
        };
        let outcome = world.ask(Kind::BackChannel, ask, BOTH, |answer| status(answer, 200));
        if let Outcome::Right(_) = outcome {
            self.has_ended(user, session);
            if claims.get("sub").is_some() {
                for other in std::mem::take(&mut self.users[user].others) {
                    self.has_ended(user, other);
                }
            }
        }
    }
}

impl Session {
    fn may_be_gone(&self, world: &World) -> bool {
        // An answer that is lost with its connection may have brought a new refresh token: with the old one the
        // provider lets nobody in, and the session ends with its access token.
        let lost = world.troubled(&[Trouble::Oxd], self.since, Instant::now())
            && world.troubled_lately(&[Trouble::Oxd], MARGIN);
        lost || self.since.elapsed() + MARGIN > LIFETIME
            || self.epoch != world.epoch.load(Ordering::SeqCst)
            || self.keys + 2 <= world.keys.load(Ordering::SeqCst)
    }

    /// What may be broken for a request to be refused: who is not signed in any more begins a login.
    fn excuses(&self, world: &World) -> &'static [Trouble] {
        // A restart at this moment ends sessions of shmcb.
        match self.may_be_gone(world) || world.store == StoreKind::Shmcb {
            true => BOTH,
            false => STORE,
        }
    }

    fn must_be_gone(&self) -> bool {
        self.since.elapsed() > LIFETIME + MARGIN
    }
}

fn status(answer: &Answer, wanted: u16) -> Result<(), String> {
    match answer.status == wanted {
        true => Ok(()),
        false => Err(format!("not {wanted}")),
    }
}

/// The answer shows this user and nobody else.
fn shows(answer: &Answer, kind: Kind, name: &str) -> Result<(), String> {
    let wanted = format!("sub-of-{name} {name}@example.org");
    let seen = match kind {
        Kind::Session => {
            let session = answer.json();
            let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
            format!("{} {}", text(&session["user"]), text(&session["claims"]["email"]))
        }
        _ => answer.header("soak-user").unwrap_or_default().to_owned(),
    };
    match seen == wanted {
        true => Ok(()),
        false => Err(format!("{wanted:?} is shown {seen:?}")),
    }
}
