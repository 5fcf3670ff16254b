//! Signing out: here, at the provider, and by the administrator's hand.

mod logout {
    pub(crate) mod accepted;
    pub(crate) mod administrator;
    pub(crate) mod afterlife;
    pub(crate) mod crowd;
    pub(crate) mod frames;
    pub(crate) mod keys;
    pub(crate) mod leaving;
    pub(crate) mod refused;
    pub(crate) mod requests;
    pub(crate) mod tabs;
    pub(crate) mod token;
    pub(crate) mod told;
}
