//! The administrator's page: ending the sessions of a user, or of everybody.

use oxd_tests::{Answer, Browser, DEMO_SUB, Mpm, SiteBuilder, TestSite, sign_in, sign_in_as, user};
use serde_json::json;

use super::token::{expect_alive, expect_dead};

/// A site with the page, which is for requests with this header.
fn builder() -> SiteBuilder {
    TestSite::builder()
        .httpd(|httpd| httpd.allow_log("client denied by server configuration"))
        .config(
            "<Location /oxd-status>\nSetHandler oxd-status\n\
             Require expr \"%{HTTP:X-Admin} == 'yes'\"\n</Location>",
        )
}

/// A form as `curl` sends it.
fn curl(site: &TestSite, fields: &[(&str, &str)]) -> Answer {
    let nobody = Browser::new();
    let ask = super::token::by_server(&nobody, "POST", &site.url("/oxd-status"));
    ask.header("x-admin", "yes")
        .header("accept", "*/*")
        .form(fields)
        .send()
}

#[test]
fn one_user_is_out_and_may_come_back() {
    let people = vec![user("one", json!({})), user("two", json!({}))];
    let site = builder().users(people).start();
    let enter = |name: &str| {
        let browser = Browser::new();
        sign_in_as(&browser, site.url("/app/"), name, "secret")
            .page
            .expect(200);
        browser
    };
    let (first, second, other) = (enter("one"), enter("one"), enter("two"));
    curl(&site, &[("user", "sub-of-one"), ("action", "end")]).expect(200);
    expect_dead(&site, &first);
    expect_dead(&site, &second);
    expect_alive(&site, &other);
    // At once, and as often as it takes.
    for _ in 0..3 {
        first.follow(site.url("/app/")).expect(200);
        expect_alive(&site, &first);
        curl(&site, &[("user", "sub-of-one"), ("action", "end")]).expect(200);
        expect_dead(&site, &first);
    }
    expect_alive(&site, &other);
}

#[test]
fn everybody_is_out_and_may_come_back() {
    let people = vec![user("one", json!({})), user("two", json!({}))];
    for directives in ["", "OxdSessionStore shmcb"] {
        let site = builder()
            .mpm(Mpm::Prefork)
            .users(people.clone())
            .directives(directives)
            .httpd(|httpd| httpd.load("socache_shmcb"))
            .start();
        let enter = |name: &str| {
            let browser = Browser::new();
            sign_in_as(&browser, site.url("/app/"), name, "secret")
                .page
                .expect(200);
            browser
        };
        let browsers = [enter("one"), enter("two"), enter("two")];
        curl(&site, &[("action", "end-all")]).expect(200);
        for browser in &browsers {
            expect_dead(&site, browser);
        }
        browsers[0].follow(site.url("/app/")).expect(200);
        expect_alive(&site, &browsers[0]);
        enter("one");
    }
}

#[test]
fn a_user_may_be_named_as_applications_know_them() {
    let site = builder().directives("OxdRemoteUser email").start();
    for name in ["test_user@example.org", DEMO_SUB] {
        let browser = site.signed_in();
        let environment = browser.get(site.url("/app/env")).environment();
        assert_eq!(environment["REMOTE_USER"], "test_user@example.org");
        curl(&site, &[("user", "Test User"), ("action", "end")]).expect(200);
        expect_alive(&site, &browser);
        curl(&site, &[("user", name), ("action", "end")]).expect(200);
        expect_dead(&site, &browser);
    }
}

