//! What a test can do to the built-in provider: exchange its keys, sign anything, look at what
//! it told its clients. Without a built-in provider there is nothing to turn.

use crate::{DevServer, LogoutNotice};
use serde_json::Value;
use std::fmt;

/// The signer of a JWT for [`DevServer::jws`].
pub enum Signer {
    /// The key that signs ID tokens, RS256.
    Current,
    /// A key that [`DevServer::add_key`] or [`DevServer::rotate_key`] named.
    Key(String),
    /// An RS256 key that is not the provider's, under the `kid` of the current one.
    Stranger,
    /// HMAC with this secret: HS256 unless the header names HS384 or HS512.
    Hmac(Vec<u8>),
    /// No signature: `alg` is `none`.
    Nobody,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Signer::Current => f.write_str("Current"),
            Signer::Key(kid) => write!(f, "Key({kid:?})"),
            Signer::Stranger => f.write_str("Stranger"),
            // The secret may be a client's.
            Signer::Hmac(_) => f.write_str("Hmac"),
            Signer::Nobody => f.write_str("Nobody"),
        }
    }
}

impl DevServer {
    /// Signs any claims with the built-in provider's key as an RS256 JWT of this `typ`, for
    /// instance a logout token (OpenID Connect Back-Channel Logout 1.0, 2.4). None with an
    /// external provider.
    pub fn sign(&self, claims: &Value, typ: &str) -> Option<String> {
        self.op.as_ref().map(|op| op.keys.sign(claims, typ))
    }

    /// Makes a JWS with any payload, good or forged. Its header has the signer's `alg` and `kid`
    /// and nothing else, but for the members of `header`: these are put in, or taken out when
    /// null. `alg` in `header` changes what is said, not how it is signed. None for a key that
    /// there is not, and with an external provider.
    pub fn jws(&self, header: &Value, payload: &str, signer: &Signer) -> Option<String> {
        self.op.as_ref()?.keys.jws(header, payload, signer)
    }

    /// A signer's public key as a JWK; None where there is none.
    pub fn jwk(&self, signer: &Signer) -> Option<Value> {
        self.op.as_ref()?.keys.jwk(signer)
    }

    /// Publishes a further key of the built-in provider, which signs nothing by itself, and
    /// returns its `kid`. The algorithm is one of RS256, RS384, RS512, PS256, PS384, PS512,
    /// ES256, ES384 and EdDSA (Ed25519). None for another one, and with an external provider.
    pub fn add_key(&self, algorithm: &str) -> Option<String> {
        self.op.as_ref()?.keys.add(algorithm).ok()
    }

    /// Gives the built-in provider a new RS256 key to sign with and returns its `kid`. Those of
    /// before stay published until [`retire_keys`](DevServer::retire_keys).
    pub fn rotate_key(&self) -> Option<String> {
        self.op.as_ref()?.keys.rotate().ok()
    }

    /// Publishes no key any more but the one that signs. ID tokens of before still do as
    /// `id_token_hint`.
    pub fn retire_keys(&self) {
        if let Some(op) = &self.op {
            op.keys.retire();
        }
    }

    /// The logout tokens that the built-in provider sent when users signed out there.
    pub fn logout_notices(&self) -> Vec<LogoutNotice> {
        self.op.as_ref().map(|op| op.notices()).unwrap_or_default()
    }

    /// Ends every session at the built-in provider, and tells no client.
    pub fn forget_provider_sessions(&self) {
        if let Some(op) = &self.op {
            op.forget_sessions();
        }
    }
}
