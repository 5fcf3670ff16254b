//! Requests that no client would send: the test's own bytes on a connection.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use url::Url;

use crate::answer::Answer;

/// How long an answer to a raw request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to httpd that gives up reading after a while.
pub fn raw_connection(address: SocketAddr) -> TcpStream {
    let connect = || -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(stream)
    };
    connect().unwrap_or_else(|error| panic!("connection to {address}: {error}"))
}

/// Sends these bytes on a connection of their own, reads until httpd closes it and takes the first
/// answer apart. The request should say `Connection: close`.
#[track_caller]
pub fn raw(address: SocketAddr, request: &[u8]) -> Answer {
    let mut stream = raw_connection(address);
    let mut bytes = Vec::new();
    stream
        .write_all(request)
        .unwrap_or_else(|error| panic!("sending to {address}: {error}"));
    // httpd resets the connection of a request that it did not read to its end.
    if let Err(error) = stream.read_to_end(&mut bytes)
        && bytes.is_empty()
    {
        panic!("no answer from {address}: {error}");
    }
    parse(address, &bytes)
}

#[track_caller]
fn parse(address: SocketAddr, bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no HTTP answer: {}", String::from_utf8_lossy(bytes)));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let name = HeaderName::from_bytes(name.as_bytes());
        let name = name.unwrap_or_else(|_| panic!("the header line {line:?}"));
        let value = HeaderValue::from_str(value.trim());
        headers.append(name, value.unwrap_or_else(|_| panic!("the header line {line:?}")));
    }
    Answer {
        url: Url::parse(&format!("http://{address}/")).expect("an address is a host and a port"),
        status: status.unwrap_or_else(|| panic!("no status line: {head}")),
        headers,
        body: bytes[end + 4..].to_vec(),
    }
}
