use super::*;
use crate::base::{Failure, Reason, SiteId};
use crate::oxd::commands::logout_uri::GetLogoutUri;
use crate::oxd::{Answer, Trouble, server};
use serde_json::json;
use std::sync::atomic::{AtomicUsize, Ordering};

type Script = Box<dyn Fn(&str, Option<&str>) -> Result<Answer, Trouble> + Send + Sync>;

struct Scripted {
    answer: Script,
    calls: Mutex<Vec<String>>,
}

impl Transport for Scripted {
    fn send(
        &self,
        _: &Server<'_>,
        command: Command,
        authorization: Option<Authorization<'_>>,
        _: &Members,
    ) -> Result<Answer, Trouble> {
        lock(&self.calls).push(command.name.to_owned());
        (self.answer)(command.name, authorization.map(|a| a.token.expose()))
    }
}

fn answer(status: u16, body: Value) -> Result<Answer, Trouble> {
    Ok(Answer {
        status,
        body: body.to_string().into_bytes(),
        ..Answer::default()
    })
}

/// A client of an oxd that answers so.
fn client(
    answer: impl Fn(&str, Option<&str>) -> Result<Answer, Trouble> + Send + Sync + 'static,
) -> Client<Scripted> {
    let transport = Scripted {
        answer: Box::new(answer),
        calls: Mutex::default(),
    };
    Client::new(transport, crate::testing::stats())
}

/// Runs one `get-logout-uri` against a scripted oxd: the outcome, and the commands that were sent.
fn run(
    calls: usize,
    script: impl Fn(&str, Option<&str>) -> Result<Answer, Trouble> + Send + Sync + 'static,
) -> (Result<String, Reason>, Vec<String>) {
    let client = client(script);
    let (url, secret) = ("http://oxd/pre/".parse().unwrap(), Secret::new("s".into()));
    let provider = Some(Provider::Host("https://op"));
    let site = Site {
        server: server::tests::server(&url),
        id: SiteId("id"),
        provider,
        credentials: Some(GetClientToken::new("c", Some(&secret), provider)),
        authorization_site: None,
    };
    let mut last = Err(Reason::Internal);
    for _ in 0..calls {
        last = GetLogoutUri::default()
            .send(&client.at(site))
            .map(|u| u.uri)
            .map_err(|error| Failure::from(error).reason);
    }
    let calls = lock(&client.transport.calls).clone();
    (last, calls)
}

fn token(command: &str) -> Option<Result<Answer, Trouble>> {
    (command == "get-client-token").then(|| answer(200, json!({"access_token": "t", "expires_in": 299})))
}

#[test]
fn the_client_token_is_fetched_once_for_many_calls() {
    let (result, calls) = run(3, |command, bearer| {
        token(command).unwrap_or_else(|| {
            assert_eq!(bearer, Some("t"));
            answer(200, json!({"uri": "https://op/logout"}))
        })
    });
    assert_eq!(result.unwrap(), "https://op/logout");
    assert_eq!(
        calls,
        [
            "get-client-token",
            "get-logout-uri",
            "get-logout-uri",
            "get-logout-uri"
        ]
    );
}

#[test]
fn a_refused_token_is_renewed_once_and_then_it_is_our_fault() {
    let (result, calls) = run(1, |command, _| {
        token(command).unwrap_or_else(|| answer(403, json!({"error": "inactive_access_token"})))
    });
    assert_eq!(result.unwrap_err(), Reason::ClientTokenRefused);
    assert_eq!(
        calls,
        [
            "get-client-token",
            "get-logout-uri",
            "get-client-token",
            "get-logout-uri"
        ]
    );
}

#[test]
fn every_kind_of_bad_answer_has_its_reason() {
    let bad = |status, body: Value| {
        run(1, move |command, _| {
            token(command).unwrap_or_else(|| answer(status, body.clone()))
        })
        .0
        .unwrap_err()
    };
    assert_eq!(bad(200, json!({})), Reason::OxdAnswer);
    assert_eq!(bad(200, json!([])), Reason::OxdAnswer);
    assert_eq!(bad(302, json!({})), Reason::OxdAnswer);
    assert_eq!(bad(500, json!({"error": "internal_error"})), Reason::OxdAnswer);
    assert_eq!(bad(400, json!({"error": "invalid_oxd_id"})), Reason::OxdAnswer);
}

