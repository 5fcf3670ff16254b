//! Where httpd enters: the module structure, its directives, hooks and authorization providers. `extern "C"` only.

pub mod authz;
pub mod hooks;
pub mod module;
