//! Session stores: `OxdSessionStore` with its server and modules, so that one suite runs with every store.

use crate::store_server::StoreServer;

/// The values of `OxdSessionStore`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreKind {
    /// The browser's cookie: the default.
    Cookie,
    /// Shared memory of one httpd.
    Shmcb,
    /// A Redis server, with httpd's own client.
    Redis,
    /// A Redis server, with the module's client (`redis://`).
    RedisUrl,
    /// A memcached server.
    Memcache,
    /// A file of one httpd.
    Dbm,
}

/// A store that is ready for an httpd. It must outlive the httpd.
pub struct Store {
    kind: StoreKind,
    server: Option<StoreServer>,
}

impl StoreKind {
    /// Starts what the store needs.
    pub fn start(self) -> Store {
        let server = match self {
            StoreKind::Redis | StoreKind::RedisUrl => Some(StoreServer::redis()),
            StoreKind::Memcache => Some(StoreServer::memcached()),
            StoreKind::Cookie | StoreKind::Shmcb | StoreKind::Dbm => None,
        };
        Store { kind: self, server }
    }

    /// Whether the whole session is in the browser.
    pub fn is_cookie(self) -> bool {
        self == StoreKind::Cookie
    }

    /// The module of httpd's own that provides the store, without its `mod_`.
    pub fn module(self) -> Option<&'static str> {
        match self {
            StoreKind::Cookie | StoreKind::RedisUrl => None,
            StoreKind::Shmcb => Some("socache_shmcb"),
            StoreKind::Redis => Some("socache_redis"),
            StoreKind::Memcache => Some("socache_memcache"),
            StoreKind::Dbm => Some("socache_dbm"),
        }
    }
}

impl Store {
    /// A store at a server of the test's own.
    pub fn at(server: StoreServer) -> Store {
        Store {
            kind: server.kind(),
            server: Some(server),
        }
    }

    /// Which one it is.
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// The argument of `OxdSessionStore`.
    pub fn argument(&self) -> String {
        match (self.kind, &self.server) {
            (StoreKind::Cookie, _) => "cookie".to_owned(),
            (StoreKind::Shmcb, _) => "shmcb:${ROOT}/run/sessions(2097152)".to_owned(),
            (StoreKind::Dbm, _) => "dbm:${ROOT}/run/sessions".to_owned(),
            (StoreKind::Redis, Some(server)) => format!("redis:{}", server.address()),
            (StoreKind::RedisUrl, Some(server)) => format!("redis://{}", server.address()),
            (StoreKind::Memcache, Some(server)) => format!("memcache:{}", server.address()),
            (kind, None) => panic!("{kind:?} without a server"),
        }
    }

    /// The directive, for the level of the server.
    pub fn directive(&self) -> String {
        format!("OxdSessionStore \"{}\"", self.argument())
    }

    /// The server behind the store.
    #[track_caller]
    pub fn server(&self) -> &StoreServer {
        let server = self.server.as_ref();
        server.unwrap_or_else(|| panic!("{:?} has no server", self.kind))
    }

    /// The server behind the store, to be stopped and started.
    #[track_caller]
    pub fn server_mut(&mut self) -> &mut StoreServer {
        let kind = self.kind;
        let server = self.server.as_mut();
        server.unwrap_or_else(|| panic!("{kind:?} has no server"))
    }
}
