//! The text of a configuration as directives, each with its place: from httpd's own dump of it (mod_info), or from the
//! files that httpd says it has read.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A larger file is no configuration.
const LARGEST: u64 = 4 * 1024 * 1024;

/// A line of a configuration: a directive, or the beginning or the end of a section.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Its name; a section's begins with `<` or `</`.
    pub name: String,
    /// Its arguments, as written; variables have been replaced.
    pub args: String,
    /// The file.
    pub file: String,
    /// The line there; of one that is continued, the last.
    pub number: u32,
}

/// A file that httpd has read (`DUMP_INCLUDES`).
#[derive(Clone, Debug, PartialEq)]
pub struct Included {
    /// How many files include it.
    pub depth: usize,
    /// The line of the including file.
    pub line: Option<u32>,
    /// The path.
    pub path: PathBuf,
}

/// The list of `DUMP_INCLUDES`.
pub fn included(dump: &str) -> Vec<Included> {
    let lines = dump
        .lines()
        .skip_while(|line| !line.starts_with("Included configuration files"));
    lines
        .skip(1)
        .map_while(|line| {
            let rest = line.trim_start_matches(' ');
            let (number, path) = rest.strip_prefix('(')?.split_once(") ")?;
            let spaces = line.len() - rest.len();
            Some(Included {
                depth: (spaces / 2).saturating_sub(1),
                line: number.parse().ok(),
                path: path.into(),
            })
        })
        .collect()
}

/// The lines of all files, each included one at its place; and the files that could not be read.
pub fn of_files(files: &[Included], variables: &HashMap<String, String>) -> (Vec<Line>, Vec<PathBuf>) {
    let (mut lines, mut unread) = (Vec::new(), Vec::new());
    let mut next = 0;
    while next < files.len() {
        next = add(files, next, variables, &mut lines, &mut unread);
    }
    (lines, unread)
}

/// Adds the file at an index and those that it includes; answers with the index behind them.
fn add(
    files: &[Included],
    at: usize,
    variables: &HashMap<String, String>,
    lines: &mut Vec<Line>,
    unread: &mut Vec<PathBuf>,
) -> usize {
    let file = &files[at];
    let is_below = |other: &&Included| other.depth > file.depth;
    let end = at + 1 + files[at + 1..].iter().take_while(is_below).count();
    let Some(text) = read(&file.path) else {
        unread.push(file.path.clone());
        return end;
    };
    let name = file.path.display().to_string();
    for line in of_text(&text, &name, variables) {
        if !is_include(&line.name) {
            lines.push(line);
            continue;
        }
        for inner in at + 1..end {
            if files[inner].depth == file.depth + 1 && files[inner].line == Some(line.number) {
                add(files, inner, variables, lines, unread);
            }
        }
    }
    end
}

fn is_include(name: &str) -> bool {
    name.eq_ignore_ascii_case("Include") || name.eq_ignore_ascii_case("IncludeOptional")
}

fn read(path: &Path) -> Option<String> {
    let about = std::fs::metadata(path).ok()?;
    if !about.is_file() || about.len() > LARGEST {
        return None;
    }
    let text = std::fs::read(path).ok()?;
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// The lines of a text.
pub fn of_text(text: &str, file: &str, variables: &HashMap<String, String>) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut whole = String::new();
    for (number, part) in (1..).zip(text.lines()) {
        // As httpd: a backslash at the very end goes on in the next line.
        if let Some(part) = part.strip_suffix('\\') {
            whole.push_str(part);
            continue;
        }
        whole.push_str(part);
        lines.extend(line(&std::mem::take(&mut whole), file, number, variables));
    }
    lines
}

