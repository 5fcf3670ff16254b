use super::super::tests::tree;
use super::*;

fn read(path: &str) -> Option<SiteFacts> {
    match path {
        "whole.json" => Some(SiteFacts {
            has_secret: true,
            redirect_uri: Some("https://www.example.org/oxd/callback".into()),
        }),
        "public.json" => Some(SiteFacts::default()),
        _ => None,
    }
}

const HANDLER: &str = "<Location /oxd>\nSetHandler oxd\n</Location>\n";
const PROTECTED: &str = "<Location /app>\nAuthType oxd\nRequire valid-user\n</Location>\n";

/// The lines about a configuration with a handler and a protected place.
fn lines(more: &str) -> Vec<String> {
    let tree = tree(&format!("{HANDLER}{PROTECTED}{more}"));
    [doubtful(&tree, &read), certain(&tree, &read)].concat()
}

#[track_caller]
fn expect(more: &str, expected: &[&str]) {
    let lines = lines(more);
    assert_eq!(lines.len(), expected.len(), "{more}\n{lines:#?}");
    for (line, part) in lines.iter().zip(expected) {
        assert!(
            line.contains(part) && line.starts_with("httpd.conf:"),
            "{line} lacks {part}"
        );
    }
}

#[test]
fn a_sound_configuration_is_left_alone() {
    expect("", &[]);
    expect(
        "OxdSite whole.json\nServerName www.example.org\nOxdCookieDomain example.org\n",
        &[],
    );
    expect("OxdCookieName __Host-sid\nOxdCookiePath /\n", &[]);
    expect(
        "<Location /basic>\nAuthType Basic\nRequire valid-user\n</Location>\n",
        &[],
    );
    expect(
        "<Location /open>\nAuthType oxd\nOxdUnauthAction pass\n</Location>\n",
        &[],
    );
    expect("<Location /app/inner>\nAuthType oxd\n</Location>\n", &[]);
    expect("OxdRedirectUri https://login.example.net/elsewhere\n", &[]);
}

#[test]
fn an_auth_type_without_a_rule_leaves_the_pages_open() {
    for rule in [
        "",
        "<Directory /htdocs>\nRequire all granted\n</Directory>\n<Directory />\nRequire all denied\n</Directory>\n",
    ] {
        expect(
            &format!("<Location /b>\nAuthType oxd\n</Location>\n{rule}"),
            &["<Location /b> has AuthType oxd, but no Require"],
        );
    }
    expect(
        "<Location /b>\nAuthType oxd\n</Location>\n<Directory /htdocs>\nRequire oxd-claim a b\n</Directory>\n",
        &[],
    );
}

#[test]
fn a_protected_place_needs_a_handler_on_its_server() {
    let host = |more: &str| format!("<VirtualHost *:80>\n{PROTECTED}{more}</VirtualHost>\n");
    let alone = |text: &str| doubtful(&tree(text), &read).len();
    assert_eq!(alone(&host("")), 1);
    assert_eq!(alone(&host(HANDLER)), 0);
    assert_eq!(alone(&format!("{}{HANDLER}", host(""))), 0);
    assert_eq!(alone(&host("OxdRedirectUri https://login.example/oxd\n")), 0);
    let other = format!("{}<VirtualHost *:81>\n{HANDLER}</VirtualHost>\n", host(""));
    assert_eq!(alone(&other), 1, "the handler of another host");
}

#[test]
fn a_redirect_address_leads_to_a_handler() {
    let name = "ServerName www.example.org:443\n";
    expect(
        &format!("{name}OxdRedirectUri https://www.example.org/old/callback\n"),
        &["OxdRedirectUri: the provider sends the browser to https://www.example.org/old/callback"],
    );
    expect(
        &format!("{name}OxdRedirectUri https://www.example.org/oxd/callback\n"),
        &[],
    );
    let moved = format!("{name}OxdSite whole.json\n<Location /auth>\nSetHandler oxd\n</Location>\n");
    let lines = doubtful(&tree(&format!("{moved}{PROTECTED}")), &read);
    assert!(
        lines[0].contains("OxdSite: the provider sends the browser to"),
        "{lines:?}"
    );
}

