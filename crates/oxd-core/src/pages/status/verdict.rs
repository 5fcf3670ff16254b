//! The summary on the status page: whether logins work, and if not, what to do.

use serde::Serialize;

use crate::base::{Level, Reason};
use crate::shm::stats::metrics::FeedGauges;
use crate::shm::stats::{Login, Minute};

/// The period in minutes, including the current one.
const MINUTES: usize = 15;

/// A sentence and its rating.
#[derive(Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// A class of the style sheet: `good`, `bad`, or none.
    pub class: &'static str,
    /// The sentence.
    pub text: String,
    /// What to do; empty when nothing is.
    pub remedy: &'static str,
}

/// Whether the user did not cause a failure: such failures are logged at `warn` or `error`.
pub(super) fn is_trouble(reason: Reason) -> bool {
    matches!(reason.level(), Level::Error | Level::Warning)
}

/// Rates the last minutes of an hour, and the stream of ends on other machines.
pub(super) fn verdict(hour: &[Minute], feed: Option<&FeedGauges>) -> Verdict {
    let said = of_logins(hour);
    match feed.filter(|feed| !feed.is_heard()) {
        Some(feed) if said.class != "bad" => Verdict {
            class: "bad",
            text: format!(
                "{} is not reached: sessions that end on other machines go on here. {}",
                feed.address, said.text
            ),
            remedy: "The error log says why: look for OxdRevocations.",
        },
        _ => said,
    }
}

fn of_logins(hour: &[Minute]) -> Verdict {
    let last = Minute::sum(&hour[hour.len().saturating_sub(MINUTES)..]);
    let completed = last.logins(Login::Completed);
    let failures = || Reason::ALL.iter().map(|reason| (*reason, last.failures(*reason)));
    let trouble: u64 = failures().filter(|(r, _)| is_trouble(*r)).map(|(_, n)| n).sum();
    let own = last.failed() - trouble;
    let worst = failures()
        .filter(|(reason, _)| is_trouble(*reason))
        .max_by_key(|(_, count)| *count);
    let (class, text, remedy) = match (worst, completed, own) {
        (Some((reason, count)), ..) if count > 0 => {
            let how_often = if count == trouble {
                "with"
            } else {
                "most often with"
            };
            let text = format!(
                "{trouble} of {} failed in the last {MINUTES} minutes, {how_often} {}.",
                logins(completed + last.failed()),
                reason.code()
            );
            ("bad", text, reason.remedy())
        }
        (_, 0, 0) => (
            "",
            format!("Nobody has signed in during the last {MINUTES} minutes."),
            "",
        ),
        (_, 0, _) => (
            "",
            format!(
                "Nobody has completed a login in the last {MINUTES} minutes; {} by the users themselves or refused.",
                given_up(own)
            ),
            "",
        ),
        (_, _, 0) => (
            "good",
            format!("Logins work: {completed} in the last {MINUTES} minutes, and none failed."),
            "",
        ),
        _ => (
            "good",
            format!(
                "Logins work: {completed} in the last {MINUTES} minutes; {} by the users themselves or refused.",
                given_up(own)
            ),
            "",
        ),
    };
    Verdict { class, text, remedy }
}

fn logins(count: u64) -> String {
    match count {
        1 => "1 login".to_owned(),
        _ => format!("{count} logins"),
    }
}

fn given_up(count: u64) -> String {
    match count {
        1 => "1 was given up".to_owned(),
        _ => format!("{count} were given up"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(completed: u64, failures: &[(Reason, u64)]) -> Minute {
        let mut minute = Minute::default();
        minute.logins[Login::Completed as usize] = completed;
        for (reason, count) in failures {
            minute.failures[*reason as usize] = *count;
        }
        minute
    }

    #[test]
    fn trouble_is_named_with_what_to_do_and_users_who_give_up_are_none() {
        let old = minute(0, &[(Reason::OxdTimeout, 9)]);
        let hour = |last: Minute| {
            let mut hour = vec![old; 45];
            hour.extend([Minute::default(); 14]);
            hour.push(last);
            of_logins(&hour)
        };
        for (completed, failures, class, text) in [
            (0, &[][..], "", "Nobody has signed in during the last 15 minutes."),
            (
                3,
                &[],
                "good",
                "Logins work: 3 in the last 15 minutes, and none failed.",
            ),
            (
                3,
                &[(Reason::AccessDenied, 1)],
                "good",
                "Logins work: 3 in the last 15 minutes; 1 was given up by the users themselves or refused.",
            ),
            (
                0,
                &[(Reason::AccessDenied, 2)],
                "",
                "Nobody has completed a login in the last 15 minutes; 2 were given up by the users themselves or refused.",
            ),
            (
                0,
                &[(Reason::OxdUnreachable, 1)],
                "bad",
                "1 of 1 login failed in the last 15 minutes, with oxd_unreachable.",
            ),
            (
                5,
                &[
                    (Reason::AccessDenied, 7),
                    (Reason::CodeInvalid, 1),
                    (Reason::OxdTimeout, 2),
                ],
                "bad",
                "3 of 15 logins failed in the last 15 minutes, most often with oxd_timeout.",
            ),
        ] {
            let found = hour(minute(completed, failures));
            assert_eq!((found.class, found.text.as_str()), (class, text));
            assert_eq!(found.remedy.is_empty(), class != "bad");
        }
        assert_eq!(of_logins(&[]).class, "");
    }
}
