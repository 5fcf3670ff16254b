use std::collections::BTreeSet;

use super::*;
use crate::base::SystemRandom;
use crate::templates::PAGES;

const EVIL: &str = "<script>alert('x')</script>\"";

fn view(language: Language, site: &str) -> View<'_> {
    View {
        templates: Templates::built_in(),
        words: Words { language, site },
    }
}

/// All pages, with this text wherever one comes from outside.
fn all(view: &View<'_>, outside: &'static str) -> Vec<Page> {
    let number = Reference::new(&SystemRandom);
    let pair = [(outside.to_owned(), outside.to_owned())];
    let mut pages = vec![
        signed_in(view, outside, &pair, outside, false),
        signed_in(view, outside, &pair, outside, true),
        signed_out(view, outside),
        ask_to_sign_out(view, outside),
        still_signed_in(view, outside, outside),
        logged_out(view, outside, Some("logged-out-not-in-store")),
        onward(view, outside),
        logout_noted(view),
        kept_form(view, outside, outside, outside, &pair),
    ];
    for told in [
        Told::Provider(outside),
        Told::Acr(outside),
        Told::Authorization(outside),
        Told::Cause("cookie-missing"),
    ] {
        let details = Details {
            told: Some(told),
            link: Some(outside),
            user: Some(outside),
            other_account: Some(outside),
        };
        pages.push(error(view, Reason::ProviderError, &details, &number));
    }
    for reason in Reason::ALL {
        pages.push(error(view, *reason, &Details::default(), &number));
    }
    pages
}

#[test]
fn what_came_from_outside_is_escaped() {
    for page in all(&view(Language::ENGLISH, EVIL), EVIL) {
        assert!(!page.html.contains("<script"), "{}", page.html);
        assert!(!page.html.contains("x')"), "{}", page.html);
        assert!(page.trouble.is_none());
    }
}

#[test]
fn pages_are_html_with_their_language_one_heading_and_a_way_home() {
    for language in Language::all() {
        for page in all(&view(language, "www.example.org"), "/x") {
            let html = page.html;
            let code = language.code();
            let dir = if code == "ar" { " dir=\"rtl\"" } else { "" };
            assert!(
                html.starts_with(&format!("<!DOCTYPE html>\n<html lang=\"{code}\"{dir}>")),
                "{html}"
            );
            assert_eq!(html.matches("<h1>").count(), 1, "{html}");
            assert!(!html.contains("<h1></h1>"), "{html}");
            assert!(
                html.contains("id=\"home\" href=\"/\"") && html.contains("www.example.org"),
                "{html}"
            );
            assert!(html.contains("<title>") && !html.contains("<title> –"), "{html}");
            assert_eq!(page.language, language);
            if language != Language::ENGLISH {
                for english in ["ign in", "ign out", "You ", "This "] {
                    assert!(!html.contains(english), "{code}: {english} in {html}");
                }
            }
        }
    }
}

#[test]
fn the_page_of_a_user_names_the_person_and_has_times_as_times() {
    let claims = [
        ("iat".to_owned(), "951782400".to_owned()),
        ("sub".to_owned(), "5".to_owned()),
    ];
    let page = signed_in(
        &view(Language::ENGLISH, "s"),
        "Jane \u{202e}Doe",
        &claims,
        "/out",
        false,
    )
    .html;
    let time = "<time datetime=\"2000-02-29T00:00:00Z\" title=\"951782400\" dir=\"ltr\">2000-02-29 00:00:00 UTC</time>";
    assert!(page.contains(time), "{page}");
    // A mark that turns the text's direction has no effect beyond the name.
    assert!(
        page.contains("<strong id=\"user\"><bdi>Jane \u{202e}Doe</bdi></strong>."),
        "{page}"
    );
    assert!(
        page.find("id=\"sign-out\"") < page.find("<table"),
        "the way out comes before the claims"
    );
}

#[test]
fn the_step_up_page_says_what_this_page_needs() {
    let details = Details {
        told: Some(Told::Acr("u2f, otp")),
        ..Details::default()
    };
    let number = Reference::new(&SystemRandom);
    let html = error(
        &view(Language::ENGLISH, "s"),
        Reason::AcrNotMet,
        &details,
        &number,
    )
    .html;
    assert!(html.contains("This page asks for one of these ways to sign in:") && html.contains("u2f, otp"));
    assert!(!html.contains("service said"), "{html}");
}

#[test]
fn a_template_is_given_the_variables_that_are_documented() {
    let names = |values: serde_json::Value| -> BTreeSet<String> {
        values.as_object().unwrap().keys().cloned().collect()
    };
    let json = |value: &dyn erased::Json| names(value.json());
    let (claim, field) = (Claim::of("iat", "5"), Field::of("a", "b"));
    let given: [(&str, BTreeSet<String>); 6] = [
        (
            "signed_out.html",
            json(&SignedOut {
                kind: "",
                title: "",
                text: "",
                user: None,
                warning: None,
                link: "",
                label: "",
            }),
        ),
        (
            "signed_in.html",
            json(&SignedIn {
                kind: "",
                title: "",
                user: "",
                claims: vec![claim],
                logout: "",
            }),
        ),
        (
            "error.html",
            json(&Error {
                code: "",
                status: 1,
                title: "",
                text: "",
                user: None,
                says: None,
                told: None,
                link: None,
                label: "",
                other_account: None,
                reference: "",
            }),
        ),
        (
            "kept_form.html",
            json(&KeptForm {
                title: "",
                sign_in: "",
                target: "",
                encoding: "",
                fields: vec![field],
            }),
        ),
        (
            "onward.html",
            json(&Onward {
                title: "",
                target: "",
            }),
        ),
        ("logout_noted.html", json(&LogoutNoted { title: "" })),
    ];
    assert_eq!(given.len(), PAGES.len());
    for (page, (file, given)) in PAGES.iter().zip(given) {
        assert_eq!(page.file, file);
        let documented: BTreeSet<String> = page.variables.iter().map(|v| v.name.to_owned()).collect();
        assert_eq!(documented, given, "{file}");
    }
}

mod erased {
    pub(super) trait Json {
        fn json(&self) -> serde_json::Value;
    }

    impl<T: serde::Serialize> Json for T {
        fn json(&self) -> serde_json::Value {
            serde_json::to_value(self).unwrap()
        }
    }
}

#[test]
fn a_template_that_fails_gives_way_to_the_built_in_page() {
    let text = "{% if target != '/app/' %}{{ target.x.y }}{% endif %}";
    let own = Templates::of_folder(&["onward.html".to_owned()], |_| Ok(text.into())).unwrap();
    let view = View {
        templates: &own,
        ..view(Language::ENGLISH, "s")
    };
    let page = onward(&view, "/other");
    assert!(
        page.trouble.is_some_and(|why| why.contains("onward.html")),
        "{}",
        page.html
    );
    assert!(page.html.contains("id=\"onward\"") && page.policy == Templates::built_in().policy());
    assert_eq!(onward(&view, "/app/").html, "");
}

#[test]
fn the_policy_allows_no_script_and_only_this_style() {
    let page = signed_out(&view(Language::ENGLISH, "s"), "/l");
    assert!(page.policy.contains("default-src 'none'") && !page.policy.contains("unsafe-inline"));
}
