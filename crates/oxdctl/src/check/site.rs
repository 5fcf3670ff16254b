//! The second half of a check: whether oxd takes our address, our credentials and our site.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use super::Target;
use super::redirect::{has_redirect_uri, redirect_uri_in};
use super::report::Report;
use crate::http::Link;
use crate::oxd::{self, Failed, Oxd, Refusal, Token, provider, scopes};
use crate::screen::plain;
use crate::trouble::{Stage, Trouble};

/// One check of a site.
pub struct Examination<'e, 's> {
    /// Where findings go.
    pub report: &'e mut Report<'s>,
    /// oxd.
    pub oxd: Oxd<'e>,
    /// What is checked.
    pub target: &'e Target,
    /// The address that was connected.
    pub connected: SocketAddr,
}

impl Examination<'_, '_> {
    /// Address, provider, credentials, scope, site and redirect URI. What cannot be checked is left out.
    pub fn run(&mut self) {
        if !self.address_and_provider() {
            return;
        }
        let token = match self.target.protected {
            false => None,
            true => match self.credentials() {
                Some(token) => Some(token),
                None => return,
            },
        };
        if let Some(oxd_id) = self.target.oxd_id.clone() {
            self.site(&oxd_id, token.as_ref());
        } else {
            self.report.fail(
                "site",
                "oxd_id_missing",
                "there is no oxd_id",
                "name the site file with --site-file, or the site with --oxd-id",
            );
        }
    }

    fn link(&self) -> &Link {
        self.oxd.link
    }

    /// The first command tells whether oxd lets this address in, and asks for what needs no token: the provider.
    fn address_and_provider(&mut self) -> bool {
        let (host, endpoint) = &self.target.provider;
        let body = provider(host.as_deref(), endpoint.as_deref());
        let asked = self.oxd.command("get-discovery", None, &Value::Object(body));
        if let Err(Failed::Refused(refusal)) = &asked
            && refusal.is("oxd_access_denied")
        {
            self.refused("address", "address_not_allowed", refusal);
            return false;
        }
        if let Err(Failed::Trouble(trouble)) = &asked
            && trouble.cause != "not_oxd"
        {
            self.report.trouble("address", trouble.clone());
            return false;
        }
        let own = self.link().way.own_address(Some(self.connected));
        self.report.ok(
            "address",
            match own {
                Some(own) => format!("oxd lets this machine in ({own})"),
                None => "oxd lets this machine in".to_owned(),
            },
        );
        match asked {
            Ok(document) => {
                let issuer = document
                    .get("issuer")
                    .and_then(Value::as_str)
                    .map(plain)
                    .unwrap_or_default();
                self.report
                    .ok("provider", format!("oxd reaches the provider {issuer}"));
            }
            Err(Failed::Refused(refusal)) => {
                self.refused("provider", "provider_unreachable", &refusal);
                return false;
            }
            // A version without that command answers 404.
            Err(Failed::Trouble(_)) => self
                .report
                .skip("provider", "this oxd does not know get-discovery"),
        }
        true
    }

