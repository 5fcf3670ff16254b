//! Sessions that have ended, as far as their users know: copies of their cookies are tried at once and later again.

use oxd_tests::Browser;

use super::{STORE, Session, Visitors};
use crate::record::Kind;
use crate::world::send;

/// How many of a thread are remembered.
const REMEMBERED: usize = 60;

pub(super) struct Ended {
    browser: Browser,
    whose: String,
}

impl Visitors<'_> {
    /// Remembers that a session of a user has ended, and tries it.
    pub(super) fn has_ended(&mut self, user: usize, session: Session) {
        let whose = self.users[user].name.clone();
        self.ended.push_back(Ended {
            browser: session.browser,
            whose,
        });
        if self.ended.len() > REMEMBERED {
            self.ended.pop_front();
        }
        self.try_one(self.ended.len() - 1);
    }

    pub(super) fn try_ended(&mut self) {
        match self.ended.len() as u64 {
            0 => self.stranger(),
            count => {
                let number = self.random(count) as usize;
                self.try_one(number);
            }
        }
    }

    fn try_one(&self, number: usize) {
        let Ended { browser, whose } = &self.ended[number];
        let url = self.world.url("/app/1k.bin");
        let ask = || {
            let ask = browser.ask("GET", &url);
            send(ask.header("accept", "application/json"), self.keeps)
        };
        self.world
            .ask(Kind::Ended, ask, STORE, |answer| match answer.status {
                401 => Ok(()),
                200 => Err(format!("the session of {whose} has ended and works")),
                _ => Err("not a refusal".to_owned()),
            });
    }
}
