//! What rules say of themselves and of a session, and the verdicts of those that are not about claims.

use super::*;
use crate::session::{Leaked, open};
use crate::testing::{Browser, FakeOxd, site};

fn record<'a>(claims: &'a [u8], acr: &'a [u8], scope: &'a [u8]) -> SessionRecord<'a> {
    SessionRecord {
        claims,
        strings: Strings {
            acr,
            scope,
            ..Strings::default()
        },
        ..SessionRecord::default()
    }
}

#[test]
fn a_rule_reads_as_in_the_configuration_and_says_what_is_missing() {
    let claims = json!({"sub": "alice", "groups": ["staff"], "none": [], "address": {"country": "DE"}});
    let claims = crate::session::claims::encode(claims.as_object().unwrap());
    let record = record(&claims, b"basic", b"openid read");
    let claim = |line: &str| Box::new(ClaimRule::parse(&words(line)).unwrap()) as Box<dyn Explain>;
    let scope = |line: &str| Box::new(ScopeRule::parse(&words(line)).unwrap()) as Box<dyn Explain>;
    let rows: Vec<(Box<dyn Explain>, &str, &str, &str)> = vec![
        (
            claim("sub bob"),
            "oxd-claim sub bob",
            "the claim sub has another value",
            "sub is \"alice\"",
        ),
        (
            claim("sub ~ ^b"),
            "oxd-claim sub ~ ^b",
            "the claim sub does not match",
            "sub is \"alice\"",
        ),
        (
            claim("mail x"),
            "oxd-claim mail x",
            "the session has no claim mail",
            "the session has no claim mail",
        ),
        (
            claim("none x"),
            "oxd-claim none x",
            "the claim none is empty",
            "none is []",
        ),
        (
            claim("groups admin"),
            "oxd-claim groups admin",
            "no value of the claim groups is among those of the rule",
            "groups is [\"staff\"]",
        ),
        (
            claim("address DE"),
            "oxd-claim address DE",
            "the claim address is an object, which has no value of its own: name a member (address.NAME)",
            "address is {\"country\":\"DE\"}",
        ),
        (
            claim("address.country FR"),
            "oxd-claim address.country FR",
            "the claim address.country has another value",
            "address.country is \"DE\"",
        ),
        (
            Box::new(AcrRule::parse(&words("u2f card")).unwrap()),
            "oxd-acr u2f card",
            "the user has signed in with another acr, or too long ago",
            "the user has signed in with \"basic\"",
        ),
        (
            scope("read write admin"),
            "oxd-scope read write admin",
            "write admin was not granted",
            "write admin was not granted",
        ),
        (
            Box::new(UmaRule::parse(&words("see")).unwrap()),
            "oxd-uma see",
            "the authorization server has not granted it",
            "the authorization server has not granted it",
        ),
        (
            Box::new(ExpressionRule("%{TIME_HOUR} > 8")),
            "expr %{TIME_HOUR} > 8",
            "it is not true of this request",
            "it is not true of this request",
        ),
    ];
    for (rule, text, without_values, with_values) in &rows {
        assert_eq!(rule.text(), format!("Require {text}"));
        assert_eq!(rule.lacks(&record, false), *without_values, "{text}");
        assert_eq!(rule.lacks(&record, true), *with_values, "{text}");
    }
    let nameless = SessionRecord::default();
    let acr = AcrRule::parse(&words("u2f")).unwrap();
    assert_eq!(acr.lacks(&nameless, true), "the provider named no acr");
}

#[test]
fn words_are_quoted_where_they_need_it_and_long_rules_are_cut() {
    let of = |words: &[&str]| {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        ClaimRule::parse(&words).unwrap().text()
    };
    assert_eq!(of(&["n", "a b", "", "c"]), "Require oxd-claim n \"a b\" \"\" c");
    let exactly = "x".repeat(150 - "Require oxd-claim n ".len());
    assert_eq!(of(&["n", &exactly]), format!("Require oxd-claim n {exactly}"));
    assert_eq!(
        of(&["n", &format!("{exactly}y")]),
        format!("Require oxd-claim n {exactly}...")
    );
}

#[test]
fn a_refusal_names_its_rules_in_their_order_and_only_the_first_ones() {
    let rules: Vec<ClaimRule> = (1..=6)
        .map(|number| ClaimRule::parse(&words(&format!("n {number}"))).unwrap())
        .collect();
    let mut links: Vec<Refusing<'_>> = Vec::new();
    for rule in &rules {
        // The chain of a test lives as long as the test.
        let before = links.last().map(|last| &*Box::leak(Box::new(*last)));
        links.push(Refusing {
            rule,
            standing: Standing::default(),
            before,
        });
    }
    let of = |number: usize| Unmet {
        rules: links.get(number),
        ..Unmet::default()
    };
    assert_eq!(of(0).text().as_deref(), Some("Require oxd-claim n 1"));
    assert_eq!(
        of(1).text().as_deref(),
        Some("Require oxd-claim n 1, Require oxd-claim n 2")
    );
    let all = of(5).text().unwrap();
    assert!(all.ends_with("n 5") && !all.contains("n 6"), "{all}");
    assert_eq!(of(6).text(), None);
    assert_eq!(
        of(0).explained(None, false).as_deref(),
        Some("Require oxd-claim n 1")
    );
    let record = SessionRecord::default();
    assert_eq!(
        of(1).explained(Some(&record), false).as_deref(),
        Some(
            "Require oxd-claim n 1: the session has no claim n; Require oxd-claim n 2: the session has no claim n"
        )
    );
    assert_eq!(of(6).explained(Some(&record), false), None);
}

