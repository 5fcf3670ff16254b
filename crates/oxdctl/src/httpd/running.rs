//! httpd's configuration as httpd itself tells it: `apache2ctl -t -D DUMP_...`. Nothing is changed by that.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::source::{self, Line};
use super::tree::{Conditions, Directive, directives, is_loaded, words};
use crate::process::{Ended, ask};

/// Names of the program, on the usual systems. Debian's `apache2ctl` sets the environment that `apache2` needs; Fedora's
/// `apachectl` refuses arguments, which its `httpd` takes.
const PROGRAMS: [&str; 4] = ["apache2ctl", "httpd", "apachectl", "apache2"];
/// Folders that are not in the path of everybody.
const FOLDERS: [&str; 4] = ["/usr/sbin", "/usr/local/sbin", "/sbin", "/usr/local/apache2/bin"];
/// Files with the environment of httpd.
const ENVIRONMENTS: [&str; 2] = ["/etc/apache2/envvars", "/usr/local/apache2/bin/envvars"];
/// What httpd may take to read its configuration; it looks up the names in it.
const PATIENCE: Duration = Duration::from_secs(60);

/// httpd, and what it says about its configuration.
#[derive(Debug, Default)]
pub struct Running {
    /// The program that was asked.
    pub program: PathBuf,
    /// Its version, such as `Apache/2.4.66 (Debian)`.
    pub version: String,
    /// Why httpd refuses its configuration.
    pub refusal: Option<String>,
    /// The loaded modules, as `ssl_module`.
    pub modules: Vec<String>,
    /// The virtual hosts.
    pub hosts: Vec<Host>,
    /// The error log of the main server.
    pub error_log: Option<PathBuf>,
    /// `ServerRoot`
    pub root: Option<PathBuf>,
    /// The directives of the configuration.
    pub directives: Vec<Directive>,
    /// Files of the configuration that could not be read.
    pub unread: Vec<PathBuf>,
}

/// A virtual host (`DUMP_VHOSTS`).
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// Its address, such as `*:443`.
    pub address: String,
    /// `ServerName` and every `ServerAlias`.
    pub names: Vec<String>,
    /// `FILE:LINE` of its `<VirtualHost>`.
    pub at: String,
}

impl Running {
    /// Asks httpd.
    ///
    /// # Errors
    /// There is no such program, or it cannot be run, or does not end in time.
    pub fn ask(program: Option<&Path>, config: Option<&Path>) -> io::Result<Self> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => find().ok_or(io::ErrorKind::NotFound)?,
        };
        let run = |arguments: &[&str]| -> io::Result<Ended> {
            let mut command = Command::new(&program);
            command.args(arguments);
            if let Some(config) = config {
                command.arg("-f").arg(std::path::absolute(config)?);
            }
            ask(&mut command, PATIENCE)
        };
        let dump = run(&[
            "-t",
            "-D",
            "DUMP_VHOSTS",
            "-D",
            "DUMP_MODULES",
            "-D",
            "DUMP_RUN_CFG",
            "-D",
            "DUMP_INCLUDES",
        ])?;
        let mut running = Self::of_dump(&dump);
        running.version = run(&["-v"]).map(|ended| version(&ended.out)).unwrap_or_default();
        // Of the whole tree only mod_info knows; it has replaced macros, too.
        if running.refusal.is_none() && is_loaded(&running.modules, "mod_info.c") {
            let whole = run(&["-t", "-D", "DUMP_CONFIG"])?;
            let lines = source::of_dump(&whole.out);
            if whole.well && !lines.is_empty() {
                running.read(&lines, &[]);
                running.unread.clear();
            }
        }
        running.program = program;
        Ok(running)
    }

    fn of_dump(dump: &Ended) -> Self {
        let text = |name: &str| {
            let line = dump.out.lines().find_map(|line| line.strip_prefix(name))?;
            Some(PathBuf::from(line.trim().trim_matches('"')))
        };
        let mut running = Self {
            refusal: (!dump.well).then(|| refusal(&dump.err)),
            modules: modules(&dump.out),
            hosts: hosts(&dump.out),
            error_log: text("Main ErrorLog: "),
            root: text("ServerRoot: "),
            ..Self::default()
        };
        let defined: Vec<(String, String)> = dump
            .out
            .lines()
            .filter_map(|line| line.strip_prefix("Define: "))
            .map(|line| {
                let (name, value) = line.split_once('=').unwrap_or((line, ""));
                (name.to_owned(), value.to_owned())
            })
            .collect();
        let files = source::included(&dump.out);
        let mut variables = environment();
        variables.extend(defined.clone());
        let mut names: Vec<String> = defined.into_iter().map(|(name, _)| name).collect();
        // What httpd refuses it does not list: its own definitions are then read from the files.
        if running.refusal.is_some() {
            for line in source::of_files(&files, &HashMap::new()).0 {
                if line.name.eq_ignore_ascii_case("Define") {
                    let mut words = words(&line.args).into_iter();
                    let name = words.next().unwrap_or_default();
                    let value = source::replaced(&words.next().unwrap_or_default(), &variables);
                    variables.insert(name.clone(), value);
                    names.push(name);
                }
            }
        }
        let (lines, unread) = source::of_files(&files, &variables);
        running.unread = unread;
        running.read(&lines, &names);
        running
    }

    fn read(&mut self, lines: &[Line], defined: &[String]) {
        let conditions = Conditions {
            modules: &self.modules,
            defined: &|name| defined.iter().any(|one| one == name),
        };
        self.directives = directives(lines, &conditions);
        if self.modules.is_empty() {
            // What httpd refuses it does not list.
            let loads = self.directives.iter().filter(|one| one.is("LoadModule"));
            self.modules = loads.filter_map(Directive::first).collect();
        }
    }

    /// The files of all error logs of the configuration; those that are pipes or go to the system's log are left out,
    /// and told by the second value.
    pub fn error_logs(&self) -> (Vec<PathBuf>, bool) {
        let mut files: Vec<PathBuf> = Vec::new();
        let mut elsewhere = false;
        let named = self.directives.iter().filter(|one| one.is("ErrorLog"));
        let named = named.filter_map(Directive::first).map(PathBuf::from);
        for path in self.error_log.clone().into_iter().chain(named) {
            let text = path.to_string_lossy();
            if text.starts_with('|') || text.starts_with("syslog") || text.contains("${") {
                elsewhere = true;
                continue;
            }
            let path = match &self.root {
                Some(root) => root.join(&path),
                None => path,
            };
            if !files.contains(&path) {
                files.push(path);
            }
        }
        (files, elsewhere)
    }
}

