//! Requests without a session of their own: open pages, bearer tokens, strangers, metrics.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oxd_dev::Signer;
use oxd_tests::{Ask, Browser};
use serde_json::json;

use super::{BOTH, STORE, Visitors, status};
use crate::record::Kind;
use crate::world::send;

/// The shortest time for which a JWT is brought again and again.
const JWT_LIFE: Duration = Duration::from_secs(20);

/// How old the answer of `oxd-health` may be: it is checked anew five seconds after trouble, and that takes its time.
const CHECKED: Duration = Duration::from_secs(10);

/// How long after trouble a token may still have run out: the next attempt to refresh it waits for a while, and a lock that
/// could not be taken out of the store stands for half a minute.
const NOT_REFRESHED: Duration = Duration::from_secs(30);

impl Visitors<'_> {
    pub(super) fn open(&mut self) {
        let url = self.world.url("/1k.bin");
        let ask = || send(ask_as_nobody(&self.template, "GET", &url), self.keeps);
        self.world.ask(Kind::Open, ask, &[], |answer| status(answer, 200));
    }

    fn bring(&self, kind: Kind, token: &str, may_have_run_out: bool, sub: &str) {
        let url = self.world.url("/api/1k.bin");
        let ask =
            || ask_as_nobody(&self.template, "GET", &url).header("authorization", &format!("Bearer {token}"));
        self.world.ask(
            kind,
            || send(ask(), self.keeps),
            BOTH,
            |answer| match answer.status {
                401 if may_have_run_out => Ok(()),
                200 => match answer.header("soak-user") {
                    Some(user) if user.starts_with(sub) => Ok(()),
                    other => Err(format!("the token of {sub} makes {other:?}")),
                },
                _ => Err("a good token".to_owned()),
            },
        );
    }

    pub(super) fn bring_jwt(&mut self) {
        let world = self.world;
        let signing = world.signing.load(Ordering::SeqCst);
        let is_good = |jwt: &(String, u64, Instant)| jwt.1 == signing && jwt.2.elapsed() < JWT_LIFE;
        if !self.jwt.as_ref().is_some_and(is_good) {
            let now = now();
            let claims = json!({
                "iss": world.issuer, "sub": "robot", "aud": world.client_id, "client_id": "a-client",
                "iat": now, "exp": now + 300, "jti": unique(), "scope": "read",
            });
            let oxd = world.oxd.read().expect("a lock");
            let token = oxd
                .jws(&json!({}), &claims.to_string(), &Signer::Current)
                .expect("a key");
            self.jwt = Some((token, signing, Instant::now()));
        }
        if let Some((token, ..)) = &self.jwt {
            self.bring(Kind::Jwt, token, false, "robot");
        }
    }

    /// The access token of a session.
    pub(super) fn bring_opaque(&mut self, user: usize) {
        let Some((name, session)) = self.users[user].signed_in() else {
            return;
        };
        let (url, begun) = (self.world.url("/tokens/1k.bin"), Instant::now());
        let answer = session.browser.ask("GET", url).try_send();
        let token = answer
            .ok()
            .and_then(|answer| answer.header("soak-token").map(str::to_owned));
        let Some(token) = token.filter(|token| token.len() > 10) else {
            return;
        };
        // While oxd is away nothing can be said.
        if !self.world.troubled(BOTH, begun, Instant::now()) {
            let may_have_run_out = self.world.troubled_lately(BOTH, NOT_REFRESHED);
            let sub = format!("sub-of-{name}");
            self.bring(Kind::Opaque, &token, may_have_run_out, &sub);
        }
    }

    pub(super) fn stranger(&mut self) {
        let url = self.world.url("/app/1k.bin");
        let made_up = format!(
            "oxd_session={:x}{:x}",
            self.random(u64::MAX),
            self.random(u64::MAX)
        );
        let with_cookie = self.count.is_multiple_of(2);
        let ask = || {
            let ask = ask_as_nobody(&self.template, "GET", &url).header("accept", "application/json");
            let ask = if with_cookie {
                ask.cookie_field(&made_up)
            } else {
                ask
            };
            send(ask, self.keeps)
        };
        self.world
            .ask(Kind::Stranger, ask, STORE, |answer| status(answer, 401));
    }

    pub(super) fn metrics(&mut self) {
        // Health is that of some seconds ago.
        let health = self.count.is_multiple_of(2) && !self.world.troubled_lately(BOTH, CHECKED);
        let url = self.world.url(if health { "/health/ready" } else { "/metrics" });
        let ask = || send(ask_as_nobody(&self.template, "GET", &url), self.keeps);
        self.world
            .ask(Kind::Metrics, ask, BOTH, |answer| status(answer, 200));
    }
}

/// A request of nobody in particular: with a `Cookie` field of its own a browser neither sends nor keeps any.
pub(super) fn ask_as_nobody<'b>(browser: &'b Browser, method: &str, url: &str) -> Ask<'b> {
    browser.ask(method, url).cookie_field("")
}

/// A text that no other token has.
pub(super) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |time| time.as_secs())
}
