//! The configuration: the table of directives, its values, and what `configtest` finds missing.

pub mod check;
pub mod directive;
pub mod settings;
pub mod types;
pub mod value;
