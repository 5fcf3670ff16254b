//! What `configtest` says to `OxdSessionStore` and `OxdSessionMax`.

use oxd_tests::{ConfigTest, Httpd, StoreKind, StoreServer};

const MODULES: [&str; 4] = [
    "socache_shmcb",
    "socache_redis",
    "socache_memcache",
    "socache_dbm",
];

/// `configtest` with these modules of httpd's own loaded.
fn configtest(modules: &[&str], directives: &str) -> ConfigTest {
    let httpd = Httpd::builder().config(directives);
    let httpd = modules.iter().fold(httpd, |httpd, module| httpd.load(module));
    httpd.configtest()
}

/// The lines that speak of something.
fn lines<'a>(output: &'a str, about: &str) -> Vec<&'a str> {
    output.lines().filter(|line| line.contains(about)).collect()
}

/// Every store that the manual names is accepted.
#[test]
fn the_stores_of_the_manual_are_accepted() {
    for store in [
        "cookie",
        "shmcb",
        "shmcb:${ROOT}/run/here",
        "shmcb:${ROOT}/run/here(512000)",
        "redis:127.0.0.1:6379",
        "redis:localhost:6379",
        "memcache:127.0.0.1:11211",
        "memcache:127.0.0.1:11211,127.0.0.1:11212",
        "dbm:${ROOT}/run/here",
    ] {
        let directive = format!("OxdSessionStore \"{store}\"");
        let said = configtest(&MODULES, &directive);
        assert!(said.ok, "{store}: {}", said.output);
        let there = format!("<VirtualHost *:1>\n{directive}\n</VirtualHost>");
        for context in [
            format!("<Location /app>\n{directive}\n</Location>"),
            format!("<Directory \"${{DOCROOT}}/app\">\n{directive}\n</Directory>"),
            format!("<If \"true\">\n{directive}\n</If>"),
            there,
        ] {
            let said = configtest(&MODULES, &context);
            assert!(said.ok, "{context}: {}", said.output);
        }
    }
}

/// A mistake is found before httpd restarts, and the line about it names the directive.
#[test]
fn what_is_no_store_is_refused_with_one_line() {
    for store in [
        "",
        "cookies",
        "cookie:",
        "cookie:x",
        "file:/tmp/sessions",
        "redi:127.0.0.1:6379",
        ":127.0.0.1",
        "redis",
        "redis:",
        "redis:127.0.0.1:port",
        "redis:127.0.0.1:99999",
        "memcache",
        "memcache:",
        "memcache:127.0.0.1:port",
        "shmcb:${ROOT}/run/here(12",
        "shmcb:${ROOT}/run/here(many)",
        "shmcb:${ROOT}/run/here(10)",
    ] {
        let said = configtest(&MODULES, &format!("OxdSessionStore \"{store}\""));
        assert!(!said.ok, "{store:?} is accepted");
        let about = lines(&said.output, "OxdSessionStore");
        assert_eq!(about.len(), 1, "{store:?}: {}", said.output);
    }
    let said = configtest(&MODULES, "OxdSessionStore redis 127.0.0.1:6379");
    assert!(
        !said.ok && said.output.contains("OxdSessionStore"),
        "{}",
        said.output
    );
}

/// Where httpd's module for the store is not loaded, the administrator is told which line he needs.
#[test]
fn a_missing_module_is_named_with_its_line() {
    for (kind, store) in [
        (StoreKind::Shmcb, "shmcb:${ROOT}/run/here"),
        (StoreKind::Redis, "redis:127.0.0.1:6379"),
        (StoreKind::Memcache, "memcache:127.0.0.1:11211"),
        (StoreKind::Dbm, "dbm:${ROOT}/run/here"),
    ] {
        let module = kind.module().expect("a module");
        let others: Vec<_> = MODULES.into_iter().filter(|other| *other != module).collect();
        let said = configtest(&others, &format!("OxdSessionStore \"{store}\""));
        assert!(!said.ok, "{}", said.output);
        let about = lines(&said.output, "OxdSessionStore");
        assert_eq!(about.len(), 1, "{}", said.output);
        for part in [format!("mod_{module}"), format!("LoadModule {module}_module")] {
            assert!(about[0].contains(&part), "no {part} in {}", about[0]);
        }
    }
}

/// Sessions that live in browsers cannot be counted, and nobody shall believe they are.
#[test]
fn a_limit_of_sessions_needs_a_store() {
    for directives in ["OxdSessionMax 3", "OxdSessionMax 3\nOxdSessionStore cookie"] {
        let said = configtest(&MODULES, directives);
        assert!(!said.ok, "{directives}");
        assert!(
            !lines(&said.output, "OxdSessionMax").is_empty(),
            "{}",
            said.output
        );
    }
    let redis = "OxdSessionStore redis:127.0.0.1:6379";
    for order in [
        format!("{redis}\nOxdSessionMax 3"),
        format!("OxdSessionMax 3\n{redis}"),
    ] {
        let said = configtest(&MODULES, &order);
        assert!(said.ok, "{}", said.output);
    }
    for wrong in ["0", "-1", "x", "1.5", "99999999999999999999", ""] {
        let said = configtest(&MODULES, &format!("{redis}\nOxdSessionMax \"{wrong}\""));
        assert!(!said.ok, "{wrong:?} is accepted");
        assert!(
            !lines(&said.output, "OxdSessionMax").is_empty(),
            "{}",
            said.output
        );
    }
}

/// A server whose store listens nowhere still passes `configtest`: the store may be started later.
#[test]
fn a_store_that_is_not_there_yet_is_no_mistake() {
    let mut server = StoreServer::redis();
    server.stop();
    let store = oxd_tests::Store::at(server);
    let said = Httpd::builder().store(&store).configtest();
    assert!(said.ok, "{}", said.output);
}
