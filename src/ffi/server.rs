//! The servers of a configuration: their logs, the configuration tree, and the locations with their settings.

use std::ffi::{CStr, c_void};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::ptr::NonNull;

use oxd_core::config::RawSettings;
use oxd_core::config::check::Node;

use super::dir_config::{DirConfig, slot};
use super::log::ServerLog;
use super::pool::{Pool, c_text};
use super::sys;

/// The servers of a configuration that httpd has just read. `'c` is the lifetime of its pool. It belongs to one
/// configuration alone, because [`Servers::during`] introduces a new one for each call.
#[derive(Clone, Copy)]
pub struct Servers<'c> {
    first: NonNull<sys::server_rec>,
    pool: Pool<'c>,
    brand: PhantomData<fn(&'c ()) -> &'c ()>,
}

/// The servers of a child process, for its own threads: its configuration does not change any more.
#[derive(Clone, Copy, Debug)]
pub struct ChildServers(*mut sys::server_rec);

// SAFETY: nobody changes a child's configuration; `from_raw` has the caller see to its life.
unsafe impl Send for ChildServers {}
// SAFETY: as above.
unsafe impl Sync for ChildServers {}

impl ChildServers {
    /// # Safety
    /// `first` must be NULL or the main server of a child. No thread may read the configuration after the child's pool
    /// has ended: whoever keeps this ends before the pool does.
    pub unsafe fn from_raw(first: *mut sys::server_rec) -> Self {
        Self(first)
    }

    /// Runs `body` with the settings of all servers.
    pub fn during<A>(self, body: impl for<'c> FnOnce(&[ServerSettings<'c>]) -> A) -> Option<A> {
        // SAFETY: by `from_raw`'s contract.
        let process = unsafe { self.0.as_ref()?.process.as_ref() }?;
        let settings = |servers: Servers<'_>| {
            let all: Vec<_> = servers.all().filter_map(Server::settings).collect();
            body(&all)
        };
        // SAFETY: by `from_raw`'s contract; `settings` only reads the configuration, and takes no memory of the pool.
        unsafe { Servers::during(self.0, process.pconf, settings) }
    }
}

/// The module's settings of one server, as they were read.
pub struct ServerSettings<'c> {
    /// `ServerName`, or what httpd takes for it.
    pub name: &'c str,
    /// The settings outside of all sections.
    pub outer: RawSettings<'c>,
    /// Those of each `<Files>` and `<If>` outside of all other sections, alone.
    pub within: Vec<RawSettings<'c>>,
    /// The `<Location>` sections.
    pub locations: Vec<PlaceSettings<'c>>,
    /// The `<Directory>` sections.
    pub directories: Vec<PlaceSettings<'c>>,
}

/// The module's settings of one section.
pub struct PlaceSettings<'c> {
    /// The path of a `<Location>`, unless it is a pattern.
    pub path: Option<&'c str>,
    /// Those of the section alone.
    pub own: RawSettings<'c>,
    /// Those of each `<Files>` and `<If>` in it, alone.
    pub within: Vec<RawSettings<'c>>,
}

/// One server of a configuration.
#[derive(Clone, Copy)]
pub struct Server<'c> {
    pub(super) raw: NonNull<sys::server_rec>,
    of: Servers<'c>,
}

/// A `<Location>` of a server, or the server itself where no section applies.
#[derive(Clone, Copy)]
pub struct Section<'c> {
    vector: NonNull<c_void>,
    of: Servers<'c>,
}

