//! Catches panics at every C entry point: a panic must not unwind into httpd.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// The message of this thread's last panic, for the log line.
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Replaces Rust's panic hook, which writes several raw lines to standard error, by one that records the message.
///
/// Another httpd module in Rust is not affected: each has its own copy of the standard library, and its own hook.
pub fn install_panic_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        panic::set_hook(Box::new(|info| {
            let message = info
                .payload()
                .downcast_ref::<&str>()
                .map(|s| (*s).to_owned())
                .or_else(|| info.payload().downcast_ref::<String>().cloned())
                .unwrap_or_default();
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            // A thread that is exiting has no thread-local storage any more; losing the message is better than
            // aborting.
            let _ = MESSAGE.try_with(|m| *m.borrow_mut() = Some(format!("{place}: {message}")));
        }));
    });
}

/// Runs the body of a hook. If it panics, `on_panic` gets the message and returns the hook's result.
pub fn contained<A>(body: impl FnOnce() -> A, on_panic: impl FnOnce(&str) -> A) -> A {
    // Data that the body shares is either behind a lock that tolerates poisoning or in the request's pool.
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(answer) => answer,
        Err(payload) => {
            let message = MESSAGE.with(|m| m.borrow_mut().take()).unwrap_or_default();
            // Dropping the payload could panic again, outside of any guard.
            std::mem::forget(payload);
            on_panic(&message)
        }
    }
}
