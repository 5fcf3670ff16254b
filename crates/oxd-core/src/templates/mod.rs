//! The templates of the HTML pages, built in and the administrator's (`OxdPages`), and the engine that renders them.
//! Everything that a template shows is escaped.

mod own;
mod variables;

pub use variables::{COMMON, PAGES, Variable, Variables};

use std::fmt;
use std::sync::LazyLock;

use base64_simd::STANDARD;
use minijinja::value::{Kwargs, Serde, Value};
use minijinja::{
    AutoEscape, Environment, Error, ErrorKind, Output, State, context, filters, functions,
    tests as conditions,
};
use serde::Serialize;

use crate::texts::{Language, Part};

/// The style of all pages, inline so that a page depends on no other request.
const STYLE: &str = include_str!("../../templates/style.css");
/// Further styles of the status page, to keep the other pages small.
const STATUS_STYLE: &str = include_str!("../../templates/status.css");

macro_rules! built_in {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../templates/", $name)))),*] };
}

/// The built-in templates that `OxdPages` can replace, by the names of their files.
pub const FILES: &[(&str, &str)] = built_in![
    "frame.html",
    "signed_out.html",
    "signed_in.html",
    "error.html",
    "kept_form.html",
    "onward.html",
    "logout_noted.html",
];
/// The status page and its question, which are the module's own.
const STATUS: &[(&str, &str)] = built_in!["status.html", "status_ask.html"];

/// Compiled templates.
pub struct Templates {
    environment: Environment<'static>,
    /// The Content-Security-Policy of their pages, without `frame-ancestors`.
    policy: String,
}

/// The words that every page may need, whatever it shows.
#[derive(Clone, Copy, Debug)]
pub struct Words<'w> {
    /// The language of the page.
    pub language: Language,
    /// The site's name.
    pub site: &'w str,
}

impl Templates {
    /// The built-in ones. They are compiled once, before httpd forks its children.
    pub fn built_in() -> &'static Templates {
        static BUILT_IN: LazyLock<Templates> = LazyLock::new(|| {
            let mut environment = environment();
            for (name, source) in FILES.iter().chain(STATUS) {
                // One that does not compile would be missing, and the tests render all of them.
                let _ = environment.add_template(name, source);
            }
            let policy = policy("", [STYLE, STATUS_STYLE]);
            Templates { environment, policy }
        });
        &BUILT_IN
    }

    /// Renders a template.
    ///
    /// # Errors
    ///
    /// One line with the cause and the place in the template.
    pub fn render(&self, name: &str, words: Words<'_>, values: impl Serialize) -> Result<String, String> {
        self.rendered(name, words, Value::from(Serde(values)))
            .map_err(|error| error.to_string())
    }

    fn rendered(&self, name: &str, words: Words<'_>, values: Value) -> Result<String, Error> {
        let Words { language, site } = words;
        let common = context! {
            lang => language.code(),
            dir => language.direction(),
            site => site,
            home => HOME,
            t => translator(language),
        };
        self.environment
            .get_template(name)?
            .render(context! { ..common, ..values })
    }

    /// The Content-Security-Policy of the pages: no script, and only their own styles.
    pub fn policy(&self) -> &str {
        &self.policy
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templates")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// The way home.
const HOME: &str = "/";

/// The policy for pages with these style blocks. `sources` goes into each directive that allows something.
fn policy<'s>(sources: &str, styles: impl IntoIterator<Item = &'s str>) -> String {
    let mut policy = format!("default-src 'none'; style-src{sources}");
    for style in styles {
        let digest = ring::digest::digest(&ring::digest::SHA256, style.as_bytes());
        policy.push_str(&format!(" 'sha256-{}'", STANDARD.encode_to_string(digest)));
    }
    if !sources.is_empty() {
        policy.push_str(&format!("; img-src{sources}; font-src{sources}"));
    }
    policy.push_str("; base-uri 'none'; form-action 'self'");
    policy
}

fn environment() -> Environment<'static> {
    // With what pages need of the engine's filters, tests and functions: all of them would be a third of a megabyte more.
    let mut environment = Environment::empty();
    environment.add_filter("default", filters::default);
    environment.add_filter("escape", filters::escape);
    environment.add_filter("first", filters::first);
    environment.add_filter("join", filters::join);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("replace", filters::replace);
    environment.add_filter("safe", filters::safe);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    environment.add_test("defined", conditions::is_defined);
    environment.add_test("none", conditions::is_none);
    environment.add_function("range", functions::range);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, _: &mut State<'_, '_>, value| write_escaped(out, value));
    environment.add_global("style", Value::from_safe_string(STYLE.to_owned()));
    environment.add_global("status_style", Value::from_safe_string(STATUS_STYLE.to_owned()));
    environment
}

/// `t("name", variable=value)`: a message in the page's language. Values are escaped, and set apart from the text around
/// them: a name may be written in the other direction.
fn translator(language: Language) -> Value {
    Value::from_function(move |name: &str, values: Kwargs| -> Result<Value, Error> {
        let unknown = || Error::new(ErrorKind::InvalidOperation, format!("there is no text '{name}'"));
        let mut text = String::new();
        for part in language.message(name).ok_or_else(unknown)? {
            match part {
                Part::Text(own) => push_escaped(&mut text, own),
                Part::Variable(variable) => {
                    let value: Value = values.get(variable)?;
                    if value.is_safe() {
                        text.push_str(&value.to_string());
                    } else {
                        text.push_str("<bdi>");
                        push_escaped(&mut text, &value.to_string());
                        text.push_str("</bdi>");
                    }
                }
            }
        }
        values.assert_all_used()?;
        Ok(Value::from_safe_string(text))
    })
}

/// Writes a value as HTML text or within a quoted attribute. The engine's own way would escape the slashes of all
/// addresses, too, and write `none` for what is not there.
fn write_escaped(out: &mut Output<'_>, value: &Value) -> Result<(), Error> {
    if value.is_none() || value.is_undefined() {
        return Ok(());
    }
    if value.is_safe() {
        return out.write_str(&value.to_string()).map_err(Error::from);
    }
    let mut text = String::new();
    push_escaped(&mut text, &value.to_string());
    out.write_str(&text).map_err(Error::from)
}

fn push_escaped(html: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
}

#[cfg(test)]
mod tests;
