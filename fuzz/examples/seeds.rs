//! Writes the first inputs of each target into a folder (`scripts/fuzz.sh seeds`): values that the unit tests know, the
//! examples of the directives, and every answer that was recorded from a real oxd.

// What the coverage of an instrumented program is counted by.
use libfuzzer_sys as _;

use std::path::{Path, PathBuf};
use std::{env, fs};

use oxd_core::config::directive::TABLE;
use oxd_core::http::Header;
use oxd_core::session::{SessionRecord, Tokens, claims};
use oxd_fuzz::HEADERS;
use serde_json::{Value, json};

/// Values, one after the other.
fn input(parts: &[&str]) -> Vec<u8> {
    parts
        .iter()
        .map(|part| part.as_bytes())
        .collect::<Vec<_>>()
        .join(&0xff)
}

struct Seeds(PathBuf);

impl Seeds {
    fn put(&self, target: &str, inputs: impl IntoIterator<Item = Vec<u8>>) {
        let folder = self.0.join(target);
        fs::create_dir_all(&folder).expect("a folder");
        for (number, input) in inputs.into_iter().enumerate() {
            fs::write(folder.join(format!("seed-{number:04}")), input).expect("a file");
        }
    }

    fn texts(&self, target: &str, inputs: &[&[&str]]) {
        self.put(target, inputs.iter().map(|parts| input(parts)));
    }
}

fn main() {
    let folder = env::args().nth(1).expect("a folder to write to");
    let seeds = Seeds(folder.into());
    headers(&seeds);
    sessions(&seeds);
    tokens(&seeds);
    configuration(&seeds);
    seeds.put("oxd_answer", recorded());
}

