//! One signing key: JWK out, signatures out and in.

use crate::Error;
use crate::util::{b64, lock, unb64};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::rsa::{KeyPair as RsaKeyPair, PublicKeyComponents};
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rsa::pkcs8::EncodePrivateKey as _;
use rsa::traits::PublicKeyParts as _;
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

const BITS: usize = 2048;

/// The RSA keys of this process. Making one takes a good part of a second, and a test suite
/// starts many providers: they share them. Their issuers differ, so their tokens do.
static SHARED: Mutex<Vec<Arc<Rsa>>> = Mutex::new(Vec::new());

/// A key with the one algorithm (RFC 7518, 3.1; RFC 8037) that it is for.
pub(crate) struct Key {
    pub(crate) kid: String,
    pub(crate) algorithm: String,
    material: Material,
}

enum Material {
    Rsa(
        Arc<Rsa>,
        &'static dyn signature::RsaEncoding,
        &'static signature::RsaParameters,
    ),
    Ec(
        EcdsaKeyPair,
        &'static str,
        &'static signature::EcdsaVerificationAlgorithm,
    ),
    Ed(Ed25519KeyPair),
}

struct Rsa {
    pair: RsaKeyPair,
    modulus: Vec<u8>,
    exponent: Vec<u8>,
}

impl Key {
    /// A key for this algorithm. RSA keys are the `number`th of this process, all others new.
    pub(crate) fn new(algorithm: &str, number: usize) -> Result<Key, Error> {
        let rsa = |encoding: &'static dyn signature::RsaEncoding, parameters| {
            Ok(Material::Rsa(Rsa::shared(number)?, encoding, parameters))
        };
        let material = match algorithm {
            "RS256" => rsa(
                &signature::RSA_PKCS1_SHA256,
                &signature::RSA_PKCS1_2048_8192_SHA256,
            ),
            "RS384" => rsa(
                &signature::RSA_PKCS1_SHA384,
                &signature::RSA_PKCS1_2048_8192_SHA384,
            ),
            "RS512" => rsa(
                &signature::RSA_PKCS1_SHA512,
                &signature::RSA_PKCS1_2048_8192_SHA512,
            ),
            "PS256" => rsa(&signature::RSA_PSS_SHA256, &signature::RSA_PSS_2048_8192_SHA256),
            "PS384" => rsa(&signature::RSA_PSS_SHA384, &signature::RSA_PSS_2048_8192_SHA384),
            "PS512" => rsa(&signature::RSA_PSS_SHA512, &signature::RSA_PSS_2048_8192_SHA512),
            "ES256" => elliptic(
                "P-256",
                &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                &signature::ECDSA_P256_SHA256_FIXED,
            ),
            "ES384" => elliptic(
                "P-384",
                &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
                &signature::ECDSA_P384_SHA384_FIXED,
            ),
            "EdDSA" => edwards(),
            other => Err(Error::Crypto(format!("no keys for the algorithm {other:?}"))),
        }?;
        let mut key = Key {
            kid: String::new(),
            algorithm: algorithm.to_owned(),
            material,
        };
        // The same RSA key under another algorithm is another key.
        let name = key.jwk().to_string();
        key.kid = b64(&digest(&SHA256, name.as_bytes()).as_ref()[..12]);
        Ok(key)
    }

    pub(crate) fn is_rsa(&self) -> bool {
        matches!(self.material, Material::Rsa(..))
    }

    /// The public key (RFC 7517, section 4).
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match &self.material {
            Material::Rsa(rsa, ..) => json!({
                "kty": "RSA",
                "n": b64(&rsa.modulus),
                "e": b64(&rsa.exponent),
            }),
            Material::Ec(pair, curve, _) => {
                // An uncompressed point (SEC 1, 2.3.3): 4, then both coordinates.
                let point = &pair.public_key().as_ref()[1..];
                let (x, y) = point.split_at(point.len() / 2);
                json!({ "kty": "EC", "crv": curve, "x": b64(x), "y": b64(y) })
            }
            Material::Ed(pair) => {
                json!({ "kty": "OKP", "crv": "Ed25519", "x": b64(pair.public_key().as_ref()) })
            }
        };
        jwk["use"] = json!("sig");
        jwk["alg"] = json!(self.algorithm);
        jwk["kid"] = json!(self.kid);
        jwk
    }

    /// A signature by this key.
    pub(crate) fn sign(&self, signed: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        // Signing fails only with too small a buffer or a broken key; both are ours.
        match &self.material {
            Material::Rsa(rsa, encoding, _) => {
                let mut signature = vec![0; rsa.pair.public().modulus_len()];
                let done = rsa.pair.sign(*encoding, &random, signed, &mut signature);
                done.expect("an RSA signature of our own");
                signature
            }
            Material::Ec(pair, ..) => {
                let signature = pair.sign(&random, signed);
                let signature = signature.expect("an ECDSA signature of our own");
                signature.as_ref().to_vec()
            }
            Material::Ed(pair) => pair.sign(signed).as_ref().to_vec(),
        }
    }

    /// The payload of a JWT that this key signed, whatever its header says.
    pub(crate) fn verify(&self, jwt: &str) -> Option<Value> {
        let (signed, signature) = jwt.rsplit_once('.')?;
        let (signed, signature) = (signed.as_bytes(), unb64(signature)?);
        let verified = match &self.material {
            Material::Rsa(rsa, _, parameters) => PublicKeyComponents {
                n: &rsa.modulus,
                e: &rsa.exponent,
            }
            .verify(parameters, signed, &signature),
            Material::Ec(pair, _, algorithm) => {
                UnparsedPublicKey::new(*algorithm, pair.public_key()).verify(signed, &signature)
            }
            Material::Ed(pair) => {
                UnparsedPublicKey::new(&signature::ED25519, pair.public_key()).verify(signed, &signature)
            }
        };
        verified.ok()?;
        crate::util::jwt_payload(jwt)
    }
}

