//! A socket that the client reads and writes without a runtime: [`crate::line`] says when it may be read.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much is read at once; sessions are seldom longer.
const PIECE: usize = 4096;

/// A socket that does not block.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(crate) fn fd(&self) -> RawFd {
        match self {
            Self::Tcp(socket) => socket.as_raw_fd(),
            Self::Unix(socket) => socket.as_raw_fd(),
        }
    }

    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => (&*socket).read(buffer),
            Self::Unix(socket) => (&*socket).read(buffer),
        }
    }

    fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(socket) => (&*socket).write(bytes),
            Self::Unix(socket) => (&*socket).write(bytes),
        }
    }

    /// Ends the connection, which whoever watches the socket learns.
    pub(crate) fn end(&self) {
        // It fails if it has ended.
        let _ = match self {
            Self::Tcp(socket) => socket.shutdown(Shutdown::Both),
            Self::Unix(socket) => socket.shutdown(Shutdown::Both),
        };
    }
}

/// What the one that watches the socket has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum News {
    /// Nothing to read.
    Nothing,
    /// Something has come.
    Something,
    /// Something or nothing, after which nothing more will come.
    TheLast,
}

/// Whether a [`Stream`] may read: who does not watch the socket must not read what the one that does waits for.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicU8);

impl Gate {
    /// Lets the stream read until it has read all. Not while the stream is in use.
    pub(crate) fn open(&self, news: News) {
        if news != News::Nothing {
            self.0.store(news as u8, Ordering::Relaxed);
        }
    }

    fn is_closed(&self) -> bool {
        self.0.load(Ordering::Relaxed) == News::Nothing as u8
    }

    /// Whether the socket tells when more has come.
    fn more_may_come(&self) -> bool {
        self.0.load(Ordering::Relaxed) == News::Something as u8
    }

    fn close(&self) {
        self.0.store(News::Nothing as u8, Ordering::Relaxed);
    }
}

/// The socket for the client. What would block waits for the next time that it is polled: no waker is kept.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: Arc<Socket>,
    gate: Arc<Gate>,
    /// The reader's own buffer would have to be made zero first, each time.
    piece: Box<[u8]>,
}

impl Stream {
    pub(crate) fn new(socket: Arc<Socket>, gate: Arc<Gate>) -> Self {
        Self {
            socket,
            gate,
            piece: vec![0; PIECE].into(),
        }
    }
}

/// Tries until it has not been interrupted.
fn attempt(mut call: impl FnMut() -> io::Result<usize>) -> Poll<io::Result<usize>> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
            done => return Poll::Ready(done),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let Self { socket, gate, piece } = &mut *self;
        if gate.is_closed() {
            return Poll::Pending;
        }
        let wanted = buffer.remaining().min(PIECE);
        let read = attempt(|| socket.read(&mut piece[..wanted]));
        let is_all = match &read {
            Poll::Pending => true,
            Poll::Ready(Ok(count)) => (1..wanted).contains(count) && gate.more_may_come(),
            Poll::Ready(Err(_)) => false,
        };
        if is_all {
            gate.close();
        }
        buffer.put_slice(&piece[..ready!(read)?]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        attempt(|| self.socket.write(bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.end();
        Poll::Ready(Ok(()))
    }
}
