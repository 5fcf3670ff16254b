//! The directive reference, generated from the table.

use std::fmt::Write;

use super::{Group, TABLE};

/// The sections of the reference with their titles.
pub const GROUPS: [(Group, &str); 9] = [
    (Group::Site, "Site: connection to oxd and registration"),
    (Group::Login, "Login"),
    (Group::Session, "Session"),
    (Group::Identity, "Identity"),
    (Group::Bearer, "Bearer tokens"),
    (Group::Uma, "UMA"),
    (Group::Logout, "Logout"),
    (Group::Audit, "Audit trail"),
    (Group::Pages, "Pages"),
];

/// The introduction to all directives, in Markdown.
pub const INTRODUCTION: &str = "Every directive is allowed in the server configuration, in `<VirtualHost>` and in `<Location>`, `<Directory>`, \
     `<Files>` and `<If>`, and inherits downwards: a value in an inner section replaces the outer one. \
     Those marked *.htaccess* are also allowed there, with `AllowOverride AuthConfig`.\n\n\
     Times take `ms`, `s`, `min` and `h`; a bare number is seconds. A bad value fails `apachectl configtest` with \
     a line that names the directive, the value and the allowed values.\n";

/// `docs/DIRECTIVES.md`.
pub fn reference_page() -> String {
    let mut page = format!(
        "# Directives\n\n\
         [All pages](README.md)\n\n\
         <!-- Written by `make docs` from the table in crates/oxd-core/src/config/directive: change it there. -->\n\n\
         {INTRODUCTION}\n"
    );
    for (group, title) in GROUPS {
        let entries = || TABLE.iter().filter(move |d| d.group == group);
        // Writing into a String cannot fail.
        let _ = writeln!(
            page,
            "- [{title}](#{}): {}",
            anchor(title),
            entries().map(|d| link(d.name())).collect::<Vec<_>>().join(", ")
        );
    }
    for (group, title) in GROUPS {
        let _ = writeln!(page, "\n## {title}");
        for directive in TABLE.iter().filter(|d| d.group == group) {
            let _ = write!(
                page,
                "\n### {name}\n\n{summary}.\n\n| | |\n|---|---|\n| Syntax | `{name} {syntax}` |\n| Default | {default} |\n\
                 | Context | {context} |\n\n{details}\n\n```apache\n{example}\n```\n",
                name = directive.name(),
                summary = directive.summary.to_string_lossy(),
                syntax = directive.syntax.replace('|', "\\|"),
                default = directive.default,
                context = directive.context(),
                details = directive.details,
                example = directive.example,
            );
        }
    }
    page
}

fn link(name: &str) -> String {
    format!("[{name}](#{})", anchor(name))
}

/// The anchor of a heading on repository pages.
fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}