#[test]
fn keys_that_differ_where_a_cookie_is_shared() {
    let hosts = |one: &str, two: &str| {
        format!(
            "<VirtualHost a>\nOxdCookieDomain example.org\n{one}</VirtualHost>\n\
             <VirtualHost b>\nOxdCookieDomain Example.org\n{two}</VirtualHost>\n"
        )
    };
    expect(
        &hosts("OxdCryptoKey file:one\n", "OxdCryptoKey file:two\n"),
        &["OxdCryptoKey"],
    );
    expect(&hosts("OxdCryptoKey file:one\n", ""), &["OxdCryptoKey"]);
    expect(&hosts("OxdCryptoKey file:one\n", "OxdCryptoKey file:one\n"), &[]);
    expect(&hosts("", ""), &[]);
    expect(&hosts("OxdCookieName x\nOxdCryptoKey file:one\n", ""), &[]);
}

#[test]
fn places_and_rules_that_cannot_work() {
    expect(
        "<Location /oxd/private>\nAuthType oxd\nRequire valid-user\n</Location>\n",
        &["lies within the SetHandler oxd of line 2"],
    );
    expect(
        "<Location /b>\nRequire oxd-claim role admin\n</Location>\n",
        &["Require oxd-claim role admin in <Location /b>, but no AuthType"],
    );
    expect(
        "<Location /b>\nOxdScope openid\nRequire valid-user\n</Location>\n",
        &["but no AuthType"],
    );
    expect("<Location /b>\nRequire ip 10.0.0.0/8\n</Location>\n", &[]);
}

#[test]
fn cookies_that_never_reach_the_handler() {
    expect(
        "OxdCookiePath /app\n",
        &["OxdCookiePath /app does not cover the handler at /oxd"],
    );
    expect("OxdCookiePath /oxdx\n", &["OxdCookiePath"]);
    expect("OxdCookiePath /\n", &[]);
    expect("OxdCookiePath /oxd/\n", &[]);
    expect(
        "ServerName www.example.org\nOxdCookieDomain example.com\n",
        &["OxdCookieDomain example.com does not cover www.example.org"],
    );
    expect(
        "ServerName badexample.org\nOxdCookieDomain example.org\n",
        &["does not cover"],
    );
    expect("OxdCookieDomain example.com\n", &[]);
}

#[test]
fn several_handlers_of_one_site_are_named() {
    expect(
        "<Location /auth>\nSetHandler oxd\n</Location>\n",
        &["a second SetHandler oxd for the site of line 2: sign-in links lead to /auth"],
    );
    expect(
        "<Location /auth>\nSetHandler oxd\nOxdId other\n</Location>\n",
        &[],
    );
}

#[test]
fn a_site_without_a_secret_is_refused() {
    expect(
        "OxdSite public.json\n",
        &["OxdSite public.json has no client_secret"],
    );
    expect("OxdSite public.json\nOxdClientSecret env:X\n", &[]);
    expect("OxdSite public.json\nOxdProtectedCommands Off\n", &[]);
    expect("OxdSite whole.json\n", &[]);
}

#[test]
fn a_prefixed_cookie_name_has_conditions() {
    for (directives, expected) in [
        ("OxdCookieName __Host-s\nOxdCookieSecure Off\n", 1),
        ("OxdCookieName __Host-s\nOxdCookieDomain example.org\n", 1),
        (
            "OxdCookieName __Host-s\n<Location /oxd>\nOxdCookiePath /oxd\n</Location>\n",
            1,
        ),
        ("OxdCookieName __Secure-s\nOxdCookieSecure off\n", 1),
        ("OxdCookieName __Secure-s\nOxdCookieDomain example.org\n", 0),
        ("OxdCookieName plain\nOxdCookieSecure Off\n", 0),
    ] {
        let lines = certain(&tree(directives), &read);
        assert_eq!(lines.len(), expected, "{directives}{lines:?}");
    }
}

