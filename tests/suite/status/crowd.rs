//! People who sign in, some of them in trouble, and what has become of each.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use oxd_dev::Fault;
use oxd_tests::{Answer, Approval, Browser, TestSite, approve, begin};
use serde_json::json;

use super::common::refusal;

pub(crate) const LOGINS: usize = 1_000;

const URL: &str = "get-authorization-url";
const TOKENS: &str = "get-tokens-by-code";
const INFO: &str = "get-user-info";

/// What a login meets.
enum Trouble {
    /// This command fails like this, so that the login ends with this code.
    Fault(&'static str, Fault, &'static str),
    /// oxd is away when the login begins.
    Away,
    /// oxd is away when the browser comes back; loading the page again completes the login.
    AwayForAMoment,
    /// The user does not agree.
    Denied,
    /// The browser comes back as another one, twice.
    Astray,
    /// The user goes elsewhere.
    Abandoned,
    /// oxd takes none of the client tokens any more; nobody notices.
    Expired,
}

/// The trouble of each login that has one.
fn trouble(number: usize) -> Trouble {
    let page = |code| Fault::Status {
        code,
        body: "<html>out of order</html>".to_owned(),
        content_type: "text/html".to_owned(),
    };
    // It takes the whole time limit: twice is enough.
    let late = |otherwise: Fault| if number < 20 { Fault::Hang } else { otherwise };
    let late_code = if number < 20 { "oxd_timeout" } else { "oxd_answer" };
    let claim = |name: &str, value| Fault::Patch(json!({ "id_token_claims": { name: value } }));
    match number % 20 {
        0 => Trouble::Fault(URL, page(500), "oxd_answer"),
        1 => Trouble::Fault(URL, Fault::NotJson, "oxd_answer"),
        2 => Trouble::Fault(URL, Fault::Drop, "oxd_answer"),
        3 => Trouble::Fault(
            URL,
            refusal(403, "invalid_access_token", "No."),
            "client_token_refused",
        ),
        4 => Trouble::Fault(URL, late(page(503)), late_code),
        5 => Trouble::Fault(TOKENS, refusal(400, "x", "'code' is invalid."), "code_invalid"),
        6 => Trouble::Fault(
            TOKENS,
            refusal(400, "x", "'state' is not registered."),
            "state_unregistered",
        ),
        7 => Trouble::Fault(TOKENS, claim("nonce", json!("another")), "nonce_mismatch"),
        8 => Trouble::Fault(TOKENS, claim("exp", json!(0)), "id_token_invalid"),
        9 => Trouble::Fault(
            TOKENS,
            Fault::Redirect("http://127.0.0.1:1/".to_owned()),
            "oxd_answer",
        ),
        10 => {
            let answer = json!({ "error": "invalid_token" });
            Trouble::Fault(INFO, Fault::WrongShape(answer), "user_info_error")
        }
        11 => Trouble::Fault(
            INFO,
            Fault::Patch(json!({ "sub": "another" })),
            "subject_mismatch",
        ),
        12 => Trouble::Fault(INFO, late(Fault::Drop), late_code),
        13 => {
            let long = json!({ "biography": "x".repeat(30_000) });
            Trouble::Fault(INFO, Fault::Patch(long), "session_too_large")
        }
        14 => Trouble::Away,
        15 => Trouble::AwayForAMoment,
        16 => Trouble::Denied,
        17 => Trouble::Astray,
        18 => Trouble::Abandoned,
        _ => Trouble::Expired,
    }
}

/// What the test did.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) begun: u64,
    pub(crate) completed: u64,
    pub(crate) restarted: u64,
    pub(crate) failed: BTreeMap<String, u64>,
    pub(crate) pages: u64,
    pub(crate) timeouts: u64,
    pub(crate) unreachable: u64,
}

impl Tally {
    fn fails(&mut self, answer: &Answer, code: &str) {
        assert!(answer.status >= 400, "{code}: {}", answer.summary());
        *self.failed.entry(code.to_owned()).or_default() += 1;
    }
}

