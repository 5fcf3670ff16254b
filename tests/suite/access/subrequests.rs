//! Requests that httpd makes of a request: what the module keeps of one must be of use when its memory is gone.

use oxd_tests::{DEMO_SUB, Mpm, TestSite};

/// Two directories whose index files are missing but for one of `/public/found`, so that httpd makes subrequests and
/// destroys them again. mod_headers writes the `Cookie` header anew for each, into memory of the subrequest.
const INDEX: &str = r#"
    Alias /public/found "${DOCROOT}/app"
    Alias /public/list "${DOCROOT}/app"
    RequestHeader edit Cookie ^(.*)$ $1
    Header set X-User "expr=%{REMOTE_USER}"
    <Location /public>
        AuthType oxd
        OxdUnauthAction pass
        RULE
    </Location>
    <Location /public/found>
        DirectoryIndex missing.html missing-too.html /public/env
    </Location>
    <Location /public/list>
        DirectoryIndex missing.html missing-too.html
        Options +Indexes
    </Location>
"#;

fn a_user_stays_signed_in(mpm: Mpm) {
    for rule in ["Require all granted", "Require valid-user"] {
        let site = TestSite::builder().mpm(mpm).config(&INDEX.replace("RULE", rule));
        let site = site.httpd(|httpd| httpd.load("autoindex")).start();
        let browser = site.signed_in();
        // A cookie of the application's own stays in the header.
        browser.set_cookie("theirs=1", site.url("/"));
        for _ in 0..3 {
            let answer = browser.get(site.url("/public/list/"));
            assert!(answer.expect(200).text().contains("other.html"), "{rule}");
            assert_eq!(answer.header("x-user"), Some(DEMO_SUB), "{rule}");
            let answer = browser.get(site.url("/public/found/"));
            let environment = answer.environment();
            assert_eq!(environment["REMOTE_USER"], DEMO_SUB, "{rule}");
            assert_eq!(answer.cookies_handed_on(), "theirs=1", "{rule}");
        }
    }
}

#[test]
fn a_user_stays_signed_in_where_an_index_file_is_missing() {
    a_user_stays_signed_in(Mpm::Event);
}

#[test]
fn a_user_stays_signed_in_where_an_index_file_is_missing_under_prefork() {
    a_user_stays_signed_in(Mpm::Prefork);
}
