//! Why oxd did not answer as oxd does: told apart as finely as the layers below allow, each with what to do.

use std::error::Error as StdError;
use std::io::ErrorKind;
use std::time::Duration;

use rustls::CertificateError;

use crate::http::Way;
use crate::problem::{Kind, Problem};
use crate::screen::plain;
use crate::tls::Seen;

/// Where on the way to oxd it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The name has no address.
    Name,
    /// No TCP connection.
    Connection,
    /// No TLS on it, or no trust.
    Tls,
    /// Connected, but what answered was not oxd.
    Answer,
}

/// What went wrong, and what to do about it.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// How far it went.
    pub stage: Stage,
    /// A stable word for scripts.
    pub cause: &'static str,
    /// What was found.
    pub found: String,
    /// What to do.
    pub advice: String,
}

impl Trouble {
    /// A trouble.
    pub fn new(
        stage: Stage,
        cause: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            stage,
            cause,
            found: found.into(),
            advice: advice.into(),
        }
    }

    /// No answer within the time.
    pub fn timeout(way: &Way, after: Duration) -> Self {
        Self::new(
            Stage::Answer,
            "no_answer",
            format!("{} was connected, but gave no answer within {after:?}", way.oxd()),
            "see whether oxd is overloaded or hangs (its log, usually /var/log/oxd-server/oxd-server.log), or allow \
             more time with --timeout (OxdServerTimeout)",
        )
    }

    /// The connection was refused, or nobody answered to it.
    pub fn not_connected(way: &Way, why: &std::io::Error) -> Self {
        let whom = way.whom();
        let what = if way.proxy.is_some() { "the proxy" } else { "oxd" };
        match why.kind() {
            ErrorKind::ConnectionRefused => Self::new(
                Stage::Connection,
                "connection_refused",
                format!("{whom} refuses the connection: nothing listens there"),
                format!(
                    "start {what} (systemctl status oxd-server), and see that it listens on this address and port: \
                     oxd's own are in oxd-server.yml, by default 8443"
                ),
            ),
            ErrorKind::TimedOut => Self::new(
                Stage::Connection,
                "connection_timeout",
                format!("{whom} does not answer to a connection within {:?}", way.connect),
                "see whether the machine is up and whether a firewall drops the connection",
            ),
            _ => Self::new(
                Stage::Connection,
                "no_connection",
                format!("{whom} cannot be connected: {why}"),
                "see whether there is a route to that machine, and whether the address is right",
            ),
        }
    }

    /// The certificate is not to be trusted.
    pub fn certificate(way: &Way, seen: &Seen, flaw: &CertificateError) -> Self {
        let whom = way.oxd();
        let print = &seen.fingerprint;
        let tls = |cause, found: String, advice: String| Self::new(Stage::Tls, cause, found, advice);
        let until = seen.not_after.map(httpdate::fmt_http_date).unwrap_or_default();
        match flaw {
            CertificateError::UnknownIssuer => tls(
                "tls_unknown_authority",
                format!("the certificate of {whom} is signed by no authority that is known here (SHA-256 {print})"),
                format!(
                    "oxd comes with a self-signed certificate: save it with `openssl s_client -connect {whom} \
                     </dev/null | openssl x509 -out oxd-server.pem`, compare its fingerprint with the one on oxd's \
                     machine, and name the file with --ca-file, and with OxdServerCAFile for httpd"
                ),
            ),
            CertificateError::NotValidForName => tls(
                "tls_wrong_name",
                format!("the certificate of {whom} is for another name"),
                other_name(""),
            ),
            CertificateError::NotValidForNameContext { presented, .. } => {
                let names: Vec<String> = presented.iter().map(|name| plain(name)).collect();
                let names = match names.len() {
                    0 => "no name".to_owned(),
                    _ => names.join(", "),
                };
                tls(
                    "tls_wrong_name",
                    format!("the certificate of {whom} is for another name: it has {names}"),
                    other_name(&way.host()),
                )
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => tls(
                "tls_expired",
                format!("the certificate of {whom} ran out on {until}"),
                "give oxd a new certificate (its key store is named in oxd-server.yml), and copy it to where \
                 --ca-file and OxdServerCAFile name it; if it should still be valid, set the clock of this machine"
                    .to_owned(),
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => tls(
                "tls_not_yet_valid",
                format!("the certificate of {whom} is not valid yet"),
                "the clock of this machine, or that of the machine that made the certificate, is wrong".to_owned(),
            ),
            // rustls has no variant for some of webpki's errors; their names are all there is.
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => tls(
                "tls_certificate_of_an_authority",
                format!("the certificate of {whom} is that of an authority, which a server must not use itself"),
                "make oxd a certificate that is not one of an authority: with `openssl req -x509`, add -addext \
                 basicConstraints=critical,CA:FALSE and -addext subjectAltName=DNS:NAME"
                    .to_owned(),
            ),
            other => tls(
                "tls_certificate",
                format!("the certificate of {whom} cannot be used: {other}"),
                "give oxd a certificate (X.509 version 3, with a subjectAltName) of an authority that is known here"
                    .to_owned(),
            ),
        }
    }

    /// What an HTTP client's error comes from, if the certificate was not the reason.
    pub fn from_request(way: &Way, error: reqwest::Error) -> Self {
        let connecting = error.is_connect();
        if connecting && error.is_timeout() {
            return Self::not_connected(way, &ErrorKind::TimedOut.into());
        }
        let error = error.without_url();
        let (whom, oxd) = (way.whom(), way.oxd());
        let told = chain(&error);
        if let Some(tls) = find::<rustls::Error>(&error) {
            return Self::handshake(way, tls);
        }
        if told.contains("tunnel") || told.contains("proxy authorization") {
            return Self::new(
                Stage::Connection,
                "proxy_refused",
                format!("{whom} is no proxy for oxd: {told}"),
                "see whether --proxy (OxdServerProxy) names the right proxy and whether it lets this machine through",
            );
        }
        if connecting {
            if told.contains("dns error") || told.contains("failed to lookup") {
                return Self::no_address(way, &told);
            }
            return match find::<std::io::Error>(&error) {
                // A server that hangs up in the middle of the handshake speaks something else than TLS.
                Some(why) if hung_up(why.kind()) && way.is_https() => Self::not_tls(way),
                Some(why) => Self::not_connected(way, why),
                None => Self::new(
                    Stage::Connection,
                    "no_connection",
                    format!("{whom} cannot be connected: {told}"),
                    "see whether oxd runs and whether its address is right",
                ),
            };
        }
        if told.contains("invalid HTTP") {
            return Self::new(
                Stage::Answer,
                "not_http",
                format!("what listens at {oxd} does not speak HTTP"),
                "something else than oxd listens on this port, or oxd speaks https there: see the port in \
                 oxd-server.yml (8443 by default), and whether the address begins with https://",
            );
        }
        Self::new(
            Stage::Answer,
            "connection_broken",
            format!("{oxd} was connected, but the connection broke: {told}"),
            "something else than oxd may listen on this port, or oxd may have crashed: see its log, usually \
             /var/log/oxd-server/oxd-server.log",
        )
    }

    /// The name of the server has no address.
    pub fn no_address(way: &Way, why: &str) -> Self {
        Self::new(
            Stage::Name,
            "name_unknown",
            format!("{} has no address: {}", way.next_host(), plain(why)),
            "see whether the name is spelled right, and whether this machine's name service knows it (getent hosts)",
        )
    }

    fn handshake(way: &Way, error: &rustls::Error) -> Self {
        match error {
            rustls::Error::InvalidMessage(_) => Self::not_tls(way),
            other => Self::new(
                Stage::Tls,
                "tls_handshake",
                format!(
                    "{} and this machine found no way to speak TLS: {other}",
                    way.whom()
                ),
                "oxd must offer TLS 1.2 or 1.3; see the protocols and cipher suites in oxd-server.yml",
            ),
        }
    }

    fn not_tls(way: &Way) -> Self {
        Self::new(
            Stage::Tls,
            "not_tls",
            format!("what listens at {} does not speak TLS", way.oxd()),
            "something else than oxd listens on this port: see the port in oxd-server.yml (8443 by default); or, if \
             oxd was set up without TLS, write http:// instead of https://",
        )
    }
}

impl From<Trouble> for Problem {
    fn from(trouble: Trouble) -> Self {
        Problem::new(Kind::Unreachable, trouble.cause, trouble.found).advise(trouble.advice)
    }
}

fn other_name(host: &str) -> String {
    let host = if host.is_empty() {
        "the name in --server"
    } else {
        host
    };
    format!(
        "name oxd as its certificate does (--server, OxdServer), or make oxd a certificate with a subjectAltName \
         for {host}"
    )
}

fn hung_up(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
    )
}

/// The first error of a type among an error's causes. An I/O error shows the error that it wraps only when it is asked
/// for it, not among its causes.
fn find<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            let wraps = (found as &(dyn StdError + 'static)).downcast_ref::<std::io::Error>();
            // An I/O error that only wraps another says less than the one inside.
            if wraps.is_none_or(|io| io.get_ref().and_then(|inner| find::<E>(inner)).is_none()) {
                return Some(found);
            }
        }
        if let Some(inner) = error
            .downcast_ref::<std::io::Error>()
            .and_then(std::io::Error::get_ref)
        {
            next = Some(inner);
        } else {
            next = error.source();
        }
    }
    None
}

/// An error with its causes on one line, each said once.
pub fn chain(error: &dyn StdError) -> String {
    let mut words = vec![error.to_string()];
    let mut cause = error.source();
    while let Some(inner) = cause {
        let text = inner.to_string();
        if words.last().is_none_or(|last| !last.contains(&text)) {
            words.push(text);
        }
        cause = inner.source();
    }
    plain(&words.join(": "))
}
