//! The provider's keys: which one signs, which ones are published, and JWTs that are wrong on
//! purpose.

mod key;

use crate::util::{b64, lock};
use crate::{Error, Signer};
use key::Key;
use ring::digest::{SHA256, digest};
use ring::hmac;
use serde_json::{Map, Value, json};
use std::sync::{Arc, Mutex};

/// The process's RSA key that no provider ever publishes; those of providers count from 1.
const STRANGER: usize = 0;

/// All keys that a provider has had, the newest last.
pub(crate) struct Keyring {
    keys: Mutex<Keys>,
}

struct Keys {
    all: Vec<Entry>,
    /// The `kid` of the key that signs ID tokens and logout tokens.
    current: String,
}

struct Entry {
    key: Arc<Key>,
    published: bool,
}

impl Keyring {
    /// With one RS256 key.
    pub(crate) fn new() -> Result<Keyring, Error> {
        let first = Key::new("RS256", STRANGER + 1)?;
        let current = first.kid.clone();
        let all = vec![Entry {
            key: Arc::new(first),
            published: true,
        }];
        Ok(Keyring {
            keys: Mutex::new(Keys { all, current }),
        })
    }

    /// The JWK Set (RFC 7517, section 5).
    pub(crate) fn jwks(&self) -> Value {
        let keys = lock(&self.keys);
        let published = keys.all.iter().filter(|entry| entry.published);
        json!({ "keys": published.map(|entry| entry.key.jwk()).collect::<Vec<_>>() })
    }

    /// Publishes a further key and names it; it signs nothing by itself.
    pub(crate) fn add(&self, algorithm: &str) -> Result<String, Error> {
        let mut keys = lock(&self.keys);
        let rsa = keys.all.iter().filter(|entry| entry.key.is_rsa()).count();
        let key = Key::new(algorithm, STRANGER + 1 + rsa)?;
        let kid = key.kid.clone();
        keys.all.push(Entry {
            key: Arc::new(key),
            published: true,
        });
        Ok(kid)
    }

    /// Signs with a new RS256 key from now on; the keys of before stay published.
    pub(crate) fn rotate(&self) -> Result<String, Error> {
        let kid = self.add("RS256")?;
        lock(&self.keys).current.clone_from(&kid);
        Ok(kid)
    }

    /// Publishes only the key that signs.
    pub(crate) fn retire(&self) {
        let mut keys = lock(&self.keys);
        let Keys { all, current } = &mut *keys;
        for entry in all {
            entry.published = entry.key.kid == *current;
        }
    }

    /// A JWS in compact form (RFC 7515, section 7.1) with this payload, by the current key.
    pub(crate) fn sign(&self, claims: &Value, typ: &str) -> String {
        let header = json!({ "typ": typ });
        let jws = self.jws(&header, &claims.to_string(), &Signer::Current);
        jws.unwrap_or_default()
    }

    /// A JWS with these members of the header instead of what the signer would say (null takes a
    /// member out). `None` for a key that there is not.
    pub(crate) fn jws(&self, header: &Value, payload: &str, signer: &Signer) -> Option<String> {
        let key = self.key(signer);
        let (algorithm, kid) = match signer {
            Signer::Current | Signer::Key(_) => {
                let key = key.as_ref()?;
                (key.algorithm.clone(), key.kid.clone())
            }
            // It claims to be ours.
            Signer::Stranger => ("RS256".to_owned(), lock(&self.keys).current.clone()),
            Signer::Hmac(_) => ("HS256".to_owned(), lock(&self.keys).current.clone()),
            Signer::Nobody => ("none".to_owned(), lock(&self.keys).current.clone()),
        };
        let mut all = Map::from_iter([
            ("alg".to_owned(), json!(algorithm)),
            ("kid".to_owned(), json!(kid)),
        ]);
        for (name, value) in header.as_object().into_iter().flatten() {
            match value {
                Value::Null => all.remove(name),
                value => all.insert(name.clone(), value.clone()),
            };
        }
        let algorithm = all.get("alg").and_then(Value::as_str).unwrap_or_default();
        let hash = match algorithm {
            "HS384" => hmac::HMAC_SHA384,
            "HS512" => hmac::HMAC_SHA512,
            _ => hmac::HMAC_SHA256,
        };
        let header = Value::Object(all).to_string();
        let signed = format!("{}.{}", b64(header.as_bytes()), b64(payload.as_bytes()));
        let signature = match (signer, key) {
            (Signer::Hmac(secret), _) => {
                let tag = hmac::sign(&hmac::Key::new(hash, secret), signed.as_bytes());
                tag.as_ref().to_vec()
            }
            (Signer::Nobody, _) => Vec::new(),
            (_, key) => key?.sign(signed.as_bytes()),
        };
        Some(format!("{signed}.{}", b64(&signature)))
    }

    /// The public key of a signer that has one.
    pub(crate) fn jwk(&self, signer: &Signer) -> Option<Value> {
        self.key(signer).map(|key| key.jwk())
    }

    fn key(&self, signer: &Signer) -> Option<Arc<Key>> {
        let keys = lock(&self.keys);
        let kid = match signer {
            Signer::Current => &keys.current,
            Signer::Key(kid) => kid,
            Signer::Stranger => return Key::new("RS256", STRANGER).ok().map(Arc::new),
            Signer::Hmac(_) | Signer::Nobody => return None,
        };
        let entry = keys.all.iter().find(|entry| entry.key.kid == *kid)?;
        Some(entry.key.clone())
    }

    /// The payload of a JWT that one of our keys signed, published or not.
    pub(crate) fn verify(&self, jwt: &str) -> Option<Value> {
        lock(&self.keys)
            .all
            .iter()
            .find_map(|entry| entry.key.verify(jwt))
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
    fn a_key_that_is_replaced_still_verifies() {
        let keys = Keyring::new().unwrap();
        let claims = json!({ "sub": "x" });
        let before = keys.sign(&claims, "JWT");
        let published = |keys: &Keyring| keys.jwks()["keys"].as_array().unwrap().len();
        assert_eq!(published(&keys), 1);
        let kid = keys.rotate().unwrap();
        assert_eq!(published(&keys), 2);
        keys.retire();
        assert_eq!(published(&keys), 1);
        assert_eq!(keys.jwks()["keys"][0]["kid"], kid.as_str());
        for jwt in [before, keys.sign(&claims, "JWT")] {
            assert_eq!(keys.verify(&jwt).unwrap(), claims);
        }
    }

    #[test]
    fn forgeries_are_none_of_ours() {
        let keys = Keyring::new().unwrap();
        let header = |jws: &str| {
            let header = jws.split('.').next().unwrap();
            serde_json::from_slice::<Value>(&crate::util::unb64(header).unwrap()).unwrap()
        };
        let kid = keys.jwks()["keys"][0]["kid"].clone();
        for (signer, algorithm) in [
            (Signer::Stranger, "RS256"),
            (Signer::Hmac(b"secret".to_vec()), "HS256"),
            (Signer::Nobody, "none"),
        ] {
            let jws = keys.jws(&json!({}), "{}", &signer).unwrap();
            assert_eq!(header(&jws), json!({ "alg": algorithm, "kid": kid }));
            assert!(keys.verify(&jws).is_none(), "{jws}");
        }
        let odd = keys.jws(&json!({ "kid": null, "alg": "x" }), "{}", &Signer::Current);
        assert_eq!(header(&odd.unwrap()), json!({ "alg": "x" }));
        let missing = keys.jws(&json!({}), "{}", &Signer::Key("missing".to_owned()));
        assert_eq!(missing, None);
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
