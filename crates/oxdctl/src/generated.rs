//! Completions and manual pages, generated from the definitions of the command line.

use std::fs;
use std::path::Path;

use clap::Command;
use clap_complete::Shell as Target;
use clap_mangen::Man;
use serde_json::json;

use crate::cli::{Completions, Manual, Shell, definition, examples_of};
use crate::problem::{EXIT_STATUSES, Outcome, Problem};
use crate::screen::Screen;

const FILES: &str = ".SH FILES\n.TP\noxd\\-site.json\nThe site file that is meant where none is named.\n.TP\n\
                     /etc/apache2/oxd/, /etc/httpd/oxd/\nWhere oxdctl\\-check(1) looks for it, if it is not in the current \
                     folder.\n";

/// `oxdctl completions`
pub fn completions(screen: &Screen, args: &Completions) -> Outcome {
    let (shell, name) = match args.shell {
        Shell::Bash => (Target::Bash, "bash"),
        Shell::Zsh => (Target::Zsh, "zsh"),
        Shell::Fish => (Target::Fish, "fish"),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut definition(), "oxdctl", &mut script);
    let script = String::from_utf8_lossy(&script);
    if screen.json {
        screen.json(json!({"ok": true, "shell": name, "script": script}));
    } else {
        screen.verbatim(&script);
    }
    Ok(())
}

/// `oxdctl manual`
pub fn manual(screen: &Screen, args: &Manual) -> Outcome {
    fs::create_dir_all(&args.out).map_err(|why| Problem::file("cannot_write", &args.out, why))?;
    // Its page would be one about pages.
    let mut whole = definition().disable_help_subcommand(true);
    whole.build();
    let mut written = Vec::new();
    let mut write = |command: &Command, name: &str| -> Outcome {
        let path = args.out.join(format!("{name}.1"));
        let page = page(command, name).map_err(|why| Problem::file("cannot_write", &path, why))?;
        fs::write(&path, page).map_err(|why| Problem::file("cannot_write", &path, why))?;
        written.push(path.display().to_string());
        Ok(())
    };
    write(&whole, "oxdctl")?;
    for command in whole.get_subcommands().filter(|command| !command.is_hide_set()) {
        let name = format!("oxdctl-{}", command.get_name());
        write(command, &name)?;
        for part in command.get_subcommands() {
            write(part, &format!("{name}-{}", part.get_name()))?;
        }
    }
    screen.json(json!({"ok": true, "files": written}));
    for file in written {
        screen.say(Path::new(&file).display().to_string());
    }
    Ok(())
}

fn page(command: &Command, name: &str) -> std::io::Result<Vec<u8>> {
    let man = Man::new(command.clone()).title(name).manual("mod_oxd");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut rest = String::new();
    // "oxdctl-store-check" has the examples of "store check".
    let path: Vec<&str> = name.split('-').skip(1).collect();
    let examples = examples_of(&path);
    if !examples.is_empty() {
        rest.push_str(".SH EXAMPLES\n");
    }
    for (at, (what, line)) in examples.iter().enumerate() {
        // Lines without a word of their own belong to the one before.
        if !what.is_empty() {
            rest.push_str(&format!(".PP\n{}\n.RS 4\n.nf\n", roff(what)));
        }
        rest.push_str(&format!("{}\n", roff(line)));
        if examples.get(at + 1).is_none_or(|(next, _)| !next.is_empty()) {
            rest.push_str(".fi\n.RE\n");
        }
    }
    rest.push_str(".SH \"EXIT STATUS\"\n");
    for (status, meaning) in EXIT_STATUSES {
        rest.push_str(&format!(".TP\n{status}\n{meaning}\n"));
    }
    rest.push_str(FILES);
    page.extend_from_slice(rest.as_bytes());
    Ok(page)
}

/// A line as roff takes it: no escapes, no dash that becomes a hyphen, no dot or quote at its beginning.
fn roff(line: &str) -> String {
    let line = line.replace('\\', "\\e").replace('-', "\\-");
    if line.starts_with(['.', '\'']) {
        format!("\\&{line}")
    } else {
        line
    }
}
