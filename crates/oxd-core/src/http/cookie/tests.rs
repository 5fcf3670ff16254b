use super::*;

#[test]
fn cookies_are_found_in_odd_headers() {
    for (header, expected) in [
        ("oxd_session=v", Some("v")),
        ("a=b; oxd_session=v", Some("v")),
        ("a=b;oxd_session=v ; c=d", Some("v")),
        ("; ; oxd_session=v;", Some("v")),
        ("noequals; oxd_session=v=w", Some("v=w")),
        ("oxd_session=", Some("")),
        ("oxd_session=1; oxd_session=2", Some("1")),
        ("xoxd_session=v", None),
        ("oxd_sessionx=v", None),
        ("oxd_session", None),
        ("", None),
        (";;;", None),
    ] {
        assert_eq!(
            find(header.as_bytes(), b"oxd_session"),
            expected.map(str::as_bytes),
            "{header}"
        );
    }
}

#[test]
fn other_cookies_stay_as_they_are() {
    let own = |name: &[u8]| name.starts_with(b"oxd");
    let without = |header: &str| without(header.as_bytes(), own).map(|h| String::from_utf8(h).unwrap());
    assert_eq!(
        without("a=1; flag; oxd_s=x; b=\"x y\"; c=="),
        Some("a=1; flag; b=\"x y\"; c==".into())
    );
    assert_eq!(without("a=1; oxd"), None);
    assert_eq!(without("oxd_s=x"), Some(String::new()));
}

#[test]
fn two_cookie_fields_are_taken_apart_and_commas_of_others_stay() {
    let own = |name: &[u8]| name.starts_with(b"oxd");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let split =
        |header: &str| split(header.as_bytes(), own).map(|split| (split.whole.map(text), text(split.others)));
    let whole = |text: &str| Some(text.to_owned());
    for (header, expected) in [
        ("a=1; b=x,y", None),
        ("oxd_s=v", Some((None, String::new()))),
        (" oxd_s =v ", Some((None, String::new()))),
        ("oxd_s", None),
        ("x", None),
        ("a=1; oxd_s=v", Some((None, "a=1".into()))),
        ("a=1, oxd_s=v", Some((whole("a=1; oxd_s=v"), "a=1".into()))),
        ("oxd_s=v, a=1", Some((whole("oxd_s=v; a=1"), "a=1".into()))),
        (
            "a=x,y; oxd_s=v, b=\"p, q\"; c=1",
            Some((
                whole("a=x,y; oxd_s=v; b=\"p, q\"; c=1"),
                "a=x,y; b=\"p, q\"; c=1".into(),
            )),
        ),
        (
            "a=oxd_s, oxd_s=v, oxd_t=w",
            Some((whole("a=oxd_s; oxd_s=v; oxd_t=w"), "a=oxd_s".into())),
        ),
    ] {
        assert_eq!(split(header), expected, "{header}");
    }
}

#[test]
fn a_comma_begins_no_cookie_with_a_prefix() {
    let own = |name: &[u8]| name.eq_ignore_ascii_case(b"__Host-s");
    for (header, whole, others) in [
        ("a=x, __Host-s=planted; __Host-s=own", "a=x; __Host-s=own", "a=x"),
        ("a=x, __host-s=planted", "a=x", "a=x"),
        ("__Host-s=own, a=x", "__Host-s=own; a=x", "a=x"),
    ] {
        let split = split(header.as_bytes(), own).unwrap();
        assert!(!split.is_alone, "{header}");
        assert_eq!(split.whole.unwrap(), whole.as_bytes(), "{header}");
        assert_eq!(split.others, others.as_bytes(), "{header}");
    }
}

#[test]
fn a_cut_value_is_put_together_again() {
    for length in [0, 1, CHUNK, CHUNK + 1, CHUNK * 3] {
        let value = "x".repeat(length);
        let pieces = cut("s", &value).unwrap();
        assert!(pieces.iter().all(|(n, v)| n.len() + v.len() < 4096 - 200));
        let header = pieces
            .iter()
            .map(|(n, v)| format!("{n}={v}"))
            .collect::<Vec<_>>()
            .join("; ");
        assert_eq!(first_joined(&header).unwrap(), value.as_bytes());
    }
    assert!(cut("s", &"x".repeat(CHUNK * (MAX_CHUNKS + 1))).is_none());
}

