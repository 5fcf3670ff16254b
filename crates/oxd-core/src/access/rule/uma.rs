//! `Require oxd-uma`: an RPT opens the resource that the request falls under (UMA 2.0).

use std::ffi::CStr;

use super::{Explain, Rule, Verdict, line, scopes};
use crate::base::{Failure, Reason};
use crate::bearer::{Presented, presented};
use crate::config::UmaSettings;
use crate::flow::Ctx;
use crate::session::{Opened, SessionRecord};
use crate::uma::{self, Decision};

/// `Require oxd-uma`
#[derive(Debug)]
pub struct UmaRule(Vec<String>);

impl Explain for UmaRule {
    fn text(&self) -> String {
        line(Self::NAME, &self.0)
    }

    fn lacks(&self, _: &SessionRecord<'_>, _: bool) -> String {
        "the authorization server has not granted it".to_owned()
    }
}

impl Rule for UmaRule {
    const NAME: &'static CStr = c"oxd-uma";
    const NEEDS_USER: bool = false;

    fn parse(words: &[String]) -> Result<Self, String> {
        scopes(Self::NAME, words).map(Self)
    }

    /// A session's RPT is a matter of [`Rule::decide_for`].
    fn check<'s>(&'s self, _: &Ctx<'_>, _: &Opened<'_>) -> Verdict<'s> {
        Verdict::Unmet
    }

    fn decide(&self, ctx: &Ctx<'_>, method: &str) -> Option<Decision> {
        let rpt = match presented(ctx.request) {
            Presented::Token(rpt) => Some(rpt),
            Presented::NoToken(why) => {
                return Some(Decision::Refused(Failure::new(Reason::InvalidToken, why)));
            }
            Presented::Malformed(why) => {
                return Some(Decision::Refused(Failure::new(Reason::InvalidRequest, why)));
            }
            // A browser's user signs in first; nobody else needs a ticket of theirs.
            Presented::Nothing if !ctx.request.is_script() => return None,
            Presented::Nothing => None,
        };
        Some(match settings(ctx) {
            Ok(uma) => uma::decide(ctx, &uma, method, rpt, &self.0),
            Err(failure) => Decision::Refused(failure),
        })
    }

    fn decide_for(&self, ctx: &Ctx<'_>, method: &str, session: &Opened<'_>) -> Decision {
        match settings(ctx) {
            Ok(uma) => uma::decide_for_session(ctx, &uma, method, session, &self.0),
            Err(failure) => Decision::Refused(failure),
        }
    }
}

fn settings<'a>(ctx: &Ctx<'a>) -> Result<UmaSettings<'a>, Failure> {
    ctx.settings.uma().ok_or_else(|| {
        let detail = format!(
            "{}: Require oxd-uma, but neither OxdUmaResources nor OxdUmaPath",
            ctx.request.path()
        );
        Failure::new(Reason::NotConfigured, detail)
    })
}
