//! What `oxdctl store check` asks the servers. Nothing is judged here: the answers are plain data.
//!
//! Each server is asked over a connection of its own that begins without a user, so that a failure has one cause. The
//! futures need the runtime on which they are polled, with time and I/O.

mod failure;
mod info;
mod topology;
mod trial;

use std::fmt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use oxd_core::config::store::{HostPort, Servers, StoreAddress, StoreSettings};
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, FromRedisValue, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisResult,
};
use tokio::time::timeout;

use crate::settings::Settings;

pub use failure::{Failure, FailureKind};
pub use info::{Info, Replica};
pub use topology::{Cluster, Shard, Watch};
pub use trial::{Ground, Trials};

/// The time for a connection and for each answer: longer than that of the module, as it is worth knowing whether a slow
/// server answers at all.
pub const PATIENCE: Duration = Duration::from_secs(5);
/// How often the way to a server is measured.
const ROUND_TRIPS: usize = 5;

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// By its address.
    Host(HostPort),
    /// By its socket.
    Socket(PathBuf),
}

impl Place {
    /// The servers that a URL names.
    pub fn named(address: &StoreAddress) -> Vec<Self> {
        match &address.servers {
            Servers::One(host) => vec![Self::Host(host.clone())],
            Servers::Socket(path) => vec![Self::Socket(path.clone())],
            Servers::Sentinel { sentinels: hosts, .. } | Servers::Cluster(hosts) => {
                hosts.iter().cloned().map(Self::Host).collect()
            }
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

/// The clock of a server beside that of this machine.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The server's.
    pub theirs: SystemTime,
    /// This machine's, when the server looked.
    pub ours: SystemTime,
}

/// Asks the servers of a store.
pub struct Probe {
    settings: Settings,
}

impl Probe {
    /// A probe with the settings of the module.
    pub fn new(settings: &StoreSettings<'_>) -> Self {
        Self {
            settings: Settings::of(settings),
        }
    }

    /// Connects the way the module does, within its time for a connection; answers with the time that it took.
    ///
    /// # Errors
    /// The module would fail as well.
    pub async fn connect_as_the_module(&self) -> Result<Duration, Failure> {
        let (begun, limit) = (Instant::now(), self.settings.timeouts.connect);
        match timeout(limit, self.settings.connect(begun + limit)).await {
            Ok(made) => Ok(made.map(|_| begun.elapsed())?),
            Err(_) => Err(Failure::new(
                FailureKind::Timeout,
                format!("no connection within {limit:?}"),
            )),
        }
    }

    /// Connects to a server; nobody is logged in yet.
    ///
    /// # Errors
    /// There is no connection.
    pub async fn open(&self, place: &Place) -> Result<Node, Failure> {
        let made = async {
            let address = match place {
                Place::Host(host) => self.settings.address_of(host),
                Place::Socket(path) => ConnectionAddr::Unix(path.clone()),
            };
            let nobody = RedisConnectionInfo::default().set_skip_set_lib_name();
            let info = address.into_connection_info()?.set_redis_settings(nobody);
            let client = match &self.settings.certificates {
                Some(certificates) => Client::build_with_tls(info, certificates.clone())?,
                None => Client::open(info)?,
            };
            let config = AsyncConnectionConfig::new()
                .set_connection_timeout(Some(PATIENCE))
                .set_response_timeout(None);
            client.get_multiplexed_async_connection_with_config(&config).await
        };
        Ok(Node {
            connection: within(PATIENCE, made).await?,
        })
    }

    /// Logs in as the module does, if there is somebody to log in.
    ///
    /// # Errors
    /// User or password are wrong.
    pub async fn log_in(&self, node: &mut Node) -> Result<(), Failure> {
        let Some(password) = &self.settings.password else {
            return Ok(());
        };
        let mut command = Cmd::new();
        command.arg("AUTH");
        if let Some(user) = &self.settings.user {
            command.arg(user);
        }
        node.ask(command.arg(password.expose())).await
    }

    /// Logs in to a sentinel as the module does.
    ///
    /// # Errors
    /// The password is wrong.
    pub async fn log_in_to_sentinel(&self, node: &mut Node) -> Result<(), Failure> {
        match &self.settings.sentinel_password {
            Some(password) => node.ask(Cmd::new().arg("AUTH").arg(password.expose())).await,
            None => Ok(()),
        }
    }

    /// Goes to the database of the URL.
    ///
    /// # Errors
    /// There is none, or the user may not.
    pub async fn select(&self, node: &mut Node) -> Result<(), Failure> {
        match self.settings.address.database {
            0 => Ok(()),
            database => node.ask(Cmd::new().arg("SELECT").arg(database)).await,
        }
    }
}

/// A connection to one server.
pub struct Node {
    connection: MultiplexedConnection,
}

impl Node {
    async fn ask<A: FromRedisValue>(&mut self, command: &Cmd) -> Result<A, Failure> {
        within(PATIENCE, command.query_async(&mut self.connection)).await
    }

    /// Whether it lets this connection do anything; a refusal of the command itself is an answer, too.
    ///
    /// # Errors
    /// It wants a login, answers nobody, or does not answer.
    pub async fn greet(&mut self) -> Result<(), Failure> {
        match self.ask::<redis::Value>(Cmd::new().arg("PING")).await {
            Err(failure) if failure.kind == FailureKind::Denied => Ok(()),
            other => other.map(|_| ()),
        }
    }

    /// The time of a round trip: the median of some.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn round_trip(&mut self) -> Result<Duration, Failure> {
        let mut times = Vec::with_capacity(ROUND_TRIPS);
        for _ in 0..ROUND_TRIPS {
            let begun = Instant::now();
            self.greet().await?;
            times.push(begun.elapsed());
        }
        times.sort_unstable();
        Ok(times[ROUND_TRIPS / 2])
    }

    /// What it says of itself.
    ///
    /// # Errors
    /// The user may not ask, as a rule.
    pub async fn info(&mut self) -> Result<Info, Failure> {
        let text: String = self.ask(Cmd::new().arg("INFO")).await?;
        Ok(Info::parse(&text))
    }

    /// One of its settings; `None` where it has none of the name.
    ///
    /// # Errors
    /// The user may not ask, as a rule.
    pub async fn setting(&mut self, name: &str) -> Result<Option<String>, Failure> {
        let pair: Vec<String> = self.ask(Cmd::new().arg("CONFIG").arg("GET").arg(name)).await?;
        Ok(pair.into_iter().nth(1))
    }

    /// The user that it takes this connection for.
    ///
    /// # Errors
    /// The user may not ask, or it is older than Redis 6.
    pub async fn user(&mut self) -> Result<String, Failure> {
        self.ask(Cmd::new().arg("ACL").arg("WHOAMI")).await
    }

    /// Its clock.
    ///
    /// # Errors
    /// The user may not ask, as a rule.
    pub async fn clocks(&mut self) -> Result<Clocks, Failure> {
        let asked = SystemTime::now();
        let (seconds, micros): (u64, u64) = self.ask(Cmd::new().arg("TIME")).await?;
        // In the middle between question and answer.
        let ours = asked + asked.elapsed().unwrap_or_default() / 2;
        let since = Duration::from_secs(seconds).saturating_add(Duration::from_micros(micros));
        let theirs = UNIX_EPOCH.checked_add(since).unwrap_or(ours);
        Ok(Clocks { theirs, ours })
    }
}

async fn within<T>(limit: Duration, work: impl Future<Output = RedisResult<T>>) -> Result<T, Failure> {
    match timeout(limit, work).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Failure::new(
            FailureKind::Timeout,
            format!("no answer within {limit:?}"),
        )),
    }
}
