//! Directives for sessions and their cookies.

use std::time::Duration;

use url::Host;

use super::Directive;
use super::Group::Session;
use super::server::secret;
use crate::base::crypto::{KeyRing, LEAST_KEY_TEXT};
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
        summary: c"Where sessions are stored",
        details: "`cookie` stores the whole session in the browser, encrypted, and nothing on the server. The others are \
                  httpd's own shared caches (`mod_socache_shmcb` and so on, which must be loaded): the browser then \
                  has only an identifier, and the cache entries are encrypted with `OxdCryptoKey`.\n\n\
                  | store | other machines | graceful restart | stop and start | limits |\n\
                  |---|---|---|---|---|\n\
                  | `cookie` | with the same key; a logout is known only on the machine that handled it | keeps | keeps, with `OxdCryptoKey` | some 5 KB of claims and tokens |\n\
                  | `shmcb` | no | **loses all** | loses all | its size; the oldest entry is removed when it is full |\n\
                  | `dbm` | no | keeps | keeps | 14 KB a session; slower |\n\
                  | `redis` | yes | keeps | keeps | 128 KB a session |\n\
                  | `memcache` | yes | keeps | keeps, as long as memcached runs | 128 KB a session; memcached evicts entries when it is full |\n\n\
                  On many systems log rotation does a graceful restart. While a store is unavailable, a request with \
                  a session cookie gets 503; nobody gets access and nobody is logged out. With `cookie`, a \
                  table in shared memory, kept in a file in `DefaultRuntimeDir`, records on each machine which \
                  sessions have ended, so that a copied cookie is invalid after the logout.",
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
        summary: c"Lifetime of a session, counted from the login",
        details: "Applies however active the user is. A shorter value also applies to existing sessions.",
        example: "OxdSessionLifetime 8h",
        apply: |s, _, args| {
            s.session_lifetime = Some(value::time(args[0], Duration::from_secs(1), LONGEST)?.as_secs());
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
        summary: c"Idle timeout of a session",
        details: "Exact to a few seconds: the time of last use is not written at every request, but when the stored \
                  one is at least one to five seconds old (a hundredth of this time).",
        example: "OxdSessionIdle 30min",
        apply: |s, _, args| {
            s.session_idle = Some(value::time(args[0], Duration::from_secs(1), LONGEST)?.as_secs());
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
        summary: c"Secret from which the keys of all cookies are derived; older secrets after it",
        details: "Set it so that sessions survive a stop and start, and to the same value on all machines of one \
                  service. At least 16 bytes; `openssl rand -base64 32` makes a good one. To change it, put the new \
                  one first and keep the old one after it for one session lifetime: the first key encrypts cookies, \
                  all keys decrypt them. A server without this directive logs that it uses a random key.",
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
        details: "Must cover both the protected locations and the handler.",
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
        details: "The subdomains of this domain share the session. Each of them can then read and set the cookie: \
                  use it only if all of them are yours.",
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
        details: "With `Strict` a link from another site arrives without a session, and the login ends with a short \
                  page that redirects. `None` is for a site in a frame of another site and works over https only. \
                  The cookies of a pending login are `Lax` (over https `None` with `response_mode=form_post`), as \
                  the browser must send them when the provider redirects it back.",
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
        details: "`Auto`: set if the request came over https, according to httpd or to a header of \
                  `OxdTrustForwarded`.",
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
        summary: c"Trusted proxy headers",
        details: "Use it only behind a proxy that sets or removes these headers itself, as a browser can forge them. \
                  Of a list, the last element is used, which the nearest proxy added.",
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
        summary: c"Maximum number of sessions of one user",
        details: "A login over the limit ends the oldest session of the user. Needs an `OxdSessionStore` other than \
                  `cookie`, as sessions in cookies cannot be counted; `configtest` says so. Users are distinguished \
                  by `sub`. Two logins at the same moment on two machines may together exceed the limit by one.",
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
        summary: c"Refresh the access token when it expires within this time",
        details: "Needs a refresh token from the provider. One request refreshes and the others share the result; if \
                  oxd fails, the session stays unchanged.",
        example: "OxdTokenRefresh 30s",
        apply: |s, _, args| {
            s.token_refresh = Some(if args[0].eq_ignore_ascii_case("off") {
                TokenRefresh::Off
            } else {
                let time = value::time(args[0], Duration::from_secs(1), LONGEST).map_err(|c| Complaint {
                    allowed: format!("Off, or {}", c.allowed),
                    ..c
                })?;
                TokenRefresh::Ahead(time.as_secs())
            });
            Ok(())
        },
    },
];

/// Whether a text is `HOST[:PORT]`, or several separated by commas.
fn is_host_list(text: &str) -> bool {
    text.split(',').all(|one| {
        let (host, port) = match one.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (one, None),
        };
        Host::parse(host).is_ok() && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
    })
}
