//! Name, connection and TLS of a server.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::SystemTime;

use oxd_core::config::store::{HostPort, Servers};
use oxd_core::config::{Proxy, Timeouts};
use oxd_core::oxd::{Cause, Handshake, Server, SystemRoots, Trouble, shake_hands};
use oxd_store::probe::{PATIENCE, Place};
use url::Url;

use super::{Ctx, advice, line, several};
use crate::check::date_text;
use crate::check::reach::CERTIFICATE_WORTH_A_WORD;
use crate::check::report::{Report, Verdict};
use crate::route;

/// A connection that was made, and given up again.
pub struct Reached {
    /// Nothing for a socket.
    address: Option<SocketAddr>,
    /// `None` without TLS.
    handshake: Option<Handshake>,
}

/// Goes to a server, as far as TLS.
pub fn go(ctx: &Ctx<'_>, place: &Place) -> Result<Reached, Trouble> {
    let host = match place {
        Place::Host(host) => host,
        Place::Socket(path) => {
            let connected = std::os::unix::net::UnixStream::connect(path);
            return match connected {
                Ok(_) => Ok(Reached {
                    address: None,
                    handshake: None,
                }),
                Err(why) => {
                    let cause = match why.kind() {
                        std::io::ErrorKind::ConnectionRefused => Cause::ConnectionRefused,
                        _ => Cause::NoConnection,
                    };
                    Err(Trouble::new(cause, format!("{place} cannot be connected: {why}")))
                }
            };
        }
    };
    let url = url_of(host)?;
    let server = server(ctx, &url);
    let _waiting = ctx.screen.progress(&format!("connecting {place}"));
    let addresses = route::resolve(&server)?;
    let (address, stream) = route::connect(&server, &addresses)?;
    let handshake = match ctx.given.address.tls {
        false => None,
        true => {
            bound(&stream).map_err(|why| Trouble::new(Cause::NoConnection, why.to_string()))?;
            let own = ctx.given.certificate.as_ref().zip(ctx.given.key.as_ref());
            let own = own.map(|(certificate, key)| (certificate.text.expose(), key.text.expose()));
            let shaken = shake_hands(&server, &SystemRoots::load().0, own, stream);
            Some(shaken.map_err(|trouble| match trouble.cause {
                // Redis without TLS waits for the end of a line.
                Cause::NoAnswer if speaks_plainly(address) => Trouble::new(
                    Cause::NotTls,
                    format!("what listens at {place} is Redis without TLS"),
                ),
                _ => trouble,
            })?)
        }
    };
    Ok(Reached {
        address: Some(address),
        handshake,
    })
}

fn server<'a>(ctx: &'a Ctx<'_>, url: &'a Url) -> Server<'a> {
    Server {
        url,
        timeouts: Timeouts {
            total: PATIENCE,
            connect: PATIENCE,
        },
        verify: true,
        ca: ctx.given.ca.as_ref(),
        proxy: &Proxy::Direct,
        max_calls: 1,
        trace: None,
    }
}

fn bound(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))
}

/// Whether a server that ends connections speaks TLS.
pub fn speaks_tls(ctx: &Ctx<'_>, place: &Place) -> bool {
    let Place::Host(host) = place else { return false };
    let ask = || -> Result<(), Trouble> {
        let url = url_of(host)?;
        let server = server(ctx, &url);
        let (_, stream) = route::connect(&server, &route::resolve(&server)?)?;
        bound(&stream).map_err(|why| Trouble::new(Cause::NoConnection, why.to_string()))?;
        shake_hands(&server, &SystemRoots::none(), None, stream).map(|_| ())
    };
    // No certificate will do, but one is shown.
    matches!(
        ask(),
        Ok(())
            | Err(Trouble {
                cause: Cause::UnknownAuthority,
                ..
            })
    )
}

/// Whether Redis answers there without TLS.
fn speaks_plainly(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<u8> {
        let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"PING\r\n")?;
        let mut first = [0];
        stream.read_exact(&mut first)?;
        Ok(first[0])
    };
    matches!(ask(), Ok(b'+' | b'-'))
}

fn url_of(host: &HostPort) -> Result<Url, Trouble> {
    Url::parse(&format!("https://{host}"))
        .map_err(|why| Trouble::new(Cause::NameUnknown, format!("{host} is no address: {why}")))
}

