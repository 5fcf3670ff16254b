use super::*;
use crate::config::{AuthParam, Expression, RawSettings, SiteFile, UnauthAction};
use crate::http::Method;
use crate::testing::{Browser, NOW, header, site};
use serde_json::{Value, json};

fn browser(site: &SiteFile) -> Browser<'_> {
    Browser::at(RawSettings {
        site: Some(site),
        ..RawSettings::default()
    })
}

#[test]
fn a_login_costs_three_calls_and_ends_where_it_began() {
    let site = site("s");
    let mut browser = browser(&site);
    let answer = browser.log_in("/app/page?x=1");
    assert_eq!(
        (answer.status, header(&answer, "Location")),
        (303, Some("/app/page?x=1"))
    );
    assert_eq!(
        browser.oxd.commands(),
        ["get-authorization-url", "get-tokens-by-code", "get-user-info"]
    );
    let names: Vec<_> = browser.cookies.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names, ["oxd_session", "oxd_session.tokens"]);
}

#[test]
fn the_authorization_request_says_what_the_directives_say() {
    let site = site("s");
    let (scope, acr) = (vec!["openid".to_owned()], vec!["u2f".to_owned()]);
    let (prompt, uri) = ("login".to_owned(), "https://app.example/cb".to_owned());
    let params = vec![AuthParam {
        name: "ui_locales",
        value: Expression(&7),
    }];
    let custom = vec![("tenant".to_owned(), "blue".to_owned())];
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        scope: Some(&scope),
        acr_values: Some(&acr),
        prompt: Some(&prompt),
        redirect_uri: Some(&uri),
        auth_params: Some(&params),
        custom_params: Some(&custom),
        ..RawSettings::default()
    });
    browser.get("/oxd/login");
    let (_, mut sent) = browser.oxd.asked.borrow()[0].clone();
    let state = sent["state"].take();
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    assert!(state.as_str().unwrap().chars().all(fit) && state.as_str().unwrap().len() > 20);
    sent["nonce"].take();
    assert_eq!(
        sent,
        json!({"scope": ["openid"], "acr_values": ["u2f"], "prompt": "login", "redirect_uri": uri, "state": null,
               "nonce": null, "params": {"ui_locales": "value7"}, "custom_parameters": {"tenant": "blue"}})
    );
}

#[test]
fn the_state_that_counts_is_the_one_in_the_url() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.oxd.authorization_url = Some("https://op/a?state=their%2Dstate&nonce=their-nonce".into());
    browser.get("/oxd/login");
    let ours = browser.last_state();
    browser.oxd.id_token_claims["nonce"] = "their-nonce".into();
    assert_eq!(
        browser.get(&format!("/oxd/login?code=c&state={ours}")).status,
        302,
        "ours is unknown now"
    );
    let answer = browser.get("/oxd/callback?code=c&state=their-state");
    assert_eq!(answer.status, 303, "{:?}", browser.log.0);
}

#[test]
fn a_callback_that_is_not_of_this_browser_calls_nobody() {
    let site = site("s");
    let mut owner = browser(&site);
    owner.get("/oxd/login");
    let state = owner.last_state();
    let altered = format!("{state}x");
    for (cookies, target, status) in [
        (false, format!("/oxd/callback?code=c&state={state}"), 302),
        (true, format!("/oxd/callback?code=c&state={altered}"), 302),
        (true, "/oxd/callback?code=c".into(), 400),
        (true, format!("/oxd/callback?state={state}"), 400),
        (true, format!("/oxd/callback?code=c&code=d&state={state}"), 400),
        (
            true,
            format!("/oxd/callback?code=c&state={state}&state={state}"),
            400,
        ),
        (true, format!("/oxd/callback?code=&state={state}"), 400),
        (true, "/oxd/callback?&&&".into(), 400),
        (true, "/oxd/callback".into(), 400),
    ] {
        let mut visitor = browser(&site);
        visitor.cookies = if cookies { owner.cookies.clone() } else { vec![] };
        let answer = visitor.get(&target);
        assert_eq!(answer.status, status, "{target}");
        assert!(visitor.oxd.commands().is_empty(), "{target}");
        assert!(
            visitor.cookies.iter().all(|(name, _)| name != "oxd_session"),
            "{target}"
        );
    }
}

