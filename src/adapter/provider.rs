//! A store on one of httpd's socache providers, asked in the thread that calls: entries in pieces for the providers that take
//! short ones only, and telling a missing entry from an unreachable store.

use std::sync::atomic::AtomicU64;

use oxd_core::base::{Doubt, Key, Miss, Seconds, sha256_of, wall};
use oxd_core::shm::stats::Action;

use crate::ffi::socache::{Calls, LONGEST, Refusal, Room, Socache};

/// Payload of one DBM entry, in bytes: an SDBM pair holds at most 1 KiB, and the provider adds to it.
const DBM_PIECE: usize = 850;
/// The most DBM entries that one session entry is split into.
const DBM_PIECES: usize = 16;

/// A store that a directive names.
#[derive(Debug)]
pub struct ProviderStore {
    /// The argument of the directive.
    pub text: String,
    /// Whether it calls a server on the network.
    pub is_on_network: bool,
    /// Whether it takes short entries only.
    pub splits_entries: bool,
    /// The socache instance, present while a configuration names the store.
    pub socache: Socache,
    /// Whether this child may believe that there is no such entry.
    pub doubt: Doubt,
    /// Until when this child makes no calls to the store, in milliseconds since the child's start; 0: calls are
    /// allowed.
    pub retry_at: AtomicU64,
}

/// What a store is asked for.
pub enum Operation {
    /// An entry.
    Get,
    /// To take this entry, until then.
    Put(Vec<u8>, Seconds),
    /// To remove an entry.
    Remove,
}

impl Operation {
    /// What it counts as.
    pub fn action(&self) -> Action {
        match self {
            Self::Get => Action::Get,
            Self::Put(..) => Action::Put,
            Self::Remove => Action::Remove,
        }
    }
}

impl ProviderStore {
    /// Asks it. An entry is in `room` then.
    pub fn perform(&self, key: &Key, operation: &Operation, room: &mut Room) -> Result<(), Refusal> {
        match operation {
            Operation::Get => get(self, key, room),
            Operation::Put(value, until) => put(self, key, value, *until),
            Operation::Remove => remove(self, key),
        }
    }

    /// Calls a store on the network, and confirms a miss.
    ///
    /// After a failure, the providers mark the server dead for some seconds and report «not found» meanwhile. So after a
    /// failure, «not found» is only trusted once a probe entry could be written; until then it means that the store is
    /// unavailable.
    pub fn perform_surely(&self, key: &Key, operation: &Operation, room: &mut Room) -> Result<(), Refusal> {
        let doubt = &self.doubt;
        let _under_way = doubt.begin();
        let mut ask = || {
            let asked = doubt.ask();
            let answer = self.perform(key, operation, room);
            self.note_failure(&answer);
            (asked, answer)
        };
        // A server that is given up takes no entry.
        let takes_entries = || {
            let asked = doubt.ask();
            let probe = sha256_of(&[b"mod_oxd probe"]);
            let put = put(self, &probe, b"alive", wall().saturating_add(Seconds(60)));
            self.note_failure(&put);
            if put.is_ok() {
                doubt.answered(asked);
            }
            put.is_ok()
        };
        let no_server = || Err(Refusal::Failed("no server is left".into()));
        let miss = |answer: &Result<(), Refusal>| matches!(answer, Err(Refusal::NotFound)).then_some(());
        let (mut asked, mut answer) = ask();
        if is_failure(&answer) {
            // A connection that stayed open across a restart of the server fails once.
            (asked, answer) = ask();
        }
        let mut certainty = miss(&answer).map(|()| doubt.of_miss());
        if certainty == Some(Miss::Doubtful) {
            if !takes_entries() {
                return no_server();
            }
            (asked, answer) = ask();
            certainty = miss(&answer).map(|()| doubt.of_miss());
        }
        match certainty {
            // It has died again meanwhile.
            Some(Miss::Doubtful) => return no_server(),
            // It is given up for longer than this takes.
            Some(Miss::Unsure) if !takes_entries() => return no_server(),
            _ => {}
        }
        if answer.is_ok() {
            doubt.answered(asked);
        }
        answer
    }

    fn note_failure<A>(&self, answer: &Result<A, Refusal>) {
        if is_failure(answer) {
            self.doubt.failed();
        }
    }
}

/// Whether a call has failed, after which the provider gives the server up for some seconds.
fn is_failure<A>(answer: &Result<A, Refusal>) -> bool {
    matches!(answer, Err(Refusal::Failed(_) | Refusal::General(_)))
}

fn piece(key: &Key, number: usize) -> Key {
    match u8::try_from(number) {
        Ok(0) | Err(_) => *key,
        Ok(number) => sha256_of(&[b"mod_oxd piece", &[number], key]),
    }
}

/// Reads one entry as the provider stores it.
fn retrieve(store: &ProviderStore, calls: &Calls<'_>, key: &Key, room: &mut Room) -> Result<(), Refusal> {
    calls.retrieve(key, room).map_err(|refusal| match refusal {
        // With Berkeley DB, mod_socache_dbm reports a missing entry as APR_EGENERAL.
        Refusal::General(_) if store.splits_entries => Refusal::NotFound,
        other => other,
    })
}

/// The expiry time as providers take it, in microseconds. They convert it to whole seconds from now, rounded down; an
/// entry with less than a second left would be refused or never expire.
fn expiry(until: Seconds) -> i64 {
    let until = until.max(wall()).saturating_add(Seconds(2));
    i64::try_from(until.0.saturating_mul(1_000_000)).unwrap_or(i64::MAX)
}

fn get(store: &ProviderStore, key: &Key, room: &mut Room) -> Result<(), Refusal> {
    let calls = store.socache.calls()?;
    retrieve(store, &calls, key, room)?;
    if store.splits_entries {
        // The first byte of the first piece is the number of pieces.
        let (count, first) = room.bytes().split_first().unwrap_or((&1, &[]));
        let (count, mut value) = (usize::from(*count), first.to_vec());
        for number in 1..count.min(DBM_PIECES) {
            retrieve(store, &calls, &piece(key, number), room)?;
            value.extend_from_slice(room.bytes());
        }
        let none = |error| Refusal::Failed(format!("no memory for an entry: {error}"));
        room.put(&value).map_err(none)?;
    }
    Ok(())
}

fn put(store: &ProviderStore, key: &Key, value: &[u8], until: Seconds) -> Result<(), Refusal> {
    if value.len() > LONGEST {
        return Err(Refusal::TooLarge);
    }
    let (calls, until) = (store.socache.calls()?, expiry(until));
    if !store.splits_entries {
        return calls.store(key, value, until);
    }
    let count = value.len().div_ceil(DBM_PIECE).max(1);
    let first = u8::try_from(count)
        .ok()
        .filter(|_| count <= DBM_PIECES)
        .ok_or(Refusal::TooLarge)?;
    for (number, part) in value.chunks(DBM_PIECE).enumerate().skip(1) {
        calls.store(&piece(key, number), part, until)?;
    }
    let mut head = vec![first];
    head.extend_from_slice(&value[..value.len().min(DBM_PIECE)]);
    calls.store(key, &head, until)
}

fn remove(store: &ProviderStore, key: &Key) -> Result<(), Refusal> {
    let calls = store.socache.calls()?;
    let mut head = Room::default();
    if store.splits_entries && retrieve(store, &calls, key, &mut head).is_ok() {
        for number in 1..usize::from(head.bytes().first().copied().unwrap_or(1)).min(DBM_PIECES) {
            // A piece that stays behind expires by itself.
            let _ = calls.remove(&piece(key, number));
        }
    }
    calls.remove(key)
}
