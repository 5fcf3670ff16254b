//! `oxdctl remove`

use std::io::{IsTerminal as _, Write as _};

use oxd_core::oxd::Request as _;
use oxd_core::oxd::commands::remove_site::RemoveSite;
use serde_json::json;

use crate::advice;
use crate::cli::Remove;
use crate::files;
use crate::problem::{Kind, Outcome, Problem};
use crate::route::Link;
use crate::screen::{Screen, plain};
use crate::site::SiteFile;
use crate::update::of_site;

/// Removes a site from oxd.
pub fn run(screen: &Screen, args: &Remove) -> Outcome {
    let file = SiteFile::load(&args.site_file, screen)?;
    let oxd_id = file.oxd_id()?;
    let link = Link::new(args.connection.route(Some(&file))?)?;
    if !args.yes {
        confirm(&format!(
            "Remove the site {} from oxd at {}? Nobody can sign in there any more.",
            plain(oxd_id),
            link.route.address()
        ))?;
    }
    let oxd = of_site(&link, screen, &file)?;
    RemoveSite {}
        .send(&oxd)
        .map_err(|error| advice::problem(&error, &link))?;
    let kept = if args.delete {
        std::fs::remove_file(&file.path)
            .map_err(|why| Problem::file("cannot_write", &file.path, format!("cannot be deleted: {why}")))?;
        None
    } else {
        let kept = files::retire(&file.path)
            .map_err(|why| Problem::file("cannot_write", &file.path, format!("cannot be renamed: {why}")))?;
        Some(kept.display().to_string())
    };
    screen.json(json!({"ok": true, "oxd_id": oxd_id, "site_file": kept}));
    screen.say(format!("The site {} is removed from oxd.", plain(oxd_id)));
    screen.say(match kept {
        Some(kept) => format!(
            "Its client stays at the provider, and can be removed there; what is known of it is in {kept}."
        ),
        None => "Its client stays at the provider, and can be removed there.".to_owned(),
    });
    Ok(())
}

fn confirm(question: &str) -> Outcome {
    if !std::io::stdin().is_terminal() {
        return Err(Problem::usage(
            "there is no terminal to ask on: --yes removes the site without asking",
        ));
    }
    let mut err = std::io::stderr();
    let _ = write!(err, "{question} [y/N] ");
    let _ = err.flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        Ok(())
    } else {
        Err(Problem::new(Kind::No, "answered_no", "nothing is removed"))
    }
}
