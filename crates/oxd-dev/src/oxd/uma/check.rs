//! `uma-rs-check-access`, `introspect-rpt`.

use super::{Server, not_protected, passed_on, pat, server};
use crate::UmaEndpoint;
use crate::oxd::failure::{Failure, INTERNAL, NO_HTTP_METHOD, NO_PATH};
use crate::oxd::token::is_true;
use crate::oxd::{Oxd, given};
use crate::util::unix_now;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Parameters of `uma-rs-check-access`.
#[derive(Deserialize)]
pub(crate) struct CheckParams {
    oxd_id: Option<String>,
    rpt: Option<String>,
    path: Option<String>,
    http_method: Option<String>,
    scopes: Option<Vec<String>>,
}

/// `uma-rs-check-access`: any of the scopes is enough, be they named (from oxd 4.2 on) or registered. The RPT is asked
/// about even when there is none.
pub(crate) fn check_access(oxd: &Oxd, params: CheckParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let path = params
        .path
        .as_deref()
        .filter(|path| !path.is_empty())
        .ok_or(NO_PATH)?;
    let method = given(&params.http_method).ok_or(NO_HTTP_METHOD)?;
    let resource = site.resources.iter().find(|known| known.is(path, method));
    let resource = resource.ok_or_else(|| not_protected(path, method, "uma_rs_protect"))?;
    let server = server(oxd, &site)?;
    pat(oxd, &site)?;
    let named = params
        .scopes
        .filter(|list| !list.is_empty() && oxd.options.like.is_since_4_2());
    let (checked, asked) = match &named {
        Some(named) => (&named[..], &named[..]),
        None => (resource.checked(), resource.asked()),
    };
    let status = status(&server, params.rpt.as_deref().unwrap_or_default())?;
    if allows(&status, &resource.id, checked)? {
        return Ok(json!({ "access": "granted" }));
    }
    // The metadata of now, since the ticket goes out with the issuer's name.
    if !matches!(server.op.uma_metadata(UmaEndpoint::MetadataAgain), Some((200, _))) {
        return Err(INTERNAL.because("no uma2-configuration"));
    }
    let ticket = match server.op.uma_permission(&resource.id, asked) {
        Some((200..300, answer)) => serde_json::from_str::<Value>(&answer).map_err(|_| INTERNAL)?,
        Some((403, body)) => return Err(Failure::Http(403, body.into())),
        // Also when the provider does not know the resource any more.
        _ => return Err(INTERNAL.because("no ticket")),
    };
    let ticket = ticket["ticket"].as_str().ok_or(INTERNAL)?;
    let issuer = server.text("issuer")?;
    let challenge =
        format!("UMA realm=\"rs\",as_uri=\"{issuer}\",error=\"insufficient_scope\",ticket=\"{ticket}\"");
    Ok(json!({ "access": "denied", "www-authenticate_header": challenge, "ticket": ticket }))
}

/// Whether an RPT has any of these scopes for the resource. The real one's code fails where a permission has none at all,
/// whichever resource it is for.
fn allows(status: &Value, resource: &str, scopes: &[String]) -> Result<bool, Failure> {
    if status["active"] != true {
        return Ok(false);
    }
    for permission in status["permissions"].as_array().into_iter().flatten() {
        let has = permission["resource_scopes"].as_array().ok_or(INTERNAL)?;
        let over = permission["exp"]
            .as_i64()
            .is_some_and(|exp| exp.unsigned_abs() <= unix_now());
        let any = scopes.iter().any(|scope| has.iter().any(|own| own == scope));
        if permission["resource_id"] == resource && any && !over {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Parameters of `introspect-rpt`.
#[derive(Deserialize)]
pub(crate) struct IntrospectRptParams {
    oxd_id: Option<String>,
    rpt: Option<String>,
}

/// `introspect-rpt`: what the provider says, in oxd's shape.
pub(crate) fn introspect_rpt(oxd: &Oxd, params: IntrospectRptParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let server = server(oxd, &site)?;
    pat(oxd, &site)?;
    status(&server, params.rpt.as_deref().unwrap_or_default())
}

/// Asks the provider about an RPT.
pub(super) fn status(server: &Server<'_>, rpt: &str) -> Result<Value, Failure> {
    in_shape(&passed_on(server.op.uma_introspection(rpt))?)
}

/// Members that oxd knows, in the types it knows. A list where it expects a text, and a time that is none or past 2038,
/// are an internal error.
fn in_shape(answer: &Value) -> Result<Value, Failure> {
    if !answer.is_object() {
        return Err(INTERNAL);
    }
    let mut shaped = Map::new();
    shaped.insert("active".to_owned(), is_true(&answer["active"]).into());
    for name in ["exp", "iat", "nbf"] {
        if let Some(time) = time(&answer[name])? {
            shaped.insert(name.to_owned(), time.into());
        }
    }
    if let Some(list) = answer["permissions"].as_array() {
        let permissions: Result<Vec<Value>, Failure> = list.iter().map(permission).collect();
        shaped.insert("permissions".to_owned(), permissions?.into());
    }
    for name in ["client_id", "sub", "aud", "iss", "jti"] {
        match &answer[name] {
            Value::Null => (),
            Value::String(text) => drop(shaped.insert(name.to_owned(), json!(text))),
            Value::Array(_) | Value::Object(_) => return Err(INTERNAL),
            other => drop(shaped.insert(name.to_owned(), json!(other.to_string()))),
        }
    }
    Ok(Value::Object(shaped))
}

fn permission(given: &Value) -> Result<Value, Failure> {
    let mut shaped = Map::new();
    for name in ["resource_id", "resource_scopes"] {
        if !given[name].is_null() {
            shaped.insert(name.to_owned(), given[name].clone());
        }
    }
    if let Some(exp) = time(&given["exp"])? {
        shaped.insert("exp".to_owned(), exp.into());
    }
    Ok(Value::Object(shaped))
}

fn time(value: &Value) -> Result<Option<i32>, Failure> {
    let time = match value {
        Value::Null => return Ok(None),
        Value::String(text) => text.parse().ok(),
        // A fraction is cut off.
        other => other.as_i64().or_else(|| other.as_f64().map(|time| time as i64)),
    };
    let time = time.and_then(|time| i32::try_from(time).ok());
    time.map(Some).ok_or(INTERNAL)
}
