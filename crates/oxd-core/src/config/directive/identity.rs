//! Data for the application, and logout.

use std::ffi::CString;

use regex::Regex;

use super::Directive;
use super::Group::{Identity, Logout};
use crate::config::types::{ClaimHeader, ClaimNames, ClaimsAs, HeaderFormat, PassTokens, RemoteUser};
use crate::config::value::{self, Complaint};

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdRemoteUser",
        group: Identity,
        htaccess: true,
        arguments: 1..=3,
        syntax: "CLAIM [REGEX [REPLACEMENT]]",
        default: "sub",
        summary: c"Claim that becomes REMOTE_USER",
        details: "With an expression, the claim must match it, and `REMOTE_USER` becomes the replacement with `$1`, \
                  `$2` and so on filled in (without a replacement, the first group or the whole match). A user whose \
                  claim is missing or does not match gets 403. The expression runs in linear time and has no \
                  look-around.",
        example: "OxdRemoteUser email ^(.+)@example\\.org$ $1",
        #[cfg(test)]
        good: &[&["email"], &["email", "^(.+)@x$"], &["email", "^(.+)@x$", "$1"]],
        #[cfg(test)]
        bad: &[&[""], &["email", "("]],
        apply: |s, place, args| {
            let claim = value::text(args[0])?.to_owned();
            let rewrite = match args.get(1) {
                None => None,
                Some(pattern) => {
                    let regex = Regex::new(pattern).map_err(|e| {
                        let why = e.to_string().lines().last().unwrap_or_default().trim().to_owned();
                        Complaint::about(pattern, format!("a regular expression ({why})"))
                    })?;
                    let whole = if regex.captures_len() > 1 { "${1}" } else { "${0}" };
                    let replacement = args.get(2).map_or_else(|| whole.to_owned(), |r| braced(r));
                    Some((regex, replacement))
                }
            };
            s.remote_user = Some(place.arena.keep(RemoteUser { claim, rewrite }));
            Ok(())
        },
    },
    Directive {
        name: c"OxdClaims",
        group: Identity,
        htaccess: true,
        arguments: 1..=1,
        syntax: "env | headers | both | none",
        default: "env",
        summary: c"How the application gets the claims",
        details: "`env`: as `OXD_CLAIM_<name>` in the environment; characters other than letters, digits and `_` in \
                  the name become `_`. Arrays are joined with `,`, objects are JSON, booleans `true` and `false`; \
                  control characters become spaces. `headers`: as request headers `Oxd-Claim-<Name>`, where other \
                  characters become `-`, for a backend behind a proxy. Headers of that kind from a client are removed, \
                  with a session or without.",
        example: "OxdClaims env",
        #[cfg(test)]
        good: &[&["none"], &["headers"], &["both"]],
        #[cfg(test)]
        bad: &[&["all"]],
        apply: |s, _, args| {
            let words = [
                ("env", ClaimsAs::Env),
                ("headers", ClaimsAs::Headers),
                ("both", ClaimsAs::Both),
                ("none", ClaimsAs::None),
            ];
            s.claims_as = Some(value::choice(args[0], &words)?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdClaimNames",
        group: Identity,
        htaccess: true,
        arguments: 1..=64,
        syntax: "NAME ... | !NAME ...",
        default: "all",
        summary: c"Claims that the application gets",
        details: "`!name` excludes a claim. The id token's `nonce`, `at_hash`, `c_hash` and `s_hash` serve only its \
                  verification and are never passed on.",
        example: "OxdClaimNames email name groups",
        #[cfg(test)]
        good: &[&["a", "b"], &["!c"]],
        #[cfg(test)]
        bad: &[&["!"], &[" "]],
        apply: |s, place, args| {
            let words = value::words(args, "claim names, each with an optional ! before it", |w| {
                value::text(w.strip_prefix('!').unwrap_or(w)).is_ok()
            })?;
            let mut names = ClaimNames::default();
            for word in words {
                match word.strip_prefix('!') {
                    Some(name) => names.never.push(name.to_owned()),
                    None => names.only.push(word.to_owned()),
                }
            }
            s.claim_names = Some(place.arena.keep(names));
            Ok(())
        },
    },
    Directive {
        name: c"OxdClaimHeader",
        group: Identity,
        htaccess: true,
        arguments: 2..=3,
        syntax: "HEADER CLAIM [text | json | base64 | base64url]",
        default: "none",
        summary: c"Claim in a request header of your choice; may repeat",
        details: "For backends that expect a header with a certain name. The claim may be a path: a dot leads into an \
                  object (`address.country`), a number to an item of an array, `[]` to all of them (`groups[].name`). A \
                  name with dots is found whole, the longest first; `\\.` is always part of a name. \
                  Headers from a client with that name, in any spelling, are removed. A section that has the directive \
                  does not inherit those of outer sections.",
        example: "OxdClaimHeader X-Groups groups json",
        #[cfg(test)]
        good: &[&["X-User", "sub"], &["X-G", "groups", "json"]],
        #[cfg(test)]
        bad: &[
            &["X User", "sub"],
            &["Host", "sub"],
            &["X-G", "g", "xml"],
            &["X-G"],
        ],
        apply: |s, place, args| {
            let taken = [
                "cookie",
                "host",
                "authorization",
                "content-length",
                "transfer-encoding",
                "connection",
            ];
            let name = args[0];
            if !value::is_token(name) || taken.iter().any(|t| t.eq_ignore_ascii_case(name)) {
                let allowed = format!(
                    "a header name (letters, digits, - _) other than {}",
                    taken.join(", ")
                );
                return Err(Complaint::about(name, allowed));
            }
            let format = match args.get(2) {
                None => HeaderFormat::Text,
                Some(word) => value::choice(
                    word,
                    &[
                        ("text", HeaderFormat::Text),
                        ("json", HeaderFormat::Json),
                        ("base64", HeaderFormat::Base64),
                        ("base64url", HeaderFormat::Base64Url),
                    ],
                )?,
            };
            let claim = value::text(args[1])?.to_owned();
            let name = CString::new(name).map_err(|_| Complaint::about(name, "a header name"))?;
            let mut list = s.claim_headers.cloned().unwrap_or_default();
            list.push(ClaimHeader { name, claim, format });
            s.claim_headers = Some(place.arena.keep(list));
            Ok(())
        },
    },
    Directive {
        name: c"OxdPassTokens",
        group: Identity,
        htaccess: true,
        arguments: 1..=4,
        syntax: "none | access_token id_token refresh_token expires",
        default: "none",
        summary: c"Tokens that the application gets",
        details: "As `OXD_ACCESS_TOKEN`, `OXD_ID_TOKEN`, `OXD_REFRESH_TOKEN` and `OXD_ACCESS_TOKEN_EXPIRES` (Unix \
                  seconds) in the environment. Anyone who has a token can use it: pass only the tokens that the \
                  application needs.",
        example: "OxdPassTokens access_token expires",
        #[cfg(test)]
        good: &[&["none"], &["access_token", "expires"]],
        #[cfg(test)]
        bad: &[&["all"], &["none", "expires"]],
        apply: |s, _, args| {
            let mut pass = PassTokens::default();
            for word in args {
                let names = [
                    ("access_token", 0),
                    ("id_token", 1),
                    ("refresh_token", 2),
                    ("expires", 3),
                    ("none", 4),
                ];
                match value::choice(word, &names)? {
                    0 => pass.access_token = true,
                    1 => pass.id_token = true,
                    2 => pass.refresh_token = true,
                    3 => pass.expires = true,
                    _ if args.len() > 1 => {
                        return Err(Complaint::about(word, "none alone, or names of tokens"));
                    }
                    _ => {}
                }
            }
            s.pass_tokens = Some(pass);
            Ok(())
        },
    },
    Directive {
        name: c"OxdPostLogoutRedirectUri",
        group: Logout,
        htaccess: false,
        arguments: 1..=1,
        syntax: "URL | PATH",
        default: "the handler's logout page",
        summary: c"Address to which the provider redirects after a logout",
        details: "Must be registered with oxd as one of the site's `post_logout_redirect_uris`. A path is made \
                  absolute with the request's scheme and host.",
        example: "OxdPostLogoutRedirectUri /goodbye.html",
        #[cfg(test)]
        good: &[&["/bye"], &["https://h/bye"]],
        #[cfg(test)]
        bad: &[&["bye"], &["//h"]],
        apply: |s, place, args| {
            s.post_logout_redirect_uri = Some(place.arena.keep(value::path_or_url(args[0])?.to_owned()));
            Ok(())
        },
    },
];

/// Rewrites httpd's `$1` as `${1}`, so that following letters are not taken as part of the name (`$1_x`).
fn braced(replacement: &str) -> String {
    let mut braced = String::new();
    let mut rest = replacement.chars().peekable();
    while let Some(c) = rest.next() {
        braced.push(c);
        if c == '$' {
            if let Some(digit) = rest.next_if(char::is_ascii_digit) {
                braced.push_str(&format!("{{{digit}}}"));
            } else if rest.next_if_eq(&'$').is_some() || rest.peek() != Some(&'{') {
                braced.push('$');
            }
        }
    }
    braced
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replacements_are_httpds() {
        for (written, expected) in [
            ("$1", "${1}"),
            ("$1_x", "${1}_x"),
            ("a$2b", "a${2}b"),
            ("cost $", "cost $$"),
            ("${1}", "${1}"),
        ] {
            assert_eq!(braced(written), expected);
        }
    }
}
