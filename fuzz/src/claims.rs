//! Claims: from JSON to the record of a session and back.

use oxd_core::session::claims::{self, lookup};
use oxd_core::session::{ClaimView, NAMES, SessionRecord};
use serde_json::{Map, Value};

/// The claims of an id token and of user info, as a session keeps them.
pub fn claims(data: &[u8]) {
    let mut parts = crate::parts(data);
    let Ok(id_token) = serde_json::from_slice::<Map<String, Value>>(parts.next().unwrap_or_default()) else {
        // What an id token holds is not even JSON.
        let _ = claims::of_id_token(&crate::text(Some(data)));
        return;
    };
    let user_info = parts.next().and_then(|part| serde_json::from_slice(part).ok());
    let merged = claims::merge(&id_token, user_info);
    for name in ["iss", "sub", "aud", "exp", "acr", "sid"] {
        if let Some(own) = id_token.get(name).filter(|own| !own.is_null()) {
            assert_eq!(merged.get(name), Some(own), "user info has changed {name}");
        }
    }
    assert!(!merged.values().any(Value::is_null) && !merged.contains_key("nonce"));

    let encoded = claims::encode(&merged);
    let record = SessionRecord {
        claims: &encoded,
        ..SessionRecord::default()
    };
    let written = record.write();
    let record = SessionRecord::read(&written).expect("a record that was written just now");
    assert_eq!(record.claims().count(), merged.len(), "one claim each");
    let back = claims::to_json(&record);
    let is_harmless = |name: &String| !name.contains(char::is_control);
    for (name, value) in merged.iter().filter(|(name, _)| is_harmless(name)) {
        // A name that becomes this one takes its place; nobody's provider has such a pair.
        let is_alone = record.claims().filter(|claim| claim.is(name)).count() == 1;
        assert!(
            !is_alone || back.get(name) == Some(value),
            "{name}: {value} came back as {:?}",
            back.get(name)
        );
    }
    in_the_environment(&record, &merged);
    walked_alike(&record);
}

/// What the application gets has no character that ends a line or a text, and each variable once.
fn in_the_environment(record: &SessionRecord<'_>, merged: &Map<String, Value>) {
    let mut taken = std::collections::BTreeSet::new();
    for claim in record.claims() {
        let text = claim.text();
        assert_eq!(claim.text_nul.last(), Some(&0));
        let shown = str::from_utf8(text).expect("UTF-8");
        assert!(crate::is_one_line(shown), "{shown:?}");
        let name: Vec<u8> = claims::env_name(claim.name).collect();
        assert!(
            name.iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        );
        if !claim.hidden {
            assert!(
                taken.insert(name.to_ascii_lowercase()),
                "two claims are {}",
                String::from_utf8_lossy(&name)
            );
        }
        if let Some(place) = claim.known {
            assert_eq!(NAMES[place].to_bytes(), [b"OXD_CLAIM_", &name[..]].concat());
        }
    }
    // The claim with the very name is the one that the variable has, or one that differs in case alone.
    for name in merged.keys() {
        let plain = claims::env_name(name.as_bytes()).eq(name.bytes());
        if plain {
            let usual = record
                .claims()
                .any(|claim| claim.is(name) && claim.known.is_some());
            let has_it = |claim: &ClaimView<'_>| {
                !claim.hidden
                    && if usual {
                        claim.is(name)
                    } else {
                        claim.name.eq_ignore_ascii_case(name.as_bytes())
                    }
            };
            assert!(record.claims().any(|claim| has_it(&claim)), "{name} is hidden");
            assert!(lookup::claim_text(record, name).is_some(), "{name} is not found");
        }
    }
}

/// The fast walk over the claims sees what the plain one does.
fn walked_alike(record: &SessionRecord<'_>) {
    let (mut known, mut others) = (Vec::new(), Vec::<ClaimView<'_>>::new());
    record.claims().each(
        &NAMES,
        |variable, text| known.push((*variable, text.with_nul())),
        |claim| others.push(claim),
    );
    let (mut expected_known, mut expected_others) = (Vec::new(), Vec::new());
    for claim in record.claims() {
        match claim.known {
            Some(place) if !claim.hidden => expected_known.push((NAMES[place], claim.text_nul)),
            _ => expected_others.push(claim),
        }
    }
    assert_eq!(known, expected_known);
    assert_eq!(others, expected_others);
}
