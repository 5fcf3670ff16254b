//! The second half of a check: whether oxd takes our address, our credentials and our site.

use std::net::SocketAddr;

use oxd_core::config::Provider;
use oxd_core::oxd::commands::authorization_url::GetAuthorizationUrl;
use oxd_core::oxd::commands::discovery::GetDiscovery;
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

    /// Refusals that are about the site, whichever command met them.
    pub(super) fn refused_site(&mut self, refusal: &BadAnswer) -> bool {
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

    pub(super) fn refused(&mut self, check: &'static str, cause: &'static str, refusal: &BadAnswer) {
        let link = self.link();
        self.report.refused(check, cause, refusal, link, self.connected);
    }

    pub(super) fn unexpected(&mut self, check: &'static str, error: &Error) {
        let link = self.link();
        self.report.unexpected(check, error, link);
    }
}
