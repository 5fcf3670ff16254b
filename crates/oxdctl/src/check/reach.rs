//! The first half of a check: from the name of the server to an answer that is oxd's own.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use oxd_core::base::CLOCK_LEEWAY;
use oxd_core::oxd::commands::health_check::{Health, HealthCheck};
use oxd_core::oxd::{Answer, Certificate, Error, Request as _, Stage};
use serde_json::Map;

use super::report::Report;
use super::{date_text, time_text};
use crate::advice;
use crate::route::Link;
use crate::screen::{Screen, plain};

/// The largest accepted clock difference between two machines on one network.
const CLOCK_WORTH_A_WORD: Duration = Duration::from_secs(5);
/// A certificate that has less time left should be seen to now.
pub const CERTIFICATE_WORTH_A_WORD: Duration = Duration::from_secs(30 * 86_400);

/// The result of the connection.
pub struct Reached {
    /// The address that was connected: oxd's, or its proxy's.
    pub connected: SocketAddr,
}

/// Name, connection, TLS, oxd, version and clock. `None` where there is no way on.
pub fn examine(report: &mut Report<'_>, screen: &Screen, link: &Link) -> Option<Reached> {
    let connected = connect(report, screen, link)?;
    let begun = SystemTime::now();
    let asked = {
        let _waiting = screen.progress("asking oxd: health-check");
        link.ask(HealthCheck::COMMAND, None, &Map::new())
    };
    // This machine's clock in the middle between question and answer.
    let local = begun + begun.elapsed().unwrap_or_default() / 2;
    let answer = match asked {
        Ok(answer) => answer,
        Err(error) => {
            let stage = match &error {
                Error::NoAnswer { trouble, .. } => trouble.cause.stage(),
                _ => Stage::Answer,
            };
            match stage {
                Stage::Tls => report.unexpected("tls", &error, link),
                // It went through a moment ago: a proxy refuses, or the connection broke at once.
                Stage::Name | Stage::Connection => report.unexpected("oxd", &error, link),
                Stage::Answer => {
                    tls(report, link, connected);
                    report.unexpected("oxd", &error, link);
                }
            }
            return None;
        }
    };
    tls(report, link, connected);
    if !is_oxd(report, link, &answer, connected) {
        return None;
    }
    clock(report, &answer, local);
    Some(Reached { connected })
}

fn connect(report: &mut Report<'_>, screen: &Screen, link: &Link) -> Option<SocketAddr> {
    let (host, _) = link.server().peer_socket();
    let role = if link.server().has_proxy() {
        "the proxy "
    } else {
        ""
    };
    let resolved = {
        let _waiting = screen.progress(&format!("looking up {host}"));
        link.resolve()
    };
    let addresses = match resolved {
        Ok(addresses) => addresses,
        Err(trouble) => {
            report.trouble("name", &trouble, link);
            return None;
        }
    };
    if host.parse::<IpAddr>().is_ok() {
        report.ok("name", format!("{role}{host} is an address"));
    } else {
        let mut list: Vec<String> = addresses.iter().map(|address| address.ip().to_string()).collect();
        list.dedup();
        report.ok("name", format!("{role}{host} is {}", list.join(", ")));
    }
    let connected = {
        let _waiting = screen.progress(&format!("connecting {}", link.server().peer()));
        link.connect(&addresses)
    };
    match connected {
        Ok(address) => {
            report.ok("connection", format!("{role}{address} accepts connections"));
            Some(address)
        }
        Err(trouble) => {
            report.trouble("connection", &trouble, link);
            None
        }
    }
}

/// The handshake went well, or there is none.
fn tls(report: &mut Report<'_>, link: &Link, connected: SocketAddr) {
    if !link.server().is_https() {
        if connected.ip().is_loopback() && !link.server().has_proxy() {
            report.ok("tls", "http without TLS, within this machine");
        } else {
            report.warn(
                "tls",
                "no_tls",
                "http without TLS: client secret and tokens cross the network for everybody to read",
                "set oxd up with TLS, and name it with https://",
            );
        }
        return;
    }
    let Some(seen) = link.certificate() else {
        report.ok("tls", "the connection is encrypted");
        return;
    };
    if !link.route.verify {
        let but = match &seen.flaw {
            Some(flaw) => format!("; it would be refused: {flaw}"),
            None => "; it would be taken".to_owned(),
        };
        report.warn(
            "tls",
            "tls_not_verified",
            format!("the certificate is not verified{but}"),
            "name oxd's certificate with --ca-file (OxdServerCAFile) instead of --no-verify (OxdServerVerify Off): \
             anybody in between can read the client secret",
        );
        return;
    }
    trusted(report, &seen);
}

