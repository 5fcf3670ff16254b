//! What the other files of this folder are built on. The models (`tests/models`) put in its place what they can follow.

use std::thread;
use std::time::Duration;

pub(super) use std::sync::atomic::{AtomicU64, Ordering};

pub(super) use crate::base::wall;

/// Waits a moment for another process.
pub(super) fn wait() {
    thread::sleep(Duration::from_millis(1));
}
