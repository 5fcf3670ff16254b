//! A Redis to measure, and a client that counts bytes.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A Redis that lives as long as this.
pub struct Redis {
    process: Child,
    port: u16,
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Redis {
    pub fn start() -> Result<Self, String> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|why| why.to_string())?.port();
        let process = Command::new("redis-server")
            .args([
                "--save",
                "",
                "--appendonly",
                "no",
                "--bind",
                "127.0.0.1",
                "--port",
            ])
            .arg(port.to_string())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|why| format!("redis-server: {why}"))?;
        let redis = Self { process, port };
        for _ in 0..100 {
            if Client::new(&redis).is_ok() {
                return Ok(redis);
            }
            thread::sleep(Duration::from_millis(50));
        }
        Err("redis-server does not answer".to_owned())
    }
}

pub struct Client {
    stream: BufReader<TcpStream>,
    /// The bytes of all answers.
    pub bytes: usize,
}

/// An answer, as far as it matters here.
pub enum Answer {
    Number(u64),
    Bytes(Vec<u8>),
    List(Vec<Answer>),
    Nothing,
}

impl Client {
    pub fn new(redis: &Redis) -> Result<Self, String> {
        let stream = TcpStream::connect(("127.0.0.1", redis.port)).map_err(|why| why.to_string())?;
        stream.set_nodelay(true).map_err(|why| why.to_string())?;
        Ok(Self {
            stream: BufReader::with_capacity(1 << 16, stream),
            bytes: 0,
        })
    }

    pub fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.stream
            .get_mut()
            .write_all(bytes)
            .map_err(|why| why.to_string())
    }

    pub fn read(&mut self) -> Result<Answer, String> {
        let mut line = String::new();
        let count = self.stream.read_line(&mut line);
        self.bytes += count.map_err(|why| why.to_string())?;
        let (kind, rest) = line.trim_end().split_at_checked(1).ok_or("no answer")?;
        let number = rest.parse::<i64>().unwrap_or_default();
        Ok(match kind {
            ":" => Answer::Number(number.unsigned_abs()),
            "+" => Answer::Bytes(rest.into()),
            "$" | "*" if number < 0 => Answer::Nothing,
            "$" => {
                let mut bytes = vec![0; number as usize + 2];
                self.stream
                    .read_exact(&mut bytes)
                    .map_err(|why| why.to_string())?;
                self.bytes += bytes.len();
                bytes.truncate(number as usize);
                Answer::Bytes(bytes)
            }
            "*" => Answer::List((0..number).map(|_| self.read()).collect::<Result<_, _>>()?),
            _ => return Err(line),
        })
    }

    pub fn ask(&mut self, words: &[&[u8]]) -> Result<Answer, String> {
        self.write(&command(words))?;
        self.read()
    }

    /// A number that Redis says of itself; a time is in microseconds.
    pub fn info(&mut self, section: &str, name: &str) -> Result<f64, String> {
        let Answer::Bytes(text) = self.ask(&[b"INFO", section.as_bytes()])? else {
            return Err("no INFO".to_owned());
        };
        let text = String::from_utf8_lossy(&text).into_owned();
        let value = text.lines().find_map(|line| line.strip_prefix(name));
        value
            .and_then(|value| value.strip_prefix(':')?.parse().ok())
            .ok_or(format!("no {name}"))
    }

    /// The time of the server's processor, in microseconds.
    pub fn processor(&mut self) -> Result<f64, String> {
        Ok((self.info("cpu", "used_cpu_user")? + self.info("cpu", "used_cpu_sys")?) * 1e6)
    }
}

pub fn command(words: &[&[u8]]) -> Vec<u8> {
    let mut text = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        text.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        text.extend_from_slice(word);
        text.extend_from_slice(b"\r\n");
    }
    text
}