impl<'c> Servers<'c> {
    /// Runs `body` with the servers of a configuration; `None` for NULL.
    ///
    /// # Safety
    /// `first` must be the main server and `pool` the configuration's pool, both live or NULL, in the thread that reads
    /// the configuration.
    pub unsafe fn during<A>(
        first: *mut sys::server_rec,
        pool: *mut sys::apr_pool_t,
        body: impl for<'o> FnOnce(Servers<'o>) -> A,
    ) -> Option<A> {
        let first = NonNull::new(first)?;
        // SAFETY: by this function's contract.
        let pool = unsafe { Pool::from_raw(pool) }?;
        Some(body(Servers {
            first,
            pool,
            brand: PhantomData,
        }))
    }

    /// The main server.
    pub(super) fn as_ptr(self) -> *mut sys::server_rec {
        self.first.as_ptr()
    }

    /// The configuration's pool.
    pub fn pool(self) -> Pool<'c> {
        self.pool
    }

    /// The log of the main server.
    pub fn log(self) -> ServerLog<'c> {
        // SAFETY: the server lives as long as its configuration.
        unsafe { ServerLog::from_raw(self.first.as_ptr()) }
    }

    /// A path relative to `DefaultRuntimeDir`.
    pub fn runtime_path(self, name: &CStr) -> Option<PathBuf> {
        // SAFETY: the pool is live.
        let path = unsafe { sys::ap_runtime_dir_relative(self.pool.as_ptr(), name.as_ptr()) };
        // SAFETY: NULL, or a C string in the pool.
        let path = unsafe { c_text(path) };
        path.and_then(|path| path.to_str().ok()).map(PathBuf::from)
    }

    /// Makes a path absolute, relative to ServerRoot.
    pub fn absolute(self, path: &str) -> PathBuf {
        let text = self.pool.text(path.as_bytes());
        // SAFETY: the pool is live; the text lives in it.
        let absolute = unsafe { sys::ap_server_root_relative(self.pool.as_ptr(), text.as_ptr()) };
        // SAFETY: NULL, or a C string in the pool.
        let absolute = unsafe { c_text(absolute) };
        absolute
            .and_then(|p| p.to_str().ok())
            .map_or_else(|| PathBuf::from(path), PathBuf::from)
    }

    /// The configuration tree.
    pub fn tree(self) -> Vec<Node> {
        // SAFETY: httpd keeps the configuration tree that it has read in this variable; one thread uses it.
        unsafe { nodes(sys::ap_conftree) }
    }

    /// All servers, the main one first.
    pub fn all(self) -> impl Iterator<Item = Server<'c>> {
        std::iter::successors(Some(self.first), |server| {
            // SAFETY: httpd's list of servers is live by the contract of `during`.
            NonNull::new(unsafe { server.as_ref() }.next)
        })
        .map(move |raw| Server { raw, of: self })
    }
}

impl<'c> Server<'c> {
    /// The module's settings of this server; `None` before httpd has read them.
    pub fn settings(self) -> Option<ServerSettings<'c>> {
        // SAFETY: the server is live by the contract of `Servers::during`.
        let name = unsafe { self.raw.as_ref() }.server_hostname;
        // SAFETY: NULL, or a C string of the configuration.
        let name = unsafe { c_text(name) };
        let outer = self.defaults()?;
        let places = |sections: Vec<Section<'c>>| sections.into_iter().map(Section::place).collect();
        Some(ServerSettings {
            name: name.and_then(|name| name.to_str().ok()).unwrap_or_default(),
            outer: outer.settings(),
            within: outer.settings_within(),
            locations: places(self.locations()),
            directories: places(self.directories()),
        })
    }

    /// The server's `<Location>` sections; a virtual host's own follow those of the main server.
    pub fn locations(self) -> Vec<Section<'c>> {
        self.sections(|core| core.sec_url)
    }

    /// The server's `<Directory>` sections.
    pub(super) fn directories(self) -> Vec<Section<'c>> {
        self.sections(|core| core.sec_dir)
    }

    fn sections(
        self,
        which: fn(&sys::core_server_config) -> *mut sys::apr_array_header_t,
    ) -> Vec<Section<'c>> {
        // SAFETY: the server is live by the contract of `Servers::during`.
        let vector = unsafe { self.raw.as_ref() }.module_config;
        // SAFETY: the core module's server configuration is a core_server_config.
        let core = unsafe {
            sys::ap_get_core_module_config(vector)
                .cast::<sys::core_server_config>()
                .as_ref()
        };
        let list = core.map_or(std::ptr::null_mut(), which);
        // SAFETY: each list of sections is NULL or a live array of configuration vectors.
        unsafe { sections(list, self.of) }
    }

    /// The configuration outside of all sections.
    pub fn defaults(self) -> Option<Section<'c>> {
        // SAFETY: the server is live by the contract of `Servers::during`.
        let vector = unsafe { self.raw.as_ref() }.lookup_defaults;
        NonNull::new(vector.cast()).map(|vector| Section { vector, of: self.of })
    }
}

