//! What stands around every entry from C: a panic must not unwind into httpd.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

thread_local! {
    /// What the last panic of this thread said, kept for the one log line that it gets.
    static MESSAGE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Replaces Rust's panic hook, which writes several raw lines to standard error, by one that remembers the message.
///
/// Other Rust code in the process (another module) keeps its hook for threads that are not ours: ours is called only
/// for panics and passes on those that happen outside of [`contained`].
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
            // A thread that is ending has no thread-local storage any more; then the line is lost, not the process.
            let _ = MESSAGE.try_with(|m| *m.borrow_mut() = Some(format!("{place}: {message}")));
        }));
    });
}

/// Runs a hook's body. When it panics, `on_panic` gets the message and says what the hook answers.
pub fn contained<A>(body: impl FnOnce() -> A, on_panic: impl FnOnce(&str) -> A) -> A {
    // What the body shares with others is either behind a lock that forgives poisoning or in the request's pool.
    match panic::catch_unwind(AssertUnwindSafe(body)) {
        Ok(answer) => answer,
        Err(payload) => {
            let message = MESSAGE.with(|m| m.borrow_mut().take()).unwrap_or_default();
            // The payload's own drop could panic again, outside of any guard.
            std::mem::forget(payload);
            on_panic(&message)
        }
    }
}
