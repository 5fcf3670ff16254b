//! Changes in one step ([`Atomic`]): each is one script, which Redis runs as a whole. Their keys share a slot, so that a
//! cluster takes them.
//!
//! A connection that breaks has the command sent again, so each script may run twice and say the same.

use oxd_core::base::{Atomic, Key, Member, Replaced, Seconds, StoreError};
use redis::Cmd;

use crate::{RedisStore, seconds_until};

/// Writes the name of a holder where there is none, and says whether the entry now has it.
pub(crate) const LOCK: &str = "if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) or \
                    redis.call('GET', KEYS[1]) == ARGV[1] then return 1 end return 0";
/// Removes an entry with this name.
pub(crate) const UNLOCK: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0";
/// Replaces a value by its beginning: 1. There is a tombstone: 2. Another value: 0, unless it is the new one.
const REPLACE: &str = "if redis.call('EXISTS', KEYS[2]) == 1 then return 2 end \
                       local last = string.len(ARGV[1]) - 1 \
                       if redis.call('GETRANGE', KEYS[1], 0, last) ~= ARGV[1] and \
                       redis.call('GETRANGE', KEYS[1], 0, string.len(ARGV[2])) ~= ARGV[2] then return 0 end \
                       redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) return 1";
/// Writes a tombstone, and removes the rest.
const BURY: &str = "redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) \
                    for at = 2, #KEYS do redis.call('DEL', KEYS[at]) end return 1";
/// Adds a member by its end, drops what has ended and what is too much, and lets the set end with its last member.
const ADD: &str = "redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ARGV[3]) \
                   redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1]) \
                   redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -ARGV[4] - 1) \
                   local all = redis.call('ZRANGE', KEYS[1], 0, -1, 'WITHSCORES') \
                   redis.call('EXPIRE', KEYS[1], all[#all] - ARGV[3] + 1) return all";

impl RedisStore {
    /// A script over these entries. It is sent whole, as it is short and seldom needed.
    fn script(&self, text: &str, keys: &[&Key]) -> Cmd {
        let mut command = Cmd::new();
        command.arg("EVAL").arg(text).arg(keys.len());
        for key in keys {
            command.arg(self.key(key));
        }
        command
    }
}

fn members(list: Vec<(Vec<u8>, u64)>) -> Vec<Member> {
    list.into_iter()
        .map(|(member, ends)| (member, Seconds(ends)))
        .collect()
}

impl Atomic for RedisStore {
    fn lock(&self, key: &Key, name: &[u8], until: Seconds) -> Result<bool, StoreError> {
        let mut command = self.script(LOCK, &[key]);
        self.run(command.arg(name).arg(seconds_until(until)))
    }

    fn unlock(&self, key: &Key, name: &[u8]) -> Result<(), StoreError> {
        self.run(self.script(UNLOCK, &[key]).arg(name))
    }

    fn replace(
        &self,
        key: &Key,
        known: &[u8],
        value: &[u8],
        until: Seconds,
        end: &Key,
    ) -> Result<Replaced, StoreError> {
        self.is_short(value)?;
        let mut command = self.script(REPLACE, &[key, end]);
        command.arg(known).arg(value).arg(seconds_until(until));
        Ok(match self.run::<u8>(&command)? {
            0 => Replaced::Changed,
            1 => Replaced::Done,
            _ => Replaced::Ended,
        })
    }

    fn bury(&self, key: &Key, value: &[u8], until: Seconds, gone: &[Key]) -> Result<(), StoreError> {
        let keys: Vec<&Key> = std::iter::once(key).chain(gone).collect();
        let mut command = self.script(BURY, &keys);
        self.run(command.arg(value).arg(seconds_until(until)))
    }

    fn add(
        &self,
        set: &Key,
        member: &[u8],
        ends: Seconds,
        now: Seconds,
        most: usize,
    ) -> Result<Vec<Member>, StoreError> {
        let mut command = self.script(ADD, &[set]);
        command.arg(member).arg(ends.0).arg(now.0).arg(most);
        self.run(&command).map(members)
    }

    fn discard(&self, set: &Key, member: &[u8]) -> Result<(), StoreError> {
        self.run(Cmd::new().arg("ZREM").arg(self.key(set)).arg(member))
    }

    fn members(&self, set: &Key) -> Result<Vec<Member>, StoreError> {
        let mut command = Cmd::new();
        command.arg("ZRANGE").arg(self.key(set)).arg(0).arg(-1);
        self.run(command.arg("WITHSCORES")).map(members)
    }

    fn exists(&self, key: &Key) -> Result<bool, StoreError> {
        self.run(Cmd::new().arg("EXISTS").arg(self.key(key)))
    }
}
