//! Waiting for a condition instead of sleeping and hoping.

use std::time::{Duration, Instant};

/// How long a condition may take on a loaded machine before the test gives up.
pub const WAIT: Duration = Duration::from_secs(30);

/// Looks at `condition` until it gives a value; `None` when `limit` has passed.
pub fn within<T>(limit: Duration, mut condition: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(value) = condition() {
            return Some(value);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(20));
    }
}

/// Waits until `condition` holds; fails the test, naming `what`, when it does not within [`WAIT`].
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    if within(WAIT, || condition().then_some(())).is_none() {
        panic!("waited {} s for {what}", WAIT.as_secs());
    }
}
