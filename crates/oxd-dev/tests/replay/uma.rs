//! What the recorded UMA scenarios want to be there before they begin, and before some of their calls.

use oxd_dev::{
    Options, Provider, ProviderOptions, UmaEndpoint, UmaFault, UmaOptions, UmaOutcome, UmaRule, User,
};
use serde_json::{Value, json};
use std::time::Duration;

use super::Replay;
use super::uma_provider::{fault, made_up, resources};
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
