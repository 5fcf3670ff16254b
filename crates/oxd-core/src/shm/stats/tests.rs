use super::metrics::{About, FeedGauges, Gauges};
use super::*;
use crate::shm::health::Readiness;
use crate::testing::everything;

const NOW: Seconds = Seconds(1_800_000_000);

fn words() -> Vec<AtomicU64> {
    (0..WORDS).map(|_| AtomicU64::new(0)).collect()
}

const GAUGES: Gauges = Gauges {
    under_way: 3,
    lost_marks: 0,
    marks: (0, 0),
    feed: Some(FeedGauges {
        address: String::new(),
        lag: None,
        untold: 0,
    }),
    ready: Some(Readiness {
        sites: 1,
        unknown: 0,
        failing: Vec::new(),
        checked: None,
    }),
    sites: Vec::new(),
    about: About {
        version: "1.2.3",
        httpd: String::new(),
        mpm: String::new(),
        machine: String::new(),
    },
};

#[test]
fn every_counter_has_a_place_of_its_own() {
    let words = words();
    let stats = Stats::over(&words).unwrap();
    everything(&stats);
    let text = metrics::text(&stats, &GAUGES);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        let is_count = name.contains("_total") && !name.contains("seconds_total");
        if is_count && !name.starts_with("oxd_marks_lost") {
            assert_eq!(value, "1", "{line}");
        }
    }
    // Those that were never sent took no time.
    assert!(text.contains("oxd_call_duration_seconds_count{command=\"get-jwks\"} 5"));
    assert!(text.contains("oxd_call_duration_seconds_bucket{command=\"get-jwks\",le=\"0.005\"} 0"));
    assert!(text.contains("oxd_call_duration_seconds_bucket{command=\"get-jwks\",le=\"0.01\"} 5"));
    assert!(text.contains("oxd_call_duration_seconds_sum{command=\"get-jwks\"} 0.035"));
    assert!(text.contains("oxd_calls_under_way 3"));
}

#[test]
fn a_family_is_declared_once_and_before_its_samples() {
    let words = words();
    let text = metrics::text(&Stats::over(&words).unwrap(), &GAUGES);
    let mut declared = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(!declared.contains(&name), "{name}");
            declared.push(name);
        } else if !line.starts_with('#') {
            let family = *declared.last().unwrap();
            assert!(line.starts_with(family), "{line} under {family}");
        }
    }
    assert!(declared.len() > 10);
}

#[test]
fn the_last_hour_is_remembered_minute_by_minute() {
    let words = words();
    let stats = Stats::over(&words).unwrap();
    for minute in 0..70 {
        let now = NOW + minute * 60;
        (0..=minute).for_each(|_| stats.login(Login::Completed, now));
        stats.login_failed(Reason::OxdTimeout, now);
        stats.call(Command::Jwks, Outcome::Ok, Duration::from_micros(1_234), now);
        stats.call(Command::Jwks, Outcome::Timeout, Duration::from_secs(9), now);
    }
    let now = NOW + 69 * 60;
    let hour = stats.hour(now);
    let completed = |minute: usize| hour[minute].logins(Login::Completed);
    assert_eq!((hour.len(), completed(0), completed(59)), (60, 11, 70));
    assert_eq!(hour[59].failures(Reason::OxdTimeout), 1);
    assert_eq!((hour[59].answered, hour[59].unanswered), (1, 1));
    assert_eq!(hour[59].micros, 1_240, "to a hundredth of a millisecond");
    let all = Minute::sum(&hour);
    assert_eq!((all.failed(), all.answered), (60, 60));
    assert_eq!(all.logins(Login::Completed), (11..=70).sum::<u64>());
    assert_eq!(all.mean_millis(), Some(1.24));
    // A count that is an hour late does not change the minute that has replaced its own.
    stats.login(Login::Completed, now - 64 * 60);
    assert_eq!(stats.hour(now), hour);
    let later = stats.hour(NOW + 200 * 60);
    assert!(later.iter().all(|minute| *minute == Minute::default()));
    assert_eq!(Minute::sum(&later).mean_millis(), None);
}

