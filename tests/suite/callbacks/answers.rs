//! Callbacks that carry something else than a good answer.

use oxd_dev::Like;
use oxd_tests::{Approval, Browser, DEMO_SUB, TestSite, approve, begin, decide, sign_in};
use url::Url;

/// The callback's address with this query.
fn with_query(approval: &Approval, query: &str) -> Url {
    let mut url = approval.url().clone();
    url.set_query(Some(query));
    url
}

fn value(approval: &Approval, name: &str) -> String {
    let url = approval.url();
    let mut pairs = url.query_pairs();
    let (_, value) = pairs
        .find(|(n, _)| n == name)
        .unwrap_or_else(|| panic!("{name} in {url}"));
    value.into_owned()
}

#[test]
fn code_and_state_must_be_there_once() {
    let site = TestSite::start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let approval = approve(&browser, &start.location());
    let (code, state) = (value(&approval, "code"), value(&approval, "state"));
    site.forget_calls();
    for query in [
        "",
        "&",
        "&&=&",
        "=",
        "code",
        "state",
        "code&state",
        "code=&state=",
        &format!("code={code}"),
        &format!("state={state}"),
        &format!("code=&state={state}"),
        &format!("code={code}&state="),
        &format!("code={code}&code={code}&state={state}"),
        &format!("code={code}&state={state}&state={state}"),
        &format!("code={code}&state={state}&code=other"),
        &format!("code={code}&state=other&state={state}"),
        &format!("code={code}&state={state}&%63ode={code}"),
        &format!("Code={code}&State={state}"),
    ] {
        // Each with the cookie of the login that is under way.
        let answer = browser.copy().get(with_query(&approval, query));
        assert_eq!(answer.status, 400, "{query}: {}", answer.summary());
        assert!(answer.given_cookies("oxd_session").is_empty(), "{query}");
    }
    site.expect_commands(&[]);
    assert_eq!(site.user(&browser), None);
}

#[test]
fn the_same_at_the_login_address() {
    let site = TestSite::start();
    for query in [
        "code=x",
        "state=x",
        "code=x&code=y&state=z",
        "error=x&error=y",
        "code=x&state=",
    ] {
        let browser = Browser::new();
        browser.get(site.url(&format!("/oxd/login?{query}"))).expect(400);
    }
    site.expect_commands(&[]);
}

#[test]
fn a_form_is_held_to_the_same() {
    let site = TestSite::builder()
        .directives("OxdAuthParam response_mode form_post")
        .start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let approval = approve(&browser, &start.location());
    let Approval::Post(url, fields) = &approval else {
        panic!("not a form: {approval:?}")
    };
    let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let twice = [&fields[..], &fields[..]].concat();
    site.forget_calls();
    let copy = browser.copy();
    copy.post(url, &twice).expect(400);
    copy.post(url, &[]).expect(400);
    copy.post(url, &[("code", "x")]).expect(400);
    let plain = |kind: &str, body: &[u8]| {
        let ask = copy
            .ask("POST", url)
            .header("content-type", kind)
            .body(body.to_vec());
        let answer = ask.send();
        assert!(
            (400..500).contains(&answer.status),
            "{kind}: {}",
            answer.summary()
        );
    };
    plain("application/json", b"{\"code\":\"x\",\"state\":\"y\"}");
    plain("multipart/form-data; boundary=x", b"--x--");
    plain("application/x-www-form-urlencoded", &vec![b'a'; 3 << 20]);
    let bare = copy.ask("POST", url).body(b"code=x".to_vec()).send();
    assert!((400..500).contains(&bare.status), "{}", bare.summary());
    site.expect_commands(&[]);
    approval.deliver(&browser).expect(303);
}

#[test]
fn a_user_who_does_not_agree_is_told_so() {
    let site = TestSite::start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let refusal = decide(&browser, &start.location(), ("test_user", "secret"), "cancel");
    assert_eq!(value(&refusal, "error"), "access_denied");
    site.forget_calls();
    let answer = refusal.deliver(&browser);
    let page = answer.expect(403).page();
    assert!(
        page.links().iter().any(|link| link.contains("/oxd/login")),
        "{:?}",
        page.links()
    );
    site.expect_commands(&[]);
    assert_eq!(site.user(&browser), None);
    // The next attempt is not held back by this one.
    sign_in(&browser, site.url("/app/")).page.expect(200);
}

#[test]
fn the_providers_errors_are_shown_and_cannot_do_harm() {
    let site = TestSite::start();
    site.httpd.allow_log(r"\[oxd:warn\] .* provider_error");
    for (error, description) in [
        ("login_required", "please sign in"),
        ("server_error", "<script>alert(1)</script>"),
        ("invalid_scope", "\"><img src=x onerror=alert(1)>"),
        ("<b>x</b>", "' onmouseover='alert(1)"),
        ("temporarily_unavailable", "a\r\nSet-Cookie: evil=1"),
        ("x", "\u{202e}\u{0}\u{7f}"),
        ("y", &"long ".repeat(800)),
    ] {
        let browser = Browser::new();
        let start = begin(&browser, site.url("/app/"));
        let approval = approve(&browser, &start.location());
        site.forget_calls();
        let mut url = with_query(&approval, "");
        url.query_pairs_mut()
            .clear()
            .append_pair("error", error)
            .append_pair("error_description", description)
            .append_pair("error_uri", "javascript:alert(1)")
            .append_pair("state", &value(&approval, "state"));
        let answer = browser.get(&url);
        let page = answer.expect(400).page();
        assert!(!page.runs_script(), "{error}: {}", answer.text());
        assert!(answer.header("evil").is_none() && answer.given_cookies("evil").is_empty());
        if description.is_ascii() && description.len() < 100 && !description.contains('\r') {
            let text = page.text();
            assert!(text.contains(description), "{description:?} in {text:?}");
        }
        site.expect_commands(&[]);
        assert_eq!(site.user(&browser), None);
    }
}

#[test]
fn an_error_together_with_a_code_is_no_sign_in() {
    let site = TestSite::start();
    site.httpd.allow_log(r"\[oxd:warn\] .* provider_error");
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let approval = approve(&browser, &start.location());
    site.forget_calls();
    let mut url = approval.url().clone();
    url.query_pairs_mut().append_pair("error", "server_error");
    browser.get(url).expect(400);
    site.expect_commands(&[]);
    assert_eq!(site.user(&browser), None);
}

#[test]
fn oxd_may_choose_the_state_itself() {
    let site = TestSite::builder().oxd(|oxd| oxd.own_state = true).start();
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let calls = site.oxd.calls();
    let call = calls
        .iter()
        .find(|call| call.command == "get-authorization-url")
        .expect("a login");
    let theirs = start.location();
    let theirs = theirs
        .query_pairs()
        .find(|(name, _)| name == "state")
        .expect("a state")
        .1;
    assert_ne!(
        call.body["state"],
        theirs.as_ref(),
        "the oxd server has a state of its own"
    );
    approve(&browser, &start.location()).deliver(&browser).expect(303);
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
}

#[test]
fn oxd_may_choose_the_nonce_itself() {
    let site = TestSite::builder().oxd(|oxd| oxd.like = Like::V4_1).start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/")).page.expect(200);
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
}
