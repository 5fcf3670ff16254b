use super::*;
use crate::base::OVERHEAD;
use crate::config::RawSettings;
use crate::session::Leaked;
use crate::testing::{Browser, NOW, site};

#[test]
fn a_session_that_a_request_holds_lives_no_longer_than_another() {
    let file = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        session_idle: Some(Seconds(100)),
        session_lifetime: Some(Seconds(150)),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    browser.look("/", |ctx| {
        let session = open(ctx, &Leaked).unwrap().expect("a session");
        let settings = ctx.settings.session();
        for (used, seconds, lives) in [
            (0, 99, true),
            (0, 100, false),
            (60, 149, true),
            (60, 150, false),
            (30, 130, false),
        ] {
            let held = Opened {
                used: NOW + used,
                ..session
            };
            let reopened = held.reopened(&settings, NOW + seconds);
            assert_eq!(reopened.is_some(), lives, "used {used} s, after {seconds} s");
        }
    });
}

#[test]
fn use_is_written_down_after_a_hundredth_of_the_idle_time_within_bounds() {
    let file = site("s");
    for (idle, seconds) in [(50, 1), (100, 1), (300, 3), (3_600, 5)] {
        let mut browser = Browser::at(RawSettings {
            site: Some(&file),
            session_idle: Some(Seconds(idle)),
            ..RawSettings::default()
        });
        browser.log_in("/app");
        browser.now = NOW + (seconds - 1);
        assert_eq!(browser.get("/oxd").cookies.len(), 0, "{idle}");
        browser.now = NOW + seconds;
        assert_eq!(browser.get("/oxd").cookies.len(), 1, "{idle}");
    }
}

/// A client may send more than browsers keep: no memory is taken for it.
#[test]
fn a_session_is_read_up_to_the_length_that_cookies_can_have() {
    let file = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    for (sealed_bytes, is_read) in [
        (cookie::most_bytes() / 4 * 3, true),
        (cookie::most_bytes() / 4 * 3 + 1, false),
    ] {
        let sealed = browser.look("/", |ctx| {
            let session = open(ctx, &Leaked).unwrap().expect("a session");
            let mut record = session.bytes().to_vec();
            // What cannot be read as a claim ends the claims.
            record.resize(sealed_bytes - OVERHEAD, 0xff);
            let keys = ctx.settings.keys;
            keys.seal(ctx.host, Purpose::Session, ctx.site.as_str(), &record)
                .unwrap()
        });
        let is_longer = sealed.len() > cookie::most_bytes();
        assert!(is_longer != is_read && sealed.len() >= cookie::most_bytes());
        let mut other = Browser::at(browser.settings);
        other.cookies = vec![("oxd_session".into(), sealed)];
        let found = other.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap());
        assert_eq!(found, is_read, "{sealed_bytes}");
    }
}
