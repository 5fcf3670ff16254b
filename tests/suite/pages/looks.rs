//! Languages, templates of the administrator's, and error documents that know what has happened.

use std::fs;

use oxd_tests::{Answer, Browser, Httpd, TestSite, sign_in, sign_in_as, user};
use serde_json::json;

fn in_language(browser: &Browser, url: String, language: &str) -> Answer {
    browser.ask("GET", url).header("accept-language", language).send()
}

#[test]
fn a_page_speaks_the_language_that_the_browser_asks_for() {
    let site = TestSite::start();
    let browser = Browser::new();
    for (accept, language, text) in [
        ("de-AT,de;q=0.9,en;q=0.5", "de", "Sie sind nicht angemeldet"),
        ("ar", "ar", "لم تسجّل الدخول"),
        ("ja, en;q=0.9", "ja", "サインインしていません"),
        ("zh", "en", "You are not signed in"),
    ] {
        let answer = in_language(&browser, site.url("/oxd"), accept);
        assert!(answer.expect(200).text().contains(text), "{}", answer.summary());
        assert_eq!(answer.header("content-language"), Some(language));
        assert!(
            answer
                .header("vary")
                .is_some_and(|vary| vary.contains("Accept-Language"))
        );
        let page = answer.page();
        let html = page.all("html").next().expect("html");
        assert_eq!(html.attribute("lang"), Some(language));
        assert_eq!(html.attribute("dir"), (language == "ar").then_some("rtl"));
    }
    // Programs get English, and a redirect depends on no language.
    let ask = browser
        .ask("GET", site.url("/app/"))
        .header("accept-language", "de");
    let answer = ask
        .header("accept", "application/json")
        .header("sec-fetch-mode", "cors")
        .send();
    let json = answer.expect(401).json();
    assert_eq!(json["error_description"], "You need to sign in to see this page.");
    assert_eq!(answer.header("content-language"), None);
    let redirect = in_language(&browser, site.url("/app/"), "de");
    assert_eq!(redirect.expect(302).header("content-language"), None);
    // A header as long as httpd takes one.
    let long = format!("de;q=0.1{}", ", xx-YY;q=0.5".repeat(800));
    let answer = in_language(&browser, site.url("/oxd"), &long[..8_000]);
    assert_eq!(answer.expect(200).header("content-language"), Some("de"));
}

#[test]
fn the_first_of_the_languages_is_for_everybody_else() {
    let site = TestSite::builder().config("OxdLanguages nl fr").start();
    for (accept, language) in [("de", "nl"), ("fr", "fr"), ("en", "nl"), ("", "nl")] {
        let answer = in_language(&Browser::new(), site.url("/oxd"), accept);
        assert_eq!(
            answer.expect(200).header("content-language"),
            Some(language),
            "{accept}"
        );
    }
}

#[test]
fn vary_is_added_to_what_others_have_put_there() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.load("headers").config("Header always merge Vary X-Other"))
        .start();
    let answer = Browser::new().get(site.url("/oxd"));
    let vary: Vec<_> = answer
        .headers
        .get_all("vary")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    let vary = vary.join(", ");
    assert!(
        vary.contains("Accept-Language") && vary.contains("X-Other"),
        "{vary}"
    );
}

/// A site with these templates.
fn with_pages(files: &[(&str, &str)]) -> TestSite {
    TestSite::builder()
        .httpd(|httpd| {
            for (name, text) in files {
                httpd.file(&format!("pages/{name}"), text);
            }
            httpd.config("OxdPages \"${ROOT}/pages\"")
        })
        .start()
}

const FRAME: &str = "<!DOCTYPE html><html lang=\"{{ lang }}\"><head><title>{{ title }}</title><style>h1 { color: rgb(1, 2, 3) }</style>\
                     </head><body><main id=\"mine\">{% block content %}{% endblock %}</main></body></html>";

