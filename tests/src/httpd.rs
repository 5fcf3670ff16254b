//! A running httpd: started, restarted, stopped, and looked after.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use nix::sys::signal::Signal;
use regex::Regex;
use tempfile::TempDir;

pub use crate::builder::{Builder, ConfigTest, Mpm};
use crate::counted;
use crate::httpd_log::unexpected;
use crate::install::Install;
use crate::port::Port;
use crate::process::{children, has_connections, listens, resident_kib, runs, send, stops};
use crate::wait::{WAIT, wait_until, within};

/// The log line of a start or restart.
const RUNNING: &str = "resuming normal operations";

/// How long connections may take to end before a restart that is not graceful.
const QUIET: Duration = Duration::from_secs(2);

/// How long a thread may take from closing its connection to waiting for the next one.
const FINISH: Duration = Duration::from_millis(30);

/// An httpd of the test's own. When it goes out of scope it is stopped, and the test fails when
/// it ended badly, lost a child or wrote an unexpected line.
pub struct Httpd {
    name: String,
    root: Option<TempDir>,
    path: PathBuf,
    port: Port,
    tls_port: Option<Port>,
    environment: Vec<(String, String)>,
    /// Whether it runs as one process under callgrind.
    counted: bool,
    allowed: Mutex<Vec<Regex>>,
    process: Option<Child>,
    /// Why this httpd fails the test although its log may be clean.
    faults: Vec<String>,
}

