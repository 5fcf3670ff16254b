//! Signing out at the provider, or at one site of several, and what the provider tells the others.

use oxd_tests::{Answer, Browser, DEMO_SUB, Mpm, SiteBuilder, TestSite, begin, decide, sign_in, sign_out};
use serde_json::json;

use super::token::{expect_alive, expect_dead, expect_refused, send, sid};

/// Signs out at the provider's own page, as from a bookmark, and loads the frames that it shows.
#[track_caller]
fn sign_out_at_provider(site: &TestSite, browser: &Browser, path: &str) -> Answer {
    let page = browser.get(format!("{}{path}", site.oxd.provider_url()));
    let (form, button) = page
        .expect(200)
        .page()
        .form_with_button("sign-out")
        .expect("a button");
    let target = page.url.join(&form.action).expect("the form's action");
    let fields = form.press(&button);
    let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let answer = browser.follow_from(browser.post(target, &fields));
    load_frames(&answer.expect(200).clone());
    answer
}

/// Loads the frames of a page, as a browser does that keeps cookies from other sites' pages.
#[track_caller]
fn load_frames(page: &Answer) -> usize {
    let stranger = Browser::new();
    let parsed = page.page();
    let frames = parsed.all("iframe").filter_map(|frame| frame.attribute("src"));
    frames
        .map(|address| {
            let ask = stranger.ask("GET", address).header("sec-fetch-dest", "iframe");
            ask.header("sec-fetch-site", "cross-site").send().expect(200);
        })
        .count()
}

/// Two sites at one provider, whose cookies do not meet.
fn two_sites() -> SiteBuilder {
    TestSite::builder()
        .another_site("two")
        .config("<Location /two>\nOxdCookieName two_session\n</Location>")
}

/// Signs in at both sites; at the second one the provider does not ask again for the name.
#[track_caller]
fn enter_both(site: &TestSite) -> Browser {
    let browser = site.signed_in();
    let start = begin(&browser, site.url("/two/app/"));
    let approval = decide(&browser, &start.location(), ("nobody", ""), "allow");
    let callback = approval.deliver(&browser);
    browser.get(callback.expect(303).location()).expect(200);
    browser
}

fn statuses(site: &TestSite) -> Vec<u16> {
    let notices = site.oxd.logout_notices();
    notices.iter().map(|notice| notice.status).collect()
}

#[test]
fn signing_out_at_the_provider_ends_the_sessions_of_both_sites() {
    let site = two_sites().backchannel_logout().start();
    let (browser, elsewhere) = (enter_both(&site), enter_both(&site));
    let copy = browser.copy();
    sign_out_at_provider(&site, &browser, "/end_session");
    assert_eq!(statuses(&site), [200, 200]);
    expect_dead(&site, &copy);
    copy.get(site.url("/two/app/")).expect(302);
    // The same user in another browser is somebody else's sign-in.
    expect_alive(&site, &elsewhere);
    elsewhere.get(site.url("/two/app/")).expect(200);
    // What the provider sent works once.
    for notice in site.oxd.logout_notices() {
        expect_refused(&send(&site, &notice.logout_token));
    }
    sign_in(&browser, site.url("/app/")).page.expect(200);
}

#[test]
fn signing_out_at_one_site_ends_the_session_at_the_other() {
    let site = two_sites().backchannel_logout().start();
    let browser = enter_both(&site);
    let copy = browser.copy();
    let farewell = sign_out(&browser, site.url("/two/oxd/logoutme"));
    let end = farewell.page.expect(200).url.as_str();
    assert!(end.starts_with(&site.url("/two/oxd/logout")), "{end}");
    assert_eq!(statuses(&site), [200, 200]);
    for browser in [&browser, &copy] {
        browser.get(site.url("/app/")).expect(302);
        browser.get(site.url("/two/app/")).expect(302);
    }
}

