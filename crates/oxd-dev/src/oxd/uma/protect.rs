//! `uma-rs-protect`, `uma-rs-modify`.

use super::{Protected, expression, not_protected, passed_on, pat, server};
use crate::oxd::failure::{
    Failure, INTERNAL, METHOD_NOT_UNIQUE, NO_HTTP_METHOD, NO_PATH, NO_RESOURCES, UMA_PROTECTION_EXISTS,
};
use crate::oxd::{Oxd, given};
use crate::provider::{NewResource, Op};
use crate::util::lock;
use serde::Deserialize;
use serde_json::{Value, json};

/// Parameters of `uma-rs-protect`.
#[derive(Deserialize)]
pub(crate) struct ProtectParams {
    oxd_id: Option<String>,
    resources: Option<Vec<Resource>>,
    overwrite: Option<bool>,
}

#[derive(Deserialize)]
struct Resource {
    path: Option<String>,
    conditions: Option<Vec<Condition>>,
    exp: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Condition {
    http_methods: Option<Vec<String>>,
    scopes: Option<Vec<String>>,
    #[serde(rename = "scope_expression")]
    scope_expression: Option<Value>,
    ticket_scopes: Option<Vec<String>>,
}

/// A condition that was looked at, before it has an id.
struct Wanted {
    protected: Protected,
    expression: Option<Value>,
    exp: Option<i64>,
}

/// `uma-rs-protect`. With `overwrite` the resources of before go first: what fails after that leaves the site without
/// any, and the provider with those that nobody knows of.
pub(crate) fn protect(oxd: &Oxd, params: ProtectParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let resources = params.resources.filter(|list| !list.is_empty());
    let wanted = wanted(oxd, &resources.ok_or(NO_RESOURCES)?)?;
    if !site.resources.is_empty() && params.overwrite != Some(true) {
        return Err(UMA_PROTECTION_EXISTS);
    }
    let server = server(oxd, &site)?;
    pat(oxd, &site)?;
    for old in &site.resources {
        passed_on(server.op.uma_delete(&old.id))?;
    }
    let oxd_id = &site.site.oxd_id;
    lock(&oxd.store).change(oxd_id, |site| site.resources.clear());
    let mut registered = Vec::new();
    for one in wanted {
        let mut protected = one.protected;
        protected.id = put(server.op, None, &protected, one.expression.as_ref(), one.exp)?;
        registered.push(protected);
    }
    lock(&oxd.store).change(oxd_id, |site| site.resources = registered);
    Ok(json!({ "oxd_id": oxd_id }))
}

/// Every condition as a resource of its own. A method may stand once for a path; other case is another method here,
/// though not when access is checked.
fn wanted(oxd: &Oxd, resources: &[Resource]) -> Result<Vec<Wanted>, Failure> {
    let mut wanted = Vec::new();
    let mut met: Vec<(&Option<String>, &String)> = Vec::new();
    for resource in resources {
        for condition in resource.conditions.as_deref().ok_or(INTERNAL)? {
            let methods = condition.http_methods.as_deref().ok_or(INTERNAL)?;
            for method in methods {
                if met.contains(&(&resource.path, method)) {
                    return Err(METHOD_NOT_UNIQUE);
                }
                met.push((&resource.path, method));
            }
            let logic = condition.scope_expression.as_ref();
            let data = logic.map(|logic| expression::scopes(oxd, logic)).transpose()?;
            let scopes = condition.scopes.clone().unwrap_or_default();
            let named = condition.ticket_scopes.clone().filter(|list| !list.is_empty());
            let ticket_scopes = match logic {
                Some(_) => named.unwrap_or_default(),
                None => named.unwrap_or_else(|| scopes.clone()),
            };
            wanted.push(Wanted {
                protected: Protected {
                    id: String::new(),
                    path: resource.path.clone(),
                    http_methods: methods.to_vec(),
                    scopes,
                    scope_expressions: logic.map(Value::to_string).into_iter().collect(),
                    ticket_scopes,
                    data: data.unwrap_or_default(),
                },
                expression: logic.cloned(),
                exp: resource.exp,
            });
        }
    }
    Ok(wanted)
}

/// Registers or changes a resource at the provider; hands back its id.
fn put(
    op: &Op,
    id: Option<&str>,
    protected: &Protected,
    expression: Option<&Value>,
    exp: Option<i64>,
) -> Result<String, Failure> {
    let new = NewResource {
        path: protected.path.as_deref().unwrap_or_default(),
        scopes: &protected.scopes,
        expression,
        exp,
    };
    let answer = passed_on(op.uma_resource(id, &new))?;
    answer["_id"].as_str().map(str::to_owned).ok_or(INTERNAL)
}

/// Parameters of `uma-rs-modify`.
#[derive(Deserialize)]
pub(crate) struct ModifyParams {
    oxd_id: Option<String>,
    path: Option<String>,
    http_method: Option<String>,
    scopes: Option<Vec<String>>,
    scope_expression: Option<String>,
}

/// `uma-rs-modify`: other scopes for the condition that this path and method belong to, all its methods included.
pub(crate) fn modify(oxd: &Oxd, params: ModifyParams) -> Result<Value, Failure> {
    let site = oxd.site(params.oxd_id.as_deref())?;
    let path = given(&params.path).ok_or(NO_PATH)?;
    let method = given(&params.http_method).ok_or(NO_HTTP_METHOD)?;
    let known = site.resources.iter().find(|known| known.is(path, method));
    let known = known.ok_or_else(|| not_protected(path, method, "uma_rs_modify"))?;
    let logic = match given(&params.scope_expression) {
        Some(text) => expression::in_text(oxd, text)?,
        None => None,
    };
    let server = server(oxd, &site)?;
    pat(oxd, &site)?;
    let (expression, data) = logic.unzip();
    let scopes = params.scopes.unwrap_or_default();
    let ticket_scopes = if expression.is_some() {
        Vec::new()
    } else {
        scopes.clone()
    };
    let changed = Protected {
        scopes,
        scope_expressions: expression.as_ref().map(Value::to_string).into_iter().collect(),
        ticket_scopes,
        data: data.unwrap_or_default(),
        ..known.clone()
    };
    put(server.op, Some(&known.id), &changed, expression.as_ref(), None)?;
    let oxd_id = &site.site.oxd_id;
    lock(&oxd.store).change(oxd_id, |site| {
        let old = site.resources.iter_mut().find(|old| old.id == changed.id);
        if let Some(old) = old {
            *old = changed;
        }
    });
    Ok(json!({ "oxd_id": oxd_id }))
}
