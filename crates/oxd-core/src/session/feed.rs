//! Ends of sessions that machines tell each other through a stream (`OxdRevocations`): what an entry is, and what a
//! machine does with those that it reads. How a stream is reached is not known here.
//!
//! Hearing an end twice, or in another order, changes nothing. So whoever is in doubt reads or tells again.

use crate::base::{KeyRing, LeBytes as _, Millis, Purpose, Random, SealError, Seconds};
use crate::shm::{Ended, Mark, Memory};

/// How far back a connection reads again: a server that took over may have lost its last entries, or have a clock that
/// is behind, so that later entries have earlier numbers.
const AGAIN: Millis = Millis(60_000);
/// A gap in reading up to this long may be that of one process that takes over from another, or of a connection that broke:
/// then little is told again. If all machines told much whenever an answer is late, it would be late again.
const GAP: Millis = Millis(2_000);
/// How far back is told again after such a gap: more than a replica is behind.
const LITTLE: Millis = Millis(5_000);
/// What entries are bound to besides their keys.
const AAD: &[u8] = b"mod_oxd end";
/// The length of an entry before it is sealed: mark, moment and end.
const LENGTH: usize = 24;

/// The entry of an end: 24 bytes, sealed.
///
/// # Errors
/// The system gave no random bytes to seal with.
pub fn entry(random: &dyn Random, keys: &KeyRing, ended: &Ended) -> Result<Vec<u8>, SealError> {
    let mut text = Vec::with_capacity(LENGTH);
    text.extend_from_slice(&ended.mark.word().to_le_bytes());
    text.extend_from_slice(&ended.moment.to_le_bytes());
    text.extend_from_slice(&ended.until.to_le_bytes());
    keys.seal_bytes(random, Purpose::Entry, AAD, &text)
}

fn read(keys: &KeyRing, sealed: &[u8]) -> Option<Ended> {
    let mut buffer = vec![0; sealed.len()];
    let text: &[u8] = keys.open_bytes(Purpose::Entry, AAD, sealed, &mut buffer)?;
    let text: &[u8; LENGTH] = text.try_into().ok()?;
    let ([mark, moment, until], []) = text.as_chunks::<8>() else {
        return None;
    };
    Some(Ended {
        mark: Mark::stored(u64::from_le_bytes(*mark))?,
        moment: Millis::from_le_bytes(*moment),
        until: Seconds::from_le_bytes(*until),
    })
}

/// How long ago a machine has known all ends of the stream; `None` before it has read it once, and where a clock that was
/// set back leaves that open.
pub fn lag(memory: &Memory<'_>, now: Millis) -> Option<Millis> {
    let at = memory.caught_up()?;
    // By more than a request may have taken until here: its time is that of its beginning.
    let is_ahead = at > now.saturating_add(AGAIN);
    (!is_ahead).then(|| Millis(now.0.saturating_sub(at.0)))
}

/// One machine's view of the stream.
#[derive(Clone, Copy, Debug)]
pub struct Feed<'a> {
    /// The memory of the machine.
    pub memory: Memory<'a>,
    /// The keys that all machines seal entries with.
    pub keys: &'a KeyRing,
}

impl Feed<'_> {
    /// Begins to read with a new connection: the number, in milliseconds of the stream, from which on. What this machine
    /// has told shortly before it last knew all ends, or since, is told again: a server that took over may not have it. With
    /// a stream that has become empty, all of it is.
    pub fn begin(&self, is_empty: bool, now: Millis) -> u64 {
        let knew = self.memory.knew().filter(|_| !is_empty);
        let Some(at) = knew.map(|at| at.min(now)) else {
            self.memory.tell_again(Millis(0), now.seconds());
            return if is_empty { 0 } else { self.reads_from() };
        };
        let before = |span: Millis| Millis(at.0.saturating_sub(span.0));
        let since = match now.0 - at.0 <= GAP.0 {
            true => before(LITTLE),
            false => before(AGAIN),
        };
        let since = self.memory.told_late(since).unwrap_or(since).min(since);
        self.memory.tell_again(since, now.seconds());
        self.reads_from()
    }

    fn reads_from(&self) -> u64 {
        self.memory.position().saturating_sub(AGAIN.0)
    }

    /// Takes down that an end was told late, by the process that reads.
    pub fn told(&self, ended: &Ended, now: Millis) {
        let recently = Millis(now.0.saturating_sub(AGAIN.0));
        self.memory.note_told_late(ended.moment, recently, now);
        self.memory.told(ended);
    }

    /// Takes an entry with its number in. Returns whether it could be read: others are of machines with another
    /// `OxdCryptoKey`.
    pub fn hear(&self, number: u64, sealed: &[u8], now: Seconds) -> bool {
        // Not back: a connection that breaks while it reads again would begin earlier each time.
        self.memory.set_position(number.max(self.memory.position()));
        let Some(ended) = read(self.keys, sealed) else {
            // The next configuration may have the key.
            self.memory.note_unread(number);
            return false;
        };
        if ended.until > now {
            self.memory.end(ended.mark, ended.moment, now, ended.until);
            self.memory.observe(ended.moment);
        }
        true
    }

    /// Takes down that there are no more entries now, after one with this number: earlier than before if the server's
    /// clock was set back.
    pub fn caught_up(&self, number: u64, now: Millis) {
        self.memory.set_position(number);
        self.memory.set_caught_up(now);
    }

    /// The ends that this machine has yet to tell, with their entries.
    ///
    /// # Errors
    /// The system gave no random bytes to seal with.
    pub fn untold(
        &self,
        random: &dyn Random,
        now: Seconds,
        most: usize,
    ) -> Result<Vec<(Ended, Vec<u8>)>, SealError> {
        self.memory
            .untold(now)
            .take(most)
            .map(|ended| Ok((ended, entry(random, self.keys, &ended)?)))
            .collect()
    }
}

#[cfg(test)]
mod machines_tests;
#[cfg(test)]
mod tests;
