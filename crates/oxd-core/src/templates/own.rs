//! `OxdPages`: the administrator's templates. They are read, compiled and tried at start, so that `configtest` finds what
//! is wrong with them.

use std::io;

use minijinja::value::Value;
use minijinja::{Error, UndefinedBehavior};

use super::variables::{self, Sample};
use super::{FILES, STYLE, Templates, Words, environment, policy};
use crate::texts::Language;

/// What the rendering of a page may cost, in the engine's units: an instruction, or 64 bytes of data. A page of ours
/// takes a few hundred, one with a large kept form some ten thousand; a million are done in a fraction of a second.
const FUEL: u64 = 1_000_000;
/// The largest template, in bytes.
const LARGEST: usize = 256 * 1024;
/// Names that the engine knows.
const FUNCTIONS: [&str; 3] = ["style", "t", "range"];

impl Templates {
    /// The templates of a folder, and the built-in ones for those that it lacks. `names` are the folder's files, `read`
    /// reads one.
    ///
    /// # Errors
    ///
    /// One line that names the file, and where known the line in it.
    pub fn of_folder(
        names: &[String],
        read: impl Fn(&str) -> io::Result<Vec<u8>>,
    ) -> Result<Templates, String> {
        let mut environment = environment();
        environment.set_fuel(Some(FUEL));
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        // Whoever can write a template could otherwise have it show a claim as HTML by accident.
        environment.remove_filter("safe");
        let known = || FILES.iter().map(|(name, _)| *name);
        let mut own = Vec::new();
        for name in names
            .iter()
            .filter(|name| !name.starts_with('.') && !name.ends_with('~'))
        {
            if !known().any(|known| known == name) {
                let names = known().collect::<Vec<_>>().join(", ");
                return Err(format!("there is no page {name}; the pages are {names}"));
            }
            let bytes = read(name).map_err(|why| format!("{name}: {why}"))?;
            if bytes.len() > LARGEST {
                return Err(format!("{name}: it is larger than {LARGEST} bytes"));
            }
            let source = String::from_utf8(bytes).map_err(|_| format!("{name}: it is not UTF-8 text"))?;
            own.push((name.as_str(), source));
        }
        let mut styles = vec![STYLE.to_owned()];
        for (name, built_in) in FILES {
            let source = own.iter().find(|(own, _)| own == name).map(|(_, source)| source);
            if let Some(source) = source {
                for block in style_blocks(source) {
                    let rendered = environment.render_str(block, Value::from(())).map_err(|error| {
                        format!("{name}: in <style> only the variable style is known: {error}")
                    })?;
                    styles.push(rendered);
                }
            }
            let source = source.map_or(*built_in, String::as_str);
            environment
                .add_template_owned(*name, source.to_owned())
                .map_err(|error| line(&error))?;
        }
        let policy = policy(" 'self'", styles.iter().map(String::as_str));
        let mut templates = Templates { environment, policy };
        templates.try_all(|name| own.iter().any(|(own, _)| *own == name))?;
        // A page that the samples have missed is better shown with a gap than not at all.
        templates
            .environment
            .set_undefined_behavior(UndefinedBehavior::Lenient);
        Ok(templates)
    }

    /// Renders all pages with sample values: with all that they may show, and with as little as possible.
    fn try_all(&self, is_own: impl Fn(&str) -> bool) -> Result<(), String> {
        let words = Words {
            language: Language::ENGLISH,
            site: "www.example.org",
        };
        for page in variables::PAGES {
            let template = self
                .environment
                .get_template(page.file)
                .map_err(|error| line(&error))?;
            let is_known = |name: &str| FUNCTIONS.contains(&name) || page.has(name);
            let mut unknown: Vec<_> = template.undeclared_variables(false).into_iter().collect();
            unknown.retain(|name| !is_known(name));
            unknown.sort();
            if let Some(name) = unknown.first()
                && is_own(page.file)
            {
                return Err(format!(
                    "{}: there is no variable {name}; docs/PAGES.md has those of each page",
                    page.file
                ));
            }
            for sample in [Sample::Full, Sample::Bare] {
                self.rendered(page.file, words, page.sample(sample))
                    .map_err(|error| line(&error))?;
            }
        }
        Ok(())
    }
}

/// File, line and cause of an error, on one line.
fn line(error: &Error) -> String {
    let cause = error
        .detail()
        .map_or_else(|| error.kind().to_string(), str::to_owned);
    let cause = cause.replace(['\r', '\n'], " ");
    match (error.name(), error.line()) {
        (Some(name), Some(line)) => format!("{name}, line {line}: {cause}"),
        (Some(name), None) => format!("{name}: {cause}"),
        _ => cause,
    }
}

/// What is within the `<style>` elements of a template.
fn style_blocks(source: &str) -> impl Iterator<Item = &str> {
    let lower = source.to_ascii_lowercase();
    let mut blocks = Vec::new();
    let mut at = 0;
    while let Some(found) = lower[at..].find("<style") {
        let Some(open) = lower[at + found..].find('>').map(|end| at + found + end + 1) else {
            break;
        };
        let Some(close) = lower[open..].find("</style").map(|end| open + end) else {
            break;
        };
        blocks.push(&source[open..close]);
        at = close;
    }
    blocks.into_iter()
}
