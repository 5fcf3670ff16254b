//! How oxd authenticates the site's client at the provider's token endpoint (`OxdClientAuth`).

use serde::{Serialize, Serializer};

use super::value::{Complaint, Parsed};

/// The algorithms that sign with a private key (RFC 7518 section 3.1).
const ALGORITHMS: [&str; 9] = [
    "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512",
];

/// A method of OpenID Connect Core section 9.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAuth {
    /// The client's password, as Basic authentication.
    SecretBasic,
    /// A statement that oxd signs with a key of its own; the provider knows oxd's public keys.
    PrivateKeyJwt {
        /// How it signs.
        algorithm: String,
        /// The key of oxd's, where it is not to choose.
        key_id: Option<String>,
    },
}

impl ClientAuth {
    /// The arguments of the directive.
    pub fn parse(args: &[&str]) -> Parsed<Self> {
        let complain = || {
            Complaint::about(
                &args.join(" "),
                format!(
                    "client_secret_basic, or private_key_jwt ALG [KEY_ID] with one of {}",
                    ALGORITHMS.join(", ")
                ),
            )
        };
        match args {
            ["client_secret_basic"] => Ok(ClientAuth::SecretBasic),
            ["private_key_jwt", algorithm, rest @ ..] if rest.len() <= 1 => {
                let known = ALGORITHMS.contains(algorithm);
                let key_id = rest.first().map(|id| super::value::text(id)).transpose()?;
                known
                    .then(|| ClientAuth::PrivateKeyJwt {
                        algorithm: (*algorithm).to_owned(),
                        key_id: key_id.map(str::to_owned),
                    })
                    .ok_or_else(complain)
            }
            _ => Err(complain()),
        }
    }

    /// Whether oxd needs the client's secret for it.
    pub fn needs_secret(&self) -> bool {
        *self == ClientAuth::SecretBasic
    }

    /// `authentication_method`, as it stands also in a client's registration.
    pub fn method(&self) -> &'static str {
        match self {
            ClientAuth::SecretBasic => "client_secret_basic",
            ClientAuth::PrivateKeyJwt { .. } => "private_key_jwt",
        }
    }

    /// `algorithm`
    pub fn algorithm(&self) -> Option<&str> {
        match self {
            ClientAuth::SecretBasic => None,
            ClientAuth::PrivateKeyJwt { algorithm, .. } => Some(algorithm),
        }
    }

    /// `key_id`
    pub fn key_id(&self) -> Option<&str> {
        match self {
            ClientAuth::SecretBasic => None,
            ClientAuth::PrivateKeyJwt { key_id, .. } => key_id.as_deref(),
        }
    }
}

/// The arguments of the directive again.
impl std::fmt::Display for ClientAuth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.method())?;
        for more in [self.algorithm(), self.key_id()].into_iter().flatten() {
            write!(f, " {more}")?;
        }
        Ok(())
    }
}

/// As members of a command: `authentication_method` and `algorithm`. `key_id` is a member of `get-client-token` alone.
impl Serialize for ClientAuth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let algorithm = self.algorithm().map(|name| ("algorithm", name));
        let members = std::iter::once(("authentication_method", self.method())).chain(algorithm);
        serializer.collect_map(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_written_as_they_are_read() {
        for text in [
            "client_secret_basic",
            "private_key_jwt RS256",
            "private_key_jwt ES512 key 1",
            "private_key_jwt PS384 a-b",
        ] {
            let args: Vec<&str> = text.splitn(3, ' ').collect();
            let read = ClientAuth::parse(&args).unwrap();
            assert_eq!(read.to_string(), text);
            assert_eq!(read.needs_secret(), text == "client_secret_basic");
        }
    }

    #[test]
    fn a_key_that_everybody_shares_is_no_private_key() {
        for args in [
            &["private_key_jwt", "HS256"][..],
            &["private_key_jwt", "none"],
            &["client_secret_post"],
        ] {
            assert!(ClientAuth::parse(args).is_err(), "{args:?}");
        }
    }
}
