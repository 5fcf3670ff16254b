//! Mistakes that httpd takes without a word: each gets one line with its place, the cause and the cure.

mod browsers;
mod handlers;
mod stores;

use super::{Found, Node, Spot, all, covers, is, is_use, location, may_reach, unquoted};
use crate::base::path_below;
use crate::config::raw::defaults;

/// What a site file says, as far as the checks need it.
#[derive(Debug, Default, Clone)]
pub struct SiteFacts {
    /// Whether it has a `client_secret`.
    pub has_secret: bool,
    /// The first of its `redirect_uris`.
    pub redirect_uri: Option<String>,
}

/// Reads a site file by its path as the configuration has it; `None` when it cannot be read.
pub type ReadSite<'f> = &'f dyn Fn(&str) -> Option<SiteFacts>;

/// Mistakes that may be meant, or that only show in use.
pub fn doubtful(tree: &[Node], read: ReadSite<'_>) -> Vec<String> {
    let found = all(tree);
    let mut lines = Vec::new();
    lines.extend(open_to_everybody(&found));
    lines.extend(without_handler(&found));
    lines.extend(foreign_redirects(&found, read));
    lines.extend(different_keys(&found));
    lines.extend(within_handlers(&found));
    lines.extend(rules_without_auth_type(&found));
    lines.extend(cookies_elsewhere(&found));
    lines.extend(handlers::several(&found));
    lines.extend(handlers::misspelt(&found));
    lines.extend(handlers::behind_others(&found));
    lines.extend(browsers::secure_over_http(&found, read));
    lines.extend(stores::without_tls(&found));
    lines.extend(stores::without_revocations(&found));
    lines
}

/// Mistakes with which no login can work.
pub fn certain(tree: &[Node], read: ReadSite<'_>) -> Vec<String> {
    let found = all(tree);
    let mut lines = Vec::new();
    lines.extend(without_secret(&found, read));
    lines.extend(browsers::prefixed_names(&found));
    lines.extend(browsers::none_without_secure(&found));
    lines.extend(stores::without_partner(&found));
    lines.extend(stores::of_revocations(&found));
    lines
}

fn at(f: &Found<'_>) -> String {
    format!("{}:{}", f.node.file, f.node.line)
}

fn place<'f>(f: &'f Found<'_>) -> &'f str {
    f.spot
        .section
        .as_ref()
        .map_or("the server", |(_, opening)| opening.as_str())
}

fn named<'f, 't>(found: &'f [Found<'t>], name: &'f str) -> impl Iterator<Item = &'f Found<'t>> {
    found.iter().filter(move |f| is(f.node, name))
}

fn protected<'f, 't>(found: &'f [Found<'t>]) -> impl Iterator<Item = &'f Found<'t>> {
    named(found, "AuthType").filter(|f| is_use(f.node))
}

fn handlers<'f, 't>(found: &'f [Found<'t>]) -> impl Iterator<Item = (&'f Found<'t>, Option<&'f str>)> {
    let uses = named(found, "SetHandler").filter(|f| is_use(f.node));
    uses.map(|f| (f, path_of(f)))
}

/// The path of the plain `<Location>` that a directive stands in.
fn path_of<'f>(f: &'f Found<'_>) -> Option<&'f str> {
    f.spot.section.as_ref().and_then(|(_, opening)| location(opening))
}

/// What `ServerName` and `ServerAlias` say, with the position of each.
fn server_names<'f, 't>(found: &'f [Found<'t>]) -> impl Iterator<Item = (&'f Spot, &'f str)> {
    ["ServerName", "ServerAlias"]
        .into_iter()
        .flat_map(|name| named(found, name))
        .flat_map(|f| f.node.args.split_whitespace().map(|name| (&f.spot, name)))
}

/// Whether a directive at one position certainly applies at another, or stands in an enclosing `<Location>`.
fn applies(from: &Spot, to: &Spot) -> bool {
    covers(from, to) || (from.section.is_none() && may_reach(from, to))
}

/// `Require all granted` or `all denied`: what directories have by default says nothing about users.
fn is_about_all(node: &Node) -> bool {
    node.args.trim().to_ascii_lowercase().starts_with("all ")
}

/// `AuthType oxd` without a rule: what applies is a rule of a directory, which usually lets everybody in.
fn open_to_everybody(found: &[Found<'_>]) -> Vec<String> {
    let has_rule = |user: &&Found<'_>| {
        named(found, "Require").any(|rule| {
            covers(&rule.spot, &user.spot) || (!is_about_all(rule.node) && may_reach(&rule.spot, &user.spot))
        })
    };
    let is_open_on_purpose = |user: &Found<'_>| {
        named(found, "OxdUnauthAction")
            .any(|f| unquoted(&f.node.args).eq_ignore_ascii_case("pass") && may_reach(&f.spot, &user.spot))
    };
    protected(found)
        .filter(|user| user.spot.section.is_some() && !has_rule(user) && !is_open_on_purpose(user))
        .map(|user| {
            format!(
                "{}: {} has AuthType oxd, but no Require: the pages are open to everybody; add Require valid-user",
                at(user),
                place(user)
            )
        })
        .collect()
}

