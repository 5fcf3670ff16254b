//! Every fault, and stopping and resuming.

mod common;

use common::{Answer, Bed, Browser, SOON, answer};
use oxd_dev::{Fault, Options, Tls};
use serde_json::{Value, json};
use std::io::ErrorKind;
use std::time::{Duration, Instant};

const COMMAND: &str = "get-discovery";

async fn ask(bed: &Bed) -> Result<Answer, reqwest::Error> {
    let url = format!("{}/{COMMAND}", bed.server.url());
    let body = json!({ "op_host": bed.server.provider_url() }).to_string();
    let request = bed.http.post(url).header("content-type", "application/json");
    answer(request.body(body)).await
}

/// Waits for a condition on the server's side.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < SOON, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn status_and_times() {
    let bed = Bed::new();
    let fault = Fault::Status {
        code: 503,
        body: "later".to_owned(),
        content_type: "text/html; charset=utf-8".to_owned(),
    };
    bed.server.fault(COMMAND, Fault::Times(2, Box::new(fault)));
    for _ in 0..2 {
        let answer = ask(&bed).await.unwrap();
        assert_eq!((answer.status, answer.text.as_str()), (503, "later"));
        assert_eq!(answer.media_type, "text/html; charset=utf-8");
    }
    ask(&bed).await.unwrap().ok();
    let statuses: Vec<u16> = bed.server.calls().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [503, 503, 200]);
}

#[tokio::test]
async fn faults_are_for_one_command_and_can_be_cleared() {
    let bed = Bed::new();
    bed.server.fault(COMMAND, Fault::NotJson);
    bed.bearer().await;
    let answer = ask(&bed).await.unwrap();
    assert_eq!(
        (answer.status, answer.media_type.as_str()),
        (200, "application/json")
    );
    assert_eq!(answer.json, Value::Null);
    bed.server.clear_faults();
    ask(&bed).await.unwrap().ok();
    bed.server.fault("*", Fault::WrongShape(json!([1, 2])));
    assert_eq!(ask(&bed).await.unwrap().ok(), json!([1, 2]));
    let body = bed.credentials().to_string();
    assert_eq!(bed.post("get-client-token", body, None).await.ok(), json!([1, 2]));
}

#[tokio::test]
async fn delay_takes_its_time() {
    let bed = Bed::new();
    bed.server
        .fault(COMMAND, Fault::Delay(Duration::from_millis(150)));
    let begun = Instant::now();
    ask(&bed).await.unwrap().ok();
    assert!(begun.elapsed() >= Duration::from_millis(150));
}

#[tokio::test]
async fn hang_takes_the_request_and_nothing_more() {
    let mut bed = Bed::new();
    bed.server.fault(COMMAND, Fault::Hang);
    let url = format!("{}/{COMMAND}", bed.server.url());
    let request = bed.http.post(url).body("{}").send();
    let hung = tokio::spawn(request);
    until("the call arrives", || bed.server.count(COMMAND) == 1).await;
    // Others are served meanwhile.
    bed.bearer().await;
    assert!(!hung.is_finished());
    assert_eq!(bed.server.calls()[0].status, 0);
    bed.server.stop();
    hung.await.unwrap().unwrap_err();
}

#[tokio::test]
async fn drop_closes_without_an_answer() {
    for tls in [Tls::Off, Tls::SelfSigned] {
        let bed = Bed::with(Options {
            tls,
            ..Options::default()
        });
        bed.server.fault(COMMAND, Fault::Times(1, Box::new(Fault::Drop)));
        let why = ask(&bed).await.unwrap_err();
        assert!(
            why.is_request() && !why.is_timeout() && !why.is_connect(),
            "{why:?}"
        );
        assert_eq!(bed.server.calls()[0].status, 0);
        ask(&bed).await.unwrap().ok();
    }
}

#[tokio::test]
async fn huge_is_json_of_that_size() {
    let bed = Bed::new();
    for size in [14, 100, 3 << 20] {
        bed.server.fault(COMMAND, Fault::Huge(size));
        let answer = ask(&bed).await.unwrap();
        assert_eq!(answer.text.len(), size);
        assert!(answer.json["padding"].is_string());
    }
}

