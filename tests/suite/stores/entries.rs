//! What is in a store: nothing that could be read, exchanged or forged, and nothing for ever.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use oxd_tests::{Browser, DEMO_SUB, Store, StoreKind, TestSite, begin, decide, user};
use serde_json::json;

use super::common::*;

with_every_store_of_the_server! {
    nothing_readable_is_in_the_store,
}

mod with_cookies_too {
    use super::*;

    with_every_store! {
        a_session_fits_or_is_refused_and_is_never_half_there,
    }

    /// The more a provider tells about a user, the larger is the session. While the store can keep it the
    /// user gets in; beyond that he gets a page that says why, at once, and not one redirect after the other.
    fn a_session_fits_or_is_refused_and_is_never_half_there(store: Store) {
        const SIZES: [usize; 10] = [
            200, 1000, 2500, 6000, 12_000, 30_000, 60_000, 130_000, 300_000, 900_000,
        ];
        let users = SIZES.map(|size| user(&format!("u{size}"), json!({ "text": noise(size) })));
        // Nothing between the module and the application may be the first to give up.
        let site = site(&store)
            .users(users.into())
            .directives("OxdClaims none")
            .config("LimitRequestFieldSize 65536")
            .start();
        site.httpd.allow_log(r"\[oxd:(warn|error)\]");
        site.httpd.allow_log(r"\[socache_\w+:");
        let mut largest = 0;
        for size in SIZES {
            let browser = Browser::new();
            let start = begin(&browser, site.url("/app/"));
            let credentials = (&*format!("u{size}"), "secret");
            let callback = decide(&browser, &start.location(), credentials, "allow").deliver(&browser);
            if callback.status == 303 {
                assert!(size == SIZES[0] || largest > 0, "{size} fits and less does not");
                largest = size;
                let session = browser.get(site.url("/oxd/session"));
                let claims = &session.expect(200).json()["claims"];
                assert_eq!(claims["text"].as_str().map(str::len), Some(size));
                browser.get(site.url("/app/")).expect(200);
                continue;
            }
            let text = callback.expect(500).page().text();
            assert!(!text.is_empty());
            assert!(callback.given_cookies("oxd_session").is_empty());
            site.httpd.expect_log("session_too_large: ");
            assert_eq!(site.user(&browser), None);
        }
        // What a session of the kind needs at least. The cookies are bounded by httpd's own limit.
        let enough = match store.kind() {
            StoreKind::Cookie => 2500,
            StoreKind::Shmcb => 6000,
            StoreKind::Dbm => 2500,
            _ => 60_000,
        };
        assert!(largest >= enough, "{largest} bytes of claims are the most");
        println!("{:?}: {largest} bytes of claims fit", store.kind());
    }
}

mod in_servers {
    use super::*;

    with_every_store_server! {
        entries_are_bound_to_their_keys,
        altered_entries_are_no_sessions,
        the_store_keeps_nothing_for_ever,
        requests_read_and_do_not_write,
    }

    /// Whoever can write into the store cannot make one user's session another's by exchanging entries.
    fn entries_are_bound_to_their_keys(store: Store) {
        let site = site(&store).users(anna_and_ben()).start();
        site.httpd.allow_log(r"\[oxd:(warn|error)\]");
        let server = store.server();
        let anna = signed_in_as(&site, "anna");
        let of_anna = server.entries();
        let ben = signed_in_as(&site, "ben");
        let mut of_ben = server.entries();
        of_ben.retain(|entry| of_anna.iter().all(|anna| anna.key != entry.key));
        assert!(!of_anna.is_empty() && !of_ben.is_empty());
        for own in &of_ben {
            for foreign in &of_anna {
                server.put(&own.key, &foreign.value);
                assert_ne!(site.user(&ben).as_deref(), Some("sub-of-anna"));
                server.put(&own.key, &own.value);
                expect_user(&site, &ben, "sub-of-ben");
            }
        }
        expect_user(&site, &anna, "sub-of-anna");
    }

