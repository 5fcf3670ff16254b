//! `Cookie` headers as they come from real clients and proxies.

use oxd_tests::{Browser, DEMO_SUB, TestSite, raw};

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

/// The file that remembers ended sessions: somebody empties it under a running server.
#[test]
fn an_emptied_file_of_ended_sessions_harms_nobody() {
    let mut site = TestSite::start();
    let (inside, outside) = (site.signed_in(), site.signed_in());
    let copy = outside.copy();
    outside.get(site.url("/oxd/logoutme")).expect(303);
    let file = site.httpd.file("run/oxd-sessions");
    std::fs::write(&file, "").expect("an empty file");
    for _ in 0..20 {
        inside.get(site.url("/app/env")).expect(200);
        copy.copy().get(site.url("/app/env")).expect(302);
    }
    let later = site.signed_in();
    let copy = later.copy();
    later.get(site.url("/oxd/logoutme")).expect(303);
    site.httpd.graceful();
    copy.copy().get(site.url("/app/env")).expect(302);
    site.httpd.stop();
    std::fs::remove_file(&file).expect("the file");
    site.httpd.start();
    Browser::new().get(site.url("/app/env")).expect(302);
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
