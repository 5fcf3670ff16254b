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

/// Uses of `OxdRevocations` that no machine could agree on with others, or with itself.
pub(super) fn of_revocations(found: &[Found<'_>]) -> Vec<String> {
    let uses: Vec<_> = named(found, "OxdRevocations").collect();
    let mut lines = Vec::new();
    for (number, one) in uses.iter().enumerate() {
        let has_key = named(found, "OxdCryptoKey")
            .any(|key| key.spot.section.is_none() && may_reach(&key.spot, &one.spot));
        if let Some((_, opening)) = &one.spot.section {
            lines.push(format!(
                "{}: OxdRevocations belongs outside of {opening}: the server, or a virtual host, has one stream",
                at(one)
            ));
        } else if !has_key {
            lines.push(format!(
                "{}: OxdRevocations needs OxdCryptoKey beside it, the same on all machines",
                at(one)
            ));
        }
        let first = uses[0];
        if number > 0 && unquoted(&one.node.args) != unquoted(&first.node.args) {
            lines.push(format!(
                "{}: OxdRevocations {} differs from that of {}: a server has one stream",
                at(one),
                unquoted(&one.node.args),
                at(first)
            ));
        }
    }
    lines
}

/// `OxdRevocationsMaxLag` where nothing is heard of other machines.
pub(super) fn without_revocations(found: &[Found<'_>]) -> Vec<String> {
    named(found, "OxdRevocationsMaxLag")
        .filter(|lag| !named(found, "OxdRevocations").any(|f| may_reach(&f.spot, &lag.spot)))
        .map(|lag| {
            format!(
                "{}: OxdRevocationsMaxLag has no effect without OxdRevocations",
                at(lag)
            )
        })
        .collect()
}

/// Certificates for a store that none of the connections uses TLS to.
pub(super) fn without_tls(found: &[Found<'_>]) -> Vec<String> {
    let uses_tls = |f: &Found<'_>| unquoted(&f.node.args).to_ascii_lowercase().starts_with("rediss");
    let mut addresses = named(found, "OxdSessionStore").chain(named(found, "OxdRevocations"));
    if addresses.any(uses_tls) {
        return Vec::new();
    }
    ["OxdStoreCAFile", "OxdStoreCert"]
        .iter()
        .flat_map(|name| {
            named(found, name).map(move |f| {
                format!(
                    "{}: {name} has no effect: no OxdSessionStore or OxdRevocations uses TLS (rediss://)",
                    at(f)
                )
            })
        })
        .collect()
}
