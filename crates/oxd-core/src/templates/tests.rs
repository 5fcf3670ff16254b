use std::io;

use super::*;

const WORDS: Words<'static> = Words {
    language: Language::ENGLISH,
    site: "www.example.org",
};

fn of_files(files: &[(&str, &str)]) -> Result<Templates, String> {
    let names: Vec<String> = files.iter().map(|(name, _)| (*name).to_owned()).collect();
    Templates::of_folder(&names, |name| {
        let found = files.iter().find(|(own, _)| *own == name);
        found
            .map(|(_, text)| text.as_bytes().to_vec())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    })
}

fn onward(templates: &Templates, target: &str) -> Result<String, String> {
    templates.render(
        "onward.html",
        WORDS,
        std::collections::BTreeMap::from([("target", target), ("title", "T")]),
    )
}

#[test]
fn an_own_template_takes_the_place_of_one_page_and_an_own_frame_of_that_of_all() {
    let own = of_files(&[(
        "onward.html",
        "{% extends \"frame.html\" %}{% block content %}On to {{ target }}{% endblock %}",
    )]);
    let html = onward(&own.unwrap(), "/<x>").unwrap();
    assert!(
        html.contains("On to /&lt;x&gt;") && html.contains("id=\"home\""),
        "{html}"
    );
    let framed = of_files(&[("frame.html", "<b>{{ site }}</b>{% block content %}{% endblock %}")]).unwrap();
    let html = onward(&framed, "/x").unwrap();
    assert!(
        html.starts_with("<b>www.example.org</b>") && html.contains("href=\"/x\""),
        "{html}"
    );
}

#[test]
fn what_is_wrong_with_a_folder_is_said_in_one_line_that_names_the_file() {
    for (name, text, said) in [
        ("eror.html", "", &["eror.html", "error.html", "frame.html"][..]),
        ("status.html", "", &["status.html"]),
        ("error.html", "a\n{% if x", &["error.html", "line 2"]),
        ("error.html", "\n\n{{ refrence }}", &["error.html", "refrence"]),
        (
            "error.html",
            "{% if user == 'x' %}{{ nonsense }}{% endif %}",
            &["error.html", "nonsense"],
        ),
        (
            "signed_in.html",
            "{% for claim in claims %}\n{{ claim.nam }}{% endfor %}",
            &["signed_in.html", "line 2"],
        ),
        ("error.html", "{{ t('sing-in') }}", &["error.html", "sing-in"]),
        ("error.html", "{{ t('signed-in-as') }}", &["error.html", "user"]),
        ("error.html", "{{ text|safe }}", &["error.html", "safe"]),
        ("error.html", "{{ text|nonsense }}", &["error.html", "nonsense"]),
        (
            "error.html",
            "{% for x in range(10000) %}{% for y in range(10000) %}x{% endfor %}{% endfor %}",
            &["error.html", "fuel"],
        ),
        ("error.html", "{% include 'error.html' %}", &["error.html"]),
        (
            "error.html",
            "{% extends 'other.html' %}",
            &["error.html", "other.html"],
        ),
        (
            "error.html",
            "<style>p { color: {{ text }} }</style>",
            &["error.html", "style"],
        ),
    ] {
        let line = of_files(&[(name, text)])
            .err()
            .unwrap_or_else(|| panic!("{name}: {text} is taken"));
        assert!(
            said.iter().all(|word| line.contains(word)) && !line.contains('\n'),
            "{text}: {line}"
        );
    }
    let not_text = Templates::of_folder(&["error.html".to_owned()], |_| Ok(vec![0xff]));
    assert!(not_text.err().is_some_and(|line| line.contains("error.html")));
    assert!(of_files(&[(".error.html.swp", "{{"), ("error.html~", "{{")]).is_ok());
}

#[test]
fn an_own_style_works_and_nothing_else_does() {
    let css = "p { color: green }";
    let frame = format!(
        "<STYLE media=all>{css}</style><style>{{{{ style }}}}</style>{{% block content %}}{{% endblock %}}"
    );
    let own = of_files(&[("frame.html", &frame)]).unwrap();
    let hash =
        |text: &str| STANDARD.encode_to_string(ring::digest::digest(&ring::digest::SHA256, text.as_bytes()));
    for style in [css, STYLE] {
        assert!(own.policy().contains(&hash(style)), "{}", own.policy());
    }
    assert!(own.policy().contains("img-src 'self'") && own.policy().contains("style-src 'self' 'sha256-"));
    assert!(
        !own.policy().contains("unsafe") && !own.policy().contains("script"),
        "{}",
        own.policy()
    );
    assert!(!Templates::built_in().policy().contains("img-src"));
}

#[test]
fn an_own_template_cannot_run_for_ever() {
    let text = "{% if target != '/app/' %}{% for x in range(9999) %}{% for y in range(9999) %}x{% endfor %}{% endfor %}{% endif %}";
    let own = of_files(&[("onward.html", text)]).unwrap();
    assert!(onward(&own, "/app/").is_ok());
    assert!(onward(&own, "/").is_err_and(|why| why.contains("fuel")));
}

#[test]
fn values_are_escaped_however_a_template_shows_them() {
    let evil = "<script>'\"&";
    for text in [
        "{{ target }}",
        "{% autoescape false %}{{ target }}{% endautoescape %}",
        "{{ target ~ target }}",
        "{{ target|e }}",
        "{{ [target]|join(target) }}",
        "{{ [target] }}",
        "{{ t('home', site=target) }}",
        "{% set x %}{{ target }}{% endset %}{{ t('home', site=x) }}{{ x ~ target }}",
        "{{ t('home', site=target) ~ target }}",
        "{{ t('sign-in')|replace('Sign', target) }}",
        "{% filter upper %}{{ target }}{% endfilter %}",
        "{{ t('sign-in') + target }}",
        "{{ t('sign-in')|format(target) }}",
        "{{ (t('home', site='%s'))|format(target) }}",
    ] {
        let Ok(own) = of_files(&[("onward.html", text)]) else {
            continue;
        };
        if let Ok(html) = onward(&own, evil) {
            assert!(!html.to_lowercase().contains("<script"), "{text}: {html}");
        }
    }
}

#[test]
fn every_variable_is_documented() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/PAGES.md");
    let document = std::fs::read_to_string(path).unwrap();
    let rows = |variables: &[Variable]| -> String {
        let row = |v: &Variable| {
            let optional = if v.is_optional { " May be empty." } else { "" };
            format!("| `{}` | {}{optional} |\n", v.name, v.about)
        };
        variables.iter().map(row).collect()
    };
    let mut expected = vec![rows(COMMON)];
    for page in PAGES {
        expected.push(format!(
            "### {}\n\n{}\n\n| variable | |\n|---|---|\n{}",
            page.file,
            page.about,
            rows(page.variables)
        ));
    }
    for part in expected {
        assert!(
            document.contains(&part),
            "docs/PAGES.md lacks, as it stands here:\n{part}"
        );
    }
}
