//! Three httpds that are one service.

use std::time::Duration;

use oxd_tests::{Answer, Httpd, RedisGroup, TestSite, WAIT, user, within};
use serde_json::json;

const KEY: &str = "\"a key for three machines, long enough for anybody to accept it 0123456789\"";

/// Tokens work for a minute, and are refreshed when they are a second old. All users may sign in at the same time.
const SETTINGS: &str = "OxdTokenRefresh 59s\nOxdServerMaxCalls 64";

/// The threads of each of a machine's two children: most of them may wait for oxd, and all users may go to one.
const THREADS: u32 = 48;

/// What the machines have in common, besides the site.
const PLACES: &str = "<Location /oxd>\nSetHandler oxd\n</Location>\n\
                      <Location /app>\nAuthType oxd\nRequire valid-user\n\
                      Header always set X-User \"expr=%{REMOTE_USER}\"\n</Location>";

/// The machines, and the servers behind them.
pub(crate) struct Service {
    others: [Httpd; 2],
    pub site: TestSite,
    pub group: RedisGroup,
}

/// A user's name; the `sub` is [`sub`].
pub(crate) fn name(number: usize) -> String {
    format!("user-{number}")
}

/// What httpd calls a user.
pub(crate) fn sub(number: usize) -> String {
    format!("sub-of-{}", name(number))
}

impl Service {
    /// Begins with so many users; `tells`: the machines tell each other of ends as well (`OxdRevocations`).
    pub(crate) fn start(users: usize, tells: bool) -> Service {
        let group = RedisGroup::start();
        let mut common = format!("{}\nOxdCryptoKey {KEY}\n{SETTINGS}", group.directives());
        if tells {
            common.push_str(&format!("\nOxdRevocations {}", group.url()));
        }
        let users = (0..users).map(|number| user(&name(number), json!({})));
        let site = TestSite::builder()
            .httpd(|httpd| httpd.processes(2, THREADS).load("headers"))
            .provider(|provider| {
                provider.consent = false;
                provider.access_token_lifetime = Duration::from_secs(60);
            })
            .users(users.collect())
            .directives(&common)
            .config(PLACES)
            .start();
        let others = [(); 2].map(|()| {
            Httpd::builder()
                .processes(2, THREADS)
                .load("headers")
                .define("OXD", &site.oxd.url())
                .define("FIRST", &site.httpd.root().display().to_string())
                .config("OxdServer \"${OXD}\"\nOxdSite \"${FIRST}/site.json\"")
                .config(&common)
                .config(PLACES)
                .start()
        });
        let service = Service { others, site, group };
        for machine in service.machines() {
            machine.allow_log(r"\[oxd:(warn|error)\]");
        }
        service
    }

    pub(crate) fn machines(&self) -> [&Httpd; 3] {
        [&self.site.httpd, &self.others[0], &self.others[1]]
    }
}

/// Asks as often as the answer is 503.
#[track_caller]
pub(crate) fn patiently(ask: impl Fn() -> Answer) -> Answer {
    let answer = within(WAIT, || Some(ask()).filter(|answer| answer.status != 503));
    answer.expect("the store to be found again")
}
