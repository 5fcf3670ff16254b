//! Request bodies that are forms.

/// A form as it came with the request.
#[derive(Debug)]
pub enum Form {
    /// None was read.
    None,
    /// The body, at most as many bytes as requested.
    Read(Vec<u8>),
    /// It was larger.
    TooLarge,
}

/// Whether a `Content-Type` is that of a plain HTML form.
pub(crate) fn is_form(content_type: Option<&str>) -> bool {
    content_type.is_some_and(|kind| {
        let essence = kind.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_forms_are_read_as_forms() {
        assert!(is_form(Some("application/x-www-form-urlencoded; charset=utf-8")));
        assert!(!is_form(Some("text/plain")) && !is_form(None));
    }
}
