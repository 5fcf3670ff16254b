//! What only one of many may do: accept a one-time value, refresh a session, read the stream, check the sites.

mod common;

use std::sync::Arc;

use common::{MUCH_LATER, NOW, Shared, at, check, end, mark, unused};
use loom::cell::Cell;
use oxd_models::base::Seconds;
use oxd_models::shm::health::{Health, WORDS};
use oxd_models::shm::{CLOCK, Memory, Ordering};

fn is_first(memory: Memory<'_>) -> bool {
    memory.first_time(mark(1), NOW, at(600))
}

#[test]
fn a_one_time_value_is_accepted_once() {
    check("two present a one-time value", 2, || {
        let shared = Shared::new();
        let other = shared.process(is_first);
        let ours = is_first(shared.memory());
        assert_eq!(usize::from(ours) + usize::from(other.join().unwrap()), 1);
        assert!(!is_first(shared.memory()));
    });
}

#[test]
fn a_one_time_value_is_accepted_once_by_three() {
    check("three present a one-time value", 1, || {
        let shared = Shared::new();
        let others = [shared.process(is_first), shared.process(is_first)];
        let mut firsts = usize::from(is_first(shared.memory()));
        for other in others {
            firsts += usize::from(other.join().unwrap());
        }
        assert_eq!(firsts, 1);
    });
}

/// Other marks come into the same slots meanwhile; one of them had the place of the value's last use, days ago.
#[test]
fn a_one_time_value_is_accepted_beside_other_marks() {
    check("a one-time value beside an end", 2, || {
        let shared = Shared::new();
        let then = NOW.saturating_sub(MUCH_LATER.saturating_sub(NOW));
        assert!(
            shared
                .memory()
                .first_time(mark(1), then, then.saturating_add(Seconds(600)))
        );
        let other = shared.process(|memory| end(memory, mark(2), NOW.millis(), NOW));
        assert!(is_first(shared.memory()));
        assert!(!is_first(shared.memory()));
        other.join().unwrap();
        assert!(!is_first(shared.memory()));
        assert!(shared.memory().has_ended(mark(2), NOW.millis(), NOW));
    });
}

/// One has read its clock just before a second was over, the other one just after.
#[test]
fn a_one_time_value_is_accepted_once_though_a_second_ends() {
    check("a second ends meanwhile", 2, || {
        let shared = Shared::new();
        let other = shared.process(is_first);
        CLOCK.store(NOW.0 + 1, Ordering::Relaxed);
        let ours = is_first(shared.memory());
        assert_eq!(usize::from(ours) + usize::from(other.join().unwrap()), 1);
    });
}

/// The lock's holder is killed, or gets no processor for longer than the lock lasts, wherever it is.
#[test]
fn a_one_time_value_is_accepted_once_though_its_lock_was_lost() {
    check("a holder of the lock stands still", 2, || {
        let shared = Shared::new();
        let stalls = shared.process(is_first);
        CLOCK.store(NOW.0 + 3, Ordering::Relaxed);
        let ours = is_first(shared.memory());
        assert!(
            ours || shared.memory().knows(mark(1), NOW),
            "the lock of a dead process is taken from it"
        );
        assert!(!(stalls.join().unwrap() && ours));
    });
}

/// Loom fails the model when two use it at once, or one after the other without having seen what it did.
struct Guarded(Cell<u32>);

#[test]
fn nobody_holds_a_lease_that_another_has() {
    check("three take a lease", 2, || {
        let shared = Shared::new();
        #[allow(clippy::arc_with_non_send_sync)] // loom's threads take turns in one of the system's.
        let guarded = Arc::new(Guarded(Cell::new(0)));
        let acts = |guarded: Arc<Guarded>| {
            move |memory: Memory<'_>| {
                let lease = memory.lease(mark(1), NOW, at(10));
                if lease.is_some() {
                    guarded.0.set(guarded.0.get() + 1);
                }
            }
        };
        let others = [
            shared.process(acts(guarded.clone())),
            shared.process(acts(guarded.clone())),
        ];
        acts(guarded.clone())(shared.memory());
        for other in others {
            other.join().unwrap();
        }
        assert!(guarded.0.get() > 0, "somebody has got it");
        assert!(
            shared.memory().lease(mark(1), NOW, at(10)).is_some(),
            "it was given back"
        );
    });
}

