//! The provider behind the recorded UMA scenarios: resources, and answers that are not the truth.

use oxd_dev::{UmaEndpoint, UmaFault};
use serde_json::{Value, json};

/// A resource with one condition.
fn resource(path: &str, methods: &[&str], scopes: &[&str]) -> Value {
    json!({ "path": path, "conditions": [{ "httpMethods": methods, "scopes": scopes }] })
}

fn expression(path: &str, scopes: &[&str]) -> Value {
    let logic = json!({ "rule": { "or": [{ "var": 0 }, { "var": 1 }] }, "data": scopes });
    json!({ "path": path, "conditions": [{ "httpMethods": ["GET"], "scope_expression": logic }] })
}

/// What is registered before the scenario begins.
pub fn resources(scenario: &str) -> Vec<Value> {
    let photo = || {
        vec![
            resource("/photo", &["GET"], &["read"]),
            resource("/other", &["GET"], &["see"]),
        ]
    };
    match scenario {
        "uma_check_access" => {
            let mut both = expression("/both", &["b1", "b2"]);
            both["conditions"][0]["scopes"] = json!(["read"]);
            let mut two = resource("/two", &["GET", "PUT"], &["read", "write"]);
            two["conditions"][0]["ticketScopes"] = json!(["write"]);
            let mut multi = resource("/multi", &["GET"], &["m1"]);
            let post = resource("/multi", &["POST"], &["m2"])["conditions"][0].clone();
            multi["conditions"].as_array_mut().expect("a list").push(post);
            let more = vec![
                resource("/post", &["post"], &["read"]),
                two,
                multi,
                expression("/e", &["e1", "e2"]),
                both,
                resource("/a b/\u{fc}", &["GET"], &["read"]),
                resource("/a%20b", &["GET"], &["read"]),
                resource("/w/?", &["GET"], &["read"]),
                resource("/Case", &["GET"], &["upper"]),
                resource("/case", &["GET"], &["lower"]),
            ];
            photo().into_iter().chain(more).collect()
        }
        "uma_check_access_unregistered" => Vec::new(),
        name if name.starts_with("uma_check_access") => photo(),
        "uma_rs_modify" => vec![
            resource("/ok", &["GET"], &["read"]),
            resource("/two", &["GET", "POST"], &["read", "write"]),
            expression("/e", &["read", "write"]),
        ],
        "uma_gathering" => vec![resource("/gather", &["GET"], &["country"])],
        "uma_get_rpt_need_info" => ["/gather", "/claims", "/forbid", "/deny", "/ask"]
            .map(|path| resource(path, &["GET"], &["read"]))
            .to_vec(),
        "uma_get_rpt_race" => vec![
            resource("/one", &["GET"], &["s-one"]),
            resource("/two", &["GET"], &["s-two"]),
        ],
        "uma_introspect_rpt" => vec![
            resource("/ok", &["GET"], &["read"]),
            resource("/see", &["GET"], &["see"]),
        ],
        "uma_op_down_unprotected" | "uma_op_down_restarted_unprotected" => {
            vec![resource("/ok", &["GET"], &["read"])]
        }
        "uma_get_rpt_jwt" => vec![resource("/ok", &["GET"], &["read"])],
        name if name.starts_with("uma_get_rpt") => vec![resource("/ok", &["GET"], &["read", "m2"])],
        _ => Vec::new(),
    }
}

