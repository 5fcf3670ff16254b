//! Real store servers, `redis-server` and `memcached`, as children of the test: started, stopped, killed, stalled,
//! and looked into.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::geteuid;
use tempfile::TempDir;

use crate::memcached::Memcached;
use crate::port::Port;
use crate::process::{send, stops, with_the_test};
use crate::redis::Redis;
use crate::store::StoreKind;
use crate::wait::{WAIT, wait_until, within};

/// How long the test's own questions to a server may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// A store server on a port of its own. Gone when dropped, and with the thread that started it.
pub struct StoreServer {
    kind: StoreKind,
    persistent: bool,
    port: Port,
    directory: TempDir,
    process: Option<Child>,
}

/// An entry of a server.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// How long the server will keep it; `None` for an entry without an end.
    pub left: Option<Duration>,
}

impl StoreServer {
    /// Starts a `redis-server` that forgets everything when it stops.
    pub fn redis() -> StoreServer {
        StoreServer::run(StoreKind::Redis, false)
    }

    /// Starts a `redis-server` that finds everything again when it is started again, killed or not.
    pub fn persistent_redis() -> StoreServer {
        StoreServer::run(StoreKind::Redis, true)
    }

    /// Starts a `memcached`.
    pub fn memcached() -> StoreServer {
        StoreServer::run(StoreKind::Memcache, false)
    }

    fn run(kind: StoreKind, persistent: bool) -> StoreServer {
        let directory = tempfile::Builder::new().prefix("oxd-store-").tempdir();
        let mut server = StoreServer {
            kind,
            persistent,
            port: Port::reserve(),
            directory: directory.unwrap_or_else(|error| panic!("no directory for a store: {error}")),
            process: None,
        };
        server.start();
        server
    }

    /// Starts again what was stopped or killed, on the same port, and waits until it answers.
    #[track_caller]
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "the store runs already");
        let log = self.directory.path().join("log");
        let output = fs::File::options().create(true).append(true).open(&log);
        let output = output.unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let errors = output.try_clone().expect("a second handle of a file");
        let mut command = self.command();
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let program = self.program();
        let process = command.spawn();
        self.process = Some(process.unwrap_or_else(|error| panic!("{program}: {error}")));
        let started = within(WAIT, || {
            let ended = self.process.as_mut()?.try_wait().ok().flatten();
            if let Some(status) = ended {
                return Some(Err(status.to_string()));
            }
            self.answers().then_some(Ok(()))
        });
        if let Err(why) = started.unwrap_or_else(|| Err("no answer".to_owned())) {
            panic!(
                "{program} (package {program}) does not start, {why}:\n{}",
                self.log()
            );
        }
    }

    /// Stops it as its administrator would.
    #[track_caller]
    pub fn stop(&mut self) {
        self.end(Signal::SIGTERM);
    }

    /// Ends it in the middle of whatever it does.
    #[track_caller]
    pub fn kill(&mut self) {
        self.end(Signal::SIGKILL);
    }

    /// Lets it do nothing more, while the system goes on accepting connections for it.
    #[track_caller]
    pub fn stall(&self) {
        send(self.pid(), Signal::SIGSTOP);
        wait_until("the store to stall", || stops(self.pid()));
    }

    /// Lets it go on after [`StoreServer::stall`].
    #[track_caller]
    pub fn go_on(&self) {
        send(self.pid(), Signal::SIGCONT);
    }

    /// Its process.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map(Child::id).expect("the store runs")
    }

    /// Which store it serves.
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// Its address; it may have stopped.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// Everything that it keeps, in the order of the keys.
    #[track_caller]
    pub fn entries(&self) -> Vec<Entry> {
        let mut entries = match self.kind {
            StoreKind::Redis => Redis::connect(self.address()).entries(),
            _ => Memcached::connect(self.address()).entries(),
        };
        entries.sort_by(|one, other| one.key.cmp(&other.key));
        entries
    }

    /// The sets of Redis beside its entries; the value of each is that of all its members.
    #[track_caller]
    pub fn sets(&self) -> Vec<Entry> {
        match self.kind {
            StoreKind::Redis => Redis::connect(self.address()).sets(),
            _ => Vec::new(),
        }
    }

    /// Replaces the value of a key, as an attacker with access to the server could.
    #[track_caller]
    pub fn put(&self, key: &[u8], value: &[u8]) {
        match self.kind {
            StoreKind::Redis => Redis::connect(self.address()).put(key, value),
            _ => Memcached::connect(self.address()).put(key, value),
        }
    }

    /// Removes an entry.
    #[track_caller]
    pub fn remove(&self, key: &[u8]) {
        match self.kind {
            StoreKind::Redis => Redis::connect(self.address()).remove(key),
            _ => Memcached::connect(self.address()).remove(key),
        }
    }

    /// Makes a Redis refuse whatever needs memory, or take it again.
    #[track_caller]
    pub fn fill(&self, full: bool) {
        assert_eq!(self.kind, StoreKind::Redis, "memcached forgets instead");
        Redis::connect(self.address()).set("maxmemory", if full { "1" } else { "0" });
    }

    /// The number of writes since its start, those of [`StoreServer::put`] included.
    #[track_caller]
    pub fn writes(&self) -> u64 {
        match self.kind {
            StoreKind::Redis => Redis::connect(self.address()).calls(&["set", "setex", "psetex", "getset"]),
            _ => Memcached::connect(self.address()).count("cmd_set"),
        }
    }

    /// The number of reads since its start, those of [`StoreServer::entries`] included.
    #[track_caller]
    pub fn reads(&self) -> u64 {
        match self.kind {
            StoreKind::Redis => Redis::connect(self.address()).calls(&["get", "mget", "getex", "getrange"]),
            _ => Memcached::connect(self.address()).count("cmd_get"),
        }
    }

    fn answers(&self) -> bool {
        // Looked at first: the questions below fail the test when nobody listens.
        TcpStream::connect(self.address()).is_ok()
            && match self.kind {
                StoreKind::Redis => Redis::connect(self.address()).is_ready(),
                _ => Memcached::connect(self.address()).is_ready(),
            }
    }

    fn program(&self) -> &'static str {
        match self.kind {
            StoreKind::Redis => "redis-server",
            _ => "memcached",
        }
    }

    fn command(&self) -> Command {
        let port = self.port.number().to_string();
        let mut command = with_the_test(Path::new(self.program()), "KILL");
        command.current_dir(self.directory.path());
        if self.kind == StoreKind::Redis {
            command.args(["--bind", "127.0.0.1", "--port", &port, "--save", ""]);
            let kept = if self.persistent { "yes" } else { "no" };
            command.args(["--appendonly", kept, "--appendfsync", "always"]);
        } else {
            command.args(["-l", "127.0.0.1", "-p", &port, "-U", "0", "-m", "64", "-t", "2"]);
            if geteuid().is_root() {
                // It refuses to run as root unasked. Another user would take away that it ends with the test.
                command.args(["-u", "root"]);
            }
        }
        command
    }

    fn end(&mut self, signal: Signal) {
        let Some(mut process) = self.process.take() else {
            panic!("the store does not run");
        };
        send(process.id(), signal);
        // A stalled one would not notice.
        send(process.id(), Signal::SIGCONT);
        let ended = within(WAIT, || process.try_wait().ok().flatten());
        if ended.is_none() {
            let _ = process.kill();
            let _ = process.wait();
            panic!("{} does not end", self.program());
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}

impl Drop for StoreServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            eprintln!("{} said:\n{}", self.program(), self.log());
        }
    }
}
