//! Errors of oxd for the user of this program: a code for scripts, the finding, and advice.

use std::net::SocketAddr;

use oxd_core::oxd::{BadAnswer, Cause, Error, Trouble};

use crate::problem::{Kind, Problem};
use crate::route::Link;
use crate::screen::plain;

const LOG: &str = "oxd's own log (usually /var/log/oxd-server/oxd-server.log)";

/// oxd's own error, if it is one.
pub fn refusal(error: &Error) -> Option<&BadAnswer> {
    match error {
        Error::Answer(bad) if bad.foreign.is_none() => Some(bad),
        _ => None,
    }
}

/// The transport error; `None` for an error answer of oxd.
fn cause(error: &Error) -> Option<Cause> {
    match error {
        Error::NoAnswer { trouble, .. } => Some(trouble.cause),
        Error::Answer(bad) => bad.foreign.as_ref().map(|trouble| trouble.cause),
        _ => Some(Cause::NotOxd),
    }
}

/// The stable word for an error.
pub fn code(error: &Error) -> &'static str {
    cause(error).map_or("oxd_refused", Cause::code)
}

/// Whether a version of oxd without the command, or something else than oxd, answers like this.
pub fn is_not_oxds(error: &Error) -> bool {
    cause(error) == Some(Cause::NotOxd)
}

/// The error on one line.
pub fn found(error: &Error) -> String {
    match error {
        Error::NoAnswer { trouble, .. } => plain(&trouble.to_string()),
        Error::Answer(bad) => said(bad),
        other => plain(&other.to_string()),
    }
}

/// The error text of oxd on one line.
pub fn said(bad: &BadAnswer) -> String {
    match bad.details.as_str() {
        "" => plain(&bad.to_string()),
        details => plain(&format!("{bad} ({details})")),
    }
}

/// An error as the problem of a command that cannot go on.
pub fn problem(error: &Error, link: &Link) -> Problem {
    let advice = of_error(error, link, None);
    match refusal(error) {
        Some(bad) => Problem::new(Kind::Refused, code(error), format!("oxd: {}", said(bad))),
        None => Problem::new(Kind::Unreachable, code(error), found(error)),
    }
    .advise(advice)
}

/// Advice for an error. `connected` is the address of oxd where it is known.
pub fn of_error(error: &Error, link: &Link, connected: Option<SocketAddr>) -> String {
    match (refusal(error), cause(error)) {
        (Some(bad), _) => of_refusal(bad, link, connected),
        (None, cause) => of_cause(cause.unwrap_or(Cause::NotOxd), link),
    }
}

/// Advice for a transport error.
pub fn of_trouble(trouble: &Trouble, link: &Link) -> String {
    of_cause(trouble.cause, link)
}

fn of_cause(cause: Cause, link: &Link) -> String {
    let server = link.server();
    let (host, whom) = (server.host(), server.host_and_port());
    let what = if server.has_proxy() { "the proxy" } else { "oxd" };
    match cause {
        Cause::NameUnknown => "see whether the name is spelled right, and whether this machine's name service knows it \
                               (getent hosts)"
            .to_owned(),
        Cause::ConnectionRefused => format!(
            "start {what} (systemctl status oxd-server), and see that it listens on this address and port: oxd's own \
             are in oxd-server.yml, by default 8443"
        ),
        Cause::ConnectionTimeout => {
            "see whether the machine is up and whether a firewall drops the connection".to_owned()
        }
        Cause::NoConnection => {
            "see whether there is a route to that machine, and whether the address is right".to_owned()
        }
        Cause::ProxyRefused => "see whether --proxy (OxdServerProxy) names the right proxy and whether it lets this \
                                machine through"
            .to_owned(),
        Cause::UnknownAuthority => format!(
            "the certificate that oxd comes with proves nothing, as everybody has its key: {}. Then save it with \
             `openssl s_client -connect {whom} </dev/null | openssl x509 -out oxd-server.pem`, compare its \
             fingerprint with the one on oxd's machine, and name the file with --ca-file, and with OxdServerCAFile \
             for httpd",
            own_certificate(&host)
        ),
        Cause::WrongName => format!(
            "name oxd as its certificate does (--server, OxdServer), or {}",
            own_certificate(&host)
        ),
        Cause::Expired => format!(
            "{}, and save it where --ca-file and OxdServerCAFile name it; if it should still be valid, set the clock \
             of this machine",
            own_certificate(&host)
        ),
        Cause::NotYetValid => {
            "the clock of this machine, or that of the machine that made the certificate, is wrong".to_owned()
        }
        Cause::OfAnAuthority => "make oxd a certificate that is not one of an authority: with `openssl req -x509`, add \
                                 -addext basicConstraints=critical,CA:FALSE and -addext subjectAltName=DNS:NAME"
            .to_owned(),
        Cause::BadCertificate => "give oxd a certificate (X.509 version 3, with a subjectAltName) of an authority that \
                                  is known here"
            .to_owned(),
        Cause::Handshake => {
            "oxd must offer TLS 1.2 or 1.3; see the protocols and cipher suites in oxd-server.yml".to_owned()
        }
        Cause::NotTls => "something else than oxd listens on this port: see the port in oxd-server.yml (8443 by \
                          default); or, if oxd was set up without TLS, write http:// instead of https://"
            .to_owned(),
        Cause::NoAnswer => format!(
            "see whether oxd is overloaded or hangs ({LOG}), or allow more time with --timeout (OxdServerTimeout)"
        ),
        Cause::NotHttp => "something else than oxd listens on this port, or oxd speaks https there: see the port in \
                           oxd-server.yml (8443 by default), and whether the address begins with https://"
            .to_owned(),
        Cause::ConnectionBroken => {
            format!("something else than oxd may listen on this port, or oxd may have crashed: see {LOG}")
        }
        Cause::TooLarge => "something else than oxd listens there".to_owned(),
        Cause::OddToken => format!("see {LOG}"),
        Cause::NoClient => "see whether --proxy and --ca-file are right".to_owned(),
        Cause::Gateway => "start oxd, or mend the way from the gateway to oxd".to_owned(),
        Cause::Redirected => "name the address of oxd itself; the module follows no redirects".to_owned(),
        Cause::Html => "a web server, a login page or a proxy answers in oxd's place: see the port (8443 by default) \
                        and the path of the address"
            .to_owned(),
        Cause::NotOxd => not_oxd(),
    }
}

