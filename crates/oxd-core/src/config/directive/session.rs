//! Directives for sessions.

use std::time::Duration;

use url::Host;

use super::Group::Session;
use super::site::{exposed_file, secret};
use super::store::redis_url;
use super::{Directive, Place};
use crate::base::{KeyRing, LEAST_KEY_TEXT, Seconds};
use crate::config::store::{SessionStore, StoreAddress};
use crate::config::types::{RefusedRefresh, TokenRefresh};
use crate::config::value::{self, Complaint, Parsed};

const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// A store by its name in the directive.
fn store<'a>(text: &str, place: &Place<'a, '_>) -> Parsed<SessionStore<'a>> {
    let refused = |why: String| Complaint {
        value: Some(text.to_owned()),
        allowed: why,
    };
    if StoreAddress::is_meant(text) {
        return Ok(SessionStore::Redis(place.arena.keep(redis_url(text)?)));
    }
    let names = [
        ("cookie", None),
        ("shmcb", Some("shmcb")),
        ("redis", Some("redis")),
        ("memcache", Some("memcache")),
        ("dbm", Some("dbm")),
    ];
    let (name, details) = text.split_once(':').unwrap_or((text, ""));
    let Ok(provider) = value::choice(name, &names) else {
        return Err(refused(
            "cookie, redis://HOST:PORT, shmcb:PATH(BYTES), redis:HOST:PORT, memcache:HOST:PORT, dbm:PATH"
                .into(),
        ));
    };
    match provider {
        None if !text.contains(':') => Ok(SessionStore::Cookie),
        None => Err(refused("cookie alone".into())),
        Some("dbm") if details.is_empty() => Err(refused("dbm:PATH".into())),
        Some("redis" | "memcache") if !is_host_list(details) => {
            Err(refused(format!("{name}:HOST:PORT, or several with commas")))
        }
        Some(provider) => {
            let opened = place.env.open_store(provider, details);
            Ok(SessionStore::Shared(opened.map_err(refused)?))
        }
    }
}

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdSessionStore",
        group: Session,
        htaccess: false,
        arguments: 1..=2,
        syntax: "cookie | redis://HOST[:PORT][/DB] | shmcb[:PATH(BYTES)] | memcache:HOST[:PORT][,...] | dbm:PATH  [OLDER]",
        default: "cookie",
        summary: c"Where sessions are stored",
        details: "`cookie` stores the whole session in the browser, encrypted, and nothing on the server. With each of the \
                  others the browser holds only an identifier, and the entries are encrypted under `OxdCryptoKey`.\n\n\
                  `redis://` is the module's own client of Redis and Valkey, with passwords, TLS, Sentinel and Cluster \
                  (`OxdStorePassword` and the directives beside it). `shmcb`, `redis:`, `memcache:` and `dbm:` are httpd's own shared \
                  caches (`mod_socache_shmcb` and so on, which must be loaded).\n\n\
                  | store | other machines | graceful restart | stop and start | limits |\n\
                  |---|---|---|---|---|\n\
                  | `cookie` | with the same key; a logout takes effect on the machine that handled it, on all with `OxdRevocations` | keeps | keeps, with `OxdCryptoKey` | some 5 KB of claims and tokens |\n\
                  | `shmcb` | no | **loses all** | loses all | its size; when full, the oldest entry is dropped |\n\
                  | `dbm` | no | keeps | keeps | 14 KB a session; slower |\n\
                  | `redis://` | yes | keeps | keeps | 128 KB a session |\n\
                  | `redis:` | yes | keeps | keeps | 128 KB a session; no password, no TLS |\n\
                  | `memcache` | yes | keeps | keeps, as long as memcached runs | 128 KB a session; when full, memcached drops entries |\n\n\
                  | URL | servers |\n\
                  |---|---|\n\
                  | `redis://HOST[:PORT][/DB]` | one |\n\
                  | `rediss://HOST[:PORT][/DB]` | one, with TLS |\n\
                  | `redis+unix:///PATH[?db=DB]` | one on this machine, by its socket |\n\
                  | `redis+sentinel://HOST[:PORT][,...]/SERVICE[/DB]` | the master that Redis Sentinel names; `rediss+sentinel://` with TLS, to the sentinels too |\n\
                  | `redis+cluster://HOST[:PORT][,...]` | a Redis Cluster, of which some nodes are named; `rediss+cluster://` with TLS |\n\n\
                  Log rotation does a graceful restart on many systems. While a store is unavailable, a request with a \
                  session gets 503; nobody is admitted and nobody is logged out. With `cookie`, each machine keeps \
                  tombstones of ended sessions in shared memory, backed by a file in `DefaultRuntimeDir`, so that a \
                  copied cookie is useless after the logout.\n\n\
                  `OLDER` is the store in which sessions were until now, as in `OxdSessionStore redis://h redis:h:6379`: a \
                  session that is only there is moved at its next request, and nobody has to sign in again. Take it \
                  away after one `OxdSessionLifetime`.",
        example: "OxdSessionStore redis://127.0.0.1:6379",
        #[cfg(test)]
        good: &[
            &["cookie"],
            &["shmcb"],
            &["shmcb:/run/x(512000)"],
            &["redis:h:6379"],
            &["redis:[::1]:6379"],
            &["redis://h:6379/1"],
            &["rediss+sentinel://a,b/main"],
            &["DBM:/run/x"],
            &["redis://h", "redis:h:6379"],
            &["shmcb", "DBM:/run/x"],
        ],
        #[cfg(test)]
        bad: &[
            &["file"],
            &["cookie:x"],
            &["cookie:"],
            &["dbm"],
            &["dbm:"],
            &["redis"],
            &["redis:h:0"],
            &["redis:h:x"],
            &["redis://h/x"],
            &["redis://u:p@h"],
            &["memcache:h:11211"],
            &["cookie", "redis:h:6379"],
            &["redis://h", "cookie"],
            &["redis://h", "redis://h"],
            &["redis://h", "redis:h:0"],
            &["redis://h", "shmcb", "dbm:/x"],
        ],
        apply: |s, place, args| {
            s.session_store = Some(store(args[0], place)?);
            s.older_store = Some(match args.get(1) {
                None => None,
                Some(text) => {
                    let (first, older) = (s.session_store, store(text, place)?);
                    let is_cookie =
                        |store: Option<SessionStore<'_>>| matches!(store, Some(SessionStore::Cookie));
                    if is_cookie(first) || is_cookie(Some(older)) || args[0] == *text {
                        let allowed = "as a second value, the store in which sessions were until now: not cookie, and \
                                       not the first one";
                        return Err(Complaint::about(text, allowed));
                    }
                    Some(older)
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
        summary: c"Maximum duration of a session, from the login",
        details: "Independent of the user's activity. A shorter value also applies to existing sessions.",
        example: "OxdSessionLifetime 8h",
        #[cfg(test)]
        good: &[&["8h"]],
        #[cfg(test)]
        bad: &[&["0"], &["8x"], &["1e300"]],
        apply: |s, _, args| {
            s.session_lifetime = Some(value::seconds(args[0], Duration::from_secs(1), LONGEST)?);
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
        summary: c"Maximum idle time of a session",
        details: "Exact to a few seconds: the time of the last use is not updated at every request, but when it is at \
                  least one to five seconds old (a hundredth of this time).",
        example: "OxdSessionIdle 30min",
        #[cfg(test)]
        good: &[&["90"]],
        #[cfg(test)]
        bad: &[&["-5"]],
        apply: |s, _, args| {
            s.session_idle = Some(value::seconds(args[0], Duration::from_secs(1), LONGEST)?);
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
        details: "Needed for sessions to survive a stop and start, with the same value on all machines of one service. \
                  At least 16 bytes; `openssl rand -base64 32` generates a good one. To change it, put the new one \
                  first and keep the old one after it for one session lifetime: the first key encrypts cookies, all \
                  keys decrypt them. The log says so when a random key is used. A file must not be readable by other \
                  users, and a path alone is refused: it would become the key.",
        example: "OxdCryptoKey file:/etc/apache2/oxd/oxd-key",
        #[cfg(test)]
        good: &[&["sixteen bytes ok"], &["file:/secret", "env:SECRET"]],
        #[cfg(test)]
        bad: &[
            &["short"],
            &["file:/none"],
            &["file:/shared"],
            &["/etc/apache2/oxd/oxd-key"],
            &["aaaaaaaaaaaaaaaaaaaaaaaa"],
        ],
        apply: |s, place, args| {
            let mut secrets = Vec::new();
            for arg in args {
                if let Some(path) = exposed_file(arg, place) {
                    let allowed = format!("a file that only root and its group can read: chmod 640 {path}");
                    return Err(Complaint::about(arg, allowed));
                }
                let found = secret(arg, place).map_err(|why| Complaint {
                    allowed: format!("{}; oxdctl key --out FILE makes a key", why.allowed),
                    ..why
                })?;
                if let Some(secret) = found {
                    if secret.expose().len() < LEAST_KEY_TEXT {
                        return Err(Complaint::about_secret(format!(
                            "keys of at least {LEAST_KEY_TEXT} bytes; oxdctl key --out FILE makes one"
                        )));
                    }
                    let text = secret.expose().as_bytes();
                    if text.iter().all(|byte| Some(byte) == text.first()) {
                        return Err(Complaint::about_secret(
                            "random keys, such as openssl rand -base64 32 prints, not one character repeated",
                        ));
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
        name: c"OxdSessionMax",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "NUMBER",
        default: "no limit",
        summary: c"Maximum number of sessions per user",
        details: "A login over the limit ends the user's oldest session. Needs an `OxdSessionStore` other than \
                  `cookie`, as sessions in cookies cannot be counted; `configtest` checks this. Users are identified \
                  by `sub`. Two simultaneous logins on two machines may both count as the last one.",
        example: "OxdSessionMax 3",
        #[cfg(test)]
        good: &[&["3"]],
        #[cfg(test)]
        bad: &[&["0"], &["101"], &["x"]],
        apply: |s, _, args| {
            s.session_max = Some(value::number(args[0], 1, 100)?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdTokenRefresh",
        group: Session,
        htaccess: false,
        arguments: 1..=2,
        syntax: "Off | TIME [login | 401 | keep]",
        default: "Off",
        summary: c"Refresh the access token when it expires in less than this",
        details: "Needs a refresh token from the provider. One request refreshes it and the others share the result \
                  (single-flight). While oxd or the provider fails, the session stays as it is, and the next attempt \
                  waits longer each time, up to five minutes. When the provider has refused the refresh token and the \
                  access token has expired, `login` (the default) ends the session, `401` answers that status, and \
                  `keep` lets the session go on without a working access token.",
        example: "OxdTokenRefresh 30s login",
        #[cfg(test)]
        good: &[&["30s"], &["Off"], &["30s", "keep"], &["30s", "401"]],
        #[cfg(test)]
        bad: &[&["soon"], &["30s", "403"], &["Off", "keep"]],
        apply: |s, _, args| {
            let refused = match args.get(1) {
                None => RefusedRefresh::Login,
                Some(_) if args[0].eq_ignore_ascii_case("off") => {
                    return Err(Complaint::about(
                        args[0],
                        "Off alone, or TIME [login | 401 | keep]",
                    ));
                }
                Some(word) => {
                    let words = [
                        ("login", RefusedRefresh::Login),
                        ("401", RefusedRefresh::Unauthorized),
                        ("keep", RefusedRefresh::Keep),
                    ];
                    value::choice(word, &words)?
                }
            };
            s.refused_refresh = Some(refused);
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
