use super::*;

fn sample(claims: &[u8]) -> SessionRecord<'_> {
    SessionRecord {
        seen: Seconds(1_800_000_000),
        id: *b"sixteen bytes id",
        marks: Marks {
            user: u64::MAX,
            name: 9,
            sid: 7,
        },
        version: 300,
        issued: Seconds(1_799_999_990),
        began: Millis(1_799_999_990_999),
        asked_age: Some(Seconds(0)),
        ends: Seconds(1_800_028_790),
        auth_time: Seconds::ZERO,
        access_expires: Seconds(1_800_000_300),
        informed: Seconds(1_799_999_995),
        can_refresh: true,
        strings: Strings {
            acr: b"basic",
            identifier: &[0, 255, 0],
            scope: b"openid",
            ..Strings::default()
        },
        claims,
    }
}

#[test]
fn a_record_reads_back_as_it_was_written() {
    let claims = b"\x01\x05alice\0";
    let written = sample(claims).write();
    let read = SessionRecord::read(&written).unwrap();
    assert_eq!(read, sample(claims));
    assert_eq!(read.claims().count(), 1);
    let issued = sample(b"").issued;
    let without = SessionRecord {
        asked_age: None,
        can_refresh: false,
        seen: issued,
        informed: issued,
        access_expires: Seconds::ZERO,
        strings: Strings::default(),
        marks: Marks {
            name: 0,
            ..sample(b"").marks
        },
        ..sample(b"")
    };
    let written = without.write();
    assert_eq!(written.len(), FIXED);
    assert_eq!(SessionRecord::read(&written), Some(without));
}

#[test]
fn the_usual_scopes_are_a_bit_and_are_read_where_they_are_written_out_too() {
    let of_scope = |scope: &'static [u8]| SessionRecord {
        strings: Strings {
            scope,
            ..Strings::default()
        },
        ..sample(b"")
    };
    let usual = of_scope(b"openid profile email");
    let short = usual.write();
    assert_eq!(SessionRecord::read(&short), Some(usual));
    let without = of_scope(b"").write();
    assert_eq!(short.len(), without.len());
    // As an earlier version has written it.
    let mut long = without;
    let parts = u16::from_le_bytes([long[0], long[1]]) | Part::Scope as u16;
    long[..2].copy_from_slice(&parts.to_le_bytes());
    long.extend(b"\x14openid profile email\0");
    assert_eq!(SessionRecord::read(&long), Some(usual));
}

#[test]
fn a_number_too_great_for_its_place_becomes_the_greatest() {
    let endless = SessionRecord {
        ends: Seconds(u64::MAX),
        began: Millis(u64::MAX),
        asked_age: Some(Seconds(u64::MAX)),
        ..sample(b"")
    };
    let written = endless.write();
    let read = SessionRecord::read(&written).unwrap();
    assert_eq!(read.ends, Seconds((1 << 40) - 1));
    assert_eq!(read.began, Millis((1 << 48) - 1));
    assert_eq!(read.asked_age, Some(Seconds(u64::from(u32::MAX))));
    assert_eq!(read.seen, endless.seen);
}

#[test]
fn debug_output_shows_no_identifier() {
    let strings = Strings {
        identifier: b"hunter2",
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
    let mut hostile = vec![0xff; FIXED];
    hostile.extend([0xff; 40]);
    assert!(SessionRecord::read(&hostile).is_none());
    let mut endless = sample(b"").write();
    endless.extend([1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1]);
    assert_eq!(SessionRecord::read(&endless).unwrap().claims().count(), 0);
}
