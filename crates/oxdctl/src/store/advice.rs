//! What to do about failures of the store's servers.

use oxd_core::config::store::Servers;
use oxd_core::oxd::{Cause, Trouble};
use oxd_store::acl_line;
use oxd_store::probe::{Failure, FailureKind};

use super::{Ctx, Given};
use crate::check::report::Verdict;
use crate::screen::plain;

/// Makes a change of users last.
const KEEP: &str =
    "then ACL SAVE, or CONFIG REWRITE where Redis has no aclfile, so that it outlives a restart";

/// Advice for a way that ends before Redis says a word.
pub fn of_trouble(ctx: &Ctx<'_>, trouble: &Trouble) -> String {
    let (service, file) = match ctx.given.address.servers {
        Servers::Sentinel { .. } => ("redis-sentinel", "sentinel.conf"),
        _ => ("redis-server", "redis.conf"),
    };
    match trouble.cause {
        Cause::NameUnknown => "see whether the name is spelled right, and whether this machine's name service knows it \
                               (getent hosts)"
            .to_owned(),
        Cause::ConnectionRefused => format!(
            "start Redis (systemctl status {service}), and see that it listens on this address and port: bind and port \
             in {file}"
        ),
        Cause::ConnectionTimeout => {
            "see whether the machine is up and whether a firewall drops the connection".to_owned()
        }
        Cause::NoConnection if matches!(ctx.given.address.servers, Servers::Socket(_)) => {
            "see unixsocket and unixsocketperm in redis.conf, and whether httpd's user may use the socket".to_owned()
        }
        Cause::NoConnection => {
            "see whether there is a route to that machine, and whether the address is right".to_owned()
        }
        Cause::UnknownAuthority => {
            "name the authority that has signed the certificate (tls-ca-cert-file on Redis's machine, as a rule) with \
             --ca-file, and with OxdStoreCAFile for httpd"
                .to_owned()
        }
        Cause::WrongName => "name the server as its certificate does, or give it a certificate with this name \
                             (subjectAltName); sentinels and clusters name servers by what replica-announce-ip, sentinel \
                             announce-hostnames and cluster-announce-hostname say"
            .to_owned(),
        Cause::Expired => format!("{}; if it should still be valid, set the clock of this machine", renew(ctx)),
        Cause::NotYetValid => {
            "the clock of this machine, or that of the machine that made the certificate, is wrong".to_owned()
        }
        Cause::OfAnAuthority => "make Redis a certificate that is not one of an authority: with openssl req -x509, add \
                                 -addext basicConstraints=critical,CA:FALSE and -addext subjectAltName=DNS:NAME"
            .to_owned(),
        Cause::NotTls => format!(
            "name the port that {file} has as tls-port; or, if Redis has none, write redis:// instead of rediss://"
        ),
        Cause::NoAnswer => "see whether Redis hangs (its log), and whether something in between takes the connection \
                            but does not hand it on"
            .to_owned(),
        _ => format!("Redis must offer TLS 1.2 or 1.3, with a certificate for this name: see tls-* in {file}"),
    }
}

/// How a server gets a certificate that lasts.
pub fn renew(_: &Ctx<'_>) -> String {
    "give Redis a new certificate (tls-cert-file, tls-key-file; CONFIG SET takes them without a restart)"
        .to_owned()
}

