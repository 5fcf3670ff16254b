//! Commands of oxd as this program sends them, and what their answers mean.

use std::net::SocketAddr;

use oxd_core::base::secret::Secret;
use serde_json::{Map, Value, json};

use crate::http::{Link, Reply};
use crate::problem::{Kind, Problem};
use crate::screen::{Screen, plain};
use crate::trouble::{Stage, Trouble};

const LOG: &str = "oxd's own log (usually /var/log/oxd-server/oxd-server.log)";

/// An error answer of oxd.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The command that was refused.
    pub command: String,
    /// The HTTP status.
    pub status: u16,
    /// `error`
    pub error: String,
    /// `error_description`
    pub description: String,
    /// `details`
    pub details: String,
}

impl Refusal {
    /// What oxd said, on one line.
    pub fn said(&self) -> String {
        let mut said = format!("{} answered {}", self.command, self.status);
        if !self.error.is_empty() {
            said.push_str(&format!(" with '{}'", self.error));
        }
        for more in [&self.description, &self.details] {
            if !more.is_empty() {
                said.push_str(&format!(" ({more})"));
            }
        }
        said
    }

    /// Whether it is this error.
    pub fn is(&self, error: &str) -> bool {
        self.error == error
    }

    /// Whether oxd does not know the site. Some of its commands have a general error for that.
    pub fn is_unknown_site(&self) -> bool {
        self.is("invalid_oxd_id") || (self.is("bad_request") && self.description.contains("oxd_id"))
    }

    /// What to do about it.
    pub fn advice(&self, link: &Link, connected: Option<SocketAddr>) -> String {
        match self.error.as_str() {
            _ if self.is_unknown_site() => "oxd knows no such site: it was removed there, or oxd was set up anew; \
                                            register it again with oxdctl register --force"
                .to_owned(),
            "oxd_access_denied" => allow_this_address(link, connected),
            "blank_access_token" => "oxd wants a client token for its commands: client id, client secret and \
                                     provider are needed (OxdProtectedCommands On)"
                .to_owned(),
            "invalid_access_token" => "the client token must belong to the site's own client: client id and secret \
                                       must be those that the site was registered with"
                .to_owned(),
            "inactive_access_token" => "oxd takes its own provider's fresh token for an old one: compare the clocks \
                                        of oxd and of the provider, and see whether the provider answers oxd's \
                                        introspection"
                .to_owned(),
            "access_token_insufficient_scope" => grant_scope(),
            "ssl_handshake_error" => "oxd does not trust the provider's certificate: add its authority to the trust \
                                      store of oxd's Java (key_store_path in oxd-server.yml)"
                .to_owned(),
            "restricted_op_host" | "invalid_allowed_op_host_url" => "oxd may use the providers in allowed_op_hosts \
                                                                     of oxd-server.yml alone: add this one"
                .to_owned(),
            "invalid_introspection_response" => "the provider's introspection must name the client_id of a token"
                .to_owned(),
            "no_connect_discovery_response" | "failed_to_get_discovery" => "oxd cannot read the provider's configuration: see whether the \
                                                provider's address is right and whether oxd's machine reaches it \
                                                and trusts its certificate"
                .to_owned(),
            "invalid_op_host_and_configuration_endpoint" | "invalid_op_host" | "invalid_op_configuration_endpoint" => {
                "name the provider with --op-host, or with --op-configuration-endpoint (oxd 4.3 and later; it ends \
                 with /.well-known/openid-configuration)"
                    .to_owned()
            }
            "no_client_id_returned" | "no_client_secret_returned" | "invalid_request"
                if self.command == "register-site" =>
            {
                format!(
                    "the provider did not register a client: see whether it allows dynamic registration and these \
                     addresses and scopes ({LOG} has its answer), or make a client there and give it with \
                     --client-id and --client-secret"
                )
            }
            "internal_error" if self.command == "get-client-token" => wrong_credentials(),
            _ => format!("see {LOG}"),
        }
    }
}

/// Why a command brought no answer.
#[derive(Clone, Debug)]
pub enum Failed {
    /// oxd was not reached.
    Trouble(Trouble),
    /// oxd said no.
    Refused(Refusal),
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Failed::Trouble(trouble)
    }
}

impl Failed {
    /// As the problem of a command that cannot go on.
    pub fn into_problem(self, link: &Link) -> Problem {
        match self {
            Failed::Trouble(trouble) => trouble.into(),
            Failed::Refused(refusal) => {
                let advice = refusal.advice(link, None);
                Problem::new(Kind::Refused, "oxd_refused", format!("oxd: {}", refusal.said())).advise(advice)
            }
        }
    }
}

/// What to do when oxd does not answer callers at this machine's address.
pub fn allow_this_address(link: &Link, connected: Option<SocketAddr>) -> String {
    let own = link.way.own_address(connected);
    let address = own.map_or("the address of this machine".to_owned(), |own| own.to_string());
    let mut advice =
        format!("add {address} to bind_ip_addresses in oxd-server.yml on oxd's machine, and restart oxd");
    if own.is_some_and(|own| own.is_loopback() && own.is_ipv6()) {
        advice.push_str("; or call it at 127.0.0.1, which it lets in by default");
    }
    advice
}

/// What to do when the client token lacks the scope `oxd`.
pub fn grant_scope() -> String {
    // Not oxdctl update: that, too, is a command that wants the scope.
    "allow the client the scope oxd at the provider, or register the site again (oxdctl register --force), which asks \
     for it"
        .to_owned()
}

/// What to do when there is no client token for a client id and secret.
pub fn wrong_credentials() -> String {
    format!(
        "compare client_id and client_secret with those of the client at the provider; the client may have been \
         removed there, have expired, or lack the grant type client_credentials; {LOG} has the provider's answer"
    )
}