/// `APACHE_LOG_DIR` of this process or of httpd's environment on Debian.
pub fn log_folder() -> Option<PathBuf> {
    environment().remove("APACHE_LOG_DIR").map(PathBuf::from)
}

fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .collect();
    folders.extend(FOLDERS.map(PathBuf::from));
    find_in(&folders)
}

fn find_in(folders: &[PathBuf]) -> Option<PathBuf> {
    PROGRAMS
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)))
        .find(|program| program.is_file())
}

/// The environment of httpd: our own, and what its file of the environment exports.
fn environment() -> HashMap<String, String> {
    let mut variables = HashMap::new();
    for file in ENVIRONMENTS {
        variables.extend(exported(&std::fs::read_to_string(file).unwrap_or_default()));
    }
    let own = std::env::vars_os().filter_map(|(name, value)| {
        let name = name
            .into_string()
            .ok()
            .filter(|name| name.starts_with("APACHE_"))?;
        Some((name, value.into_string().ok()?))
    });
    variables.extend(own);
    variables
}

/// The plain assignments of a shell script that exports variables. `$SUFFIX` is of Debian: the name of one of several
/// instances, which have files of their own.
fn exported(script: &str) -> HashMap<String, String> {
    script
        .lines()
        .filter_map(|line| {
            let (name, value) = line.trim().strip_prefix("export ")?.split_once('=')?;
            let value = value.trim_matches(['"', '\'']).replace("$SUFFIX", "");
            (!value.contains(['$', '`', ' '])).then(|| (name.to_owned(), value))
        })
        .collect()
}

fn version(out: &str) -> String {
    let line = out.lines().find_map(|line| line.strip_prefix("Server version: "));
    line.unwrap_or_default().trim().to_owned()
}

/// Why httpd refused; it warns of other things on the same output.
fn refusal(err: &str) -> String {
    let lines: Vec<&str> = err
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let first = lines
        .iter()
        .position(|line| line.contains("rror") || line.starts_with("AH00526") || line.contains("Cannot"));
    match first {
        Some(first) => lines[first..]
            .iter()
            .take(3)
            .copied()
            .collect::<Vec<_>>()
            .join(" "),
        None => lines.last().copied().unwrap_or("it does not say why").to_owned(),
    }
}

