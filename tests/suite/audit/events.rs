//! A line for each event, and none for a request with a session.

use std::time::Duration;

use oxd_dev::{Fault, Signer};
use oxd_tests::{Browser, DEMO_SUB, TestSite, approve, begin, decide, wait_until};
use serde_json::json;

use super::super::{lines, text, trailed};

const PLACES: &str = "
<Location /app/closed>
    Require oxd-claim groups admins
</Location>
<Location /app/u2f>
    Require oxd-acr u2f
</Location>
<Location /app/strong>
    Require oxd-acr platinum
</Location>
<Location /app/nameless>
    OxdRemoteUser nickname
</Location>
<Location /api>
    AuthType oxd
    OxdBearer introspect
    Require oxd-scope write
</Location>
<Location /tokens>
    AuthType oxd
    Require valid-user
    OxdPassTokens access_token
</Location>
ScriptAlias /tokens/env \"${ROOT}/cgi-bin/env\"
<Location /oxd-status>
    SetHandler oxd-status
    Require ip 127.0.0.1
</Location>
";

/// What is done, and the events, codes and actors of the lines that are written meanwhile.
type Case = (
    &'static str,
    fn(&TestSite),
    &'static [(&'static str, &'static str, &'static str)],
);

fn sid(site: &TestSite, browser: &Browser) -> String {
    let session = browser.get(site.url("/oxd/session")).json();
    session["claims"]["sid"].as_str().expect("a sid").to_owned()
}

fn api(site: &TestSite, authorization: &str) -> u16 {
    let client = Browser::new();
    let ask = client.ask("GET", site.url("/api/x")).header("accept", "*/*");
    ask.header("authorization", authorization).send().status
}

fn administrator(site: &TestSite, fields: &[(&str, &str)]) {
    let nobody = Browser::new();
    let ask = nobody
        .ask("POST", site.url("/oxd-status"))
        .header("accept", "*/*");
    let ask = ask.without("sec-fetch-dest").without("sec-fetch-mode");
    ask.form(fields).send().expect(200);
}

fn steps_up(site: &TestSite, path: &str) -> Browser {
    let browser = site.signed_in();
    let start = begin(&browser, site.url(path));
    approve(&browser, &start.location()).deliver(&browser).expect(303);
    browser
}

const LOGIN: (&str, &str, &str) = ("login", "login_done", "");
const REPLACED: (&str, &str, &str) = ("session_ended", "new_login", "login");

