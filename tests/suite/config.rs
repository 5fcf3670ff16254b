//! What `configtest` says, and where a directive may stand.

mod config {
    pub(crate) mod bearer;
    pub(crate) mod contexts;
    pub(crate) mod missing;
    pub(crate) mod values;
}
