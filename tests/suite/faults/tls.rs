//! oxd over https with a certificate of its own, as it comes out of the box.

use oxd_tests::{Browser, SiteBuilder, TestSite, sign_in};

fn over_tls(directives: &str) -> SiteBuilder {
    TestSite::builder().oxd_over_tls().directives(directives)
}

#[test]
fn is_refused_unless_it_is_trusted() {
    let site = over_tls("").start();
    let answer = Browser::new().get(site.url("/app/"));
    assert!(answer.expect(503).header("retry-after").is_some());
    site.expect_commands(&[]);
    // The administrator reads why, and what to do about it.
    site.httpd
        .expect_log(r"\[oxd:error\].*(OxdServerCAFile|certificate)");
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
}

#[test]
fn is_used_when_its_authority_is_named() {
    let site = over_tls("OxdServerCAFile ${ROOT}/oxd-ca.pem").start();
    sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
}

#[test]
fn is_used_unseen_when_the_administrator_says_so_and_warned_about() {
    let site = over_tls("OxdServerVerify Off").start();
    sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
    site.httpd.expect_log(r"\[oxd:warn\].*OxdServerVerify");
    let warnings = |site: &TestSite| {
        let log = site.httpd.error_log();
        log.lines()
            .filter(|l| l.contains("[oxd:warn]") && l.contains("OxdServerVerify"))
            .count()
    };
    let before = warnings(&site);
    site.httpd.graceful();
    assert!(warnings(&site) > before, "a warning at every start");
}

#[test]
fn is_refused_under_another_name() {
    let site = over_tls("OxdServerCAFile ${ROOT}/oxd-ca.pem")
        .oxd(|oxd| oxd.tls_names = vec!["elsewhere.test".to_owned()])
        .start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    Browser::new().get(site.url("/app/")).expect(503);
    site.expect_commands(&[]);
}

#[test]
fn is_refused_when_another_authority_is_named() {
    let site = over_tls("OxdServerCAFile ${ROOT}/other-ca.pem")
        .httpd(|httpd| {
            httpd.file("other-ca.pem", &oxd_tests::Authority::new().certificate_pem);
            httpd
        })
        .start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    Browser::new().get(site.url("/app/")).expect(503);
    site.expect_commands(&[]);
}

#[test]
fn a_path_before_the_commands_is_kept() {
    let site = TestSite::builder()
        .directives("OxdServer ${OXD}/some/prefix/")
        .start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    // The development server does not know the path; what counts is that it was asked for.
    Browser::new().get(site.url("/app/")).expect(502);
    let calls = site.commands();
    assert!(
        calls.iter().all(|call| call.starts_with("some/prefix/")),
        "{calls:?}"
    );
}

/// The parent prepares for its children whom to trust; a restart has it read the file again.
#[test]
fn is_trusted_as_the_file_of_its_authority_says_at_each_restart() {
    let site = over_tls("OxdServerCAFile ${ROOT}/changing-ca.pem")
        .httpd(|httpd| {
            httpd.file("changing-ca.pem", &oxd_tests::Authority::new().certificate_pem);
            httpd
        })
        .start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let file = site.httpd.file("changing-ca.pem");
    let foreign = std::fs::read(&file).unwrap();
    Browser::new().get(site.url("/app/")).expect(503);
    std::fs::write(&file, site.oxd.ca_pem().expect("an authority")).unwrap();
    site.httpd.graceful();
    sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
    std::fs::write(&file, foreign).unwrap();
    site.httpd.graceful();
    Browser::new().get(site.url("/app/")).expect(503);
}
