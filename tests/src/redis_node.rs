//! Redis servers with settings of their own: users, TLS, sockets, sentinels, clusters. `redis-cli` asks them.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::certificate::{Authority, Certificate};
use crate::port::Port;
use crate::process::with_the_test;
use crate::wait::{WAIT, wait_until, within};

/// A `redis-server` or `redis-sentinel`. Gone when dropped, and with the thread that started it.
pub struct RedisNode {
    port: Port,
    directory: TempDir,
    settings: Vec<String>,
    /// What `redis-cli` needs to be let in.
    access: Vec<String>,
    is_sentinel: bool,
    program: PathBuf,
    process: Option<Child>,
}

impl RedisNode {
    /// Starts one with lines of `redis.conf`, in which `${DIR}` is a directory of its own and `${PORT}` its port.
    #[track_caller]
    pub fn start(settings: &str) -> RedisNode {
        RedisNode::prepare().run(settings)
    }

    /// The same with a `valkey-server`, that of `OXD_VALKEY` or of the `PATH`, if there is one.
    #[track_caller]
    pub fn valkey(settings: &str) -> Option<RedisNode> {
        let mut node = RedisNode::prepare();
        node.program =
            env::var_os("OXD_VALKEY").map_or_else(|| PathBuf::from("valkey-server"), PathBuf::from);
        let asked = Command::new(&node.program).arg("--version").output();
        asked.is_ok().then(|| node.run(settings))
    }

    /// The directory and the port of a server, for files that it needs before it starts.
    pub fn prepare() -> RedisNode {
        let directory = tempfile::Builder::new().prefix("oxd-redis-").tempdir();
        RedisNode {
            port: Port::reserve(),
            directory: directory.unwrap_or_else(|error| panic!("no directory for Redis: {error}")),
            settings: Vec::new(),
            access: Vec::new(),
            is_sentinel: false,
            program: PathBuf::from("redis-server"),
            process: None,
        }
    }

    /// A server that speaks nothing but TLS, with a certificate of this authority, and wants one from its clients if so
    /// asked.
    #[track_caller]
    pub fn over_tls(authority: &Authority, asks_clients: bool) -> RedisNode {
        RedisNode::over_tls_as(authority, authority.certify(), asks_clients)
    }

    /// The same with this certificate, which need not be good.
    #[track_caller]
    pub fn over_tls_as(authority: &Authority, own: Certificate, asks_clients: bool) -> RedisNode {
        let mut node = RedisNode::prepare();
        node.keep(authority, &own);
        let path = |name: &str| node.file(name).display().to_string();
        let access = [
            "--tls",
            // Whatever its own certificate is like.
            "--insecure",
            "--cert",
            &path("cert.pem"),
            "--key",
            &path("key.pem"),
        ];
        node.access = access.map(str::to_owned).to_vec();
        let asks = if asks_clients { "yes" } else { "no" };
        node.run(&format!(
            "port 0\ntls-port ${{PORT}}\ntls-cert-file ${{DIR}}/cert.pem\ntls-key-file ${{DIR}}/key.pem\n\
             tls-ca-cert-file ${{DIR}}/ca.pem\ntls-auth-clients {asks}"
        ))
    }

    /// Three sentinels of a master, named `main`. They are patient: where many tests run, a server may get no processor
    /// for a second or two, which is no reason to replace it.
    #[track_caller]
    pub fn sentinels(master: &RedisNode, more: &str) -> [RedisNode; 3] {
        let port = master.number();
        [(); 3].map(|()| {
            let mut sentinel = RedisNode::prepare();
            sentinel.is_sentinel = true;
            sentinel.run(&format!(
                "sentinel monitor main 127.0.0.1 {port} 2\nsentinel down-after-milliseconds main 60000\n\
                 sentinel failover-timeout main 2000\n{more}"
            ))
        })
    }

