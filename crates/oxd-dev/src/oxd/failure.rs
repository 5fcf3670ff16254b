//! The error answers of the oxd API: statuses, codes and words as recorded from oxd 4.5.6 (`tests/recorded`), so that
//! whoever compares or prints them sees what a real server would send.

use crate::util::random_uuid;
use serde_json::{Value, json};
use std::borrow::Cow;

/// An answer that is not 200.
#[derive(Debug)]
pub(crate) enum Failure {
    /// oxd's `ErrorResponse`.
    Api {
        status: u16,
        error: &'static str,
        description: Cow<'static, str>,
        details: Option<String>,
    },
    /// Parameters that could not be read: 400 with plain text, although the `Content-Type` says JSON.
    Unreadable(String),
    /// No such command, or not with this method or media type: what the real one's web
    /// framework (Dropwizard) says before oxd's code runs; also a provider's refusal that oxd hands on.
    Http(u16, Cow<'static, str>),
    /// A provider's JSON that oxd hands on as it is.
    Said(u16, Value),
    /// A provider's 5xx that oxd hands on: its servlet container makes a page of it.
    Page(u16),
    /// The real one's code failed: the framework answers 500 and names the entry in oxd's log.
    Logged,
}

impl Failure {
    const fn api(status: u16, error: &'static str, description: &'static str) -> Failure {
        Failure::Api {
            status,
            error,
            description: Cow::Borrowed(description),
            details: None,
        }
    }

    /// The same with other words.
    pub(crate) fn described(self, words: String) -> Failure {
        match self {
            Failure::Api {
                status,
                error,
                details,
                ..
            } => Failure::Api {
                status,
                error,
                description: words.into(),
                details,
            },
            other => other,
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
            Failure::Api { status, .. } | Failure::Http(status, _) | Failure::Said(status, _) => *status,
            Failure::Unreadable(_) => 400,
            Failure::Page(status) => *status,
            Failure::Logged => 500,
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
                "reason": null,
            }),
            Failure::Said(_, said) => said.clone(),
            Failure::Http(code, text) => json!({ "code": code, "message": text }),
            Failure::Logged => {
                let id = &random_uuid().replace('-', "")[..16];
                let message =
                    format!("There was an error processing your request. It has been logged (ID {id}).");
                json!({ "code": 500, "message": message })
            }
            Failure::Unreadable(text) => return (None, text.clone()),
            Failure::Page(status) => {
                let page = format!("<html><body><h2>HTTP ERROR {status}</h2></body></html>\n");
                return (None, page);
            }
        };
        (Some(value), String::new())
    }

    /// The `Content-Type` of the answer.
    pub(crate) fn media_type(&self) -> &'static str {
        match self {
            Failure::Page(_) => "text/html;charset=iso-8859-1",
            _ => "application/json",
        }
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
    "Invalid oxd_id. Unable to find the site for oxd_id. It does not exist or has been removed from the server. Please use the register_site command to register a site.",
);
pub(crate) const NO_CODE: Failure = Failure::api(400, "bad_request", "'code' is empty or not specified.");
pub(crate) const BAD_CODE: Failure = Failure::api(400, "bad_request", "'code' is invalid.");
pub(crate) const NO_STATE: Failure = Failure::api(400, "bad_request", "'state' is empty or not specified.");
pub(crate) const BAD_STATE: Failure = Failure::api(400, "bad_request", "'state' is not registered.");
pub(crate) const NO_REFRESH_TOKEN: Failure =
    Failure::api(400, "bad_request", "'refresh token' is empty or not specified.");