#[test]
fn a_stale_callback_restarts_the_login_once() {
    let site = site("s");
    let mut browser = browser(&site);
    let first = browser.get("/oxd/callback?code=c&state=sOld");
    assert_eq!(
        (first.status, header(&first, "Location")),
        (302, Some("/oxd/login?retry=1"))
    );
    let again = browser.get("/oxd/login?retry=1");
    assert_eq!(again.status, 302);
    let second = browser.get("/oxd/callback?code=c&state=sOld");
    assert_eq!(second.status, 400);
    assert!(String::from_utf8_lossy(second.body_bytes()).contains("href=\"/oxd/login\""));
    browser.now += 60;
    assert_eq!(
        browser.get("/oxd/callback?code=c&state=sOld").status,
        302,
        "a minute later it may be tried again"
    );
}

#[test]
fn a_browser_without_cookies_does_not_loop() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.get("/oxd/callback?code=c&state=sOld");
    browser.get("/oxd/login");
    let state = browser.last_state();
    browser.cookies.clear();
    assert_eq!(
        browser.get(&format!("/oxd/callback?code=c&state={state}")).status,
        400
    );
}

#[test]
fn the_back_button_leads_to_the_page_that_was_wanted() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.log_in("/app?x=1");
    let calls = browser.oxd.commands().len();
    let answer = browser.get("/oxd/login?code=c&state=sOld");
    assert_eq!(
        (answer.status, header(&answer, "Location")),
        (303, Some("/app?x=1"))
    );
    assert_eq!(browser.oxd.commands().len(), calls);
}

#[test]
fn a_login_that_took_too_long_is_stale() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.get("/oxd/login");
    let state = browser.last_state();
    browser.now += 300;
    assert_eq!(
        browser.get(&format!("/oxd/callback?code=c&state={state}")).status,
        302
    );
    assert_eq!(browser.oxd.commands(), ["get-authorization-url"]);
}

#[test]
fn errors_of_the_provider_are_shown_only_to_the_browser_whose_login_it_was() {
    let site = site("s");
    for (error, status) in [
        ("access_denied", 403),
        ("login_required", 400),
        ("server_error", 400),
    ] {
        let mut browser = browser(&site);
        browser.get("/oxd/login");
        let state = browser.last_state();
        let evil = "%3Cscript%3Ealert(1)%3C/script%3E";
        let answer = browser.get(&format!(
            "/oxd/callback?error={error}&error_description={evil}&state={state}"
        ));
        let page = String::from_utf8_lossy(answer.body_bytes()).into_owned();
        assert_eq!(answer.status, status);
        assert!(page.contains("alert(1)") && !page.contains("<script"), "{page}");
        assert!(browser.cookies.is_empty(), "the login is over");
        let forged = browser.get(&format!(
            "/oxd/callback?error={error}&error_description=Call+0900&state=x"
        ));
        assert_eq!(forged.status, status);
        assert!(!String::from_utf8_lossy(forged.body_bytes()).contains("0900"));
        assert_eq!(browser.oxd.commands(), ["get-authorization-url"]);
    }
}

#[test]
fn answers_that_do_not_fit_together_make_no_session() {
    let site = site("s");
    let id = |more: Value| {
        let mut claims = json!({"sub": "alice", "exp": NOW + 3600});
        for (name, value) in more.as_object().unwrap() {
            claims[name] = value.clone();
        }
        claims
    };
    let info = json!({"sub": "alice"});
    for (what, claims, info, fits) in [
        ("all is well", id(json!({})), info.clone(), true),
        (
            "exp within the leeway",
            id(json!({"exp": NOW - 29})),
            info.clone(),
            true,
        ),
        ("exp is past", id(json!({"exp": NOW - 30})), info.clone(), false),
        ("exp is absurd", id(json!({"exp": 1e300})), info.clone(), false),
        (
            "exp is a text",
            id(json!({"exp": "tomorrow"})),
            info.clone(),
            false,
        ),
        (
            "another nonce",
            id(json!({"nonce": "other"})),
            info.clone(),
            false,
        ),
        ("no subject", id(json!({"sub": null})), info.clone(), false),
        ("another subject", id(json!({})), json!({"sub": "bob"}), false),
        (
            "user info without subject",
            id(json!({})),
            json!({"name": "x"}),
            false,
        ),
        (
            "user info is an error",
            id(json!({})),
            json!({"sub": "alice", "error": "invalid_token"}),
            false,
        ),
    ] {
        let mut browser = browser(&site);
        browser.oxd.id_token_claims = claims;
        browser.oxd.user_info = info;
        let answer = browser.log_in("/app");
        assert_eq!(answer.status, if fits { 303 } else { 502 }, "{what}");
        assert_eq!(
            browser.cookies.iter().any(|(n, _)| n == "oxd_session"),
            fits,
            "{what}"
        );
    }
}

