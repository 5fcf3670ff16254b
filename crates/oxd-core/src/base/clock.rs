//! Points in time as whole seconds, and the two leeways that the module grants.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Whole seconds: a span, or a point in time since the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub u64);

/// Milliseconds: a span, or a point in time since the Unix epoch, where two things within one second must be told
/// apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Seconds {
    /// The first second of the epoch; where a point in time is stored, it also means "unknown".
    pub const ZERO: Seconds = Seconds(0);

    /// The whole seconds of a duration.
    pub const fn of(duration: Duration) -> Self {
        Self(duration.as_secs())
    }

    /// This much later; the end of time where there is no such point.
    #[must_use]
    pub const fn saturating_add(self, span: Seconds) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// This much earlier, or the span since a point in time; 0 where that would be negative.
    #[must_use]
    pub const fn saturating_sub(self, other: Seconds) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// The same in milliseconds; the end of time where it is too long for that.
    #[must_use]
    pub const fn millis(self) -> Millis {
        Millis(self.0.saturating_mul(1_000))
    }

    /// Whether it is 0, which stands for an unknown point in time.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

impl Millis {
    /// The point in time in UTC, as RFC 3339 has it: `2027-01-15T08:00:00.000Z`.
    pub fn rfc3339(self) -> String {
        let (days, second) = (self.0 / 86_400_000, self.0 / 1_000 % 86_400);
        // Years that begin in March have their leap day at the end (Hinnant, "chrono-compatible low-level date
        // algorithms"); an era is the 400 years after which the calendar repeats.
        let shifted = days + 719_468;
        let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * from_march + 2) / 5 + 1;
        let month = if from_march < 10 {
            from_march + 3
        } else {
            from_march - 9
        };
        let year = era * 400 + year_of_era + u64::from(month <= 2);
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        let millis = self.0 % 1_000;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
    }

    /// This much later; the end of time where there is no such point.
    #[must_use]
    pub const fn saturating_add(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The rest beyond whole seconds, 0 to 999.
    #[must_use]
    pub const fn below_seconds(self) -> Self {
        Self(self.0 % 1_000)
    }

    /// The same in whole seconds.
    #[must_use]
    pub const fn seconds(self) -> Seconds {
        Seconds(self.0 / 1_000)
    }
}

/// A time as it is stored: eight bytes, the lowest first.
pub trait LeBytes: Copy {
    /// The bytes to store.
    fn to_le_bytes(self) -> [u8; 8];
    /// Reads stored bytes.
    fn from_le_bytes(bytes: [u8; 8]) -> Self;
}

impl LeBytes for Seconds {
    fn to_le_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    fn from_le_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }
}

impl LeBytes for Millis {
    fn to_le_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }

    fn from_le_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }
}

/// The bare number.
impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The bare number.
impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Tests count in plain numbers from a point in time.
#[cfg(test)]
mod plain_numbers {
    use std::ops::{Add, AddAssign, Sub};

    use super::{Millis, Seconds};

    impl Add<u64> for Seconds {
        type Output = Seconds;

        fn add(self, seconds: u64) -> Seconds {
            Seconds(self.0 + seconds)
        }
    }

    impl AddAssign<u64> for Seconds {
        fn add_assign(&mut self, seconds: u64) {
            self.0 += seconds;
        }
    }

    impl Sub<u64> for Seconds {
        type Output = Seconds;

        fn sub(self, seconds: u64) -> Seconds {
            Seconds(self.0 - seconds)
        }
    }

    impl Sub<u64> for Millis {
        type Output = Millis;

        fn sub(self, millis: u64) -> Millis {
            Millis(self.0 - millis)
        }
    }

    impl Add<u64> for Millis {
        type Output = Millis;

        fn add(self, millis: u64) -> Millis {
            Millis(self.0 + millis)
        }
    }
}

/// Reads a bare number.
impl FromStr for Seconds {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// The machine's clock, for data that outlives a request. A request has its own time.
pub fn wall() -> Seconds {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(Seconds::ZERO, Seconds::of)
}

/// The same in milliseconds.
pub fn wall_millis() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// How far another machine's clock may be off before its timestamps are refused (OpenID Connect Core
/// 3.1.3.7 allows "some small leeway").
pub const CLOCK_LEEWAY: Seconds = Seconds(30);

/// Reads a JSON number that claims to be a point in time (`exp`, `auth_time`, ...; RFC 7519 section 2 NumericDate).
///
/// `None` for anything that is not a finite number between 0 and the year 9999, so that `1e300` or a negative number
/// is never cast into a date that lasts for ever.
pub(crate) fn numeric_date(value: &serde_json::Value) -> Option<Seconds> {
    const YEAR_9999: f64 = 253_402_300_799.0;
    if let Some(whole) = value.as_u64() {
        return (whole as f64 <= YEAR_9999).then_some(Seconds(whole));
    }
    let number = value.as_f64()?;
    (number.is_finite() && (0.0..=YEAR_9999).contains(&number)).then_some(Seconds(number as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn moments_are_written_as_rfc_3339() {
        for (millis, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399_999, "2000-02-28T23:59:59.999Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (1_078_012_800_007, "2004-02-29T00:00:00.007Z"),
            (1_800_000_000_123, "2027-01-15T08:00:00.123Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (1_798_761_599_999, "2026-12-31T23:59:59.999Z"),
        ] {
            assert_eq!(Millis(millis).rfc3339(), text);
        }
    }

    #[test]
    fn dates_are_parsed_and_not_cast() {
        for (value, expected) in [
            (json!(1_700_000_000), Some(1_700_000_000)),
            (json!(1_700_000_000.75), Some(1_700_000_000)),
            (json!(2_147_483_648_u64), Some(2_147_483_648)),
            (json!(0), Some(0)),
            (json!(-1), None),
            (json!(1e300), None),
            (json!(1_700_000_000_000_000_u64), None),
            (json!("1700000000"), None),
            (json!(null), None),
        ] {
            assert_eq!(numeric_date(&value), expected.map(Seconds), "{value}");
        }
    }
}
