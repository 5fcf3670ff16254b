//! `scope_expression`: which scopes open a resource, as JsonLogic with `and` and `or` over a list of scopes.

use serde::Deserialize;
use serde_json::Value;

/// A checked expression. oxd evaluates it; here it is only known to be one.
#[derive(Debug, Deserialize)]
#[serde(try_from = "RawExpression")]
pub(super) struct ScopeExpression {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawExpression {
    rule: Value,
    data: Vec<String>,
}

/// How deep an expression may be.
const DEPTH: usize = 16;

impl TryFrom<RawExpression> for ScopeExpression {
    type Error = String;

    fn try_from(raw: RawExpression) -> Result<Self, String> {
        if raw.data.is_empty() || raw.data.iter().any(|scope| scope.trim().is_empty()) {
            return Err("the data of a scope_expression must be scopes".into());
        }
        check(&raw.rule, raw.data.len(), DEPTH)?;
        Ok(Self {})
    }
}

fn check(rule: &Value, scopes: usize, depth: usize) -> Result<(), String> {
    let Some(rule) = rule.as_object().filter(|rule| rule.len() == 1) else {
        return Err("a rule of a scope_expression must be an object with one member: and, or, var".into());
    };
    let inner = depth.checked_sub(1).ok_or("a scope_expression is too deep")?;
    for (operator, operands) in rule {
        match (operator.as_str(), operands) {
            ("and" | "or", Value::Array(operands)) if !operands.is_empty() => {
                for operand in operands {
                    check(operand, scopes, inner)?;
                }
            }
            ("and" | "or", _) => {
                return Err(format!("{operator} in a scope_expression needs a list of rules"));
            }
            ("var", index) => {
                let known = index.as_u64().and_then(|index| usize::try_from(index).ok());
                if known.is_none_or(|index| index >= scopes) {
                    return Err(format!(
                        "var {index} in a scope_expression is outside of its data"
                    ));
                }
            }
            (other, _) => {
                return Err(format!(
                    "a scope_expression has '{other}': oxd knows and, or and var"
                ));
            }
        }
    }
    Ok(())
}
