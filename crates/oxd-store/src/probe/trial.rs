//! Which of the needed commands a server lets the user run: each is tried with a key below the prefix.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};

use redis::{Cmd, Value};

use super::{Failure, FailureKind, Node};
use crate::atomic::{LOCK, UNLOCK};

/// How long a key of the check lives where it could not be removed, in seconds.
const LIFE: &str = "60";
/// How many names are tried for a key in a node's slots; a prefix with a `{tag}` has but one slot.
const NAMES: u32 = 400_000;

/// What the trials have shown.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    /// The names of the commands that were tried.
    pub tried: Vec<&'static str>,
    /// Those that the user may not run.
    pub denied: Vec<&'static str>,
    /// Those that the server does not know.
    pub unknown: Vec<&'static str>,
    /// Whether the user may not use keys below the prefix.
    pub keys_denied: bool,
    /// Whether another node of a cluster has the key.
    pub elsewhere: bool,
    /// Why the server refuses although the user may.
    pub trouble: Option<Failure>,
}

/// Where commands are tried.
#[derive(Clone, Debug, Default)]
pub struct Ground {
    /// `OxdStorePrefix`
    pub prefix: String,
    /// The database of the URL.
    pub database: u32,
    /// The slots of the node, if it is the master of some in a cluster.
    pub slots: Vec<(u16, u16)>,
    /// Whether it is a replica: it takes no writes, but says first whether the user may.
    pub is_replica: bool,
}

impl Trials {
    fn note(&mut self, name: &'static str, outcome: Result<Value, Failure>) {
        use FailureKind as Kind;
        self.tried.push(name);
        let Err(failure) = outcome else { return };
        match failure.kind {
            Kind::Denied => self.denied.push(name),
            Kind::UnknownCommand => self.unknown.push(name),
            Kind::KeyDenied => self.keys_denied = true,
            // The server asks for the right first.
            Kind::WrongType => {}
            Kind::Elsewhere => self.elsewhere = true,
            _ if self.trouble.is_none() => self.trouble = Some(failure),
            _ => {}
        }
    }
}

impl Node {
    /// Tries these commands.
    pub async fn try_commands(&mut self, commands: &[&'static str], ground: &Ground) -> Trials {
        let key = key(&ground.prefix, &ground.slots);
        let mut trials = Trials::default();
        // Without the right to remove, all happens on one key that ends by itself: the server says of the other commands
        // that it has another type.
        let lasts = !self.can_end(&key).await;
        self.write_scratch(&key).await;
        for &name in commands {
            // They make an entry of their own type, or none.
            if matches!(name, "zadd" | "xadd" | "eval") {
                self.remove_scratch(&key).await;
            }
            let outcome = match name {
                "eval" => self.try_scripts(&key).await,
                "select" => self.ask(Cmd::new().arg("SELECT").arg(ground.database)).await,
                "zadd" | "xadd" if lasts => self.try_without_trace(name, &key).await,
                _ => self.ask(&trial_of(name, &key)).await,
            };
            trials.note(name, outcome);
            let gone =
                |failure: &Failure| matches!(failure.kind, FailureKind::Connection | FailureKind::Timeout);
            if trials.trouble.as_ref().is_some_and(gone) {
                return trials;
            }
            if matches!(name, "zadd" | "xadd") {
                let _ = self.ask::<Value>(&trial_of("expire", &key)).await;
            }
            // For those behind it in the list.
            if matches!(name, "del" | "eval") {
                self.write_scratch(&key).await;
            }
        }
        self.remove_scratch(&key).await;
        if ground.is_replica {
            let expected = |failure: &Failure| {
                matches!(
                    failure.kind,
                    FailureKind::ReadOnly | FailureKind::MasterDown | FailureKind::Other
                )
            };
            trials.trouble = trials.trouble.filter(|failure| !expected(failure));
        }
        trials
    }

    async fn write_scratch(&mut self, key: &str) {
        let _ = self.ask::<Value>(&trial_of("set", key)).await;
    }

    async fn remove_scratch(&mut self, key: &str) {
        let _ = self.ask::<Value>(&trial_of("del", key)).await;
    }

    /// Whether a key can be removed, or at least be given an end.
    async fn can_end(&mut self, key: &str) -> bool {
        self.ask::<Value>(&trial_of("del", key)).await.is_ok()
            || self.ask::<Value>(&trial_of("expire", key)).await.is_ok()
    }

    /// Commands that would leave an entry for ever, so that they leave none.
    async fn try_without_trace(&mut self, name: &str, key: &str) -> Result<Value, Failure> {
        let words: &[&str] = match name {
            "zadd" => &["ZADD", key, "XX", "1", "a"],
            // No entry may have this number: the server refuses it after it has looked at the right.
            _ => &["XADD", key, "0-0", "a", "b"],
        };
        match self.ask(&command(words)).await {
            Err(failure) if failure.text.contains("must be greater than 0-0") => Ok(Value::Nil),
            outcome => outcome,
        }
    }

    /// A script, and then those of the module. What they run is tried by itself, so only the first one is about a right.
    async fn try_scripts(&mut self, key: &str) -> Result<Value, Failure> {
        let script = |text: &str| {
            let mut command = Cmd::new();
            command.arg("EVAL").arg(text).arg(1).arg(key).arg("oxdctl");
            command
        };
        self.ask::<Value>(&script("return 1")).await?;
        let locked = self.ask::<Value>(script(LOCK).arg(LIFE)).await;
        let unlocked = self.ask::<Value>(&script(UNLOCK)).await;
        for outcome in [&locked, &unlocked] {
            // A script that may not run a command fails with an error that says little of it.
            if let Err(failure) = outcome
                && failure.kind != FailureKind::Other
                && failure.kind != FailureKind::Denied
            {
                return Err(failure.clone());
            }
        }
        Ok(Value::Nil)
    }
}

/// A command that shows whether the user has the right to it.
fn trial_of(name: &str, key: &str) -> Cmd {
    let words: &[&str] = match name {
        "get" => &["GET", key],
        "getrange" => &["GETRANGE", key, "0", "9"],
        "set" => &["SET", key, "x", "EX", LIFE],
        "del" => &["DEL", key],
        "exists" => &["EXISTS", key],
        "expire" => &["EXPIRE", key, LIFE],
        "zadd" => &["ZADD", key, "1", "a", "2", "b", "3", "c"],
        "zrange" => &["ZRANGE", key, "0", "-1"],
        "zrem" => &["ZREM", key, "a"],
        "zremrangebyscore" => &["ZREMRANGEBYSCORE", key, "2", "2"],
        "zremrangebyrank" => &["ZREMRANGEBYRANK", key, "0", "-3"],
        "xadd" => &["XADD", key, "*", "a", "b"],
        "xread" => &["XREAD", "COUNT", "1", "STREAMS", key, "0"],
        "xtrim" => &["XTRIM", key, "MAXLEN", "1"],
        "role" => &["ROLE"],
        "asking" => &["ASKING"],
        "cluster|slots" => &["CLUSTER", "SLOTS"],
        // "ping"; a test has all others.
        _ => &["PING"],
    };
    command(words)
}

fn command(words: &[&str]) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word);
    }
    command
}