impl Httpd {
    /// Begins the description of an httpd.
    pub fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) fn launch(builder: Builder) -> Httpd {
        let mut httpd = Httpd::new(builder);
        httpd.start();
        httpd
    }

    pub(crate) fn try_launch(builder: Builder) -> Result<Httpd, String> {
        let mut httpd = Httpd::new(builder);
        match httpd.try_start() {
            Ok(()) => Ok(httpd),
            Err(why) => {
                httpd.stop();
                httpd.close(false);
                Err(why)
            }
        }
    }

    fn new(builder: Builder) -> Httpd {
        Httpd {
            name: builder.name,
            path: builder.root.path().to_owned(),
            root: Some(builder.root),
            port: builder.port,
            tls_port: builder.tls_port,
            environment: builder.environment,
            counted: builder.counted,
            allowed: Mutex::new(builder.allowed),
            process: None,
            faults: Vec::new(),
        }
    }

    /// Starts again what [`Httpd::stop`] stopped, on the same port, and waits until it accepts.
    pub fn start(&mut self) {
        if let Err(why) = self.try_start() {
            panic!("{why}");
        }
    }

    fn try_start(&mut self) -> Result<(), String> {
        let before = self.times_running();
        self.begin_to_start();
        let started = within(WAIT, || {
            if let Some(status) = self.exited() {
                return Some(Err(format!("httpd ended at its start, {status}")));
            }
            let accepts = TcpStream::connect(self.address()).is_ok();
            // Of a single process httpd does not log that it runs.
            (accepts && (self.counted || self.times_running() > before)).then_some(Ok(()))
        });
        let started = started.unwrap_or_else(|| Err("httpd does not accept".into()));
        started.map_err(|why| format!("{why}:\n{}\n{}", self.output(), self.error_log()))
    }

    /// Begins to start httpd, and does not wait until it accepts.
    pub fn begin_to_start(&mut self) {
        assert!(self.process.is_none(), "httpd runs already");
        let output = fs::File::options()
            .create(true)
            .append(true)
            .open(self.file("output.log"));
        let output = output.unwrap_or_else(|error| panic!("no file for httpd's output: {error}"));
        let errors = output.try_clone().expect("a second handle of a file");
        let mut command = if self.counted {
            counted::command(&self.path)
        } else {
            let mut command = Install::get().command();
            command.arg("-DFOREGROUND");
            command
        };
        command
            .arg("-f")
            .arg(self.file("httpd.conf"))
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors);
        // In the foreground httpd signals its whole process group when it stops or restarts.
        let process = command.process_group(0).spawn();
        self.process = Some(process.unwrap_or_else(|error| panic!("httpd does not run: {error}")));
    }

    /// Waits until httpd ends by itself; its output and log are the answer.
    pub fn wait_for_its_end(&mut self) -> String {
        if let Some(mut process) = self.process.take() {
            // Whatever the status is, httpd should not have ended.
            let _ = process.wait();
        }
        format!("{}\n{}", self.output(), self.error_log())
    }

    /// Restarts gracefully (as `apachectl graceful`) and waits until the new configuration, and no other, serves.
    #[track_caller]
    pub fn graceful(&self) {
        let before = self.children();
        self.signal_and_wait(Signal::SIGUSR1);
        // A child of before may take another connection until it hears of the restart.
        let port = self.port.number();
        let takes = |child: &u32| runs(*child) && !stops(*child) && listens(*child, port);
        wait_until("the children of before to take no more connections", || {
            !before.iter().any(takes)
        });
    }

    /// Restarts (as `apachectl restart`) and waits until the new configuration serves.
    ///
    /// Connections are given a moment to end before: httpd ends its children whatever they do, and
    /// the event MPM then crashes now and then, whichever modules are loaded, when a thread was
    /// about to finish a request.
    #[track_caller]
    pub fn restart(&self) {
        within(QUIET, || (!has_connections(self.port.number())).then_some(()));
        std::thread::sleep(FINISH);
        self.signal_and_wait(Signal::SIGHUP);
    }

    /// Stops httpd; a bad end fails the test when this httpd is checked.
    ///
    /// The children finish first (as with `apachectl graceful-stop`), for the reason that
    /// [`Httpd::restart`] names. The parent need not look for them by and by, it is told to stop.
    pub fn stop(&mut self) {
        let Some(mut process) = self.process.take() else {
            return;
        };
        let pid = process.id();
        let ended = |process: &mut Child| process.try_wait().ok().flatten();
        let status = if let Some(status) = ended(&mut process) {
            self.faults.push(format!("httpd had ended by itself, {status}"));
            status
        } else {
            // A single process has no children to wait for.
            if !self.counted {
                send(pid, Signal::SIGWINCH);
                within(WAIT, || {
                    children(pid).into_iter().all(|child| !runs(child)).then_some(())
                });
            }
            send(pid, Signal::SIGTERM);
            within(WAIT, || ended(&mut process)).unwrap_or_else(|| {
                self.faults
                    .push(format!("httpd did not stop within {} s", WAIT.as_secs()));
                let _ = process.kill();
                process.wait().unwrap_or(ExitStatus::from_raw(0))
            })
        };
        if !status.success() {
            self.faults
                .push(format!("httpd's parent process ended badly: {status}"));
        }
    }

    /// Ends the parent in the middle of whatever it does, and it alone: nobody tells the children. Returns the process group
    /// that they are in; it has to be ended before httpd is started again.
    #[track_caller]
    pub fn lose_parent(&mut self) -> u32 {
        let mut parent = self.process.take().expect("httpd runs");
        let group = parent.id();
        let _ = parent.kill();
        let _ = parent.wait();
        group
    }

    /// Stops httpd and returns the faults of its run, for tests of the bed itself.
    pub fn verdict(mut self) -> Result<(), String> {
        self.stop();
        let verdict = self.judge();
        self.close(false);
        verdict
    }

    /// Stops httpd and fails the test when something is wrong with how it ran.
    #[track_caller]
    pub fn finish(mut self) {
        self.end();
    }

    /// The parent process.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().map(Child::id).expect("httpd runs")
    }

    /// The child processes there are now.
    pub fn children(&self) -> Vec<u32> {
        children(self.pid())
            .into_iter()
            .filter(|child| runs(*child))
            .collect()
    }

    /// The parent's resident memory in KiB.
    pub fn resident_kib(&self) -> u64 {
        resident_kib(self.pid())
    }

    /// The resident memory of the largest child in KiB.
    pub fn largest_child_kib(&self) -> u64 {
        self.children().into_iter().map(resident_kib).max().unwrap_or(0)
    }

    /// The current content of the error log.
    pub fn error_log(&self) -> String {
        fs::read(self.file("error.log"))
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// Expects lines in the error log that would otherwise fail the test.
    #[track_caller]
    pub fn allow_log(&self, pattern: &str) {
        let pattern = Regex::new(pattern).expect("a pattern for log lines");
        self.allowed
            .lock()
            .expect("nobody panics with this lock")
            .push(pattern);
    }

    /// Waits for a line in the error log, which is then expected; fails the test when none comes.
    #[track_caller]
    pub fn expect_log(&self, pattern: &str) {
        self.allow_log(pattern);
        let regex = Regex::new(pattern).expect("a pattern for log lines");
        wait_until(&format!("the error log to say {pattern:?}"), || {
            self.error_log().lines().any(|line| regex.is_match(line))
        });
    }

    /// The address of httpd.
    pub fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL of a path on this httpd.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port.number())
    }

    /// The URL of a path on the virtual host that answers over TLS.
    pub fn tls_url(&self, path: &str) -> String {
        let port = self.tls_port.as_ref().map(Port::number);
        format!("https://localhost:{}{path}", port.expect("an httpd with TLS"))
    }

    /// A file below the server's root.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Changes the configuration file, for what a later restart shall find.
    pub fn edit_config(&self, from: &str, to: &str) {
        let path = self.file("httpd.conf");
        let text = fs::read_to_string(&path).expect("the configuration");
        assert!(text.contains(from), "the configuration has no {from:?}");
        fs::write(&path, text.replace(from, to)).expect("the configuration can be written");
    }

    fn output(&self) -> String {
        fs::read_to_string(self.file("output.log")).unwrap_or_default()
    }

    fn times_running(&self) -> usize {
        self.error_log().matches(RUNNING).count()
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        let status = self.process.as_mut()?.try_wait().ok()??;
        self.process = None;
        Some(status)
    }

    #[track_caller]
    fn signal_and_wait(&self, signal: Signal) {
        let before = self.times_running();
        send(self.pid(), signal);
        wait_until("httpd to restart", || {
            let alive = runs(self.pid());
            assert!(alive, "httpd's parent died at the restart:\n{}", self.error_log());
            self.times_running() > before
        });
    }

    fn judge(&self) -> Result<(), String> {
        let allowed = self.allowed.lock().expect("nobody panics with this lock");
        let (log, output) = (self.error_log(), self.output());
        let mut wrong = self.faults.clone();
        wrong.extend(unexpected(&log, &allowed).into_iter().map(str::to_owned));
        wrong.extend(unexpected(&output, &allowed).into_iter().map(str::to_owned));
        if wrong.is_empty() {
            return Ok(());
        }
        Err(format!(
            "{}: httpd did not run as expected:\n{}",
            self.name,
            wrong.join("\n")
        ))
    }

    #[track_caller]
    fn end(&mut self) {
        self.stop();
        let verdict = self.judge();
        let failing = std::thread::panicking();
        self.close(failing || verdict.is_err());
        match verdict {
            Err(why) if failing => eprintln!("{why}"),
            Err(why) => panic!("{why}"),
            Ok(()) => {}
        }
    }

    /// Removes the server's root, or keeps it and says where it is.
    fn close(&mut self, keep: bool) {
        if let Some(root) = self.root.take()
            && keep
        {
            eprintln!("{}: kept in {}", self.name, root.keep().display());
        }
    }

    /// The server's root.
    pub fn root(&self) -> &Path {
        &self.path
    }
}

impl Drop for Httpd {
    fn drop(&mut self) {
        if self.root.is_some() {
            self.end();
        }
    }
}
