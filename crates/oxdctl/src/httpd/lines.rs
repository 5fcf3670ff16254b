//! The lines for httpd's configuration.

use std::path::Path;

use oxd_core::config::ClientAuth;

use crate::base::Base;
use crate::route::Route;

/// The subject of the lines.
pub struct Lines<'a> {
    /// The route from httpd to oxd.
    pub route: &'a Route,
    /// The site file; absolute.
    pub site_file: &'a Path,
    /// The handler's address.
    pub base: &'a Base,
    /// The scopes that the site was registered with.
    pub scopes: &'a [String],
    /// How oxd proves to be the client, where it was registered so.
    pub client_auth: Option<&'a ClientAuth>,
}

impl Lines<'_> {
    /// The proposed path of the key: beside the site file.
    pub fn key_file(&self) -> std::path::PathBuf {
        self.site_file.with_file_name("oxd-key")
    }

    /// The lines, to be pasted.
    pub fn text(&self) -> String {
        let mut lines = vec![directive("OxdServer", self.route.address())];
        if let Some(ca_file) = &self.route.ca_file {
            lines.push(directive("OxdServerCAFile", &ca_file.display().to_string()));
        }
        if !self.route.verify {
            lines.push(directive("OxdServerVerify", "Off"));
        }
        if let Some(proxy) = self.route.proxy_url() {
            lines.push(directive("OxdServerProxy", proxy.as_str()));
        }
        lines.push(directive("OxdSite", &self.site_file.display().to_string()));
        if let Some(auth) = self.client_auth {
            lines.push(format!("{:<15} {auth}", "OxdClientAuth"));
        }
        lines.push(directive(
            "OxdCryptoKey",
            &format!("file:{}", self.key_file().display()),
        ));
        if let Some(asked) = self.asked_of_users() {
            lines.push(format!("OxdScope        {asked}"));
        }
        let path = quoted(self.base.path());
        format!(
            "{}\n\n<Location {path}>\n    SetHandler oxd\n</Location>\n\n\
             <Location /private>\n    AuthType oxd\n    Require valid-user\n</Location>\n",
            lines.join("\n")
        )
    }

    /// The scopes for `OxdScope`, where they are not its default; `oxd` is for client tokens, not for users.
    fn asked_of_users(&self) -> Option<String> {
        let asked: Vec<&str> = self
            .scopes
            .iter()
            .map(String::as_str)
            .filter(|scope| !matches!(*scope, "oxd" | "uma_protection"))
            .collect();
        (asked != ["openid", "profile", "email"]).then(|| asked.join(" "))
    }
}

/// A directive with one argument, as httpd reads it back.
pub fn directive(name: &str, value: &str) -> String {
    format!("{name:<15} {}", quoted(value))
}

/// A value as httpd reads it back.
fn quoted(value: &str) -> String {
    if value.contains([' ', '\t', '"', '\\', '#']) {
        format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxd_core::config::{Proxy, Timeouts};
    use std::time::Duration;

    fn route(url: &str) -> Route {
        Route {
            server: url::Url::parse(url).unwrap(),
            ca_file: None,
            verify: true,
            proxy: Proxy::Direct,
            timeouts: Timeouts {
                total: Duration::from_secs(10),
                connect: Duration::from_secs(3),
            },
        }
    }

    #[test]
    fn the_usual_set_up_needs_few_lines() {
        let route = route("https://127.0.0.1:8443/");
        let scopes = ["openid", "profile", "email", "oxd"].map(String::from);
        let lines = Lines {
            route: &route,
            site_file: Path::new("/etc/apache2/oxd-site.json"),
            base: &Base::parse("https://app.example/oxd").unwrap(),
            scopes: &scopes,
            client_auth: None,
        };
        assert_eq!(
            lines.text(),
            "OxdServer       https://127.0.0.1:8443\n\
             OxdSite         /etc/apache2/oxd-site.json\n\
             OxdCryptoKey    file:/etc/apache2/oxd-key\n\n\
             <Location /oxd>\n    SetHandler oxd\n</Location>\n\n\
             <Location /private>\n    AuthType oxd\n    Require valid-user\n</Location>\n"
        );
    }

    #[test]
    fn what_is_unusual_gets_a_line_of_its_own() {
        let mut route = route("https://oxd.example:8443");
        route.ca_file = Some("/etc/my \"own\"/ca.pem".into());
        route.verify = false;
        route.proxy = Proxy::Http(url::Url::parse("http://proxy:3128").unwrap());
        let scopes = ["openid", "phone", "oxd"].map(String::from);
        let text = Lines {
            route: &route,
            site_file: Path::new("/s.json"),
            base: &Base::parse("https://app.example/cgi-bin/oxd.py").unwrap(),
            scopes: &scopes,
            client_auth: Some(&ClientAuth::parse(&["private_key_jwt", "RS256"]).unwrap()),
        }
        .text();
        for line in [
            "OxdServerCAFile \"/etc/my \\\"own\\\"/ca.pem\"",
            "OxdServerVerify Off",
            "OxdClientAuth   private_key_jwt RS256",
            "OxdServerProxy  http://proxy:3128/",
            "OxdScope        openid phone",
            "<Location /cgi-bin/oxd.py>",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
