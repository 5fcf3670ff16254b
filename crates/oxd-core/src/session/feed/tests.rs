use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::*;
use crate::base::Revocations as _;
use crate::base::{Reason, SiteId, SystemRandom};
use crate::config::{RawSettings, SiteFile};
use crate::session::{end_marked, first_time, is_known, with_own};
use crate::shm::About;
use crate::testing::{Browser, FakeStore, FakeStream, NOW, keys, site};

fn stream() -> FakeStream {
    FakeStream {
        entries: Mutex::default(),
        keys: keys(),
        facts: FakeStore::default(),
    }
}

/// The same user's browser at another machine.
fn at_machine<'s>(file: &'s SiteFile, stream: &'s FakeStream) -> Browser<'s> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        ..RawSettings::default()
    });
    browser.stream = Some(stream);
    browser
}

fn is_signed_in(browser: &Browser<'_>) -> bool {
    browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap())
}

/// A machine reads the whole stream.
fn hear(browser: &Browser<'_>, stream: &FakeStream) {
    let keys = keys();
    let feed = Feed {
        memory: browser.memory,
        keys: &keys,
    };
    for (at, entry) in (1_000..).zip(stream.entries.lock().unwrap().iter()) {
        assert!(feed.hear(at, entry, browser.now));
    }
    feed.caught_up(feed.memory.position(), browser.now.millis());
}

/// The process that reads the stream tells what was kept.
fn tell(browser: &Browser<'_>, stream: &FakeStream) -> usize {
    let keys = keys();
    let feed = Feed {
        memory: browser.memory,
        keys: &keys,
    };
    let untold = feed.untold(&SystemRandom, browser.now, 100).unwrap();
    for (ended, entry) in &untold {
        stream.append(entry, Seconds(60)).unwrap();
        browser.memory.told(ended);
    }
    untold.len()
}

#[test]
fn a_logout_at_one_machine_is_one_at_all() {
    let (file, stream) = (site("s"), stream());
    let (mut here, mut there) = (at_machine(&file, &stream), at_machine(&file, &stream));
    here.log_in("/app");
    there.cookies = here.cookies.clone();
    hear(&there, &stream);
    assert!(is_signed_in(&there));
    here.get("/oxd/logoutme");
    assert!(is_signed_in(&there), "not heard yet");
    hear(&there, &stream);
    assert!(!is_signed_in(&there));
    assert_eq!(tell(&here, &stream), 0, "nothing is left to tell");
    // The user signs in again, at the machine that has only heard of it.
    there.log_in("/app");
    here.cookies = there.cookies.clone();
    hear(&here, &stream);
    assert!(is_signed_in(&here) && is_signed_in(&there));
}

#[test]
fn an_end_of_all_sessions_of_a_user_reaches_all_machines() {
    let (file, stream) = (site("s"), stream());
    let (mut here, mut there) = (at_machine(&file, &stream), at_machine(&file, &stream));
    there.log_in("/app");
    here.look("/", |ctx| {
        let mark = Mark::of(About::User, ctx.site, &["alice"]);
        end_marked(ctx, mark).unwrap();
    });
    hear(&there, &stream);
    assert!(!is_signed_in(&there));
    there.log_in("/app");
    here.cookies = there.cookies.clone();
    assert!(
        is_signed_in(&there) && is_signed_in(&here),
        "a later session is none of them"
    );
}

#[test]
fn an_end_that_cannot_be_told_is_kept_and_told_later() {
    let (file, stream) = (site("s"), stream());
    let (mut here, mut there) = (at_machine(&file, &stream), at_machine(&file, &stream));
    here.log_in("/app");
    there.cookies = here.cookies.clone();
    stream.facts.is_down.store(true, Ordering::SeqCst);
    let answer = here.get("/oxd/logoutme");
    assert_eq!(answer.status, 303, "the logout itself has worked");
    let line = here.log.0.borrow().join("\n");
    assert!(line.contains("told to other machines later"), "{line}");
    here.cookies = there.cookies.clone();
    assert!(!is_signed_in(&here) && is_signed_in(&there));
    stream.facts.is_down.store(false, Ordering::SeqCst);
    assert_eq!(tell(&here, &stream), 1);
    assert_eq!(tell(&here, &stream), 0);
    hear(&there, &stream);
    assert!(!is_signed_in(&there));
}

