//! Which `SetHandler` a configuration has, to tell those of the server from those of `.htaccess` files.

use std::ffi::c_void;

use super::server::{Section, Server};
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
        let places = self.locations().into_iter().chain(self.directories());
        let mut found = Vec::new();
        for section in self.defaults().into_iter().chain(places) {
            add(section, &mut found);
        }
        found
    }
}

/// The handlers of a section and of those in it. The recursion is as deep as the administrator nested the sections.
fn add(section: Section<'_>, found: &mut Vec<HandlerId>) {
    let own = section.core().map(HandlerId::of);
    found.extend(own.filter(|own| own.is_set()));
    for inner in section.inner() {
        add(inner, found);
    }
}
