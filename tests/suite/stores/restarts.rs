//! What outlives restarts, stops and killed children, with every store.

use std::fs;
use std::io::{Read, Write};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use oxd_tests::{Browser, DEMO_SUB, Store, StoreKind, TestSite, approve, begin, raw_connection, wait_until};

use super::common::*;

with_every_store! {
    restarts_lose_no_session_that_they_need_not_lose,
    a_logout_outlives_restarts,
    a_login_begun_before_a_restart_is_finished_after_it,
    keys_are_exchanged_without_losing_a_session,
    a_killed_child_takes_no_session_along,
    children_killed_under_load_leave_no_lock_behind,
    requests_under_way_at_a_graceful_restart_are_answered,
    graceful_restarts_under_load_lose_nothing,
}

/// The three ways to restart.
fn restart(site: &mut TestSite, how: usize) {
    match how {
        0 => site.httpd.graceful(),
        1 => site.httpd.restart(),
        _ => {
            site.httpd.stop();
            site.httpd.start();
        }
    }
}

/// Whatever has become of the file in which httpd remembers logouts, it starts, and users sign in and out.
#[test]
fn a_damaged_memory_of_logouts_does_no_harm() {
    let store = StoreKind::Cookie.start();
    let mut site = site(&store).start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let file = site.httpd.file("run/oxd-sessions");
    let whole = fs::metadata(&file).expect("the memory's file").len();
    for damage in 0..5 {
        let browser = site.signed_in();
        site.httpd.stop();
        let length = usize::try_from(whole).expect("a length");
        match damage {
            0 => fs::write(&file, "").expect("an empty file"),
            1 => fs::write(&file, vec![0xa5; length / 2]).expect("half a file"),
            2 => fs::write(&file, vec![0x5a; length * 2]).expect("a larger file"),
            3 => fs::remove_file(&file).expect("no file"),
            _ => {
                fs::remove_file(&file).expect("no file");
                fs::create_dir(&file).expect("a directory");
            }
        }
        site.httpd.start();
        expect_user(&site, &browser, DEMO_SUB);
        let copied = field(&browser, &site);
        browser.get(site.url("/oxd/logoutme")).expect(303);
        assert_eq!(statuses(&site, &copied), (302, 401), "damage {damage}");
    }
}

/// Nobody notices a restart, except with shared memory, which ends with it: there users sign in again.
fn restarts_lose_no_session_that_they_need_not_lose(store: Store) {
    let mut site = site(&store).start();
    let mut browsers = vec![site.signed_in(), site.signed_in()];
    for how in [0, 1, 2, 0] {
        restart(&mut site, how);
        if store.kind() == StoreKind::Shmcb {
            for browser in browsers.drain(..) {
                expect_nobody(&site, &browser);
            }
        }
        browsers.push(site.signed_in());
        for browser in &browsers {
            expect_user(&site, browser, DEMO_SUB);
        }
    }
}

/// Whoever copied the cookie before the logout stays out, whatever happens to httpd.
fn a_logout_outlives_restarts(store: Store) {
    let mut site = site(&store).start();
    let browser = site.signed_in();
    let copied = field(&browser, &site);
    browser.get(site.url("/oxd/logoutme")).expect(303);
    for how in [0, 1, 2, 2, 0] {
        restart(&mut site, how);
        assert_eq!(statuses(&site, &copied), (302, 401));
    }
    kill_children(&site.httpd);
    wait_until("new children", || {
        let ask = Browser::new();
        ask.ask("GET", site.url("/")).try_send().is_ok()
    });
    for _ in 0..5 {
        assert_eq!(statuses(&site, &copied), (302, 401));
    }
}

/// A user who is at the provider while httpd restarts comes back into his session.
fn a_login_begun_before_a_restart_is_finished_after_it(store: Store) {
    let mut site = site(&store).start();
    for how in 0..3 {
        let browser = Browser::new();
        let start = begin(&browser, site.url("/app/"));
        let approval = approve(&browser, &start.location());
        restart(&mut site, how);
        approval.deliver(&browser).expect(303);
        expect_user(&site, &browser, DEMO_SUB);
    }
}

