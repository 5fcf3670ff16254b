//! Finds locations with an incomplete configuration in the configuration tree, so that `configtest` reports them before
//! a user gets a 500. Only certain problems are reported: where another section might apply to the same request,
//! nothing is.

pub mod mistakes;
mod tokens_path;

pub use tokens_path::tokens_path;

use super::raw::defaults;
use crate::base::path_below;

/// A directive or section of the configuration.
#[derive(Debug, Default)]
pub struct Node {
    /// Its name; a section's begins with `<`.
    pub name: String,
    /// Its arguments, as written.
    pub args: String,
    /// The file it stands in.
    pub file: String,
    /// The line there.
    pub line: u32,
    /// A section's content.
    pub children: Vec<Node>,
}

/// A directive that a location lacks.
#[derive(Debug, PartialEq)]
pub struct Missing {
    /// File and line of the location's `AuthType oxd` or `SetHandler oxd`.
    pub at: String,
    /// The location, as the configuration writes it.
    pub place: String,
    /// The reason why it needs the directive.
    pub because: String,
    /// The directive, and its alternatives.
    pub directive: &'static str,
}

impl Missing {
    /// The line that `configtest` prints.
    pub fn line(&self) -> String {
        let cure = if self.directive.contains("OxdSite") {
            "name the file that oxdctl register has written with OxdSite"
        } else {
            "name the address of oxd, such as https://127.0.0.1:8443"
        };
        format!(
            "{}: {} has {}, but no {}: {cure}",
            self.at, self.place, self.because, self.directive
        )
    }
}

/// The position of a directive.
#[derive(Clone, PartialEq)]
struct Spot {
    /// Which `<VirtualHost>`, counted; `None` for the main server.
    host: Option<usize>,
    /// Which section of that server, counted, with its opening line; `None` at server level.
    section: Option<(usize, String)>,
}

struct Found<'t> {
    spot: Spot,
    node: &'t Node,
}

/// The required settings, and the directives that provide each.
const NEEDS: [(&str, &[&str]); 5] = [
    ("OxdServer", &["OxdServer"]),
    ("OxdId (or OxdSite)", &["OxdId", "OxdSite"]),
    ("OxdClientId (or OxdSite)", &["OxdClientId", "OxdSite"]),
    ("OxdClientSecret (or OxdSite)", &["OxdClientSecret", "OxdSite"]),
    (
        "OxdOpHost (or OxdOpConfigurationEndpoint, or OxdSite)",
        &["OxdOpHost", "OxdOpConfigurationEndpoint", "OxdSite"],
    ),
];
/// From here on, `NEEDS` are credentials, which an unprotected oxd does not require.
const CREDENTIALS_FROM: usize = 2;
/// How many of them, at the end of the list, a site file brings.
const OF_A_SITE: usize = 4;

/// Finds the missing directives.
pub fn missing(tree: &[Node]) -> Vec<Missing> {
    let found = all(tree);
    let mut missing = Vec::new();
    for user in found.iter().filter(|f| is_use(f.node)) {
        let reaches = |names: &[&str], wanted: Option<&str>| {
            found.iter().any(|f| {
                names.iter().any(|name| is(f.node, name))
                    && wanted.is_none_or(|value| unquoted(&f.node.args).eq_ignore_ascii_case(value))
                    && may_reach(&f.spot, &user.spot)
            })
        };
        let unprotected = reaches(&["OxdProtectedCommands"], Some("off"));
        let wanted = if unprotected {
            &NEEDS[..CREDENTIALS_FROM]
        } else {
            &NEEDS[..]
        };
        let lacking = wanted.iter().filter(|(_, providers)| !reaches(providers, None));
        let mut lacking: Vec<&'static str> = lacking.map(|(directive, _)| *directive).collect();
        // One line for what one directive would bring.
        if lacking.len() >= OF_A_SITE {
            lacking.truncate(lacking.len() - OF_A_SITE);
            lacking.push("OxdSite (or OxdId, OxdClientId, OxdClientSecret and OxdOpHost)");
        }
        for directive in lacking {
            missing.push(Missing {
                at: format!("{}:{}", user.node.file, user.node.line),
                place: match &user.spot.section {
                    Some((_, opening)) => opening.clone(),
                    None => "the server".into(),
                },
                because: format!("{} {}", user.node.name, user.node.args.trim()),
                directive,
            });
        }
    }
    missing
}

/// Uses of `OxdServerVerify Off`, one line each.
pub fn unverified(tree: &[Node]) -> Vec<String> {
    all(tree)
        .iter()
        .filter(|f| is(f.node, "OxdServerVerify") && unquoted(&f.node.args).eq_ignore_ascii_case("off"))
        .map(|f| {
            format!(
                "{}:{}: OxdServerVerify Off: anybody on the way to oxd can read secrets and sign in as anyone; name oxd's \
                 certificate with OxdServerCAFile instead",
                f.node.file, f.node.line
            )
        })
        .collect()
}

