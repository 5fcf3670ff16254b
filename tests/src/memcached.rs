//! As much of memcached's protocol as a test needs to look into its store.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::store_server::{Entry, PATIENCE};
use crate::wait::wait_until;

/// A connection to a memcached server.
pub(crate) struct Memcached {
    stream: BufReader<TcpStream>,
}

impl Memcached {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Memcached {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("memcached: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Memcached {
            stream: BufReader::new(stream),
        }
    }

    pub(crate) fn is_ready(&mut self) -> bool {
        let sent = self.stream.get_mut().write_all(b"version\r\n");
        let mut line = String::new();
        sent.is_ok() && self.stream.read_line(&mut line).is_ok() && line.starts_with("VERSION")
    }

    #[track_caller]
    pub(crate) fn entries(&mut self) -> Vec<Entry> {
        let mut keys = None;
        wait_until("memcached's crawler", || {
            keys = self.keys();
            keys.is_some()
        });
        let keys = keys.unwrap_or_default();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let mut entries = Vec::new();
        for (key, end) in keys {
            let left = end.map(|end| Duration::from_secs(end.saturating_sub(now)));
            if let Some(value) = self.value(&key) {
                entries.push(Entry { key, value, left });
            }
        }
        entries
    }

    /// Its keys, and when each ends in seconds since 1970; `None` while its crawler is at other work: that starts
    /// by itself too, and there is only one.
    #[track_caller]
    fn keys(&mut self) -> Option<Vec<(Vec<u8>, Option<u64>)>> {
        self.send(b"lru_crawler metadump all\r\n");
        // As in `key=a%20b exp=1700000000 la=... size=80`; the time is -1 for an entry without an end.
        let mut keys = Vec::new();
        loop {
            let line = self.line();
            if line == "END" {
                return Some(keys);
            }
            if line.starts_with("BUSY ") {
                return None;
            }
            let field = |name: &str| line.split(' ').find_map(|field| field.strip_prefix(name));
            let (Some(key), Some(end)) = (field("key="), field("exp=")) else {
                panic!("memcached does not list its keys: {line}");
            };
            let end = end.parse::<i64>().expect("the time of an entry's end");
            keys.push((unescape(key), u64::try_from(end).ok()));
        }
    }

    #[track_caller]
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) {
        let length = format!(" 0 1000 {}\r\n", value.len());
        self.send(&[b"set ", key, length.as_bytes(), value, b"\r\n"].concat());
        assert_eq!(self.line(), "STORED");
    }

    #[track_caller]
    pub(crate) fn remove(&mut self, key: &[u8]) {
        self.send(&[b"delete ", key, b"\r\n"].concat());
        assert_eq!(self.line(), "DELETED");
    }

    /// One of its counters.
    #[track_caller]
    pub(crate) fn count(&mut self, counter: &str) -> u64 {
        self.send(b"stats\r\n");
        let mut found = None;
        loop {
            let line = self.line();
            if line == "END" {
                return found.unwrap_or_else(|| panic!("memcached does not count {counter}"));
            }
            let value = line
                .strip_prefix("STAT ")
                .and_then(|stat| stat.strip_prefix(counter)?.strip_prefix(' '));
            found = found.or_else(|| value?.parse().ok());
        }
    }

    fn value(&mut self, key: &[u8]) -> Option<Vec<u8>> {
        self.send(&[b"get ", key, b"\r\n"].concat());
        let head = self.line();
        if head == "END" {
            return None;
        }
        let length = head.rsplit(' ').next().and_then(|length| length.parse().ok());
        let length: usize = length.unwrap_or_else(|| panic!("memcached says {head:?}"));
        let mut value = vec![0; length + 2];
        self.stream.read_exact(&mut value).expect("a value of memcached");
        value.truncate(length);
        assert_eq!(self.line(), "END");
        Some(value)
    }

    #[track_caller]
    fn send(&mut self, request: &[u8]) {
        let sent = self.stream.get_mut().write_all(request);
        sent.unwrap_or_else(|error| panic!("memcached: {error}"));
    }

    #[track_caller]
    fn line(&mut self) -> String {
        let mut line = String::new();
        let read = self.stream.read_line(&mut line);
        let length = read.unwrap_or_else(|error| panic!("memcached: {error}"));
        assert!(length > 0, "memcached closed the connection");
        line.trim_end().to_owned()
    }
}

/// Undoes `%20`.
fn unescape(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let code = after.get(..2).filter(|_| byte == b'%');
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        bytes.push(code.unwrap_or(byte));
        rest = &after[code.map_or(0, |_| 2)..];
    }
    bytes
}