/// Reads an answer: the JSON of success, oxd's refusal, or that it is not oxd's at all.
pub fn read(link: &Link, command: &str, reply: &Reply) -> Result<Map<String, Value>, Failed> {
    let at = link.way.command_url(command);
    let trouble = |cause, found: String, advice: &str| {
        Err(Failed::Trouble(Trouble::new(Stage::Answer, cause, found, advice)))
    };
    let json = reply.json();
    if let Some(Value::Object(members)) = json {
        let text = |name: &str| {
            members
                .get(name)
                .and_then(Value::as_str)
                .map(plain)
                .unwrap_or_default()
        };
        let error = text("error");
        if reply.status == 200 {
            return Ok(members);
        }
        if !error.is_empty() {
            return Err(Failed::Refused(Refusal {
                command: command.to_owned(),
                status: reply.status,
                error,
                description: text("error_description"),
                details: text("details"),
            }));
        }
    }
    match reply.status {
        502..=504 => trouble(
            "gateway",
            format!(
                "{at} answered {}: that is a gateway, and oxd behind it does not answer",
                reply.status
            ),
            "start oxd, or mend the way from the gateway to oxd",
        ),
        300..=399 => trouble(
            "redirected",
            format!(
                "{at} answered {} and leads to {}: oxd never does",
                reply.status,
                reply.location.as_deref().unwrap_or("nowhere")
            ),
            "name the address of oxd itself; the module follows no redirects",
        ),
        _ if reply.is_html() => trouble(
            "html",
            format!(
                "{at} answered {} with HTML, a page for browsers: that is not oxd",
                reply.status
            ),
            "a web server, a login page or a proxy answers in oxd's place: see the port (8443 by default) and the \
             path of the address",
        ),
        // What oxd's framework says of parameters that it cannot read.
        400 if reply.excerpt().starts_with("Invalid parameters") => Err(Failed::Refused(Refusal {
            command: command.to_owned(),
            status: 400,
            error: String::new(),
            description: reply.excerpt(),
            details: String::new(),
        })),
        status => trouble(
            "not_oxd",
            format!("{at} answered {status}, but not as oxd does"),
            "something else than oxd listens there, or oxd's API is below another path: see the address, and the \
             port in oxd-server.yml (8443 by default)",
        ),
    }
}

/// The members of a `get-client-token` request.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// `client_id`
    pub client_id: String,
    /// `client_secret`
    pub client_secret: Secret,
    /// `op_host`
    pub op_host: Option<String>,
    /// `op_configuration_endpoint`
    pub op_configuration_endpoint: Option<String>,
}

/// A client token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The token.
    pub text: Secret,
    /// The scopes that it was given, if oxd says so.
    pub scope: Option<Vec<String>>,
}

/// oxd, with a screen to say on what is being waited for.
pub struct Oxd<'a> {
    /// The way there.
    pub link: &'a Link,
    /// Where progress is shown.
    pub screen: &'a Screen,
}

impl Oxd<'_> {
    /// Sends a command and reads its answer.
    pub fn command(
        &self,
        command: &str,
        token: Option<&Secret>,
        body: &Value,
    ) -> Result<Map<String, Value>, Failed> {
        let reply = {
            let _waiting = self.screen.progress(&format!("asking oxd: {command}"));
            self.link.post(command, token, body)?
        };
        read(self.link, command, &reply)
    }

    /// `get-client-token`
    pub fn client_token(&self, credentials: &Credentials) -> Result<Token, Failed> {
        let command = "get-client-token";
        self.screen.hide(credentials.client_secret.expose());
        let mut body = provider(
            credentials.op_host.as_deref(),
            credentials.op_configuration_endpoint.as_deref(),
        );
        body.insert("client_id".into(), credentials.client_id.as_str().into());
        body.insert("client_secret".into(), credentials.client_secret.expose().into());
        body.insert("scope".into(), json!(["openid", "oxd"]));
        let answer = self.command(command, None, &Value::Object(body))?;
        let Some(text) = answer.get("access_token").and_then(Value::as_str) else {
            return Err(Failed::Trouble(Trouble::new(
                Stage::Answer,
                "not_oxd",
                format!(
                    "{} answered 200, but without an access_token",
                    self.link.way.command_url(command)
                ),
                "something else than oxd listens there",
            )));
        };
        self.screen.hide(text);
        Ok(Token {
            text: Secret::new(text.to_owned()),
            scope: scopes(&answer),
        })
    }
}

/// The members that name a provider.
pub fn provider(op_host: Option<&str>, endpoint: Option<&str>) -> Map<String, Value> {
    let mut members = Map::new();
    if let Some(host) = op_host {
        members.insert("op_host".into(), host.into());
    }
    if let Some(endpoint) = endpoint {
        members.insert("op_configuration_endpoint".into(), endpoint.into());
    }
    members
}

/// The scopes that an answer names: a list in `scope`, or in `scopes` as some versions have it.
pub fn scopes(answer: &Map<String, Value>) -> Option<Vec<String>> {
    let list = ["scope", "scopes"]
        .iter()
        .find_map(|name| answer.get(*name)?.as_array())?;
    Some(
        list.iter()
            .filter_map(|scope| scope.as_str().map(str::to_owned))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_read_in_either_spelling() {
        let read = |value: Value| scopes(value.as_object().unwrap());
        assert_eq!(read(json!({"scope": ["a", "b"]})).unwrap(), ["a", "b"]);
        assert_eq!(read(json!({"scope": null, "scopes": ["a"]})).unwrap(), ["a"]);
        assert_eq!(read(json!({"scope": null})), None);
    }
}
