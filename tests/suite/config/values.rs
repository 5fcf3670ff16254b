//! Good and bad values of each directive.

use oxd_tests::{Builder, Httpd};
use regex::Regex;

use super::bearer::BEARER;

/// A directive, a value that it does not take, and what the message says is allowed instead.
pub(super) type Bad = (&'static str, &'static str, &'static str);

const URL: &str = "(?i)http";
pub(super) const TIME: &str = "(?i)second|time|30s|5min";
pub(super) const SWITCH: &str = "(?i)on.{0,12}off";
pub(super) const NUMBER: &str = "(?i)number|[0-9]";
const SECRET: &str = "(?i)file|env|exec|read|set|run";

fn httpd() -> Builder {
    let httpd = Httpd::builder().environment("OXD_TEST_SECRET", "from the environment");
    httpd.file("secret", "from a file, and long enough for a key\n");
    httpd.file("docroot/key", "a key that everybody can read\n");
    httpd.file("empty", "");
    httpd.file("not.json", "{\"oxd_id\":");
    httpd.file("list.json", "[]");
    httpd.file("wrong.json", "{\"oxd_id\": 1}");
    httpd.file(
        "site.json",
        "{\"oxd_id\":\"a\",\"client_id\":\"b\",\"client_secret\":\"c\"}",
    );
    httpd.file("not.pem", "no certificate\n");
    httpd.file("pages/error.html", "{{ title }}");
    httpd.file("odd-pages/eror.html", "");
    httpd.file("broken-pages/error.html", "{{ title ");
    httpd.file("ca.pem", &oxd_tests::Authority::new().certificate_pem);
    httpd
}

pub(super) fn refuses(table: &[Bad]) {
    let mut wrong = Vec::new();
    for (directive, value, allowed) in table {
        let test = httpd().config(&format!("{directive} {value}")).configtest();
        // The line with the place names a directory, whose random name may hold anything.
        let about = |line: &&str| line.contains("Oxd") && !line.contains("Syntax error on line");
        let lines: Vec<_> = test.output.lines().filter(about).collect();
        // The message may name the wrong one of several arguments only, and shows odd characters in
        // its own way; how a secret is found is named, a secret itself is not.
        let plain = value.replace("${ROOT}", "").replace("name ", "");
        let odd = |c: char| !c.is_ascii_graphic() || "\"\\:".contains(c);
        let last = plain.split(odd).rfind(|part| !part.is_empty());
        let said = lines.concat();
        let hidden = said.contains("(not shown, as it is a secret)");
        let named = said.contains(" given;") // that is, too many of them or too few
            || said.contains("''")
            || last.is_none_or(|last| said.contains(last) != hidden);
        let allowed = Regex::new(allowed).expect("a pattern");
        let why = if test.ok {
            "is taken"
        } else if !test.output.contains("Syntax error on line") {
            "is refused without its place"
        } else if lines.len() != 1 || !lines[0].contains(directive) {
            "does not get one line with its name"
        } else if !named {
            "is refused without the value"
        } else if !allowed.is_match(&lines[0].replace(directive, "")) {
            "is refused without saying what is allowed"
        } else {
            continue;
        };
        wrong.push(format!("{directive} {value} {why}:\n    {}", test.output.trim()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

pub(super) fn takes(lines: &[&str]) {
    let mut wrong = Vec::new();
    for line in lines {
        let test = httpd().config(line).configtest();
        if !test.ok {
            wrong.push(format!("{line}:\n    {}", test.output.trim()));
        }
    }
    assert!(wrong.is_empty(), "refused:\n{}", wrong.join("\n"));
}

const SITE: &[Bad] = &[
    ("OxdServer", "oxd.example.org", URL),
    ("OxdServer", "ftp://oxd.example.org", URL),
    ("OxdServer", "https://", URL),
    ("OxdServer", "https:///path", URL),
    ("OxdServer", "https://oxd.example.org:99999", URL),
    ("OxdServer", "https://oxd.example.org/?x=1", URL),
    ("OxdServer", "https://oxd.example.org/#x", URL),
    ("OxdServer", "\"https://oxd example.org\"", URL),
    ("OxdServer", "\"\"", "(?i)allowed: .*url"),
    ("OxdSite", "/nonexistent/site.json", "(?i)file|json|read"),
    ("OxdSite", "${ROOT}/not.json", "(?i)json"),
    ("OxdSite", "${ROOT}/list.json", "(?i)json|object"),
    ("OxdSite", "${ROOT}/wrong.json", "(?i)json|text|string"),
    ("OxdSite", "${ROOT}/empty", "(?i)json"),
    ("OxdId", "\"\"", "(?i)allowed: .*id"),
    ("OxdClientId", "\"\"", "(?i)allowed: .*id"),
    ("OxdClientSecret", "\"\"", "(?i)empty|text"),
    ("OxdClientSecret", "file:/nonexistent/secret", SECRET),
    ("OxdClientSecret", "file:${ROOT}/empty", SECRET),
    ("OxdClientSecret", "file:", SECRET),
    ("OxdClientSecret", "env:OXD_TEST_NOT_SET", SECRET),
    ("OxdClientSecret", "env:", SECRET),
    ("OxdClientSecret", "exec:/nonexistent/program", SECRET),
    ("OxdClientSecret", "exec:", SECRET),
    ("OxdOpHost", "\"\"", "(?i)http|empty|url|host"),
    ("OxdOpConfigurationEndpoint", "nonsense", URL),
    ("OxdClientAuth", "private_key_jwt", "RS256"),
    ("OxdClientAuth", "private_key_jwt HS256", "RS256"),
    ("OxdClientAuth", "client_secret_basic RS256", "private_key_jwt"),
    ("OxdAuthorizationSite", "\"\"", "(?i)allowed: .*"),
    ("OxdAuthorizationSite", "\"a b\"", "oxd_id"),
    ("OxdServerCAFile", "/nonexistent/ca.pem", "(?i)pem"),
    ("OxdServerCAFile", "${ROOT}/not.pem", "(?i)pem"),
    ("OxdServerCAFile", "${ROOT}/empty", "(?i)pem"),
    ("OxdServerVerify", "maybe", SWITCH),
    ("OxdServerTimeout", "soon", TIME),
    ("OxdServerTimeout", "0", TIME),
    ("OxdServerTimeout", "-1s", TIME),
    ("OxdServerTimeout", "300x", TIME),
    ("OxdServerTimeout", "1e3", TIME),
    ("OxdServerTimeout", "99999999999999999999s", TIME),
    ("OxdServerTimeout", "10s soon", TIME),
    ("OxdServerTimeout", "10s 0", TIME),
    ("OxdServerProxy", "nonsense", "(?i)none"),
    ("OxdServerProxy", "ftp://proxy.example.org", "(?i)none"),
    ("OxdServerMaxCalls", "0", NUMBER),
    ("OxdServerMaxCalls", "-1", NUMBER),
    ("OxdServerMaxCalls", "many", NUMBER),
    ("OxdServerMaxCalls", "1.5", NUMBER),
    ("OxdServerMaxCalls", "99999999999999999999", NUMBER),
    ("OxdProtectedCommands", "sometimes", SWITCH),
];

#[test]
fn bad_values_of_the_site_are_refused() {
    refuses(SITE);
}

const LOGIN: &[Bad] = &[
    ("OxdScope", "\"\"", "(?i)scope|empty"),
    ("OxdScope", "\"open\\\"id\"", "(?i)scope|character"),
    ("OxdAcrValues", "\"\"", "(?i)acr|empty"),
    ("OxdPrompt", "please", "login.*consent.*select_account.*none"),
    ("OxdPrompt", "\"\"", "login.*consent.*select_account.*none"),
    ("OxdPrompt", "none login", "(?i)none"),
    ("OxdAuthParam", "only_a_name", "(?i)name|argument"),
    ("OxdAuthParam", "\"\" value", "(?i)name"),
    ("OxdAuthParam", "name \"%{unclosed\"", "(?i)expression"),
    ("OxdAuthParam", "name \"%{no_such_function:x}\"", "(?i)expression"),
    ("OxdCustomParam", "only_a_name", "(?i)name|argument"),
    ("OxdCustomParam", "\"\" value", "(?i)name"),
    ("OxdRedirectUri", "/relative", URL),
    ("OxdRedirectUri", "ftp://www.example.org/", URL),
    (
        "OxdRedirectUri",
        "https://www.example.org/#fragment",
        "(?i)http|fragment",
    ),
    ("OxdRedirectUri", "\"\"", "(?i)allowed: .*url"),
    ("OxdReturnTo", "\"\"", "(?i)host"),
    ("OxdReturnTo", "https://www.example.org/", "(?i)host"),
    ("OxdReturnTo", "www.example.org/path", "(?i)host"),
    ("OxdReturnTo", "user@www.example.org", "(?i)host"),
    ("OxdReturnTo", "*", "(?i)host"),
    ("OxdReturnTo", "www.example.org:port", "(?i)host"),
    ("OxdDefaultUrl", "//evil.test/", "(?i)path|http"),
    ("OxdDefaultUrl", "/\\evil.test/", "(?i)path|http"),
    ("OxdDefaultUrl", "relative", "(?i)path|http"),
    ("OxdDefaultUrl", "javascript:alert(1)", "(?i)path|http"),
    ("OxdDefaultUrl", "\"\"", "(?i)path|http"),
    ("OxdStateTimeout", "later", TIME),
    ("OxdStateTimeout", "0", TIME),
    ("OxdStateTimeout", "-5min", TIME),
    ("OxdStateTimeout", "300x", TIME),
    ("OxdStateMax", "0", NUMBER),
    ("OxdStateMax", "-1", NUMBER),
    ("OxdStateMax", "few", NUMBER),
    ("OxdStateMax", "99999999999999999999", NUMBER),
    ("OxdUserInfo", "perhaps", SWITCH),
    ("OxdUnauthAction", "explode", "auto.*login.*401"),
    ("OxdUnauthAction", "200", "auto.*login.*401"),
    ("OxdPostLogoutRedirectUri", "relative", "(?i)path|http"),
    (
        "OxdPostLogoutRedirectUri",
        "ftp://www.example.org/",
        "(?i)path|http",
    ),
    ("OxdPostLogoutRedirectUri", "//evil.test/", "(?i)path|http"),
    ("OxdPostLogoutRedirectUri", "\"\"", "(?i)path|http"),
];

#[test]
fn bad_values_of_the_login_are_refused() {
    refuses(LOGIN);
}

const SESSION: &[Bad] = &[
    ("OxdSessionStore", "somewhere", "cookie"),
    ("OxdSessionStore", "\"\"", "cookie"),
    ("OxdSessionStore", "redis://a,b", "redis\\+cluster"),
    ("OxdSessionStore", "redis+sentinel://a", "service"),
    ("OxdStoreUser", "\"\"", "(?i)text|NAME"),
    ("OxdStorePassword", "\"\"", "(?i)empty|text"),
    ("OxdStorePassword", "file:/nonexistent/secret", SECRET),
    ("OxdStoreSentinelPassword", "env:OXD_TEST_NOT_SET", SECRET),
    ("OxdStoreCAFile", "${ROOT}/not.pem", "(?i)pem"),
    ("OxdStoreCert", "${ROOT}/not.pem", "(?i)pem"),
    ("OxdStoreCert", "/nonexistent/cert.pem", "(?i)pem"),
    ("OxdStoreKey", "${ROOT}/not.pem", "(?i)pem"),
    ("OxdStoreTimeout", "soon", TIME),
    ("OxdStoreTimeout", "0", TIME),
    ("OxdStoreTimeout", "500ms 1s", TIME),
    ("OxdRevocations", "redis:h:6379", "redis://"),
    ("OxdRevocations", "redis://h/x", "(?i)number"),
    ("OxdRevocationsMaxLag", "soon", TIME),
    ("OxdRevocationsMaxLag", "1", TIME),
    ("OxdSessionMarks", "1000", "1024"),
    ("OxdSessionMarks", "many", "1024"),
    ("OxdStorePrefix", "\"\"", "(?i)text"),
    ("OxdStorePrefix", "\"two words\"", "(?i)spaces"),
    ("OxdSessionLifetime", "long", TIME),
    ("OxdSessionLifetime", "0", TIME),
    ("OxdSessionLifetime", "-8h", TIME),
    ("OxdSessionLifetime", "8hours", TIME),
    ("OxdSessionLifetime", "99999999999999999999h", TIME),
    ("OxdSessionIdle", "never", TIME),
    ("OxdSessionIdle", "0", TIME),
    ("OxdSessionIdle", "-1h", TIME),
    ("OxdCryptoKey", "\"\"", "(?i)empty|key|characters|bytes|file"),
    ("OxdCryptoKey", "file:/nonexistent/key", SECRET),
    ("OxdCryptoKey", "file:${ROOT}/empty", SECRET),
    ("OxdCryptoKey", "env:OXD_TEST_NOT_SET", SECRET),
    ("OxdCookieName", "\"\"", "(?i)letters|token|characters|name"),
    ("OxdCookieName", "\"two words\"", "(?i)letters|token|characters"),
    ("OxdCookieName", "a=b", "(?i)letters|token|characters"),
    ("OxdCookieName", "a;b", "(?i)letters|token|characters"),
    ("OxdCookieName", "a,b", "(?i)letters|token|characters"),
    ("OxdCookieName", "gl\u{fc}ck", "(?i)letters|token|characters"),
    ("OxdCookiePath", "relative", "(?i)path|/"),
    ("OxdCookiePath", "\"/a;b\"", "(?i)path|character|/"),
    ("OxdCookiePath", "\"\"", "(?i)path|/"),
    ("OxdCookieDomain", "\"example.org; Secure\"", "(?i)host|domain"),
    ("OxdCookieDomain", "https://example.org", "(?i)host|domain"),
    ("OxdCookieDomain", "\"\"", "(?i)host|domain"),
    ("OxdCookieSameSite", "Loose", "Lax.*Strict.*None"),
    ("OxdCookieSecure", "perhaps", "(?i)auto.*on.*off"),
    ("OxdCookieAttributes", "Path=/x", "Partitioned"),
    ("OxdCookieAttributes", "Partitioned;Secure", "Partitioned"),
    ("OxdCryptoKey", "/etc/apache2/oxd.key", "needs file: before it"),
    ("OxdCryptoKey", "file:${ROOT}/docroot/key", "chmod 640"),
    (
        "OxdClientSecret",
        "/etc/apache2/oxd.secret",
        "needs file: before it",
    ),
    (
        "OxdTrustForwarded",
        "X-Real-Ip",
        "X-Forwarded-Proto.*X-Forwarded-Host",
    ),
    ("OxdTrustForwarded", "\"\"", "X-Forwarded-Proto.*X-Forwarded-Host"),
    ("OxdSessionMax", "0", NUMBER),
    ("OxdSessionMax", "some", NUMBER),
    ("OxdTokenRefresh", "often", TIME),
    ("OxdTokenRefresh", "-1s", TIME),
    ("OxdRemoteUser", "\"\"", "(?i)claim"),
    (
        "OxdRemoteUser",
        "email \"(unclosed\"",
        "(?i)regular expression|regex",
    ),
    ("OxdClaims", "everywhere", "env"),
    ("OxdClaimHeader", "X-User", "HEADER CLAIM"),
    ("OxdClaimHeader", "Host Host", "header name"),
    ("OxdClaimHeader", "\"X User\" User", "header name"),
    ("OxdClaimHeader", "X-User sub xml", "text, json, base64"),
    ("OxdPassTokens", "everything", "access_token"),
    ("OxdPassTokens", "access_token none", "none alone"),
    ("OxdMaxAge", "soon", TIME),
    ("OxdMaxAge", "0", TIME),
    ("OxdUnautzAction", "404", "403, 401, login"),
    ("OxdPostPreserve", "maybe", SWITCH),
    ("OxdPostPreserve", "On lots", NUMBER),
    ("OxdPostPreserve", "On 8M", NUMBER),
    ("OxdUserInfo", "On often", TIME),
    ("OxdClaimNames", "\"\"", "(?i)claim|name|empty"),
    ("OxdClaimNames", "!", "(?i)claim|name"),
    ("OxdAuditLog", "\"\"", "(?i)file"),
    ("OxdAuditLog", "${ROOT}", "a file"),
    ("OxdAuditLog", "${ROOT}/none/audit.log", "no directory .*/none"),
    ("OxdAuditLog", "\"|\"", "whole path"),
    ("OxdAuditLog", "\"|rotatelogs x\"", "whole path"),
    (
        "OxdAuditLog",
        "\"|/nonexistent/program x\"",
        "no file /nonexistent/program",
    ),
    ("OxdAuditLog", "\"|$\"", "a command"),
    ("OxdAuditUser", "name", "hash, sub, none"),
    ("OxdPages", "/nonexistent/pages", "a folder.*cannot be read"),
    ("OxdPages", "${ROOT}/site.json", "a folder.*cannot be read"),
    (
        "OxdPages",
        "${ROOT}/odd-pages",
        "there is no page eror.html; the pages are .*error.html",
    ),
    ("OxdPages", "${ROOT}/broken-pages", "error.html, line 1: "),
    ("OxdLanguages", "xx", "en, de, fr"),
    ("OxdLanguages", "de-AT", "en, de, fr"),
    ("OxdLanguages", "de de", "each once"),
];

#[test]
fn bad_values_of_the_session_are_refused() {
    refuses(SESSION);
}

#[test]
fn a_program_that_has_no_secret_to_tell_stops_the_start() {
    for directive in ["OxdClientSecret", "OxdCryptoKey"] {
        for program in ["exec:/bin/false", "exec:/bin/true", "\"exec:/bin/echo\""] {
            let output = httpd().config(&format!("{directive} {program}")).start_fails();
            let line = output.lines().find(|line| line.contains(directive));
            let line = line.unwrap_or_else(|| panic!("{directive} {program}: {output}"));
            assert!(line.contains("/bin/"), "{directive} {program}: {line}");
        }
    }
}

#[test]
fn good_values_of_the_site_are_taken() {
    takes(&[
        "OxdServer https://oxd.example.org:8443",
        "OxdServer https://oxd.example.org:8443/",
        "OxdServer http://127.0.0.1:8443/with/a/prefix",
        "OxdServer http://[::1]:8443",
        "OxdSite ${ROOT}/site.json",
        "OxdId 6f0b0d26-2f0b-4e0b-9b1b-0d0e0f101112",
        "OxdClientId client",
        "OxdClientSecret secret",
        "OxdClientSecret file:${ROOT}/secret",
        "OxdClientSecret env:OXD_TEST_SECRET",
        "OxdClientSecret \"exec:/bin/echo a secret\"",
        "OxdOpHost https://op.example.org",
        "OxdOpConfigurationEndpoint https://op.example.org/.well-known/openid-configuration",
        "OxdServerCAFile ${ROOT}/ca.pem",
        "OxdServerVerify On",
        "OxdServerVerify off",
        "OxdServerTimeout 10s",
        "OxdServerTimeout 10",
        "OxdServerTimeout 1min 500ms",
        "OxdServerProxy none",
        "OxdServerProxy http://proxy.example.org:3128",
        "OxdServerMaxCalls 1",
        "OxdServerMaxCalls 500",
        "OxdClientAuth client_secret_basic",
        "OxdClientAuth private_key_jwt ES256 key-1",
        "OxdAuthorizationSite 33e57fc8-07ee-42dd-8cf2-33dff6cba7d7",
        "OxdProtectedCommands Off",
    ]);
}

#[test]
fn good_values_of_the_login_are_taken() {
    takes(&[
        "OxdScope openid",
        "OxdScope openid profile email phone",
        "OxdScope \"openid profile\" email",
        "OxdAcrValues basic otp",
        "OxdPrompt login",
        "OxdPrompt consent",
        "OxdPrompt select_account",
        "OxdPrompt none",
        "OxdAuthParam ui_locales de\nOxdAuthParam login_hint \"%{REQUEST_URI}\"",
        "OxdCustomParam one 1\nOxdCustomParam two 2",
        "OxdRedirectUri https://www.example.org/oxd/callback",
        "OxdReturnTo www.example.org other.example.org:8443 [::1]",
        "OxdDefaultUrl /app/",
        "OxdDefaultUrl https://www.example.org/app/",
        "OxdStateTimeout 5min",
        "OxdStateTimeout 300",
        "OxdStateMax 1",
        "OxdStateMax 20",
        "OxdUserInfo On",
        "OxdUserInfo off",
        "OxdMaxAge 30min",
        "OxdPostPreserve On 128K",
        "OxdUnautzAction login",
        "OxdUserInfo On 10min",
        "OxdUnauthAction pass",
        "OxdUnauthAction auto",
        "OxdUnauthAction login",
        "OxdUnauthAction 401",
        "OxdPostLogoutRedirectUri /goodbye",
        "OxdPostLogoutRedirectUri https://www.example.org/goodbye",
    ]);
}

#[test]
fn good_values_of_the_session_are_taken() {
    takes(&[
        "OxdSessionStore cookie",
        "OxdSessionStore redis://[::1]:6379/2",
        "OxdSessionStore rediss+sentinel://a,b:26380/main",
        "OxdStorePassword file:${ROOT}/secret",
        "OxdStoreSentinelPassword env:OXD_TEST_SECRET",
        "OxdStoreTimeout 1s 200ms",
        "OxdStorePrefix {sso}:",
        "OxdCryptoKey \"0123456789abcdef0123456789abcdef\"\nOxdRevocations redis://127.0.0.1:6379",
        "OxdRevocationsMaxLag 5min",
        "OxdRevocationsMaxLag Off",
        "OxdSessionMarks 1024",
        "OxdSessionLifetime 8h",
        "OxdSessionLifetime 30min",
        "OxdSessionIdle 1h",
        "OxdSessionIdle 90",
        "OxdCryptoKey \"0123456789abcdef0123456789abcdef\"",
        "OxdCryptoKey file:${ROOT}/secret",
        "OxdCryptoKey \"0123456789abcdef0123456789abcdef\" \"an older key, 0123456789abcdef\"",
        "OxdCookieName session-1_2",
        "OxdCookieAttributes Partitioned Priority=High",
        "OxdCookiePath /app",
        "OxdCookieDomain example.org",
        "OxdCookieSameSite strict",
        "OxdCookieSameSite None",
        "OxdCookieSecure auto",
        "OxdCookieSecure On",
        "OxdCookieSecure off",
        "OxdTrustForwarded X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port",
        "OxdTrustForwarded forwarded",
        "OxdRemoteUser email",
        "OxdRemoteUser email \"^(.*)@\" \"$1\"",
        "OxdClaims env",
        "OxdClaims none",
        "OxdClaims headers",
        "OxdClaimHeader X-Groups groups json",
        "OxdPassTokens access_token expires",
        "OxdClaimNames sub email",
        "OxdClaimNames !email",
        "OxdAuditLog audit.log",
        "OxdAuditLog ${ROOT}/audit.log",
        "OxdAuditLog \"|/bin/cat -u\"",
        "OxdAuditLog \"||/bin/cat -u\"",
        "OxdAuditLog \"|$cat >/dev/null\"",
        "OxdAuditLog off",
        "OxdAuditUser sub",
        "OxdAuditUser HASH",
        "OxdPages ${ROOT}/pages",
        "OxdPages pages",
        "OxdLanguages ar",
        "OxdLanguages de en FR",
    ]);
}

#[test]
fn a_directive_of_no_name_or_without_a_value_is_refused() {
    for line in [
        "OxdServer",
        "OxdNonsense x",
        "OxdId a b",
        "OxdStateMax 1 2",
        "OxdScope",
    ] {
        assert!(!httpd().config(line).configtest().ok, "{line}");
    }
}

#[test]
fn every_directive_of_the_reference_has_its_bad_values_here() {
    let reference = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/DIRECTIVES.md");
    let reference = std::fs::read_to_string(reference).expect("the directive reference");
    let named = reference.lines().filter_map(|line| line.strip_prefix("### Oxd"));
    let named: Vec<_> = named.map(|name| format!("Oxd{name}")).collect();
    assert!(named.len() > 30, "{named:?}");
    let tables = [SITE, LOGIN, SESSION, BEARER];
    let has = |name: &str| tables.iter().any(|table| table.iter().any(|(n, ..)| *n == name));
    let missing: Vec<_> = named.iter().filter(|name| !has(name)).collect();
    assert!(missing.is_empty(), "no bad values for {missing:?}");
}