#[test]
fn the_lease_of_a_dead_process_goes_to_one_other() {
    check("two take the lease of a dead process", 2, || {
        let shared = Shared::new();
        std::mem::forget(shared.memory().lease(mark(1), NOW, at(10)));
        let take = |memory: Memory<'_>| {
            assert!(memory.lease(mark(1), at(9), at(19)).is_none());
            let lease = memory.lease(mark(1), at(10), at(20));
            let is_ours = lease.is_some();
            std::mem::forget(lease);
            is_ours
        };
        let other = shared.process(take);
        let ours = take(shared.memory());
        assert_eq!(usize::from(ours) + usize::from(other.join().unwrap()), 1);
    });
}

/// One who comes back after its time does not give away what another holds.
#[test]
fn a_late_holder_does_not_give_back_what_is_not_its_own() {
    check("a lease is given back late", 2, || {
        let shared = Shared::new();
        let late = shared.process(|memory| drop(memory.lease(mark(1), NOW, at(10))));
        let next = shared.memory().lease(mark(1), at(10), at(20));
        late.join().unwrap();
        if next.is_some() {
            assert!(shared.memory().lease(mark(1), at(11), at(21)).is_none());
        }
    });
}

#[test]
fn one_process_reads_the_stream() {
    check("two take the reading of the stream", 2, || {
        let shared = Shared::new();
        let generation = shared.memory().next_generation();
        let take = move |process| {
            move |memory: Memory<'_>| {
                let takes = memory.take_reader(process, generation, NOW, |_| true);
                takes && memory.take_reader(process, generation, at(1), |_| true)
            }
        };
        let other = shared.process(take(7));
        let ours = take(8)(shared.memory());
        let theirs = other.join().unwrap();
        assert_eq!(usize::from(ours) + usize::from(theirs), 1);
        shared.memory().leave_reader(if ours { 7 } else { 8 });
        assert!(
            !shared.memory().take_reader(9, generation, at(1), |_| true),
            "only its holder gives it up"
        );
        assert!(
            shared.memory().take_reader(9, generation, at(1), |_| false),
            "it is taken from a dead process"
        );
    });
}

#[test]
fn one_process_checks_the_sites() {
    check("three ask for the turn to check", 2, || {
        let words = unused(WORDS);
        let others: Vec<_> = (0..2)
            .map(|_| {
                let words = words.clone();
                loom::thread::spawn(move || Health::over(&words).unwrap().take_turn(NOW).is_some())
            })
            .collect();
        let mut turns = usize::from(Health::over(&words).unwrap().take_turn(NOW).is_some());
        for other in others {
            turns += usize::from(other.join().unwrap());
        }
        assert_eq!(turns, 1);
        assert_eq!(Health::over(&words).unwrap().take_turn(at(59)), None);
        assert!(Health::over(&words).unwrap().take_turn(at(60)).is_some());
    });
}

/// A check that has outlived its turn ends while another process has the next one, or takes it.
#[test]
fn a_late_check_does_not_end_the_turn_of_another() {
    check("a check ends late", 2, || {
        let words = unused(WORDS);
        let late = Health::over(&words).unwrap().take_turn(NOW).unwrap();
        let others = words.clone();
        let other = loom::thread::spawn(move || Health::over(&others).unwrap().take_turn(at(60)));
        Health::over(&words).unwrap().end_turn(late, at(60));
        let next = other.join().unwrap();
        let again = Health::over(&words).unwrap().take_turn(at(64));
        assert!(next.is_none() || again.is_none(), "two check at once");
    });
}
