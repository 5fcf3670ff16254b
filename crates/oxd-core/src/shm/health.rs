//! What is known of the health of each site, in shared memory: when it was checked last, and what was found.
//!
//! The parent assigns a slot to each site of the configuration. One process checks at a time, no more often than
//! [`EVERY`], however many ask; the others read what it has found.

use super::sync::{AtomicU64, Ordering};
use crate::base::{Reason, Seconds, SiteId, sha256_of};

/// The most sites that are checked. Each check calls oxd; a server with more sites has one oxd for many of them.
pub const SITES: usize = 64;
/// How long a finding is believed while all is well.
pub const EVERY: Seconds = Seconds(15);
/// The same while something fails, so that a recovery is seen soon.
pub const EVERY_IN_TROUBLE: Seconds = Seconds(5);
/// How long a check has its turn: longer than it can take, unless its process was killed.
const TURN: Seconds = Seconds(60);
/// How long it counts that oxd has refused the client token of a call. A success ends it; a machine to which nobody is
/// sent any more because it is not ready would never see one.
const REFUSED_FOR: Seconds = Seconds(300);

/// The words of a slot: its key, when the site was checked, what was found, and when a call's client token was refused.
const SLOT: usize = 4;
const CHECKED: usize = 1;
const FOUND: usize = 2;
const REFUSED: usize = 3;
/// The size of the memory, in 64-bit words: the time of the next check, and the slots.
pub const WORDS: usize = 1 + SITES * SLOT;

/// A site at an oxd server, as a number; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteKey(u64);

impl SiteKey {
    /// The key of a site at the server with this address.
    pub fn of(server: &str, site: SiteId<'_>) -> Self {
        let sum = sha256_of(&[b"mod_oxd health", server.as_bytes(), site.as_str().as_bytes()]);
        let (first, _) = sum.as_chunks::<8>();
        Self(u64::from_le_bytes(first[0]).max(1))
    }
}

/// What is known of a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: it was not checked yet.
    Nothing,
    /// It works, since then.
    Works(Seconds),
    /// It does not, since then, for this reason.
    Fails(Reason, Seconds),
}

impl Known {
    const SINCE_AT: u32 = 16;

    /// One word, so that both parts are of the same check. Only processes of one build see it.
    fn word(self) -> u64 {
        match self {
            Known::Nothing => 0,
            Known::Works(Seconds(since)) => since << Self::SINCE_AT | 1,
            Known::Fails(reason, Seconds(since)) => since << Self::SINCE_AT | (2 + reason as u64),
        }
    }

    fn read(word: u64) -> Self {
        let since = Seconds(word >> Self::SINCE_AT);
        match word & 0xffff {
            0 => Known::Nothing,
            1 => Known::Works(since),
            number => usize::try_from(number - 2)
                .ok()
                .and_then(|at| Reason::ALL.get(at))
                .map_or(Known::Nothing, |reason| Known::Fails(*reason, since)),
        }
    }

    fn trouble(self) -> Option<Reason> {
        match self {
            Known::Fails(reason, _) => Some(reason),
            _ => None,
        }
    }
}

/// Why a check may find that a site does not work. Whatever else it finds counts as [`Reason::Internal`].
pub const FINDINGS: [Reason; 9] = [
    Reason::OxdUnreachable,
    Reason::BreakerOpen,
    Reason::OxdBusy,
    Reason::OxdTimeout,
    Reason::OxdAnswer,
    Reason::ClientTokenRefused,
    Reason::StoreUnavailable,
    Reason::RevocationsLag,
    Reason::Internal,
];

/// Whether a server can do its work: what is known of all its sites.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// The sites of the configuration.
    pub sites: usize,
    /// Those that were not checked yet.
    pub unknown: usize,
    /// Those that do not work, by reason; each reason once.
    pub failing: Vec<(Reason, usize)>,
    /// When the one that has waited longest was checked; `None` while there are unknown ones.
    pub checked: Option<Seconds>,
}

impl Readiness {
    /// Whether there are sites, and all of them work.
    pub fn is_ready(&self) -> bool {
        self.sites > 0 && self.unknown == 0 && self.failing.is_empty()
    }

    /// The sites that fail for a reason.
    pub fn failing(&self, reason: Reason) -> usize {
        self.failing
            .iter()
            .filter(|(of, _)| *of == reason)
            .map(|(_, count)| count)
            .sum()
    }
}

