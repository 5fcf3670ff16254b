//! Directives of a Redis store that do nothing alone.

use super::{Found, at, may_reach, named, unquoted};

/// Directives, each with the one that it needs.
const PAIRS: [(&str, &str); 3] = [
    ("OxdStoreUser", "OxdStorePassword"),
    ("OxdStoreCert", "OxdStoreKey"),
    ("OxdStoreKey", "OxdStoreCert"),
];

/// One of a pair without the other.
pub(super) fn without_partner(found: &[Found<'_>]) -> Vec<String> {
    let lacks = |one: &Found<'_>, other: &str| {
        !named(found, other).any(|f| may_reach(&f.spot, &one.spot) || may_reach(&one.spot, &f.spot))
    };
    PAIRS
        .iter()
        .flat_map(|(name, needed)| {
            named(found, name)
                .filter(|f| lacks(f, needed))
                .map(move |f| format!("{}: {name} needs {needed}", at(f)))
        })
        .collect()
}

/// Certificates for a store that none of the connections uses TLS to.
pub(super) fn without_tls(found: &[Found<'_>]) -> Vec<String> {
    let uses_tls = |f: &Found<'_>| unquoted(&f.node.args).to_ascii_lowercase().starts_with("rediss");
    if named(found, "OxdSessionStore").any(uses_tls) {
        return Vec::new();
    }
    ["OxdStoreCAFile", "OxdStoreCert"]
        .iter()
        .flat_map(|name| {
            named(found, name).map(move |f| {
                format!(
                    "{}: {name} has no effect: no OxdSessionStore uses TLS (rediss://)",
                    at(f)
                )
            })
        })
        .collect()
}
