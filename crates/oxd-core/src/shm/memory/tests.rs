use std::thread;

use super::*;
use crate::base::{Seconds, SiteId};
use crate::shm::{About, NOTE_BYTES, Note};

const NOW: Seconds = Seconds(1_800_000_000);

fn words() -> Vec<AtomicU64> {
    words_for(USUAL_MARKS)
}

fn words_for(marks: usize) -> Vec<AtomicU64> {
    (0..memory_words(marks)).map(|_| AtomicU64::new(0)).collect()
}

fn user(name: &str) -> Mark {
    Mark::of(About::User, SiteId("site"), &[name])
}

#[test]
fn what_has_ended_stays_ended_and_what_began_later_does_not() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    let moment = NOW.millis() + 500;
    assert!(!memory.has_ended(user("alice"), moment, NOW));
    memory.end(user("alice"), moment, NOW, NOW + 3_600);
    assert!(memory.has_ended(user("alice"), moment, NOW));
    assert!(memory.has_ended(user("alice"), moment - 10_000, NOW + 3_600));
    assert!(!memory.has_ended(user("alice"), moment + 1, NOW));
    assert!(!memory.has_ended(user("bob"), moment, NOW));
    assert!(
        !memory.has_ended(user("alice"), moment, NOW + 3_600 + 8_192),
        "run out"
    );
}

#[test]
fn a_repeated_mark_does_not_undo_an_end() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    memory.know(user("alice"), NOW, NOW + 100);
    assert!(memory.knows(user("alice"), NOW) && !memory.has_ended(user("alice"), NOW.millis(), NOW));
    memory.end(user("alice"), NOW.millis(), NOW, NOW + 100);
    memory.know(user("alice"), NOW, NOW + 5_000);
    assert!(memory.has_ended(user("alice"), NOW.millis(), NOW));
    assert!(
        memory.has_ended(user("alice"), NOW.millis(), NOW + 4_000),
        "the longer time counts"
    );
}

#[test]
fn marks_of_other_things_and_sites_differ() {
    let all = [
        Mark::of(About::User, SiteId("site"), &["a"]),
        Mark::of(About::Name, SiteId("site"), &["a"]),
        Mark::of(About::User, SiteId("other"), &["a"]),
        Mark::of(About::Sid, SiteId("site"), &["ab", "c"]),
        Mark::of(About::Sid, SiteId("site"), &["a", "bc"]),
    ];
    for (at, mark) in all.iter().enumerate() {
        assert!(!all[..at].contains(mark), "{at}");
    }
}

#[test]
fn one_of_many_threads_is_the_first() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    for round in 0..50 {
        let mark = Mark::of(About::Token, SiteId("site"), &[&round.to_string()]);
        let firsts = thread::scope(|scope| {
            let ask = || memory.first_time(mark, NOW, NOW + 600);
            let asking: Vec<_> = (0..4).map(|_| scope.spawn(ask)).collect();
            asking
                .into_iter()
                .map(|t| usize::from(t.join().unwrap()))
                .sum::<usize>()
        });
        assert_eq!(firsts, 1);
        assert!(!memory.first_time(mark, NOW, NOW + 600));
        assert!(
            memory.first_time(mark, NOW + 5_000, NOW + 5_600),
            "after its time"
        );
    }
}

#[test]
fn full_memory_evicts_hints_first_and_counts_it() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    // Marks that share a slot.
    let mark = |n: u64| Mark::stored(7 << 24 | (n + 1)).unwrap();
    for n in 0..WINDOW as u64 - 1 {
        memory.end(mark(n), NOW.millis(), NOW, NOW + 10_000 + n * 1_000);
    }
    memory.know(mark(100), NOW, NOW + 900_000);
    assert_eq!(memory.lost(), 0);
    memory.end(mark(200), NOW.millis(), NOW, NOW + 50_000);
    assert_eq!(memory.lost(), 1);
    assert!(!memory.knows(mark(100), NOW), "a hint is evicted first");
    memory.end(mark(201), NOW.millis(), NOW, NOW + 50_000);
    assert!(!memory.knows(mark(0), NOW), "then what ends first");
    assert!(memory.has_ended(mark(201), NOW.millis(), NOW) && memory.has_ended(mark(200), NOW.millis(), NOW));
    // What is over makes room without a loss.
    memory.end(mark(300), (NOW + 500_000).millis(), NOW + 500_000, NOW + 600_000);
    assert_eq!(memory.lost(), 2);
}

