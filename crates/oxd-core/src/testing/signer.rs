//! A provider's key.

use base64_simd::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header as JwtHeader};
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};

/// What signs, and what `get-jwks` shows of it.
pub(crate) struct Signer {
    pub key: EncodingKey,
    pub algorithm: Algorithm,
    pub public: Value,
}

/// A new Ed25519 key.
pub(crate) fn ed25519(kid: &str) -> Signer {
    let random = SystemRandom::new();
    let document = Ed25519KeyPair::generate_pkcs8(&random).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let x = URL_SAFE_NO_PAD.encode_to_string(pair.public_key().as_ref());
    Signer {
        key: EncodingKey::from_ed_der(document.as_ref()),
        algorithm: Algorithm::EdDSA,
        public: json!({"kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "alg": "EdDSA", "use": "sig"}),
    }
}

/// A new P-256 key.
pub(crate) fn p256(kid: &str) -> Signer {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref(), &random).unwrap();
    let point = pair.public_key().as_ref();
    let part = |bytes: &[u8]| URL_SAFE_NO_PAD.encode_to_string(bytes);
    Signer {
        key: EncodingKey::from_ec_der(document.as_ref()),
        algorithm: Algorithm::ES256,
        public: json!({"kty": "EC", "crv": "P-256", "x": part(&point[1..33]), "y": part(&point[33..]), "kid": kid}),
    }
}

impl Signer {
    /// A token with this header.
    pub(crate) fn sign(&self, kid: Option<&str>, typ: Option<&str>, claims: &Value) -> String {
        let mut header = JwtHeader::new(self.algorithm);
        header.kid = kid.map(str::to_owned);
        header.typ = typ.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}
