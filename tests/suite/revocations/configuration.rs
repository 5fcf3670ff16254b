//! Wrong configurations are named when they are read; the number of marks is that of the directive.

use oxd_tests::{Httpd, RedisNode};

use super::common::*;

fn refused(directives: &str) -> String {
    Httpd::builder().config(directives).start_fails()
}

#[test]
fn mistakes_are_named() {
    for (directives, why) in [
        (
            "OxdRevocations redis://127.0.0.1",
            "OxdRevocations needs OxdCryptoKey beside it",
        ),
        (
            &format!("OxdCryptoKey {KEY}\n<Location /x>\nOxdRevocations redis://127.0.0.1\n</Location>"),
            "belongs outside of <Location /x>",
        ),
        (
            &format!(
                "OxdCryptoKey {KEY}\nOxdRevocations redis://127.0.0.1\n<VirtualHost *:1>\nOxdRevocations \
                 redis://127.0.0.2\n</VirtualHost>"
            ),
            "a server has one stream",
        ),
        (
            "OxdRevocations redis://user:secret@127.0.0.1",
            "a URL without user and password",
        ),
    ] {
        let said = refused(directives);
        assert!(said.contains(why), "{why}: {said}");
        assert!(!said.contains("secret@"), "{said}");
    }
}

/// More marks or fewer: what has ended stays ended.
#[test]
fn the_number_of_marks_can_be_changed() {
    let node = RedisNode::start("");
    let url = format!("redis://{}", node.address());
    let mut site = site(&url, "OxdSessionMarks 2048").start();
    assert_eq!(metric(&site.httpd, "oxd_marks_room"), 2048.0);
    let browser = site.signed_in();
    let copy = browser.copy();
    browser.get(site.url("/oxd/logoutme")).expect(303);
    node.ask(&["flushall"]);
    for marks in [8192, 1024] {
        site.httpd.stop();
        let old = if marks == 8192 { 2048 } else { 8192 };
        site.httpd.edit_config(
            &format!("OxdSessionMarks {old}"),
            &format!("OxdSessionMarks {marks}"),
        );
        site.httpd.start();
        assert_eq!(metric(&site.httpd, "oxd_marks_room"), f64::from(marks));
        assert!(!is_alive(&site.httpd, &copy), "{marks}");
    }
}
