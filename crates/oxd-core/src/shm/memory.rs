//! What all processes of one server remember together, in shared memory: sessions that have ended, when a session was
//! last used, what must happen only once, who is refreshing a session, and what came of that.
//!
//! The memory is a run of 64-bit words that are only touched by atomic operations, so that no reader ever waits and no
//! process that dies leaves a lock behind. Marks are hashes: nothing in here can be read, and notes are sealed.
//!
//! ```text
//! 8 words of header | marks: MARKS x (hash, value) | leases: LEASES x 1 | notes: NOTES x NOTE_WORDS
//! value: moment in milliseconds, 42 bits | end in units of 1024 seconds, 22 bits
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

use crate::base::{Millis, Seconds, SiteId, sha256_of};

/// Marks that fit, each good for one thing to remember until it runs out by itself.
const MARKS: usize = 1 << 17;
/// How far from its place a mark is looked for.
const WINDOW: usize = 16;
/// Leases; two sessions that meet in one only wait for each other.
const LEASES: usize = 1 << 12;
/// Notes that fit.
const NOTES: usize = 256;
/// How many places a note may lie in.
const NOTE_WINDOW: usize = 4;
/// A note: its mark, its end, its length, its version, and the bytes.
const NOTE_WORDS: usize = 4 + NOTE_BYTES / 8;
/// The longest note, in bytes: a session that fits into a browser's cookies.
pub(super) const NOTE_BYTES: usize = 6 * 1024;

const HEADER: usize = 8;
const MARKS_AT: usize = HEADER;
const LEASES_AT: usize = MARKS_AT + 2 * MARKS;
const NOTES_AT: usize = LEASES_AT + LEASES;
/// How many words the memory has.
pub const WORDS: usize = NOTES_AT + NOTES * NOTE_WORDS;

/// Says what the words are; another layout gets another number, and starts empty.
const MAGIC: u64 = u64::from_le_bytes(*b"oxdmem\x00\x02");
/// Where the number of marks stands that were given up before their time.
const LOST: usize = 1;

/// The hash under which something is remembered; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

/// What a mark is about. The numbers go into marks that stand in records, stores and a file: none may get another
/// meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum About {
    /// The sessions of a user, by `sub`.
    User = 1,
    /// The sessions of a user, by the name that applications see.
    Name = 2,
    /// The sessions that came from one session at the provider, by `iss` and `sid`.
    Sid = 3,
    /// A logout token that was used (`jti`).
    Token = 4,
    /// A login in progress that has come back (`state`).
    State = 5,
    /// An issuer from which a login came.
    Issuer = 6,
    /// That a version of a session has been replaced.
    Replaced = 7,
}

impl Mark {
    /// The mark of something at a site.
    pub fn of(about: About, site: SiteId<'_>, what: &[&str]) -> Mark {
        let sum = Self::sum(about, site, what);
        Mark(first_word(&sum).max(1))
    }

    fn sum(about: About, site: SiteId<'_>, what: &[&str]) -> [u8; 32] {
        let kind = [about as u8];
        let mut parts: Vec<&[u8]> = vec![b"mod_oxd mark", &kind, site.as_str().as_bytes()];
        parts.extend(what.iter().map(|text| text.as_bytes()));
        sha256_of(&parts)
    }

    /// The mark of what came from one session at a provider. Some write the issuer with a slash at its end, and some
    /// without.
    pub fn of_sid(site: SiteId<'_>, issuer: &str, sid: &str) -> Mark {
        Self::of(About::Sid, site, &[issuer.trim_end_matches('/'), sid])
    }

    /// The mark of an issuer.
    pub fn of_issuer(site: SiteId<'_>, issuer: &str) -> Mark {
        Self::of(About::Issuer, site, &[issuer.trim_end_matches('/')])
    }

    /// A mark that a session's record holds; `None` for 0.
    pub fn stored(word: u64) -> Option<Mark> {
        (word != 0).then_some(Mark(word))
    }

    /// The number that a record holds.
    pub fn word(self) -> u64 {
        self.0
    }

    /// The mark of one session, by the first half of its id, which is random.
    pub fn of_session(id: &[u8; 16]) -> Mark {
        Mark(first_word(id).max(1))
    }

    /// The mark of a session's entry in a store, by the entry's key.
    pub fn of_entry(key: &[u8; 32]) -> Mark {
        Mark(first_word(key).max(1))
    }

    /// The mark of when that session was last used, by the other half.
    fn of_use(id: &[u8; 16]) -> Mark {
        Mark(first_word(&id[8..]).max(1))
    }

