//! The start of a login at one's own httpd, as far as the redirect to the provider.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use oxd_core::base::{CLOCK_LEEWAY, Reason};
use oxd_core::oxd::Cause;
use rustls::CertificateError;
use serde_json::Value;
use url::Url;

use super::sites::Site;
use super::target::Found;
use super::visit::{Page, Visitor, handshake, reach};
use crate::base::Base;
use crate::check::date_text;
use crate::check::reach::{CERTIFICATE_WORTH_A_WORD, Difference};
use crate::check::redirect::{has_redirect_uri, redirect_uri_in};
use crate::check::report::Report;
use crate::screen::{Screen, plain};

/// A `Cookie` header of this size must come through: sessions in cookies and logins in progress need most of what httpd
/// takes by default (8,190 bytes).
const COOKIES: usize = 8_000;
/// So must an address of this size: providers answer with long codes and states.
const ADDRESS: usize = 4_000;
/// A difference of clocks that is worth a word.
const DRIFT: Duration = Duration::from_secs(5);

/// The certificate, the start of a login, its cookie, the size of headers, the provider's clock.
pub fn examine(screen: &Screen, report: &mut Report<'_>, site: &Site<'_>, base: &Base, found: &Found) {
    let listening: Vec<SocketAddr> = site
        .running
        .directives
        .iter()
        .filter(|one| one.is("Listen"))
        .filter_map(|one| one.first()?.parse().ok())
        .collect();
    let address = match reach(screen, base, &listening) {
        Ok(address) => address,
        Err(why) => {
            return report.fail(
                "start",
                "httpd_unreachable",
                format!("nothing answers for {base}: {}", plain(&why)),
                "start httpd (systemctl status apache2), and see that it listens on this port (Listen)",
            );
        }
    };
    if base.url().scheme() == "https" {
        certificate(report, base, address);
    } else {
        report.ok("certificate", format!("none: {base} is http"));
    }
    let host = base.url().host_str().unwrap_or_default();
    let visitor = match Visitor::new(screen, (host, address)) {
        Ok(visitor) => visitor,
        Err(why) => {
            return report.fail(
                "start",
                "no_client",
                plain(&why),
                "report this as a fault of oxdctl",
            );
        }
    };
    let login = base.below("login");
    let page = match visitor.get(&login, &[("accept", "text/html")]) {
        Ok(page) => page,
        Err(why) => {
            return report.fail(
                "start",
                "httpd_unreachable",
                format!("{login} gives no answer: {}", plain(&why)),
                "see httpd's error log",
            );
        }
    };
    if let Some(location) = start(report, &visitor, &page, base, found) {
        cookie(report, &page, base);
        headers(report, &visitor, base);
        provider_clock(report, &visitor, found, &location);
    }
}

fn certificate(report: &mut Report<'_>, base: &Base, address: SocketAddr) {
    let advice = "renew it, name the new one with SSLCertificateFile, and reload httpd";
    let seen = match handshake(base.url(), address) {
        Ok(shaken) => shaken.certificate,
        Err(trouble) => {
            let advice = match trouble.cause {
                Cause::NotTls => "write SSLEngine On in the <VirtualHost> of this port",
                _ => "see the SSL directives of the virtual host",
            };
            return report.fail("certificate", "site_no_tls", plain(&trouble.to_string()), advice);
        }
    };
    let Some(seen) = seen else {
        return report.ok("certificate", "the connection is encrypted");
    };
    if let Some(flaw) = &seen.flaw {
        let text = plain(&flaw.to_string());
        match flaw {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => report.fail(
                "certificate",
                "certificate_expired",
                format!("the certificate of {base} has expired ({text})"),
                advice,
            ),
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => report
                .fail(
                    "certificate",
                    "certificate_wrong_name",
                    format!("the certificate is not for {} ({text})", base.host()),
                    "get one with this name, or use the name that it has as --base and ServerName",
                ),
            _ => {
                let until = seen.not_after.map(date_text);
                let until = until.map_or(String::new(), |end| format!("; it is good until {end}"));
                report.warn(
                    "certificate",
                    "certificate_not_trusted",
                    format!("this machine does not trust the certificate of {base} ({text}){until}"),
                    "with an authority of your own, see that browsers trust it; otherwise name its whole chain with \
                     SSLCertificateFile",
                );
            }
        }
        return;
    }
    match seen.not_after {
        Some(end) if end < SystemTime::now() + CERTIFICATE_WORTH_A_WORD => report.warn(
            "certificate",
            "certificate_expires_soon",
            format!("the certificate of {base} runs out on {}", date_text(end)),
            advice,
        ),
        Some(end) => report.ok("certificate", format!("good until {}", date_text(end))),
        None => report.ok("certificate", "trusted"),
    }
}

