//! Texts that live in a request's pool, and what the module keeps with a request.

use std::ffi::{CStr, c_char};

use oxd_core::access::Held;

/// What the module keeps with a request, for subrequests and internal redirects that come from it.
#[derive(Clone, Copy, Default)]
pub struct Kept<'r> {
    /// The session.
    pub session: Option<Held<'r>>,
    /// The `Cookie` header as the browser sent it, where the module has taken its own cookies out of it.
    pub cookies: Option<&'r CStr>,
    /// Whether the session's cookie was written anew already.
    pub renewed: bool,
    /// The values of a `Require oxd-acr` that was not met.
    pub wanted_acr: Option<&'r [String]>,
    /// Whether the rules are being heard before anybody is signed in.
    pub deciding: bool,
    /// Whether one of them has asked for a claim meanwhile.
    pub asked: bool,
}

/// A NUL-terminated text that lives as long as the pool of the request with this `'r`.
///
/// That follows from the lifetime alone: nothing has a request's `'r` but what came from the request, from its pool, from
/// the configuration, or is static ([`Request`](super::request::Request)).
#[derive(Clone, Copy)]
pub struct PoolText<'r>(&'r [u8]);

impl<'r> PoolText<'r> {
    /// A text that ends with a NUL. Another NUL within would only cut the text.
    pub fn terminated(bytes: &'r [u8]) -> Option<Self> {
        (bytes.last() == Some(&0)).then_some(Self(bytes))
    }

    /// The text for C.
    pub fn as_ptr(self) -> *const c_char {
        self.0.as_ptr().cast()
    }
}

impl<'r> From<&'r CStr> for PoolText<'r> {
    fn from(text: &'r CStr) -> Self {
        Self(text.to_bytes_with_nul())
    }
}
