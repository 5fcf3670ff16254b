//! Who gets what: the owner's decisions, then the rules, then what is left.

use super::records::{Records, Resource, Ticket};
use crate::UmaOutcome;
use serde_json::Value;

/// What comes of a ticket.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// An RPT with these scopes.
    Grant(Vec<String>),
    /// Anything else.
    Other(UmaOutcome),
}

impl Records {
    /// Decides about a ticket. The scopes are the ticket's and those that the client asked for besides.
    pub(super) fn verdict(&self, resource: &Resource, ticket: &Ticket, scopes: &[String]) -> Verdict {
        let decided = self.decisions.get(&(ticket.user.clone(), resource.path.clone()));
        match decided {
            Some(true) => return granted(resource, scopes.to_vec()),
            Some(false) => return Verdict::Other(UmaOutcome::Deny),
            None => (),
        }
        for rule in &self.rules {
            let user = rule.user.is_none() || rule.user == ticket.user;
            let named = rule.resource.as_ref();
            let fits = user && named.is_none_or(|name| *name == resource.path || *name == resource.id);
            let mut about = scopes.to_vec();
            if let Some(only) = &rule.scopes {
                about.retain(|scope| only.contains(scope));
            }
            if !fits || about.is_empty() {
                continue;
            }
            match rule.outcome {
                UmaOutcome::Grant => return granted(resource, about),
                UmaOutcome::Gather if ticket.gathered => (),
                other => return Verdict::Other(other),
            }
        }
        match self.otherwise {
            UmaOutcome::Grant => granted(resource, scopes.to_vec()),
            // Asked and answered, and still no rule that grants.
            UmaOutcome::Gather if ticket.gathered => Verdict::Other(UmaOutcome::Forbid),
            other => Verdict::Other(other),
        }
    }
}

/// A grant of these scopes, if they make the resource's expression true.
fn granted(resource: &Resource, scopes: Vec<String>) -> Verdict {
    let enough = match &resource.expression {
        Some(logic) => holds(&logic["rule"], &logic["data"], &scopes),
        None => true,
    };
    match enough {
        true => Verdict::Grant(scopes),
        false => Verdict::Other(UmaOutcome::Forbid),
    }
}

/// Whether a JsonLogic rule of `and`, `or` and `var` is true for what was granted.
fn holds(rule: &Value, data: &Value, granted: &[String]) -> bool {
    let all = |list: &Value| list.as_array().cloned().unwrap_or_default();
    if let Some(index) = rule["var"].as_u64().and_then(|index| usize::try_from(index).ok()) {
        let scope = data.get(index).and_then(Value::as_str);
        return scope.is_some_and(|scope| granted.iter().any(|have| have == scope));
    }
    if let Some(list) = rule.get("and") {
        return all(list).iter().all(|part| holds(part, data, granted));
    }
    rule.get("or")
        .is_some_and(|list| all(list).iter().any(|part| holds(part, data, granted)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_expression_wants_what_it_says() {
        let rule = json!({ "and": [{ "or": [{ "var": 0 }, { "var": 1 }] }, { "var": 2 }] });
        let data = json!(["read", "write", "admin"]);
        for (granted, expected) in [
            (&["read"][..], false),
            (&["admin"], false),
            (&["write", "admin"], true),
            (&[], false),
        ] {
            let granted: Vec<String> = granted.iter().map(|scope| (*scope).to_owned()).collect();
            assert_eq!(holds(&rule, &data, &granted), expected, "{granted:?}");
        }
        assert!(!holds(&json!({ "var": 7 }), &data, &["read".to_owned()]));
        assert!(!holds(&Value::Null, &data, &["read".to_owned()]));
    }
}