/// The paths of all `<Location>`s with `SetHandler oxd`.
pub fn handler_paths(tree: &[Node]) -> Vec<String> {
    all(tree)
        .iter()
        .filter(|f| is(f.node, "SetHandler") && is_use(f.node))
        .filter_map(|f| location(&f.spot.section.as_ref()?.1).map(str::to_owned))
        .collect()
}

/// The names of all session cookies of a configuration.
pub fn cookie_names(tree: &[Node]) -> Vec<String> {
    let found = all(tree);
    let named = || found.iter().filter(|f| is(f.node, "OxdCookieName"));
    let mut names: Vec<_> = named().map(|f| unquoted(&f.node.args).to_owned()).collect();
    let is_unnamed = |place: &Found<'_>| !named().any(|f| may_reach(&f.spot, &place.spot));
    if found.iter().any(|f| is_use(f.node) && is_unnamed(f)) {
        names.push(defaults::COOKIE_NAME.to_owned());
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Whether a `Require not` asks for a claim: where the claim is missing, it lets a visitor in.
pub fn negates_claims(tree: &[Node]) -> bool {
    let is_negated = |node: &Node| {
        let args = node.args.trim().to_ascii_lowercase();
        is(node, "Require") && args.starts_with("not") && args.contains("oxd_claim")
    };
    let is_none = |node: &Node| node.name.eq_ignore_ascii_case("<RequireNone");
    fn any(nodes: &[Node], test: &dyn Fn(&Node) -> bool) -> bool {
        nodes.iter().any(|node| test(node) || any(&node.children, test))
    }
    let asks = |node: &Node| is(node, "Require") && node.args.to_ascii_lowercase().contains("oxd_claim");
    any(tree, &is_negated) || any(tree, &|node| is_none(node) && any(&node.children, &asks))
}

/// Whether a location that uses the module has no `OxdCryptoKey`.
pub fn lacks_crypto_key(tree: &[Node]) -> bool {
    let found = all(tree);
    found.iter().filter(|f| is_use(f.node)).any(|user| {
        !found
            .iter()
            .any(|f| is(f.node, "OxdCryptoKey") && may_reach(&f.spot, &user.spot))
    })
}

/// Directives that make a protected location look for sessions where no login stores them: the browser would redirect
/// in an endless loop between the site and the provider. One line each.
pub fn unshared(tree: &[Node]) -> Vec<String> {
    let found = all(tree);
    let uses = |name: &str| {
        let name = name.to_owned();
        found.iter().filter(move |f| is(f.node, &name) && is_use(f.node))
    };
    let lines = found
        .iter()
        .filter(|f| {
            ["OxdSessionStore", "OxdCryptoKey", "OxdCookieName"]
                .iter()
                .any(|name| is(f.node, name))
        })
        .filter(|f| f.spot.section.is_some())
        // A default value is shared with a handler that does not set the directive.
        .filter(|f| !["cookie", defaults::COOKIE_NAME].contains(&unquoted(&f.node.args)));
    let mut unshared = Vec::new();
    for own in lines {
        let place = uses("AuthType").find(|place| covers(&own.spot, &place.spot));
        let Some(place) = place else { continue };
        let mut handlers = uses("SetHandler")
            .filter(|h| h.spot.host == place.spot.host)
            .peekable();
        // The handler may be on another machine.
        if handlers.peek().is_none() {
            continue;
        }
        let is_shared = handlers.any(|handler| {
            found.iter().any(|f| {
                is(f.node, &own.node.name)
                    && unquoted(&f.node.args) == unquoted(&own.node.args)
                    && may_reach(&f.spot, &handler.spot)
            })
        });
        if !is_shared {
            unshared.push(format!(
                "{}:{}: {} applies to the protected location at line {}, but to no SetHandler oxd: logins would store \
                 their sessions elsewhere, and the browser would redirect in an endless loop; move it out of the location",
                own.node.file, own.node.line, own.node.name, place.node.line
            ));
        }
    }
    unshared
}

/// Whether a directive certainly applies at a location.
fn covers(from: &Spot, to: &Spot) -> bool {
    let is_location = |spot: &Spot| {
        spot.section
            .as_ref()
            .is_some_and(|(_, opening)| location(opening).is_some())
    };
    from.section == to.section && from.host == to.host
        || is_location(from) && is_location(to) && may_reach(from, to)
}

/// Whether any place has `SetHandler oxd-health`.
pub fn checks_health(tree: &[Node]) -> bool {
    tree.iter().any(|node| {
        let names_it = || unquoted(&node.args).eq_ignore_ascii_case("oxd-health");
        (is(node, "SetHandler") && names_it()) || checks_health(&node.children)
    })
}

/// Locations with `SetHandler oxd-status` to which no `Require` applies: anybody could end sessions there. One line
/// each.
pub fn unguarded(tree: &[Node]) -> Vec<String> {
    let found = all(tree);
    let shows = |f: &&Found<'_>| {
        is(f.node, "SetHandler") && unquoted(&f.node.args).eq_ignore_ascii_case("oxd-status")
    };
    found
        .iter()
        .filter(shows)
        .filter(|status| {
            !found.iter().any(|f| {
                is(f.node, "Require")
                    && !f.node.args.trim().eq_ignore_ascii_case("all granted")
                    && f.spot.section.is_some()
                    && guards(&f.spot, &status.spot)
            })
        })
        .map(|status| {
            format!(
                "{}:{}: SetHandler oxd-status without a Require of its own: anybody can end sessions there; add one, such \
                 as Require ip 10.0.0.0/8",
                status.node.file, status.node.line
            )
        })
        .collect()
}

/// Whether a rule at one position certainly applies at another; a directory's rule says nothing about a location.
fn guards(rule: &Spot, place: &Spot) -> bool {
    let is_directory = |spot: &Spot| {
        spot.section
            .as_ref()
            .is_some_and(|(_, opening)| !opening.to_ascii_lowercase().starts_with("<location"))
    };
    may_reach(rule, place) && (rule.section == place.section || !is_directory(rule))
}

/// Uses of `OxdSessionMax` without a store that can count sessions, one line each.
pub fn uncounted(tree: &[Node]) -> Vec<String> {
    let found = all(tree);
    let stores = || {
        found.iter().filter(|f| {
            is(f.node, "OxdSessionStore") && !unquoted(&f.node.args).eq_ignore_ascii_case("cookie")
        })
    };
    found
        .iter()
        .filter(|f| is(f.node, "OxdSessionMax"))
        .filter(|max| {
            // It may be outside of the location with the store, or within.
            !stores().any(|store| may_reach(&store.spot, &max.spot) || may_reach(&max.spot, &store.spot))
        })
        .map(|max| {
            format!(
                "{}:{}: OxdSessionMax needs an OxdSessionStore other than cookie: sessions in cookies cannot be \
                 counted",
                max.node.file, max.node.line
            )
        })
        .collect()
}

/// The directives of a configuration with their positions.
fn all(tree: &[Node]) -> Vec<Found<'_>> {
    let mut found = Vec::new();
    collect(
        tree,
        &Spot {
            host: None,
            section: None,
        },
        &mut 0,
        &mut found,
    );
    found
}

