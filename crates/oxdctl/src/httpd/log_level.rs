//! Which lines of the module httpd writes into its error log.

use oxd_core::base::Level;

use super::tree::Directive;

/// The names of httpd's levels, the gravest first.
const NAMES: [&str; 16] = [
    "emerg", "alert", "crit", "error", "warn", "notice", "info", "debug", "trace1", "trace2", "trace3",
    "trace4", "trace5", "trace6", "trace7", "trace8",
];
/// `warn`, where nothing is said.
const DEFAULT: usize = 4;

/// The level from which on the module's lines are written.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLevel {
    level: usize,
    /// The directive that says it.
    pub at: Option<String>,
}

impl LogLevel {
    /// The level of one server: what its own `LogLevel` says of the module or of all, or else the main server's.
    pub fn of(directives: &[Directive], host: Option<usize>) -> Self {
        let of_server = |host: Option<usize>| {
            let own = directives
                .iter()
                .filter(|one| one.is("LogLevel") && one.host == host && one.section.is_none());
            own.fold((None, None), |so_far, one| read(one, so_far))
        };
        let main = of_server(None);
        // As httpd merges servers: a host's level for all takes back the main server's levels of single modules.
        let (all, module) = match host {
            None => main,
            Some(_) => {
                let own = of_server(host);
                let module = own.1.or(if own.0.is_some() { None } else { main.1 });
                (own.0.or(main.0), module)
            }
        };
        module.or(all).unwrap_or(Self {
            level: DEFAULT,
            at: None,
        })
    }

    /// The name of the level.
    pub fn name(&self) -> &'static str {
        NAMES[self.level]
    }

    /// How many levels are written.
    pub fn depth(&self) -> usize {
        self.level
    }

    /// Whether lines of this level are written.
    pub fn shows(&self, level: Level) -> bool {
        let wanted = name(level);
        NAMES.iter().position(|name| *name == wanted) <= Some(self.level)
    }
}

/// The name of a level of the module, as `LogLevel` has it.
pub fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warn",
        Level::Notice => "notice",
        Level::Info => "info",
        Level::Debug => "debug",
    }
}

type Read = (Option<LogLevel>, Option<LogLevel>);

fn read(directive: &Directive, so_far: Read) -> Read {
    let (mut all, mut module) = so_far;
    for word in directive.words() {
        let (name, level) = word.split_once(':').unwrap_or(("", &word));
        let Some(level) = NAMES.iter().position(|known| known.eq_ignore_ascii_case(level)) else {
            continue;
        };
        let said = Some(LogLevel {
            level,
            at: Some(directive.at.clone()),
        });
        match name {
            // A level for all takes those of single modules back.
            "" => (all, module) = (said, None),
            "oxd" | "oxd_module" | "mod_oxd.c" => module = said,
            _ => {}
        }
    }
    (all, module)
}

#[cfg(test)]
mod tests {
    use super::super::source::of_text;
    use super::super::tree::{Conditions, directives};
    use super::*;
    use std::collections::HashMap;

    fn level(text: &str, host: Option<usize>) -> &'static str {
        let lines = of_text(text, "f", &HashMap::new());
        let conditions = Conditions {
            modules: &[],
            defined: &|_| false,
        };
        LogLevel::of(&directives(&lines, &conditions), host).name()
    }

    #[test]
    fn the_modules_own_level_counts_before_the_one_for_all() {
        let host = "<VirtualHost *:80>\nLINE\n</VirtualHost>\n";
        for (main, own, expected) in [
            ("", "", "warn"),
            ("LogLevel info", "", "info"),
            ("LogLevel warn oxd:info", "", "info"),
            ("LogLevel oxd:info\nLogLevel error", "", "error"),
            ("LogLevel warn oxd:info", "LogLevel debug", "debug"),
            ("LogLevel warn", "LogLevel mod_oxd.c:Debug", "debug"),
            ("LogLevel info ssl:debug", "", "info"),
        ] {
            let text = format!("{main}\n{}", host.replace("LINE", own));
            assert_eq!(level(&text, Some(0)), expected, "{text}");
        }
        assert_eq!(level("LogLevel notice", None), "notice");
    }

    #[test]
    fn graver_lines_are_written_too() {
        let info = LogLevel { level: 6, at: None };
        assert!(info.shows(Level::Error) && info.shows(Level::Info) && !info.shows(Level::Debug));
        let warn = LogLevel { level: 4, at: None };
        assert!(warn.shows(Level::Warning) && !warn.shows(Level::Notice));
    }
}