#[test]
fn a_failing_oxd_is_an_error_page_without_a_session() {
    let site = site("s");
    for (reason, status, keeps_the_login) in [
        (Reason::OxdUnreachable, 503, true),
        (Reason::OxdTimeout, 504, false),
        (Reason::OxdAnswer, 502, false),
        (Reason::CodeInvalid, 400, false),
        (Reason::StateUnregistered, 400, false),
    ] {
        let mut browser = browser(&site);
        browser.oxd.failure = Some(("get-tokens-by-code", reason));
        let answer = browser.log_in("/app");
        assert_eq!(answer.status, status);
        assert_eq!(header(&answer, "Retry-After").is_some(), status == 503);
        let page = String::from_utf8_lossy(answer.body_bytes()).into_owned();
        assert!(page.contains("href=\"/oxd/login?return_to=%2Fapp\""), "{page}");
        assert_eq!(
            browser.cookies.iter().any(|(n, _)| n.starts_with("oxd_state.")),
            keeps_the_login,
            "{reason:?}"
        );
    }
}

/// oxd exchanges every code with the first address that the site is registered with.
#[test]
fn a_refused_code_is_explained_by_another_redirect_uri() {
    let (site, uri) = (site("s"), "https://app.example/cb".to_owned());
    for (uri, is_said) in [(Some(&uri), true), (None, false)] {
        let mut browser = browser(&site);
        browser.settings.redirect_uri = uri;
        browser.oxd.failure = Some(("get-tokens-by-code", Reason::CodeInvalid));
        browser.log_in("/app");
        let lines = browser.log.0.borrow();
        let said = lines
            .iter()
            .any(|line| line.contains("OxdRedirectUri is https://app.example/cb"));
        assert_eq!(said, is_said, "{lines:?}");
    }
}

/// httpd and proxies refuse requests whose header fields are longer than they allow.
#[test]
fn the_cookies_of_many_logins_with_long_addresses_fit_into_a_request() {
    let site = site("s");
    for length in [300, 700, 1_500] {
        fill_with_logins(&site, length);
    }
}

fn fill_with_logins(site: &SiteFile, length: usize) {
    let mut browser = browser(site);
    for tab in 0..8 {
        browser.now += 1;
        browser.start_login(&format!("/app/{tab}?{}", "x".repeat(length)));
        let bytes: usize = browser.cookies.iter().map(|(n, v)| n.len() + v.len() + 3).sum();
        assert!(bytes < 8_190, "{bytes} bytes of cookies after {tab} more logins");
    }
    let newest = browser.last_state();
    let answer = browser.get(&format!("/oxd/login?code=c&state={newest}"));
    assert_eq!(answer.status, 303);
}

/// The provider's answer is then a request of another site, with which browsers send no `Lax` cookie.
#[test]
fn an_answer_by_a_form_gets_its_cookie_from_another_site() {
    let site = site("s");
    for (name, value, is_none) in [
        ("response_mode", &"form_post", true),
        ("response_mode", &"query", false),
        ("ui_locales", &"form_post", false),
    ] {
        let params = vec![AuthParam {
            name,
            value: Expression(value),
        }];
        let mut browser = browser(&site);
        browser.settings.auth_params = Some(&params);
        let answer = browser.start_login("/app");
        let cookie = answer
            .cookies
            .iter()
            .find(|line| line.starts_with("oxd_state."))
            .unwrap();
        assert_eq!(cookie.contains("SameSite=None"), is_none, "{name}: {cookie}");
    }
}

#[test]
fn several_tabs_log_in_at_once_and_old_logins_go() {
    let site = site("s");
    let mut browser = browser(&site);
    let mut states = Vec::new();
    for tab in 0..4 {
        browser.start_login(&format!("/app/{tab}"));
        states.push(browser.last_state());
    }
    for (tab, state) in states.iter().enumerate() {
        let answer = browser.get(&format!("/oxd/login?code=c&state={state}"));
        // The nonce of the fake oxd is that of the newest login; the others are told apart by it.
        let expected = if tab == 3 { 303 } else { 502 };
        assert_eq!(answer.status, expected);
    }
    for tab in 0..30 {
        browser.now += 1;
        browser.start_login(&format!("/app/{tab}"));
    }
    let under_way = browser
        .cookies
        .iter()
        .filter(|(n, _)| n.starts_with("oxd_state."))
        .count();
    assert_eq!(under_way, 8);
    let newest = browser.last_state();
    assert_eq!(
        browser.get(&format!("/oxd/login?code=c&state={newest}")).status,
        303
    );
}

