//! `Require` rules that ask for a claim, beside rules that need nobody.

use oxd_tests::{Browser, DEMO_SUB, TestSite};

fn site(rules: &str) -> TestSite {
    TestSite::builder()
        .config(&format!("<Location /public>\nAuthType oxd\n{rules}\n</Location>"))
        .start()
}

#[test]
fn whoever_another_rule_lets_in_is_not_sent_to_sign_in() {
    let claim = format!("Require expr \"oxd_claim('sub') == '{DEMO_SUB}'\"");
    for (rules, stranger) in [
        (format!("<RequireAny>\n{claim}\nRequire ip 127.0.0.1\n</RequireAny>"), 200),
        (format!("<RequireAny>\nRequire ip 127.0.0.1\n{claim}\n</RequireAny>"), 200),
        (format!("<RequireAny>\n{claim}\nRequire ip 10.0.0.1\n</RequireAny>"), 302),
        (format!("<RequireAll>\n{claim}\nRequire ip 127.0.0.1\n</RequireAll>"), 302),
        // The absence of a claim lets nobody in.
        ("Require expr \"oxd_claim('role') != 'banned'\"".to_owned(), 302),
        (
            "<RequireAll>\nRequire all granted\nRequire not expr \"oxd_claim('role') == 'banned'\"\n</RequireAll>"
                .to_owned(),
            302,
        ),
        (
            "<RequireAll>\nRequire all granted\n<RequireNone>\nRequire expr \"oxd_claim('role') == 'banned'\"\n\
             </RequireNone>\n</RequireAll>"
                .to_owned(),
            302,
        ),
    ] {
        let site = site(&rules);
        site.forget_calls();
        Browser::new().get(site.url("/public/env")).expect(stranger);
        assert_eq!(site.commands().is_empty(), stranger == 200, "{rules}");
        let inside = site.signed_in().get(site.url("/public/env"));
        assert!(inside.expect(200).environment().contains_key("REQUEST_METHOD"));
    }
}
