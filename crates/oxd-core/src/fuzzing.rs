//! What the fuzz targets (`fuzz/`) reach of the crate's inside, beside all that is public. There with the feature
//! `fuzzing` only, which the module is never built with.

use serde_json::{Map, Value};

use crate::base::{Purpose, Random, SealError};
use crate::http::{Origin, Request};
use crate::session::SessionEnv;
use crate::tokens::jws;

/// The form in which a return address is redirected to; `None` where it is refused.
pub fn return_address(address: &str, origin: &Origin, hosts: &[String]) -> Option<String> {
    crate::http::check_return_address(address, origin, hosts)
}

/// Whether an address needs no parser.
pub fn is_plain_address(address: &str) -> bool {
    crate::http::is_plain_address(address)
}

/// The text fields of a form in the encoding `multipart/form-data`.
pub fn multipart_fields(content_type: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    crate::login::multipart_fields(content_type, body)
}

/// The claims of a token that one of the provider's keys has signed.
pub fn verified(token: &str, oxd: &dyn crate::oxd::Oxd) -> Option<Map<String, Value>> {
    jws::read(token).ok()?.verify(oxd).ok()
}

/// The bearer token that a request brings, where its header has one.
pub fn bearer_token(request: &dyn Request) -> Option<&str> {
    match crate::bearer::presented(request) {
        crate::bearer::Presented::Token(token) => Some(token),
        _ => None,
    }
}

/// What is sealed for a place.
#[derive(Clone, Copy, Debug)]
pub enum Sealed {
    /// The cookie of a session.
    Session,
    /// The cookie of a login in progress.
    Login,
}

/// Seals a text as the module does, so that what reads it after it was opened can be given any.
///
/// # Errors
/// The host gives no random bytes.
pub fn seal(env: &SessionEnv<'_>, what: Sealed, text: &[u8]) -> Result<String, SealError> {
    let purpose = match what {
        Sealed::Session => Purpose::Session,
        Sealed::Login => Purpose::State,
    };
    let random: &dyn Random = &Nonces;
    env.settings.keys.seal(random, purpose, env.site.as_str(), text)
}

/// Seals the entry of a stream.
///
/// # Errors
/// None: its nonces are always there.
pub fn seal_entry(keys: &crate::base::KeyRing, aad: &[u8], text: &[u8]) -> Result<Vec<u8>, SealError> {
    keys.seal_bytes(&Nonces, Purpose::Entry, aad, text)
}

/// The same nonce each time: a target must do the same with the same input.
struct Nonces;

impl Random for Nonces {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), crate::base::NoRandomness> {
        buffer.fill(7);
        Ok(())
    }
}

/// The name of the cookie of a login in progress, by its state.
pub fn login_cookie(state: &str) -> String {
    let name = crate::base::sha256_text(state.as_bytes());
    format!("{}{}", crate::http::cookie::LOGIN_PREFIX, &name[..16])
}
