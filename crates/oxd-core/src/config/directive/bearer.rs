//! Places that take bearer tokens.

use std::time::Duration;

use super::Directive;
use super::Group::Bearer;
use crate::config::bearer::{BearerCache, BearerMode, ResourceMetadata};
use crate::config::raw::defaults;
use crate::config::value::{self, Complaint};

const MODES: &str = "one of Off, On, introspect, jwt, jwt introspect";

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdBearer",
        group: Bearer,
        htaccess: true,
        arguments: 1..=2,
        syntax: "Off | introspect | jwt | jwt introspect",
        default: "Off",
        summary: c"Whether a request may bring a bearer token, and how that is checked",
        details: "With `introspect` (or `On`) oxd is asked about each token (`introspect-access-token`); with `jwt` a token \
                  must be a JWT, which is verified here by the provider's keys; with `jwt introspect` JWTs are verified \
                  here, and oxd is asked about all others. Where a request has `Authorization: Bearer`, the token decides, \
                  session or not; without it the session does. Only this header counts: no token in a query, a form \
                  or a cookie. A token with a list in `aud` or `acr_values` can be checked with `jwt` alone, as oxd \
                  answers 500 to it.",
        example: "OxdBearer jwt introspect",
        #[cfg(test)]
        good: &[
            &["Off"],
            &["On"],
            &["introspect"],
            &["jwt"],
            &["jwt", "introspect"],
        ],
        #[cfg(test)]
        bad: &[&["maybe"], &["introspect", "jwt"], &["jwt", "jwt"]],
        apply: |s, _, args| {
            let words: Vec<String> = args.iter().map(|word| word.to_ascii_lowercase()).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            s.bearer = Some(match words.as_slice() {
                ["off"] => BearerMode::Off,
                ["on" | "introspect"] => BearerMode::Introspect,
                ["jwt"] => BearerMode::Jwt,
                ["jwt", "introspect"] => BearerMode::JwtOrIntrospect,
                _ => return Err(Complaint::about(&args.join(" "), MODES)),
            });
            Ok(())
        },
    },
    Directive {
        name: c"OxdBearerAudience",
        group: Bearer,
        htaccess: false,
        arguments: 1..=64,
        syntax: "VALUE...",
        default: "the site's client_id for JWTs, not checked otherwise",
        summary: c"Whom a bearer token must be meant for",
        details: "One of these values must be in the token's `aud`. oxd's introspection hands on a single text only.",
        example: "OxdBearerAudience https://api.example.org",
        #[cfg(test)]
        good: &[&["https://api.example.org", "api"]],
        #[cfg(test)]
        bad: &[&[""]],
        apply: |s, place, args| {
            let values: Result<Vec<_>, _> = args
                .iter()
                .map(|arg| value::text(arg).map(str::to_owned))
                .collect();
            s.bearer_audience = Some(place.arena.keep(values?));
            Ok(())
        },
    },
    Directive {
        name: c"OxdBearerCache",
        group: Bearer,
        htaccess: false,
        arguments: 1..=2,
        syntax: "TIME [TOKENS]",
        default: "60s 10000",
        summary: c"How long the answer about a bearer token is kept, and how many are",
        details: "In each child process, never past the token's `exp`; that a token is not active is kept for 5 s at most. \
                  A revoked token may be taken for this time. An entry has 4 KiB at most on average.",
        example: "OxdBearerCache 30s 50000",
        #[cfg(test)]
        good: &[&["0"], &["60s"], &["5min", "100"]],
        #[cfg(test)]
        bad: &[&["-1"], &["2h"], &["60s", "0"], &["60s", "2000000"], &["soon"]],
        apply: |s, _, args| {
            let time = value::seconds(args[0], Duration::ZERO, Duration::from_secs(3_600))?;
            let tokens = match args.get(1) {
                Some(number) => value::number(number, 1, 1_000_000)?,
                None => defaults::BEARER_CACHE.tokens,
            };
            s.bearer_cache = Some(BearerCache { time, tokens });
            Ok(())
        },
    },
    Directive {
        name: c"OxdBearerPass",
        group: Bearer,
        htaccess: true,
        arguments: 1..=1,
        syntax: "On | Off",
        default: "Off",
        summary: c"Whether the application gets the Authorization header with the bearer token",
        details: "With `Off`, whoever runs or logs the application cannot use the token elsewhere.",
        example: "OxdBearerPass On",
        #[cfg(test)]
        good: &[&["On"], &["off"]],
        #[cfg(test)]
        bad: &[&["yes"]],
        apply: |s, _, args| {
            s.bearer_pass = Some(value::flag(args[0])?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdBearerRealm",
        group: Bearer,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TEXT",
        default: "the request's host",
        summary: c"The realm in the challenge of a place that takes bearer tokens",
        details: "`WWW-Authenticate: Bearer realm=\"...\"` (RFC 6750 section 3).",
        example: "OxdBearerRealm photos",
        #[cfg(test)]
        good: &[&["photos"], &["my photos"]],
        #[cfg(test)]
        bad: &[&[""], &["a\"b"], &["a\\b"], &["caf\u{e9}"]],
        apply: |s, place, args| {
            let fits = |c: char| (c.is_ascii_graphic() || c == ' ') && !matches!(c, '"' | '\\');
            if !value::text(args[0])?.chars().all(fits) {
                return Err(Complaint::about(
                    args[0],
                    "ASCII text without quotes and backslashes",
                ));
            }
            s.bearer_realm = Some(place.arena.keep(args[0].to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdResourceMetadata",
        group: Bearer,
        htaccess: false,
        arguments: 1..=1,
        syntax: "On | Off",
        default: "Off",
        summary: c"Whether the place tells API clients which provider its tokens come from",
        details: "With `On`, the address `/.well-known/oauth-protected-resource` and behind it the path of the \
                  `<Location>` answers the document of RFC 9728 to everybody, and challenges name it \
                  (`resource_metadata`). Outside of a section the resource is the whole server.",
        example: "OxdResourceMetadata On",
        #[cfg(test)]
        good: &[&["On"], &["off"]],
        #[cfg(test)]
        bad: &[&["yes"]],
        apply: |s, place, args| {
            let metadata = match (value::flag(args[0])?, place.env.location()) {
                (false, _) => ResourceMetadata::Off,
                (true, Some(path)) => ResourceMetadata::At(path),
                (true, None) => {
                    return Err(Complaint::about(
                        args[0],
                        "Off, or On in a <Location> with a plain path, in a <VirtualHost> or outside of all sections",
                    ));
                }
            };
            s.resource_metadata = Some(place.arena.keep(metadata));
            Ok(())
        },
    },
];