#[test]
fn scripts_and_forms_are_not_sent_away() {
    let site = site("s");
    let ask = |action, method, accept: &'static str| {
        let mut browser = browser(&site);
        browser.settings.unauth_action = action;
        browser.method = method;
        browser.headers.accept = Some(accept);
        let answer = browser.enter("/app");
        assert_eq!(answer.status == 302, !browser.oxd.commands().is_empty());
        assert_eq!(answer.status == 302, !browser.cookies.is_empty());
        answer.status
    };
    let login = Some(UnauthAction::Login);
    assert_eq!(ask(None, Method::Get, "text/html"), 302);
    assert_eq!(ask(None, Method::Get, "application/json"), 401);
    assert_eq!(ask(None, Method::Post, "text/html"), 401);
    assert_eq!(ask(login, Method::Get, "application/json"), 302);
    assert_eq!(ask(login, Method::Post, "text/html"), 401);
    assert_eq!(
        ask(Some(UnauthAction::Status(401)), Method::Get, "text/html"),
        401
    );
}

#[test]
fn an_address_with_two_slashes_comes_back_whole() {
    let site = site("s");
    let mut browser = browser(&site);
    let answer = browser.log_in("//evil.example/x");
    assert_eq!(
        header(&answer, "Location"),
        Some("https://app.example//evil.example/x")
    );
}

#[test]
fn a_bad_authorization_url_is_a_bad_answer() {
    let site = site("s");
    for url in [
        "",
        "nonsense",
        "javascript:alert(1)?state=x",
        "https://op/a",
        "https://op/a?state=",
    ] {
        let mut browser = browser(&site);
        browser.oxd.authorization_url = Some(url.into());
        assert_eq!(browser.get("/oxd/login").status, 502, "{url}");
        assert!(browser.cookies.is_empty());
    }
}

#[test]
fn return_addresses_are_checked() {
    let site = site("s");
    let mut browser = browser(&site);
    assert_eq!(browser.get("/oxd/login?return_to=//evil.example").status, 400);
    assert_eq!(browser.get("/oxd/login?return_to=/a&return_to=/b").status, 400);
    assert!(browser.oxd.commands().is_empty());
    assert_eq!(browser.get("/oxd/login?return_to=/a%3Fx=1").status, 302);
    let state = browser.last_state();
    let answer = browser.get(&format!("/oxd/login?code=c&state={state}"));
    assert_eq!(header(&answer, "Location"), Some("/a?x=1"));
}

#[test]
fn logging_out_ends_the_session_even_when_oxd_fails() {
    let site = site("s");
    for failing in [false, true] {
        let mut browser = browser(&site);
        browser.log_in("/app");
        if failing {
            browser.oxd.failure = Some(("get-logout-uri", Reason::OxdTimeout));
        }
        let answer = browser.get("/oxd/logoutme");
        assert!(browser.cookies.is_empty());
        let (_, sent) = browser.oxd.asked.borrow().last().unwrap().clone();
        assert_eq!(sent["id_token_hint"], "e30.e30.sig");
        assert_eq!(sent["post_logout_redirect_uri"], "https://app.example/oxd/logout");
        assert!(sent["state"].is_string());
        if failing {
            assert_eq!(answer.status, 200);
            assert!(String::from_utf8_lossy(answer.body_bytes()).contains("could not be told"));
        } else {
            assert_eq!(
                (answer.status, header(&answer, "Location")),
                (303, Some("https://op/end_session"))
            );
        }
    }
}

#[test]
fn a_callback_from_another_issuer_is_refused_before_oxd_sees_the_code() {
    let site = site("s");
    for (named, own, token, status, exchanged) in [
        ("https://op", Some("https://op"), "https://op", 303, true),
        ("https://op/", Some("https://op"), "https://op", 303, true),
        ("https://evil", Some("https://op"), "https://op", 400, false),
        // oxd does not tell: the ID token does.
        ("https://op", None, "https://op", 303, true),
        ("https://evil", None, "https://op", 400, true),
    ] {
        let mut browser = browser(&site);
        browser.oxd.issuer = own.map(str::to_owned);
        browser.oxd.id_token_claims["iss"] = json!(token);
        browser.start_login("/app");
        let state = browser.last_state();
        let answer = browser.get(&format!("/oxd/callback?code=c&state={state}&iss={named}"));
        assert_eq!(answer.status, status, "{named} {own:?}");
        let asked = browser.oxd.commands().contains(&"get-tokens-by-code");
        assert_eq!(asked, exchanged, "{named} {own:?}");
        assert_eq!(
            browser.cookies.iter().any(|(n, _)| n == "oxd_session"),
            status == 303
        );
    }
    let mut browser = browser(&site);
    browser.log_in("/app");
    browser.oxd.asked.borrow_mut().clear();
    browser.start_login("/app");
    let state = browser.last_state();
    browser.get(&format!("/oxd/callback?code=c&state={state}&iss=https://op"));
    assert!(
        !browser.oxd.commands().contains(&"get-discovery"),
        "the issuer of an earlier login is known"
    );
    browser.start_login("/app");
    let state = browser.last_state();
    let twice = format!("/oxd/callback?code=c&state={state}&iss=https://op&iss=https://op");
    assert_eq!(browser.get(&twice).status, 400);
}