#[test]
fn an_administrator_gives_the_pages_other_looks() {
    let site = with_pages(&[
        ("frame.html", FRAME),
        (
            "signed_in.html",
            "{% extends \"frame.html\" %}{% block content %}<h1>Hello {{ user }}</h1>{% endblock %}",
        ),
    ]);
    let answer = Browser::new().get(site.url("/oxd"));
    let text = answer.expect(200).text();
    assert!(
        text.contains("id=\"mine\"") && text.contains("You are not signed in"),
        "{text}"
    );
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(
        policy.contains("img-src 'self'") && policy.contains("frame-ancestors 'none'"),
        "{policy}"
    );
    assert!(
        !policy.contains("unsafe") && !policy.contains("script"),
        "{policy}"
    );
    let browser = site.signed_in();
    let text = browser.get(site.url("/oxd")).text();
    assert!(text.contains("<h1>Hello Test User</h1>"), "{text}");
    // Other places of the same server keep theirs: the policy of an answer without a page is the strict one.
    let json = browser.get(site.url("/oxd/session"));
    assert!(
        !json
            .header("content-security-policy")
            .unwrap_or_default()
            .contains("img-src")
    );
}

#[test]
fn what_is_wrong_with_a_template_is_said_by_configtest() {
    for (name, text, said) in [
        (
            "error.html",
            "one\n{{ refrence }}",
            "error.html: there is no variable refrence",
        ),
        ("error.html", "one\n{% if x %}", "error.html, line 2: "),
        (
            "eror.html",
            "",
            "there is no page eror.html; the pages are frame.html, signed_out.html",
        ),
    ] {
        let httpd = Httpd::builder();
        httpd.file(&format!("pages/{name}"), text);
        let test = httpd.config("OxdPages \"${ROOT}/pages\"").configtest();
        assert!(!test.ok && test.output.contains(said), "{}", test.output);
        let lines = test.output.lines().filter(|line| line.contains("OxdPages:"));
        assert_eq!(lines.count(), 1, "{}", test.output);
    }
}

#[test]
fn templates_are_read_at_a_restart_and_a_page_that_fails_gives_way() {
    let site = with_pages(&[(
        "signed_out.html",
        "{{ 'a' if link == '/oxd/login' else link.x.y }}first",
    )]);
    assert!(Browser::new().get(site.url("/oxd")).text().ends_with("first"));
    let path = site.httpd.file("pages/signed_out.html");
    // The path in the request is not among the samples.
    fs::write(
        &path,
        "{% if link != '/oxd/login' %}{{ link.x.y }}{% endif %}second",
    )
    .expect("written");
    assert!(
        Browser::new().get(site.url("/oxd")).text().ends_with("first"),
        "until the restart"
    );
    site.httpd.graceful();
    assert!(Browser::new().get(site.url("/oxd")).text().ends_with("second"));
    site.httpd.allow_log("OxdPages: .*signed_out.html");
    let ask = Browser::new()
        .ask("GET", site.url("/oxd/logoutme"))
        .header("sec-fetch-site", "cross-site")
        .send();
    assert!(ask.status < 400, "{}", ask.summary());
}

#[test]
fn a_template_shows_a_hostile_claim_as_text() {
    let hostile = json!({"name": "{{ 7 * 7 }}<script>alert(1)</script>{% for x in range(9) %}\u{202e}"});
    let site = TestSite::builder()
        .users(vec![user("eve", hostile)])
        .httpd(|httpd| {
            httpd.file(
                "pages/signed_in.html",
                "{% autoescape false %}{{ user }}|{{ claims }}|{{ title }}{% endautoescape %}",
            );
            httpd.config("OxdPages \"${ROOT}/pages\"")
        })
        .start();
    let browser = Browser::new();
    sign_in_as(&browser, site.url("/app/"), "eve", "secret")
        .page
        .expect(200);
    let text = browser.get(site.url("/oxd")).text();
    assert!(
        text.contains("{{ 7 * 7 }}&lt;script&gt;") && !text.contains("<script"),
        "{text}"
    );
}

/// The name of the site comes from the request.
#[test]
fn the_host_header_cannot_write_into_a_page() {
    let site = TestSite::start();
    for host in [
        "<script>alert(1)</script>",
        "a\"onload=x",
        "xn--e1afmkfd.example",
        &"a".repeat(5_000),
    ] {
        let answer = Browser::new()
            .ask("GET", site.url("/oxd"))
            .header("host", host)
            .send();
        if answer.status == 200 {
            assert!(!answer.page().runs_script(), "{}", answer.summary());
            assert!(answer.text().len() < 20_000);
        }
    }
}

