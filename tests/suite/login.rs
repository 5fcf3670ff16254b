//! Signing in and out: what a user meets, what an application gets, what oxd is asked for.

mod login {
    pub(crate) mod calls;
    pub(crate) mod client_auth;
    pub(crate) mod connections;
    pub(crate) mod endpoints;
    pub(crate) mod flow;
    pub(crate) mod identity;
    pub(crate) mod neighbours;
    pub(crate) mod refresh;
    pub(crate) mod refused;
    pub(crate) mod tutorial;
}