/// A new key with the old one behind it, and later alone: whoever signed in meanwhile stays.
fn keys_are_exchanged_without_losing_a_session(store: Store) {
    if store.kind() == StoreKind::Shmcb {
        // The restart itself ends the sessions; `sessions` has the rest.
        return;
    }
    let site = site(&store).start();
    let early = site.signed_in();
    let change = |from: &str, to: &str| {
        let directive = |keys: &str| format!("OxdCryptoKey {keys}");
        site.httpd.edit_config(&directive(from), &directive(to));
        site.httpd.graceful();
    };
    let both = format!("{OTHER_KEY} {KEY}");
    change(KEY, &both);
    expect_user(&site, &early, DEMO_SUB);
    let late = site.signed_in();
    early.get(site.url("/oxd/logoutme")).expect(303);
    expect_nobody(&site, &early);
    change(&both, OTHER_KEY);
    expect_user(&site, &late, DEMO_SUB);
    change(OTHER_KEY, KEY);
    expect_nobody(&site, &late);
}

/// When the kernel kills a child, users see at most a connection that breaks: their next request goes on
/// in their session.
fn a_killed_child_takes_no_session_along(store: Store) {
    let site = site(&store).start();
    let (browser, gone) = (site.signed_in(), site.signed_in());
    let copied = field(&gone, &site);
    gone.get(site.url("/oxd/logoutme")).expect(303);
    for _ in 0..4 {
        kill_children(&site.httpd);
        wait_until("the next answer", || {
            let answer = browser.ask("GET", site.url("/app/")).try_send();
            answer.is_ok_and(|answer| answer.expect(200).status == 200)
        });
        expect_user(&site, &browser, DEMO_SUB);
        assert_eq!(statuses(&site, &copied), (302, 401));
    }
}

/// Children that are killed in the middle of requests, logins and logouts leave nothing locked and nothing
/// half written: everybody else goes on.
fn children_killed_under_load_leave_no_lock_behind(store: Store) {
    let site = site(&store).directives("OxdSessionIdle 100s").start();
    let browsers: Vec<_> = (0..4).map(|_| site.signed_in()).collect();
    let end = AtomicBool::new(false);
    let (answers, logins) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let fail = |what: String| failures.lock().expect("a list of failures").push(what);
    std::thread::scope(|scope| {
        for browser in &browsers {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    match browser.ask("GET", site.url("/app/1k.bin")).try_send() {
                        Ok(answer) if answer.status == 200 => answers.fetch_add(1, Ordering::Relaxed),
                        Ok(answer) => return fail(answer.summary()),
                        // Its child was killed.
                        Err(_) => continue,
                    };
                }
            });
        }
        scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                logins.fetch_add(usize::from(in_and_out(&site)), Ordering::Relaxed);
            }
        });
        for _ in 0..8 {
            let before = (answers.load(Ordering::Relaxed), logins.load(Ordering::Relaxed));
            wait_until("requests and a login", || {
                let done = (answers.load(Ordering::Relaxed), logins.load(Ordering::Relaxed));
                let failed = !failures.lock().expect("a list of failures").is_empty();
                failed || (done.0 >= before.0 + 50 && done.1 > before.1)
            });
            kill_children(&site.httpd);
        }
        end.store(true, Ordering::Relaxed);
    });
    let failures = failures.into_inner().expect("a list of failures");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    pass(Duration::from_millis(200));
    wait_until("new children", || in_and_out(&site));
    for browser in &browsers {
        expect_user(&site, browser, DEMO_SUB);
    }
}

