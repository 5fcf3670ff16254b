//! The file of `OxdUmaResources`, against what oxd and the provider have.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oxd_core::config::resources::Resources;
use oxd_core::oxd::commands::rp::GetRp;
use oxd_core::oxd::commands::uma_check_access::UmaCheckAccess;
use oxd_core::oxd::{BadAnswer, Request as _};
use serde_json::{Map, Value};

use super::EXPIRY_WORTH_A_WORD;
use super::report::Report;
use crate::advice::{refusal, said};
use crate::oxd::Oxd;
use crate::screen::plain;

const CHECK: &str = "resources";

/// A condition of a resource: what oxd registers at the provider as a resource of its own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Condition {
    path: String,
    /// In upper case.
    methods: BTreeSet<String>,
    /// `None` for a `scope_expression`, of which oxd does not show the scopes.
    scopes: Option<BTreeSet<String>>,
}

impl Condition {
    fn shown(&self) -> String {
        let methods: Vec<&str> = self.methods.iter().map(String::as_str).collect();
        plain(&format!("{} {}", methods.join(","), self.path))
    }

    /// oxd looks at the case of neither paths nor methods.
    fn is(&self, other: &Self) -> bool {
        let same_scopes = match (&self.scopes, &other.scopes) {
            (Some(own), Some(others)) => own == others,
            _ => true,
        };
        same_scopes && self.path.eq_ignore_ascii_case(&other.path) && self.methods == other.methods
    }
}

/// Compares the file with `get-rp`, where oxd has it; then asks oxd for each resource, which the provider may have lost.
pub(super) fn examine(report: &mut Report<'_>, oxd: &Oxd<'_>, path: &Path, resources: &Resources) {
    let file = plain(&path.display().to_string());
    let wanted = in_file(resources.to_json());
    let registered = (GetRp {}).send(oxd).ok().map(|rp| at_oxd(&rp.node));
    if let Some(registered) = &registered
        && let Some(difference) = difference(&wanted, registered)
    {
        let advice = match registered.is_empty() {
            true => format!("oxdctl uma protect {file}"),
            false => {
                format!("oxdctl uma protect {file} --replace puts the file in the place of what oxd has")
            }
        };
        return report.fail(CHECK, "resources_differ", difference, advice);
    }
    for condition in &wanted {
        let request = UmaCheckAccess {
            rpt: "",
            path: &condition.path,
            http_method: condition.methods.first().map_or("GET", String::as_str),
            scopes: &[],
        };
        let Err(error) = request.send(oxd) else { continue };
        return match refusal(&error) {
            Some(bad) if bad.description.contains("not protected") => report.fail(
                CHECK,
                "resources_differ",
                format!("oxd does not have {}", condition.shown()),
                format!("oxdctl uma protect {file} --replace registers it"),
            ),
            Some(bad) if is_lost(bad) => report.fail(
                CHECK,
                "resource_lost",
                format!(
                    "the provider gives oxd no ticket for {}; most likely it has forgotten the resource ({})",
                    condition.shown(),
                    said(bad)
                ),
                format!(
                    "Gluu keeps a resource for a month, unless the file gives it an exp: register the site again \
                     (oxdctl register --force), then oxdctl uma protect {file}"
                ),
            ),
            _ => report.unexpected(CHECK, &error, oxd.link),
        };
    }
    let found = format!("oxd has the {} resources of {file}", wanted.len());
    match expiring(resources.to_json(), SystemTime::now()) {
        None => report.ok(CHECK, found),
        Some(why) => report.warn(
            CHECK,
            "resources_expire",
            format!("{found}, but {why}"),
            format!(
                "give each an exp (seconds since 1970) in {file}, then oxdctl uma protect {file} --replace"
            ),
        ),
    }
}

/// A resource that the provider has lost is a 500 without words at oxd. That the provider answers, and that oxd knows the
/// site, has been seen by now.
fn is_lost(bad: &BadAnswer) -> bool {
    bad.status == 404 || (bad.status == 500 && bad.error == "internal_error")
}

fn in_file(list: &Value) -> Vec<Condition> {
    let resources = list.as_array().into_iter().flatten();
    let conditions = resources.flat_map(|resource| {
        let conditions = resource["conditions"].as_array().into_iter().flatten();
        conditions.map(|condition| Condition {
            path: resource["path"].as_str().unwrap_or_default().to_owned(),
            methods: methods(&condition["httpMethods"]),
            scopes: condition.get("scopes").map(texts),
        })
    });
    conditions.collect()
}

