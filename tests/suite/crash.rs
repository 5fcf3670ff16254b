//! What is left after processes were killed at random points, and while something that httpd takes for granted is not
//! to be had: room on a disk, descriptors, memory, the right time, names.
//!
//! The seed of what is random is printed; `OXD_CRASH_SEED` sets it, and `OXD_CRASH_ROUNDS` the number of blows for each
//! store.

mod crash {
    pub(crate) mod clock;
    pub(crate) mod crowd;
    mod disk;
    pub(crate) mod kills;
    mod names;
    pub(crate) mod random;
    mod scarce;
    pub(crate) mod service;
    mod starts;
    pub(crate) mod victim;
    pub(crate) mod weather;
}
