//! The visitors of a storm: each kind needs one command of oxd.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::Scope;

use oxd_tests::{Approval, Browser, TestSite, approve, begin};

use super::token::Token;

/// The commands that a request may need.
pub(crate) const COMMANDS: [&str; 7] = [
    "get-client-token",
    "get-authorization-url",
    "get-tokens-by-code",
    "get-user-info",
    "get-access-token-by-refresh-token",
    "get-logout-uri",
    "get-jwks",
];

/// How many storm at once.
const AT_ONCE: usize = 40;
/// How many logins or sessions are prepared, for commands that each needs one of.
const PREPARED: usize = 24;

/// The visitors, with what they need.
pub(crate) enum Crowd {
    /// They open a protected page.
    Strangers,
    /// They come back from the provider.
    Returning(Mutex<Vec<(Browser, Approval)>>),
    /// They have a session whose access token is due for a refresh.
    Members(Browser),
    /// They sign out.
    Leaving(Mutex<Vec<Browser>>),
    /// A provider's servers with logout tokens, whose keys oxd knows.
    Providers,
}

impl Crowd {
    pub(crate) fn prepare(site: &TestSite, command: &str) -> Crowd {
        match command {
            "get-tokens-by-code" | "get-user-info" => {
                let ready = (0..PREPARED).map(|_| {
                    let browser = Browser::new();
                    let start = begin(&browser, site.url("/app/"));
                    let approval = approve(&browser, &start.location());
                    (browser, approval)
                });
                Crowd::Returning(Mutex::new(ready.collect()))
            }
            "get-access-token-by-refresh-token" => Crowd::Members(site.signed_in()),
            "get-logout-uri" => Crowd::Leaving(Mutex::new((0..PREPARED).map(|_| site.signed_in()).collect())),
            "get-jwks" => Crowd::Providers,
            _ => Crowd::Strangers,
        }
    }

    /// Sends everybody, again and again until it is over.
    pub(crate) fn storm<'s>(&'s self, scope: &'s Scope<'s, '_>, site: &'s TestSite, over: &'s AtomicBool) {
        for _ in 0..AT_ONCE {
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    if !self.visit(site) {
                        break;
                    }
                }
            });
        }
    }

    /// One visit; `false` when nothing is left to do it with.
    fn visit(&self, site: &TestSite) -> bool {
        match self {
            Crowd::Strangers => {
                Browser::new().get(site.url("/app/"));
            }
            Crowd::Members(browser) => {
                browser.copy().get(site.url("/app/")).expect(200);
            }
            Crowd::Returning(ready) => {
                let Some((browser, approval)) = ready.lock().expect("a crowd").pop() else {
                    return false;
                };
                approval.deliver(&browser);
            }
            Crowd::Leaving(ready) => {
                let Some(browser) = ready.lock().expect("a crowd").pop() else {
                    return false;
                };
                browser.get(site.url("/oxd/logoutme"));
            }
            Crowd::Providers => {
                Token::about_user(site, "nobody").send(site);
            }
        }
        true
    }
}
