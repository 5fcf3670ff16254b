use super::metrics::Gauges;
use super::*;

const NOW: Seconds = 1_800_000_000;

fn words() -> Vec<AtomicU64> {
    (0..WORDS).map(|_| AtomicU64::new(0)).collect()
}

const GAUGES: Gauges = Gauges {
    under_way: 3,
    lost_marks: 0,
};

/// Counts everything once.
fn everything(stats: &Stats<'_>) {
    stats.begin(NOW - 60);
    Login::ALL.iter().for_each(|how_far| stats.login(*how_far, NOW));
    for reason in Reason::ALL {
        stats.login_failed(*reason, NOW);
        stats.refused(*reason);
    }
    Presented::ALL.iter().for_each(|what| stats.presented(*what));
    stats.made();
    End::ALL.iter().for_each(|by| stats.ended(*by));
    for command in Command::ALL {
        for outcome in Outcome::ALL {
            stats.call(*command, *outcome, Duration::from_millis(7), NOW);
        }
    }
    Event::ALL.iter().for_each(|event| stats.event(*event));
    Renewal::ALL.iter().for_each(|what| stats.renewal(*what));
    for action in Action::ALL {
        for answered in Answered::ALL {
            stats.store(*action, *answered, Duration::from_millis(1));
        }
    }
}

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
    }
    let hour = stats.hour(NOW + 69 * 60);
    assert_eq!((hour.len(), hour[0].completed, hour[59].completed), (60, 11, 70));
    assert!(
        stats
            .hour(NOW + 200 * 60)
            .iter()
            .all(|minute| *minute == Minute::default())
    );
}

#[test]
fn calls_of_dead_processes_are_not_under_way() {
    let words = words();
    let stats = Stats::over(&words).unwrap();
    stats.under_way(100, 2);
    stats.under_way(101, 3);
    assert_eq!(stats.all_under_way(|_| true), 5);
    assert_eq!(stats.all_under_way(|process| process == 101), 3);
    stats.under_way(101, 0);
    assert_eq!(stats.all_under_way(|_| true), 2);
}

#[test]
fn many_threads_count_and_nothing_is_lost() {
    let words = words();
    let stats = Stats::over(&words).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10_000).for_each(|_| stats.login(Login::Begun, NOW)));
        }
    });
    assert_eq!(stats.logins(Login::Begun), 80_000);
}

#[test]
fn the_automatic_form_has_names_and_numbers_only() {
    let words = words();
    let stats = Stats::over(&words).unwrap();
    everything(&stats);
    let text = page::auto(&stats, &GAUGES, NOW);
    for line in text.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        assert!(name.starts_with("Oxd") && value.parse::<u64>().is_ok(), "{line}");
    }
    assert!(text.contains("OxdLoginsBegun: 1\n") && text.contains("OxdSecondsCounted: 60\n"));
}
