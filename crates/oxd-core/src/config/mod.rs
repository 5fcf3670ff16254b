//! The configuration: the table of directives, their values, the settings of a location, and the checks of
//! `configtest`.

pub mod check;
pub mod defaults;
pub mod directive;
pub mod raw;
pub mod settings;
pub mod types;
pub mod value;