fn headers(seeds: &Seeds) {
    seeds.texts(
        "cookie_header",
        &[
            &["s=abc"],
            &["a=1; s=xyz; b=2; s.seen=1800000000"],
            &["s=2.abc; s.1=def; other=\"q, r\""],
            &["__Host-s=1; x; =y; oxd_state.abcdefgh=z"],
            &["a=1,s=2, b=3;c=4,__Host-s=5"],
            &["s=3.a; s.1=b; s.2=c; s=2.d; s.1=e"],
        ],
    );
    seeds.texts(
        "return_address",
        &[
            &["/app/page?x=1&y=%2F%2Fz#top"],
            &["/a/../b"],
            &["https://app.example/x"],
            &["https://APP.example:443/x"],
            &["https://other.example/x"],
            &["http://dev.example:8080/"],
            &["//evil.example"],
            &["/\\evil.example"],
            &["/\t/evil.example"],
            &["https:evil.example"],
            &["https://app.example@evil.example/"],
            &["https://user@app.example/"],
            &["/..//evil.example"],
            &["/caf\u{e9}"],
            &["https://[::1]/"],
            &["https://192.0.2.1/%00"],
            // A label with a mark of the writing direction.
            &["https://a.xn--nbbggga.xgbbbbb2bbbbbbggga.xgga.xn--n-ggngza.xgga.xn--bbbhtbbbbbbbbbbbbbbbbbbbgga.:"],
        ],
    );
    let field = "Content-Disposition: form-data; name=\"a\"\r\n\r\n1";
    seeds.texts(
        "form",
        &[
            &["multipart/form-data; boundary=X", &format!("--X\r\n{field}\r\n--X--\r\n"), "a", "1"],
            &["multipart/form-data; boundary=\"X\"", &format!("--X\r\n{field}\r\n--X\r\n{field}\r\n--X--"), "\"", "\r\n--X"],
            &["multipart/form-data;Boundary=--a'b", "----a'b--", "", ""],
            &["multipart/form-data; boundary=X", "--X\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=\"\u{e9}\"\r\n\r\n\u{20ac}\r\n--X--"],
        ],
    );
    seeds.put("request_headers", requests());
    seeds.texts(
        "language",
        &[
            &["en de", "de-AT"],
            &["de en fr", "fr;q=0.5, de ; q=0.8, *;q=0.1"],
            &["en de fr es nl pt it ja ar", "pt-BR, en;q=0.5, ja;q=0"],
            &["nl en", "*"],
        ],
    );
    seeds.texts(
        "trace",
        &[
            &[
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "vendor=1,other=2",
            ],
            &["00-00000000000000000000000000000000-00f067aa0ba902b7-00"],
            &["01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
        ],
    );
    seeds.put(
        "page",
        (0..12_u8).map(|which| {
            let values = input(&[
                "www.example.org",
                "<script>alert('x')</script>\"",
                "&lt;",
                "iat",
                "1796054820",
                "password",
                "'>",
            ]);
            [&[which, which][..], &values].concat()
        }),
    );
}

fn requests() -> [Vec<u8>; 5] {
    use Header::*;
    [
        headers_of(
            &[
                (Accept, "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
                (SecFetchMode, "navigate"),
                (SecFetchSite, "cross-site"),
                (SecFetchDest, "iframe"),
            ],
            "",
        ),
        headers_of(
            &[
                (Accept, "application/json"),
                (SecFetchMode, "cors"),
                (SecFetchSite, "same-origin"),
                (SecFetchDest, "empty"),
                (SecPurpose, "prefetch"),
                (Purpose, "prefetch"),
                (XMoz, "prefetch"),
                (RequestedWith, "XMLHttpRequest"),
            ],
            "",
        ),
        headers_of(
            &[
                (Accept, "*/*"),
                (Origin, "https://app.example"),
                (ForwardedProto, "http, https"),
                (ForwardedHost, "a.example, www.example"),
                (ForwardedPort, "8443"),
            ],
            "",
        ),
        headers_of(
            &[
                (Origin, "null"),
                (Forwarded, "for=1.2.3.4;proto=https;host=\"fwd.example:444\""),
                (ContentType, "multipart/form-data; boundary=X"),
                (AcceptLanguage, "de"),
            ],
            "Bearer abc.def==",
        ),
        headers_of(
            &[
                (Accept, "text/html;q=0"),
                (ForwardedProto, "https"),
                (ForwardedHost, "[::1]:8443"),
                (ForwardedPort, "443"),
            ],
            "Bearer a, Basic b",
        ),
    ]
}

/// Headers as the target takes them.
fn headers_of(headers: &[(Header, &str)], authorization: &str) -> Vec<u8> {
    let value = |wanted: &Header| {
        let found = headers.iter().find(|(name, _)| name == wanted);
        found.map_or("", |(_, value)| value)
    };
    let mut values: Vec<_> = HEADERS.iter().map(value).collect();
    values.push(authorization);
    input(&values)
}

fn sessions(seeds: &Seeds) {
    let all = json!({"sub": "alice", "iss": "https://op", "exp": 1_800_003_600, "email_verified": true, "groups": ["a", "b"],
        "address": {"country": "DE", "lines": ["x", {"y": 1}]}, "e-mail": "a@b", "e_mail": "c", "odd": ["a,b", 1, null], "n": 1.50});
    let text = all.to_string();
    seeds.texts(
        "claims",
        &[
            &[&text, r#"{"sub": "alice", "name": "Alice", "iss": "x"}"#],
            &[r#"{"s": "a\nb", "\u0000": "z", "": "empty", "l": [""], "big": 123456789012345678901234567890}"#],
        ],
    );
    seeds.texts(
        "claim_rule",
        &[
            &["groups", &text, "b"],
            &["address.country", &text, "DE", "AT"],
            &["address.lines[]", &text, "x"],
            &["address.lines.1.y", &text, "1"],
            &["e-mail", &text, "~", "^a@"],
            &["n", &text, "1.50"],
        ],
    );
    let encoded = claims::encode(all.as_object().expect("an object"));
    let mut record = SessionRecord {
        claims: &encoded,
        ..SessionRecord::default()
    };
    record.ends.0 = (1 << 40) - 1;
    record.issued.0 = 1_799_999_990;
    record.seen.0 = 1_799_999_995;
    record.began.0 = 1_799_999_990_999;
    let short = record.write();
    (record.strings.acr, record.strings.scope, record.can_refresh) =
        (b"basic", b"openid profile email", true);
    (record.access_expires.0, record.auth_time.0, record.marks.name) = (1_800_000_300, 1_799_999_000, 9);
    let tokens = Tokens {
        access_token: b"at",
        id_token: b"e30.e30.s",
        target: b"/app/",
        ..Tokens::default()
    };
    seeds.put("session_record", [short, record.write(), tokens.write()]);
    let pending = |target: &str| {
        json!({"s": "abc", "n": "a-nonce-of-the-fuzz-targets", "r": target, "t": 1_799_999_900}).to_string()
    };
    seeds.texts(
        "login",
        &[
            &[
                "code=c&state=abc",
                "oxd_state.retry=x; oxd_session=y",
                &pending("/app"),
            ],
            &[
                "code=c&state=abc&iss=https%3A%2F%2Fop",
                "",
                &pending("https://other.example/"),
            ],
            &[
                "error=access_denied&error_description=No&state=abc",
                "",
                &pending("/app"),
            ],
            &["return_to=%2Fapp&prompt=login&retry=1", ""],
            &["return_to=https%3A%2F%2Fevil.example%2F", ""],
            &[
                "state=abc&state=def&code=c",
                "",
                &json!(["abc", "a-nonce-of-the-fuzz-targets", "/", 1_799_999_900]).to_string(),
            ],
        ],
    );
    let changes: [&[u8]; 5] = [
        b"w",
        b"wsomething",
        b"c\x05\x00\x80",
        b"c\x30\x00\x00\x40\x00\x01",
        b"kAAAA",
    ];
    seeds.put("store_entry", changes.map(<[u8]>::to_vec));
    let word = |number: u64| number.to_le_bytes();
    let ended = [
        &b"s"[..],
        &word(77),
        &word(1_800_000_000_500),
        &word(1_800_030_000),
    ]
    .concat();
    seeds.put("stream_entry", [ended, b"s".to_vec(), [1; 57].to_vec()]);
}

fn tokens(seeds: &Seeds) {
    const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
    let (now, header) = (
        1_800_000_000_u64,
        r#"{"alg":"EdDSA","kid":"k","typ":"logout+jwt"}"#,
    );
    let logout = json!({"iss": "https://op", "aud": ["client"], "iat": now - 5, "exp": now + 60, "jti": "1", "sub": "alice",
        "sid": "s", "events": {EVENT: {}}})
    .to_string();
    let access = json!({"iss": "https://op", "aud": "api", "exp": now + 60, "nbf": now - 60, "sub": "alice", "scope": "read"}).to_string();
    let plain = r#"{"alg":"EdDSA","kid":"k"}"#;
    for (target, header, claims) in [
        ("logout_token", header, &logout),
        ("access_token", plain, &access),
    ] {
        let mut changed = input(&["m", header, claims]);
        changed.extend([0xff, 90, 0, b'A']);
        let mut all = vec![
            input(&["s", header, claims]),
            changed,
            input(&["s", r#"{"alg":"none"}"#, claims]),
            input(&["s", r#"{"alg":"HS256","kid":"k","crit":["exp"]}"#, claims]),
            input(&["a", "eyJhbGciOiJFZERTQSIsImtpZCI6ImsifQ.e30.AAAA"]),
            input(&["a", "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0."]),
        ];
        all.push(input(&[
            "s",
            header,
            &claims.replace("https://op", "https://other"),
        ]));
        seeds.put(target, all);
    }
}

/// The words of a line, with quotes as httpd has them.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut rest = line.trim();
    while !rest.is_empty() {
        let (word, after) = match rest.strip_prefix('"').and_then(|quoted| quoted.split_once('"')) {
            Some(pair) => pair,
            None => rest.split_once(' ').unwrap_or((rest, "")),
        };
        words.push(word.to_owned());
        rest = after.trim_start();
    }
    words
}

fn configuration(seeds: &Seeds) {
    const SITE: &str = r#"{"oxd_id":"i","client_id":"c","client_secret":"s","op_host":"https://op","x":1}"#;
    const FILE: &str = r#"{"resources": [{"path": "/a/?", "conditions": [{"httpMethods": ["GET"], "scopes": ["s"]}]},
        {"path": "/a/{[0-9]+}/??", "conditions": [{"httpMethods": ["put", "POST"], "scopes": ["s"], "ticketScopes": ["t"]}]},
        {"path": "/x", "conditions": [{"httpMethods": ["HEAD", "GET"], "scope_expression":
        {"rule": {"and": [{"or": [{"var": 0}, {"var": 1}]}, {"var": 2}]}, "data": ["a", "b", "c"]}}]}]}"#;
    let mut inputs = Vec::new();
    for directive in TABLE {
        for line in directive
            .example
            .lines()
            .filter(|line| line.trim_start().starts_with(directive.name()))
        {
            for content in [SITE, FILE, "hunter2-1234567890", "{{ title }} {{ user | upper }}"] {
                let words = words(line);
                let parts: Vec<&str> = words.iter().map(String::as_str).chain([content]).collect();
                inputs.push(input(&parts));
            }
        }
        for value in [
            "",
            "On",
            "Off",
            "none",
            "5min",
            "64K",
            "https://h:1/",
            "/path",
            "redis://h:6379/1",
            "a b",
        ] {
            inputs.push(input(&[directive.name(), value, ""]));
        }
    }
    seeds.put("directive", inputs);
    seeds.texts(
        "resources",
        &[
            &["GET", "/a/b", FILE],
            &["HEAD", "/x", FILE],
            &["put", "/a/12/c/d", FILE],
            &["GET", "/", r#"{"resources": [{"path": "??", "conditions": [{"httpMethods": ["GET"], "scopes": ["s"]}]}]}"#],
            &["GET", "/", r#"{"resources": []}"#],
        ],
    );
}

/// Every answer that was recorded, one of each.
fn recorded() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/recorded");
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the recordings")
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let mut answers = Vec::new();
    for file in files
        .iter()
        .filter(|file| file.extension().is_some_and(|kind| kind == "json"))
    {
        let scenario: Value = serde_json::from_slice(&fs::read(file).expect("a file")).expect("JSON");
        for call in scenario["calls"].as_array().into_iter().flatten() {
            let (request, response) = (&call["request"], &call["response"]);
            let (Some(path), Some(status)) = (request["path"].as_str(), response["status"].as_u64()) else {
                continue;
            };
            let body = match &response["json"] {
                Value::Null => response["body"].as_str().unwrap_or_default().to_owned(),
                json => json.to_string(),
            };
            let answer = input(&[
                path.trim_start_matches('/'),
                &status.to_string(),
                "application/json",
                &body,
            ]);
            if !answers.contains(&answer) {
                answers.push(answer);
            }
        }
    }
    answers
}