pub(crate) struct Crowd {
    /// Whoever puts oxd into trouble is alone with it.
    pub(crate) site: RwLock<TestSite>,
    pub(crate) tally: Mutex<Tally>,
    pub(crate) next: AtomicUsize,
    pub(crate) done: AtomicUsize,
    /// Somebody who is signed in at the provider, and nowhere else.
    pub(crate) user: Browser,
}

impl Crowd {
    fn tally(&self, note: impl FnOnce(&mut Tally)) {
        note(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// One after the other, until there are enough.
    pub(crate) fn sign_in(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= LOGINS {
                return;
            }
            if number % 10 == 7 {
                self.troubled(trouble(number / 10));
            } else {
                let site = self.site.read().expect("a site");
                self.login(&site, number.is_multiple_of(5));
            }
            self.done.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Leaves for the provider and agrees there.
    fn leave(&self, site: &TestSite, browser: &Browser) -> Approval {
        let start = begin(browser, site.url("/app/"));
        self.tally(|tally| tally.begun += 1);
        approve(browser, &start.location())
    }

    /// A login without any trouble.
    fn login(&self, site: &TestSite, reads: bool) {
        let browser = self.user.copy();
        self.leave(site, &browser).deliver(&browser).expect(303);
        self.tally(|tally| tally.completed += 1);
        if reads {
            browser.get(site.url("/app/")).expect(200);
            self.tally(|tally| tally.pages += 1);
        }
    }

    fn troubled(&self, trouble: Trouble) {
        let mut site = self.site.write().expect("a site");
        let browser = self.user.copy();
        match trouble {
            Trouble::Fault(command, fault, code) => {
                if matches!(fault, Fault::Hang) {
                    self.tally(|tally| tally.timeouts += 1);
                }
                let answer = if command == URL {
                    site.oxd.fault(command, fault);
                    browser.get(site.url("/app/"))
                } else {
                    let approval = self.leave(&site, &browser);
                    site.oxd.fault(command, fault);
                    approval.deliver(&browser)
                };
                site.oxd.clear_faults();
                self.tally(|tally| tally.fails(&answer, code));
            }
            Trouble::Away => {
                site.oxd.stop();
                let answer = browser.get(site.url("/app/"));
                site.oxd.resume();
                self.tally(|tally| {
                    tally.fails(&answer, "oxd_unreachable");
                    tally.unreachable += 1;
                });
            }
            Trouble::AwayForAMoment => {
                let approval = self.leave(&site, &browser);
                site.oxd.stop();
                let answer = approval.deliver(&browser);
                site.oxd.resume();
                approval.deliver(&browser).expect(303);
                self.tally(|tally| {
                    tally.fails(&answer, "oxd_unreachable");
                    tally.unreachable += 1;
                    tally.completed += 1;
                });
            }
            Trouble::Denied => {
                let leave = begin(&browser, site.url("/app/")).location();
                let mut query = leave.query_pairs();
                let (_, state) = query.find(|(name, _)| name == "state").expect("a state");
                let url = site.url(&format!("/oxd/callback?error=access_denied&state={state}"));
                let answer = browser.get(url);
                self.tally(|tally| {
                    tally.begun += 1;
                    tally.fails(&answer, "access_denied");
                });
            }
            Trouble::Astray => {
                let approval = self.leave(&site, &browser);
                let stranger = Browser::new();
                approval.deliver(&stranger).expect(302);
                let answer = approval.deliver(&stranger);
                self.tally(|tally| {
                    tally.restarted += 1;
                    tally.fails(&answer, "state_unknown");
                });
            }
            Trouble::Abandoned => {
                self.leave(&site, &browser);
            }
            Trouble::Expired => {
                site.oxd.expire_client_tokens();
                self.login(&site, true);
            }
        }
    }
}
