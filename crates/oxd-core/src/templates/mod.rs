//! The templates of the HTML pages, and the engine that renders them. Everything that a template shows is escaped.

use std::sync::LazyLock;

use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, Error, Output, State};
use serde::Serialize;

/// The style of all pages, inline so that a page depends on no other request.
pub const STYLE: &str = include_str!("../../templates/style.css");
/// Further styles of the administrator's page, to keep the other pages small.
pub const STATUS_STYLE: &str = include_str!("../../templates/status.css");

macro_rules! built_in {
    ($($name:literal),* $(,)?) => { &[$(($name, include_str!(concat!("../../templates/", $name)))),*] };
}

/// The built-in templates, by name.
const FILES: &[(&str, &str)] = built_in![
    "frame.html",
    "signed_out.html",
    "signed_in.html",
    "error.html",
    "kept_form.html",
    "onward.html",
    "logout_noted.html",
    "status.html",
    "status_ask.html",
];

/// Compiled templates.
pub struct Templates(Environment<'static>);

impl Templates {
    /// The built-in ones. They are compiled once, before httpd forks its children.
    pub fn built_in() -> &'static Templates {
        static BUILT_IN: LazyLock<Templates> = LazyLock::new(|| {
            let mut environment = environment();
            for (name, source) in FILES {
                // One that does not compile would be missing, and the tests render all of them.
                let _ = environment.add_template(name, source);
            }
            Templates(environment)
        });
        &BUILT_IN
    }

    /// Renders a template.
    ///
    /// # Errors
    ///
    /// One line with the cause and the place in the template.
    pub fn render(&self, name: &str, values: impl Serialize) -> Result<String, String> {
        let rendered = self
            .0
            .get_template(name)
            .and_then(|template| template.render(Value::from(Serde(values))));
        rendered.map_err(|error| error.to_string())
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(write_escaped);
    environment.add_global("style", Value::from_safe_string(STYLE.to_owned()));
    environment.add_global("status_style", Value::from_safe_string(STATUS_STYLE.to_owned()));
    environment
}

/// Writes a value as HTML text or within a quoted attribute. The engine's own way would escape the slashes of all
/// addresses, too, and write `none` for what is not there.
fn write_escaped(out: &mut Output<'_>, _: &mut State<'_, '_>, value: &Value) -> Result<(), Error> {
    if value.is_none() || value.is_undefined() {
        return Ok(());
    }
    let text = value.to_string();
    if value.is_safe() {
        return out.write_str(&text).map_err(Error::from);
    }
    let mut rest = text.as_str();
    while let Some(at) = rest.find(['&', '<', '>', '"', '\'']) {
        let (before, special) = rest.split_at(at);
        out.write_str(before)?;
        out.write_str(match special.as_bytes().first() {
            Some(b'&') => "&amp;",
            Some(b'<') => "&lt;",
            Some(b'>') => "&gt;",
            Some(b'"') => "&quot;",
            _ => "&#39;",
        })?;
        rest = special.get(1..).unwrap_or_default();
    }
    out.write_str(rest).map_err(Error::from)
}
