//! Sources of a secret. The command line itself is none, because every user of the machine can read it.

use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;
use std::process::{Command, Stdio};

use oxd_core::base::Secret;

use crate::problem::{Outcome, Problem};

/// The forms that a secret is named in; the first three are those of `OxdClientSecret`.
pub const FORMS: &str = "file:PATH, env:NAME, \"exec:PATH ARGUMENTS\", prompt, or - for standard input";

/// Reads a secret from where a text says.
///
/// Error messages do not repeat the text: it may be the secret itself.
pub fn read(option: &str, source: &str) -> Outcome<Secret> {
    let bad = |why: &str| Problem::usage(format!("{option}: {why}"));
    let found = if let Some(path) = source.strip_prefix("file:") {
        from_file(Path::new(path))?
    } else if let Some(name) = source.strip_prefix("env:") {
        std::env::var(name).map_err(|_| bad(&format!("the environment has no text under the name {name}")))?
    } else if let Some(command) = source.strip_prefix("exec:") {
        from_command(command).map_err(|why| bad(&why))?
    } else if source == "-" {
        from_standard_input().map_err(|why| bad(&format!("standard input: {why}")))?
    } else if source == "prompt" {
        return prompt(option);
    } else {
        return Err(bad(&format!(
            "a secret must not stand on the command line, where every user of this machine can read it: {FORMS}"
        )));
    };
    let found = Secret::new(found);
    if found.expose().is_empty() {
        return Err(bad("it is empty"));
    }
    Ok(found)
}

/// Prompts for a secret on the terminal, without echo.
pub fn prompt(option: &str) -> Outcome<Secret> {
    if !std::io::stdin().is_terminal() {
        return Err(Problem::usage(format!(
            "{option} is needed, and there is no terminal to ask on: {FORMS}"
        )));
    }
    let mut what = option.trim_start_matches('-').replace('-', " ");
    what[..1].make_ascii_uppercase();
    let typed = rpassword::prompt_password(format!("{what}: "))
        .map_err(|why| Problem::usage(format!("{option}: the terminal cannot be read: {why}")))?;
    if typed.is_empty() {
        return Err(Problem::usage(format!("{option}: it is empty")));
    }
    Ok(Secret::new(typed))
}

fn from_file(path: &Path) -> Outcome<String> {
    let text =
        std::fs::read_to_string(path).map_err(|why| Problem::file("secret_file_unreadable", path, why))?;
    Ok(first_line(&text))
}

fn from_standard_input() -> std::io::Result<String> {
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(first_line(&line))
}

/// As httpd does it for the directive: no shell, the first line of what is printed.
fn from_command(command: &str) -> Result<String, String> {
    let mut words = command.split_ascii_whitespace();
    let program = words.next().ok_or("exec: names no command")?;
    let answer = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|why| format!("{program}: {why}"))?;
    if !answer.status.success() {
        return Err(format!("{program} ended with {}", answer.status));
    }
    let text = String::from_utf8(answer.stdout).map_err(|_| format!("{program} printed no text"))?;
    Ok(first_line(&text))
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Kind;

    #[test]
    fn secrets_come_from_files_and_commands() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, b"in the file\nmore\n").unwrap();
        let source = format!("file:{}", file.path().display());
        assert_eq!(read("--x", &source).unwrap().expose(), "in the file");
        assert_eq!(
            read("--x", "exec:/bin/echo said aloud").unwrap().expose(),
            "said aloud"
        );
    }

    #[test]
    fn what_is_no_source_is_refused_and_not_repeated() {
        for source in [
            "hunter2",
            "",
            "FILE:hunter2",
            "exec:",
            "exec:/bin/false",
            "env:NO_SUCH_VARIABLE_HERE",
        ] {
            let problem = read("--client-secret", source).unwrap_err();
            assert_eq!(problem.kind, Kind::Usage, "{source}");
            assert!(
                problem.message.starts_with("--client-secret: "),
                "{}",
                problem.message
            );
            assert!(!problem.message.contains("hunter2"), "{}", problem.message);
        }
        assert_eq!(read("--x", "file:/no/such/file").unwrap_err().kind, Kind::File);
    }
}
