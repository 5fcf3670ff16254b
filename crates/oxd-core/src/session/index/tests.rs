use std::time::Instant;

use super::*;
use crate::base::SiteId;
use crate::config::{RawSettings, SiteFile};
use crate::session::with_own;
use crate::shm::{About, Memory};
use crate::testing::{Browser, FakeStore, NOW, memory, new_stores_are_atomic, site};

fn browser<'s>(file: &'s SiteFile, store: &'s FakeStore, memory: Memory<'static>) -> Browser<'s> {
    let mut browser = Browser::at(RawSettings {
        site: Some(file),
        session_idle: Some(Seconds(100)),
        session_max: Some(2),
        ..RawSettings::default()
    });
    (browser.store, browser.memory) = (Some(store), memory);
    browser
}

#[test]
fn a_session_that_nobody_uses_any_more_takes_the_place_of_none() {
    let file = site("s");
    for is_atomic in [false, true] {
        if is_atomic {
            new_stores_are_atomic();
        }
        let (store, machine) = (FakeStore::default(), memory());
        let [mut used, mut unused, mut new] = [(); 3].map(|()| browser(&file, &store, machine));
        used.log_in("/app");
        unused.now = NOW + 10;
        unused.log_in("/app");
        used.now = NOW + 90;
        assert_eq!(used.get("/oxd/session").status, 200);
        new.now = NOW + 120;
        new.log_in("/app");
        let alive = [used, unused, new].map(|mut browser| {
            browser.now = NOW + 120;
            browser.look("/", |ctx| with_own(ctx, |session| session.is_some()).unwrap())
        });
        assert_eq!(alive, [true, false, true], "{is_atomic}");
    }
}

/// Two processes of a machine change the list of a user at the same time.
#[test]
fn a_list_is_changed_by_one_process_at_a_time() {
    let (file, store, machine) = (site("s"), FakeStore::default(), memory());
    browser(&file, &store, machine).log_in("/app");
    let user = Mark::of(About::User, SiteId("s"), &["alice"]);
    let key = Kind::Index.of_mark(SiteId("s"), user);
    let lease = machine.lease(user, wall(), wall() + 10).expect("nobody has it");
    let read = store.entries.lock().unwrap()[&key].clone();
    thread::scope(|scope| {
        let other = scope.spawn(|| browser(&file, &store, machine).log_in("/app").status);
        // More than it would take, if it did not wait.
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE / 10 && !other.is_finished() {
            thread::yield_now();
        }
        store.entries.lock().unwrap().insert(key, read);
        drop(lease);
        assert_eq!(other.join().unwrap(), 303);
    });
    let listed = browser(&file, &store, machine).look("/", |ctx| {
        let list = ctx.entries().unwrap().get(&key).unwrap();
        super::read(&list.unwrap()).len()
    });
    assert_eq!(listed, 2, "none is lost");
}
