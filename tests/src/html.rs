//! Reads a page as a browser does, to the extent that tests need: elements, forms, visible text.

use std::collections::BTreeMap;

use html5gum::{DefaultEmitter, Token, Tokenizer};

/// A start tag with its attributes.
#[derive(Clone, Debug)]
pub struct Element {
    /// The element's name, in lower case.
    pub name: String,
    /// Its attributes, decoded.
    pub attributes: BTreeMap<String, String>,
}

impl Element {
    /// An attribute's value.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

/// A form and its data.
#[derive(Clone, Debug, Default)]
pub struct Form {
    /// Its `action`, empty for the page's own address.
    pub action: String,
    /// Its `method`, in lower case.
    pub method: String,
    /// Name and value of each field that is sent as it stands.
    pub fields: Vec<(String, String)>,
    /// Its buttons.
    pub buttons: Vec<Element>,
}

impl Form {
    /// Fills in a field that the form has.
    #[track_caller]
    pub fn fill(&mut self, name: &str, value: &str) {
        let field = self.fields.iter_mut().find(|(field, _)| field == name);
        let field = field.unwrap_or_else(|| panic!("the form has no field {name:?}"));
        value.clone_into(&mut field.1);
    }

    /// The data sent by this button.
    pub fn press(&self, button: &Element) -> Vec<(String, String)> {
        let mut fields = self.fields.clone();
        if let Some(name) = button.attribute("name") {
            let value = button.attribute("value").unwrap_or_default();
            fields.push((name.to_owned(), value.to_owned()));
        }
        fields
    }
}

/// A page.
#[derive(Clone, Debug)]
pub struct Page {
    elements: Vec<Element>,
    forms: Vec<Form>,
    text: String,
}

impl Page {
    /// Takes HTML apart by the rules that browsers follow.
    pub fn parse(html: &str) -> Page {
        let mut emitter = DefaultEmitter::<()>::default();
        emitter.naively_switch_states(true);
        let mut page = Page {
            elements: Vec::new(),
            forms: Vec::new(),
            text: String::new(),
        };
        let (mut in_form, mut hidden, mut in_area) = (false, false, false);
        for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
            match token {
                Token::StartTag(tag) => {
                    let decode = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let attributes = tag.attributes.iter();
                    let element = Element {
                        name: decode(&tag.name),
                        attributes: attributes.map(|(k, v)| (decode(k), decode(v))).collect(),
                    };
                    match element.name.as_str() {
                        "form" => {
                            in_form = true;
                            let value = |name| element.attribute(name).unwrap_or_default();
                            page.forms.push(Form {
                                action: value("action").to_owned(),
                                method: value("method").to_ascii_lowercase(),
                                ..Form::default()
                            });
                        }
                        "script" | "style" | "template" => hidden = true,
                        "textarea" => in_area = in_form && element.attribute("name").is_some(),
                        _ => {}
                    }
                    if let (true, Some(form)) = (in_form, page.forms.last_mut()) {
                        add_to_form(form, &element);
                    }
                    page.elements.push(element);
                }
                Token::EndTag(tag) => match tag.name.as_slice() {
                    b"form" => in_form = false,
                    b"script" | b"style" | b"template" => hidden = false,
                    b"textarea" => in_area = false,
                    _ => {}
                },
                Token::String(text) if !hidden => {
                    let area = page.forms.last_mut().and_then(|form| form.fields.last_mut());
                    if let (true, Some((_, value))) = (in_area, area) {
                        value.push_str(&String::from_utf8_lossy(&text));
                    }
                    page.text.push_str(&String::from_utf8_lossy(&text));
                }
                _ => {}
            }
        }
        page
    }

    /// All elements with this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |element| element.name == name)
    }

    /// All elements.
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// The text that a reader sees, white space folded.
    pub fn text(&self) -> String {
        self.text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The form that holds the button with this id, and the button.
    pub fn form_with_button(&self, id: &str) -> Option<(Form, Element)> {
        self.forms.iter().find_map(|form| {
            let button = form
                .buttons
                .iter()
                .find(|button| button.attribute("id") == Some(id))?;
            Some((form.clone(), button.clone()))
        })
    }

    /// The forms of the page.
    pub fn forms(&self) -> &[Form] {
        &self.forms
    }

    /// The targets of the page's links.
    pub fn links(&self) -> Vec<&str> {
        self.all("a").filter_map(|link| link.attribute("href")).collect()
    }

    /// Whether a browser would run something from this page.
    pub fn runs_script(&self) -> bool {
        let dangerous = |element: &Element| {
            let mut attributes = element.attributes.iter();
            element.name == "script"
                || attributes.any(|(name, value)| {
                    let value = value.trim_start().to_ascii_lowercase();
                    name.starts_with("on") || value.starts_with("javascript:")
                })
        };
        self.elements.iter().any(dangerous)
    }
}

fn add_to_form(form: &mut Form, element: &Element) {
    let kind = element.attribute("type").unwrap_or("text").to_ascii_lowercase();
    match (element.name.as_str(), kind.as_str()) {
        ("button", "button" | "reset") | ("input", "button" | "reset") => {}
        ("button", _) | ("input", "submit" | "image") => form.buttons.push(element.clone()),
        ("input", "checkbox" | "radio") if element.attribute("checked").is_none() => {}
        ("input" | "textarea", _) => {
            if let Some(name) = element.attribute("name") {
                let value = element.attribute("value").unwrap_or_default();
                form.fields.push((name.to_owned(), value.to_owned()));
            }
        }
        _ => {}
    }
}