/// The turn to check all sites.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Turn {
    /// When it runs out. Two turns differ in it: the second begins after the first has run out or has ended.
    until: Seconds,
}

/// The health of a server's sites.
#[derive(Clone, Copy, Debug)]
pub struct Health<'m> {
    words: &'m [AtomicU64],
}

impl<'m> Health<'m> {
    /// The health in these words; `None` for fewer than [`WORDS`]. New words are all 0.
    pub fn over(words: &'m [AtomicU64]) -> Option<Self> {
        let words = words.get(..WORDS)?;
        Some(Self { words })
    }

    fn slots(&self) -> impl Iterator<Item = &'m [AtomicU64]> {
        self.words[1..].chunks_exact(SLOT)
    }

    fn slot(&self, key: SiteKey) -> Option<&'m [AtomicU64]> {
        self.slots().find(|slot| slot[0].load(Ordering::Acquire) == key.0)
    }

    /// Gives each of these sites a slot, in the parent, and has all checked anew: the configuration may have changed.
    /// What was known of a site that stays is kept until then. Sites beyond
    /// [`SITES`] get none.
    pub fn assign(&self, sites: &[SiteKey]) {
        for slot in self.slots() {
            let key = slot[0].load(Ordering::Acquire);
            if !sites.contains(&SiteKey(key)) {
                slot.iter().for_each(|word| word.store(0, Ordering::Release));
            }
            slot[REFUSED].store(0, Ordering::Release);
        }
        for key in sites {
            if self.slot(*key).is_none()
                && let Some(slot) = self.slots().find(|slot| slot[0].load(Ordering::Acquire) == 0)
            {
                slot[0].store(key.0, Ordering::Release);
            }
        }
        self.words[0].store(0, Ordering::Release);
    }

    /// Takes the turn to check all sites, if it is time; `None` for all but one of those that ask.
    pub fn take_turn(&self, now: Seconds) -> Option<Turn> {
        let next = self.words[0].load(Ordering::Acquire);
        let until = now.saturating_add(TURN);
        // A later time was written by a clock that has been set back since.
        let is_early = now.0 < next && next <= until.0;
        if is_early {
            return None;
        }
        self.words[0]
            .compare_exchange(next, until.0, Ordering::AcqRel, Ordering::Relaxed)
            .ok()
            .map(|_| Turn { until })
    }

    /// Ends the turn: the next check is due in a while. A turn that has run out and was taken by another stays that
    /// other's, and sites that were assigned meanwhile are checked at once.
    pub fn end_turn(&self, turn: Turn, now: Seconds) {
        let in_trouble = self.slots().any(|slot| {
            slot[0].load(Ordering::Acquire) != 0
                && !matches!(Known::read(slot[FOUND].load(Ordering::Acquire)), Known::Works(_))
        });
        let pause = if in_trouble { EVERY_IN_TROUBLE } else { EVERY };
        let next = now.saturating_add(pause);
        // Failing means that the turn is not this one any more.
        let _ = self.words[0].compare_exchange(turn.until.0, next.0, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Notes what a check has found. Returns whether that is news: the first finding, or another than the last.
    pub fn note(&self, key: SiteKey, found: Option<Reason>, now: Seconds) -> bool {
        let Some(slot) = self.slot(key) else {
            return false;
        };
        slot[CHECKED].store(now.0, Ordering::Release);
        let found = found.map(|reason| {
            if FINDINGS.contains(&reason) {
                reason
            } else {
                Reason::Internal
            }
        });
        let known = Known::read(slot[FOUND].load(Ordering::Acquire));
        if known != Known::Nothing && known.trouble() == found {
            return false;
        }
        let new = match found {
            None => Known::Works(now),
            Some(reason) => Known::Fails(reason, now),
        };
        slot[FOUND].store(new.word(), Ordering::Release);
        true
    }

    /// Notes that oxd has taken a call of the site, or has refused its client token.
    pub fn note_call(&self, key: SiteKey, is_refused: bool, now: Seconds) {
        if let Some(slot) = self.slot(key) {
            let value = if is_refused { now.0 } else { 0 };
            if slot[REFUSED].load(Ordering::Relaxed) != value {
                slot[REFUSED].store(value, Ordering::Release);
            }
        }
    }

    /// Whether oxd has refused the client token of the site's last call.
    pub fn was_refused(&self, key: SiteKey, now: Seconds) -> bool {
        let at = self
            .slot(key)
            .map_or(0, |slot| slot[REFUSED].load(Ordering::Acquire));
        at != 0 && now < Seconds(at).saturating_add(REFUSED_FOR)
    }

    /// What is known of a site, and when it was checked.
    pub fn known(&self, key: SiteKey) -> (Known, Option<Seconds>) {
        let Some(slot) = self.slot(key) else {
            return (Known::Nothing, None);
        };
        let checked = slot[CHECKED].load(Ordering::Acquire);
        let known = Known::read(slot[FOUND].load(Ordering::Acquire));
        (known, (checked != 0).then_some(Seconds(checked)))
    }

    /// Whether all of these sites work.
    pub fn readiness(&self, sites: &[SiteKey]) -> Readiness {
        let mut all = Readiness {
            // Those without a slot are not checked; the start has said so.
            sites: sites.len().min(SITES),
            ..Readiness::default()
        };
        for key in sites.iter().take(SITES) {
            let (known, checked) = self.known(*key);
            let earliest = |at: Seconds| all.checked.map_or(at, |known: Seconds| known.min(at));
            all.checked = checked.map(earliest).or(all.checked);
            match known {
                Known::Nothing => all.unknown += 1,
                Known::Works(_) => {}
                Known::Fails(reason, _) => match all.failing.iter_mut().find(|(of, _)| *of == reason) {
                    Some((_, count)) => *count += 1,
                    None => all.failing.push((reason, 1)),
                },
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Seconds = Seconds(1_800_000_000);

    fn words() -> Vec<AtomicU64> {
        (0..WORDS).map(|_| AtomicU64::new(0)).collect()
    }

    fn key(site: &str) -> SiteKey {
        SiteKey::of("http://oxd", SiteId(site))
    }

    #[test]
    fn one_of_many_checks_and_the_next_one_later() {
        let words = words();
        let health = Health::over(&words).unwrap();
        health.assign(&[key("a")]);
        let taken: Vec<_> = std::thread::scope(|scope| {
            let ask = || {
                scope.spawn(|| {
                    (0..1_000)
                        .filter_map(|_| health.take_turn(NOW))
                        .collect::<Vec<_>>()
                })
            };
            let threads: Vec<_> = (0..8).map(|_| ask()).collect();
            threads
                .into_iter()
                .flat_map(|thread| thread.join().unwrap())
                .collect()
        });
        let [first] = taken[..] else {
            panic!("{taken:?}");
        };
        health.note(key("a"), None, NOW);
        health.end_turn(first, NOW);
        assert_eq!(health.take_turn(NOW + 14), None);
        let second = health.take_turn(NOW + 15).unwrap();
        health.note(key("a"), Some(Reason::OxdUnreachable), NOW + 15);
        health.end_turn(second, NOW + 15);
        assert_eq!(health.take_turn(NOW + 19), None);
        assert!(health.take_turn(NOW + 20).is_some());
        // Whoever took it was killed; or the clock has been set back.
        assert_eq!(health.take_turn(NOW + 79), None);
        assert!(health.take_turn(NOW + 80).is_some());
        assert!(health.take_turn(NOW - 3_600).is_some());
    }

    #[test]
    fn a_check_that_has_outlived_its_turn_does_not_end_that_of_the_next() {
        let words = words();
        let health = Health::over(&words).unwrap();
        health.assign(&[key("a")]);
        let slow = health.take_turn(NOW).unwrap();
        let next = health.take_turn(NOW + 60).unwrap();
        health.end_turn(slow, NOW + 61);
        assert_eq!(health.take_turn(NOW + 119), None, "the next one still checks");
        health.end_turn(next, NOW + 70);
        assert_eq!(health.take_turn(NOW + 74), None);
        let old = health.take_turn(NOW + 75).unwrap();
        // A restart meanwhile: a child of the old configuration ends its check after that.
        health.assign(&[key("a")]);
        health.end_turn(old, NOW + 76);
        assert!(health.take_turn(NOW + 76).is_some(), "checked anew at once");
    }

    #[test]
    fn what_is_found_is_known_since_it_changed() {
        let words = words();
        let health = Health::over(&words).unwrap();
        health.assign(&[key("a"), key("b")]);
        assert_eq!(health.known(key("a")), (Known::Nothing, None));
        assert!(health.note(key("a"), None, NOW));
        assert!(!health.note(key("a"), None, NOW + 15));
        assert_eq!(health.known(key("a")), (Known::Works(NOW), Some(NOW + 15)));
        for reason in FINDINGS {
            health.note(key("b"), Some(reason), NOW);
            assert_eq!(health.known(key("b")).0, Known::Fails(reason, NOW));
        }
        health.note(key("b"), Some(Reason::Forbidden), NOW);
        assert_eq!(health.known(key("b")).0, Known::Fails(Reason::Internal, NOW));
        assert!(health.note(key("a"), Some(Reason::OxdTimeout), NOW + 30));
        assert!(health.note(key("a"), Some(Reason::OxdUnreachable), NOW + 35));
        let expected = Known::Fails(Reason::OxdUnreachable, NOW + 35);
        assert_eq!(health.known(key("a")), (expected, Some(NOW + 35)));
        // Sites that are not of the configuration have no place.
        assert!(!health.note(key("c"), None, NOW));
        assert_eq!(health.known(key("c")), (Known::Nothing, None));
    }

    #[test]
    fn a_server_is_ready_when_all_its_sites_work() {
        let words = words();
        let health = Health::over(&words).unwrap();
        let sites = [key("a"), key("b"), key("c")];
        health.assign(&sites);
        assert!(
            !health.readiness(&[]).is_ready(),
            "there is nothing to be ready for"
        );
        assert_eq!(health.readiness(&sites).unknown, 3);
        health.note(sites[0], None, NOW + 2);
        health.note(sites[1], None, NOW + 1);
        assert!(!health.readiness(&sites).is_ready());
        health.note(sites[2], None, NOW + 3);
        let ready = health.readiness(&sites);
        assert!(ready.is_ready() && ready.checked == Some(NOW + 1));
        health.note(sites[0], Some(Reason::OxdTimeout), NOW + 4);
        health.note(sites[2], Some(Reason::OxdTimeout), NOW + 4);
        let failing = health.readiness(&sites);
        assert!(!failing.is_ready());
        assert_eq!(failing.failing, [(Reason::OxdTimeout, 2)]);
        assert_eq!(failing.failing(Reason::OxdTimeout), 2);
        assert_eq!(failing.failing(Reason::OxdBusy), 0);
    }

    #[test]
    fn another_configuration_keeps_what_is_known_of_the_sites_that_stay() {
        let words = words();
        let health = Health::over(&words).unwrap();
        health.assign(&[key("a"), key("b")]);
        health.note(key("a"), None, NOW);
        health.note(key("b"), Some(Reason::StoreUnavailable), NOW);
        health.note_call(key("b"), true, NOW);
        assert!(health.take_turn(NOW).is_some());
        health.assign(&[key("b"), key("c")]);
        assert_eq!(health.known(key("a")), (Known::Nothing, None));
        assert_eq!(health.known(key("c")), (Known::Nothing, None));
        assert_eq!(
            health.known(key("b")).0,
            Known::Fails(Reason::StoreUnavailable, NOW)
        );
        assert!(!health.was_refused(key("b"), NOW), "the secret may be another");
        assert!(health.take_turn(NOW).is_some(), "it is checked at once");
        // As many as fit in; the others are not known.
        let many: Vec<_> = (0..SITES + 9).map(|n| key(&n.to_string())).collect();
        health.assign(&many);
        let kept = many.iter().filter(|key| health.note(**key, None, NOW));
        assert_eq!(kept.count(), SITES);
    }

    #[test]
    fn a_refused_client_token_counts_until_one_is_taken_or_for_a_while() {
        let words = words();
        let health = Health::over(&words).unwrap();
        health.assign(&[key("a")]);
        health.note_call(key("a"), true, NOW);
        assert!(health.was_refused(key("a"), NOW + 299));
        assert!(!health.was_refused(key("a"), NOW + 300));
        health.note_call(key("a"), true, NOW + 300);
        health.note_call(key("a"), false, NOW + 301);
        assert!(!health.was_refused(key("a"), NOW + 301));
    }
}
