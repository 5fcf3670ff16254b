//! Which `SetHandler` a configuration has, to tell those of the server from those of `.htaccess` files.

use std::ffi::c_void;

use super::server::Server;
use super::sys;

/// The address of a parsed `SetHandler`, to tell those of the server's configuration from others. It is only compared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HandlerId(*const c_void);

// SAFETY: the address is only compared, never followed.
unsafe impl Send for HandlerId {}
// SAFETY: as above.
unsafe impl Sync for HandlerId {}

impl HandlerId {
    /// The `SetHandler` of a configuration; since httpd 2.4.13 it is an expression, also where it is a plain word.
    pub(super) fn of(core: &sys::core_dir_config) -> Self {
        if core.expr_handler.is_null() {
            Self(core.handler.cast())
        } else {
            Self(core.expr_handler.cast_const().cast())
        }
    }

    fn is_set(self) -> bool {
        !self.0.is_null()
    }
}

impl Server<'_> {
    /// Every `SetHandler` of this server's configuration, outside of `.htaccess` files.
    pub fn handlers(self) -> Vec<HandlerId> {
        let mut found = Vec::new();
        // SAFETY: the server is live by the contract of `Servers::during`.
        let server = unsafe { self.raw.as_ref() };
        // SAFETY: the core module's server configuration is a core_server_config.
        let core = unsafe {
            sys::ap_get_core_module_config(server.module_config)
                .cast::<sys::core_server_config>()
                .as_ref()
        };
        // SAFETY: configuration vectors of this server.
        unsafe {
            add_handlers(server.lookup_defaults.cast(), &mut found);
            if let Some(core) = core {
                add_all(core.sec_url, &mut found);
                add_all(core.sec_dir, &mut found);
            }
        }
        found
    }
}

/// # Safety
/// `sections` must be NULL or a live array of configuration vectors.
unsafe fn add_all(sections: *const sys::apr_array_header_t, found: &mut Vec<HandlerId>) {
    // SAFETY: by this function's contract.
    let Some(array) = (unsafe { sections.as_ref() }) else {
        return;
    };
    let vectors = array.elts.cast::<*mut c_void>();
    for at in 0..usize::try_from(array.nelts).unwrap_or(0) {
        // SAFETY: the array has `nelts` elements, which are configuration vectors. The recursion is as deep as the
        // administrator nested the sections.
        unsafe { add_handlers(*vectors.add(at), found) };
    }
}

/// # Safety
/// `vector` must be NULL or a live configuration vector.
unsafe fn add_handlers(vector: *mut c_void, found: &mut Vec<HandlerId>) {
    if vector.is_null() {
        return;
    }
    // SAFETY: by this function's contract; the core module's per-directory configuration is a core_dir_config.
    let core = unsafe {
        sys::ap_get_core_module_config(vector.cast())
            .cast::<sys::core_dir_config>()
            .as_ref()
    };
    let Some(core) = core else {
        return;
    };
    let own = HandlerId::of(core);
    if own.is_set() {
        found.push(own);
    }
    // SAFETY: both are NULL or arrays of configuration vectors.
    unsafe {
        add_all(core.sec_file, found);
        add_all(core.sec_if, found);
    }
}
