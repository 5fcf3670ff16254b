//! The configuration: the table of directives, their values, the settings of a place, and what `configtest` checks.

pub mod check;
pub mod defaults;
pub mod directive;
pub mod raw;
pub mod settings;
pub mod types;
pub mod value;
