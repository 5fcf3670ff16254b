//! The module's per-directory configuration, as httpd's configuration vectors hold it.

use std::ffi::c_void;
use std::ptr;

use oxd_core::base::SiteId;
use oxd_core::config::RawSettings;

use super::pool::Pool;
use super::sys;

/// The module's configuration of one location. Plain data, because httpd merges it for each request. `'c` is the
/// lifetime of the pool that the configuration was read into.
#[derive(Clone, Copy, Default)]
pub struct DirConfig<'c> {
    /// The values of the directives.
    pub settings: RawSettings<'c>,
    /// Not a directive: the path of the innermost `<Location>` with `SetHandler oxd`.
    pub handler_base: Option<&'c str>,
    /// Not a directive: what is known of the server as a whole.
    pub server: Option<&'c ServerFacts<'c>>,
    /// Whether any directive was given, here or in an enclosing section.
    pub configured: bool,
}

/// What is known of a server once its whole configuration has been read.
#[derive(Clone, Copy, Debug)]
pub struct ServerFacts<'c> {
    /// Its handlers.
    pub handlers: &'c [Handler<'c>],
    /// The path of the cookie with a session's tokens, where no page wants them.
    pub tokens_path: Option<&'c str>,
}

/// A `<Location>` with `SetHandler oxd`.
#[derive(Clone, Copy, Debug)]
pub struct Handler<'c> {
    /// Its path.
    pub path: &'c str,
    /// The site of its logins.
    pub site: Option<SiteId<'c>>,
}

impl<'c> DirConfig<'c> {
    /// Where a login of this location begins: the own handler, or the server's last one of the same site, or the last.
    pub fn login_base(&self) -> Option<&'c str> {
        self.handler_base.or_else(|| {
            let handlers = self.server?.handlers;
            if let [only] = handlers {
                return Some(only.path);
            }
            let site = self.settings.site_id();
            let mut of_site = handlers.iter().rev().filter(|handler| handler.site == site);
            Some(of_site.next().or(handlers.last())?.path)
        })
    }
}

unsafe extern "C" {
    /// The module structure, which `crate::entry::module` defines.
    static mut oxd_module: sys::module;
}

/// The module's index in httpd's configuration vectors.
fn index() -> usize {
    // SAFETY: httpd sets the index when it loads the module and not afterwards.
    let index = unsafe { (&raw const oxd_module.module_index).read() };
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The module's slot in one of httpd's configuration vectors (of a location or of a request).
///
/// # Safety
/// `vector` must be a live vector: an array with a pointer for each module.
pub(super) unsafe fn slot(vector: *mut c_void) -> *mut *mut c_void {
    // SAFETY: by this function's contract the vector is long enough for the module's index.
    unsafe { vector.cast::<*mut c_void>().add(index()) }
}

/// Creates an empty configuration in a pool; NULL without a pool.
///
/// # Safety
/// `pool` must be NULL or a live pool.
pub unsafe fn create(pool: *mut sys::apr_pool_t) -> *mut c_void {
    // SAFETY: by this function's contract.
    let pool = unsafe { Pool::from_raw(pool) };
    pool.map_or(ptr::null_mut(), |pool| {
        pool.place(DirConfig::default()).as_ptr().cast()
    })
}

/// Merges the configuration of a location with that of a location within it.
///
/// # Safety
/// `outer` and `inner` must come from `create` or this function, with pools that live as long as `pool` or longer.
pub unsafe fn merge(pool: *mut sys::apr_pool_t, outer: *mut c_void, inner: *mut c_void) -> *mut c_void {
    // SAFETY: by this function's contract.
    let pool = unsafe { Pool::from_raw(pool) };
    // SAFETY: by this function's contract; nobody changes a configuration while it is merged.
    let outer = unsafe { &*outer.cast::<DirConfig<'_>>() };
    // SAFETY: as above.
    let inner = unsafe { &*inner.cast::<DirConfig<'_>>() };
    let merged = DirConfig {
        settings: outer.settings.overlaid_with(&inner.settings),
        handler_base: inner.handler_base.or(outer.handler_base),
        server: inner.server.or(outer.server),
        configured: outer.configured || inner.configured,
    };
    pool.map_or(ptr::null_mut(), |pool| pool.place(merged).as_ptr().cast())
}