#[tokio::test]
async fn redirect_leads_elsewhere() {
    let bed = Bed::new();
    bed.server
        .fault(COMMAND, Fault::Redirect("http://127.0.0.1:1/trap".to_owned()));
    let url = format!("{}/{COMMAND}", bed.server.url());
    let response = bed.http.post(url).body("{}").send().await.unwrap();
    assert_eq!(response.status(), 302);
    assert_eq!(response.headers()["location"], "http://127.0.0.1:1/trap");
}

#[tokio::test]
async fn trickle_gives_the_real_answer_slowly() {
    let bed = Bed::new();
    let whole = ask(&bed).await.unwrap();
    bed.server
        .fault(COMMAND, Fault::Trickle(Duration::from_micros(100)));
    let begun = Instant::now();
    let slow = ask(&bed).await.unwrap();
    assert_eq!(slow.text, whole.text);
    let least = Duration::from_micros(100) * u32::try_from(whole.text.len()).unwrap();
    assert!(begun.elapsed() >= least);
}

#[tokio::test]
async fn patch_and_remove_change_the_real_answer() {
    let bed = Bed::new();
    bed.server.fault(
        "get-tokens-by-code",
        Fault::All(vec![
            Fault::Patch(json!({ "id_token_claims": { "nonce": "other", "exp": 1 } })),
            Fault::Remove("id_token_claims.acr".to_owned()),
            Fault::Remove("refresh_token".to_owned()),
        ]),
    );
    let tokens = bed.tokens(&Browser::new(&bed)).await;
    let claims = &tokens["id_token_claims"];
    assert_eq!((&claims["nonce"], &claims["exp"]), (&json!("other"), &json!(1)));
    assert!(claims["sub"].is_string());
    assert!(claims.get("acr").is_none());
    assert!(tokens.get("refresh_token").is_none());
    bed.server
        .fault("get-user-info", Fault::Patch(json!({ "sub": "other" })));
    let body = json!({ "access_token": tokens["access_token"] });
    let info = bed.command("get-user-info", body).await.ok();
    assert_eq!(info["sub"], "other");
    assert_eq!(info["email"], "test_user@example.org");
}

#[tokio::test]
async fn stop_refuses_and_resume_goes_on_where_it_was() {
    let mut bed = Bed::new();
    let bearer = bed.bearer().await;
    let back = bed.code(&Browser::new(&bed), json!({})).await;
    let url = bed.server.url();
    let address = url.strip_prefix("http://").unwrap().to_owned();
    for _ in 0..3 {
        bed.server.stop();
        let refused = tokio::net::TcpStream::connect(&address).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
        // A connection that was kept alive is gone, too.
        ask(&bed).await.unwrap_err();
        // The provider goes on.
        let provider = bed.server.provider_url();
        assert_eq!(answer(bed.http.get(provider)).await.unwrap().status, 200);
        bed.server.stop();
        bed.server.resume();
        bed.server.resume();
        // A client that has not noticed yet that its connection is gone would use it.
        bed.http = common::client(&bed.server);
        ask(&bed).await.unwrap().ok();
    }
    assert_eq!(bed.server.url(), url);
    let body = json!({
        "oxd_id": bed.oxd_id(),
        "code": back["code"],
        "state": back["state"],
    });
    bed.post("get-tokens-by-code", body.to_string(), Some(&bearer))
        .await
        .ok();
}

#[tokio::test]
async fn dropping_frees_the_port() {
    let bed = Bed::new();
    let address = bed.server.url().strip_prefix("http://").unwrap().to_owned();
    ask(&bed).await.unwrap().ok();
    drop(bed.server);
    tokio::net::TcpStream::connect(address).await.unwrap_err();
}

#[tokio::test]
async fn a_header_takes_the_place_of_the_real_one() {
    let bed = Bed::new();
    let date = "Sun, 06 Nov 1994 08:49:37 GMT";
    bed.server.fault(
        "health-check",
        Fault::Header {
            name: "Date".to_owned(),
            value: date.to_owned(),
        },
    );
    let url = format!("{}/health-check", bed.server.url());
    let response = bed.http.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers().get_all("date").iter().count(), 1);
    assert_eq!(response.headers()["date"], date);
    bed.server.clear_faults();
    let response = bed.http.get(&url).send().await.unwrap();
    assert_ne!(response.headers()["date"], date);
}
