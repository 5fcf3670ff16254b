//! A connection that the waiting threads read themselves: one of them for all, until it has its own answer.
//!
//! A thread that did only that would have to be woken for each request, and to wake the one that asked. What is sent and
//! what it means is the client's affair: here its future (the driver) is polled, and the socket watched. A driver that no
//! thread polls does nothing, and has nothing to do: the server says nothing unasked, and if it has ended the connection,
//! the next command finds that out.

use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread, ThreadId};
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Events, Interest, Token};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Cmd, RedisConnectionInfo, RedisResult, Value};

use crate::socket::{Gate, News, Socket, Stream};

/// More commands than a process has threads: nobody waits for a place in the queue.
const QUEUE: usize = 1 << 16;

thread_local! {
    /// Wakes this thread.
    static WAKER: Waker = Arc::new(Parked(thread::current())).into();
}

/// A connection.
pub(crate) struct Line {
    connection: MultiplexedConnection,
    /// `None` when it has come to its end.
    driver: Mutex<Option<Driver>>,
    socket: Arc<Socket>,
    /// Held by the thread that reads.
    watch: Mutex<Watch>,
    /// The threads that another one reads for.
    waiting: Mutex<Vec<Thread>>,
}

/// Sends and receives when it is polled.
struct Driver {
    future: Pin<Box<dyn Future<Output = ()> + Send>>,
    gate: Arc<Gate>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

impl Line {
    /// Greets the server at the other end of the socket; `None` when it has not answered in time.
    pub(crate) fn greet(
        socket: Socket,
        info: &RedisConnectionInfo,
        until: Instant,
    ) -> RedisResult<Option<Self>> {
        let socket = Arc::new(socket);
        let mut watch = Watch::of(&socket)?;
        let gate = Arc::<Gate>::default();
        let stream = Stream::new(Arc::clone(&socket), Arc::clone(&gate));
        // The client's own time limits would need a runtime.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        let mut greeting = Box::pin(MultiplexedConnection::new_with_config(info, stream, config));
        let (connection, future) = loop {
            if let Poll::Ready(made) = poll(greeting.as_mut()) {
                break made?;
            }
            match watch.wait(until)? {
                Some(news) => gate.open(news),
                None => return Ok(None),
            }
        };
        let future = Box::pin(future);
        Ok(Some(Self {
            connection,
            driver: Mutex::new(Some(Driver { future, gate })),
            socket,
            watch: Mutex::new(watch),
            waiting: Mutex::default(),
        }))
    }

    /// Sends a command and waits for the answer; `None` when it has not come in time.
    pub(crate) fn send(&self, command: &Cmd, until: Instant) -> RedisResult<Option<Value>> {
        // Before the command is sent: otherwise another thread could read the answer, and this one would wait for it.
        let lead = self.lead();
        let mut connection = self.connection.clone();
        let mut request = pin!(connection.send_packed_command(command));
        // This puts it into the driver's queue.
        if let Poll::Ready(answer) = poll(request.as_mut()) {
            return answer.map(Some);
        }
        if !self.drive(News::Nothing) {
            return end_of(request);
        }
        match lead {
            Some(lead) => lead.read(request, until),
            None => self.follow(request, until),
        }
    }

    /// Lets the driver send what is in its queue, and read what has come. Whether it goes on.
    fn drive(&self, news: News) -> bool {
        let mut place = locked(&self.driver);
        // It is not put back if it panics.
        let Some(mut driver) = place.take() else {
            return false;
        };
        driver.gate.open(news);
        let goes_on = poll(driver.future.as_mut()).is_pending();
        if goes_on {
            *place = Some(driver);
        } else {
            // The one that watches the socket may be another one.
            self.socket.end();
        }
        goes_on
    }

    /// Begins to read, unless another thread does.
    fn lead(&self) -> Option<Lead<'_>> {
        let watch = match self.watch.try_lock() {
            Ok(watch) => watch,
            Err(TryLockError::Poisoned(watch)) => watch.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Lead {
            line: self,
            watch: Some(watch),
        })
    }

