//! Where lines go: files, programs, full disks, many threads.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use oxd_tests::{Browser, Mpm, TestSite, wait_until};

use super::super::{lines, lines_in, text, trailed};

/// A refused login by an address that anybody can make; what a trail has most of.
fn refused(site: &TestSite, agent: &str) {
    let browser = Browser::new();
    let ask = browser.ask("GET", site.url("/oxd/callback?state=x"));
    ask.header("user-agent", agent).send().expect(400);
}

fn agents(site: &TestSite, file: &str) -> Vec<String> {
    let all = lines_in(site, file);
    all.iter().map(|line| text(line, "agent").to_owned()).collect()
}

#[test]
fn what_a_client_sends_stays_in_its_line() {
    let site = trailed()
        .httpd(|httpd| httpd.config("LimitRequestFieldSize 16000"))
        .start();
    refused(&site, "a \"quoted\" \\agent\\ {\"event\":\"login\"}");
    let request = |agent: &[u8]| {
        let host = format!("Host: {}\r\nConnection: close\r\n", site.httpd.address());
        let mut request = format!("GET /oxd/callback?state=x HTTP/1.1\r\n{host}User-Agent: ").into_bytes();
        request.extend_from_slice(agent);
        request.extend_from_slice(b"\r\n\r\n");
        oxd_tests::raw(site.httpd.address(), &request).expect(400);
    };
    request(b"tab\there \xff\xfe caf\xc3\xa9 \xc2\x9b31m");
    request(&[b'"'; 8_192]);
    // httpd takes no control characters in headers, and joins folded lines.
    request(b"one\r\n {\"event\":\"forged\"}");
    let all = lines(&site);
    assert_eq!(
        text(&all[0], "agent"),
        "a \"quoted\" \\agent\\ {\"event\":\"login\"}"
    );
    assert_eq!(
        text(&all[1], "agent"),
        "tab\there \u{fffd}\u{fffd} caf\u{e9} \u{9b}31m"
    );
    let long = text(&all[2], "agent");
    assert!(
        long.starts_with("\"\"") && long.ends_with("\"...") && long.len() < 300,
        "{long}"
    );
    assert_eq!(text(&all[3], "agent"), "one {\"event\":\"forged\"}");
    assert!(all.iter().all(|line| text(line, "event") == "login_refused"));
    let raw = fs::read(site.httpd.file("audit.log")).expect("the trail");
    assert!(
        raw.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\n')),
        "ASCII"
    );
}

#[test]
fn the_address_is_the_one_that_mod_remoteip_believes() {
    let site = trailed()
        .config("RemoteIPHeader X-Forwarded-For\nRemoteIPInternalProxy 127.0.0.1")
        .httpd(|httpd| httpd.load("remoteip"))
        .start();
    let browser = Browser::new();
    let ask = browser.ask("GET", site.url("/oxd/callback?state=x"));
    ask.header("x-forwarded-for", "2001:db8::7").send().expect(400);
    assert_eq!(text(&lines(&site)[0], "address"), "2001:db8::7");
}

/// Many threads of many children write at once, to a file and to a pipe.
#[test]
fn lines_never_mix() {
    const THREADS: usize = 16;
    const EACH: usize = 25;
    for (mpm, target) in [
        (Mpm::Event, "${ROOT}/audit.log"),
        (Mpm::Event, "|/bin/sh ${ROOT}/keep"),
        (Mpm::Prefork, "|/bin/sh ${ROOT}/keep"),
    ] {
        let site = TestSite::builder()
            .mpm(mpm)
            .httpd(|httpd| {
                let root = httpd.path("").display().to_string();
                httpd.file("keep", &format!("exec cat >>'{root}/audit.log'\n"));
                httpd.processes(4, 8)
            })
            .directives(&format!("OxdAuditLog \"{target}\""))
            .start();
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let site = &site;
                scope.spawn(move || {
                    for number in 0..EACH {
                        // Lines as long as they get, and short ones.
                        let filler = "\"".repeat(if number % 2 == 0 { 5_000 } else { 0 });
                        refused(site, &format!("{thread}-{number} {filler}"));
                    }
                });
            }
        });
        wait_until("all lines", || {
            let text = fs::read_to_string(site.httpd.file("audit.log")).unwrap_or_default();
            text.lines().count() == THREADS * EACH
        });
        let names: BTreeSet<_> = agents(&site, "audit.log")
            .iter()
            .map(|agent| agent.split(' ').next().unwrap_or_default().to_owned())
            .collect();
        assert_eq!(names.len(), THREADS * EACH, "{target}");
    }
}