#[test]
fn the_page_has_a_form_for_each() {
    let site = builder().start();
    let administrator = Browser::new();
    let page = || {
        let answer = administrator
            .ask("GET", site.url("/oxd-status"))
            .header("x-admin", "yes")
            .send();
        answer.expect(200);
        answer
    };
    let answer = page();
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!answer.page().runs_script(), "{}", answer.summary());
    let press = |page: Answer, action: &str| {
        let forms = page.page().forms().to_vec();
        let wanted = |(name, value): &(String, String)| name == "action" && value == action;
        let found = forms.into_iter().find_map(|form| {
            let buttons = form.buttons.iter();
            let mut ways = buttons.map(|button| form.press(button));
            let fields = ways.find(|fields| fields.iter().any(wanted))?;
            Some((form, fields))
        });
        let (form, mut fields) = found.unwrap_or_else(|| panic!("no {action} in {}", page.summary()));
        assert_eq!(form.method, "post");
        for (name, value) in &mut fields {
            if name == "user" {
                DEMO_SUB.clone_into(value);
            }
        }
        let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let target = page.url.join(&form.action).expect("the form's action");
        let ask = administrator.ask("POST", target).header("x-admin", "yes");
        let origin = page.url.origin().ascii_serialization();
        let ask = ask
            .header("origin", &origin)
            .header("sec-fetch-site", "same-origin");
        ask.form(&fields).send()
    };
    for action in ["end", "end-all"] {
        let browser = site.signed_in();
        let mut done = press(page(), action);
        if action == "end-all" {
            // It asks before it does that, with a form that is as well guarded.
            assert!(done.expect(200).page().text().contains("End all sessions?"));
            expect_alive(&site, &browser);
            done = press(done, action);
        }
        let text = done.expect(200).page().text();
        assert!(
            action == "end-all" || text.contains(DEMO_SUB),
            "it says whom: {text}"
        );
        assert!(!done.page().runs_script(), "{}", done.summary());
        expect_dead(&site, &browser);
    }
}

#[test]
fn programs_are_answered_in_json() {
    let site = builder().start();
    let nobody = Browser::new();
    let ask = |fields: &[(&str, &str)]| {
        let ask = super::token::by_server(&nobody, "POST", &site.url("/oxd-status"));
        let ask = ask.header("x-admin", "yes").header("accept", "application/json");
        ask.form(fields).send()
    };
    let answer = ask(&[("user", DEMO_SUB), ("action", "end")]);
    assert_eq!(answer.expect(200).json()["ended"], "user");
    let answer = ask(&[("action", "end-all")]);
    assert_eq!(answer.expect(200).json()["ended"], "all");
    let answer = ask(&[("action", "what")]);
    assert!(
        answer.expect(400).json()["error"].is_string(),
        "{}",
        answer.summary()
    );
}

#[test]
fn a_name_is_shown_and_does_no_harm() {
    let site = builder().start();
    let browser = site.signed_in();
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "a\r\nb\u{0}",
        "ä\u{202e}",
    ] {
        let answer = curl(&site, &[("user", name), ("action", "end")]);
        assert!(
            matches!(answer.status, 200 | 400),
            "{name:?}: {}",
            answer.summary()
        );
        if answer
            .header("content-type")
            .unwrap_or_default()
            .starts_with("text/html")
        {
            assert!(!answer.page().runs_script(), "{}", answer.summary());
        }
    }
    expect_alive(&site, &browser);
}

#[test]
fn what_says_too_little_or_too_much_ends_nothing() {
    let site = builder().start();
    let browser = site.signed_in();
    for fields in [
        &[][..],
        &[("user", DEMO_SUB)],
        &[("action", "end")],
        &[("action", "end"), ("user", "")],
        &[("action", ""), ("user", DEMO_SUB)],
        &[("action", "END-ALL")],
        &[("action", "end"), ("action", "end-all"), ("user", DEMO_SUB)],
        &[("action", "end"), ("user", "nobody"), ("user", DEMO_SUB)],
        &[("end-all", "")],
    ] {
        let answer = curl(&site, fields);
        assert_eq!(answer.status, 400, "{fields:?}: {}", answer.summary());
    }
    // Neither does an address.
    let nobody = Browser::new();
    for query in ["action=end-all", &format!("action=end&user={DEMO_SUB}")] {
        let url = site.url(&format!("/oxd-status?{query}"));
        nobody
            .ask("GET", &url)
            .header("x-admin", "yes")
            .send()
            .expect(200);
        let answer = nobody.ask("POST", &url).header("x-admin", "yes").form(&[]).send();
        assert_eq!(answer.status, 400, "{query}: {}", answer.summary());
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        nobody
            .ask(method, site.url("/oxd-status"))
            .header("x-admin", "yes")
            .send()
            .expect(405);
    }
    expect_alive(&site, &browser);
}

