//! Every answer that was recorded from a real oxd-server (`tests/recorded`), read by the module's client: what it makes of
//! it is held here, one line for each kind of answer.

#[path = "../../../tests/recorded/mod.rs"]
mod scenarios;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use oxd_core::base::Failure;
use oxd_core::config::{Proxy, Timeouts};
use oxd_core::oxd::commands::{self, Request};
use oxd_core::oxd::{Answer, Command, Error, Server};
use serde_json::{Map, Value};

/// One recorded answer.
struct Recorded {
    scenario: String,
    command: String,
    answer: Answer,
}

fn recorded() -> Vec<Recorded> {
    let mut all = Vec::new();
    for scenario in scenarios::scenarios() {
        for call in scenario["calls"].as_array().expect("calls") {
            let (request, response) = (&call["request"], &call["response"]);
            let Some(status) = response["status"].as_u64() else {
                continue;
            };
            let body = match &response["json"] {
                Value::Null => response["body"].as_str().unwrap_or_default().to_owned(),
                json => json.to_string(),
            };
            all.push(Recorded {
                scenario: scenario["scenario"].as_str().unwrap_or_default().to_owned(),
                command: request["path"]
                    .as_str()
                    .unwrap_or_default()
                    .trim_start_matches('/')
                    .to_owned(),
                answer: Answer {
                    status: u16::try_from(status).expect("a status"),
                    media_type: scenarios::header(response, "content-type")
                        .unwrap_or_default()
                        .split(';')
                        .next()
                        .unwrap_or_default()
                        .to_ascii_lowercase(),
                    body: body.into_bytes(),
                    ..Answer::default()
                },
            });
        }
    }
    all
}

/// Reads the members of a successful answer into the type of the command.
fn typed(command: Command, members: Map<String, Value>) -> Result<(), String> {
    fn read<R: Request>(members: Map<String, Value>) -> Result<(), String> {
        R::read(members).map(drop)
    }
    match command.name {
        "get-authorization-url" => read::<commands::authorization_url::GetAuthorizationUrl<'_>>(members),
        "get-client-token" => read::<commands::client_token::GetClientToken<'_>>(members),
        "get-discovery" => read::<commands::discovery::GetDiscovery<'_>>(members),
        "health-check" => read::<commands::health_check::HealthCheck>(members),
        "introspect-rpt" => read::<commands::introspect_rpt::IntrospectRpt<'_>>(members),
        "uma-rs-check-access" => read::<commands::uma_check_access::UmaCheckAccess<'_>>(members),
        "uma-rp-get-claims-gathering-url" => {
            read::<commands::uma_gathering_url::UmaGatheringUrl<'_>>(members)
        }
        "uma-rp-get-rpt" => read::<commands::uma_get_rpt::UmaGetRpt<'_>>(members),
        "uma-rs-protect" => read::<commands::uma_protect::UmaProtect<'_>>(members),
        "introspect-access-token" => {
            read::<commands::introspect_access_token::IntrospectAccessToken<'_>>(members)
        }
        "get-jwks" => read::<commands::jwks::GetJwks<'_>>(members),
        "get-logout-uri" => read::<commands::logout_uri::GetLogoutUri<'_>>(members),
        "get-access-token-by-refresh-token" => {
            read::<commands::refresh::GetAccessTokenByRefreshToken<'_>>(members)
        }
        "register-site" => read::<commands::register_site::RegisterSite<'_>>(members),
        "remove-site" => read::<commands::remove_site::RemoveSite>(members),
        "get-rp" => read::<commands::rp::GetRp>(members),
        "get-tokens-by-code" => read::<commands::tokens_by_code::GetTokensByCode<'_>>(members),
        "update-site" => read::<commands::update_site::UpdateSite>(members),
        "get-user-info" => read::<commands::user_info::GetUserInfo<'_>>(members),
        other => panic!("no type for {other}"),
    }
}

