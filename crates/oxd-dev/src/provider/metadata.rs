//! Discovery (OpenID Connect Discovery 1.0, section 3) and keys (RFC 7517).

use super::Shared;
use super::respond::json_answer;
use axum::extract::State;
use axum::response::Response;
use serde_json::json;

pub(super) async fn discovery(State(op): Shared) -> Response {
    let mut document = json!({
        "issuer": op.issuer,
        "authorization_endpoint": op.url("/authorize"),
        "token_endpoint": op.url("/token"),
        "userinfo_endpoint": op.url("/userinfo"),
        "jwks_uri": op.url("/jwks"),
        "registration_endpoint": op.url("/register"),
        "introspection_endpoint": op.url("/introspect"),
        "scopes_supported": ["openid", "profile", "email", "address", "phone", "oxd"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "acr_values_supported": op.options.acrs,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claim_types_supported": ["normal"],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        "service_documentation": op.url("/"),
    });
    if op.uma.is_some()
        && let Some(scopes) = document["scopes_supported"].as_array_mut()
    {
        scopes.push(json!("uma_protection"));
    }
    if op.options.end_session {
        document["end_session_endpoint"] = json!(op.url("/end_session"));
        for channel in ["frontchannel", "backchannel"] {
            document[format!("{channel}_logout_supported")] = json!(true);
            document[format!("{channel}_logout_session_supported")] = json!(true);
        }
    }
    json_answer(200, &document)
}

pub(super) async fn jwks(State(op): Shared) -> Response {
    json_answer(200, &op.keys.jwks())
}
