//! Paths of URLs, segment by segment.

/// The rest of a path at or below a base path: empty, or from a `/` on. As with `<Location>`, `/app` covers `/app` and
/// `/app/x`, not `/apple`; a `/` at the end of the base makes no difference.
pub fn path_below<'p>(base: &str, path: &'p str) -> Option<&'p str> {
    path.strip_prefix(base.trim_end_matches('/'))
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_compared_whole() {
        for (base, path, rest) in [
            ("/app", "/app", Some("")),
            ("/app", "/app/", Some("/")),
            ("/app/", "/app/x", Some("/x")),
            ("/app/", "/app", Some("")),
            ("/app", "/apple", None),
            ("/app/x", "/app", None),
            ("/", "/x", Some("/x")),
            ("", "/x", Some("/x")),
        ] {
            assert_eq!(path_below(base, path), rest, "{base} {path}");
        }
    }
}