    /// The mark of a site, cheap enough for each request: FNV-1a, which nobody can choose the input of.
    pub fn of_site(site: SiteId<'_>) -> Mark {
        let sum = site
            .as_str()
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| {
                (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        Mark(sum.max(1))
    }

    fn place(self) -> usize {
        // The hash is good; FNV's low bits are not as good as its high ones.
        (self.0 >> 24) as usize % MARKS
    }
}

fn first_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

/// What is remembered under a mark.
#[derive(Clone, Copy, PartialEq)]
struct Fact {
    /// [`NO_MOMENT`] where only the mark itself counts.
    moment: Millis,
    /// In units of [`UNIT`].
    end: u64,
}

/// The moment of a fact without one.
const NO_MOMENT: Millis = Millis(0);
/// Bits of a fact's end.
const END_BITS: u32 = 22;
/// What a fact's end is counted in.
const UNIT: Seconds = Seconds(1_024);

impl Fact {
    fn new(moment: Millis, until: Seconds) -> Self {
        Self {
            moment: moment.min(Millis((1 << (64 - END_BITS)) - 1)),
            end: (until.0 / UNIT.0 + 1).min((1 << END_BITS) - 1),
        }
    }

    fn read(word: u64) -> Self {
        Self {
            moment: Millis(word >> END_BITS),
            end: word & ((1 << END_BITS) - 1),
        }
    }

    fn word(self) -> u64 {
        self.moment.0 << END_BITS | self.end
    }

    fn is_over(self, now: Seconds) -> bool {
        self.end <= now.0 / UNIT.0
    }

    /// Combines two entries: the later time of each.
    fn with(self, other: Self) -> Self {
        Self {
            moment: self.moment.max(other.moment),
            end: self.end.max(other.end),
        }
    }
}

/// The shared memory of a server.
#[derive(Clone, Copy, Debug)]
pub struct Memory<'m> {
    words: &'m [AtomicU64],
}

impl<'m> Memory<'m> {
    /// Takes words as the memory; `None` unless there are [`WORDS`]. What another layout has left in them is wiped.
    pub fn over(words: &'m [AtomicU64]) -> Option<Self> {
        let words = words.get(..WORDS)?;
        if words[0].load(Ordering::Acquire) != MAGIC {
            for word in words {
                word.store(0, Ordering::Relaxed);
            }
            words[0].store(MAGIC, Ordering::Release);
        }
        Some(Self { words })
    }

    /// How many marks were given up before their time because there was no room.
    pub fn lost(&self) -> u64 {
        self.words[LOST].load(Ordering::Relaxed)
    }

    fn slot(&self, place: usize) -> (&'m AtomicU64, &'m AtomicU64) {
        let at = MARKS_AT + 2 * (place % MARKS);
        (&self.words[at], &self.words[at + 1])
    }

    fn window(&self, mark: Mark) -> impl Iterator<Item = (&'m AtomicU64, &'m AtomicU64)> {
        let (memory, first) = (*self, mark.place());
        (first..first + WINDOW).map(move |place| memory.slot(place))
    }

    /// The values under a mark. Mostly there is one; two processes that began at once may have made two.
    #[inline]
    fn values(&self, mark: Mark) -> impl Iterator<Item = &'m AtomicU64> {
        self.window(mark)
            .map(|(hash, value)| (hash.load(Ordering::Acquire), value))
            .take_while(|(hash, _)| *hash != 0)
            .filter(move |(hash, _)| *hash == mark.0)
            .map(|(_, value)| value)
    }

    #[inline]
    fn fact(&self, mark: Mark, now: Seconds) -> Option<Fact> {
        self.values(mark)
            .map(|value| Fact::read(value.load(Ordering::Acquire)))
            .filter(|fact| !fact.is_over(now))
            .reduce(Fact::with)
    }

    /// Remembers a fact; answers whether nothing was remembered under the mark before.
    fn remember(&self, mark: Mark, fact: Fact, now: Seconds) -> bool {
        if let Some(value) = self.values(mark).next() {
            let mut old = value.load(Ordering::Acquire);
            loop {
                let known = Fact::read(old);
                let new = if known.is_over(now) {
                    fact
                } else {
                    known.with(fact)
                };
                match value.compare_exchange_weak(old, new.word(), Ordering::AcqRel, Ordering::Acquire) {
                    Ok(_) => return known.is_over(now),
                    Err(changed) => old = changed,
                }
            }
        }
        // The value is written first and claims the slot; a concurrent reader finds the old, expired hash.
        for (hash, value) in self.window(mark) {
            let old = value.load(Ordering::Acquire);
            if Fact::read(old).is_over(now)
                && value
                    .compare_exchange(old, fact.word(), Ordering::AcqRel, Ordering::Acquire)
                    .is_ok()
            {
                hash.store(mark.0, Ordering::Release);
                return true;
            }
        }
        // Nothing is free: what has no moment only helps to find something, and else the one that ends first goes.
        let rank = |value: &AtomicU64| {
            let fact = Fact::read(value.load(Ordering::Acquire));
            (fact.moment != NO_MOMENT, fact.end)
        };
        if let Some((hash, value)) = self.window(mark).min_by_key(|(_, value)| rank(value)) {
            self.words[LOST].fetch_add(1, Ordering::Relaxed);
            value.store(fact.word(), Ordering::Release);
            hash.store(mark.0, Ordering::Release);
        }
        true
    }

