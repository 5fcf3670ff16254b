//! What is known about failed refreshes, so that a failing oxd or provider is neither called nor reported at each request.

use crate::base::{Failure, Level, Millis, Reason, Seconds};
use crate::flow::Ctx;
use crate::session::{Opened, Tokens};
use crate::shm::{About, Mark};

/// The least time between two attempts to refresh one session.
const LEAST: Seconds = Seconds(5);
/// The longest.
const MOST: Seconds = Seconds(300);
/// How long a failure is remembered after its last attempt.
const REMEMBERED: Seconds = Seconds(3_600);
/// How long the condition of a site's refreshes is remembered.
const CONDITION_REMEMBERED: Seconds = Seconds(86_400);

/// Whether the provider has refused the session's refresh token.
pub(super) fn is_refused(ctx: &Ctx<'_>, tokens: &Tokens<'_>) -> bool {
    ctx.memory.noted_moment(of_token(ctx, tokens), ctx.now).is_some()
}

/// Remembers that.
pub(super) fn refused(ctx: &Ctx<'_>, session: &Opened<'_>, tokens: &Tokens<'_>) {
    let (mark, until) = (of_token(ctx, tokens), session.record.ends);
    ctx.memory.note_moment(mark, ctx.millis, ctx.now, until);
}

/// The mark of the token, not of the session: another login, or another provider's answer, brings another one.
fn of_token(ctx: &Ctx<'_>, tokens: &Tokens<'_>) -> Mark {
    let token = String::from_utf8_lossy(tokens.refresh_token);
    Mark::of(About::RefusedRefresh, ctx.site, &[&token])
}

fn of_failure(ctx: &Ctx<'_>, session: &Opened<'_>, what: &str) -> Mark {
    let id = u128::from_le_bytes(session.record.id).to_string();
    Mark::of(About::FailingRefresh, ctx.site, &[&id, what])
}

/// Whether the next attempt for a session is still to wait.
pub(super) fn waits(ctx: &Ctx<'_>, session: &Opened<'_>) -> bool {
    let next = ctx.memory.noted_moment(of_failure(ctx, session, "next"), ctx.now);
    // A moment further ahead was noted by a clock that has been set back since.
    next.is_some_and(|next| ctx.millis < next && next <= ctx.millis.saturating_add(MOST.millis()))
}

/// Takes note of a failed attempt. The next one waits as long as it has failed already, within bounds.
pub(super) fn failed(ctx: &Ctx<'_>, session: &Opened<'_>) {
    let (since, next) = (
        of_failure(ctx, session, "since"),
        of_failure(ctx, session, "next"),
    );
    let until = ctx.now.saturating_add(REMEMBERED);
    let began = ctx.memory.noted_moment(since, ctx.now).unwrap_or(ctx.millis);
    ctx.memory.note_moment(since, began, ctx.now, until);
    let lasted = ctx.now.saturating_sub(began.seconds());
    let delay = lasted.clamp(LEAST, MOST);
    let moment = ctx.millis.saturating_add(delay.millis());
    ctx.memory.forget_moment(next);
    ctx.memory.note_moment(next, moment, ctx.now, until);
}

/// Takes note of an attempt that worked.
pub(super) fn worked(ctx: &Ctx<'_>, session: &Opened<'_>) {
    for what in ["since", "next"] {
        ctx.memory.forget_moment(of_failure(ctx, session, what));
    }
}

/// Logs how refreshing tokens or claims goes at a site: a line when it begins to fail, when it fails for another reason,
/// and when it works again. A refused refresh token is about one user, and gets a line each time.
pub(super) fn report(ctx: &Ctx<'_>, what: &str, failure: Option<&Failure>) {
    let mark = Mark::of(About::Condition, ctx.site, &[what]);
    let known = ctx.memory.noted_moment(mark, ctx.now);
    let Some(failure) = failure else {
        if known.is_some() {
            ctx.memory.forget_moment(mark);
            ctx.log(Level::Notice, || format!("sessions' {what} are refreshed again"));
        }
        return;
    };
    let line = || format!("the session's {what} were not refreshed: {}", failure.log_line());
    let is_of_user = matches!(failure.reason, Reason::RefreshRefused | Reason::SessionTooLarge);
    if is_of_user {
        return ctx.log(failure.reason.level(), line);
    }
    let condition = condition_of(failure.reason);
    if known == Some(condition) {
        return ctx.log(Level::Debug, line);
    }
    ctx.memory.forget_moment(mark);
    let until = ctx.now.saturating_add(CONDITION_REMEMBERED);
    ctx.memory.note_moment(mark, condition, ctx.now, until);
    ctx.log(failure.reason.level(), line);
}

/// A number for a reason, which fits where a moment does.
fn condition_of(reason: Reason) -> Millis {
    let sum = reason.code().bytes().fold(1_u64, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(u64::from(byte)) & 0xffff_ffff
    });
    Millis(sum + 1)
}
