//! Paths against resources, and files that are refused, one row per case.

use super::*;
use serde_json::json;

/// A file with these paths, each with its methods.
fn file(resources: &[(&str, &[&str])]) -> Result<Resources, String> {
    let list: Vec<Value> = resources
        .iter()
        .map(|(path, methods)| json!({"path": path, "conditions": [{"httpMethods": methods, "scopes": ["s"]}]}))
        .collect();
    Resources::parse(json!({ "resources": list }).to_string().as_bytes())
}

/// Path and method of a request, and the resource that it falls under.
type Row = (&'static str, &'static str, Option<(&'static str, &'static str)>);

#[test]
fn a_request_falls_under_the_most_specific_path() {
    let resources = file(&[
        ("/photo", &["GET"]),
        ("/photo/", &["GET"]),
        ("/photo/{[0-9]+}", &["GET", "DELETE"]),
        ("/photo/?", &["GET", "post"]),
        ("/photo/?/raw", &["GET", "HEAD"]),
        ("/photo/{a.*}/raw", &["GET"]),
        ("/photo/new", &["POST"]),
        ("/album/??", &["GET"]),
        ("/album/?/??", &["GET"]),
        ("/album/public/??", &["GET"]),
        ("/a b/ü", &["GET"]),
        ("/x/{[a-z]{2,3}}", &["GET"]),
        ("??", &["PUT"]),
    ])
    .unwrap();
    let rows: &[Row] = &[
        ("/photo", "GET", Some(("/photo", "GET"))),
        ("/photo", "get", Some(("/photo", "GET"))),
        ("/photo", "HEAD", Some(("/photo", "GET"))),
        ("/photo", "POST", None),
        ("/Photo", "GET", None),
        ("/photo/", "GET", Some(("/photo/", "GET"))),
        ("/photo/7", "GET", Some(("/photo/{[0-9]+}", "GET"))),
        ("/photo/7", "DELETE", Some(("/photo/{[0-9]+}", "DELETE"))),
        ("/photo/7", "POST", Some(("/photo/?", "POST"))),
        ("/photo/7x", "GET", Some(("/photo/?", "GET"))),
        ("/photo/x7", "DELETE", None),
        ("/photo/new", "POST", Some(("/photo/new", "POST"))),
        // A path without the method is not the one that is meant.
        ("/photo/new", "GET", Some(("/photo/?", "GET"))),
        ("/photo/new/", "POST", None),
        ("/photo//", "GET", None),
        ("/photo/b/raw", "GET", Some(("/photo/?/raw", "GET"))),
        ("/photo/abc/raw", "GET", Some(("/photo/{a.*}/raw", "GET"))),
        ("/photo/b/raw", "HEAD", Some(("/photo/?/raw", "HEAD"))),
        // The better path does not name HEAD, so that GET counts there.
        ("/photo/abc/raw", "HEAD", Some(("/photo/{a.*}/raw", "GET"))),
        ("/photo//raw", "GET", None),
        ("/album/", "GET", Some(("/album/??", "GET"))),
        ("/album", "GET", None),
        ("/album/x", "GET", Some(("/album/??", "GET"))),
        ("/album/x/", "GET", Some(("/album/?/??", "GET"))),
        ("/album/x/y/z", "GET", Some(("/album/?/??", "GET"))),
        ("/album/public/y/z", "GET", Some(("/album/public/??", "GET"))),
        ("/album/public", "GET", Some(("/album/??", "GET"))),
        ("/albums/x", "GET", None),
        ("/a b/ü", "GET", Some(("/a b/ü", "GET"))),
        ("/a%20b/%C3%BC", "GET", None),
        ("/x/ab", "GET", Some(("/x/{[a-z]{2,3}}", "GET"))),
        ("/x/abcd", "GET", None),
        ("/anything/at/all", "PUT", Some(("??", "PUT"))),
        ("/", "PUT", Some(("??", "PUT"))),
        ("/anything", "GET", None),
        ("*", "OPTIONS", None),
        ("", "PUT", None),
        ("/photo", "BREW", None),
        ("/photo?x=1", "GET", None),
        ("/photo/7", "head", Some(("/photo/{[0-9]+}", "GET"))),
    ];
    assert!(rows.len() >= 40);
    for (path, method, expected) in rows {
        let found = resources
            .find(path, method)
            .map(|found| (found.path, found.method));
        assert_eq!(found, *expected, "{method} {path}");
    }
}

