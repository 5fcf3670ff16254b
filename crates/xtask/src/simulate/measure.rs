//! `cargo xtask simulate --measure`: what the model of docs/SCALING.md rests on, measured with a Redis of its own.

use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use oxd_core::base::{KeyRing, Seconds, SystemRandom, wall, wall_millis};
use oxd_core::session::feed::{Feed, entry};
use oxd_core::shm::{Ended, Mark, Memory, memory_words};
use oxd_store::{APPEND, MOST};
use zerocopy::FromZeros as _;

use super::queue::Dice;
use super::redis::{Answer, Client, Redis, command};

/// How long entries are kept, in seconds.
const KEEP: &str = "86400";
/// Keys as those of the module.
const STREAM: &str = "mod_oxd:{ends}";
const LONGEST: &str = "mod_oxd:{ends}:keep";
/// The sessions that are written, and the bytes of a sealed record.
const SESSIONS: usize = 10_000;
const RECORD: usize = 2_000;

fn append(sealed: &[u8]) -> Vec<u8> {
    let words: [&[u8]; 7] = [
        b"EVAL",
        APPEND.as_bytes(),
        b"2",
        STREAM.as_bytes(),
        LONGEST.as_bytes(),
        sealed,
        KEEP.as_bytes(),
    ];
    command(&words)
}

fn row(what: &str, value: f64, unit: &str) {
    println!("| {what} | {value:.1} | {unit} |");
}

/// Measures, and prints a table.
pub fn measure(entries: usize, readers: usize) -> Result<(), String> {
    let redis = Redis::start()?;
    let mut client = Client::new(&redis)?;
    let keys =
        KeyRing::derive([&b"a key of machines that are measured, and of no others"[..]]).ok_or("no key")?;
    println!("| measured | value | unit |\n|---|---:|---|");
    appending(&redis, &mut client, &keys, entries)?;
    reading(&mut client, &keys, entries)?;
    fan_out(&redis, &mut client, &keys, readers)?;
    sessions(&redis, &mut client)
}

fn sealed(dice: &Dice, keys: &KeyRing) -> Result<Vec<u8>, String> {
    let ended = Ended {
        mark: Mark::stored(dice.word() | 1).ok_or("no mark")?,
        moment: wall_millis(),
        until: wall().saturating_add(Seconds(80_000)),
    };
    entry(&SystemRandom, keys, &ended).map_err(|why| why.to_string())
}

/// The stream is filled with the script: in a pipeline, and by clients that wait for each answer.
fn appending(redis: &Redis, client: &mut Client, keys: &KeyRing, entries: usize) -> Result<(), String> {
    let dice = Dice::new(1);
    let (mut took, before) = (Duration::ZERO, client.processor()?);
    for _ in 0..entries.div_ceil(MOST) {
        let batch: Result<Vec<_>, String> = (0..MOST).map(|_| Ok(append(&sealed(&dice, keys)?))).collect();
        let batch = batch?.concat();
        let began = Instant::now();
        client.write(&batch)?;
        for _ in 0..MOST {
            client.read()?;
        }
        took += began.elapsed();
    }
    let count = (entries.div_ceil(MOST) * MOST) as f64;
    let cpu = client.processor()? - before;
    row("appends, in a pipeline", count / took.as_secs_f64(), "a second");
    row("processor of Redis for one, in a pipeline", cpu / count, "us");
    let used = match client.ask(&[b"MEMORY", b"USAGE", STREAM.as_bytes(), b"SAMPLES", b"0"])? {
        Answer::Number(used) => used as f64,
        _ => return Err("no MEMORY USAGE".to_owned()),
    };
    row("memory of the stream, an entry", used / count, "bytes");
    let one = append(&sealed(&dice, keys)?);
    let (rate, cpu) = together(redis, client, &one)?;
    row("appends of 8 clients that wait for each answer", rate, "a second");
    row("processor of Redis for one such append", cpu, "us");
    client.ask(&[
        b"XTRIM",
        STREAM.as_bytes(),
        b"MAXLEN",
        entries.to_string().as_bytes(),
    ])?;
    Ok(())
}

