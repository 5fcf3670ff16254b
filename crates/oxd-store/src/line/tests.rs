use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Barrier, mpsc};
use std::time::Duration;

use super::*;

const LONG: Duration = Duration::from_secs(20);

/// The words of a command; `None` when the client has gone.
fn command(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let mut line = || {
        let mut line = String::new();
        (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end_matches("\r\n").to_owned())
    };
    let count = line()?.strip_prefix('*')?.parse().ok()?;
    (0..count).map(|_| line().and_then(|_| line())).collect()
}

/// A line to a server that does this with each command after the greeting.
fn line_to(mut answer: impl FnMut(&mut TcpStream, Vec<String>) + Send + 'static) -> Line {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let socket = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().expect("a client");
        socket.set_nodelay(true).expect("a socket");
        let mut reader = BufReader::new(socket.try_clone().expect("a copy"));
        while let Some(words) = command(&mut reader) {
            answer(&mut socket, words);
        }
    });
    socket.set_nonblocking(true).expect("a socket");
    socket.set_nodelay(true).expect("a socket");
    let info = RedisConnectionInfo::default().set_skip_set_lib_name();
    let until = Instant::now() + LONG;
    Line::greet(Socket::Tcp(socket), &info, until)
        .expect("a greeting")
        .expect("an answer")
}

fn echo(words: &[String]) -> String {
    format!("${}\r\n{}\r\n", words[1].len(), words[1])
}

fn ask(line: &Line, text: &str, time: Duration) -> RedisResult<Option<Value>> {
    let mut command = Cmd::new();
    command.arg("ECHO").arg(text);
    line.send(&command, Instant::now() + time)
}

/// Whoever is not woken sits there until the time is over.
fn ask_and_be_woken(line: &Line, asked: &str) {
    let began = Instant::now();
    assert_eq!(ask(line, asked, LONG).expect("no error"), text(asked));
    assert!(began.elapsed() < LONG / 2, "somebody was not woken");
}

fn text(text: &str) -> Option<Value> {
    Some(Value::BulkString(text.as_bytes().to_vec()))
}

#[test]
fn each_of_many_threads_gets_its_own_answers_and_none_waits_in_vain() {
    let mut turn = 0_usize;
    let line = line_to(move |socket, words| {
        // In pieces, with breaks at other places each time.
        turn += 1;
        let answer = echo(&words);
        let (first, second) = answer.as_bytes().split_at(turn % answer.len());
        for piece in [first, second] {
            socket.write_all(piece).expect("a client");
        }
    });
    thread::scope(|scope| {
        for number in 0..40 {
            let line = &line;
            scope.spawn(move || {
                for turn in 0..100 {
                    let asked = format!("{number} asks {turn} {}", "x".repeat(turn * 97));
                    ask_and_be_woken(line, &asked);
                }
            });
        }
    });
    assert!(line.waiting.into_inner().expect("a list").is_empty());
}

#[test]
fn when_few_ask_at_once_the_last_one_is_not_forgotten() {
    let line = line_to(|socket, words| socket.write_all(echo(&words).as_bytes()).expect("a client"));
    let barrier = Barrier::new(4);
    thread::scope(|scope| {
        for number in 0..4 {
            let (line, barrier) = (&line, &barrier);
            scope.spawn(move || {
                for turn in 0..3000 {
                    let asked = format!("{number} asks {turn}");
                    barrier.wait();
                    ask_and_be_woken(line, &asked);
                }
            });
        }
    });
}

#[test]
fn who_reads_and_is_late_leaves_the_others_their_answers() {
    let (let_go, held) = mpsc::channel::<()>();
    let line = line_to(move |socket, words| {
        if words[1] == "hold" {
            held.recv().expect("a word");
        }
        socket.write_all(echo(&words).as_bytes()).expect("a client");
    });
    let began = Instant::now();
    thread::scope(|scope| {
        let reader = scope.spawn(|| ask(&line, "hold", Duration::from_millis(300)));
        thread::sleep(Duration::from_millis(100));
        let others = ["one", "two", "three"].map(|asked| {
            let line = &line;
            scope.spawn(move || (asked, ask(line, asked, LONG)))
        });
        assert_eq!(reader.join().expect("a thread").expect("no error"), None);
        let_go.send(()).expect("a server");
        for other in others {
            let (asked, answer) = other.join().expect("a thread");
            assert_eq!(answer.expect("no error"), text(asked));
        }
    });
    assert_eq!(ask(&line, "later", LONG).expect("no error"), text("later"));
    assert!(began.elapsed() < LONG / 2, "somebody was not woken");
}

#[test]
fn who_waits_for_the_reader_is_late_in_time() {
    let line = line_to(|_, _| {});
    thread::scope(|scope| {
        scope.spawn(|| ask(&line, "first", Duration::from_secs(3)));
        thread::sleep(Duration::from_millis(100));
        let began = Instant::now();
        let answer = ask(&line, "second", Duration::from_millis(200));
        assert_eq!(answer.expect("no error"), None);
        assert!(began.elapsed() < Duration::from_secs(2));
    });
}

#[test]
fn the_end_of_a_connection_is_told_to_all_at_once() {
    let mut count = 0;
    let line = line_to(move |socket, _| {
        count += 1;
        if count == 3 {
            socket.shutdown(std::net::Shutdown::Both).expect("a client");
        }
    });
    let began = Instant::now();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let error = ask(&line, "anything", LONG).expect_err("an end");
                assert!(error.is_connection_dropped(), "{error}");
            });
        }
    });
    assert!(ask(&line, "more", LONG).is_err());
    assert!(began.elapsed() < LONG / 2);
}

#[test]
fn what_the_socket_does_not_take_at_once_is_sent_later() {
    let line = line_to(|socket, words| {
        thread::sleep(Duration::from_millis(50));
        socket.write_all(echo(&words).as_bytes()).expect("a client");
    });
    let much = "y".repeat(16 << 20);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(ask(&line, &much, LONG).expect("no error"), text(&much)));
        }
    });
}
