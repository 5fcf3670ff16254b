//! What an operator sees: codes and reference numbers, the status page, the metrics.

mod status {
    pub(crate) mod common;
    pub(crate) mod crowd;
    pub(crate) mod scrape;

    pub(crate) mod codes;
    pub(crate) mod docs;
    pub(crate) mod ends;
    pub(crate) mod health;
    pub(crate) mod metrics;
    pub(crate) mod page;
    pub(crate) mod picture;
    pub(crate) mod reasons;
    pub(crate) mod thousand;
    pub(crate) mod tokens;
}
