//! A Redis without room, with each of its policies. Those that evict sessions are not recommended; even so, nobody becomes
//! somebody else or is sent round and round.

use oxd_tests::{Browser, RedisNode};

use super::redis_bed::*;

/// How much memory is left for sessions and the other keys together.
const ROOM: u64 = 400_000;

/// Writes other keys, of some 1,000 bytes each, until there is no room or there are 400: some with an end, some without.
const OTHER_KEYS: &str = "for i = 1, 400 do \
     local key = 'other:' .. ARGV[1] .. ':' .. i \
     local answer = redis.pcall('SET', key, string.rep('x', 1000)) \
     if type(answer) == 'table' and answer.err then return i end \
     if i % 2 == tonumber(ARGV[2]) then redis.pcall('EXPIRE', key, 30) end \
     end return 400";

macro_rules! with_each_policy {
    ($($name:ident $policy:literal $evicts:literal,)*) => {
        $(
            #[test]
            fn $name() {
                stays_right($policy, $evicts);
            }
        )*
    };
}

with_each_policy! {
    noeviction "noeviction" false,
    allkeys_lru "allkeys-lru" true,
    allkeys_lfu "allkeys-lfu" true,
    allkeys_random "allkeys-random" true,
    volatile_lru "volatile-lru" true,
    volatile_lfu "volatile-lfu" true,
    volatile_random "volatile-random" true,
    volatile_ttl "volatile-ttl" true,
}

/// Other keys fill Redis over and over, while people with sessions come back and others sign in.
fn stays_right(policy: &str, evicts: bool) {
    let node = RedisNode::start("");
    let site = troubled(site_at(&format!("redis://{}", node.address()), "")).start();
    let people = people(&site);
    let limit = (used(&node) + ROOM).to_string();
    for (setting, value) in [("maxmemory-policy", policy), ("maxmemory", &limit)] {
        assert_eq!(node.ask(&["config", "set", setting, value]), "OK");
    }
    let (mut own, mut nobody, mut unavailable, mut logins, mut refused) = (0, 0, 0, 0, 0);
    let mut newcomers: Vec<(String, Browser)> = Vec::new();
    for round in 0..6 {
        // Without an end in the last ones: then the policies of entries with an end find nothing but sessions.
        let with_end = if round < 4 { "0" } else { "2" };
        node.ask(&["eval", OTHER_KEYS, "0", &round.to_string(), with_end]);
        for (name, browser) in people.iter().chain(&newcomers) {
            match seen(&site, &browser.copy()) {
                Seen::User(user) => {
                    assert_eq!(user, *name);
                    own += 1;
                }
                Seen::Nobody => nobody += 1,
                Seen::Unavailable => unavailable += 1,
            }
        }
        for name in ["anna", "ben"] {
            match try_to_sign_in(&site, name) {
                Some(browser) => {
                    logins += 1;
                    newcomers.push((format!("sub-of-{name}"), browser));
                }
                None => refused += 1,
            }
        }
    }
    println!(
        "{policy}: {own} pages for their users, {nobody} sent to the provider, {unavailable} asked to come back; \
         {logins} logins, {refused} refused"
    );
    assert_eq!(unavailable, 0, "a session can be read without room");
    assert!(evicts || nobody == 0, "nothing was evicted");
    assert_eq!(node.ask(&["config", "set", "maxmemory", "0"]), "OK");
    assert!(try_to_sign_in(&site, "chris").is_some());
}

/// The memory that it counts against its limit.
fn used(node: &RedisNode) -> u64 {
    let memory = node.ask(&["info", "memory"]);
    let line = memory.lines().find_map(|line| line.strip_prefix("used_memory:"));
    let bytes = line.and_then(|bytes| bytes.trim().parse().ok());
    bytes.unwrap_or_else(|| panic!("no such number: {memory}"))
}
