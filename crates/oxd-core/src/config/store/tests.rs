use super::*;

/// What is read from a URL, and how it is written again.
#[test]
fn urls_are_read_as_the_reference_has_them() {
    let rows = [
        ("redis://h", "redis://h:6379"),
        ("REDIS://H:7000/3", "redis://h:7000/3"),
        ("rediss://h:6380/", "rediss://h:6380"),
        ("redis://[::1]:7/1", "redis://[::1]:7/1"),
        ("redis://192.0.2.1", "redis://192.0.2.1:6379"),
        ("redis+unix:///run/redis/s.sock", "redis+unix:///run/redis/s.sock"),
        ("redis+unix:///s?db=2", "redis+unix:///s?db=2"),
        ("redis+sentinel://a,b:1/main", "redis+sentinel://a:26379,b:1/main"),
        ("rediss+sentinel://a/main/4", "rediss+sentinel://a:26379/main/4"),
        (
            "redis+cluster://a,b:7001,c",
            "redis+cluster://a:6379,b:7001,c:6379",
        ),
        ("rediss+cluster://a", "rediss+cluster://a:6379"),
    ];
    for (text, written) in rows {
        assert!(StoreAddress::is_meant(text), "{text}");
        let address = StoreAddress::parse(text).unwrap_or_else(|why| panic!("{text}: {why:?}"));
        assert_eq!(address.to_string(), written, "{text}");
        assert_eq!(StoreAddress::parse(written), Ok(address), "{written}");
    }
}

#[test]
fn what_has_none_of_the_forms_is_refused() {
    let rows = [
        "redis://",
        "redis://h:0",
        "redis://h:x",
        "redis://h:",
        "redis://a,b",
        "redis://h/x",
        "redis://h/1/2",
        "redis://h/-1",
        "redis://h/+1",
        "redis://h?db=1",
        "redis://h#1",
        "redis://h/99999999999",
        "redis+unix://run/s",
        "redis+unix:///",
        "redis+unix:///s?x=1",
        "redis+sentinel://a",
        "redis+sentinel://a/",
        "redis+sentinel://a,/m",
        "redis+cluster://a/0",
        "redis+cluster://",
        "rediss+unix:///s",
        "valkey://h",
    ];
    for text in rows {
        let found = StoreAddress::parse(text);
        assert!(
            matches!(found, Err(BadAddress::Malformed(_))),
            "{text}: {found:?}"
        );
    }
    for text in [
        "redis://u:p@h",
        "redis://:p@h/1",
        "redis+sentinel://p@a/m",
        "rediss+cluster://a,u@b",
    ] {
        assert_eq!(
            StoreAddress::parse(text),
            Err(BadAddress::HoldsCredentials),
            "{text}"
        );
    }
    assert!(!StoreAddress::is_meant("redis:h:6379"));
}
