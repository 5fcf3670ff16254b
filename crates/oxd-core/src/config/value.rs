//! Parsers for directive values. Each returns the parsed value, or the allowed values.

use std::time::Duration;

use crate::base::Seconds;

use url::{Host, Url};

/// An error in a directive's value, as `configtest` prints it.
#[derive(Debug, PartialEq)]
pub struct Complaint {
    /// The value as configured, or `None` where it must not be printed (secrets).
    pub value: Option<String>,
    /// The allowed values.
    pub allowed: String,
}

impl Complaint {
    /// A complaint that prints the value.
    pub fn about(value: &str, allowed: impl Into<String>) -> Self {
        Self {
            value: Some(value.to_owned()),
            allowed: allowed.into(),
        }
    }

    /// A complaint about a value that must not be printed.
    pub fn about_secret(allowed: impl Into<String>) -> Self {
        Self {
            value: None,
            allowed: allowed.into(),
        }
    }
}

/// A text for one line: what came from a file, a command or a library may hold line ends.
pub fn one_line(text: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_debug().collect::<String>(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
}

/// The result of every parser.
pub type Parsed<T> = Result<T, Complaint>;

/// `On` or `Off`, case-insensitively, like httpd's own flags.
pub fn flag(text: &str) -> Parsed<bool> {
    choice(text, &[("On", true), ("Off", false)])
}

/// One word of a list, case-insensitively.
pub fn choice<T: Copy>(text: &str, words: &[(&str, T)]) -> Parsed<T> {
    words
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(text))
        .map(|(_, value)| *value)
        .ok_or_else(|| {
            Complaint::about(
                text,
                format!(
                    "one of {}",
                    words.iter().map(|w| w.0).collect::<Vec<_>>().join(", ")
                ),
            )
        })
}

/// A time in whole seconds, with the bounds of [`time`].
pub fn seconds(text: &str, least: Duration, most: Duration) -> Parsed<Seconds> {
    time(text, least, most).map(Seconds::of)
}

/// A time in httpd's units: `500ms`, `30s`, `5min` (or `5mi`), `8h`; a bare number is seconds.
pub fn time(text: &str, least: Duration, most: Duration) -> Parsed<Duration> {
    let complaint = || {
        Complaint::about(
            text,
            format!(
                "a time from {} to {}, such as 30s, 5min or 8h",
                time_text(least),
                time_text(most)
            ),
        )
    };
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| complaint())?;
    let factor_ms = match unit.to_ascii_lowercase().as_str() {
        "ms" => 1,
        "" | "s" => 1_000,
        "mi" | "min" => 60_000,
        "h" => 3_600_000,
        _ => return Err(complaint()),
    };
    let time = number
        .checked_mul(factor_ms)
        .map(Duration::from_millis)
        .ok_or_else(complaint)?;
    if time < least || time > most {
        Err(complaint())
    } else {
        Ok(time)
    }
}

/// A duration in the shortest form that [`time`] reads.
pub fn time_text(time: Duration) -> String {
    let ms = time.as_millis();
    match ms {
        0 => "0s".into(),
        _ if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        _ if ms.is_multiple_of(60_000) => format!("{}min", ms / 60_000),
        _ if ms.is_multiple_of(1_000) => format!("{}s", ms / 1_000),
        _ => format!("{ms}ms"),
    }
}

/// A whole number within bounds.
pub fn number(text: &str, least: u32, most: u32) -> Parsed<u32> {
    text.parse()
        .ok()
        .filter(|n| (least..=most).contains(n))
        .ok_or_else(|| Complaint::about(text, format!("a whole number from {least} to {most}")))
}

/// A size in bytes: a number with an optional `K` or `M` (1024, 1024 times 1024) behind it.
pub fn size(text: &str, least: usize, most: usize) -> Parsed<usize> {
    let (number, factor) = match text.strip_suffix(['K', 'k']) {
        Some(number) => (number, 1024),
        None => text
            .strip_suffix(['M', 'm'])
            .map_or((text, 1), |number| (number, 1024 * 1024)),
    };
    let digits = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    let size = number
        .parse::<usize>()
        .ok()
        .filter(|_| digits)
        .and_then(|n| n.checked_mul(factor));
    size.filter(|size| (least..=most).contains(size)).ok_or_else(|| {
        Complaint::about(
            text,
            format!("a size from {least} to {most} bytes, such as 65536, 64K or 1M"),
        )
    })
}

/// Text without control characters, not empty.
pub fn text(value: &str) -> Parsed<&str> {
    if value.is_empty() || value.chars().any(char::is_control) {
        return Err(Complaint::about(
            value,
            "text without control characters, not empty",
        ));
    }
    Ok(value)
}

/// A list: the arguments and the words within them, each checked.
pub fn words<'v>(args: &[&'v str], allowed: &str, fits: impl Fn(&str) -> bool) -> Parsed<Vec<&'v str>> {
    let words: Vec<&str> = args.iter().flat_map(|arg| arg.split_ascii_whitespace()).collect();
    if words.is_empty() {
        return Err(Complaint::about("", allowed));
    }
    match words.iter().find(|word| !fits(word)) {
        Some(bad) => Err(Complaint::about(bad, allowed)),
        None => Ok(words),
    }
}

