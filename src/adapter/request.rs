//! httpd's request as oxd-core sees it.

use std::borrow::Cow;
use std::ffi::CStr;

use oxd_core::base::{Level, Millis, NoRandomness, Random, Seconds, SystemRandom};
use oxd_core::config::Expression;
use oxd_core::http::Request as CoreRequest;
use oxd_core::http::{Header, Host, Method, Origin};

use crate::ffi::request::Request;
use crate::ffi::request_state::Cookies;

/// A request of httpd, as the decisions of oxd-core need it.
#[derive(Clone, Copy)]
pub struct RequestView<'r> {
    request: Request<'r>,
    cookies: Option<Cookies<'r>>,
    /// The `Authorization` header as the client sent it, where the module has removed it.
    authorization: Option<&'r CStr>,
}

impl<'r> RequestView<'r> {
    /// Headers that the module has changed are read as they came.
    pub fn of(request: Request<'r>, cookies: Option<Cookies<'r>>, authorization: Option<&'r CStr>) -> Self {
        let as_it_is = || {
            let header = request.header(c"Cookie")?;
            Some(Cookies {
                header,
                is_alone: false,
            })
        };
        Self {
            request,
            cookies: cookies.or_else(as_it_is),
            authorization,
        }
    }
}

fn lossy(text: Option<&CStr>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), CStr::to_string_lossy)
}

impl CoreRequest for RequestView<'_> {
    fn millis(&self) -> Millis {
        self.request.millis()
    }

    fn method(&self) -> Method {
        self.request.method()
    }

    fn path(&self) -> Cow<'_, str> {
        lossy(self.request.path())
    }

    fn query(&self) -> Option<&str> {
        self.request.query()?.to_str().ok()
    }

    fn target(&self) -> Cow<'_, str> {
        let target = |first: Request<'_>| path_of(first.unparsed().map_or(b"/", CStr::to_bytes));
        self.request.with_first(target).into()
    }

    fn origin(&self) -> Origin {
        let (scheme, host, port) = self.request.server_address();
        Origin::new(&lossy(scheme), &lossy(host), Some(port))
    }

    fn realm(&self) -> Option<&str> {
        self.request.auth_name()?.to_str().ok()
    }

    fn header_limit(&self) -> usize {
        self.request.header_limit()
    }

    fn server_name(&self) -> Cow<'_, str> {
        lossy(self.request.server_name())
    }

    fn address(&self) -> Cow<'_, str> {
        lossy(self.request.client_address())
    }

    fn agent(&self) -> Cow<'_, str> {
        lossy(self.request.header(c"User-Agent"))
    }

    fn user(&self) -> Option<Cow<'_, str>> {
        self.request.user().map(CStr::to_string_lossy)
    }

    fn max_age_at(&self, address: &str) -> Option<Seconds> {
        if !address.starts_with('/') {
            return None;
        }
        let address = self.request.pool().text(address.as_bytes());
        let of_place = |place: Request<'_>| place.config().and_then(|config| config.settings.max_age);
        self.request.with_lookup(address, of_place).flatten()
    }

    fn cookies(&self) -> Option<&[u8]> {
        self.cookies.map(|cookies| cookies.header.to_bytes())
    }

    fn has_one_cookie(&self) -> bool {
        self.cookies.is_some_and(|cookies| cookies.is_alone)
    }

    fn authorization(&self) -> Option<&[u8]> {
        self.authorization
            .or_else(|| self.request.header(c"Authorization"))
            .map(CStr::to_bytes)
    }

    fn header(&self, header: Header) -> Option<&str> {
        self.request.header(header.name())?.to_str().ok()
    }
}

impl Random for RequestView<'_> {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), NoRandomness> {
        SystemRandom.fill(buffer)
    }
}

impl Host for RequestView<'_> {
    fn evaluate(&self, expression: Expression<'_>) -> Result<String, String> {
        self.request.evaluate(expression)
    }

    fn logs(&self, level: Level) -> bool {
        self.request.logs(level)
    }

    fn log(&self, level: Level, line: &str) {
        self.request.log(level, line);
    }
}

/// Path and query of the request target, which may be an absolute URI (RFC 9112 section 3.2), as ASCII text.
fn path_of(unparsed: &[u8]) -> String {
    if unparsed.first() == Some(&b'/')
        && unparsed.iter().all(u8::is_ascii_graphic)
        && let Ok(text) = std::str::from_utf8(unparsed)
    {
        return text.to_owned();
    }
    let text: String = unparsed
        .iter()
        .map(|&b| {
            if b.is_ascii_graphic() {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    if text.starts_with('/') {
        return text;
    }
    let path = text
        .split_once("://")
        .and_then(|(_, rest)| rest.find('/').map(|at| rest[at..].to_owned()));
    path.unwrap_or_else(|| "/".to_owned())
}
