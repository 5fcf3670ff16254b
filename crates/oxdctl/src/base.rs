//! The handler's address, and the addresses below it that a provider has to know.

use oxd_core::config::value::http_url;
use url::{Host, Url};

/// The address of the handler: `https://app.example/oxd`.
#[derive(Clone, Debug, PartialEq)]
pub struct Base(Url);

impl Base {
    /// Parses an address; the error names the fault.
    pub fn parse(text: &str) -> Result<Self, String> {
        let url = http_url(text.trim_end_matches('/'))
            .map_err(|complaint| format!("must be {}", complaint.allowed))?;
        if url.query().is_some() {
            return Err("must have no query".to_owned());
        }
        if url.path() == "/" {
            return Err(
                "must have a path, such as https://app.example/oxd: all addresses below it are the handler's"
                    .to_owned(),
            );
        }
        Ok(Self(url))
    }

    /// An address below it.
    pub fn below(&self, name: &str) -> String {
        format!("{self}/{name}")
    }

    /// The redirect URIs. oxd uses the first one.
    pub fn redirect_uris(&self) -> Vec<String> {
        vec![self.below("login"), self.below("callback")]
    }

    /// The path, for `<Location>`.
    pub fn path(&self) -> &str {
        self.0.path()
    }

    /// The host, for a client's name.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether cookies and codes would cross a network unencrypted.
    pub fn is_exposed(&self) -> bool {
        let local = match self.0.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        self.0.scheme() == "http" && !local
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_below_the_base() {
        for text in ["https://App.example/oxd", "https://app.example/oxd/"] {
            let base = Base::parse(text).unwrap();
            assert_eq!(
                base.redirect_uris(),
                [
                    "https://app.example/oxd/login",
                    "https://app.example/oxd/callback"
                ]
            );
            assert_eq!((base.path(), base.host()), ("/oxd", "app.example"));
        }
        let cgi = Base::parse("https://rp.example:8443/cgi-bin/oxd.py").unwrap();
        assert_eq!(
            cgi.below("logout"),
            "https://rp.example:8443/cgi-bin/oxd.py/logout"
        );
    }

    #[test]
    fn what_is_no_address_of_a_handler_is_refused() {
        for text in [
            "",
            "app.example/oxd",
            "https://app.example",
            "https://app.example/",
            "https://app.example/oxd?x",
            "https://app.example/oxd#x",
            "https://me:pw@app.example/oxd",
            "ftp://app.example/oxd",
            "https:///oxd",
        ] {
            assert!(Base::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn http_is_for_one_machine_alone() {
        for (text, exposed) in [
            ("http://app.example/oxd", true),
            ("https://app.example/oxd", false),
            ("http://localhost:8080/oxd", false),
            ("http://127.0.0.1:8080/oxd", false),
            ("http://[::1]/oxd", false),
        ] {
            assert_eq!(Base::parse(text).unwrap().is_exposed(), exposed, "{text}");
        }
    }
}
