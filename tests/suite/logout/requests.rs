//! The back-channel address as a part of the web: methods, forms, sizes.

use oxd_tests::{Browser, DEMO_SUB, TestSite, raw, sign_in};

use super::token::{Token, by_server, expect_accepted, expect_alive, expect_dead, expect_refused, send, sid};

#[test]
fn only_post_will_do() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let token = Token::about(&site, &sid(&site, &browser)).text(&site);
    let plain = site.url("/oxd/backchannel-logout");
    let query = format!("{plain}?logout_token={token}");
    let nobody = Browser::new();
    for method in ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        for url in [&plain, &query] {
            let answer = by_server(&nobody, method, url).send();
            assert_eq!(answer.status, 405, "{method}: {}", answer.summary());
            let allowed = answer.header("allow").unwrap_or_default();
            assert!(
                allowed.contains("POST") && !allowed.contains("GET"),
                "Allow {allowed:?}"
            );
        }
    }
    // Neither does a token in the address.
    expect_refused(&by_server(&nobody, "POST", &query).form(&[]).send());
    expect_alive(&site, &browser);
    expect_accepted(&send(&site, &token));
    expect_dead(&site, &browser);
}

#[test]
fn there_is_one_token_in_a_form() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let token = || Token::about(&site, &sid(&site, &browser)).text(&site);
    let url = site.url("/oxd/backchannel-logout");
    let nobody = Browser::new();
    let form = |fields: &[(&str, &str)]| by_server(&nobody, "POST", &url).form(fields).send();
    for fields in [
        &[][..],
        &[("logout_token", "")],
        &[("token", &token())],
        &[("Logout_Token", &token())],
        &[("logout_token", &token()), ("logout_token", &token())],
        &[("logout_token", ""), ("logout_token", &token())],
    ] {
        expect_refused(&form(fields));
    }
    let typed = |kind: &str, body: String| {
        let ask = by_server(&nobody, "POST", &url).header("content-type", kind);
        let answer = ask.body(body.into_bytes()).send();
        assert!(matches!(answer.status, 400 | 415), "{kind}: {}", answer.summary());
    };
    typed(
        "application/json",
        format!("{{\"logout_token\":\"{}\"}}", token()),
    );
    typed("text/plain", format!("logout_token={}", token()));
    typed("application/jwt", token());
    typed(
        "multipart/form-data; boundary=x",
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"logout_token\"\r\n\r\n{}\r\n--x--\r\n",
            token()
        ),
    );
    expect_alive(&site, &browser);
    // Other fields are none of its business.
    expect_accepted(&form(&[("a", "1"), ("logout_token", &token()), ("b", "%ff")]));
    expect_dead(&site, &browser);
}

#[test]
fn a_form_may_say_its_character_set() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let body = format!(
        "logout_token={}",
        Token::about(&site, &sid(&site, &browser)).text(&site)
    );
    let nobody = Browser::new();
    let ask = by_server(&nobody, "POST", &site.url("/oxd/backchannel-logout"))
        .header("content-type", "Application/X-WWW-Form-URLencoded; charset=UTF-8");
    expect_accepted(&ask.body(body.into_bytes()).send());
    expect_dead(&site, &browser);
}

#[test]
fn a_form_may_come_in_pieces() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let body = format!(
        "logout_token={}",
        Token::about(&site, &sid(&site, &browser)).text(&site)
    );
    let mut request = "POST /oxd/backchannel-logout HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_owned();
    for piece in body.as_bytes().chunks(7) {
        let piece = String::from_utf8_lossy(piece);
        request += &format!("{:x}\r\n{piece}\r\n", piece.len());
    }
    request += "0\r\n\r\n";
    expect_accepted(&raw(site.httpd.address(), request.as_bytes()));
    expect_dead(&site, &browser);
}

#[test]
fn a_form_has_its_limit() {
    let site = TestSite::start();
    let browser = site.signed_in();
    let token = Token::about(&site, &sid(&site, &browser)).text(&site);
    let url = site.url("/oxd/backchannel-logout");
    let nobody = Browser::new();
    let filled = |size: usize| {
        let start = format!("logout_token={token}&filler=");
        format!("{start}{}", "x".repeat(size - start.len()))
    };
    let send = |body: String| {
        let form = "application/x-www-form-urlencoded";
        let ask = by_server(&nobody, "POST", &url).header("content-type", form);
        ask.body(body.into_bytes()).send()
    };
    for size in [(64 << 10) + 1, 80 << 10, 3 << 20] {
        send(filled(size)).expect(413);
    }
    // Also when it does not say how much it will be.
    let chunk = "x".repeat(0x4000);
    let mut request = "POST /oxd/backchannel-logout HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
        .to_owned();
    for _ in 0..5 {
        request += &format!("4000\r\n{chunk}\r\n");
    }
    request += "0\r\n\r\n";
    raw(site.httpd.address(), request.as_bytes()).expect(413);
    expect_alive(&site, &browser);
    expect_accepted(&send(filled(60 << 10)));
    expect_dead(&site, &browser);
}

#[test]
fn a_form_that_stops_in_the_middle_ends_nothing() {
    let site = TestSite::builder()
        .config("RequestReadTimeout body=1")
        .httpd(|httpd| httpd.load("reqtimeout"));
    let site = site.start();
    site.httpd
        .allow_log(r"\[(reqtimeout|oxd):|AH01382|AH00566|request body");
    let browser = site.signed_in();
    let token = Token::about(&site, &sid(&site, &browser)).text(&site);
    let body = format!("logout_token={token}");
    let head = format!(
        "POST /oxd/backchannel-logout HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len() + 10
    );
    let answer = raw(site.httpd.address(), format!("{head}{body}").as_bytes());
    assert!((400..500).contains(&answer.status), "{}", answer.summary());
    expect_alive(&site, &browser);
    expect_accepted(&send(&site, &token));
    expect_dead(&site, &browser);
}

#[test]
fn the_sender_need_not_be_anybody() {
    // A protected handler: the provider has no session, and needs none.
    let site = TestSite::builder()
        .config("<Location /oxd>\nAuthType oxd\nRequire valid-user\n</Location>")
        .start();
    let browser = Browser::new();
    sign_in(&browser, site.url("/app/")).page.expect(200);
    expect_accepted(&Token::about_user(&site, DEMO_SUB).send(&site));
    expect_dead(&site, &browser);
}

#[test]
fn it_works_under_another_address_and_from_directives() {
    let site = TestSite::builder().base("/deep/er/sso").by_directives().start();
    let browser = site.signed_in();
    let nobody = Browser::new();
    let token = Token::about_user(&site, DEMO_SUB).text(&site);
    by_server(&nobody, "POST", &site.url("/oxd/backchannel-logout"))
        .form(&[("logout_token", &token)])
        .send()
        .expect(404);
    let url = site.url("/deep/er/sso/backchannel-logout");
    expect_accepted(
        &by_server(&nobody, "POST", &url)
            .form(&[("logout_token", &token)])
            .send(),
    );
    browser.get(site.url("/app/")).expect(302);
}
