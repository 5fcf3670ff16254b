//! The environment of requests that may call oxd.

use std::ops::Deref;

use crate::base::{Failure, Reason};
use crate::http::RequestEnv;
use crate::oxd::{Error, Oxd, Site};
use crate::session::SessionEnv;
use crate::shm::{Mark, Memory};
use crate::tokens::TokenCache;
use crate::tokens::cache::{Answer, Finding, TokenKey};

/// A request at a place with a site, and oxd.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    session: SessionEnv<'a>,
    /// oxd.
    pub oxd: &'a dyn Oxd,
    /// What this process knows about access tokens.
    pub tokens: &'a TokenCache,
}

impl<'a> Ctx<'a> {
    /// An error that names the missing directive where the place has no site.
    #[inline]
    pub fn new(
        env: RequestEnv<'a>,
        memory: &'a Memory<'a>,
        oxd: &'a dyn Oxd,
        tokens: &'a TokenCache,
    ) -> Result<Self, Failure> {
        match SessionEnv::new(env, memory) {
            Some(session) => Ok(Self { session, oxd, tokens }),
            None => Err(Site::missing(env.settings, &env.request.path()).into()),
        }
    }

    /// The answer about a token that nothing is known about: what another request finds out now, or what `ask` does.
    /// `what` names the token in the log.
    ///
    /// # Errors
    /// Too many wait for oxd already, or the other request has no answer in time.
    pub(crate) fn one_question(
        &self,
        tokens: u32,
        key: &TokenKey,
        what: &str,
        ask: impl FnOnce() -> Answer,
    ) -> Result<Finding, Failure> {
        // Those who wait for another one's question are limited like those who ask.
        let _place = self.oxd.wait_place()?;
        let patience = self.settings.server().timeouts.connect;
        let shared = self.tokens.share(tokens, key, self.millis, patience, ask);
        shared.map_err(|_| {
            let detail =
                format!("another request's question about the same {what} has not ended after {patience:?}");
            Failure::new(Reason::OxdTimeout, detail)
        })
    }

    /// Whether an issuer is that of the site's provider; `None` where oxd does not name it.
    ///
    /// # Errors
    /// oxd would have to be asked, and does not answer.
    pub fn is_own_issuer(&self, issuer: &str) -> Result<Option<bool>, Error> {
        // The provider's own address, and an issuer of an earlier login, need no call.
        let provider = self.settings.server().provider;
        if provider.is_some_and(|provider| provider.is_issuer(issuer))
            || self.memory.knows(Mark::of_issuer(self.site, issuer), self.now)
        {
            return Ok(Some(true));
        }
        let own = self.oxd.issuer()?;
        Ok(own.map(|own| own.trim_end_matches('/') == issuer.trim_end_matches('/')))
    }
}

impl<'a> Deref for Ctx<'a> {
    type Target = SessionEnv<'a>;

    fn deref(&self) -> &SessionEnv<'a> {
        &self.session
    }
}
