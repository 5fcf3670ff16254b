use super::*;
use crate::base::{Failure, Reason, SiteId};
use crate::oxd::commands::logout_uri::GetLogoutUri;
use crate::oxd::{Answer, Trouble, server};
use serde_json::json;

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
        token: Option<&Secret>,
        _: &Members,
    ) -> Result<Answer, Trouble> {
        lock(&self.calls).push(command.name.to_owned());
        (self.answer)(command.name, token.map(Secret::expose))
    }
}

fn answer(status: u16, body: Value) -> Result<Answer, Trouble> {
    Ok(Answer {
        status,
        body: body.to_string().into_bytes(),
        ..Answer::default()
    })
}

/// Runs one `get-logout-uri` against a scripted oxd: the outcome, and the commands that were sent.
fn run(
    calls: usize,
    script: impl Fn(&str, Option<&str>) -> Result<Answer, Trouble> + Send + Sync + 'static,
) -> (Result<String, Reason>, Vec<String>) {
    let transport = Scripted {
        answer: Box::new(script),
        calls: Mutex::default(),
    };
    let client = Client::new(transport, crate::testing::stats());
    let (url, secret) = ("http://oxd/pre/".parse().unwrap(), Secret::new("s".into()));
    let provider = Some(Provider::Host("https://op"));
    let site = Site {
        server: server::tests::server(&url),
        id: SiteId("id"),
        provider,
        credentials: Some(GetClientToken::new("c", &secret, provider)),
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