/// How oxd gets a certificate that is worth trusting.
fn own_certificate(host: &str) -> String {
    let address = host.trim_matches(['[', ']']);
    let kind = match address.parse::<std::net::IpAddr>() {
        Ok(_) => "ip",
        Err(_) => "dns",
    };
    format!(
        "make oxd a certificate of its own (keytool -genkeypair -alias oxd-server -keyalg RSA -keysize 2048 -validity \
         800 -dname CN={address} -ext san={kind}:{address} -keystore FILE) and name the file as keyStorePath in \
         oxd-server.yml"
    )
}

/// Advice when another server answers in place of oxd.
pub fn not_oxd() -> String {
    "something else than oxd listens there, or oxd's API is below another path: see the address, and the port in \
     oxd-server.yml (8443 by default)"
        .to_owned()
}

/// Whether oxd does not know the site. Some of its commands have a general error for that.
pub fn is_unknown_site(bad: &BadAnswer) -> bool {
    bad.error == "invalid_oxd_id" || (bad.error == "bad_request" && bad.description.contains("oxd_id"))
}

/// Advice for an error of oxd.
pub fn of_refusal(bad: &BadAnswer, link: &Link, connected: Option<SocketAddr>) -> String {
    let advice = match bad.error.as_str() {
        _ if is_unknown_site(bad) => {
            "oxd knows no such site: it was removed there, or oxd was set up anew; register it again with oxdctl \
             register --force"
        }
        "oxd_access_denied" => return allow_this_address(link, connected),
        "blank_access_token" => {
            "oxd wants a client token for its commands: client id, client secret and provider are needed \
             (OxdProtectedCommands On)"
        }
        "invalid_access_token" => {
            "the client token must belong to the site's own client: client id and secret must be those that the site \
             was registered with"
        }
        "inactive_access_token" => {
            "oxd takes its own provider's fresh token for an old one: compare the clocks of oxd and of the provider, \
             and see whether the provider answers oxd's introspection"
        }
        "access_token_insufficient_scope" => GRANT_SCOPE,
        "ssl_handshake_error" => {
            "oxd does not trust the provider's certificate: add its authority to the trust store of oxd's Java \
             (key_store_path in oxd-server.yml)"
        }
        "restricted_op_host" | "invalid_allowed_op_host_url" => {
            "oxd may use the providers in allowed_op_hosts of oxd-server.yml alone: add this one"
        }
        "invalid_introspection_response" => "the provider's introspection must name the client_id of a token",
        "no_connect_discovery_response" | "failed_to_get_discovery" => {
            "oxd cannot read the provider's configuration: see whether the provider's address is right and whether \
             oxd's machine reaches it and trusts its certificate"
        }
        "invalid_op_host_and_configuration_endpoint"
        | "invalid_op_host"
        | "invalid_op_configuration_endpoint" => {
            "name the provider with --op-host, or with --op-configuration-endpoint (oxd 4.2 and later; it ends with \
             /.well-known/openid-configuration)"
        }
        "no_client_id_returned" | "no_client_secret_returned" | "invalid_request"
            if bad.command.name == "register-site" =>
        {
            return format!(
                "the provider did not register a client: see whether it allows dynamic registration and these \
                 addresses and scopes ({LOG} has its answer), or make a client there and give it with --client-id and \
                 --client-secret"
            );
        }
        "internal_error" if bad.command.name == "get-client-token" => return wrong_credentials(),
        _ => return format!("see {LOG}"),
    };
    advice.to_owned()
}

/// Advice for a client token without the scope `oxd`. `oxdctl update` cannot help, as it needs that scope as well.
pub const GRANT_SCOPE: &str = "allow the client the scope oxd at the provider, or register the site again (oxdctl \
                               register --force), which asks for it";

/// Advice when oxd rejects callers from this machine's address.
fn allow_this_address(link: &Link, connected: Option<SocketAddr>) -> String {
    let own = link.own_address(connected);
    let address = own.map_or("the address of this machine".to_owned(), |own| own.to_string());
    let mut advice =
        format!("add {address} to bind_ip_addresses in oxd-server.yml on oxd's machine, and restart oxd");
    if own.is_some_and(|own| own.is_loopback() && own.is_ipv6()) {
        advice.push_str("; or call it at 127.0.0.1, which it lets in by default");
    }
    advice
}

/// Advice when oxd knows the provider's configuration and nothing else comes from it.
pub fn provider_down() -> String {
    format!(
        "start the provider, or mend the way from oxd's machine to it ({LOG} has the cause), and check again"
    )
}

/// Advice when oxd issues no client token for a client id and secret.
pub fn wrong_credentials() -> String {
    format!(
        "compare client_id and client_secret with those of the client at the provider; the client may have been \
         removed there, have expired, or lack the grant type client_credentials; {LOG} has the provider's answer"
    )
}
