use super::*;
use crate::base::Seconds;
use crate::config::{RawSettings, ServerDefaults, Settings};
use crate::session::claims::lookup::claim_text;
use crate::session::{SessionRecord, Strings};
use serde_json::{Value, json};

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn holds(claims: Value, rule: &str) -> bool {
    let raw = crate::session::claims::encode(claims.as_object().unwrap());
    ClaimRule::parse(&words(rule)).unwrap().holds(&SessionRecord {
        claims: &raw,
        ..SessionRecord::default()
    })
}

#[test]
fn claims_are_compared_as_the_interface_says() {
    let claims = json!({"sub": "alice", "n": 5, "ok": true, "groups": ["admin", "staff"], "odd": ["a,b", 7, {"x": 1}],
        "address": {"country": "DE", "lines": ["one", "two"], "geo": {"lat": 48}}, "a.b": "dotted", "empty": "",
        "none": [], "text": "a,b"});
    for (rule, expected) in [
        ("sub alice", true),
        ("sub bob alice", true),
        ("sub alice bob", true),
        ("sub Alice", false),
        ("sub ali", false),
        ("n 5", true),
        ("n 5.0", false),
        ("ok true", true),
        ("ok false", false),
        ("groups admin", true),
        ("groups staff", true),
        ("groups adm", false),
        ("groups admin,staff", false),
        ("odd a,b", true),
        ("odd a", false),
        ("odd 7", true),
        ("odd 1", false),
        ("address.country DE", true),
        ("address.country de", false),
        ("address.lines two", true),
        ("address.lines.0 one", true),
        ("address.geo.lat 48", true),
        ("address.geo 48", false),
        ("address DE", false),
        ("address.nothing DE", false),
        ("sub.x alice", false),
        ("a.b dotted", true),
        ("none x", false),
        ("text a", false),
        ("text a,b", true),
        ("missing x", false),
        ("sub ~ ^al", true),
        ("sub ~ ^AL", false),
        ("sub ~ (?i)^AL", true),
        ("groups ~ ^sta", true),
        ("groups ~ ^x", false),
        ("address.country ~ ^(DE|AT)$", true),
        ("empty ~ ^$", true),
        ("missing ~ .*", false),
    ] {
        assert_eq!(holds(claims.clone(), rule), expected, "{rule}");
    }
}

#[test]
fn rules_that_cannot_be_read_say_why() {
    for line in ["", "sub", "sub ~", "sub ~ a b", "sub ~ ("] {
        let error = ClaimRule::parse(&words(line)).unwrap_err();
        assert!(
            error.starts_with("Require oxd-claim: ") && error.contains("allowed: "),
            "{error}"
        );
    }
    let broken = ClaimRule::parse(&words("sub ~ (")).unwrap_err();
    assert!(broken.contains("unclosed group"), "{broken}");
    let nameless = ClaimRule::parse(&["".into(), "alice".into()]).unwrap_err();
    assert!(nameless.contains("name is empty"), "{nameless}");
    assert!(AcrRule::parse(&[]).is_err() && AcrRule::parse(&["a b".into()]).is_err());
}

