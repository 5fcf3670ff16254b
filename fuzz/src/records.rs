//! The record and the tokens of a session, and the cookie that holds a record.

use std::sync::LazyLock;

use oxd_core::base::{Millis, Seconds};
use oxd_core::fuzzing::{self, Sealed};
use oxd_core::session::{SessionRecord, Tokens};

use crate::place::{Answering, Asked, NOW, Place};

thread_local! {
    static PLACE: LazyLock<Place> =
        LazyLock::new(|| Place::with(&[&["OxdId", "site"]], None, Answering::default()));
}

/// Bytes are read as a record without one of its texts leaving them; what was read is written as it was; a record of
/// any values reads back.
pub fn session_record(data: &[u8]) {
    if let Some(record) = SessionRecord::read(data) {
        within(&record, data);
        let written = record.write();
        let again = SessionRecord::read(&written).expect("it was written just now");
        assert_eq!(again, record, "read, written and read");
        assert_eq!(again.write(), written);
    }
    if let Some(tokens) = Tokens::read(data) {
        let written = tokens.write();
        assert!(
            written.len() <= data.len() && Tokens::read(&written) == Some(tokens),
            "tokens"
        );
        for cut in [1, written.len() / 2, written.len()] {
            assert!(
                Tokens::read(&written[..written.len() - cut]).is_none(),
                "tokens that were cut"
            );
        }
    }
    made(data);
    in_a_cookie(data);
}

/// Each text is a part of the bytes, with the NUL behind it.
fn within(record: &SessionRecord<'_>, data: &[u8]) {
    let bounds = data.as_ptr_range();
    let is_within = |text: &[u8]| {
        let range = text.as_ptr_range();
        text.is_empty() || (bounds.start <= range.start && range.end <= bounds.end)
    };
    let strings = &record.strings;
    for text in [strings.acr, strings.acrs, strings.refused, strings.identifier] {
        assert!(is_within(text));
    }
    assert!(is_within(strings.scope) || strings.scope == b"openid profile email");
    let mut count = 0;
    for claim in record.claims() {
        assert!(is_within(claim.text_nul) && is_within(claim.json) && claim.text_nul.last() == Some(&0));
        assert!(is_within(claim.name) || claim.known.is_some());
        count += 1;
    }
    assert!(count <= data.len());
    let named = record.claims().named("sub").map(|claim| claim.text_nul);
    let first = record
        .claims()
        .find(|claim| claim.is("sub"))
        .map(|claim| claim.text_nul);
    assert_eq!(named, first, "the short way to sub");
}

/// A record of the values in the bytes.
fn made(data: &[u8]) {
    let (numbers, texts) = data.split_at(data.len().min(72));
    let number = |at: usize| {
        numbers
            .get(at * 8..at * 8 + 8)
            .map_or(0, |b| u64::from_le_bytes(b.try_into().unwrap_or_default()))
    };
    let mut texts = crate::parts(texts).map(|text| text.split(|byte| *byte == 0).next().unwrap_or_default());
    let mut next = || texts.next().unwrap_or_default();
    let mut record = SessionRecord {
        seen: Seconds(number(0) & ((1 << 40) - 1)),
        version: number(1) as u32,
        issued: Seconds(number(2) & ((1 << 40) - 1)),
        began: Millis(number(3) & ((1 << 48) - 1)),
        ends: Seconds(number(4) & ((1 << 40) - 1)),
        auth_time: Seconds(number(5) & ((1 << 40) - 1)),
        asked_age: (number(6) & 1 == 1).then_some(Seconds(number(6) >> 32)),
        can_refresh: number(6) & 2 == 2,
        access_expires: Seconds(number(7) & ((1 << 40) - 1)),
        informed: Seconds(number(8) & ((1 << 40) - 1)),
        ..SessionRecord::default()
    };
    (record.marks.user, record.marks.name, record.marks.sid) = (number(0), number(1), number(2));
    record.strings.acr = next();
    record.strings.acrs = next();
    record.strings.refused = next();
    record.strings.identifier = next();
    record.strings.scope = next();
    record.claims = next();
    let written = record.write();
    assert_eq!(
        SessionRecord::read(&written),
        Some(record),
        "a record of any values"
    );
    let tokens = Tokens {
        access_token: next(),
        refresh_token: next(),
        id_token: next(),
        target: next(),
    };
    assert_eq!(Tokens::read(&tokens.write()), Some(tokens));
}

/// The module reads only what it has sealed itself. Even if that were anything: whoever is admitted is who the record
/// says, and the record is one that is alive.
fn in_a_cookie(data: &[u8]) {
    PLACE.with(|place| {
        let nobody = Asked {
            target: "/app",
            ..Asked::default()
        };
        let Ok(sealed) = place.ask(&nobody, |ctx| fuzzing::seal(ctx, Sealed::Session, data)) else {
            return;
        };
        let cookie = format!("oxd_session={sealed}");
        let asked = Asked {
            target: "/app",
            cookies: cookie.as_bytes(),
            ..Asked::default()
        };
        let Ok(user) = place.admitted(&asked) else { return };
        let record = SessionRecord::read(data).expect("somebody was admitted by what is no record");
        assert!(NOW < record.ends, "a session that has ended");
        let named = record
            .claims()
            .find(|claim| claim.is("sub"))
            .expect("a user without a sub");
        assert_eq!(user.strip_suffix(b"\0").unwrap_or(&user), named.text());
    });
}
