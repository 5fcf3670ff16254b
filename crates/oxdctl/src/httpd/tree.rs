//! The directives of a configuration with the virtual host and the section in which they stand.

use std::path::Path;

use super::source::Line;

/// A directive and its place.
#[derive(Clone, Debug, PartialEq)]
pub struct Directive {
    /// Its name.
    pub name: String,
    /// Its arguments, as written.
    pub args: String,
    /// Which `<VirtualHost>`, counted from 0; `None` for the main server.
    pub host: Option<usize>,
    /// `FILE:LINE` of this `<VirtualHost>`.
    pub host_at: Option<String>,
    /// The outermost other section, such as `<Location /oxd>`.
    pub section: Option<String>,
    /// `FILE:LINE`.
    pub at: String,
}

impl Directive {
    /// Its arguments one by one, without their quotes.
    pub fn words(&self) -> Vec<String> {
        words(&self.args)
    }

    /// Its first argument.
    pub fn first(&self) -> Option<String> {
        self.words().into_iter().next()
    }

    /// Whether it has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// What decides about conditional sections.
pub struct Conditions<'c> {
    /// The loaded modules, as `ssl_module`; of none that are known, every condition holds.
    pub modules: &'c [String],
    /// Whether a name was defined.
    pub defined: &'c dyn Fn(&str) -> bool,
}

/// The directives of these lines.
pub fn directives(lines: &[Line], conditions: &Conditions<'_>) -> Vec<Directive> {
    let mut found = Vec::new();
    let mut open: Vec<Section> = Vec::new();
    let mut hosts = 0;
    for line in lines {
        if let Some(name) = line.name.strip_prefix("</") {
            // What httpd has refused may lack an end; what it takes never does.
            if let Some(at) = open.iter().rposition(|section| section.is(name)) {
                open.truncate(at);
            }
        } else if let Some(name) = line.name.strip_prefix('<') {
            let kind = kind(name, &line.args, conditions, &mut hosts);
            open.push(Section {
                name: name.to_owned(),
                kind,
                at: format!("{}:{}", line.file, line.number),
            });
        } else if !open.iter().any(|section| section.kind == Kind::Off) {
            let host = open.iter().find_map(|section| match section.kind {
                Kind::Host(number) => Some((number, section.at.clone())),
                _ => None,
            });
            found.push(Directive {
                name: line.name.clone(),
                args: line.args.clone(),
                host: host.as_ref().map(|(number, _)| *number),
                host_at: host.map(|(_, at)| at),
                section: open.iter().find_map(|section| match &section.kind {
                    Kind::Place(opening) => Some(opening.clone()),
                    _ => None,
                }),
                at: format!("{}:{}", line.file, line.number),
            });
        }
    }
    found
}

struct Section {
    name: String,
    kind: Kind,
    at: String,
}

