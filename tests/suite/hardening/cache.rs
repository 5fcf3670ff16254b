//! httpd's own cache in front of protected pages.

use oxd_tests::{Browser, TestSite, sign_out};

const CACHE: &str = r#"
    <IfModule !mod_cache_disk.c>
        Error "mod_cache_disk is needed"
    </IfModule>
    CacheRoot "${ROOT}/cache"
    CacheEnable disk /
    CacheQuickHandler ON_OFF
    CacheIgnoreNoLastMod On
    CacheDefaultExpire 3600
    CacheIgnoreCacheControl Off
    <Location /app/shared>
        Header set Cache-Control "public, max-age=60"
    </Location>
    <Location /greeting>
        AuthType oxd
        OxdUnauthAction pass
        Require all granted
    </Location>
"#;

fn site(quick: &str) -> TestSite {
    TestSite::builder()
        .config(&CACHE.replace("ON_OFF", quick))
        .httpd(|httpd| {
            let httpd = httpd.load("cache").load("cache_disk");
            for name in ["app/page.html", "app/shared/page.html", "greeting/page.html"] {
                httpd.file(&format!("docroot/{name}"), "for those who are let in");
            }
            std::fs::create_dir_all(httpd.path("cache")).expect("a directory");
            // The children may run as another user.
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
            std::fs::set_permissions(httpd.path("cache"), mode).expect("its mode");
            httpd
        })
        .start()
}

#[test]
fn a_page_of_a_signed_in_user_is_never_served_to_a_stranger() {
    for quick in ["on", "off"] {
        let site = site(quick);
        let browser = site.signed_in();
        for path in ["/app/page.html", "/app/env", "/greeting/page.html"] {
            for _ in 0..2 {
                let answer = browser.get(site.url(path));
                assert_eq!(
                    answer.expect(200).header("cache-control"),
                    Some("private"),
                    "{path}"
                );
            }
        }
        let stranger = || Browser::new();
        for path in ["/app/page.html", "/app/env"] {
            stranger().get(site.url(path)).expect(302);
        }
        sign_out(&browser, site.url("/oxd/logoutme"));
        browser.get(site.url("/app/page.html")).expect(302);
    }
}

#[test]
fn an_application_that_says_otherwise_is_obeyed() {
    let site = site("off");
    let answer = site.signed_in().get(site.url("/app/shared/page.html"));
    assert_eq!(
        answer.expect(200).header("cache-control"),
        Some("public, max-age=60")
    );
    let open = Browser::new().get(site.url("/public/env"));
    assert_eq!(open.header("cache-control"), None, "a page that is not ours");
}
