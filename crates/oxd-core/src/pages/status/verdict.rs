//! The summary on the status page: whether logins work, and if not, what to do.

use serde::Serialize;

use crate::base::Reason;
use crate::shm::stats::metrics::Gauges;
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

/// Rates the last minutes of an hour, what the check of the sites has found, and the stream of ends on other machines.
/// `in_a_row` are the logins that were completed since the last one that failed and should not have.
pub(super) fn verdict(hour: &[Minute], in_a_row: u64, gauges: &Gauges) -> Verdict {
    let said = of_logins(hour, in_a_row);
    if said.class == "bad" {
        return said;
    }
    let failing = gauges.ready.iter().flat_map(|ready| &ready.failing);
    if let Some((reason, count)) = failing.max_by_key(|(_, count)| *count) {
        let sites = if *count == 1 { "site" } else { "sites" };
        return Verdict {
            class: "bad",
            text: format!(
                "{count} {sites} could not sign anybody in now, with {}. {}",
                reason.code(),
                said.text
            ),
            remedy: reason.remedy(),
        };
    }
    match gauges.feed.as_ref().filter(|feed| !feed.is_heard()) {
        Some(feed) => Verdict {
            class: "bad",
            text: format!(
                "{} is not reached: sessions that end on other machines go on here. {}",
                feed.address, said.text
            ),
            remedy: "The error log says why: look for OxdRevocations.",
        },
        None => said,
    }
}

/// So many logins in a row show that a trouble is over, or as many as it was failures.
const OVER_AFTER: u64 = 3;

fn of_logins(hour: &[Minute], in_a_row: u64) -> Verdict {
    let last = Minute::sum(&hour[hour.len().saturating_sub(MINUTES)..]);
    let completed = last.logins(Login::Completed);
    let failures = || Reason::ALL.iter().map(|reason| (*reason, last.failures(*reason)));
    let trouble: u64 = failures().filter(|(r, _)| r.is_trouble()).map(|(_, n)| n).sum();
    let own = last.failed() - trouble;
    let worst = failures()
        .filter(|(reason, _)| reason.is_trouble())
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
            if in_a_row >= trouble.min(OVER_AFTER) {
                let text = format!("Logins work again: {in_a_row} since the last failure. {text}");
                ("good", text, "")
            } else {
                ("bad", text, reason.remedy())
            }
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
    use crate::shm::health::Readiness;

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
            of_logins(&hour, 0)
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
        assert_eq!(of_logins(&[], 0).class, "");
    }

    #[test]
    fn it_is_good_again_when_logins_work_again() {
        let hour = [minute(5, &[(Reason::OxdTimeout, 9)])];
        for (in_a_row, class) in [(0, "bad"), (2, "bad"), (3, "good"), (40, "good")] {
            let said = of_logins(&hour, in_a_row);
            assert_eq!(said.class, class, "{in_a_row}");
            assert_eq!(said.remedy.is_empty(), class == "good");
            assert!(said.text.contains("9 of 14 logins failed"), "{}", said.text);
        }
        assert!(
            of_logins(&hour, 3)
                .text
                .starts_with("Logins work again: 3 since the last failure.")
        );
        // A single failure needs no more than a single success.
        assert_eq!(
            of_logins(&[minute(1, &[(Reason::OxdTimeout, 1)])], 1).class,
            "good"
        );
    }

    #[test]
    fn what_the_check_finds_is_bad_also_while_nobody_signs_in() {
        let at_night = |failing: &[(Reason, usize)]| {
            let ready = Readiness {
                sites: 3,
                failing: failing.to_vec(),
                ..Readiness::default()
            };
            let gauges = Gauges {
                ready: Some(ready),
                ..Gauges::default()
            };
            verdict(&[Minute::default()], 0, &gauges)
        };
        assert_eq!(at_night(&[]).class, "");
        let said = at_night(&[(Reason::StoreUnavailable, 1), (Reason::OxdUnreachable, 2)]);
        assert_eq!(
            (said.class, said.remedy),
            ("bad", Reason::OxdUnreachable.remedy())
        );
        assert!(
            said.text
                .starts_with("2 sites could not sign anybody in now, with oxd_unreachable."),
            "{}",
            said.text
        );
    }
}