/// Whether a text is a scope token (RFC 6749 section 3.3).
pub fn is_scope_token(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

/// Whether a text is a token (RFC 9110 section 5.6.2), as cookie and header names are.
pub fn is_token(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// An absolute `http` or `https` URL with a host and without user information; `fragment`: whether it may have one.
pub fn http_url(text: &str) -> Parsed<Url> {
    let complaint = || {
        Complaint::about(
            text,
            in_ascii(
                text,
                "an absolute http:// or https:// URL without user name, password or fragment",
            ),
        )
    };
    if text.chars().any(|c| c.is_control() || c == ' ' || c == '\\') {
        return Err(complaint());
    }
    // The URL standard would repair "https:host"; report the administrator's typing error instead.
    let lower = text.to_ascii_lowercase();
    let rest = lower
        .strip_prefix("http://")
        .or_else(|| lower.strip_prefix("https://"));
    if rest.is_none_or(|rest| rest.starts_with('/')) {
        return Err(complaint());
    }
    let url = Url::parse(text).map_err(|_| complaint())?;
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    if url.host().is_none() || !plain {
        Err(complaint())
    } else {
        Ok(url)
    }
}

/// What is allowed instead of a value with a host name. One that is not in ASCII is not understood: the tables of all
/// scripts (IDNA) would be a part of the module that hardly a site has a use for.
fn in_ascii(value: &str, allowed: &str) -> String {
    let host = value.rsplit("://").next().unwrap_or_default();
    if host.split('/').next().is_some_and(str::is_ascii) {
        return allowed.to_owned();
    }
    format!("{allowed}; a host name with other letters in its ASCII form (xn--...)")
}

/// A path that starts with one slash, or an absolute URL.
pub fn path_or_url(value: &str) -> Parsed<&str> {
    let is_path = value.starts_with('/')
        && !value.starts_with("//")
        && !value.contains('\\')
        && !value.chars().any(|c| c.is_control() || c == ' ');
    if is_path {
        return Ok(value);
    }
    http_url(value).map(|_| value).map_err(|_| {
        Complaint::about(
            value,
            in_ascii(
                value,
                "a path such as /app/ or an absolute http:// or https:// URL",
            ),
        )
    })
}

/// `host` or `host:port`, lower-cased, as a return address may name it.
pub fn host_port(word: &str) -> Parsed<String> {
    let complaint = || {
        Complaint::about(
            word,
            in_ascii(
                word,
                "host names, each with an optional :port, without scheme or path",
            ),
        )
    };
    // A * would suggest any host, which would be an open redirect.
    if word.contains(['/', '@', '?', '#', '\\', '*']) {
        return Err(complaint());
    }
    let url = Url::parse(&format!("http://{word}/")).map_err(|_| complaint())?;
    match url.host() {
        Some(Host::Domain(_) | Host::Ipv4(_) | Host::Ipv6(_)) => Ok(word.to_ascii_lowercase()),
        None => Err(complaint()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_in_another_script_is_wanted_in_ascii() {
        let told = |complaint: Complaint| complaint.allowed.contains("xn--");
        assert!(told(http_url("https://b\u{fc}cher.example/").unwrap_err()));
        assert!(told(path_or_url("https://b\u{fc}cher.example/app/").unwrap_err()));
        assert!(told(host_port("b\u{fc}cher.example:8443").unwrap_err()));
        assert!(http_url("https://xn--bcher-kva.example/\u{fc}").is_ok());
        assert!(host_port("xn--bcher-kva.example").is_ok());
        assert!(!told(http_url("ftp://example.org/\u{fc}").unwrap_err()));
    }

    #[test]
    fn times_have_httpds_units_and_nothing_else() {
        let any = |text| time(text, Duration::ZERO, Duration::from_secs(1_000_000)).ok();
        for (text, seconds) in [
            ("30s", 30),
            ("30", 30),
            ("5min", 300),
            ("5mi", 300),
            ("8h", 28_800),
            ("0", 0),
        ] {
            assert_eq!(any(text), Some(Duration::from_secs(seconds)), "{text}");
        }
        assert_eq!(any("1500ms"), Some(Duration::from_millis(1500)));
        for text in [
            "",
            "s",
            "-5s",
            "300x",
            "1.5h",
            "5 min",
            "99999999999999999999",
            "18446744073709551615h",
            "1d",
        ] {
            assert_eq!(any(text), None, "{text}");
        }
    }

    #[test]
    fn a_complaint_about_a_time_names_the_bounds() {
        let complaint = time("0s", Duration::from_secs(1), Duration::from_secs(86_400)).unwrap_err();
        assert_eq!(
            complaint.allowed,
            "a time from 1s to 24h, such as 30s, 5min or 8h"
        );
    }

    #[test]
    fn urls_are_absolute_and_carry_no_credentials() {
        for good in [
            "https://oxd.example:8443",
            "http://127.0.0.1:8443/prefix/",
            "https://[::1]:8443/",
        ] {
            assert!(http_url(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "oxd.example",
            "https:oxd.example",
            "ftp://x/",
            "https://",
            "https://u:p@x/",
            "https://x/#f",
            "https://x y/",
            "https://x\\y",
            "/path",
        ] {
            assert!(http_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_are_bytes_with_a_unit() {
        for (text, bytes) in [("1024", 1024), ("64K", 65_536), ("1m", 1_048_576)] {
            assert_eq!(size(text, 1, 1 << 21).ok(), Some(bytes), "{text}");
        }
        for text in [
            "",
            "K",
            "-1",
            "+1",
            "64KB",
            "99999999999999999999",
            "18446744073709551615K",
            "3M",
            "0",
        ] {
            assert!(size(text, 1, 1 << 21).is_err(), "{text}");
        }
    }

    #[test]
    fn hosts_are_hosts() {
        assert_eq!(host_port("App.Example:8080").unwrap(), "app.example:8080");
        for bad in ["https://x", "x/y", "u@x", "x:99999", "", "*", "*.x"] {
            assert!(host_port(bad).is_err(), "{bad}");
        }
    }
}
