//! Beside httpd's other modules: a proxied backend, included documents, error documents.

use oxd_tests::{Browser, DEMO_SUB, Httpd, TestSite, approve, begin, sign_in, sign_out};

#[test]
fn a_backend_gets_neither_the_modules_cookies_nor_forged_headers() {
    let backend = Httpd::builder().without_module().start();
    let proxy = format!(
        "ProxyPass /app/backend {}\n<Location /app/backend>\n\
         RequestHeader set X-User \"expr=%{{REMOTE_USER}}\"\n</Location>",
        backend.url("/public/env")
    );
    let site = TestSite::builder()
        .httpd(|httpd| httpd.load("proxy").load("proxy_http"))
        .config(&proxy)
        .start();
    begin(&Browser::new(), site.url("/app/backend"));
    let browser = site.signed_in();
    browser.set_cookie("a=1; Path=/", site.url("/"));
    begin(&browser, site.url("/oxd/login"));
    let ask = browser
        .ask("GET", site.url("/app/backend"))
        .header("Oxd-Claim-Sub", "root");
    let answer = ask.header("x-user", "root").send();
    assert_eq!(answer.cookies_handed_on(), "a=1");
    let environment = answer.environment();
    assert_eq!(environment["HTTP_X_USER"], DEMO_SUB);
    assert!(
        !environment.contains_key("HTTP_OXD_CLAIM_SUB"),
        "{environment:#?}"
    );
}

/// An application of one site must not get the session of another one, with which it could act there.
#[test]
fn an_application_gets_no_session_cookie_of_another_site_either() {
    let site = TestSite::builder()
        .another_site("two")
        .config("<Location /two>\nOxdCookieName two.session\n</Location>")
        .start();
    let browser = site.signed_in();
    browser.set_cookie("a=1; Path=/", site.url("/"));
    sign_in(&browser, site.url("/two/app/env")).page.expect(200);
    for path in ["/app/env", "/two/app/env", "/public/env"] {
        let answer = browser.get(site.url(path));
        assert_eq!(answer.cookies_handed_on(), "a=1", "{path}");
    }
}

#[test]
fn a_forged_header_that_other_modules_would_obey_is_gone_before_they_look() {
    let rule = "RequestHeader set X-Seen \"expr=%{HTTP:Oxd-Claim-Sub}\"";
    let site = TestSite::builder().config(rule).start();
    let browser = site.signed_in();
    let ask = browser
        .ask("GET", site.url("/app/env"))
        .header("Oxd-Claim-Sub", "root");
    let environment = ask.send().environment();
    assert_eq!(environment.get("HTTP_X_SEEN").map_or("", String::as_str), "");
}

#[test]
fn included_documents_are_as_protected_as_others() {
    let include = "<!--#include virtual=\"/app/other.html\" -->|<!--#echo var=\"REMOTE_USER\" -->";
    let builder = TestSite::builder().httpd(|httpd| {
        httpd.file("docroot/open.shtml", include);
        httpd.file("docroot/app/closed.shtml", include);
        httpd.load("include").config(
            "AddType text/html .shtml\nAddOutputFilter INCLUDES .shtml\n\
             <Directory \"${DOCROOT}\">\nOptions +Includes\n</Directory>",
        )
    });
    let site = builder.start();
    site.httpd.allow_log(r"\[include:error\] .*unable to include");
    let outside = Browser::new();
    let page = outside.get(site.url("/open.shtml"));
    assert!(
        !page.expect(200).text().contains("other page"),
        "{}",
        page.summary()
    );
    begin(&outside, site.url("/app/closed.shtml"));
    let inside = site.signed_in();
    site.forget_calls();
    let page = inside.get(site.url("/app/closed.shtml"));
    let text = page.expect(200).text();
    assert!(text.contains("other page") && text.contains(DEMO_SUB), "{text}");
    assert!(inside.get(site.url("/open.shtml")).text().contains("other page"));
    site.expect_commands(&[]);
}

#[test]
fn error_documents_do_not_lead_in_circles() {
    let site = TestSite::builder()
        .config(
            "ErrorDocument 401 /app/other.html\nErrorDocument 403 /app/other.html\n\
             ErrorDocument 404 /app/env\n\
             <Location /app/1k.bin>\nRequire user nobody\n</Location>",
        )
        .directives("OxdUnauthAction 401")
        .start();
    site.httpd
        .allow_log("denied by server configuration|authorization failure|File does not exist");
    let outside = Browser::new();
    let page = outside.get(site.url("/app/"));
    assert!(
        !page.expect(401).text().contains("application"),
        "{}",
        page.summary()
    );
    let lost = outside.get(site.url("/nonsense"));
    assert!(matches!(lost.status, 401 | 404), "{}", lost.summary());
    assert!(!lost.text().contains("REMOTE_ADDR"), "{}", lost.summary());
}

