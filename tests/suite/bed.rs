//! The bed's own checks, with a stock httpd: each is broken once, to see that it fails.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use oxd_tests::{Authority, Browser, Httpd, Mpm, Page, Port, raw, wait_until, within};

mod bed {
    pub(crate) mod freed;
    pub(crate) mod stores;
}

fn stock() -> oxd_tests::Builder {
    Httpd::builder().without_module()
}

fn signal(pid: u32, signal: Signal) {
    kill(Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

/// Runs what shall fail its test, and looks at why it did.
#[track_caller]
fn fails(expected: &str, action: impl FnOnce()) {
    let failure = catch_unwind(AssertUnwindSafe(action)).expect_err("it should have failed");
    let why = failure.downcast_ref::<String>().expect("a message");
    assert!(why.contains(expected), "{why}");
}

#[test]
fn a_reserved_port_is_given_to_nobody_else_but_to_httpd() {
    let port = Port::reserve();
    for _ in 0..500 {
        let other = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        assert_ne!(other.local_addr().unwrap().port(), port.number());
    }
    // std sets SO_REUSEADDR as httpd does.
    TcpListener::bind(port.address()).expect("whoever names the port can listen there");
}

#[test]
fn every_mpm_serves_restarts_and_stops_without_a_word() {
    for mpm in [Mpm::Event, Mpm::Worker, Mpm::Prefork] {
        let mut httpd = stock().mpm(mpm).start();
        let browser = Browser::new();
        let page = browser.get(httpd.url("/1k.bin"));
        assert_eq!(page.expect(200).body.len(), 1024, "{mpm:?}");
        let environment = browser.get(httpd.url("/public/env?x=1")).environment();
        assert_eq!(environment["QUERY_STRING"], "x=1");
        assert!(!httpd.children().is_empty());
        assert!(httpd.resident_kib() > 100);
        httpd.graceful();
        browser.get(httpd.url("/")).expect(200);
        httpd.restart();
        browser.get(httpd.url("/")).expect(200);
        httpd.stop();
        httpd.start();
        browser.get(httpd.url("/")).expect(200);
        httpd.finish();
    }
}

#[test]
fn a_restart_reads_the_configuration_again() {
    let httpd = stock().config("Redirect 302 /there /one").start();
    let browser = Browser::new();
    assert_eq!(browser.get(httpd.url("/there")).location().path(), "/one");
    httpd.edit_config("/there /one", "/there /two");
    httpd.graceful();
    assert_eq!(browser.get(httpd.url("/there")).location().path(), "/two");
}

#[test]
fn configtest_says_what_httpd_thinks() {
    let good = stock().config("Redirect /a /b").configtest();
    assert!(good.ok, "{}", good.output);
    let bad = stock().config("Redirekt /a /b").configtest();
    assert!(!bad.ok);
    assert!(
        bad.output.contains("Invalid command 'Redirekt'"),
        "{}",
        bad.output
    );
}

#[test]
fn a_start_that_fails_fails_the_test() {
    let builder = stock().config("Redirekt /a /b");
    let root = builder.path("");
    fails("httpd ended at its start", || drop(builder.start()));
    fs::remove_dir_all(root).expect("a failed test's files are kept");
}

const DENIED: &str = "<Location /denied>\nRequire all denied\n</Location>";

#[test]
fn an_unexpected_error_line_is_noticed() {
    let httpd = stock().config(DENIED).start();
    Browser::new().get(httpd.url("/denied")).expect(403);
    let verdict = httpd.verdict().unwrap_err();
    assert!(
        verdict.contains("client denied by server configuration"),
        "{verdict}"
    );
    assert!(
        verdict.starts_with("an-unexpected-error-line-is-noticed: "),
        "{verdict}"
    );
}

#[test]
fn an_unexpected_error_line_fails_the_test_at_the_end_of_its_scope() {
    let httpd = stock().config(DENIED).start();
    let root = httpd.root().to_owned();
    Browser::new().get(httpd.url("/denied"));
    fails("client denied by server configuration", || drop(httpd));
    fs::remove_dir_all(root).expect("a failed test's files are kept");
}

#[test]
fn an_expected_error_line_is_let_through_and_no_other_one() {
    let httpd = stock().config(DENIED).start();
    Browser::new().get(httpd.url("/denied"));
    httpd.expect_log("client denied by server configuration");
    httpd.finish();
    let httpd = stock().config(DENIED).allow_log("something else").start();
    Browser::new().get(httpd.url("/denied"));
    assert!(httpd.verdict().is_err());
}

#[test]
fn a_line_that_is_not_of_httpds_making_is_noticed() {
    let httpd = stock().start();
    let mut log = fs::File::options()
        .append(true)
        .open(httpd.file("error.log"))
        .unwrap();
    writeln!(log, "thread '<unnamed>' panicked at src/lib.rs:1:1:").unwrap();
    assert!(httpd.verdict().unwrap_err().contains("panicked"));
}

#[test]
fn a_crashed_child_is_noticed() {
    let httpd = stock().mpm(Mpm::Prefork).start();
    let child = httpd.children()[0];
    signal(child, Signal::SIGSEGV);
    wait_until("the parent to notice", || {
        httpd.error_log().contains("exit signal")
    });
    assert!(httpd.verdict().unwrap_err().contains("Segmentation fault"));
}

#[test]
fn a_parent_that_ends_by_itself_or_badly_is_noticed() {
    let httpd = stock().start();
    let children = httpd.children();
    signal(httpd.pid(), Signal::SIGKILL);
    let stat = format!("/proc/{}/stat", httpd.pid());
    wait_until("the end", || fs::read_to_string(&stat).unwrap().contains(") Z "));
    let verdict = httpd.verdict().unwrap_err();
    assert!(
        verdict.contains("ended by itself") && verdict.contains("ended badly"),
        "{verdict}"
    );
    for child in children {
        signal(child, Signal::SIGKILL);
    }
}

#[test]
fn a_parent_that_dies_at_a_restart_is_noticed() {
    let httpd = stock().start();
    httpd.edit_config("DirectoryIndex", "DirektoryIndex");
    fails("httpd's parent died at the restart", || httpd.restart());
    assert!(httpd.verdict().unwrap_err().contains("ended by itself"));
}

#[test]
fn the_browser_keeps_cookies_where_they_belong() {
    let cookies = [
        ("/a", "whole=1; Path=/"),
        ("/a", "part=2; Path=/part"),
        ("/a", "safe=3; Path=/; Secure"),
        ("/a", "wide=4; Path=/; Domain=example.test"),
        ("/a", "short=5; Path=/; Max-Age=1"),
        ("/gone", "whole=; Path=/; Max-Age=0"),
        (
            "/gone",
            "wide=; Path=/; Domain=example.test; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ),
    ];
    let builder = cookies.iter().fold(stock(), |builder, (path, cookie)| {
        builder.config(&format!(
            "<Location {path}>\nHeader always add Set-Cookie \"{cookie}\"\n</Location>"
        ))
    });
    let httpd = builder.start();
    let port = httpd.address().port();
    let host = |name: &str, path: &str| format!("http://{name}:{port}{path}");
    let sent = |browser: &Browser, url: &str| {
        let names: Vec<_> = browser.cookies(url).into_iter().map(|(name, _)| name).collect();
        names.join(" ")
    };
    let browser = Browser::new();
    let answer = browser.get(host("www.example.test", "/a"));
    assert_eq!(answer.expect(404).set_cookies().len(), 5);
    let copy = browser.copy();
    assert_eq!(
        sent(&browser, &host("www.example.test", "/x")),
        "short whole wide"
    );
    assert_eq!(
        sent(&browser, &host("www.example.test", "/part/x")),
        "part short whole wide"
    );
    assert_eq!(sent(&browser, &host("other.example.test", "/x")), "wide");
    assert_eq!(sent(&browser, &host("example.org", "/x")), "");
    assert_eq!(
        sent(&browser, "https://www.example.test/x"),
        "safe short whole wide"
    );
    let echoed = browser.get(host("www.example.test", "/public/env")).environment();
    assert_eq!(echoed["HTTP_COOKIE"], "short=5; whole=1; wide=4");
    wait_until("the cookie to end", || {
        sent(&browser, &host("www.example.test", "/x")) == "whole wide"
    });
    browser.get(host("www.example.test", "/gone"));
    assert_eq!(sent(&browser, &host("www.example.test", "/x")), "");
    assert!(sent(&copy, &host("www.example.test", "/x")).contains("wide"));
    copy.forget("wi");
    copy.set_cookie("own=1; Path=/", host("www.example.test", "/"));
    assert_eq!(sent(&copy, &host("www.example.test", "/x")), "own whole");
    let field = copy
        .ask("GET", host("www.example.test", "/public/env"))
        .cookie_field("; ;x");
    assert_eq!(field.send().environment()["HTTP_COOKIE"], "; ;x");
}

#[test]
fn the_browser_follows_redirects_when_asked_only() {
    let httpd = stock().config("Redirect 303 /from /1k.bin").start();
    let browser = Browser::keeping_connections();
    assert_eq!(
        browser.get(httpd.url("/from")).expect(303).location().path(),
        "/1k.bin"
    );
    assert_eq!(browser.follow(httpd.url("/from")).expect(200).body.len(), 1024);
}

#[test]
fn the_browser_notices_a_redirect_loop() {
    let httpd = stock().config("Redirect 302 /loop /loop").start();
    fails("a redirect loop", || {
        drop(Browser::new().follow(httpd.url("/loop")))
    });
}

#[test]
fn a_request_of_ones_own_bytes_gets_its_answer() {
    let httpd = stock().start();
    let answer = raw(httpd.address(), b"GET /1k.bin HTTP/1.0\r\nX: \xff\r\n\r\n");
    assert_eq!(answer.expect(200).body.len(), 1024);
    raw(httpd.address(), b"NONSENSE\r\n\r\n").expect(400);
}

#[test]
fn tls_is_for_those_who_trust_the_authority() {
    let authority = Authority::new();
    let httpd = stock().tls(&authority.certify()).start();
    let trusting = Browser::trusting(&authority.certificate_pem);
    trusting.get(httpd.tls_url("/")).expect(200);
    let other = Browser::trusting(&Authority::new().certificate_pem);
    assert!(other.ask("GET", httpd.tls_url("/")).try_send().is_err());
}

#[test]
fn a_page_is_read_as_a_browser_reads_it() {
    let page = Page::parse(
        "<title>&lt;b&gt;</title><script>var a = '<p>no text</p>';</script>\
         <form action='/go?a=1&amp;b=2' method=POST><input type=hidden name=h value='&quot;x'>\
         <input name=username><input type=checkbox name=c><button id=ok name=b value=v>OK</button>\
         </form><p>a &amp; b<img src=x onerror=alert(1)><a href='/there'>there</a>",
    );
    let (mut form, button) = page.form_with_button("ok").unwrap();
    assert_eq!(
        (form.action.as_str(), form.method.as_str()),
        ("/go?a=1&b=2", "post")
    );
    form.fill("username", "me");
    let sent = form.press(&button);
    let sent: Vec<_> = sent.iter().map(|(n, v)| format!("{n}={v}")).collect();
    assert_eq!(sent, ["h=\"x", "username=me", "b=v"]);
    assert!(page.text().contains("<b>") && page.text().contains("a & b"));
    assert!(!page.text().contains("no text"));
    assert_eq!(page.links(), ["/there"]);
    assert!(page.runs_script());
    for harmless in [
        "<p>&lt;script&gt;",
        "<p title='onload=x'>",
        "<textarea><script></textarea>",
    ] {
        assert!(!Page::parse(harmless).runs_script(), "{harmless}");
    }
    for live in ["<ScRipt>", "<a href=' javascript:x'>", "<p onclick=x>"] {
        assert!(Page::parse(live).runs_script(), "{live}");
    }
}

#[test]
fn waiting_ends_when_the_condition_holds_or_the_time_is_over() {
    let mut looks = 0;
    let found = within(Duration::from_secs(5), || {
        looks += 1;
        (looks == 3).then_some(looks)
    });
    assert_eq!(found, Some(3));
    assert_eq!(within(Duration::from_millis(20), || None::<()>), None);
}
