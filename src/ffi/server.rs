//! The configuration while httpd reads it: what directives need from the world, the tree of directives, and the
//! places with `SetHandler oxd`.

use std::ffi::{CStr, c_void};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::ptr;

use oxd_core::base::store::Store;
use oxd_core::config::check::Node;
use oxd_core::config::directive::ParseEnv;
use oxd_core::config::types::Expression;

use super::dir_config::{DirConfig, index};
use super::log::ServerLog;
use super::pool::{Pool, c_text};
use super::{process, socache, sys};

/// A directive's surroundings.
pub struct CommandEnv {
    cmd: *const sys::cmd_parms,
}

impl CommandEnv {
    /// # Safety
    /// `cmd` must be live as long as the value is used.
    pub unsafe fn new(cmd: *const sys::cmd_parms) -> Self {
        Self { cmd }
    }

    /// A path made absolute with ServerRoot.
    fn absolute(&self, path: &str) -> PathBuf {
        let Ok(text) = std::ffi::CString::new(path) else {
            return PathBuf::from(path);
        };
        // SAFETY: the parameters are live by `new`'s contract; the answer is in their pool or NULL.
        let absolute = unsafe { c_text(sys::ap_server_root_relative((*self.cmd).pool, text.as_ptr())) };
        absolute
            .and_then(|p| p.to_str().ok())
            .map_or_else(|| PathBuf::from(path), PathBuf::from)
    }
}

impl ParseEnv<'static> for CommandEnv {
    fn read_file(&self, path: &str) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.absolute(path))
    }

    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn run(&self, command: &str) -> Result<Option<String>, String> {
        let mut words = command.split_ascii_whitespace();
        let program = words.next().ok_or("it names no program")?;
        if !Path::new(program).is_absolute() {
            return Err(format!("the program {program} must be named with its whole path"));
        }
        if process::is_dry_run() {
            return if Path::new(program).is_file() {
                Ok(None)
            } else {
                Err(format!("there is no file {program}"))
            };
        }
        let output = Command::new(program)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .map_err(|e| format!("{program}: {e}"))?;
        if !output.status.success() {
            return Err(format!("{program}: {}", output.status));
        }
        let text =
            String::from_utf8(output.stdout).map_err(|_| format!("{program} printed what is not text"))?;
        Ok(Some(text.lines().next().unwrap_or_default().to_owned()))
    }

    fn compile(&self, expression: &str) -> Result<Expression, String> {
        let text = std::ffi::CString::new(expression).map_err(|e| e.to_string())?;
        let mut error = ptr::null();
        // SAFETY: the parameters are live; the expression is compiled into their pool, which is the configuration's,
        // but keeps pointers into the text, so that the text is copied there first.
        unsafe {
            let copy = sys::apr_pstrmemdup((*self.cmd).pool, text.as_ptr(), text.as_bytes().len() as _);
            let compiled = sys::oxd_compile_expression(self.cmd, copy, &mut error);
            if compiled.is_null() || !error.is_null() {
                return Err(c_text(error).map_or_else(String::new, |e| e.to_string_lossy().into_owned()));
            }
            Ok(Expression(compiled.expose_provenance()))
        }
    }

    fn open_store(&self, provider: &str, details: &str) -> Result<&'static dyn Store, String> {
        // SAFETY: the parameters are live; stores are named in the server's configuration only, whose pool this is.
        let store = unsafe { socache::open((*self.cmd).pool, provider, details) }?;
        Ok(store)
    }
}

/// The servers of a configuration, the main one first.
#[derive(Clone, Copy)]
pub struct Servers {
    first: *mut sys::server_rec,
    pool: *mut sys::apr_pool_t,
}

impl Servers {
    /// # Safety
    /// Both must be live, and httpd in its configuration phase, as long as the value is used.
    pub unsafe fn from_raw(first: *mut sys::server_rec, pool: *mut sys::apr_pool_t) -> Self {
        Self { first, pool }
    }

    /// The log of the main server.
    pub fn log(self) -> ServerLog {
        // SAFETY: by `from_raw`'s contract.
        unsafe { ServerLog::from_raw(self.first) }
    }

    /// Initialises the session stores; a message when one fails.
    pub fn prepare_stores(self) -> Result<(), String> {
        // SAFETY: by `from_raw`'s contract.
        unsafe { socache::prepare(self.first, self.pool) }
    }

