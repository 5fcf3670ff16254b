//! Cookies that browsers refuse.

use super::{ReadSite, at, named};
use crate::config::check::{Found, may_reach, unquoted};

/// `OxdCookieSecure On` at a site that is registered with http. Browsers make an exception for this machine.
pub(super) fn secure_over_http(found: &[Found<'_>], read: ReadSite<'_>) -> Vec<String> {
    let address = |secure: &Found<'_>| {
        let near = |f: &&Found<'_>| may_reach(&f.spot, &secure.spot) || may_reach(&secure.spot, &f.spot);
        let own = named(found, "OxdRedirectUri").filter(near).last();
        let own = own.map(|f| unquoted(&f.node.args).to_owned());
        own.or_else(|| {
            let site = named(found, "OxdSite").filter(near).last()?;
            read(unquoted(&site.node.args))?.redirect_uri
        })
    };
    named(found, "OxdCookieSecure")
        .filter(|f| unquoted(&f.node.args).eq_ignore_ascii_case("on"))
        .filter_map(|f| Some((f, address(f)?)))
        .filter(|(_, uri)| url::Url::parse(uri).is_ok_and(|url| url.scheme() == "http" && !is_this_machine(&url)))
        .map(|(f, uri)| {
            format!(
                "{}: OxdCookieSecure On, but the site is registered with {uri}: browsers keep no such cookie over http, and \
                 no login could end; leave the directive out, or register the site with https",
                at(f)
            )
        })
        .collect()
}

fn is_this_machine(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// `SameSite=None` without `Secure` (RFC 6265bis section 5.7).
pub(super) fn none_without_secure(found: &[Found<'_>]) -> Vec<String> {
    let is = |f: &Found<'_>, word: &str| unquoted(&f.node.args).eq_ignore_ascii_case(word);
    let insecure = |none: &Found<'_>| {
        named(found, "OxdCookieSecure")
            .find(|f| is(f, "off") && (may_reach(&f.spot, &none.spot) || may_reach(&none.spot, &f.spot)))
    };
    named(found, "OxdCookieSameSite")
        .filter(|f| is(f, "none"))
        .filter_map(|f| Some((f, insecure(f)?)))
        .map(|(f, off)| {
            format!(
                "{}: browsers refuse cookies with OxdCookieSameSite None and OxdCookieSecure Off (line {}); take the \
                 latter out",
                at(f),
                off.node.line
            )
        })
        .collect()
}

/// Cookie names with a prefix whose conditions the other directives do not meet (RFC 6265bis section 4.1.3).
pub(super) fn prefixed_names(found: &[Found<'_>]) -> Vec<String> {
    let mut lines = Vec::new();
    for name in named(found, "OxdCookieName") {
        let text = unquoted(&name.node.args);
        let is_host = text.to_ascii_lowercase().starts_with("__host-");
        if !is_host && !text.to_ascii_lowercase().starts_with("__secure-") {
            continue;
        }
        let clash = |directive: &'static str, clashes: fn(&str) -> bool| {
            named(found, directive).find(|f| {
                (may_reach(&f.spot, &name.spot) || may_reach(&name.spot, &f.spot))
                    && clashes(unquoted(&f.node.args))
            })
        };
        let mut clashes = vec![clash("OxdCookieSecure", |value| {
            value.eq_ignore_ascii_case("off")
        })];
        if is_host {
            clashes.push(clash("OxdCookieDomain", |_| true));
            clashes.push(clash("OxdCookiePath", |value| value != "/"));
        }
        for other in clashes.into_iter().flatten() {
            lines.push(format!(
                "{}: browsers refuse the cookie {text} with {} {} (line {}); take that line out, or use a name without \
                 the prefix",
                at(name),
                other.node.name,
                unquoted(&other.node.args),
                other.node.line
            ));
        }
    }
    lines
}
