//! Session stores: `OxdSessionStore` with its server and modules, so that one suite runs with every store.

use crate::certificate::Authority;
use crate::redis_group::RedisGroup;
use crate::redis_node::RedisNode;
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
    /// The same over TLS, with a certificate of the client.
    RedisTls,
    /// The same by a socket, as a user with a password.
    RedisSocket,
    /// A master that sentinels name, with a password.
    RedisSentinel,
    /// A cluster of three masters and three replicas.
    RedisCluster,
    /// A memcached server.
    Memcache,
    /// A file of one httpd.
    Dbm,
}

/// Where many tests run, a server may get no processor for longer than an operation may usually take.
pub const PATIENT: &str = "OxdStoreTimeout 5s 2s";

/// A store that is ready for an httpd. It must outlive the httpd.
pub struct Store {
    kind: StoreKind,
    server: Option<StoreServer>,
    fleet: Option<Fleet>,
}

/// Redis as operators run it. They are kept as long as the store.
enum Fleet {
    Tls(RedisNode),
    Socket(RedisNode),
    Sentinel(Box<RedisGroup>),
    Cluster(Vec<RedisNode>),
}

impl Fleet {
    fn of(kind: StoreKind) -> Option<Fleet> {
        Some(match kind {
            StoreKind::RedisTls => Fleet::Tls(RedisNode::over_tls(&Authority::new(), true)),
            StoreKind::RedisSocket => Fleet::Socket(RedisNode::start(
                "unixsocket ${DIR}/redis.sock\nunixsocketperm 777\nuser default off\n\
                 user mod_oxd on >hunter2-secret ~mod_oxd:* resetchannels +@all",
            )),
            StoreKind::RedisSentinel => Fleet::Sentinel(Box::new(RedisGroup::start())),
            StoreKind::RedisCluster => Fleet::Cluster(RedisNode::cluster()),
            _ => return None,
        })
    }

    fn url(&self) -> String {
        match self {
            Fleet::Tls(node) => format!("rediss://localhost:{}", node.number()),
            Fleet::Socket(node) => format!("redis+unix://{}", node.file("redis.sock").display()),
            Fleet::Sentinel(group) => group.url(),
            Fleet::Cluster(nodes) => {
                format!("redis+cluster://{},{}", nodes[0].address(), nodes[1].address())
            }
        }
    }

    /// The directives beside the URL.
    fn directives(&self) -> String {
        match self {
            Fleet::Tls(node) => {
                let path = |name: &str| node.file(name).display().to_string();
                format!(
                    "OxdStoreCAFile \"{}\"\nOxdStoreCert \"{}\"\nOxdStoreKey \"{}\"",
                    path("ca.pem"),
                    path("cert.pem"),
                    path("key.pem")
                )
            }
            Fleet::Socket(_) => "OxdStoreUser mod_oxd\nOxdStorePassword hunter2-secret".to_owned(),
            Fleet::Sentinel(group) => group.credentials(),
            Fleet::Cluster(_) => String::new(),
        }
    }
}

impl StoreKind {
    /// Starts what the store needs.
    pub fn start(self) -> Store {
        let server = match self {
            StoreKind::Redis | StoreKind::RedisUrl => Some(StoreServer::redis()),
            StoreKind::Memcache => Some(StoreServer::memcached()),
            _ => None,
        };
        Store {
            kind: self,
            server,
            fleet: Fleet::of(self),
        }
    }

    /// The same with a Redis that finds everything again when it is started again.
    pub fn start_persistent(self) -> Store {
        match self {
            StoreKind::Redis | StoreKind::RedisUrl => Store {
                kind: self,
                server: Some(StoreServer::persistent_redis()),
                fleet: None,
            },
            _ => self.start(),
        }
    }

    /// Whether the whole session is in the browser.
    pub fn is_cookie(self) -> bool {
        self == StoreKind::Cookie
    }

    /// The module of httpd's own that provides the store, without its `mod_`.
    pub fn module(self) -> Option<&'static str> {
        match self {
            StoreKind::Cookie
            | StoreKind::RedisUrl
            | StoreKind::RedisTls
            | StoreKind::RedisSocket
            | StoreKind::RedisSentinel
            | StoreKind::RedisCluster => None,
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
            fleet: None,
        }
    }

    /// A store at a Redis server of the test's own, with the module's client.
    pub fn by_url_at(server: StoreServer) -> Store {
        Store {
            kind: StoreKind::RedisUrl,
            ..Store::at(server)
        }
    }

    /// Which one it is.
    pub fn kind(&self) -> StoreKind {
        self.kind
    }

    /// The argument of `OxdSessionStore`.
    pub fn argument(&self) -> String {
        if let Some(fleet) = &self.fleet {
            return fleet.url();
        }
        match (self.kind, &self.server) {
            (StoreKind::Cookie, _) => "cookie".to_owned(),
            (StoreKind::Shmcb, _) => "shmcb:${ROOT}/run/sessions(2097152)".to_owned(),
            (StoreKind::Dbm, _) => "dbm:${ROOT}/run/sessions".to_owned(),
            (StoreKind::Redis, Some(server)) => format!("redis:{}", server.address()),
            (StoreKind::RedisUrl, Some(server)) => format!("redis://{}", server.address()),
            (StoreKind::Memcache, Some(server)) => format!("memcache:{}", server.address()),
            (kind, _) => panic!("{kind:?} without a server"),
        }
    }

    /// The directive, for the level of the server.
    pub fn directive(&self) -> String {
        let directive = format!("OxdSessionStore \"{}\"", self.argument());
        match (&self.fleet, self.kind) {
            (Some(fleet), _) => format!("{directive}\n{PATIENT}\n{}", fleet.directives()),
            (None, StoreKind::RedisUrl) => format!("{directive}\n{PATIENT}"),
            (None, _) => directive,
        }
    }

    /// What gives operations at a `redis://` store the usual time, after [`Store::directive`].
    pub fn usual_time(&self) -> &'static str {
        match self.kind {
            StoreKind::RedisUrl => "OxdStoreTimeout 500ms 250ms",
            _ => "",
        }
    }

    /// Whether there is a server behind the store.
    pub fn has_server(&self) -> bool {
        self.server.is_some()
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
