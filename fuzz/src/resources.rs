//! The file of UMA resources, and the resource that a request falls under.

use oxd_core::config::resources::Resources;
use regex::Regex;
use serde_json::Value;

/// Whether a registered path covers a request's, read once more in a plain way; with how specific it is.
fn covers(pattern: &str, path: &str) -> Option<Vec<u8>> {
    if pattern == "??" {
        return path.starts_with('/').then(|| vec![3]);
    }
    let wanted = segments(pattern.strip_prefix('/')?);
    let given: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
    let open = wanted.last().is_some_and(|last| last == "??");
    if (open && given.len() < wanted.len()) || (!open && given.len() != wanted.len()) {
        return None;
    }
    let mut ranks = Vec::new();
    for (own, other) in wanted.iter().zip(given) {
        let (rank, fits) = match own.as_str() {
            "??" => (3, true),
            "?" => (2, !other.is_empty()),
            text => match text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some(regex) => (1, Regex::new(&format!("^(?:{regex})$")).ok()?.is_match(other)),
                None => (0, text == other),
            },
        };
        if !fits {
            return None;
        }
        ranks.push(rank);
    }
    Some(ranks)
}

/// The segments of a pattern; a slash within braces is a part of one.
fn segments(path: &str) -> Vec<String> {
    let (mut all, mut depth) = (vec![String::new()], 0_i32);
    for letter in path.chars() {
        match letter {
            '/' if depth <= 0 => all.push(String::new()),
            other => {
                depth = (depth + i32::from(other == '{') - i32::from(other == '}')).max(0);
                all.last_mut().expect("there is one").push(other);
            }
        }
    }
    all
}

fn methods(resource: &Value) -> Vec<String> {
    let conditions = resource["conditions"].as_array().into_iter().flatten();
    let named = conditions.filter_map(|condition| condition["httpMethods"].as_array());
    named
        .flatten()
        .filter_map(Value::as_str)
        .map(str::to_ascii_uppercase)
        .collect()
}

/// The values: the method, the path of a request, and the file.
pub fn resources(data: &[u8]) {
    let mut parts = crate::parts(data);
    let (method, path) = (
        crate::text(parts.next()).into_owned(),
        crate::text(parts.next()).into_owned(),
    );
    let resources = match Resources::parse(parts.next().unwrap_or_default()) {
        Ok(resources) => resources,
        Err(why) => {
            assert!(
                !why.is_empty() && crate::is_one_line(&why),
                "more than one line: {why:?}"
            );
            return;
        }
    };
    let file = resources.to_json().as_array().expect("a list");
    assert_eq!(file.len(), resources.paths().count());
    let fitting = |method: &str| -> Option<(Vec<u8>, &str)> {
        let all = file
            .iter()
            .filter(|resource| methods(resource).iter().any(|own| own == method));
        let covering = all.filter_map(|resource| {
            let own = resource["path"].as_str()?;
            Some((covers(own, &path)?, own))
        });
        covering.min()
    };
    let method = method.to_ascii_uppercase();
    let own = fitting(&method);
    let expected = match (method.as_str(), own) {
        ("HEAD", head) => match (head, fitting("GET")) {
            (Some(head), Some(get)) if get.0 < head.0 => Some((get.1, "GET")),
            (Some(head), _) => Some((head.1, "HEAD")),
            (None, get) => get.map(|(_, path)| (path, "GET")),
        },
        (_, own) => own.map(|(_, path)| (path, method.as_str())),
    };
    let found = resources.find(&path, &method);
    assert_eq!(
        found.map(|found| (found.path, found.method)),
        expected,
        "{method} {path:?}"
    );
}
