//! The error answers of the oxd API. Codes and statuses are those of oxd 4.x; texts are
//! oxd's own only where clients are known to compare them.

use serde_json::{Value, json};

/// An answer that is not 200.
#[derive(Debug)]
pub(crate) enum Failure {
    /// oxd's `ErrorResponse`.
    Api {
        status: u16,
        error: &'static str,
        description: &'static str,
        details: Option<String>,
    },
    /// Parameters that could not be read: 400 with plain text.
    Unreadable(String),
    /// No such command, or not with this method or media type: what the real one's web
    /// framework says before oxd's code runs.
    Http(u16, &'static str),
}

impl Failure {
    const fn api(status: u16, error: &'static str, description: &'static str) -> Failure {
        Failure::Api {
            status,
            error,
            description,
            details: None,
        }
    }

    /// The same with `details`.
    pub(crate) fn because(self, why: impl ToString) -> Failure {
        match self {
            Failure::Api {
                status,
                error,
                description,
                ..
            } => Failure::Api {
                status,
                error,
                description,
                details: Some(why.to_string()),
            },
            other => other,
        }
    }

    /// Status and, for an API error, the JSON.
    pub(crate) fn status(&self) -> u16 {
        match self {
            Failure::Api { status, .. } | Failure::Http(status, _) => *status,
            Failure::Unreadable(_) => 400,
        }
    }

