//! `oxdctl`: the command line of mod_oxd. It registers a site with oxd, checks a set-up, examines httpd and explains
//! refusals.
//!
//! Each command is a file or a folder; [`cli`] says what may be typed, [`httpd`] what httpd tells of its configuration,
//! [`screen`] is the only one that prints, [`problem`] has the exit statuses. What oxd's API is like and why requests are
//! refused comes from `oxd-core`, which is what runs in httpd.
#![forbid(unsafe_code)]

mod advice;
mod base;
mod check;
mod cli;
mod doctor;
mod explain;
mod files;
mod generated;
mod httpd;
mod key;
mod log;
mod members;
mod oxd;
mod pages;
mod problem;
mod process;
mod profile;
mod reference;
mod register;
mod remove;
mod route;
mod screen;
mod secret_source;
mod site;
mod store;
mod uma;
mod update;

use std::process::ExitCode;

use cli::{Cli, Command};
use screen::Screen;

fn main() -> ExitCode {
    // Before clap, which writes its help and its errors in colours, too.
    screen::settle_colours();
    let cli = Cli::from_arguments();
    let screen = Screen::new(cli.json);
    let outcome = match &cli.command {
        Command::Register(args) => register::run(&screen, args),
        Command::Update(args) => update::run(&screen, args),
        Command::Remove(args) => remove::run(&screen, args),
        Command::Check(args) => match check::run(&screen, args) {
            Ok(true) => Ok(()),
            // The report has said it all.
            Ok(false) => return ExitCode::from(problem::Kind::No.status()),
            Err(problem) => Err(problem),
        },
        Command::Doctor(args) => match doctor::run(&screen, args) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(problem::Kind::No.status()),
            Err(problem) => Err(problem),
        },
        Command::Store(args) => match store::run(&screen, args) {
            Ok(true) => Ok(()),
            Ok(false) => return ExitCode::from(problem::Kind::No.status()),
            Err(problem) => Err(problem),
        },
        Command::Uma(args) => uma::run(&screen, args),
        Command::Pages(args) => pages::run(&screen, args),
        Command::Key(args) => key::run(&screen, args),
        Command::Explain(args) => explain::run(&screen, args),
        Command::Completions(args) => generated::completions(&screen, args),
        Command::Manual(args) => generated::manual(&screen, args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            screen.problem(&problem);
            problem.exit_code()
        }
    }
}
