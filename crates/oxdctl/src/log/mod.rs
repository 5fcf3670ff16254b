//! Lines of httpd's error log that the module wrote: `[time] [oxd:info] ... CODE: detail; remedy [ref XXXXXXXX]`,
//! where ` [trace ...]` may stand before the number.

pub mod journal;
pub mod places;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use oxd_core::base::Reason;

use crate::reference::{Reference, Wanted};
use crate::screen::plain;

/// What stands before a number.
const MARK: &str = " [ref ";

/// A longer line is not one of the module's; its rest is skipped, not kept in memory.
const LONGEST_LINE: u64 = 64 * 1024;

/// A number is in one line. What somebody copies into a log shall not fill memory and screen.
const MOST: usize = 20;

/// A line with the reference number that was looked for.
#[derive(Debug, PartialEq)]
pub struct Entry {
    /// The log.
    pub log: PathBuf,
    /// The line's number in it.
    pub number: u64,
    /// When, as the log writes it.
    pub time: Option<String>,
    /// Why, where the line says it as the module does.
    pub reason: Option<Reason>,
    /// The detail of the line.
    pub detail: String,
    /// The trace that the request belongs to, where the line names one.
    pub trace: Option<String>,
}

/// What a log has of a reference number.
#[derive(Debug, Default)]
pub struct Found {
    /// The lines with the number.
    pub entries: Vec<Entry>,
    /// Numbers in the log that differ from it by one mistake of typing.
    pub near: Vec<Reference>,
}

/// Looks through a log, whatever its size, for a reference number.
///
/// # Errors
/// It cannot be read. What was found before is lost only if it is nothing.
pub fn search(log: &Path, wanted: &Wanted) -> io::Result<Found> {
    let mut found = Found::default();
    match read(log, wanted, &mut found) {
        // A compressed log may be just in the making.
        Err(why) if found.entries.is_empty() => Err(why),
        _ => Ok(found),
    }
}

fn read(log: &Path, wanted: &Wanted, all: &mut Found) -> io::Result<()> {
    let mut reader = open(log)?;
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        if (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let whole = line.ends_with(b"\n");
        if has_mark(&line) {
            let text = String::from_utf8_lossy(&line);
            let found = wanted.number().and_then(|reference| parse(&text, reference));
            if let Some(found) = found.filter(|_| all.entries.len() < MOST) {
                all.entries.push(Entry {
                    log: log.to_owned(),
                    number,
                    ..found
                });
            } else if let Some(other) = number_of(&text)
                && wanted.is_near(&other)
                && all.near.len() < MOST
                && !all.near.contains(&other)
            {
                all.near.push(other);
            }
        }
        if !whole {
            reader.skip_until(b'\n')?;
        }
    }
    Ok(())
}

/// Whether a line can have a number at all; most have none.
fn has_mark(line: &[u8]) -> bool {
    line.windows(MARK.len()).any(|part| part == MARK.as_bytes())
}

fn open(log: &Path) -> io::Result<Box<dyn BufRead>> {
    if log == Path::new("-") {
        return Ok(Box::new(BufReader::new(io::stdin())));
    }
    let mut reader = BufReader::new(File::open(log)?);
    // Rotated logs are compressed; their names differ, their first bytes do not (RFC 1952, 2.3.1).
    if reader.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        return Ok(Box::new(BufReader::new(MultiGzDecoder::new(reader))));
    }
    Ok(Box::new(reader))
}

/// A line, if the module gave it this number.
pub fn parse(line: &str, reference: &Reference) -> Option<Entry> {
    let line = line.trim_end();
    let mark = format!("{MARK}{}]", reference.in_log());
    let at = line
        .match_indices(&mark)
        .find_map(|(at, _)| is_end(&line[at + mark.len()..]).then_some(at))?;
    let (told, trace) = without_trace(&line[..at]);
    let (reason, detail) = message(told);
    Some(Entry {
        log: PathBuf::new(),
        number: 0,
        time: time(line),
        reason,
        detail: plain(detail),
        trace: trace.map(str::to_owned),
    })
}

