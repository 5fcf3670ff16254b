//! The site file: what `register-site` answered, which `OxdSite` names for httpd; and in a member of its own, which
//! httpd ignores, what this program wants to remember.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oxd_core::base::Secret;
use oxd_core::config::ClientAuth;
use serde_json::{Map, Value, json};

use crate::files::{self, NewFile};
use crate::oxd::Credentials;
use crate::problem::{Outcome, Problem};
use crate::route::Route;
use crate::screen::Screen;

/// The member that is ours.
const OURS: &str = "oxdctl";
/// The members that are secret: the client's password, and the one that changes its registration.
const SECRETS: [&str; 2] = ["client_secret", "client_registration_access_token"];

/// A site file.
#[derive(Clone, Debug)]
pub struct SiteFile {
    /// The path of the file.
    pub path: PathBuf,
    members: Map<String, Value>,
}

impl SiteFile {
    /// A file that is to be written: the members of an answer of `register-site`.
    pub fn new(path: &Path, members: Map<String, Value>) -> Self {
        Self {
            path: path.to_owned(),
            members,
        }
    }

    /// Reads a file, and keeps its secrets from the screen.
    pub fn load(path: &Path, screen: &Screen) -> Outcome<Self> {
        let text =
            std::fs::read_to_string(path).map_err(|why| Problem::file("site_file_unreadable", path, why))?;
        // The parser's own message could quote a secret.
        let members = match serde_json::from_str(&text) {
            Ok(Value::Object(members)) => members,
            Ok(_) => return Err(Problem::file("site_file_invalid", path, "is not a JSON object")),
            Err(why) => {
                let place = format!("is not JSON (line {}, column {})", why.line(), why.column());
                return Err(Problem::file("site_file_invalid", path, place));
            }
        };
        let file = Self::new(path, members);
        file.hide_secrets(screen);
        Ok(file)
    }

    /// Keeps the file's secrets from the screen.
    pub fn hide_secrets(&self, screen: &Screen) {
        for name in SECRETS {
            if let Some(secret) = self.text(name) {
                screen.hide(secret);
            }
        }
    }

