//! The way to oxd through an HTTP proxy, and only where that is said.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use oxd_tests::{Browser, TestSite, sign_in};

/// A proxy that notes the first line of each request it gets and hands on the bytes.
struct Proxy {
    port: u16,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    fn start() -> Proxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port for the proxy");
        let port = listener.local_addr().expect("an address").port();
        let lines = Arc::new(Mutex::new(Vec::new()));
        let noted = lines.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let noted = noted.clone();
                std::thread::spawn(move || serve(client, &noted));
            }
        });
        Proxy { port, lines }
    }

    fn lines(&self) -> Vec<String> {
        self.lines.lock().expect("a list of lines").clone()
    }
}

fn serve(mut client: TcpStream, noted: &Mutex<Vec<String>>) -> Option<()> {
    let mut head = vec![0; 16 * 1024];
    let length = client.read(&mut head).ok()?;
    head.truncate(length);
    let text = String::from_utf8_lossy(&head).into_owned();
    let line = text.lines().next()?.to_owned();
    let target = line.split(' ').nth(1)?.trim_start_matches("http://").to_owned();
    let tunnel = line.starts_with("CONNECT ");
    noted.lock().ok()?.push(line);
    let mut server = TcpStream::connect(target.split('/').next()?).ok()?;
    if tunnel {
        client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    } else {
        server.write_all(&head).ok()?;
    }
    let (mut from, mut to) = (server.try_clone().ok()?, client.try_clone().ok()?);
    std::thread::spawn(move || std::io::copy(&mut from, &mut to));
    std::io::copy(&mut client, &mut server).ok()?;
    Some(())
}

#[test]
fn calls_take_the_way_through_the_proxy() {
    let proxy = Proxy::start();
    let directive = format!("OxdServerProxy http://127.0.0.1:{}", proxy.port);
    let site = TestSite::builder().directives(&directive).start();
    sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
    let lines = proxy.lines();
    let oxd = format!("POST {}/", site.oxd.url());
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line.starts_with(&oxd)),
        "{lines:?}"
    );
}

#[test]
fn https_goes_through_a_tunnel() {
    let proxy = Proxy::start();
    let directive = format!("OxdServerProxy http://127.0.0.1:{}", proxy.port);
    let site = TestSite::builder()
        .oxd_over_tls()
        .directives(&format!("{directive}\nOxdServerCAFile ${{ROOT}}/oxd-ca.pem"))
        .start();
    sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
    let lines = proxy.lines();
    assert!(
        !lines.is_empty() && lines.iter().all(|line| line.starts_with("CONNECT ")),
        "{lines:?}"
    );
}

#[test]
fn the_environments_proxy_is_not_used() {
    let proxy = Proxy::start();
    let url = format!("http://127.0.0.1:{}", proxy.port);
    for directive in ["", "OxdServerProxy none"] {
        let site = TestSite::builder()
            .httpd(|httpd| {
                let names = [
                    "http_proxy",
                    "HTTP_PROXY",
                    "all_proxy",
                    "ALL_PROXY",
                    "HTTPS_PROXY",
                ];
                names
                    .iter()
                    .fold(httpd, |httpd, name| httpd.environment(name, &url))
            })
            .directives(directive)
            .start();
        sign_in(&Browser::new(), site.url("/app/")).page.expect(200);
    }
    assert_eq!(proxy.lines(), [""; 0]);
}

#[test]
fn a_proxy_that_is_away_is_oxd_away() {
    let nobody = oxd_tests::Port::reserve();
    let directive = format!("OxdServerProxy http://127.0.0.1:{}", nobody.number());
    let site = TestSite::builder().directives(&directive).start();
    site.httpd.allow_log(r"\[oxd:(warn|error)\]");
    let answer = Browser::new().get(site.url("/app/"));
    assert!(answer.expect(503).header("retry-after").is_some());
    site.expect_commands(&[]);
}
