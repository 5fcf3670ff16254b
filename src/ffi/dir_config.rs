//! The module's configuration of one place, as httpd's configuration vectors hold it.

use oxd_core::config::raw::RawSettings;

use super::sys;

/// The module's configuration of one place. Plain data: httpd merges it for each request.
#[derive(Clone, Copy, Default)]
pub struct DirConfig {
    /// What the directives say.
    pub settings: RawSettings<'static>,
    /// Not a directive: the path of the innermost `<Location>` with `SetHandler oxd`, or of the server's last one.
    pub handler_base: Option<&'static String>,
    /// Whether there was any directive at all, here or outside.
    pub configured: bool,
}

unsafe extern "C" {
    /// The module structure, which `crate::entry::module` defines.
    static mut oxd_module: sys::module;
}

/// The module's place in httpd's configuration vectors.
pub fn index() -> usize {
    // SAFETY: httpd sets the index when it loads the module and not afterwards.
    let index = unsafe { (&raw const oxd_module.module_index).read() };
    usize::try_from(index).unwrap_or(usize::MAX)
}
