//! A cluster whose slots move from one master to another while people have sessions in them.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use oxd_tests::{Browser, RedisNode, TestSite, wait_until};

use super::redis_bed::*;

/// How many tabs of each browser read at the same time.
const TABS: usize = 4;

/// A master with keys, another master, and both their names in the cluster.
struct Move<'n> {
    from: &'n RedisNode,
    to: &'n RedisNode,
    from_id: String,
    to_id: String,
}

impl<'n> Move<'n> {
    fn between_masters(nodes: &'n [RedisNode]) -> Move<'n> {
        let mut masters: Vec<_> = nodes.iter().filter(|node| node.is_master()).collect();
        masters.sort_by_key(|node| std::cmp::Reverse(node.keys()));
        let [from, to] = [masters[0], masters[1]];
        let [from_id, to_id] = [from, to].map(|node| node.ask(&["cluster", "myid"]));
        Move {
            from,
            to,
            from_id,
            to_id,
        }
    }

    /// The slots that have keys.
    fn slots(&self) -> BTreeSet<String> {
        let keys = self.from.ask(&["keys", "*"]);
        keys.lines()
            .map(|key| self.from.ask(&["cluster", "keyslot", key]))
            .collect()
    }

    fn says_ok(node: &RedisNode, words: &[&str]) {
        let answer = node.ask(words);
        assert!(answer == "OK" || answer == "NOKEY", "{words:?}: {answer}");
    }
}

/// Asks with everybody's browser, again and again, while something happens; each gets their page each time.
fn while_people_read(site: &TestSite, people: &[(String, Browser)], act: impl FnOnce(&dyn Fn())) {
    let (over, count) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        // Several tabs of each.
        for (name, browser) in (0..TABS).flat_map(|_| people) {
            let (over, count) = (&over, &count);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    assert_eq!(seen(site, browser), Seen::User(name.clone()));
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        within_scope(&over, || {
            // What is looked at in between: that everybody has read since.
            act(&|| {
                let enough = count.load(Ordering::Relaxed) + 3 * TABS * people.len();
                wait_until("some pages to be read", || {
                    count.load(Ordering::Relaxed) >= enough
                });
            });
        });
    });
    println!("{} pages were read meanwhile", count.into_inner());
}

/// Each step of a slot's move, as an administrator does it by hand: announced, its keys half way, all of them, done.
#[test]
fn a_slot_that_moves_takes_its_sessions_along_step_by_step() {
    let nodes = RedisNode::cluster();
    let site = in_cluster(&nodes);
    let people = people(&site);
    let step = Move::between_masters(&nodes);
    let slots = step.slots();
    assert!(!slots.is_empty());
    while_people_read(&site, &people, |read| {
        for slot in &slots {
            let set = |node, words: &[&str]| {
                let words = [&["cluster", "setslot", slot.as_str()], words].concat();
                Move::says_ok(node, &words);
            };
            set(step.to, &["importing", &step.from_id]);
            set(step.from, &["migrating", &step.to_id]);
            read();
            let port = step.to.number().to_string();
            for key in step.from.ask(&["cluster", "getkeysinslot", slot, "100"]).lines() {
                let migrate = ["migrate", "127.0.0.1", &port, key, "0", "5000"];
                Move::says_ok(step.from, &migrate);
                read();
            }
            for node in [step.to, step.from] {
                set(node, &["node", &step.to_id]);
            }
            read();
        }
    });
    // In other slots there may be new entries meanwhile.
    for slot in &slots {
        assert_eq!(step.from.ask(&["cluster", "countkeysinslot", slot]), "0");
    }
    // Writes find their way, too.
    for _ in 0..6 {
        assert!(try_to_sign_in(&site, "anna").is_some());
    }
    for (_, browser) in &people {
        browser.get(site.url("/oxd/logoutme")).expect(303);
        assert_eq!(seen(&site, browser), Seen::Nobody);
    }
}

/// All slots of a master are moved to another by `redis-cli --cluster reshard` while people read and sign in.
#[test]
fn a_master_that_hands_over_all_its_slots() {
    let nodes = RedisNode::cluster();
    let site = in_cluster(&nodes);
    let people = people(&site);
    let step = Move::between_masters(&nodes);
    while_people_read(&site, &people, |read| {
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "reshard", &step.from.address()]);
        command.args(["--cluster-from", &step.from_id, "--cluster-to", &step.to_id]);
        command.args(["--cluster-slots", "5462", "--cluster-yes"]);
        let output = command.output().expect("redis-cli");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        read();
        for _ in 0..6 {
            assert!(try_to_sign_in(&site, "anna").is_some());
        }
    });
}