const CASES: &[Case] = &[
    ("a login", |site| drop(site.signed_in()), &[LOGIN]),
    (
        "visits",
        |site| {
            let browser = site.signed_in();
            for path in [
                "/app/",
                "/app/env",
                "/oxd",
                "/oxd/session",
                "/public/env",
                "/app/1k.bin",
            ] {
                browser.get(site.url(path)).expect(200);
            }
            begin(&Browser::new(), site.url("/app/"));
        },
        &[LOGIN],
    ),
    (
        "a second login",
        |site| {
            let browser = site.signed_in();
            let start = begin(&browser, site.url("/oxd/login"));
            approve(&browser, &start.location()).deliver(&browser).expect(303);
        },
        &[LOGIN, REPLACED, LOGIN],
    ),
    (
        "a step-up",
        |site| drop(steps_up(site, "/app/u2f")),
        &[LOGIN, REPLACED, ("step_up", "login_done", "")],
    ),
    (
        "a cancelled login",
        |site| {
            let browser = Browser::new();
            let start = begin(&browser, site.url("/app/"));
            decide(&browser, &start.location(), ("test_user", "secret"), "cancel")
                .deliver(&browser)
                .expect(403);
        },
        &[("login_refused", "access_denied", "")],
    ),
    (
        "a callback without a code",
        |site| drop(Browser::new().get(site.url("/oxd/callback?state=x"))),
        &[("login_refused", "callback_malformed", "")],
    ),
    (
        "a login that oxd does not begin",
        |site| {
            site.oxd
                .fault("get-authorization-url", Fault::Times(1, Box::new(Fault::NotJson)));
            Browser::new().get(site.url("/app/")).expect(502);
        },
        &[("login_refused", "oxd_answer", "")],
    ),
    (
        "a logout",
        |site| {
            site.signed_in().get(site.url("/oxd/logoutme")).expect(303);
        },
        &[LOGIN, ("logout", "signed_out", "user")],
    ),
    (
        "a logout without a session",
        |site| {
            Browser::new().get(site.url("/oxd/logoutme")).expect(303);
        },
        &[],
    ),
    (
        "a logout that the provider does not hear of",
        |site| {
            let browser = site.signed_in();
            site.oxd
                .fault("get-logout-uri", Fault::Times(1, Box::new(Fault::NotJson)));
            browser.get(site.url("/oxd/logoutme")).expect(200);
        },
        &[LOGIN, ("logout", "signed_out_here", "user")],
    ),
    (
        "a front-channel logout",
        |site| {
            let sid = sid(site, &site.signed_in());
            let notice = format!(
                "/oxd/frontchannel-logout?iss={}&sid={sid}",
                site.oxd.provider_url()
            );
            Browser::new().get(site.url(&notice)).expect(200);
            let unknown = notice.replace(&sid, "unknown");
            Browser::new().get(site.url(&unknown)).expect(200);
        },
        &[LOGIN, ("logout", "logout_noted", "front_channel")],
    ),
    (
        "a back-channel logout",
        |site| {
            let sid = sid(site, &site.signed_in());
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
            let now = now.expect("a clock").as_secs();
            let claims = json!({
                "iss": site.oxd.provider_url(), "aud": site.site.client_id, "iat": now, "exp": now + 60,
                "jti": sid, "sid": sid,
                "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
            });
            let token = site.oxd.jws(
                &json!({"typ": "logout+jwt"}),
                &claims.to_string(),
                &Signer::Current,
            );
            let token = token.expect("a logout token");
            let notice = site.url("/oxd/backchannel-logout");
            Browser::new()
                .post(notice, &[("logout_token", &token)])
                .expect(200);
        },
        &[LOGIN, ("logout", "logout_noted", "back_channel")],
    ),
    (
        "an administrator who ends a user's sessions",
        |site| administrator(site, &[("action", "end"), ("user", DEMO_SUB)]),
        &[("admin", "user_sessions_ended", "administrator")],
    ),
    (
        "an administrator who ends all sessions",
        |site| administrator(site, &[("action", "end-all")]),
        &[("admin", "all_sessions_ended", "administrator")],
    ),
    (
        "tokens that are refused",
        |site| {
            assert_eq!(api(site, "Bearer unknown"), 401);
            assert_eq!(api(site, "Bearer"), 400);
        },
        &[
            ("token_refused", "invalid_token", ""),
            ("token_refused", "invalid_request", ""),
        ],
    ),
    (
        "a token without the scope",
        |site| {
            let environment = site.signed_in().get(site.url("/tokens/env")).environment();
            assert_eq!(
                api(site, &format!("Bearer {}", environment["OXD_ACCESS_TOKEN"])),
                403
            );
        },
        &[LOGIN, ("access_refused", "insufficient_scope", "")],
    ),
    (
        "a user whom the rules do not let in",
        |site| {
            site.signed_in().get(site.url("/app/closed")).expect(403);
        },
        &[LOGIN, ("access_refused", "forbidden", "")],
    ),
    (
        "an acr that the provider does not deliver",
        |site| {
            steps_up(site, "/app/strong")
                .get(site.url("/app/strong"))
                .expect(403);
        },
        &[
            LOGIN,
            REPLACED,
            ("step_up", "login_done", ""),
            ("access_refused", "acr_not_met", ""),
        ],
    ),
    (
        "a user without a name",
        |site| {
            site.signed_in().get(site.url("/app/nameless")).expect(403);
        },
        &[LOGIN, ("access_refused", "user_name_missing", "")],
    ),
];

#[test]
fn each_event_has_its_line() {
    let site = trailed()
        .config(PLACES)
        .httpd(|httpd| httpd.allow_log(r"\[oxd:(warn|error)\]"))
        .start();
    let mut seen = 0;
    for (name, act, expected) in CASES {
        act(&site);
        let all = lines(&site);
        let new = &all[seen..];
        seen = all.len();
        let found: Vec<_> = new
            .iter()
            .map(|line| (text(line, "event"), text(line, "code"), text(line, "by")))
            .collect();
        assert_eq!(&found, expected, "{name}: {new:#?}");
        for line in new {
            assert_eq!(text(line, "address"), "127.0.0.1", "{line}");
            assert_eq!(text(line, "site"), "127.0.0.1", "{line}");
            assert!(
                text(line, "time").ends_with('Z') && !text(line, "agent").is_empty(),
                "{line}"
            );
        }
    }
}