/// A provider's answer that is not the truth, all through a scenario.
pub fn fault(scenario: &str) -> Option<(&'static [UmaEndpoint], UmaFault)> {
    use UmaEndpoint::{Introspection, Metadata, MetadataAgain, Permissions, Resources, Token};
    let answer = |status, body: &str| UmaFault::Answer(status, body.to_owned());
    let denied = || answer(403, "{\"error\":\"access_denied\"}");
    Some(match scenario {
        "uma_check_access_metadata_500" => (&[MetadataAgain], answer(500, "oops")),
        "uma_check_access_permission_403" => (&[Permissions], denied()),
        "uma_check_access_permission_500" => (&[Permissions], answer(500, "oops")),
        "uma_check_access_permission_503" => (&[Permissions], answer(503, "oops")),
        "uma_check_access_permission_dropped" => (&[Permissions], UmaFault::Drop),
        "uma_check_access_everything_dropped" | "uma_op_down_unprotected" => (
            &[MetadataAgain, Resources, Permissions, Token, Introspection],
            UmaFault::Drop,
        ),
        "uma_op_down_restarted_unprotected" => (&[Metadata], UmaFault::Drop),
        "uma_check_access_rpt_status_403" => (&[Introspection], denied()),
        "uma_check_access_rpt_status_500" | "uma_get_rpt_status_500" => {
            (&[Introspection], answer(500, "oops"))
        }
        "uma_check_access_rpt_status_text" => (&[Introspection], answer(200, "oops")),
        "uma_get_rpt_status_inactive" => (&[Introspection], answer(200, "{\"active\":false}")),
        "uma_get_rpt_status_no_exp" => (&[Introspection], answer(200, "{\"active\":true}")),
        "uma_get_rpt_token_401" => (&[Token], answer(401, "{\"error\":\"invalid_client\"}")),
        "uma_get_rpt_token_429" => (&[Token], answer(429, "{\"error\":\"slow_down\"}")),
        "uma_get_rpt_token_500" => (&[Token], answer(500, "oops")),
        "uma_get_rpt_token_500_json" => (&[Token], answer(500, "{\"error\":\"server_error\"}")),
        "uma_get_rpt_token_503" => (&[Token], answer(503, "<h1>Service Unavailable</h1>")),
        "uma_get_rpt_token_array" => (&[Token], answer(200, "[]")),
        "uma_get_rpt_token_empty" => (&[Token], answer(200, "{}")),
        "uma_get_rpt_token_dropped" => (&[Token], UmaFault::Drop),
        _ => return None,
    })
}

/// The provider's answer about one of the RPTs that the recording provider made up.
pub fn made_up(rpt: &str) -> Option<Value> {
    let mut answer = json!({
        "active": true,
        "exp": 1_900_000_000,
        "iat": 1_700_000_000,
        "client_id": "client-x",
        "permissions": [{
            "resource_id": "11111111-aaaa-bbbb-cccc-222222222222",
            "resource_scopes": ["read"],
            "exp": 1_900_000_000,
        }],
    });
    match rpt {
        "rpt-extra" => {
            for (name, value) in [
                ("nbf", json!(1_700_000_000)),
                ("sub", json!("u-1001")),
                ("aud", json!("client-x")),
                ("iss", json!("https://op.example.org")),
                ("jti", json!("jti-1")),
                ("username", json!("dropped")),
                ("extra", json!({ "dropped": true })),
            ] {
                answer[name] = value;
            }
        }
        "rpt-aud-list" => answer["aud"] = json!(["client-x", "client-y"]),
        "rpt-exp-2040" => answer["exp"] = json!(2_208_988_800_u64),
        "rpt-exp-float" => answer["exp"] = json!(1_900_000_000.5),
        "rpt-exp-date" => answer["exp"] = json!("2030-03-17T17:46:40Z"),
        "rpt-no-permissions" => drop(answer.as_object_mut()?.remove("permissions")),
        "rpt-permission-without-scopes" => {
            answer["permissions"] = json!([{ "resource_id": "11111111-aaaa-bbbb-cccc-222222222222" }]);
        }
        "rpt-scopes-member" => {
            answer["permissions"] = json!([{
                "resource_id": "11111111-aaaa-bbbb-cccc-222222222222",
                "scopes": ["read"],
            }]);
        }
        "rpt-inactive-extra" => answer = json!({ "active": false, "exp": 1, "client_id": "client-x" }),
        "rpt-empty-object" => answer = json!({}),
        "rpt-active-text" => answer = json!({ "active": "true" }),
        _ => return None,
    }
    Some(answer)
}