    /// Ends the master of these sentinels, who look for the next one soon.
    #[track_caller]
    pub fn lose_master(sentinels: &[RedisNode], master: &mut RedisNode) {
        for sentinel in sentinels {
            let soon = sentinel.ask(&["sentinel", "set", "main", "down-after-milliseconds", "1000"]);
            assert_eq!(soon, "OK");
        }
        master.kill();
    }

    /// Ends a node of a cluster, whose others notice it soon.
    #[track_caller]
    pub fn lose_in_cluster(nodes: &mut [RedisNode], lost: usize) {
        for node in nodes.iter() {
            assert_eq!(node.ask(&["config", "set", "cluster-node-timeout", "1500"]), "OK");
        }
        nodes[lost].kill();
    }

    /// A cluster of three masters, each with a replica, as `redis-cli --cluster create` makes it. Its nodes are as
    /// patient as the sentinels.
    #[track_caller]
    pub fn cluster() -> Vec<RedisNode> {
        let node = || {
            // A port of its own for the bus: the usual one, 10,000 higher, may be none.
            let bus = Port::reserve();
            let settings = format!(
                "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 60000\n\
                 cluster-require-full-coverage no\ncluster-port {}",
                bus.number()
            );
            RedisNode::start(&settings)
        };
        let nodes: Vec<_> = (0..6).map(|_| node()).collect();
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "create"]);
        command.args(nodes.iter().map(RedisNode::address));
        command.args(["--cluster-replicas", "1", "--cluster-yes"]);
        let output = command.output().expect("redis-cli");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{text}");
        wait_until("the cluster to be whole", || {
            nodes.iter().all(|node| {
                let replication = node.ask(&["info", "replication"]);
                let paired = ["connected_slaves:1", "master_link_status:up"];
                node.ask(&["cluster", "info"]).contains("cluster_state:ok")
                    && paired.iter().any(|sign| replication.contains(sign))
            })
        });
        nodes
    }

    /// Writes a certificate of this authority into its directory: `ca.pem`, `cert.pem`, `key.pem`.
    pub fn certify(&self, authority: &Authority) {
        self.keep(authority, &authority.certify());
    }

    /// A server over TLS reads another certificate of this authority, and its clients have to connect anew.
    #[track_caller]
    pub fn change_certificate(&self, authority: &Authority, certificate: &Certificate) {
        self.keep(authority, certificate);
        let path = |name: &str| self.file(name).display().to_string();
        let (certificate, key) = (path("cert.pem"), path("key.pem"));
        let answer = self.ask(&[
            "config",
            "set",
            "tls-cert-file",
            &certificate,
            "tls-key-file",
            &key,
        ]);
        assert_eq!(answer, "OK");
        self.cut_off();
    }

    /// Changes the password of the default user, or takes it away if it is empty, and ends the connections of those who used the old one.
    #[track_caller]
    pub fn change_password(&mut self, password: &str) {
        assert_eq!(self.ask(&["config", "set", "requirepass", password]), "OK");
        self.access.clear();
        if !password.is_empty() {
            self.access
                .extend(["-a", password, "--no-auth-warning"].map(str::to_owned));
        }
        self.cut_off();
    }

    /// Ends the connections of its clients.
    #[track_caller]
    pub fn cut_off(&self) {
        let ended = self.ask(&["client", "kill", "type", "normal"]);
        assert!(ended.parse::<u32>().is_ok(), "{ended}");
    }

    fn keep(&self, authority: &Authority, certificate: &Certificate) {
        let Certificate {
            certificate_pem,
            key_pem,
        } = certificate;
        let files = [
            ("ca.pem", &authority.certificate_pem),
            ("cert.pem", certificate_pem),
            ("key.pem", key_pem),
        ];
        for (name, text) in files {
            let write = || {
                fs::write(self.file(name), text)?;
                fs::set_permissions(self.file(name), PermissionsExt::from_mode(0o600))
            };
            write().unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }

    #[track_caller]
    fn run(mut self, settings: &str) -> RedisNode {
        let directory = self.directory.path().display().to_string();
        let settings = settings
            .replace("${DIR}", &directory)
            .replace("${PORT}", &self.number().to_string());
        self.settings = settings.lines().map(str::to_owned).collect();
        self.go();
        self
    }

    #[track_caller]
    fn go(&mut self) {
        let mut lines = vec![
            "bind 127.0.0.1".to_owned(),
            format!("port {}", self.number()),
            format!("dir {}", self.directory.path().display()),
            format!("logfile {}", self.file("log").display()),
        ];
        if !self.is_sentinel {
            lines.push("save \"\"".to_owned());
            lines.push("repl-diskless-sync-delay 0".to_owned());
        }
        lines.extend(self.settings.iter().cloned());
        let configuration = self.file("redis.conf");
        fs::write(&configuration, lines.join("\n") + "\n").expect("the configuration of Redis");
        let mut command = with_the_test(&self.program, "KILL");
        command
            .arg(configuration)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        if self.is_sentinel {
            command.arg("--sentinel");
        }
        let process = command.spawn();
        self.process = Some(process.unwrap_or_else(|error| panic!("redis-server: {error}")));
        let starts = within(WAIT, || self.is_ready().then_some(()));
        assert!(starts.is_some(), "redis-server does not start:\n{}", self.log());
    }

    /// Ends it in the middle of whatever it does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again, at its port and in its directory.
    #[track_caller]
    pub fn start_again(&mut self) {
        assert!(self.process.is_none(), "it runs");
        self.go();
    }

    /// How often it was sent each command since its start.
    #[track_caller]
    pub fn commands(&self) -> BTreeMap<String, u64> {
        let stats = self.ask(&["info", "commandstats"]);
        let read = |line: &str| {
            let (name, rest) = line.trim().strip_prefix("cmdstat_")?.split_once(":calls=")?;
            Some((name.to_owned(), rest.split(',').next()?.parse().ok()?))
        };
        stats.lines().filter_map(read).collect()
    }

    /// Lets `redis-cli` in with this password.
    pub fn with_password(mut self, password: &str) -> RedisNode {
        self.access
            .extend(["-a", password, "--no-auth-warning"].map(str::to_owned));
        self
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &self.number().to_string()]);
        command.args(&self.access).args(words);
        command
    }

    fn is_ready(&self) -> bool {
        let output = self.command(&["ping"]).output();
        // One that asks for a password is ready, too.
        output.is_ok_and(|output| {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.starts_with("PONG") || text.starts_with("NOAUTH")
        })
    }

    /// What it answers to a command.
    #[track_caller]
    pub fn ask(&self, words: &[&str]) -> String {
        let output = self
            .command(words)
            .output()
            .expect("redis-cli (package redis-tools)");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Whether it is a master.
    pub fn is_master(&self) -> bool {
        self.process.is_some() && self.ask(&["role"]).starts_with("master")
    }

    /// The number of its keys.
    #[track_caller]
    pub fn keys(&self) -> usize {
        let answer = self.ask(&["dbsize"]);
        answer.parse().unwrap_or_else(|_| panic!("dbsize: {answer}"))
    }

    /// The bytes that it has sent since its start.
    #[track_caller]
    pub fn sent(&self) -> u64 {
        let stats = self.ask(&["info", "stats"]);
        let line = stats
            .lines()
            .find_map(|line| line.strip_prefix("total_net_output_bytes:"));
        let bytes = line.and_then(|bytes| bytes.trim().parse().ok());
        bytes.unwrap_or_else(|| panic!("no such number: {stats}"))
    }

    /// Its port.
    pub fn number(&self) -> u16 {
        self.port.number()
    }

    /// 127.0.0.1 and its port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number())
    }

    /// The same for a socket.
    pub fn socket(&self) -> SocketAddr {
        self.port.address()
    }

    /// A file in its directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.file("log")).unwrap_or_default()
    }
}

impl Drop for RedisNode {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            eprintln!("redis-server said:\n{}", self.log());
        }
    }
}
