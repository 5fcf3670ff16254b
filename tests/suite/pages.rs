//! The pages themselves: their headers, their manners, and that they do no harm.

mod pages {
    pub(crate) mod looks;
    pub(crate) mod pictures;
}

use oxd_tests::{Answer, Browser, DEMO_SUB, TestSite, approve, begin, decide, sign_in_as, user};
use serde_json::json;

/// The header fields that everything from the handler carries.
#[track_caller]
fn expect_guarded(what: &str, answer: &Answer) {
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"), "{what}");
}

#[track_caller]
fn expect_page(what: &str, answer: &Answer) {
    expect_guarded(what, answer);
    let policy = answer.header("content-security-policy").unwrap_or_default();
    let directives: Vec<_> = policy.split(';').map(str::trim).collect();
    assert!(directives.contains(&"frame-ancestors 'none'"), "{what}: {policy}");
    assert!(
        policy.contains("default-src") || policy.contains("script-src"),
        "{what}: {policy}"
    );
    let scripts = directives.iter().find(|d| d.starts_with("script-src"));
    let scripts = scripts.or(directives.iter().find(|d| d.starts_with("default-src")));
    let scripts = scripts.map_or("", |d| d);
    assert!(
        !scripts.contains("unsafe") && !scripts.contains('*'),
        "{what}: {policy}"
    );

    let kind = answer
        .header("content-type")
        .unwrap_or_default()
        .to_ascii_lowercase();
    assert!(
        kind.starts_with("text/html") && kind.contains("utf-8"),
        "{what}: {kind}"
    );
    let text = answer.text();
    assert!(
        text.to_ascii_lowercase().starts_with("<!doctype html>"),
        "{what}: {text}"
    );
    let page = answer.page();
    assert!(!page.runs_script(), "{what}: {text}");
    let html = page.all("html").next().and_then(|html| html.attribute("lang"));
    assert!(
        html.is_some_and(|language| !language.is_empty()),
        "{what} has no language: {text}"
    );
    assert_eq!(page.all("title").count(), 1, "{what}");
    assert_eq!(page.all("h1").count(), 1, "{what} has one heading: {text}");
    assert_eq!(page.all("main").count(), 1, "{what} has one main part: {text}");
    let mut metas = page.all("meta");
    let phone = metas.any(|meta| meta.attribute("name") == Some("viewport"));
    assert!(phone, "{what} is readable on a phone: {text}");
    for element in page.elements() {
        for name in ["src", "href", "action"] {
            let target = element.attribute(name).unwrap_or_default();
            let away = target.contains("://") || target.starts_with("//");
            assert!(!away, "{what} loads or links {target}");
        }
    }
}

fn altered(approval: &oxd_tests::Approval, change: impl Fn(&str, &str) -> String) -> String {
    let mut url = approval.url().clone();
    let pairs: Vec<_> = url
        .query_pairs()
        .map(|(name, value)| (name.to_string(), change(&name, &value)))
        .collect();
    url.query_pairs_mut().clear().extend_pairs(pairs);
    url.into()
}

#[test]
fn every_page_is_guarded_and_well_behaved() {
    let mut site = TestSite::start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let (outside, inside) = (Browser::new(), site.signed_in());
    let get = |browser: &Browser, path: &str, status: u16| {
        let answer = browser.get(site.url(path));
        answer.expect(status);
        answer
    };
    expect_page("signed out", &get(&outside, "/oxd", 200));
    expect_page("signed in", &get(&inside, "/oxd", 200));
    expect_page("after the logout", &get(&outside, "/oxd/logout", 200));
    expect_page("not found", &get(&outside, "/oxd/nonsense", 404));
    expect_page(
        "a callback without anything",
        &get(&outside, "/oxd/callback", 400),
    );
    expect_page(
        "a bad return address",
        &get(&outside, "/oxd/login?return_to=//evil.test", 400),
    );
    expect_page(
        "a bad callback",
        &get(&outside, "/oxd/callback?code=a&code=b&state=c", 400),
    );
    let method = outside.ask("DELETE", site.url("/oxd")).send();
    expect_page("another method", method.expect(405));

    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let credentials = ("test_user", "secret");
    let refusal = decide(&browser, &start.location(), credentials, "cancel");
    expect_page("not agreed", refusal.deliver(&browser).expect(403));

    let stranger = Browser::new();
    let approval = approve(&browser, &begin(&browser, site.url("/app/")).location());
    approval.deliver(&stranger).expect(302);
    expect_page("a callback out of place", approval.deliver(&stranger).expect(400));

    let start = begin(&browser, site.url("/app/"));
    let approval = approve(&browser, &start.location());
    let url = altered(&approval, |name, value| match name {
        "code" => "no-such-code".to_owned(),
        _ => value.to_owned(),
    });
    expect_page("a code that oxd refuses", browser.get(&url).expect(400));

    site.oxd.stop();
    expect_page("oxd is away", Browser::new().get(site.url("/app/")).expect(503));
}

