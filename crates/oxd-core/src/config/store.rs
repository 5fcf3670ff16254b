//! Redis as a session store: the URL of `OxdSessionStore`, and the directives `OxdStore*` beside it.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use url::{Host, Url};

use super::types::CaFile;
use crate::base::{Secret, Store};

/// The port of Redis.
const PORT: u16 = 6379;
/// The port of Redis Sentinel.
const SENTINEL_PORT: u16 = 26_379;

/// The allowed values of a URL, as `configtest` names them.
pub const URL_FORMS: &str = "redis://HOST[:PORT][/DB], rediss://HOST[:PORT][/DB], redis+unix:///PATH[?db=DB], \
                             redis+sentinel://HOST[:PORT][,...]/SERVICE[/DB], redis+cluster://HOST[:PORT][,...], \
                             rediss+sentinel:// and rediss+cluster:// alike";

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// A name, or an IP address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// The servers of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// One server.
    One(HostPort),
    /// One server on this machine, by its socket.
    Socket(PathBuf),
    /// The master of a service, as Redis Sentinel names it.
    Sentinel {
        /// The sentinels, each of which may be asked.
        sentinels: Vec<HostPort>,
        /// The name of the service (`sentinel monitor NAME`).
        service: String,
    },
    /// A Redis Cluster: some of its nodes, which know the others.
    Cluster(Vec<HostPort>),
}

/// The address of a Redis store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreAddress {
    /// The servers.
    pub servers: Servers,
    /// Whether all connections use TLS.
    pub tls: bool,
    /// The number of the database; a cluster has only 0.
    pub database: u32,
}

/// Why a URL is refused.
#[derive(Debug, PartialEq, Eq)]
pub enum BadAddress {
    /// It holds a user or a password, and must not be shown.
    HoldsCredentials,
    /// It has none of the forms, for this reason.
    Malformed(&'static str),
}

impl StoreAddress {
    /// Whether a value of `OxdSessionStore` is a URL of Redis, good or bad, and not one of httpd's providers.
    pub fn is_meant(text: &str) -> bool {
        let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
        scheme_of(scheme).is_some()
    }

    /// Reads a URL.
    ///
    /// # Errors
    /// It has none of the forms, or holds credentials.
    pub fn parse(text: &str) -> Result<Self, BadAddress> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or(BadAddress::Malformed("it has no scheme"))?;
        let (kind, tls) = scheme_of(scheme).ok_or(BadAddress::Malformed("its scheme is another one"))?;
        let (authority, path) = rest
            .find('/')
            .map_or((rest, ""), |at| (&rest[..at], &rest[at + 1..]));
        if authority.contains('@') {
            return Err(BadAddress::HoldsCredentials);
        }
        if rest.contains('#') || (rest.contains('?') && kind != Kind::Socket) {
            return Err(BadAddress::Malformed("it has a query or a fragment"));
        }
        let (servers, database) = match kind {
            Kind::Socket => socket(authority, path)?,
            Kind::One => {
                let mut hosts = hosts(authority, PORT)?;
                let host = hosts.pop().filter(|_| hosts.is_empty());
                let host = host.ok_or(BadAddress::Malformed("it names several servers"))?;
                (Servers::One(host), database(path)?)
            }
            Kind::Sentinel => {
                let (service, rest) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return Err(BadAddress::Malformed("it names no service of the sentinels"));
                }
                let sentinels = hosts(authority, SENTINEL_PORT)?;
                let service = service.to_owned();
                (Servers::Sentinel { sentinels, service }, database(rest)?)
            }
            Kind::Cluster if !path.is_empty() => {
                return Err(BadAddress::Malformed("a cluster has only database 0"));
            }
            Kind::Cluster => (Servers::Cluster(hosts(authority, PORT)?), 0),
        };
        Ok(Self {
            servers,
            tls,
            database,
        })
    }
}

/// Written as in the directive.
impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "rediss" } else { "redis" };
        let list = |hosts: &[HostPort]| {
            hosts
                .iter()
                .map(HostPort::to_string)
                .collect::<Vec<_>>()
                .join(",")
        };
        match &self.servers {
            Servers::One(host) => write!(f, "{scheme}://{host}")?,
            Servers::Socket(path) => write!(f, "{scheme}+unix://{}", path.display())?,
            Servers::Sentinel { sentinels, service } => {
                write!(f, "{scheme}+sentinel://{}/{service}", list(sentinels))?;
            }
            Servers::Cluster(nodes) => write!(f, "{scheme}+cluster://{}", list(nodes))?,
        }
        match (self.database, &self.servers) {
            (0, _) => Ok(()),
            (database, Servers::Socket(_)) => write!(f, "?db={database}"),
            (database, _) => write!(f, "/{database}"),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    One,
    Socket,
    Sentinel,
    Cluster,
}