/// An application that takes a header for the user must not be told one by a request of any kind.
#[test]
fn forged_headers_are_gone_whatever_the_method() {
    let site = TestSite::builder()
        .config("<Location /public>\nHeader always set X-Seen \"expr=[%{HTTP:Oxd-Claim-Sub}]\"\n</Location>")
        .start();
    for method in ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE"] {
        let browser = Browser::new();
        let ask = browser.ask(method, site.url("/public/env"));
        let answer = ask.header("Oxd-Claim-Sub", "root").send();
        assert_eq!(
            answer.header("x-seen"),
            Some("[]"),
            "{method}: {}",
            answer.summary()
        );
    }
}

#[test]
fn every_method_is_protected() {
    let site = TestSite::start();
    for method in [
        "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "get", "X",
    ] {
        let answer = Browser::new().ask(method, site.url("/app/env")).send();
        assert!(
            matches!(answer.status, 302 | 401 | 405 | 501),
            "{method}: {}",
            answer.summary()
        );
        assert!(
            !answer.text().contains("REMOTE_ADDR"),
            "{method}: {}",
            answer.summary()
        );
    }
}

#[test]
fn every_spelling_of_the_address_is_protected() {
    let site = TestSite::start();
    for path in [
        "/app",
        "//app/",
        "/app//",
        "/./app/",
        "/x/../app/",
        "/%61pp/",
        "/app/%2e/",
        "/app/env/more",
        "/app/index.html/",
        "/app/?",
        "/app/#",
    ] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = oxd_tests::raw(site.httpd.address(), request.as_bytes());
        assert!(
            matches!(answer.status, 302 | 301 | 400 | 404),
            "{path}: {}",
            answer.summary()
        );
        let text = answer.text();
        assert!(
            !text.contains("application") && !text.contains("REMOTE_ADDR"),
            "{path}: {text}"
        );
    }
    site.httpd.allow_log("AH10244|AH00127|AH02034|AH03490|AH00036");
}

/// Who moves from mod_auth_openidc has both modules in one httpd for a while: each has its users and its places.
#[test]
fn mod_auth_openidc_may_be_loaded_beside() {
    let builder = TestSite::builder()
        .httpd(|httpd| {
            httpd.file("docroot/openidc/index.html", "a page of the other module");
            httpd.load("auth_openidc")
        })
        .config("IncludeOptional \"${ROOT}/late.*\"")
        // Without a configuration of its own it warns at the start.
        .httpd(|httpd| httpd.allow_log("auth_openidc"));
    let redirect = builder.url("/openidc/callback");
    let site = builder.redirect_uris(&[]).start();
    let client = site.oxd.register(&[&redirect], &[]);
    let other = format!(
        "OIDCProviderMetadataURL {op}/.well-known/openid-configuration\nOIDCClientID {id}\nOIDCClientSecret {secret}\n\
         OIDCRedirectURI {redirect}\nOIDCCryptoPassphrase \"only for this test\"\nOIDCScope \"openid profile\"\n\
         <Location /openidc>\nAuthType openid-connect\nRequire valid-user\n</Location>\n",
        op = client.op_host,
        id = client.client_id,
        secret = client.client_secret,
    );
    std::fs::write(site.httpd.file("late.conf"), other).expect("more configuration");
    site.httpd.restart();
    for first in ["/app/", "/openidc/"] {
        let browser = Browser::new();
        for path in [first, "/app/", "/openidc/"] {
            let answer = browser.get(site.url(path));
            if answer.status == 200 {
                continue;
            }
            let approval = approve(&browser, &answer.expect(302).location());
            let page = browser.follow_from(approval.deliver(&browser));
            assert_eq!(page.expect(200).url.path(), path);
        }
        assert_eq!(site.user(&browser).as_deref(), Some(DEMO_SUB));
        // The end of the one is not the end of the other.
        sign_out(&browser, site.url("/oxd/logoutme"));
        browser.get(site.url("/openidc/")).expect(200);
        begin(&browser, site.url("/app/"));
    }
}