    fn credentials(&mut self) -> Option<Token> {
        let Some(credentials) = &self.target.credentials else {
            self.report.fail(
                "credentials",
                "credentials_missing",
                "client_id or client_secret is missing",
                "name the site file with --site-file, or both with --client-id and --client-secret; if oxd wants no \
                 client tokens, say --unprotected (OxdProtectedCommands Off)",
            );
            return None;
        };
        if credentials.op_host.is_none() && credentials.op_configuration_endpoint.is_none() {
            self.report.fail(
                "credentials",
                "provider_missing",
                "nothing says at which provider the client is",
                "name it with --op-host (OxdOpHost) or --op-configuration-endpoint (OxdOpConfigurationEndpoint)",
            );
            return None;
        }
        let expired = self
            .target
            .secret_expires
            .filter(|end| *end <= std::time::SystemTime::now());
        match self.oxd.client_token(credentials) {
            Ok(token) => {
                self.report.ok(
                    "credentials",
                    format!("oxd gives a client token to {}", plain(&credentials.client_id)),
                );
                Some(token)
            }
            Err(Failed::Refused(refusal)) if refusal.is("internal_error") => {
                match expired {
                    Some(end) => self.report.fail(
                        "credentials",
                        "client_expired",
                        format!(
                            "the provider let the client {} expire on {}",
                            plain(&credentials.client_id),
                            super::date_text(end)
                        ),
                        "register the site again (oxdctl register --force), after the provider's administrator has \
                         made clients live longer",
                    ),
                    None => self.report.fail(
                        "credentials",
                        "wrong_credentials",
                        format!(
                            "oxd gets no client token for the client {}: wrong client_secret, or a client_id that \
                             the provider does not know ({})",
                            plain(&credentials.client_id),
                            refusal.said()
                        ),
                        oxd::wrong_credentials(),
                    ),
                }
                None
            }
            Err(Failed::Refused(refusal)) => {
                self.refused("credentials", "wrong_credentials", &refusal);
                None
            }
            Err(Failed::Trouble(trouble)) => {
                self.report.trouble("credentials", trouble);
                None
            }
        }
    }

    fn site(&mut self, oxd_id: &str, token: Option<&Token>) {
        if let Some(token) = token
            && !self.scope(oxd_id, token)
        {
            return;
        }
        let wanted = self.target.redirect_uri.clone();
        let mut request = json!({"oxd_id": oxd_id});
        if let Some(uri) = &wanted {
            request["redirect_uri"] = uri.as_str().into();
        }
        let named = self.authorization_url(token, &request);
        if let Err(Failed::Refused(refusal)) = &named
            && self.refused_site(refusal)
        {
            return;
        }
        let named = match named {
            Err(Failed::Refused(refusal)) if refusal.error.starts_with("redirect_uri_is_not_registered") => {
                Err(refusal)
            }
            Err(failed) => {
                let link = self.oxd.link;
                self.report.unexpected("site", failed, link);
                return;
            }
            Ok(url) => Ok(url),
        };
        self.report
            .ok("site", format!("oxd knows the site {}", plain(oxd_id)));
        match (named, wanted) {
            (Err(refusal), Some(wanted)) => self.report.fail(
                "redirect",
                "redirect_uri_not_registered",
                format!("{} is not registered for this site ({})", plain(&wanted), refusal.said()),
                "register it: oxdctl update --base with the handler's address (and the same at the provider, if the \
                 client was made there)",
            ),
            (_, Some(wanted)) => self.first_redirect_uri(oxd_id, token, &wanted),
            (url, None) => self.report.warn(
                "redirect",
                "redirect_uri_not_compared",
                match url.ok().and_then(|url| redirect_uri_in(&url)) {
                    Some(first) => format!("the first one registered is {}", plain(&first)),
                    None => "it is not known which one should be registered".to_owned(),
                },
                "name the handler's address with --base, so that it can be compared",
            ),
        }
    }

    /// oxd exchanges every code with the first registered redirect URI, whichever was used: no other one will do.
    fn first_redirect_uri(&mut self, oxd_id: &str, token: Option<&Token>, wanted: &str) {
        match self.authorization_url(token, &json!({"oxd_id": oxd_id})) {
            Ok(url) if has_redirect_uri(&url, wanted) => {
                self.report.ok(
                    "redirect",
                    format!("{} is registered, and the first one", plain(wanted)),
                );
            }
            Ok(url) => {
                let first = redirect_uri_in(&url).map_or("another".to_owned(), |first| plain(&first));
                self.report.fail(
                    "redirect",
                    "redirect_uri_not_first",
                    format!("{} is registered, but oxd uses the first one, which is {first}", plain(wanted)),
                    "let the provider send users there (OxdRedirectUri unset, the handler at that address), or make \
                     the handler's own the first: oxdctl update --base",
                );
            }
            Err(failed) => {
                let link = self.oxd.link;
                self.report.unexpected("redirect", failed, link);
            }
        }
    }

