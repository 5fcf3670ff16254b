//! A listening socket and its connections, which can be closed all at once.

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

/// Put into a response's extensions, this closes the connection instead of answering.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HangUp;

impl fmt::Display for HangUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hung up on purpose")
    }
}

impl std::error::Error for HangUp {}

/// The peer's address, in a request's extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller(pub(crate) IpAddr);

/// A bound port that serves a router while it is open. Closed, the port stays ours but
/// refuses connections, so that nothing else takes it in between.
pub(crate) struct Listener {
    address: SocketAddr,
    /// Bound for good, and never listening: between the end of one socket and the next one the port is ours too.
    _reservation: Option<TcpSocket>,
    router: Router,
    tls: Option<TlsAcceptor>,
    state: State,
}

enum State {
    Open {
        stop: oneshot::Sender<()>,
        task: JoinHandle<()>,
    },
    /// Bound without `listen`: the kernel refuses connections.
    Closed(Option<TcpSocket>),
}

impl Listener {
    /// Serves on an address that is bound already.
    pub(crate) fn open(socket: TcpSocket, router: Router, tls: Option<TlsAcceptor>) -> io::Result<Listener> {
        let address = socket.local_addr()?;
        let state = State::Closed(Some(socket));
        let mut listener = Listener {
            address,
            // Where the system does not let two sockets share a port, there is none.
            _reservation: Listener::bind(address).ok(),
            router,
            tls,
            state,
        };
        listener.resume()?;
        Ok(listener)
    }

    /// Binds without listening. Port 0 becomes a real one here.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // Connections of the time before that wait in TIME_WAIT must not be in the way.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(socket)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the socket and every connection; returns when both are closed.
    pub(crate) async fn stop(&mut self) {
        let State::Open { .. } = self.state else {
            return;
        };
        let before = std::mem::replace(&mut self.state, State::Closed(None));
        if let State::Open { stop, task } = before {
            // A task that is gone already has nothing open any more.
            let _ = stop.send(());
            let _ = task.await;
        }
        self.state = State::Closed(Listener::bind(self.address).ok());
    }

    /// Listens again on the same port.
    pub(crate) fn resume(&mut self) -> io::Result<()> {
        let State::Closed(socket) = &mut self.state else {
            return Ok(());
        };
        let socket = match socket.take() {
            Some(socket) => socket,
            None => Listener::bind(self.address)?,
        };
        let listener = socket.listen(1024)?;
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(accept(listener, self.router.clone(), self.tls.clone(), stopped));
        self.state = State::Open { stop, task };
        Ok(())
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    tls: Option<TlsAcceptor>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => {
                // Only this connection is lost (reset before accept, out of descriptors).
                let Ok((stream, peer)) = accepted else { continue };
                // Answers are small: waiting to fill a packet would only slow tests down.
                let _ = stream.set_nodelay(true);
                let (router, tls) = (router.clone(), tls.clone());
                let caller = Caller(peer.ip());
                connections.spawn(async move {
                    match tls {
                        None => serve(stream, caller, router).await,
                        Some(tls) => {
                            // A client that does not trust us ends the handshake: its choice.
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, caller, router).await;
                            }
                        }
                    }
                });
            }
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, caller: Caller, router: Router) {
    let service = service_fn(move |mut request: http::Request<Incoming>| {
        request.extensions_mut().insert(caller);
        let answer = router.clone().oneshot(request.map(Body::new));
        async move {
            let response = match answer.await {
                Ok(response) => response,
                Err(never) => infallible(never),
            };
            match response.extensions().get::<HangUp>() {
                Some(hang_up) => Err(*hang_up),
                None => Ok(response),
            }
        }
    });
    // An error here is a client that went away, or a hang-up we asked for.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

fn infallible<T>(never: Infallible) -> T {
    match never {}
}
