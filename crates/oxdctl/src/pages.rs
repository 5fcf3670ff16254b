//! `oxdctl pages`

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use oxd_core::templates::FILES;
use serde_json::json;

use crate::files;
use crate::httpd::lines::directive;
use crate::problem::{Outcome, Problem};
use crate::screen::Screen;

/// `oxdctl pages`
#[derive(Args)]
pub struct Pages {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the built-in templates into a folder, as a start for OxdPages
    Export(Export),
}

/// `oxdctl pages export`
#[derive(Args)]
struct Export {
    /// The folder, which is made if there is none; files that are there already are left alone
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

/// Runs the command.
pub fn run(screen: &Screen, args: &Pages) -> Outcome {
    let Command::Export(Export { folder }) = &args.command;
    fs::create_dir_all(folder).map_err(|why| Problem::file("cannot_write", folder, why))?;
    // All or nothing: half of the built-in templates beside somebody's own would be a puzzle.
    for (name, _) in FILES {
        let path = folder.join(name);
        if path.symlink_metadata().is_ok() {
            return Err(files::exists(&path).advise("name another folder, or move the files away"));
        }
    }
    for (name, source) in FILES {
        let path = folder.join(name);
        // As above, for a file that has come in between.
        let written = fs::File::create_new(&path).and_then(|mut file| file.write_all(source.as_bytes()));
        written.map_err(|why| Problem::file("cannot_write", &path, why))?;
    }
    let names: Vec<_> = FILES.iter().map(|(name, _)| *name).collect();
    let folder = files::absolute(folder).display().to_string();
    screen.json(json!({"ok": true, "folder": folder, "files": names}));
    screen.say(directive("OxdPages", &folder));
    Ok(())
}
