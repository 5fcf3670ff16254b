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
    for seed in ["--seed=1", "--seed=2"] {
        let outcome = simulate(&plan(&["--outage=4", "--failover=3", "--skew=5000", seed])).unwrap();
        assert!(outcome.ends.len() > 500, "{}", outcome.report());
        assert!(outcome.lost_entries > 0, "{}", outcome.report());
        assert_eq!(
            (outcome.never_heard, outcome.lost_marks),
            (0, 0),
            "{}",
            outcome.report()
        );
        assert_eq!(outcome.missing(), 0);
    }
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
