use std::sync::atomic::{AtomicU64, Ordering};

use zerocopy::FromZeros as _;

use super::*;
use crate::base::{Reason, SiteId};
use crate::session::tests::with_store;
use crate::session::{Leaked, open, with_own};
use crate::shm::{About, Memory, memory_words};
use crate::testing::{Browser, FakeStore, FakeStream, NOW, keys, memory, site};

#[test]
fn a_session_whose_end_the_store_could_not_be_told_is_over_on_this_machine() {
    let (file, store) = (site("s"), FakeStore::default());
    let mut browser = with_store(&file, Some(&store));
    browser.log_in("/app");
    let is_signed_in =
        |browser: &Browser<'_>| browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap());
    let key = browser.look("/", |ctx| {
        let session = open(ctx, &Leaked).unwrap().expect("a session");
        key_of(ctx.site, session.record).unwrap()
    });
    store.is_down.store(true, Ordering::SeqCst);
    browser.look("/", |ctx| {
        let ended = end_entry(ctx, &ctx.entries().unwrap(), &key, NOW + 100);
        assert_eq!(ended.unwrap_err().reason, Reason::StoreUnavailable);
    });
    store.is_down.store(false, Ordering::SeqCst);
    assert!(!is_signed_in(&browser));
    browser.memory = memory();
    assert!(is_signed_in(&browser), "others do not know");
}

#[test]
fn memory_that_is_full_of_ends_is_reported() {
    let file = site("s");
    let mut browser = with_store(&file, None);
    // Room for as few ends as can be.
    let words: &[AtomicU64] = AtomicU64::new_vec_zeroed(memory_words(32))
        .expect("memory")
        .leak();
    browser.memory = Memory::over(words).expect("enough of it");
    let reports = |browser: &Browser<'_>| {
        let lines = browser.log.0.borrow();
        lines
            .iter()
            .filter(|line| line.contains("shared memory for ended sessions is full"))
            .count()
    };
    let end = |browser: &Browser<'_>, user: u32| {
        let user = user.to_string();
        browser.look("/", |ctx| {
            end_marked(ctx, Mark::of(About::User, ctx.site, &[&user])).unwrap();
        });
    };
    end(&browser, 0);
    assert_eq!(reports(&browser), 0);
    (1..500).for_each(|user| end(&browser, user));
    assert_eq!(reports(&browser), 1, "once a minute");
    browser.now = NOW + 60;
    (500..1_000).for_each(|user| end(&browser, user));
    assert_eq!(reports(&browser), 2);
}

#[test]
fn whether_a_token_was_used_is_answered_without_other_machines_only_where_sessions_are_in_cookies() {
    let (file, store) = (site("s"), FakeStore::default());
    let stream = FakeStream {
        entries: Default::default(),
        keys: keys(),
        facts: FakeStore::default(),
    };
    let mark = Mark::of(About::Token, SiteId("s"), &["jti"]);
    for (in_store, facts) in [(None, &stream.facts), (Some(&store), &store)] {
        let mut browser = with_store(&file, in_store);
        browser.stream = Some(&stream);
        let used = |browser: &Browser<'_>| browser.look("/", |ctx| is_used(ctx, mark)).map_err(|f| f.reason);
        assert_eq!(used(&browser), Ok(false));
        facts.is_down.store(true, Ordering::SeqCst);
        let expected = match in_store {
            None => Ok(false),
            Some(_) => Err(Reason::StoreUnavailable),
        };
        assert_eq!(used(&browser), expected, "{}", in_store.is_some());
        facts.is_down.store(false, Ordering::SeqCst);
        browser.look("/", |ctx| assert!(first_time(ctx, mark, NOW + 60).unwrap()));
        browser.memory = memory();
        assert_eq!(used(&browser), Ok(true), "at another machine");
    }
}