#[test]
fn transport_errors_have_their_reasons_and_the_breaker_opens() {
    let failing = |cause| run(1, move |_, _| Err(Trouble::new(cause, "why"))).0.unwrap_err();
    assert_eq!(failing(Cause::Expired), Reason::OxdUnreachable);
    assert_eq!(failing(Cause::NoAnswer), Reason::OxdTimeout);
    assert_eq!(failing(Cause::ConnectionBroken), Reason::OxdAnswer);
    let (last, calls) = run(20, |_, _| Err(Trouble::new(Cause::ConnectionRefused, "why")));
    assert_eq!(last.unwrap_err(), Reason::BreakerOpen);
    assert_eq!(calls.len(), 5);
}

#[test]
fn wrong_credentials_are_told_from_other_trouble() {
    let (result, calls) = run(1, |_, _| {
        answer(
            500,
            json!({"error": "internal_error", "error_description": "Unknown"}),
        )
    });
    assert_eq!(result.unwrap_err(), Reason::ClientTokenRefused);
    assert_eq!(calls, ["get-client-token"]);
    let (result, _) = run(1, |_, _| answer(500, json!({"error": "op_is_down"})));
    assert_eq!(result.unwrap_err(), Reason::OxdAnswer);
}

/// Runs a refresh against a scripted oxd that has issued a client token a while ago: the reason of the failure, and the
/// commands that were sent.
fn refresh(
    protected: bool,
    refused: impl Fn() -> Result<Answer, Trouble> + Send + Sync + 'static,
    second_token: impl Fn() -> Result<Answer, Trouble> + Send + Sync + 'static,
) -> (Reason, Vec<String>) {
    let tokens = AtomicUsize::new(0);
    let script = move |command: &str, _: Option<&str>| match command {
        "get-client-token" if tokens.fetch_add(1, Ordering::SeqCst) == 0 => {
            answer(200, json!({"access_token": "t", "expires_in": 299}))
        }
        "get-client-token" => second_token(),
        "get-access-token-by-refresh-token" => refused(),
        _ => answer(200, json!({"uri": "https://op/logout"})),
    };
    let client = client(script);
    let (url, secret) = ("http://oxd/".parse().unwrap(), Secret::new("s".into()));
    let provider = Some(Provider::Host("https://op"));
    let credentials = GetClientToken::new("c", Some(&secret), provider);
    let site = Site {
        server: server::tests::server(&url),
        id: SiteId("id"),
        provider,
        credentials: protected.then_some(credentials),
        authorization_site: None,
    };
    let at = client.at(site);
    GetLogoutUri::default().send(&at).unwrap();
    if let Some(credentials) = site.credentials.as_ref() {
        at.token_cell(credentials).grow_old();
    }
    lock(&client.transport.calls).clear();
    let failure = Failure::from(at.refresh("rt", &["openid"]).unwrap_err());
    let calls = lock(&client.transport.calls).clone();
    (failure.reason, calls)
}

#[test]
fn an_answer_of_the_provider_to_the_command_costs_no_new_client_token() {
    for (body, fetches) in [
        (
            json!({"error": "inactive_access_token", "error_description": "x"}),
            2,
        ),
        (
            json!({"error": "access_denied", "error_description": "of the provider"}),
            2,
        ),
        (
            json!({"code": 403, "message": "{\"error\":\"access_denied\"}"}),
            1,
        ),
    ] {
        let refuse = body.clone();
        let (_, calls) = run(1, move |command, _| {
            token(command).unwrap_or_else(|| answer(403, refuse.clone()))
        });
        let fetched = calls.iter().filter(|call| *call == "get-client-token").count();
        assert_eq!(fetched, fetches, "{body}");
    }
}

