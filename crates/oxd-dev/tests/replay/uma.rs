//! What the recorded UMA scenarios want to be there before they begin, and before some of their calls.

use oxd_dev::{
    Options, Provider, ProviderOptions, UmaEndpoint, UmaFault, UmaOptions, UmaOutcome, UmaRule, User,
};
use serde_json::{Value, json};
use std::time::Duration;

use super::Replay;
use crate::common::answer;

/// Longer than any scenario, whose clock is pushed.
const DAY: Duration = Duration::from_secs(86_400);

pub fn is_uma(scenario: &str) -> bool {
    scenario.starts_with("uma_")
}

pub fn options(scenario: &str) -> Options {
    let uma = UmaOptions {
        rules: Vec::new(),
        otherwise: UmaOutcome::Grant,
        permission_lifetime: Duration::from_secs(if scenario == "uma_check_access_expired" {
            60
        } else {
            3_600
        }),
        single_use_tickets: scenario == "uma_get_rpt_refused",
        ..UmaOptions::default()
    };
    Options {
        provider: Provider::BuiltIn(ProviderOptions {
            uma: Some(uma),
            ..ProviderOptions::default()
        }),
        protect_commands: !scenario.ends_with("unprotected"),
        client_token_lifetime: DAY,
        mixes_up_callers: scenario == "uma_get_rpt_race",
        scope_expressions: scenario != "uma_scope_expression_without_nashorn",
        ..Options::default()
    }
}

pub fn site(scenario: &str, provider: &str) -> Value {
    let mut site = json!({
        "op_host": provider,
        "redirect_uris": ["https://rp.example.org/cb"],
        "scope": ["openid", "oxd", "profile", "uma_protection"],
        "acr_values": ["basic"],
        "front_channel_logout_session_required": false,
        "rpt_as_jwt": scenario == "uma_get_rpt_jwt",
    });
    if scenario != "uma_rs_modify" {
        site["claims_redirect_uri"] = json!(["https://rp.example.org/oxd/claims"]);
    }
    match scenario {
        "uma_without_scope" => site["scope"] = json!(["openid", "oxd", "profile"]),
        "uma_op_host_slash" => site["op_host"] = json!(format!("{provider}/")),
        "uma_op_configuration_endpoint" => {
            site["op_host"] = Value::Null;
            site["op_configuration_endpoint"] = json!(format!("{provider}/.well-known/openid-configuration"));
        }
        _ => (),
    }
    site
}

/// A resource with one condition.
fn resource(path: &str, methods: &[&str], scopes: &[&str]) -> Value {
    json!({ "path": path, "conditions": [{ "httpMethods": methods, "scopes": scopes }] })
}

fn expression(path: &str, scopes: &[&str]) -> Value {
    let logic = json!({ "rule": { "or": [{ "var": 0 }, { "var": 1 }] }, "data": scopes });
    json!({ "path": path, "conditions": [{ "httpMethods": ["GET"], "scope_expression": logic }] })
}