/// With a common store, too: a logout that the store does not hear of reaches the other machines by the stream.
#[test]
fn an_end_that_a_store_could_not_be_told_reaches_all_machines() {
    let (file, stream, store) = (site("s"), stream(), FakeStore::default());
    let (mut here, mut there) = (at_machine(&file, &stream), at_machine(&file, &stream));
    (here.store, there.store) = (Some(&store), Some(&store));
    here.log_in("/app");
    there.cookies = here.cookies.clone();
    assert!(is_signed_in(&there));
    for stream_is_down in [false, true] {
        store.is_down.store(true, Ordering::SeqCst);
        stream.facts.is_down.store(stream_is_down, Ordering::SeqCst);
        let answer = here.get("/oxd/logoutme");
        assert_eq!(
            answer.status, 200,
            "with a remark that not everybody could be told"
        );
        stream.facts.is_down.store(false, Ordering::SeqCst);
        store.is_down.store(false, Ordering::SeqCst);
        tell(&here, &stream);
        hear(&there, &stream);
        assert!(!is_signed_in(&there));
        there.log_in("/app");
        here.cookies = there.cookies.clone();
        assert!(is_signed_in(&there) && is_signed_in(&here));
    }
}

#[test]
fn a_new_connection_reads_and_tells_a_minute_again() {
    let (file, stream) = (site("s"), stream());
    let here = at_machine(&file, &stream);
    let keys = keys();
    let feed = Feed {
        memory: here.memory,
        keys: &keys,
    };
    let now = NOW.millis();
    assert_eq!(feed.begin(false, now), 0, "all of it at first");
    let entry = |name: &str, before: u64| {
        let mark = Mark::of(About::User, SiteId("s"), &[name]);
        let moment = (NOW - before).millis();
        let ended = here.memory.end_to_tell(mark, moment, NOW, NOW + 3_600);
        here.memory.told(&ended);
        entry(&SystemRandom, &keys, &ended).unwrap()
    };
    feed.hear(5_000_000, &entry("alice", 0), NOW);
    feed.hear(5_000_000, &entry("bob", 20), NOW);
    feed.caught_up(5_000_000, now);
    let untold = || feed.untold(&SystemRandom, NOW, 9).unwrap();
    assert_eq!(untold().len(), 0);
    // Another process of this machine goes on, or a server has taken over at once.
    assert_eq!(feed.begin(false, now + 1_000), 4_940_000);
    assert_eq!(untold().len(), 1);
    feed.told(&untold()[0].0, now + 1_000);
    assert_eq!(feed.begin(false, now + 30_000), 4_940_000, "after a gap");
    assert_eq!(untold().len(), 2, "a minute of them");
}

/// A connection that breaks while it reads a minute again must not make the next one begin a minute earlier.
#[test]
fn a_connection_that_breaks_early_does_not_lead_back() {
    let (file, stream) = (site("s"), stream());
    let here = at_machine(&file, &stream);
    let keys = keys();
    let feed = Feed {
        memory: here.memory,
        keys: &keys,
    };
    let now = NOW.millis();
    feed.caught_up(5_000_000, now);
    for _ in 0..3 {
        assert_eq!(feed.begin(false, now), 4_940_000);
        feed.hear(4_941_000, b"", NOW);
    }
    feed.caught_up(4_950_000, now);
    assert_eq!(
        feed.begin(false, now),
        4_890_000,
        "the server's clock was set back"
    );
}

