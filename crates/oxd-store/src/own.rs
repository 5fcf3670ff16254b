//! A connection of its own for whoever waits long for an answer, on the caller's runtime.

use std::time::Duration;

use oxd_core::config::store::Servers;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::cluster_async::ClusterConnection;
use redis::{Cmd, ConnectionAddr, Pipeline, RedisFuture, RedisResult, Value};

use crate::settings::Settings;

/// A connection that nobody else uses.
pub(crate) enum OwnConnection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for OwnConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(commands, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}

impl Settings {
    /// A new connection whose answers may take this long.
    pub(crate) async fn own_connection(&self, patience: Duration) -> RedisResult<OwnConnection> {
        let client = match &self.address.servers {
            Servers::One(host) => self.client(self.address_of(host))?,
            Servers::Socket(path) => self.client(ConnectionAddr::Unix(path.clone()))?,
            Servers::Sentinel { sentinels, service } => self.master(sentinels, service).await?,
            Servers::Cluster(nodes) => {
                return Ok(OwnConnection::Cluster(self.cluster(nodes, patience).await?));
            }
        };
        let config = self.config();
        let connection = client.get_multiplexed_async_connection_with_config(&config);
        Ok(OwnConnection::Server(connection.await?))
    }
}