#[test]
fn a_provider_that_names_the_user_only_ends_all_of_their_sessions() {
    let site = TestSite::builder()
        .mpm(Mpm::Prefork)
        .backchannel_logout_by_user()
        .start();
    let browsers = [site.signed_in(), site.signed_in(), site.signed_in()];
    sign_out_at_provider(&site, &browsers[1], "/end_session");
    assert_eq!(statuses(&site), [200]);
    for browser in &browsers {
        expect_dead(&site, browser);
    }
}

#[test]
fn a_provider_whose_keys_have_changed_is_believed() {
    let site = TestSite::builder().backchannel_logout().start();
    let (first, second) = (site.signed_in(), site.signed_in());
    sign_out_at_provider(&site, &first, "/end_session");
    site.oxd.rotate_key();
    site.oxd.retire_keys();
    sign_out_at_provider(&site, &second, "/end_session");
    assert_eq!(statuses(&site), [200, 200]);
    expect_dead(&site, &first);
    expect_dead(&site, &second);
}

#[test]
fn frames_do_the_same_for_both_sites() {
    let site = two_sites().frontchannel_logout().start();
    let (browser, elsewhere) = (enter_both(&site), enter_both(&site));
    let copy = browser.copy();
    let page = sign_out_at_provider(&site, &browser, "/end_session");
    assert_eq!(page.page().all("iframe").count(), 2, "{}", page.summary());
    expect_dead(&site, &copy);
    copy.get(site.url("/two/app/")).expect(302);
    expect_alive(&site, &elsewhere);
}

#[test]
fn the_way_out_of_a_site_leads_through_the_frames() {
    let site = two_sites().frontchannel_logout().backchannel_logout().start();
    let browser = enter_both(&site);
    let farewell = sign_out(&browser, site.url("/oxd/logoutme"));
    let page = farewell.page.expect(200);
    assert_eq!(load_frames(page), 2, "{}", page.summary());
    let parsed = page.page();
    let links = parsed.links();
    let back = links
        .iter()
        .find(|link| link.starts_with(&site.url("/oxd/logout")));
    let back = back.unwrap_or_else(|| panic!("{links:?}"));
    browser.get(back).expect(200);
    browser.get(site.url("/two/app/")).expect(302);
    browser.get(site.url("/app/")).expect(302);
}

#[test]
fn at_the_certified_provider_signing_out_ends_the_session_everywhere() {
    let site = two_sites().certified().backchannel_logout().start();
    let (browser, elsewhere) = (enter_both(&site), enter_both(&site));
    let copy = browser.copy();
    assert!(!sid(&site, &browser).is_empty());
    sign_out_at_provider(&site, &browser, "/session/end");
    expect_dead(&site, &copy);
    copy.get(site.url("/two/app/")).expect(302);
    expect_alive(&site, &elsewhere);
    elsewhere.get(site.url("/two/app/")).expect(200);
    // And from one of the sites.
    sign_out(&elsewhere, site.url("/two/oxd/logoutme"))
        .page
        .expect(200);
    expect_dead(&site, &elsewhere);
    sign_in(&browser, site.url("/app/")).page.expect(200);
    assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
}

#[test]
fn at_the_certified_provider_whole_users_go_too() {
    let site = TestSite::builder()
        .certified()
        .backchannel_logout_by_user()
        .start();
    let browsers = [site.signed_in(), site.signed_in()];
    sign_out_at_provider(&site, &browsers[0], "/session/end");
    for browser in &browsers {
        expect_dead(&site, browser);
    }
}

#[test]
fn the_certified_provider_may_sign_with_other_keys() {
    for algorithm in ["PS256", "ES256", "EdDSA"] {
        let site = TestSite::builder()
            .certified_for(json!({ "id_token_signed_response_alg": algorithm }))
            .backchannel_logout()
            .start();
        let browser = site.signed_in();
        let copy = browser.copy();
        sign_out_at_provider(&site, &browser, "/session/end");
        assert_eq!(site.user(&copy), None, "{algorithm}");
    }
}
