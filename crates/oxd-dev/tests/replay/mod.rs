//! A recorded scenario sent to the stand-in, and its answers compared.

mod members;
mod uma;
mod uma_provider;

use std::collections::{BTreeMap, VecDeque};

use oxd_dev::Options;
use serde_json::{Map, Value, json};

use crate::common::{Answer, Bed, Browser, answer};
use crate::scenarios;
use members::{of_the_provider, same_lists};

/// Scenarios of an oxd with `protect_commands_with_access_token: false`.
const UNPROTECTED: [&str; 2] = ["unprotected_off", "unprotected_on"];

/// The addresses in the recorded exchanges.
const RECORDED_PROVIDER: &str = "http://127.0.0.1:9400";

/// A scenario on its way: what each placeholder stands for.
pub struct Replay {
    bed: Bed,
    browser: Browser,
    bound: BTreeMap<String, String>,
    /// Authorization URLs by their state.
    urls: BTreeMap<String, String>,
    /// Where the last `uma-rp-get-claims-gathering-url` leads.
    gathering: String,
    /// Answers to calls that were sent before their turn.
    ready: VecDeque<Answer>,
}

impl Replay {
    pub async fn new(scenario: &str) -> Replay {
        let bed = Bed::with(match uma::is_uma(scenario) {
            true => uma::options(scenario),
            false => Options {
                protect_commands: !UNPROTECTED.contains(&scenario),
                ..Options::default()
            },
        });
        let usual = json!({
            "op_host": bed.server.provider_url(),
            "client_name": "mod_oxd at 127.0.0.1",
            "redirect_uris": ["http://127.0.0.1:9480/oxd/login", "http://127.0.0.1:9480/oxd/callback"],
            "post_logout_redirect_uris": ["http://127.0.0.1:9480/oxd/logout"],
            "scope": ["openid", "profile", "email", "oxd"],
            "client_frontchannel_logout_uris": ["http://127.0.0.1:9480/oxd/frontchannel-logout"],
            "front_channel_logout_session_required": true,
        });
        let site = match uma::is_uma(scenario) {
            true => uma::site(scenario, &bed.server.provider_url()),
            false => usual,
        };
        let mut replay = Replay {
            browser: Browser::new(&bed),
            bed,
            bound: BTreeMap::new(),
            urls: BTreeMap::new(),
            gathering: String::new(),
            ready: VecDeque::new(),
        };
        let first = replay.register(&site).await;
        let second = replay.register(&site).await;
        replay.bed.site = first.clone();
        let text = |site: &Value, member: &str| site[member].as_str().expect("a text").to_owned();
        let token = replay.token(&first, "openid oxd").await;
        for (name, value) in [
            ("oxd_id", text(&first, "oxd_id")),
            ("client_id", text(&first, "client_id")),
            ("client_secret", text(&first, "client_secret")),
            ("client_token", token),
        ] {
            replay.bound.insert(format!("<{name}>"), value);
        }
        match scenario {
            "token_variants" => {
                let others = replay.token(&second, "openid oxd").await;
                let narrow = replay.token(&first, "openid").await;
                replay.bound.insert("<client_token>".to_owned(), others);
                replay.bound.insert("<client_token_2>".to_owned(), narrow);
                // The other client's site stands in the recording as it was.
                let other = "22f823d7-0759-48e5-bdc0-690ce02128b7".to_owned();
                replay.bound.insert(other, text(&second, "oxd_id"));
            }
            "other_commands" => {
                replay
                    .bound
                    .insert("<oxd_id_2>".to_owned(), text(&second, "oxd_id"));
            }
            _ => (),
        }
        if uma::is_uma(scenario) {
            replay.prepare(scenario).await;
        }
        replay
    }

    async fn register(&self, site: &Value) -> Value {
        self.bed.post("register-site", site.to_string(), None).await.ok()
    }

    async fn token(&self, site: &Value, scope: &str) -> String {
        let body = json!({
            "client_id": site["client_id"],
            "client_secret": site["client_secret"],
            "op_host": site["op_host"],
            "scope": scope.split(' ').collect::<Vec<_>>(),
        });
        let token = self
            .bed
            .post("get-client-token", body.to_string(), None)
            .await
            .ok();
        token["access_token"].as_str().expect("a token").to_owned()
    }

