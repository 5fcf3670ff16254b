//! The module's state of a request, and texts that live in a request's pool.

use std::ffi::{CStr, c_char, c_void};

use oxd_core::access::Held;
use oxd_core::access::rule::Unmet;
use oxd_core::session::{Opened, Terminated};
use oxd_core::uma::Unopened;

/// The module's state of a request, which its subrequests and internal redirects read, too.
#[derive(Clone, Copy, Default)]
pub struct RequestState<'r> {
    /// The session.
    pub session: Option<&'r Held<'r>>,
    /// The `Cookie` header as the browser sent it, once the module has removed its own cookies from the request.
    pub cookies: Option<Cookies<'r>>,
    /// The identity of the bearer token, and the configuration of the location that it was checked for.
    pub token: Option<&'r (ConfigId, Opened<'r>)>,
    /// The `Authorization` header as the client sent it, once the module has removed it.
    pub authorization: Option<&'r CStr>,
    /// Whether the session cookie has already been renewed.
    pub renewed: bool,
    /// Why an RPT, or its absence, did not open the resource.
    pub unopened: Option<Unopened<'r>>,
    /// What the rules wanted and did not find.
    pub unmet: Unmet<'r>,
    /// Whether the rules are being evaluated before authentication.
    pub evaluating_rules: bool,
    /// The values of the identity headers that the module has set.
    pub published: &'r [PublishedValue],
    /// The location's configuration for which forged headers were removed.
    pub cleaned_for: Option<ConfigId>,
    /// The configuration in which `AuthType oxd` was found to apply.
    pub protected_at: Option<ConfigId>,
    /// The query string before another module's fixups could rewrite it, for a request to the handler.
    pub handler_query: Option<Option<&'r CStr>>,
    /// Whether the response is marked as private already.
    pub is_private: bool,
    /// Whether an expression has asked for a claim while nobody was signed in.
    pub claim_requested: bool,
}

/// A `Cookie` header as the browser sent it.
#[derive(Clone, Copy)]
pub struct Cookies<'r> {
    /// The header.
    pub header: &'r CStr,
    /// Whether it is known to have one cookie alone.
    pub is_alone: bool,
}

/// The address of a header's value, to tell the module's own values from a client's. It is only compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublishedValue(pub(super) *const c_char);

/// The address of a request's merged configuration, to notice that httpd has replaced it. It is only compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ConfigId(pub(super) *const c_void);

/// A NUL-terminated text that lives as long as the pool of the request with this `'r`.
///
/// The lifetime alone guarantees this: a value with a request's `'r` comes from the request, its pool or the
/// configuration, or is static ([`Request`](super::request::Request)).
#[derive(Clone, Copy)]
pub struct PoolText<'r>(&'r [u8]);

impl<'r> PoolText<'r> {
    /// Takes a text that ends with a NUL. An embedded NUL only truncates it.
    pub fn terminated(bytes: &'r [u8]) -> Option<Self> {
        (bytes.last() == Some(&0)).then_some(Self(bytes))
    }

    /// The same for a text that is known to end with a NUL.
    pub(super) fn of_terminated(bytes: &'r [u8]) -> Self {
        debug_assert!(bytes.last() == Some(&0));
        Self(bytes)
    }

    /// The text for C.
    pub fn as_ptr(self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

impl<'r> From<Terminated<'r>> for PoolText<'r> {
    fn from(text: Terminated<'r>) -> Self {
        Self(text.with_nul())
    }
}

impl<'r> From<&'r CStr> for PoolText<'r> {
    fn from(text: &'r CStr) -> Self {
        Self(text.to_bytes_with_nul())
    }
}