/// Eight clients ask the same for two seconds: answers a second, and the processor's time for each.
fn together(redis: &Redis, client: &mut Client, question: &[u8]) -> Result<(f64, f64), String> {
    let before = client.processor()?;
    let began = Instant::now();
    let counts: Result<Vec<u64>, String> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, mut count) = (Client::new(redis)?, 0);
                    while began.elapsed() < Duration::from_secs(2) {
                        client.write(question)?;
                        client.read()?;
                        count += 1;
                    }
                    Ok(count)
                })
            })
            .collect();
        let joined = threads.into_iter().map(|thread| thread.join());
        joined
            .map(|count| count.unwrap_or(Err("a client failed".to_owned())))
            .collect()
    });
    let count = counts?.iter().sum::<u64>() as f64;
    let rate = count / began.elapsed().as_secs_f64();
    Ok((rate, (client.processor()? - before) / count))
}

/// What a machine does that starts: it reads the whole stream.
fn reading(client: &mut Client, keys: &KeyRing, entries: usize) -> Result<(), String> {
    let words = <[AtomicU64]>::new_box_zeroed_with_elems(memory_words(entries))
        .map_err(|_| "not enough memory".to_owned())?;
    let memory = Memory::over(&words).ok_or("no room for marks")?;
    let feed = Feed { memory, keys };
    let (mut after, mut heard, mut hearing) = (b"0-0".to_vec(), 0_u64, Duration::ZERO);
    let (before, bytes, began) = (client.processor()?, client.bytes, Instant::now());
    loop {
        let words: [&[u8]; 6] = [b"XREAD", b"COUNT", b"1000", b"STREAMS", STREAM.as_bytes(), &after];
        let Answer::List(streams) = client.ask(&words)? else {
            break;
        };
        let list = found(streams);
        let (now, started) = (wall(), Instant::now());
        for (number, sealed) in &list {
            let number = String::from_utf8_lossy(number);
            let (milliseconds, _) = number.split_once('-').ok_or("no number")?;
            let milliseconds = milliseconds.parse().map_err(|_| "no number")?;
            if !feed.hear(milliseconds, sealed, now) {
                return Err("an entry cannot be read".to_owned());
            }
            heard += 1;
        }
        hearing += started.elapsed();
        after = list.into_iter().last().ok_or("an empty answer")?.0;
    }
    let took = began.elapsed();
    let count = heard as f64;
    row("a machine reads the whole stream", took.as_secs_f64() * 1e3, "ms");
    row("its entries", count, "");
    row(
        "of that, taking in an entry (`Feed::hear`)",
        hearing.as_secs_f64() * 1e9 / count,
        "ns",
    );
    let cpu = client.processor()? - before;
    row("processor of Redis, an entry of a long answer", cpu / count, "us");
    row(
        "network, an entry of a long answer",
        (client.bytes - bytes) as f64 / count,
        "bytes",
    );
    row("marks evicted", memory.lost() as f64, "");
    let started = Instant::now();
    let untold = memory.untold(wall()).count() as f64;
    let took = started.elapsed().as_secs_f64() * 1e3;
    row("a look at all marks for ends to tell", took + untold, "ms");
    Ok(())
}

fn found(streams: Vec<Answer>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let inner = |answer: Answer| match answer {
        Answer::List(list) => list,
        _ => Vec::new(),
    };
    let bytes = |answer: Option<Answer>| match answer {
        Some(Answer::Bytes(bytes)) => bytes,
        _ => Vec::new(),
    };
    let entries = streams.into_iter().filter_map(|stream| inner(stream).pop());
    entries
        .flat_map(inner)
        .map(|entry| {
            let mut entry = inner(entry);
            let sealed = entry.pop().map(inner).and_then(|mut fields| fields.pop());
            (bytes(entry.pop()), bytes(sealed))
        })
        .collect()
}

/// The time that this process has had of a processor, in microseconds: Linux counts it in hundredths of a second.
fn own_processor() -> Result<f64, String> {
    let text = std::fs::read_to_string("/proc/self/stat").map_err(|why| why.to_string())?;
    let ticks = text.split(' ').skip(13).take(2).map(|field| field.parse::<f64>());
    let ticks: Result<Vec<_>, _> = ticks.collect();
    Ok(ticks.map_err(|why| why.to_string())?.iter().sum::<f64>() * 1e4)
}

