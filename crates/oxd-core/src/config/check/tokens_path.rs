//! Whether the cookie with a session's tokens may have the path of the handler.

use super::mistakes::ReadSite;
use super::{Node, all, is, location, unquoted};
use crate::base::path_below;

/// The path of the handler, where the cookie with a session's tokens need not be sent anywhere else: no page of the whole
/// configuration wants tokens, and no `.htaccess` file can ask for them. `None` where the browser has to send it to all
/// pages.
///
/// Logins of every site end at their handler, and with several handlers at different paths a logout may be at another one
/// than the login: then there is no such path.
pub fn tokens_path(tree: &[Node], read: ReadSite<'_>) -> Option<String> {
    let found = all(tree);
    let mut path: Option<&str> = None;
    for directive in &found {
        let words: Vec<&str> = directive
            .node
            .args
            .split_ascii_whitespace()
            .map(unquoted)
            .collect();
        let first = words.first().copied().unwrap_or_default();
        let is_first = |word: &str| first.eq_ignore_ascii_case(word);
        let named = |name: &str| is(directive.node, name);
        let wants_all_pages = (named("OxdPassTokens") && !words.iter().all(|word| is_without_token(word)))
            || (named("OxdTokenRefresh") && !is_first("off"))
            || (named("OxdUserInfo") && words.len() > 1)
            || named("OxdUmaResources")
            || named("OxdUmaPath")
            || (named("OxdCookieName") && has_host_prefix(first))
            || (named("AllowOverride") && words.iter().any(|word| may_hold_directives(word)))
            || (named("AllowOverrideList") && words.iter().any(|word| begins(word, "Oxd")))
            || (named("AddHandler") && is_first("oxd"));
        if wants_all_pages {
            return None;
        }
        if named("SetHandler") {
            if first.contains('%') {
                // An expression, which may name the handler anywhere.
                return None;
            }
            if is_first("oxd") {
                let section = directive.spot.section.as_ref();
                let here = section.and_then(|(_, opening)| location(opening))?;
                if path.replace(here).is_some_and(|other| other != here) {
                    return None;
                }
            }
        }
    }
    // A browser compares paths as they are sent: one with other characters is written in several ways.
    let is_plain = |path: &&str| {
        path.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte))
    };
    let path = path.filter(is_plain)?;
    // The browser may know the handler under another path, behind a proxy or a rewrite rule.
    let mut redirects = found.iter().filter_map(|directive| {
        let value = unquoted(&directive.node.args);
        if is(directive.node, "OxdRedirectUri") {
            Some(value.to_owned())
        } else if is(directive.node, "OxdSite") {
            read(value).and_then(|site| site.redirect_uri)
        } else {
            None
        }
    });
    let is_below = |uri: String| {
        let parsed = url::Url::parse(&uri);
        path_below(path, parsed.as_ref().map_or(uri.as_str(), |uri| uri.path())).is_some()
    };
    redirects.all(is_below).then(|| path.to_owned())
}

/// Words of `OxdPassTokens` that ask for no token.
fn is_without_token(word: &str) -> bool {
    word.eq_ignore_ascii_case("none") || word.eq_ignore_ascii_case("expires")
}

/// A cookie of such a name has the path `/` (RFC 6265bis section 4.1.3.2).
fn has_host_prefix(name: &str) -> bool {
    begins(name, "__Host-")
}

/// Words of `AllowOverride` with which a `.htaccess` file may have the module's directives.
fn may_hold_directives(word: &str) -> bool {
    word.eq_ignore_ascii_case("All") || word.eq_ignore_ascii_case("AuthConfig")
}

fn begins(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

#[cfg(test)]
mod tests {
    use super::super::mistakes::SiteFacts;
    use super::super::tests::tree;
    use super::*;

    const HANDLER: &str = "<Location /oxd>\nSetHandler oxd\n</Location>\n";

    fn path_of(text: &str) -> Option<String> {
        let read = |file: &str| {
            Some(SiteFacts {
                has_secret: true,
                redirect_uri: Some(format!("https://app.example{file}/callback")),
            })
        };
        tokens_path(&tree(text), &read)
    }

    #[test]
    fn the_path_is_the_handlers_where_nobody_else_wants_tokens() {
        for more in [
            "",
            "OxdPassTokens none\n",
            "OxdPassTokens expires\n",
            "OxdTokenRefresh Off\n",
            "OxdUserInfo On\n",
            "OxdCookieName __Secure-s\n",
            "AllowOverride None\n",
            "AllowOverride FileInfo Limit\n",
            "AllowOverrideList Redirect\n",
            "<Location /app>\nAuthType oxd\n</Location>\n",
            "<VirtualHost *:80>\n<Location /oxd>\nSetHandler oxd\n</Location>\n</VirtualHost>\n",
            "<Location /status>\nSetHandler oxd-status\n</Location>\n",
            "OxdSite /oxd\n",
            "OxdRedirectUri https://app.example/oxd/callback\n",
            "OxdRedirectUri /oxd/callback\n",
        ] {
            assert_eq!(
                path_of(&format!("{HANDLER}{more}")).as_deref(),
                Some("/oxd"),
                "{more}"
            );
        }
    }

    #[test]
    fn tokens_go_to_all_pages_where_one_wants_them_or_the_handler_has_several_paths() {
        for more in [
            "OxdPassTokens access_token\n",
            "<Location /deep>\n<If \"true\">\nOxdPassTokens expires id_token\n</If>\n</Location>\n",
            "OxdTokenRefresh 30s\n",
            "OxdUserInfo On 10min\n",
            "OxdUmaResources resources.json\n",
            "<Location /album>\nOxdUmaPath /album\n</Location>\n",
            "OxdCookieName __host-s\n",
            "<Directory />\nAllowOverride All\n</Directory>\n",
            "<Directory />\nAllowOverride FileInfo AuthConfig\n</Directory>\n",
            "AllowOverrideList OxdPassTokens\n",
            "<Location /other>\nSetHandler oxd\n</Location>\n",
            "<VirtualHost *:80>\n<Location /other>\nSetHandler oxd\n</Location>\n</VirtualHost>\n",
            "<LocationMatch ^/x>\nSetHandler oxd\n</LocationMatch>\n",
            "SetHandler oxd\n",
            "SetHandler %{ENV:handler}\n",
            "AddHandler oxd .login\n",
            "OxdSite /public/oxd\n",
            "OxdRedirectUri https://app.example/sso/callback\n",
        ] {
            assert_eq!(path_of(&format!("{HANDLER}{more}")), None, "{more}");
        }
        assert_eq!(path_of("AuthType oxd\n"), None);
        assert_eq!(
            path_of("<Location \"/my app/oxd\">\nSetHandler oxd\n</Location>\n"),
            None
        );
    }
}
