//! Several stores in one httpd.

use oxd_tests::{Browser, DEMO_SUB, Mpm, Store, StoreKind, StoreServer, TestSite, sign_in};

use super::common::*;

/// What makes a part of the server one with a store and a cookie of its own.
fn place(name: &str, store: &Store) -> String {
    format!(
        "<Location /{name}>\n{}\nOxdCookieName session_{name}\nOxdCookiePath /{name}\n</Location>",
        store.directive()
    )
}

fn user(site: &TestSite, browser: &Browser, place: &str) -> Option<String> {
    let session = browser.get(site.url(&format!("/{place}/oxd/session"))).json();
    session["user"].as_str().map(str::to_owned)
}

fn places_with_stores_of_their_own(mpm: Mpm) {
    let kinds = [
        StoreKind::Cookie,
        StoreKind::Shmcb,
        StoreKind::Redis,
        StoreKind::RedisUrl,
        StoreKind::Memcache,
        StoreKind::Dbm,
    ];
    let mut stores: Vec<(String, Store)> = kinds
        .iter()
        .map(|kind| (format!("{kind:?}").to_lowercase(), kind.start()))
        .collect();
    // Two of one kind.
    stores.push(("second".to_owned(), Store::at(StoreServer::redis())));
    let mut builder = TestSite::builder()
        .mpm(mpm)
        .directives(&format!("OxdCryptoKey {KEY}"));
    for (name, store) in &stores {
        builder = builder
            .another_site(name)
            .config(&place(name, store))
            .httpd(|httpd| {
                let module = store.kind().module();
                module.into_iter().fold(httpd, |httpd, module| httpd.load(module))
            });
    }
    let site = builder.start();
    let browser = Browser::new();
    for (name, _) in &stores {
        sign_in(&browser, site.url(&format!("/{name}/app/")))
            .page
            .expect(200);
    }
    for (name, store) in &stores {
        assert_eq!(user(&site, &browser, name).as_deref(), Some(DEMO_SUB), "{name}");
        if matches!(
            store.kind(),
            StoreKind::Redis | StoreKind::RedisUrl | StoreKind::Memcache
        ) {
            assert!(!store.server().entries().is_empty(), "{name}");
        }
    }
    for (number, (name, _)) in stores.iter().enumerate() {
        let copy = browser.copy();
        browser
            .get(site.url(&format!("/{name}/oxd/logoutme")))
            .expect(303);
        assert_eq!(user(&site, &copy, name), None, "{name}");
        for (other, _) in &stores[number + 1..] {
            assert_eq!(user(&site, &browser, other).as_deref(), Some(DEMO_SUB), "{other}");
        }
    }
}

/// Each place keeps its sessions where its directive says, and signing out of one place is not signing out
/// of another.
#[test]
fn places_with_stores_of_their_own_under_event() {
    places_with_stores_of_their_own(Mpm::Event);
}

/// The same with a process for each connection.
#[test]
fn places_with_stores_of_their_own_under_prefork() {
    places_with_stores_of_their_own(Mpm::Prefork);
}

/// When one of two stores is gone, the places of the other go on.
#[test]
fn a_place_does_not_suffer_from_anothers_store() {
    let (mut gone, well) = (
        Store::at(StoreServer::redis()),
        Store::at(StoreServer::memcached()),
    );
    let site = TestSite::builder()
        .directives(&format!("OxdCryptoKey {KEY}"))
        .another_site("gone")
        .another_site("well")
        .config(&place("gone", &gone))
        .config(&place("well", &well))
        .httpd(|httpd| httpd.load("socache_redis").load("socache_memcache"))
        .start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    site.httpd.allow_log(r"\[socache_\w+:");
    let browser = Browser::new();
    for name in ["gone", "well"] {
        sign_in(&browser, site.url(&format!("/{name}/app/")))
            .page
            .expect(200);
    }
    gone.server_mut().kill();
    for _ in 0..10 {
        expect_unavailable(&browser.get(site.url("/gone/app/")));
        browser.get(site.url("/well/app/")).expect(200);
    }
    gone.server_mut().start();
    gone.server().stall();
    for _ in 0..3 {
        expect_unavailable(&browser.get(site.url("/gone/app/")));
        browser.get(site.url("/well/app/")).expect(200);
    }
    sign_in(&Browser::new(), site.url("/well/app/")).page.expect(200);
}
