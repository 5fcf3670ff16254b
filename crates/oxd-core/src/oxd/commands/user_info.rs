//! `get-user-info`: what the provider says of a user (step 5 of the tutorial).

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Request, without_null};
use crate::oxd::Command;

/// The members of `get-user-info`.
#[derive(Serialize)]
pub struct GetUserInfo<'a> {
    /// `access_token`
    pub access_token: &'a str,
    /// `id_token` (oxd 4.2 and later)
    pub id_token: &'a str,
}

impl Request for GetUserInfo<'_> {
    const COMMAND: Command = Command::of_site("get-user-info");
    /// The provider's answer as it is, also where the provider refused: then it has a member `error`.
    type Answer = Map<String, Value>;

    fn read(answer: Map<String, Value>) -> Result<Self::Answer, String> {
        Ok(without_null(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_error_of_the_provider_is_an_answer() {
        let answer = json!({"error": "invalid_token"});
        let read = GetUserInfo::read(answer.as_object().unwrap().clone());
        assert_eq!(Value::Object(read.unwrap()), answer);
    }
}
