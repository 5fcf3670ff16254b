//! `scope_expression`: JsonLogic (of which `and`, `or` and `var` are known) over a list of scopes, Gluu's addition to UMA.

use crate::oxd::Oxd;
use crate::oxd::failure::{BAD_SCOPE_EXPRESSION, Failure, INTERNAL};
use serde_json::Value;

/// The scopes of a good expression: `{"rule": ..., "data": [...]}` and nothing else.
pub(super) fn scopes(oxd: &Oxd, logic: &Value) -> Result<Vec<String>, Failure> {
    let data = parsed(logic).ok_or(BAD_SCOPE_EXPRESSION)?;
    match oxd.options.scope_expressions {
        true => Ok(data),
        false => Err(INTERNAL.because("nothing in this Java can work with expressions")),
    }
}

/// The same in a text, as `uma-rs-modify` takes it, also in single quotes; `null` is none.
pub(super) fn in_text(oxd: &Oxd, text: &str) -> Result<Option<(Value, Vec<String>)>, Failure> {
    let logic = serde_json::from_str(text).or_else(|_| serde_json::from_str(&text.replace('\'', "\"")));
    match logic {
        Ok(Value::Null) => Ok(None),
        Ok(logic) => {
            let data = scopes(oxd, &logic)?;
            Ok(Some((logic, data)))
        }
        Err(_) => Err(BAD_SCOPE_EXPRESSION),
    }
}

fn parsed(logic: &Value) -> Option<Vec<String>> {
    let members = logic.as_object().filter(|members| members.len() == 2)?;
    let data = members.get("data")?.as_array()?;
    let data: Option<Vec<String>> = data
        .iter()
        .map(|scope| scope.as_str().map(str::to_owned))
        .collect();
    let data = data?;
    is_rule(members.get("rule")?, data.len()).then_some(data)
}

fn is_rule(rule: &Value, scopes: usize) -> bool {
    let Some((operator, operand)) = rule
        .as_object()
        .filter(|rule| rule.len() == 1)
        .and_then(|rule| rule.iter().next())
    else {
        return false;
    };
    match (operator.as_str(), operand) {
        ("var", Value::Number(index)) => index
            .as_u64()
            .is_some_and(|index| usize::try_from(index).is_ok_and(|index| index < scopes)),
        ("and" | "or", Value::Array(parts)) => {
            !parts.is_empty() && parts.iter().all(|part| is_rule(part, scopes))
        }
        _ => false,
    }
}
