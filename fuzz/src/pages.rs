//! Pages: whatever a claim, a form or the provider says, a page has the elements and attributes of its template, and
//! shows that text.

use html5gum::{Token, Tokenizer};
use oxd_core::base::{Reason, Reference};
use oxd_core::pages::{self, Details, Page, Told, View};
use oxd_core::templates::{Templates, Words};
use oxd_core::texts::Language;

use crate::place::Server;

/// What a page is made of: elements with their attributes, and all text with the values of attributes.
#[derive(Debug, Default, PartialEq)]
struct Made {
    elements: Vec<String>,
    texts: Vec<String>,
}

fn made(html: &str) -> Made {
    let mut made = Made::default();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for token in Tokenizer::new(html).flatten() {
        match token {
            Token::StartTag(tag) => {
                let mut element = text(&tag.name);
                for (name, value) in &tag.attributes {
                    element += &format!(" {}", text(name));
                    made.texts.push(text(value));
                }
                made.elements.push(element);
            }
            Token::EndTag(tag) => made.elements.push(format!("/{}", text(&tag.name))),
            Token::String(shown) => made.texts.push(text(&shown)),
            Token::Comment(_) => made.elements.push("!--".into()),
            Token::Doctype(_) => made.elements.push("!doctype".into()),
            // A NUL, and the like: the text itself is compared.
            Token::Error(_) => {}
        }
    }
    made
}

/// The values that a page is given.
struct Values {
    texts: Vec<String>,
}

impl Values {
    fn at(&self, place: usize) -> &str {
        self.texts.get(place).map_or("", String::as_str)
    }

    fn pairs(&self) -> Vec<(String, String)> {
        self.texts
            .chunks(2)
            .map(|pair| (pair[0].clone(), pair.last().cloned().unwrap_or_default()))
            .collect()
    }
}

fn made_page(which: u8, view: &View<'_>, values: &Values) -> Page {
    let details = |told| Details {
        told: Some(told),
        link: Some(values.at(1)),
        user: Some(values.at(2)),
        other_account: Some(values.at(3)),
    };
    let reference = Reference::new(&Server::default());
    let error = |told| pages::error(view, Reason::ProviderError, &details(told), &reference);
    match which % 12 {
        0 => pages::signed_in(view, values.at(0), &values.pairs(), values.at(1), false),
        1 => pages::signed_in(view, values.at(0), &values.pairs(), values.at(1), true),
        2 => pages::signed_out(view, values.at(0)),
        3 => pages::ask_to_sign_out(view, values.at(0)),
        4 => pages::still_signed_in(view, values.at(0), values.at(1)),
        5 => pages::logged_out(view, values.at(0), Some("logged-out-not-in-store")),
        6 => pages::onward(view, values.at(0)),
        7 => pages::kept_form(view, values.at(0), values.at(1), values.at(2), &values.pairs()),
        8 => error(Told::Provider(values.at(0))),
        9 => error(Told::Acr(values.at(0))),
        10 => error(Told::Authorization(values.at(0))),
        _ => pages::ask_to_end_all(values.at(0), values.at(1), values.at(2)),
    }
}

/// In place of each character that means something in HTML.
const STANDS_IN: char = '\u{b7}';

fn harmless(text: &str) -> String {
    let plain = |c: char| if "<>&\"'".contains(c) { STANDS_IN } else { c };
    text.chars().map(plain).collect()
}

/// The values: one byte for the page and one for its language, the site's name, and the texts.
pub fn page(data: &[u8]) {
    let [which, language, rest @ ..] = data else {
        return;
    };
    let mut parts = crate::parts(rest).map(|part| crate::text(Some(part)).into_owned());
    let site = parts.next().unwrap_or_default();
    let hostile = Values {
        texts: parts.collect(),
    };
    let plain = Values {
        texts: hostile.texts.iter().map(|text| harmless(text)).collect(),
    };
    let languages: Vec<Language> = Language::all().collect();
    let language = languages[usize::from(*language) % languages.len()];
    let of = |site: &str, values: &Values| {
        let view = View {
            templates: Templates::built_in(),
            words: Words { language, site },
        };
        let page = made_page(*which, &view, values);
        assert!(page.trouble.is_none(), "{:?}", page.trouble);
        made(&page.html)
    };
    let (shown, expected) = (of(&site, &hostile), of(&harmless(&site), &plain));
    assert_eq!(
        shown.elements, expected.elements,
        "an element or an attribute that the template does not have"
    );
    // The very text is shown, but for the characters that were put in place of others.
    let shown: Vec<String> = shown.texts.iter().map(|text| harmless(text)).collect();
    let expected: Vec<String> = expected.texts.iter().map(|text| harmless(text)).collect();
    assert_eq!(shown.concat(), expected.concat(), "a text is not shown as it is");
}
