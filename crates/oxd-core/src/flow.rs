//! The environment of requests that may call oxd.

use std::ops::Deref;

use crate::base::Failure;
use crate::http::RequestEnv;
use crate::oxd::{Oxd, Site};
use crate::session::SessionEnv;
use crate::shm::Memory;

/// A request at a place with a site, and oxd.
#[derive(Clone, Copy)]
pub struct Ctx<'a> {
    session: SessionEnv<'a>,
    /// oxd.
    pub oxd: &'a dyn Oxd,
}

impl<'a> Ctx<'a> {
    /// An error that names the missing directive where the place has no site.
    pub fn new(env: RequestEnv<'a>, memory: Memory<'a>, oxd: &'a dyn Oxd) -> Result<Self, Failure> {
        match SessionEnv::new(env, memory) {
            Some(session) => Ok(Self { session, oxd }),
            None => Err(Site::missing(env.settings, &env.request.path()).into()),
        }
    }
}

impl<'a> Deref for Ctx<'a> {
    type Target = SessionEnv<'a>;

    fn deref(&self) -> &SessionEnv<'a> {
        &self.session
    }
}