fn is(node: &Node, name: &str) -> bool {
    node.name.eq_ignore_ascii_case(name)
}

fn is_use(node: &Node) -> bool {
    (is(node, "AuthType") || is(node, "SetHandler")) && unquoted(&node.args).eq_ignore_ascii_case("oxd")
}

fn collect<'t>(nodes: &'t [Node], spot: &Spot, counter: &mut usize, found: &mut Vec<Found<'t>>) {
    for node in nodes {
        let Some(section) = node.name.strip_prefix('<') else {
            found.push(Found {
                spot: spot.clone(),
                node,
            });
            continue;
        };
        *counter += 1;
        let inner = if section.eq_ignore_ascii_case("VirtualHost") {
            Spot {
                host: Some(*counter),
                section: None,
            }
        } else if spot.section.is_some() || is_transparent(section) {
            spot.clone()
        } else {
            let opening = format!("{} {}", node.name, node.args.trim().trim_end_matches('>'));
            Spot {
                section: Some((*counter, format!("{opening}>"))),
                ..spot.clone()
            }
        };
        collect(&node.children, &inner, counter, found);
    }
}

/// Sections that make their content conditional, and do not limit it to a location.
fn is_transparent(section: &str) -> bool {
    [
        "IfModule",
        "IfDefine",
        "IfVersion",
        "IfFile",
        "IfDirective",
        "IfSection",
    ]
    .iter()
    .any(|name| section.eq_ignore_ascii_case(name))
}

/// Whether a directive at one position may apply to a request that another position applies to.
fn may_reach(from: &Spot, to: &Spot) -> bool {
    if from.host.is_some() && from.host != to.host {
        return false;
    }
    match (&from.section, &to.section) {
        (None, _) => true,
        (Some(from), Some(to)) if from == to => true,
        (Some((_, from)), Some((_, to))) => match (location(from), location(to)) {
            (Some(outer), Some(inner)) => path_below(outer, inner).is_some(),
            // Directories, files and expressions: which of them apply together depends on the request.
            _ => true,
        },
        // A use at server level shares some request with every section, but lacks the directive for the others.
        (Some(_), None) => location_is_root(from),
    }
}

fn location_is_root(spot: &Spot) -> bool {
    spot.section
        .as_ref()
        .is_some_and(|(_, opening)| location(opening).is_none_or(|path| path == "/"))
}

/// The path of a plain `<Location /path>`.
pub fn location(opening: &str) -> Option<&str> {
    let inner = opening.strip_prefix('<')?.strip_suffix('>')?;
    let (name, path) = inner.split_once(char::is_whitespace)?;
    let path = unquoted(path);
    (name.eq_ignore_ascii_case("Location") && path.starts_with('/') && !path.contains(['*', '?', '[']))
        .then_some(path)
}

fn unquoted(args: &str) -> &str {
    args.trim().trim_matches(['"', '\''])
}

#[cfg(test)]
mod tests;