#[test]
fn an_error_document_knows_what_has_happened() {
    let page = "code=<!--#echo var=\"REDIRECT_OXD_ERROR_CODE\" -->;title=<!--#echo var=\"REDIRECT_OXD_ERROR_TITLE\" -->;\
                text=<!--#echo var=\"REDIRECT_OXD_ERROR_TEXT\" -->;ref=<!--#echo var=\"REDIRECT_OXD_ERROR_REFERENCE\" -->.";
    let site = TestSite::builder()
        .httpd(|httpd| {
            httpd.file("docroot/sorry.shtml", page);
            httpd.load("include").config(
                "AddType text/html .shtml\nAddOutputFilter INCLUDES .shtml\n\
                 <Directory \"${DOCROOT}\">\nOptions +Includes\n</Directory>\n\
                 ErrorDocument 403 /sorry.shtml\nErrorDocument 400 /sorry.shtml\nErrorDocument 410 /sorry.shtml\n\
                 <Location /app/env>\nRequire user nobody\n</Location>\n\
                 <Location /app/other.html>\nOxdUnauthAction 410\n</Location>",
            )
        })
        .start();
    site.httpd
        .allow_log("denied by server configuration|authorization failure");
    let browser = site.signed_in();
    let answer = in_language(&browser, site.url("/app/env"), "de");
    let text = answer.expect(403).text();
    assert!(
        text.contains("code=forbidden;title=Sie haben keinen Zugriff auf diese Seite;"),
        "{text}"
    );
    let reference = text
        .rsplit("ref=")
        .next()
        .unwrap_or_default()
        .trim()
        .trim_end_matches('.')
        .to_owned();
    assert!(reference.len() == 9 && reference.contains('-'), "{text}");
    assert!(
        site.httpd
            .error_log()
            .replace('-', "")
            .contains(&reference.replace('-', ""))
    );
    // At the handler, and with a status that hides that there is something.
    let answer = browser.get(site.url("/oxd/callback"));
    assert!(
        answer
            .expect(400)
            .text()
            .contains("code=callback_malformed;title=The sign-in could not")
    );
    let answer = Browser::new().get(site.url("/app/other.html"));
    assert!(
        answer.expect(410).text().contains("code=(none);title=(none);"),
        "{}",
        answer.text()
    );
}

#[test]
fn who_is_refused_reads_as_whom_and_may_sign_in_as_somebody_else() {
    let site = TestSite::builder()
        .users(vec![
            user("jane", json!({"name": "Jane Doe", "email": "jane@example.org"})),
            user("boss", json!({"email": "boss@example.org"})),
        ])
        .config("<Location /app/other.html>\nRequire oxd-claim sub sub-of-boss\n</Location>")
        .start();
    site.httpd
        .allow_log("denied by server configuration|authorization failure");
    let browser = Browser::new();
    sign_in_as(&browser, site.url("/app/"), "jane", "secret")
        .page
        .expect(200);
    let answer = browser.get(site.url("/app/other.html?x=1"));
    let page = answer.expect(403).page();
    assert!(
        page.text().contains("You are signed in as Jane Doe."),
        "{}",
        page.text()
    );
    let mut links = page.all("a");
    let link = links
        .find(|a| a.attribute("id") == Some("other-account"))
        .expect("the link");
    let address = link.attribute("href").expect("an address").to_owned();
    let start = browser.get(site.url(&address));
    assert!(
        start.expect(302).location().as_str().contains("prompt=login"),
        "{}",
        start.summary()
    );
    // The provider asks anew, although it knows Jane.
    let ended = sign_in_as(&browser, site.url(&address), "boss", "secret").page;
    assert!(
        ended.expect(200).text().contains("other page"),
        "{}",
        ended.summary()
    );
    assert!(
        ended.url.as_str().ends_with("/app/other.html?x=1"),
        "{}",
        ended.url
    );
    let text = browser.get(site.url("/oxd")).page().text();
    assert!(text.contains("signed in as boss@example.org"), "{text}");
}

#[test]
fn the_address_after_a_sign_out_says_it_when_somebody_is_still_signed_in() {
    let site = TestSite::start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/"));
    let page = browser.get(site.url("/oxd/logout")).expect(200).page();
    let text = page.text();
    assert!(
        text.contains("You are still signed in") && text.contains("Test User"),
        "{text}"
    );
    let mut links = page.all("a");
    let link = links
        .find(|a| a.attribute("id") == Some("sign-out"))
        .and_then(|a| a.attribute("href"));
    assert_eq!(link, Some("/oxd/logoutme"));
}
