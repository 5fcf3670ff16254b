//! Where sessions are kept: the same promises with every store, and stores in trouble.

mod stores {
    #[macro_use]
    pub(crate) mod common;

    pub(crate) mod crowd;
    pub(crate) mod entries;
    pub(crate) mod ids;
    pub(crate) mod most;
    pub(crate) mod moving;
    pub(crate) mod names;
    pub(crate) mod outage;
    pub(crate) mod places;
    pub(crate) mod redis_bed;
    pub(crate) mod redis_cluster;
    pub(crate) mod redis_full;
    pub(crate) mod redis_network;
    pub(crate) mod redis_rights;
    pub(crate) mod redis_trust;
    pub(crate) mod redis_valkey;
    pub(crate) mod refresh;
    pub(crate) mod restarts;
    pub(crate) mod seen;
    pub(crate) mod servers;
    pub(crate) mod sessions;
    pub(crate) mod time;
    pub(crate) mod two;
}
