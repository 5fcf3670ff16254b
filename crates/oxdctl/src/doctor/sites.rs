//! The sites of a configuration: each place with the handler, and the values that apply there.

use std::path::Path;

use super::below_root;
use crate::httpd::running::Running;
use crate::httpd::tree::Directive;

/// A place with `SetHandler oxd`, or a site file alone.
pub struct Site<'r> {
    /// httpd.
    pub running: &'r Running,
    /// Which virtual host; `None` for the main server.
    pub host: Option<usize>,
    /// `FILE:LINE` of that `<VirtualHost>`.
    pub host_at: Option<String>,
    /// The section with the handler.
    pub section: Option<String>,
    /// `FILE:LINE` of the handler.
    pub at: String,
    /// The site file, where httpd's configuration does not name it.
    file: Option<String>,
}

impl<'r> Site<'r> {
    /// A site file of which httpd tells nothing.
    pub fn of_file(running: &'r Running, path: &Path) -> Self {
        Self {
            running,
            host: None,
            host_at: None,
            section: None,
            at: String::new(),
            file: Some(path.display().to_string()),
        }
    }

    /// The directive of this name that applies to the handler: that of its section, of its virtual host, or of the main
    /// server.
    pub fn directive(&self, name: &str) -> Option<&'r Directive> {
        let named = |host: Option<usize>, section: Option<&str>| {
            let mut all = self.running.directives.iter().rev();
            all.find(|one| one.is(name) && one.host == host && one.section.as_deref() == section)
        };
        named(self.host, self.section.as_deref())
            .or_else(|| named(self.host, None))
            .or_else(|| named(None, None))
    }

    /// Its first argument.
    pub fn value(&self, name: &str) -> Option<String> {
        self.directive(name)?.first()
    }

    /// Whether a directive is `On` (or `Off`, as asked for).
    pub fn says(&self, name: &str, value: &str) -> bool {
        self.value(name)
            .is_some_and(|found| found.eq_ignore_ascii_case(value))
    }

    /// The site file.
    pub fn site_file(&self) -> Option<std::path::PathBuf> {
        match &self.file {
            Some(file) => Some(file.into()),
            None => Some(below_root(self.running, &self.value("OxdSite")?)),
        }
    }

    /// The path of `<Location>` with the handler; `None` where it is not told by one path.
    pub fn location(&self) -> Option<String> {
        let section = self.section.as_deref()?;
        let inner = section.strip_prefix('<')?.strip_suffix('>')?;
        let (name, path) = inner.split_once(' ')?;
        let path = path.trim().trim_matches('"');
        let is_plain = name.eq_ignore_ascii_case("Location") && path.starts_with('/');
        is_plain.then(|| path.trim_end_matches('/').to_owned())
    }

    /// `ServerName` and `ServerAlias` of its server, in small letters and without ports.
    pub fn names(&self) -> Vec<String> {
        let own = self.running.directives.iter().filter(|one| {
            one.host == self.host && one.section.is_none() && (one.is("ServerName") || one.is("ServerAlias"))
        });
        own.flat_map(Directive::words).map(|name| bare(&name)).collect()
    }
}

/// A server's name without scheme and port.
pub fn bare(name: &str) -> String {
    let name = name.rsplit("://").next().unwrap_or(name);
    let host = match name.rsplit_once(':') {
        Some((host, port)) if port.chars().all(|c| c.is_ascii_digit()) => host,
        _ => name,
    };
    host.to_ascii_lowercase()
}

/// The sites of a configuration; with a site file only those of this one.
pub fn of<'r>(running: &'r Running, file: Option<&Path>) -> Vec<Site<'r>> {
    let mut sites: Vec<Site<'r>> = Vec::new();
    let handlers = running.directives.iter().filter(|one| {
        one.is("SetHandler") && one.first().is_some_and(|name| name.eq_ignore_ascii_case("oxd"))
    });
    for handler in handlers {
        let site = Site {
            running,
            host: handler.host,
            host_at: handler.host_at.clone(),
            section: handler.section.clone(),
            at: handler.at.clone(),
            file: None,
        };
        let is_same = |path: &Path, other: &Path| {
            path == other
                || path
                    .canonicalize()
                    .ok()
                    .is_some_and(|path| Some(path) == other.canonicalize().ok())
        };
        let is_wanted = file.is_none_or(|wanted| site.site_file().is_some_and(|own| is_same(&own, wanted)));
        let is_known = sites
            .iter()
            .any(|other| other.host == site.host && other.section == site.section);
        if is_wanted && !is_known {
            sites.push(site);
        }
    }
    sites
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::httpd::source::of_text;
    use crate::httpd::tree::{Conditions, directives};
    use std::collections::HashMap;

    fn running(text: &str) -> Running {
        let lines = of_text(text, "f", &HashMap::new());
        let conditions = Conditions {
            modules: &[],
            defined: &|_| false,
        };
        Running {
            directives: directives(&lines, &conditions),
            root: Some("/etc/apache2".into()),
            ..Running::default()
        }
    }

    #[test]
    fn values_come_from_the_nearest_place() {
        let running = running(
            "OxdServer https://main\nOxdScope openid\n<VirtualHost *:443>\nServerName a.example:443\nServerAlias B c\n\
             OxdServer https://host\nOxdSite oxd/site.json\n<Location \"/oxd/\">\nSetHandler oxd\nOxdMaxAge 5m\n\
             </Location>\n<Location /other>\nOxdScope none\n</Location>\n</VirtualHost>\n",
        );
        let sites = of(&running, None);
        let [site] = sites.as_slice() else {
            panic!("one site")
        };
        assert_eq!(site.value("OxdServer").as_deref(), Some("https://host"));
        assert_eq!(site.value("OxdScope").as_deref(), Some("openid"));
        assert_eq!(site.value("OxdMaxAge").as_deref(), Some("5m"));
        assert_eq!(site.value("OxdId"), None);
        assert_eq!(site.location().as_deref(), Some("/oxd"));
        assert_eq!(site.names(), ["a.example", "b", "c"]);
        assert_eq!(site.site_file(), Some("/etc/apache2/oxd/site.json".into()));
        assert_eq!(
            of(&running, Some(Path::new("/etc/apache2/oxd/site.json"))).len(),
            1
        );
        assert_eq!(of(&running, Some(Path::new("/another.json"))).len(), 0);
    }

    #[test]
    fn names_are_compared_without_scheme_and_port() {
        for (name, expected) in [
            ("https://A.example:443", "a.example"),
            ("a.example", "a.example"),
            ("[::1]", "[::1]"),
            ("[::1]:80", "[::1]"),
        ] {
            assert_eq!(bare(name), expected);
        }
    }
}