    /// The body and whether it is JSON.
    pub(crate) fn body(&self) -> (Option<Value>, String) {
        let value = match self {
            Failure::Api {
                error,
                description,
                details,
                ..
            } => json!({
                "error": error,
                "error_description": description,
                "details": details,
            }),
            Failure::Http(code, text) => json!({ "code": code, "message": text }),
            Failure::Unreadable(text) => return (None, text.clone()),
        };
        (Some(value), String::new())
    }
}

pub(crate) const INTERNAL: Failure =
    Failure::api(500, "internal_error", "Unknown internal server error occurs.");
pub(crate) const ACCESS_DENIED: Failure = Failure::api(
    403,
    "oxd_access_denied",
    "The caller's address is not among the bind_ip_addresses of oxd-server.yml.",
);
pub(crate) const NO_OXD_ID: Failure = Failure::api(400, "bad_request", "'oxd_id' is empty or not specified.");
pub(crate) const UNKNOWN_OXD_ID: Failure = Failure::api(
    400,
    "invalid_oxd_id",
    "There is no site with this oxd_id. Please use register-site to register one.",
);
pub(crate) const UNKNOWN_AUTHORIZATION_OXD_ID: Failure = Failure::api(
    400,
    "authorization_oxd_id_not_found",
    "There is no site with the oxd_id of the AuthorizationOxdId header.",
);
pub(crate) const NO_CODE: Failure = Failure::api(400, "bad_request", "'code' is empty or not specified.");
pub(crate) const BAD_CODE: Failure = Failure::api(400, "bad_request", "'code' is invalid.");
pub(crate) const NO_STATE: Failure = Failure::api(400, "bad_request", "'state' is empty or not specified.");
pub(crate) const BAD_STATE: Failure = Failure::api(400, "bad_request", "'state' is not registered.");
pub(crate) const NO_REFRESH_TOKEN: Failure =
    Failure::api(400, "bad_request", "'refresh_token' is empty or not specified.");
pub(crate) const NO_ACCESS_TOKEN_PARAMETER: Failure =
    Failure::api(400, "bad_request", "'access_token' is empty or not specified.");
pub(crate) const BAD_REDIRECT_URI: Failure = Failure::api(
    400,
    "invalid_redirect_uri",
    "redirect_uri is empty, blank or no absolute URI.",
);
pub(crate) const REDIRECT_URI_HAS_FRAGMENT: Failure = Failure::api(
    400,
    "redirect_uri_has_fragment_component",
    "A redirect URI must not have a fragment.",
);
pub(crate) const REDIRECT_URI_NOT_REGISTERED: Failure = Failure::api(
    400,
    "redirect_uri_is_not_registered",
    "The redirect_uri is not one of the site's registered ones.",
);
pub(crate) const BAD_OP: Failure = Failure::api(
    400,
    "invalid_op_host_and_configuration_endpoint",
    "Neither op_host nor op_configuration_endpoint is a usable address.",
);
pub(crate) const BAD_OP_CONFIGURATION_ENDPOINT: Failure = Failure::api(
    400,
    "invalid_op_configuration_endpoint",
    "op_configuration_endpoint does not end with /.well-known/openid-configuration.",
);
pub(crate) const NO_CLIENT_ID: Failure = Failure::api(400, "invalid_client_id", "client_id is required.");
pub(crate) const NO_CLIENT_SECRET: Failure =
    Failure::api(400, "invalid_client_secret", "client_secret is required.");
pub(crate) const BLANK_TOKEN: Failure = Failure::api(
    403,
    "blank_access_token",
    "The command wants a client token in the Authorization header.",
);
pub(crate) const INVALID_TOKEN: Failure = Failure::api(
    403,
    "invalid_access_token",
    "The client token does not belong to the client of this site.",
);
pub(crate) const INACTIVE_TOKEN: Failure = Failure::api(
    403,
    "inactive_access_token",
    "The client token has expired or is unknown.",
);
pub(crate) const INSUFFICIENT_SCOPE: Failure = Failure::api(
    403,
    "access_token_insufficient_scope",
    "The client token does not have the scope `oxd`.",
);
pub(crate) const NO_DISCOVERY: Failure = Failure::api(
    500,
    "no_connect_discovery_response",
    "Unable to fetch the provider's discovery document.",
);
pub(crate) const NO_REGISTRATION_ENDPOINT: Failure = Failure::api(
    500,
    "invalid_request",
    "The provider does not support dynamic registration: give client_id and client_secret.",
);
pub(crate) const NO_CLIENT_RETURNED: Failure = Failure::api(
    500,
    "no_client_id_returned",
    "The provider did not register the client.",
);
pub(crate) const NO_ID_TOKEN: Failure = Failure::api(
    500,
    "no_id_token",
    "The provider returned no id_token. Was `openid` in the scope?",
);
pub(crate) const BAD_NONCE: Failure = Failure::api(
    500,
    "invalid_id_token_bad_nonce",
    "The id_token's nonce is not registered.",
);
pub(crate) const BAD_AUDIENCE: Failure = Failure::api(
    500,
    "invalid_id_token_bad_audience",
    "The id_token is for somebody else.",
);
pub(crate) const BAD_ISSUER: Failure = Failure::api(
    500,
    "invalid_id_token_bad_issuer",
    "The id_token comes from somebody else.",
);
pub(crate) const EXPIRED_ID_TOKEN: Failure =
    Failure::api(500, "invalid_id_token_expired", "The id_token has expired.");
pub(crate) const BAD_SIGNATURE: Failure = Failure::api(
    500,
    "invalid_id_token_bad_signature",
    "The id_token's signature is wrong.",
);
pub(crate) const BAD_ID_TOKEN: Failure = Failure::api(
    500,
    "invalid_id_token_unknown",
    "The id_token cannot be verified.",
);
pub(crate) const BAD_AT_HASH: Failure = Failure::api(
    500,
    "invalid_access_token_bad_hash",
    "The id_token's at_hash does not belong to the access_token.",
);
pub(crate) const BAD_SUBJECT: Failure = Failure::api(
    500,
    "invalid_subject_identifier",
    "User info is about somebody else than the id_token.",
);
pub(crate) const NO_END_SESSION: Failure = Failure::api(
    500,
    "no_end_session_endpoint_at_op",
    "The provider's discovery document has no end_session_endpoint.",
);
