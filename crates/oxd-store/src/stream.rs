//! The stream in which machines tell each other of ended sessions (`OxdRevocations`): appended to by whoever ends one,
//! read by one process of each machine.

use std::fmt;
use std::time::Duration;

use oxd_core::base::{Level, Seconds, StoreError, SystemRandom, wall, wall_millis};
use oxd_core::session::feed::Feed;
use oxd_core::shm::Ended;
use redis::streams::StreamReadReply;
use redis::{Cmd, RedisError, RedisResult, Value};
use tokio::runtime::Handle;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep, timeout};

use crate::RedisStore;
use crate::own::OwnConnection;

/// Appends an entry, and removes those that no session needs any more. Of machines with different lifetimes the longest
/// counts: it stands in an entry of its own for as long as it matters. The new entry's number has the server's time.
pub const APPEND: &str = "\
    local keep, longest = tonumber(ARGV[2]), tonumber(redis.call('GET', KEYS[2]) or '0')\n\
    if keep >= longest then redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[2]) else keep = longest end\n\
    local number = redis.call('XADD', KEYS[1], '*', 'e', ARGV[1])\n\
    local first = tonumber(string.match(number, '^%d+')) - keep * 1000\n\
    redis.call('XTRIM', KEYS[1], 'MINID', '~', string.format('%.0f', math.max(first, 0)))\n\
    return number";
/// How long a reading waits for a new entry.
pub const WAITS: Duration = Duration::from_millis(400);
/// The most entries of one reading.
pub const MOST: usize = 1_000;
/// The most ends that are told with one question.
const TELLS_AT_ONCE: usize = 100;
/// The pause before work begins again that has failed.
const BEGINS_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often a process looks whether it is to read the stream.
const LOOKS_EVERY: Duration = Duration::from_millis(250);
/// The pause before the next attempt to reach the server.
pub const PAUSE: Duration = Duration::from_millis(100);
/// The least time between two looks for ends that are yet to be told, without a sign of any.
pub const TELLS_EVERY: Duration = Duration::from_secs(10);
/// The least time between two lines about entries that cannot be read.
const COMPLAINS_EVERY: Duration = Duration::from_secs(60);

/// The process and the machine that a stream is read for.
pub trait Machine: Send + Sync + fmt::Debug {
    /// Takes or keeps the reading for this process; whether it has it.
    fn reads(&self) -> bool;
    /// Writes a line into the log.
    fn log(&self, level: Level, line: &str);
}

/// The part of an entry's number that is a time, in milliseconds.
fn milliseconds(number: &str) -> u64 {
    number
        .split_once('-')
        .and_then(|(milliseconds, _)| milliseconds.parse().ok())
        .unwrap_or_default()
}

impl RedisStore {
    fn stream_keys(&self) -> [String; 2] {
        // In a cluster, the keys of one operation share a slot.
        let of = |what: &str| format!("{}{{ends}}{what}", self.prefix());
        [of(""), of(":keep")]
    }

    /// The command that appends an entry, which readers must find for as long.
    fn append_command(&self, entry: &[u8], keep: Seconds) -> Cmd {
        let [stream, longest] = self.stream_keys();
        let mut command = Cmd::new();
        command.arg("EVAL").arg(APPEND).arg(2).arg(stream).arg(longest);
        command.arg(entry).arg(keep.0.max(1));
        command
    }

    /// Appends an entry to the stream; readers find it for at least as long. It may be there twice.
    ///
    /// # Errors
    /// The server is away, or refuses it.
    pub fn append(&self, entry: &[u8], keep: Seconds) -> Result<(), StoreError> {
        self.run::<String>(&self.append_command(entry, keep)).map(drop)
    }

