//! Sessions in Redis, Valkey or KeyDB ([`oxd_core::base::Store`]): one server, Redis Sentinel or Redis Cluster, over TCP,
//! TLS or a Unix socket.
//!
//! All requests of a process share one connection to a server (a pipeline). It is made by the first operation, and again
//! by the first one after it broke. Nothing here starts a thread: the threads that ask a single server read
//! themselves what it answers ([`line`]), all other connections belong to the runtime that the caller names.

mod atomic;
mod commands;
mod connection;
mod line;
mod own;
pub mod probe;
mod settings;
mod socket;
mod stream;
mod tls;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use oxd_core::base::{Atomic, Key, Seconds, Store, StoreError, wall};
use oxd_core::config::store::{StoreAddress, StoreSettings, StoreTimeouts};
use redis::aio::ConnectionLike as _;
use redis::{
    Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, ServerErrorKind, Value, from_redis_value,
};
use tokio::time::timeout_at;

pub use commands::{COMMANDS, Command, Need, Purpose, acl_line, needed};
pub use stream::{APPEND, MOST, Machine, PAUSE, TELLS_EVERY, Task, WAITS, spawn};
pub use tokio::runtime::Handle;

use connection::{Connection, Connections};
use own::OwnConnection;
use settings::Settings;

/// How long no operation but one is tried after a server was away, in milliseconds.
const REST_MS: u64 = 100;
/// The longest value, in bytes: as with httpd's own stores.
const LONGEST: usize = 128 * 1024;
/// The same in digits, as each request sends it.
const LONGEST_TEXT: &str = "131072";
const _: () = assert!(LONGEST == 131_072);

/// The runtime that connections belong to, made after the fork; the error says why there is none.
pub type Runtime = fn() -> Result<Handle, String>;

/// A store. It connects when it is first asked.
pub struct RedisStore {
    directive: &'static str,
    runtime: Runtime,
    connections: Connections,
    /// When the clock of `resting_until` began.
    began: Instant,
    /// Until when the operations fail at once, in milliseconds since `began`; 0: none does.
    resting_until: AtomicU64,
}

/// Why an operation has no answer.
enum Failure {
    /// Its time is up, with the connection of this number, or without one.
    Late(Option<u64>),
    /// There is no runtime, for this reason.
    NoRuntime(String),
    /// The server, or the way to it.
    Redis(RedisError),
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisStore({})", self.connections.settings.address)
    }
}

impl RedisStore {
    /// A store with these settings, not connected yet; `directive` is the one that names it, for messages.
    pub fn new(directive: &'static str, settings: &StoreSettings<'_>, runtime: Runtime) -> Self {
        Self {
            directive,
            connections: Connections::new(Settings::of(settings)),
            runtime,
            began: Instant::now(),
            resting_until: AtomicU64::new(0),
        }
    }

    /// Whether it is the store with these settings.
    pub fn has(&self, settings: &StoreSettings<'_>) -> bool {
        self.connections.settings.are(settings)
    }

    /// Its address, as the directive names it.
    pub fn name(&self) -> String {
        self.address().to_string()
    }

    fn address(&self) -> &StoreAddress {
        &self.connections.settings.address
    }

    fn prefix(&self) -> &str {
        &self.connections.settings.prefix
    }

    fn timeouts(&self) -> StoreTimeouts {
        self.connections.settings.timeouts
    }

    /// A connection besides the one that all requests share, whose answers may take this long.
    async fn own_connection(&self, patience: Duration) -> RedisResult<OwnConnection> {
        self.connections.settings.own_connection(patience).await
    }