#[test]
fn directives_of_a_store_need_their_partners() {
    expect(
        "OxdStoreUser u\nOxdStoreCert c\n",
        &[
            "no OxdSessionStore or OxdRevocations uses TLS",
            "OxdStoreUser needs OxdStorePassword",
            "OxdStoreCert needs OxdStoreKey",
        ],
    );
    expect("OxdStoreKey k\n", &["OxdStoreKey needs OxdStoreCert"]);
    expect(
        "OxdCryptoKey k\nOxdRevocations rediss://h\nOxdRevocationsMaxLag 5min\nOxdStoreCAFile f\n",
        &[],
    );
    expect(
        "OxdRevocations redis://h\nOxdCryptoKey k\n<VirtualHost *:1>\nOxdRevocations redis://i\n</VirtualHost>\n",
        &["OxdRevocations redis://i differs from that of httpd.conf:8"],
    );
    expect(
        "OxdRevocations redis://h\n",
        &["OxdRevocations needs OxdCryptoKey"],
    );
    expect(
        "OxdCryptoKey k\n<Location /x>\nOxdRevocations redis://h\n</Location>\nOxdRevocationsMaxLag 5min\n",
        &[
            "OxdRevocationsMaxLag has no effect without OxdRevocations",
            "belongs outside of <Location /x>",
        ],
    );
    expect(
        "OxdSessionStore rediss://h\nOxdStoreCAFile f\nOxdStoreCert c\nOxdStoreKey k\nOxdStoreUser u\n\
         <Location /app>\nOxdStorePassword p\n</Location>\n",
        &[],
    );
}

#[test]
fn a_misspelt_handler_is_named() {
    let handler = |word: &str| format!("<Location /x>\nSetHandler {word}\n</Location>\n");
    for word in [
        "oxd-status",
        "OXD-Metrics",
        "server-status",
        "\"proxy:unix:/run/oxd.sock\"",
        "none",
    ] {
        expect(&handler(word), &[]);
    }
    for word in ["oxd-statu", "oxdstatus", "\"oxd_metrics\""] {
        expect(&handler(word), &["there is no such handler"]);
    }
}

#[test]
fn a_handler_behind_the_sign_in_of_another_module_is_named() {
    let outer = |inside: &str| format!("<Location />\n{inside}\n</Location>\n");
    let named = "the SetHandler oxd at /oxd lies behind AuthType Basic";
    expect(&outer("AuthType Basic\nRequire valid-user"), &[named]);
    expect(&outer("AuthType \"Basic\"\nRequire group staff"), &[named]);
    for open in [
        "AuthType Basic",
        "AuthType Basic\nRequire ip 10.0.0.0/8",
        "AuthType Basic\nRequire valid-user\nRequire ip 10.0.0.0/8",
        "AuthType None\nRequire valid-user",
        "AuthType oxd\nRequire valid-user",
    ] {
        expect(&outer(open), &[]);
    }
    // The last section has the last word.
    let basic = outer("AuthType Basic\nRequire valid-user");
    let own = "<Location /oxd>\nAuthType None\nRequire all granted\n</Location>\n";
    expect(&format!("{basic}{own}"), &[]);
    expect(&format!("{own}{basic}"), &[named]);
}

#[test]
fn cookies_that_browsers_refuse_are_named() {
    let registered = |uri: &str, more: &str| format!("OxdRedirectUri {uri}\n{more}\n");
    let secure = "OxdCookieSecure On";
    expect(
        &registered("http://www.example.org/oxd/callback", secure),
        &["OxdCookieSecure On, but the site is registered with http://www.example.org/oxd/callback"],
    );
    for (uri, more) in [
        ("https://www.example.org/oxd/callback", secure),
        ("http://www.example.org/oxd/callback", "OxdCookieSecure Auto"),
        ("http://localhost:8080/oxd/callback", secure),
        ("http://127.0.0.1/oxd/callback", secure),
        ("http://[::1]/oxd/callback", secure),
    ] {
        expect(&registered(uri, more), &[]);
    }
    expect(
        "OxdCookieSameSite None\nOxdCookieSecure Off\n",
        &["OxdCookieSameSite None and OxdCookieSecure Off"],
    );
    expect("OxdCookieSameSite None\n", &[]);
    expect("OxdCookieSameSite Lax\nOxdCookieSecure Off\n", &[]);
}
