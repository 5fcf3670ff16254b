//! `oxdctl uma`: the UMA resources of a site, at oxd and in the file of `OxdUmaResources`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use oxd_core::config::resources::Resources;
use oxd_core::oxd::Request as _;
use oxd_core::oxd::commands::rp::GetRp;
use oxd_core::oxd::commands::uma_check_access::UmaCheckAccess;
use oxd_core::oxd::commands::uma_protect::UmaProtect;
use oxd_core::oxd::{BadAnswer, Error};
use serde_json::{Value, json};

use crate::advice;
use crate::cli::{Connection, SITE_FILE};
use crate::problem::{Kind, Outcome, Problem};
use crate::route::Link;
use crate::screen::{Screen, plain};
use crate::site::SiteFile;
use crate::update::of_site;

/// `oxdctl uma`
#[derive(Args)]
pub struct Uma {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Register the resources of a file (OxdUmaResources) at the provider
    Protect(Protect),
    /// Say which resource a request falls under, and what oxd answers to it
    Check(Check),
    /// Show the resources that are registered
    Show(Show),
}

/// `oxdctl uma protect`
#[derive(Args)]
struct Protect {
    /// The file with the resources
    #[arg(value_name = "RESOURCES")]
    resources: PathBuf,
    /// Replace the resources that are registered. oxd removes the old ones first: if the rest fails, neither are left
    #[arg(long)]
    replace: bool,
    /// The site and the way to oxd.
    #[command(flatten)]
    site: OfSite,
}

/// `oxdctl uma check`
#[derive(Args)]
struct Check {
    /// The file with the resources
    #[arg(value_name = "RESOURCES")]
    resources: PathBuf,
    /// The path of the request
    #[arg(value_name = "PATH")]
    path: String,
    /// The method of the request
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    method: String,
    /// The site and the way to oxd.
    #[command(flatten)]
    site: OfSite,
}

/// `oxdctl uma show`
#[derive(Args)]
struct Show {
    /// The site and the way to oxd.
    #[command(flatten)]
    site: OfSite,
}

#[derive(Args)]
struct OfSite {
    /// The site file
    #[arg(long, value_name = "FILE", default_value = SITE_FILE)]
    site_file: PathBuf,
    /// How to get to oxd.
    #[command(flatten)]
    connection: Connection,
}

impl OfSite {
    fn open(&self, screen: &Screen) -> Outcome<(SiteFile, Link)> {
        let file = SiteFile::load(&self.site_file, screen)?;
        let link = Link::new(self.connection.route(Some(&file))?)?;
        Ok((file, link))
    }
}

/// Runs the command.
pub fn run(screen: &Screen, args: &Uma) -> Outcome {
    match &args.command {
        Command::Protect(args) => protect(screen, args),
        Command::Check(args) => check(screen, args),
        Command::Show(args) => show(screen, args),
    }
}

/// Reads a file of resources, or says what is wrong with it.
pub fn read(path: &PathBuf) -> Outcome<Resources> {
    let text = std::fs::read(path).map_err(|why| Problem::file("resources_unreadable", path, why))?;
    Resources::parse(&text)
        .map_err(|why| Problem::file("resources_invalid", path, format!("is not usable: {why}")))
}

fn protect(screen: &Screen, args: &Protect) -> Outcome {
    // Before oxd is asked: it takes half of what it cannot use.
    let resources = read(&args.resources)?;
    let (file, link) = args.site.open(screen)?;
    let oxd = of_site(&link, screen, &file)?;
    let request = UmaProtect {
        resources: resources.to_json(),
        overwrite: args.replace,
    };
    request
        .send(&oxd)
        .map_err(|error| not_protected(&error, &link, args.replace))?;
    let paths: Vec<&str> = resources.paths().collect();
    screen.json(json!({"ok": true, "resources": paths}));
    screen.say(format!("Registered {} resources:", paths.len()));
    for path in paths {
        screen.say(format!("  {}", plain(path)));
    }
    Ok(())
}

