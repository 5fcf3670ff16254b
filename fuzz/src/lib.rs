//! The properties that `cargo fuzz` tries with inputs of its own making, one function for each target.
//!
//! An input is bytes. Where a target needs several values, they stand one after the other with a byte `0xff` between,
//! which no text has: so a seed can be written by hand, and a mutation of one value leaves the others as they are.

mod answers;
mod claims;
mod configuration;
mod cookies;
mod directives;
mod forms;
mod headers;
mod logins;
mod pages;
mod place;
mod records;
mod resources;
mod return_address;
mod rules;
mod signer;
mod store;
mod tokens;

pub use answers::oxd_answer;
pub use claims::claims;
pub use cookies::cookie_header;
pub use directives::directive;
pub use forms::form;
pub use headers::{HEADERS, language, request_headers, trace};
pub use logins::login;
pub use pages::page;
pub use records::session_record;
pub use resources::resources;
pub use return_address::return_address;
pub use rules::claim_rule;
pub use store::{store_entry, stream_entry};
pub use tokens::{access_token, logout_token};

/// The values of an input.
fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == 0xff)
}

/// The next value as text, whatever it is.
fn text(part: Option<&[u8]>) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(part.unwrap_or_default())
}

/// Whether a text fits into one line of a log or of `configtest`.
fn is_one_line(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
