//! What comes back from the provider, or claims to: callbacks, return addresses, script requests.

mod callbacks {
    pub(crate) mod answers;
    pub(crate) mod replay;
    pub(crate) mod returns;
    pub(crate) mod scripts;
}
