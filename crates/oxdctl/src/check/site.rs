//! The second half of a check: whether oxd takes our address, our credentials and our site.

use std::net::SocketAddr;

use oxd_core::config::Provider;
use oxd_core::oxd::commands::authorization_url::GetAuthorizationUrl;
use oxd_core::oxd::commands::discovery::GetDiscovery;
use oxd_core::oxd::commands::introspect_access_token::IntrospectAccessToken;
use oxd_core::oxd::commands::jwks::GetJwks;
use oxd_core::oxd::commands::rp::GetRp;
use oxd_core::oxd::{BadAnswer, Error, Request as _};

use super::Target;
use super::redirect::{has_redirect_uri, redirect_uri_in};
use super::registration::compare;
use super::report::Report;
use super::resources;
use crate::advice::{self, refusal};
use crate::oxd::Oxd;
use crate::route::Link;
use crate::screen::plain;

/// One check of a site.
pub struct Examination<'e, 's> {
    /// The report.
    pub report: &'e mut Report<'s>,
    /// oxd.
    pub oxd: Oxd<'e>,
    /// The subject of the check.
    pub target: &'e Target,
    /// The address that was connected.
    pub connected: SocketAddr,
}

impl<'e> Examination<'e, '_> {
    /// Address, provider, credentials, scope, site and redirect URI. What cannot be checked is left out.
    pub fn run(&mut self) {
        if !self.address_and_provider() {
            return;
        }
        if self.target.protected && !self.credentials() {
            return;
        }
        if let Some(oxd_id) = self.target.oxd_id.clone() {
            self.oxd.oxd_id = Some(oxd_id.clone());
            self.site(&oxd_id);
        } else {
            self.report.fail(
                "site",
                "oxd_id_missing",
                "there is no oxd_id",
                "name the site file with --site-file, or the site with --oxd-id",
            );
        }
    }

    fn link(&self) -> &'e Link {
        self.oxd.link
    }

    /// The first command tells whether oxd lets this address in, and asks for what needs no token: the provider.
    fn address_and_provider(&mut self) -> bool {
        let (host, endpoint) = &self.target.provider;
        let provider = Provider::of(host.as_deref(), endpoint.as_deref());
        let asked = GetDiscovery { provider }.send(&self.oxd);
        if let Err(error) = &asked {
            match refusal(error) {
                Some(refusal) if refusal.error == "oxd_access_denied" => {
                    self.refused("address", "address_not_allowed", refusal);
                    return false;
                }
                None if !advice::is_not_oxds(error) => {
                    self.unexpected("address", error);
                    return false;
                }
                _ => {}
            }
        }
        let own = self.link().own_address(Some(self.connected));
        self.report.ok(
            "address",
            match own {
                Some(own) => format!("oxd lets this machine in ({own})"),
                None => "oxd lets this machine in".to_owned(),
            },
        );
        match asked {
            Ok(discovery) => {
                let issuer = plain(&discovery.issuer.unwrap_or_default());
                if let Some(said) = self.provider_fails(provider) {
                    self.report.fail(
                        "provider",
                        "provider_unreachable",
                        format!("oxd knows the provider {issuer}, but gets no keys from it now ({said})"),
                        advice::provider_down(),
                    );
                    return false;
                }
                self.report
                    .ok("provider", format!("oxd reaches the provider {issuer}"));
            }
            Err(error) => match refusal(&error) {
                // oxd has no answer to that; only its refusal of an address counts here.
                Some(_) if provider.is_none() => self.report.skip(
                    "provider",
                    "nothing says which provider it is: name it with --op-host",
                ),
                Some(refusal) => {
                    self.refused("provider", "provider_unreachable", refusal);
                    return false;
                }
                // A version without that command answers 404.
                None => self
                    .report
                    .skip("provider", "this oxd does not know get-discovery"),
            },
        }
        true
    }

    /// What oxd says if it gets nothing from the provider. It remembers the provider's configuration, but fetches the
    /// keys each time; no refusal proves anything where it does not know the command or asks for a token.
    fn provider_fails(&self, provider: Option<Provider<'_>>) -> Option<String> {
        match (GetJwks { provider }).send(&self.oxd) {
            Err(Error::Answer(bad)) if bad.foreign.is_none() && bad.status >= 500 => Some(advice::said(&bad)),
            _ => None,
        }
    }

    /// Whether oxd gives a client token, which the commands that follow carry.
    fn credentials(&mut self) -> bool {
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

    fn site(&mut self, oxd_id: &str) {
        if self.oxd.token.is_some() && !self.scope() {
            return;
        }
        let wanted = self.target.redirect_uri.as_deref();
        let named = self.authorization_url(wanted);
        let not_registered = match &named {
            Ok(_) => None,
            Err(error) => match refusal(error) {
                Some(refusal) if self.refused_site(refusal) => return,
                Some(refusal) if refusal.error.starts_with("redirect_uri_is_not_registered") => Some(refusal),
                _ => return self.unexpected("site", error),
            },
        };
        self.report
            .ok("site", format!("oxd knows the site {}", plain(oxd_id)));
        match (wanted, not_registered) {
            (Some(wanted), Some(refusal)) => self.report.fail(
                "redirect",
                "redirect_uri_not_registered",
                format!("{} is not registered for this site ({})", plain(wanted), advice::said(refusal)),
                "register it: oxdctl update --base with the handler's address (and the same at the provider, if the \
                 client was made there)",
            ),
            (Some(wanted), None) => self.first_redirect_uri(wanted),
            (None, _) => self.report.warn(
                "redirect",
                "redirect_uri_not_compared",
                match named.ok().and_then(|url| redirect_uri_in(&url)) {
                    Some(first) => format!("the first one registered is {}", plain(&first)),
                    None => "it is not known which one should be registered".to_owned(),
                },
                "name the handler's address with --base, so that it can be compared",
            ),
        }
        self.registration();
        if let Some((path, file)) = &self.target.resources {
            resources::examine(self.report, &self.oxd, path, file);
        }
    }

    /// Compares all that oxd has of the site with what it was registered with.
    fn registration(&mut self) {
        let Some(file) = &self.target.file else { return };
        let node = match (GetRp {}).send(&self.oxd) {
            Ok(rp) => rp.node,
            Err(_) => {
                return self
                    .report
                    .skip("registered", "this oxd does not say what it has (get-rp)");
            }
        };
        let found = compare(file, &node);
        if found.other_secret {
            self.report.fail(
                "registered",
                "client_secret_differs",
                "oxd has another client_secret for this site than the site file: it exchanges codes with its own",
                "register the site again (oxdctl register --force), with the client's present secret",
            );
        } else if found.different.is_empty() {
            let text = format!(
                "oxd has the {} members that can be compared as they are here",
                found.compared
            );
            self.report.ok("registered", text);
        } else {
            self.report.warn(
                "registered",
                "registration_differs",
                found.different.join("; "),
                "oxdctl update changes the site at oxd; if it was meant to change there, register the change here, too",
            );
        }
    }

    /// oxd exchanges every code with the first registered redirect URI, whichever was used: no other one will do.
    fn first_redirect_uri(&mut self, wanted: &str) {
        match self.authorization_url(None) {
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
            Err(error) => self.unexpected("redirect", &error),
        }
    }

    fn authorization_url(&self, redirect_uri: Option<&str>) -> Result<String, Error> {
        let request = GetAuthorizationUrl {
            redirect_uri,
            ..GetAuthorizationUrl::default()
        };
        Ok(request.send(&self.oxd)?.authorization_url)
    }

    /// The scopes that came with the client token.
    fn scopes_of_token(&self) -> Option<Vec<String>> {
        self.oxd.token.as_ref()?.scopes()
    }

    /// Whether the client token has the scope `oxd`.
    fn scope(&mut self) -> bool {
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

    /// Refusals that are about the site, whichever command met them.
    fn refused_site(&mut self, refusal: &BadAnswer) -> bool {
        let (check, cause) = match refusal.error.as_str() {
            _ if advice::is_unknown_site(refusal) => ("site", "oxd_id_unknown"),
            "invalid_access_token" => ("site", "client_of_another_site"),
            "inactive_access_token" => ("scope", "token_inactive"),
            "blank_access_token" => ("credentials", "token_wanted"),
            _ => return false,
        };
        self.refused(check, cause, refusal);
        true
    }

    fn refused(&mut self, check: &'static str, cause: &'static str, refusal: &BadAnswer) {
        let link = self.link();
        self.report.refused(check, cause, refusal, link, self.connected);
    }

    fn unexpected(&mut self, check: &'static str, error: &Error) {
        let link = self.link();
        self.report.unexpected(check, error, link);
    }
}
