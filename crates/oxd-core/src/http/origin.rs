//! The origin that a browser sees, and the check of return addresses against open redirects.

use url::{Host, Url};

/// Scheme, host and port of a request (RFC 6454), as they stand in an absolute URL.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    pub(super) scheme: String,
    pub(super) host: String,
    pub(super) port: Option<u16>,
}

impl Origin {
    /// `host` is a name, an IPv4 address or a bracketed IPv6 address; a default port is left out.
    pub fn new(scheme: &str, host: &str, port: Option<u16>) -> Self {
        let default = if scheme == "https" { 443 } else { 80 };
        let bracketed = if host.contains(':') && !host.starts_with('[') {
            format!("[{host}]")
        } else {
            host.to_ascii_lowercase()
        };
        Self {
            scheme: scheme.to_owned(),
            host: bracketed,
            port: port.filter(|p| *p != default),
        }
    }

    /// Whether the browser came over https.
    pub fn is_https(&self) -> bool {
        self.scheme == "https"
    }

    /// Makes a path absolute.
    pub fn url_of(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.authority())
    }

    /// The host, without the port.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// `host` or `host:port`.
    pub fn authority(&self) -> String {
        match self.port {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }
}

/// Checks an untrusted return address and returns the form to redirect to.
///
/// Allowed are a path on this host (`/app?x=1`), and an absolute http(s) URL whose host is this one or in `hosts`
/// (`OxdReturnTo`). Forms that browsers are known to parse differently are refused: backslashes, control
/// characters, `//host`, a scheme without `//`, user names (CWE-601). A URL on this origin comes back as its path.
pub(crate) fn check_return_address(address: &str, origin: &Origin, hosts: &[String]) -> Option<String> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
    if address.is_empty() || address.chars().any(odd) {
        return None;
    }
    if address.starts_with('/') {
        if address.starts_with("//") {
            return None;
        }
        if is_plain_address(address) {
            return Some(address.to_owned());
        }
        let base = Url::parse(&origin.url_of("/")).ok()?;
        let resolved = base.join(address).ok()?;
        // The URL parser drops tabs and reads dots: whatever it ends with must still be this origin.
        (resolved.origin() == base.origin()).then_some(())?;
        return local_part(&resolved);
    }
    let lower = address.to_ascii_lowercase();
    if !lower.starts_with("http://") && !lower.starts_with("https://") {
        return None;
    }
    let authority = lower.split_once("://")?.1.split(['/', '?', '#']).next()?;
    // A host in another script is not understood anyway, and stops a build with debug assertions (idna_adapter 1.0.0).
    if authority.is_empty() || !authority.is_ascii() || authority.contains('@') {
        return None;
    }
    let url = Url::parse(address).ok()?;
    if !url.username().is_empty() || url.password().is_some() {
        return None;
    }
    let here = Url::parse(&origin.url_of("/")).ok()?;
    if url.origin() == here.origin() {
        return local_part(&url);
    }
    let host = match url.host()? {
        Host::Domain(name) => name.to_ascii_lowercase(),
        other => other.to_string(),
    };
    let with_port = url
        .port()
        .map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
    hosts.contains(&with_port).then(|| url.to_string())
}

/// Whether an address is a path, maybe with a query, that every reader of URLs takes as it stands: it has no character
/// that one may change, no segment of dots, and could not be a host. Most addresses are like that, and need no parser.
pub(crate) fn is_plain_address(address: &str) -> bool {
    // No percent sign: `%2e` is a dot, too.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~?=&".contains(&byte);
    address.starts_with('/')
        && address.bytes().all(is_plain)
        && !address.starts_with("//")
        && !address.contains("/.")
}

/// Path, query and fragment; never with two slashes in front, which a browser would read as a host.
fn local_part(url: &Url) -> Option<String> {
    let local = &url[url::Position::BeforePath..];
    (local.starts_with('/') && !local.starts_with("//")).then(|| local.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str) -> Option<String> {
        let origin = Origin::new("https", "app.example", None);
        check_return_address(
            address,
            &origin,
            &["other.example".into(), "dev.example:8080".into()],
        )
    }

    #[test]
    fn return_addresses_on_this_host_and_listed_ones_pass() {
        for (address, expected) in [
            ("/", "/"),
            ("/app/page?x=1&y=%2F%2Fz#top", "/app/page?x=1&y=%2F%2Fz#top"),
            ("/a/../b", "/b"),
            ("https://app.example/x", "/x"),
            ("https://APP.example:443/x", "/x"),
            ("https://other.example/x", "https://other.example/x"),
            ("http://dev.example:8080/", "http://dev.example:8080/"),
            ("/%09/x", "/%09/x"),
            ("/caf\u{e9}", "/caf%C3%A9"),
        ] {
            assert_eq!(check(address).as_deref(), Some(expected), "{address}");
        }
    }

    #[test]
    fn everything_that_could_lead_elsewhere_is_refused() {
        for address in [
            "",
            "app",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n//evil.example",
            "\t//evil.example",
            " /x",
            "https:evil.example",
            "https:/evil.example",
            "https:///evil.example",
            "https://evil.example/",
            "https://app.example@evil.example/",
            "https://evil.example\\@app.example/",
            "https://user@app.example/",
            "https://app.example:444/",
            "http://app.example/",
            "https://other.example:8443/",
            "javascript:alert(1)",
            "data:text/html,x",
            "/x\r\nSet-Cookie: a=b",
            "https://app.example.evil.example/",
            "https://APP\u{306}.example/",
            "/..//evil.example",
            "/.//evil.example",
        ] {
            assert_eq!(check(address), None, "{address:?}");
        }
    }

    #[test]
    fn a_plain_address_is_what_the_parser_makes_of_it() {
        let base = Url::parse("https://app.example/").unwrap();
        // All texts of some of the characters that mean something to a parser, and of one that does not.
        let characters = ['/', '.', '?', '=', '&', '%', '#', '\\', ':', '@', 'a', '~'];
        let mut texts = vec![String::new()];
        for _ in 0..4 {
            let longer = texts
                .iter()
                .flat_map(|text| characters.map(|c| format!("{text}{c}")));
            texts.extend(longer.collect::<Vec<_>>());
            texts.sort_unstable();
            texts.dedup();
        }
        let mut plain = 0;
        for address in texts.iter().map(|text| format!("/{text}")) {
            if is_plain_address(&address) {
                let url = base.join(&address).unwrap();
                assert_eq!(local_part(&url), Some(address.clone()), "{address}");
                assert_eq!(url.origin(), base.origin(), "{address}");
                plain += 1;
            }
        }
        assert!(plain > 1_000, "{plain}");
        assert!(is_plain_address("/app/report-1.html?year=2026&page=_1~") && !is_plain_address("app"));
    }

    #[test]
    fn an_origin_is_written_without_a_default_port_and_with_brackets() {
        assert_eq!(Origin::new("https", "a", Some(443)).url_of("/x"), "https://a/x");
        assert_eq!(
            Origin::new("http", "a", Some(8080)).url_of("/x"),
            "http://a:8080/x"
        );
        assert_eq!(Origin::new("http", "::1", Some(80)).url_of("/"), "http://[::1]/");
    }
}