pub(crate) const NO_ISSUER: Failure = Failure::api(
    500,
    "failed_to_get_issuer",
    "Failed to get OP Issuer. Please check 1) if correct `resource` parameter is passed to this command. 2) oxd log file for error details (oxd-server.log).",
);
pub(crate) const BAD_REDIRECT_URI: Failure = Failure::api(
    400,
    "invalid_redirect_uri",
    "Invalid redirect_uri (empty, blank or invalid).",
);
pub(crate) const REDIRECT_URI_HAS_FRAGMENT: Failure = Failure::api(
    400,
    "redirect_uri_has_fragment_component",
    "Fragment component is not allowed in redirect uri.",
);
pub(crate) const REDIRECT_URI_NOT_REGISTERED: Failure = Failure::api(
    400,
    "redirect_uri_is_not_registered",
    "The authorization redirect uri is not registered.",
);
pub(crate) const BAD_OP: Failure = Failure::api(
    400,
    "invalid_op_host_and_configuration_endpoint",
    "Both op_host and op_configuration_endpoint are invalid (empty or blank). At least one parameter should be defined.",
);
pub(crate) const BAD_OP_CONFIGURATION_ENDPOINT: Failure = Failure::api(
    400,
    "invalid_op_configuration_endpoint",
    "Invalid op_configuration_endpoint (invalid or blank).",
);
pub(crate) const NO_CLIENT_ID: Failure = Failure::api(400, "invalid_client_id", "client_id is required.");
pub(crate) const NO_CLIENT_SECRET: Failure = Failure::api(
    400,
    "invalid_client_secret",
    "client_secret is required parameter in request (skip client_id if you wish to dynamically register client.).",
);
pub(crate) const BLANK_TOKEN: Failure = Failure::api(
    403,
    "blank_access_token",
    "access_token is blank. Command is protected by access_token, please provide valid token or otherwise switch off protection in configuration with protect_commands_with_access_token=false",
);
pub(crate) const INVALID_TOKEN: Failure = Failure::api(
    403,
    "invalid_access_token",
    "Invalid access_token. Command is protected by access_token, please provide valid token or otherwise switch off protection in configuration with protect_commands_with_access_token=false",
);
pub(crate) const INACTIVE_TOKEN: Failure = Failure::api(
    403,
    "inactive_access_token",
    "Inactive access_token. Command is protected by access_token, please provide valid token or otherwise switch off protection in configuration with protect_commands_with_access_token=false",
);
pub(crate) const INSUFFICIENT_SCOPE: Failure = Failure::api(
    403,
    "access_token_insufficient_scope",
    "access_token does not have `oxd` scope. Make sure a) scope exists on AS b) register_site is registered with 'oxd' scope c) get_client_token has 'oxd' scope in request",
);
pub(crate) const NO_DISCOVERY: Failure = Failure::api(
    500,
    "no_connect_discovery_response",
    "Unable to fetch Connect discovery response /.well-known/openid-configuration",
);
pub(crate) const NO_REGISTRATION_ENDPOINT: Failure = Failure::api(
    500,
    "invalid_request",
    "The provider does not support dynamic registration: give client_id and client_secret.",
);
pub(crate) const NO_CLIENT_RETURNED: Failure = Failure::api(
    500,
    "no_client_id_returned",
    "`client_id` is not returned from OP host. Please check OP log file for error (oxauth.log).",
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
pub(crate) const NO_UMA_DISCOVERY: Failure = Failure::api(
    500,
    "no_uma_discovery_response",
    "Unable to fetch UMA discovery response /.well-known/uma2-configuration",
);
pub(crate) const UMA_PROTECTION_EXISTS: Failure = Failure::api(
    400,
    "uma_protection_exists",
    "Server already has UMA Resources registered for this oxd_id. It is possible to overwrite it if provide overwrite=true for uma_rs_protect command (existing resources will be removed and new UMA Resources added).",
);
pub(crate) const NO_RESOURCES: Failure = Failure::api(
    400,
    "invalid_uma_request",
    "Resources list to protect is empty or blank. Please check it according to protocol definition at https://gluu.org/docs/oxd",
);
pub(crate) const BAD_SCOPE_EXPRESSION: Failure = Failure::api(
    400,
    "invalid_scope_expression",
    "The scope expression is invalid. Please check the documentation and make sure it is a valid JsonLogic expression.",
);
pub(crate) const METHOD_NOT_UNIQUE: Failure = Failure::api(
    400,
    "http_method_not_unique",
    "HTTP method defined in JSON must be unique within given PATH (but occurs more then one time).",
);
/// Its words depend on the request.
pub(crate) const INVALID_REQUEST: Failure = Failure::api(400, "invalid_request", "");
pub(crate) const NO_PATH: Failure = Failure::api(
    400,
    "invalid_path_parameter",
    "path parameter is not specified or otherwise not valid",
);
pub(crate) const NO_HTTP_METHOD: Failure = Failure::api(
    400,
    "invalid_http_method",
    "http_method is not specified or otherwise not GET or POST or PUT or DELETE. Please check it according to protocol definition at https://gluu.org/docs/oxd",
);
pub(crate) const NO_TICKET: Failure = Failure::api(
    400,
    "invalid_ticket_parameter",
    "ticket parameter is not specified or otherwise is not valid",
);
pub(crate) const NO_CLAIMS_REDIRECT_URI: Failure = Failure::api(
    400,
    "invalid_claims_redirect_uri_parameter",
    "claims_redirect_uri parameter is not specified or otherwise is not valid",
);
pub(crate) const BAD_CLAIM_TOKEN: Failure = Failure::api(
    400,
    "invalid_claim_token_or_claim_token_form",
    "Claim token or claim token format is invalid.",
);
pub(crate) const NO_RPT: Failure = Failure::api(500, "internal_error", "Failed to get RPT.");
