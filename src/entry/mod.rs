//! Entry points for httpd: the module structure, directives, hooks and authorization providers. `extern "C"` only.

pub mod authz;
pub mod hooks;
pub mod module;
