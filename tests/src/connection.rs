//! One connection for many requests, without a client library between: for tests that ask a hundred thousand
//! times.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Result, Write};
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
    ///
    /// As any client it asks again when httpd has closed a connection that was used before.
    pub fn get(&mut self, path: &str, cookie: &str, field: &str) -> Result<Brief> {
        self.get_with(path, &format!("Accept: text/html\r\nCookie: {cookie}"), field)
    }

    /// The same with these lines in the request's header.
    pub fn get_with(&mut self, path: &str, lines: &str, field: &str) -> Result<Brief> {
        self.request("GET", path, lines, field)
    }

    /// The same with another method.
    pub fn request(&mut self, method: &str, path: &str, lines: &str, field: &str) -> Result<Brief> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\n{lines}\r\n\r\n",
            self.address
        );
        if let Some(stream) = self.stream.take()
            && let Some(brief) = self.ask(stream, &request, field)?
        {
            return Ok(brief);
        }
        let stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let brief = self.ask(BufReader::new(stream), &request, field)?;
        brief.ok_or_else(|| Error::other("no answer on a new connection"))
    }

    /// Asks on a connection and keeps it; `None` when httpd has closed it.
    fn ask(&mut self, mut stream: BufReader<TcpStream>, request: &str, field: &str) -> Result<Option<Brief>> {
        let gone = |error: &Error| matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset);
        let begun = stream.get_mut().write_all(request.as_bytes());
        match begun.and_then(|()| Ok(stream.fill_buf()?.is_empty())) {
            Ok(false) => {}
            Ok(true) => return Ok(None),
            Err(error) if gone(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
        let (brief, stays) = answer(&mut stream, field)?;
        self.stream = stays.then_some(stream);
        Ok(Some(brief))
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
