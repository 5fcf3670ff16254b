//! The commands of oxd by name, and the error for an unexpected answer.

use std::fmt;
use std::net::IpAddr;

use super::trouble::Trouble;
use crate::base::Reason;

/// Which reason a bad answer and its body stand for.
type ReasonOf = fn(&BadAnswer, &str) -> Option<Reason>;

/// Properties of an oxd command other than its members.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its name, which is its path below oxd's address.
    pub name: &'static str,
    /// Whether it is about one site: then it carries `oxd_id`, and the client token where oxd protects its commands.
    pub of_site: bool,
    /// Whether it is a `GET` without members.
    pub is_get: bool,
    /// The reason that a bad answer and its body stand for where this command gives them a meaning of their own.
    pub(super) reason: ReasonOf,
}

impl Command {
    /// A command about one site.
    pub(super) const fn of_site(name: &'static str) -> Self {
        Self {
            name,
            of_site: true,
            is_get: false,
            reason: |_, _| None,
        }
    }

    /// A command that needs no site and no client token.
    pub(super) const fn without_site(name: &'static str) -> Self {
        Self {
            of_site: false,
            ..Self::of_site(name)
        }
    }

    /// The same command, with the reasons that its refusals have.
    pub(super) const fn with_reason(self, reason: ReasonOf) -> Self {
        Self { reason, ..self }
    }

    /// The reason that an answer of this command stands for, if it is one of the command's own.
    pub(super) fn reason_of(self, answer: &BadAnswer, body: &str) -> Option<Reason> {
        (self.reason)(answer, body)
    }
}

/// An answer over HTTP that is not the command's: oxd's own error, or the answer of something else.
#[derive(Clone, Debug)]
pub struct BadAnswer {
    /// The address of the command.
    pub at: String,
    /// The command.
    pub command: Command,
    /// The HTTP status.
    pub status: u16,
    /// `error`, on one line
    pub error: String,
    /// `error_description`, on one line
    pub description: String,
    /// `details`, on one line. It may quote the request, so the error's text leaves it out.
    pub details: String,
    /// The provider's error or message, where oxd has passed on what the provider answered to its check of the client
    /// token.
    pub passed_through: Option<String>,
    /// The fault of an answer that is not an error of oxd.
    pub foreign: Option<Trouble>,
    /// `ticket`: the permission ticket that comes with some refusals of UMA.
    pub ticket: Option<String>,
    /// `redirect_user`: that the authorization server has a page for the user (UMA 2.0 Grant, section 3.3.6).
    pub redirect_user: Option<String>,
    /// The address that the call came from, where it is known.
    pub caller: Option<IpAddr>,
    /// The reason that it stands for, where the command gives it a meaning of its own.
    pub(super) reason: Option<Reason>,
}

/// The words of oxd's own refusals of a call (swagger 4.1 to 4.5), with 401 or 403.
const OWN_REFUSALS: [&str; 6] = [
    "blank_access_token",
    "invalid_access_token",
    "inactive_access_token",
    "access_token_insufficient_scope",
    "oxd_access_denied",
    "invalid_authorization_oxd_id",
];

impl BadAnswer {
    /// Whether the error is one of oxd's own words.
    pub(crate) fn is_of_oxd(&self) -> bool {
        OWN_REFUSALS.contains(&self.error.as_str())
    }

    /// Whether it is the authorization server's answer to the command itself, which oxd hands on as it is.
    pub(super) fn is_handed_on(&self) -> bool {
        self.command.name == "uma-rp-get-rpt" && !self.is_of_oxd()
    }

    /// What an administrator can do about a refusal whose cause is certain.
    pub(super) fn remedy(&self) -> Option<String> {
        let remedy = match self.error.as_str() {
            "oxd_access_denied" => return Some(self.let_in()),
            "invalid_oxd_id" => {
                "oxd knows no such site: OxdSite, OxdId or OxdAuthorizationSite names another oxd's, or the site was removed there; oxdctl \
                 register --force registers it again"
            }
            "redirect_uri_is_not_registered" => {
                "OxdRedirectUri must be one of the addresses that the site is registered with; oxdctl check compares \
                 them, oxdctl update --base changes them"
            }
            // oxd answers each of its commands, whatever is wrong with it.
            "" if self.status == 404 => {
                "OxdServer must be the address of oxd itself, without a path unless a gateway in front of it needs one"
            }
            _ => return None,
        };
        Some(remedy.to_owned())
    }

    /// The remedy for `oxd_access_denied`. oxd compares addresses as texts.
    fn let_in(&self) -> String {
        let address = match self.caller {
            Some(address) => address.to_string(),
            None => "the address that this machine calls from".to_owned(),
        };
        let mut remedy = format!(
            "oxd answers only the addresses in bind_ip_addresses of its oxd-server.yml (127.0.0.1 without it): add \
             {address}"
        );
        if self
            .caller
            .is_some_and(|address| address.is_ipv6() && address.is_loopback())
        {
            remedy.push_str(", or call it at 127.0.0.1, which is another address than ::1");
        }
        remedy
    }

    /// The ID under which oxd has logged the error (Dropwizard: "It has been logged (ID ...)").
    pub fn log_id(&self) -> Option<&str> {
        let (_, rest) = self.description.split_once("logged (ID ")?;
        rest.split_once(')').map(|(id, _)| id)
    }
}

impl fmt::Display for BadAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(trouble) = &self.foreign {
            return trouble.fmt(f);
        }
        if let Some(error) = &self.passed_through {
            return write!(
                f,
                "{} passed on the provider's answer {} ({error}) to its check of the client token",
                self.at, self.status
            );
        }
        write!(f, "{} answered {}", self.at, self.status)?;
        if !self.error.is_empty() {
            write!(f, " with '{}'", self.error)?;
        }
        if !self.description.is_empty() {
            write!(f, " ({})", self.description)?;
        }
        Ok(())
    }
}