#[test]
fn an_acr_is_one_of_the_values_and_recent_enough() {
    const NOW: Seconds = crate::testing::NOW;
    let history = format!(
        "pin {} {}\nu2f {} {}\ncard {} 0\n",
        NOW - 100,
        NOW - 100,
        NOW - 3_600,
        NOW - 4_000,
        NOW - 50,
    );
    let texts = Strings {
        acr: b"basic",
        acrs: history.as_bytes(),
        ..Strings::default()
    };
    let (day, hour) = (Seconds(86_400), Seconds(3_600));
    for (wanted, lifetime, max_age, expected) in [
        ("basic", day, None, true),
        ("other basic", day, None, true),
        ("other", day, None, false),
        ("1800000000", day, None, false),
        // The login that used it lies an hour back.
        ("u2f", day, None, true),
        ("u2f", hour, None, false),
        // OxdMaxAge counts from the authentication, which must be known.
        ("u2f", day, Some(Seconds(4_000)), true),
        ("u2f", day, Some(Seconds(3_999)), false),
        ("pin", day, Some(Seconds(100)), true),
        ("card", day, Some(hour), false),
        ("card", day, None, true),
        ("basic", hour, Some(Seconds(1)), true),
    ] {
        let keys = crate::testing::keys();
        let raw = RawSettings {
            session_lifetime: Some(lifetime),
            max_age,
            ..RawSettings::default()
        };
        let server = ServerDefaults {
            keys: &keys,
            threads: 4,
            stores: &crate::testing::NoStores,
            revocations: None,
            tokens_path: None,
        };
        let rule = AcrRule::parse(&words(wanted)).unwrap();
        let is_met = rule.is_met(&texts, &Settings::of(&raw, server), NOW);
        assert_eq!(is_met, expected, "{wanted} {lifetime:?} {max_age:?}");
    }
}

#[test]
fn a_claim_in_an_expression_reads_as_in_the_environment() {
    let claims = json!({"groups": ["a", "b"], "address": {"country": "DE", "lines": ["x", "y"]}});
    let raw = crate::session::claims::encode(claims.as_object().unwrap());
    let parts = SessionRecord {
        claims: &raw,
        ..SessionRecord::default()
    };
    let text = |path| {
        claim_text(&parts, path).map(|t| {
            String::from_utf8(t.into_owned())
                .unwrap()
                .trim_end_matches('\0')
                .to_owned()
        })
    };
    assert_eq!(text("groups").as_deref(), Some("a,b"));
    assert_eq!(text("address.country").as_deref(), Some("DE"));
    assert_eq!(text("address.lines").as_deref(), Some("x,y"));
    assert_eq!(text("missing"), None);
}

#[test]
fn a_path_leads_through_dots_and_arrays() {
    let claims = json!({
        "resource_access": {
            "app.example.com": {"roles": ["admin", "staff"]},
            "app": {"example": {"com": {"roles": ["other"]}}},
            "app.example": {"net": "x"},
        },
        "a.b": "claim with a dot",
        "a": {"b": "member", "c.d": {"e": 1}},
        "groups": [{"name": "one", "tags": ["x", "y"]}, {"name": "two"}, {"id": 3}],
        "big": serde_json::from_str::<Value>("123456789012345678901234567890").unwrap(),
        "n": serde_json::from_str::<Value>("[1.10, 9007199254740993]").unwrap(),
    });
    let raw = crate::session::claims::encode(claims.as_object().unwrap());
    let record = SessionRecord {
        claims: &raw,
        ..SessionRecord::default()
    };
    let text = |path: &str| {
        let text = claim_text(&record, path)?.into_owned();
        Some(String::from_utf8(text).unwrap().trim_end_matches('\0').to_owned())
    };
    for (path, expected) in [
        ("resource_access.app.example.com.roles", Some("admin,staff")),
        ("resource_access.app\\.example\\.com.roles", Some("admin,staff")),
        ("resource_access.app.example.net", Some("x")),
        ("resource_access.app.example.org", None),
        ("a.b", Some("claim with a dot")),
        ("a.c.d.e", Some("1")),
        ("a.c\\.d.e", Some("1")),
        ("a\\.b", Some("claim with a dot")),
        ("groups[].name", Some("one,two")),
        ("groups[].tags", Some("x,y")),
        ("groups[].tags[]", Some("x,y")),
        ("groups.0.name", Some("one")),
        ("groups.7.name", None),
        ("groups[].none", Some("")),
        ("a[]", None),
        // Digits as they came, also beyond 53 bits.
        ("big", Some("123456789012345678901234567890")),
        ("n", Some("1.10,9007199254740993")),
    ] {
        assert_eq!(text(path).as_deref(), expected, "{path}");
    }
    let long = vec!["a"; 100].join(".");
    assert_eq!(text(&long), None, "no endless search");
}

mod said;