fn scheme_of(scheme: &str) -> Option<(Kind, bool)> {
    Some(match scheme.to_ascii_lowercase().as_str() {
        "redis" => (Kind::One, false),
        "rediss" => (Kind::One, true),
        "redis+unix" => (Kind::Socket, false),
        "redis+sentinel" => (Kind::Sentinel, false),
        "rediss+sentinel" => (Kind::Sentinel, true),
        "redis+cluster" => (Kind::Cluster, false),
        "rediss+cluster" => (Kind::Cluster, true),
        _ => return None,
    })
}

fn socket(authority: &str, path: &str) -> Result<(Servers, u32), BadAddress> {
    if !authority.is_empty() {
        return Err(BadAddress::Malformed(
            "a socket needs a whole path: redis+unix:///PATH",
        ));
    }
    let (path, number) = match path.split_once('?') {
        None => (path, ""),
        Some((path, query)) => (
            path,
            query
                .strip_prefix("db=")
                .ok_or(BadAddress::Malformed("its query is not db=NUMBER"))?,
        ),
    };
    if path.is_empty() {
        return Err(BadAddress::Malformed("it names no socket"));
    }
    Ok((
        Servers::Socket(PathBuf::from(format!("/{path}"))),
        database(number)?,
    ))
}

fn database(text: &str) -> Result<u32, BadAddress> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text {
        "" => Ok(0),
        text if is_number => text
            .parse()
            .map_err(|_| BadAddress::Malformed("its database is not a number")),
        _ => Err(BadAddress::Malformed("its database is not a number")),
    }
}

fn hosts(text: &str, usual: u16) -> Result<Vec<HostPort>, BadAddress> {
    text.split(',').map(|one| host(one, usual)).collect()
}

/// A host and perhaps a port, read as by a URL.
fn host(text: &str, usual: u16) -> Result<HostPort, BadAddress> {
    let malformed = || BadAddress::Malformed("a server is not HOST or HOST:PORT");
    // Of a scheme that the `url` crate knows no usual port of.
    let url = Url::parse(&format!("store://{text}")).map_err(|_| malformed())?;
    let is_bare = url.path().is_empty() && url.query().is_none() && url.username().is_empty();
    let port = url.port().unwrap_or(usual);
    let host = match Host::parse(url.host_str().ok_or_else(malformed)?).map_err(|_| malformed())? {
        Host::Domain(name) => name,
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    if !is_bare || port == 0 || text.ends_with(':') {
        return Err(malformed());
    }
    Ok(HostPort { host, port })
}

/// `OxdStoreTimeout`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoreTimeouts {
    /// For one operation, with the connection where one is made.
    pub operation: Duration,
    /// For a connection.
    pub connect: Duration,
}

/// A PEM file of the configuration.
#[derive(Debug)]
pub struct PemFile {
    /// The file as the directive names it.
    pub path: String,
    /// Its content.
    pub text: Secret,
}

/// `OxdSessionStore`: the place of sessions.
#[derive(Clone, Copy, Debug)]
pub enum SessionStore<'a> {
    /// In the browser's cookies.
    Cookie,
    /// In one of httpd's socache providers.
    Shared(&'a dyn Store),
    /// In Redis (`redis://` and its relatives).
    Redis(&'a StoreAddress),
}

/// All that determines a Redis store: places that differ in one have separate connections.
#[derive(Clone, Copy, Debug)]
pub struct StoreSettings<'a> {
    /// `OxdSessionStore`
    pub address: &'a StoreAddress,
    /// `OxdStoreUser`
    pub user: Option<&'a str>,
    /// `OxdStorePassword`
    pub password: Option<&'a Secret>,
    /// `OxdStoreSentinelPassword`
    pub sentinel_password: Option<&'a Secret>,
    /// `OxdStoreCAFile`
    pub ca: Option<&'a CaFile>,
    /// `OxdStoreCert`
    pub certificate: Option<&'a PemFile>,
    /// `OxdStoreKey`
    pub key: Option<&'a PemFile>,
    /// `OxdStoreTimeout`
    pub timeouts: StoreTimeouts,
    /// `OxdStorePrefix`
    pub prefix: &'a str,
}

/// The Redis stores of a process.
pub trait Stores: Sync + fmt::Debug {
    /// The store with these settings; the same settings give the same store.
    fn redis<'a>(&'a self, settings: &StoreSettings<'a>) -> &'a dyn Store;
}

#[cfg(test)]
mod tests;
