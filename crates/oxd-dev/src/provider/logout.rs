//! Telling the clients that a user has signed out (OpenID Connect Back-Channel Logout 1.0 and
//! Front-Channel Logout 1.0).

use super::Op;
use super::respond::with_query;
use super::state::{Client, Session};
use crate::util::{encode, lock, random, unix_now};
use futures_util::future::join_all;
use http::header::CONTENT_TYPE;
use serde_json::json;
use std::time::Duration;

/// How long a client may take before it counts as not to be reached.
const PATIENCE: Duration = Duration::from_secs(5);
/// `exp` minus `iat` of logout tokens: two minutes at most (Back-Channel Logout 1.0, 4).
const LIFETIME: u64 = 120;
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// A logout token that the built-in provider sent to a client.
#[derive(Clone, Debug)]
pub struct LogoutNotice {
    /// The client.
    pub client_id: String,
    /// Where it was sent.
    pub uri: String,
    /// The token.
    pub logout_token: String,
    /// The status answered; 0 when there was no answer.
    pub status: u16,
}

impl Op {
    /// What was sent so far, in the order of the sign-outs.
    pub(crate) fn notices(&self) -> Vec<LogoutNotice> {
        lock(&self.notices).clone()
    }

    /// Sends logout tokens to the clients that this sign-in was passed on to, all at once, and
    /// waits for their answers; hands back what is to be loaded in frames.
    pub(super) async fn tell_clients(&self, session: &Session) -> Vec<String> {
        let clients = self.visited(session);
        let tokens = clients.iter().filter_map(|client| {
            let uri = client.backchannel_logout_uri.clone()?;
            Some(LogoutNotice {
                client_id: client.id.clone(),
                uri,
                logout_token: self.logout_token(session, client),
                status: 0,
            })
        });
        let sent = join_all(tokens.map(|notice| self.send(notice))).await;
        lock(&self.notices).extend(sent);
        let query = [("iss", self.issuer.as_str()), ("sid", session.sid.as_str())];
        let frames = clients
            .iter()
            .filter_map(|client| with_query(client.frontchannel_logout_uri.as_deref()?, &query));
        frames.collect()
    }

    /// The clients of a sign-in, which then has none any more.
    fn visited(&self, session: &Session) -> Vec<Client> {
        let mut state = lock(&self.state);
        let visited = state.visited.remove(&session.sid).unwrap_or_default();
        let clients = visited.iter().filter_map(|id| state.clients.get(id));
        clients.cloned().collect()
    }

    /// Back-Channel Logout 1.0, 2.4.
    fn logout_token(&self, session: &Session, client: &Client) -> String {
        let users = &self.options.users;
        let user = users.iter().find(|user| user.name == session.user);
        let now = unix_now();
        let mut claims = json!({
            "iss": self.issuer,
            "sub": user.and_then(|user| user.claims.get("sub")),
            "aud": client.id,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": random(16),
            "events": { EVENT: {} },
        });
        if client.backchannel_logout_session_required {
            claims["sid"] = json!(session.sid);
        }
        self.keys.sign(&claims, "logout+jwt")
    }

    async fn send(&self, mut notice: LogoutNotice) -> LogoutNotice {
        let request = self
            .http
            .get_or_init(client)
            .post(&notice.uri)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(format!("logout_token={}", encode(&notice.logout_token)));
        // Whoever cannot be reached is not told: there is no second attempt (2.8).
        notice.status = request.send().await.map_or(0, |answer| answer.status().as_u16());
        notice
    }
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(PATIENCE)
        .build();
    client.expect("an HTTP client without settings of its own")
}
