//! A TCP proxy in front of a server, which makes the network between them bad: slow, stalled, cut in the middle of an
//! answer.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A proxy on a port of its own. Its connections end when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    latency: Duration,
    stalled: bool,
    /// After how many bytes answers are cut.
    cut_after: usize,
    /// How many answers are still to be cut.
    cuts_left: usize,
    cuts: usize,
    open: Vec<TcpStream>,
    over: bool,
}

impl Proxy {
    /// A proxy in front of this address.
    pub fn to(target: SocketAddr) -> Proxy {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port for the proxy");
        let address = listener.local_addr().expect("the proxy's address");
        let shared = Arc::new(Shared {
            target,
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let of_listener = Arc::clone(&shared);
        thread::spawn(move || of_listener.listen(&listener));
        Proxy { address, shared }
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How much later each answer comes from now on, those under way included. Answers may be under way together.
    pub fn delay(&self, latency: Duration) {
        self.shared.change(|state| state.latency = latency);
    }

    /// Holds all answers back, or lets them go on.
    pub fn stall(&self, stalled: bool) {
        self.shared.change(|state| state.stalled = stalled);
    }

    /// Ends the connections of the next `count` answers after so many bytes of the answer.
    pub fn cut(&self, count: usize, bytes: usize) {
        self.shared.change(|state| {
            state.cuts_left = count;
            state.cut_after = bytes;
        });
    }

    /// How many answers were cut.
    pub fn cuts(&self) -> usize {
        self.shared.lock().cuts
    }

    /// Ends all connections there are.
    pub fn drop_connections(&self) {
        self.shared.change(State::close);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.change(|state| {
            state.over = true;
            state.close();
        });
        // The listener looks at the end when somebody connects.
        drop(TcpStream::connect(self.address));
    }
}

impl State {
    fn close(&mut self) {
        for stream in self.open.drain(..) {
            // It may have ended already.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn listen(self: Arc<Self>, listener: &TcpListener) {
        for client in listener.incoming() {
            if self.lock().over {
                return;
            }
            // Whoever goes away at once, or finds nobody behind the proxy, is let go.
            if let Ok(client) = client {
                let _ = self.serve(&client);
            }
        }
    }

    /// Joins a connection to one of the server's, with three threads that end with it.
    fn serve(self: &Arc<Self>, client: &TcpStream) -> std::io::Result<()> {
        let server = TcpStream::connect(self.target)?;
        for stream in [client, &server] {
            stream.set_nodelay(true)?;
        }
        self.lock()
            .open
            .extend([client.try_clone()?, server.try_clone()?]);
        let (from, mut to) = (client.try_clone()?, server.try_clone()?);
        thread::spawn(move || {
            read(from, |bytes| to.write_all(bytes).is_ok());
            let _ = to.shutdown(Shutdown::Both);
        });
        let (answers, arrived) = channel();
        thread::spawn(move || {
            read(server, |bytes| {
                answers.send((Instant::now(), bytes.to_vec())).is_ok()
            })
        });
        let (shared, client) = (Arc::clone(self), client.try_clone()?);
        thread::spawn(move || {
            shared.answer(&client, &arrived);
            let _ = client.shutdown(Shutdown::Both);
        });
        Ok(())
    }

    fn answer(&self, mut client: &TcpStream, arrived: &Receiver<(Instant, Vec<u8>)>) {
        while let Ok((at, bytes)) = arrived.recv() {
            let mut state = self.lock();
            loop {
                let left = state.latency.saturating_sub(at.elapsed());
                if state.over || (!state.stalled && left.is_zero()) {
                    break;
                }
                let longest = if state.stalled {
                    Duration::from_secs(1)
                } else {
                    left
                };
                let waited = self.changed.wait_timeout(state, longest);
                state = waited.unwrap_or_else(PoisonError::into_inner).0;
            }
            let is_cut = state.cuts_left > 0;
            let length = if is_cut {
                state.cut_after.min(bytes.len())
            } else {
                bytes.len()
            };
            if is_cut {
                state.cuts_left -= 1;
                state.cuts += 1;
            }
            drop(state);
            if client.write_all(&bytes[..length]).is_err() || is_cut {
                return;
            }
        }
    }
}

fn read(mut from: TcpStream, mut hand_on: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if !hand_on(&buffer[..length]) {
            return;
        }
    }
}