/// The stable word for a failure, and advice.
pub fn of_failure(given: &Given, failure: &Failure) -> (&'static str, String) {
    use FailureKind as Kind;
    let user = plain(given.user());
    let (cause, advice): (_, &str) = match failure.kind {
        Kind::NoLogin if given.password.is_some() => {
            ("login_lost", "see whether Redis has been restarted; check again")
        }
        Kind::NoLogin => (
            "password_missing",
            "give a user and a password: --user and --password, OxdStoreUser and OxdStorePassword for httpd",
        ),
        Kind::WrongPassword => {
            return (
                "wrong_password",
                format!(
                    "compare the password with Redis's: as an administrator, ACL GETUSER {user} shows whether there is \
                     the user, and whether it is on; a user of one server is not known to the others"
                ),
            );
        }
        Kind::NoPasswordThere => (
            "no_password_there",
            "the default user of this Redis has no password: name the user that it belongs to (--user, OxdStoreUser), or \
             leave the password out",
        ),
        Kind::NoUsersThere => (
            "no_users_there",
            "this Redis is older than version 6, which knows no users: update it, or leave out --user (OxdStoreUser)",
        ),
        Kind::Protected => (
            "protected_mode",
            "Redis has no password, and so answers its own machine alone: set a password (requirepass or a user) in \
             redis.conf",
        ),
        Kind::TooManyClients => (
            "too_many_clients",
            "raise maxclients in redis.conf, or see who has all the connections (CLIENT LIST); each child process of \
             httpd has one",
        ),
        Kind::Loading => (
            "loading",
            "Redis reads its files after a start: wait, and check again",
        ),
        Kind::MasterDown => (
            "master_down",
            "this is a replica, and its master is away: name the master",
        ),
        Kind::Full => (
            "memory_full",
            "give Redis more memory (CONFIG SET maxmemory, then CONFIG REWRITE)",
        ),
        Kind::CannotSave => (
            "cannot_save",
            "Redis takes no writes, as it could not save the last time: see its log, and whether its disk is full (df)",
        ),
        Kind::TooFewReplicas => (
            "too_few_replicas",
            "Redis takes no writes with so few replicas (min-replicas-to-write): start them, or see why they lag",
        ),
        Kind::ReadOnly => (
            "is_replica",
            "name the master in the URL, or the sentinels (redis+sentinel://), which follow it",
        ),
        Kind::ClusterDown => (
            "cluster_down",
            "start the nodes whose slots nobody has (redis-cli --cluster check)",
        ),
        Kind::NoDatabase => (
            "no_database",
            "take another number in the URL, or raise databases in redis.conf",
        ),
        Kind::Timeout => (
            "no_answer",
            "see whether Redis hangs, swaps or runs a long command (SLOWLOG GET), and whether it is Redis that listens there",
        ),
        Kind::Connection if asks_for_certificate(&failure.text) => (
            "tls_client_certificate",
            "Redis wants a certificate of its clients (tls-auth-clients), of an authority that it knows: --cert and \
             --key, OxdStoreCert and OxdStoreKey for httpd",
        ),
        Kind::Connection if given.address.tls => (
            "connection_broken",
            "see Redis's log: something else may listen there, or Redis wants another certificate",
        ),
        Kind::Connection => (
            "connection_broken",
            "see Redis's log: something else may listen there",
        ),
        Kind::UnknownCommand => (
            "command_unknown",
            "something else than Redis 5 or later listens there, or rename-command has renamed a command",
        ),
        Kind::Denied | Kind::KeyDenied => return ("rights_missing", grant(given)),
        Kind::NotRedis => (
            "not_redis",
            "something else than Redis listens there: see the port in redis.conf (6379 by default)",
        ),
        _ => ("redis_error", "see Redis's log"),
    };
    (cause, advice.to_owned())
}

/// A port that wants TLS.
pub fn is_tls() -> Verdict {
    Verdict::fail(
        "is_tls",
        "what listens there speaks TLS, and nothing else",
        "write rediss:// in place of redis:// (and +sentinel, +cluster), or name the port without TLS",
    )
}

/// Whether the server asks for a certificate of the client.
pub fn asks_for_certificate(text: &str) -> bool {
    let alerts = [
        "certificaterequired",
        "certificate required",
        "handshakefailure",
        "badcertificate",
    ];
    let text = text.to_ascii_lowercase();
    alerts.iter().any(|alert| text.contains(alert))
}

/// The line that gives the user just the needed rights.
pub fn grant(given: &Given) -> String {
    let line = |user: &str, is_new: bool| acl_line(user, is_new, &given.prefix, &given.commands());
    let servers = match given.address.servers {
        Servers::One(_) | Servers::Socket(_) => "",
        // Redis does not copy users.
        _ => ", on each server, the replicas too",
    };
    match given.user.as_deref() {
        Some(user) if user != "default" => {
            format!(
                "as an administrator of Redis{servers}: {}; {KEEP}",
                line(user, false)
            )
        }
        _ => format!(
            "make a user for the module, as an administrator of Redis{servers}: {}; {KEEP}. OxdStoreUser and \
             OxdStorePassword name it",
            line("mod_oxd", true)
        ),
    }
}
