//! Services of the host besides requests: log, randomness, httpd's expressions.

use crate::base::{Level, Random};
use crate::config::Expression;

/// The host of the module during one request. The Apache layer and the tests provide it.
pub trait Host: Random {
    /// The value of a compiled httpd expression for this request, or why it has none.
    fn evaluate(&self, expression: Expression<'_>) -> Result<String, String>;
    /// Whether a line of this level would be written. Ask before building one.
    fn logs(&self, level: Level) -> bool;
    /// Writes a line to the error log. It must hold no secret, token or cookie.
    fn log(&self, level: Level, line: &str);
}
