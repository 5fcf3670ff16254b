//! Ctrl-C, a closed terminal and `kill` end the demo at any time, also while it starts.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use oxd_tests::end_children;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::say;

/// How long httpd may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(10);

/// Whether a person has been told how to end it: then that is no failure.
static READY: AtomicBool = AtomicBool::new(false);
static ENDING: AtomicBool = AtomicBool::new(false);

/// The signals that end the demo. Somebody waits for them from now on, so that none comes too early.
pub struct Signals {
    runtime: Runtime,
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
}

impl Signals {
    /// Takes the signals over.
    pub fn take() -> io::Result<Signals> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let _inside = runtime.enter();
        Ok(Signals {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            runtime,
        })
    }

    /// Ends everything at the first signal, the files in this directory included. A second one changes
    /// nothing.
    pub fn watch(self, directory: &Path) {
        let directory = directory.to_owned();
        thread::spawn(move || {
            let number = self.wait();
            ENDING.store(true, Ordering::SeqCst);
            let ready = READY.load(Ordering::SeqCst);
            if ready {
                say("\ndemo: ending");
            }
            end_children(PATIENCE);
            // There is nobody left to tell.
            let _ = fs::remove_dir_all(directory);
            std::process::exit(if ready { 0 } else { 128 + number });
        });
    }

    fn wait(mut self) -> i32 {
        self.runtime.block_on(async {
            let kind = tokio::select! {
                _ = self.interrupt.recv() => SignalKind::interrupt(),
                _ = self.terminate.recv() => SignalKind::terminate(),
                _ = self.hang_up.recv() => SignalKind::hangup(),
            };
            kind.as_raw_value()
        })
    }
}

/// Says that a signal is the way to end it now.
pub fn ready() {
    READY.store(true, Ordering::SeqCst);
}

/// Whether a signal has come.
pub fn ending() -> bool {
    ENDING.load(Ordering::SeqCst)
}

/// Once a signal has come, what goes wrong is its work, which this leaves to it.
pub fn let_it_end() {
    while ending() {
        thread::park();
    }
}
