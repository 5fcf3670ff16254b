//! `oxdctl key`

use base64_simd::STANDARD;
use oxd_core::base::{Random as _, Secret, SystemRandom};
use serde_json::json;

use crate::cli::Key;
use crate::files::{self, NewFile};
use crate::problem::{Kind, Outcome, Problem};
use crate::screen::Screen;

/// The keys that are derived from it are of AES-256.
const BYTES: usize = 32;

/// Makes a key.
pub fn run(screen: &Screen, args: &Key) -> Outcome {
    let Some(path) = &args.out else {
        let key = make()?;
        if screen.json {
            screen.json_with_secrets(&json!({"ok": true, "key": key.expose()}));
        } else {
            screen.verbatim(&format!("{}\n", key.expose()));
        }
        return Ok(());
    };
    let place = NewFile::prepare(path, false).map_err(|problem| match problem.cause {
        "file_exists" => problem.advise(
            "a key that is lost ends all sessions that it sealed: to change keys, make another file, and name the \
             old one behind it (OxdCryptoKey file:NEW file:OLD)",
        ),
        _ => problem,
    })?;
    place.put(&format!("{}\n", make()?.expose()))?;
    let path = files::absolute(path);
    screen.json(json!({"ok": true, "file": path.display().to_string()}));
    screen.say(format!("OxdCryptoKey    file:{}", path.display()));
    Ok(())
}

fn make() -> Outcome<Secret> {
    let mut bytes = [0; BYTES];
    SystemRandom
        .fill(&mut bytes)
        .map_err(|_| Problem::new(Kind::File, "no_randomness", "the system gave no random bytes"))?;
    Ok(Secret::new(STANDARD.encode_to_string(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_long_enough_and_never_the_same() {
        let (one, two) = (make().unwrap(), make().unwrap());
        assert_eq!(STANDARD.decode_to_vec(one.expose()).unwrap().len(), BYTES);
        assert!(one != two);
    }
}
