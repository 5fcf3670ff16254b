//! The connection to a Redis session store.

use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::Group::Session;
use super::server::ca_file;
use super::site::{exposed_file, secret};
use super::{Directive, Place};
use crate::base::Secret;
use crate::config::raw::defaults;
use crate::config::store::{BadAddress, PemFile, StoreAddress, StoreTimeouts, URL_FORMS};
use crate::config::value::{self, Complaint, Parsed};

fn pem_file(path: &str, place: &Place<'_, '_>, what: &str, fits: fn(&[u8]) -> bool) -> Parsed<PemFile> {
    let complain = |why: &str| Complaint::about(path, format!("a PEM file with {what} ({why})"));
    let bytes = place.env.read_file(path).map_err(|e| complain(&e.to_string()))?;
    if !fits(&bytes) {
        return Err(complain("it has none that can be read"));
    }
    let text = String::from_utf8(bytes).map_err(|_| complain("it is not text"))?;
    Ok(PemFile {
        path: path.to_owned(),
        text: Secret::new(text),
    })
}

/// The URL of a Redis.
pub(super) fn redis_url(text: &str) -> Parsed<StoreAddress> {
    StoreAddress::parse(text).map_err(|why| match why {
        BadAddress::HoldsCredentials => Complaint::about_secret(format!(
            "a URL without user and password (OxdStoreUser and OxdStorePassword have them): {URL_FORMS}"
        )),
        BadAddress::Malformed(why) => Complaint::about(text, format!("{URL_FORMS} ({why})")),
    })
}

