use super::*;
use crate::testing::{NOW, everything, stats};

const GAUGES: Gauges = Gauges {
    under_way: 3,
    lost_marks: 0,
    marks: (0, 0),
    feed: None,
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