/// Requests that reached httpd before a graceful restart are answered by the children of before it, and find their
/// session however late they go on.
fn requests_under_way_at_a_graceful_restart_are_answered(store: Store) {
    let site = site(&store).start();
    let browser = site.signed_in();
    let cookies = field(&browser, &site);
    let request = |path: &str| {
        let mut connection = raw_connection(site.httpd.address());
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n",
            site.httpd.address()
        );
        connection
            .write_all(head.as_bytes())
            .expect("the first half of a request");
        connection
    };
    for _ in 0..2 {
        let halves: Vec<_> = ["/app/1k.bin", "/oxd/session"].repeat(3);
        let halves: Vec<_> = halves.into_iter().map(request).collect();
        // Read by a thread of httpd's; nothing tells when.
        pass(Duration::from_millis(200));
        site.httpd.graceful();
        pass(Duration::from_millis(300));
        for mut connection in halves {
            let rest = format!("Cookie: {cookies}\r\n\r\n");
            connection.write_all(rest.as_bytes()).expect("the second half");
            let mut answer = String::new();
            connection.read_to_string(&mut answer).expect("an answer");
            let status = answer.split(' ').nth(1);
            // Whose shared memory it is has gone with the restart.
            let gone = store.kind() == StoreKind::Shmcb && matches!(status, Some("302" | "401"));
            assert!(gone || status == Some("200"), "{answer}");
        }
    }
}

/// Restarts for a new certificate or a rotated log, in the middle of requests and logins: readers stay in, and who has
/// just signed in is in. Shared memory ends with each restart, so that there only errors count.
fn graceful_restarts_under_load_lose_nothing(store: Store) {
    let forgets = store.kind() == StoreKind::Shmcb;
    let site = site(&store).directives("OxdSessionIdle 100s").start();
    let browsers: Vec<_> = (0..3).map(|_| site.signed_in()).collect();
    let end = AtomicBool::new(false);
    let (answers, logins) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let failures = Mutex::new(Vec::new());
    let expect_inside = |browser: &Browser| {
        let answer = browser.ask("GET", site.url("/app/1k.bin")).try_send();
        let wrong = match answer {
            Ok(answer) if answer.status == 200 || (forgets && answer.status == 302) => None,
            Ok(answer) => Some(answer.summary()),
            Err(error) => Some(format!("{error:?}")),
        };
        failures.lock().expect("a list of failures").extend(wrong);
    };
    std::thread::scope(|scope| {
        for browser in &browsers {
            scope.spawn(|| {
                while !end.load(Ordering::Relaxed) {
                    expect_inside(browser);
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        scope.spawn(|| {
            while !end.load(Ordering::Relaxed) {
                let browser = Browser::new();
                let start = begin(&browser, site.url("/app/"));
                approve(&browser, &start.location()).deliver(&browser).expect(303);
                (0..4).for_each(|_| expect_inside(&browser));
                logins.fetch_add(1, Ordering::Relaxed);
            }
        });
        for _ in 0..12 {
            let before = (answers.load(Ordering::Relaxed), logins.load(Ordering::Relaxed));
            wait_until("requests and a login", || {
                let done = (answers.load(Ordering::Relaxed), logins.load(Ordering::Relaxed));
                let failed = !failures.lock().expect("a list of failures").is_empty();
                failed || (done.0 >= before.0 + 30 && done.1 > before.1)
            });
            site.httpd.graceful();
            wait_until("old children to go", || site.httpd.children().len() <= 6);
        }
        end.store(true, Ordering::Relaxed);
    });
    let failures = failures.into_inner().expect("a list of failures");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Signs in and out; `false` when a connection broke on the way.
fn in_and_out(site: &TestSite) -> bool {
    let browser = Browser::new();
    let ask = |url: &str| browser.ask("GET", url).try_send().ok();
    let Some(start) = ask(&site.url("/app/")) else {
        return false;
    };
    let approval = approve(&browser, &start.expect(302).location());
    let Some(callback) = ask(approval.url().as_str()) else {
        return false;
    };
    assert!(
        matches!(callback.status, 303 | 302 | 400),
        "{}",
        callback.summary()
    );
    ask(&site.url("/oxd/logoutme")).is_some_and(|answer| matches!(answer.status, 303 | 200))
}
