//! UMA 2.0: httpd as the resource server of API clients, and the client of people with a browser.

use oxd_tests::{Answer, Browser, SiteBuilder, TestSite};
use serde_json::{Value, json};

/// A site with a photo album, whose owner grants what `uma_rules` says.
fn builder(rule: &str) -> SiteBuilder {
    TestSite::builder()
        .uma()
        .httpd(|httpd| {
            httpd.file("resources.json", &resources().to_string());
            httpd
        })
        .config(&format!(
            "OxdUmaResources \"${{ROOT}}/resources.json\"\n<Location /app>\n{rule}\n</Location>"
        ))
}

fn resources() -> Value {
    let condition = |methods: &[&str], scopes: &[&str]| json!([{"httpMethods": methods, "scopes": scopes}]);
    json!({"resources": [
        {"path": "/app/env", "conditions": condition(&["GET"], &["see", "print"])},
        {"path": "/app/album/?", "conditions": condition(&["GET", "POST"], &["see"])},
        {"path": "/app/a.html", "conditions": condition(&["GET"], &["see"])},
        {"path": "/app/b.html", "conditions": condition(&["GET"], &["see"])},
        {"path": "/app/1k.bin", "conditions": condition(&["GET"], &["download"])},
    ]})
}

/// A command of oxd, as another program of the site sends it.
fn ask_oxd(site: &TestSite, command: &str, mut members: Value) -> Answer {
    let browser = Browser::new();
    let post = |command: &str, members: &Value, token: Option<&str>| {
        let ask = browser.ask("POST", format!("{}/{command}", site.oxd.url()));
        let ask = ask.header("content-type", "application/json");
        let ask = match token {
            Some(token) => ask.header("authorization", &format!("Bearer {token}")),
            None => ask,
        };
        ask.body(members.to_string().into()).send()
    };
    let credentials = json!({
        "client_id": site.site.client_id, "client_secret": site.site.client_secret,
        "op_host": site.site.op_host, "scope": ["openid", "oxd"],
    });
    let token = post("get-client-token", &credentials, None).json();
    members["oxd_id"] = json!(site.site.oxd_id);
    post(command, &members, token["access_token"].as_str())
}

/// Starts a site and registers its resources.
fn start(builder: SiteBuilder) -> TestSite {
    let site = builder.start();
    ask_oxd(&site, "uma-rs-protect", resources()).expect(200);
    site
}

fn client(site: &TestSite, path: &str, rpt: Option<&str>) -> Answer {
    let browser = Browser::new();
    let ask = browser
        .ask("GET", site.url(path))
        .header("accept", "application/json");
    match rpt {
        Some(rpt) => ask.header("authorization", &format!("Bearer {rpt}")).send(),
        None => ask.send(),
    }
}

/// The ticket in the challenge of an answer.
fn ticket(answer: &Answer) -> String {
    let challenge = answer.header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with("UMA realm="), "{}", answer.summary());
    let (_, rest) = challenge.split_once("ticket=\"").expect("a ticket");
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// An RPT for what a ticket asks, if the owner's rules grant it.
fn rpt(site: &TestSite, ticket: &str) -> Answer {
    ask_oxd(site, "uma-rp-get-rpt", json!({ "ticket": ticket }))
}

fn granted(site: &TestSite, path: &str) -> String {
    let answer = client(site, path, None);
    let rpt = rpt(site, &ticket(answer.expect(401)));
    rpt.expect(200).json()["access_token"]
        .as_str()
        .expect("an RPT")
        .to_owned()
}

mod uma {
    pub(crate) mod browsers;
    pub(crate) mod clients;
    pub(crate) mod visitors;
}