impl Rsa {
    fn shared(number: usize) -> Result<Arc<Rsa>, Error> {
        let mut shared = lock(&SHARED);
        while shared.len() <= number {
            shared.push(Arc::new(Rsa::generate()?));
        }
        Ok(shared[number].clone())
    }

    fn generate() -> Result<Rsa, Error> {
        let private =
            rsa::RsaPrivateKey::new(&mut rsa::rand_core::OsRng, BITS).map_err(|why| crypto("RSA", &why))?;
        let der = private.to_pkcs8_der().map_err(|why| crypto("RSA", &why))?;
        let pair = RsaKeyPair::from_pkcs8(der.as_bytes()).map_err(|why| crypto("RSA", &why))?;
        Ok(Rsa {
            pair,
            modulus: private.n().to_bytes_be(),
            exponent: private.e().to_bytes_be(),
        })
    }
}

fn elliptic(
    curve: &'static str,
    algorithm: &'static signature::EcdsaSigningAlgorithm,
    verification: &'static signature::EcdsaVerificationAlgorithm,
) -> Result<Material, Error> {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).map_err(|why| crypto(curve, &why))?;
    let pair = EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random);
    let pair = pair.map_err(|why| crypto(curve, &why))?;
    Ok(Material::Ec(pair, curve, verification))
}

fn edwards() -> Result<Material, Error> {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new());
    let document = document.map_err(|why| crypto("Ed25519", &why))?;
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref());
    pair.map(Material::Ed).map_err(|why| crypto("Ed25519", &why))
}

fn crypto(kind: &str, why: &dyn std::fmt::Display) -> Error {
    Error::Crypto(format!("{kind} key: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifies_what_it_signed_and_nothing_else() {
        let algorithms = [
            "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
        ];
        let other = Key::new("RS256", 0).unwrap();
        for algorithm in algorithms {
            let key = Key::new(algorithm, 0).unwrap();
            assert!(algorithm == "RS256" || key.kid != other.kid, "{algorithm}");
            let signed = format!("{}.{}", b64(b"{}"), b64(br#"{"sub":"x"}"#));
            let jwt = format!("{signed}.{}", b64(&key.sign(signed.as_bytes())));
            assert_eq!(key.verify(&jwt).unwrap()["sub"], "x", "{algorithm}");
            let mut parts: Vec<String> = jwt.split('.').map(str::to_owned).collect();
            parts[1] = b64(br#"{"sub":"y"}"#);
            assert!(key.verify(&parts.join(".")).is_none(), "{algorithm}");
            assert!(key.verify("").is_none(), "{algorithm}");
            assert!(key.verify("a.b").is_none(), "{algorithm}");
        }
        assert!(matches!(Key::new("HS256", 0), Err(Error::Crypto(_))));
    }
}
