//! Reference numbers: what a user reads to an administrator, who finds the line in the log by it.
//!
//! Eight characters of Crockford's base32: no letter that is taken for a digit. A page shows them as `XXXX-XXXX`, the
//! log as `XXXXXXXX`.

use crate::base::crypto::Random;

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The number of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

impl Reference {
    /// A new number; all zeros where the system has no randomness.
    pub fn new(random: &dyn Random) -> Self {
        let mut bytes = [0; 5];
        // The number only helps to find a line: without one there still is the line.
        let _ = random.fill(&mut bytes);
        let number = bytes
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let characters = (0..8).rev().map(|place| {
            let index = (number >> (5 * place)) & 31;
            char::from(ALPHABET[index as usize])
        });
        Self(characters.collect())
    }

    /// The number as one word of shared memory.
    pub fn word(&self) -> u64 {
        let mut bytes = [b'0'; 8];
        for (byte, text) in bytes.iter_mut().zip(self.0.bytes()) {
            *byte = text;
        }
        u64::from_be_bytes(bytes)
    }

    /// The number of such a word.
    pub fn of_word(word: u64) -> Self {
        let of_alphabet = |byte: u8| if ALPHABET.contains(&byte) { byte } else { b'0' };
        Self(
            word.to_be_bytes()
                .map(of_alphabet)
                .into_iter()
                .map(char::from)
                .collect(),
        )
    }

    /// As the log has it.
    pub fn in_log(&self) -> &str {
        &self.0
    }

    /// As a page has it.
    pub fn on_page(&self) -> String {
        let (first, last) = self.0.split_at(4);
        format!("{first}-{last}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::crypto::{NoRandomness, SystemRandom};

    struct Fixed(u8);

    impl Random for Fixed {
        fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
            buffer.fill(self.0);
            Ok(())
        }
    }

    #[test]
    fn numbers_are_eight_characters_that_nobody_mistakes() {
        assert_eq!(Reference::new(&Fixed(0)).in_log(), "00000000");
        assert_eq!(Reference::of_word(0).in_log(), "00000000");
        assert_eq!(Reference::new(&Fixed(255)).on_page(), "ZZZZ-ZZZZ");
        for _ in 0..100 {
            let number = Reference::new(&SystemRandom);
            assert_eq!(Reference::of_word(number.word()), number);
            assert!(number.in_log().len() == 8 && !number.in_log().contains(['I', 'L', 'O', 'U']));
        }
        assert_ne!(Reference::new(&SystemRandom), Reference::new(&SystemRandom));
    }
}