impl Section {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

#[derive(PartialEq)]
enum Kind {
    /// A virtual host.
    Host(usize),
    /// A section that is about a part of a server.
    Place(String),
    /// A condition that holds.
    On,
    /// A condition that does not hold; or a macro, whose parameters nothing here replaces.
    Off,
}

fn kind(name: &str, args: &str, conditions: &Conditions<'_>, hosts: &mut usize) -> Kind {
    let args = args.trim().trim_end_matches('>').trim();
    let holds = |test: &dyn Fn(&str) -> bool| match args.strip_prefix('!') {
        Some(name) => !test(name),
        None => test(args),
    };
    let on = match name.to_ascii_lowercase().as_str() {
        "virtualhost" => {
            *hosts += 1;
            return Kind::Host(*hosts - 1);
        }
        "ifmodule" => conditions.modules.is_empty() || holds(&|name| is_loaded(conditions.modules, name)),
        "ifdefine" => holds(conditions.defined),
        "iffile" => holds(&|path| Path::new(path.trim_matches('"')).exists()),
        "ifversion" | "ifdirective" | "ifsection" | "requireall" | "requireany" | "requirenone" => true,
        "macro" => false,
        _ => {
            return Kind::Place(match args {
                "" => format!("<{name}>"),
                args => format!("<{name} {args}>"),
            });
        }
    };
    if on { Kind::On } else { Kind::Off }
}

/// Whether a module is loaded, by its name (`ssl_module`) or its source file (`mod_ssl.c`).
pub fn is_loaded(modules: &[String], name: &str) -> bool {
    let stem = name.strip_suffix(".c").unwrap_or(name);
    let short = stem.strip_prefix("mod_").unwrap_or(stem);
    let names = [
        name.to_owned(),
        format!("{short}_module"),
        format!("mpm_{short}_module"),
    ];
    modules.iter().any(|module| names.contains(module))
}

/// Arguments one by one, as httpd splits them: a backslash keeps a quote from ending a text.
pub fn words(args: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = args.trim_start();
    while let Some(first) = rest.chars().next() {
        let mut word = String::new();
        let mut end = rest.len();
        let quote = matches!(first, '"' | '\'').then_some(first);
        let mut chars = rest.char_indices().skip(usize::from(quote.is_some())).peekable();
        while let Some((at, c)) = chars.next() {
            let is_end = quote.map_or(c.is_whitespace(), |quote| c == quote);
            if is_end {
                end = at + c.len_utf8();
                break;
            }
            match chars.peek() {
                Some((_, next)) if c == '\\' && (Some(*next) == quote || *next == '\\') => {
                    word.push(*next);
                    chars.next();
                }
                _ => word.push(c),
            }
        }
        words.push(word);
        rest = rest[end..].trim_start();
    }
    words
}

#[cfg(test)]
mod tests {
    use super::super::source::of_text;
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn directives_know_their_host_and_section() {
        let text = "OxdServer https://oxd\n<VirtualHost *:80>\n</VirtualHost>\n<VirtualHost *:443>\nServerName a\n\
                    <IfModule mod_ssl.c>\nSSLEngine on\n</IfModule>\n<IfModule !mod_oxd.c>\nNo 1\n</IfModule>\n\
                    <IfDefine NOT>\nNo 2\n</IfDefine>\n<Location /oxd>\n<RequireAll>\nSetHandler oxd\n</RequireAll>\n\
                    </Location>\n</VirtualHost>\nListen 80\n";
        let lines = of_text(text, "f", &HashMap::new());
        let modules = ["ssl_module", "oxd_module"].map(String::from);
        let conditions = Conditions {
            modules: &modules,
            defined: &|_| false,
        };
        let found: Vec<_> = directives(&lines, &conditions)
            .into_iter()
            .map(|d| (d.name, d.host, d.section))
            .collect();
        let of = |name: &str, host, section: Option<&str>| (name.to_owned(), host, section.map(String::from));
        assert_eq!(
            found,
            [
                of("OxdServer", None, None),
                of("ServerName", Some(1), None),
                of("SSLEngine", Some(1), None),
                of("SetHandler", Some(1), Some("<Location /oxd>")),
                of("Listen", None, None),
            ]
        );
    }

    #[test]
    fn arguments_are_split_as_httpd_does() {
        for (args, expected) in [
            (r#"a "b c" d"#, vec!["a", "b c", "d"]),
            (r#"'a b' "c \"d\"""#, vec!["a b", r#"c "d""#]),
            ("", vec![]),
            (r#""" x"#, vec!["", "x"]),
            (r#""open"#, vec!["open"]),
        ] {
            assert_eq!(words(args), expected, "{args}");
        }
    }

    #[test]
    fn modules_are_known_by_both_of_their_names() {
        let modules = ["ssl_module", "mpm_event_module"].map(String::from);
        for name in ["mod_ssl.c", "ssl_module", "event.c"] {
            assert!(is_loaded(&modules, name), "{name}");
        }
        assert!(!is_loaded(&modules, "mod_oxd.c"));
    }
}