fn first_joined(header: &str) -> Option<Vec<u8>> {
    join(header.as_bytes(), "s").next().map(Cow::into_owned)
}

#[test]
fn every_value_of_a_name_is_a_candidate_with_its_own_pieces() {
    for header in [
        "s=2.old; s.1=old; s=2.new; s.1=new",
        "s=2.new; s.1=new; s=2.old; s.1=old",
        "s=old; s=2.new; s.1=new",
        "s=2.new; s.1=new; s=old",
        "s=3.old; s.1=old; s=2.new; s.1=new",
    ] {
        let all: Vec<_> = join(header.as_bytes(), "s").map(Cow::into_owned).collect();
        assert!(all.contains(&b"newnew".to_vec()), "{header}");
    }
}

#[test]
fn a_missing_piece_is_no_value_and_a_hostile_count_is_bounded() {
    assert!(first_joined("s=3.aa; s.1=bb").is_none());
    assert!(first_joined("s.1=bb; s.2=cc").is_none());
    assert_eq!(first_joined("s=999999.aa; s.1=b").unwrap(), b"999999.aa");
    assert_eq!(first_joined("s=1.aa").unwrap(), b"1.aa");
    assert_eq!(
        join("s=x; ".repeat(1_000).as_bytes(), "s").count(),
        MOST_CANDIDATES
    );
}

#[test]
fn attributes_stand_as_the_interface_promises() {
    let attributes = Attributes {
        path: "/",
        domain: None,
        same_site: SameSite::Lax,
        secure: true,
        further: &["Partitioned".to_owned(), "Priority=High".to_owned()],
    };
    assert_eq!(
        attributes.set("n", "v", None),
        "n=v; Path=/; HttpOnly; SameSite=Lax; Secure; Partitioned; Priority=High"
    );
    let cleared = attributes.clear("n");
    assert!(
        cleared.starts_with("n=; Path=/; Max-Age=0; HttpOnly"),
        "{cleared}"
    );
}

#[test]
fn a_header_of_commas_costs_a_look_at_each_part() {
    let looks = std::cell::Cell::new(0);
    let own = |_: &[u8]| {
        looks.set(looks.get() + 1);
        false
    };
    assert_eq!(split(",=".repeat(4_000).as_bytes(), own), None);
    assert!(looks.get() <= 3 * 4_001, "{}", looks.get());
}

#[test]
fn values_of_a_name_and_of_its_suffix_are_found_in_one_pass() {
    for (header, plain, suffixed) in [
        ("s=1", &["1"][..], &[][..]),
        ("a=0; s=1 ; s.seen=2;s=3", &["1", "3"], &["2"]),
        ("sx=1; xs=2; s.seenx=3; s", &[], &[]),
        ("s=; s.seen=", &[""], &[""]),
        ("s=1; s=2; s=3; s=4; s=5", &["1", "2", "3", "4"], &[]),
        ("", &[], &[]),
    ] {
        let mut found = Named::default();
        found.look(header.as_bytes(), false, b"s", b".seen=");
        let texts = |values: &[&[u8]]| -> Vec<String> {
            let text = |value: &&[u8]| String::from_utf8(value.to_vec()).unwrap();
            values.iter().map(text).collect()
        };
        assert_eq!(
            (texts(found.plain()), texts(found.suffixed())),
            (own(plain), own(suffixed)),
            "{header}"
        );
        if !header.contains(';') {
            let mut alone = Named::default();
            alone.look(header.as_bytes(), true, b"s", b".seen=");
            assert_eq!(
                (alone.plain(), alone.suffixed()),
                (found.plain(), found.suffixed()),
                "{header}"
            );
        }
    }
    fn own(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }
}