/// Readers that wait, and one entry every 50 milliseconds.
fn fan_out(redis: &Redis, client: &mut Client, keys: &KeyRing, readers: usize) -> Result<(), String> {
    const ENTRIES: usize = 100;
    let dice = Dice::new(2);
    let words: [&[u8]; 8] = [
        b"XREAD",
        b"COUNT",
        b"1000",
        b"BLOCK",
        b"10000",
        b"STREAMS",
        STREAM.as_bytes(),
        b"$",
    ];
    let question = &command(&words);
    let (before, own, mut bytes) = (client.processor()?, own_processor()?, 0);
    let mut delays = Vec::new();
    thread::scope(|scope| {
        let threads: Result<Vec<_>, String> = (0..readers)
            .map(|_| {
                let mut client = Client::new(redis)?;
                Ok(scope.spawn(move || {
                    let mut times = Vec::new();
                    for _ in 0..ENTRIES {
                        client.write(question)?;
                        client.read()?;
                        times.push(Instant::now());
                    }
                    Ok::<_, String>((client.bytes, times))
                }))
            })
            .collect();
        let (threads, mut sent) = (threads?, Vec::new());
        thread::sleep(Duration::from_millis(500));
        for _ in 0..ENTRIES {
            let entry = append(&sealed(&dice, keys)?);
            sent.push(Instant::now());
            client.write(&entry)?;
            client.read()?;
            thread::sleep(Duration::from_millis(50));
        }
        for thread in threads {
            let (read, times) = thread.join().map_err(|_| "a reader failed".to_owned())??;
            bytes += read;
            delays.extend(times.iter().zip(&sent).map(|(heard, sent)| *heard - *sent));
        }
        Ok::<_, String>(())
    })?;
    let (cpu, own) = (client.processor()? - before, own_processor()? - own);
    let count = (readers * ENTRIES) as f64;
    row(
        &format!("processor of Redis, an answer to one of {readers} waiting readers"),
        cpu / count,
        "us",
    );
    row("processor of the readers, with a plain client", own / count, "us");
    row("network, an answer with one entry", bytes as f64 / count, "bytes");
    delays.sort_unstable();
    for (share, name) in [(50, "median"), (95, "95 %")] {
        let delay = delays[(delays.len() - 1) * share / 100].as_secs_f64() * 1e3;
        row(
            &format!("until a reader has it, 20 entries a second, {name}"),
            delay,
            "ms",
        );
    }
    Ok(())
}

/// A session: its record, its last use, and its place in the set of its user.
fn sessions(redis: &Redis, client: &mut Client) -> Result<(), String> {
    let before = client.info("memory", "used_memory")?;
    let mut key = String::new();
    let dice = Dice::new(3);
    for number in 0..SESSIONS {
        let name = |dice: &Dice| format!("{:016x}{:06x}", dice.word(), dice.word() & 0xff_ffff);
        let group = name(&dice);
        key = format!("mod_oxd:{{{group}}}{}", name(&dice));
        let (seen, set) = (
            format!("mod_oxd:{{{group}}}{}", name(&dice)),
            format!("mod_oxd:{{{}}}{}", name(&dice), name(&dice)),
        );
        client.ask(&[
            b"SET",
            key.as_bytes(),
            &[number as u8; RECORD],
            b"EX",
            KEEP.as_bytes(),
        ])?;
        client.ask(&[b"SET", seen.as_bytes(), &[1; 37], b"EX", KEEP.as_bytes()])?;
        client.ask(&[
            b"ZADD",
            set.as_bytes(),
            b"1900000000",
            &dice.word().to_le_bytes().repeat(5),
        ])?;
        client.ask(&[b"EXPIRE", set.as_bytes(), KEEP.as_bytes()])?;
    }
    let used = client.info("memory", "used_memory")? - before;
    row(
        &format!("memory of a session with a record of {RECORD} bytes"),
        used / SESSIONS as f64,
        "bytes",
    );
    let get = command(&[b"GETRANGE", key.as_bytes(), b"0", b"131072"]);
    let (rate, cpu) = together(redis, client, &get)?;
    row(
        "its record read by 8 clients that wait for each answer",
        rate,
        "a second",
    );
    row("processor of Redis for one such read", cpu, "us");
    Ok(())
}