fn password(args: &[&str], place: &Place<'_, '_>) -> Parsed<Option<Secret>> {
    if let Some(path) = exposed_file(args[0], place) {
        place.env.warn(format!(
            "{path}: every user of this machine may read the store's password; chmod o= {path}"
        ));
    }
    secret(args[0], place)
}

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdStoreUser",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "NAME",
        default: "none",
        summary: c"User of a redis:// session store (Redis ACL)",
        details: "Needs `OxdStorePassword`. The rights that the user needs are listed in [SESSIONS.md](SESSIONS.md).",
        example: "OxdStoreUser mod_oxd",
        #[cfg(test)]
        good: &[&["mod_oxd"]],
        #[cfg(test)]
        bad: &[&[""]],
        apply: |s, place, args| {
            s.store_user = Some(place.arena.keep(value::text(args[0])?.to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdStorePassword",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TEXT | file:PATH | env:NAME | \"exec:PATH ARGUMENTS\"",
        default: "none",
        summary: c"Password for a redis:// session store",
        details: "With `OxdStoreUser` that user's, without one the default user's (`requirepass`). It is never part of the \
                  URL, which stands in logs.",
        example: "OxdStorePassword file:/etc/apache2/oxd/oxd-store.password",
        #[cfg(test)]
        good: &[
            &["secret"],
            &["file:/secret"],
            &["env:SECRET"],
            &["exec:/bin/good x"],
            &["exec:/bin/later"],
        ],
        #[cfg(test)]
        bad: &[&[""], &["file:/none"], &["env:NONE"], &["/etc/password"]],
        apply: |s, place, args| {
            if let Some(found) = password(args, place)? {
                s.store_password = Some(place.arena.keep(found));
            }
            Ok(())
        },
    },
    Directive {
        name: c"OxdStoreSentinelPassword",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TEXT | file:PATH | env:NAME | \"exec:PATH ARGUMENTS\"",
        default: "none",
        summary: c"Password for the sentinels of a redis+sentinel:// session store",
        details: "The sentinels have passwords of their own (`requirepass` in `sentinel.conf`).",
        example: "OxdStoreSentinelPassword file:/etc/apache2/oxd/oxd-sentinel.password",
        #[cfg(test)]
        good: &[&["secret"], &["file:/secret"]],
        #[cfg(test)]
        bad: &[&[""], &["env:NONE"]],
        apply: |s, place, args| {
            if let Some(found) = password(args, place)? {
                s.store_sentinel_password = Some(place.arena.keep(found));
            }
            Ok(())
        },
    },
    Directive {
        name: c"OxdStoreCAFile",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "FILE",
        default: "the system's roots",
        summary: c"PEM certificates trusted for a rediss:// session store besides the system's roots",
        details: "The server's certificate must be valid for the host in the URL, or for the address under which the \
                  sentinels or the cluster name the server. There is no way to switch this off.",
        example: "OxdStoreCAFile /etc/apache2/oxd/oxd-store-ca.pem",
        #[cfg(test)]
        good: &[],
        #[cfg(test)]
        bad: &[&["/none.pem"], &["/text.pem"], &["/empty"]],
        apply: |s, place, args| {
            s.store_ca = Some(place.arena.keep(ca_file(args[0], place)?));
            Ok(())
        },
    },
    Directive {
        name: c"OxdStoreCert",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "FILE",
        default: "none",
        summary: c"PEM client certificate for a rediss:// session store",
        details: "With the certificates between it and its authority, if there are any. Needs `OxdStoreKey`.",
        example: "OxdStoreCert /etc/apache2/oxd/oxd-store-client.pem",
        #[cfg(test)]
        good: &[],
        #[cfg(test)]
        bad: &[&["/none.pem"], &["/text.pem"], &["/empty"]],
        apply: |s, place, args| {
            let is_one = |pem: &[u8]| {
                let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
                found.is_ok_and(|all| !all.is_empty())
            };
            let file = pem_file(args[0], place, "certificates", is_one)?;
            s.store_certificate = Some(place.arena.keep(file));
            Ok(())
        },
    },
    Directive {
        name: c"OxdStoreKey",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "FILE",
        default: "none",
        summary: c"PEM private key of OxdStoreCert",
        details: "Without a passphrase. Only the user who starts httpd, often root, needs to be able to read the file.",
        example: "OxdStoreKey /etc/apache2/oxd/oxd-store-client.key",
        #[cfg(test)]
        good: &[],
        #[cfg(test)]
        bad: &[&["/none.pem"], &["/text.pem"], &["/empty"]],
        apply: |s, place, args| {
            let is_one = |pem: &[u8]| PrivateKeyDer::from_pem_slice(pem).is_ok();
            if place.env.others_may_read(args[0]) {
                let path = args[0];
                place.env.warn(format!(
                    "{path}: every user of this machine may read the key of OxdStoreCert; chmod o= {path}"
                ));
            }
            let file = pem_file(args[0], place, "a private key", is_one)?;
            s.store_key = Some(place.arena.keep(file));
            Ok(())
        },
    },
    Directive {
        name: c"OxdStoreTimeout",
        group: Session,
        htaccess: false,
        arguments: 1..=2,
        syntax: "OPERATION [CONNECT]",
        default: "500ms 250ms",
        summary: c"Time for one operation of a redis:// session store, and for the connection",
        details: "The time for an operation includes a connection, where one has to be made. The time for the connection is \
                  half of it unless given. A request whose operation takes longer gets 503.",
        example: "OxdStoreTimeout 500ms 250ms",
        #[cfg(test)]
        good: &[&["500ms"], &["2s", "1s"]],
        #[cfg(test)]
        bad: &[&["0"], &["1h"], &["500ms", "1s"], &["x"]],
        apply: |s, _, args| {
            let (least, most) = (Duration::from_millis(10), Duration::from_secs(60));
            let operation = value::time(args[0], least, most)?;
            let connect = match args.get(1) {
                Some(text) => value::time(text, least, operation)?,
                None => operation / 2,
            };
            s.store_timeouts = Some(StoreTimeouts { operation, connect });
            Ok(())
        },
    },
    Directive {
        name: c"OxdStorePrefix",
        group: Session,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TEXT",
        default: defaults::STORE_PREFIX,
        summary: c"Text before every key in a redis:// session store",
        details: "So that several applications can share a database. In a cluster, a part in braces, as in `{sso}:`, keeps \
                  all sessions on one node.",
        example: "OxdStorePrefix sso:",
        #[cfg(test)]
        good: &[&["sso:"], &["{sso}:"]],
        #[cfg(test)]
        bad: &[&[""], &["a b"], &["{}x:"]],
        apply: |s, place, args| {
            let prefix = value::text(args[0])?;
            // Redis takes such a key as a whole, and those of one change would not be on one node.
            if prefix
                .split_once('{')
                .is_some_and(|(_, rest)| rest.starts_with('}'))
            {
                return Err(Complaint::about(args[0], "braces with something in them"));
            }
            if prefix.len() > 64 || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Complaint::about(
                    args[0],
                    "at most 64 printable ASCII characters, no spaces",
                ));
            }
            s.store_prefix = Some(place.arena.keep(prefix.to_owned()));
            Ok(())
        },
    },
];