fn modules(out: &str) -> Vec<String> {
    out.lines()
        .skip_while(|line| !line.starts_with("Loaded Modules:"))
        .skip(1)
        .map_while(|line| line.strip_prefix(' ')?.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn hosts(out: &str) -> Vec<Host> {
    let lines = out
        .lines()
        .skip_while(|line| !line.starts_with("VirtualHost configuration"));
    let mut hosts: Vec<Host> = Vec::new();
    let mut address = String::new();
    for line in lines.skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = |place: &str| place.trim_matches(['(', ')']).to_owned();
        match (line.starts_with(' '), words.as_slice()) {
            (true, ["port", _, "namevhost", name, place]) => hosts.push(Host {
                address: address.clone(),
                names: vec![(*name).to_owned()],
                at: at(place),
            }),
            (true, ["alias" | "wild", "alias", name] | ["alias", name]) => {
                if let Some(host) = hosts.last_mut() {
                    host.names.push((*name).to_owned());
                }
            }
            (true, ["default", "server", ..]) => {}
            (false, [on, "is", "a", "NameVirtualHost"]) => (*on).clone_into(&mut address),
            (false, [on, name, place]) if place.starts_with('(') => hosts.push(Host {
                address: (*on).to_owned(),
                names: vec![(*name).to_owned()],
                at: at(place),
            }),
            (true, _) => {}
            // Two lines that stand between: wildcard and default servers.
            (false, [.., "servers" | "servers:"]) => {}
            (false, _) => break,
        }
    }
    hosts
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "VirtualHost configuration:\n\
        127.0.0.1:8080         alone.example (/etc/apache2/alone.conf:1)\n\
        *:443                  is a NameVirtualHost\n         default server a.example (/etc/apache2/a.conf:1)\n         \
        port 443 namevhost a.example (/etc/apache2/a.conf:1)\n                 alias www.a.example\n                 \
        wild alias *.a.example\n         port 443 namevhost b.example (/etc/apache2/b.conf:9)\n\
        ServerRoot: \"/etc/apache2\"\nMain DocumentRoot: \"/var/www/html\"\nMain ErrorLog: \
        \"/var/log/apache2/error.log\"\nDefine: SSL\nDefine: LOGS=/logs\nLoaded Modules:\n core_module (static)\n \
        mpm_event_module (shared)\n";

    #[test]
    fn httpds_dump_is_read() {
        let running = Running::of_dump(&Ended {
            well: true,
            out: DUMP.to_owned(),
            err: String::new(),
        });
        assert_eq!(running.modules, ["core_module", "mpm_event_module"]);
        assert_eq!(running.root, Some("/etc/apache2".into()));
        assert_eq!(running.error_logs().0, [Path::new("/var/log/apache2/error.log")]);
        let hosts: Vec<_> = running
            .hosts
            .iter()
            .map(|host| format!("{} {} {}", host.address, host.names.join(","), host.at))
            .collect();
        assert_eq!(
            hosts,
            [
                "127.0.0.1:8080 alone.example /etc/apache2/alone.conf:1",
                "*:443 a.example,www.a.example,*.a.example /etc/apache2/a.conf:1",
                "*:443 b.example /etc/apache2/b.conf:9",
            ]
        );
        assert_eq!(running.refusal, None);
    }

    #[test]
    fn what_httpd_refuses_is_read_with_its_own_definitions() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("httpd.conf");
        let text = "Define HOST oxd.example\nDefine OXD https://${HOST}\nLoadModule oxd_module mod_oxd.so\n<IfDefine \
                    OXD>\nOxdServer ${OXD}\n</IfDefine>\nBroken\n";
        std::fs::write(&file, text).unwrap();
        let running = Running::of_dump(&Ended {
            well: false,
            out: format!("Included configuration files:\n  (*) {}\n", file.display()),
            err: "AH00526: Syntax error on line 7 of httpd.conf:\n".to_owned(),
        });
        assert!(running.refusal.is_some());
        assert_eq!(running.modules, ["oxd_module"]);
        let server = running.directives.iter().find(|one| one.is("OxdServer")).unwrap();
        assert_eq!(server.first().as_deref(), Some("https://oxd.example"));
    }

    #[test]
    fn the_program_that_takes_arguments_is_found_first() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let folders = [one.path().to_owned(), two.path().to_owned()];
        assert_eq!(find_in(&folders), None);
        for program in ["apache2", "apachectl"].map(|name| one.path().join(name)) {
            std::fs::write(&program, "").unwrap();
            assert_eq!(find_in(&folders), Some(program));
        }
        for program in ["httpd", "apache2ctl"].map(|name| two.path().join(name)) {
            std::fs::write(&program, "").unwrap();
            assert_eq!(find_in(&folders), Some(program));
        }
    }

    #[test]
    fn a_refusal_is_told_in_one_line() {
        let err = "AH00558: apache2: Could not reliably determine the server's name\nAH00526: Syntax error on line 3 of \
                   /a.conf:\nInvalid command 'OxdServer', perhaps misspelled\nAction '-t' failed.\nThe log may say more.\n";
        assert_eq!(
            refusal(err),
            "AH00526: Syntax error on line 3 of /a.conf: Invalid command 'OxdServer', perhaps misspelled Action '-t' \
             failed."
        );
    }

    #[test]
    fn debians_environment_is_read() {
        let script = "if true; then\nSUFFIX=\nfi\nexport APACHE_LOG_DIR=/var/log/apache2$SUFFIX\nexport LANG=C\n\
                      export X=$(date)\n## export Y=1\n";
        let read = exported(script);
        assert_eq!(read["APACHE_LOG_DIR"], "/var/log/apache2");
        assert!(!read.contains_key("X") && !read.contains_key("Y"));
    }
}
