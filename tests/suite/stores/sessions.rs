//! Sessions with every store: begun, used, ended, and kept apart.

use std::collections::BTreeSet;

use oxd_tests::{Browser, DEMO_SUB, Mpm, Store, sign_in, sign_in_as, sign_out};

use super::common::*;

with_every_redis! {
    a_user_signs_in_uses_the_site_and_signs_out,
    a_copied_cookie_is_dead_after_the_logout,
    processes_of_one_thread_share_the_sessions,
    each_login_has_a_cookie_of_its_own,
    users_at_the_same_time_are_kept_apart,
    older_keys_open_sessions_and_foreign_ones_do_not,
    a_session_of_one_site_is_none_at_another,
}

with_every_store! {
    a_user_signs_in_uses_the_site_and_signs_out,
    a_copied_cookie_is_dead_after_the_logout,
    processes_of_one_thread_share_the_sessions,
    each_login_has_a_cookie_of_its_own,
    users_at_the_same_time_are_kept_apart,
    older_keys_open_sessions_and_foreign_ones_do_not,
    a_session_of_one_site_is_none_at_another,
}

/// Signing in leads to the page, every page knows the user, oxd is not asked again, and after the logout
/// nothing is left in the browser.
fn a_user_signs_in_uses_the_site_and_signs_out(store: Store) {
    let site = site(&store).start();
    let browser = Browser::new();
    let walk = sign_in(&browser, site.url("/app/env"));
    let environment = walk.page.environment();
    assert_eq!(environment["REMOTE_USER"], DEMO_SUB);
    assert_eq!(environment["OXD_CLAIM_name"], "Test User");
    assert_eq!(walk.page.cookies_handed_on(), "");
    if !store.kind().is_cookie() {
        let given = walk.callback.given_cookies("oxd_session");
        let names: Vec<_> = given.iter().map(oxd_tests::Cookie::name).collect();
        assert_eq!(names, ["oxd_session"], "{}", walk.callback.summary());
    }
    site.forget_calls();
    for path in ["/app/", "/app/env", "/oxd", "/oxd/session"]
        .iter()
        .cycle()
        .take(40)
    {
        browser.get(site.url(path)).expect(200);
    }
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
    expect_calls(&site, &[]);
    sign_out(&browser, site.url("/oxd/logoutme")).page.expect(200);
    expect_calls(&site, &["get-logout-uri"]);
    assert_eq!(browser.cookies_named("oxd_session", site.url("/")), []);
    expect_nobody(&site, &browser);
}

/// Whoever copied the cookie before the logout is out with it, at whichever child he asks; the user's
/// session in another browser goes on.
fn a_copied_cookie_is_dead_after_the_logout(store: Store) {
    let site = site(&store).start();
    let (browser, elsewhere) = (site.signed_in(), site.signed_in());
    let copied = field(&browser, &site);
    assert_eq!(statuses(&site, &copied), (200, 200));
    browser.get(site.url("/oxd/logoutme")).expect(303);
    for _ in 0..20 {
        assert_eq!(statuses(&site, &copied), (302, 401));
    }
    expect_user(&site, &elsewhere, DEMO_SUB);
}

/// The same with a process for each connection.
fn processes_of_one_thread_share_the_sessions(store: Store) {
    let site = site(&store)
        .mpm(Mpm::Prefork)
        .httpd(|httpd| httpd.processes(6, 1))
        .start();
    let (browser, elsewhere) = (site.signed_in(), site.signed_in());
    let copied = field(&browser, &site);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(statuses(&site, &copied), (200, 200));
                }
            });
        }
    });
    browser.get(site.url("/oxd/logoutme")).expect(303);
    std::thread::scope(|scope| {
        for _ in 0..5 {
            scope.spawn(|| {
                for _ in 0..5 {
                    assert_eq!(statuses(&site, &copied), (302, 401));
                }
            });
        }
    });
    expect_user(&site, &elsewhere, DEMO_SUB);
}

