//! `Require` rules of the module: who comes in, and who does not.

use std::fmt::Write;

use oxd_tests::{Browser, SiteBuilder, TestSite, begin, sign_in_as, user};
use serde_json::json;

/// A user with claims of every kind.
fn site() -> SiteBuilder {
    let claims = json!({
        "email": "ann@example.org",
        "email_verified": true,
        "level": 3,
        "groups": ["staff", "web admins"],
        "department": "R&D, Vienna",
        "address": {"country": "AT", "lines": ["Street 1", "Door 2"], "geo": {"zone": 7}},
        "https://example.org/role": "editor",
        "urn.dotted": "yes",
        "mixed": ["a,b", 5, false],
    });
    TestSite::builder()
        .directives("OxdScope openid profile email address")
        .users(vec![user("ann", claims)])
}

/// Rules, and whether `ann` comes in by them.
const RULES: &[(&str, bool)] = &[
    // The forms of httpd itself.
    ("Require valid-user", true),
    ("Require user sub-of-ann", true),
    ("Require user sub-of-bob sub-of-ann", true),
    ("Require user sub-of-bob", false),
    // A claim equals one of the values.
    ("Require oxd-claim sub sub-of-ann", true),
    ("Require oxd-claim sub sub-of-bob", false),
    ("Require oxd-claim sub sub-of-bob sub-of-ann", true),
    ("Require oxd-claim sub SUB-OF-ANN", false),
    ("Require oxd-claim sub sub-of", false),
    ("Require oxd-claim email ann@example.org", true),
    ("Require oxd-claim email_verified true", true),
    ("Require oxd-claim email_verified false", false),
    ("Require oxd-claim level 3", true),
    ("Require oxd-claim level 03", false),
    ("Require oxd-claim department \"R&D, Vienna\"", true),
    ("Require oxd-claim department Vienna", false),
    ("Require oxd-claim missing x", false),
    ("Require oxd-claim https://example.org/role editor", true),
    ("Require oxd-claim urn.dotted yes", true),
    // An array contains one of them.
    ("Require oxd-claim groups staff", true),
    ("Require oxd-claim groups \"web admins\"", true),
    ("Require oxd-claim groups 'web admins'", true),
    ("Require oxd-claim groups admins", false),
    ("Require oxd-claim groups \"staff,web admins\"", false),
    ("Require oxd-claim groups boss staff", true),
    ("Require oxd-claim mixed a,b", true),
    ("Require oxd-claim mixed a", false),
    ("Require oxd-claim mixed 5", true),
    ("Require oxd-claim mixed false", true),
    // A path.
    ("Require oxd-claim address.country AT", true),
    ("Require oxd-claim address.country at", false),
    ("Require oxd-claim address.lines \"Door 2\"", true),
    ("Require oxd-claim address.lines.0 \"Street 1\"", true),
    ("Require oxd-claim address.geo.zone 7", true),
    ("Require oxd-claim address.geo 7", false),
    ("Require oxd-claim address AT", false),
    ("Require oxd-claim address.country.x AT", false),
    // An expression.
    ("Require oxd-claim email ~ @example\\.org$", true),
    ("Require oxd-claim email ~ @example\\.com$", false),
    ("Require oxd-claim email ~ \"(?i)^ANN@\"", true),
    ("Require oxd-claim groups ~ ^web", true),
    ("Require oxd-claim groups ~ ^admins", false),
    ("Require oxd-claim address.country ~ ^(DE|AT|CH)$", true),
    ("Require oxd-claim missing ~ .*", false),
    // How the user authenticated.
    ("Require oxd-acr basic", true),
    ("Require oxd-acr u2f basic", true),
    ("Require oxd-acr u2f", false),
    // In httpd's expressions.
    ("Require expr \"oxd_claim('sub') == 'sub-of-ann'\"", true),
    ("Require expr \"oxd_claim('sub') == 'sub-of-bob'\"", false),
    ("Require expr \"oxd_claim('groups') =~ /web admins/\"", true),
    ("Require expr \"oxd_claim('level') -ge 3\"", true),
    ("Require expr \"oxd_claim('level') -ge 4\"", false),
    (
        "Require expr \"oxd_claim('address.country') in {'AT', 'DE'}\"",
        true,
    ),
    ("Require expr \"-n oxd_claim('missing')\"", false),
    (
        "Require expr \"oxd_claim('email') == 'ann@example.org' && %{REQUEST_METHOD} == 'GET'\"",
        true,
    ),
    // Combined.
    (
        "<RequireAll>\nRequire oxd-claim groups staff\nRequire oxd-acr basic\n</RequireAll>",
        true,
    ),
    (
        "<RequireAll>\nRequire oxd-claim groups staff\nRequire oxd-acr u2f\n</RequireAll>",
        false,
    ),
    (
        "<RequireAny>\nRequire oxd-claim groups boss\nRequire oxd-claim level 3\n</RequireAny>",
        true,
    ),
    (
        "<RequireAny>\nRequire oxd-claim groups boss\nRequire oxd-claim level 4\n</RequireAny>",
        false,
    ),
    (
        "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire oxd-claim groups banned\n</RequireNone>\n</RequireAll>",
        true,
    ),
    (
        "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire oxd-claim groups staff\n</RequireNone>\n</RequireAll>",
        false,
    ),
    (
        "<RequireAll>\nRequire ip 127.0.0.1\nRequire oxd-claim groups staff\n</RequireAll>",
        true,
    ),
    (
        "<RequireAll>\nRequire ip 192.0.2.1\nRequire oxd-claim groups staff\n</RequireAll>",
        false,
    ),
    ("Require not oxd-claim groups banned\nRequire valid-user", true),
];

