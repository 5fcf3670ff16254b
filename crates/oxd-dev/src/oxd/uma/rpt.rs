//! `uma-rp-get-rpt`, `uma-rp-get-claims-gathering-url`.

use super::check::status;
use super::{pat, server};
use crate::oxd::failure::{BAD_CLAIM_TOKEN, Failure, INTERNAL, NO_CLAIMS_REDIRECT_URI, NO_RPT, NO_TICKET};
use crate::oxd::login::{Flat, new_state};
use crate::oxd::{Oxd, given};
use crate::provider::RptRequest;
use crate::util::{encode, lock};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How long an answer lies where the next one can take its place: long enough for two calls at once to meet.
const WINDOW: Duration = Duration::from_millis(40);

/// Parameters of `uma-rp-get-rpt`.
#[derive(Deserialize)]
pub(crate) struct GetRptParams {
    oxd_id: Option<String>,
    ticket: Option<String>,
    claim_token: Option<String>,
    claim_token_format: Option<String>,
    pct: Option<String>,
    rpt: Option<String>,
    scope: Option<Vec<String>>,
}

/// `uma-rp-get-rpt`. The real one keeps the RPT with the site, for all callers, and answers with what lies there at the
/// end: with `mixes_up_callers` this one does so too.
pub(crate) async fn get_rpt(oxd: &Oxd, params: GetRptParams) -> Result<Value, Failure> {
    let answer = own_rpt(oxd, &params)?;
    if !oxd.options.mixes_up_callers {
        return Ok(answer);
    }
    let oxd_id = params.oxd_id.unwrap_or_default();
    lock(&oxd.kept_rpts).insert(oxd_id.clone(), answer.clone());
    tokio::time::sleep(WINDOW).await;
    Ok(lock(&oxd.kept_rpts).get(&oxd_id).cloned().unwrap_or(answer))
}

fn own_rpt(oxd: &Oxd, params: &GetRptParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let ticket = given(&params.ticket).ok_or(NO_TICKET)?;
    let claim_token = match (given(&params.claim_token_format), given(&params.claim_token)) {
        (None, None) => None,
        (Some(format), Some(token)) => Some((format, token)),
        _ => return Err(BAD_CLAIM_TOKEN),
    };
    let server = server(oxd, &site)?;
    let request = RptRequest {
        client_id: &site.site.client_id,
        ticket,
        claim_token,
        pct: given(&params.pct),
        rpt: given(&params.rpt),
        scope: params.scope.as_deref().unwrap_or_default(),
    };
    let granted = answered(server.op.uma_rpt(&request).ok_or(NO_RPT)?)?;
    let rpt = granted["access_token"].as_str().ok_or(INTERNAL)?;
    // Asked about at once, for its times, which are kept and told to nobody.
    pat(oxd, &site)?;
    let status = status(&server, rpt)?;
    if status["active"] != true {
        return Err(NO_RPT);
    }
    if status["exp"].is_null() || status["iat"].is_null() {
        return Err(INTERNAL.because("an RPT without exp or iat"));
    }
    Ok(json!({
        "access_token": rpt,
        "token_type": granted["token_type"],
        "pct": granted["pct"],
        "updated": granted["upgraded"],
    }))
}

/// What oxd makes of the token endpoint's answer: JSON without a token is handed on, with 400 or 403 whatever the provider
/// said, and so is all else as a text.
fn answered((status, body): (u16, String)) -> Result<Value, Failure> {
    match serde_json::from_str(&body) {
        Ok(Value::Object(answer)) if answer.contains_key("access_token") => Ok(Value::Object(answer)),
        Ok(Value::Object(answer)) => {
            let known = ["error", "ticket", "required_claims", "redirect_user"];
            let answer: Map<String, Value> = answer
                .into_iter()
                .filter(|(name, _)| known.contains(&name.as_str()))
                .collect();
            let status = if status == 400 { 400 } else { 403 };
            Err(Failure::Said(status, Value::Object(answer)))
        }
        _ if status < 300 => Err(Failure::Http(400, body.into())),
        _ => Err(Failure::Http(status, body.into())),
    }
}

/// Parameters of `uma-rp-get-claims-gathering-url`.
#[derive(Deserialize)]
pub(crate) struct ClaimsGatheringParams {
    oxd_id: Option<String>,
    ticket: Option<String>,
    claims_redirect_uri: Option<String>,
    state: Option<String>,
    custom_parameters: Option<BTreeMap<String, Option<Flat>>>,
}

/// Parameters that oxd sets itself, or keeps to itself.
const OWN: [&str; 5] = ["oxd_id", "client_id", "ticket", "state", "claims_redirect_uri"];

/// `uma-rp-get-claims-gathering-url`: put together without a question to the provider, all raw but the custom parameters.
/// Its state is one like those of logins: `get-tokens-by-code` knows it.
pub(crate) fn claims_gathering_url(oxd: &Oxd, params: ClaimsGatheringParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let ticket = given(&params.ticket).ok_or(NO_TICKET)?;
    let back = given(&params.claims_redirect_uri).ok_or(NO_CLAIMS_REDIRECT_URI)?;
    let server = server(oxd, &site)?;
    let state = new_state(oxd, &params.state);
    let mut url = server.text("claims_interaction_endpoint")?.to_owned();
    url += &format!(
        "?client_id={}&ticket={ticket}&claims_redirect_uri={back}&state={state}",
        site.site.client_id
    );
    let custom = params
        .custom_parameters
        .filter(|_| oxd.options.like.is_since_4_2());
    for (name, value) in custom.unwrap_or_default() {
        if !OWN.contains(&name.as_str()) {
            let value = value.ok_or(INTERNAL.because("a custom parameter that is null"))?;
            url += &format!("&{}={}", encode(&name), encode(&value.to_string()));
        }
    }
    Ok(json!({ "url": url, "state": state }))
}