#[test]
fn json_and_redirects_are_guarded_too() {
    let site = TestSite::start();
    let (outside, inside) = (Browser::new(), site.signed_in());
    expect_guarded("no session", outside.get(site.url("/oxd/session")).expect(401));
    expect_guarded("a session", inside.get(site.url("/oxd/session")).expect(200));
    let no_store = |answer: &Answer| {
        assert_eq!(
            answer.header("cache-control"),
            Some("no-store"),
            "{}",
            answer.summary()
        );
    };
    no_store(&begin(&outside, site.url("/app/")));
    no_store(outside.get(site.url("/oxd/login")).expect(302));
    no_store(inside.get(site.url("/oxd/logoutme")).expect(303));
}

#[test]
fn an_application_that_asks_for_json_gets_it() {
    let site = TestSite::start();
    let browser = Browser::new();
    for (method, path, status) in [
        ("GET", "/oxd/nonsense", 404),
        ("GET", "/oxd/callback", 400),
        ("GET", "/oxd/callback?code=a&code=b", 400),
        ("GET", "/oxd/login?return_to=//evil.test", 400),
        ("DELETE", "/oxd", 405),
        ("GET", "/app/", 401),
    ] {
        let ask = browser.ask(method, site.url(path)).without("sec-fetch-mode");
        let ask = ask.without("sec-fetch-dest").header("accept", "application/json");
        let answer = ask.send();
        let body = answer.expect(status).json();
        expect_guarded(path, &answer);
        for name in ["error", "error_description"] {
            let text = body[name].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "{method} {path}: {name} in {body}");
        }
    }
}

#[test]
fn claims_are_text_and_nothing_else() {
    let hostile = json!({
        "name": "<script>alert(1)</script>",
        "nickname": "\"><img src=x onerror=alert(1)>",
        "given_name": "' onmouseover='alert(1)",
        "website": "javascript:alert(1)",
        "</td><script>alert(2)</script>": "a claim's name",
        "list": ["<b>bold</b>", {"<i>": "</script>"}],
        "entity": "&lt;script&gt;&amp;",
        "odd": "\u{202e}right to left\u{0}\u{1b}[31m",
    });
    let site = TestSite::builder().users(vec![user("eve", hostile)]).start();
    let browser = Browser::new();
    sign_in_as(&browser, site.url("/app/"), "eve", "secret")
        .page
        .expect(200);
    let answer = browser.get(site.url("/oxd"));
    expect_page("hostile claims", answer.expect(200));
    let page = answer.page();
    assert_eq!(
        page.all("b").count() + page.all("img").count() + page.all("i").count(),
        0
    );
    let text = page.text();
    for shown in [
        "<script>alert(1)</script>",
        "&lt;script&gt;&amp;",
        "' onmouseover='alert(1)",
    ] {
        assert!(text.contains(shown), "{shown} in {text}");
    }
    let session = browser.get(site.url("/oxd/session")).json();
    assert_eq!(session["claims"]["name"], "<script>alert(1)</script>");
}

#[test]
fn what_the_address_says_is_not_repeated_as_markup() {
    let site = TestSite::start();
    let browser = Browser::new();
    for path in [
        "/oxd/%3Cscript%3Ealert(1)%3C/script%3E",
        "/oxd/\"><script>alert(1)</script>",
        "/oxd/login?return_to=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
        "/oxd/callback?code=%3Cscript%3E&state=%3Cscript%3E",
        "/oxd/callback?error=%3Cscript%3E&error=x",
        "/oxd/logout?state=%3Cscript%3Ealert(1)%3C/script%3E",
    ] {
        let answer = browser.follow(site.url(path));
        assert!(answer.status < 500, "{}", answer.summary());
        if answer.url.path().starts_with("/oxd") {
            assert!(!answer.page().runs_script(), "{}", answer.summary());
        }
    }
}

#[test]
fn the_signed_in_page_works_for_a_user_without_a_name() {
    let site = TestSite::builder().users(vec![user("plain", json!({}))]).start();
    let browser = Browser::new();
    sign_in_as(&browser, site.url("/oxd/login"), "plain", "secret");
    let answer = browser.get(site.url("/oxd"));
    expect_page("no name", answer.expect(200));
    assert!(answer.page().text().contains("sub-of-plain"));
    assert!(!answer.page().text().contains(DEMO_SUB));
}
