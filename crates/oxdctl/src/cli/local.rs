//! The commands that need no oxd: key, explain, completions, manual.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `oxdctl key`
#[derive(Args)]
pub struct Key {
    /// Write the key to this new file, readable by its owner alone
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `oxdctl explain`
#[derive(Args)]
pub struct Explain {
    /// A reference number (XXXX-XXXX), or a reason code such as state_unknown
    #[arg(value_name = "REFERENCE|CODE")]
    pub what: String,
    /// A log to look in, also one that is compressed (.gz), - for standard input (repeat) [default: the error logs of
    /// httpd's configuration and of the usual folders, rotated ones too, and journald]
    #[arg(long, value_name = "FILE")]
    pub log: Vec<PathBuf>,
}

/// `oxdctl completions`
#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub shell: Shell,
}

/// The shells that completions are made for.
#[derive(Clone, Copy, ValueEnum)]
pub enum Shell {
    /// Bash
    Bash,
    /// Zsh
    Zsh,
    /// fish
    Fish,
}

/// `oxdctl manual`
#[derive(Args)]
pub struct Manual {
    /// The folder
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
}
