//! Return addresses: none leads to another origin, by the WHATWG parser and by what browsers do before it.

use oxd_core::fuzzing;
use oxd_core::http::Origin;
use url::Url;

/// How browsers and what stands before them are known to change an address.
const CHANGES: [fn(&str) -> String; 6] = [
    |address| address.to_owned(),
    // The URL standard drops these anywhere.
    |address| address.replace(['\t', '\n', '\r'], ""),
    // Of http and https addresses a backslash is a slash.
    |address| address.replace('\\', "/"),
    |address| address.trim_matches(|c: char| c <= ' ').to_owned(),
    // Older browsers end at a NUL.
    |address| address.split('\0').next().unwrap_or_default().to_owned(),
    // Latin-1, as a header may be read.
    |address| address.bytes().map(char::from).collect(),
];

/// Whatever is taken leads to this origin, or to a listed host, and comes back as it is when it is asked again.
pub fn return_address(data: &[u8]) {
    let Ok(address) = str::from_utf8(data) else { return };
    let origin = Origin::new("https", "app.example", None);
    let hosts = [
        "other.example".to_owned(),
        "dev.example:8080".to_owned(),
        "192.0.2.1".to_owned(),
    ];
    let base = Url::parse("https://app.example/oxd/callback").expect("a URL");

    if fuzzing::is_plain_address(address) {
        let read = base.join(address).expect("a plain address is one");
        assert_eq!(
            &read[url::Position::BeforePath..],
            address,
            "a plain address was changed"
        );
        assert_eq!(read.origin(), base.origin());
    }
    let Some(taken) = fuzzing::return_address(address, &origin, &hosts) else {
        return;
    };
    assert!(
        taken.is_ascii() && !taken.contains([' ', '"', '<', '>']),
        "not fit for a header or a page: {taken:?}"
    );
    assert!(crate::is_one_line(&taken));
    for change in CHANGES {
        let changed = change(&taken);
        let led_to = base.join(&changed).expect("it is an address");
        let host = led_to.host_str().unwrap_or_default();
        let own = led_to.origin() == base.origin();
        let listed = match led_to.port() {
            Some(port) => hosts.contains(&format!("{host}:{port}")),
            None => hosts.iter().any(|listed| listed == host),
        };
        assert!(own || listed, "{address:?} as {changed:?} leads to {led_to}");
        assert!(led_to.username().is_empty() && led_to.password().is_none());
        // What is a path stays one, whatever the host of the page is.
        if taken.starts_with('/') {
            assert!(
                own && !taken.starts_with("//") && !taken.starts_with("/\\"),
                "{taken:?}"
            );
        }
    }
    // What browsers make of the address itself leads to the same place.
    if let Ok(read) = base.join(address) {
        let led_to = base.join(&taken).expect("it was read above");
        assert_eq!(read.as_str(), led_to.as_str(), "{address:?}");
    }
    let again = fuzzing::return_address(&taken, &origin, &hosts);
    assert_eq!(again.as_deref(), Some(&*taken), "it is refused the second time");
}