/// What is registered before the scenario begins.
fn resources(scenario: &str) -> Vec<Value> {
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
fn fault(scenario: &str) -> Option<(&'static [UmaEndpoint], UmaFault)> {
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
fn made_up(rpt: &str) -> Option<Value> {
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

impl Replay {
    async fn uma(&self, command: &str, mut body: Value) -> Value {
        body["oxd_id"] = json!(self.bed.oxd_id());
        let token = format!("Bearer {}", self.bound["<client_token>"]);
        self.bed.post(command, body.to_string(), Some(&token)).await.json
    }

    /// A ticket for what is registered, or for these scopes.
    async fn ticket(&self, path: &str, scopes: &[&str]) -> String {
        let body = json!({ "path": path, "http_method": "GET", "rpt": "", "scopes": scopes });
        let denied = self.uma("uma-rs-check-access", body).await;
        denied["ticket"]
            .as_str()
            .unwrap_or_else(|| panic!("a ticket for {path}: {denied}"))
            .to_owned()
    }

    async fn rpt(&self, path: &str, scopes: &[&str], upgraded: Option<&str>) -> String {
        let body = json!({ "ticket": self.ticket(path, scopes).await, "rpt": upgraded });
        let granted = self.uma("uma-rp-get-rpt", body).await;
        granted["access_token"]
            .as_str()
            .unwrap_or_else(|| panic!("an RPT for {path}: {granted}"))
            .to_owned()
    }

    async fn bind_rpt(&mut self, placeholder: &str, path: &str, scopes: &[&str]) {
        let rpt = self.rpt(path, scopes, None).await;
        self.bound.insert(placeholder.to_owned(), rpt);
    }

    /// What is there before the first call.
    pub async fn prepare(&mut self, scenario: &str) {
        let resources = resources(scenario);
        if !resources.is_empty() {
            let done = self
                .uma("uma-rs-protect", json!({ "resources": resources }))
                .await;
            assert!(done["oxd_id"].is_string(), "{scenario}: {done}");
        }
        match scenario {
            "uma_check_access" => {
                self.bind_rpt("<rpt_2>", "/other", &[]).await;
                self.bind_rpt("<rpt_3>", "/photo", &[]).await;
                let with_scheme = format!("Bearer {}", self.bound["<rpt_3>"]);
                self.bound.insert("<rpt_4>".to_owned(), with_scheme);
                self.bind_rpt("<rpt_5>", "/two", &["read"]).await;
                self.bind_rpt("<rpt_6>", "/multi", &[]).await;
                self.bind_rpt("<rpt_7>", "/e", &[]).await;
                self.bind_rpt("rpt-e1-only", "/e", &["e1"]).await;
                self.bind_rpt("<rpt_8>", "/both", &[]).await;
            }
            "uma_check_access_expired" => {
                self.bind_rpt("<rpt>", "/photo", &[]).await;
                self.bed.server.advance(Duration::from_secs(3_601));
                self.bind_rpt("<rpt_2>", "/photo", &[]).await;
                self.bed.server.advance(Duration::from_secs(61));
            }
            "uma_check_access_pat_revoked" => self.bind_rpt("<rpt>", "/photo", &[]).await,
            "uma_check_access_resource_gone" => {
                self.bind_rpt("<rpt>", "/photo", &[]).await;
                self.bed.server.uma_forget_resources();
            }
            "uma_introspect_rpt" => {
                self.bind_rpt("<rpt_3>", "/ok", &[]).await;
                self.bed.server.advance(Duration::from_secs(3_601));
                self.bind_rpt("<rpt>", "/ok", &[]).await;
                let plain = self.rpt("/ok", &[], None).await;
                let upgraded = self.rpt("/see", &[], Some(&plain)).await;
                self.bound.insert("<rpt_2>".to_owned(), upgraded);
            }
            "uma_get_rpt_need_info" => {
                use UmaOutcome::{AskOwner, Deny, Forbid, Gather, NeedClaims};
                let on = |(path, outcome)| UmaRule::new(outcome).on(path);
                let mut rules = vec![UmaRule::new(UmaOutcome::Grant).of("test_user")];
                rules.extend(
                    [
                        ("/gather", Gather),
                        ("/claims", NeedClaims),
                        ("/forbid", Forbid),
                        ("/deny", Deny),
                        ("/ask", AskOwner),
                    ]
                    .map(on),
                );
                self.bed.server.uma_rules(rules, UmaOutcome::Grant);
                for (placeholder, user) in [("<id_token>", User::demo()), ("<id_token_2>", User::other())] {
                    let claims = json!({
                        "iss": self.bed.server.provider_url(),
                        "sub": user.claims["sub"],
                        "exp": 4_000_000_000_u64,
                    });
                    let id_token = self.bed.server.sign(&claims, "JWT").expect("a provider");
                    self.bound.insert(placeholder.to_owned(), id_token);
                }
            }
            "uma_gathering" => {
                let rules = vec![UmaRule::new(UmaOutcome::Gather)];
                self.bed.server.uma_rules(rules, UmaOutcome::Grant);
            }
            _ => (),
        }
        let spends_tickets =
            scenario.starts_with("uma_get_rpt_status") || scenario.starts_with("uma_get_rpt_token");
        if spends_tickets {
            let ticket = self.ticket("/ok", &[]).await;
            self.bound.insert("<ticket>".to_owned(), ticket);
        }
        if let Some((endpoints, fault)) = fault(scenario) {
            for endpoint in endpoints {
                self.bed.server.uma_fault(*endpoint, Some(fault.clone()));
            }
        }
    }

    /// What happened before this call, besides the calls.
    pub async fn stage(&mut self, scenario: &str, number: usize, call: &Value) {
        let answer = |status, body: &str| Some(UmaFault::Answer(status, body.to_owned()));
        let server = &self.bed.server;
        match (scenario, number) {
            ("uma_rs_protect", 40) => {
                server.uma_fault(
                    UmaEndpoint::Resources,
                    answer(403, "{\"error\":\"access_denied\"}"),
                );
            }
            ("uma_rs_protect", 41) => server.uma_fault(UmaEndpoint::Resources, answer(500, "oops")),
            ("uma_rs_protect", 42) => server.uma_fault(UmaEndpoint::Resources, Some(UmaFault::Drop)),
            ("uma_rs_protect", 43) => server.uma_fault(UmaEndpoint::Resources, None),
            ("uma_rs_protect", 44) | ("uma_rs_modify", 20) => server.uma_forget_resources(),
            ("uma_introspect_rpt", _) => {
                let rpt = call["request"]["json"]["rpt"].as_str().unwrap_or_default();
                let body = made_up(rpt).map(|body| UmaFault::Answer(200, body.to_string()));
                server.uma_fault(UmaEndpoint::Introspection, body);
            }
            ("uma_gathering", 3) => {
                let page = self.browser.follow(&self.gathering).await;
                let fill = [("username", "test_user"), ("password", "secret")];
                let back = self.browser.press(&page, "confirm", &fill).await.query();
                assert_eq!(back["state"], "gather_state-1");
                self.bound.insert("<ticket_3>".to_owned(), back["ticket"].clone());
            }
            ("uma_get_rpt_race", 0) => self.at_once(call).await,
            (name, _) if name.starts_with("uma_get_rpt") => self.stage_ticket(scenario, call).await,
            _ => (),
        }
    }

    /// Tickets that came from elsewhere in the recording.
    async fn stage_ticket(&mut self, scenario: &str, call: &Value) {
        let Some(placeholder) = call["request"]["json"]["ticket"].as_str() else {
            return;
        };
        let unknown = scenario == "uma_get_rpt_refused" && placeholder == "<ticket_2>";
        if unknown || !placeholder.starts_with('<') || self.bound.contains_key(placeholder) {
            return;
        }
        let path = match (scenario, placeholder) {
            ("uma_get_rpt_need_info", "<ticket>" | "<ticket_4>") => "/gather",
            ("uma_get_rpt_need_info", "<ticket_6>" | "<ticket_8>" | "<ticket_9>") => "/claims",
            ("uma_get_rpt_need_info", "<ticket_11>") => "/forbid",
            ("uma_get_rpt_need_info", "<ticket_12>") => "/deny",
            ("uma_get_rpt_need_info", _) => "/ask",
            _ => "/ok",
        };
        let ticket = self.ticket(path, &[]).await;
        self.bound.insert(placeholder.to_owned(), ticket);
    }

    /// Two calls that overlap: this one, and the next with another ticket.
    async fn at_once(&mut self, call: &Value) {
        for (placeholder, path) in [("<ticket>", "/one"), ("<ticket_2>", "/two")] {
            let ticket = self.ticket(path, &[]).await;
            self.bound.insert(placeholder.to_owned(), ticket);
        }
        let mut next = call["request"].clone();
        next["json"]["ticket"] = json!("<ticket_2>");
        let (first, second) = (self.request(&call["request"]).await, self.request(&next).await);
        let later = async {
            tokio::time::sleep(Duration::from_millis(10)).await;
            answer(second).await
        };
        let (first, second) = tokio::join!(answer(first), later);
        for one in [first, second] {
            self.ready.push_back(one.expect("an answer"));
        }
    }
}
