//! The route to oxd, and the module's own HTTP client for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::path::PathBuf;
use std::sync::mpsc;

use oxd_core::config::{CaFile, Proxy, Timeouts};
use oxd_core::oxd::{
    Answer, Authorization, Certificate, Command, Error, HttpTransport, Server, SystemRoots, Transport as _,
    Trouble,
};
use serde_json::{Map, Value};
use url::Url;

use crate::problem::{Kind, Outcome, Problem};

/// The route to oxd from the command line and the site file.
#[derive(Clone, Debug)]
pub struct Route {
    /// `OxdServer`
    pub server: Url,
    /// `OxdServerCAFile`
    pub ca_file: Option<PathBuf>,
    /// `OxdServerVerify`
    pub verify: bool,
    /// `OxdServerProxy`
    pub proxy: Proxy,
    /// `OxdServerTimeout`
    pub timeouts: Timeouts,
}

impl Route {
    /// The server at its end, for the client.
    pub fn server<'a>(&'a self, ca: Option<&'a CaFile>) -> Server<'a> {
        Server {
            url: &self.server,
            timeouts: self.timeouts,
            verify: self.verify,
            ca,
            proxy: &self.proxy,
            max_calls: 1,
            trace: None,
        }
    }

    /// oxd's address without a slash at the end, as it stands in the configuration.
    pub fn address(&self) -> &str {
        self.server(None).address()
    }

    /// The proxy's address, where there is a proxy.
    pub fn proxy_url(&self) -> Option<&Url> {
        match &self.proxy {
            Proxy::Direct => None,
            Proxy::Http(url) => Some(url),
        }
    }
}

/// A route with the client for it.
pub struct Link {
    /// The HTTP transport.
    pub route: Route,
    ca: Option<CaFile>,
    transport: HttpTransport,
}

impl Link {
    /// Sets the client up; nothing is connected yet.
    pub fn new(route: Route) -> Outcome<Self> {
        let ca = match &route.ca_file {
            None => None,
            Some(path) => {
                let pem = std::fs::read(path).map_err(|why| Problem::file("ca_file", path, why))?;
                let ca = CaFile::parse(&path.display().to_string(), &pem).map_err(|why| {
                    Problem::file("ca_file", path, format!("no PEM file with certificates: {why}"))
                })?;
                Some(ca)
            }
        };
        let transport = HttpTransport::start(SystemRoots::load().0).map_err(|why| {
            Problem::new(
                Kind::Usage,
                "usage",
                format!("the HTTP client cannot be set up: {why}"),
            )
        })?;
        Ok(Self { route, ca, transport })
    }

    /// The server at the end of the route.
    pub fn server(&self) -> Server<'_> {
        self.route.server(self.ca.as_ref())
    }

    /// The server's certificate, if known.
    pub fn certificate(&self) -> Option<Certificate> {
        self.transport.certificate(&self.server())
    }

    /// Sends a command; the answer is not read yet.
    pub fn ask(
        &self,
        command: Command,
        authorization: Option<Authorization<'_>>,
        members: &Map<String, Value>,
    ) -> Result<Answer, Error> {
        let server = self.server();
        self.transport
            .send(&server, command, authorization, members)
            .map_err(|trouble| Error::NoAnswer {
                at: server.command_url(command.name),
                trouble,
            })
    }

    /// The addresses of the machine that is to be connected to.
    pub fn resolve(&self) -> Result<Vec<SocketAddr>, Trouble> {
        resolve(&self.server())
    }

    /// Connects and hangs up again; answers with the address that could be connected to.
    pub fn connect(&self, addresses: &[SocketAddr]) -> Result<SocketAddr, Trouble> {
        connect(&self.server(), addresses).map(|(address, _)| address)
    }

    /// The address as which oxd sees this machine, as far as that can be known from here.
    pub fn own_address(&self, oxd: Option<SocketAddr>) -> Option<IpAddr> {
        if self.server().has_proxy() {
            return None;
        }
        let oxd = match oxd {
            Some(address) => address,
            None => self.route.server.socket_addrs(|| None).ok()?.into_iter().next()?,
        };
        let any: IpAddr = match oxd {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        // Connecting a UDP socket sends nothing; it only asks the system which way it would go.
        let socket = UdpSocket::bind((any, 0)).ok()?;
        socket.connect(oxd).ok()?;
        socket.local_addr().ok().map(|address| address.ip())
    }
}

/// The addresses of the machine that a server is reached through.
pub fn resolve(server: &Server<'_>) -> Result<Vec<SocketAddr>, Trouble> {
    let socket = server.peer_socket();
    // The system's look-up knows no time limit; a thread that hangs in it ends with the program.
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let found = socket.to_socket_addrs().map(Vec::from_iter);
        let _ = tell.send(found);
    });
    match told.recv_timeout(server.timeouts.total) {
        Ok(Ok(addresses)) => Ok(addresses),
        Ok(Err(why)) => Err(Trouble::no_address(server, &why.to_string())),
        Err(_) => Err(Trouble::no_address(server, "the name service does not answer")),
    }
}

/// Connects the first of these addresses that can be.
pub fn connect(server: &Server<'_>, addresses: &[SocketAddr]) -> Result<(SocketAddr, TcpStream), Trouble> {
    let mut last = std::io::ErrorKind::AddrNotAvailable.into();
    for address in addresses {
        match TcpStream::connect_timeout(address, server.timeouts.connect) {
            Ok(stream) => return Ok((*address, stream)),
            Err(why) => last = why,
        }
    }
    Err(Trouble::not_connected(server, &last))
}