/// Whether the answer leads to the provider, with the registered address to come back to; answers with where it leads.
fn start(
    report: &mut Report<'_>,
    visitor: &Visitor<'_>,
    page: &Page,
    base: &Base,
    found: &Found,
) -> Option<String> {
    let login = base.below("login");
    let location = page.header("location").unwrap_or_default();
    let at = Url::parse(location).ok();
    let is_redirect = matches!(page.status, 302 | 303 | 307);
    let Some(at) = at.filter(|_| is_redirect && location.contains("state=")) else {
        refused(report, visitor, page, &login, location);
        return None;
    };
    let host = plain(at.host_str().unwrap_or_default());
    let comes_back = redirect_uri_in(location);
    let wanted = found.target.redirect_uri.as_deref();
    let is_right = match wanted {
        Some(wanted) => has_redirect_uri(location, wanted),
        None => {
            let own = [base.below("login"), base.below("callback")];
            own.iter().any(|own| has_redirect_uri(location, own))
        }
    };
    if is_right {
        let back = comes_back.unwrap_or_default();
        report.ok(
            "start",
            format!("{login} leads to {host}, and from there to {}", plain(&back)),
        );
    } else {
        report.fail(
            "start",
            "start_redirect_uri_differs",
            format!(
                "{login} leads to {host}, which would send users to {} instead of {}",
                comes_back.map_or("an address of its own".to_owned(), |back| plain(&back)),
                wanted.map_or_else(|| base.below("login"), plain)
            ),
            "oxd uses the first registered redirect URI: oxdctl update --base with the handler's address (and the same \
             at the provider)",
        );
    }
    Some(location.to_owned())
}

/// The answer is no redirect to the provider: what it is instead.
fn refused(report: &mut Report<'_>, visitor: &Visitor<'_>, page: &Page, login: &str, location: &str) {
    let status = page.status;
    if !location.is_empty() {
        let to = location.split(['?', '#']).next().unwrap_or_default();
        return report.fail(
            "start",
            "start_redirected",
            format!("{login} is redirected to {} ({status}), before a login starts", plain(to)),
            "a Redirect or RewriteRule, or another module, answers first: let it leave the handler's addresses alone, \
             or register the address to which it leads (oxdctl update --base)",
        );
    }
    // As JSON the module names its code and the number of the line in the log.
    let told = visitor.get(login, &[("accept", "application/json")]).ok();
    let told = told.and_then(|page| serde_json::from_str::<Value>(&page.body).ok());
    let member = |name: &str| told.as_ref().and_then(|told| told[name].as_str()).map(plain);
    if let Some(code) = member("error") {
        let reason = Reason::ALL.iter().find(|reason| reason.code() == code);
        let advice = match reason.map(|reason| reason.remedy()) {
            Some(remedy) if !remedy.is_empty() => remedy.to_owned(),
            _ => "the line in httpd's error log says more".to_owned(),
        };
        let reference = member("reference").map_or(String::new(), |number| format!(", reference {number}"));
        return report.fail(
            "start",
            "start_refused",
            format!("{login} answers {status}: {code}{reference}"),
            advice,
        );
    }
    let (cause, advice) = match status {
        404 => (
            "start_not_found",
            "the handler is not at this address of this virtual host: SetHandler oxd in a <Location> of the base's path, \
             in the <VirtualHost> of its name; and reload httpd, which may run with an older configuration",
        ),
        401 | 403 => (
            "start_forbidden",
            "a Require of another section closes the handler's address: write Require all granted in its <Location>",
        ),
        200..=299 => (
            "start_not_handled",
            "something else answers at the handler's address: a file, a proxy or another module; and reload httpd, \
             which may run with an older configuration",
        ),
        _ => ("start_failed", "see httpd's error log"),
    };
    report.fail(
        "start",
        cause,
        format!("{login} answers {status}, and starts no login"),
        advice,
    );
}

