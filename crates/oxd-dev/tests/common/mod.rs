//! What the suites share: a stand-in with a site, a client for the oxd API, and a browser
//! that keeps cookies and fills in forms.

#![allow(dead_code, reason = "each suite uses its own part")]

pub mod uma;

use oxd_dev::{DevServer, Options, Provider, ProviderOptions};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

pub const CALLBACK: &str = "http://127.0.0.1:1/oxd/callback";
pub const SECOND: &str = "http://127.0.0.1:1/oxd/second?kept=1";
pub const SIGNED_OUT: &str = "http://127.0.0.1:1/oxd/logout";

/// Longer than anything here takes; a test that reaches it has failed.
pub const SOON: Duration = Duration::from_secs(20);

/// A stand-in with one registered site.
pub struct Bed {
    pub server: DevServer,
    pub site: Value,
    pub http: reqwest::Client,
}

/// An answer of the oxd API.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub media_type: String,
    pub text: String,
    pub json: Value,
}

impl Answer {
    /// Fails unless it is this error.
    #[track_caller]
    pub fn is_error(&self, status: u16, error: &str) {
        assert_eq!(
            (self.status, self.json["error"].as_str()),
            (status, Some(error)),
            "{self:?}"
        );
        assert_eq!(self.media_type, "application/json");
        assert!(self.json["error_description"].is_string(), "{self:?}");
        assert!(self.json.get("details").is_some(), "{self:?}");
    }

    /// Fails unless it is this word of the authorization server's and nothing else.
    #[track_caller]
    pub fn is_refused(&self, status: u16, error: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.json, json!({ "error": error }));
    }

    /// Fails unless it is a success; gives its JSON.
    #[track_caller]
    pub fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.media_type, "application/json");
        self.json
    }
}

pub fn client(server: &DevServer) -> reqwest::Client {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(SOON);
    let roots = server
        .ca_pem()
        .map(|pem| reqwest::Certificate::from_pem(pem.as_bytes()).expect("ca_pem is a certificate"));
    builder.tls_certs_only(roots).build().unwrap()
}

pub fn provider(options: ProviderOptions) -> Options {
    Options {
        provider: Provider::BuiltIn(options),
        ..Options::default()
    }
}

impl Bed {
    pub fn new() -> Bed {
        Bed::with(Options::default())
    }

    pub fn with(options: Options) -> Bed {
        let server = DevServer::start(options).unwrap();
        let site = server.register(&[CALLBACK, SECOND], &[SIGNED_OUT]);
        let http = client(&server);
        Bed {
            site: serde_json::to_value(site).unwrap(),
            server,
            http,
        }
    }

    pub fn oxd_id(&self) -> &str {
        self.site["oxd_id"].as_str().unwrap()
    }

    /// A POST of anything.
    pub async fn post(&self, command: &str, body: String, token: Option<&str>) -> Answer {
        let url = format!("{}/{command}", self.server.url());
        let mut request = self.http.post(url).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", token);
        }
        answer(request.body(body)).await.unwrap()
    }

    /// A command with this body and a client token of the site's.
    pub async fn call(&self, command: &str, body: Value) -> Answer {
        let token = self.bearer().await;
        self.post(command, body.to_string(), Some(&token)).await
    }

    /// The same with the site's `oxd_id` in the body.
    pub async fn command(&self, command: &str, mut body: Value) -> Answer {
        body["oxd_id"] = self.site["oxd_id"].clone();
        self.call(command, body).await
    }

    pub fn credentials(&self) -> Value {
        json!({
            "client_id": self.site["client_id"],
            "client_secret": self.site["client_secret"],
            "op_host": self.site["op_host"],
            "scope": ["openid", "oxd"],
        })
    }

    pub async fn bearer(&self) -> String {
        let body = self.credentials().to_string();
        let token = self.post("get-client-token", body, None).await.ok();
        format!("Bearer {}", token["access_token"].as_str().unwrap())
    }

    pub async fn authorization_url(&self, mut body: Value) -> String {
        if body.get("scope").is_none() {
            body["scope"] = json!(["openid", "profile", "email"]);
        }
        let answer = self.command("get-authorization-url", body).await.ok();
        answer["authorization_url"].as_str().unwrap().to_owned()
    }

    /// The whole way to the code: `get-authorization-url` with this body, sign-in, consent.
    pub async fn code(&self, browser: &Browser, body: Value) -> HashMap<String, String> {
        let url = self.authorization_url(body).await;
        browser.sign_in(&url).await.query()
    }

    /// And on to the tokens.
    pub async fn tokens(&self, browser: &Browser) -> Value {
        let back = self.code(browser, json!({})).await;
        let body = json!({ "code": back["code"], "state": back["state"] });
        self.command("get-tokens-by-code", body).await.ok()
    }
}

pub async fn answer(request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
    let response = request.send().await?;
    let status = response.status().as_u16();
    let media_type = response.headers().get("content-type");
    let media_type = media_type.map(|value| value.to_str().unwrap().to_owned());
    let text = String::from_utf8(response.bytes().await?.to_vec()).unwrap();
    let json = serde_json::from_str(&text).unwrap_or(Value::Null);
    Ok(Answer {
        status,
        media_type: media_type.unwrap_or_default(),
        text,
        json,
    })
}

