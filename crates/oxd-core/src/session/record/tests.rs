use super::*;

#[test]
fn kinds_of_claims_are_written_and_read_as_the_same_numbers_for_ever() {
    for (kind, number) in [
        (Kind::Text, 0),
        (Kind::Scalar, 1),
        (Kind::List, 2),
        (Kind::Json, 3),
    ] {
        assert_eq!((kind as u8, Kind::of(number)), (number, Some(kind)));
    }
    assert_eq!(Kind::of(4), None);
}

fn sample(claims: &[u8]) -> SessionRecord<'_> {
    SessionRecord {
        seen: Seconds(1_800_000_000),
        id: *b"sixteen bytes id",
        marks: Marks {
            user: u64::MAX,
            name: 0,
            sid: 7,
        },
        version: 300,
        issued: Seconds(1_799_999_990),
        began: Millis(1_799_999_990_999),
        asked_age: Some(Seconds(0)),
        ends: Seconds(1_800_028_790),
        auth_time: Seconds::ZERO,
        access_expires: Seconds(1_800_000_300),
        informed: Seconds(1_799_999_990),
        strings: Strings {
            acr: b"basic",
            target: b"/app/",
            key: &[0, 255, 0],
            access_token: b"at",
            ..Strings::default()
        },
        claims,
    }
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let mut claims = Vec::new();
    let text = ClaimView {
        kind: Kind::Text,
        hidden: false,
        name: b"sub",
        text_nul: b"alice\0",
        json: b"",
    };
    let json = ClaimView {
        kind: Kind::Json,
        hidden: true,
        name: b"a-b",
        text_nul: b"{}\0",
        json: b"{\"a\":1}",
    };
    put_claim(&mut claims, &text);
    put_claim(&mut claims, &json);
    let written = sample(&claims).write();
    let read = SessionRecord::read(&written).unwrap();
    assert_eq!(read, sample(&claims));
    assert_eq!(read.claims().collect::<Vec<_>>(), [text, json]);
    assert_eq!(&written[..8], 1_800_000_000u64.to_le_bytes());
}

#[test]
fn debug_output_shows_no_token() {
    let strings = Strings {
        access_token: b"hunter2",
        refresh_token: b"hunter2",
        id_token: b"hunter2",
        key: b"hunter2",
        ..Strings::default()
    };
    assert!(!format!("{strings:?}").contains("hunter2"));
}

#[test]
fn a_cut_or_hostile_record_is_none_and_never_a_panic() {
    let written = sample(b"").write();
    for cut in 0..written.len() {
        assert!(SessionRecord::read(&written[..cut]).is_none(), "{cut}");
    }
    let mut hostile = vec![0; 48];
    hostile.extend_from_slice(&[0xff; 40]);
    assert!(SessionRecord::read(&hostile).is_none());
    let mut endless = sample(b"").write();
    endless.extend_from_slice(&[0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1]);
    assert_eq!(SessionRecord::read(&endless).unwrap().claims().count(), 0);
}
