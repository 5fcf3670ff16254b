//! A claim of a session, or the value at a path within it (`address.country`).

use std::borrow::Cow;

use serde_json::Value;

use super::claim_json;
use crate::config::HeaderFormat;
use crate::session::record::{ClaimView, SessionRecord};

/// The value of `oxd_claim('NAME')`: the claim as in the environment; `None` without the claim.
pub fn claim_text<'r>(record: &SessionRecord<'r>, path: &str) -> Option<Cow<'r, [u8]>> {
    match find(record, path)? {
        Found::Claim(claim) => Some(Cow::Borrowed(claim.text_nul)),
        Found::Member(value) => Some(Cow::Owned(super::env_text(&value).into_bytes())),
    }
}

/// A claim as `OxdClaimHeader` writes it; `None` without the claim.
pub fn header_value(record: &SessionRecord<'_>, path: &str, format: HeaderFormat) -> Option<Vec<u8>> {
    let found = find(record, path)?;
    let text = |found: Found<'_>| match found {
        Found::Claim(claim) => claim.text().to_vec(),
        Found::Member(value) => super::env_text(&value).into_bytes(),
    };
    Some(match format {
        HeaderFormat::Text => text(found),
        HeaderFormat::Json => match found {
            Found::Claim(claim) => claim_json(&claim).to_string().into_bytes(),
            Found::Member(value) => value.to_string().into_bytes(),
        },
        HeaderFormat::Base64 => base64_simd::STANDARD.encode_to_string(text(found)).into_bytes(),
        HeaderFormat::Base64Url => base64_simd::URL_SAFE_NO_PAD
            .encode_to_string(text(found))
            .into_bytes(),
    })
}

/// The value at a path.
pub enum Found<'r> {
    /// A claim.
    Claim(ClaimView<'r>),
    /// A member of a claim that is an object or an array.
    Member(Value),
}

/// A claim of that name, or else the member that the path leads to.
pub fn find<'r>(record: &SessionRecord<'r>, path: &str) -> Option<Found<'r>> {
    if let Some(claim) = record.claims().find(|claim| claim.name == path.as_bytes()) {
        return Some(Found::Claim(claim));
    }
    let (name, rest) = path.split_once('.')?;
    let claim = record.claims().find(|claim| claim.name == name.as_bytes())?;
    let json = claim_json(&claim);
    // A plain walk down: a JSON pointer would give / and ~ a meaning that a claim's name does not have.
    let mut value = &json;
    for member in rest.split('.') {
        value = match value {
            Value::Object(map) => map.get(member)?,
            Value::Array(list) => list.get(member.parse::<usize>().ok()?)?,
            _ => return None,
        };
    }
    Some(Found::Member(value.clone()))
}