/// What counts is when it was told: an outage may have been longer than what is told again.
#[test]
fn what_was_told_late_is_told_again_too() {
    let (file, stream) = (site("s"), stream());
    let here = at_machine(&file, &stream);
    let keys = keys();
    let feed = Feed {
        memory: here.memory,
        keys: &keys,
    };
    let count = || feed.untold(&SystemRandom, NOW, 9).unwrap().len();
    let ended = ["old", "older"].map(|name| {
        let mark = Mark::of(About::User, SiteId("s"), &[name]);
        let moment = NOW.millis() + if name == "old" { 100_000 } else { 0 };
        here.memory.end_to_tell(mark, moment, NOW, NOW + 3_600)
    });
    let back = NOW.millis() + 600_000;
    ended.iter().for_each(|ended| feed.told(ended, back));
    feed.caught_up(1, back);
    assert_eq!(count(), 0);
    feed.begin(false, back + 1_000);
    assert_eq!(count(), 2, "a server may take over within a second");
    ended.iter().for_each(|ended| here.memory.told(ended));
    feed.begin(false, back + 3_000);
    assert_eq!(count(), 2);
    ended.iter().for_each(|ended| here.memory.told(ended));
    feed.caught_up(1, back + 61_000);
    feed.begin(false, back + 64_000);
    assert_eq!(count(), 0, "long ago");
}

/// However short the sessions are: an end that is told late covers them to their last second.
#[test]
fn an_end_told_late_lasts_as_long_as_the_sessions() {
    let (file, stream) = (site("s"), stream());
    for lifetime in (300..3_600).step_by(150) {
        let (mut here, mut there) = (at_machine(&file, &stream), at_machine(&file, &stream));
        for browser in [&mut here, &mut there] {
            browser.settings.session_lifetime = Some(Seconds(lifetime));
        }
        here.log_in("/app");
        there.cookies = here.cookies.clone();
        stream.facts.is_down.store(true, Ordering::SeqCst);
        here.get("/oxd/logoutme");
        stream.facts.is_down.store(false, Ordering::SeqCst);
        assert_eq!(tell(&here, &stream), 1);
        there.now = NOW + lifetime - 1;
        hear(&there, &stream);
        assert!(!is_signed_in(&there), "{lifetime}");
        stream.entries.lock().unwrap().clear();
    }
}

/// A machine that hears nothing lets nobody in, and everybody out.
#[test]
fn a_limit_of_silence_does_not_keep_a_session_from_ending() {
    let (file, stream) = (site("s"), stream());
    let (mut here, mut there) = (at_machine(&file, &stream), at_machine(&file, &stream));
    here.log_in("/app");
    there.cookies = here.cookies.clone();
    here.settings.revocations_max_lag = Some(Some(Seconds(60)));
    here.get("/oxd/logoutme");
    hear(&there, &stream);
    assert!(!is_signed_in(&there));
    // And a login replaces the session that it finds, as ever.
    let mut again = at_machine(&file, &stream);
    again.settings.revocations_max_lag = Some(Some(Seconds(60)));
    again.log_in("/app");
    assert_eq!(again.log_in("/app").status, 303);
}

#[test]
fn an_empty_stream_is_told_everything_again() {
    let (file, stream) = (site("s"), stream());
    let here = at_machine(&file, &stream);
    let keys = keys();
    let feed = Feed {
        memory: here.memory,
        keys: &keys,
    };
    for (name, before) in [("alice", 7_200), ("bob", 10)] {
        let mark = Mark::of(About::User, SiteId("s"), &[name]);
        let moment = (NOW - before).millis();
        here.memory
            .told(&here.memory.end_to_tell(mark, moment, NOW, NOW + 20_000));
    }
    feed.caught_up(5_000_000, NOW.millis());
    feed.begin(false, NOW.millis());
    assert_eq!(feed.untold(&SystemRandom, NOW, 9).unwrap().len(), 0);
    assert_eq!(feed.begin(true, NOW.millis()), 0, "and read from its beginning");
    assert_eq!(feed.untold(&SystemRandom, NOW, 9).unwrap().len(), 2);
}

