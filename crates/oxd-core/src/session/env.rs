//! The environment of session operations. It has no access to oxd: opening, writing and ending a session never call it.

use std::ops::Deref;

use super::store::Entries;
use crate::base::SiteId;
use crate::http::RequestEnv;
use crate::shm::Memory;

/// A request at a location with a site, and the shared memory of the server.
#[derive(Clone, Copy)]
pub struct SessionEnv<'a> {
    env: RequestEnv<'a>,
    /// The site whose sessions these are.
    pub site: SiteId<'a>,
    /// The shared memory of all processes of the server.
    pub memory: &'a Memory<'a>,
}

impl<'a> SessionEnv<'a> {
    /// `None` where the place has no site (`OxdId`): it has no sessions then.
    #[inline]
    pub fn new(env: RequestEnv<'a>, memory: &'a Memory<'a>) -> Option<Self> {
        let site = env.settings.site?;
        Some(Self { env, site, memory })
    }

    /// The entries of the site's store; `None` where sessions live in cookies.
    pub fn entries(&self) -> Option<Entries<'a>> {
        Some(Entries {
            store: self.settings.store?,
            keys: self.settings.keys,
            site: self.site,
        })
    }

    /// The entries of the store in which sessions were until now.
    pub(super) fn older_entries(&self) -> Option<Entries<'a>> {
        Some(Entries {
            store: self.settings.older_store?,
            keys: self.settings.keys,
            site: self.site,
        })
    }

    /// The entries that all machines know beside sessions; `None` where each machine is on its own.
    pub(super) fn facts(&self) -> Option<Entries<'a>> {
        self.entries().or_else(|| {
            Some(Entries {
                store: self.settings.session().revocations?.facts(),
                keys: self.settings.keys,
                site: self.site,
            })
        })
    }
}

impl<'a> Deref for SessionEnv<'a> {
    type Target = RequestEnv<'a>;

    fn deref(&self) -> &RequestEnv<'a> {
        &self.env
    }
}
