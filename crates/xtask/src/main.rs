//! The tasks of this project that cargo has no command for: `cargo xtask` lists them.

#![forbid(unsafe_code)]

mod book;
mod demo;
mod man;
mod markdown;
mod project;
mod sbom;
mod share;
mod simulate;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use project::root;

/// The tasks of this project that cargo has no command for.
#[derive(Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    disable_help_subcommand = true
)]
enum Task {
    /// Write docs/DIRECTIVES.md from the table of directives in the code
    Docs,
    /// Make the sources of the pages' site, for mdbook
    Book {
        /// The folder, which is made anew
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Check the links of the site that mdbook has made
    BookCheck {
        /// The site's folder
        folder: PathBuf,
    },
    /// Print the manual page mod_oxd(5), made from the same table
    Man {
        /// Write it there instead
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Make what is installed beside the programs: manual pages and completions, as below /usr/share
    Share {
        /// The program, just built: it knows its own options
        #[arg(long, value_name = "PROGRAM")]
        oxdctl: PathBuf,
        /// The folder, which is made anew
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
    /// Write what the programs are made of, as a bill of materials (CycloneDX)
    Sbom {
        /// The file
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The kind of machine that the programs are built for, as cargo names it
        #[arg(long, value_name = "TRIPLE")]
        target: Option<String>,
    },
    /// Build and start httpd with the module, and a sign-in to try
    Demo(demo::Demo),
    /// Simulate many machines that tell each other of logouts (docs/SCALING.md)
    Simulate(simulate::Plan),
}

fn main() -> ExitCode {
    let outcome = match Task::parse() {
        Task::Docs => docs(),
        Task::Book { out } => book::assemble(root(), &out),
        Task::BookCheck { folder } => {
            book::check(&folder).map(|links| println!("{links} links lead somewhere"))
        }
        Task::Man { out: Some(file) } => write(&file, &man::page()),
        Task::Man { out: None } => print(&man::page()),
        Task::Share { oxdctl, out } => share::make(&oxdctl, &out),
        Task::Sbom { out, target } => sbom::document(target.as_deref()).and_then(|text| write(&out, &text)),
        Task::Demo(demo) => demo.run(),
        Task::Simulate(plan) => plan.run(),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn docs() -> Result<(), String> {
    write(
        &root().join("docs/DIRECTIVES.md"),
        &oxd_core::config::directive::reference_page(),
    )
}

fn print(text: &str) -> Result<(), String> {
    let printed = std::io::stdout().write_all(text.as_bytes());
    printed.map_err(|why| format!("cannot print: {why}"))
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|why| format!("{}: {why}", file.display()))
}