#[test]
fn an_authorization_url_needs_state_and_nonce() {
    let site = site("s");
    for url in [
        "https://op/authorize?state=s",
        "https://op/authorize?state=s&nonce=",
        "https://op/authorize?nonce=n",
    ] {
        let mut browser = browser(&site);
        browser.oxd.authorization_url = Some(url.to_owned());
        let answer = browser.start_login("/app");
        assert_eq!(answer.status, 502, "{url}");
        assert!(browser.cookies.is_empty());
    }
}

#[test]
fn one_member_makes_an_answer_of_the_provider() {
    for (query, is_callback) in [
        ("code=c", true),
        ("state=s", true),
        ("error=e", true),
        ("iss=https://op&error_description=x", false),
        ("", false),
    ] {
        assert_eq!(
            Returned::parse(query.as_bytes()).is_callback(),
            is_callback,
            "{query}"
        );
    }
}

#[test]
fn why_a_browser_brings_no_cookie_is_said_to_the_administrator() {
    use crate::config::CookieSecure;

    let site = site("s");
    for (secure, proto, domain, path, expected) in [
        (None, None, None, "/", "keeps no cookies"),
        (Some(CookieSecure::On), None, None, "/", "keeps no cookies"),
        (
            Some(CookieSecure::Off),
            Some("http"),
            None,
            "/",
            "keeps no cookies",
        ),
        (
            Some(CookieSecure::On),
            Some("http"),
            None,
            "/",
            "OxdCookieSecure On",
        ),
        (None, None, Some("app.example"), "/", "keeps no cookies"),
        (None, None, Some(".EXAMPLE"), "/", "keeps no cookies"),
        (None, None, Some("pp.example"), "/", "OxdCookieDomain pp.example"),
        (
            None,
            None,
            Some("other.example"),
            "/",
            "OxdCookieDomain other.example",
        ),
        (None, None, None, "/oxd", "keeps no cookies"),
        (None, None, None, "/oxd/", "keeps no cookies"),
        (None, None, None, "/app", "OxdCookiePath /app"),
    ] {
        let (domain, path) = (domain.map(str::to_owned), path.to_owned());
        let mut browser = browser(&site);
        browser.settings.cookie_secure = secure;
        browser.settings.cookie_domain = domain.as_ref();
        browser.settings.cookie_path = Some(&path);
        browser.settings.trust_forwarded = Some(crate::config::TrustForwarded {
            proto: true,
            ..Default::default()
        });
        browser.headers.x_forwarded_proto = proto;
        let (_, cause) = browser.look("/oxd/callback", cookie_trouble);
        assert!(cause.contains(expected), "{cause}, expected {expected}");
    }
}

#[test]
fn a_marker_of_a_restart_goes_with_the_login_that_ends() {
    let site = site("s");
    let mut browser = browser(&site);
    let restart = browser.get("/oxd/callback?code=c&state=sunknown");
    assert_eq!(restart.status, 302);
    assert!(browser.cookies.iter().any(|(name, _)| name == "oxd_state.retry"));
    browser.log_in("/app");
    assert!(!browser.cookies.iter().any(|(name, _)| name == "oxd_state.retry"));
    // A later login may be restarted again.
    let again = browser.get("/oxd/callback?code=c&state=sunknown");
    assert!(again.status == 303, "there is a session: {}", again.status);
}

#[test]
fn a_code_that_oxd_could_not_be_asked_about_can_be_sent_again() {
    let site = site("s");
    let mut browser = browser(&site);
    browser.start_login("/app");
    let callback = format!("/oxd/callback?code=c&state={}", browser.last_state());
    browser.oxd.failure = Some(("get-tokens-by-code", Reason::OxdUnreachable));
    assert_eq!(browser.get(&callback).status, 503);
    browser.oxd.failure = None;
    assert_eq!(browser.get(&callback).status, 303);
}
