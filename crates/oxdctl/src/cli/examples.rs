//! Examples of each command: one table for the help and the manual pages. A test reads every line as a shell and the
//! program itself would.

use clap::Command;

/// What an example is for, and its line.
pub type Example = (&'static str, &'static str);

const ALL: &[(&[&str], &[Example])] = &[
    (
        &[],
        &[
            (
                "Register a site, make its key, see whether it works",
                "oxdctl register --server https://127.0.0.1:8443 --base https://app.example/oxd",
            ),
            ("", "oxdctl key --out oxd-key"),
            ("", "oxdctl check"),
            ("Find out why a user was refused", "oxdctl explain K7QX-3M2P"),
            (
                "A report on the whole set-up, for a ticket",
                "oxdctl doctor --out report.txt",
            ),
        ],
    ),
    (
        &["register"],
        &[
            (
                "A site whose handler is at /oxd, with the certificate of oxd's machine",
                "oxdctl register --server https://127.0.0.1:8443 --ca-file oxd-server.pem --base https://app.example/oxd",
            ),
            (
                "At another provider than oxd's own, with more scopes",
                "oxdctl register --server https://127.0.0.1:8443 --base https://app.example/oxd --op-host \
                 https://op.example --scope 'openid profile email phone'",
            ),
            (
                "With a client that exists at the provider; its secret is asked for",
                "oxdctl register --server https://127.0.0.1:8443 --base https://app.example/oxd --op-host \
                 https://op.example --client-id 3e1a --client-secret prompt",
            ),
        ],
    ),
    (
        &["update"],
        &[
            (
                "The site has moved",
                "oxdctl update --base https://new.example/oxd --site-file /etc/apache2/oxd/oxd-site.json",
            ),
            (
                "Other scopes",
                "oxdctl update --scope 'openid profile email phone'",
            ),
        ],
    ),
    (
        &["remove"],
        &[
            (
                "Ask, then remove the site; keep its file as oxd-site.json.removed",
                "oxdctl remove",
            ),
            (
                "In a script",
                "oxdctl remove --yes --site-file /etc/apache2/oxd/oxd-site.json",
            ),
        ],
    ),
    (
        &["check"],
        &[
            (
                "The site of this folder, or of /etc/apache2/oxd or /etc/httpd/oxd",
                "oxdctl check",
            ),
            (
                "One of several sites, for a script",
                "oxdctl check --json --site-file /etc/apache2/oxd/oxd-site.json",
            ),
            (
                "Without a site file; the secret is asked for",
                "oxdctl check --server https://127.0.0.1:8443 --oxd-id 5d2c --client-id 3e1a --client-secret prompt \
                 --op-host https://op.example --base https://app.example/oxd",
            ),
        ],
    ),
    (
        &["doctor"],
        &[
            (
                "Every site of httpd's configuration, on the terminal",
                "oxdctl doctor",
            ),
            (
                "The same as a file that can go into a ticket",
                "oxdctl doctor --out report.txt",
            ),
            (
                "An httpd of one's own",
                "oxdctl doctor --httpd /usr/local/apache2/bin/httpd --config /usr/local/apache2/conf/httpd.conf",
            ),
        ],
    ),
    (
        &["uma"],
        &[
            (
                "Register the resources of a file",
                "oxdctl uma protect resources.json",
            ),
            ("Show what is registered", "oxdctl uma show"),
        ],
    ),
    (
        &["uma", "protect"],
        &[
            (
                "Register the resources of a file",
                "oxdctl uma protect resources.json",
            ),
            (
                "In place of those that are registered",
                "oxdctl uma protect /etc/apache2/oxd/resources.json --replace --site-file /etc/apache2/oxd/oxd-site.json",
            ),
        ],
    ),
    (
        &["uma", "check"],
        &[(
            "Which resource a request falls under",
            "oxdctl uma check resources.json /photos/lake.jpg --method PUT",
        )],
    ),
    (
        &["uma", "show"],
        &[(
            "What is registered, as JSON",
            "oxdctl uma show --json --site-file /etc/apache2/oxd/oxd-site.json",
        )],
    ),
    (
        &["store"],
        &[(
            "Check a Redis on this machine",
            "oxdctl store check redis://127.0.0.1:6379",
        )],
    ),
    (
        &["store", "check"],
        &[
            (
                "A Redis on this machine",
                "oxdctl store check redis://127.0.0.1:6379",
            ),
            (
                "With TLS and a user",
                "oxdctl store check rediss://redis.example:6380 --user mod_oxd --password \
                 file:/etc/apache2/oxd/oxd-store.password",
            ),
            (
                "What OxdRevocations needs",
                "oxdctl store check redis://127.0.0.1:6379 --revocations",
            ),
        ],
    ),
    (
        &["pages"],
        &[(
            "A start for templates of one's own",
            "oxdctl pages export /etc/apache2/oxd/pages",
        )],
    ),
    (
        &["pages", "export"],
        &[(
            "The built-in templates, into a new folder",
            "oxdctl pages export /etc/apache2/oxd/pages",
        )],
    ),
    (
        &["key"],
        &[
            (
                "A file for OxdCryptoKey file:",
                "oxdctl key --out /etc/apache2/oxd/oxd-key",
            ),
            ("The key itself", "oxdctl key"),
        ],
    ),
    (
        &["explain"],
        &[
            (
                "The number on the page that a user saw",
                "oxdctl explain K7QX-3M2P",
            ),
            (
                "In a log of its own",
                "oxdctl explain K7QX-3M2P --log /var/log/apache2/app-error.log",
            ),
            (
                "In what another machine sends",
                "ssh web2 cat /var/log/apache2/error.log | oxdctl explain K7QX-3M2P --log -",
            ),
            (
                "What a code means, and what to do",
                "oxdctl explain state_unknown",
            ),
        ],
    ),
    (
        &["completions"],
        &[(
            "For every user of bash",
            "oxdctl completions bash >/usr/share/bash-completion/completions/oxdctl",
        )],
    ),
];

