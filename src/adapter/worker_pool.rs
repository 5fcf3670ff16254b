//! Threads that call session stores on the network, so that a stalled server cannot block a request.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use once_cell::sync::Lazy;

use crate::ffi::process;

/// The most threads in one child. Each takes some 50 KB, with its stack, its arena of malloc's and the provider's
/// connection; calls are answered within a millisecond, so that a few serve all requests.
const MOST_THREADS: u32 = 8;

/// What another thread is to do.
pub trait Job: Send + Sync {
    /// Does it.
    fn run(&self);
    /// Tells whoever waits for it that it is not done.
    fn give_up(&self);
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Arc<dyn Job>>,
    threads: u32,
    idle: u32,
    /// The child exits: no job begins any more.
    is_closed: bool,
}

/// As many threads as were ever needed at once.
struct Workers {
    queue: Mutex<Queue>,
    wanted: Condvar,
    rested: Condvar,
}

static WORKERS: Lazy<Workers> = Lazy::new(|| Workers {
    queue: Mutex::default(),
    wanted: Condvar::new(),
    rested: Condvar::new(),
});

/// Runs a job in another thread; an error when no thread is available.
pub fn run(job: Arc<dyn Job>) -> std::io::Result<()> {
    WORKERS.run(job)
}

/// Begins no job any more, and waits for those under way: a thread in the middle of a provider's call would use memory
/// that the exit takes away. `false` when one of them has not come back in time.
pub fn close(patience: Duration) -> bool {
    let queue = WORKERS.queue.lock().unwrap_or_else(PoisonError::into_inner);
    let mut queue = queue;
    queue.is_closed = true;
    queue.give_up();
    let waited = WORKERS
        .rested
        .wait_timeout_while(queue, patience, |queue| queue.idle < queue.threads);
    !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
}

impl Queue {
    fn give_up(&mut self) {
        for job in self.jobs.drain(..) {
            job.give_up();
        }
    }
}

impl Workers {
    fn run(&'static self, job: Arc<dyn Job>) -> std::io::Result<()> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.is_closed {
            return Err(std::io::Error::other("the child process exits"));
        }
        queue.jobs.push_back(job);
        let is_wanted = queue.idle < u32::try_from(queue.jobs.len()).unwrap_or(u32::MAX);
        // httpd is asked last, as nearly always a thread is idle.
        if is_wanted && queue.threads < process::threads_per_child().clamp(2, MOST_THREADS) {
            queue.threads += 1;
            if let Err(error) = self.spawn() {
                queue.threads -= 1;
                if queue.threads == 0 {
                    queue.give_up();
                    return Err(error);
                }
            }
        }
        drop(queue);
        self.wanted.notify_one();
        Ok(())
    }

    fn spawn(&'static self) -> std::io::Result<()> {
        let thread = std::thread::Builder::new().name("mod_oxd store".into());
        process::with_signals_blocked(|| thread.spawn(|| self.work())).map(drop)
    }

    fn work(&self) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match queue.jobs.pop_front() {
                Some(job) => {
                    drop(queue);
                    let run = std::panic::AssertUnwindSafe(|| job.run());
                    if std::panic::catch_unwind(run).is_err() {
                        job.give_up();
                    }
                    // Before the lock: whoever waited for it may use its memory again.
                    drop(job);
                    queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
                }
                None => {
                    queue.idle += 1;
                    self.rested.notify_all();
                    queue = self.wanted.wait(queue).unwrap_or_else(PoisonError::into_inner);
                    queue.idle -= 1;
                }
            }
        }
    }
}
