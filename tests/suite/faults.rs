//! oxd in trouble: what the user meets, and what stays as it was.

mod faults {
    pub(crate) mod answers;
    pub(crate) mod outage;
    pub(crate) mod proxy;
    pub(crate) mod tls;
    pub(crate) mod tokens;
}