    /// Whatever is in the store in place of what httpd has put there, the user has his session or is asked to sign
    /// in; without the session itself he always is.
    fn altered_entries_are_no_sessions(store: Store) {
        let site = site(&store).directives("OxdSessionMax 3").start();
        site.httpd.allow_log(r"\[oxd:(warn|error)\]");
        let server = store.server();
        let browser = site.signed_in();
        let copied = field(&browser, &site);
        let entries = server.entries();
        let session = entries
            .iter()
            .max_by_key(|entry| entry.value.len())
            .expect("an entry");
        for entry in &entries {
            let (key, value) = (&entry.key, &entry.value);
            let mut altered = vec![Vec::new(), vec![0], b"null".to_vec(), vec![b'A'; 60_000]];
            for at in (0..value.len())
                .step_by(value.len() / 12)
                .chain([value.len() - 1])
            {
                let mut flipped = value.clone();
                flipped[at] ^= 1;
                altered.push(flipped);
                altered.push(value[..at].to_vec());
            }
            altered.push([value.as_slice(), b"A"].concat());
            altered.push(value[1..].to_vec());
            for wrong in altered {
                server.put(key, &wrong);
                let taken = statuses(&site, &copied);
                // The tokens at the end are bound by themselves: altered ones do not open, and the session has none.
                let is_whole = key != &session.key || differs_in_tokens(value, &wrong);
                let kept = taken == (200, 200) && is_whole;
                assert!(
                    kept || taken == (302, 401),
                    "{taken:?} with {} bytes",
                    wrong.len()
                );
            }
            server.put(key, value);
            assert_eq!(statuses(&site, &copied), (200, 200));
        }
        server.remove(&session.key);
        assert_eq!(statuses(&site, &copied), (302, 401));
        oxd_tests::sign_in(&browser, site.url("/app/")).page.expect(200);
    }

    /// Users who never sign out do not fill the store: the server forgets what nobody can use any more.
    fn the_store_keeps_nothing_for_ever(store: Store) {
        let server = store.server();
        for (lifetime, idle) in [(8 * 3600, 3600), (600, 8 * 3600), (60, 60)] {
            let site = site(&store)
                .directives(&format!("OxdSessionLifetime {lifetime}s\nOxdSessionIdle {idle}s"))
                .directives("OxdSessionMax 3")
                .start();
            let before = server.entries();
            let (browser, other) = (site.signed_in(), site.signed_in());
            let mut entries = server.entries();
            entries.extend(server.sets());
            entries.retain(|entry| before.iter().all(|old| old.key != entry.key));
            assert!(entries.len() >= 2, "{entries:?}");
            for entry in &entries {
                let left = entry.left.expect("an end").as_secs();
                assert!((30..=lifetime + 60).contains(&left), "{left} of {lifetime}");
            }
            // A session that has ended is gone.
            browser.get(site.url("/oxd/logoutme")).expect(303);
            other.get(site.url("/oxd/logoutme")).expect(303);
            assert!(server.sets().is_empty(), "of sessions that have ended");
            for entry in server.entries() {
                let same = |old: &&oxd_tests::Entry| old.key == entry.key && old.value == entry.value;
                assert!(entries.iter().find(same).is_none(), "{entry:?} is still there");
            }
        }
        // And by itself.
        let site = site(&store)
            .directives("OxdSessionLifetime 2s\nOxdSessionIdle 2s")
            .start();
        let before: Vec<_> = server.entries().into_iter().map(|entry| entry.key).collect();
        let browser = site.signed_in();
        let left = server
            .entries()
            .into_iter()
            .filter(|entry| !before.contains(&entry.key));
        let left: Vec<_> = left.filter_map(|entry| entry.left).collect();
        assert!(!left.is_empty());
        assert!(
            left.iter().all(|left| *left <= Duration::from_secs(62)),
            "{left:?}"
        );
        pass(Duration::from_millis(3500));
        expect_nobody(&site, &browser);
    }

    /// A request with a session costs one question to the store; that the session was used is written down
    /// now and then only.
    fn requests_read_and_do_not_write(store: Store) {
        const REQUESTS: u64 = 300;
        let site = site(&store).directives("OxdSessionIdle 8h").start();
        let browser = site.signed_in();
        let server = store.server();
        let (writes, reads) = (server.writes(), server.reads());
        for _ in 0..REQUESTS {
            browser.get(site.url("/app/1k.bin")).expect(200);
        }
        let (written, read) = (server.writes() - writes, server.reads() - reads);
        assert!(written <= 3, "{written} writes for {REQUESTS} requests");
        let most = REQUESTS + REQUESTS / 10;
        assert!((1..=most).contains(&read), "{read} reads for {REQUESTS} requests");
        // Pages that are open to everybody do not ask the store.
        let reads = server.reads();
        for _ in 0..50 {
            browser.get(site.url("/1k.bin")).expect(200);
        }
        assert_eq!(server.reads(), reads);
    }
}

