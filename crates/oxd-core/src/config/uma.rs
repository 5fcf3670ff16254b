//! The settings of places with `Require oxd-uma` (`OxdUma...`).

use super::resources::Resources;
use crate::base::Seconds;

/// The settings of one location.
#[derive(Clone, Copy, Debug)]
pub struct UmaSettings<'a> {
    /// `OxdUmaResources`
    pub resources: Option<&'a Resources>,
    /// `OxdUmaPath`
    pub path: Option<&'a str>,
    /// `OxdUmaCache`
    pub cache: Seconds,
    /// How many grants are kept at most in one child process (`OxdBearerCache`).
    pub tokens: u32,
    /// Whether the authorization server may ask the user on a page of its own (`OxdUmaClaims gather`).
    pub gathers: bool,
    /// Whether paths that are no resource are open (`OxdUmaUnprotected allow`).
    pub open_elsewhere: bool,
}