fn outcome(recorded: &Recorded, command: Command) -> String {
    let url = "http://oxd:8443".parse().expect("a URL");
    let server = Server {
        url: &url,
        timeouts: Timeouts {
            total: Duration::from_secs(1),
            connect: Duration::from_secs(1),
        },
        verify: true,
        ca: None,
        proxy: &Proxy::Direct,
        max_calls: 1,
        trace: None,
    };
    match recorded.answer.read(&server, command) {
        Ok(members) => match typed(command, members) {
            Ok(()) => "taken".to_owned(),
            Err(what) => format!("unusable: {what}"),
        },
        Err(error) => {
            let shape = match &error {
                Error::Answer(bad) if bad.foreign.is_some() => "not of oxd".to_owned(),
                Error::Answer(bad) if bad.passed_through.is_some() => "of the provider".to_owned(),
                Error::Answer(bad) if bad.log_id().is_some() => "logged by oxd".to_owned(),
                Error::Answer(bad) if bad.error.is_empty() => "of oxd's framework".to_owned(),
                Error::Answer(bad) => bad.error.clone(),
                other => format!("{other:?}"),
            };
            format!("{shape} -> {}", Failure::from(error).reason.code())
        }
    }
}

#[test]
fn every_recorded_answer_is_read_as_what_it_is() {
    let (mut kinds, mut read, mut unknown) = (BTreeMap::new(), 0, BTreeMap::new());
    for recorded in recorded() {
        let Some(command) = commands::ALL
            .iter()
            .find(|command| command.name == recorded.command)
        else {
            *unknown.entry(recorded.command).or_insert(0) += 1;
            continue;
        };
        let kind = format!(
            "{} {}: {}",
            command.name,
            recorded.answer.status,
            outcome(&recorded, *command)
        );
        let place: &mut (usize, String) = kinds.entry(kind).or_insert((0, recorded.scenario));
        place.0 += 1;
        read += 1;
    }
    let mut found = String::new();
    for kind in kinds.keys() {
        let _ = writeln!(found, "{kind}");
    }
    println!(
        "{read} recorded answers read, of {} kinds; not sent by the module: {unknown:?}",
        kinds.len()
    );
    assert_eq!(found.trim(), KINDS.trim(), "{kinds:#?}");
}

