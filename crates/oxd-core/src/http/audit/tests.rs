use std::fs;

use serde_json::Value;

use super::*;
use crate::base::LONGEST_LINE;
use crate::config::RawSettings;
use crate::testing::{Browser, Trail, site};

/// The lines that `act` writes at a site with these settings.
fn lines_of(user: AuditUser, act: impl FnOnce(&mut Browser<'_>)) -> Vec<Value> {
    let (site, trail) = (site("site"), Trail::default());
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        audit_log: Some(Some(&trail)),
        audit_user: Some(user),
        ..RawSettings::default()
    });
    act(&mut browser);
    let lines = trail.lines.into_inner().unwrap();
    let read = |line: &String| {
        assert!(
            line.ends_with("}\n") && line.matches('\n').count() == 1,
            "{line:?}"
        );
        assert!(line.is_ascii() && line.len() <= LONGEST_LINE, "{line:?}");
        serde_json::from_str(line).unwrap()
    };
    lines.iter().map(read).collect()
}

fn whole<'e>() -> Event<'e> {
    let texts = "\u{1f600}\"\\\u{1b}[0m\n\u{e9}\u{202e}".repeat(1_000);
    Event::new(Kind::Admin, "code")
        .about(Who {
            sub: Some(texts.clone().into()),
            session: Some([7; 16]),
            provider_session: Some(u64::MAX),
        })
        .by(End::FrontChannel)
        .at_rule(Some(texts.clone()))
        .with_acr(Some(texts.into()))
}

#[test]
fn the_longest_line_goes_through_a_pipe_in_one_piece() {
    let reference = Reference::new(&crate::base::SystemRandom);
    let lines = lines_of(AuditUser::Sub, |browser| {
        browser.headers.user_agent = Some("\u{1f600}\"\r\n".repeat(2_000).leak());
        browser.headers.traceparent = Some("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        browser.user = Some("\u{7f}\u{9b}admin".repeat(500));
        let target = format!("/{}", "%C3%A9\"".repeat(2_000));
        browser.look(&target, |ctx| ctx.audit(|| whole().found_by(Some(&reference))));
    });
    let names: Vec<_> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
    let mut wanted = FIELDS.to_vec();
    wanted.sort_unstable();
    assert_eq!(names, wanted, "every field has a value here");
    let agent = lines[0]["agent"].as_str().unwrap();
    assert!(
        agent.starts_with("\u{1f600}\"\r\n\u{1f600}") && agent.ends_with("..."),
        "{agent}"
    );
}

#[test]
fn a_user_is_named_as_the_directive_says() {
    let sub = |user| {
        let who = || Who {
            sub: Some("alice".into()),
            ..Who::default()
        };
        let write = |browser: &mut Browser<'_>| {
            browser.look("/", |ctx| ctx.audit(|| Event::new(Kind::Login, "c").about(who())));
        };
        lines_of(user, write)[0].get("sub").cloned()
    };
    assert_eq!(sub(AuditUser::Sub), Some("alice".into()));
    assert_eq!(sub(AuditUser::None), None);
    let hash = sub(AuditUser::Hash).unwrap();
    assert_eq!(hash.as_str().unwrap().len(), 22);
    assert_eq!(sub(AuditUser::Hash), Some(hash), "always the same");
}

#[test]
fn a_text_is_cut_where_its_room_ends() {
    let cut = |text: &'static str, room| cut(text.into(), room).into_owned();
    assert_eq!(cut("0123456789", 10), "0123456789");
    assert_eq!(cut("0123456789a", 10), "0123456...");
    assert_eq!(cut("\u{e9}\u{e9}", 12), "\u{e9}\u{e9}");
    assert_eq!(cut("\u{e9}\u{e9}", 11), "\u{e9}...");
    assert_eq!(cut("\"\"\"", 5), "\"...");
}

#[test]
fn a_line_that_is_lost_is_counted_and_told_once_a_minute() {
    let trail = Trail::default();
    trail.is_full.store(true, Ordering::Relaxed);
    let site = site("site");
    let mut browser = Browser::at(RawSettings {
        site: Some(&site),
        audit_log: Some(Some(&trail)),
        ..RawSettings::default()
    });
    let told = |browser: &Browser<'_>| browser.log.0.borrow().len();
    let write = |browser: &Browser<'_>| {
        browser.look("/", |ctx| ctx.audit(|| Event::new(Kind::Login, "c")));
    };
    write(&browser);
    write(&browser);
    assert_eq!(told(&browser), 1);
    assert!(browser.log.0.borrow()[0].contains("OxdAuditLog audit.log: a line is lost"));
    browser.now.0 += 60;
    write(&browser);
    assert_eq!(told(&browser), 2);
    trail.is_full.store(false, Ordering::Relaxed);
    write(&browser);
    assert_eq!(told(&browser), 2);
    let counted = [Audit::Lost, Audit::Written].map(|what| browser.stats.audit_lines(what));
    assert_eq!(counted, [3, 1]);
}

#[test]
fn without_a_trail_no_event_is_made() {
    let site = site("site");
    let browser = Browser::at(RawSettings {
        site: Some(&site),
        ..RawSettings::default()
    });
    browser.look("/", |ctx| ctx.audit(|| panic!("an event")));
}

#[test]
fn who_signs_in_and_out_is_written_down() {
    let lines = lines_of(AuditUser::Sub, |browser| {
        browser.log_in("/app");
        browser.get("/oxd/callback?state=x&error=access_denied");
        browser.get("/oxd/logoutme");
        browser.get("/oxd/logoutme");
    });
    let told = |line: &Value| {
        let [event, code, sub, by] =
            ["event", "code", "sub", "by"].map(|name| line[name].as_str().unwrap_or("-").to_owned());
        format!("{event} {code} {sub} {by}")
    };
    assert_eq!(
        lines.iter().map(told).collect::<Vec<_>>(),
        [
            "login login_done alice -",
            "login_refused access_denied - -",
            "logout signed_out alice user"
        ]
    );
    assert_eq!(lines[0]["session"], lines[2]["session"]);
    assert_eq!(lines[0]["time"], "2027-01-15T08:00:00.000Z");
    assert_eq!(lines[0]["address"], "192.0.2.7");
}

/// The first cells of the rows of a table, without the marks of code.
fn rows<'p>(page: &'p str, heading: &str) -> Vec<&'p str> {
    let section = page
        .split(&format!("\n## {heading}\n"))
        .nth(1)
        .expect("a section");
    let section = section.split("\n## ").next().unwrap_or_default();
    let cell = |line: &'p str| line.strip_prefix("| `")?.split('`').next();
    section.lines().filter_map(cell).collect()
}

#[test]
fn the_documentation_lists_these_events_and_fields() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/AUDIT.md");
    let page = fs::read_to_string(path).unwrap();
    let kinds: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(rows(&page, "Events"), kinds);
    assert_eq!(rows(&page, "Fields"), FIELDS);
}
