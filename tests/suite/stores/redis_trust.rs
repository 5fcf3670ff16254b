//! A Redis and an httpd that do not trust each other any more: passwords that were changed, certificates that have run
//! out.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use oxd_tests::{Authority, Browser, RedisNode, TestSite};

use super::redis_bed::*;

/// What the log says about a password.
const REFUSED: &str = r"\[oxd:error\].* store_unavailable: OxdSessionStore redis://.*assword authentication failed.*OxdStorePassword";

/// Fails the test unless everybody is asked to come back, those who sign in included.
#[track_caller]
fn is_away(site: &TestSite, people: &[(String, Browser)]) {
    for (_, browser) in people.iter().chain(people) {
        assert_eq!(seen(site, browser), Seen::Unavailable);
    }
    assert!(try_to_sign_in(site, "anna").is_none());
}

fn keep(file: &Path, password: &str) {
    std::fs::write(file, password).expect("a file");
    std::fs::set_permissions(file, PermissionsExt::from_mode(0o600)).expect("its mode");
}

/// The password is changed at Redis first. Until httpd knows the new one, or Redis takes the old one again, users are
/// asked to come back, and the log says why; then their sessions go on.
#[test]
fn a_password_that_was_changed_at_redis_only() {
    let mut node = RedisNode::start("requirepass the-first-one").with_password("the-first-one");
    let file = node.file("password");
    keep(&file, "the-first-one\n");
    let password = format!("OxdStorePassword \"file:{}\"", file.display());
    let site = troubled(site_at(&format!("redis://{}", node.address()), &password)).start();
    let people = people(&site);
    node.change_password("the-second-one");
    is_away(&site, &people);
    site.httpd.expect_log(REFUSED);
    node.change_password("the-first-one");
    recovers(&site, &people);

    node.change_password("the-second-one");
    is_away(&site, &people);
    keep(&file, "the-second-one\n");
    site.httpd.graceful();
    recovers(&site, &people);
    assert!(try_to_sign_in(&site, "anna").is_some());
    let log = site.httpd.error_log();
    assert!(!log.contains("the-first-one") && !log.contains("the-second-one"));
}

/// The same with a user of Redis who has two passwords for a while, as is recommended: nobody notices anything.
#[test]
fn a_user_of_redis_with_two_passwords_for_a_while() {
    let node = RedisNode::start("requirepass admin\nuser mod_oxd on >one-password ~mod_oxd:* +@all")
        .with_password("admin");
    let file = node.file("password");
    keep(&file, "one-password");
    let directives = format!(
        "OxdStoreUser mod_oxd\nOxdStorePassword \"file:{}\"",
        file.display()
    );
    let site = troubled(site_at(&format!("redis://{}", node.address()), &directives)).start();
    let people = people(&site);
    let everybody_is_known = || {
        for (name, browser) in people.iter().chain(&people) {
            assert_eq!(seen(&site, browser), Seen::User(name.clone()));
        }
    };
    let change = |rule: &str| {
        assert_eq!(node.ask(&["acl", "setuser", "mod_oxd", rule]), "OK");
        node.ask(&["client", "kill", "user", "mod_oxd"]);
    };
    change(">next-password");
    everybody_is_known();
    keep(&file, "next-password");
    site.httpd.graceful();
    everybody_is_known();
    change("<one-password");
    everybody_is_known();
    // A user who is shut out altogether.
    change("off");
    is_away(&site, &people);
    site.httpd.expect_log(REFUSED);
    change("on");
    recovers(&site, &people);
}

/// Redis wants a password from now on, and httpd has none.
#[test]
fn a_password_where_there_was_none() {
    let mut node = RedisNode::start("");
    let site = troubled(site_at(&format!("redis://{}", node.address()), "")).start();
    let people = people(&site);
    node.change_password("something");
    is_away(&site, &people);
    site.httpd
        .expect_log(r"\[oxd:error\].* store_unavailable: OxdSessionStore redis://.*Authentication required.*OxdStorePassword");
    node.change_password("");
    recovers(&site, &people);
}

/// A right is taken from the user of Redis: users are asked to come back, and the log names the command.
#[test]
fn a_right_that_was_taken_away() {
    let node = RedisNode::start("requirepass admin\nuser mod_oxd on >secret ~mod_oxd:* +@all")
        .with_password("admin");
    let directives = "OxdStoreUser mod_oxd\nOxdStorePassword secret";
    let site = troubled(site_at(&format!("redis://{}", node.address()), directives)).start();
    let people = people(&site);
    node.ask(&["acl", "setuser", "mod_oxd", "-getrange"]);
    is_away(&site, &people);
    site.httpd
        .expect_log(r"\[oxd:error\].* store_unavailable: OxdSessionStore redis://.*'getrange'.*OxdStoreUser");
    node.ask(&["acl", "setuser", "mod_oxd", "+getrange"]);
    recovers(&site, &people);
}

/// The certificate of Redis runs out: users are asked to come back, the log says that it has expired, and with a new one
/// all goes on without a restart of httpd.
#[test]
fn a_certificate_that_has_expired() {
    let authority = Authority::new();
    let node = RedisNode::over_tls(&authority, false);
    let url = format!("rediss://localhost:{}", node.number());
    let ca = format!("OxdStoreCAFile \"{}\"", node.file("ca.pem").display());
    let site = troubled(site_at(&url, &ca)).start();
    let people = people(&site);
    node.change_certificate(&authority, &authority.certify_the_past());
    is_away(&site, &people);
    site.httpd
        .expect_log(r"\[oxd:error\].* store_unavailable: OxdSessionStore rediss://.*certificate.*expired");
    node.change_certificate(&authority, &authority.certify());
    recovers(&site, &people);
}