#[test]
fn every_rule_lets_in_whom_it_should() {
    let mut config = String::new();
    for (number, (rule, _)) in RULES.iter().enumerate() {
        let rule = if rule.contains("Require not") {
            format!("<RequireAll>\n{rule}\n</RequireAll>")
        } else {
            (*rule).to_owned()
        };
        writeln!(
            config,
            "<Location /app/rule{number}>\nOxdUnautzAction 403\n{rule}\n</Location>"
        )
        .expect("a String takes all");
    }
    let site = site()
        .httpd(|httpd| {
            for number in 0..RULES.len() {
                httpd.file(&format!("docroot/app/rule{number}"), "let in");
            }
            httpd.allow_log("client denied by server configuration")
        })
        .config(&config)
        .start();
    let browser = Browser::new();
    sign_in_as(&browser, site.url("/app/env"), "ann", "secret");
    site.forget_calls();
    let mut wrong = Vec::new();
    for (number, (rule, let_in)) in RULES.iter().enumerate() {
        let answer = browser.get(site.url(&format!("/app/rule{number}")));
        let fits = if *let_in {
            answer.status == 200 && answer.text() == "let in"
        } else {
            answer.status == 403
        };
        if !fits {
            wrong.push(format!("{rule}: {}", answer.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    site.expect_commands(&[]);
}

#[test]
fn whoever_is_not_signed_in_is_asked_to() {
    let rules = [
        "Require oxd-claim groups staff",
        "Require oxd-acr basic",
        "Require expr \"oxd_claim('level') == '3'\"",
    ];
    for rule in rules {
        // mod_authz_core says that an expression refused the visitor; what becomes of that it does not know.
        let site = site().httpd(|httpd| httpd.allow_log("client denied by server configuration"));
        let site = site
            .config(&format!("<Location /app/env>\n{rule}\n</Location>"))
            .start();
        begin(&Browser::new(), site.url("/app/env"));
        let walk = sign_in_as(&Browser::new(), site.url("/app/env"), "ann", "secret");
        assert_eq!(walk.page.environment()["REMOTE_USER"], "sub-of-ann", "{rule}");
    }
}

#[test]
fn a_rule_that_needs_no_user_is_heard_before_the_sign_in() {
    let rule =
        "<RequireAll>\nRequire ip 192.0.2.1\nRequire expr \"oxd_claim('level') == '3'\"\n</RequireAll>";
    let site = site().config(&format!(
        "<Location /app/env>\nRequire ip 192.0.2.1\n</Location>\n<Location /app/1k.bin>\n{rule}\n</Location>"
    ));
    let site = site
        .httpd(|httpd| httpd.allow_log("client denied by server configuration"))
        .start();
    Browser::new().get(site.url("/app/env")).expect(403);
    site.expect_commands(&[]);
}

#[test]
fn expressions_know_the_claims_everywhere() {
    let site = site()
        .httpd(|httpd| httpd.load("headers"))
        .config(
            "<Location /app/env>\n\
             <If \"oxd_claim('groups') =~ /staff/\">\nHeader set X-Staff yes\n</If>\n\
             <If \"oxd_claim('groups') =~ /boss/\">\nHeader set X-Boss yes\n</If>\n\
             Header set X-Country expr=%{oxd_claim:address.country}\n\
             RequestHeader set X-Level \"expr=%{oxd_claim:level}\"\n\
             </Location>\n\
             <Location /greeting.html>\nHeader set X-Name expr=[%{oxd_claim:sub}]\n</Location>",
        )
        .httpd(|httpd| {
            httpd.file("docroot/greeting.html", "hello");
            httpd
        })
        .start();
    let browser = Browser::new();
    let stranger = browser.get(site.url("/greeting.html"));
    assert_eq!(stranger.expect(200).header("x-name"), Some("[]"));
    let page = sign_in_as(&browser, site.url("/app/env"), "ann", "secret").page;
    assert_eq!(page.header("x-staff"), Some("yes"));
    assert_eq!(page.header("x-boss"), None);
    assert_eq!(page.header("x-country"), Some("AT"));
    assert_eq!(page.environment()["HTTP_X_LEVEL"], "3");
    let known = browser.get(site.url("/greeting.html"));
    assert_eq!(known.header("x-name"), Some("[sub-of-ann]"));
}

#[test]
fn rewriting_and_logging_may_ask_for_claims() {
    let site = site()
        .httpd(|httpd| httpd.load("rewrite").load("setenvif"))
        .config(
            "<Location /app/env>\nRewriteEngine On\n\
             RewriteCond expr \"oxd_claim('groups') =~ /staff/\"\nRewriteRule ^ - [E=STAFF:yes]\n\
             RewriteCond expr \"oxd_claim('groups') =~ /boss/\"\nRewriteRule ^ - [E=BOSS:yes]\n\
             SetEnvIfExpr \"oxd_claim('level') -gt 2\" HIGH=yes\n</Location>",
        )
        .start();
    let page = sign_in_as(&Browser::new(), site.url("/app/env"), "ann", "secret").page;
    let environment = page.environment();
    let of = |name: &str| environment.get(name).map(String::as_str);
    assert_eq!(
        (of("STAFF"), of("BOSS"), of("HIGH")),
        (Some("yes"), None, Some("yes"))
    );
}

#[test]
fn rules_that_cannot_be_read_fail_configtest() {
    for (rule, said) in [
        ("oxd-claim", "at least one value"),
        ("oxd-claim groups", "at least one value"),
        ("oxd-claim groups ~", "regular expression"),
        ("oxd-claim groups ~ (open", "(open"),
        ("oxd-claim groups ~ a b", "regular expression"),
        ("oxd-acr", "at least one acr"),
        ("oxd-acr \"a b\"", "white space"),
        ("expr \"oxd_claim(\"", "Cannot parse expression"),
    ] {
        let config = format!("<Location /app>\nRequire {rule}\n</Location>");
        let test = oxd_tests::Httpd::builder().config(&config).configtest();
        assert!(!test.ok && test.output.contains(said), "{rule}: {}", test.output);
    }
}
