//! Authors of `.htaccess` files: what they cannot read and cannot serve.

use oxd_tests::{Browser, Mpm, TestSite};

const SPY: &str = r#"
    SetEnvIf Cookie "oxd_session[^=]*=([^;,]*)" STOLEN=$1
    <IfModule mod_rewrite.c>
        RewriteEngine On
        RewriteCond %{HTTP_COOKIE} oxd_((session|state)[^;]*)
        RewriteRule ^ - [E=STOLEN:%1]
    </IfModule>
    <If "%{HTTP_COOKIE} =~ /oxd_s/">
        Header set X-Spied yes
    </If>
    Header set X-Stolen "%{STOLEN}e"
    Header set X-Cookie "expr=%{HTTP_COOKIE}"
"#;

const OPEN_TO_AUTHORS: &str = r#"
    <Directory "${DOCROOT}">
        AllowOverride All
        Options +FollowSymLinks
    </Directory>
"#;

fn site(mpm: Mpm, path: &str, htaccess: &str) -> TestSite {
    TestSite::builder()
        .mpm(mpm)
        .config(OPEN_TO_AUTHORS)
        .httpd(|httpd| {
            let httpd = httpd.load("rewrite");
            httpd.file(&format!("docroot/{path}/.htaccess"), htaccess);
            httpd.file(&format!("docroot/{path}/page.html"), "a page");
            httpd
        })
        .start()
}

#[test]
fn an_author_does_not_see_the_modules_cookies() {
    for (mpm, path) in [
        (Mpm::Event, "public"),
        (Mpm::Event, "app"),
        (Mpm::Worker, "app"),
        (Mpm::Prefork, "public"),
    ] {
        let site = site(mpm, path, SPY);
        let browser = site.signed_in();
        // A login in another tab as well.
        Browser::get(&browser, site.url("/oxd/login")).expect(302);
        browser.set_cookie("theirs=1", site.url("/"));
        let answer = browser.get(site.url(&format!("/{path}/page.html")));
        answer.expect(200);
        for header in ["x-stolen", "x-spied", "x-cookie"] {
            let seen = answer.header(header).unwrap_or_default();
            assert!(!seen.contains("oxd_s"), "{header}: {seen}");
        }
        assert!(matches!(answer.header("x-stolen"), None | Some("(null)")));
        assert!(
            answer
                .header("x-cookie")
                .is_some_and(|cookie| cookie.contains("theirs=1"))
        );
    }
}

#[test]
fn an_author_cannot_serve_the_status_page() {
    for line in [
        "SetHandler oxd-status",
        "SetHandler oxd-metrics",
        "SetHandler oxd-health",
        "AddHandler oxd-status .html",
        "<If \"true\">\nSetHandler oxd-status\n</If>",
        "<Files page.html>\nSetHandler oxd-status\n</Files>",
        "RewriteEngine On\nRewriteRule ^page - [H=oxd-status]",
    ] {
        let site = site(Mpm::Event, "public", line);
        site.httpd
            .allow_log(r"\[oxd:error\].*forbidden: oxd-status, oxd-metrics and oxd-health");
        let answer = site.signed_in().get(site.url("/public/page.html"));
        answer.expect(403);
        assert!(!answer.text().contains("end-all"), "{line}: {}", answer.text());
    }
}

#[test]
fn the_servers_configuration_serves_it_wherever_it_says_so() {
    for place in [
        "<Location /public>\nSetHandler oxd-status\nRequire all granted\n</Location>",
        "<Directory \"${DOCROOT}/public\">\nSetHandler oxd-status\nRequire all granted\n</Directory>",
        "<Directory \"${DOCROOT}/public\">\n<Files page.html>\nSetHandler oxd-status\nRequire all granted\n</Files>\n\
         </Directory>",
        "<LocationMatch ^/public>\n<If \"true\">\nSetHandler oxd-status\n</If>\nRequire all granted\n</LocationMatch>",
        "<VirtualHost *>\n<Location /public>\nSetHandler oxd-status\nRequire all granted\n</Location>\n</VirtualHost>",
    ] {
        let site = TestSite::builder()
            .config(place)
            .httpd(|httpd| {
                httpd.file("docroot/public/page.html", "a page");
                httpd.allow_log(r"\[oxd:warn\].*oxd-status without a Require")
            })
            .start();
        let answer = Browser::new().get(site.url("/public/page.html"));
        assert!(answer.expect(200).text().contains("oxd"), "{place}");
        site.httpd.graceful();
        Browser::new().get(site.url("/public/page.html")).expect(200);
    }
}