    /// Reads the stream for a machine, whenever this process is the one to do so; does not end. `keep` says how long ends
    /// matter that are told late.
    pub async fn follow(&self, feed: Feed<'_>, machine: &dyn Machine, keep: impl Fn() -> Seconds + Sync) {
        let mut follower = Follower {
            store: self,
            feed,
            machine,
            keep: &keep,
            away_since: None,
            reads_first: true,
            complained: None,
        };
        loop {
            if !machine.reads() {
                follower.away_since = None;
                sleep(LOOKS_EVERY).await;
                continue;
            }
            if let Err(why) = follower.read_on().await {
                follower.is_away(&why);
                sleep(PAUSE).await;
            }
        }
    }
}

/// Work in the background, until it is ended.
#[derive(Debug)]
pub struct Task(JoinHandle<()>);

/// Begins work in the background. Should it fail, it begins again.
pub fn spawn<F>(runtime: &Handle, work: impl Fn() -> F + Send + 'static) -> Task
where
    F: Future<Output = ()> + Send + 'static,
{
    Task(runtime.spawn(async move {
        loop {
            let mut running = JoinSet::new();
            running.spawn(work());
            running.join_next().await;
            sleep(BEGINS_AGAIN_AFTER).await;
        }
    }))
}

impl Task {
    /// Ends it, and waits until it has; `false` when that took too long.
    pub fn end(self, patience: Duration) -> bool {
        self.0.abort();
        let began = Instant::now();
        while !self.0.is_finished() {
            if began.elapsed() > patience {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

struct Follower<'f> {
    store: &'f RedisStore,
    feed: Feed<'f>,
    machine: &'f dyn Machine,
    keep: &'f (dyn Fn() -> Seconds + Sync),
    /// Since when the server is away; [`None`] while it is there.
    away_since: Option<Instant>,
    /// Whether this process has yet to read: it may have other keys than those before it.
    reads_first: bool,
    /// When a line about entries that cannot be read was written.
    complained: Option<Instant>,
}

impl Follower<'_> {
    /// Reads with one connection, until it breaks or another process reads.
    async fn read_on(&mut self) -> Result<(), String> {
        let timeouts = self.store.timeouts();
        let patience = timeouts.operation + WAITS;
        let failed = |error: RedisError| error.to_string();
        let mut connection = timeout(timeouts.connect, self.store.own_connection(patience))
            .await
            .map_err(|_| format!("no connection after {:?}", timeouts.connect))?
            .map_err(failed)?;
        let first = timeout(patience, self.first(&mut connection))
            .await
            .map_err(|_| format!("no answer after {patience:?}"))?
            .map_err(failed)?;
        // It is another stream if it begins after what was read, as others have told the emptied one already.
        let position = self.feed.memory.position();
        let is_new = first.is_none_or(|first| position > 0 && first > position);
        let from = self.feed.begin(is_new, wall_millis());
        // What no process before could read; taken by the one that reads, as others would drop it.
        let reads_first = std::mem::replace(&mut self.reads_first, false);
        let unread = reads_first.then(|| self.feed.memory.take_unread()).flatten();
        let mut after = format!("{}-0", unread.map_or(from, |unread| from.min(unread)));
        let mut looked = None;
        while self.machine.reads() {
            let count = timeout(patience, self.read(&mut connection, &mut after))
                .await
                .map_err(|_| format!("no answer after {patience:?}"))?
                .map_err(failed)?;
            if count == MOST {
                continue;
            }
            self.feed.caught_up(milliseconds(&after), wall_millis());
            self.is_there();
            let is_due = looked.is_none_or(|at: Instant| at.elapsed() >= TELLS_EVERY);
            if self.feed.memory.take_untold() || is_due {
                looked = Some(Instant::now());
                self.tell(&mut connection, patience).await?;
            }
        }
        Ok(())
    }

    /// Reads what has come, or waits for something; the number of entries.
    async fn read(&mut self, connection: &mut OwnConnection, after: &mut String) -> RedisResult<usize> {
        let [stream, _] = self.store.stream_keys();
        let mut command = Cmd::new();
        command.arg("XREAD").arg("COUNT").arg(MOST);
        command.arg("BLOCK").arg(WAITS.as_millis() as u64);
        command.arg("STREAMS").arg(stream).arg(after.as_str());
        let reply: Option<StreamReadReply> = command.query_async(connection).await?;
        let entries = reply
            .into_iter()
            .flat_map(|reply| reply.keys)
            .flat_map(|key| key.ids);
        let (mut count, mut unreadable) = (0_usize, 0_u64);
        let now = wall();
        for entry in entries {
            count += 1;
            let heard = match entry.map.get("e") {
                Some(Value::BulkString(sealed)) => self.feed.hear(milliseconds(&entry.id), sealed, now),
                _ => false,
            };
            unreadable += u64::from(!heard);
            *after = entry.id;
        }
        if unreadable > 0 {
            self.complain(unreadable);
        }
        Ok(count)
    }

    /// Tells what could not be told before, many ends with one question.
    async fn tell(&self, connection: &mut OwnConnection, patience: Duration) -> Result<(), String> {
        let untold = self.feed.untold(&SystemRandom, wall(), MOST);
        let untold: Vec<(Ended, Vec<u8>)> = untold.map_err(|error| error.to_string())?;
        for part in untold.chunks(TELLS_AT_ONCE) {
            let mut pipe = redis::pipe();
            for (_, entry) in part {
                pipe.add_command(self.store.append_command(entry, (self.keep)()));
            }
            let told = timeout(patience, pipe.query_async::<Vec<String>>(connection)).await;
            let why = match told {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("no answer after {patience:?}")),
            };
            if let Some(why) = why {
                self.feed.memory.note_untold();
                return Err(why);
            }
            for (ended, _) in part {
                self.feed.told(ended, wall_millis());
            }
        }
        if untold.len() == MOST {
            self.feed.memory.note_untold();
        }
        if !untold.is_empty() {
            let line = format!("OxdRevocations: {} ends were told late", untold.len());
            self.machine.log(Level::Info, &line);
        }
        Ok(())
    }

    /// The number of the first entry, in milliseconds; `None` for an empty stream.
    async fn first(&self, connection: &mut OwnConnection) -> RedisResult<Option<u64>> {
        let [stream, _] = self.store.stream_keys();
        let mut command = Cmd::new();
        command.arg("XREAD").arg("COUNT").arg(1);
        command.arg("STREAMS").arg(stream).arg("0-0");
        let reply: Option<StreamReadReply> = command.query_async(connection).await?;
        let mut keys = reply.into_iter().flat_map(|reply| reply.keys);
        let first = keys.find_map(|key| key.ids.into_iter().next());
        Ok(first.map(|entry| milliseconds(&entry.id)))
    }

    fn is_away(&mut self, why: &str) {
        if self.away_since.is_some() {
            return;
        }
        self.away_since = Some(Instant::now());
        let line = format!(
            "OxdRevocations {}: {why}; until it is reached again, sessions that end elsewhere go on here, and ends here \
             are kept, to be told then",
            self.store.address()
        );
        self.machine.log(Level::Error, &line);
    }

    fn is_there(&mut self) {
        if let Some(since) = self.away_since.take() {
            let line = format!(
                "OxdRevocations {}: reached again after {:.1} s; all ends are known",
                self.store.address(),
                since.elapsed().as_secs_f64()
            );
            self.machine.log(Level::Notice, &line);
        }
    }

    fn complain(&mut self, count: u64) {
        if self.complained.is_some_and(|at| at.elapsed() < COMPLAINS_EVERY) {
            return;
        }
        self.complained = Some(Instant::now());
        let line = format!(
            "OxdRevocations {}: {count} entries cannot be read, so ends on other machines are not known here: \
             OxdCryptoKey must be the same on all of them",
            self.store.address()
        );
        self.machine.log(Level::Warning, &line);
    }
}
