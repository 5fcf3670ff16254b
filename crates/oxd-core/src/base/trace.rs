//! Trace Context (W3C Recommendation of 2021): the identifier by which the parts of a distributed request are found.

use std::fmt;

use super::crypto::Random;

/// The length of a `traceparent` of version 00.
const PARENT: usize = 55;
/// The longest `tracestate` that is passed on, in bytes: what section 3.3.1.5 expects of everybody.
const STATE: usize = 512;

/// The trace that a request belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Trace<'t> {
    id: [u8; 32],
    /// Whether the caller may have recorded it. The other flags of version 00 mean nothing (section 3.2.2.5).
    is_sampled: bool,
    state: Option<&'t str>,
}

impl fmt::Debug for Trace<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trace").field(&self.id()).finish()
    }
}

impl<'t> Trace<'t> {
    /// Reads the value of `traceparent`; `None` for anything but version 00 exactly as section 3.2 has it. `state` is the
    /// value of `tracestate`, which counts only beside a good `traceparent` (section 3.3).
    pub fn parse(parent: &str, state: Option<&'t str>) -> Option<Self> {
        let bytes = parent.as_bytes();
        if bytes.len() != PARENT || ![2, 35, 52].iter().all(|&at| bytes[at] == b'-') {
            return None;
        }
        let parts = [&bytes[..2], &bytes[3..35], &bytes[36..52], &bytes[53..]];
        let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if !parts.iter().all(|part| part.iter().all(is_hex)) || parts[0] != b"00" {
            return None;
        }
        let is_zero = |part: &[u8]| part.iter().all(|byte| *byte == b'0');
        if is_zero(parts[1]) || is_zero(parts[2]) {
            return None;
        }
        let fits = |state: &&str| {
            (1..=STATE).contains(&state.len()) && state.bytes().all(|byte| matches!(byte, b' '..=b'~'))
        };
        Some(Self {
            id: parts[1].try_into().ok()?,
            // The last of the four bits of the last digit.
            is_sampled: matches!(parts[3][1], b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f'),
            state: state.filter(fits),
        })
    }

    /// The trace's identifier: 32 hexadecimal digits.
    pub fn id(&self) -> &str {
        std::str::from_utf8(&self.id).unwrap_or_default()
    }

    /// The `traceparent` of a call that this request makes, with a parent of its own (section 3.4); `None` where the
    /// system has no randomness.
    pub fn onward(&self, random: &dyn Random) -> Option<String> {
        let mut parent = [0; 8];
        random.fill(&mut parent).ok()?;
        let parent = u64::from_be_bytes(parent).max(1);
        Some(format!(
            "00-{}-{parent:016x}-0{}",
            self.id(),
            u8::from(self.is_sampled)
        ))
    }

    /// The `tracestate` of such a call.
    pub fn state(&self) -> Option<&'t str> {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::crypto::SystemRandom;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_trace_is_passed_on_with_another_parent() {
        let trace = Trace::parse(GOOD, Some("vendor=1,other=2")).unwrap();
        let onward = trace.onward(&SystemRandom).unwrap();
        assert_eq!(trace.id(), &GOOD[3..35]);
        assert!(
            onward.starts_with(&GOOD[..36]) && onward.ends_with("-01"),
            "{onward}"
        );
        assert_ne!(onward, GOOD);
        assert_eq!(Trace::parse(&onward, None).unwrap().id(), trace.id());
        assert_eq!(trace.state(), Some("vendor=1,other=2"));
        let unsampled = Trace::parse(&GOOD.replace("-01", "-fe"), None).unwrap();
        assert!(unsampled.onward(&SystemRandom).unwrap().ends_with("-00"));
    }

    #[test]
    fn anything_else_is_no_trace() {
        let upper = GOOD.to_uppercase();
        for wrong in [
            "",
            "00",
            &GOOD[..54],
            &format!("{GOOD}0"),
            &format!("{GOOD}-00"),
            &format!("{GOOD}, {GOOD}"),
            &format!(" {}", &GOOD[..54]),
            upper.as_str(),
            &GOOD.replacen("00-", "01-", 1),
            &GOOD.replacen("00-", "ff-", 1),
            &GOOD.replace('-', "_"),
            &GOOD.replace("4bf92f", "4bf92g"),
            &GOOD.replace("4bf92f", "4bf9\u{e9}"),
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
        ] {
            assert_eq!(Trace::parse(wrong, None), None, "{wrong:?}");
        }
    }

    #[test]
    fn a_state_that_is_long_or_odd_stays_behind() {
        let state = |text: &'static str| Trace::parse(GOOD, Some(text)).unwrap().state();
        assert_eq!(state("a=1"), Some("a=1"));
        assert_eq!(state(""), None);
        assert_eq!(state("a=\u{e9}"), None);
        assert_eq!(state("a=\t1"), None);
        let long: &'static str = "a".repeat(513).leak();
        assert_eq!(state(long), None);
        assert_eq!(state(&long[..512]), Some(&long[..512]));
    }
}
