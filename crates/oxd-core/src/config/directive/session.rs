//! Sessions and their cookies.

use std::time::Duration;

use url::Host;

use super::Directive;
use super::Group::Session;
use super::server::secret;
use crate::base::{KeyRing, LEAST_KEY_TEXT, Seconds};
use crate::config::types::{CookieSecure, SameSite, SessionStore, TokenRefresh, TrustForwarded};
use crate::config::value::{self, Complaint};

const LONGEST: Duration = Duration::from_secs(365 * 86_400);

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdSessionStore",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "cookie | shmcb[:PATH(BYTES)] | redis:HOST[:PORT] | memcache:HOST[:PORT][,...] | dbm:PATH",
        default: "cookie",
        summary: c"Where sessions are kept",
        details: "`cookie` keeps the whole session in the browser, encrypted, and nothing on the server. The others are \
                  httpd's own shared caches (`mod_socache_shmcb` and so on, each to be loaded): the browser then holds \
                  only an identifier, and what goes into the cache is encrypted under `OxdCryptoKey`.\n\n\
                  | store | other machines | graceful restart | stop and start | limits |\n\
                  |---|---|---|---|---|\n\
                  | `cookie` | with the same key; a logout is known on the machine that it reached | keeps | keeps, with `OxdCryptoKey` | some 5 KB of claims and tokens |\n\
                  | `shmcb` | no | **loses all** | loses all | its size; the oldest entry goes when it is full |\n\
                  | `dbm` | no | keeps | keeps | 14 KB a session; slower |\n\
                  | `redis` | yes | keeps | keeps | 128 KB a session |\n\
                  | `memcache` | yes | keeps | keeps, as long as memcached runs | 128 KB a session; memcached drops what it has no room for |\n\n\
                  A graceful restart is also what rotates logs on many systems. While a store cannot be asked, a \
                  request that brings a session gets 503; nobody is let in and nobody is logged out. With `cookie`, a \
                  table in shared memory, kept in a file in `DefaultRuntimeDir`, remembers on each machine which \
                  sessions have ended, so that a copied cookie is of no use after the logout.",
        example: "OxdSessionStore redis:127.0.0.1:6379",
        apply: |s, place, args| {
            let names = [
                ("cookie", None),
                ("shmcb", Some("shmcb")),
                ("redis", Some("redis")),
                ("memcache", Some("memcache")),
                ("dbm", Some("dbm")),
            ];
            let (name, details) = args[0].split_once(':').unwrap_or((args[0], ""));
            let refused = |why: String| Complaint {
                value: Some(args[0].to_owned()),
                allowed: why,
            };
            let Ok(provider) = value::choice(name, &names) else {
                return Err(refused(
                    "cookie, shmcb:PATH(BYTES), redis:HOST:PORT, memcache:HOST:PORT, dbm:PATH".into(),
                ));
            };
            s.session_store = Some(match provider {
                None if !args[0].contains(':') => SessionStore::Cookie,
                None => return Err(refused("cookie alone".into())),
                Some("dbm") if details.is_empty() => return Err(refused("dbm:PATH".into())),
                Some("redis" | "memcache") if !is_host_list(details) => {
                    return Err(refused(format!("{name}:HOST:PORT, or several with commas")));
                }
                Some(provider) => {
                    SessionStore::Shared(place.env.open_store(provider, details).map_err(refused)?)
                }
            });
            Ok(())
        },
    },
    Directive {
        name: c"OxdSessionLifetime",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TIME",
        default: "8h",
        summary: c"How long a session lasts from the login",
        details: "However active the user is. Making it shorter also ends sessions that exist already.",
        example: "OxdSessionLifetime 8h",
        apply: |s, _, args| {
            s.session_lifetime = Some(Seconds::of(value::time(
                args[0],
                Duration::from_secs(1),
                LONGEST,
            )?));
            Ok(())
        },
    },
    Directive {
        name: c"OxdSessionIdle",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TIME",
        default: "1h",
        summary: c"How long a session lasts without a request",
        details: "Exact to a few seconds: that a session was used is not written down at every request, but when the \
                  last note of it is at least one to five seconds old (a hundredth of this time).",
        example: "OxdSessionIdle 30min",
        apply: |s, _, args| {
            s.session_idle = Some(Seconds::of(value::time(
                args[0],
                Duration::from_secs(1),
                LONGEST,
            )?));
            Ok(())
        },
    },
    Directive {
        name: c"OxdCryptoKey",
        group: Session,
        htaccess: false,
        arguments: 1..=8,
        syntax: "KEY [OLDER_KEY ...], each TEXT | file:PATH | env:NAME | \"exec:PATH ARGUMENTS\"",
        default: "random per server start, kept across graceful restarts",
        summary: c"Secret from which the keys of all cookies are derived; older ones after it",
        details: "Set it so that sessions survive a stop and start, and to the same value on all machines of one \
                  service. At least 16 bytes; `openssl rand -base64 32` makes a good one. To change it, put the new \
                  one first and keep the old one behind it for one session lifetime: older keys open cookies, the \
                  first one writes them. The random key of a server without this directive is announced in the log.",
        example: "OxdCryptoKey file:/etc/apache2/oxd.key",
        apply: |s, place, args| {
            let mut secrets = Vec::new();
            for arg in args {
                if let Some(secret) = secret(arg, place)? {
                    if secret.expose().len() < LEAST_KEY_TEXT {
                        return Err(Complaint::about_secret(format!(
                            "keys of at least {LEAST_KEY_TEXT} bytes"
                        )));
                    }
                    secrets.push(secret);
                }
            }
            if let Some(ring) = KeyRing::derive(secrets.iter().map(|s| s.expose().as_bytes())) {
                s.crypto_key = Some(place.arena.keep(ring));
            }
            Ok(())
        },
    },
    Directive {
        name: c"OxdCookieName",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "NAME",
        default: "oxd_session",
        summary: c"Name of the session cookie",
        details: "Two sites below one host name need two names (or two `OxdCookiePath`s) to keep both sessions.",
        example: "OxdCookieName oxd_session_blue",
        apply: |s, place, args| {
            if !value::is_token(args[0]) || args[0].starts_with("oxd_state") {
                return Err(Complaint::about(
                    args[0],
                    "a cookie name (letters, digits, - _ .) other than oxd_state",
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
        summary: c"Path attribute of all cookies",
        details: "Must cover both the protected places and the handler.",
        example: "OxdCookiePath /",
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
        details: "Names a domain whose subdomains share the session. Every one of them can then read and plant it: \
                  leave it out unless they are all yours.",
        example: "OxdCookieDomain example.org",
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
        details: "With `Strict` a link from elsewhere arrives without a session, and the login ends with a short page \
                  that leads on. `None` is for a site in a foreign frame and works over https only. The cookies of a \
                  login in progress are `Lax` (over https `None` with `response_mode=form_post`), as they must come \
                  along when the provider sends the browser back.",
        example: "OxdCookieSameSite Strict",
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
        details: "`Auto`: when the request came over https, by httpd's own knowledge or by a header that \
                  `OxdTrustForwarded` names.",
        example: "OxdCookieSecure On",
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
        name: c"OxdTrustForwarded",
        group: Session,
        htaccess: false,
        arguments: 1..=4,
        syntax: "none | X-Forwarded-Proto X-Forwarded-Host X-Forwarded-Port Forwarded",
        default: "none",
        summary: c"Proxy headers that are believed",
        details: "Only behind a proxy that sets or removes them itself: from a browser they would be forgeries. Of a \
                  list the last element counts, the one that the nearest proxy added.",
        example: "OxdTrustForwarded X-Forwarded-Proto X-Forwarded-Host",
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
    Directive {
        name: c"OxdSessionMax",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "NUMBER",
        default: "no limit",
        summary: c"Sessions that one user may have",
        details: "When a user logs in once more than that, the oldest of the user's sessions ends. Needs an \
                  `OxdSessionStore` other than `cookie`, as sessions that live in browsers cannot be counted; \
                  `configtest` says so. Users are told apart by `sub`. Two logins at the same moment on two machines \
                  may both count as the last one.",
        example: "OxdSessionMax 3",
        apply: |s, _, args| {
            s.session_max = Some(value::number(args[0], 1, 100)?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdTokenRefresh",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TIME | Off",
        default: "Off",
        summary: c"Refresh the access token when it has less than this left",
        details: "Needs a refresh token from the provider. One request refreshes and the others share the result; \
                  where oxd fails, the session stays as it is.",
        example: "OxdTokenRefresh 30s",
        apply: |s, _, args| {
            s.token_refresh = Some(if args[0].eq_ignore_ascii_case("off") {
                TokenRefresh::Off
            } else {
                let time = value::time(args[0], Duration::from_secs(1), LONGEST).map_err(|c| Complaint {
                    allowed: format!("Off, or {}", c.allowed),
                    ..c
                })?;
                TokenRefresh::Ahead(Seconds::of(time))
            });
            Ok(())
        },
    },
];

/// Whether a text is `HOST[:PORT]`, or several with commas.
fn is_host_list(text: &str) -> bool {
    text.split(',').all(|one| {
        let (host, port) = match one.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (one, None),
        };
        Host::parse(host).is_ok() && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
    })
}
