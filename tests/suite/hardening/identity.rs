//! Identity headers that a client makes up, on the ways by which httpd comes from one location to another.

use oxd_tests::{Browser, DEMO_SUB, TestSite, sign_in};

/// Forged headers, one for each kind of name.
const FORGED: [(&str, &str); 3] = [
    ("X-User", "root"),
    ("Oxd-Claim-Role", "admin"),
    ("oxd_claim_sub", "root"),
];

/// Ways to a CGI script whose location is decided by its file, not by the address that was asked for.
const WAYS: &str = r#"
    AddHandler cgi-script .cgi
    <Directory "${DOCROOT}">
        Options +ExecCGI +Includes +MultiViews
        MultiviewsMatch Handlers
        AllowOverride None
    </Directory>
    <FilesMatch "\.cgi$">
        AuthType oxd
        RULES
        OxdClaims both
        OxdClaimHeader X-User sub
    </FilesMatch>
    AddType text/html .shtml
    AddOutputFilter INCLUDES .shtml
    <Location /index>
        DirectoryIndex program.cgi
    </Location>
    <Location /fallback>
        FallbackResource /index/program.cgi
    </Location>
    <Directory "${DOCROOT}/rewritten">
        RewriteEngine On
        RewriteRule ^there$ /index/program.cgi
        RewriteRule ^onward$ /index/program.cgi [PT]
    </Directory>
    RewriteEngine On
    RewriteRule ^/early$ /index/program.cgi [PT]
    <Location /missing>
        ErrorDocument 404 /index/program.cgi
    </Location>
"#;

const PATHS: [&str; 10] = [
    "/index/",
    "/index/program.cgi",
    "/index/program.cgi/more/path",
    "/index/program",
    "/fallback/nothing/here",
    "/rewritten/there",
    "/rewritten/onward",
    "/early",
    "/missing/page",
    "/page.shtml",
];

fn site(rules: &str) -> TestSite {
    TestSite::builder()
        .config(&WAYS.replace("RULES", rules))
        .httpd(|httpd| {
            let httpd = httpd.load("rewrite").load("include").load("negotiation");
            let root = httpd.path("docroot");
            for directory in ["index", "fallback", "rewritten", "missing"] {
                std::fs::create_dir_all(root.join(directory)).expect("a directory");
            }
            let program = "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nenv\n";
            let target = httpd.file("docroot/index/program.cgi", program);
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
            std::fs::set_permissions(&target, mode).expect("a program that runs");
            httpd.file(
                "docroot/page.shtml",
                "<!--#include virtual=\"/index/program.cgi\" -->",
            );
            httpd.allow_log(r"\[include:error\]|AH01374")
        })
        .start()
}

fn forged(browser: &Browser, url: String) -> oxd_tests::Answer {
    let ask = browser.ask("GET", url);
    FORGED
        .iter()
        .fold(ask, |ask, (name, value)| ask.header(name, value))
        .send()
}

#[test]
fn the_place_that_answers_decides_which_headers_are_ours() {
    let site = site("Require valid-user");
    let browser = Browser::new();
    sign_in(&browser, site.url("/index/program.cgi"));
    for path in PATHS {
        let answer = forged(&browser, site.url(path));
        let text = answer.text();
        assert!(
            !text.contains("=root\n") && !text.contains("=admin\n"),
            "{path}: {text}"
        );
        assert!(
            text.contains(&format!("HTTP_X_USER={DEMO_SUB}")),
            "{path}: {text}"
        );
        assert!(
            text.contains(&format!("HTTP_OXD_CLAIM_SUB={DEMO_SUB}")),
            "{path}: {text}"
        );
        assert!(
            text.contains(&format!("OXD_CLAIM_sub={DEMO_SUB}")),
            "{path}: {text}"
        );
        assert!(
            text.contains(&format!("REMOTE_USER={DEMO_SUB}")),
            "{path}: {text}"
        );
        assert!(!text.contains("oxd_session="), "{path}: {text}");
    }
}

#[test]
fn without_a_session_nobody_is_anybody() {
    let site = site("OxdUnauthAction pass\nRequire all granted");
    for path in PATHS {
        let answer = forged(&Browser::new(), site.url(path));
        let text = answer.text();
        assert!(text.contains("REQUEST_METHOD=GET"), "{path}: {text}");
        assert!(
            !text.contains("=root\n") && !text.contains("=admin\n"),
            "{path}: {text}"
        );
        assert!(
            !text.contains("X_USER") && !text.contains("OXD_CLAIM"),
            "{path}: {text}"
        );
    }
}

/// Another module asks httpd about an address on behalf of a request (mod_dir, mod_negotiation and mod_include do); a page
/// that the module has nothing to do with keeps its headers.
#[test]
fn a_place_that_is_not_ours_keeps_a_header_of_that_name_but_no_claim() {
    let site = site("Require valid-user");
    let answer = forged(&Browser::new(), site.url("/public/env"));
    let environment = answer.expect(200).environment();
    assert_eq!(environment["HTTP_X_USER"], "root");
    let claims: Vec<_> = environment
        .keys()
        .filter(|name| name.contains("OXD_CLAIM"))
        .collect();
    assert!(claims.is_empty(), "{claims:?}");
}