/// Whether the cookie of the login is kept from scripts and from unencrypted connections.
fn cookie(report: &mut Report<'_>, page: &Page, base: &Base) {
    let cookies = page.all("set-cookie");
    let own = cookies.iter().find(|line| {
        let name = line.split('=').next().unwrap_or_default();
        let name = name.trim_start_matches("__Host-").trim_start_matches("__Secure-");
        name.starts_with("oxd_state.") && !name.ends_with(".retry")
    });
    let Some(own) = own else {
        return report.fail(
            "cookie",
            "cookie_missing",
            "the start of a login sets no cookie: nobody could end it",
            "see whether a proxy or Header unset Set-Cookie takes it away",
        );
    };
    let attributes: Vec<String> = own
        .split(';')
        .skip(1)
        .map(|one| one.trim().to_ascii_lowercase())
        .collect();
    let has = |name: &str| {
        attributes
            .iter()
            .any(|one| one == name || one.starts_with(&format!("{name}=")))
    };
    let is_https = base.url().scheme() == "https";
    let missing: Vec<&str> = [("Secure", is_https), ("HttpOnly", true), ("SameSite", true)]
        .into_iter()
        .filter(|(name, needed)| *needed && !has(&name.to_ascii_lowercase()))
        .map(|(name, _)| name)
        .collect();
    if !missing.is_empty() {
        report.fail(
            "cookie",
            "cookie_unprotected",
            format!("the cookie of a login lacks {}", missing.join(", ")),
            "Secure comes with https, or with OxdCookieSecure On where a proxy ends TLS; see whether a Header edit \
             takes the others away",
        );
    } else if base.is_exposed() {
        report.warn(
            "cookie",
            "cookie_without_https",
            format!("{base} is not https: cookies cross the network for everybody to read"),
            "give the site a certificate, and register its https address",
        );
    } else {
        let shown: Vec<&str> = ["Secure", "HttpOnly", "SameSite"]
            .into_iter()
            .filter(|name| has(&name.to_ascii_lowercase()))
            .collect();
        report.ok(
            "cookie",
            format!("the cookie of a login has {}", shown.join(", ")),
        );
    }
}

/// Whether large cookies and long addresses come through, as logins bring them.
fn headers(report: &mut Report<'_>, visitor: &Visitor<'_>, base: &Base) {
    let name = "oxdctl=";
    let cookie = format!("{name}{}", "x".repeat(COOKIES - name.len()));
    let address = format!("{}?x={}", base.below("session"), "x".repeat(ADDRESS));
    match visitor.get(&address, &[("accept", "application/json"), ("cookie", &cookie)]) {
        Ok(page) if matches!(page.status, 400 | 414 | 431) => report.fail(
            "headers",
            "headers_too_large",
            format!(
                "a request with {COOKIES} bytes of cookies and an address of {ADDRESS} is answered {}",
                page.status
            ),
            "raise LimitRequestFieldSize and LimitRequestLine to 8190 (httpd's default) at least, and the same in a proxy \
             in front; or keep sessions in a store (OxdSessionStore)",
        ),
        Ok(_) => report.ok(
            "headers",
            format!("{COOKIES} bytes of cookies and an address of {ADDRESS} come through"),
        ),
        Err(why) => report.fail(
            "headers",
            "headers_too_large",
            format!("a request with {COOKIES} bytes of cookies gets no answer: {}", plain(&why)),
            "see LimitRequestFieldSize, and the limits of a proxy in front",
        ),
    }
}

/// The provider's clock beside this machine's: id tokens carry the provider's times.
fn provider_clock(report: &mut Report<'_>, visitor: &Visitor<'_>, found: &Found, location: &str) {
    let origin = || Some(Url::parse(location).ok()?.origin().ascii_serialization());
    let (host, endpoint) = &found.target.provider;
    let address = match (endpoint, host) {
        (Some(endpoint), _) => endpoint.clone(),
        (None, host) => match host.clone().or_else(origin) {
            Some(host) => format!("{}/.well-known/openid-configuration", host.trim_end_matches('/')),
            None => return report.skip("op-clock", "it is not known where the provider is"),
        },
    };
    let page = visitor.get(&address, &[]);
    let date = page.as_ref().ok().and_then(|page| page.header("date"));
    let date = date.and_then(|date| httpdate::parse_http_date(date).ok());
    let (Ok(page), Some(date)) = (&page, date) else {
        return report.skip(
            "op-clock",
            "the provider does not answer this machine, which it need not; compare its clock by hand",
        );
    };
    let difference = Difference::between(date + Duration::from_millis(500), page.asked);
    let text = format!("the provider's clock {difference} this machine's");
    let advice = "set both clocks by NTP (timedatectl status)";
    if difference.size > Duration::from_secs(CLOCK_LEEWAY.0) {
        report.fail("op-clock", "op_clock_off", text, advice);
    } else if difference.size > DRIFT {
        report.warn("op-clock", "op_clock_drifts", text, advice);
    } else {
        report.ok("op-clock", "the provider's clock and this machine's agree");
    }
}
