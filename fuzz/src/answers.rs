//! Answers of oxd, and of whatever else may stand at its address: each command's, by the reader that the module has.

use std::time::Duration;

use oxd_core::base::Failure;
use oxd_core::config::{Proxy, Timeouts};
use oxd_core::oxd::commands::{self, Request};
use oxd_core::oxd::{Answer, Command, Server};
use serde_json::{Map, Value};

fn read<R: Request>(members: Map<String, Value>) -> Result<(), String> {
    R::read(members).map(drop)
}

/// Reads the members of a success as the command does.
fn typed(command: Command, members: Map<String, Value>) -> Result<(), String> {
    match command.name {
        "get-authorization-url" => read::<commands::authorization_url::GetAuthorizationUrl<'_>>(members),
        "get-client-token" => read::<commands::client_token::GetClientToken<'_>>(members),
        "get-discovery" => read::<commands::discovery::GetDiscovery<'_>>(members),
        "health-check" => read::<commands::health_check::HealthCheck>(members),
        "introspect-rpt" => read::<commands::introspect_rpt::IntrospectRpt<'_>>(members),
        "introspect-access-token" => {
            read::<commands::introspect_access_token::IntrospectAccessToken<'_>>(members)
        }
        "uma-rs-check-access" => read::<commands::uma_check_access::UmaCheckAccess<'_>>(members),
        "uma-rp-get-claims-gathering-url" => {
            read::<commands::uma_gathering_url::UmaGatheringUrl<'_>>(members)
        }
        "uma-rp-get-rpt" => read::<commands::uma_get_rpt::UmaGetRpt<'_>>(members),
        "uma-rs-protect" => read::<commands::uma_protect::UmaProtect<'_>>(members),
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

/// A word that stands in no message.
const SECRET: &str = "hunter2";

/// The values: the command's name, the status, the media type, the body.
pub fn oxd_answer(data: &[u8]) {
    let mut parts = crate::parts(data);
    let name = crate::text(parts.next()).into_owned();
    let Some(command) = commands::ALL.iter().find(|command| command.name == name) else {
        return;
    };
    let Ok(status) = crate::text(parts.next()).parse::<u16>() else {
        return;
    };
    let media_type = crate::text(parts.next()).to_ascii_lowercase();
    // The rest, whatever bytes it has: a body is longer than the others, and not always text.
    let body = parts.collect::<Vec<_>>().join(&0xff);
    let answer = Answer {
        status,
        media_type,
        body,
        location: None,
        ..Answer::default()
    };
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
    match answer.read(&server, *command) {
        Ok(members) => {
            assert_eq!(status, 200);
            if let Err(what) = typed(*command, members) {
                assert!(crate::is_one_line(&what), "{what:?}");
                // Values may hold words of the message: this one does not stand in any.
                assert!(!what.contains(SECRET), "a value of an answer is shown: {what}");
            }
        }
        Err(error) => {
            let said = error.to_string();
            assert!(crate::is_one_line(&said), "more than one line: {said:?}");
            assert!(said.starts_with("http://oxd:8443/"), "{said}");
            assert!(said.len() < 16 * 1024, "{} bytes", said.len());
            let failure = Failure::from(error);
            let line = failure.log_line().to_string();
            assert!(crate::is_one_line(&line), "more than one line: {line:?}");
            assert!((400..600).contains(&failure.reason.status()));
        }
    }
}
