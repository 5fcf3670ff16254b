//! `oxdctl update`

use oxd_core::oxd::Request as _;
use oxd_core::oxd::commands::register_site::SiteProfile;
use oxd_core::oxd::commands::update_site::UpdateSite;
use serde_json::{Value, json};

use crate::advice;
use crate::base::Base;
use crate::cli::Update;
use crate::members;
use crate::oxd::Oxd;
use crate::problem::{Outcome, Problem};
use crate::route::Link;
use crate::screen::Screen;
use crate::site::SiteFile;

/// Changes what a site is registered with.
pub fn run(screen: &Screen, args: &Update) -> Outcome {
    for note in args.base.iter().flat_map(Base::notes) {
        screen.note(note);
    }
    let mut file = SiteFile::load(&args.site_file, screen)?;
    let oxd_id = file.oxd_id()?.to_owned();
    let profile = changes(args, &file)?;
    let request = UpdateSite {
        profile,
        others: members::object(&args.profile.set),
    };
    let changes = request.members();
    if changes.is_empty() {
        return Err(Problem::usage(
            "nothing to change is named: see oxdctl update --help for what can be",
        ));
    }
    let link = Link::new(args.connection.route(Some(&file))?)?;
    let oxd = of_site(&link, screen, &file)?;
    request
        .send(&oxd)
        .map_err(|error| advice::problem(&error, &link))?;
    if let Some(base) = &args.base {
        file.remember("base", base.to_string().into());
    }
    if let Some(uris) = changes.get("redirect_uris") {
        file.remember("redirect_uris", uris.clone());
    }
    if let Some(auth) = &args.profile.client_auth {
        file.remember("client_auth", auth.to_string().into());
    }
    if let Some(name) = changes.get("client_name") {
        file.set("client_name", name.clone());
    }
    file.remember_route(&link.route);
    file.remember_registered(&changes);
    file.save()?;
    screen.json(json!({"ok": true, "oxd_id": oxd_id, "changed": changes}));
    screen.say(format!("The site {oxd_id} is changed:"));
    for (name, value) in &changes {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Array(list) => list
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(" "),
            other => other.to_string(),
        };
        screen.say(format!("  {name:<25} {text}"));
    }
    Ok(())
}

/// oxd for commands about a site, with a client token unless the site has no credentials: then oxd may want none.
pub fn of_site<'a>(link: &'a Link, screen: &'a Screen, file: &SiteFile) -> Outcome<Oxd<'a>> {
    let mut oxd = Oxd::new(link, screen);
    oxd.oxd_id = Some(file.oxd_id()?.to_owned());
    if let Some(credentials) = file.credentials() {
        oxd.authenticate(&credentials)
            .map_err(|error| advice::problem(&error, link))?;
    }
    Ok(oxd)
}

fn changes(args: &Update, file: &SiteFile) -> Outcome<SiteProfile> {
    let mut changes = args.profile.named()?;
    let remembered = file.remembered("base").and_then(|text| Base::parse(text).ok());
    let base = args.base.as_ref().or(remembered.as_ref());
    if args.base.is_some() || !args.profile.redirect_uri.is_empty() {
        changes.redirect_uris = args.profile.redirect_uris(base);
    }
    if args.base.is_some() || !args.profile.post_logout_redirect_uri.is_empty() {
        changes.post_logout_redirect_uris = args.profile.post_logout_redirect_uris(base);
    }
    if let Some(base) = &args.base {
        changes.client_frontchannel_logout_uris = vec![base.below("frontchannel-logout")];
    }
    Ok(changes)
}
