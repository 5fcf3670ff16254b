//! The connection that all requests of a process share, made when it is needed.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::select_ok;

use oxd_core::config::store::{HostPort, Servers};
use redis::aio::MultiplexedConnection;
use redis::cluster::ClusterClientBuilder;
use redis::cluster_async::ClusterConnection;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, ErrorKind, IntoConnectionInfo as _,
    RedisConnectionInfo, RedisError, RedisResult, TlsMode,
};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::line::Line;
use crate::settings::Settings;
use crate::socket::Socket;

/// A connection; its clones send over the same one.
#[derive(Clone)]
pub(crate) enum Connection {
    /// To one server, without TLS.
    Line(Arc<Line>),
    /// To one server, with TLS.
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

/// What is known of the last attempt to connect.
#[derive(Default)]
struct Attempts {
    count: u64,
    failed: Option<(Instant, RedisError)>,
}

/// The connection of a store, or none yet.
pub(crate) struct Connections {
    pub settings: Settings,
    current: RwLock<Option<(Connection, u64)>>,
    /// Held by the one that connects.
    attempts: Mutex<Attempts>,
}

impl Connections {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            current: RwLock::default(),
            attempts: Mutex::default(),
        }
    }

    /// The connection with its number, if there is one.
    pub(crate) fn current(&self) -> Option<(Connection, u64)> {
        self.current
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// The connection, made if there is none. Of those who find none, one connects, and the others get what it got.
    pub(crate) async fn get(&self, until: Instant) -> RedisResult<(Connection, u64)> {
        if let Some(current) = self.current() {
            return Ok(current);
        }
        let began = Instant::now();
        let mut attempts = self.attempts.lock().await;
        if let Some(current) = self.current() {
            return Ok(current);
        }
        if let Some((at, error)) = &attempts.failed
            && *at >= began
        {
            return Err(error.clone());
        }
        let limit = self.settings.timeouts.connect;
        let until = until.min(Instant::now() + limit);
        let made = match timeout(limit, self.settings.connect(until)).await {
            Ok(made) => made,
            Err(_) => Err(late(limit)),
        };
        match made {
            Ok(connection) => {
                attempts.count += 1;
                attempts.failed = None;
                let current = (connection, attempts.count);
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(current.clone());
                Ok(current)
            }
            Err(error) => {
                attempts.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Lets the next one connect anew, unless somebody has done so already; whether it was the present connection.
    pub(crate) fn drop(&self, number: u64) -> bool {
        if !self.can_be_replaced() {
            return true;
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_present = current.as_ref().is_some_and(|(_, of)| *of == number);
        if is_present {
            *current = None;
        }
        is_present
    }

    /// Whether a broken connection is replaced here: the client of a cluster does that itself, node by node.
    pub(crate) fn can_be_replaced(&self) -> bool {
        !matches!(self.settings.address.servers, Servers::Cluster(_))
    }
}

impl Settings {
    fn login(&self) -> RedisConnectionInfo {
        let mut info = RedisConnectionInfo::default()
            .set_db(i64::from(self.address.database))
            // It would be a right more that the user needs.
            .set_skip_set_lib_name();
        if let Some(user) = &self.user {
            info = info.set_username(user);
        }
        if let Some(password) = &self.password {
            info = info.set_password(password.expose());
        }
        info
    }

    pub(crate) fn address_of(&self, HostPort { host, port }: &HostPort) -> ConnectionAddr {
        match self.address.tls {
            false => ConnectionAddr::Tcp(host.clone(), *port),
            true => ConnectionAddr::TcpTls {
                host: host.clone(),
                port: *port,
                insecure: false,
                tls_params: None,
            },
        }
    }

    fn info(&self, address: ConnectionAddr) -> RedisResult<ConnectionInfo> {
        Ok(address.into_connection_info()?.set_redis_settings(self.login()))
    }

    /// A new connection, made until then.
    pub(crate) async fn connect(&self, until: Instant) -> RedisResult<Connection> {
        let client = match &self.address.servers {
            Servers::One(host) => self.client(self.address_of(host))?,
            Servers::Socket(path) => self.client(ConnectionAddr::Unix(path.clone()))?,
            Servers::Sentinel { sentinels, service } => self.master(sentinels, service).await?,
            Servers::Cluster(nodes) => {
                let patience = self.timeouts.operation;
                return Ok(Connection::Cluster(self.cluster(nodes, patience).await?));
            }
        };
        let socket = match client.get_connection_info().addr() {
            ConnectionAddr::Tcp(host, port) => {
                let addresses = lookup_host((host.as_str(), *port)).await?;
                Socket::Tcp(connected(addresses).await?.into_std()?)
            }
            ConnectionAddr::Unix(path) => Socket::Unix(UnixStream::connect(path).await?.into_std()?),
            // The client has no TLS for sockets of others.
            _ => {
                let config = self.config();
                let connection = client.get_multiplexed_async_connection_with_config(&config);
                return Ok(Connection::Server(connection.await?));
            }
        };
        // Nobody else needs this thread while it waits for the greeting.
        let line = Line::greet(socket, &self.login(), until)?;
        let line = line.ok_or_else(|| late(self.timeouts.connect))?;
        Ok(Connection::Line(Arc::new(line)))
    }

    pub(crate) fn config(&self) -> AsyncConnectionConfig {
        // The time of the whole operation bounds each answer.
        AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeouts.connect))
            .set_response_timeout(None)
    }

    pub(crate) fn client(&self, address: ConnectionAddr) -> RedisResult<Client> {
        let info = self.info(address)?;
        match &self.certificates {
            Some(certificates) => Client::build_with_tls(info, certificates.clone()),
            None => Client::open(info),
        }
    }

    pub(crate) async fn master(&self, sentinels: &[HostPort], service: &str) -> RedisResult<Client> {
        let addresses = sentinels.iter().map(|host| self.address_of(host));
        let mut builder = SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?
            .set_client_to_redis_db(i64::from(self.address.database));
        if let Some(user) = &self.user {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = &self.password {
            builder = builder.set_client_to_redis_password(password.expose());
        }
        if let Some(password) = &self.sentinel_password {
            builder = builder.set_client_to_sentinel_password(password.expose());
        }
        if self.address.tls {
            builder = builder.set_client_to_redis_tls_mode(TlsMode::Secure);
            if let Some(certificates) = &self.certificates {
                builder = builder
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_certificates(certificates.clone());
            }
        }
        builder.build()?.async_get_client().await
    }

    /// A cluster; `patience` bounds its answers, as the crate waits for them itself.
    pub(crate) async fn cluster(
        &self,
        nodes: &[HostPort],
        patience: Duration,
    ) -> RedisResult<ClusterConnection> {
        let infos: RedisResult<Vec<_>> = nodes
            .iter()
            .map(|node| self.info(self.address_of(node)))
            .collect();
        let mut builder = ClusterClientBuilder::new(infos?)
            .connection_timeout(self.timeouts.connect)
            .response_timeout(patience);
        if self.address.tls {
            builder = builder.tls(TlsMode::Secure);
            if let Some(certificates) = &self.certificates {
                builder = builder.certs(certificates.clone());
            }
        }
        builder.build()?.get_async_connection().await
    }
}

fn late(limit: Duration) -> RedisError {
    RedisError::from((ErrorKind::Io, "no connection", format!("after {limit:?}")))
}

/// A connection to the first of these addresses that takes it.
async fn connected(addresses: impl Iterator<Item = SocketAddr>) -> io::Result<TcpStream> {
    let mut attempts = addresses
        .map(|address| Box::pin(TcpStream::connect(address)))
        .peekable();
    if attempts.peek().is_none() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address"));
    }
    let (stream, _) = select_ok(attempts).await?;
    // A request does not wait until the one before it is acknowledged.
    stream.set_nodelay(true)?;
    Ok(stream)
}
