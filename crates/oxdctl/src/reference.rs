//! Reference numbers: eight characters of Crockford's base32, which a page shows as `XXXX-XXXX`.

/// How many characters there are.
const LENGTH: usize = 8;

/// A reference number as the log has it: upper case, no dash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

impl Reference {
    /// Reads what a user has read aloud or copied: either case, with or without dashes and spaces, and with the
    /// letters that the alphabet leaves out because they are taken for digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut read = String::with_capacity(LENGTH);
        for c in text.chars().filter(|c| !matches!(c, '-' | ' ')) {
            read.push(match meant(c) {
                'U' => return None,
                c if c.is_ascii_alphanumeric() => c,
                _ => return None,
            });
        }
        (read.len() == LENGTH).then_some(Self(read))
    }

    /// As the log has it.
    pub fn in_log(&self) -> &str {
        &self.0
    }
}

/// The character of the alphabet that somebody means by this one.
fn meant(c: char) -> char {
    match c.to_ascii_uppercase() {
        'I' | 'L' => '1',
        'O' => '0',
        c => c,
    }
}

impl std::fmt::Display for Reference {
    /// As the page has it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (first, last) = self.0.split_at(LENGTH / 2);
        write!(f, "{first}-{last}")
    }
}

/// What somebody has typed as a reference number: one, or nearly one.
#[derive(Debug)]
pub struct Wanted {
    typed: String,
    number: Option<Reference>,
}

impl Wanted {
    /// Reads a number, also one with a character too few or too many.
    pub fn parse(text: &str) -> Option<Self> {
        let number = Reference::parse(text);
        let typed: String = text
            .chars()
            .filter(|c| !matches!(c, '-' | ' '))
            .map(meant)
            .collect();
        let is_near = (LENGTH - 1..=LENGTH + 1).contains(&typed.len())
            && typed.chars().all(|c| c.is_ascii_alphanumeric())
            && text.contains(|c: char| c.is_ascii_digit());
        (number.is_some() || is_near).then_some(Self { typed, number })
    }

    /// The number, if it is one.
    pub fn number(&self) -> Option<&Reference> {
        self.number.as_ref()
    }

    /// Whether one mistake of typing makes this of another number: a character that is wrong, missing or too many, or
    /// two in each other's place.
    pub fn is_near(&self, other: &Reference) -> bool {
        let typed = self.number().map_or(self.typed.as_str(), Reference::in_log);
        strsim::osa_distance(typed, other.in_log()) == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_number_is_read() {
        for text in [
            "K7Q1-0M2P",
            "K7Q10M2P",
            "k7q1-0m2p",
            " k7qi om2p ",
            "K7QL-oM2P",
            "k7ql-Om2p",
        ] {
            let reference = Reference::parse(text).unwrap();
            assert_eq!(
                (reference.in_log(), reference.to_string().as_str()),
                ("K7Q10M2P", "K7Q1-0M2P"),
                "{text}"
            );
        }
    }

    #[test]
    fn nearly_a_number_is_looked_for_and_a_word_is_not() {
        for (text, is_one) in [
            ("K7Q1-0M2P", true),
            ("K7Q1-0M2", false),
            ("K7Q1-0M2PX", false),
            ("K7Q1-0MUP", false),
        ] {
            assert_eq!(Wanted::parse(text).unwrap().number().is_some(), is_one, "{text}");
        }
        for text in ["intrnal", "K7Q1", "state_unknown", "K7Q1-0M2P-K7Q1"] {
            assert!(Wanted::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_no_number_is_not_read() {
        for text in [
            "",
            "K7Q1-0M2",
            "K7Q1-0M2PP",
            "K7Q1-0M2U",
            "K7Q1_0M2P",
            "state_unknown",
            "K7Q1-0M2é",
        ] {
            assert_eq!(Reference::parse(text), None, "{text}");
        }
    }
}
