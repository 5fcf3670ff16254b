//! The hashes under which shared memory, session records and stores keep what they know.

use crate::base::{SiteId, sha256_of};

/// The hash under which something is stored; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(u64);

/// What a mark stands for. The numbers are part of marks in records, stores and a file: none may change its meaning.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub enum About {
    /// The sessions of a user, by `sub`.
    User = 1,
    /// The sessions of a user, by the name that applications see.
    Name = 2,
    /// The sessions of one session at the provider, by `iss` and `sid`.
    Sid = 3,
    /// A used logout token (`jti`).
    Token = 4,
    /// A login whose callback was accepted (`state`).
    State = 5,
    /// An issuer of a completed login.
    Issuer = 6,
    /// A version of a session that has been replaced.
    Replaced = 7,
    /// A refresh token that the provider has refused.
    RefusedRefresh = 8,
    /// A session whose refresh fails: since when, and when the next attempt may be made.
    FailingRefresh = 9,
    /// A site whose refreshes fail for a reason.
    Condition = 10,
    /// The RPT of a session for a resource.
    Rpt = 11,
    /// The right to ask for an RPT of a site.
    RptLease = 12,
    /// A gathering of claims that a session has begun for a page.
    Gathered = 13,
    /// The ticket that a gathering has brought for a page.
    Ticket = 14,
    /// A user who was asked to sign in again for tokens.
    TokensSought = 15,
}

impl Mark {
    /// The mark of something at a site, by its names.
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

    /// The mark of one session at a provider. A trailing slash of the issuer is ignored: providers differ in it.
    pub fn of_sid(site: SiteId<'_>, issuer: &str, sid: &str) -> Mark {
        Self::of(About::Sid, site, &[issuer.trim_end_matches('/'), sid])
    }

    /// The mark of an issuer.
    pub fn of_issuer(site: SiteId<'_>, issuer: &str) -> Mark {
        Self::of(About::Issuer, site, &[issuer.trim_end_matches('/')])
    }

    /// A mark from a session's record; `None` for 0.
    pub fn stored(word: u64) -> Option<Mark> {
        (word != 0).then_some(Mark(word))
    }

    /// The number in a session's record.
    pub fn word(self) -> u64 {
        self.0
    }

    /// The mark of one session: the first half of its random id.
    pub fn of_session(id: &[u8; 16]) -> Mark {
        Mark(first_word(id).max(1))
    }

    /// The mark of a session's entry in a store, by the entry's key.
    pub fn of_entry(key: &[u8; 32]) -> Mark {
        Mark(first_word(key).max(1))
    }

    /// The mark of a secret, which are at least eight random bytes.
    pub fn of_secret(secret: &[u8]) -> Mark {
        Mark(first_word(secret).max(1))
    }

    /// The mark of the session's last use: the other half of its id.
    pub(super) fn of_use(id: &[u8; 16]) -> Mark {
        Mark(first_word(&id[8..]).max(1))
    }

    /// The mark of a site. As each request needs it, it is a cheap mixture of words; its input comes from the
    /// configuration only.
    #[inline]
    pub fn of_site(site: SiteId<'_>) -> Mark {
        let (words, rest) = site.as_str().as_bytes().as_chunks::<8>();
        // What is left as a word, without a call of memcpy: four bytes, where it is a UUID.
        let (half, end) = match rest.split_first_chunk::<4>() {
            Some((half, end)) => (u64::from(u32::from_le_bytes(*half)), end),
            None => (0, rest),
        };
        let shift = 8 * (rest.len() - end.len());
        let end = end
            .iter()
            .rev()
            .fold(0, |word, byte| word << 8 | u64::from(*byte));
        let last = (half | end << shift).to_le_bytes();
        let mixed = |sum: u64, word: &[u8; 8]| {
            // The golden ratio's multiplier spreads each bit upwards, the shift brings them down again.
            let product = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            product ^ product >> 29
        };
        let sum = words.iter().fold(site.as_str().len() as u64, mixed);
        Mark(mixed(sum, &last).max(1))
    }

    /// The first slot to search, modulo the capacity.
    pub(super) fn slot(self) -> usize {
        // FNV's high bits are spread better than its low ones.
        (self.0 >> 24) as usize
    }
}

fn first_word(bytes: &[u8]) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[..8]);
    u64::from_le_bytes(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Marks of sites are in records, stores and a file.
    #[test]
    fn the_mark_of_a_site_stays_what_it_is_for_every_length_of_its_name() {
        let text = "01234567-89ab-cdef-0123-456789abcdef";
        for length in 0..=text.len() {
            let site = &text[..length];
            let mut padded = site.as_bytes().to_vec();
            padded.resize((length / 8 + 1) * 8, 0);
            let expected = padded.as_chunks::<8>().0.iter().fold(length as u64, |sum, word| {
                let product = (sum ^ u64::from_le_bytes(*word)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                product ^ product >> 29
            });
            assert_eq!(Mark::of_site(SiteId(site)).word(), expected.max(1), "{site}");
        }
    }
}