    /// Waits while another thread reads, and reads when that one has ended.
    fn follow<F>(&self, mut request: Pin<&mut F>, until: Instant) -> RedisResult<Option<Value>>
    where
        F: Future<Output = RedisResult<Value>>,
    {
        let place = Place::of(self);
        loop {
            // The one that ends wakes one of those that have a place: if it was not this one, it finds that out here.
            let lead = self.lead();
            let polled = WAKER.with(|waker| request.as_mut().poll(&mut Context::from_waker(waker)));
            let left = until.saturating_duration_since(Instant::now());
            match (polled, lead) {
                (Poll::Ready(answer), lead) => {
                    // In this order: it is not this one that is to read next.
                    drop(place);
                    drop(lead);
                    return answer.map(Some);
                }
                (Poll::Pending, Some(lead)) => {
                    drop(place);
                    return lead.read(request, until);
                }
                (Poll::Pending, None) if left.is_zero() => return Ok(None),
                (Poll::Pending, None) => thread::park_timeout(left),
            }
        }
    }
}

/// What a request is told when the driver has come to its end.
fn end_of<F>(request: Pin<&mut F>) -> RedisResult<Option<Value>>
where
    F: Future<Output = RedisResult<Value>>,
{
    match poll(request) {
        Poll::Ready(answer) => answer.map(Some),
        Poll::Pending => Err(io::Error::from(io::ErrorKind::BrokenPipe).into()),
    }
}

/// The thread that reads. When it ends, another one does.
struct Lead<'a> {
    line: &'a Line,
    watch: Option<MutexGuard<'a, Watch>>,
}

impl Lead<'_> {
    /// Reads until this answer is there, which is none that has been read already.
    fn read<F>(mut self, mut request: Pin<&mut F>, until: Instant) -> RedisResult<Option<Value>>
    where
        F: Future<Output = RedisResult<Value>>,
    {
        while let Some(watch) = &mut self.watch {
            let Some(news) = watch.wait(until)? else {
                return Ok(None);
            };
            if !self.line.drive(news) {
                break;
            }
            if let Poll::Ready(answer) = poll(request.as_mut()) {
                return answer.map(Some);
            }
        }
        end_of(request)
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        self.watch = None;
        if let Some(next) = locked(&self.line.waiting).first() {
            next.unpark();
        }
    }
}

/// The place of a thread among those that another one reads for.
struct Place<'a> {
    line: &'a Line,
    id: ThreadId,
}

impl<'a> Place<'a> {
    fn of(line: &'a Line) -> Self {
        let thread = thread::current();
        let id = thread.id();
        locked(&line.waiting).push(thread);
        Self { line, id }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        locked(&self.line.waiting).retain(|thread| thread.id() != self.id);
        // The one that has ended may have woken this one, which does not read.
        drop(self.line.lead());
    }
}

struct Parked(Thread);

impl Wake for Parked {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits for the socket.
struct Watch {
    poll: mio::Poll,
    events: Events,
}

impl Watch {
    fn of(socket: &Socket) -> io::Result<Self> {
        let poll = mio::Poll::new()?;
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut SourceFd(&socket.fd()), Token(0), interest)?;
        Ok(Self {
            poll,
            events: Events::with_capacity(1),
        })
    }

    /// Waits until something has come or the socket takes more again; `None`: neither was so in time.
    fn wait(&mut self, until: Instant) -> io::Result<Option<News>> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.poll.poll(&mut self.events, Some(left)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                polled => polled?,
            }
            if let Some(event) = self.events.iter().next() {
                return Ok(Some(if event.is_read_closed() || event.is_error() {
                    News::TheLast
                } else if event.is_readable() {
                    News::Something
                } else {
                    News::Nothing
                }));
            }
            if left.is_zero() {
                return Ok(None);
            }
        }
    }
}

#[cfg(test)]
mod tests;
