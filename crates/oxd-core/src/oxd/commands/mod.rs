//! The commands of oxd's REST API, a file each: the members that are sent (swagger 4.1 to 4.5) and those of the answer
//! that are used. Members that are not named are ignored.
//!
//! A new command is a new file with a [`Request`], and a line in [`ALL`].

pub mod authorization_url;
pub mod client_token;
pub mod discovery;
pub mod health_check;
pub mod introspect_access_token;
pub mod introspect_rpt;
pub mod jwks;
pub mod logout_uri;
pub mod refresh;
pub mod register_site;
pub mod remove_site;
pub mod rp;
pub mod tokens_by_code;
pub mod uma_check_access;
pub mod uma_gathering_url;
pub mod uma_get_rpt;
pub mod uma_protect;
pub mod update_site;
pub mod user_info;

use serde::de::DeserializeOwned;
use serde::{Deserialize as _, Serialize};
use serde_json::{Map, Value};

use self::refresh::Refreshed;
use super::budget::Place;
use super::command::Command;
use super::error::Error;
use crate::base::{Seconds, Secret};

/// All commands that this program knows.
pub const ALL: &[Command] = &[
    authorization_url::GetAuthorizationUrl::COMMAND,
    client_token::GetClientToken::COMMAND,
    discovery::GetDiscovery::COMMAND,
    health_check::HealthCheck::COMMAND,
    introspect_access_token::IntrospectAccessToken::COMMAND,
    introspect_rpt::IntrospectRpt::COMMAND,
    jwks::GetJwks::COMMAND,
    logout_uri::GetLogoutUri::COMMAND,
    refresh::GetAccessTokenByRefreshToken::COMMAND,
    register_site::RegisterSite::COMMAND,
    remove_site::RemoveSite::COMMAND,
    rp::GetRp::COMMAND,
    tokens_by_code::GetTokensByCode::COMMAND,
    uma_check_access::UmaCheckAccess::COMMAND,
    uma_gathering_url::UmaGatheringUrl::COMMAND,
    uma_get_rpt::UmaGetRpt::COMMAND,
    uma_protect::UmaProtect::COMMAND,
    update_site::UpdateSite::COMMAND,
    user_info::GetUserInfo::COMMAND,
];

/// Sends commands. Object-safe, so that rules, tests and `oxdctl` share the typed requests.
pub trait Call {
    /// Sends the members (without `oxd_id`) and answers with the members of a successful answer.
    fn call(&self, command: Command, members: Map<String, Value>) -> Result<Map<String, Value>, Error>;
}

/// What the rules of login, session and logout need of oxd: commands, and what requests share.
pub trait Oxd: Call {
    /// `get-access-token-by-refresh-token`. Requests with the same refresh token share one answer: the provider may
    /// take each refresh token only once.
    fn refresh(&self, refresh_token: &str, scope: &[&str]) -> Result<Refreshed, Error>;

    /// `get-user-info` for a session that asked last at `since`; requests of the same session share one answer.
    fn user_info_again(
        &self,
        access_token: &str,
        id_token: &str,
        since: Seconds,
    ) -> Result<Map<String, Value>, Error>;

    /// `get-jwks`: the provider's keys (RFC 7517 section 4). They are kept for a while; `anew` asks for fresh ones,
    /// which oxd is asked for at a bounded rate.
    fn signing_keys(&self, anew: bool) -> Result<Vec<Value>, Error>;

    /// `get-discovery`: the provider's issuer, kept for a while. `None` where oxd does not name it.
    fn issuer(&self) -> Result<Option<String>, Error>;

    /// A place among the threads that wait for oxd, for one that waits without a call of its own.
    fn wait_place(&self) -> Result<Place<'_>, Error>;
}

/// The request of one command.
pub trait Request: Serialize {
    /// The command.
    const COMMAND: Command;
    /// The members of its answer that are used.
    type Answer: DeserializeOwned;

    /// The members as they are sent, without `oxd_id`.
    fn members(&self) -> Map<String, Value> {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            _ => Map::new(),
        }
    }

    /// Reads the members of an answer. The error names a member that is missing, and no value.
    fn read(answer: Map<String, Value>) -> Result<Self::Answer, String> {
        let answer = Value::Object(without_null(answer));
        let read = Self::Answer::deserialize(&answer);
        // Where a text is expected, a number stands for its digits.
        let read = read.or_else(|error| Self::Answer::deserialize(&with_digits(answer)).map_err(|_| error));
        read.map_err(|error| {
            // serde_json's message may quote a value, and with it a token.
            match error.to_string().strip_prefix("missing field ") {
                Some(member) => format!("without the member {member}"),
                None => "a member has the wrong type".to_owned(),
            }
        })
    }

    /// Sends the request.
    fn send<C: Call + ?Sized>(&self, oxd: &C) -> Result<Self::Answer, Error> {
        let answer = oxd.call(Self::COMMAND, self.members())?;
        Self::read(answer).map_err(|what| Error::Unusable {
            command: Self::COMMAND,
            what,
        })
    }
}

// Not in `Request::read`, which the module has once for each command: to collect a map takes a sort.

/// The members that say something: versions differ in whether they leave a member out or say null.
fn without_null(mut members: Map<String, Value>) -> Map<String, Value> {
    if members.values().any(Value::is_null) {
        members.retain(|_, value| !value.is_null());
    }
    members
}

/// The same with numbers as texts.
fn with_digits(mut answer: Value) -> Value {
    for value in answer.as_object_mut().into_iter().flat_map(Map::values_mut) {
        if let Value::Number(number) = value {
            *value = number.to_string().into();
        }
    }
    answer
}

/// Serializes a secret where oxd has to know it.
fn exposed<S: serde::Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// The same for one that need not be known.
fn known<S: serde::Serializer>(secret: &Option<&Secret>, serializer: S) -> Result<S::Ok, S::Error> {
    match secret {
        Some(secret) => exposed(secret, serializer),
        None => serializer.serialize_none(),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::base::{Failure, Reason};
    use crate::oxd::{Answer, server};
    use crate::shm::stats;

    /// The reason that an answer of a command stands for.
    pub(crate) fn failure(command: Command, status: u16, body: &str) -> Reason {
        let answer = Answer {
            status,
            body: body.into(),
            ..Answer::default()
        };
        let url = "http://oxd".parse().unwrap();
        let read = answer.read(&server::tests::server(&url), command);
        Failure::from(read.unwrap_err()).reason
    }

    #[test]
    fn every_command_is_listed_once_and_all_that_are_counted_exist() {
        let mut names: Vec<_> = ALL.iter().map(|command| command.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
        for counted in stats::Command::ALL {
            assert!(
                names.contains(&counted.name()) || counted.name() == "other",
                "{}",
                counted.name()
            );
        }
    }

    #[test]
    fn what_is_wrong_with_an_answer_is_said_without_its_values() {
        let read = |answer: Value| logout_uri::GetLogoutUri::read(answer.as_object().unwrap().clone());
        let wrong = |answer| read(answer).err().unwrap();
        assert_eq!(wrong(serde_json::json!({})), "without the member `uri`");
        assert_eq!(
            wrong(serde_json::json!({"uri": null})),
            "without the member `uri`"
        );
        assert_eq!(read(serde_json::json!({"uri": 5})).unwrap().uri, "5");
        assert_eq!(
            wrong(serde_json::json!({"uri": ["hunter2"]})),
            "a member has the wrong type"
        );
    }
}
