//! Good and bad values of the directives for bearer tokens and UMA.

use oxd_tests::Httpd;

use super::values::{Bad, NUMBER, SWITCH, TIME, refuses, takes};

pub(super) const BEARER: &[Bad] = &[
    ("OxdBearer", "maybe", "introspect"),
    ("OxdBearer", "introspect jwt", "introspect"),
    ("OxdBearerAudience", "\"\"", "(?i)allowed: .*"),
    ("OxdBearerCache", "2h", TIME),
    ("OxdBearerCache", "60s 0", NUMBER),
    ("OxdBearerCache", "60s many", NUMBER),
    ("OxdBearerPass", "sometimes", SWITCH),
    ("OxdBearerRealm", "\"\"", "(?i)allowed: .*"),
    ("OxdBearerRealm", "caf\u{e9}", "ASCII"),
    ("OxdResourceMetadata", "sometimes", SWITCH),
    ("OxdUmaResources", "/nonexistent/resources.json", "(?i)json"),
    ("OxdUmaResources", "${ROOT}/not.json", "(?i)json"),
    ("OxdUmaResources", "${ROOT}/list.json", "(?i)json"),
    ("OxdUmaPath", "\"\"", "(?i)allowed: .*"),
    ("OxdUmaCache", "2h", TIME),
    ("OxdUmaUnprotected", "On", "deny, allow"),
    ("OxdUmaClaims", "Off", "On, gather"),
];

#[test]
fn bad_values_of_bearer_tokens_are_refused() {
    refuses(BEARER);
}

#[test]
fn good_values_of_bearer_tokens_are_taken() {
    takes(&[
        "OxdBearer Off",
        "OxdBearer On",
        "OxdBearer introspect",
        "OxdBearer jwt",
        "OxdBearer jwt introspect",
        "OxdBearerAudience api https://api.example.org",
        "OxdBearerCache 0",
        "OxdBearerCache 5min 100",
        "OxdBearerPass On",
        "OxdBearerRealm \"my photos\"",
        "OxdResourceMetadata On",
        "OxdUmaPath /photos/?",
        "OxdUmaCache 0",
        "OxdUmaUnprotected allow",
        "OxdUmaClaims gather",
    ]);
}

#[test]
fn a_resource_needs_a_plain_path() {
    for (section, ok) in [
        ("<Location /api>", true),
        ("<Location \"/my api\">", true),
        ("<Location ~ \"^/api\">", false),
        ("<LocationMatch \"^/api\">", false),
        ("<Directory /tmp>", false),
        ("<Location /api>\n<If \"true\">", true),
    ] {
        let name = |line: &str| line[1..].split(' ').next().unwrap_or_default().to_owned();
        let ends: Vec<String> = section
            .lines()
            .rev()
            .map(|line| format!("</{}>", name(line)))
            .collect();
        let test = Httpd::builder()
            .config(&format!("{section}\nOxdResourceMetadata On\n{}", ends.join("\n")))
            .configtest();
        assert_eq!(test.ok, ok, "{section}: {}", test.output);
    }
}
