use std::collections::BTreeSet;

use super::*;

fn variables(parts: &[Part]) -> BTreeSet<&'static str> {
    let variable = |part: &Part| match part {
        Part::Variable(name) => Some(*name),
        Part::Text(_) => None,
    };
    parts.iter().filter_map(variable).collect()
}

/// Messages that are the same in English and another language.
const SAME: &[(&str, &str)] = &[];

#[test]
fn no_language_lacks_a_message_or_has_one_of_its_own() {
    let names = |language: Language| -> Vec<_> {
        language
            .catalogue()
            .messages
            .iter()
            .map(|(name, _)| *name)
            .collect()
    };
    let english = names(Language::ENGLISH);
    assert!(english.len() > 100);
    for language in Language::all() {
        assert_eq!(names(language), english, "{}", language.code());
    }
}

#[test]
fn a_message_has_the_same_variables_in_every_language_and_none_is_left_in_english() {
    for (name, parts) in Language::ENGLISH.catalogue().messages {
        for language in Language::all().skip(1) {
            let code = language.code();
            let other = language.message(name).unwrap();
            assert_eq!(variables(parts), variables(other), "{name} in {code}");
            let is_same = *parts == other;
            assert_eq!(
                is_same,
                SAME.contains(&(*name, code)),
                "{name} in {code} is as in English"
            );
        }
    }
}

#[test]
fn messages_are_sentences_for_people() {
    for language in Language::all() {
        for (name, parts) in language.catalogue().messages {
            let code = language.code();
            let text: String = parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) | Part::Variable(text) => *text,
                })
                .collect();
            assert!(
                !text.trim().is_empty() && !text.contains(['<', '&', '\n']),
                "{name} in {code}: {text}"
            );
            let is_sentence = name.ends_with(".text");
            let ends = text.ends_with(['.', '。']);
            assert!(!is_sentence || ends, "{name} in {code} is no sentence: {text}");
        }
    }
}

#[test]
fn the_text_of_a_refusal_leaves_it_to_the_line_below_to_say_who_is_signed_in() {
    for language in Language::all() {
        let text = language.text("reason-forbidden.text").to_lowercase();
        for name in ["signed-in", "signed-in-as"] {
            let parts = language.message(name).unwrap();
            let words = parts.iter().map(|part| match part {
                Part::Text(text) => text.trim(),
                Part::Variable(_) => "",
            });
            let longest = words.max_by_key(|text| text.len()).unwrap().to_lowercase();
            let begin: String = longest.chars().take(9).collect();
            assert!(!text.contains(&begin), "{}: {text}", language.code());
        }
    }
}

#[test]
fn languages_are_known_by_their_tags() {
    let codes: Vec<_> = Language::all().map(Language::code).collect();
    assert_eq!(codes, ["en", "de", "fr", "es", "nl", "pt", "it", "ja", "ar"]);
    assert_eq!(Language::named("AR").map(Language::direction), Some("rtl"));
    assert_eq!(Language::named("xx"), None);
    assert_eq!(Language::ENGLISH.text("sign-in"), "Sign in");
}
