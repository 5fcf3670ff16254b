//! Classifies transport errors: the stage and the cause, with a text for the administrator.

use std::error::Error as StdError;
use std::fmt;
use std::io::ErrorKind;
use std::sync::Arc;

use rustls::CertificateError;

use super::tls::{Certificate, Recorder};
use super::{Server, plain};

/// Where on the way to oxd it went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The name has no address.
    Name,
    /// No TCP connection.
    Connection,
    /// No TLS on it, or no trust.
    Tls,
    /// Connected, but no answer of oxd.
    Answer,
}

macro_rules! causes {
    ($( $(#[$doc:meta])* $name:ident = $code:literal in $stage:ident; )*) => {
        /// The error.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Cause { $( $(#[$doc])* $name, )* }

        impl Cause {
            /// All of them.
            pub const ALL: &[Cause] = &[ $( Cause::$name, )* ];

            /// A stable code for scripts.
            pub fn code(self) -> &'static str { match self { $( Cause::$name => $code, )* } }

            /// How far it went.
            pub fn stage(self) -> Stage { match self { $( Cause::$name => Stage::$stage, )* } }
        }
    };
}

causes! {
    /// The name of the server has no address.
    NameUnknown = "name_unknown" in Name;
    /// Nothing listens there.
    ConnectionRefused = "connection_refused" in Connection;
    /// No connection within the time for it.
    ConnectionTimeout = "connection_timeout" in Connection;
    /// No connection for another reason.
    NoConnection = "no_connection" in Connection;
    /// The proxy does not let the call through.
    ProxyRefused = "proxy_refused" in Connection;
    /// A certificate of an authority that is not known here; also one that is self-signed.
    UnknownAuthority = "tls_unknown_authority" in Tls;
    /// A certificate for another name.
    WrongName = "tls_wrong_name" in Tls;
    /// A certificate that has run out.
    Expired = "tls_expired" in Tls;
    /// A certificate that is not valid yet.
    NotYetValid = "tls_not_yet_valid" in Tls;
    /// The certificate of an authority itself (CA:TRUE).
    OfAnAuthority = "tls_certificate_of_an_authority" in Tls;
    /// A certificate that cannot be used for another reason.
    BadCertificate = "tls_certificate" in Tls;
    /// No common version or cipher suite.
    Handshake = "tls_handshake" in Tls;
    /// The port does not speak TLS.
    NotTls = "not_tls" in Tls;
    /// No whole answer within the total time.
    NoAnswer = "no_answer" in Answer;
    /// The server does not speak HTTP.
    NotHttp = "not_http" in Answer;
    /// The connection broke.
    ConnectionBroken = "connection_broken" in Answer;
    /// More bytes than oxd answers with.
    TooLarge = "answer_too_large" in Answer;
    /// A client token that is not fit for a header.
    OddToken = "odd_token" in Answer;
    /// The HTTP client could not be set up.
    NoClient = "no_client" in Answer;
    /// A gateway answered for an oxd that does not.
    Gateway = "gateway" in Answer;
    /// A redirect, which oxd never answers.
    Redirected = "redirected" in Answer;
    /// A page for browsers.
    Html = "html" in Answer;
    /// Another answer that is not oxd's.
    NotOxd = "not_oxd" in Answer;
}

impl Cause {
    /// What an administrator can do about it, where that is certain.
    pub(super) fn remedy(self) -> Option<&'static str> {
        Some(match self {
            Cause::NameUnknown => "correct the host in OxdServer, or make its name known to this machine",
            Cause::ConnectionRefused => "start oxd, or correct host and port in OxdServer",
            Cause::ConnectionTimeout | Cause::NoConnection => {
                "correct host and port in OxdServer, let this machine through the firewalls to it, or name the proxy on the \
                 way with OxdServerProxy"
            }
            Cause::ProxyRefused => "correct OxdServerProxy, or have the proxy let calls to oxd through",
            Cause::UnknownAuthority => {
                "name the file of oxd's own certificate, or of its authority's, with OxdServerCAFile"
            }
            Cause::WrongName => {
                "use a name of the certificate in OxdServer, or give oxd a certificate for the name there"
            }
            Cause::Expired => "give oxd a new certificate, and name its file with OxdServerCAFile",
            Cause::NotYetValid => {
                "correct the clock of this machine, or give oxd a certificate that is valid now"
            }
            Cause::NotTls | Cause::NotHttp => "correct OxdServer",
            _ => return None,
        })
    }
}

/// A transport error, with a text for the administrator.
#[derive(Clone, Debug)]
pub struct Trouble {
    /// The cause.
    pub cause: Cause,
    found: String,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

impl Trouble {
    /// A transport error with a detail.
    pub fn new(cause: Cause, found: impl Into<String>) -> Self {
        Self {
            cause,
            found: found.into(),
            source: None,
        }
    }

    /// The name of the server has no address.
    pub fn no_address(server: &Server<'_>, why: &str) -> Self {
        let (host, _) = server.peer_socket();
        Self::new(
            Cause::NameUnknown,
            format!("{host} has no address: {}", plain(why)),
        )
    }

    /// The connection was refused, or timed out.
    pub fn not_connected(server: &Server<'_>, why: &std::io::Error) -> Self {
        let peer = server.peer();
        match why.kind() {
            ErrorKind::ConnectionRefused => Self::new(
                Cause::ConnectionRefused,
                format!("{peer} refuses the connection: nothing listens there"),
            ),
            ErrorKind::TimedOut => Self::new(
                Cause::ConnectionTimeout,
                format!(
                    "{peer} does not answer to a connection within {:?}",
                    server.timeouts.connect
                ),
            ),
            _ => Self::new(Cause::NoConnection, format!("{peer} cannot be connected: {why}")),
        }
    }

    /// No whole answer within the total time.
    pub(super) fn timeout(server: &Server<'_>) -> Self {
        let (oxd, total) = (server.host_and_port(), server.timeouts.total);
        Self::new(
            Cause::NoAnswer,
            format!("{oxd} was connected, but gave no answer within {total:?}"),
        )
    }

    /// The cause of an HTTP client's error.
    pub(super) fn of_request(server: &Server<'_>, error: reqwest::Error, recorder: &Recorder) -> Self {
        let connecting = error.is_connect();
        let error = error.without_url();
        let mut trouble = if !connecting {
            Self::after_connecting(server, &error)
        } else if error.is_timeout() {
            Self::not_connected(server, &ErrorKind::TimedOut.into())
        } else if let Some((certificate, flaw)) = recorder.refused() {
            Self::certificate(server, &certificate, &flaw)
        } else {
            Self::connecting(server, &error)
        };
        trouble.source = Some(Arc::new(error));
        trouble
    }

    fn connecting(server: &Server<'_>, error: &reqwest::Error) -> Self {
        let (peer, told) = (server.peer(), chain(error));
        if let Some(tls) = find::<rustls::Error>(error) {
            return match tls {
                rustls::Error::InvalidMessage(_) => Self::not_tls(server),
                other => Self::new(
                    Cause::Handshake,
                    format!("{peer} and this machine found no way to speak TLS: {other}"),
                ),
            };
        }
        if told.contains("tunnel") || told.contains("proxy authorization") {
            return Self::new(Cause::ProxyRefused, format!("{peer} is no proxy for oxd: {told}"));
        }
        if told.contains("dns error") || told.contains("failed to lookup") {
            return Self::no_address(server, &told);
        }
        match find::<std::io::Error>(error) {
            // A server that hangs up in the middle of the handshake speaks something else than TLS.
            Some(why) if hung_up(why.kind()) && server.is_https() => Self::not_tls(server),
            Some(why) => Self::not_connected(server, why),
            None => Self::new(Cause::NoConnection, format!("{peer} cannot be connected: {told}")),
        }
    }

    fn after_connecting(server: &Server<'_>, error: &reqwest::Error) -> Self {
        let (oxd, told) = (server.host_and_port(), chain(error));
        if told.contains("invalid HTTP") {
            let hint = if server.is_https() {
                ""
            } else {
                "; where oxd speaks https, the address (OxdServer) begins with https://"
            };
            return Self::new(
                Cause::NotHttp,
                format!("what listens at {oxd} does not speak HTTP{hint}"),
            );
        }
        Self::new(
            Cause::ConnectionBroken,
            format!("{oxd} was connected, but the connection broke: {told}"),
        )
    }

    fn not_tls(server: &Server<'_>) -> Self {
        let oxd = server.host_and_port();
        Self::new(
            Cause::NotTls,
            format!(
                "what listens at {oxd} does not speak TLS; where oxd speaks http, the address (OxdServer) begins with \
                 http://"
            ),
        )
    }

    pub(super) fn certificate(
        server: &Server<'_>,
        certificate: &Certificate,
        flaw: &CertificateError,
    ) -> Self {
        let (cause, what) = match flaw {
            CertificateError::UnknownIssuer => (
                Cause::UnknownAuthority,
                format!(
                    "is signed by no authority that is known here (SHA-256 {})",
                    certificate.fingerprint
                ),
            ),
            CertificateError::NotValidForName => (Cause::WrongName, "is for another name".to_owned()),
            CertificateError::NotValidForNameContext { presented, .. } => {
                let names: Vec<String> = presented.iter().map(|name| plain(name)).collect();
                let names = if names.is_empty() {
                    "no name".to_owned()
                } else {
                    names.join(", ")
                };
                (Cause::WrongName, format!("is for another name: it has {names}"))
            }
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                let until = certificate.not_after.map(httpdate::fmt_http_date);
                (
                    Cause::Expired,
                    format!("ran out on {}", until.unwrap_or_default()),
                )
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                (Cause::NotYetValid, "is not valid yet".to_owned())
            }
            // rustls has no variant for some of webpki's errors; their names are all there is.
            other if format!("{other:?}").contains("CaUsedAsEndEntity") => (
                Cause::OfAnAuthority,
                "is that of an authority (CA:TRUE), which a server must not use itself".to_owned(),
            ),
            other => (Cause::BadCertificate, format!("cannot be used: {other}")),
        };
        Self::new(
            cause,
            format!("the certificate of {} {what}", server.host_and_port()),
        )
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.found)
    }
}

