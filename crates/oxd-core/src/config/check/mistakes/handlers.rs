//! Mistakes about `SetHandler oxd`.

use super::{applies, at, handlers, named};
use crate::config::check::{Found, is_use, unquoted};

/// The words of `SetHandler` that are this module's.
const WORDS: [&str; 4] = ["oxd", "oxd-status", "oxd-metrics", "oxd-health"];

/// What `Require` rules begin with that only a signed-in user meets.
const NEED_A_USER: [&str; 6] = ["valid-user", "user ", "group ", "ldap-", "dbd-", "claim "];

/// A word that looks like one of this module's: httpd takes any, and then serves files, or none.
pub(super) fn misspelt(found: &[Found<'_>]) -> Vec<String> {
    let begins_like_ours = |word: &str| word.to_ascii_lowercase().starts_with("oxd");
    named(found, "SetHandler")
        .map(|f| (f, unquoted(&f.node.args)))
        .filter(|(_, word)| begins_like_ours(word) && !WORDS.iter().any(|ours| ours.eq_ignore_ascii_case(word)))
        .map(|(f, word)| {
            let (last, others) = WORDS.split_last().unwrap_or((&"", &[]));
            format!(
                "{}: SetHandler {word}: there is no such handler, and httpd would look for a file; write {} or {last}",
                at(f),
                others.join(", ")
            )
        })
        .collect()
}

/// Handlers behind the sign-in of another module, where no login can come back. `<Location>`s alone are looked at: which
/// directories a request of the handler's passes is not known here.
pub(super) fn behind_others(found: &[Found<'_>]) -> Vec<String> {
    let needs_user = |rule: &Found<'_>| {
        let args = rule.node.args.trim().to_ascii_lowercase();
        NEED_A_USER.iter().any(|word| args.starts_with(word))
    };
    let mut lines = Vec::new();
    for (handler, path) in handlers(found) {
        // Later sections are merged over earlier ones.
        let applying = |name: &'static str| named(found, name).filter(|f| applies(&f.spot, &handler.spot));
        let Some((path, auth_type)) = path.zip(applying("AuthType").last()) else {
            continue;
        };
        let word = unquoted(&auth_type.node.args);
        if is_use(auth_type.node) || word.eq_ignore_ascii_case("none") {
            continue;
        }
        let Some(last) = applying("Require").last() else {
            continue;
        };
        if applying("Require")
            .filter(|rule| rule.spot == last.spot)
            .all(needs_user)
        {
            lines.push(format!(
                "{}: the SetHandler oxd at {path} lies behind AuthType {word} (line {}), where no login can come back; add \
                 AuthType None and Require all granted to <Location {path}>, and put it after that line",
                at(handler),
                auth_type.node.line
            ));
        }
    }
    lines
}

/// Several handlers of one server with the same site: which one a sign-in link leads to is then a matter of order.
pub(super) fn several(found: &[Found<'_>]) -> Vec<String> {
    let site_of = |f: &Found<'_>| {
        let own = |name: &str| {
            let all = named(found, name).filter(|d| applies(&d.spot, &f.spot));
            all.last().map(|d| d.node.args.trim().to_owned())
        };
        own("OxdId").or_else(|| own("OxdSite"))
    };
    let all: Vec<_> = handlers(found).filter(|(_, path)| path.is_some()).collect();
    let mut lines = Vec::new();
    for (index, (later, path)) in all.iter().enumerate() {
        let twin = all[..index].iter().find(|(earlier, other)| {
            earlier.spot.host == later.spot.host && other != path && site_of(earlier) == site_of(later)
        });
        if let Some((earlier, _)) = twin {
            lines.push(format!(
                "{}: a second SetHandler oxd for the site of line {}: sign-in links lead to {}; \
                 keep one of them, or give each an OxdSite of its own",
                at(later),
                earlier.node.line,
                path.unwrap_or_default()
            ));
        }
    }
    lines
}