/// The number that the module gave a line.
fn number_of(line: &str) -> Option<Reference> {
    let line = line.trim_end();
    line.match_indices(MARK).find_map(|(at, _)| {
        let (number, rest) = line[at + MARK.len()..].split_once(']')?;
        is_end(rest).then(|| Reference::parse(number)).flatten()
    })
}

/// Whether this is what may follow the number: nothing, or the referer that httpd adds. A number in the middle of the
/// line is not the module's, but stands in what it quotes from a visitor.
fn is_end(rest: &str) -> bool {
    rest.is_empty() || rest.starts_with(", referer: ")
}

/// The line without the trace that stands before the number (Trace Context: 32 hexadecimal digits), and that trace.
fn without_trace(line: &str) -> (&str, Option<&str>) {
    let found = line.rsplit_once(" [trace ").and_then(|(before, mark)| {
        let trace = mark.strip_suffix(']')?;
        let is_one = trace.len() == 32 && trace.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_one.then_some((before, Some(trace)))
    });
    found.unwrap_or((line, None))
}

/// The reason and what is told about it. The reason's code comes before anything that a visitor could have written,
/// so that the first code in the line is the right one.
fn message(line: &str) -> (Option<Reason>, &str) {
    let codes = Reason::ALL.iter().filter_map(|reason| {
        let code = format!(" {}: ", reason.code());
        Some((line.find(&code)?, code.len(), *reason))
    });
    let Some((at, length, reason)) = codes.min_by_key(|(at, ..)| *at) else {
        return (None, line.rsplit("] ").next().unwrap_or(line));
    };
    let detail = &line[at + length..];
    let remedy = format!("; {}", reason.remedy());
    (
        Some(reason),
        detail.strip_suffix(remedy.as_str()).unwrap_or(detail),
    )
}

