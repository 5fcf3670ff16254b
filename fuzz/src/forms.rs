//! Forms in the encoding `multipart/form-data`.

use oxd_core::fuzzing;

/// A form as browsers write it.
fn written(boundary: &str, fields: &[(String, String)]) -> String {
    let mut body = String::new();
    for (name, value) in fields {
        body +=
            &format!("--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
    }
    body + &format!("--{boundary}--\r\n")
}

/// What is read as fields is what a browser would have written for them; what a browser writes is read as it was.
pub fn form(data: &[u8]) {
    let mut parts = crate::parts(data);
    let content_type = crate::text(parts.next()).into_owned();
    let body = parts.next().unwrap_or_default();
    if let Some(fields) = fuzzing::multipart_fields(&content_type, body) {
        let boundary = "5f0a7b";
        let taken: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(taken <= body.len(), "more than was sent");
        assert!(
            fields.iter().all(|(name, _)| !name.contains(['"', '\r', '\n'])),
            "a name that ends its line"
        );
        let again = written(boundary, &fields);
        if !fields.iter().any(|(_, value)| value.contains(boundary)) {
            let kind = format!("multipart/form-data; boundary={boundary}");
            assert_eq!(fuzzing::multipart_fields(&kind, again.as_bytes()), Some(fields));
        }
    }
    // The other way round: fields of any text, with the names as browsers write them.
    let texts: Vec<String> = parts.map(|part| crate::text(Some(part)).into_owned()).collect();
    let named = |text: &String| text.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A");
    let fields: Vec<_> = texts
        .chunks_exact(2)
        .map(|pair| (named(&pair[0]), pair[1].clone()))
        .collect();
    // A browser takes a boundary that no value has.
    let boundary = "----formboundary7MA4YWxk";
    if fields
        .iter()
        .all(|(name, value)| !name.contains(boundary) && !value.contains(boundary))
    {
        let kind = format!("multipart/form-data; boundary={boundary}");
        let read = fuzzing::multipart_fields(&kind, written(boundary, &fields).as_bytes());
        assert_eq!(read, Some(fields), "a browser's form");
    }
}
