//! How often a child connects oxd and shakes hands with it: a connection serves many logins, of all threads.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use oxd_dev::Fault;
use oxd_tests::{Browser, Mpm, SiteBuilder, TestSite, begin, sign_in};

/// A proxy whose tunnels lead to oxd, and which sees how each begins.
#[derive(Clone)]
struct Tunnels {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Of each TLS session: whether it resumes an earlier one.
    resumed: Vec<bool>,
    open: Vec<TcpStream>,
}

impl Tunnels {
    fn start() -> Tunnels {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port for the proxy");
        let port = listener.local_addr().expect("an address").port();
        let tunnels = Tunnels {
            port,
            state: Arc::default(),
        };
        let listening = tunnels.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let tunnels = listening.clone();
                std::thread::spawn(move || tunnels.dig(client));
            }
        });
        tunnels
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dig(&self, mut client: TcpStream) -> Option<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            client.read_exact(&mut byte).ok()?;
            head.extend(byte);
        }
        let head = String::from_utf8(head).ok()?;
        let mut server = TcpStream::connect(head.strip_prefix("CONNECT ")?.split(' ').next()?).ok()?;
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
        let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
        self.state().open.push(client.try_clone().ok()?);
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
        });
        let hello = record(&mut server)?;
        self.state().resumed.push(is_resumed(&hello)?);
        client.write_all(&hello).ok()?;
        let _ = std::io::copy(&mut server, &mut client);
        let _ = client.shutdown(Shutdown::Both);
        Some(())
    }

    /// Of each handshake until now: whether it resumed an earlier session.
    fn resumed(&self) -> Vec<bool> {
        self.state().resumed.clone()
    }

    /// Ends all connections, as oxd does with those that nobody uses.
    fn end_all(&self) {
        for stream in self.state().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn site(&self) -> SiteBuilder {
        let proxy = format!("OxdServerProxy http://127.0.0.1:{}", self.port);
        TestSite::builder().oxd_over_tls().directives(&format!(
            "{proxy}\nOxdServerCAFile ${{ROOT}}/oxd-ca.pem\nOxdServerMaxCalls 16"
        ))
    }
}

/// One record of TLS (RFC 8446 section 5.1).
fn record(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut record = vec![0; 5];
    from.read_exact(&mut record).ok()?;
    record.resize(5 + usize::from(u16::from_be_bytes([record[3], record[4]])), 0);
    from.read_exact(&mut record[5..]).ok()?;
    Some(record)
}

/// Whether a `ServerHello` takes the key of an earlier session (RFC 8446 section 4.2.11).
fn is_resumed(hello: &[u8]) -> Option<bool> {
    const PRE_SHARED_KEY: [u8; 2] = [0, 41];
    let after_random = hello.get(5 + 4 + 2 + 32..)?;
    let (&session, rest) = after_random.split_first()?;
    let mut extensions = rest.get(usize::from(session) + 2 + 1 + 2..)?;
    while let [a, b, c, d, rest @ ..] = extensions {
        if [*a, *b] == PRE_SHARED_KEY {
            return Some(true);
        }
        extensions = rest.get(usize::from(u16::from_be_bytes([*c, *d]))..)?;
    }
    Some(false)
}

fn one_after_another(mpm: Mpm) {
    let tunnels = Tunnels::start();
    let (children, threads) = if mpm == Mpm::Prefork { (1, 1) } else { (1, 16) };
    let site = tunnels
        .site()
        .mpm(mpm)
        .httpd(|httpd| httpd.processes(children, threads))
        .start();
    for _ in 0..8 {
        sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
    }
    // The client's pool takes a connection back a moment after the answer: a call that comes sooner opens another one,
    // which resumes the TLS session.
    let handshakes = tunnels.resumed();
    assert!(handshakes.len() <= 2, "handshakes of 25 calls: {handshakes:?}");
    assert_eq!(
        handshakes.iter().filter(|resumed| !**resumed).count(),
        1,
        "{handshakes:?}"
    );
}

#[test]
fn logins_one_after_another_share_a_connection_under_event() {
    one_after_another(Mpm::Event);
}

#[test]
fn logins_one_after_another_share_a_connection_under_prefork() {
    one_after_another(Mpm::Prefork);
}

#[test]
fn calls_at_the_same_time_have_a_connection_each_and_keep_it() {
    let tunnels = Tunnels::start();
    let site = tunnels.site().httpd(|httpd| httpd.processes(1, 16)).start();
    begin(&Browser::new(), site.url("/app/"));
    let fault = Fault::Delay(Duration::from_secs(1));
    for _ in 0..2 {
        for _ in 0..6 {
            site.oxd.fault("get-authorization-url", fault.clone());
        }
        let barrier = Barrier::new(6);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    barrier.wait();
                    begin(&Browser::new(), site.url("/app/"));
                });
            }
        });
    }
    let handshakes = tunnels.resumed();
    assert!((2..=6).contains(&handshakes.len()), "{handshakes:?}");
    // A ticket resumes one session (RFC 8446 appendix C.4), and the first handshake has brought two.
    let resumed = handshakes.iter().filter(|resumed| **resumed).count();
    assert!(resumed >= 2.min(handshakes.len() - 1), "{handshakes:?}");
    for _ in 0..4 {
        sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
    }
    assert_eq!(tunnels.resumed().len(), handshakes.len());
}

#[test]
fn a_connection_that_oxd_has_ended_is_replaced_and_nobody_notices() {
    let tunnels = Tunnels::start();
    let site = tunnels.site().httpd(|httpd| httpd.processes(1, 16)).start();
    for number in 1..=3 {
        sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
        let handshakes = tunnels.resumed();
        assert!(handshakes.len() >= number, "{handshakes:?}");
        // All but the first resume it.
        assert_eq!(
            handshakes.iter().position(|resumed| !resumed),
            Some(0),
            "{handshakes:?}"
        );
        assert_eq!(
            handshakes.iter().filter(|resumed| !**resumed).count(),
            1,
            "{handshakes:?}"
        );
        tunnels.end_all();
    }
}
