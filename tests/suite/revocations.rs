//! `OxdRevocations`: sessions in cookies, and ends that all machines hear of.

mod revocations {
    pub(crate) mod common;

    pub(crate) mod configuration;
    pub(crate) mod ends;
    pub(crate) mod outage;
    pub(crate) mod readers;
    pub(crate) mod servers;
}
