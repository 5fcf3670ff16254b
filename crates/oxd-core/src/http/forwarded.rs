//! The origin of a request from proxy headers (`OxdTrustForwarded`).

use url::Url;

use super::headers::Header;
use super::origin::Origin;
use super::request::Request;
use crate::config::TrustForwarded;

/// The origin that the browser sees: httpd's own, changed by trusted proxy headers.
///
/// Of a list the last element counts: it is the one that the nearest proxy, the trusted one, has added.
pub(super) fn origin_seen(own: Origin, request: &dyn Request, trust: TrustForwarded) -> Origin {
    let mut seen = own;
    let mut apply = |scheme: Option<&str>, authority: Option<&str>, port: Option<&str>| {
        if let Some(scheme) = scheme.map(str::to_ascii_lowercase)
            && (scheme == "http" || scheme == "https")
        {
            if scheme != seen.scheme && authority.is_none() {
                seen.port = None;
            }
            seen.scheme = scheme;
        }
        if let Some((host, port)) = authority.and_then(|text| split_authority(&seen.scheme, text)) {
            seen = Origin::new(&seen.scheme, &host, port);
        }
        if let Some(port) = port.and_then(|p| p.parse().ok()) {
            seen = Origin::new(&seen.scheme, &seen.host, Some(port));
        }
    };
    if trust.forwarded
        && let Some(element) = request.header(Header::Forwarded).and_then(last_of_list)
    {
        apply(
            forwarded_param(element, "proto"),
            forwarded_param(element, "host"),
            None,
        );
    }
    let trusted = |on: bool, header: Header| {
        let value = if on { request.header(header) } else { None };
        value.and_then(last_of_list)
    };
    apply(
        trusted(trust.proto, Header::ForwardedProto),
        trusted(trust.host, Header::ForwardedHost),
        trusted(trust.port, Header::ForwardedPort),
    );
    seen
}

fn last_of_list(header: &str) -> Option<&str> {
    header
        .rsplit(',')
        .map(str::trim)
        .find(|element| !element.is_empty())
}

/// A parameter of one element of `Forwarded`, unquoted (RFC 7239 section 4).
fn forwarded_param<'h>(element: &'h str, name: &str) -> Option<&'h str> {
    element.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"'))
    })
}

/// Host and port, written as browsers write them in a URL of this scheme: they compare origins as texts.
fn split_authority(scheme: &str, authority: &str) -> Option<(String, Option<u16>)> {
    let is_odd = |c: char| !c.is_ascii_graphic() || "/@?#\\".contains(c);
    if authority.is_empty() || authority.contains(is_odd) {
        return None;
    }
    let url = Url::parse(&format!("{scheme}://{authority}/")).ok()?;
    Some((url.host_str()?.to_owned(), url.port()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Headers, TestRequest};

    #[test]
    fn proxy_headers_count_only_where_they_are_trusted() {
        let own = Origin::new("http", "10.0.0.1", Some(8080));
        let mut request = TestRequest::navigation("/");
        request.headers = Headers {
            x_forwarded_proto: Some("http, https"),
            x_forwarded_host: Some("evil.example, www.example"),
            x_forwarded_port: Some("8443"),
            forwarded: Some("for=1.2.3.4;proto=https;host=\"fwd.example:444\""),
            ..Headers::default()
        };
        let seen = |trust| origin_seen(own.clone(), &request, trust).url_of("/");
        let none = TrustForwarded::default();
        assert_eq!(seen(none), "http://10.0.0.1:8080/");
        assert_eq!(
            seen(TrustForwarded {
                proto: true,
                host: true,
                ..none
            }),
            "https://www.example/"
        );
        assert_eq!(
            seen(TrustForwarded {
                proto: true,
                host: true,
                port: true,
                ..none
            }),
            "https://www.example:8443/"
        );
        assert_eq!(seen(TrustForwarded { proto: true, ..none }), "https://10.0.0.1/");
        assert_eq!(
            seen(TrustForwarded {
                forwarded: true,
                ..none
            }),
            "https://fwd.example:444/"
        );
    }

    #[test]
    fn a_host_is_written_as_browsers_write_it_or_does_not_count() {
        let own = Origin::new("https", "own.example", None);
        let trust = TrustForwarded {
            host: true,
            ..TrustForwarded::default()
        };
        for (host, expected) in [
            ("WWW.Example:443", "https://www.example/"),
            ("www.example:80", "https://www.example:80/"),
            ("0x7f.1", "https://127.0.0.1/"),
            ("%41.example", "https://a.example/"),
            ("[0::1]:8443", "https://[::1]:8443/"),
            ("a%2fb", "https://own.example/"),
            ("a^b", "https://own.example/"),
            ("b\u{fc}cher.example", "https://own.example/"),
            ("a b", "https://own.example/"),
            ("user@www.example", "https://own.example/"),
            (":443", "https://own.example/"),
        ] {
            let mut request = TestRequest::navigation("/");
            request.headers.x_forwarded_host = Some(host);
            assert_eq!(
                origin_seen(own.clone(), &request, trust).url_of("/"),
                expected,
                "{host}"
            );
        }
    }
}