/// Whoever planted a cookie in somebody's browser does not get that user's session with it.
fn each_login_has_a_cookie_of_its_own(store: Store) {
    let site = site(&store).users(anna_and_ben()).start();
    let browser = signed_in_as(&site, "anna");
    let planted = browser.copy();
    let mut cookies = BTreeSet::from([session_cookie(&browser, &site)]);
    site.oxd.forget_provider_sessions();
    let again = site.url("/oxd/login?return_to=/app/");
    sign_in_as(&browser, &again, "ben", "secret").page.expect(200);
    expect_user(&site, &browser, "sub-of-ben");
    assert!(cookies.insert(session_cookie(&browser, &site)));
    assert_ne!(site.user(&planted).as_deref(), Some("sub-of-ben"));

    let invented = "A".repeat(44);
    let victim = Browser::new();
    victim.set_cookie(&format!("oxd_session={invented}; Path=/"), site.url("/"));
    sign_in_as(&victim, site.url("/app/"), "anna", "secret")
        .page
        .expect(200);
    assert_ne!(session_cookie(&victim, &site), invented);
    assert_eq!(statuses(&site, &format!("oxd_session={invented}")), (302, 401));
    for _ in 0..5 {
        sign_in_as(&victim, &again, "anna", "secret").page.expect(200);
        assert!(cookies.insert(session_cookie(&victim, &site)));
    }
    expect_user(&site, &victim, "sub-of-anna");
}

/// Everybody sees himself, however the requests of several users are mixed.
fn users_at_the_same_time_are_kept_apart(store: Store) {
    let site = site(&store).users(anna_and_ben()).start();
    let browsers = ["anna", "ben", "anna", "ben"].map(|name| (name, signed_in_as(&site, name)));
    std::thread::scope(|scope| {
        for (name, browser) in &browsers {
            let site = &site;
            scope.spawn(move || {
                for _ in 0..40 {
                    let session = browser.get(site.url("/oxd/session")).json();
                    assert_eq!(session["user"], format!("sub-of-{name}"));
                    assert_eq!(session["claims"]["name"], *name);
                }
            });
        }
    });
    browsers[0].1.get(site.url("/oxd/logoutme")).expect(303);
    for (name, browser) in &browsers[1..] {
        expect_user(&site, browser, &format!("sub-of-{name}"));
    }
}

/// While a key is exchanged the sessions under the old one go on; with another key alone there is no
/// session, and whoever has it does the others no harm.
fn older_keys_open_sessions_and_foreign_ones_do_not(store: Store) {
    let site = site(&store)
        .httpd(|httpd| {
            for place in ["both", "foreign"] {
                httpd.file(&format!("docroot/app/{place}/index.html"), "<!DOCTYPE html>here");
            }
            httpd
        })
        .config(&format!(
            "<Location /app/both>\nOxdCryptoKey {OTHER_KEY} {KEY}\n</Location>\n\
             <Location /app/foreign>\nOxdCryptoKey {OTHER_KEY}\n</Location>"
        ))
        .start();
    let browser = site.signed_in();
    for _ in 0..3 {
        browser.copy().get(site.url("/app/foreign/")).expect(302);
        browser.get(site.url("/app/")).expect(200);
        browser.get(site.url("/app/both/")).expect(200);
    }
    expect_user(&site, &browser, DEMO_SUB);
    browser.get(site.url("/oxd/logoutme")).expect(303);
    expect_nobody(&site, &browser);
}

/// Two sites with one key and one store: signing in at one is no session at the other, and each logout is
/// its own.
fn a_session_of_one_site_is_none_at_another(store: Store) {
    let site = site(&store).another_site("blue").start();
    let browser = site.signed_in();
    let copied = field(&browser, &site);
    let at_blue = |path: &str| {
        let blue = Browser::new();
        blue.ask("GET", site.url(path))
            .cookie_field(&copied)
            .send()
            .status
    };
    assert_eq!((at_blue("/blue/app/"), at_blue("/blue/oxd/session")), (302, 401));
    // A logout there is not one here.
    let status = at_blue("/blue/oxd/logoutme");
    assert!(matches!(status, 200 | 302 | 303), "{status}");
    expect_user(&site, &browser, DEMO_SUB);
}
