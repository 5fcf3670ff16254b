//! The page of `oxd-status` with an invented hour, for whoever changes how it looks:
//! `cargo run -p oxd-core --example status_page >page.html`.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use oxd_core::base::{Millis, Reason, Reference, Seconds, SystemRandom};
use oxd_core::pages::status::shown;
use oxd_core::shm::health::{Known, Readiness};
use oxd_core::shm::stats::metrics::{About, FeedGauges, Gauges, SiteState};
use oxd_core::shm::stats::{
    Action, Answered, Command, End, Login, Outcome, Presented, Renewal, Stats, WORDS,
};

const NOW: Seconds = Seconds(1_800_000_000);
const LOGIN: [(Command, u64); 3] = [
    (Command::AuthorizationUrl, 18),
    (Command::TokensByCode, 60),
    (Command::UserInfo, 35),
];

/// A minute's logins: more around the middle of the hour, and in between a few minutes in which oxd is in trouble.
fn minute(stats: &Stats<'_>, ago: u64) {
    let now = NOW.saturating_sub(Seconds(ago * 60));
    let crowd = 30_u64.saturating_sub(ago.abs_diff(25)) / 2 + (ago * 7 + 3) % 6;
    let is_bad = (5..12).contains(&ago);
    for number in 0..crowd {
        stats.login(Login::Begun, now);
        stats.presented(Presented::Alive);
        for (place, (command, usual)) in LOGIN.into_iter().enumerate() {
            let jitter = (number * 13 + ago * 5 + place as u64 * 3) % 20;
            let took = Duration::from_millis(if is_bad { usual * 12 } else { usual } + jitter);
            stats.call(command, Outcome::Ok, took, now);
        }
        if is_bad && number % 3 == 0 {
            stats.call(
                Command::TokensByCode,
                Outcome::Timeout,
                Duration::from_secs(3),
                now,
            );
            stats.login_failed(Reason::OxdTimeout, now);
        } else if number % 17 == 5 {
            stats.login_failed(Reason::AccessDenied, now);
        } else {
            stats.login(Login::Completed, now);
            stats.made();
        }
    }
}

fn main() {
    let words: Vec<_> = (0..WORDS).map(|_| AtomicU64::new(0)).collect();
    let Some(stats) = Stats::over(&words) else {
        unreachable!("there are enough words");
    };
    stats.begin(NOW.saturating_sub(Seconds(200_000)));
    (0..60).rev().for_each(|ago| minute(&stats, ago));
    stats.login(Login::Restarted, NOW);
    stats.call(
        Command::ClientToken,
        Outcome::Ok,
        Duration::from_millis(9),
        NOW.saturating_sub(Seconds(90)),
    );
    [End::User, End::User, End::BackChannel, End::Administrator]
        .into_iter()
        .for_each(|by| stats.ended(by));
    stats.presented(Presented::Refused);
    let when = NOW.saturating_sub(Seconds(250));
    stats.refused_last(Reason::OxdTimeout, when, &Reference::new(&SystemRandom));
    stats.renewal(Renewal::Tokens);
    stats.store(Action::Get, Answered::Ok, Duration::from_micros(140));
    let gauges = Gauges {
        under_way: 2,
        lost_marks: 0,
        marks: (2_310, 131_072),
        feed: Some(FeedGauges {
            address: "rediss://sessions.example.org:6380".to_owned(),
            lag: Some(Millis(240)),
            untold: 0,
        }),
        ready: Some(Readiness {
            sites: 1,
            ..Readiness::default()
        }),
        sites: vec![
            SiteState {
                host: "app.example.org".to_owned(),
                id: "7b2e9d1c-3f4a-4c5d-8e6f-0a1b2c3d4e5f".to_owned(),
                server: "https://oxd.example.org:8443".to_owned(),
                known: Known::Works(NOW.saturating_sub(Seconds(7_000))),
                checked: Some(NOW.saturating_sub(Seconds(4))),
            },
            SiteState {
                host: "shop.example.org".to_owned(),
                id: "0d9c1f7a-5e2b-4b8c-9a6d-1e2f3a4b5c6d".to_owned(),
                server: "https://oxd2.example.org:8443".to_owned(),
                known: Known::Fails(Reason::OxdUnreachable, NOW.saturating_sub(Seconds(240))),
                checked: Some(NOW.saturating_sub(Seconds(4))),
            },
        ],
        about: About {
            version: env!("CARGO_PKG_VERSION"),
            httpd: "2.4.62".to_owned(),
            mpm: "event".to_owned(),
            machine: "web1.example.org".to_owned(),
        },
    };
    let shown = shown(&stats, &gauges, NOW);
    println!(
        "{}",
        oxd_core::pages::status_page("www.example.org", "/oxd-status", Some("token"), None, &shown).html
    );
}
