//! Texts that are kept on the server for a while, encrypted: in the store, or else in the memory of this machine.

use super::env::SessionEnv;
use super::store::Kind;
use crate::base::{Failure, Purpose, Seconds};
use crate::shm::{Mark, NOTE_BYTES, Note};

/// Keeps a text under a mark; `kind` is the table of shared memory where there is no store. `false` when there is no place for one of this size.
pub(crate) fn keep_text(
    env: &SessionEnv<'_>,
    kind: Note,
    mark: Mark,
    text: &str,
    until: Seconds,
) -> Result<bool, Failure> {
    if let Some(entries) = env.entries() {
        entries.put(
            env.host,
            &Kind::Text.of_mark(env.site, mark),
            text.as_bytes(),
            until,
        )?;
        return Ok(true);
    }
    let sealed = env
        .settings
        .keys
        .seal_bytes(env.host, Purpose::Entry, &aad(env), text.as_bytes())?;
    if sealed.len() > NOTE_BYTES {
        return Ok(false);
    }
    env.memory.keep_note(kind, mark, &sealed, until);
    Ok(true)
}

/// The text under a mark, if it is still there.
pub(crate) fn kept_text(env: &SessionEnv<'_>, kind: Note, mark: Mark) -> Option<String> {
    let text = match env.entries() {
        Some(entries) => entries.get(&Kind::Text.of_mark(env.site, mark)).ok()??,
        None => {
            let sealed = env.memory.note(kind, mark, env.now)?;
            let mut buffer = vec![0; sealed.len()];
            let opened = env
                .settings
                .keys
                .open_bytes(Purpose::Entry, &aad(env), &sealed, &mut buffer)?;
            opened.to_vec()
        }
    };
    String::from_utf8(text).ok()
}

fn aad(env: &SessionEnv<'_>) -> Vec<u8> {
    [b"text", env.site.as_str().as_bytes()].concat()
}