#[test]
fn lines_lead_to_each_other_and_to_the_other_logs() {
    let site = trailed().config(PLACES).start();
    let browser = site.signed_in();
    let sid = sid(&site, &browser);
    let answer = browser.get(site.url("/app/closed?secret=1"));
    browser.get(site.url("/oxd/logoutme")).expect(303);
    let all = lines(&site);
    let [login, refused, logout] = &all[..] else {
        panic!("{all:#?}");
    };
    for line in &all {
        assert_eq!(text(line, "sub"), DEMO_SUB);
        for field in ["session", "provider_session"] {
            assert_eq!(line[field], login[field], "{field}");
            assert_eq!(text(line, field).len(), 22, "{line}");
        }
    }
    assert_eq!(text(login, "acr"), "basic");
    assert_eq!(text(refused, "path"), "/app/closed");
    assert_eq!(text(refused, "rule"), "Require oxd-claim groups admins");
    let reference = text(refused, "reference");
    let shown = format!("{}-{}", &reference[..4], &reference[4..]);
    assert!(answer.expect(403).text().contains(&shown), "{shown}");
    assert!(site.httpd.error_log().contains(&format!("[ref {reference}]")));
    assert_eq!(text(logout, "by"), "user");
    // No line holds what opens a session, or the provider's own identifier.
    let trail = format!("{all:?}");
    for cookie in browser.cookies(site.url("/")) {
        assert!(cookie.1.is_empty() || !trail.contains(&cookie.1), "{}", cookie.0);
    }
    assert!(!trail.contains(&sid) && !trail.contains("secret=1"));
}

#[test]
fn a_user_is_a_hash_that_lasts_and_that_nobody_else_can_make() {
    let key = "OxdCryptoKey \"0123456789abcdef0123456789abcdef\"";
    let hash = |directives: &str, restarts: bool| {
        let mut site = TestSite::builder()
            .directives("OxdAuditLog audit.log")
            .directives(directives)
            .start();
        drop(site.signed_in());
        if restarts {
            site.httpd.stop();
            site.httpd.start();
            drop(site.signed_in());
            let all = lines(&site);
            assert_eq!(all[0]["sub"], all[1]["sub"], "after a restart");
            assert_ne!(all[0]["session"], all[1]["session"]);
        }
        lines(&site)[0]["sub"].as_str().map(str::to_owned)
    };
    let of_key = hash(key, true).expect("a hash");
    assert_eq!(of_key.len(), 22);
    assert_eq!(hash(key, false).as_ref(), Some(&of_key));
    assert_ne!(hash("", false).as_ref(), Some(&of_key), "another key");
    assert_eq!(hash(&format!("{key}\nOxdAuditUser none"), false), None);
}

#[test]
fn a_refused_refresh_and_the_end_that_follows_are_two_events() {
    let site = trailed()
        .provider(|provider| provider.access_token_lifetime = Duration::from_secs(3))
        .directives("OxdTokenRefresh 2s")
        .start();
    let browser = site.signed_in();
    let refusal = json!({"error": "invalid_grant", "error_description": "gone"}).to_string();
    let fault = Fault::Status {
        code: 400,
        body: refusal,
        content_type: "application/json".into(),
    };
    site.oxd.fault("get-access-token-by-refresh-token", fault);
    wait_until("a new login", || browser.get(site.url("/app/env")).status == 302);
    let all = lines(&site);
    let found: Vec<_> = all
        .iter()
        .map(|line| (text(line, "event"), text(line, "code"), text(line, "by")))
        .collect();
    assert_eq!(
        found,
        [
            LOGIN,
            ("refresh_refused", "refresh_refused", "provider"),
            ("session_ended", "refresh_refused", "provider"),
        ]
    );
    assert!(
        all.iter().all(|line| line["session"] == all[0]["session"]),
        "{all:#?}"
    );
}

#[test]
fn a_session_too_many_ends_the_oldest_one() {
    let site = trailed()
        .httpd(|httpd| httpd.load("socache_shmcb"))
        .directives("OxdSessionStore shmcb\nOxdSessionMax 1")
        .start();
    drop((site.signed_in(), site.signed_in()));
    let all = lines(&site);
    let found: Vec<_> = all
        .iter()
        .map(|line| (text(line, "event"), text(line, "by")))
        .collect();
    assert_eq!(found, [("login", ""), ("session_ended", "limit"), ("login", "")]);
    assert_eq!(text(&all[1], "sub"), DEMO_SUB);
}

#[test]
fn an_administrator_answers_by_name() {
    let site = trailed()
        .config(
            "<Location /oxd-status>\nSetHandler oxd-status\nAuthType Basic\nAuthName status\n\
             AuthBasicProvider file\nAuthUserFile \"${ROOT}/users\"\nRequire valid-user\n</Location>",
        )
        .httpd(|httpd| {
            // The password is `secret`.
            httpd.file("users", "boss:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\n");
            httpd.load("auth_basic").load("authn_file")
        })
        .start();
    let curl = Browser::new();
    let ask = curl.ask("POST", site.url("/oxd-status")).header("accept", "*/*");
    let ask = ask.without("sec-fetch-dest").without("sec-fetch-mode");
    let ask = ask.header("authorization", "Basic Ym9zczpzZWNyZXQ=");
    ask.form(&[("action", "end"), ("user", "al\"ice")])
        .send()
        .expect(200);
    let all = lines(&site);
    assert_eq!(
        (text(&all[0], "actor"), text(&all[0], "sub")),
        ("boss", "al\"ice"),
        "{all:#?}"
    );
}
