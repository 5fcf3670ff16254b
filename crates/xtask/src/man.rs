//! The manual page mod_oxd(5), from the table of directives.

use oxd_core::config::directive::{Directive, GROUPS, INTRODUCTION, TABLE};
use roff::{Inline, Roff, bold, italic, roman};

use crate::markdown;

const SYNOPSIS: &str = "\
OxdServer       https://127.0.0.1:8443
OxdServerCAFile /etc/apache2/oxd/oxd-server.pem
OxdSite         /etc/apache2/oxd/oxd-site.json
OxdCryptoKey    file:/etc/apache2/oxd/oxd-key

<Location /oxd>
    SetHandler oxd
</Location>

<Location /private>
    AuthType oxd
    Require valid-user
</Location>";

const DESCRIPTION: &str = "\
The handler `oxd` answers the addresses below its location: it starts logins, takes the provider's answers and logs
out. `AuthType oxd` protects any location, with httpd's own `Require` and with `Require oxd-claim` and
`Require oxd-acr`. `oxdctl register` makes the site file and prints the lines above, filled in.
";

/// What each is for, and the lines; they stand in the site of the synopsis.
const EXAMPLES: [(&str, &str); 4] = [
    (
        "A folder for one group of users; others get 403.",
        "<Location /admin>\n    AuthType oxd\n    Require oxd-claim groups:admin\n</Location>",
    ),
    (
        "Pages that know a signed-in user, and ask nobody to sign in.",
        "<Location /shop>\n    AuthType oxd\n    OxdUnauthAction pass\n    Require all granted\n</Location>",
    ),
    (
        "An API for access tokens, beside the pages for browsers.",
        "<Location /api>\n    AuthType oxd\n    OxdBearer introspect\n    Require oxd-scope profile\n</Location>",
    ),
    (
        "Sessions in Redis, for several machines behind one name. `oxdctl store check` tries it.",
        "OxdSessionStore redis://127.0.0.1:6379",
    ),
];

/// Debian's places.
const FILES: [(&str, &str); 3] = [
    (
        "/etc/apache2/mods-available/oxd.load",
        "loads the module; turned on and off with `a2enmod`(8) and `a2dismod`(8)",
    ),
    (
        "/etc/apache2/mods-available/oxd.conf",
        "configuration for the whole server",
    ),
    (
        "/etc/apache2/oxd/",
        "the place for site files, keys and oxd's certificate; for root alone",
    ),
];

const FILES_ELSEWHERE: &str = "\
These are Debian's names. Fedora and its kin have */etc/httpd/conf.modules.d/10-oxd.conf*,
*/etc/httpd/conf.d/oxd.conf* and */etc/httpd/oxd/*.
";

/// The line that makes `man` run tbl must be the first one.
const HEAD: &str = "\
'\\\" t
.\\\" Made of the table in crates/oxd-core/src/config/directive: change it there.
";

/// The page.
pub fn page() -> String {
    let mut page = Roff::new();
    // Names of directives are not to be hyphenated.
    page.control("nr", ["HY", "0"]).control("ad", ["l"]);
    let version = concat!("mod_oxd ", env!("CARGO_PKG_VERSION"));
    page.control("TH", ["mod_oxd", "5", "\"\"", version, "mod_oxd"]);
    page.control("SH", ["NAME"]);
    page.text([roman(
        "mod_oxd - Apache httpd module that signs users in through Gluu oxd",
    )]);
    page.control("SH", ["SYNOPSIS"]);
    add_lines(&mut page, SYNOPSIS);
    page.control("SH", ["DESCRIPTION"]);
    markdown::add(&mut page, DESCRIPTION);
    markdown::add(&mut page, INTRODUCTION);
    for (group, title) in GROUPS {
        page.control("SH", [title.to_uppercase().as_str()]);
        for directive in TABLE.iter().filter(|directive| directive.group == group) {
            add_directive(&mut page, directive);
        }
    }
    page.control("SH", ["EXAMPLES"]);
    for (what, lines) in EXAMPLES {
        markdown::add(&mut page, what);
        page.control("RS", ["4"]);
        add_lines(&mut page, lines);
        page.control("RE", []);
    }
    page.control("SH", ["FILES"]);
    for (name, what) in FILES {
        add_term(&mut page, &[], [italic(name)], markdown::inline(what));
    }
    markdown::add(&mut page, FILES_ELSEWHERE);
    page.control("SH", ["SEE ALSO"]);
    markdown::add(&mut page, "`oxdctl`(1), `apache2ctl`(8), `a2enmod`(8)");
    // Typed as they stand, these must not become accents.
    let text = page.render().replace('^', r"\(ha").replace('~', r"\(ti");
    format!("{HEAD}{}", text.replace('`', r"\(ga"))
}

fn add_directive(page: &mut Roff, directive: &Directive) {
    let name = directive.name();
    page.control("SS", [name]);
    markdown::add(page, &format!("{}.", directive.summary.to_string_lossy()));
    page.control("PP", []).control("PD", ["0"]);
    let syntax = format!("{name} {}", directive.syntax);
    let wide = &["10n"];
    add_term(page, wide, [roman("Syntax")], vec![bold(syntax)]);
    add_term(
        page,
        wide,
        [roman("Default")],
        markdown::inline(directive.default),
    );
    add_term(page, wide, [roman("Context")], vec![roman(directive.context())]);
    page.control("PD", []);
    markdown::add(page, directive.details);
    page.control("PP", []).control("RS", ["4"]);
    add_lines(page, directive.example);
    page.control("RE", []);
}

fn add_term(page: &mut Roff, width: &[&'static str], term: [Inline; 1], what: Vec<Inline>) {
    page.control("TP", width.iter().copied()).text(term).text(what);
}

/// Lines that stand as they are.
fn add_lines(page: &mut Roff, lines: &str) {
    page.control("EX", []);
    for line in lines.lines() {
        page.text([roman(line)]);
    }
    page.control("EE", []);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_have_directives_of_the_table() {
        assert!(page().contains("\n.SH EXAMPLES\n"));
        for (what, lines) in EXAMPLES {
            for word in lines.split_whitespace().filter(|word| word.starts_with("Oxd")) {
                let known = TABLE.iter().any(|directive| directive.name() == word);
                assert!(known, "{word} in: {what}");
            }
        }
    }

    #[test]
    fn the_page_has_every_directive_and_no_markdown() {
        let page = page();
        assert!(
            page.starts_with("'\\\" t\n"),
            "tbl has to be asked for in the first line"
        );
        for directive in TABLE {
            let heading = format!("\n.SS {}\n", directive.name());
            assert!(page.contains(&heading), "{}", directive.name());
        }
        for sign in ["`", "**", "](", "\n|"] {
            assert!(!page.contains(sign), "Markdown is left in the page: {sign}");
        }
    }
}