#[test]
fn files_that_oxd_would_half_accept_are_refused() {
    let condition = |condition: Value| json!({"resources": [{"path": "/x", "conditions": [condition]}]});
    let rows: &[(Value, &str)] = &[
        (json!({}), "missing field `resources`"),
        (json!({"resources": []}), "no resources"),
        (
            json!({"resources": [{"path": "/x", "conditions": []}]}),
            "no conditions",
        ),
        (json!({"resources": [{"path": "x", "conditions": []}]}), "slash"),
        (json!({"resources": [{"conditions": []}]}), "missing field `path`"),
        (
            condition(json!({"httpMethods": [], "scopes": ["s"]})),
            "no httpMethods",
        ),
        (
            condition(json!({"httpMethods": ["BREW"], "scopes": ["s"]})),
            "'BREW' is no method",
        ),
        (condition(json!({"httpMethods": ["GET"]})), "neither scopes nor"),
        (
            condition(json!({"httpMethods": ["GET"], "scopes": []})),
            "no scopes",
        ),
        (
            condition(json!({"httpMethods": ["GET"], "scopes": ["s"], "foo": 1})),
            "unknown field `foo`",
        ),
        (
            condition(json!({"httpMethods": ["GET", "get"], "scopes": ["s"]})),
            "GET twice",
        ),
        (
            condition(
                json!({"httpMethods": ["GET"], "scopes": ["s"], "scope_expression": {"rule": {"var": 0}, "data": ["s"]}}),
            ),
            "scopes and a scope_expression",
        ),
        (
            condition(
                json!({"httpMethods": ["GET"], "scope_expression": {"rule": {"!": [{"var": 0}]}, "data": ["s"]}}),
            ),
            "'!'",
        ),
        (
            condition(
                json!({"httpMethods": ["GET"], "scope_expression": {"rule": {"or": [{"var": 7}]}, "data": ["s"]}}),
            ),
            "var 7",
        ),
        (
            condition(
                json!({"httpMethods": ["GET"], "scope_expression": {"rule": {"or": []}, "data": ["s"]}}),
            ),
            "list of rules",
        ),
        (
            condition(json!({"httpMethods": ["GET"], "scope_expression": {"rule": null, "data": ["s"]}})),
            "one member",
        ),
        (
            condition(
                json!({"httpMethods": ["GET"], "scope_expression": {"rule": {"var": 0}, "data": ["s"], "x": 1}}),
            ),
            "unknown field `x`",
        ),
        (json!({"resources": [], "a\nb": 1}), "unknown field `a\\nb`"),
        (
            condition(json!({"httpMethods": ["\u{85}"], "scopes": ["s"]})),
            "is no method",
        ),
    ];
    for (file, said) in rows {
        let why = Resources::parse(file.to_string().as_bytes()).unwrap_err();
        assert!(why.contains(said), "{said}: {why}");
        assert!(!why.contains(char::is_control), "{why:?}");
    }
    let why = Resources::parse(
        b"{\n\"resources\": [\n{\"path\": \"/x\",\n\"conditions\": [{\"httpMethods\": [\"BREW\"]}]}]}",
    )
    .unwrap_err();
    assert!(why.contains("line 4"), "{why}");
    for (one, other, said) in [
        ("/Case", "/case", "differ in case"),
        ("/x/?", "/x/?", "alike"),
        ("/x/{a}", "/x/{b}", "alike"),
        ("/x/??", "/x/??", "alike"),
    ] {
        let why = file(&[(one, &["GET"]), (other, &["GET"])]).unwrap_err();
        assert!(why.contains(said), "{one} {other}: {why}");
    }
    for path in ["/a?b", "/a/??/b", "/a/{(}", "/a#b", "/a/{b", "/a/.."] {
        assert!(file(&[(path, &["GET"])]).is_err(), "{path}");
    }
    // The same path twice, with other methods, is as oxd has it.
    assert!(file(&[("/x", &["GET"]), ("/x", &["POST"])]).is_ok());
}

#[test]
fn an_expression_of_and_and_or_is_taken() {
    let rule = json!({"and": [{"or": [{"var": 0}, {"var": 1}]}, {"var": 2}]});
    let file = json!({"resources": [{"path": "/e", "exp": 1_900_000_000, "conditions": [
        {"httpMethods": ["GET"], "scope_expression": {"rule": rule, "data": ["a", "b", "c"]}, "ticketScopes": ["a"]}
    ]}]});
    let read = Resources::parse(file.to_string().as_bytes()).unwrap();
    assert_eq!(*read.to_json(), file["resources"]);
    assert_eq!(read.paths().collect::<Vec<_>>(), ["/e"]);
}