impl StdError for Trouble {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

pub(super) fn hung_up(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::UnexpectedEof
            | ErrorKind::ConnectionReset
            | ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
    )
}

/// The first error of a type among an error's causes. The error inside an I/O error is not among its `source`s, only in
/// `get_ref`.
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
        next = match error.downcast_ref::<std::io::Error>() {
            Some(io) if io.get_ref().is_some() => io.get_ref().map(|inner| inner as _),
            _ => error.source(),
        };
    }
    None
}

/// An error with its causes on one line, without repetition; the innermost one is the most useful.
fn chain(error: &dyn StdError) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oxd::server::tests::server;
    use rustls::OtherError;
    use std::io;

    #[derive(Debug)]
    struct CaUsedAsEndEntity;

    impl fmt::Display for CaUsedAsEndEntity {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("webpki")
        }
    }

    impl StdError for CaUsedAsEndEntity {}

    #[test]
    fn flaws_of_certificates_are_told_apart() {
        let url = "https://oxd.example:8443".parse().unwrap();
        let certificate = Certificate {
            fingerprint: "5B:9B".into(),
            flaw: None,
            not_after: Some(std::time::UNIX_EPOCH),
        };
        let of_an_authority = CertificateError::Other(OtherError(Arc::new(CaUsedAsEndEntity)));
        for (flaw, cause, words) in [
            (
                CertificateError::UnknownIssuer,
                Cause::UnknownAuthority,
                "(SHA-256 5B:9B)",
            ),
            (
                CertificateError::Expired,
                Cause::Expired,
                "ran out on Thu, 01 Jan 1970",
            ),
            (CertificateError::NotValidYet, Cause::NotYetValid, "not valid yet"),
            (
                CertificateError::NotValidForName,
                Cause::WrongName,
                "another name",
            ),
            (of_an_authority, Cause::OfAnAuthority, "CA:TRUE"),
            (
                CertificateError::BadSignature,
                Cause::BadCertificate,
                "cannot be used",
            ),
        ] {
            let trouble = Trouble::certificate(&server(&url), &certificate, &flaw);
            let text = trouble.to_string();
            assert_eq!(trouble.cause, cause);
            assert!(
                text.starts_with("the certificate of oxd.example:8443 ") && text.contains(words),
                "{text}"
            );
        }
    }

    #[test]
    fn the_innermost_error_of_a_kind_is_found() {
        let inner = io::Error::from(ErrorKind::ConnectionReset);
        let outer = io::Error::other(io::Error::new(ErrorKind::BrokenPipe, inner));
        assert_eq!(
            find::<io::Error>(&outer).unwrap().kind(),
            ErrorKind::ConnectionReset
        );
        let tls = io::Error::other(rustls::Error::HandshakeNotComplete);
        assert!(find::<rustls::Error>(&tls).is_some());
    }
}
