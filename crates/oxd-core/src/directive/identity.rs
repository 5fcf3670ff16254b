//! What the application gets, and leaving.

use regex::Regex;

use super::Directive;
use super::Group::{Identity, Logout};
use crate::settings::{ClaimNames, ClaimsAs, RemoteUser};
use crate::value::{self, Complaint};

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
                  `$2` and so on filled in (without one, the first group or the whole match). A user whose claim is \
                  missing or does not match gets 403. The expression runs in linear time and has no look-around.",
        example: "OxdRemoteUser email ^(.+)@example\\.org$ $1",
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
        syntax: "env | none",
        default: "env",
        summary: c"How the application gets the claims",
        details: "`env`: as `OXD_CLAIM_<name>` in the environment; characters other than letters, digits and `_` in \
                  the name become `_`. Arrays are joined with `,`, objects are JSON, booleans `true` and `false`; \
                  control characters become spaces.",
        example: "OxdClaims env",
        apply: |s, _, args| {
            s.claims_as = Some(value::choice(
                args[0],
                &[("env", ClaimsAs::Env), ("none", ClaimsAs::None)],
            )?);
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
        summary: c"Claims that are handed on",
        details: "`!name` leaves one out. The id token's `nonce`, `at_hash`, `c_hash` and `s_hash` serve its \
                  verification only and are never handed on.",
        example: "OxdClaimNames email name groups",
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
        name: c"OxdPostLogoutRedirectUri",
        group: Logout,
        htaccess: false,
        arguments: 1..=1,
        syntax: "URL | PATH",
        default: "the handler's logout page",
        summary: c"Where the provider sends the user after a logout",
        details: "Must be registered with oxd as one of the site's `post_logout_redirect_uris`. A path is made \
                  absolute with the request's scheme and host.",
        example: "OxdPostLogoutRedirectUri /goodbye.html",
        apply: |s, place, args| {
            s.post_logout_redirect_uri = Some(place.arena.keep(value::path_or_url(args[0])?.to_owned()));
            Ok(())
        },
    },
];

/// `$1` as httpd's users write it, in the form that cannot run into letters behind it (`$1_x`).
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
