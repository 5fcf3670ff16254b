//! The handler's address, and the addresses below it that a provider has to know.

use oxd_core::config::value::http_url;
use url::{Host, Url};

/// What the handler answers to below its address: whoever names one of these has copied it from a provider's form or
/// from a browser.
const ENDPOINTS: [&str; 8] = [
    "login",
    "callback",
    "session",
    "logoutme",
    "logout",
    "frontchannel-logout",
    "backchannel-logout",
    "claims",
];

/// The address of the handler: `https://app.example/oxd`.
#[derive(Clone, Debug, PartialEq)]
pub struct Base {
    url: Url,
    /// What was typed, where that was not quite the address.
    typed: Option<String>,
}

impl Base {
    /// Parses an address. A slash at its end and the name of one of the handler's own addresses are taken off; the
    /// error names the fault, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if !text.contains("://") && text.contains(['.', ':']) && text.contains('/') {
            return Err(format!("must begin with https://: write https://{text}"));
        }
        let (address, rest) = text.split_at(text.find(['?', '#']).unwrap_or(text.len()));
        let whole = address.trim_end_matches('/');
        let mut url = http_url(whole).map_err(|complaint| format!("must be {}", complaint.allowed))?;
        let path = url.path();
        let above = match path.rsplit_once('/') {
            Some((above, name)) if ENDPOINTS.contains(&name) => above.trim_end_matches('/').to_owned(),
            _ => String::new(),
        };
        let is_own = !above.is_empty();
        if is_own {
            url.set_path(&above);
        }
        if url.path() == "/" {
            return Err(
                "must have a path, such as https://app.example/oxd: all addresses below it are the handler's"
                    .to_owned(),
            );
        }
        if !rest.is_empty() {
            return Err(format!("must have no query and no fragment: write {url}"));
        }
        let corrected = whole != address || is_own;
        Ok(Self {
            typed: corrected.then(|| address.to_owned()),
            url,
        })
    }

    /// What an administrator should know about what was typed.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if let Some(typed) = &self.typed {
            notes.push(format!(
                "{typed} is taken as {self}: that is the address of the handler, where SetHandler oxd is"
            ));
        }
        if self.is_exposed() {
            notes.push(format!(
                "{self} is not https: sessions and codes cross the network unencrypted, and most providers refuse \
                 such an address; write https://{}",
                self.url.as_str().trim_start_matches("http://")
            ));
        }
        notes
    }

    /// The address of the handler whose redirect URI this is.
    pub fn of_redirect_uri(uri: &str) -> Option<Self> {
        let (base, name) = uri.rsplit_once('/')?;
        let is_own = matches!(name, "login" | "callback");
        is_own.then(|| Self::parse(base).ok()).flatten()
    }

    /// As an URL.
    pub fn url(&self) -> &Url {
        &self.url
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
        self.url.path()
    }

    /// The host, for a client's name.
    pub fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.url.port_or_known_default().unwrap_or_default()
    }

    /// Whether cookies and codes would cross a network unencrypted.
    pub fn is_exposed(&self) -> bool {
        let local = match self.url.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        self.url.scheme() == "http" && !local
    }
}

impl std::fmt::Display for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.url.as_str())
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
    fn what_is_below_the_base_is_taken_for_it_with_a_note() {
        for typed in [
            "https://app.example/oxd/login",
            "https://app.example/oxd/callback",
            "https://app.example/oxd/logout/",
            "https://app.example/oxd/",
        ] {
            let base = Base::parse(typed).unwrap();
            assert_eq!(base.to_string(), "https://app.example/oxd");
            let notes = base.notes();
            assert!(
                notes.len() == 1 && notes[0].contains("taken as https://app.example/oxd:"),
                "{notes:?}"
            );
        }
        assert!(Base::parse("https://app.example/oxd").unwrap().notes().is_empty());
        // A handler may be called like that.
        assert_eq!(Base::parse("https://app.example/login").unwrap().path(), "/login");
        let exposed = Base::parse("http://app.example/oxd/login").unwrap().notes();
        assert!(
            exposed[1].ends_with("write https://app.example/oxd"),
            "{exposed:?}"
        );
    }

    #[test]
    fn a_refusal_says_what_to_write() {
        for typed in [
            "https://app.example/oxd?x",
            "https://app.example/oxd/#x",
            "https://app.example/oxd/callback?code=a&state=b",
            "app.example/oxd",
        ] {
            let why = Base::parse(typed).unwrap_err();
            assert!(why.ends_with("write https://app.example/oxd"), "{why}");
        }
    }

    #[test]
    fn a_redirect_uri_tells_its_base() {
        let base = Base::of_redirect_uri("https://app.example/oxd/login").unwrap();
        assert_eq!(base.to_string(), "https://app.example/oxd");
        assert_eq!(
            Base::of_redirect_uri("https://app.example/cgi-bin/oxd.py/index"),
            None
        );
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
