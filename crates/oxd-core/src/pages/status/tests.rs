use super::*;
use crate::base::Reference;
use crate::shm::health::{Known, Readiness};
use crate::shm::stats::metrics::{About, SiteState};
use crate::testing::{NOW, everything, stats};

const GAUGES: Gauges = Gauges {
    under_way: 3,
    lost_marks: 0,
    marks: (0, 0),
    feed: None,
    ready: Some(Readiness {
        sites: 1,
        unknown: 0,
        failing: Vec::new(),
        checked: None,
    }),
    sites: Vec::new(),
    about: About {
        version: "1.2.3",
        httpd: String::new(),
        mpm: String::new(),
        machine: String::new(),
    },
};

#[test]
fn the_automatic_form_has_names_and_numbers_only() {
    let stats = stats();
    everything(&stats);
    let text = auto(&stats, &GAUGES, NOW);
    for line in text.lines() {
        let (name, value) = line.split_once(": ").unwrap();
        assert!(name.starts_with("Oxd") && value.parse::<u64>().is_ok(), "{line}");
    }
    assert!(text.contains("OxdLoginsBegun: 1\n") && text.contains("OxdSecondsCounted: 60\n"));
}

#[test]
fn the_page_has_something_to_say_of_everything() {
    let stats = stats();
    everything(&stats);
    let html = crate::pages::status_page("s", "/status", None, None, &shown(&stats, &GAUGES, NOW)).html;
    for reason in Reason::ALL {
        assert!(html.contains(reason.code()), "{}", reason.code());
    }
    for command in Command::ALL {
        assert!(html.contains(command.name()), "{}", command.name());
    }
    assert!(!html.contains("NaN") && !html.contains("<form"));
    let section = section(&stats, &GAUGES, NOW);
    assert!(section.contains("failed in the last 15 minutes") && section.contains("OxdLoginsBegun: 1<"));
}

#[test]
fn every_line_of_the_automatic_form_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/MONITORING.md");
    let page = std::fs::read_to_string(path).unwrap();
    let text = auto(&stats(), &GAUGES, NOW);
    for line in text.lines() {
        let (name, _) = line.split_once(": ").unwrap();
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_head_names_machine_sites_and_the_last_failure() {
    let stats = stats();
    let reference = Reference::of_word(u64::from_be_bytes(*b"K7Q10M2P"));
    stats.refused_last(Reason::LoginRequired, NOW, &Reference::of_word(0));
    assert!(shown(&stats, &GAUGES, NOW).last.is_none(), "a user's own is none");
    stats.refused_last(Reason::StoreUnavailable, NOW - 900, &Reference::of_word(0));
    stats.refused_last(Reason::OxdTimeout, NOW - 240, &reference);
    let site = |id: &str, known| SiteState {
        host: "app.example.org".to_owned(),
        id: id.to_owned(),
        server: "https://oxd".to_owned(),
        known,
        checked: Some(NOW - 4),
    };
    let mut gauges = Gauges {
        sites: vec![
            site("one", Known::Works(NOW - 60)),
            site("two", Known::Fails(Reason::OxdUnreachable, NOW - 240)),
            site("<three>", Known::Nothing),
        ],
        ..GAUGES
    };
    gauges.about.machine = "web1".to_owned();
    let html = crate::pages::status_page("s", "/s", None, None, &shown(&stats, &gauges, NOW)).html;
    for part in [
        "mod_oxd 1.2.3 in httpd",
        " on web1",
        "Last failure: 4 min ago (Fri, 15 Jan 2027 07:56:00 GMT), <code>oxd_timeout</code>, number <code>K7Q1-0M2P</code>",
        "<td class=\"good\">works; checked 4 s ago</td>",
        "<td class=\"bad\">oxd_unreachable for 4 min; checked 4 s ago</td>",
        "&lt;three&gt;",
        "not checked yet",
    ] {
        assert!(html.contains(part), "{part} in {html}");
    }
    gauges.ready = None;
    let html = crate::pages::status_page("s", "/s", None, None, &shown(&stats, &gauges, NOW)).html;
    assert_eq!(
        html.matches("not checked: there is no SetHandler oxd-health")
            .count(),
        3
    );
}
