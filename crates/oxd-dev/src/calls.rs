//! The record of calls that reached the oxd API, for tests to look at.

use crate::util::lock;
use serde_json::Value;
use std::sync::Mutex;

/// One call to the oxd API, in the order of arrival.
///
/// It holds whatever the caller sent, secrets included: it is meant for assertions,
/// not for logs.
#[derive(Clone, Debug)]
pub struct Call {
    /// The path without its slash: `get-client-token`, `health-check`.
    pub command: String,
    /// The body as JSON; a JSON string when it was not JSON, null when there was none.
    pub body: Value,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The `traceparent` and `tracestate` headers.
    pub trace: [Option<String>; 2],
    /// The status answered; 0 while there is no answer (under way, hung, dropped).
    pub status: u16,
}

/// All calls since the start or the last `clear`.
#[derive(Default)]
pub(crate) struct CallLog {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    calls: Vec<Call>,
    /// Goes up with each `clear`, so that an answer to a call of before finds no place.
    generation: u64,
}

/// The slot for the status of a pending call.
#[derive(Clone, Copy)]
pub(crate) struct Ticket {
    generation: u64,
    index: usize,
}

impl CallLog {
    pub(crate) fn add(&self, call: Call) -> Ticket {
        let mut inner = lock(&self.inner);
        inner.calls.push(call);
        Ticket {
            generation: inner.generation,
            index: inner.calls.len() - 1,
        }
    }

    pub(crate) fn finish(&self, ticket: Ticket, status: u16) {
        let mut inner = lock(&self.inner);
        if inner.generation == ticket.generation
            && let Some(call) = inner.calls.get_mut(ticket.index)
        {
            call.status = status;
        }
    }

    pub(crate) fn all(&self) -> Vec<Call> {
        lock(&self.inner).calls.clone()
    }

    pub(crate) fn count(&self, command: &str) -> usize {
        lock(&self.inner)
            .calls
            .iter()
            .filter(|call| call.command == command)
            .count()
    }

    pub(crate) fn total(&self) -> usize {
        lock(&self.inner).calls.len()
    }

    pub(crate) fn clear(&self) {
        let mut inner = lock(&self.inner);
        inner.calls.clear();
        inner.generation += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_that_comes_after_clear_is_not_noted_at_another_call() {
        let log = CallLog::default();
        let call = |name: &str| Call {
            command: name.to_owned(),
            body: Value::Null,
            authorization: None,
            trace: [None, None],
            status: 0,
        };
        let old = log.add(call("a"));
        log.clear();
        let new = log.add(call("b"));
        log.finish(old, 500);
        assert_eq!(log.all()[0].status, 0);
        log.finish(new, 200);
        assert_eq!(log.all()[0].status, 200);
        assert_eq!((log.count("a"), log.count("b"), log.total()), (0, 1, 1));
    }
}
