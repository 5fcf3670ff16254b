//! A TCP port that stays reserved between its choice and httpd's `Listen`.
//!
//! The redirect URIs of a site name httpd's port, so it must be known before httpd starts. The
//! system chooses the port for a socket that is bound with `SO_REUSEADDR` and never listens; while
//! that socket lives, Linux gives the port neither to another automatic choice nor to an outgoing
//! connection, but lets httpd (which sets the same option) bind it by number. So there is no
//! collision to retry after.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A reserved port on 127.0.0.1; free again when dropped.
pub struct Port {
    address: SocketAddr,
    _reservation: Socket,
}

impl Port {
    /// Reserves a port that nothing uses.
    pub fn reserve() -> Port {
        Port::claim(0).unwrap_or_else(|error| panic!("no free port on 127.0.0.1: {error}"))
    }

    /// Reserves the port with this number, unless something uses it.
    pub fn claim(number: u16) -> std::io::Result<Port> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, number)).into())?;
        let address = socket.local_addr()?.as_socket();
        let address = address.ok_or_else(|| std::io::Error::other("not an IP address"))?;
        Ok(Port {
            address,
            _reservation: socket,
        })
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.address.port()
    }

    /// 127.0.0.1 with the port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