fn at_oxd(node: &Map<String, Value>) -> Vec<Condition> {
    let list = node.get("uma_protected_resources").and_then(Value::as_array);
    let list = list.into_iter().flatten();
    list.map(|resource| Condition {
        path: resource["path"].as_str().unwrap_or_default().to_owned(),
        methods: methods(&resource["http_methods"]),
        scopes: Some(texts(&resource["scopes"])),
    })
    .collect()
}

fn texts(list: &Value) -> BTreeSet<String> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn methods(list: &Value) -> BTreeSet<String> {
    let names = texts(list);
    names.iter().map(|name| name.to_ascii_uppercase()).collect()
}

/// What only one of the two has.
fn difference(wanted: &[Condition], registered: &[Condition]) -> Option<String> {
    let only = |these: &[Condition], those: &[Condition]| {
        let missing = these
            .iter()
            .filter(|one| !those.iter().any(|other| one.is(other)));
        missing.map(Condition::shown).collect::<Vec<_>>().join("; ")
    };
    let (missing, other) = (only(wanted, registered), only(registered, wanted));
    match (missing.as_str(), other.as_str()) {
        ("", "") => None,
        (_, "") => Some(format!("oxd does not have {missing}")),
        ("", _) => Some(format!("oxd has {other}, which the file does not")),
        _ => Some(format!("oxd does not have {missing}, but {other}")),
    }
}

/// Why resources end soon, if they do.
fn expiring(list: &Value, now: SystemTime) -> Option<String> {
    let soon = (now + EXPIRY_WORTH_A_WORD).duration_since(UNIX_EPOCH);
    let soon = soon.unwrap_or(Duration::ZERO).as_secs();
    let resources = list.as_array().into_iter().flatten();
    let found = resources.filter_map(|resource| {
        let path = plain(resource["path"].as_str().unwrap_or_default());
        match resource.get("exp").and_then(Value::as_u64) {
            None => Some(format!("Gluu forgets {path} a month after it was registered")),
            Some(exp) if exp < soon => Some(format!("{path} ends at {exp}, which is near or past")),
            Some(_) => None,
        }
    });
    found.into_iter().next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn registered(path: &str, methods: &[&str], scopes: &[&str]) -> Value {
        json!({"uma_protected_resources": [{"path": path, "http_methods": methods, "scopes": scopes}]})
    }

    #[test]
    fn what_only_one_has_is_named() {
        let file = json!([{"path": "/a", "conditions": [{"httpMethods": ["get", "POST"], "scopes": ["s"]}]}]);
        for (node, expected) in [
            (registered("/A", &["POST", "GET"], &["s"]), None),
            (
                registered("/a", &["GET"], &["s"]),
                Some("oxd does not have GET,POST /a, but GET /a"),
            ),
            (
                registered("/a", &["GET", "POST"], &["other"]),
                Some("oxd does not have GET,POST /a, but GET,POST /a"),
            ),
            (json!({}), Some("oxd does not have GET,POST /a")),
        ] {
            let found = difference(&in_file(&file), &at_oxd(node.as_object().unwrap()));
            assert_eq!(found.as_deref(), expected, "{node}");
        }
        let expression =
            json!([{"path": "/a", "conditions": [{"httpMethods": ["GET"], "scope_expression": {}}]}]);
        let node = registered("/a", &["GET"], &["s"]);
        assert_eq!(
            difference(&in_file(&expression), &at_oxd(node.as_object().unwrap())),
            None
        );
        let extra = difference(&[], &at_oxd(node.as_object().unwrap()));
        assert_eq!(extra.as_deref(), Some("oxd has GET /a, which the file does not"));
    }

    #[test]
    fn a_resource_without_an_end_of_its_own_ends_after_a_month() {
        let now = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let ends = |members: Value| expiring(&json!([members]), now);
        assert!(ends(json!({"path": "/a"})).is_some_and(|why| why.contains("month")));
        assert!(ends(json!({"path": "/a", "exp": 1_000_086_400})).is_some());
        assert_eq!(ends(json!({"path": "/a", "exp": 1_900_000_000})), None);
    }
}