    /// A member that is a text and not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name)?.as_str().filter(|text| !text.is_empty())
    }

    /// When the provider lets the client expire, where that is known; 0 stands for never.
    pub fn secret_expires(&self) -> Option<SystemTime> {
        let end = self.members.get("client_secret_expires_at")?.as_u64();
        UNIX_EPOCH.checked_add(Duration::from_secs(end.filter(|end| *end > 0)?))
    }

    /// `oxd_id`, without which no command is about this site.
    pub fn oxd_id(&self) -> Outcome<&str> {
        self.text("oxd_id")
            .ok_or_else(|| Problem::file("site_file_invalid", &self.path, "has no oxd_id"))
    }

    /// The credentials for `get-client-token`; `None` when one is missing.
    pub fn credentials(&self) -> Option<Credentials> {
        let text = |name: &str| self.text(name).map(str::to_owned);
        Credentials::of(
            text("client_id"),
            text("client_secret").map(Secret::new),
            self.client_auth(),
            &(text("op_host"), text("op_configuration_endpoint")),
        )
    }

    /// How oxd proves to be the client, as the site was registered.
    pub fn client_auth(&self) -> Option<ClientAuth> {
        let args: Vec<&str> = self.remembered("client_auth")?.splitn(3, ' ').collect();
        ClientAuth::parse(&args).ok()
    }

    /// Remembers with what a site was registered, so that a check can compare it; but no secret.
    pub fn remember_registered(&mut self, members: &Map<String, Value>) {
        let mut all = self.registered().cloned().unwrap_or_default();
        all.extend(members.clone());
        for name in SECRETS {
            all.remove(name);
        }
        self.remember("registered", all.into());
    }

    /// The members with which the site was registered and changed, as far as this program did it.
    pub fn registered(&self) -> Option<&Map<String, Value>> {
        self.members.get(OURS)?.get("registered")?.as_object()
    }

    /// Sets a member that is not there, or is null.
    pub fn fill(&mut self, name: &str, value: Option<&str>) {
        if let Some(value) = value
            && self.text(name).is_none()
        {
            self.members.insert(name.to_owned(), value.into());
        }
    }

    /// Sets a member.
    pub fn set(&mut self, name: &str, value: Value) {
        self.members.insert(name.to_owned(), value);
    }

    /// A text that this program remembers.
    pub fn remembered(&self, name: &str) -> Option<&str> {
        self.members.get(OURS)?.get(name)?.as_str()
    }

    /// A flag that this program remembers.
    pub fn remembered_flag(&self, name: &str) -> Option<bool> {
        self.members.get(OURS)?.get(name)?.as_bool()
    }

    /// A list that this program remembers.
    pub fn remembered_list(&self, name: &str) -> Vec<String> {
        let list = self.members.get(OURS).and_then(|ours| ours.get(name));
        let list = list.and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|one| one.as_str().map(str::to_owned)).collect()
    }

    /// The redirect URI that the site was registered with first: the one that oxd uses.
    pub fn first_redirect_uri(&self) -> Option<String> {
        self.remembered_list("redirect_uris").into_iter().next()
    }

    /// Remembers something.
    pub fn remember(&mut self, name: &str, value: Value) {
        let ours = self.members.entry(OURS).or_insert_with(|| json!({}));
        if !ours.is_object() {
            *ours = json!({});
        }
        ours[name] = value;
    }

    /// Remembers the route to oxd, so that later commands need only the file.
    pub fn remember_route(&mut self, route: &Route) {
        self.remember("server", route.address().into());
        let ca_file = route.ca_file.as_ref().map(|path| files::absolute(path));
        self.remember("ca_file", json!(ca_file.map(|path| path.display().to_string())));
        self.remember("verify", route.verify.into());
        self.remember("proxy", json!(route.proxy_url().map(url::Url::as_str)));
    }

    /// The members as JSON without the secrets.
    pub fn without_secrets(&self) -> Map<String, Value> {
        let mut members = self.members.clone();
        members.remove(OURS);
        for name in SECRETS {
            members.remove(name);
        }
        members
    }

    /// The file's text.
    pub fn content(&self) -> String {
        format!("{:#}\n", Value::Object(self.members.clone()))
    }

    /// Writes the file in place of the one that was read.
    pub fn save(&self) -> Outcome {
        NewFile::prepare(&self.path, true)?.put(&self.content())
    }

    /// Whether others than the owner may read or write the file.
    pub fn is_open_to_others(&self) -> Option<u32> {
        let mode = std::fs::metadata(&self.path).ok()?.permissions().mode() & 0o777;
        (mode & 0o077 != 0).then_some(mode)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::Kind;

    fn load(text: &str) -> Outcome<SiteFile> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        SiteFile::load(file.path(), &Screen::new(false))
    }

    #[test]
    fn what_is_no_site_file_is_refused_without_quoting_it() {
        for text in ["", "[1]", "{\"client_secret\": \"hunter2\" \"x\"}", "hunter2"] {
            let problem = load(text).unwrap_err();
            assert_eq!(problem.kind, Kind::File);
            assert!(!problem.message.contains("hunter2"), "{}", problem.message);
        }
        assert_eq!(load("{}").unwrap().oxd_id().unwrap_err().kind, Kind::File);
    }

    #[test]
    fn members_are_filled_where_the_answer_left_them_out() {
        let mut file = load(r#"{"oxd_id": "a", "op_host": null, "client_secret": ""}"#).unwrap();
        file.fill("op_host", Some("https://op"));
        file.fill("oxd_id", Some("b"));
        file.fill("client_id", None);
        assert_eq!(
            (file.text("op_host"), file.oxd_id().unwrap()),
            (Some("https://op"), "a")
        );
        assert!(file.credentials().is_none());
    }

    #[test]
    fn a_client_expires_when_the_answer_says_so() {
        let ends = |value: &str| {
            let text = format!(r#"{{"client_secret_expires_at": {value}}}"#);
            load(&text).unwrap().secret_expires()
        };
        let known = UNIX_EPOCH + Duration::from_secs(5);
        for (value, expected) in [
            ("5", Some(known)),
            ("0", None),
            ("-1", None),
            ("\"5\"", None),
            ("18446744073709551615", None),
        ] {
            assert_eq!(ends(value), expected, "{value}");
        }
        assert_eq!(load("{}").unwrap().secret_expires(), None);
    }

    #[test]
    fn what_is_remembered_comes_back_and_is_no_part_of_the_answer() {
        let mut file = load(r#"{"oxd_id": "a", "client_secret": "s", "oxdctl": 7}"#).unwrap();
        file.remember("base", "https://a/oxd".into());
        file.remember("redirect_uris", json!(["x", "y"]));
        file.remember("verify", false.into());
        assert_eq!(file.remembered("base"), Some("https://a/oxd"));
        assert_eq!(file.remembered_list("redirect_uris"), ["x", "y"]);
        assert_eq!(file.remembered_flag("verify"), Some(false));
        assert_eq!(Value::Object(file.without_secrets()), json!({"oxd_id": "a"}));
    }
}