/// Command, status, what it is, and the code of the refusal that a request gets for it.
const KINDS: &str = "
get-access-token-by-refresh-token 200: taken
get-access-token-by-refresh-token 400: bad_request -> oxd_answer
get-access-token-by-refresh-token 400: invalid_oxd_id -> oxd_answer
get-access-token-by-refresh-token 400: of oxd's framework -> oxd_answer
get-access-token-by-refresh-token 403: blank_access_token -> client_token_refused
get-access-token-by-refresh-token 500: internal_error -> oxd_answer
get-access-token-by-refresh-token 500: logged by oxd -> oxd_answer
get-access-token-by-refresh-token 500: no_connect_discovery_response -> oxd_answer
get-authorization-url 200: taken
get-authorization-url 400: invalid_oxd_id -> oxd_answer
get-authorization-url 400: invalid_redirect_uri -> oxd_answer
get-authorization-url 400: invalid_request -> oxd_answer
get-authorization-url 400: redirect_uri_has_fragment_component -> oxd_answer
get-authorization-url 400: redirect_uri_is_not_registered -> oxd_answer
get-authorization-url 401: of the provider -> client_token_refused
get-authorization-url 403: access_token_insufficient_scope -> client_token_refused
get-authorization-url 403: inactive_access_token -> client_token_refused
get-authorization-url 403: invalid_access_token -> client_token_refused
get-authorization-url 403: of the provider -> client_token_refused
get-authorization-url 500: of the provider -> oxd_answer
get-authorization-url 503: of the provider -> oxd_answer
get-client-token 200: taken
get-client-token 400: invalid_op_configuration_endpoint -> oxd_answer
get-client-token 500: internal_error -> client_token_refused
get-client-token 500: no_connect_discovery_response -> oxd_answer
get-discovery 200: taken
get-discovery 500: internal_error -> oxd_answer
get-jwks 200: taken
get-jwks 400: invalid_op_host_and_configuration_endpoint -> oxd_answer
get-logout-uri 200: taken
get-rp 200: taken
get-rp 200: unusable: a member has the wrong type
get-rp 400: invalid_oxd_id -> oxd_answer
get-tokens-by-code 200: taken
get-tokens-by-code 400: bad_request -> code_invalid
get-tokens-by-code 400: bad_request -> state_unregistered
get-tokens-by-code 400: invalid_oxd_id -> oxd_answer
get-tokens-by-code 500: logged by oxd -> oxd_answer
get-user-info 200: taken
get-user-info 400: invalid_oxd_id -> oxd_answer
get-user-info 400: of oxd's framework -> oxd_answer
get-user-info 403: blank_access_token -> client_token_refused
get-user-info 403: inactive_access_token -> client_token_refused
get-user-info 405: not of oxd -> oxd_answer
get-user-info 405: of oxd's framework -> oxd_answer
get-user-info 406: of oxd's framework -> oxd_answer
get-user-info 415: of oxd's framework -> oxd_answer
get-user-info 500: logged by oxd -> oxd_answer
health-check 200: taken
health-check 405: of oxd's framework -> oxd_answer
introspect-access-token 200: taken
introspect-access-token 400: invalid_oxd_id -> oxd_answer
introspect-access-token 400: invalid_request -> oxd_answer
introspect-access-token 400: of oxd's framework -> oxd_answer
introspect-access-token 401: of oxd's framework -> oxd_answer
introspect-access-token 403: blank_access_token -> client_token_refused
introspect-access-token 403: of oxd's framework -> oxd_answer
introspect-access-token 404: of oxd's framework -> oxd_answer
introspect-access-token 429: of oxd's framework -> oxd_answer
introspect-access-token 500: internal_error -> oxd_answer
introspect-access-token 500: logged by oxd -> oxd_answer
introspect-access-token 500: no_connect_discovery_response -> oxd_answer
introspect-access-token 500: not of oxd -> oxd_answer
introspect-access-token 503: not of oxd -> oxd_answer
introspect-rpt 200: taken
introspect-rpt 400: invalid_oxd_id -> oxd_answer
introspect-rpt 403: blank_access_token -> client_token_refused
introspect-rpt 500: internal_error -> oxd_answer
introspect-rpt 500: logged by oxd -> oxd_answer
introspect-rpt 500: no_connect_discovery_response -> oxd_answer
introspect-rpt 500: no_uma_discovery_response -> oxd_answer
register-site 200: taken
register-site 400: invalid_client_secret -> oxd_answer
register-site 400: invalid_op_host_and_configuration_endpoint -> oxd_answer
register-site 400: invalid_redirect_uri -> oxd_answer
register-site 500: no_client_id_returned -> oxd_answer
register-site 500: no_connect_discovery_response -> oxd_answer
remove-site 200: taken
remove-site 400: invalid_oxd_id -> oxd_answer
uma-rp-get-claims-gathering-url 200: taken
uma-rp-get-claims-gathering-url 400: invalid_claims_redirect_uri_parameter -> oxd_answer
uma-rp-get-claims-gathering-url 400: invalid_oxd_id -> oxd_answer
uma-rp-get-claims-gathering-url 400: invalid_ticket_parameter -> oxd_answer
uma-rp-get-claims-gathering-url 400: of oxd's framework -> oxd_answer
uma-rp-get-claims-gathering-url 403: blank_access_token -> client_token_refused
uma-rp-get-claims-gathering-url 500: internal_error -> oxd_answer
uma-rp-get-claims-gathering-url 500: logged by oxd -> oxd_answer
uma-rp-get-claims-gathering-url 500: no_connect_discovery_response -> oxd_answer
uma-rp-get-claims-gathering-url 500: no_uma_discovery_response -> oxd_answer
uma-rp-get-rpt 200: taken
uma-rp-get-rpt 400: invalid_claim_token_format -> oxd_answer
uma-rp-get-rpt 400: invalid_claim_token_or_claim_token_form -> oxd_answer
uma-rp-get-rpt 400: invalid_oxd_id -> oxd_answer
uma-rp-get-rpt 400: invalid_ticket -> oxd_answer
uma-rp-get-rpt 400: invalid_ticket_parameter -> oxd_answer
uma-rp-get-rpt 400: of oxd's framework -> oxd_answer
uma-rp-get-rpt 403: blank_access_token -> client_token_refused
uma-rp-get-rpt 403: forbidden_by_policy -> oxd_answer
uma-rp-get-rpt 403: invalid_claim_token -> oxd_answer
uma-rp-get-rpt 403: invalid_client -> oxd_answer
uma-rp-get-rpt 403: invalid_pct -> oxd_answer
uma-rp-get-rpt 403: invalid_rpt -> oxd_answer
uma-rp-get-rpt 403: need_info -> oxd_answer
uma-rp-get-rpt 403: not of oxd -> oxd_answer
uma-rp-get-rpt 403: request_denied -> oxd_answer
uma-rp-get-rpt 403: request_submitted -> oxd_answer
uma-rp-get-rpt 403: server_error -> oxd_answer
uma-rp-get-rpt 403: slow_down -> oxd_answer
uma-rp-get-rpt 500: internal_error -> oxd_answer
uma-rp-get-rpt 500: logged by oxd -> oxd_answer
uma-rp-get-rpt 500: no_connect_discovery_response -> oxd_answer
uma-rp-get-rpt 500: no_uma_discovery_response -> oxd_answer
uma-rp-get-rpt 500: not of oxd -> oxd_answer
uma-rp-get-rpt 500: of oxd's framework -> oxd_answer
uma-rp-get-rpt 503: of oxd's framework -> oxd_answer
uma-rs-check-access 200: taken
uma-rs-check-access 400: invalid_http_method -> oxd_answer
uma-rs-check-access 400: invalid_oxd_id -> oxd_answer
uma-rs-check-access 400: invalid_path_parameter -> oxd_answer
uma-rs-check-access 400: invalid_request -> uma_unprotected
uma-rs-check-access 400: of oxd's framework -> oxd_answer
uma-rs-check-access 403: blank_access_token -> client_token_refused
uma-rs-check-access 403: of oxd's framework -> oxd_answer
uma-rs-check-access 500: internal_error -> oxd_answer
uma-rs-check-access 500: logged by oxd -> oxd_answer
uma-rs-check-access 500: no_connect_discovery_response -> oxd_answer
uma-rs-check-access 500: no_uma_discovery_response -> oxd_answer
uma-rs-check-access 500: not of oxd -> oxd_answer
uma-rs-protect 200: taken
uma-rs-protect 400: http_method_not_unique -> oxd_answer
uma-rs-protect 400: invalid_oxd_id -> oxd_answer
uma-rs-protect 400: invalid_scope_expression -> oxd_answer
uma-rs-protect 400: invalid_uma_request -> oxd_answer
uma-rs-protect 400: of oxd's framework -> oxd_answer
uma-rs-protect 400: uma_protection_exists -> oxd_answer
uma-rs-protect 403: blank_access_token -> client_token_refused
uma-rs-protect 403: of oxd's framework -> oxd_answer
uma-rs-protect 404: of oxd's framework -> oxd_answer
uma-rs-protect 500: internal_error -> oxd_answer
uma-rs-protect 500: logged by oxd -> oxd_answer
uma-rs-protect 500: no_connect_discovery_response -> oxd_answer
uma-rs-protect 500: no_uma_discovery_response -> oxd_answer
uma-rs-protect 500: not of oxd -> oxd_answer
update-site 200: taken
update-site 400: invalid_oxd_id -> oxd_answer
update-site 500: internal_error -> oxd_answer
";