/// # Safety
/// `list` must be NULL or a live array of configuration vectors of these servers.
unsafe fn sections<'c>(list: *const sys::apr_array_header_t, of: Servers<'c>) -> Vec<Section<'c>> {
    // SAFETY: by this function's contract.
    let Some(array) = (unsafe { list.as_ref() }) else {
        return Vec::new();
    };
    let vectors = array.elts.cast::<*mut c_void>();
    (0..usize::try_from(array.nelts).unwrap_or(0))
        // SAFETY: the array has `nelts` elements, which are configuration vectors.
        .filter_map(|at| NonNull::new(unsafe { *vectors.add(at) }))
        .map(|vector| Section { vector, of })
        .collect()
}

impl<'c> Section<'c> {
    /// The module's settings of this section alone.
    pub fn settings(self) -> RawSettings<'c> {
        // SAFETY: the vector is live by the contract of `Servers::during`.
        let slot = unsafe { slot(self.vector.as_ptr()) };
        // SAFETY: the slot is NULL or holds what the module made for this configuration.
        let config = unsafe { (*slot).cast::<DirConfig<'c>>().as_ref() };
        config.map_or_else(RawSettings::default, |config| config.settings)
    }

    /// The same with those of the `<Files>` and `<If>` in it.
    fn place(self) -> PlaceSettings<'c> {
        PlaceSettings {
            path: self.path(),
            own: self.settings(),
            within: self.settings_within(),
        }
    }

    /// The settings of each `<Files>` and `<If>` in this section, those of an outer one with what it has itself. The
    /// recursion is as deep as the administrator nested the sections.
    fn settings_within(self) -> Vec<RawSettings<'c>> {
        let mut found = Vec::new();
        for section in self.inner() {
            let own = section.settings();
            let inner = section.settings_within();
            found.push(own);
            found.extend(inner.iter().map(|inner| own.overlaid_with(inner)));
        }
        found
    }

    /// Each `<Files>` and `<If>` directly in this section.
    pub(super) fn inner(self) -> Vec<Section<'c>> {
        let lists = self.core().map(|core| [core.sec_file, core.sec_if]);
        // SAFETY: each list of sections is NULL or a live array of configuration vectors.
        let each = |list: *mut _| unsafe { sections(list, self.of) };
        lists.into_iter().flatten().flat_map(each).collect()
    }

    pub(super) fn core(self) -> Option<&'c sys::core_dir_config> {
        let vector = self.vector.as_ptr().cast();
        // SAFETY: the core module's per-directory configuration is a core_dir_config, and lives as long as the section.
        unsafe {
            sys::ap_get_core_module_config(vector)
                .cast::<sys::core_dir_config>()
                .as_ref()
        }
    }

    /// The path of a `<Location>`, unless it is a pattern.
    pub fn path(self) -> Option<&'c str> {
        let core = self.core()?;
        if !core.r.is_null() {
            return None;
        }
        // SAFETY: NULL, or a C string of the configuration.
        unsafe { c_text(core.d) }?.to_str().ok()
    }

    /// Changes the module's settings of this section only. httpd lets virtual hosts share the main server's
    /// configuration, so this replaces it by a changed copy.
    pub fn change(self, body: impl FnOnce(&mut DirConfig<'c>)) {
        // SAFETY: the vector is live by the contract of `Servers::during`.
        let slot = unsafe { slot(self.vector.as_ptr()) };
        // SAFETY: the slot is NULL or holds what the module made for this configuration; one thread uses it.
        let old = unsafe { (*slot).cast::<DirConfig<'c>>().as_ref() };
        let mut config = old.copied().unwrap_or_default();
        body(&mut config);
        let place = self.of.pool.place(config);
        // SAFETY: as above; the copy lives in the configuration's pool like everything that it refers to.
        unsafe { *slot = place.as_ptr().cast() }
    }
}

/// # Safety
/// `first` must be NULL or a node of httpd's configuration tree.
unsafe fn nodes(first: *const sys::ap_directive_t) -> Vec<Node> {
    let mut list = Vec::new();
    let mut at = first;
    // SAFETY: the tree's nodes are live in the configuration phase.
    while let Some(node) = unsafe { at.as_ref() } {
        let text = |text| {
            // SAFETY: NULL, or a C string of the tree.
            unsafe { c_text(text) }.map_or_else(String::new, |t| t.to_string_lossy().into_owned())
        };
        list.push(Node {
            name: text(node.directive),
            args: text(node.args),
            file: text(node.filename),
            line: u32::try_from(node.line_num).unwrap_or(0),
            // SAFETY: as above. The recursion is as deep as the administrator nested the sections, and httpd itself has
            // parsed them recursively.
            children: unsafe { nodes(node.first_child) },
        });
        at = node.next;
    }
    list
}