/// A name that nobody else has, in one of these slots if there are any.
fn key(prefix: &str, slots: &[(u16, u16)]) -> String {
    let random = RandomState::new().build_hasher().finish();
    let name = |number: u32| format!("{prefix}oxdctl-{random:016x}-{number}");
    let fits = |key: &String| {
        let slot = slot(key.as_bytes());
        slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    };
    let of_the_node = (1..NAMES).map(name).find(|key| slots.is_empty() || fits(key));
    of_the_node.unwrap_or_else(|| name(0))
}

/// The slot of a key in a cluster.
fn slot(key: &[u8]) -> u16 {
    let tag = key.iter().position(|byte| *byte == b'{').and_then(|open| {
        let rest = &key[open + 1..];
        let close = rest.iter().position(|byte| *byte == b'}')?;
        (close > 0).then(|| &rest[..close])
    });
    // CRC16/XMODEM.
    let mut crc: u16 = 0;
    for byte in tag.unwrap_or(key) {
        crc ^= u16::from(*byte) << 8;
        for _ in 0..8 {
            crc = match crc & 0x8000 {
                0 => crc << 1,
                _ => crc << 1 ^ 0x1021,
            };
        }
    }
    crc % 16_384
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::COMMANDS;

    /// As `CLUSTER KEYSLOT` has them.
    #[test]
    fn slots_are_those_of_redis() {
        for (key, expected) in [
            ("123456789", 0x31c3),
            ("foo", 12_182),
            ("a{foo}b", 12_182),
            ("{}foo", slot(b"{}foo")),
            ("", 0),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn a_key_is_in_the_slots_of_its_node() {
        let found = key("mod_oxd:", &[(7, 7), (9, 11)]);
        assert!([7, 9, 10, 11].contains(&slot(found.as_bytes())), "{found}");
        assert_ne!(key("p", &[]), key("p", &[]));
        // A tag leaves no choice.
        assert!(key("{sso}:", &[(0, 1)]).ends_with("-0"));
    }

    #[test]
    fn every_needed_command_is_tried_as_itself() {
        for command in COMMANDS {
            // These have a trial of their own.
            if matches!(command.name, "eval" | "select") {
                continue;
            }
            let sent = trial_of(command.name, "key").get_packed_command();
            let sent = String::from_utf8(sent).unwrap().to_ascii_lowercase();
            let words: Vec<_> = command.name.split('|').collect();
            let first = sent.split("\r\n").filter(|line| !line.starts_with(['*', '$']));
            let first: Vec<_> = first.take(words.len()).collect();
            assert_eq!(first, words);
        }
    }
}