    /// A path below `DefaultRuntimeDir`.
    pub fn runtime_path(self, name: &CStr) -> Option<PathBuf> {
        // SAFETY: by `from_raw`'s contract; the answer is in the pool or NULL.
        let path = unsafe { c_text(sys::ap_runtime_dir_relative(self.pool, name.as_ptr())) };
        path.and_then(|path| path.to_str().ok()).map(PathBuf::from)
    }

    /// The directives as they stand in the configuration.
    pub fn tree(self) -> Vec<Node> {
        // SAFETY: httpd keeps the tree of the configuration that it is reading in this variable.
        unsafe { nodes(sys::ap_conftree) }
    }

    /// Tells each place with `SetHandler oxd` its own path, and all other places of the server such a path,
    /// so that they know where a login can be started (of several, the last).
    ///
    /// `handlers` are the paths of those places, as the tree of the configuration has them.
    pub fn mark_handlers(self, handlers: &[String]) {
        let mut server = self.first;
        // SAFETY: httpd's list of servers and their configuration vectors are live, and only this thread uses them;
        // the vectors hold what the module's own functions made.
        unsafe {
            let Some(pool) = Pool::from_raw(self.pool) else {
                return;
            };
            while !server.is_null() {
                let mut last: Option<&'static String> = None;
                for place in sections(server) {
                    let core = sys::ap_get_core_module_config(place.cast()).cast::<sys::core_dir_config>();
                    if core.is_null() {
                        continue;
                    }
                    // Its handler is an expression, of which httpd does not tell whether it is a plain word.
                    let path = c_text((*core).d).and_then(|d| d.to_str().ok());
                    if let Some(path) =
                        path.filter(|p| (*core).r.is_null() && handlers.iter().any(|h| h == p))
                    {
                        let path: &'static String = pool.arena().keep(path.to_owned());
                        settings_of(place, pool).handler_base = Some(path);
                        // A virtual host's own places stand behind those of the main server.
                        last = Some(path);
                    }
                }
                if let Some(path) = last {
                    settings_of((*server).lookup_defaults.cast(), pool).handler_base = Some(path);
                }
                server = (*server).next;
            }
        }
    }
}

/// The `<Location>` sections of a server.
///
/// # Safety
/// The server must be live and its configuration complete.
unsafe fn sections(server: *mut sys::server_rec) -> Vec<*mut c_void> {
    // SAFETY: the core module's server configuration is a core_server_config; sec_url is an array of vectors.
    unsafe {
        let core = sys::ap_get_core_module_config((*server).module_config).cast::<sys::core_server_config>();
        if core.is_null() || (*core).sec_url.is_null() {
            return Vec::new();
        }
        let array = &*(*core).sec_url;
        let places = array.elts.cast::<*mut c_void>();
        (0..usize::try_from(array.nelts).unwrap_or(0))
            .map(|at| *places.add(at))
            .collect()
    }
}

/// A copy of the module's configuration in a vector, put in its place; an empty one where there is none.
///
/// A copy, because httpd lets virtual hosts share the configuration of the main server.
///
/// # Safety
/// `vector` must be a configuration vector of httpd's, in its configuration phase.
unsafe fn settings_of(vector: *mut c_void, pool: Pool<'_>) -> &'static mut DirConfig {
    // SAFETY: a vector is an array of pointers with one for each module.
    unsafe {
        let slot = vector.cast::<*mut c_void>().add(index());
        let old = (*slot).cast::<DirConfig>();
        let copy = if old.is_null() { DirConfig::default() } else { *old };
        let place = pool.place(copy).as_ptr();
        *slot = place.cast();
        &mut *place
    }
}

/// # Safety
/// `first` must be NULL or a node of httpd's configuration tree.
unsafe fn nodes(first: *const sys::ap_directive_t) -> Vec<Node> {
    let mut list = Vec::new();
    let mut at = first;
    while !at.is_null() {
        // SAFETY: the tree's nodes and texts are live in the configuration phase; the sections nest as deep as the
        // administrator wrote them, which httpd itself has parsed recursively.
        unsafe {
            let text = |t| c_text(t).map_or_else(String::new, |t: &CStr| t.to_string_lossy().into_owned());
            list.push(Node {
                name: text((*at).directive),
                args: text((*at).args),
                file: text((*at).filename),
                line: u32::try_from((*at).line_num).unwrap_or(0),
                children: nodes((*at).first_child),
            });
            at = (*at).next;
        }
    }
    list
}