#[test]
fn a_minute_that_takes_the_place_of_an_older_one_loses_nothing() {
    let words = words();
    let stats = Stats::over(&words).unwrap();
    stats.login(Login::Begun, NOW - 64 * 60);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..1_000).for_each(|_| stats.login(Login::Begun, NOW)));
        }
    });
    assert_eq!(stats.hour(NOW)[59].logins(Login::Begun), 8_000);
}

#[test]
fn calls_of_dead_processes_are_not_under_way() {
    let words = words();
    let stats = Stats::over(&words).unwrap();
    (0..2).for_each(|_| stats.call_begins(100));
    (0..3).for_each(|_| stats.call_begins(101));
    assert_eq!(stats.all_under_way(|_| true), 5);
    assert_eq!(stats.all_under_way(|process| process == 101), 3);
    (0..3).for_each(|_| stats.call_ends(101));
    assert_eq!(stats.all_under_way(|_| true), 2);
    // One that gets the number of a dead one, and one that gets its place.
    stats.process_begins(100);
    assert_eq!(stats.all_under_way(|_| true), 0);
    stats.call_ends(100);
    stats.call_begins(100);
    stats.call_begins(100 + 512);
    assert_eq!(stats.all_under_way(|_| true), 1);
    stats.call_ends(100);
    assert_eq!(stats.all_under_way(|_| true), 1);
}

#[test]
fn many_threads_count_and_nothing_is_lost() {
    let words = words();
    let stats = Stats::over(&words).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10_000 {
                    stats.login(Login::Begun, NOW);
                    stats.call_begins(7);
                    stats.call_ends(7);
                }
            });
        }
    });
    assert_eq!(stats.logins(Login::Begun), 80_000);
    assert_eq!(stats.all_under_way(|_| true), 0);
}

/// The families of `docs/MONITORING.md`, each with its row of the table.
fn documented() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/MONITORING.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows = page.lines().filter_map(|line| {
        let name = line.strip_prefix("| `oxd_")?.split('`').next()?;
        Some((format!("oxd_{name}"), line.to_owned()))
    });
    rows.collect()
}

#[test]
fn every_family_is_documented_with_its_labels_and_nothing_else_is() {
    let words = words();
    let text = metrics::text(&Stats::over(&words).unwrap(), &GAUGES);
    let documented = documented();
    let mut families = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (family, kind) = line.split_once(' ').unwrap();
        let rows: Vec<_> = documented.iter().filter(|(name, _)| name == family).collect();
        assert_eq!(rows.len(), 1, "{family} has one row");
        let (_, row) = rows[0];
        assert!(row.contains(&format!(" {kind} ")), "{family} is a {kind}: {row}");
        let sample = text.lines().find(|line| {
            line.strip_prefix(family)
                .is_some_and(|rest| rest.starts_with(['{', ' ', '_']))
        });
        let sample = sample.unwrap();
        let labels = sample.split_once('{').map_or("", |(_, rest)| rest);
        for label in labels.split(',').filter_map(|label| label.split_once('=')) {
            let is_there = label.0 == "le" || row.contains(&format!("`{}`", label.0));
            assert!(is_there, "{family}: {} in {row}", label.0);
        }
        families.push(family);
    }
    for (name, _) in &documented {
        assert!(families.contains(&name.as_str()), "{name}");
    }
}

#[test]
fn every_value_of_a_label_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/MONITORING.md");
    let page = std::fs::read_to_string(path).unwrap();
    let words = words();
    let text = metrics::text(&Stats::over(&words).unwrap(), &GAUGES);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let labels = line.split_once('{').map_or("", |(_, rest)| rest);
        let labels = labels.split('}').next().unwrap_or_default();
        for (label, value) in labels.split(',').filter_map(|label| label.split_once("=\"")) {
            let value = value.trim_end_matches('"');
            // Reasons have a page of their own, held to the code by another test.
            let elsewhere = matches!(label, "reason" | "le" | "version" | "httpd" | "mpm");
            assert!(
                elsewhere || page.contains(&format!("`{value}`")),
                "{label} {value}"
            );
        }
    }
}