#[test]
fn a_refused_refresh_token_is_told_from_a_provider_that_fails() {
    let internal = || {
        answer(
            500,
            json!({"error": "internal_error", "error_description": "Unknown"}),
        )
    };
    let fresh = || answer(200, json!({"access_token": "t2", "expires_in": 299}));
    let down = || {
        answer(
            500,
            json!({"code": 500, "message": "It has been logged (ID 9f3d)."}),
        )
    };
    let (reason, calls) = refresh(true, internal, fresh);
    assert_eq!(
        reason,
        Reason::RefreshRefused,
        "the provider has just issued a token"
    );
    assert_eq!(calls, ["get-access-token-by-refresh-token", "get-client-token"]);
    assert_eq!(
        refresh(true, internal, internal).0,
        Reason::OxdAnswer,
        "its token endpoint is broken"
    );
    assert_eq!(
        refresh(true, internal, || Err(Trouble::new(Cause::NoAnswer, "why"))).0,
        Reason::OxdTimeout,
        "who has waited for oxd in vain says so, and does not wait again"
    );
    assert_eq!(
        refresh(false, internal, fresh).0,
        Reason::OxdAnswer,
        "nobody knows"
    );
    for (status, body) in [
        (
            500,
            json!({"code": 500, "message": "It has been logged (ID 9f3d)."}),
        ),
        (400, json!({"error": "invalid_oxd_id"})),
        (
            400,
            json!({"error": "bad_request", "error_description": "'refresh token' is empty"}),
        ),
        (503, json!({"servlet": "x", "message": "Service Unavailable"})),
    ] {
        let refused = body.clone();
        let (reason, calls) = refresh(true, move || answer(status, refused.clone()), fresh);
        assert_ne!(reason, Reason::RefreshRefused, "{body}");
        assert_eq!(calls.len(), 1, "{body}: nothing more to find out");
    }
    // The client token was refused: one new one, one more try.
    let inactive = || answer(403, json!({"error": "inactive_access_token"}));
    let (reason, calls) = refresh(true, inactive, fresh);
    assert_eq!((reason, calls.len()), (Reason::ClientTokenRefused, 3));
    assert_eq!(
        refresh(true, || Err(Trouble::new(Cause::NoAnswer, "why")), down).0,
        Reason::OxdTimeout
    );
}

#[test]
fn who_waits_in_vain_for_a_new_client_token_does_not_wait_for_the_command_too() {
    for (trouble, reason) in [
        (Cause::NoAnswer, Some(Reason::OxdTimeout)),
        (Cause::ConnectionTimeout, Some(Reason::OxdUnreachable)),
        (Cause::ConnectionBroken, None),
    ] {
        let tokens = AtomicUsize::new(0);
        let client = client(move |command, _| match command {
            "get-client-token" if tokens.fetch_add(1, Ordering::SeqCst) > 0 => {
                Err(Trouble::new(trouble, "why"))
            }
            command => token(command).unwrap_or_else(|| answer(200, json!({"uri": "https://op/logout"}))),
        });
        let (url, secret) = ("http://oxd/".parse().unwrap(), Secret::new("s".into()));
        let credentials = GetClientToken::new("c", Some(&secret), None);
        let at = client.at(Site {
            server: server::tests::server(&url),
            id: SiteId("id"),
            provider: None,
            credentials: Some(credentials),
            authorization_site: None,
        });
        let call = || {
            lock(&client.transport.calls).clear();
            let outcome = GetLogoutUri::default().send(&at).map(drop);
            let calls = lock(&client.transport.calls).len();
            (outcome.map_err(|error| Failure::from(error).reason), calls)
        };
        assert_eq!(call(), (Ok(()), 2), "a token, and the command");
        at.token_cell(&credentials).renew();
        match reason {
            Some(reason) => assert_eq!(call(), (Err(reason), 1), "no command"),
            None => assert_eq!(call(), (Ok(()), 2), "the old token works"),
        }
        assert_eq!(
            call(),
            (Ok(()), 1),
            "the token is left alone for a while, and works"
        );
    }
}

#[test]
fn a_check_waits_for_no_free_place_while_the_client_token_is_known() {
    let client = client(|command, _| token(command).unwrap());
    let (url, secret) = ("http://oxd/".parse().unwrap(), Secret::new("s".into()));
    let provider = Some(Provider::Host("https://op"));
    let with_places = |max_calls| Site {
        server: Server {
            max_calls,
            ..server::tests::server(&url)
        },
        id: SiteId("id"),
        provider,
        credentials: Some(GetClientToken::new("c", Some(&secret), provider)),
        authorization_site: None,
    };
    let check = |places| client.at(with_places(places)).has_client_token();
    assert!(matches!(check(0), Err(Error::Busy { .. })), "oxd would be called");
    check(1).unwrap();
    check(0).unwrap();
    assert_eq!(lock(&client.transport.calls).len(), 1);
}
