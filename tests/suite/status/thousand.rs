//! A thousand logins, a tenth of them in trouble, over several children and a graceful restart: what the metrics say is
//! what has happened, to the last one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, RwLock};

use oxd_tests::{Browser, TestSite, approve, begin, wait_until};

use super::common::{WATCHED, access_log, by_program};
use super::crowd::{Crowd, LOGINS};
use super::scrape::{Scrape, counts};

const THREADS: usize = 6;

/// What oxd's side says about its commands: how many calls it answered with 200, with something else, and not at all.
fn answered(site: &TestSite) -> BTreeMap<String, [u64; 3]> {
    let mut commands: BTreeMap<String, [u64; 3]> = BTreeMap::new();
    for call in site.oxd.calls() {
        let place = match call.status {
            200 => 0,
            0 => 2,
            _ => 1,
        };
        commands.entry(call.command).or_default()[place] += 1;
    }
    commands
}

fn processes(site: &TestSite) -> BTreeSet<String> {
    access_log(&site.httpd)
        .into_iter()
        .map(|line| line.process)
        .collect()
}

/// An operator can believe the numbers: they are those of the users, and those of oxd.
#[test]
fn a_thousand_logins_are_counted_to_the_last_one() {
    let site = TestSite::builder()
        .directives("OxdServerTimeout 3s 3s\nOxdServerMaxCalls 8")
        .config(WATCHED)
        .provider(|provider| provider.consent = false)
        .httpd(|httpd| {
            let httpd = httpd.processes(4, 8).log_level("warn oxd:info");
            httpd.allow_log(r"\[oxd:(warn|error)\]|AH00485")
        })
        .start();
    let user = Browser::new();
    approve(&user, &begin(&user, site.url("/app/")).location());
    user.forget("oxd_state");
    let before = Scrape::of(&site);
    assert_eq!(before.counts("oxd_logins_total"), counts([("begun", 1)]));
    site.forget_calls();

    let crowd = Crowd {
        site: RwLock::new(site),
        tally: Mutex::default(),
        next: AtomicUsize::new(0),
        done: AtomicUsize::new(0),
        user,
    };
    let early = std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| crowd.sign_in());
        }
        wait_until("half of the logins", || {
            crowd.done.load(Ordering::Relaxed) >= LOGINS / 2
        });
        let site = crowd.site.read().expect("a site");
        let early = processes(&site);
        // In the middle of it, while the others sign in.
        site.httpd.graceful();
        early
    });
    let site = crowd.site.into_inner().expect("a site");
    let tally = crowd.tally.into_inner().expect("a tally");
    let late: BTreeSet<_> = processes(&site).difference(&early).cloned().collect();
    // How many of the new children get a request before the last login is a matter of luck.
    assert!(
        early.len() > 1 && !late.is_empty(),
        "several children: {early:?}, {late:?}"
    );
    let after = Scrape::of(&site);

    // What the users have seen.
    assert_eq!(
        after.since(&before, "oxd_logins_total"),
        counts([
            ("begun", tally.begun),
            ("completed", tally.completed),
            ("restarted", tally.restarted)
        ])
    );
    assert_eq!(after.since(&before, "oxd_login_failures_total"), tally.failed);
    assert_eq!(after.since(&before, "oxd_refusals_total"), tally.failed);
    assert_eq!(after.value("oxd_sessions_made_total"), tally.completed as f64);
    assert_eq!(
        after.since(&before, "oxd_session_cookies_total"),
        counts([("alive", tally.pages)])
    );
    for family in [
        "oxd_session_ends_total",
        "oxd_renewals_total",
        "oxd_call_events_total",
    ] {
        assert_eq!(after.since(&before, family), counts([]), "{family}");
    }

    // What oxd has seen, and what has not reached it.
    let calls = after.since(&before, "oxd_calls_total");
    let of = |command: &str, outcome: &str| calls.get(&format!("{command} {outcome}")).copied().unwrap_or(0);
    let answered = answered(&site);
    let mut silent = 0;
    for (command, [ok, refused, none]) in &answered {
        assert_eq!(
            (of(command, "ok"), of(command, "refused")),
            (*ok, *refused),
            "{command}"
        );
        assert_eq!(of(command, "timeout") + of(command, "broken"), *none, "{command}");
        silent += none;
    }
    let sum = |outcome: &str| -> u64 {
        let all = calls
            .iter()
            .filter(|(labels, _)| labels.ends_with(&format!(" {outcome}")));
        all.map(|(_, count)| count).sum()
    };
    assert_eq!(sum("timeout"), tally.timeouts);
    assert_eq!(sum("unreachable"), tally.unreachable);
    assert_eq!(sum("busy") + sum("resting"), 0);
    let all: u64 = calls.values().sum();
    assert_eq!(all, site.oxd.total() as u64 + tally.unreachable);
    assert!(silent > tally.timeouts, "some answers were cut off");
    assert!(
        answered["get-client-token"][0] > 8,
        "one for each child, and more: {answered:?}"
    );

    // The histogram has each call once, wherever its time belongs.
    for command in answered.keys() {
        let outcomes = ["ok", "refused", "timeout", "broken", "unreachable"];
        let sent: u64 = outcomes.iter().map(|outcome| of(command, outcome)).sum();
        let name = "oxd_call_duration_seconds";
        let count = format!("{name}_count{{command=\"{command}\"}}");
        let most = format!("{name}_bucket{{command=\"{command}\",le=\"+Inf\"}}");
        for series in [count, most] {
            assert_eq!(
                after.value(&series) - before.value(&series),
                sent as f64,
                "{series}"
            );
        }
        let buckets = after
            .series
            .iter()
            .filter(|(series, _)| series.starts_with(&format!("{name}_bucket{{command=\"{command}\"")));
        let mut by_bound: Vec<(f64, f64)> = buckets
            .map(|(series, value)| {
                let bound = series
                    .split("le=\"")
                    .nth(1)
                    .and_then(|rest| rest.strip_suffix("\"}"));
                let bound = bound.expect("a bound");
                (bound.trim_start_matches('+').parse().expect("a bound"), *value)
            })
            .collect();
        by_bound.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(by_bound.is_sorted_by(|a, b| a.1 <= b.1), "{by_bound:?}");
    }

    // The other places say the same.
    let text = by_program("GET", &site.url("/oxd-status?auto"), &[]).text();
    let failed: u64 = tally.failed.values().sum();
    for (name, value) in [
        ("OxdLoginsBegun", tally.begun + 1),
        ("OxdLoginsCompleted", tally.completed),
        ("OxdLoginsFailed", failed),
        ("OxdSessionsMade", tally.completed),
        ("OxdCallsUnderWay", 0),
    ] {
        assert!(
            text.contains(&format!("{name}: {value}\n")),
            "{name} {value}: {text}"
        );
    }
    let page = Browser::new().get(site.url("/oxd-status")).page().text();
    for told in [
        format!(
            "Logins completed {} of {} begun",
            tally.completed,
            tally.begun + 1
        ),
        format!("Logins failed {failed} "),
    ] {
        assert!(page.contains(&told), "{told}: {page}");
    }
}
