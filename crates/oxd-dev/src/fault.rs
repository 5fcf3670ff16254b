//! Faults: how the stand-in misbehaves when a test asks for it.

use crate::util::lock;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

/// A way to misbehave, set for a command with [`DevServer::fault`](crate::DevServer::fault).
///
/// `Delay`, `Trickle`, `Patch`, `Remove` and `Header` carry the command out; all others answer
/// (or do not) without it, so that a state or a code stays unused.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The fault inside, for this many calls; then the next one set, or none.
    Times(usize, Box<Fault>),
    /// All of these at once: delays add up, changes are applied in order, the first
    /// one that takes the place of the answer wins.
    All(Vec<Fault>),
    /// This status and body.
    Status {
        /// The HTTP status.
        code: u16,
        /// The body, as it is.
        body: String,
        /// The `Content-Type`.
        content_type: String,
    },
    /// The real answer, later.
    Delay(Duration),
    /// The request is read and never answered.
    Hang,
    /// The request is read and the connection closed without an answer.
    Drop,
    /// 200 and `application/json`, but no JSON.
    NotJson,
    /// 200 with this JSON.
    WrongShape(Value),
    /// 200 with a JSON object of this many bytes, sent in chunks without a length.
    Huge(usize),
    /// 302 to this address.
    Redirect(String),
    /// The real answer, a byte per interval.
    Trickle(Duration),
    /// The real answer with this JSON merged in: objects member by member, anything
    /// else replaced.
    Patch(Value),
    /// The answer with this header, in place of any other of its name: `Date`, for one.
    Header {
        /// The header's name.
        name: String,
        /// Its value.
        value: String,
    },
    /// The real answer without this member; dots go deeper (`id_token_claims.sub`).
    Remove(String),
}

/// The effect of a fault on one call.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) delay: Duration,
    pub(crate) trickle: Option<Duration>,
    pub(crate) instead: Option<Instead>,
    edits: Vec<Edit>,
    headers: Vec<(String, String)>,
}

/// The answer in place of the command's own.
#[derive(Debug)]
pub(crate) enum Instead {
    Status {
        code: u16,
        body: String,
        content_type: String,
    },
    Hang,
    Drop,
    Huge(usize),
    Redirect(String),
}

#[derive(Debug)]
enum Edit {
    Patch(Value),
    Remove(String),
}

impl Plan {
    fn add(&mut self, fault: Fault) {
        let json = |body: String| Instead::Status {
            code: 200,
            body,
            content_type: "application/json".to_owned(),
        };
        match fault {
            Fault::Times(_, inner) => self.add(*inner),
            Fault::All(faults) => faults.into_iter().for_each(|fault| self.add(fault)),
            Fault::Status {
                code,
                body,
                content_type,
            } => {
                self.put(Instead::Status {
                    code,
                    body,
                    content_type,
                });
            }
            Fault::Delay(time) => self.delay += time,
            Fault::Hang => self.put(Instead::Hang),
            Fault::Drop => self.put(Instead::Drop),
            Fault::NotJson => self.put(json("<html>this is not JSON</html>".to_owned())),
            Fault::WrongShape(value) => self.put(json(value.to_string())),
            Fault::Huge(bytes) => self.put(Instead::Huge(bytes)),
            Fault::Redirect(to) => self.put(Instead::Redirect(to)),
            Fault::Trickle(interval) => self.trickle = Some(interval),
            Fault::Header { name, value } => self.headers.push((name, value)),
            Fault::Patch(value) => self.edits.push(Edit::Patch(value)),
            Fault::Remove(path) => self.edits.push(Edit::Remove(path)),
        }
    }

    fn put(&mut self, instead: Instead) {
        self.instead.get_or_insert(instead);
    }

    /// Sets the headers of `Header`; one that HTTP could not carry is left out.
    pub(crate) fn set_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
    }

    /// The answer with `Patch` and `Remove` applied.
    pub(crate) fn edit(&self, mut answer: Value) -> Value {
        for edit in &self.edits {
            match edit {
                Edit::Patch(with) => merge(&mut answer, with),
                Edit::Remove(path) => remove(&mut answer, path),
            }
        }
        answer
    }
}

