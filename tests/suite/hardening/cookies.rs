//! `Cookie` headers as they come from real clients and proxies.

use oxd_tests::{DEMO_SUB, TestSite, raw};

fn ask(site: &TestSite, path: &str, fields: &[String]) -> oxd_tests::Answer {
    let cookies: String = fields
        .iter()
        .map(|field| format!("Cookie: {field}\r\n"))
        .collect();
    let request = format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n{cookies}\r\n");
    raw(site.httpd.address(), request.as_bytes())
}

#[test]
fn two_cookie_fields_keep_the_session_and_hide_it() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let own: Vec<String> = browser
        .cookies_named("oxd_session", site.url("/"))
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let session = own.join("; ");
    for fields in [
        vec!["a=1".to_owned(), session.clone()],
        vec![session.clone(), "a=1".to_owned()],
        vec!["a=1".to_owned(), session.clone(), "b=x,y".to_owned()],
        vec![format!("a=1; {session}"), "b=x,y".to_owned()],
    ] {
        let answer = ask(&site, "/app/env", &fields);
        let environment = answer.expect(200).environment();
        assert_eq!(environment["REMOTE_USER"], DEMO_SUB, "{fields:?}");
        let handed_on = answer.cookies_handed_on();
        assert!(
            !handed_on.contains("oxd_session") && handed_on.contains("a=1"),
            "{fields:?}: {handed_on}"
        );
        assert_eq!(
            handed_on.contains("b=x,y"),
            fields.concat().contains("b=x,y"),
            "{handed_on}"
        );
        assert!(answer.set_cookies().is_empty(), "nothing ends");
    }
}

#[test]
fn a_dead_cookie_of_an_old_path_or_domain_does_not_lock_out() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let session = browser.cookies_named("oxd_session", site.url("/"));
    let (_, value) = session.first().expect("a session");
    for dead in [
        "dead".to_owned(),
        format!("{}x", &value[..value.len() - 1]),
        String::new(),
    ] {
        for cookies in [
            format!("oxd_session={dead}; oxd_session={value}"),
            format!("oxd_session={value}; oxd_session={dead}"),
        ] {
            let answer = ask(&site, "/app/env", &[cookies]);
            assert_eq!(answer.expect(200).environment()["REMOTE_USER"], DEMO_SUB);
        }
    }
}
