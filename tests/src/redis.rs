//! As much of Redis's protocol as a test needs to look into its store.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::store_server::{Entry, PATIENCE};

/// A connection to a Redis server.
pub(crate) struct Redis {
    stream: BufReader<TcpStream>,
}

/// An answer of Redis.
#[derive(Debug)]
enum Reply {
    Text(String),
    Error(String),
    Number(i64),
    Bytes(Option<Vec<u8>>),
    List(Vec<Reply>),
}

impl Redis {
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Redis {
        let stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("redis: {error}"));
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        Redis {
            stream: BufReader::new(stream),
        }
    }

    /// Whether it has started: it answers before, but with an error while it reads its files.
    pub(crate) fn is_ready(&mut self) -> bool {
        matches!(self.try_ask(&[b"PING"]), Ok(Reply::Text(answer)) if answer == "PONG")
    }

    #[track_caller]
    pub(crate) fn entries(&mut self) -> Vec<Entry> {
        self.all(false)
    }

    /// The sorted sets; the value of each is that of all its members.
    #[track_caller]
    pub(crate) fn sets(&mut self) -> Vec<Entry> {
        self.all(true)
    }

    fn members(&mut self, key: &[u8]) -> Reply {
        let Reply::List(members) = self.ask(&[b"ZRANGE", key, b"0", b"-1"]) else {
            panic!("redis does not list a set");
        };
        let bytes = members.into_iter().filter_map(|member| match member {
            Reply::Bytes(bytes) => bytes,
            _ => None,
        });
        Reply::Bytes(Some(bytes.flatten().collect()))
    }

    #[track_caller]
    fn all(&mut self, sets: bool) -> Vec<Entry> {
        let Reply::List(keys) = self.ask(&[b"KEYS", b"*"]) else {
            panic!("redis does not list its keys");
        };
        let keys = keys.into_iter().filter_map(|key| match key {
            Reply::Bytes(key) => key,
            _ => None,
        });
        let mut entries = Vec::new();
        for key in keys.collect::<Vec<_>>() {
            let is_set = matches!(self.ask(&[b"TYPE", &key]), Reply::Text(kind) if kind == "zset");
            if is_set != sets {
                continue;
            }
            let value = match is_set {
                true => self.members(&key),
                false => self.ask(&[b"GET", &key]),
            };
            let left = self.ask(&[b"PTTL", &key]);
            match (value, left) {
                (Reply::Bytes(Some(value)), Reply::Number(left)) => entries.push(Entry {
                    key,
                    value,
                    // -1: without an end; -2: it has ended meanwhile.
                    left: u64::try_from(left).ok().map(Duration::from_millis),
                }),
                (Reply::Bytes(None), _) => {}
                other => panic!("redis says of {}: {other:?}", String::from_utf8_lossy(&key)),
            }
        }
        entries
    }

    #[track_caller]
    pub(crate) fn put(&mut self, key: &[u8], value: &[u8]) {
        let answer = self.ask(&[b"SET", key, value, b"KEEPTTL"]);
        assert!(matches!(&answer, Reply::Text(text) if text == "OK"), "{answer:?}");
    }

    #[track_caller]
    pub(crate) fn remove(&mut self, key: &[u8]) {
        let answer = self.ask(&[b"DEL", key]);
        assert!(matches!(answer, Reply::Number(1)), "{answer:?}");
    }

    /// Sets one of its settings.
    #[track_caller]
    pub(crate) fn set(&mut self, setting: &str, value: &str) {
        let answer = self.ask(&[b"CONFIG", b"SET", setting.as_bytes(), value.as_bytes()]);
        assert!(matches!(&answer, Reply::Text(text) if text == "OK"), "{answer:?}");
    }

    /// How often these commands were called.
    #[track_caller]
    pub(crate) fn calls(&mut self, commands: &[&str]) -> u64 {
        let Reply::Bytes(Some(answer)) = self.ask(&[b"INFO", b"commandstats"]) else {
            panic!("redis does not count");
        };
        let answer = String::from_utf8_lossy(&answer).into_owned();
        // As in `cmdstat_get:calls=7,usec=20,...`.
        let counts = answer.lines().filter_map(|line| {
            let (command, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let count = rest.split(',').next()?.parse::<u64>().ok()?;
            commands.contains(&command).then_some(count)
        });
        counts.sum()
    }

    #[track_caller]
    fn ask(&mut self, words: &[&[u8]]) -> Reply {
        match self.try_ask(words) {
            Ok(Reply::Error(error)) => panic!("redis: {error}"),
            Ok(reply) => reply,
            Err(error) => panic!("redis: {error}"),
        }
    }

    fn try_ask(&mut self, words: &[&[u8]]) -> std::io::Result<Reply> {
        let mut request = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            request.extend(format!("${}\r\n", word.len()).bytes());
            request.extend_from_slice(word);
            request.extend_from_slice(b"\r\n");
        }
        self.stream.get_mut().write_all(&request)?;
        self.reply()
    }

    fn reply(&mut self) -> std::io::Result<Reply> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let odd = || std::io::Error::other(format!("not Redis: {line:?}"));
        let rest = line.trim_end().get(1..).ok_or_else(odd)?;
        let number = || rest.parse::<i64>().map_err(|_| odd());
        match line.as_bytes().first() {
            Some(b'+') => Ok(Reply::Text(rest.to_owned())),
            Some(b'-') => Ok(Reply::Error(rest.to_owned())),
            Some(b':') => Ok(Reply::Number(number()?)),
            Some(b'$') => {
                let Ok(length) = usize::try_from(number()?) else {
                    return Ok(Reply::Bytes(None));
                };
                let mut bytes = vec![0; length + 2];
                self.stream.read_exact(&mut bytes)?;
                bytes.truncate(length);
                Ok(Reply::Bytes(Some(bytes)))
            }
            Some(b'*') => {
                let length = usize::try_from(number()?).unwrap_or(0);
                (0..length)
                    .map(|_| self.reply())
                    .collect::<Result<_, _>>()
                    .map(Reply::List)
            }
            _ => Err(odd()),
        }
    }
}
