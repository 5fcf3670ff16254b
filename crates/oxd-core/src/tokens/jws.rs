//! Verifies a JSON Web Signature (RFC 7515) in its compact form by the provider's keys.

use base64_simd::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value};

use crate::base::Failure;
use crate::oxd::Oxd;

/// The longest token that is looked at, in bytes.
pub(crate) const LONGEST: usize = 16 * 1024;
/// The most keys that are tried for a token that names none.
const MOST_KEYS: usize = 20;

/// Why a token cannot be trusted.
#[derive(Debug)]
pub(crate) enum Flaw {
    /// It has not the form of a signed token.
    NotSigned(&'static str),
    /// The token itself, in words for the log.
    Invalid(String),
    /// The keys cannot be had.
    NoKeys(Failure),
}

impl Flaw {
    fn invalid(why: impl Into<String>) -> Self {
        Flaw::Invalid(why.into())
    }
}

/// A token in the form of a signed one. Nothing of it has been verified.
#[derive(Debug)]
pub(crate) struct Unverified<'t> {
    token: &'t str,
    algorithm: Algorithm,
    kid: Option<String>,
    /// `typ` in lower case, without `application/`; `None` where the header has none.
    pub kind: Option<String>,
    /// The payload, as anybody may have written it.
    pub claims: Map<String, Value>,
}

fn json_part(token: &str, part: usize) -> Option<Map<String, Value>> {
    let bytes = URL_SAFE_NO_PAD.decode_to_vec(token.split('.').nth(part)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The payload of a token that has the form of a signed one, as anybody may have written it.
pub(crate) fn payload(token: &str) -> Option<Map<String, Value>> {
    json_part(token, 1).filter(|_| token.split('.').count() == 3)
}

/// Reads the header and the payload.
///
/// # Errors
/// It is longer than [`LONGEST`], no signed token, has a critical extension (RFC 7515 section 4.1.11), or an algorithm
/// that is not one for public keys.
pub(crate) fn read(token: &str) -> Result<Unverified<'_>, Flaw> {
    if token.len() > LONGEST {
        return Err(Flaw::invalid("it is too long"));
    }
    let (Some(header), Some(claims)) = (json_part(token, 0), payload(token)) else {
        return Err(Flaw::NotSigned("it is not a signed token"));
    };
    if header.contains_key("crit") {
        return Err(Flaw::invalid(
            "its header has crit, which nothing here understands",
        ));
    }
    let kind = header.get("typ").map(|kind| {
        let kind = kind.as_str().unwrap_or_default().to_ascii_lowercase();
        kind.strip_prefix("application/").unwrap_or(&kind).to_owned()
    });
    let algorithm = match header.get("alg").and_then(Value::as_str).unwrap_or_default() {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        // Neither none nor a signature by a secret that others may share.
        other => {
            return Err(Flaw::invalid(format!(
                "its alg {other:?} is not one for public keys"
            )));
        }
    };
    Ok(Unverified {
        token,
        algorithm,
        kid: header.get("kid").and_then(Value::as_str).map(str::to_owned),
        kind,
        claims,
    })
}

impl Unverified<'_> {
    /// The claims, whose signature one of the provider's keys has made.
    pub(crate) fn verify(&self, oxd: &dyn Oxd) -> Result<Map<String, Value>, Flaw> {
        let mut validation = Validation::new(self.algorithm);
        validation.required_spec_claims.clear();
        (validation.validate_exp, validation.validate_aud) = (false, false);
        // A key that is not there yet may be new: then the provider's keys are fetched again, though not at any rate.
        for anew in [false, true] {
            let keys = oxd
                .signing_keys(anew)
                .map_err(|error| Flaw::NoKeys(error.into()))?;
            let fitting = self.fitting(&keys);
            if fitting.is_empty() {
                continue;
            }
            for key in fitting {
                let Ok(key) = DecodingKey::from_jwk(&key) else {
                    continue;
                };
                if let Ok(data) = jsonwebtoken::decode(self.token, &key, &validation) {
                    return Ok(data.claims);
                }
            }
            return Err(Flaw::invalid("its signature is wrong"));
        }
        Err(Flaw::invalid("the provider has no key for it (kid)"))
    }

    /// The provider's keys that may have signed the token. Keys that cannot be read are as good as none.
    fn fitting(&self, keys: &[Value]) -> Vec<Jwk> {
        let signs = |key: &Jwk| {
            let usage = key.common.public_key_use.as_ref();
            let operations = key.common.key_operations.as_ref();
            usage.is_none_or(|usage| *usage == PublicKeyUse::Signature)
                && operations.is_none_or(|all| all.contains(&KeyOperations::Verify))
        };
        keys.iter()
            .filter(|key| match (&self.kid, key.get("kid").and_then(Value::as_str)) {
                (Some(wanted), Some(kid)) => wanted == kid,
                (Some(_), None) => false,
                (None, _) => true,
            })
            .filter(|key| {
                let named = key.get("alg").and_then(Value::as_str);
                named.is_none_or(|named| named == format!("{:?}", self.algorithm))
            })
            .filter_map(|key| serde_json::from_value(key.clone()).ok())
            .filter(signs)
            .take(MOST_KEYS)
            .collect()
    }
}