/// A process was killed while it took the first slot of a mark for another one.
#[test]
fn what_a_killed_process_leaves_behind_hides_no_end() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    let mark = |n: u64| Mark::stored(7 << 24 | (n + 1)).unwrap();
    let first = MARKS_AT + 2 * mark(0).slot();
    let taken = Fact {
        told: Told::Taken,
        ..Fact::new(NO_MOMENT, Told::Elsewhere, NOW + 3_600)
    };
    words[first + 1].store(taken.word(), Ordering::Release);
    memory.end(mark(1), NOW.millis(), NOW, NOW + 3_600);
    assert!(memory.has_ended(mark(1), NOW.millis(), NOW));
    // It had written the hash, and not yet the end: nobody was told of that one.
    words[first].store(mark(0).word(), Ordering::Release);
    assert!(!memory.has_ended(mark(0), NOW.millis(), NOW) && !memory.knows(mark(0), NOW));
    memory.end(mark(0), NOW.millis(), NOW, NOW + 3_600);
    assert!(memory.has_ended(mark(0), NOW.millis(), NOW) && memory.has_ended(mark(1), NOW.millis(), NOW));
    assert_eq!(memory.untold(NOW).count(), 0);
    memory.forget(mark(0));
    assert!(!memory.knows(mark(0), NOW) && memory.has_ended(mark(1), NOW.millis(), NOW));
}

#[test]
fn evicted_marks_are_reported_once_a_minute() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    let mark = |n: u64| Mark::stored(7 << 24 | (n + 1)).unwrap();
    assert_eq!(memory.lost_to_report(NOW), None);
    for n in 0..WINDOW as u64 + 1 {
        memory.end(mark(n), NOW.millis(), NOW, NOW + 10_000);
    }
    assert_eq!(memory.lost_to_report(NOW), Some(1));
    memory.end(mark(100), NOW.millis(), NOW, NOW + 10_000);
    assert_eq!(memory.lost_to_report(NOW + 59), None);
    assert_eq!(memory.lost_to_report(NOW + 60), Some(2));
    assert_eq!(memory.lost_to_report(NOW + 600), None, "nothing new");
}

#[test]
fn uses_of_sessions_evict_no_end() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    let id = |n: u8| [7, 7, 7, 7, 7, 7, 7, n, 7, 7, 7, 7, 7, 7, 7, n];
    let ended = Mark::of_session(&id(1));
    memory.end(ended, NOW.millis(), NOW, NOW + 5_000);
    for n in 0..=255 {
        memory.touch(&id(n), NOW, NOW + 100_000);
    }
    assert!(memory.has_ended(ended, NOW.millis(), NOW));
    assert_eq!(memory.lost(), 0);
}

#[test]
fn a_clock_that_was_ahead_holds_no_lease_and_no_lock() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    let ahead = NOW + 1_000_000;
    let _held = memory.lease(user("alice"), ahead, ahead + 60).unwrap();
    assert!(memory.lease(user("alice"), NOW, NOW + 10).is_some());
    words[LOCKS_AT + user("alice").slot() % LOCKS].store(u64::MAX, Ordering::Release);
    assert!(memory.first_time(user("alice"), NOW, NOW + 600));
}

