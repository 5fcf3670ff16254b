//! `get-jwks`: the provider's keys, fetched anew each time.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Request;
use crate::config::Provider;
use crate::oxd::Command;

/// The members of `get-jwks`.
#[derive(Debug, Serialize)]
pub struct GetJwks<'a> {
    /// The provider.
    #[serde(flatten)]
    pub provider: Option<Provider<'a>>,
}

/// The answer of `get-jwks`.
#[derive(Debug, Deserialize)]
pub struct Jwks {
    /// The keys (RFC 7517 section 4). oxd rebuilds them: a missing `alg` stays missing, an OKP key loses `kty` and
    /// `crv`.
    pub keys: Vec<Value>,
}

impl Request for GetJwks<'_> {
    // No oxd 4.x wants a client token for it: a provider that gives none now keeps nobody from signing out.
    const COMMAND: Command = Command::without_site("get-jwks");
    type Answer = Jwks;
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Map, json};

    #[test]
    fn an_answer_without_keys_is_none() {
        assert!(GetJwks::read(Map::new()).is_err());
        let answer = Map::from_iter([("keys".to_owned(), json!([{"kty": "RSA"}]))]);
        assert_eq!(GetJwks::read(answer).unwrap().keys.len(), 1);
    }
}
