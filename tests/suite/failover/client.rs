//! A user of the service, who reads, signs in and out, at whichever machine.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use oxd_tests::{Answer, Approval, Browser, decide};
use url::Url;

use super::service::{name, sub};
use super::storm::{Ended, Lost, Risen, Storm};

const PAGE: &str = "/app/1k.bin";
/// How soon somebody comes back who was told to.
const BACK: Duration = Duration::from_millis(50);

/// Of a hundred visits, so many are a logout.
const LOGOUTS: u64 = 3;
/// So many are a visit with a copy of an ended session's cookie.
const COPIES: u64 = 5;

pub(crate) struct Client<'s> {
    storm: &'s Storm,
    machines: &'s [String; 3],
    number: usize,
    browser: Browser,
    /// When its session began.
    since: Option<Instant>,
    random: u64,
}

impl<'s> Client<'s> {
    pub(crate) fn new(storm: &'s Storm, machines: &'s [String; 3], number: usize) -> Client<'s> {
        Client {
            storm,
            machines,
            number,
            browser: Browser::new(),
            since: None,
            random: 0x9e37_79b9_7f4a_7c15 ^ (number as u64 + 1) << 17,
        }
    }

    /// Goes on until the storm has what it wants.
    pub(crate) fn run(mut self) {
        while !self.storm.is_over() {
            let dice = self.dice(100);
            match self.since {
                None => self.sign_in(),
                Some(_) if dice < LOGOUTS => self.sign_out(),
                Some(_) if dice < LOGOUTS + COPIES => self.try_a_copy(),
                Some(since) => self.read(since),
            }
        }
    }

    fn dice(&mut self, sides: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % sides
    }

    fn machine(&mut self) -> usize {
        usize::try_from(self.dice(3)).expect("a small number")
    }

    /// Looks at any answer of the service; whether it is more than a 503.
    fn counts(&self, answer: &Answer) -> bool {
        if answer.status == 503 {
            assert!(answer.header("retry-after").is_some(), "{}", answer.summary());
            self.storm.note_away();
            thread::sleep(BACK);
            return false;
        }
        self.storm.requests.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Looks at the answer of the protected page.
    fn is_own(&self, answer: &Answer) -> bool {
        if !self.counts(answer) {
            return false;
        }
        if answer.status == 200 {
            let user = answer.header("x-user");
            assert_eq!(user, Some(sub(self.number).as_str()), "{}", answer.summary());
            return true;
        }
        answer.expect(302);
        false
    }

    fn sign_in(&mut self) {
        let (from, to) = (self.machine(), self.machine());
        let start = self.browser.get(format!("{}{PAGE}", self.machines[from]));
        if !self.counts(&start) {
            return;
        }
        let user = name(self.number);
        let approval = decide(
            &self.browser,
            &start.expect(302).location(),
            (&user, "secret"),
            "allow",
        );
        let Approval::Redirect(mut url) = approval else {
            panic!("not a redirect");
        };
        // A load balancer may choose another machine for it.
        let port = Url::parse(&self.machines[to]).expect("an address").port();
        url.set_port(port).expect("a port");
        let callback = self.browser.get(url);
        if self.counts(&callback) {
            callback.expect(303);
            self.since = Some(Instant::now());
            self.storm.logins.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn read(&mut self, since: Instant) {
        let machine = self.machine();
        let answer = self.browser.get(format!("{}{PAGE}", self.machines[machine]));
        if !self.is_own(&answer) && answer.status == 302 {
            let at = Instant::now();
            self.storm.lost.lock().expect("a list").push(Lost { since, at });
            self.leave();
        }
    }

    /// Signs out while another tab reads, and looks everywhere whether that has ended the session.
    fn sign_out(&mut self) {
        let (machine, elsewhere) = (self.machine(), self.machine());
        let cookies = field(&self.browser, &self.machines[0]);
        let tab = self.browser.copy();
        let (answer, of_tab) = thread::scope(|scope| {
            let url = format!("{}{PAGE}", self.machines[elsewhere]);
            let of_tab = scope.spawn(|| tab.get(url));
            let answer = self
                .browser
                .get(format!("{}/oxd/logoutme", self.machines[machine]));
            (answer, of_tab.join().expect("an answer"))
        });
        self.is_own(&of_tab);
        self.leave();
        if !self.counts(&answer) {
            // It may have come far enough or not.
            return;
        }
        // The provider knows the way back to the first machine only, so that the others do not send anybody there.
        assert!(matches!(answer.status, 200 | 303), "{}", answer.summary());
        let told = !answer.text().contains("Not everything could be told");
        let count = if told {
            &self.storm.logouts
        } else {
            &self.storm.untold
        };
        count.fetch_add(1, Ordering::Relaxed);
        let mut copies = vec![cookies];
        // Of the tab, which may have been given another one.
        copies.extend(
            Some(field(&tab, &self.machines[0])).filter(|other| *other != copies[0] && !other.is_empty()),
        );
        for cookies in copies {
            let ended = Ended {
                cookies,
                machine,
                told,
            };
            for number in 0..3 {
                self.look(&ended, number);
            }
            self.storm.ended.lock().expect("a list").push(ended);
        }
    }

    fn leave(&mut self) {
        self.browser = Browser::new();
        self.since = None;
    }

    fn try_a_copy(&mut self) {
        let dice = usize::try_from(self.dice(1 << 30)).expect("a small number");
        let machine = self.machine();
        let ended = {
            let list = self.storm.ended.lock().expect("a list");
            let Some(length) = std::num::NonZeroUsize::new(list.len()) else {
                return;
            };
            list[dice % length].clone()
        };
        self.look(&ended, machine);
    }

    /// Visits a machine with the cookies of a session that has ended.
    pub(crate) fn look(&self, ended: &Ended, machine: usize) {
        let answer = copy(&self.machines[machine], &ended.cookies);
        if self.counts(&answer) && answer.status == 200 {
            let risen = Risen {
                ended: ended.clone(),
                machine,
                at: Instant::now(),
            };
            self.storm.risen.lock().expect("a list").push(risen);
        }
    }
}

fn copy(machine: &str, cookies: &str) -> Answer {
    let browser = Browser::new();
    let ask = browser.ask("GET", format!("{machine}{PAGE}"));
    ask.cookie_field(cookies).send()
}

/// What a machine answers to somebody with copied cookies.
pub(crate) fn seen_by_copy(machine: &str, cookies: &str) -> u16 {
    copy(machine, cookies).status
}

/// The session's cookies of a browser as a `Cookie` field.
pub(crate) fn field(browser: &Browser, machine: &str) -> String {
    let cookies = browser.cookies_named("oxd_session", machine);
    let pairs: Vec<_> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
    pairs.join("; ")
}
