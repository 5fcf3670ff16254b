//! The command line.

mod check;
mod connection;
mod examples;
mod local;
mod site;
mod value;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::pages::Pages;
use crate::problem::EXIT_STATUSES;
use crate::store::Store;
use crate::uma::Uma;

pub use check::{Check, Doctor};
pub use connection::Connection;
pub use examples::of as examples_of;
pub use local::{Completions, Explain, Key, Manual, Shell};
pub use site::{Profile, Register, Remove, Update};
pub use value::time;

/// The site file that is meant when none is named.
pub const SITE_FILE: &str = "oxd-site.json";

/// The command line of mod_oxd, which signs users in to Apache httpd through oxd.
///
/// Registers a site with oxd, checks whether a set-up works and says what to do where it does not, and explains why
/// a request was refused.
#[derive(Parser)]
#[command(name = "oxdctl", version, max_term_width = 100)]
pub struct Cli {
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Register a site with oxd and write the site file for OxdSite
    ///
    /// Asks oxd to register the site whose handler (SetHandler oxd) is at the address --base, writes oxd's answer to
    /// a file that only its owner can read, and prints the lines for httpd.
    Register(Box<Register>),
    /// Change what a site is registered with
    ///
    /// Sends only what is named. The redirect URIs and post-logout redirect URIs are lists that are sent whole: those
    /// of the base address (--base, or the one that the site file remembers), and those that are named here.
    Update(Box<Update>),
    /// Remove a site from oxd
    ///
    /// The site file is renamed, since it may be the only way left to the client that stays at the provider.
    Remove(Remove),
    /// Check a set-up, and say what to do where it does not work
    ///
    /// Goes the module's way to oxd step by step. Each check is one line: ok, warning, failed or skipped, what was
    /// found, and what to do. Checks that cannot run because of an earlier one are skipped.
    Check(Box<Check>),
    /// Check httpd's running configuration, and all that a login needs, into one report
    ///
    /// Asks httpd (apache2ctl) for its configuration, finds the sites in it, and goes from the module and its
    /// directives through oxd to the start of a login at this httpd. The report holds no secret: it can go into a
    /// ticket.
    Doctor(Box<Doctor>),
    /// Register, check and show the UMA resources of a site
    ///
    /// Pages at places with Require oxd-uma are resources of their owners at the provider.
    Uma(Box<Uma>),
    /// Check the Redis store of sessions
    ///
    /// Goes the module's way to the servers of OxdSessionStore redis:// step by step.
    Store(Box<Store>),
    /// Write the built-in templates of the pages, as a start for OxdPages
    ///
    /// Each page that users see is a template.
    Pages(Pages),
    /// Make a key for OxdCryptoKey
    ///
    /// 32 random bytes in base64. Without --out the key itself is printed.
    Key(Key),
    /// Explain why a request was refused, from its reference number, or a reason code
    ///
    /// The reference number stands on the page that the user saw, and in the line of httpd's error log.
    Explain(Explain),
    /// Print a shell's completions for oxdctl
    Completions(Completions),
    /// Write the manual pages into a folder
    #[command(hide = true)]
    Manual(Manual),
}

impl Cli {
    /// The command line of this process; ends the process where it cannot be used.
    pub fn from_arguments() -> Self {
        let matches = definition().get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|why| why.exit())
    }
}

/// The definition of the command line, with the examples of each command in its help.
pub fn definition() -> clap::Command {
    let whole = examples::add(Cli::command(), &[]);
    let examples = whole.get_after_help().cloned().unwrap_or_default();
    whole.after_help(format!("{examples}\n\n{}", exit_statuses()))
}

fn exit_statuses() -> String {
    let mut text = String::from("Exit status:");
    for (status, meaning) in EXIT_STATUSES {
        text.push_str(&format!("\n  {status}  {meaning}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_are_consistent() {
        definition().debug_assert();
    }
}