/// The faults set, by command.
#[derive(Default)]
pub(crate) struct Faults {
    queues: Mutex<HashMap<String, VecDeque<Fault>>>,
}

impl Faults {
    pub(crate) fn set(&self, command: &str, fault: Fault) {
        let mut queues = lock(&self.queues);
        let queue = queues.entry(command.to_owned()).or_default();
        // A fault without a limit never ends: a later one takes its place, or it
        // would never be met.
        if queue.back().is_some_and(|last| !matches!(last, Fault::Times(..))) {
            queue.pop_back();
        }
        queue.push_back(fault);
    }

    pub(crate) fn clear(&self) {
        lock(&self.queues).clear();
    }

    /// The effect on the next call of this command. Uses up one of a `Times`.
    pub(crate) fn take(&self, command: &str) -> Plan {
        let mut queues = lock(&self.queues);
        let mut plan = Plan::default();
        for key in [command, "*"] {
            if let Some(fault) = queues.get_mut(key).and_then(next) {
                plan.add(fault);
                break;
            }
        }
        plan
    }
}

fn next(queue: &mut VecDeque<Fault>) -> Option<Fault> {
    loop {
        match queue.front_mut()? {
            Fault::Times(0, _) => {
                queue.pop_front();
            }
            Fault::Times(left, inner) => {
                *left -= 1;
                return Some((**inner).clone());
            }
            unlimited => return Some(unlimited.clone()),
        }
    }
}

fn merge(into: &mut Value, from: &Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from.clone(),
    }
}

fn remove(from: &mut Value, path: &str) {
    match path.split_once('.') {
        Some((first, rest)) => {
            if let Some(inner) = from.get_mut(first) {
                remove(inner, rest);
            }
        }
        None => {
            if let Some(object) = from.as_object_mut() {
                object.remove(path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn code(plan: &Plan) -> Option<u16> {
        match plan.instead {
            Some(Instead::Status { code, .. }) => Some(code),
            _ => None,
        }
    }

    fn status(code: u16) -> Fault {
        Fault::Status {
            code,
            body: String::new(),
            content_type: "text/plain".to_owned(),
        }
    }

    #[test]
    fn limited_faults_queue_up_and_unlimited_ones_replace_each_other() {
        let faults = Faults::default();
        faults.set("x", Fault::Times(2, Box::new(status(501))));
        faults.set("x", Fault::Times(1, Box::new(status(502))));
        faults.set("x", status(503));
        faults.set("x", status(504));
        let met: Vec<_> = (0..5).map(|_| code(&faults.take("x"))).collect();
        assert_eq!(met, [Some(501), Some(501), Some(502), Some(504), Some(504)]);
        assert_eq!(code(&faults.take("y")), None);
        faults.clear();
        assert_eq!(code(&faults.take("x")), None);
    }

    #[test]
    fn the_star_is_for_commands_without_a_fault_of_their_own() {
        let faults = Faults::default();
        faults.set("*", status(500));
        faults.set("x", Fault::Times(1, Box::new(status(501))));
        assert_eq!(code(&faults.take("x")), Some(501));
        assert_eq!(code(&faults.take("x")), Some(500));
    }

    #[test]
    fn edits_go_deep_and_in_order() {
        let mut plan = Plan::default();
        plan.add(Fault::All(vec![
            Fault::Patch(json!({"a": {"b": 1, "n": {"new": true}}, "list": [3]})),
            Fault::Remove("a.c".to_owned()),
            Fault::Remove("not.there".to_owned()),
            Fault::Delay(Duration::from_secs(1)),
            Fault::Delay(Duration::from_secs(2)),
        ]));
        let edited = plan.edit(json!({"a": {"b": 0, "c": 2, "d": 4}, "list": [1, 2]}));
        assert_eq!(
            edited,
            json!({"a": {"b": 1, "d": 4, "n": {"new": true}}, "list": [3]})
        );
        assert_eq!(plan.delay, Duration::from_secs(3));
    }
}
