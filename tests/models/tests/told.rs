//! What else processes leave to each other: ends that are still to be told, the file that outlives the server,
//! counters.

mod common;

use std::sync::Arc;

use common::{LASTS, MUCH_LATER, NOW, Shared, after, at, check, end, mark, unused};
use loom::sync::Mutex;
use oxd_models::base::{Millis, Reason, Seconds};
use oxd_models::shm::stats::{Login, Stats, WORDS};
use oxd_models::shm::{AtomicU64, Keeper, Mark, Memory};

fn untold(memory: Memory<'_>, of: Mark) -> Option<Millis> {
    memory
        .untold(NOW)
        .find(|ended| ended.mark == of)
        .map(|ended| ended.moment)
}

/// A user signs out twice; the first end is told while the second one comes.
#[test]
fn an_end_that_comes_while_one_is_told_is_told_too() {
    check("an end while an earlier one is told", 2, || {
        let shared = Shared::new();
        let memory = shared.memory();
        let until = NOW.saturating_add(LASTS);
        let first = memory.end_to_tell(mark(1), after(0), NOW, until);
        let other = shared.process(move |memory| {
            let second = memory.end_to_tell(mark(1), after(5), NOW, until);
            assert_eq!(untold(memory, mark(1)), Some(second.moment));
        });
        memory.told(&first);
        other.join().unwrap();
        assert_eq!(untold(memory, mark(1)), Some(after(5)));
    });
}

/// The process that reads looks for ends to tell when it is told to, and no end is left lying.
#[test]
fn an_end_that_was_taken_down_is_found() {
    check("an end is taken down and looked for", 2, || {
        let shared = Shared::new();
        let memory = shared.memory();
        let until = NOW.saturating_add(LASTS);
        let other = shared.process(move |memory| {
            memory.end_to_tell(mark(1), after(0), NOW, until);
            memory.note_untold();
        });
        let found = memory.take_untold();
        if found {
            assert_eq!(untold(memory, mark(1)), Some(after(0)));
        }
        other.join().unwrap();
        assert!(found || memory.take_untold());
    });
}

/// Ends are told again while the place of an old one is taken by that of another machine: it is not for this one to
/// tell.
#[test]
fn what_is_told_again_is_what_was_told() {
    check("told again while a place is taken", 2, || {
        let shared = Shared::new();
        let memory = shared.memory();
        let soon = NOW.saturating_add(LASTS);
        let ended = memory.end_to_tell(mark(1), after(0), NOW, soon);
        memory.told(&ended);
        let late = MUCH_LATER.millis();
        let other = shared.process(move |memory| {
            end(memory, mark(2), late, MUCH_LATER);
            assert!(memory.has_ended(mark(2), late, MUCH_LATER));
        });
        // Its clock is behind: the old end has not run out for it.
        memory.tell_again(after(0), NOW);
        memory.told(&ended);
        other.join().unwrap();
        assert_eq!(untold(memory, mark(2)), None);
        assert!(memory.has_ended(mark(2), late, MUCH_LATER));
    });
}

/// The file, as a writer after another one leaves it.
#[derive(Debug)]
struct Copy(Mutex<Vec<u64>>);

impl Keeper for Copy {
    fn keep(&self, at: usize, words: &[u64]) {
        self.0.lock().unwrap()[at..at + words.len()].copy_from_slice(words);
    }
}

/// Two processes end sessions of one user, and both write the file; then the server starts again.
#[test]
fn the_last_end_outlives_the_server() {
    check("two ends in the file", 1, || {
        let shared = Shared::new();
        let copy = Arc::new(Copy(Mutex::new(vec![0; shared.memory().kept_words()])));
        let acts = |by: u64, copy: Arc<Copy>| {
            move |memory: Memory<'_>| {
                let memory = memory.kept_by(&*copy, &[], NOW);
                end(memory, mark(1), after(by), NOW);
            }
        };
        let other = shared.process(acts(9, copy.clone()));
        acts(5, copy.clone())(shared.memory());
        other.join().unwrap();
        let kept = copy.0.lock().unwrap().clone();
        let next = Shared::new();
        let memory = next.memory().kept_by(&*copy, &kept, at(5));
        assert!(memory.has_ended(mark(1), after(9), at(5)));
        assert!(!memory.has_ended(mark(1), after(10), at(5)));
    });
}

/// Logins of one minute, whose words are those of an earlier one.
#[test]
fn no_login_is_left_uncounted() {
    check("logins are counted", 2, || {
        let words = unused(WORDS);
        let count = |words: &[AtomicU64], minute: u64| {
            let stats = Stats::over(words).unwrap();
            stats.login(Login::Completed, Seconds(60 * minute));
            stats.login_failed(Reason::OxdTimeout, Seconds(60 * minute));
        };
        count(&words, 0);
        let shared = words.clone();
        let other = loom::thread::spawn(move || count(&shared, 1));
        count(&words, 1);
        other.join().unwrap();
        let stats = Stats::over(&words).unwrap();
        assert_eq!(stats.logins(Login::Completed), 3);
        assert_eq!(stats.failures(Reason::OxdTimeout), 3);
        let hour = stats.hour(Seconds(60));
        assert_eq!(hour.last().unwrap().logins(Login::Completed), 2);
    });
}

/// Calls of two threads of one process, and of a process that has the same slot.
#[test]
fn every_call_that_ends_was_begun() {
    check("calls begin and end", 2, || {
        let words = unused(WORDS);
        Stats::over(&words).unwrap().process_begins(7);
        let call = |words: &[AtomicU64]| {
            let stats = Stats::over(words).unwrap();
            stats.call_begins(7);
            assert!((1..=2).contains(&stats.all_under_way(|process| process == 7)));
            stats.call_ends(7);
        };
        let shared = words.clone();
        let other = loom::thread::spawn(move || call(&shared));
        call(&words);
        other.join().unwrap();
        let stats = Stats::over(&words).unwrap();
        assert_eq!(stats.all_under_way(|process| process == 7), 0);
    });
}
