//! One connection for many requests, without a client library between: for tests that ask a hundred thousand
//! times.

use std::io::{BufRead, BufReader, Error, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to httpd that stays open, and is opened again when httpd has closed it.
pub struct Connection {
    address: SocketAddr,
    stream: Option<BufReader<TcpStream>>,
}

/// An answer with no more of its header than was asked for.
#[derive(Debug, Default)]
pub struct Brief {
    /// The status code.
    pub status: u16,
    /// The value of the header field that was asked for, if the answer has it.
    pub field: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

impl Connection {
    /// A connection to be opened with the first request.
    pub fn new(address: SocketAddr) -> Connection {
        Connection {
            address,
            stream: None,
        }
    }

    /// Asks for a page with this `Cookie` field and looks for one field of the answer's header.
    pub fn get(&mut self, path: &str, cookie: &str, field: &str) -> Result<Brief> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect(self.address)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_nodelay(true)?;
                BufReader::new(stream)
            }
        };
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/html\r\nCookie: {cookie}\r\n\r\n",
            self.address
        );
        stream.get_mut().write_all(request.as_bytes())?;
        let (brief, stays) = answer(&mut stream, field)?;
        self.stream = stays.then_some(stream);
        Ok(brief)
    }
}

/// Reads an answer; also says whether the connection stays open.
fn answer(stream: &mut BufReader<TcpStream>, wanted: &str) -> Result<(Brief, bool)> {
    let odd = |line: &str| Error::other(format!("not an answer: {line:?}"));
    let mut brief = Brief::default();
    let (mut length, mut stays) = (None, true);
    let mut line = String::new();
    stream.read_line(&mut line)?;
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    brief.status = status.ok_or_else(|| odd(&line))?;
    loop {
        line.clear();
        stream.read_line(&mut line)?;
        let trimmed = line.trim_end();
        if trimmed.is_empty() {
            break;
        }
        let (name, value) = trimmed.split_once(": ").unwrap_or((trimmed, ""));
        if name.eq_ignore_ascii_case("content-length") {
            length = value.parse().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            stays = !value.eq_ignore_ascii_case("close");
        }
        if name.eq_ignore_ascii_case(wanted) {
            brief.field = Some(value.to_owned());
        }
    }
    // A static file or a page of the module: both know their length.
    let length: usize = length.ok_or_else(|| odd("without a length"))?;
    brief.body.resize(length, 0);
    stream.read_exact(&mut brief.body)?;
    Ok((brief, stays))
}
