//! The recorded exchanges as the tests of several packages read them.

use std::path::Path;

use serde_json::Value;

/// All scenarios, in the order of their files.
pub fn scenarios() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/recorded");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the recorded exchanges")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    let read = |file| serde_json::from_slice(&std::fs::read(file).expect("a scenario")).expect("JSON");
    files.iter().map(read).collect()
}

/// A header field of a recorded response.
pub fn header<'r>(response: &'r Value, name: &str) -> Option<&'r str> {
    let mut headers = response["headers"].as_array()?.iter();
    let found = headers.find(|h| h[0].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name)))?;
    found[1].as_str()
}