    fn unavailable(&self, why: impl fmt::Display) -> StoreError {
        StoreError::Unavailable(format!("{} {}: {why}", self.directive, self.address()))
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// One operation, within its time.
    fn run<A: FromRedisValue>(&self, command: &Cmd) -> Result<A, StoreError> {
        if !self.may_try() {
            return Err(self.unavailable("it did not answer a moment ago"));
        }
        let time = self.connections.settings.timeouts.operation;
        match self.ask(command, Instant::now() + time) {
            Ok(answer) => {
                self.resting_until.store(0, Ordering::Release);
                from_redis_value(answer).map_err(|why| self.unavailable(why))
            }
            Err(Failure::Redis(error)) => {
                if is_away(&error) {
                    self.rest();
                }
                Err(self.unavailable(explained(&error)))
            }
            Err(Failure::NoRuntime(why)) => Err(self.unavailable(why)),
            Err(Failure::Late(number)) => {
                // A server that stalls may come back with another connection only. If there is another one already, it
                // shall stay, whoever else is told late that the old one stalled.
                if number.is_none_or(|number| self.connections.drop(number)) {
                    self.rest();
                }
                Err(self.unavailable(format_args!("no answer after {time:?}")))
            }
        }
    }

    /// Sends a command. Each that is used here may be sent twice, so that a connection which broke meanwhile, or leads to
    /// a master that is none any more, costs no request its answer.
    fn ask(&self, command: &Cmd, until: Instant) -> Result<Value, Failure> {
        let (connection, number) = self.connection(until)?;
        match self.send(connection, number, command, until) {
            Err(Failure::Redis(error)) if is_of_connection(&error) && self.connections.can_be_replaced() => {
                self.connections.drop(number);
                let (connection, number) = self.connection(until)?;
                self.send(connection, number, command, until)
            }
            answer => answer,
        }
    }

    fn connection(&self, until: Instant) -> Result<(Connection, u64), Failure> {
        match self.connections.current() {
            Some(current) => Ok(current),
            None => self.connect(until),
        }
    }

    /// Not inlined: its future of some kilobytes would be a part of the stack of each thread that ever asks.
    #[cold]
    #[inline(never)]
    fn connect(&self, until: Instant) -> Result<(Connection, u64), Failure> {
        self.wait(until, None, self.connections.get(until))
    }

    /// Sends a command over this connection; an error of the server is an error here.
    fn send(
        &self,
        connection: Connection,
        number: u64,
        command: &Cmd,
        until: Instant,
    ) -> Result<Value, Failure> {
        let number = Some(number);
        let answer = match connection {
            Connection::Line(line) => match line.send(command, until) {
                Ok(answer) => answer.ok_or(Failure::Late(number)),
                Err(error) => Err(Failure::Redis(error)),
            },
            Connection::Server(mut connection) => {
                self.wait(until, number, connection.send_packed_command(command))
            }
            Connection::Cluster(mut connection) => {
                self.wait(until, number, connection.req_packed_command(command))
            }
        };
        answer?.extract_error().map_err(Failure::Redis)
    }

    /// Waits for the end of a future. For connecting it is called apart from that for sending: the future of both would be
    /// of some kilobytes, which are copied.
    fn wait<T>(
        &self,
        until: Instant,
        number: Option<u64>,
        future: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Failure> {
        let handle = (self.runtime)().map_err(Failure::NoRuntime)?;
        match handle.block_on(async { timeout_at(until.into(), future).await }) {
            Ok(answer) => answer.map_err(Failure::Redis),
            Err(_) => Err(Failure::Late(number)),
        }
    }

    /// While a server is away, one operation at a time finds out whether it is back; the others need not wait for it. In a
    /// cluster, others may be there.
    fn may_try(&self) -> bool {
        let until = self.resting_until.load(Ordering::Acquire);
        if until == 0 {
            return true;
        }
        let now = self.millis();
        now >= until
            && self
                .resting_until
                .compare_exchange(until, now + REST_MS, Ordering::AcqRel, Ordering::Acquire)
                .is_ok()
    }

    fn rest(&self) {
        if self.connections.can_be_replaced() {
            self.resting_until
                .store(self.millis() + REST_MS, Ordering::Release);
        }
    }

    /// The name of an entry. Entries with the same first half share a slot of a cluster.
    fn key(&self, key: &Key) -> String {
        let (group, own) = key.split_at(16);
        let mut text = String::with_capacity(self.prefix().len() + 46);
        text.push_str(self.prefix());
        text.push('{');
        base64_simd::URL_SAFE_NO_PAD.encode_append(group, &mut text);
        text.push('}');
        base64_simd::URL_SAFE_NO_PAD.encode_append(own, &mut text);
        text
    }

    fn is_short(&self, value: &[u8]) -> Result<(), StoreError> {
        if value.len() <= LONGEST {
            return Ok(());
        }
        Err(StoreError::TooLarge(format!(
            "{} {}: {} bytes are too many",
            self.directive,
            self.address(),
            value.len()
        )))
    }
}

/// Whether a connection has broken, or leads to the wrong server.
fn is_of_connection(error: &RedisError) -> bool {
    error.is_connection_dropped()
        || error.is_unrecoverable_error()
        || matches!(error.kind(), ErrorKind::Server(ServerErrorKind::ReadOnly))
        // Before Redis 7, a script that may not write says so within an error of its own.
        || error.detail().is_some_and(|detail| detail.contains("-READONLY"))
}

/// Whether a server is not there, or not ready.
fn is_away(error: &RedisError) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Io | ErrorKind::MasterNameNotFoundBySentinel
    )
}

/// What went wrong, and the directives to look at if it is who we are.
fn explained(error: &RedisError) -> String {
    let is_login = error.kind() == ErrorKind::AuthenticationFailed
        || matches!(error.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM"));
    let hint = match is_login {
        true => "; check OxdStoreUser and OxdStorePassword",
        false => "",
    };
    format!("{error}{hint}")
}

/// The seconds until then, as Redis takes them: it refuses 0.
fn seconds_until(until: Seconds) -> u64 {
    until.saturating_sub(wall()).0.saturating_add(1)
}

impl Store for RedisStore {
    fn get(&self, key: &Key) -> Result<Option<Vec<u8>>, StoreError> {
        // Whoever can write into the store could put there what fills this process's memory.
        // It costs each request something: its buffers do not grow.
        let key = self.key(key);
        let mut command = Cmd::with_capacity(4, key.len() + 16);
        command.arg("GETRANGE").arg(key).arg("0").arg(LONGEST_TEXT);
        let value: Vec<u8> = self.run(&command)?;
        // No entry of the module's is empty.
        Ok(Some(value).filter(|value| !value.is_empty()))
    }

    fn put(&self, key: &Key, value: &[u8], until: Seconds) -> Result<(), StoreError> {
        self.is_short(value)?;
        let mut command = Cmd::new();
        command.arg("SET").arg(self.key(key)).arg(value);
        command.arg("EX").arg(seconds_until(until));
        self.run(&command)
    }

    fn remove(&self, key: &Key) -> Result<(), StoreError> {
        self.run(Cmd::new().arg("DEL").arg(self.key(key)))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn atomic(&self) -> Option<&dyn Atomic> {
        Some(self)
    }
}
