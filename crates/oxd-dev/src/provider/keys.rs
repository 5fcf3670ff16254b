//! The provider's RS256 key: JWK out, signatures out and in.

use crate::Error;
use crate::util::{b64, unb64};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair, PublicKeyComponents};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const BITS: usize = 2048;

/// The key of this process. Making one takes a good part of a second, and a test suite
/// starts many providers: they share it. Their issuers differ, so their tokens do.
static SHARED: Mutex<Option<Arc<SigningKey>>> = Mutex::new(None);

pub(crate) struct SigningKey {
    pair: KeyPair,
    kid: String,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl SigningKey {
    pub(crate) fn shared() -> Result<Arc<SigningKey>, Error> {
        let mut shared = crate::util::lock(&SHARED);
        if let Some(key) = &*shared {
            return Ok(key.clone());
        }
        let key = Arc::new(SigningKey::generate()?);
        *shared = Some(key.clone());
        Ok(key)
    }

    fn generate() -> Result<SigningKey, Error> {
        let crypto = |why: &dyn std::fmt::Display| Error::Crypto(format!("RSA key: {why}"));
        let private =
            rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS).map_err(|why| crypto(&why))?;
        let der = private.to_pkcs8_der().map_err(|why| crypto(&why))?;
        let pair = KeyPair::from_pkcs8(der.as_bytes()).map_err(|why| crypto(&why))?;
        let modulus = private.n().to_bytes_be();
        let exponent = private.e().to_bytes_be();
        let kid = b64(&digest(&SHA256, &modulus).as_ref()[..12]);
        Ok(SigningKey {
            pair,
            kid,
            modulus,
            exponent,
        })
    }

    /// The JWK Set (RFC 7517, section 5).
    pub(crate) fn jwks(&self) -> Value {
        json!({ "keys": [{
            "kty": "RSA",
            "use": "sig",
            "alg": "RS256",
            "kid": self.kid,
            "n": b64(&self.modulus),
            "e": b64(&self.exponent),
        }] })
    }

    /// A JWS in compact form (RFC 7515, section 7.1) with this payload.
    pub(crate) fn sign(&self, claims: &Value, typ: &str) -> String {
        let header = json!({ "alg": "RS256", "typ": typ, "kid": self.kid });
        let signed = format!(
            "{}.{}",
            b64(header.to_string().as_bytes()),
            b64(claims.to_string().as_bytes())
        );
        let mut signature = vec![0; self.pair.public().modulus_len()];
        // Signing fails only with too small a buffer or a broken key; both are ours.
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                signed.as_bytes(),
                &mut signature,
            )
            .expect("an RSA signature of our own");
        format!("{signed}.{}", b64(&signature))
    }

    /// The payload of a JWT that we signed.
    pub(crate) fn verify(&self, jwt: &str) -> Option<Value> {
        let (signed, signature) = jwt.rsplit_once('.')?;
        PublicKeyComponents {
            n: &self.modulus,
            e: &self.exponent,
        }
        .verify(&RSA_PKCS1_2048_8192_SHA256, signed.as_bytes(), &unb64(signature)?)
        .ok()?;
        crate::util::jwt_payload(jwt)
    }
}

/// `at_hash` (OpenID Connect Core 1.0, 3.1.3.6) for RS256.
pub(crate) fn at_hash(access_token: &str) -> String {
    b64(&digest(&SHA256, access_token.as_bytes()).as_ref()[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifies_what_it_signed_and_nothing_else() {
        let key = SigningKey::shared().unwrap();
        let jwt = key.sign(&json!({"sub": "x"}), "JWT");
        assert_eq!(key.verify(&jwt).unwrap()["sub"], "x");
        let mut parts: Vec<String> = jwt.split('.').map(str::to_owned).collect();
        parts[1] = b64(br#"{"sub":"y"}"#);
        assert!(key.verify(&parts.join(".")).is_none());
        assert!(key.verify("").is_none());
        assert!(key.verify("a.b").is_none());
    }

    #[test]
    fn at_hash_is_the_left_half_of_sha256() {
        // The example of OpenID Connect Core 1.0, appendix A.4.
        assert_eq!(
            at_hash("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"),
            "77QmUPtjPfzWtF2AnpK9RQ"
        );
    }
}