    /// Everything that bears the mark and began up to this moment is over; kept until `until`.
    pub fn end(&self, mark: Mark, moment: Millis, until: Seconds) {
        self.remember(mark, Fact::new(moment.max(Millis(1)), until), moment.seconds());
    }

    /// Whether something that bears the mark and began at a moment is over.
    #[inline]
    pub fn has_ended(&self, mark: Mark, began: Millis, now: Seconds) -> bool {
        self.fact(mark, now).is_some_and(|fact| began <= fact.moment)
    }

    /// Remembers that something bears the mark.
    pub fn know(&self, mark: Mark, now: Seconds, until: Seconds) {
        self.remember(mark, Fact::new(NO_MOMENT, until), now);
    }

    /// Whether something bears the mark.
    pub fn knows(&self, mark: Mark, now: Seconds) -> bool {
        self.fact(mark, now).is_some()
    }

    /// Remembers that something happened that may happen only once; answers whether it was the first time.
    pub fn first_time(&self, mark: Mark, now: Seconds, until: Seconds) -> bool {
        self.remember(mark, Fact::new(NO_MOMENT, until), now)
    }

    /// Forgets a mark.
    pub fn forget(&self, mark: Mark) {
        for value in self.values(mark) {
            value.store(0, Ordering::Release);
        }
    }

    /// Remembers when a session was used.
    pub fn touch(&self, id: &[u8; 16], now: Seconds, until: Seconds) {
        self.remember(Mark::of_use(id), Fact::new(now.millis(), until), now);
    }

    /// When a session was last used, as far as this machine knows.
    #[inline]
    pub fn touched(&self, id: &[u8; 16], now: Seconds) -> Option<Seconds> {
        self.fact(Mark::of_use(id), now).map(|fact| fact.moment.seconds())
    }

    /// Takes the lease of a mark, unless somebody has it: then `None`. It runs out by itself at `until`.
    pub fn lease(&self, mark: Mark, now: Seconds, until: Seconds) -> Option<Lease<'m>> {
        let word = &self.words[LEASES_AT + mark.place() % LEASES];
        let held = word.load(Ordering::Acquire);
        if Seconds(held) > now {
            return None;
        }
        word.compare_exchange(held, until.0, Ordering::AcqRel, Ordering::Acquire)
            .ok()?;
        Some(Lease { word, until })
    }

    /// The places in which a note may lie.
    fn note_places(&self, mark: Mark) -> impl Iterator<Item = &'m [AtomicU64]> {
        let (words, first) = (self.words, mark.place());
        (first..first + NOTE_WINDOW).map(move |place| {
            let at = NOTES_AT + (place % NOTES) * NOTE_WORDS;
            &words[at..at + NOTE_WORDS]
        })
    }

    /// Keeps a sealed note, in place of the one that ends first. Notes are a best-effort cache.
    /// Only one process at a time may keep the note of a mark.
    pub fn keep_note(&self, mark: Mark, sealed: &[u8], until: Seconds) {
        if sealed.len() > NOTE_BYTES {
            return;
        }
        let own = self
            .note_places(mark)
            .find(|note| note[0].load(Ordering::Acquire) == mark.0);
        let first_to_end = || {
            self.note_places(mark)
                .min_by_key(|note| note[1].load(Ordering::Relaxed))
        };
        let Some(note) = own.or_else(first_to_end) else {
            return;
        };
        // A concurrent reader gets a mixture of both notes, which cannot be decrypted.
        note[0].store(0, Ordering::Release);
        for (word, bytes) in note[4..].iter().zip(sealed.chunks(8)) {
            let mut whole = [0; 8];
            whole[..bytes.len()].copy_from_slice(bytes);
            word.store(u64::from_le_bytes(whole), Ordering::Relaxed);
        }
        note[1].store(until.0, Ordering::Relaxed);
        note[2].store(sealed.len() as u64, Ordering::Relaxed);
        note[0].store(mark.0, Ordering::Release);
    }

    /// The note of a mark, still sealed.
    pub fn note(&self, mark: Mark, now: Seconds) -> Option<Vec<u8>> {
        let note = self
            .note_places(mark)
            .find(|note| note[0].load(Ordering::Acquire) == mark.0)?;
        if Seconds(note[1].load(Ordering::Relaxed)) <= now {
            return None;
        }
        let length = usize::try_from(note[2].load(Ordering::Relaxed))
            .ok()?
            .min(NOTE_BYTES);
        let mut bytes: Vec<u8> = note[4..4 + length.div_ceil(8)]
            .iter()
            .flat_map(|word| word.load(Ordering::Relaxed).to_le_bytes())
            .collect();
        bytes.truncate(length);
        Some(bytes)
    }
}

/// Leave to do what only one may do at a time; dropping it gives it back.
#[derive(Debug)]
pub struct Lease<'m> {
    word: &'m AtomicU64,
    until: Seconds,
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        // Another may have it by now, if this one has run out.
        let _ = self
            .word
            .compare_exchange(self.until.0, 0, Ordering::AcqRel, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
