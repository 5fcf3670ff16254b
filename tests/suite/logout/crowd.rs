//! Many logouts, so many that whatever remembers them runs full.

use std::fs;

use oxd_tests::{Browser, TestSite};
use serde_json::json;

use super::token::{Token, expect_accepted, expect_alive, expect_dead, sid, unique};

#[test]
fn invented_sessions_bring_no_ended_one_back() {
    let site = TestSite::builder().httpd(|httpd| httpd.processes(1, 16)).start();
    let (gone, stays) = (site.signed_in(), site.signed_in());
    expect_accepted(&Token::about(&site, &sid(&site, &gone)).send(&site));
    expect_dead(&site, &gone);
    let gone = gone.copy();
    // Anybody can load the front-channel address, without end.
    let issuer = site.oxd.provider_url();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let stranger = Browser::keeping_connections();
                for _ in 0..2500 {
                    let query = format!("iss={issuer}&sid={}", unique());
                    let url = site.url(&format!("/oxd/frontchannel-logout?{query}"));
                    stranger.get(url).expect(200);
                }
            });
        }
    });
    expect_dead(&site, &gone);
    expect_alive(&site, &stays);
    // There is room for one more.
    expect_accepted(&Token::about(&site, &sid(&site, &stays)).send(&site));
    expect_dead(&site, &stays);
}

#[test]
fn invented_sessions_take_no_room() {
    let site = TestSite::builder().httpd(|httpd| httpd.processes(1, 16)).start();
    let browser = site.signed_in();
    let sid = sid(&site, &browser);
    let issuer = site.oxd.provider_url();
    let load = |sid: &str| {
        let query = format!("iss={issuer}&sid={sid}");
        let url = site.url(&format!("/oxd/frontchannel-logout?{query}"));
        Browser::new().get(url).expect(200);
    };
    // What all children remember lies in a file.
    let memory = || fs::read(site.httpd.file("run/oxd-sessions")).expect("the memory of this httpd");
    let changed = |before: &[u8], after: &[u8]| {
        let pairs = before.chunks(8).zip(after.chunks(8));
        pairs.filter(|(before, after)| before != after).count()
    };
    let start = memory();
    for _ in 0..200 {
        load(&unique());
    }
    let after_strangers = memory();
    // A counter may have moved.
    let words = changed(&start, &after_strangers);
    assert!(words < 20, "{words} words changed");
    load(&sid);
    assert!(
        changed(&after_strangers, &memory()) > 0,
        "what is real is remembered"
    );
    expect_dead(&site, &browser);
}

#[test]
fn many_real_sessions_end_one_by_one() {
    let site = TestSite::start();
    let first = site.signed_in();
    let browsers: Vec<Browser> = (0..60)
        .map(|_| {
            let browser = first.copy();
            browser.forget("oxd_session");
            browser.forget("oxd_dev_session");
            oxd_tests::sign_in(&browser, site.url("/app/")).page.expect(200);
            browser
        })
        .collect();
    let sids: Vec<String> = browsers.iter().map(|browser| sid(&site, browser)).collect();
    for sid in &sids {
        expect_accepted(&Token::about(&site, sid).send(&site));
    }
    for browser in &browsers {
        expect_dead(&site, browser);
    }
    expect_alive(&site, &first);
}

#[test]
fn a_jti_is_remembered_among_many() {
    let site = TestSite::builder().httpd(|httpd| httpd.processes(1, 16)).start();
    let browser = site.signed_in();
    let first = Token::about(&site, "nobody's");
    expect_accepted(&first.send(&site));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..250 {
                    expect_accepted(&Token::about(&site, &unique()).send(&site));
                }
            });
        }
    });
    let again = Token::about(&site, &sid(&site, &browser)).claim("jti", json!(first.claims["jti"]));
    super::token::expect_refused(&again.send(&site));
    expect_alive(&site, &browser);
}
