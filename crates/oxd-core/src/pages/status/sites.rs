//! What stands at the head of the status page beside the verdict: what runs here, the sites, and the last failure.

use std::time::{Duration, UNIX_EPOCH};

use serde::Serialize;

use super::ago;
use crate::base::{Reason, Reference, Seconds};
use crate::shm::health::Known;
use crate::shm::stats::Stats;
use crate::shm::stats::metrics::{About, Gauges};

/// A site of the configuration.
#[derive(Serialize)]
pub struct Site {
    /// The virtual host that it belongs to.
    pub host: String,
    /// `oxd_id`
    pub id: String,
    /// `OxdServer`
    pub server: String,
    /// A class of the style sheet: `good`, `bad`, or none.
    pub class: &'static str,
    /// Whether it works.
    pub state: String,
}

/// The last failure that was not a user's own.
#[derive(Serialize)]
pub struct LastFailure {
    /// How long ago, in words.
    pub ago: String,
    /// When, as HTTP writes a date.
    pub date: String,
    /// Its code.
    pub code: &'static str,
    /// Its number, as the user's page has it.
    pub reference: String,
}

/// What runs here, in one line.
pub(super) fn about(about: &About) -> String {
    let About {
        version,
        httpd,
        mpm,
        machine,
    } = about;
    let mut line = format!("mod_oxd {version} in httpd {httpd} ({mpm})");
    if !machine.is_empty() {
        line = format!("{line} on {machine}");
    }
    line
}

pub(super) fn sites(gauges: &Gauges, now: Seconds) -> Vec<Site> {
    let since = |when: Seconds| ago(now.saturating_sub(when));
    let shown = |site: &crate::shm::stats::metrics::SiteState| {
        let checked = site.checked.map(since).unwrap_or_default();
        let (class, state) = match site.known {
            _ if gauges.ready.is_none() => ("", "not checked: there is no SetHandler oxd-health".to_owned()),
            Known::Nothing => ("", "not checked yet".to_owned()),
            Known::Works(_) => ("good", format!("works; checked {checked} ago")),
            Known::Fails(reason, when) => (
                "bad",
                format!("{} for {}; checked {checked} ago", reason.code(), since(when)),
            ),
        };
        Site {
            host: site.host.clone(),
            id: site.id.clone(),
            server: site.server.clone(),
            class,
            state,
        }
    };
    gauges.sites.iter().map(shown).collect()
}

pub(super) fn last_failure(stats: &Stats<'_>, now: Seconds) -> Option<LastFailure> {
    let of = |reason: &Reason| {
        let (when, reference) = stats.last_refusal(*reason)?;
        Some((when, *reason, reference))
    };
    let all = Reason::ALL.iter().filter(|reason| reason.is_trouble());
    let (when, reason, reference): (Seconds, Reason, Reference) =
        all.filter_map(of).max_by_key(|(when, ..)| *when)?;
    let date = UNIX_EPOCH + Duration::from_secs(when.0.min(now.0));
    Some(LastFailure {
        ago: ago(now.saturating_sub(when)),
        date: httpdate::fmt_http_date(date),
        code: reason.code(),
        reference: reference.on_page(),
    })
}
