//! `oxdctl update`

use serde_json::{Map, Value, json};

use crate::base::Base;
use crate::cli::Update;
use crate::http::Link;
use crate::oxd::{Oxd, Token};
use crate::problem::{Outcome, Problem};
use crate::screen::Screen;
use crate::site::SiteFile;

/// Changes what a site is registered with.
pub fn run(screen: &Screen, args: &Update) -> Outcome {
    let mut file = SiteFile::load(&args.site_file, screen)?;
    let oxd_id = file.oxd_id()?.to_owned();
    let changes = changes(args, &file)?;
    if changes.is_empty() {
        return Err(Problem::usage(
            "nothing to change is named: see oxdctl update --help for what can be",
        ));
    }
    let link = Link::new(args.connection.way(Some(&file))?)?;
    let oxd = Oxd { link: &link, screen };
    let token = token_of(&oxd, &file)?;
    let mut body = changes.clone();
    body.insert("oxd_id".into(), oxd_id.as_str().into());
    oxd.command(
        "update-site",
        token.as_ref().map(|token| &token.text),
        &Value::Object(body),
    )
    .map_err(|failed| failed.into_problem(&link))?;
    if let Some(base) = &args.base {
        file.remember("base", base.to_string().into());
    }
    if let Some(uris) = changes.get("redirect_uris") {
        file.remember("redirect_uris", uris.clone());
    }
    if let Some(name) = changes.get("client_name") {
        file.set("client_name", name.clone());
    }
    file.remember_way(&link.way);
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

/// The client token for a site, unless the site has no credentials: then oxd may want none.
pub fn token_of(oxd: &Oxd<'_>, file: &SiteFile) -> Outcome<Option<Token>> {
    file.credentials()
        .map(|credentials| oxd.client_token(&credentials))
        .transpose()
        .map_err(|failed| failed.into_problem(oxd.link))
}

fn changes(args: &Update, file: &SiteFile) -> Outcome<Map<String, Value>> {
    let mut changes = args.profile.members()?;
    let remembered = file.remembered("base").and_then(|text| Base::parse(text).ok());
    let base = args.base.as_ref().or(remembered.as_ref());
    if args.base.is_some() || !args.profile.redirect_uri.is_empty() {
        changes.insert("redirect_uris".into(), json!(args.profile.redirect_uris(base)));
    }
    if args.base.is_some() || !args.profile.post_logout_redirect_uri.is_empty() {
        let uris = args.profile.post_logout_redirect_uris(base);
        changes.insert("post_logout_redirect_uris".into(), json!(uris));
    }
    if let Some(base) = &args.base {
        // Not in oxd's published description of update-site; a version that does not know it ignores it.
        let uris = json!([base.below("frontchannel-logout")]);
        changes.insert("client_frontchannel_logout_uris".into(), uris);
    }
    Ok(changes)
}
