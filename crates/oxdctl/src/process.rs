//! Other programs, asked for what they know: never through a shell, never for ever, never endlessly much.

use std::io::{self, Read};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// What is kept of each output, in bytes. The configuration of a large httpd is some hundred kilobytes.
const LARGEST: u64 = 8 * 1024 * 1024;

/// How a program ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// Whether it ended well.
    pub well: bool,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

/// Runs a program to its end with nothing to read.
///
/// # Errors
/// It cannot be run (`NotFound` where there is none), or it did not end in time and was ended.
pub fn ask(command: &mut Command, patience: Duration) -> io::Result<Ended> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let well = wait(&mut child, patience)?;
    Ok(Ended {
        well,
        out: out.join().unwrap_or_default(),
        err: err.join().unwrap_or_default(),
    })
}

fn wait(child: &mut Child, patience: Duration) -> io::Result<bool> {
    let end = Instant::now() + patience;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if Instant::now() >= end {
            child.kill()?;
            child.wait()?;
            return Err(io::ErrorKind::TimedOut.into());
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Reads in a thread of its own: a program that fills one pipe while the other one is read would never end.
fn reader(pipe: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    thread::spawn(move || {
        let Some(mut pipe) = pipe else {
            return String::new();
        };
        let mut text = Vec::new();
        // A broken pipe ends the output, and what came before it counts.
        let _ = (&mut pipe).take(LARGEST).read_to_end(&mut text);
        let _ = io::copy(&mut pipe, &mut io::sink());
        String::from_utf8_lossy(&text).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_and_end_are_told() {
        let ended = ask(&mut shell("echo a; echo b >&2; exit 3"), Duration::from_secs(60)).unwrap();
        assert_eq!(
            (ended.well, ended.out.as_str(), ended.err.as_str()),
            (false, "a\n", "b\n")
        );
        let none = ask(&mut Command::new("/no/such/program"), Duration::from_secs(60));
        assert_eq!(none.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[test]
    fn a_program_that_hangs_or_floods_is_bounded() {
        let hung = ask(&mut shell("exec sleep 600"), Duration::from_millis(20));
        assert_eq!(hung.unwrap_err().kind(), io::ErrorKind::TimedOut);
        let flood = "head -c 20000000 /dev/zero; echo end >&2";
        let ended = ask(&mut shell(flood), Duration::from_secs(60)).unwrap();
        assert_eq!((ended.out.len(), ended.err.as_str()), (8 * 1024 * 1024, "end\n"));
    }
}
