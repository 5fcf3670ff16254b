//! `OxdPostPreserve`: a form that was sent after the session had ended.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use oxd_tests::{Answer, Browser, TestSite, sign_in};

/// A site with a program that answers with the form that it got.
fn site(directives: &str) -> TestSite {
    TestSite::builder()
        .httpd(|httpd| {
            let echo = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n%s\\n' \"$CONTENT_TYPE\"\ncat\n";
            let path = httpd.file("cgi-bin/echo", echo);
            set_permissions(path, Permissions::from_mode(0o755)).expect("a program");
            httpd.config("ScriptAlias /app/echo \"${ROOT}/cgi-bin/echo\"")
        })
        .directives(directives)
        .start()
}

const FORM: [(&str, &str); 4] = [
    ("text", "two\r\nlines & <b>\"quotes\"</b>"),
    ("b", "2"),
    ("a", "Zoë"),
    ("b", ""),
];
const ENCODED: &str = "text=two%0D%0Alines+%26+%3Cb%3E%22quotes%22%3C%2Fb%3E&b=2&a=Zo%C3%AB&b=";

/// Sends the form as a page of the site does.
fn send(site: &TestSite, browser: &Browser, fields: &[(&str, &str)]) -> Answer {
    let origin = site.url("/").trim_end_matches('/').to_owned();
    let ask = browser
        .ask("POST", site.url("/app/echo?x=1"))
        .header("origin", &origin);
    ask.header("sec-fetch-site", "same-origin").form(fields).send()
}

#[test]
fn a_form_survives_the_sign_in() {
    let site = site("OxdPostPreserve On");
    let browser = Browser::new();
    let answer = send(&site, &browser, &FORM);
    let page = answer.expect(401).page();
    assert!(answer.set_cookies().is_empty() && !answer.text().contains("<script"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    site.expect_commands(&[]);
    let (form, button) = page.form_with_button("send").expect("the form is on the page");
    assert_eq!(form.action, "/app/echo?x=1");
    // In another window.
    sign_in(&browser, site.url("/app/"));
    let fields = form.press(&button);
    let fields: Vec<_> = fields
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let echoed = send(&site, &browser, &fields);
    let text = echoed.expect(200).text();
    // A browser sends line ends as CR LF, whatever the page has.
    let (kind, body) = text.split_once('\n').expect("type and form");
    assert_eq!(kind, "application/x-www-form-urlencoded");
    assert_eq!(
        body.replace("%0A", "%0D%0A").replace("%0D%0D%0A", "%0D%0A"),
        ENCODED
    );
}

#[test]
fn multipart_text_survives_and_files_are_not_lost_in_silence() {
    let site = site("OxdPostPreserve On");
    let origin = site.url("/").trim_end_matches('/').to_owned();
    let send = |body: &str| {
        let browser = Browser::new();
        let ask = browser
            .ask("POST", site.url("/app/echo"))
            .header("origin", &origin);
        ask.header("content-type", "multipart/form-data; boundary=X")
            .body(body.replace('\n', "\r\n").into())
            .send()
    };
    let answer = send("--X\nContent-Disposition: form-data; name=\"a\"\n\none\n--X--\n");
    let page = answer.expect(401).page();
    let (form, _) = page.form_with_button("send").expect("the form is on the page");
    assert_eq!(form.fields, [("a".to_owned(), "one".to_owned())]);
    assert!(answer.text().contains("enctype=\"multipart/form-data\""));
    let file = "--X\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\n\nsecret text\n--X--\n";
    let answer = send(file);
    assert!(answer.expect(401).page().form_with_button("send").is_none());
}

#[test]
fn a_form_that_another_site_has_sent_is_not_offered() {
    let site = site("OxdPostPreserve On");
    let origin = site.url("/").trim_end_matches('/').to_owned();
    for (origin, fetch_site) in [
        ("https://evil.example", "cross-site"),
        ("null", "cross-site"),
        ("null", "same-site"),
        ("https://evil.example", "same-origin"),
        (origin.as_str(), "same-site"),
        (origin.as_str(), "cross-site"),
    ] {
        let browser = Browser::new();
        let ask = browser
            .ask("POST", site.url("/app/echo"))
            .header("origin", origin);
        let answer = ask
            .header("sec-fetch-site", fetch_site)
            .form(&[("planted", "evil")])
            .send();
        assert!(
            !answer.expect(401).text().contains("evil"),
            "{origin} {fetch_site}"
        );
    }
    let browser = Browser::new();
    let ask = browser
        .ask("POST", site.url("/app/echo"))
        .without("sec-fetch-site");
    let answer = ask.form(&[("planted", "evil")]).send();
    assert!(
        !answer.expect(401).text().contains("evil"),
        "nobody says where it comes from"
    );
}

#[test]
fn a_form_is_kept_only_where_and_as_far_as_that_is_asked_for() {
    let large = "x".repeat(2_000);
    for (directives, kept) in [
        ("", false),
        ("OxdPostPreserve Off", false),
        ("OxdPostPreserve On", true),
        ("OxdPostPreserve On 1K", false),
        ("OxdPostPreserve On 4K", true),
        ("OxdPostPreserve On\nOxdUnauthAction login", true),
    ] {
        let site = site(directives);
        let answer = send(&site, &Browser::new(), &[("field", &large)]);
        assert_eq!(answer.expect(401).text().contains(&large), kept, "{directives}");
        // A script gets its answer in JSON.
        let browser = Browser::new();
        let ask = browser
            .ask("POST", site.url("/app/echo"))
            .header("sec-fetch-mode", "cors");
        let answer = ask.form(&[("field", "x")]).send();
        let login = answer.expect(401).json()["login"].as_str().map(str::to_owned);
        assert!(
            login.is_some_and(|login| login.starts_with("/oxd/login?return_to=")),
            "{directives}"
        );
        site.expect_commands(&[]);
    }
}

#[test]
fn a_place_that_hides_offers_no_sign_in() {
    let site = site("OxdPostPreserve On\nOxdUnauthAction 404");
    let answer = send(&site, &Browser::new(), &FORM);
    assert!(answer.expect(404).page().form_with_button("send").is_none());
}

/// Nothing of the protected page follows the page that keeps the form, whatever was sent: an empty form, none at all,
/// or one on a connection that is used again.
#[test]
fn only_the_page_with_the_form_is_sent() {
    let site = site("OxdPostPreserve On");
    let browser = Browser::new();
    for fields in [&FORM[..], &[][..]] {
        let answer = send(&site, &browser, fields);
        let text = answer.expect(401).text();
        assert_eq!(text.matches("</html>").count(), 1, "{text}");
        assert!(text.trim_end().ends_with("</html>"), "{text}");
    }
    let bare = browser.ask("POST", site.url("/app/echo")).send();
    assert!(bare.expect(401).text().matches("</html>").count() <= 1);
    browser.get(site.url("/public/env")).expect(200);
}