/// The time: what stands in the first brackets, or the first word where there are none (`ErrorLogFormat`).
fn time(line: &str) -> Option<String> {
    let first = match line.strip_prefix('[') {
        Some(rest) => rest.split(']').next()?,
        None => line.split(' ').next()?,
    };
    let dated = first.chars().filter(char::is_ascii_digit).count() >= 6;
    dated.then(|| plain(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "[Mon Nov 23 16:28:06.123456 2026] [oxd:info] [pid 7:tid 8] [client 10.0.0.1:50000] \
                        state_unknown: the state belongs to no login; if this happens often, check that the \
                        browser returns to the host where the login started, that OxdCookiePath and OxdCookieDomain \
                        cover both the protected location and the handler, and that OxdStateTimeout is long enough \
                        [ref K7Q10M2P]";

    fn reference() -> Reference {
        Reference::parse("K7Q1-0M2P").unwrap()
    }

    #[test]
    fn a_line_of_the_module_is_taken_apart() {
        for line in [
            LINE.to_owned(),
            format!("{LINE}, referer: https://app.example/x\n"),
        ] {
            let entry = parse(&line, &reference()).unwrap();
            assert_eq!(entry.time.as_deref(), Some("Mon Nov 23 16:28:06.123456 2026"));
            assert_eq!(entry.reason, Some(Reason::StateUnknown));
            assert_eq!(entry.detail, "the state belongs to no login");
        }
    }

    #[test]
    fn other_formats_of_the_log_are_read_as_far_as_they_go() {
        let line = "2026-11-23T16:28:06 app oxd_timeout: no answer after 10s; more [ref K7Q10M2P]";
        let entry = parse(line, &reference()).unwrap();
        assert_eq!(entry.time.as_deref(), Some("2026-11-23T16:28:06"));
        assert_eq!(
            (entry.reason, entry.detail.as_str()),
            (Some(Reason::OxdTimeout), "no answer after 10s; more")
        );
        let line = "[oxd:info] [pid 7] of_the_future: something [ref K7Q10M2P]";
        let entry = parse(line, &reference()).unwrap();
        assert_eq!((entry.time, entry.reason), (None, None));
        assert_eq!(entry.detail, "of_the_future: something");
    }

    #[test]
    fn what_a_visitor_wrote_is_not_taken_for_the_modules_words() {
        let forged = "[x] provider_error: 'a forbidden: b [ref K7Q10M2P] c' [ref AAAAAAAA]";
        assert_eq!(parse(forged, &reference()), None);
        let other = Reference::parse("AAAAAAAA").unwrap();
        let entry = parse(forged, &other).unwrap();
        assert_eq!(entry.reason, Some(Reason::ProviderError));
        let referer = "[x] internal: a [ref AAAAAAAA], referer: http://evil/ [ref K7Q10M2P]";
        assert!(parse(referer, &other).is_some());
        assert_eq!(parse("no mark at all K7Q10M2P", &reference()), None);
        let entry = parse("[x] internal: \x1b[31mred [ref K7Q10M2P]", &reference()).unwrap();
        assert_eq!(entry.detail, " [31mred");
    }

    #[test]
    fn logs_are_read_plain_and_compressed_whatever_is_in_them() {
        use std::io::Write as _;
        let folder = tempfile::tempdir().unwrap();
        let mut text = Vec::new();
        text.extend_from_slice(b"\xff\xfe no text\n\n");
        text.extend(std::iter::repeat_n(b'x', 200_000));
        text.extend_from_slice(format!("\n{LINE}\nmore").as_bytes());
        let plain_log = folder.path().join("error.log");
        std::fs::write(&plain_log, &text).unwrap();
        let packed_log = folder.path().join("error.log.2.gz");
        let mut packer =
            flate2::write::GzEncoder::new(File::create(&packed_log).unwrap(), flate2::Compression::fast());
        packer.write_all(&text).unwrap();
        packer.finish().unwrap();
        for log in [plain_log, packed_log] {
            let entries = search(&log, &Wanted::parse("K7Q1-0M2P").unwrap())
                .unwrap()
                .entries;
            assert_eq!(entries.iter().map(|entry| entry.number).collect::<Vec<_>>(), [4]);
            assert_eq!(entries[0].log, log);
        }
        let wanted = Wanted::parse("K7Q1-0M2P").unwrap();
        assert!(search(&folder.path().join("none"), &wanted).is_err());
    }

    #[test]
    fn numbers_of_a_mistake_away_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("error.log");
        std::fs::write(&log, format!("{LINE}\n{LINE}\nelse [ref ABCDEFGH]\n")).unwrap();
        for typed in ["K7Q1-0M2Q", "7KQ1-0M2P", "K7Q1-0M2", "K7Q1-0M2PP"] {
            let found = search(&log, &Wanted::parse(typed).unwrap()).unwrap();
            assert_eq!(
                (found.entries.len(), found.near),
                (0, vec![reference()]),
                "{typed}"
            );
        }
        assert_eq!(
            search(&log, &Wanted::parse("AAAA-AAAA").unwrap()).unwrap().near,
            []
        );
    }

    #[test]
    fn a_trace_before_the_number_is_told_apart() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let line = LINE.replace(" [ref", &format!(" [trace {trace}] [ref"));
        let entry = parse(&line, &reference()).unwrap();
        assert_eq!(
            (entry.detail.as_str(), entry.trace.as_deref()),
            ("the state belongs to no login", Some(trace))
        );
        let quoted = parse("[x] internal: a [trace me] [ref K7Q10M2P]", &reference()).unwrap();
        assert_eq!((quoted.detail.as_str(), quoted.trace), ("a [trace me]", None));
        assert_eq!(parse(&format!("{LINE} [ref AAAAAAAA]"), &reference()), None);
        assert_eq!(parse(&format!("{LINE} and more"), &reference()), None);
    }
}