#[test]
fn a_lease_is_exclusive_and_returned_on_drop() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    let lease = memory.lease(user("alice"), NOW, NOW + 10).unwrap();
    for _ in 0..3 {
        assert!(memory.lease(user("alice"), NOW, NOW + 10).is_none());
    }
    drop(lease);
    let kept = memory.lease(user("alice"), NOW, NOW + 10).unwrap();
    // Its holder is gone; after its time somebody else gets it, and the old one does not give it back a second time.
    let next = memory.lease(user("alice"), NOW + 10, NOW + 20).unwrap();
    drop(kept);
    assert!(memory.lease(user("alice"), NOW + 11, NOW + 20).is_none());
    drop(next);
}

/// A process that is killed in the middle of a mark leaves a value without a hash. Marks that find their place behind it are
/// found there.
#[test]
fn a_process_that_is_killed_in_the_middle_of_a_mark_hides_no_other() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    let half = Fact::new(NOW.millis(), Told::Elsewhere, NOW + 3_600);
    for name in ["alice", "bob"] {
        let mark = user(name);
        memory.marks.first(mark)[1].store(half.word(), Ordering::Release);
        memory.end(mark, NOW.millis(), NOW, NOW + 3_600);
        assert!(memory.has_ended(mark, NOW.millis(), NOW), "{name}");
        memory.forget(mark);
        assert!(!memory.has_ended(mark, NOW.millis(), NOW), "{name}");
    }
}

#[test]
fn many_threads_mark_and_none_is_lost() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for n in 0..2_000 {
                    memory.end(user(&format!("{thread}-{n}")), NOW.millis(), NOW, NOW + 3_600);
                    memory.end(user(&format!("all-{n}")), NOW.millis(), NOW, NOW + 3_600);
                }
            });
        }
    });
    assert_eq!(memory.lost(), 0);
    for n in 0..2_000 {
        for name in [format!("3-{n}"), format!("all-{n}")] {
            assert!(memory.has_ended(user(&name), NOW.millis(), NOW), "{name}");
        }
    }
}

#[test]
fn notes_come_back_whole_until_their_time_is_over() {
    let words = words();
    let memory = Memory::over(&words).unwrap();
    for length in [0, 1, 7, 8, 9, 4_000, NOTE_BYTES] {
        let text: Vec<u8> = (0..length).map(|n| n as u8).collect();
        memory.keep_note(Note::Session, user("alice"), &text, NOW + 60);
        assert_eq!(memory.note(Note::Session, user("alice"), NOW).unwrap(), text);
    }
    memory.keep_note(Note::Session, user("alice"), &[1; NOTE_BYTES + 1], NOW + 60);
    assert_eq!(
        memory.note(Note::Session, user("alice"), NOW).unwrap().len(),
        NOTE_BYTES,
        "one that is too long is left out"
    );
    assert!(memory.note(Note::Session, user("alice"), NOW + 60).is_none());
    assert!(memory.note(Note::Session, user("bob"), NOW).is_none());
    // Logins of strangers take no room from sessions.
    memory.keep_note(Note::Session, user("alice"), b"session", NOW + 60);
    for n in 0..10_000 {
        memory.keep_note(Note::Login, user(&n.to_string()), b"login", NOW + 600);
    }
    assert_eq!(
        memory.note(Note::Session, user("alice"), NOW).unwrap(),
        b"session"
    );
    assert!(memory.note(Note::Login, user("alice"), NOW).is_none());
}

#[test]
fn words_of_another_layout_are_wiped_and_a_known_one_is_kept() {
    let words = words();
    words[5_000].store(99, Ordering::Relaxed);
    Memory::over(&words)
        .unwrap()
        .end(user("alice"), NOW.millis(), NOW, NOW + 100);
    assert_eq!(words[5_000].load(Ordering::Relaxed), 0);
    assert!(
        Memory::over(&words)
            .unwrap()
            .has_ended(user("alice"), NOW.millis(), NOW)
    );
    assert!(Memory::over(&words[..MARKS_AT + 2 * WINDOW - 1]).is_none());
}