/// The lines of httpd's own dump (`DUMP_CONFIG`), which says file and line of each directive in comments.
pub fn of_dump(dump: &str) -> Vec<Line> {
    let (mut file, mut number) = (String::new(), 0);
    let mut lines = Vec::new();
    for text in dump.lines() {
        let text = text.trim();
        if let Some(name) = text.strip_prefix("# In file: ") {
            name.clone_into(&mut file);
        } else if let Some(comment) = text.strip_prefix('#') {
            number = comment.trim().trim_end_matches(':').parse().unwrap_or(number);
        } else {
            lines.extend(line(text, &file, number, &HashMap::new()));
        }
    }
    lines
}

fn line(text: &str, file: &str, number: u32, variables: &HashMap<String, String>) -> Option<Line> {
    let text = text.trim();
    if text.is_empty() || text.starts_with('#') {
        return None;
    }
    let section = text.starts_with('<');
    let text = if section { text.trim_end_matches('>') } else { text };
    let (name, args) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    Some(Line {
        name: name.to_owned(),
        args: replaced(args.trim(), variables),
        file: file.to_owned(),
        number,
    })
}

/// The text with the values of `${NAME}`; unknown ones stay as they are, as with httpd.
pub fn replaced(text: &str, variables: &HashMap<String, String>) -> String {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("${") {
        done.push_str(before);
        match behind.split_once('}') {
            Some((name, after)) => {
                match variables.get(name) {
                    Some(value) => done.push_str(value),
                    None => done.push_str(&format!("${{{name}}}")),
                }
                rest = after;
            }
            None => {
                done.push_str("${");
                rest = behind;
            }
        }
    }
    done.push_str(rest);
    done
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn said(lines: &[Line]) -> Vec<String> {
        let say = |line: &Line| format!("{} {} {}", line.number, line.name, line.args);
        lines.iter().map(say).collect()
    }

    #[test]
    fn included_files_stand_where_they_are_included() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "main.conf",
            "# a comment\nLogLevel warn \\\n  oxd:info\n<VirtualHost *:80>\nInclude sub/*.conf\n</VirtualHost>\nEnd x\n",
        );
        write("a.conf", "ErrorLog ${LOGS}/a.log ${NONE}\nIncludeOptional more\n");
        write("b.conf", "ServerName b\n");
        write("c.conf", "Deep 1\n");
        let root = folder.path().display();
        let dump = format!(
            "Included configuration files:\n  (*) {root}/main.conf\n    (5) {root}/a.conf\n      (2) {root}/c.conf\n    \
             (5) {root}/b.conf\n    (9) {root}/gone.conf\nVirtualHost configuration:\n"
        );
        let files = included(&dump);
        assert_eq!(files.len(), 5);
        let variables = HashMap::from([("LOGS".to_owned(), "/logs".to_owned())]);
        let (lines, unread) = of_files(&files, &variables);
        assert_eq!(
            said(&lines),
            [
                "3 LogLevel warn   oxd:info",
                "4 <VirtualHost *:80",
                "1 ErrorLog /logs/a.log ${NONE}",
                "1 Deep 1",
                "1 ServerName b",
                "6 </VirtualHost ",
                "7 End x",
            ]
        );
        // Of a file that its line does not include, nothing is known.
        assert_eq!(unread, Vec::<PathBuf>::new());
        assert_eq!(included("no list"), []);
    }

    #[test]
    fn httpds_own_dump_has_places_in_comments() {
        let dump = "# In file: /a.conf\n#  14:\n<VirtualHost *:80>\n  #  15:\n  ServerName a\n# In file: /b.conf\n  \
                    #   2:\n  <Location /oxd>\n    #   3:\n    SetHandler oxd\n  </Location>\n</VirtualHost>\n";
        let lines = of_dump(dump);
        assert_eq!(
            said(&lines),
            [
                "14 <VirtualHost *:80",
                "15 ServerName a",
                "2 <Location /oxd",
                "3 SetHandler oxd",
                "3 </Location ",
                "3 </VirtualHost ",
            ]
        );
        assert_eq!(
            (lines[0].file.as_str(), lines[3].file.as_str()),
            ("/a.conf", "/b.conf")
        );
    }
}
