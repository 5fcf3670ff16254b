//! Members of `register-site` and `update-site` that have no option of their own: `--set NAME=JSON`.

use serde_json::{Map, Value};

/// All of them in oxd 4.1 to 4.5, from its API description. oxd ignores what it does not know, so that a misspelled name
/// would be lost.
const NAMES: [&str; 46] = [
    "access_token_as_jwt",
    "access_token_lifetime",
    "access_token_signing_alg",
    "allow_spontaneous_scopes",
    "authorized_origins",
    "claims_locales",
    "claims_redirect_uri",
    "client_jwks_uri",
    "client_request_uris",
    "client_sector_identifier_uri",
    "client_token_endpoint_auth_method",
    "client_token_endpoint_auth_signing_alg",
    "client_uri",
    "custom_attributes",
    "default_max_age",
    "front_channel_logout_session_required",
    "grant_types",
    "id_token_binding_cnf",
    "id_token_encrypted_response_alg",
    "id_token_encrypted_response_enc",
    "id_token_signed_response_alg",
    "initiate_login_uri",
    "jwks",
    "logo_uri",
    "op_discovery_path",
    "policy_uri",
    "request_object_encryption_alg",
    "request_object_encryption_enc",
    "request_object_signing_alg",
    "require_auth_time",
    "response_types",
    "rpt_as_jwt",
    "run_introspection_script_beforeaccess_token_as_jwt_creation_and_include_claims",
    "software_id",
    "software_statement",
    "software_version",
    "spontaneous_scopes",
    "sync_client_from_op",
    "sync_client_period_in_seconds",
    "tls_client_auth_subject_dn",
    "tos_uri",
    "trusted_client",
    "ui_locales",
    "user_info_encrypted_response_alg",
    "user_info_encrypted_response_enc",
    "user_info_signed_response_alg",
];

/// Members with options of their own.
const WITH_OPTIONS: [(&str, &str); 11] = [
    ("acr_values", "--acr"),
    ("client_frontchannel_logout_uris", "--base"),
    ("client_id", "--client-id"),
    ("client_name", "--client-name"),
    ("client_secret", "--client-secret"),
    ("contacts", "--contact"),
    ("op_configuration_endpoint", "--op-configuration-endpoint"),
    ("op_host", "--op-host"),
    ("post_logout_redirect_uris", "--post-logout-redirect-uri"),
    ("redirect_uris", "--redirect-uri"),
    ("scope", "--scope"),
];

/// One `NAME=JSON`.
///
/// # Errors
/// A name that oxd does not know or that has an option of its own, and a value that is no JSON.
pub fn member(text: &str) -> Result<(String, Value), String> {
    let (name, json) = text
        .split_once('=')
        .ok_or("it must be NAME=JSON, such as require_auth_time=true")?;
    if let Some((_, option)) = WITH_OPTIONS.iter().find(|(with, _)| *with == name) {
        return Err(format!("{name} has an option of its own: {option}"));
    }
    if !NAMES.contains(&name) {
        return Err(format!(
            "oxd's register-site has no member {name}, and would ignore it"
        ));
    }
    match serde_json::from_str(json) {
        Ok(value) => Ok((name.to_owned(), value)),
        Err(_) => Err(format!(
            "{json} is no JSON; a text stands in double quotes: '{name}=\"{}\"'",
            json.trim_matches('"')
        )),
    }
}

/// All of them as an object; of a name that is given twice, the last value.
pub fn object(members: &[(String, Value)]) -> Map<String, Value> {
    members.iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn members_are_named_and_json() {
        assert_eq!(
            member("require_auth_time=true"),
            Ok(("require_auth_time".to_owned(), json!(true)))
        );
        assert_eq!(
            member("client_uri=\"https://a/?b=c\""),
            Ok(("client_uri".to_owned(), json!("https://a/?b=c")))
        );
        for (text, said) in [
            ("require_auth_time", "NAME=JSON"),
            ("require_auth_times=true", "would ignore it"),
            ("oxd_id=\"x\"", "would ignore it"),
            ("redirect_uris=[]", "--redirect-uri"),
            ("scope=[]", "--scope"),
            ("client_uri=https://a/", "'client_uri=\"https://a/\"'"),
        ] {
            let error = member(text).expect_err(text);
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn the_names_are_in_order_and_once() {
        assert!(NAMES.is_sorted_by(|a, b| a < b) && WITH_OPTIONS.is_sorted());
    }
}
