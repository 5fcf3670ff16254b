//! httpd: the lines for its configuration, and what is running.

pub mod lines;
pub mod log_level;
pub mod running;
pub mod source;
pub mod tree;
