//! What an application gets of a token, and what it must not get.

use oxd_tests::{Browser, Httpd, TestSite};
use serde_json::json;

use super::super::{bring, claims, jwt};

/// CGI scripts get the header of their request with `CGIPassAuth On`.
fn script(directives: &str) -> TestSite {
    let place = format!("<Location /app>\nOxdBearer jwt\nCGIPassAuth On\n{directives}\n</Location>");
    TestSite::builder().config(&place).start()
}

#[test]
fn the_token_is_handed_on_only_where_that_is_asked_for() {
    for (directives, handed_on) in [
        ("", false),
        ("OxdBearerPass Off", false),
        ("OxdBearerPass On", true),
    ] {
        let site = script(directives);
        let token = jwt(&site, &json!({}), &claims(&site));
        let environment = bring(&site, "/app/env", &token).environment();
        assert_eq!(
            environment.get("HTTP_AUTHORIZATION") == Some(&token),
            handed_on,
            "{directives}"
        );
        assert_eq!(
            environment.contains_key("HTTP_AUTHORIZATION"),
            handed_on,
            "{directives}"
        );
        assert!(!environment.contains_key("OXD_ACCESS_TOKEN"), "{directives}");
    }
}

#[test]
fn a_backend_gets_claims_in_headers_and_no_token() {
    let backend = Httpd::builder().without_module().start();
    let site = TestSite::builder()
        .httpd(|httpd| httpd.load("proxy").load("proxy_http"))
        .config(&format!(
            "ProxyPass /app/backend {}\n<Location /app>\nOxdBearer jwt\nOxdClaims headers\n\
             OxdClaimHeader X-Roles roles\n</Location>",
            backend.url("/public/env")
        ))
        .start();
    let token = jwt(&site, &json!({}), &claims(&site));
    let client = Browser::new();
    let ask = client
        .ask("GET", site.url("/app/backend"))
        .header("authorization", &token);
    let environment = ask
        .header("Oxd-Claim-Sub", "root")
        .header("x_roles", "boss")
        .send()
        .environment();
    assert_eq!(environment["HTTP_OXD_CLAIM_SUB"], "robot");
    assert_eq!(environment["HTTP_X_ROLES"], "machine");
    assert!(!environment.contains_key("HTTP_AUTHORIZATION"));
}

/// `DirectoryIndex` replaces the location within the request, after the header is gone.
#[test]
fn the_identity_follows_the_request_through_httpd() {
    let site = TestSite::builder()
        .httpd(|httpd| {
            httpd.file(
                "docroot/app/area/index.shtml",
                "<!--#echo var=\"REMOTE_USER\" -->|<!--#echo \
                        var=\"OXD_AUTH\" -->|<!--#include virtual=\"/app/other.html\" -->",
            );
            httpd.load("include").load("dir").config(
                "DirectoryIndex index.shtml\nAddType text/html .shtml\nAddOutputFilter INCLUDES .shtml\n\
                 <Directory \"${DOCROOT}\">\nOptions +Includes\n</Directory>",
            )
        })
        .config("<Location /app>\nOxdBearer jwt\n</Location>")
        .start();
    let token = jwt(&site, &json!({}), &claims(&site));
    let text = bring(&site, "/app/area/", &token).expect(200).text();
    assert!(text.starts_with("robot|bearer|"), "{text}");
    assert!(text.contains("other page"), "{text}");
    let answer = bring(&site, "/app/area/", &token);
    assert!(
        answer
            .header("cache-control")
            .is_some_and(|value| value.contains("private")),
        "{}",
        answer.summary()
    );
}

#[test]
fn expressions_see_the_tokens_claims() {
    let site = TestSite::builder()
        .config(
            "<Location /app>\nOxdBearer jwt\n<RequireAny>\nRequire expr \"oxd_claim('roles') == 'machine'\"\n\
             </RequireAny>\nHeader set X-Who \"expr=%{oxd_claim:sub}\"\n</Location>",
        )
        .httpd(|httpd| httpd.load("headers"))
        .start();
    let answer = bring(&site, "/app/", &jwt(&site, &json!({}), &claims(&site)));
    assert_eq!(answer.expect(200).header("x-who"), Some("robot"));
}

/// A place that is not asked for a user, with a token that is good for another.
#[test]
fn a_token_is_worth_nothing_where_it_is_not_taken() {
    let site = TestSite::builder()
        .config(
            "<Location /app/api>\nOxdBearer jwt\nOxdBearerAudience api\n</Location>\n\
             <Location /app/api/other>\nOxdBearerAudience other\n</Location>",
        )
        .start();
    let for_api = {
        let mut claims = claims(&site);
        claims["aud"] = json!("api");
        jwt(&site, &json!({}), &claims)
    };
    assert_eq!(bring(&site, "/app/api/x", &for_api).status, 404);
    assert_eq!(bring(&site, "/app/api/other/x", &for_api).status, 401);
    let json = bring(&site, "/app/", &for_api);
    json.expect(401);
    assert!(json.json()["login"].is_string());
}

/// RFC 9728: a client that knows nothing but the address finds the provider.
#[test]
fn a_place_tells_which_provider_its_tokens_come_from() {
    let site = TestSite::builder()
        .config(
            "<Location />\nAuthType oxd\nRequire valid-user\n</Location>\n\
             <Location /app>\nOxdBearer jwt\nOxdBearerRealm photos\nOxdResourceMetadata On\n</Location>\n\
             <Location /app/inner>\nOxdResourceMetadata Off\n</Location>",
        )
        .start();
    let answer = bring(&site, "/app/", "Bearer unknown");
    let address = site.url("/.well-known/oauth-protected-resource/app");
    let named = format!("Bearer realm=\"photos\", resource_metadata=\"{address}\", error=\"invalid_token\"");
    let challenge = answer.expect(401).header("www-authenticate").unwrap_or_default();
    assert!(challenge.starts_with(&named), "{challenge}");
    let client = Browser::new();
    let document = client.get(&address);
    let document = document.expect(200);
    assert_eq!(document.header("access-control-allow-origin"), Some("*"));
    assert_eq!(
        document.json(),
        json!({
            "resource": site.url("/app"), "authorization_servers": [site.oxd.provider_url()],
            "bearer_methods_supported": ["header"], "resource_name": "photos",
        })
    );
    // A part of the place is no resource of its own, and where nothing is described the address is as any other.
    for path in ["/app/x", "/app/inner", "", "/oxd"] {
        let answer = client.get(site.url(&format!("/.well-known/oauth-protected-resource{path}")));
        assert_eq!(answer.status, 302, "{path}: {}", answer.summary());
    }
    client.post(&address, &[("a", "b")]).expect(405);
    assert!(
        !bring(&site, "/app/inner/x", "Bearer unknown")
            .summary()
            .contains("resource_metadata")
    );
}
