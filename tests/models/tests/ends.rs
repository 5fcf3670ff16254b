//! Ends of sessions: what a process has ended is ended for all, whatever others write at the same time, and nothing
//! else is.
//!
//! A process that is killed in the middle of a write is the same as one that goes on after the others have looked: each
//! look of a process is also one at what a killed one has left behind.

mod common;

use common::{MUCH_LATER, NOW, Shared, after, at, check, end, mark};
use oxd_models::base::Seconds;
use oxd_models::shm::Memory;

/// Two users whose marks have the same place sign out at once.
#[test]
fn what_was_ended_is_not_seen_alive_again() {
    check("two ends in one window", 2, || {
        let shared = Shared::new();
        let other = shared.process(|memory| end(memory, mark(1), after(0), NOW));
        end(shared.memory(), mark(2), after(0), NOW);
        assert!(shared.memory().has_ended(mark(2), after(0), NOW));
        other.join().unwrap();
        for number in [1, 2] {
            assert!(shared.memory().has_ended(mark(number), after(0), NOW));
            assert!(!shared.memory().has_ended(mark(number), after(1), NOW));
        }
    });
}

/// The same, seen by a third process that the second has told so.
#[test]
fn who_is_told_of_an_end_sees_it() {
    check("an end, told to another process", 2, || {
        let shared = Shared::new();
        let told = std::sync::Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let tells = told.clone();
        let other = shared.process(|memory| end(memory, mark(1), NOW.millis(), NOW));
        let ends = shared.process(move |memory| {
            end(memory, mark(2), NOW.millis(), NOW);
            tells.store(true, loom::sync::atomic::Ordering::Release);
        });
        if told.load(loom::sync::atomic::Ordering::Acquire) {
            assert!(shared.memory().has_ended(mark(2), NOW.millis(), NOW));
        }
        other.join().unwrap();
        ends.join().unwrap();
    });
}

/// A user was signed out some days ago, and is again, while somebody else's end takes the place of the old one.
#[test]
fn an_end_is_renewed_while_its_place_is_taken() {
    check("an old end is renewed and its place taken", 2, || {
        let shared = Shared::new();
        end(shared.memory(), mark(1), NOW.millis(), NOW);
        let acts = |number| {
            move |memory: Memory<'_>| {
                end(memory, mark(number), MUCH_LATER.millis(), MUCH_LATER);
                assert!(memory.has_ended(mark(number), MUCH_LATER.millis(), MUCH_LATER));
            }
        };
        let other = shared.process(acts(2));
        acts(1)(shared.memory());
        other.join().unwrap();
        for number in [1, 2] {
            assert!(
                shared
                    .memory()
                    .has_ended(mark(number), MUCH_LATER.millis(), MUCH_LATER)
            );
        }
    });
}

/// A user was signed out some days ago, and has signed in since.
#[test]
fn the_end_of_somebody_else_ends_nothing_else() {
    check("a new session beside the end of another", 2, || {
        let shared = Shared::new();
        end(shared.memory(), mark(1), NOW.millis(), NOW);
        let began = MUCH_LATER.millis();
        let a_minute_later = MUCH_LATER.saturating_add(Seconds(60));
        let other =
            shared.process(move |memory| end(memory, mark(2), a_minute_later.millis(), a_minute_later));
        assert!(!shared.memory().has_ended(mark(1), began, a_minute_later));
        other.join().unwrap();
        assert!(!shared.memory().has_ended(mark(1), began, a_minute_later));
    });
}

/// Two processes end the same sessions.
#[test]
fn the_later_of_two_ends_counts() {
    check("two ends of one user", 2, || {
        let shared = Shared::new();
        let acts = |by| {
            move |memory: Memory<'_>| {
                end(memory, mark(1), after(by), NOW);
                assert!(memory.has_ended(mark(1), after(by), NOW));
            }
        };
        let other = shared.process(acts(5));
        acts(9)(shared.memory());
        other.join().unwrap();
        assert!(shared.memory().has_ended(mark(1), after(9), NOW));
        assert!(!shared.memory().has_ended(mark(1), after(10), NOW));
    });
}

/// A one-time value is given back while the end of somebody takes the place of it.
#[test]
fn what_is_forgotten_takes_nothing_else_along() {
    check("a mark is forgotten and its place taken", 2, || {
        let shared = Shared::new();
        shared.memory().know(mark(1), NOW, at(60));
        let other = shared.process(|memory| {
            end(memory, mark(2), MUCH_LATER.millis(), MUCH_LATER);
            assert!(memory.has_ended(mark(2), MUCH_LATER.millis(), MUCH_LATER));
        });
        shared.memory().forget(mark(1));
        assert!(!shared.memory().knows(mark(1), NOW));
        other.join().unwrap();
        assert!(
            shared
                .memory()
                .has_ended(mark(2), MUCH_LATER.millis(), MUCH_LATER)
        );
    });
}

/// With no room left, what is given up is counted: the status page and the log say so.
#[test]
fn nothing_is_lost_in_a_full_memory_that_is_not_counted() {
    check("two ends in a full memory", 2, || {
        let shared = Shared::new();
        for number in 1..=3 {
            end(shared.memory(), mark(number), after(number), NOW);
        }
        let other = shared.process(|memory| end(memory, mark(4), after(4), NOW));
        end(shared.memory(), mark(5), after(5), NOW);
        other.join().unwrap();
        let memory = shared.memory();
        let kept = (1..=5).filter(|number| memory.has_ended(mark(*number), after(*number), NOW));
        assert_eq!(kept.count() as u64 + memory.lost(), 5);
        for number in 1..=5 {
            assert!(
                !memory.has_ended(mark(number), after(number + 1), NOW),
                "no later session has ended"
            );
        }
    });
}

/// In a full memory the end of a user takes the place of one that covers later sessions.
#[test]
fn what_had_the_place_before_ends_nothing() {
    check("an end is looked for while it comes", 2, || {
        let shared = Shared::new();
        for number in 1..=3 {
            end(shared.memory(), mark(number), after(60_000), NOW);
        }
        let other = shared.process(|memory| end(memory, mark(4), after(4), NOW));
        assert!(!shared.memory().has_ended(mark(4), after(5), NOW));
        other.join().unwrap();
        assert!(shared.memory().has_ended(mark(4), after(4), NOW));
    });
}

/// A session begins while all sessions are ended: it is ended if it began before, and not if after.
#[test]
fn each_session_began_before_an_end_or_after_it() {
    check("a session begins while sessions are ended", 2, || {
        let shared = Shared::new();
        let ends = shared.process(|memory| {
            let moment = memory.moment(NOW.millis());
            end(memory, mark(1), moment, NOW);
            moment
        });
        let began = shared.memory().moment(NOW.millis());
        let moment = ends.join().unwrap();
        assert_ne!(began, moment);
        assert_eq!(shared.memory().has_ended(mark(1), began, NOW), began < moment);
        // A session of another machine, whose clock is ahead.
        shared.memory().observe(after(50));
        assert!(shared.memory().moment(NOW.millis()) > after(50));
    });
}
