//! The `Cookie` header: what is found in it, and what is left of it for the application.

use oxd_core::http::cookie::{self, Named};

/// The names that the module's own cookies have here.
const OWN: [&[u8]; 3] = [b"s", b"__Host-s", b"s.seen"];

fn is_own(name: &[u8]) -> bool {
    OWN.contains(&name) || name.starts_with(b"oxd_state.")
}

/// A cookie header, byte by byte as RFC 6265 has it: name and value of each pair with `=`.
fn model(header: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut all = Vec::new();
    for pair in header.split(|byte| *byte == b';') {
        if let Some(at) = pair.iter().position(|byte| *byte == b'=') {
            all.push((
                pair[..at].trim_ascii().to_vec(),
                pair[at + 1..].trim_ascii().to_vec(),
            ));
        }
    }
    all
}

/// `find`, `find_all`, `all`, `Named`, `without`, `split` and `join` against a model, and `cut` against `join`.
pub fn cookie_header(header: &[u8]) {
    let known = model(header);
    let owned = |(name, value): (&[u8], &[u8])| (name.to_vec(), value.to_vec());
    assert_eq!(cookie::all(header).map(owned).collect::<Vec<_>>(), known, "all");

    for name in OWN {
        // A name is found as it is written: blanks may stand before it and behind the value, and nowhere else.
        let strict: Vec<&[u8]> = header
            .split(|byte| *byte == b';')
            .filter_map(|pair| pair.trim_ascii_start().strip_prefix(name)?.strip_prefix(b"="))
            .map(<[u8]>::trim_ascii_end)
            .collect();
        assert_eq!(cookie::find(header, name), strict.first().copied(), "find");
        assert_eq!(
            cookie::find_all(header, name).collect::<Vec<_>>(),
            strict,
            "find_all"
        );
    }
    named(header);
    without(header, &known);
    split(header);
    join(header);
}

fn named(header: &[u8]) {
    let mut found = Named::default();
    found.look(header, false, b"s", b".seen=");
    let plain: Vec<_> = cookie::find_all(header, b"s").take(4).collect();
    let suffixed: Vec<_> = cookie::find_all(header, b"s.seen").take(4).collect();
    assert_eq!(
        (found.plain(), found.suffixed()),
        (&plain[..], &suffixed[..]),
        "Named"
    );
    if !header.contains(&b';') {
        let mut alone = Named::default();
        alone.look(header, true, b"s", b".seen=");
        assert_eq!(
            (alone.plain(), alone.suffixed()),
            (&plain[..], &suffixed[..]),
            "alone"
        );
    }
}

fn without(header: &[u8], known: &[(Vec<u8>, Vec<u8>)]) {
    let has_own = known.iter().any(|(name, _)| is_own(name));
    let left = cookie::without(header, is_own);
    assert_eq!(left.is_some(), has_own, "without");
    let Some(left) = left else { return };
    let others: Vec<_> = known.iter().filter(|(name, _)| !is_own(name)).cloned().collect();
    assert_eq!(model(&left), others, "the others, in order");
    // Byte by byte, parts without `=` too.
    let foreign = |pair: &&[u8]| {
        let name = pair
            .iter()
            .position(|byte| *byte == b'=')
            .map(|at| pair[..at].trim_ascii());
        !pair.is_empty() && !name.is_some_and(is_own)
    };
    let pairs = |header: &'_ [u8]| -> Vec<Vec<u8>> {
        let trimmed = header.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
        trimmed.filter(foreign).map(<[u8]>::to_vec).collect()
    };
    assert_eq!(pairs(&left), pairs(header), "byte by byte");
}

fn split(header: &[u8]) {
    let Some(split) = cookie::split(header, is_own) else {
        assert!(
            !model(header).iter().any(|(name, _)| is_own(name)),
            "one of ours stays"
        );
        return;
    };
    // No reader of the application finds one of ours, whether it takes a comma for an end or not.
    for part in split.others.split(|byte| matches!(byte, b';' | b',')) {
        let name = part
            .iter()
            .position(|byte| *byte == b'=')
            .map(|at| part[..at].trim_ascii());
        assert!(!name.is_some_and(is_own), "one of ours is handed on");
    }
    // What is handed on stands in the header, in the same order.
    let mut rest = header;
    for pair in split.others.split(|byte| *byte == b';').map(<[u8]>::trim_ascii) {
        let at = (0..=rest.len().saturating_sub(pair.len())).find(|at| rest[*at..].starts_with(pair));
        let at = at.expect("a foreign cookie was changed");
        rest = &rest[at + pair.len()..];
    }
    if !header.contains(&b',') {
        assert!(split.whole.is_none());
        assert_eq!(
            cookie::without(header, is_own).as_deref(),
            Some(&split.others[..])
        );
    }
    assert!(!split.is_alone || !header.contains(&b';'));
    // A name with a prefix that browsers protect counts only where the browser has written it: at the beginning of a
    // pair.
    if let Some(whole) = &split.whole {
        let trusted = cookie::find_all(whole, b"__Host-s").count();
        assert!(
            trusted
                <= cookie::all(header)
                    .filter(|(name, _)| *name == b"__Host-s")
                    .count(),
            "a prefix is forged"
        );
    }
}

fn join(header: &[u8]) {
    let joined: Vec<_> = cookie::join(header, "s").collect();
    assert!(joined.len() <= 8, "{} values", joined.len());
    let sent: usize = cookie::find_all(header, b"s").map(<[u8]>::len).sum();
    assert!(
        joined.iter().all(|value| value.len() <= header.len().max(sent)),
        "longer than what was sent"
    );
    // A value that was cut comes back, whatever stands around it.
    let letters: Vec<u8> = header.iter().map(|byte| b'A' + byte % 26).collect();
    // Now and then a value that has to be cut: the longest takes as long as a hundred short ones.
    let most = if header.len().is_multiple_of(16) { 160 } else { 1 };
    let length = header.first().map_or(0, |byte| usize::from(*byte) * most);
    let value = String::from_utf8(letters.into_iter().cycle().take(length).collect()).expect("letters");
    let Some(pieces) = cookie::cut("s", &value) else {
        assert!(value.len() > 9 * 3_700);
        return;
    };
    assert!(
        pieces
            .iter()
            .all(|(name, value)| name.len() + value.len() < 4_096)
    );
    let mut sent = b"other=1; ".to_vec();
    for (name, value) in &pieces {
        sent.extend(format!("{name}={value}; s.x=2; ").bytes());
    }
    let back: Vec<_> = cookie::join(&sent, "s").collect();
    assert_eq!(back.len(), 1);
    assert!(*back[0] == *value.as_bytes(), "cut and joined");
    // Without one of its pieces there is none.
    if pieces.len() > 1 {
        let (name, _) = &pieces[pieces.len() - 1];
        let gone = cookie::without(&sent, |other| other == name.as_bytes()).expect("it is there");
        assert_eq!(cookie::join(&gone, "s").count(), 0, "a piece is missing");
    }
}