/// The examples of a command, such as `["store", "check"]`; none for one that is hidden.
pub fn of(path: &[&str]) -> &'static [Example] {
    let found = ALL.iter().find(|(command, _)| *command == path);
    found.map_or(&[], |(_, examples)| *examples)
}

/// A command and those below it with their examples at the end of their help.
pub fn add(command: Command, path: &[&str]) -> Command {
    let mut command = command;
    let names: Vec<String> = command
        .get_subcommands()
        .map(|part| part.get_name().to_owned())
        .collect();
    for name in names {
        let below = [path, &[name.as_str()]].concat();
        command = command.mut_subcommand(&name, |part| add(part, &below));
    }
    match of(path) {
        [] => command,
        examples => command.after_help(help(examples)),
    }
}

fn help(examples: &[Example]) -> String {
    let mut text = String::from("Examples:");
    for (what, line) in examples {
        if !what.is_empty() {
            text.push_str(&format!("\n  # {what}"));
        }
        text.push_str(&format!("\n  {line}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::definition;
    use super::*;

    fn below(command: &Command, path: &[String], all: &mut Vec<Vec<String>>) {
        all.push(path.to_vec());
        for part in command.get_subcommands().filter(|part| !part.is_hide_set()) {
            below(part, &[path, &[part.get_name().to_owned()]].concat(), all);
        }
    }

    #[test]
    fn every_command_has_examples_and_every_example_a_command() {
        let mut commands = Vec::new();
        below(&definition(), &[], &mut commands);
        let mut commands: Vec<Vec<&str>> = commands
            .iter()
            .map(|path| path.iter().map(String::as_str).collect())
            .collect();
        let mut with: Vec<Vec<&str>> = ALL.iter().map(|(path, _)| path.to_vec()).collect();
        commands.sort();
        with.sort();
        assert_eq!(commands, with);
    }

    /// What stands behind the last pipe and before a redirection is the program's own command line.
    #[test]
    fn every_example_can_be_typed() {
        for (path, examples) in ALL {
            for (_, line) in *examples {
                let own = line.rsplit(" | ").next().unwrap().split(" >").next().unwrap();
                let words = shlex::split(own).unwrap_or_else(|| panic!("no line of a shell: {line}"));
                let taken = definition().try_get_matches_from(&words);
                let mut taken = &taken.unwrap_or_else(|why| panic!("{line}: {why}"));
                for name in *path {
                    let (found, inner) = taken.subcommand().unwrap_or_else(|| panic!("{line}"));
                    assert_eq!(found, *name, "{line}");
                    taken = inner;
                }
            }
        }
    }
}
