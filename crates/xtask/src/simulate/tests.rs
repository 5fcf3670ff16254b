use clap::{Args as _, Command, FromArgMatches as _};

use super::*;

/// A storm that is small enough for a test.
fn plan(more: &[&str]) -> Plan {
    let usual = [
        "simulate",
        "--machines=50",
        "--rate=40",
        "--seconds=18",
        "--breaks=60",
        "--marks=1024",
    ];
    let words = usual.iter().chain(more);
    let matches =
        Plan::augment_args(Command::new("simulate").args_override_self(true)).get_matches_from(words);
    Plan::from_arg_matches(&matches).unwrap()
}

#[test]
fn no_end_is_lost_by_an_outage_a_failover_and_clocks_that_differ() {
    // A replica that takes over slowly, or at once with a clock that is behind.
    for (seed, failover) in [("--seed=1", "--failover=3"), ("--seed=2", "--failover=0.5")] {
        let more = ["--outage=4", "--skew=5000", "--behind=8000", seed, failover];
        let outcome = simulate(&plan(&more)).unwrap();
        assert!(outcome.ends.len() > 500, "{}", outcome.report());
        assert!(outcome.lost_entries > 0, "{}", outcome.report());
        assert_eq!(
            (outcome.never_heard, outcome.lost_marks),
            (0, 0),
            "{}",
            outcome.report()
        );
        assert_eq!((outcome.missing(), outcome.not_in_stream), (0, 0));
    }
}

/// The server returns after more than a minute, hears of all, and dies.
#[test]
fn no_end_is_lost_by_a_failover_right_after_a_long_outage() {
    let more = [
        "--machines=9",
        "--rate=20",
        "--seconds=130",
        "--outage=64.7",
        "--failover=3",
        "--marks=4096",
    ];
    let outcome = simulate(&plan(&more)).unwrap();
    assert!(outcome.lost_entries > 0, "{}", outcome.report());
    assert_eq!(
        (outcome.never_heard, outcome.not_in_stream),
        (0, 0),
        "{}",
        outcome.report()
    );
}

#[test]
fn the_same_seed_is_the_same_course_of_events() {
    let report = |seed| simulate(&plan(&["--seconds=6", seed])).unwrap().report();
    assert_eq!(report("--seed=3"), report("--seed=3"));
    assert_ne!(report("--seed=3"), report("--seed=4"));
}

/// What the minute that is read and told again is for.
#[test]
fn without_the_overlap_ends_are_lost() {
    let mut plan = plan(&["--outage=0", "--failover=1", "--behind=8000"]);
    plan.overlap = false;
    let outcome = simulate(&plan).unwrap();
    assert!(outcome.never_heard > 0, "{}", outcome.report());
}

/// A table of marks that is too small is told from an end that was not heard.
#[test]
fn marks_without_room_are_counted() {
    let outcome = simulate(&plan(&["--outage=0", "--failover=0", "--marks=100"])).unwrap();
    assert!(
        outcome.lost_marks > 0 && outcome.never_heard > 0,
        "{}",
        outcome.report()
    );
    assert_eq!(outcome.missing(), 0, "all were heard");
}