/// Shared memory that is too small for all users: who signed in last is in, who signed in first signs in again, and
/// nobody is in a loop or sees an error.
#[test]
fn a_full_shared_memory_forgets_the_oldest() {
    let site = TestSite::builder()
        .httpd(|httpd| httpd.load("socache_shmcb"))
        .directives(&format!("OxdCryptoKey {KEY}"))
        .directives("OxdSessionStore \"shmcb:${ROOT}/run/small(131072)\"")
        .start();
    site.httpd.allow_log(r"\[socache_shmcb:");
    let browsers: Vec<_> = (0..150).map(|_| site.signed_in()).collect();
    let inside = |browser: &&Browser| site.user(&browser.copy()).is_some();
    let alive = browsers.iter().filter(inside).count();
    assert!((5..150).contains(&alive), "{alive} sessions of 150");
    for browser in &browsers {
        if !inside(&browser) {
            expect_nobody(&site, browser);
        }
    }
    oxd_tests::sign_in(&browsers[0], site.url("/app/"))
        .page
        .expect(200);
    expect_user(&site, &browsers[0], DEMO_SUB);
}

/// Text that does not get smaller by compression.
fn noise(length: usize) -> String {
    let mut seed: u32 = 1;
    let mut next = || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"[(seed >> 26) as usize]
    };
    (0..length).map(|_| char::from(next())).collect()
}

/// Whoever gets hold of a store, or of a copy of it, learns nobody's name, address or token from it.
fn nothing_readable_is_in_the_store(store: Store) {
    let site = site(&store)
        .directives("OxdSessionMax 5\nOxdPassTokens access_token id_token refresh_token")
        .start();
    let empty = content(&site, &store);
    let browser = Browser::new();
    let walk = oxd_tests::sign_in(&browser, site.url("/app/env"));
    let environment = walk.page.environment();
    let content = content(&site, &store);
    assert_ne!(content, empty, "the session is somewhere else");
    let mut secrets: Vec<String> = ["ACCESS", "ID", "REFRESH"]
        .map(|kind| environment[&format!("OXD_{kind}_TOKEN")].clone())
        .into();
    secrets.extend(
        [
            DEMO_SUB,
            "test_user",
            "Vienna",
            "example.org",
            "preferred_username",
        ]
        .map(str::to_owned),
    );
    for secret in secrets {
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for spelling in [secret.clone(), hex.to_uppercase(), hex] {
            let found = content
                .windows(spelling.len())
                .any(|window| window == spelling.as_bytes());
            assert!(!found, "{secret} is in the store as {spelling}");
        }
    }
}

/// All that a store holds, as bytes.
fn content(site: &TestSite, store: &Store) -> Vec<u8> {
    match store.kind() {
        StoreKind::Redis | StoreKind::RedisUrl | StoreKind::Memcache => {
            let server = store.server();
            let entries = [server.entries(), server.sets()].concat();
            entries
                .into_iter()
                .flat_map(|entry| [entry.key, entry.value].concat())
                .collect()
        }
        StoreKind::Dbm => {
            let files = fs::read_dir(site.httpd.file("run")).expect("the directory of the store");
            let files = files.map(|file| file.expect("a file").path());
            let mut files: Vec<_> = files
                .filter(|file| file.to_string_lossy().contains("sessions"))
                .collect();
            files.sort();
            files
                .iter()
                .flat_map(|file| fs::read(file).expect("a file of the store"))
                .collect()
        }
        _ => shared_memory(site.httpd.pid()),
    }
}

/// What a process shares with others.
fn shared_memory(pid: u32) -> Vec<u8> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("the process's map");
    let memory = fs::File::open(format!("/proc/{pid}/mem")).expect("the process's memory");
    let mut content = Vec::new();
    for line in maps.lines() {
        // As in `7f00c000-7f00d000 rw-s 00000000 00:01 5 /dev/zero (deleted)`.
        let mut fields = line.split(' ');
        let (range, rights) = (fields.next().unwrap_or(""), fields.next().unwrap_or(""));
        let bounds = range.split_once('-').map(|(begin, end)| {
            let number = |text: &str| u64::from_str_radix(text, 16).expect("an address");
            (number(begin), number(end))
        });
        let Some((begin, end)) = bounds.filter(|_| rights.starts_with("rw-s")) else {
            continue;
        };
        let mut bytes = vec![0; usize::try_from(end - begin).expect("a length")];
        let read = memory.read_at(&mut bytes, begin).unwrap_or(0);
        content.extend_from_slice(&bytes[..read]);
    }
    content
}

/// Whether a session's entry differs only behind its sealed record, whose length stands in its second word.
fn differs_in_tokens(entry: &[u8], other: &[u8]) -> bool {
    let word: [u8; 4] = entry[4..8].try_into().expect("four bytes");
    let record = 12 + u32::from_le_bytes(word) as usize;
    entry.len() == other.len() && entry[..record] == other[..record]
}
