//! Users who read, sign in and out, and try cookies of sessions that have ended, whatever happens to the servers.

use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use oxd_tests::{Answer, Approval, Browser, decide};

use super::random::Random;
use super::service::{name, sub};
use super::weather::{Ended, Weather};

/// A small protected file.
const PAGE: &str = "/app/1k.bin";
/// Of a hundred visits, so many are a logout, and so many one with the cookies of an ended session.
const LOGOUTS: usize = 6;
const COPIES: usize = 20;
/// The pause between two visits.
const PAUSE: Duration = Duration::from_millis(4);
/// How soon somebody comes back for whom it has failed.
const BACK: Duration = Duration::from_millis(60);

/// One user with a browser of their own.
pub(crate) struct User<'w> {
    weather: &'w Weather,
    /// The address of the site, without a path.
    site: &'w str,
    number: usize,
    browser: Browser,
    /// When the session began.
    since: Option<Instant>,
    random: Random,
}

impl<'w> User<'w> {
    pub(crate) fn new(weather: &'w Weather, site: &'w str, number: usize, seed: u64) -> User<'w> {
        User {
            weather,
            site,
            number,
            browser: Browser::new(),
            since: None,
            random: Random::new(seed, number + 1),
        }
    }

    /// Goes on until the weather is over.
    pub(crate) fn run(mut self) {
        while !self.weather.is_over() {
            let dice = self.random.below(100);
            let pause = match self.since {
                None => self.sign_in(),
                Some(_) if dice < LOGOUTS => self.sign_out(),
                Some(_) if dice < LOGOUTS + COPIES => self.try_a_copy(),
                Some(since) => self.read(since),
            };
            thread::sleep(if pause { PAUSE } else { BACK });
        }
    }

    /// Asks the site; `None` when there is no answer but an excuse.
    fn ask(&self, began: Instant, url: &str) -> Option<Answer> {
        match self.browser.ask("GET", url).try_send() {
            Ok(answer) if answer.status < 500 => {
                self.weather.requests.fetch_add(1, Ordering::Relaxed);
                Some(answer)
            }
            Ok(answer) => {
                if answer.status == 500 && !self.weather.may_break.load(Ordering::Relaxed) {
                    self.weather.wrong(brief(&answer));
                }
                self.weather.failed(began, || brief(&answer));
                None
            }
            Err(error) => {
                self.weather.failed(began, || format!("{url}: {error:?}"));
                None
            }
        }
    }

    /// Signs in; whether it worked.
    pub(crate) fn sign_in(&mut self) -> bool {
        let began = Instant::now();
        let Some(start) = self.ask(began, &format!("{}{PAGE}", self.site)) else {
            return false;
        };
        if start.status != 302 {
            self.weather
                .wrong(format!("in without a session: {}", brief(&start)));
            return false;
        }
        let user = name(self.number);
        let approval = decide(&self.browser, &start.location(), (&user, "secret"), "allow");
        let Approval::Redirect(url) = approval else {
            panic!("not a redirect");
        };
        // The session is written after this, and may be lost with its store before the answer has come.
        let asked = Instant::now();
        let Some(callback) = self.ask(began, url.as_str()) else {
            return false;
        };
        if callback.status != 303 {
            self.weather.failed(began, || brief(&callback));
            return false;
        }
        self.since = Some(asked);
        self.weather.logins.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Opens the page in a session.
    fn read(&mut self, since: Instant) -> bool {
        let began = Instant::now();
        let Some(answer) = self.ask(began, &format!("{}{PAGE}", self.site)) else {
            return false;
        };
        match answer.status {
            200 => self.is_own(&answer),
            302 => {
                self.weather.lost_session(since, || brief(&answer));
                self.leave();
            }
            // httpd refuses what it cannot open.
            403 if self.weather.may_break.load(Ordering::Relaxed) => {
                self.weather.failed(began, || brief(&answer));
            }
            _ => self.weather.wrong(brief(&answer)),
        }
        true
    }

    /// Each answer must be for the user who asks.
    fn is_own(&self, answer: &Answer) {
        let own = sub(self.number);
        if answer.header("x-user") != Some(&own) {
            self.weather
                .wrong(format!("{own} was taken for another: {}", brief(answer)));
        }
    }

    /// Signs out. Where no answer says that the session has ended, it may have or not.
    fn sign_out(&mut self) -> bool {
        let cookies = field(&self.browser, self.site);
        let answer = self.ask(Instant::now(), &format!("{}/oxd/logoutme", self.site));
        self.leave();
        let is_out = answer.is_some_and(|answer| matches!(answer.status, 200 | 303));
        if is_out {
            let ended = Ended { cookies };
            look(self.weather, self.site, &ended);
            self.weather.ended(ended);
        }
        is_out
    }

    fn leave(&mut self) {
        self.browser = Browser::new();
        self.since = None;
    }

    fn try_a_copy(&mut self) -> bool {
        if let Some(ended) = self.weather.one_ended(&mut self.random) {
            look(self.weather, self.site, &ended);
        }
        true
    }
}

/// Visits the page with the cookies of a session that has ended. Whether there was an answer.
pub(crate) fn look(weather: &Weather, site: &str, ended: &Ended) -> bool {
    let browser = Browser::new();
    let began = Instant::now();
    let ask = browser.ask("GET", format!("{site}{PAGE}"));
    match ask.cookie_field(&ended.cookies).try_send() {
        Ok(answer) if answer.status == 200 => {
            weather.wrong(format!("an ended session was let in: {}", brief(&answer)));
            true
        }
        Ok(answer) if answer.status == 302 => true,
        Ok(answer) => {
            weather.failed(began, || brief(&answer));
            false
        }
        Err(error) => {
            weather.failed(began, || format!("{error:?}"));
            false
        }
    }
}

/// The session's cookies of a browser as a `Cookie` field.
pub(crate) fn field(browser: &Browser, site: &str) -> String {
    let cookies = browser.cookies_named("oxd_session", site);
    let pairs: Vec<_> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
    pairs.join("; ")
}

/// The head of an answer, for a failing test.
fn brief(answer: &Answer) -> String {
    answer
        .summary()
        .lines()
        .take_while(|line| !line.starts_with('<'))
        .collect::<Vec<_>>()
        .join("; ")
}
