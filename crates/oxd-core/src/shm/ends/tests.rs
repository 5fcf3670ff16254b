use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use super::*;
use crate::base::SiteId;
use crate::shm::{About, Keeper, memory_words};

const NOW: Seconds = Seconds(1_800_000_000);
const LATER: Seconds = Seconds(1_800_028_800);

fn words(marks: usize) -> Vec<AtomicU64> {
    (0..memory_words(marks)).map(|_| AtomicU64::new(0)).collect()
}

fn user(name: &str) -> Mark {
    Mark::of(About::User, SiteId("site"), &[name])
}

fn untold(memory: &Memory<'_>) -> Vec<Ended> {
    memory.untold(NOW).collect()
}

#[test]
fn an_end_of_this_machine_is_told_once() {
    let words = words(64);
    let memory = Memory::over(&words).unwrap();
    memory.end(user("of another machine"), NOW.millis(), NOW, LATER);
    memory.know(user("a hint"), NOW, LATER);
    let ended = memory.end_to_tell(user("alice"), NOW.millis(), NOW, LATER);
    assert_eq!(untold(&memory).len(), 1);
    let again = untold(&memory)[0];
    assert_eq!((again.mark, again.moment), (ended.mark, ended.moment));
    memory.told(&again);
    assert_eq!(untold(&memory), []);
    assert!(memory.has_ended(user("alice"), NOW.millis(), NOW));
    // The same end comes back by the stream.
    memory.end(ended.mark, ended.moment, NOW, ended.until);
    assert_eq!(untold(&memory), []);
}

#[test]
fn an_end_that_came_meanwhile_is_not_taken_for_told() {
    let words = words(64);
    let memory = Memory::over(&words).unwrap();
    let first = memory.end_to_tell(user("alice"), NOW.millis(), NOW, LATER);
    let second = memory.end_to_tell(user("alice"), NOW.millis() + 5, NOW, LATER);
    memory.told(&first);
    assert_eq!(untold(&memory)[0].moment, second.moment);
    memory.told(&second);
    assert_eq!(untold(&memory), []);
    memory.end_to_tell(user("alice"), NOW.millis() + 9, NOW, LATER);
    assert_eq!(untold(&memory).len(), 1, "the next end is told too");
}

#[test]
fn ends_are_told_again_from_a_moment_on() {
    let words = words(64);
    let memory = Memory::over(&words).unwrap();
    for (name, after) in [("early", 0), ("late", 60_000)] {
        let ended = memory.end_to_tell(user(name), NOW.millis() + after, NOW, LATER);
        memory.told(&ended);
    }
    memory.end(user("of another machine"), NOW.millis() + 60_000, NOW, LATER);
    memory.tell_again(NOW.millis() + 30_000, NOW);
    let again: Vec<_> = untold(&memory).into_iter().map(|ended| ended.mark).collect();
    assert_eq!(again, [user("late")]);
}

#[test]
fn a_repeated_telling_lasts_no_longer_than_the_first() {
    let (here, there) = (words(64), words(64));
    let (here, there) = (Memory::over(&here).unwrap(), Memory::over(&there).unwrap());
    here.end_to_tell(user("alice"), NOW.millis(), NOW, LATER);
    let first = untold(&here)[0];
    there.end_to_tell(first.mark, first.moment, NOW, first.until);
    assert_eq!(untold(&there)[0], first);
    assert!(first.until >= LATER, "as long as the sessions that it covers");
    assert!(first.until <= LATER + 4_096);
    assert!(there.has_ended(first.mark, NOW.millis(), LATER));
}

#[derive(Debug)]
struct Copies(Mutex<Vec<u64>>);

impl Keeper for Copies {
    fn keep(&self, at: usize, words: &[u64]) {
        self.0.lock().unwrap()[at..at + words.len()].copy_from_slice(words);
    }
}

#[test]
fn marks_move_into_memory_of_another_size() {
    for (before, after) in [(1_000, 2_000), (2_000, 1_000), (1_000, 1_000)] {
        let (old, new) = (words(before), words(after));
        let old = Memory::over(&old).unwrap();
        let copies = Copies(Mutex::new(vec![0; old.kept_words()]));
        let old = old.kept_by(&copies, &[], NOW);
        for n in 0..500 {
            old.end(user(&n.to_string()), NOW.millis(), NOW, LATER);
        }
        old.end_to_tell(user("untold"), NOW.millis(), NOW, LATER);
        old.set_position(7);
        old.set_caught_up(Millis(9));
        assert!(old.take_reader(5, 0, NOW, |_| true));
        let kept = copies.0.lock().unwrap().clone();
        let new = Memory::over(&new).unwrap();
        let copies = Copies(Mutex::new(vec![0; new.kept_words()]));
        let new = new.kept_by(&copies, &kept, NOW);
        for n in 0..500 {
            assert!(
                new.has_ended(user(&n.to_string()), NOW.millis(), NOW),
                "{before} {after} {n}"
            );
        }
        assert_eq!(
            untold(&new).len(),
            1,
            "an end that was never told outlives a restart"
        );
        assert_eq!(new.lost(), 0);
        // A server that starts reads the stream from its beginning.
        assert_eq!((new.position(), new.caught_up()), (0, None));
        assert!(new.take_reader(6, 0, NOW, |_| true));
        // What it has kept is whole, too.
        let kept = copies.0.lock().unwrap().clone();
        let words = words(after);
        let copies = Copies(Mutex::new(vec![0; new.kept_words()]));
        let again = Memory::over(&words).unwrap().kept_by(&copies, &kept, NOW);
        assert!(again.has_ended(user("499"), NOW.millis(), NOW));
    }
}

#[test]
fn as_many_marks_fit_as_the_directive_says() {
    let marks = 1 << 14;
    let words = words(marks);
    let memory = Memory::over(&words).unwrap();
    for n in 0..marks {
        memory.end(user(&n.to_string()), NOW.millis(), NOW, LATER);
    }
    let (used, room) = memory.marks_in_use(NOW);
    assert_eq!(room, marks);
    assert_eq!((used, memory.lost()), (marks, 0));
}

#[test]
fn one_process_reads_the_stream() {
    let words = words(64);
    let memory = Memory::over(&words).unwrap();
    let generation = memory.next_generation();
    fn alive(_: u32) -> bool {
        true
    }
    fn dead(_: u32) -> bool {
        false
    }
    assert!(memory.take_reader(1, generation, NOW, alive));
    assert!(!memory.take_reader(2, generation, NOW, alive));
    assert!(memory.take_reader(1, generation, NOW + 2, alive), "it goes on");
    assert!(!memory.take_reader(2, generation, NOW + 4, alive));
    assert!(memory.take_reader(2, generation, NOW + 5, alive), "it was silent");
    assert!(memory.take_reader(3, generation, NOW + 5, dead), "it has ended");
    assert!(
        memory.take_reader(4, generation, NOW - 60, alive),
        "its clock was ahead"
    );
    memory.leave_reader(3);
    assert!(!memory.take_reader(5, generation, NOW - 60, alive));
    memory.leave_reader(4);
    assert!(memory.take_reader(5, generation, NOW - 60, alive));
    let next = memory.next_generation();
    assert!(
        !memory.take_reader(5, generation, NOW - 60, alive),
        "the old configuration's"
    );
    assert!(memory.take_reader(6, next, NOW, alive));
}