#[test]
fn marks_are_the_same_numbers_for_ever() {
    // They stand in cookies, stores and a file that outlive a new version of the module.
    let site = SiteId("site");
    let words = [
        (About::User, 1),
        (About::Name, 2),
        (About::Sid, 3),
        (About::Token, 4),
        (About::State, 5),
        (About::Issuer, 6),
        (About::Replaced, 7),
        (About::RefusedRefresh, 8),
        (About::FailingRefresh, 9),
        (About::Condition, 10),
    ];
    for (about, number) in words {
        assert_eq!(about as u8, number);
    }
    assert_eq!(
        Mark::of(About::User, site, &["alice"]).word(),
        748_700_252_240_331_709
    );
    assert_eq!(Mark::of_site(site).word(), 11_816_525_273_341_203_426);
    assert_eq!(
        Mark::stored(Mark::of_site(site).word()),
        Some(Mark::of_site(site))
    );
}

/// A keeper in this process.
#[derive(Debug)]
struct Copies(std::sync::Mutex<Vec<u64>>);

impl Keeper for Copies {
    fn keep(&self, at: usize, words: &[u64]) {
        self.0.lock().unwrap()[at..at + words.len()].copy_from_slice(words);
    }
}

#[test]
fn marks_outlive_the_server_and_uses_do_not() {
    let kept_words = HEADER + 2 * SLOTS_PER_MARK * USUAL_MARKS;
    let copies = Copies(std::sync::Mutex::new(vec![0; kept_words]));
    let words_before = words();
    let before = Memory::over(&words_before).unwrap().kept_by(&copies, &[], NOW);
    before.cover(NOW);
    before.end(user("alice"), before.moment(NOW.millis()), NOW, NOW + 3_600);
    before.end(user("bob"), NOW.millis(), NOW, NOW + 3_600);
    before.forget(user("bob"));
    before.touch(&[1; 16], NOW, NOW + 3_600);
    assert!(before.first_time(Mark::of(About::Token, SiteId("site"), &["t"]), NOW, NOW + 600));
    let kept = copies.0.lock().unwrap().clone();
    let words_after = words();
    let after = Memory::over(&words_after).unwrap().kept_by(&copies, &kept, NOW);
    assert!(after.has_ended(user("alice"), NOW.millis(), NOW));
    assert!(!after.has_ended(user("bob"), NOW.millis(), NOW));
    assert!(!after.first_time(Mark::of(About::Token, SiteId("site"), &["t"]), NOW, NOW + 600));
    assert_eq!(after.touched(&[1; 16], NOW), None);
    assert_eq!(after.longest_lifetime(), NOW);
    assert!(after.moment(Millis(0)) > NOW.millis(), "moments go on from there");
    // A file that somebody has emptied or shortened, or of another version.
    for kept in [&kept[..0], &kept[..100], &vec![7; kept_words]] {
        let words = words();
        let memory = Memory::over(&words).unwrap().kept_by(&copies, kept, NOW);
        assert!(!memory.has_ended(user("alice"), NOW.millis(), NOW));
    }
}

/// A server that is started while its clock is ahead takes over what has run out by that clock: it may be set back.
#[test]
fn marks_outlive_a_start_with_a_clock_that_is_ahead() {
    let kept_words = HEADER + 2 * SLOTS_PER_MARK * USUAL_MARKS;
    let copies = Copies(std::sync::Mutex::new(vec![0; kept_words]));
    let words_before = words();
    let before = Memory::over(&words_before).unwrap().kept_by(&copies, &[], NOW);
    before.end(user("alice"), NOW.millis(), NOW, NOW + 3_600);
    for _ in 0..2 {
        let kept = copies.0.lock().unwrap().clone();
        let words_after = words();
        let ahead = NOW + 1_000_000;
        let after = Memory::over(&words_after).unwrap().kept_by(&copies, &kept, ahead);
        assert!(!after.has_ended(user("alice"), NOW.millis(), ahead));
        assert!(after.has_ended(user("alice"), NOW.millis(), NOW));
        assert_eq!(after.marks_in_use(ahead).0, 0);
    }
}
