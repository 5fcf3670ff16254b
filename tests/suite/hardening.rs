//! Faults that were seen at this module and at comparable ones, each with its relatives (docs/SECURITY-NOTES.md).

mod hardening {
    pub(crate) mod answers;
    pub(crate) mod cache;
    pub(crate) mod configuration;
    pub(crate) mod cookies;
    pub(crate) mod directories;
    pub(crate) mod identity;
    pub(crate) mod rules;
}