#[test]
fn foreign_entries_are_no_ends() {
    let (file, stream) = (site("s"), stream());
    let here = at_machine(&file, &stream);
    let (ours, theirs) = (
        keys(),
        KeyRing::derive([&b"a key of another machine"[..]]).unwrap(),
    );
    let feed = Feed {
        memory: here.memory,
        keys: &ours,
    };
    let ended = Ended {
        mark: Mark::of_site(SiteId("s")),
        moment: NOW.millis(),
        until: NOW + 3_600,
    };
    let foreign = entry(&SystemRandom, &theirs, &ended).unwrap();
    let good = entry(&SystemRandom, &ours, &ended).unwrap();
    let cut = &good[..good.len() - 1];
    for bad in [&foreign[..], cut, b"", b"x", &[0; 53]] {
        assert!(!feed.hear(1, bad, NOW));
    }
    assert!(!here.memory.has_ended(ended.mark, ended.moment, NOW));
    assert!(feed.hear(2, &good, NOW + 3_600), "one that has run out is read");
    assert!(
        !here.memory.has_ended(ended.mark, ended.moment, NOW),
        "and not kept"
    );
    assert!(feed.hear(3, &good, NOW));
    assert!(here.memory.has_ended(ended.mark, ended.moment, NOW));
}

#[test]
fn a_limit_of_silence_keeps_sessions_out() {
    let (file, stream) = (site("s"), stream());
    let mut here = at_machine(&file, &stream);
    here.log_in("/app");
    let failure = |browser: &Browser<'_>| {
        browser.look("/", |ctx| {
            with_own(ctx, |session| assert!(session.is_some()))
                .err()
                .map(|f| f.reason)
        })
    };
    assert_eq!(failure(&here), None, "sessions go on without the directive");
    here.settings.revocations_max_lag = Some(Some(Seconds(60)));
    assert_eq!(
        failure(&here),
        Some(Reason::RevocationsLag),
        "nothing was read yet"
    );
    hear(&here, &stream);
    here.now += 60;
    assert_eq!(failure(&here), None);
    here.now += 1;
    assert_eq!(failure(&here), Some(Reason::RevocationsLag));
    hear(&here, &stream);
    assert_eq!(failure(&here), None);
    // A minute is no more than a request may have taken.
    here.now = here.now - 60;
    assert_eq!(failure(&here), None);
    here.now = here.now - 1;
    assert_eq!(
        failure(&here),
        Some(Reason::RevocationsLag),
        "the clock was set back: nobody knows"
    );
    here.now += 661;
    here.settings.revocations_max_lag = Some(None);
    assert_eq!(failure(&here), None);
}

#[test]
fn what_a_provider_says_is_known_at_all_machines() {
    let (file, stream) = (site("s"), stream());
    let (mut here, there) = (at_machine(&file, &stream), at_machine(&file, &stream));
    here.log_in("/app");
    // The sign-in's provider session, and a token that may be used once.
    let sid = Mark::of_sid(SiteId("s"), "https://op.example", "sid");
    let token = Mark::of(About::Token, SiteId("s"), &["jti"]);
    here.look("/", |ctx| {
        let known = crate::session::is_noted(ctx, sid);
        assert!(!known.unwrap(), "no session has had it");
        assert!(first_time(ctx, token, ctx.now + 600).unwrap());
    });
    there.look("/", |ctx| {
        assert!(!is_known(ctx, sid).unwrap());
        assert!(!first_time(ctx, token, ctx.now + 600).unwrap(), "used elsewhere");
    });
    // Redis away: each machine for itself.
    stream.facts.is_down.store(true, Ordering::SeqCst);
    let other = Mark::of(About::Token, SiteId("s"), &["another"]);
    there.look("/", |ctx| {
        assert!(first_time(ctx, other, ctx.now + 600).unwrap());
        assert!(!first_time(ctx, other, ctx.now + 600).unwrap());
        assert!(is_known(ctx, sid).is_err());
    });
}
