//! One HTTP answer, and how it is read: the JSON of success, oxd's error, or something that is not oxd's at all.

use std::net::IpAddr;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::command::BadAnswer;
use super::{Cause, Command, Error, Server, Trouble, plain};

/// The most bytes that an answer of oxd may have; a larger one is refused unread.
pub(super) const ANSWER_LIMIT: usize = 1 << 20;

/// An HTTP answer: the status, the headers that distinguish oxd from other servers, and at most 1 MiB of body.
#[derive(Clone, Default)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type` in lower case, without parameters; empty when there is none.
    pub media_type: String,
    /// `Date`, to the second (RFC 9110 section 6.6.1).
    pub date: Option<SystemTime>,
    /// `Location`
    pub location: Option<String>,
    /// The address that the call came from, as the server sees it unless something in between changes it; `None`
    /// through a proxy, and where it is not known.
    pub caller: Option<IpAddr>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The members of a successful answer. Any other answer is an [`Error::Answer`].
    pub fn read(&self, server: &Server<'_>, command: Command) -> Result<Map<String, Value>, Error> {
        let json = serde_json::from_slice(&self.body).ok();
        let members = match (self.status, json) {
            (200, Some(Value::Object(members))) => return Ok(members),
            (_, Some(Value::Object(members))) => members,
            _ => Map::new(),
        };
        let body = String::from_utf8_lossy(&self.body);
        // Null is the same as absent, in each member and in every version; a number stands for its digits.
        let text = |name: &str| match members.get(name)? {
            Value::String(text) => Some(plain(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let mut bad = BadAnswer {
            at: server.command_url(command.name),
            command,
            status: self.status,
            error: text("error").unwrap_or_default(),
            description: text("error_description").unwrap_or_default(),
            details: text("details").unwrap_or_default(),
            passed_through: None,
            foreign: None,
            ticket: text("ticket"),
            redirect_user: text("redirect_user"),
            caller: self.caller,
            reason: None,
        };
        if bad.error.is_empty() {
            match (self.status, text("message")) {
                // Dropwizard, oxd's framework: an unknown command, or an error that oxd has logged under an ID.
                (_, Some(message)) if members.contains_key("code") => bad.description = message,
                // The same, of parameters that it cannot read.
                (400, _) if body.trim_start().starts_with("Invalid parameters") => {
                    bad.description = self.excerpt();
                }
                // The page of oxd's servlet container, with a status that the provider gave oxd.
                (_, Some(message)) if members.contains_key("servlet") => bad.passed_through = Some(message),
                _ => bad.foreign = Some(self.not_oxds(&bad.at)),
            }
        } else if matches!(self.status, 401 | 403) && !bad.is_of_oxd() && !bad.is_handed_on() {
            // What the provider has answered to oxd's check of the client token. Its words are its own.
            bad.passed_through = Some(std::mem::take(&mut bad.error));
            bad.description.clear();
        }
        bad.reason = command.reason_of(&bad, &body);
        Err(Error::Answer(Box::new(bad)))
    }

    /// The reason why this answer is not from oxd.
    fn not_oxds(&self, at: &str) -> Trouble {
        let status = self.status;
        let (cause, what) = match status {
            502..=504 => (
                Cause::Gateway,
                "that is a gateway, and oxd behind it does not answer",
            ),
            300..=399 => {
                let to = self.location.as_deref().map_or("nowhere".to_owned(), plain);
                let found = format!("{at} answered {status} and leads to {to}: oxd never does");
                return Trouble::new(Cause::Redirected, found);
            }
            _ if self.is_html() => {
                let found = format!("{at} answered {status} with HTML, a page for browsers: that is not oxd");
                return Trouble::new(Cause::Html, found);
            }
            200 => (Cause::NotOxd, "but not with a JSON object"),
            _ => (Cause::NotOxd, "but not as oxd does"),
        };
        let mark = if cause == Cause::Gateway { ':' } else { ',' };
        Trouble::new(cause, format!("{at} answered {status}{mark} {what}"))
    }

    fn is_html(&self) -> bool {
        self.media_type.contains("html") || self.body.trim_ascii_start().first() == Some(&b'<')
    }

    fn excerpt(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(200)]);
        plain(text.trim())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oxd::commands::logout_uri::GetLogoutUri;
    use crate::oxd::{Request as _, server};

    fn read(status: u16, media_type: &str, body: &str) -> Result<Map<String, Value>, Box<BadAnswer>> {
        let answer = Answer {
            status,
            media_type: media_type.into(),
            body: body.into(),
            ..Answer::default()
        };
        let url = "https://oxd:8443/pre".parse().unwrap();
        let read = answer.read(&server::tests::server(&url), GetLogoutUri::COMMAND);
        read.map_err(|error| match error {
            Error::Answer(bad) => bad,
            other => panic!("{other}"),
        })
    }

    #[test]
    fn oxds_errors_are_told_from_answers_of_others() {
        assert!(read(200, "application/json", r#"{"uri": "x"}"#).is_ok());
        for (status, kind, body, cause, said) in [
            (
                400,
                "",
                r#"{"error": "bad_request"}"#,
                None,
                "400 with 'bad_request'",
            ),
            (
                500,
                "",
                r#"{"code": 500, "message": "logged (ID 7)"}"#,
                None,
                "(logged (ID 7))",
            ),
            (
                400,
                "text/plain",
                "Invalid parameters: x",
                None,
                "(Invalid parameters: x)",
            ),
            (
                404,
                "",
                r#"{"code": 404, "message": "HTTP 404 Not Found"}"#,
                None,
                "answered 404 (HTTP 404 Not Found)",
            ),
            (
                404,
                "",
                r#"{"message": "x"}"#,
                Some(Cause::NotOxd),
                "not as oxd does",
            ),
            (
                403,
                "",
                r#"{"error": "access_denied", "error_description": "<secret words>"}"#,
                None,
                "passed on the provider's answer 403 (access_denied) to its check of the client token",
            ),
            (
                503,
                "",
                r#"{"servlet": "x", "message": "Service Unavailable", "status": "503"}"#,
                None,
                "passed on the provider's answer 503 (Service Unavailable)",
            ),
            (
                403,
                "",
                r#"{"error": "inactive_access_token", "details": null}"#,
                None,
                "answered 403 with 'inactive_access_token'",
            ),
            (
                400,
                "",
                r#"{"error": 5, "error_description": 7}"#,
                None,
                "400 with '5' (7)",
            ),
            (
                200,
                "",
                "[]",
                Some(Cause::NotOxd),
                "answered 200, but not with a JSON object",
            ),
            (200, "text/html", "hello", Some(Cause::Html), "with HTML"),
            (404, "", " <html>", Some(Cause::Html), "with HTML"),
            (
                502,
                "text/html",
                "<html>",
                Some(Cause::Gateway),
                "answered 502: that is a gateway",
            ),
            (302, "", "", Some(Cause::Redirected), "leads to nowhere"),
        ] {
            let bad = read(status, kind, body).unwrap_err();
            assert_eq!(bad.foreign.as_ref().map(|trouble| trouble.cause), cause, "{body}");
            assert!(bad.to_string().contains(said), "{bad}");
            assert!(!bad.to_string().contains("secret words"), "{bad}");
            assert!(
                bad.to_string()
                    .starts_with("https://oxd:8443/pre/get-logout-uri ")
            );
        }
    }
}
