//! The site that is struck: httpd, its store and oxd, and what each blow may do to it.

use oxd_tests::{SiteBuilder, Store, StoreKind, StoreServer, TestSite, user};
use serde_json::json;

/// How many users there are, each with a thread.
pub(crate) const USERS: usize = 8;

const KEY: &str = "\"a key for those who were struck, long enough for anybody to accept it 0123456789\"";

/// A session store, and whether it finds its sessions again when it is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Cookie,
    Shmcb,
    Redis,
    RedisUrl,
    /// `redis://` at a Redis that writes everything down.
    KeptRedisUrl,
    Memcache,
}

impl Place {
    pub(crate) fn store(self) -> Store {
        match self {
            Place::Cookie => StoreKind::Cookie.start(),
            Place::Shmcb => StoreKind::Shmcb.start(),
            Place::Redis => StoreKind::Redis.start(),
            Place::RedisUrl => StoreKind::RedisUrl.start(),
            Place::KeptRedisUrl => Store::by_url_at(StoreServer::persistent_redis()),
            Place::Memcache => StoreKind::Memcache.start(),
        }
    }

    /// Whether it is a server of its own.
    pub(crate) fn is_server(self) -> bool {
        !matches!(self, Place::Cookie | Place::Shmcb)
    }
}

/// A user's name; the `sub` is [`sub`].
pub(crate) fn name(number: usize) -> String {
    format!("user-{number}")
}

/// What httpd calls a user.
pub(crate) fn sub(number: usize) -> String {
    format!("sub-of-{}", name(number))
}

/// A site whose answers say whom they are for. One user more than the crowd has can sign in.
pub(crate) fn site(store: &Store) -> SiteBuilder {
    let users = (0..=USERS).map(|number| user(&name(number), json!({})));
    TestSite::builder()
        .httpd(|httpd| httpd.processes(3, 16))
        .provider(|provider| provider.consent = false)
        .users(users.collect())
        .store(store)
        .directives(&format!("OxdCryptoKey {KEY}"))
        .config("<Location /app>\nHeader always set X-User \"expr=%{REMOTE_USER}\"\n</Location>")
}