#[test]
fn scopes_are_words_and_all_of_them_are_wanted() {
    let rule = ScopeRule::parse(&["read write".to_owned(), "admin".to_owned()]).unwrap();
    for (granted, holds) in [
        ("read write admin", true),
        ("admin x write read", true),
        ("read write", false),
        ("readwrite admin", false),
        ("", false),
    ] {
        assert_eq!(
            rule.holds(&record(&[], b"", granted.as_bytes())),
            holds,
            "{granted}"
        );
    }
    assert!(
        ScopeRule::parse(&[])
            .unwrap_err()
            .starts_with("Require oxd-scope: at least one scope")
    );
    let error = ScopeRule::parse(&words("read a\"b")).unwrap_err();
    assert_eq!(error, "Require oxd-scope: 'a\\\"b' is no scope");
    assert!(
        UmaRule::parse(&words("a\\b"))
            .unwrap_err()
            .starts_with("Require oxd-uma: ")
    );
    assert!(UmaRule::parse(&[]).is_ok());
}

#[test]
fn the_session_of_a_request_meets_a_rule_or_the_verdict_says_what_would() {
    let file = site("s");
    let mut browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.log_in("/app");
    browser.look("/app", |ctx| {
        let session = open(ctx, &Leaked).unwrap().expect("a session");
        let acr = |line| AcrRule::parse(&words(line)).unwrap();
        assert_eq!(acr("basic").check(ctx, &session), Verdict::Met);
        let u2f = acr("u2f");
        assert_eq!(u2f.check(ctx, &session), Verdict::StepUp(&["u2f".to_owned()]));
        let claim = |line| ClaimRule::parse(&words(line)).unwrap().check(ctx, &session) == Verdict::Met;
        assert!(claim("sub alice") && !claim("sub bob"));
        let openid = ScopeRule::parse(&words("openid")).unwrap();
        assert_eq!(openid.check(ctx, &session), Verdict::Met);
        let admin = ScopeRule::parse(&words("admin")).unwrap();
        assert_eq!(admin.check(ctx, &session), Verdict::Scopes(&["admin".to_owned()]));
        let uma = UmaRule::parse(&[]).unwrap();
        assert_eq!(
            uma.check(ctx, &session),
            Verdict::Unmet,
            "only `decide_for` opens it"
        );
        // Rules about users decide nothing of requests.
        assert!(acr("basic").decide(ctx, "GET").is_none());
        let Decision::Refused(failure) = acr("basic").decide_for(ctx, "GET", &session) else {
            panic!("a rule about users has let a request in");
        };
        assert_eq!(failure.reason, Reason::Forbidden);
    });
}

#[test]
fn a_uma_rule_asks_about_tokens_and_sends_browsers_to_sign_in_first() {
    let (file, path) = (site("s"), "/app".to_owned());
    let rule = UmaRule::parse(&[]).unwrap();
    let place = |with_path: bool| {
        let mut browser = Browser::at(RawSettings {
            site: Some(&file),
            uma_path: with_path.then_some(&path),
            ..RawSettings::default()
        });
        browser.oxd = FakeOxd {
            access: |request| {
                let access = if request["rpt"] == "" { "denied" } else { "granted" };
                Ok(json!({"access": access, "ticket": "t", "www-authenticate_header": "UMA ticket"}))
            },
            rpt: Ok(json!({"active": true, "permissions": [{"resource_id": "1", "resource_scopes": []}]})),
            ..FakeOxd::default()
        };
        browser
    };
    let decided = |browser: &Browser<'_>| {
        browser.look("/app", |ctx| match rule.decide(ctx, "GET") {
            None => "signs in".to_owned(),
            Some(Decision::Granted(_)) => "granted".to_owned(),
            Some(Decision::Ticket(challenge)) => challenge,
            Some(Decision::Refused(failure)) => failure.reason.code().to_owned(),
            Some(other) => panic!("{other:?}"),
        })
    };
    for (authorization, is_script, expected) in [
        (Some("Bearer rpt"), false, "granted"),
        (Some("Bearer rpt"), true, "granted"),
        (Some("Bearer a b"), false, "invalid_request"),
        (Some("Bearer a\"b"), false, "invalid_token"),
        (None, true, "UMA ticket"),
        (None, false, "signs in"),
    ] {
        let mut browser = place(true);
        browser.authorization = authorization.map(str::to_owned);
        browser.headers.sec_fetch_mode = is_script.then_some("cors");
        assert_eq!(decided(&browser), expected, "{authorization:?} {is_script}");
    }
    let mut unset = place(false);
    unset.authorization = Some("Bearer rpt".into());
    assert_eq!(decided(&unset), "not_configured");
    let mut user = place(true);
    user.log_in("/app");
    let opens = |browser: &Browser<'_>| {
        browser.look("/app", |ctx| {
            let session = open(ctx, &Leaked).unwrap().expect("a session");
            match rule.decide_for(ctx, "GET", &session) {
                Decision::Open => "open".to_owned(),
                Decision::Refused(failure) => failure.reason.code().to_owned(),
                other => panic!("{other:?}"),
            }
        })
    };
    assert_eq!(opens(&user), "open");
    user.settings.uma_path = None;
    assert_eq!(opens(&user), "not_configured");
}
