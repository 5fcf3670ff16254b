//! The identity of a site of oxd.

/// An `oxd_id`: the name of a site at oxd. What a site seals, stores and marks is bound to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SiteId<'a>(pub &'a str);

impl<'a> SiteId<'a> {
    /// The `oxd_id` itself.
    pub fn as_str(self) -> &'a str {
        self.0
    }
}
