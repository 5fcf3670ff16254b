//! The choice of a language by `Accept-Language` (RFC 9110 section 12.5.4), with the lookup of RFC 4647 section 3.4:
//! who reads `de-AT` reads `de`.

use super::Language;

/// How many ranges of the header count. Browsers send fewer than ten.
const MOST_RANGES: usize = 32;
/// How many bytes of the header count: httpd takes 8 KB, of which that many ranges need a few hundred bytes.
const MOST_BYTES: usize = 1_024;

/// The language of the offered ones that a client reads best; the first one when it reads none, or does not say.
pub fn choose(accept: Option<&str>, offered: &[Language]) -> Language {
    let fallback = offered.first().copied().unwrap_or(Language::ENGLISH);
    let accept = accept.unwrap_or_default();
    let end = (0..=accept.len().min(MOST_BYTES))
        .rev()
        .find(|at| accept.is_char_boundary(*at));
    let accept = accept.get(..end.unwrap_or_default()).unwrap_or_default();
    let ranges: Vec<(&str, u16)> = accept.split(',').take(MOST_RANGES).filter_map(range).collect();
    // The most specific range about a language decides on it; among languages with one weight, the header's order does.
    let weight_of = |language: Language| {
        let exact = |tag: &str| tag.eq_ignore_ascii_case(language.code());
        let below = |tag: &str| tag.split('-').next().is_some_and(exact);
        let place = |fits: &dyn Fn(&str) -> bool| ranges.iter().position(|(tag, _)| fits(tag));
        let place = place(&exact)
            .or_else(|| place(&below))
            .or_else(|| place(&|tag| tag == "*"))?;
        ranges.get(place).map(|(_, weight)| (*weight, place))
    };
    let mut best: Option<(u16, usize, Language)> = None;
    for language in offered {
        if let Some((weight, place)) = weight_of(*language)
            && weight > 0
            && best.is_none_or(|(most, first, _)| weight > most || (weight == most && place < first))
        {
            best = Some((weight, place, *language));
        }
    }
    best.map_or(fallback, |(_, _, language)| language)
}

/// A language range with its weight in thousandths; `None` for what is neither.
fn range(element: &str) -> Option<(&str, u16)> {
    let mut parts = element.split(';').map(str::trim);
    let tag = parts.next().filter(|tag| !tag.is_empty())?;
    let weight = match parts.next() {
        None => 1_000,
        Some(parameter) => {
            let (name, value) = parameter.split_once('=')?;
            name.trim()
                .eq_ignore_ascii_case("q")
                .then(|| thousandths(value.trim()))??
        }
    };
    Some((tag, weight))
}

/// A `qvalue` (RFC 9110 section 12.4.2).
fn thousandths(value: &str) -> Option<u16> {
    let (whole, decimals) = value.split_once('.').unwrap_or((value, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part: u16 = format!("{decimals:0<3}").parse().ok()?;
    match (whole, part) {
        ("0", part) => Some(part),
        ("1", 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &str, offered: &str) -> &'static str {
        let offered: Vec<_> = offered.split(' ').filter_map(Language::named).collect();
        choose(Some(accept), &offered).code()
    }

    #[test]
    fn the_language_with_the_most_weight_is_chosen() {
        for (accept, offered, code) in [
            ("", "en de", "en"),
            ("de", "en de", "de"),
            ("DE", "en de", "de"),
            ("de-AT", "en de", "de"),
            ("zh-Hant-TW", "en de", "en"),
            ("en-US,en;q=0.9,de;q=0.8", "de en", "en"),
            ("fr;q=0.5, de ; q=0.8", "en fr de", "de"),
            ("de,fr", "en fr de", "de"),
            ("fr,de", "en fr de", "fr"),
            ("*", "nl en", "nl"),
            ("en;q=0.1, *", "en nl", "nl"),
            ("de;q=0, *", "de en", "en"),
            ("de;q=0", "de en", "de"),
            ("fr;q=0", "de fr", "de"),
            ("de-CH;q=0.9, de;q=0.1, fr;q=0.5", "en de fr", "fr"),
            ("pt-BR, en;q=0.5", "en pt", "pt"),
            ("deu", "en de", "en"),
            // What is no weight counts for nothing.
            ("de;q=2, fr;q=0.3", "en de fr", "fr"),
            ("de;q=0.0001, fr;q=0.001", "en de fr", "fr"),
            ("de;level=1, fr", "en de fr", "fr"),
            (";;;,,,=,q=1,-,*;q=", "en de", "en"),
        ] {
            assert_eq!(chosen(accept, offered), code, "{accept} of {offered}");
        }
        assert_eq!(choose(None, &[]), Language::ENGLISH);
    }

    #[test]
    fn a_hostile_header_costs_no_more_than_a_long_one() {
        let long = format!("{}de", "fr-".repeat(4_000));
        assert_eq!(chosen(&long, "en de"), "en");
        let many = format!("{}de", "xx;q=0.5,".repeat(900));
        assert_eq!(chosen(&many, "en de"), "en", "only the first ranges count");
        assert_eq!(chosen(&"ü".repeat(4_000), "en de"), "en");
        assert_eq!(chosen(&format!("{}de", " ".repeat(1_020)), "en de"), "de");
    }
}
