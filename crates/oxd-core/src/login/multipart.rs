//! Forms in the encoding `multipart/form-data`, as browsers write it ([HTML]).
//!
//! The whole body is here, so this is a reader of a text and not of a stream. It takes nothing for granted that a
//! browser would not write: such a form is not read at all.
//!
//! [HTML]: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data

/// The longest boundary (RFC 2046 section 5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// The text fields of a form, in order; `None` when it has files, is not UTF-8, or is not what a browser sends.
pub(crate) fn fields(content_type: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    let delimiter = format!("--{}", boundary(content_type)?);
    let body = str::from_utf8(body).ok()?.strip_prefix(&delimiter)?;
    // Between two parts the delimiter begins its line.
    let delimiter = format!("\r\n{delimiter}");
    let mut fields = Vec::new();
    let mut parts = body.split(&delimiter);
    loop {
        let part = parts.next()?;
        if part == "--" || part == "--\r\n" {
            // What follows the end would be lost.
            return parts.next().is_none().then_some(fields);
        }
        fields.push(field(part.strip_prefix("\r\n")?)?);
    }
}

/// The parameter of the content type.
fn boundary(content_type: &str) -> Option<&str> {
    let mut parameters = content_type
        .split(';')
        .skip(1)
        .filter_map(|one| one.split_once('='));
    let (_, value) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim();
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let boundary = quoted.unwrap_or(value);
    let is_right = (1..=LONGEST_BOUNDARY).contains(&boundary.len())
        && boundary
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"'()+_,-./:=?".contains(&b));
    is_right.then_some(boundary)
}

/// Name and value of a part that is a text field.
fn field(part: &str) -> Option<(String, String)> {
    let (header, value) = part.split_once("\r\n\r\n")?;
    let mut name = None;
    for line in header.split("\r\n") {
        let (header, content) = line.split_once(':')?;
        match header.to_ascii_lowercase().as_str() {
            "content-disposition" if name.is_none() => name = Some(disposition(content.trim())?),
            // Of a text field, if any: the value is UTF-8 whatever it says.
            "content-type" => {}
            _ => return None,
        }
    }
    Some((name?.to_owned(), value.to_owned()))
}

/// The name of a field, which has no file name beside it. Browsers write `"` and line ends in it as `%22`, `%0D`, `%0A`,
/// and will do so again: they are not decoded here.
fn disposition(content: &str) -> Option<&str> {
    let (kind, name) = content.split_once(';')?;
    let name = name.trim_start().strip_prefix("name=\"")?.strip_suffix('"')?;
    let is_whole = !name.contains(['"', '\r', '\n']);
    (kind.trim_end().eq_ignore_ascii_case("form-data") && is_whole).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: &str = "multipart/form-data; boundary=X";

    fn read(content_type: &str, body: &str) -> Option<Vec<(String, String)>> {
        fields(content_type, body.as_bytes())
    }

    /// A form with one field, whose part is this.
    fn one(part: &str) -> Option<Vec<(String, String)>> {
        read(KIND, &format!("--X\r\n{part}\r\n--X--\r\n"))
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn fields_of_a_browser_are_read_as_they_are() {
        let cases = [
            (
                "Content-Disposition: form-data; name=\"a\"\r\n\r\n1",
                pair("a", "1"),
            ),
            ("content-disposition:form-data;name=\"a\"\r\n\r\n", pair("a", "")),
            (
                "Content-Disposition: form-data; name=\"\"\r\n\r\n1",
                pair("", "1"),
            ),
            (
                "Content-Disposition: form-data; name=\"a%22; b\\\"\r\n\r\n1",
                pair("a%22; b\\", "1"),
            ),
            (
                "Content-Disposition: form-data; name=\"\u{e9}\"\r\n\r\n\u{20ac}\r\n\r\n--Y\r\n",
                pair("\u{e9}", "\u{20ac}\r\n\r\n--Y\r\n"),
            ),
            (
                "Content-Type: text/plain\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n-X",
                pair("a", "-X"),
            ),
        ];
        for (part, expected) in cases {
            assert_eq!(one(part), Some(vec![expected]), "{part:?}");
        }
        assert_eq!(read(KIND, "--X--\r\n"), Some(vec![]));
        assert_eq!(read(KIND, "--X--"), Some(vec![]));
    }

    #[test]
    fn what_no_browser_sends_is_not_read() {
        let parts = [
            "Content-Disposition: form-data; name=\"a\"; filename=\"\"\r\n\r\n1",
            "Content-Disposition: form-data; filename=\"b\"; name=\"a\"\r\n\r\n1",
            "Content-Disposition: form-data; name=\"a\"; filename*=UTF-8''b\r\n\r\n1",
            "Content-Disposition: form-data; name=\"a\\\"; filename=\"b\"\r\n\r\n1",
            "Content-Disposition: form-data; name=a\r\n\r\n1",
            "Content-Disposition: form-data\r\n\r\n1",
            "Content-Disposition: attachment; name=\"a\"\r\n\r\n1",
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n1",
            "Content-Disposition: form-data; name=\"a\"\r\nContent-Transfer-Encoding: base64\r\n\r\nMQ==",
            "Content-Disposition: form-data; name=\"a\nb\"\r\n\r\n1",
            "Content-Disposition: form-data; name=\"a\rb\"\r\n\r\n1",
            "Content-Disposition: form-data; name=\"a\"\r\n",
            "\r\n1",
            "",
        ];
        for part in parts {
            assert_eq!(one(part), None, "{part:?}");
        }
        let field = "Content-Disposition: form-data; name=\"a\"\r\n\r\n1";
        let bodies = [
            String::new(),
            "--X".into(),
            "preamble\r\n--X--".into(),
            format!("--X\r\n{field}"),
            format!("--X\r\n{field}\r\n--X"),
            format!("--X\r\n{field}\r\n--XX\r\n{field}\r\n--X--"),
            format!("--X\n{field}\n--X--"),
            format!("--X--\r\n{field}\r\n--X--"),
            "--X--\r\nepilogue".into(),
        ];
        for body in bodies {
            assert_eq!(read(KIND, &body), None, "{body:?}");
        }
        assert_eq!(
            fields(
                KIND,
                b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\xff\r\n--X--"
            ),
            None
        );
    }

    #[test]
    fn the_boundary_is_a_parameter_of_the_content_type() {
        let longest = "a".repeat(LONGEST_BOUNDARY);
        let cases = [
            ("multipart/form-data; boundary=X", Some("X")),
            (
                "multipart/form-data;charset=utf-8;Boundary=\"--a'b=c\"",
                Some("--a'b=c"),
            ),
            ("multipart/form-data; boundary=X; charset=utf-8", Some("X")),
            (
                &format!("multipart/form-data; boundary={longest}"),
                Some(&longest),
            ),
            (&format!("multipart/form-data; boundary={longest}a"), None),
            ("multipart/form-data; boundary=", None),
            ("multipart/form-data; boundary=\"\"", None),
            ("multipart/form-data; boundary=\"a", None),
            ("multipart/form-data; boundary=a b", None),
            ("multipart/form-data", None),
        ];
        for (content_type, expected) in cases {
            assert_eq!(boundary(content_type), expected, "{content_type}");
        }
    }
}