/// A protected location of a server without a handler: no login can come back.
fn without_handler(found: &[Found<'_>]) -> Vec<String> {
    let has_handler = |user: &&Found<'_>| {
        handlers(found).any(|(h, _)| h.spot.host.is_none() || h.spot.host == user.spot.host)
            // The handler may be on another host.
            || named(found, "OxdRedirectUri").any(|f| may_reach(&f.spot, &user.spot))
    };
    protected(found)
        .filter(|user| !has_handler(user))
        .map(|user| {
            format!(
                "{}: {} is protected, but this server has no SetHandler oxd, where a login comes back; add <Location \
                 /oxd> SetHandler oxd </Location>, or name another host's with OxdRedirectUri",
                at(user),
                place(user)
            )
        })
        .collect()
}

/// Redirect addresses that lead to no handler of this configuration.
fn foreign_redirects(found: &[Found<'_>], read: ReadSite<'_>) -> Vec<String> {
    let paths: Vec<_> = handlers(found).map(|(_, path)| path).collect();
    let names: Vec<_> = server_names(found)
        .map(|(_, name)| name.split(':').next().unwrap_or_default().to_ascii_lowercase())
        .collect();
    let leads_here = |uri: &str| {
        let Ok(url) = url::Url::parse(uri) else {
            return true;
        };
        let is_of_us = url
            .host_str()
            .is_some_and(|host| names.contains(&host.to_ascii_lowercase()));
        let is_below = |base: &&str| path_below(base, url.path()).is_some();
        // A handler at a pattern or in a directory may answer any address.
        !is_of_us || paths.is_empty() || paths.iter().any(|path| path.as_ref().is_none_or(is_below))
    };
    let of_files =
        named(found, "OxdSite").filter_map(|f| Some((f, read(unquoted(&f.node.args))?.redirect_uri?)));
    let of_directives = named(found, "OxdRedirectUri").map(|f| (f, unquoted(&f.node.args).to_owned()));
    of_directives
        .chain(of_files)
        .filter(|(_, uri)| !leads_here(uri))
        .map(|(f, uri)| {
            format!(
                "{}: {}: the provider sends the browser to {uri}, which is not below a SetHandler oxd of this server; \
                 register that address of the handler, or move the handler there",
                at(f),
                f.node.name
            )
        })
        .collect()
}

/// Virtual hosts that share a cookie by its domain, but not the key: each takes the other's session for a forgery.
fn different_keys(found: &[Found<'_>]) -> Vec<String> {
    let of_host = |name: &str, host: Option<usize>| {
        let own = named(found, name).find(|f| f.spot.host == host && f.spot.section.is_none());
        own.or_else(|| named(found, name).find(|f| f.spot.host.is_none() && f.spot.section.is_none()))
            .map(|f| f.node.args.trim().to_owned())
    };
    let name_of = |host| of_host("OxdCookieName", host).unwrap_or_else(|| defaults::COOKIE_NAME.to_owned());
    let shared: Vec<_> = named(found, "OxdCookieDomain").collect();
    let mut lines = Vec::new();
    for (index, later) in shared.iter().enumerate() {
        let earlier = shared[..index].iter().find(|f| {
            f.spot.host != later.spot.host
                && unquoted(&f.node.args).eq_ignore_ascii_case(unquoted(&later.node.args))
                && name_of(f.spot.host) == name_of(later.spot.host)
                && of_host("OxdCryptoKey", f.spot.host) != of_host("OxdCryptoKey", later.spot.host)
        });
        if let Some(earlier) = earlier {
            lines.push(format!(
                "{}: shares the cookie of OxdCookieDomain {} with line {}, but not its OxdCryptoKey: each would refuse \
                 the other's sessions; set OxdCryptoKey outside of the virtual hosts",
                at(later),
                unquoted(&later.node.args),
                earlier.node.line
            ));
        }
    }
    lines
}

/// Protected locations below a handler, which answers every address there itself.
fn within_handlers(found: &[Found<'_>]) -> Vec<String> {
    let within = |user: &&Found<'_>| {
        let own = path_of(user);
        let handler = handlers(found).find(|(h, path)| {
            let rest = path.zip(own).and_then(|(base, own)| path_below(base, own));
            h.spot.host == user.spot.host && rest.is_some_and(|rest| rest.len() > 1)
        });
        handler.map(|(h, _)| h.node.line)
    };
    protected(found)
        .filter_map(|user| {
            Some(format!(
                "{}: {} is protected, but lies within the SetHandler oxd of line {}, which answers all addresses there; \
                 move it out of the handler's path",
                at(user),
                place(user),
                within(&user)?
            ))
        })
        .collect()
}

/// Rules that need a user where nobody can sign in.
fn rules_without_auth_type(found: &[Found<'_>]) -> Vec<String> {
    let needs_user = |node: &Node| {
        let args = node.args.trim().to_ascii_lowercase();
        [
            "valid-user",
            "user ",
            "oxd-claim",
            "oxd-acr",
            "oxd-scope",
            "oxd-uma",
        ]
        .iter()
        .any(|rule| args.starts_with(rule))
    };
    let is_ours = |rule: &Found<'_>| {
        rule.node.args.trim().to_ascii_lowercase().starts_with("oxd-")
            || found
                .iter()
                .any(|f| f.node.name.to_ascii_lowercase().starts_with("oxd") && f.spot == rule.spot)
    };
    named(found, "Require")
        .filter(|rule| needs_user(rule.node) && is_ours(rule))
        .filter(|rule| !named(found, "AuthType").any(|f| may_reach(&f.spot, &rule.spot)))
        .map(|rule| {
            format!(
                "{}: Require {} in {}, but no AuthType: nobody can sign in there; add AuthType oxd",
                at(rule),
                rule.node.args.trim(),
                place(rule)
            )
        })
        .collect()
}

/// Cookies that the browser would not bring to the handler: every login would start over.
fn cookies_elsewhere(found: &[Found<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    for (handler, path) in handlers(found) {
        let applying = |name: &'static str| {
            named(found, name)
                .filter(|f| applies(&f.spot, &handler.spot))
                .last()
        };
        let cookie_path = applying("OxdCookiePath");
        if let Some((directive, path)) = cookie_path.zip(path)
            && path_below(unquoted(&directive.node.args), path).is_none()
        {
            lines.push(format!(
                "{}: OxdCookiePath {} does not cover the handler at {path} (line {}): the browser would bring no cookie \
                 there, and no login could end; use a path that covers both",
                at(directive),
                unquoted(&directive.node.args),
                handler.node.line
            ));
        }
        let names: Vec<_> = server_names(found)
            .filter(|(spot, _)| spot.host == handler.spot.host)
            .map(|(_, name)| name)
            .collect();
        let is_within = |name: &&str, domain: &str| {
            let host = name.rsplit("://").next().unwrap_or_default();
            let host = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
            host.contains('*') || host == domain || host.ends_with(&format!(".{domain}"))
        };
        if let Some(directive) = applying("OxdCookieDomain") {
            let domain = unquoted(&directive.node.args)
                .trim_start_matches('.')
                .to_ascii_lowercase();
            if !names.is_empty() && !names.iter().any(|name| is_within(name, &domain)) {
                lines.push(format!(
                    "{}: OxdCookieDomain {domain} does not cover {}: the browser would refuse all cookies; use the \
                     host's own domain, or leave the directive out",
                    at(directive),
                    names.join(", ")
                ));
            }
        }
    }
    lines.sort_unstable();
    lines.dedup();
    lines
}

/// Site files without a secret, where no directive gives it.
fn without_secret(found: &[Found<'_>], read: ReadSite<'_>) -> Vec<String> {
    let is_given = |file: &Found<'_>| {
        let elsewhere = named(found, "OxdClientSecret")
            .any(|f| may_reach(&f.spot, &file.spot) || may_reach(&file.spot, &f.spot));
        let unprotected = named(found, "OxdProtectedCommands")
            .any(|f| unquoted(&f.node.args).eq_ignore_ascii_case("off") && may_reach(&f.spot, &file.spot));
        let signed = named(found, "OxdClientAuth")
            .any(|f| f.node.args.contains("private_key_jwt") && may_reach(&f.spot, &file.spot));
        elsewhere || unprotected || signed
    };
    named(found, "OxdSite")
        .filter(|file| !is_given(file))
        .filter(|file| read(unquoted(&file.node.args)).is_some_and(|facts| !facts.has_secret))
        .map(|file| {
            format!(
                "{}: OxdSite {} has no client_secret, so oxd would give no client token; add OxdClientSecret, \
                 OxdClientAuth private_key_jwt where oxd signs for the client, or OxdProtectedCommands Off where oxd \
                 asks for no token",
                at(file),
                unquoted(&file.node.args)
            )
        })
        .collect()
}

#[cfg(test)]
mod tests;
