//! Points in time as whole seconds, and the two leeways that the module grants.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch, where two things within one second must be told apart.
pub type Millis = u64;

/// Seconds since the Unix epoch.
pub type Seconds = u64;

/// The time by the machine's own clock, for what outlives a request; a request's own time is in its facts.
pub fn wall() -> Seconds {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// How far another machine's clock may be off before its timestamps are refused, in seconds (OpenID Connect Core
/// 3.1.3.7 allows "some small leeway").
pub const CLOCK_LEEWAY: Seconds = 30;

/// Reads a JSON number that claims to be a point in time (`exp`, `auth_time`, ...; RFC 7519 section 2 NumericDate).
///
/// `None` for anything that is not a finite number between 0 and the year 9999, so that `1e300` or a negative number
/// is never cast into a date that lasts for ever.
pub fn numeric_date(value: &serde_json::Value) -> Option<Seconds> {
    const YEAR_9999: f64 = 253_402_300_799.0;
    if let Some(whole) = value.as_u64() {
        return (whole as f64 <= YEAR_9999).then_some(whole);
    }
    let number = value.as_f64()?;
    (number.is_finite() && (0.0..=YEAR_9999).contains(&number)).then_some(number as Seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
            assert_eq!(numeric_date(&value), expected, "{value}");
        }
    }
}
