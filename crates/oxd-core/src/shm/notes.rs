//! Encrypted notes in shared memory: refreshed sessions and long addresses, for a while.

use super::Mark;
use super::memory::{Memory, NOTES_AT};
use super::sizes::{NOTE_BYTES, NOTE_WINDOW, NOTE_WORDS, NOTES};
use super::sync::{AtomicU64, Ordering};
use crate::base::Seconds;

/// What a note is about. Each kind has a table of its own: strangers begin logins, and must not displace what sessions
/// need.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Note {
    /// A refreshed session.
    Session,
    /// The address at which a login ends.
    Login,
}

impl<'m> Memory<'m> {
    /// The slots in which a note may be.
    fn note_places(&self, kind: Note, mark: Mark) -> impl Iterator<Item = &'m [AtomicU64]> {
        let (words, first) = (self.words, mark.slot());
        (first..first + NOTE_WINDOW).map(move |place| {
            let at = NOTES_AT + (kind as usize * NOTES + place % NOTES) * NOTE_WORDS;
            &words[at..at + NOTE_WORDS]
        })
    }

    /// Stores an encrypted note in place of the one that expires first. Notes are a best-effort cache.
    /// Only the process with the mark's lease may store its note.
    pub(crate) fn keep_note(&self, kind: Note, mark: Mark, sealed: &[u8], until: Seconds) {
        if sealed.len() > NOTE_BYTES {
            return;
        }
        let own = self
            .note_places(kind, mark)
            .find(|note| note[0].load(Ordering::Acquire) == mark.word());
        let first_to_end = || {
            self.note_places(kind, mark)
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
        note[0].store(mark.word(), Ordering::Release);
    }

    /// The note of a mark, still encrypted.
    pub(crate) fn note(&self, kind: Note, mark: Mark, now: Seconds) -> Option<Vec<u8>> {
        let note = self
            .note_places(kind, mark)
            .find(|note| note[0].load(Ordering::Acquire) == mark.word())?;
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