fn trusted(report: &mut Report<'_>, seen: &Certificate) {
    let Some(end) = seen.not_after else {
        report.ok("tls", "the certificate is trusted");
        return;
    };
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    let until = date_text(end);
    if left < CERTIFICATE_WORTH_A_WORD {
        report.warn(
            "tls",
            "tls_expires_soon",
            format!("the certificate is trusted, but runs out on {until}"),
            "give oxd a new certificate before that day",
        );
    } else {
        report.ok(
            "tls",
            format!("the certificate is trusted, and good until {until}"),
        );
    }
}

/// Whether it is oxd that answered; with its version.
fn is_oxd(report: &mut Report<'_>, link: &Link, answer: &Answer, connected: SocketAddr) -> bool {
    let members = match answer.read(&link.server(), HealthCheck::COMMAND) {
        Ok(members) => members,
        Err(error) => {
            match advice::refusal(&error) {
                Some(refusal) if refusal.error == "oxd_access_denied" => {
                    report.ok("oxd", "oxd answers");
                    report.refused("address", "address_not_allowed", refusal, link, connected);
                }
                Some(refusal) => report.refused("oxd", "oxd_refused", refusal, link, connected),
                None => report.unexpected("oxd", &error, link),
            }
            return false;
        }
    };
    let health = HealthCheck::read(members).ok().filter(Health::is_oxds);
    let Some(health) = health else {
        let at = link.server().command_url("health-check");
        report.fail(
            "oxd",
            "not_oxd",
            format!("{at} answered 200 with JSON, but not as oxd does"),
            advice::not_oxd(),
        );
        return false;
    };
    let status = health.status.as_deref().unwrap_or("running");
    report.ok("oxd", format!("oxd answers, and is {}", plain(status)));
    match health.version.as_deref() {
        Some(version) => report.ok("version", plain(version)),
        None => report.ok("version", "oxd does not say (before 4.2 it did not)"),
    }
    true
}

/// The difference between this machine's clock and oxd's.
fn clock(report: &mut Report<'_>, answer: &Answer, local: SystemTime) {
    let Some(date) = answer.date else {
        report.warn(
            "clock",
            "no_date",
            "oxd's answer says no time",
            "compare the clocks of both machines by hand (date -u)",
        );
        return;
    };
    // `Date` has no fractions: on average the real time is half a second later.
    let difference = Difference::between(date + Duration::from_millis(500), local);
    let leeway = Duration::from_secs(CLOCK_LEEWAY.0);
    if difference.size > leeway {
        report.fail(
            "clock",
            "clock_off",
            format!("oxd's clock {difference} this machine's"),
            format!(
                "set both clocks by NTP (timedatectl status): times in id tokens may be off by {} at most",
                time_text(leeway)
            ),
        );
    } else if difference.size > CLOCK_WORTH_A_WORD {
        report.warn(
            "clock",
            "clock_drifts",
            format!("oxd's clock {difference} this machine's"),
            "set both clocks by NTP (timedatectl status)",
        );
    } else {
        report.ok("clock", "oxd's clock and this machine's agree");
    }
}

/// The difference between two clocks.
pub struct Difference {
    /// How much it is.
    pub size: Duration,
    ahead: bool,
}

impl Difference {
    /// Theirs beside ours.
    pub fn between(theirs: SystemTime, ours: SystemTime) -> Self {
        match theirs.duration_since(ours) {
            Ok(size) => Self { size, ahead: true },
            Err(behind) => Self {
                size: behind.duration(),
                ahead: false,
            },
        }
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let way = if self.ahead { "ahead of" } else { "behind" };
        write!(f, "is {} {way}", time_text(self.size))
    }
}
