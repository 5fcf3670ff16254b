//! Turns the catalogues of texts (`locales/*.ftl`, in the syntax of Project Fluent) into static tables, so that the
//! module reads no catalogue and is not made of a translation library.
//!
//! A message is text with variables (`{$site}`). Anything else of Fluent's syntax is an error here.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, process};

use fluent_syntax::ast::{Entry, Expression, InlineExpression, Pattern, PatternElement};
use fluent_syntax::parser;

/// The languages: the first has every message. Readers of the others come first to those with more speakers.
const LANGUAGES: [&str; 9] = ["en", "de", "fr", "es", "nl", "pt", "it", "ja", "ar"];

fn main() {
    println!("cargo::rerun-if-changed=locales");
    println!("cargo::rerun-if-changed=build.rs");
    let mut table = String::from("&[\n");
    for language in LANGUAGES {
        match catalogue(language) {
            Ok(messages) => {
                // Writing into a String cannot fail.
                let _ = writeln!(
                    table,
                    "Catalogue {{ code: {language:?}, messages: &[\n{messages}] }},"
                );
            }
            Err(why) => {
                eprintln!("locales/{language}.ftl: {why}");
                process::exit(1);
            }
        }
    }
    table.push(']');
    let folder = env::var("OUT_DIR").unwrap_or_default();
    if let Err(why) = fs::write(Path::new(&folder).join("catalogues.rs"), table) {
        eprintln!("{folder}: {why}");
        process::exit(1);
    }
}

/// The messages of a language as entries of the table, sorted by name.
fn catalogue(language: &str) -> Result<String, String> {
    let source = fs::read_to_string(format!("locales/{language}.ftl")).map_err(|why| why.to_string())?;
    let resource = parser::parse(source.as_str()).map_err(|(_, errors)| {
        let first = errors.into_iter().next().map(|error| {
            let line = source.get(..error.pos.start).unwrap_or_default().lines().count();
            format!("line {line}: {error}")
        });
        first.unwrap_or_default()
    })?;
    let mut messages = Vec::new();
    for entry in &resource.body {
        match entry {
            Entry::Message(message) => {
                let name = message.id.name;
                let value = message.value.as_ref();
                let value = value.ok_or_else(|| format!("{name}: it has no text of its own"))?;
                messages.push((
                    name.to_owned(),
                    parts(value).map_err(|why| format!("{name}: {why}"))?,
                ));
                for attribute in &message.attributes {
                    let name = format!("{name}.{}", attribute.id.name);
                    let parts = parts(&attribute.value).map_err(|why| format!("{name}: {why}"))?;
                    messages.push((name, parts));
                }
            }
            Entry::Comment(_) | Entry::GroupComment(_) | Entry::ResourceComment(_) => {}
            Entry::Term(term) => return Err(format!("-{}: terms are not understood here", term.id.name)),
            Entry::Junk { content } => return Err(format!("not understood: {}", content.trim())),
        }
    }
    messages.sort();
    if let Some(twice) = messages.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(format!("{}: it is there twice", twice[0].0));
    }
    Ok(messages
        .iter()
        .map(|(name, parts)| format!("({name:?}, &[{parts}]),\n"))
        .collect())
}

fn parts(pattern: &Pattern<&str>) -> Result<String, String> {
    let mut parts = String::new();
    for element in &pattern.elements {
        let part = match element {
            PatternElement::TextElement { value } => format!("Part::Text({value:?}), "),
            PatternElement::Placeable {
                expression: Expression::Inline(InlineExpression::VariableReference { id }),
            } => format!("Part::Variable({:?}), ", id.name),
            PatternElement::Placeable { .. } => {
                return Err("only text and variables ({$name}) are understood here".to_owned());
            }
        };
        parts.push_str(&part);
    }
    Ok(parts)
}