/// The servers that the URL names; answers with those that were reached.
pub fn named(ctx: &Ctx<'_>, report: &mut Report<'_>) -> Option<Vec<Place>> {
    let places = Place::named(&ctx.given.address);
    let all = places.len();
    let place_of_one = places.first().map(Place::to_string).unwrap_or_default();
    let mut reached = Vec::new();
    let (mut unreached, mut untrusted) = (Vec::new(), Vec::new());
    for place in places {
        match go(ctx, &place) {
            Ok(found) => reached.push((place, found)),
            Err(trouble) if is_of_tls(&trouble) => untrusted.push((place, trouble)),
            Err(trouble) => unreached.push((place, trouble)),
        }
    }
    let what = match ctx.given.address.servers {
        Servers::Sentinel { .. } => "sentinels",
        Servers::Cluster(_) => "nodes",
        _ => "servers",
    };
    let lines = |list: &[(Place, Trouble)]| {
        let lines: Vec<String> = list.iter().map(|(_, trouble)| trouble.to_string()).collect();
        lines.join("\n")
    };
    let connected = reached.len() + untrusted.len();
    match unreached.first() {
        None if all == 1 => {
            let address = reached.first().and_then(|(_, found)| found.address);
            let address = address.map_or(place_of_one, |address| address.to_string());
            report.ok("address", format!("{address} accepts connections"));
        }
        None => report.ok("address", format!("all {all} {what} accept connections")),
        Some((_, trouble)) if connected == 0 => {
            report.fail(
                "address",
                trouble.cause.code(),
                lines(&unreached),
                advice::of_trouble(ctx, trouble),
            );
            return None;
        }
        Some((_, trouble)) => report.warn(
            "address",
            "some_unreachable",
            format!(
                "{connected} of {all} {what} accept connections\n{}",
                lines(&unreached)
            ),
            advice::of_trouble(ctx, trouble),
        ),
    }
    let mut verdicts: Vec<(Place, Verdict)> = untrusted
        .iter()
        .map(|(place, trouble)| {
            let advice = advice::of_trouble(ctx, trouble);
            (
                place.clone(),
                Verdict::fail(trouble.cause.code(), trouble.to_string(), advice),
            )
        })
        .collect();
    verdicts.extend(
        reached
            .iter()
            .map(|(place, reached)| (place.clone(), tls(ctx, reached))),
    );
    if let Some(verdict) = several::worst(verdicts) {
        report.put("tls", verdict);
    }
    let reached: Vec<Place> = reached.into_iter().map(|(place, _)| place).collect();
    (!reached.is_empty()).then_some(reached)
}

/// Whether it ended behind the connection.
pub fn is_of_tls(trouble: &Trouble) -> bool {
    !matches!(
        trouble.cause,
        Cause::NameUnknown | Cause::ConnectionRefused | Cause::ConnectionTimeout | Cause::NoConnection
    )
}

fn tls(ctx: &Ctx<'_>, reached: &Reached) -> Verdict {
    let Some(handshake) = &reached.handshake else {
        return match reached.address {
            Some(address) if !address.ip().is_loopback() => Verdict::warn(
                "no_tls",
                "without TLS: password and sealed sessions cross the network for everybody to read",
                "turn TLS on in Redis (tls-port) and write rediss://, unless nobody else is on that network",
            ),
            _ => Verdict::ok("without TLS, within this machine"),
        };
    };
    let version = handshake.version;
    let until = handshake.certificate.as_ref().and_then(|seen| seen.not_after);
    let Some(end) = until else {
        return Verdict::ok(format!("{version}; the certificate is trusted"));
    };
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    let day = date_text(end);
    if left < CERTIFICATE_WORTH_A_WORD {
        return Verdict::warn(
            "tls_expires_soon",
            format!("{version}; the certificate is trusted, but runs out on {day}"),
            advice::renew(ctx),
        );
    }
    Verdict::ok(format!(
        "{version}; the certificate is trusted, and good until {day}"
    ))
}

/// A server that sentinels or a node of the cluster name, if it cannot be reached from here.
pub fn unreached(ctx: &Ctx<'_>, place: &Place) -> Option<(Trouble, String)> {
    let trouble = go(ctx, place).err()?;
    let text = trouble.to_string();
    let named = text.contains(&place.to_string());
    let text = if named { text } else { line(place, &text) };
    Some((trouble, text))
}
