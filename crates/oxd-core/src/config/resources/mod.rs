//! The UMA resources of a site (`OxdUmaResources`): the file as `uma-rs-protect` takes it, checked more strictly than oxd
//! does, and the search for the resource that a request falls under.

mod expression;
mod pattern;

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::Value;

use self::expression::ScopeExpression;
use self::pattern::Pattern;
use super::value::one_line;

/// The methods of requests (RFC 9110 section 9, RFC 5789).
const METHODS: [&str; 8] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE",
];

/// The resources of a file.
#[derive(Debug)]
pub struct Resources {
    resources: Vec<Resource>,
    /// The list as it goes to oxd (`resources` of `uma-rs-protect`).
    json: Value,
}

/// A resource that a request falls under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'f> {
    /// Its path as it is registered: oxd is asked with this, not with the request's.
    pub path: &'f str,
    /// The method as it is registered, in upper case.
    pub method: &'f str,
}

#[derive(Debug)]
struct Resource {
    path: String,
    pattern: Pattern,
    methods: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    resources: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(try_from = "RawEntry")]
struct Entry {
    path: String,
    pattern: Pattern,
    methods: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    path: String,
    conditions: Vec<Condition>,
    #[serde(rename = "iat", default)]
    _iat: Option<u64>,
    #[serde(rename = "exp", default)]
    _exp: Option<u64>,
}

impl TryFrom<RawEntry> for Entry {
    type Error = String;

    fn try_from(raw: RawEntry) -> Result<Self, String> {
        let path = raw.path;
        let pattern = Pattern::parse(&path).map_err(|why| format!("the path '{path}' {why}"))?;
        if raw.conditions.is_empty() {
            return Err(format!("the path '{path}' has no conditions"));
        }
        let mut methods: Vec<String> = Vec::new();
        for method in raw.conditions.into_iter().flat_map(|condition| condition.methods) {
            if methods.contains(&method) {
                return Err(format!(
                    "the path '{path}' has the method {method} twice (its case does not count)"
                ));
            }
            methods.push(method);
        }
        Ok(Self {
            path,
            pattern,
            methods,
        })
    }
}

#[derive(Deserialize)]
#[serde(try_from = "RawCondition")]
struct Condition {
    methods: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCondition {
    #[serde(rename = "httpMethods")]
    methods: Vec<String>,
    #[serde(default)]
    scopes: Option<Vec<String>>,
    #[serde(default)]
    scope_expression: Option<ScopeExpression>,
    #[serde(rename = "ticketScopes", default)]
    ticket_scopes: Option<Vec<String>>,
}

impl TryFrom<RawCondition> for Condition {
    type Error = String;

    fn try_from(raw: RawCondition) -> Result<Self, String> {
        if raw.methods.is_empty() {
            return Err("a condition has no httpMethods".into());
        }
        let methods: Vec<String> = raw.methods.iter().map(|name| name.to_ascii_uppercase()).collect();
        if let Some(bad) = methods.iter().find(|name| !METHODS.contains(&name.as_str())) {
            return Err(format!("'{bad}' is no method"));
        }
        match (&raw.scopes, &raw.scope_expression) {
            (Some(_), Some(_)) => {
                return Err(
                    "a condition has scopes and a scope_expression: oxd would ask for the ones and check by the other"
                        .into(),
                );
            }
            (None, None) => return Err("a condition has neither scopes nor a scope_expression".into()),
            (Some(scopes), None) if scopes.is_empty() => return Err("a condition has no scopes".into()),
            _ => {}
        }
        let named = raw.scopes.iter().chain(&raw.ticket_scopes).flatten();
        match named.into_iter().find(|scope| scope.trim().is_empty()) {
            Some(_) => Err("a scope is empty".into()),
            None => Ok(Self { methods }),
        }
    }
}

impl Resources {
    /// Reads a file.
    ///
    /// # Errors
    /// One line with what is wrong and where: JSON that oxd would not take, or would take half, and paths that a request
    /// could fall under in two ways.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        // Names and paths of the file stand in it, and serde_json shows them as they are.
        Self::read(text).map_err(|why| one_line(&why))
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        let file: File = serde_json::from_slice(text).map_err(|why| why.to_string())?;
        let json: Value = serde_json::from_slice(text).map_err(|why| why.to_string())?;
        if file.resources.is_empty() {
            return Err("it has no resources".into());
        }
        let mut resources: Vec<Resource> = Vec::new();
        for Entry {
            path,
            pattern,
            methods,
        } in file.resources
        {
            for other in &resources {
                let differ_in_case = other.path != path && other.path.eq_ignore_ascii_case(&path);
                if differ_in_case {
                    return Err(format!(
                        "'{}' and '{path}' differ in case only, which oxd does not look at",
                        other.path
                    ));
                }
                let shares_method = other.methods.iter().any(|method| methods.contains(method));
                if shares_method && other.pattern.is_as_specific_as(&pattern) {
                    return Err(format!(
                        "a request could fall under '{}' and '{path}' alike",
                        other.path
                    ));
                }
            }
            resources.push(Resource {
                path,
                pattern,
                methods,
            });
        }
        Ok(Self {
            resources,
            json: json["resources"].clone(),
        })
    }

    /// The resource that a request falls under: of the paths that match, the most specific one that has the method. `HEAD`
    /// counts as `GET` where the path does not name it. `path` is decoded, without `.` and `..`; its case counts, the
    /// method's does not.
    pub fn find(&self, path: &str, method: &str) -> Option<Found<'_>> {
        let segments = pattern::segments(path)?;
        let method = method.to_ascii_uppercase();
        let fitting = |resource: &Resource| resource.pattern.matches(&segments);
        let best = |method: &str| {
            let with_method = self.resources.iter().filter_map(|resource| {
                let own = resource.methods.iter().find(|own| *own == method)?;
                fitting(resource).then_some((resource, own))
            });
            with_method.min_by(|(one, _), (other, _)| one.pattern.compare(&other.pattern))
        };
        let found = match (method.as_str(), best(&method)) {
            // The path that matches best decides whether HEAD is named.
            ("HEAD", named) => match (named, best("GET")) {
                (Some(head), Some(get)) if get.0.pattern.compare(&head.0.pattern) == Ordering::Less => {
                    Some(get)
                }
                (Some(head), _) => Some(head),
                (None, get) => get,
            },
            (_, found) => found,
        };
        found.map(|(resource, method)| Found {
            path: &resource.path,
            method,
        })
    }

    /// The list as it goes to oxd.
    pub fn to_json(&self) -> &Value {
        &self.json
    }

    /// The paths, as they are registered.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.resources.iter().map(|resource| resource.path.as_str())
    }
}

#[cfg(test)]
mod tests;
