//! HTTP without a server: requests, responses, cookies, origins, and the environment of a response.

pub mod audit;
pub mod cookie;
mod env;
mod form;
mod forwarded;
mod headers;
mod host;
mod origin;
mod request;
mod response;

pub use env::RequestEnv;
pub use form::Form;
pub(crate) use form::is_form;
pub use headers::{Header, Method};
pub use host::Host;
pub use origin::Origin;
pub(crate) use origin::{check_return_address, is_plain_address};
pub use request::Request;
pub use response::{Body, Response};
