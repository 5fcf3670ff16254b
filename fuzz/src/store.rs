//! Entries of a store and of a stream: one that was not sealed for its place is none.

use std::sync::LazyLock;

use oxd_core::base::{Key, KeyRing, Millis, Seconds};
use oxd_core::fuzzing;
use oxd_core::http::Form;
use oxd_core::session::feed::{self, Feed};
use oxd_core::shm::{Ended, Mark, Memory};

use crate::configuration::keys;
use crate::place::{Answering, Asked, Kept, NONCE, NOW, Place, Server, memory};

struct SignedIn {
    place: Place,
    store: &'static Kept,
    /// The session's cookie.
    cookie: String,
    key: Key,
    entry: Vec<u8>,
}

fn sign_in() -> SignedIn {
    let store: &'static Kept = Box::leak(Box::default());
    let lines: &[&[&str]] = &[
        &["OxdId", "site"],
        &["OxdSessionStore", "shmcb"],
        &["OxdUserInfo", "Off"],
    ];
    let place = Place::with(lines, Some(store), Answering::default());
    let pending = format!(r#"{{"s":"state","n":"{NONCE}","r":"/app","t":{}}}"#, NOW.0);
    let cookie = place.login_cookie("state", pending.as_bytes()).expect("nonces");
    let asked = Asked {
        target: "/oxd/callback?code=c&state=state",
        cookies: cookie.as_bytes(),
        ..Asked::default()
    };
    let answer = place.handle(&asked, &Form::None);
    let line = answer
        .cookies
        .iter()
        .find(|line| line.starts_with("oxd_session="))
        .expect("a session");
    let cookie = line.split(';').next().unwrap_or_default().to_owned();
    let entries = store.0.lock().expect("one thread").clone();
    let (key, entry) = entries
        .into_iter()
        .max_by_key(|(_, entry)| entry.len())
        .expect("an entry");
    let signed_in = SignedIn {
        place,
        store,
        cookie,
        key,
        entry,
    };
    assert_eq!(signed_in.user().as_deref(), Ok(&b"alice\0"[..]));
    signed_in
}

impl SignedIn {
    fn user(&self) -> Result<Vec<u8>, u16> {
        let cookies = self.cookie.as_bytes();
        self.place.admitted(&Asked {
            target: "/app",
            cookies,
            ..Asked::default()
        })
    }

    fn put(&self, entry: &[u8]) {
        self.store
            .0
            .lock()
            .expect("one thread")
            .insert(self.key, entry.to_vec());
    }
}

static KEYS: LazyLock<KeyRing> = LazyLock::new(keys);

thread_local! {
    static SIGNED_IN: LazyLock<SignedIn> = LazyLock::new(sign_in);
    static MEMORY: LazyLock<Memory<'static>> = LazyLock::new(memory);
}

/// The values: `w`, a whole entry; `c`, places and bytes to change in one that is genuine; `k`, a cookie's value.
pub fn store_entry(data: &[u8]) {
    SIGNED_IN.with(|session| {
        let Some((kind, rest)) = data.split_first() else {
            return;
        };
        let mut entry = session.entry.clone();
        match kind {
            b'w' => entry = rest.to_vec(),
            b'c' => {
                for change in rest.chunks_exact(3) {
                    let place = usize::from(u16::from_le_bytes([change[0], change[1]])) % entry.len();
                    match change[2] {
                        0 => drop(entry.remove(place)),
                        1 => entry.truncate(place),
                        2 => entry.insert(place, change[0]),
                        byte => entry[place] ^= byte,
                    }
                    if entry.is_empty() {
                        break;
                    }
                }
            }
            b'k' => {
                let cookies = [b"oxd_session=", rest].concat();
                let asked = Asked {
                    target: "/app",
                    cookies: &cookies,
                    ..Asked::default()
                };
                let own = session.cookie.as_bytes();
                let is_sent = cookies
                    .split(|byte| *byte == b';')
                    .any(|pair| pair.trim_ascii() == own);
                assert!(
                    session.place.admitted(&asked).is_err() || is_sent,
                    "a session that nobody has"
                );
                return;
            }
            _ => return,
        }
        session.put(&entry);
        let user = session.user();
        session.put(&session.entry);
        // The tokens, behind the record, are sealed apart and are not needed here.
        let record_ends =
            12 + u32::from_le_bytes(session.entry[4..8].try_into().unwrap_or_default()) as usize;
        let is_same =
            entry.len() == session.entry.len() && entry[..record_ends] == session.entry[..record_ends];
        assert_eq!(user.is_ok(), is_same, "{user:?}");
    });
}

/// The values: `s`, the content of an entry that is sealed; or what came as one.
pub fn stream_entry(data: &[u8]) {
    MEMORY.with(|memory| {
        let keys: &KeyRing = &KEYS;
        let feed = Feed {
            memory: **memory,
            keys,
        };
        let Some((kind, content)) = data.split_first() else {
            return;
        };
        if *kind != b's' {
            assert!(!feed.hear(1, data, NOW), "an end that nobody has told");
            return;
        }
        let Ok(sealed) = fuzzing::seal_entry(keys, b"mod_oxd end", content) else {
            return;
        };
        let heard = feed.hear(1, &sealed, NOW);
        let words: Option<&[u8; 24]> = content.try_into().ok();
        let word = |at: usize| {
            words.map_or(0, |all| {
                u64::from_le_bytes(all[at..at + 8].try_into().unwrap_or_default())
            })
        };
        assert_eq!(heard, words.is_some() && word(0) != 0);
        let Some(mark) = Mark::stored(word(0)).filter(|_| heard) else {
            return;
        };
        let ended = Ended {
            mark,
            moment: Millis(word(8)),
            until: Seconds(word(16)),
        };
        if ended.until > NOW && ended.moment.0 > 0 && ended.moment.0 < 1 << 42 {
            assert!(
                memory.has_ended(mark, ended.moment, NOW),
                "an end that was heard is not known"
            );
        }
        // Told again by this machine it is the same.
        let told = feed::entry(&Server::default(), keys, &ended).expect("nonces");
        assert!(feed.hear(2, &told, NOW));
    });
}