    /// The recorded text with this run's addresses and values. What nothing is known of stays itself without the angle
    /// brackets: an unknown token is as good as any other.
    fn filled(&self, text: &str) -> String {
        let mut filled = text.replace(RECORDED_PROVIDER, &self.bed.server.provider_url());
        for (placeholder, value) in &self.bound {
            filled = filled.replace(placeholder.as_str(), value);
        }
        filled.replace(['<', '>'], "")
    }

    fn filled_json(&self, value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(self.filled(text)),
            Value::Array(list) => list.iter().map(|item| self.filled_json(item)).collect(),
            Value::Object(members) => {
                let filled = members
                    .iter()
                    .map(|(name, value)| (name.clone(), self.filled_json(value)));
                Value::Object(filled.collect())
            }
            other => other.clone(),
        }
    }

    /// Signs in where the recorded browser did: for a code that is not known yet.
    async fn sign_in(&mut self, body: &Value) {
        let (Some(code), Some(state)) = (body["code"].as_str(), body["state"].as_str()) else {
            return;
        };
        if self.bound.contains_key(code) {
            return;
        }
        let url = self.bound.get(state).and_then(|state| self.urls.get(state));
        if let Some(url) = url {
            let page = self.browser.sign_in(url).await;
            // With `response_mode=form_post` the page brings the code in a form.
            let back = match page.location {
                Some(_) => page.query(),
                None => page.form().1.into_iter().collect(),
            };
            self.bound.insert(code.to_owned(), back["code"].clone());
        }
    }

    pub async fn send(&mut self, request: &Value) -> Answer {
        if let Some(answer) = self.ready.pop_front() {
            return answer;
        }
        let request = self.request(request).await;
        let answer = answer(request).await.expect("an answer");
        if let Some(url) = answer.json["authorization_url"].as_str() {
            let state = url
                .split("&state=")
                .nth(1)
                .and_then(|rest| rest.split('&').next());
            self.urls
                .insert(state.unwrap_or_default().to_owned(), url.to_owned());
        }
        if let Some(url) = answer.json["url"].as_str() {
            self.gathering = url.to_owned();
        }
        answer
    }

    async fn request(&mut self, request: &Value) -> reqwest::RequestBuilder {
        let url = format!(
            "{}{}",
            self.bed.server.url(),
            request["path"].as_str().expect("a path")
        );
        let method = request["method"]
            .as_str()
            .expect("a method")
            .parse()
            .expect("a method");
        let mut builder = self.bed.http.request(method, url);
        for header in request["headers"].as_array().into_iter().flatten() {
            let (name, value) = (
                header[0].as_str().expect("a name"),
                header[1].as_str().expect("a value"),
            );
            // A client token that came into the module's hands before the recording began.
            if let Some(placeholder) = value.strip_prefix("Bearer <")
                && !self.bound.contains_key(&format!("<{placeholder}"))
            {
                let token = self.token(&self.bed.site, "openid oxd").await;
                self.bound.insert(format!("<{placeholder}"), token);
            }
            builder = builder.header(name, self.filled(value));
        }
        let body = match request.get("json") {
            Some(body) => {
                self.sign_in(body).await;
                // A state is the caller's own to choose.
                if let Some(state) = body["state"].as_str().filter(|state| state.starts_with("<state")) {
                    let own = format!("{}-{}", state.trim_matches(['<', '>']), self.bed.oxd_id());
                    self.bound.entry(state.to_owned()).or_insert(own);
                }
                self.filled_json(body).to_string()
            }
            None => request["body"].as_str().unwrap_or_default().to_owned(),
        };
        builder.body(body)
    }

    /// Remembers what the placeholders of a recorded text stand for; whether the rest of it is the same.
    fn bind(&mut self, recorded: &str, actual: &str) -> bool {
        let provider = self.bed.server.provider_url();
        let recorded = recorded
            .replace(
                &format!("{RECORDED_PROVIDER}/auth?"),
                &format!("{provider}/authorize?"),
            )
            .replace(
                &format!("{RECORDED_PROVIDER}/session/end"),
                &format!("{provider}/end_session"),
            )
            .replace(RECORDED_PROVIDER, &provider);
        let mut parts = recorded.split('<');
        let Some(mut rest) = parts.next().and_then(|start| actual.strip_prefix(start)) else {
            return false;
        };
        for part in parts {
            let Some((name, after)) = part.split_once('>') else {
                return false;
            };
            let end = match after {
                "" => Some(rest.len()),
                after => rest.find(after),
            };
            let Some(end) = end else {
                return false;
            };
            self.bound
                .entry(format!("<{name}>"))
                .or_insert(rest[..end].to_owned());
            rest = &rest[end + after.len()..];
        }
        rest.is_empty()
    }

    /// What is different, in words.
    pub fn compare(&mut self, response: &Value, answer: &Answer) -> Vec<String> {
        let mut different = Vec::new();
        if response["status"] != answer.status {
            different.push(format!("status {} -> {}", response["status"], answer.status));
        }
        let media_type = scenarios::header(response, "content-type");
        if media_type.is_some_and(|media_type| media_type != answer.media_type) {
            different.push(format!("content type {media_type:?} -> {}", answer.media_type));
        }
        match (&response["json"], &answer.json) {
            (Value::Object(recorded), Value::Object(actual)) => {
                self.compare_members(answer.status, recorded, actual, &mut different);
            }
            (Value::Null, Value::Null) => {
                let start = |text: &str| text.split(": ").next().unwrap_or_default().to_owned();
                let recorded = response["body"].as_str().unwrap_or_default();
                let page = format!("<h2>HTTP ERROR {}", answer.status);
                let pages = recorded.contains(&page) && answer.text.contains(&page);
                if !pages && start(recorded) != start(&answer.text) {
                    different.push(format!("body {recorded:?} -> {:?}", answer.text));
                }
            }
            (recorded, actual) => different.push(format!("body {recorded} -> {actual}")),
        }
        different
    }

    fn compare_members(
        &mut self,
        status: u16,
        recorded: &Map<String, Value>,
        actual: &Map<String, Value>,
        different: &mut Vec<String>,
    ) {
        // A member that is null and one that is missing are the same, also in the real one.
        let there = |members: &Map<String, Value>| -> Vec<(String, Value)> {
            let there = members.iter().filter(|(_, value)| !value.is_null());
            there.map(|(name, value)| (name.clone(), value.clone())).collect()
        };
        for (name, value) in there(recorded) {
            let Some(actual) = actual.get(&name).filter(|value| !value.is_null()) else {
                if !of_the_provider(&name) {
                    different.push(format!("{name} is missing"));
                }
                continue;
            };
            if std::mem::discriminant(&value) != std::mem::discriminant(actual) {
                different.push(format!("{name}: {value} -> {actual}"));
                continue;
            }
            match (&value, actual) {
                (Value::String(recorded), Value::String(actual)) => {
                    let same = self.bind(recorded, actual);
                    let of_oxd = match name.as_str() {
                        // A refusal with 200 is the provider's answer for user info.
                        "error" | "error_description" => status != 200,
                        // Each entry in oxd's log has a name of its own, and so has each provider for what is missing.
                        "message" => {
                            let own = ["It has been logged", "missing required parameter"];
                            !own.iter().any(|own| recorded.contains(own))
                        }
                        other => matches!(
                            other,
                            "authorization_url"
                                | "uri"
                                | "url"
                                | "access"
                                | "token_type"
                                | "www-authenticate_header"
                        ),
                    };
                    if of_oxd && !same {
                        different.push(format!("{name}: {recorded} -> {actual}"));
                    }
                }
                (Value::Object(recorded), Value::Object(actual)) if name == "node" => {
                    self.compare_members(status, recorded, actual, different);
                }
                (Value::Number(recorded), Value::Number(actual)) if name == "code" && recorded != actual => {
                    different.push(format!("{name}: {recorded} -> {actual}"));
                }
                (Value::Bool(recorded), Value::Bool(actual)) if recorded != actual => {
                    different.push(format!("{name}: {recorded} -> {actual}"));
                }
                (Value::Array(recorded), Value::Array(actual)) if name == "permissions" => {
                    same_lists(recorded, actual, &name, different);
                }
                (Value::Array(recorded), Value::Array(actual)) if name == "uma_protected_resources" => {
                    same_lists(recorded, actual, &name, different);
                }
                _ => (),
            }
        }
        for (name, value) in there(actual) {
            // Where oxd says null, the stand-in's details may hold a reason.
            if !recorded.contains_key(&name) && !of_the_provider(&name) && name != "details" {
                different.push(format!("{name}: {value} is new"));
            }
        }
    }
}