    fn authorization_url(&self, token: Option<&Token>, request: &Value) -> Result<String, Failed> {
        let command = "get-authorization-url";
        let answer = self
            .oxd
            .command(command, token.map(|token| &token.text), request)?;
        match answer.get("authorization_url").and_then(Value::as_str) {
            Some(url) => Ok(url.to_owned()),
            None => Err(Failed::Trouble(Trouble::new(
                Stage::Answer,
                "not_oxd",
                format!(
                    "{} answered 200, but without an address",
                    self.link().way.command_url(command)
                ),
                "something else than oxd answers there",
            ))),
        }
    }

    /// Whether the client token has the scope `oxd`.
    fn scope(&mut self, oxd_id: &str, token: &Token) -> bool {
        let request = json!({"oxd_id": oxd_id, "access_token": token.text.expose()});
        let told = self
            .oxd
            .command("introspect-access-token", Some(&token.text), &request);
        let granted = match told {
            Ok(answer) => {
                if answer.get("active") == Some(&Value::Bool(false)) {
                    self.report.fail(
                        "scope",
                        "token_inactive",
                        "the provider takes its own fresh token for inactive",
                        "compare the clocks of oxd and of the provider",
                    );
                    return false;
                }
                granted(&answer, token)
            }
            Err(Failed::Refused(refusal)) if refusal.is("access_token_insufficient_scope") => {
                self.scope_missing(token, &refusal.said());
                return false;
            }
            Err(Failed::Refused(refusal)) if self.refused_site(&refusal) => return false,
            // Not every provider has introspection; the answer to get-client-token says it, too.
            Err(_) => token.scope.clone(),
        };
        match granted {
            Some(scopes) if scopes.iter().any(|scope| scope == "oxd") => {
                self.report.ok(
                    "scope",
                    format!("the client token has {}", plain(&scopes.join(" "))),
                );
                true
            }
            // If oxd wanted the scope, it would have said so by now.
            Some(scopes) if scopes.is_empty() => {
                self.scope_missing(token, "the token has no scope");
                false
            }
            Some(_) => {
                self.scope_missing(token, "introspection does not name it");
                false
            }
            None => {
                self.report.warn(
                    "scope",
                    "scope_unknown",
                    "neither oxd nor the provider says which scopes the client token has",
                    "see the client's scopes at the provider: oxd must be among them",
                );
                true
            }
        }
    }

    fn scope_missing(&mut self, token: &Token, said: &str) {
        let has = match &token.scope {
            Some(scopes) if !scopes.is_empty() => format!("it has {}", plain(&scopes.join(" "))),
            _ => "it has none that is known".to_owned(),
        };
        self.report.fail(
            "scope",
            "scope_missing",
            format!("the client token lacks the scope oxd; {has} ({said})"),
            oxd::grant_scope(),
        );
    }

    /// Refusals that are about the site, whichever command met them.
    fn refused_site(&mut self, refusal: &Refusal) -> bool {
        let (check, cause) = match refusal.error.as_str() {
            _ if refusal.is_unknown_site() => ("site", "oxd_id_unknown"),
            "invalid_access_token" => ("site", "client_of_another_site"),
            "inactive_access_token" => ("scope", "token_inactive"),
            "blank_access_token" => ("credentials", "token_wanted"),
            _ => return false,
        };
        self.refused(check, cause, refusal);
        true
    }

    fn refused(&mut self, check: &'static str, cause: &'static str, refusal: &Refusal) {
        let link = self.oxd.link;
        self.report
            .refused(check, cause, refusal, link, Some(self.connected));
    }
}

/// The scopes that introspection names, or else those that came with the token.
fn granted(introspected: &Map<String, Value>, token: &Token) -> Option<Vec<String>> {
    scopes(introspected)
        .filter(|scopes| !scopes.is_empty())
        .or_else(|| token.scope.clone())
}
