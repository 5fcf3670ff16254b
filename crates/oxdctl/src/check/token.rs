//! The client token: whether oxd gives one for our credentials, and whether it has the scope `oxd`.

use oxd_core::oxd::Request as _;
use oxd_core::oxd::commands::introspect_access_token::IntrospectAccessToken;

use super::site::Examination;
use crate::advice::{self, refusal};
use crate::screen::plain;

impl Examination<'_, '_> {
    /// Whether oxd gives a client token, which the commands that follow carry.
    pub(super) fn credentials(&mut self) -> bool {
        let Some(credentials) = &self.target.credentials else {
            if let Some(why) = &self.target.secret_unknown {
                self.report.skip("credentials", why);
                let rest = super::applying(self.target);
                self.report
                    .skip_others(&rest, "cannot be checked without a client token");
                return false;
            }
            self.report.fail(
                "credentials",
                "credentials_missing",
                "client_id or client_secret is missing",
                "name the site file with --site-file, or both with --client-id and --client-secret; if oxd wants no \
                 client tokens, say --unprotected (OxdProtectedCommands Off)",
            );
            return false;
        };
        if credentials.op_host.is_none() && credentials.op_configuration_endpoint.is_none() {
            self.report.fail(
                "credentials",
                "provider_missing",
                "nothing says at which provider the client is",
                "name it with --op-host (OxdOpHost) or --op-configuration-endpoint (OxdOpConfigurationEndpoint)",
            );
            return false;
        }
        let expired = self
            .target
            .secret_expires
            .filter(|end| *end <= std::time::SystemTime::now());
        let error = match self.oxd.authenticate(credentials) {
            Ok(()) => {
                self.report.ok(
                    "credentials",
                    format!("oxd gives a client token to {}", plain(&credentials.client_id)),
                );
                return true;
            }
            Err(error) => error,
        };
        match refusal(&error) {
            Some(refusal) if refusal.error == "internal_error" => match expired {
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
                        "oxd gets no client token for the client {}: wrong client_secret, or a client_id that the \
                         provider does not know ({})",
                        plain(&credentials.client_id),
                        advice::said(refusal)
                    ),
                    advice::wrong_credentials(),
                ),
            },
            Some(refusal) => self.refused("credentials", "wrong_credentials", refusal),
            None => self.unexpected("credentials", &error),
        }
        false
    }

    /// The scopes that came with the client token.
    fn scopes_of_token(&self) -> Option<Vec<String>> {
        self.oxd.token.as_ref()?.scopes()
    }

    /// Whether the client token has the scope `oxd`.
    pub(super) fn scope(&mut self) -> bool {
        let token = self.oxd.token.as_ref();
        let request = IntrospectAccessToken {
            access_token: token.map_or("", |token| token.access_token.expose()),
        };
        let told = request.send(&self.oxd);
        let granted = match told {
            Ok(introspection) if introspection.active == Some(false) => {
                self.report.fail(
                    "scope",
                    "token_inactive",
                    "the provider takes its own fresh token for inactive",
                    "compare the clocks of oxd and of the provider",
                );
                return false;
            }
            Ok(introspection) => introspection.scopes().filter(|scopes| !scopes.is_empty()),
            Err(error) => match refusal(&error) {
                Some(refusal) if refusal.error == "access_token_insufficient_scope" => {
                    self.scope_missing(&advice::said(refusal));
                    return false;
                }
                Some(refusal) if self.refused_site(refusal) => return false,
                // Not every provider has introspection; the answer to get-client-token says it, too.
                _ => None,
            },
        };
        match granted.or_else(|| self.scopes_of_token()) {
            Some(scopes) if scopes.iter().any(|scope| scope == "oxd") => {
                self.report.ok(
                    "scope",
                    format!("the client token has {}", plain(&scopes.join(" "))),
                );
                true
            }
            // If oxd wanted the scope, it would have said so by now.
            Some(scopes) if scopes.is_empty() => {
                self.scope_missing("the token has no scope");
                false
            }
            Some(_) => {
                self.scope_missing("introspection does not name it");
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

    fn scope_missing(&mut self, said: &str) {
        let has = match self.scopes_of_token() {
            Some(scopes) if !scopes.is_empty() => format!("it has {}", plain(&scopes.join(" "))),
            _ => "it has none that is known".to_owned(),
        };
        self.report.fail(
            "scope",
            "scope_missing",
            format!("the client token lacks the scope oxd; {has} ({said})"),
            advice::GRANT_SCOPE,
        );
    }
}
