//! Paths with wildcards: `?` is one segment, `??` all that are left, `{REGEX}` one segment that matches.

use std::cmp::Ordering;

use regex::Regex;

/// A path of the file.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Segment>);

#[derive(Debug)]
enum Segment {
    Literal(String),
    Matching(Regex),
    One,
    Rest,
}

impl Segment {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "?" => Ok(Segment::One),
            "??" => Ok(Segment::Rest),
            _ => match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(expression) => Regex::new(&format!("^(?:{expression})$"))
                    .map(Segment::Matching)
                    .map_err(|_| format!("has {text}, which is no regular expression")),
                None if text.contains(['?', '{', '}']) => {
                    Err(format!("has the segment '{text}': a wildcard is a whole segment"))
                }
                None => Ok(Segment::Literal(text.to_owned())),
            },
        }
    }

    /// The less, the more specific.
    fn rank(&self) -> u8 {
        match self {
            Segment::Literal(_) => 0,
            Segment::Matching(_) => 1,
            Segment::One => 2,
            Segment::Rest => 3,
        }
    }

    fn matches(&self, segment: &str) -> bool {
        match self {
            Segment::Literal(text) => text == segment,
            Segment::Matching(expression) => expression.is_match(segment),
            Segment::One => !segment.is_empty(),
            Segment::Rest => true,
        }
    }
}

/// The segments of a path; `None` for what is no path.
pub(super) fn segments(path: &str) -> Option<Vec<&str>> {
    Some(path.strip_prefix('/')?.split('/').collect())
}

/// Splits at slashes, but not within the braces of a regular expression.
fn split(path: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut from) = (Vec::new(), 0_u32, 0);
    for (at, c) in path.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '/' if depth == 0 => {
                parts.push(&path[from..at]);
                from = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&path[from..]);
    parts
}

impl Pattern {
    pub(super) fn parse(path: &str) -> Result<Self, String> {
        if path == "??" {
            return Ok(Self(vec![Segment::Rest]));
        }
        let Some(rest) = path.strip_prefix('/') else {
            return Err("does not begin with a slash".into());
        };
        if path.contains(['#', '\\']) || path.contains(char::is_control) {
            return Err("has characters that no path has".into());
        }
        let segments: Vec<Segment> = split(rest)
            .into_iter()
            .map(Segment::parse)
            .collect::<Result<_, _>>()?;
        let (last, others) = segments.split_last().ok_or("is empty")?;
        if others.iter().any(|segment| matches!(segment, Segment::Rest)) {
            return Err("has ?? before its end".into());
        }
        if matches!(last, Segment::Literal(text) if text == ".." || text == ".") {
            return Err("ends with dots".into());
        }
        Ok(Self(segments))
    }

    /// Whether it matches a request's path.
    pub(super) fn matches(&self, segments: &[&str]) -> bool {
        let open = matches!(self.0.last(), Some(Segment::Rest));
        let fits = match open {
            true => segments.len() >= self.0.len(),
            false => segments.len() == self.0.len(),
        };
        fits && self
            .0
            .iter()
            .zip(segments)
            .all(|(own, segment)| own.matches(segment))
    }

    /// Which of two patterns is the more specific one, segment by segment: a literal before an expression before `?`
    /// before `??`.
    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let ranks = |pattern: &Self| pattern.0.iter().map(Segment::rank).collect::<Vec<_>>();
        ranks(self).cmp(&ranks(other))
    }

    /// Whether a path could match both, and neither is more specific.
    pub(super) fn is_as_specific_as(&self, other: &Self) -> bool {
        let same = |(one, other): (&Segment, &Segment)| match (one, other) {
            (Segment::Literal(one), Segment::Literal(other)) => one == other,
            _ => one.rank() == other.rank(),
        };
        self.0.len() == other.0.len() && self.0.iter().zip(&other.0).all(same)
    }
}
