use super::*;
use crate::base::Seconds;

fn keys() -> KeyRing {
    KeyRing::derive([&b"a key for the tests"[..]]).unwrap()
}

fn resolved<'a>(raw: &'a RawSettings<'a>, keys: &'a KeyRing) -> Settings<'a> {
    let server = ServerDefaults {
        keys,
        threads: 16,
        stores: &crate::testing::NoStores,
        revocations: None,
        tokens_path: None,
    };
    Settings::of(raw, server)
}

#[test]
fn an_inner_place_overrides_only_what_it_sets() {
    let (outer_id, inner_id, keys) = ("outer".to_owned(), "inner".to_owned(), keys());
    let outer = RawSettings {
        oxd_id: Some(&outer_id),
        session_idle: Some(Seconds(60)),
        ..RawSettings::default()
    };
    let inner = RawSettings {
        oxd_id: Some(&inner_id),
        server_verify: Some(false),
        ..RawSettings::default()
    };
    let merged = outer.overlaid_with(&inner);
    let merged = resolved(&merged, &keys);
    assert_eq!(merged.site, Some(SiteId("inner")));
    assert_eq!(merged.session().idle, Seconds(60));
    assert!(!merged.server().verify);
}

#[test]
fn single_directives_override_the_site_file() {
    let keys = keys();
    let site = SiteFile {
        oxd_id: Some("from-file".into()),
        client_id: Some("client-from-file".into()),
        client_secret: Some(Secret::new("s".into())),
        op_host: Some("https://op".into()),
        op_configuration_endpoint: None,
        redirect_uri: None,
    };
    let (own, endpoint) = ("own".to_owned(), "https://other/.well-known".to_owned());
    let raw = RawSettings {
        site: Some(&site),
        oxd_id: Some(&own),
        ..RawSettings::default()
    };
    let settings = resolved(&raw, &keys);
    assert_eq!(settings.site, Some(SiteId("own")));
    assert_eq!(settings.server().client_id, Some("client-from-file"));
    assert_eq!(settings.server().provider, Some(Provider::Host("https://op")));
    let raw = RawSettings {
        op_configuration_endpoint: Some(&endpoint),
        ..raw
    };
    let named = resolved(&raw, &keys).server().provider;
    assert_eq!(
        named,
        Some(Provider::ConfigurationEndpoint(&endpoint)),
        "the file's op_host is silent"
    );
}

#[test]
fn a_provider_has_the_members_that_name_it() {
    let members = |host, endpoint| {
        Provider::of(host, endpoint)
            .unwrap()
            .members()
            .collect::<Vec<_>>()
    };
    assert_eq!(members(Some("h"), None), [("op_host", "h")]);
    assert_eq!(members(None, Some("e")), [("op_configuration_endpoint", "e")]);
    assert_eq!(
        members(Some("h"), Some("e")),
        [("op_host", "h"), ("op_configuration_endpoint", "e")]
    );
    assert_eq!(Provider::of(None, None), None);
}

#[test]
fn claim_names_select_and_leave_out() {
    let names = ClaimNames {
        only: vec!["sub".into(), "email".into()],
        never: vec![],
    };
    assert!(names.allow(b"email") && !names.allow(b"name"));
    let names = ClaimNames {
        only: vec![],
        never: vec!["email".into()],
    };
    assert!(!names.allow(b"email") && names.allow(b"name"));
}

#[test]
fn a_quarter_of_the_threads_never_waits_for_oxd() {
    for (configured, threads, expected) in [
        (None, 64, 32),
        (None, 1, 1),
        (None, 3, 1),
        (Some(10), 64, 10),
        (Some(60), 64, 48),
        (Some(1_000), 25, 18),
        (Some(5), 1, 1),
        (Some(5), 4, 3),
    ] {
        assert_eq!(
            max_calls(configured, threads),
            expected,
            "{configured:?} of {threads}"
        );
    }
}