#[test]
fn virtual_hosts_have_trails_of_their_own_or_share_one() {
    let host = |name: &str, directive: &str| {
        format!(
            "<VirtualHost *:${{PORT}}>\nServerName {name}\n{directive}\n\
             <Location /oxd>\nSetHandler oxd\n</Location>\n</VirtualHost>\n"
        )
    };
    let hosts = [
        host("one.test", "OxdAuditLog ${ROOT}/shared.log"),
        host("two.test", "OxdAuditLog shared.log"),
        host("three.test", "OxdAuditLog ${ROOT}/third.log"),
        host("none.test", "OxdAuditLog Off"),
    ];
    let site = trailed().config(&hosts.concat()).start();
    let browser = Browser::new();
    for name in ["one.test", "two.test", "three.test", "none.test"] {
        let ask = browser.ask("GET", site.url("/oxd/callback?state=x"));
        ask.header("host", name)
            .header("user-agent", name)
            .send()
            .expect(400);
    }
    assert_eq!(agents(&site, "shared.log"), ["one.test", "two.test"]);
    assert_eq!(agents(&site, "third.log"), ["three.test"]);
    assert!(lines(&site).is_empty());
    let all = lines_in(&site, "shared.log");
    assert_eq!(text(&all[1], "site"), "two.test");
    let mode = fs::metadata(site.httpd.file("third.log"))
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o037, 0, "not for others: {mode:o}");
}

#[test]
fn a_graceful_restart_opens_the_file_anew() {
    let site = trailed().start();
    refused(&site, "before");
    let (trail, moved) = (site.httpd.file("audit.log"), site.httpd.file("audit.log.1"));
    fs::rename(&trail, &moved).expect("logrotate");
    refused(&site, "between");
    site.httpd.graceful();
    refused(&site, "after");
    wait_until("the line after the restart", || {
        agents(&site, "audit.log") == ["after"]
    });
    assert_eq!(agents(&site, "audit.log.1"), ["before", "between"]);
    // A configuration that names it no more writes no more.
    site.httpd
        .edit_config("OxdAuditLog \"${ROOT}/audit.log\"", "OxdAuditLog Off");
    site.httpd.graceful();
    refused(&site, "never");
    assert_eq!(agents(&site, "audit.log"), ["after"]);
}

#[test]
fn a_program_that_ends_is_started_again() {
    let site = TestSite::builder()
        .httpd(|httpd| {
            let root = httpd.path("").display().to_string();
            // Takes one line, and ends.
            httpd.file(
                "one-line",
                &format!("read -r line && printf '%s\\n' \"$line\" >>'{root}/audit.log'\n"),
            );
            httpd.allow_log("piped log program .* failed|AH00488: long lost child came home")
        })
        .directives("OxdAuditLog \"|/bin/sh ${ROOT}/one-line\"")
        .start();
    for name in ["one", "two", "three"] {
        refused(&site, name);
        wait_until(name, || {
            agents(&site, "audit.log").iter().any(|agent| agent == name)
        });
    }
    site.httpd.graceful();
    refused(&site, "four");
    wait_until("four", || agents(&site, "audit.log").len() == 4);
}

/// What is lost is told and counted, and no request fails for it.
#[test]
fn a_trail_that_cannot_be_written_fails_no_request() {
    for (target, why) in [
        ("/dev/full", "No space left on device"),
        // A program that hangs: its pipe takes some hundred lines.
        ("|/bin/sleep 600", "timed out"),
    ] {
        let site = TestSite::builder()
            .httpd(|httpd| httpd.processes(1, 16))
            .directives(&format!("OxdAuditLog \"{target}\""))
            .config("<Location /oxd-metrics>\nSetHandler oxd-metrics\nRequire all granted\n</Location>")
            .start();
        let lost = || {
            let metrics = Browser::new().get(site.url("/oxd-metrics")).text();
            let line = metrics
                .lines()
                .find(|line| line.starts_with("oxd_audit_lines_total{line=\"lost\"}"));
            let count = line.and_then(|line| line.rsplit(' ').next()).expect("a count");
            count.parse::<u32>().expect("a number")
        };
        let filler = "\"".repeat(5_000);
        for _ in 0..300 {
            refused(&site, &filler);
            if lost() >= 2 {
                break;
            }
        }
        assert!(lost() >= 2, "{target}");
        site.signed_in();
        site.httpd
            .expect_log(&format!(r"\[oxd:error\].*OxdAuditLog .*: a line is lost \({why}"));
        let log = site.httpd.error_log();
        let told = log.lines().filter(|line| line.contains("a line is lost")).count();
        assert!((1..=2).contains(&told), "once a minute: {log}");
    }
}

#[test]
fn a_file_that_cannot_be_opened_stops_the_start() {
    let httpd = oxd_tests::Httpd::builder().config("OxdAuditLog ${ROOT}/loop");
    std::os::unix::fs::symlink("loop", httpd.path("loop")).expect("a link to itself");
    let said = httpd.start_fails();
    assert!(
        said.contains("not_configured: OxdAuditLog") && said.contains("loop"),
        "{said}"
    );
}
