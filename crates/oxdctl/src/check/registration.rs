//! What oxd has of the site, against what it was registered with.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::screen::plain;
use crate::site::SiteFile;

/// Members of `get-rp` that are called otherwise at `register-site`: the name there, and the name here.
const OTHER_NAMES: [(&str, &str); 2] = [
    ("post_logout_redirect_uris", "logout_redirect_uris"),
    ("client_frontchannel_logout_uris", "front_channel_logout_uris"),
];
/// Members of the site file itself that oxd has, too.
const OF_FILE: [&str; 3] = ["client_id", "op_host", "op_configuration_endpoint"];

/// The result of the comparison.
#[derive(Debug, Default, PartialEq)]
pub struct Comparison {
    /// How many members both have.
    pub compared: usize,
    /// Those that differ, each with both values.
    pub different: Vec<String>,
    /// Whether oxd has another `client_secret`.
    pub other_secret: bool,
}

/// Compares the site file with the `node` of `get-rp`. What only one of the two has says nothing.
pub fn compare(file: &SiteFile, node: &Map<String, Value>) -> Comparison {
    let mut comparison = Comparison::default();
    let own = OF_FILE
        .iter()
        .filter_map(|name| Some((*name, Value::from(file.text(name)?))));
    let registered = file.registered().into_iter().flatten();
    let registered = registered.map(|(name, value)| (name.as_str(), value.clone()));
    for (name, here) in own.chain(registered) {
        let there = OTHER_NAMES.iter().find(|(other, _)| *other == name);
        let Some(there) = node.get(there.map_or(name, |(_, there)| there)) else {
            continue;
        };
        comparison.compared += 1;
        if !is_same(&here, there) {
            let difference = format!("{name} is {} at oxd, {} here", shown(there), shown(&here));
            comparison.different.push(difference);
        }
    }
    if let (Some(here), Some(there)) = (
        file.text("client_secret"),
        node.get("client_secret").and_then(Value::as_str),
    ) {
        comparison.compared += 1;
        comparison.other_secret = here != there;
    }
    comparison
}

/// Whether two values say the same. The order counts in none of oxd's lists but `redirect_uris`, whose first one a check
/// of its own looks at.
fn is_same(here: &Value, there: &Value) -> bool {
    let set = |list: &[Value]| list.iter().map(Value::to_string).collect::<BTreeSet<_>>();
    match (here, there) {
        (Value::Array(here), Value::Array(there)) => set(here) == set(there),
        (Value::String(here), Value::String(there)) => {
            here.trim_end_matches('/') == there.trim_end_matches('/')
        }
        _ => here == there,
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => plain(text),
        Value::Array(list) => {
            let texts = list
                .iter()
                .map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned));
            plain(&texts.collect::<Vec<_>>().join(" "))
        }
        other => plain(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compared(node: Value) -> Comparison {
        let members = json!({"client_id": "c", "client_secret": "hunter2", "op_host": "https://op/"});
        let mut file = SiteFile::new(std::path::Path::new("x"), members.as_object().unwrap().clone());
        let registered = json!({"scope": ["openid", "oxd"], "require_auth_time": true, "post_logout_redirect_uris": ["https://a/out"]});
        file.remember_registered(registered.as_object().unwrap());
        compare(&file, node.as_object().unwrap())
    }

    #[test]
    fn what_both_have_is_compared_under_oxds_names() {
        let same = json!({
            "client_id": "c", "client_secret": "hunter2", "op_host": "https://op", "scope": ["oxd", "openid"],
            "require_auth_time": true, "logout_redirect_uris": ["https://a/out"], "application_type": "web",
        });
        assert_eq!(
            compared(same),
            Comparison {
                compared: 6,
                ..Comparison::default()
            }
        );
        let other = compared(json!({
            "client_secret": "hunter3", "scope": ["openid"], "require_auth_time": false,
            "logout_redirect_uris": ["https://a/out", "https://b/out"],
        }));
        assert!(other.other_secret);
        assert_eq!(
            other.different,
            [
                "post_logout_redirect_uris is https://a/out https://b/out at oxd, https://a/out here",
                "require_auth_time is false at oxd, true here",
                "scope is openid at oxd, openid oxd here",
            ]
        );
        assert!(!format!("{other:?}").contains("hunter"));
        assert_eq!(compared(json!({})), Comparison::default());
    }
}
