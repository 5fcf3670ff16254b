//! Directives for cookies, and for the headers of proxies that decide about them.

use url::Host;

use super::Directive;
use super::Group::Session;
use crate::config::types::{CookieSecure, SameSite, TrustForwarded};
use crate::config::value::{self, Complaint};

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdCookieName",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "NAME",
        default: "oxd_session",
        summary: c"Name of the session cookie",
        details: "Two sites on one host name need two names (or two `OxdCookiePath`s) to keep both sessions.",
        example: "OxdCookieName oxd_session_blue",
        #[cfg(test)]
        good: &[&["sid"]],
        #[cfg(test)]
        bad: &[
            &["a b"],
            &["a;b"],
            &["oxd_state"],
            &[""],
            &["sid.tokens"],
            &["sid.seen"],
        ],
        apply: |s, place, args| {
            let is_taken = [".tokens", ".seen"].iter().any(|end| args[0].ends_with(end));
            if !value::is_token(args[0]) || args[0].starts_with("oxd_state") || is_taken {
                return Err(Complaint::about(
                    args[0],
                    "a cookie name (letters, digits, - _ .) other than oxd_state, and without .tokens or .seen at its end",
                ));
            }
            s.cookie_name = Some(place.arena.keep(args[0].to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdCookiePath",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "PATH",
        default: "/",
        summary: c"Path attribute of the cookies",
        details: "Must cover both the protected locations and the handler.",
        example: "OxdCookiePath /",
        #[cfg(test)]
        good: &[&["/app"]],
        #[cfg(test)]
        bad: &[&["app"], &["/a;b"]],
        apply: |s, place, args| {
            let fits = args[0].starts_with('/') && args[0].bytes().all(|b| b.is_ascii_graphic() && b != b';');
            if !fits {
                return Err(Complaint::about(
                    args[0],
                    "a path that begins with / and has no ;",
                ));
            }
            s.cookie_path = Some(place.arena.keep(args[0].to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdCookieDomain",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "DOMAIN",
        default: "none: the request's host only",
        summary: c"Domain attribute of all cookies",
        details: "A domain whose subdomains share the session. Each of them can then read and set the cookie: leave it \
                  out unless you control them all.",
        example: "OxdCookieDomain example.org",
        #[cfg(test)]
        good: &[&["example.org"], &[".example.org"]],
        #[cfg(test)]
        bad: &[&["a b"], &["https://x"], &["127.0.0.1"], &[""]],
        apply: |s, place, args| {
            let name = args[0].strip_prefix('.').unwrap_or(args[0]);
            let is_name = name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.');
            if !is_name || !matches!(Host::parse(name), Ok(Host::Domain(_))) {
                return Err(Complaint::about(args[0], "a domain name such as example.org"));
            }
            s.cookie_domain = Some(place.arena.keep(name.to_ascii_lowercase()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdCookieSameSite",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "Lax | Strict | None",
        default: "Lax",
        summary: c"SameSite attribute of the session cookie",
        details: "With `Strict` a link from another site arrives without a session, and the login ends with a short \
                  page that forwards to the target. `None` is for a site in a frame of another site and requires \
                  https. The cookies of a pending login are `Lax` (over https `None` with `response_mode=form_post`), \
                  as the browser must send them when it returns from the provider.",
        example: "OxdCookieSameSite Strict",
        #[cfg(test)]
        good: &[&["strict"]],
        #[cfg(test)]
        bad: &[&["loose"]],
        apply: |s, _, args| {
            let words = [
                ("Lax", SameSite::Lax),
                ("Strict", SameSite::Strict),
                ("None", SameSite::None),
            ];
            s.cookie_same_site = Some(value::choice(args[0], &words)?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdCookieSecure",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "Auto | On | Off",
        default: "Auto",
        summary: c"Secure attribute of all cookies",
        details: "`Auto`: when the request came over https, according to httpd or to a header in `OxdTrustForwarded`.",
        example: "OxdCookieSecure On",
        #[cfg(test)]
        good: &[&["Auto"]],
        #[cfg(test)]
        bad: &[&["maybe"]],
        apply: |s, _, args| {
            let words = [
                ("Auto", CookieSecure::Auto),
                ("On", CookieSecure::On),
                ("Off", CookieSecure::Off),
            ];
            s.cookie_secure = Some(value::choice(args[0], &words)?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdCookieAttributes",
        group: Session,
        htaccess: false,
        arguments: 1..=4,
        syntax: "ATTRIBUTE ...",
        default: "none",
        summary: c"Further attributes of all cookies",
        details: "Added to every cookie as it stands, such as `Partitioned` (for pages in frames of other sites; needs \
                  `OxdCookieSameSite None` and https) or `Priority=High`. Attributes that other directives set are \
                  refused.",
        example: "OxdCookieAttributes Partitioned Priority=High",
        #[cfg(test)]
        good: &[&["Partitioned"], &["Priority=High", "Partitioned"]],
        #[cfg(test)]
        bad: &[
            &["Path=/x"],
            &["domain=x"],
            &["HttpOnly"],
            &["Max-Age=1"],
            &["a;b"],
            &["a=b=c"],
            &["\u{e9}"],
            &[""],
        ],
        apply: |s, place, args| {
            let of_others = [
                "path", "domain", "secure", "httponly", "samesite", "max-age", "expires",
            ];
            let fits = |word: &str| {
                let (name, value) = word.split_once('=').unwrap_or((word, "x"));
                value::is_token(name)
                    && value::is_token(value)
                    && !of_others.iter().any(|other| name.eq_ignore_ascii_case(other))
            };
            let allowed = "attributes such as Partitioned or Priority=High, not those of other directives";
            let words = value::words(args, allowed, fits)?;
            let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
            s.cookie_attributes = Some(place.arena.keep(words));
            Ok(())
        },
    },
    Directive {
        name: c"OxdTrustForwarded",
        group: Session,
        htaccess: false,
        arguments: 1..=4,
        syntax: "none | X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port Forwarded",
        default: "none",
        summary: c"Trusted proxy headers",
        details: "Only behind a proxy that sets or removes them itself; otherwise a browser can forge them. The last \
                  element of a list is used, which the nearest proxy added.",
        example: "OxdTrustForwarded X-Forwarded-Proto X-Forwarded-Host",
        #[cfg(test)]
        good: &[&["none"], &["X-Forwarded-Proto", "Forwarded"]],
        #[cfg(test)]
        bad: &[&["X-Real-IP"], &["none", "Forwarded"]],
        apply: |s, _, args| {
            let mut trust = TrustForwarded::default();
            for word in args {
                let names = [
                    ("X-Forwarded-Proto", 0),
                    ("X-Forwarded-Host", 1),
                    ("X-Forwarded-Port", 2),
                    ("Forwarded", 3),
                    ("none", 4),
                ];
                match value::choice(word, &names)? {
                    0 => trust.proto = true,
                    1 => trust.host = true,
                    2 => trust.port = true,
                    3 => trust.forwarded = true,
                    _ if args.len() > 1 => return Err(Complaint::about(word, "none alone, or header names")),
                    _ => {}
                }
            }
            s.trust_forwarded = Some(trust);
            Ok(())
        },
    },
];