#[test]
fn pages_of_other_sites_cannot_ask_for_it() {
    let site = builder().start();
    site.httpd.allow_log(r"\[oxd:warn\] .* foreign_form");
    let browser = site.signed_in();
    let administrator = Browser::new();
    for headers in [
        &[("origin", "https://evil.example.org")][..],
        &[("origin", "null")],
        &[("origin", "https://127.0.0.1")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site")],
        &[
            ("origin", "https://evil.example.org"),
            ("sec-fetch-site", "same-origin"),
        ],
        &[("origin", &site.url("")), ("sec-fetch-site", "cross-site")],
    ] {
        let mut ask = administrator
            .ask("POST", site.url("/oxd-status"))
            .header("x-admin", "yes");
        for (name, value) in headers {
            ask = ask.header(name, value);
        }
        let answer = ask.form(&[("action", "end-all"), ("confirmed", "yes")]).send();
        assert_eq!(answer.status, 403, "{headers:?}: {}", answer.summary());
    }
    expect_alive(&site, &browser);
}

#[test]
fn the_servers_own_rules_decide_who_may() {
    let site = builder().start();
    let browser = site.signed_in();
    let nobody = Browser::new();
    nobody.get(site.url("/oxd-status")).expect(403);
    nobody
        .post(site.url("/oxd-status"), &[("action", "end-all")])
        .expect(403);
    expect_alive(&site, &browser);
}

#[test]
fn an_administrator_may_be_a_user_of_the_site() {
    let people = vec![user("root", json!({})), user("one", json!({}))];
    let site = TestSite::builder()
        .users(people)
        .config(
            "<Location /oxd-status>\nSetHandler oxd-status\nAuthType oxd\n\
             Require user sub-of-root\n</Location>",
        )
        .start();
    site.httpd.allow_log("client denied by server configuration");
    let (root, one) = (Browser::new(), Browser::new());
    sign_in_as(&root, site.url("/oxd-status"), "root", "secret")
        .page
        .expect(200);
    sign_in_as(&one, site.url("/app/"), "one", "secret")
        .page
        .expect(200);
    one.post(site.url("/oxd-status"), &[("action", "end-all")])
        .expect(403);
    expect_alive(&site, &root);
    root.post(
        site.url("/oxd-status"),
        &[("action", "end"), ("user", "sub-of-one")],
    )
    .expect(200);
    expect_dead(&site, &one);
    expect_alive(&site, &root);
    // Whoever ends everybody's session ends their own.
    root.post(site.url("/oxd-status"), &[("action", "end-all")])
        .expect(200);
    expect_dead(&site, &root);
}

#[test]
fn the_sessions_of_the_place_are_meant() {
    let site = builder()
        .another_site("two")
        .config(
            "<Location /two>\nOxdCookieName two_session\n</Location>\n\
             <Location /two/status>\nSetHandler oxd-status\nRequire ip 127.0.0.1\n</Location>",
        )
        .start();
    let browser = site.signed_in();
    sign_in(&browser, site.url("/two/app/")).page.expect(200);
    curl(&site, &[("action", "end-all")]).expect(200);
    expect_dead(&site, &browser);
    browser.get(site.url("/two/app/")).expect(200);
    browser
        .post(site.url("/two/status"), &[("action", "end"), ("user", DEMO_SUB)])
        .expect(200);
    browser.get(site.url("/two/app/")).expect(302);
}