/// What has gone wrong, what state oxd is in then, and what to do.
fn not_protected(error: &Error, link: &Link, replaces: bool) -> Problem {
    let problem = advice::problem(error, link);
    let Some(bad) = advice::refusal(error) else {
        return problem;
    };
    let left = match replaces {
        true => "; what was registered before may be gone, as oxd removes it first: oxdctl uma show tells",
        false => {
            "; nothing that was registered before is changed, but a part of the new ones may be registered"
        }
    };
    match cause_of(bad) {
        Some(advice) => problem.advise(format!("{advice}{left}")),
        None => {
            let advice = problem.advice.clone();
            problem.advise(format!("{advice}{left}"))
        }
    }
}

fn cause_of(bad: &BadAnswer) -> Option<&'static str> {
    Some(match (bad.error.as_str(), bad.status) {
        ("uma_protection_exists", _) => {
            "the site has resources already: oxdctl uma show lists them, --replace puts these in their place"
        }
        ("", 404) => {
            "the provider has lost a resource that oxd remembers, and oxd cannot replace it any more: register the site \
             again (oxdctl register --force)"
        }
        ("invalid_scope_expression", _) => {
            "oxd refuses a scope_expression; on Java 15 and later it refuses every one: use scopes, or run oxd on Java 8 \
             or 11"
        }
        ("internal_error", 500) => {
            "on Java 15 and later oxd answers so to every scope_expression; without one, see oxd's log"
        }
        ("no_uma_discovery_response", _) => {
            "the provider has no UMA: only Gluu's has, among those that oxd knows"
        }
        ("", 400) if bad.description.contains("invalid_scope") => {
            "the provider refuses a scope: a condition without scopes, or scopes that clients may not register"
        }
        _ => return None,
    })
}

fn check(screen: &Screen, args: &Check) -> Outcome {
    let resources = read(&args.resources)?;
    let Some(found) = resources.find(&args.path, &args.method) else {
        return Err(Problem::new(
            Kind::No,
            "no_resource",
            format!("{} {} falls under no resource", args.method, plain(&args.path)),
        )
        .advise("OxdUmaUnprotected decides about such requests; it denies them unless told otherwise"));
    };
    let (file, link) = args.site.open(screen)?;
    let oxd = of_site(&link, screen, &file)?;
    let request = UmaCheckAccess {
        rpt: "",
        path: found.path,
        http_method: found.method,
        scopes: &[],
    };
    let access = request.send(&oxd).map_err(|error| {
        let problem = advice::problem(&error, &link);
        match advice::refusal(&error) {
            Some(bad) if bad.description.contains("not protected") => problem.advise(format!(
                "oxd does not know the path {}: oxdctl uma protect registers the file",
                plain(found.path)
            )),
            _ => problem,
        }
    })?;
    let has_ticket = access.ticket.is_some();
    screen.json(json!({
        "ok": true, "path": found.path, "method": found.method, "access": access.access, "ticket": has_ticket,
    }));
    screen.say(format!(
        "{} {} falls under {} ({}).",
        args.method,
        plain(&args.path),
        plain(found.path),
        found.method
    ));
    screen.say(format!(
        "oxd answers a request without an RPT: {}{}.",
        plain(&access.access),
        if has_ticket {
            ", with a ticket"
        } else {
            ", without a ticket"
        }
    ));
    Ok(())
}

fn show(screen: &Screen, args: &Show) -> Outcome {
    let (file, link) = args.site.open(screen)?;
    let oxd = of_site(&link, screen, &file)?;
    let node = (GetRp {})
        .send(&oxd)
        .map_err(|error| advice::problem(&error, &link))?
        .node;
    let list = node.get("uma_protected_resources").and_then(Value::as_array);
    let list = list.cloned().unwrap_or_default();
    screen.json(json!({"ok": true, "resources": list}));
    if list.is_empty() {
        screen.say("No resources are registered.");
    }
    for resource in &list {
        let texts = |name: &str| {
            let texts = resource[name].as_array().into_iter().flatten();
            texts.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
        };
        screen.say(format!(
            "{:<30} {:<20} {}",
            plain(resource["path"].as_str().unwrap_or_default()),
            plain(&texts("http_methods")),
            plain(&texts("scopes"))
        ));
    }
    Ok(())
}
