//! The settings of places, as httpd merges them for a request.

use oxd_core::base::path_below;
use oxd_core::config::RawSettings;

/// The settings at the path of a `<Location>`, from the sections without a pattern.
pub fn settings_at<'c>(
    locations: impl Iterator<Item = (Option<&'c str>, RawSettings<'c>)>,
    outer: RawSettings<'c>,
    path: &str,
) -> RawSettings<'c> {
    let encloses = |base: &str| path_below(base, path).is_some();
    locations
        .filter(|(base, _)| base.is_some_and(encloses))
        .fold(outer, |settings, (_, own)| settings.overlaid_with(&own))
}