/// A browser without scripts, so to speak. Its cookies know no ports, as real ones do not.
pub struct Browser {
    http: reqwest::Client,
    cookies: Mutex<HashMap<String, String>>,
}

/// What it shows.
#[derive(Debug)]
pub struct Page {
    pub url: String,
    pub status: u16,
    pub location: Option<String>,
    pub policy: String,
    pub body: String,
}

impl Page {
    /// The parameters that came back to the client.
    #[track_caller]
    pub fn query(&self) -> HashMap<String, String> {
        let location = self
            .location
            .as_ref()
            .unwrap_or_else(|| panic!("no redirect: {self:?}"));
        let url = url::Url::parse(location).unwrap();
        url.query_pairs()
            .map(|(name, value)| (name.into(), value.into()))
            .collect()
    }

    /// The form: where it goes and its fields with their values.
    pub fn form(&self) -> (String, Vec<(String, String)>) {
        let action = between(&self.body, "action=\"", "\"").expect("a form");
        let base = url::Url::parse(&self.url).unwrap();
        let mut fields = Vec::new();
        for input in self.body.split("<input").skip(1) {
            let input = input.split('>').next().unwrap_or_default();
            let name = between(input, "name=\"", "\"").expect("a name");
            fields.push((name, between(input, "value=\"", "\"").unwrap_or_default()));
        }
        (base.join(&action).unwrap().into(), fields)
    }

    pub fn has_button(&self, id: &str) -> bool {
        self.body.contains(&format!("<button id=\"{id}\""))
            || self.body.contains(&format!("id=\"{id}\" type=\"submit\""))
    }
}

fn between(text: &str, start: &str, end: &str) -> Option<String> {
    let rest = text.split_once(start)?.1;
    let inner = rest.split_once(end)?.0;
    Some(
        inner
            .replace("&quot;", "\"")
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&amp;", "&"),
    )
}

impl Browser {
    pub fn new(bed: &Bed) -> Browser {
        Browser {
            http: bed.http.clone(),
            cookies: Mutex::default(),
        }
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<String> = {
            let cookies = self.cookies.lock().unwrap();
            cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect()
        };
        let response = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for cookie in response.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("; HttpOnly; SameSite=Lax"), "{cookie}");
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.cookies
                .lock()
                .unwrap()
                .insert(name.to_owned(), value.to_owned());
        }
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .map(|value| value.to_str().unwrap().to_owned())
        };
        Page {
            url: response.url().to_string(),
            status: response.status().as_u16(),
            location: header("location"),
            policy: header("content-security-policy").unwrap_or_default(),
            body: response.text().await.unwrap(),
        }
    }

    /// A GET without following redirects.
    pub async fn get(&self, url: &str) -> Page {
        self.send(self.http.get(url)).await
    }

    /// Follows redirects as long as they stay at the provider.
    pub async fn follow(&self, url: &str) -> Page {
        let origin = url::Url::parse(url).unwrap().origin();
        let mut page = self.get(url).await;
        while let Some(next) = &page.location
            && url::Url::parse(next).unwrap().origin() == origin
        {
            let next = next.clone();
            page = self.get(&next).await;
        }
        page
    }

    /// Fills in a form, presses the button, follows redirects at the provider.
    pub async fn press(&self, page: &Page, action: &str, fill: &[(&str, &str)]) -> Page {
        let (url, mut fields) = page.form();
        for (name, value) in &mut fields {
            if let Some((_, filled)) = fill.iter().find(|(field, _)| field == name) {
                *value = (*filled).to_owned();
            }
        }
        fields.push(("action".to_owned(), action.to_owned()));
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let request = self.http.post(&url).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let page = self.send(request).await;
        let origin = url::Url::parse(&url).unwrap().origin();
        match page.location.clone() {
            Some(next) if url::Url::parse(&next).unwrap().origin() == origin => self.follow(&next).await,
            _ => page,
        }
    }

    /// The demo user's name and password.
    pub async fn enter(&self, page: &Page) -> Page {
        let fill = [("username", "test_user"), ("password", "secret")];
        self.press(page, "sign-in", &fill).await
    }

    /// From an authorization URL to the redirect back, through whatever is shown.
    pub async fn sign_in(&self, url: &str) -> Page {
        let mut page = self.follow(url).await;
        if page.has_button("sign-in") {
            page = self.enter(&page).await;
        }
        if page.has_button("allow") {
            page = self.press(&page, "allow", &[]).await;
        }
        page
    }

    pub fn cookie_names(&self) -> Vec<String> {
        self.cookies.lock().unwrap().keys().cloned().collect()
    }
}

/// The claims of a JWT, without a look at its signature.
#[track_caller]
pub fn claims(jwt: &str) -> Value {
    use base64::Engine as _;
    let part = jwt.split('.').nth(1).expect("a JWT");
    let part = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part);
    serde_json::from_slice(&part.expect("base64url")).expect("claims")
}
