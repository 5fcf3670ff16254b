//! The pages: their templates and their languages.

use super::Directive;
use super::Group::Pages;
use crate::config::value::{self, Complaint};
use crate::templates::Templates;
use crate::texts::Language;

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdPages",
        group: Pages,
        htaccess: false,
        arguments: 1..=1,
        syntax: "DIR",
        default: "none",
        summary: c"Folder with templates for the pages, in place of the built-in ones",
        details: "[PAGES.md](PAGES.md) has the names of the files and their variables. A page without a file of its own \
                  stays the built-in one; `frame.html` is what all pages have around them. `oxdctl pages export DIR` \
                  writes the built-in templates as a start. The files are read when httpd starts or restarts; what is \
                  wrong with one fails `apachectl configtest`. httpd's answers in place of a page (`ErrorDocument`) are \
                  described in [RECIPES.md](RECIPES.md).",
        example: "OxdPages oxd/pages",
        #[cfg(test)]
        good: &[&["/pages"]],
        #[cfg(test)]
        bad: &[&["/nowhere"], &["/broken-pages"], &["/odd-pages"], &[""]],
        apply: |s, place, args| {
            let folder = args[0];
            let complaint = |why: String| {
                Complaint::about(folder, format!("a folder with templates for pages, and {}", why))
            };
            let names = place
                .env
                .file_names(folder)
                .map_err(|why| complaint(format!("it cannot be read: {why}")))?;
            let read = |name: &str| {
                place
                    .env
                    .read_file(&format!("{}/{name}", folder.trim_end_matches('/')))
            };
            let templates =
                Templates::of_folder(&names, read).map_err(|why| complaint(format!("in this one {why}")))?;
            s.pages = Some(place.arena.keep(templates));
            Ok(())
        },
    },
    Directive {
        name: c"OxdLanguages",
        group: Pages,
        htaccess: false,
        arguments: 1..=9,
        syntax: "LANG ...",
        default: "en de fr es nl pt it ja ar",
        summary: c"Languages of the pages",
        details: "The browser's `Accept-Language` chooses among them; the first one is for browsers that ask for none of \
                  them. The log, the status page and the answers for programs are always in English.",
        example: "OxdLanguages de en",
        #[cfg(test)]
        good: &[&["de"], &["ar", "en"], &["de en", "FR"]],
        #[cfg(test)]
        bad: &[&["xx"], &["de", "de"], &["de-AT"], &[""]],
        apply: |s, place, args| {
            let known = || Language::all().map(Language::code).collect::<Vec<_>>().join(", ");
            let allowed = format!("languages of {}, each once", known());
            let words = value::words(args, &allowed, |word| Language::named(word).is_some())?;
            let mut languages: Vec<Language> = Vec::new();
            for language in words.iter().filter_map(|word| Language::named(word)) {
                if languages.contains(&language) {
                    return Err(Complaint::about(language.code(), allowed));
                }
                languages.push(language);
            }
            s.languages = Some(place.arena.keep(languages));
            Ok(())
        },
    },
];
