//! Where sessions are kept: the same promises with every store, and stores in trouble.

mod stores {
    #[macro_use]
    pub(crate) mod common;

    pub(crate) mod crowd;
    pub(crate) mod entries;
    pub(crate) mod ids;
    pub(crate) mod most;
    pub(crate) mod names;
    pub(crate) mod outage;
    pub(crate) mod places;
    pub(crate) mod refresh;
    pub(crate) mod restarts;
    pub(crate) mod seen;
    pub(crate) mod servers;
    pub(crate) mod sessions;
    pub(crate) mod time;
    pub(crate) mod two;
}
