//! The store servers of the bed.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use oxd_tests::{Browser, Httpd, Store, StoreKind, StoreServer};

const SERVERS: [fn() -> StoreServer; 2] = [StoreServer::redis, StoreServer::memcached];

/// What a server answers to one line within a moment; `None` when it says nothing.
fn said(server: &StoreServer, line: &str) -> std::io::Result<Option<String>> {
    let mut stream = TcpStream::connect(server.address())?;
    stream.set_read_timeout(Some(Duration::from_millis(300)))?;
    stream.write_all(line.as_bytes())?;
    let mut answer = [0; 100];
    match stream.read(&mut answer) {
        Ok(length) => Ok(Some(String::from_utf8_lossy(&answer[..length]).into_owned())),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}

/// Stores one value, as an httpd would.
fn store(server: &StoreServer, key: &str, value: &str) {
    let line = match server.kind() {
        StoreKind::Redis => format!("SETEX {key} 600 {value}\r\n"),
        _ => format!("set {key} 0 600 {}\r\n{value}\r\n", value.len()),
    };
    let answer = said(server, &line).expect("a connection").expect("an answer");
    assert!(["+OK\r\n", "STORED\r\n"].contains(&answer.as_str()), "{answer}");
}

/// A server that is stopped or killed refuses connections, and is found empty on its port when it is
/// started again.
#[test]
fn a_store_server_stops_and_comes_back_empty() {
    for start in SERVERS {
        let mut server = start();
        let address = server.address();
        for end in [StoreServer::stop, StoreServer::kill] {
            store(&server, "key", "value");
            assert_eq!(server.entries().len(), 1);
            end(&mut server);
            let refused = TcpStream::connect(address).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            server.start();
            assert_eq!(server.address(), address);
            assert!(server.entries().is_empty());
        }
    }
}

/// Only the server that was asked for it keeps its entries beyond its end.
#[test]
fn a_persistent_store_server_comes_back_as_it_was() {
    let mut server = StoreServer::persistent_redis();
    store(&server, "key", "value");
    server.kill();
    server.start();
    assert_eq!(server.entries()[0].value, b"value");
}

/// A stalled server accepts connections, says nothing, and answers when it goes on. It can be ended
/// while it is stalled.
#[test]
fn a_stalled_store_server_says_nothing_until_it_goes_on() {
    for start in SERVERS {
        let mut server = start();
        let question = match server.kind() {
            StoreKind::Redis => "PING\r\n",
            _ => "version\r\n",
        };
        store(&server, "key", "value");
        server.stall();
        assert_eq!(said(&server, question).unwrap(), None);
        server.go_on();
        let answer = said(&server, question).unwrap().expect("an answer");
        assert!(
            answer.starts_with("+PONG") || answer.starts_with("VERSION"),
            "{answer}"
        );
        assert_eq!(server.entries().len(), 1);
        server.stall();
        server.stop();
        server.start();
        assert!(server.entries().is_empty());
        // And dropped: the test ends.
        server.stall();
    }
}

/// What a server keeps can be read, counted, changed and removed from outside.
#[test]
fn a_store_server_can_be_looked_into() {
    for start in SERVERS {
        let server = start();
        assert_eq!((server.writes(), server.reads()), (0, 0));
        for number in 0..50 {
            store(&server, &format!("k%{number:02}"), &format!("value{number}"));
        }
        assert_eq!(server.writes(), 50);
        let entries = server.entries();
        assert_eq!(server.reads(), 50);
        assert_eq!(entries.len(), 50);
        for (number, entry) in entries.iter().enumerate() {
            assert_eq!(entry.key, format!("k%{number:02}").into_bytes());
            assert_eq!(entry.value, format!("value{number}").into_bytes());
            let left = entry.left.expect("an end").as_secs();
            assert!((590..=601).contains(&left), "{left}");
        }
        server.put(&entries[7].key, b"\0\r\n\xff");
        server.remove(&entries[8].key);
        let changed = server.entries();
        assert_eq!(changed.len(), 49);
        assert_eq!(changed[7].value, b"\0\r\n\xff");
        assert!(changed[7].left.is_some());
        assert_eq!(changed[8].key, entries[9].key);
    }
}

/// A full Redis refuses what it has no room for, and still hands out what it has.
#[test]
fn a_redis_can_be_full() {
    let server = StoreServer::redis();
    store(&server, "key", "value");
    server.fill(true);
    let answer = said(&server, "SETEX other 600 value\r\n")
        .unwrap()
        .expect("an answer");
    assert!(answer.starts_with("-OOM"), "{answer}");
    assert_eq!(server.entries().len(), 1);
    server.fill(false);
    store(&server, "other", "value");
    assert_eq!(server.entries().len(), 2);
}

/// httpd takes the modules that the stores need.
#[test]
fn every_store_has_its_module_loaded() {
    for kind in [
        StoreKind::Shmcb,
        StoreKind::Redis,
        StoreKind::Memcache,
        StoreKind::Dbm,
    ] {
        let module = kind.module().expect("a module");
        let httpd = Httpd::builder().without_module().load(module).start();
        Browser::new().get(httpd.url("/")).expect(200);
    }
    let store = Store::at(StoreServer::redis());
    assert_eq!(
        store.directive(),
        format!("OxdSessionStore \"redis:{}\"", store.server().address())
    );
    assert!(StoreKind::Cookie.start().directive().ends_with("\"cookie\""));
}
