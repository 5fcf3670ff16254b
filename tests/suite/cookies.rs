//! Session cookies: what is in a browser's hands is hostile.

mod cookies {
    pub(crate) mod chunks;
    pub(crate) mod directives;
    pub(crate) mod hostile;
    pub(crate) mod keys;
    pub(crate) mod lifetime;
    pub(crate) mod tokens;
}
