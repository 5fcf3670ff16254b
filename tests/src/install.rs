//! Finds the installed httpd: its binary, its modules, and who it may run as.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use nix::unistd::{Group, User, geteuid};

use crate::process::with_the_test;

/// The files of httpd on this machine.
pub struct Install {
    /// The httpd binary.
    pub binary: PathBuf,
    /// The directory of its loadable modules.
    pub modules: PathBuf,
    /// The modules that are linked into the binary, as `mod_so.c`.
    linked: Vec<String>,
}

impl Install {
    /// The installation: `OXD_HTTPD` and `OXD_HTTPD_MODULES` when set, else what `apxs` says, else
    /// the usual places. Looked up once per process.
    pub fn get() -> &'static Install {
        static INSTALL: OnceLock<Install> = OnceLock::new();
        INSTALL.get_or_init(|| {
            let binary = binary().unwrap_or_else(|| {
                panic!("no httpd found: install apache2 (Debian) or httpd, or set OXD_HTTPD")
            });
            let modules = modules()
                .unwrap_or_else(|| panic!("no directory of httpd modules found: set OXD_HTTPD_MODULES"));
            let list = Command::new(&binary).arg("-l").output();
            let list = list.unwrap_or_else(|error| panic!("{} -l: {error}", binary.display()));
            let linked = String::from_utf8_lossy(&list.stdout);
            let linked = linked.lines().map(|line| line.trim().to_owned()).collect();
            Install {
                binary,
                modules,
                linked,
            }
        })
    }

    /// A command that runs httpd in the foreground and ends with the test.
    pub(crate) fn command(&self) -> Command {
        with_the_test(&self.binary, "TERM")
    }

    /// The `LoadModule` line for a module of httpd's own (`"alias"`), empty when it is linked in.
    pub fn load(&self, name: &str) -> String {
        if self.linked.contains(&format!("mod_{name}.c")) {
            return String::new();
        }
        let file = self.modules.join(format!("mod_{name}.so"));
        assert!(file.exists(), "httpd's module {} is missing", file.display());
        format!("LoadModule {name}_module \"{}\"\n", file.display())
    }

    /// Whether a module of httpd's own can be used here.
    pub fn has(&self, name: &str) -> bool {
        self.linked.contains(&format!("mod_{name}.c")) || self.modules.join(format!("mod_{name}.so")).exists()
    }
}

/// The `User` and `Group` lines: httpd started as root serves as somebody else; started by anybody
/// else it stays who it is.
pub(crate) fn identity() -> String {
    if !geteuid().is_root() {
        return String::new();
    }
    let exists = |name: &&str| matches!(User::from_name(name), Ok(Some(_)));
    let user = ["www-data", "apache", "http", "nobody"].into_iter().find(exists);
    let exists = |name: &&str| matches!(Group::from_name(name), Ok(Some(_)));
    let group = ["www-data", "apache", "http", "nogroup", "nobody"]
        .into_iter()
        .find(exists);
    match (user, group) {
        (Some(user), Some(group)) => format!("User {user}\nGroup {group}\n"),
        _ => panic!("running as root, and there is no user for httpd's children"),
    }
}

fn binary() -> Option<PathBuf> {
    let mut places = Vec::new();
    places.extend(std::env::var_os("OXD_HTTPD").map(PathBuf::from));
    if let (Some(directory), Some(name)) = (apxs("SBINDIR"), apxs("progname")) {
        places.push(Path::new(&directory).join(name));
    }
    for directory in [
        "/usr/sbin",
        "/usr/bin",
        "/usr/local/sbin",
        "/usr/local/apache2/bin",
    ] {
        places.extend(["apache2", "httpd"].map(|name| Path::new(directory).join(name)));
    }
    places.into_iter().find(|place| place.is_file())
}

fn modules() -> Option<PathBuf> {
    let mut places = Vec::new();
    places.extend(std::env::var_os("OXD_HTTPD_MODULES").map(PathBuf::from));
    places.extend(apxs("LIBEXECDIR").map(PathBuf::from));
    places.extend(
        [
            "/usr/lib/apache2/modules",
            "/usr/lib64/httpd/modules",
            "/usr/lib/httpd/modules",
            "/usr/local/apache2/modules",
        ]
        .map(PathBuf::from),
    );
    places
        .into_iter()
        .find(|place| place.join("mod_alias.so").is_file())
}

fn apxs(what: &str) -> Option<String> {
    let output = Command::new("apxs").args(["-q", what]).output().ok()?;
    let answer = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !answer.is_empty()).then_some(answer)
}
