//! The HTML pages: what each template is given.

pub mod status;

use once_cell::sync::Lazy;
use serde::Serialize;

use crate::base::{Reason, Reference};
use crate::templates::{STATUS_STYLE, STYLE, Templates};
use status::Shown;

/// The longest text of the provider that a page shows, in characters.
const TOLD_LIMIT: usize = 300;

static POLICY: Lazy<String> = Lazy::new(|| {
    let hash = |style: &str| {
        let digest = ring::digest::digest(&ring::digest::SHA256, style.as_bytes());
        base64_simd::STANDARD.encode_to_string(digest)
    };
    format!(
        "default-src 'none'; style-src 'sha256-{}' 'sha256-{}'; base-uri 'none'; form-action 'self'",
        hash(STYLE),
        hash(STATUS_STYLE)
    )
});
static UNFRAMED_POLICY: Lazy<String> = Lazy::new(|| format!("{}; frame-ancestors 'none'", *POLICY));

/// The Content-Security-Policy of all answers with a body: no script, and only these styles. `framed` permits frames.
pub fn content_security_policy(framed: bool) -> &'static str {
    if framed { &POLICY } else { &UNFRAMED_POLICY }
}

#[derive(Serialize)]
struct SignedOut<'p> {
    title: &'p str,
    text: &'p str,
    warning: Option<&'p str>,
    login: &'p str,
    label: &'p str,
}

#[derive(Serialize)]
struct SignedIn<'p> {
    user: &'p str,
    claims: &'p [(String, String)],
    logout: &'p str,
}

#[derive(Serialize)]
struct Error<'p> {
    title: &'p str,
    text: &'p str,
    says: &'p str,
    told: Option<&'p str>,
    link: Option<&'p str>,
    label: &'p str,
    reference: &'p str,
}

#[derive(Serialize)]
struct KeptForm<'p> {
    sign_in: &'p str,
    target: &'p str,
    encoding: &'p str,
    fields: &'p [(String, String)],
}

#[derive(Serialize)]
struct Onward<'p> {
    target: &'p str,
}

#[derive(Serialize)]
struct Status<'p> {
    address: &'p str,
    token: Option<&'p str>,
    done: Option<&'p str>,
    shown: &'p Shown,
}

#[derive(Serialize)]
struct EndAll<'p> {
    address: &'p str,
    token: &'p str,
}

/// The handler's own page without a session.
pub fn signed_out(login: &str) -> String {
    rendered(
        "signed_out.html",
        SignedOut {
            title: "You are not signed in",
            text: "Sign in to use the protected parts of this site.",
            warning: None,
            login,
            label: "Sign in",
        },
    )
}

/// The page that asks before it signs out: a page of another site led to the address.
pub fn ask_to_sign_out(logout: &str) -> String {
    rendered(
        "signed_out.html",
        SignedOut {
            title: "Do you want to sign out?",
            text: "Another site has asked to sign you out of this one.",
            warning: None,
            login: logout,
            label: "Sign out",
        },
    )
}

/// The page for the address after a logout while there is a session.
pub fn still_signed_in(logout: &str) -> String {
    rendered(
        "signed_out.html",
        SignedOut {
            title: "You are still signed in",
            text: "You have a session at this site.",
            warning: None,
            login: logout,
            label: "Sign out",
        },
    )
}

/// The page after a logout. `warning` names what failed, although the session here has ended.
pub fn logged_out(login: &str, warning: Option<&str>) -> String {
    rendered(
        "signed_out.html",
        SignedOut {
            title: "You are signed out",
            text: "Your session at this site has ended.",
            warning,
            login,
            label: "Sign in again",
        },
    )
}

/// The handler's own page with a session: the claims and a sign-out link.
pub fn signed_in(user: &str, claims: &[(String, String)], logout: &str) -> String {
    rendered("signed_in.html", SignedIn { user, claims, logout })
}

/// The page for a refusal. `told` is the provider's message, the acr values that are needed, or the cause that the module
/// has found; `link` is the address to try again.
pub fn error(reason: Reason, told: Option<&str>, link: Option<&str>, reference: &Reference) -> String {
    let told = told.map(|text| text.chars().take(TOLD_LIMIT).collect::<String>());
    // What the module has found out itself takes the place of its usual text.
    let (text, told) = match (reason, told.as_deref()) {
        (Reason::StateUnknown, Some(cause)) => (cause, None),
        (_, told) => (reason.text(), told),
    };
    rendered(
        "error.html",
        Error {
            title: reason.title(),
            text,
            says: match reason {
                Reason::AcrNotMet => "This page asks for one of these ways to sign in:",
                _ => "The sign-in service said:",
            },
            told,
            link,
            label: if reason == Reason::LoginRequired {
                "Sign in"
            } else {
                "Start over"
            },
            reference: &reference.on_page(),
        },
    )
}

/// The page that preserves a form while the user signs in. `encoding` is the form's `enctype`.
pub fn kept_form(sign_in: &str, target: &str, encoding: &str, fields: &[(String, String)]) -> String {
    rendered(
        "kept_form.html",
        KeptForm {
            sign_in,
            target,
            encoding,
            fields,
        },
    )
}

/// A page that forwards to the target: with `SameSite=Strict` a redirect would still count as cross-site, and the
/// browser would not send the new session cookie.
pub fn onward(target: &str) -> String {
    rendered("onward.html", Onward { target })
}

/// The page in the provider's hidden frame after a front-channel logout.
pub fn logout_noted() -> String {
    rendered("logout_noted.html", ())
}

/// The administrator's page. `token` authorizes its forms, which need a site; `done` is the result of the last one.
pub fn status_page(address: &str, token: Option<&str>, done: Option<&str>, shown: &Shown) -> String {
    rendered(
        "status.html",
        Status {
            address,
            token,
            done,
            shown,
        },
    )
}

/// The question before all sessions end.
pub fn ask_to_end_all(address: &str, token: &str) -> String {
    rendered("status_ask.html", EndAll { address, token })
}

fn rendered(name: &str, values: impl Serialize) -> String {
    Templates::built_in().render(name, values).unwrap_or_else(|why| {
        // No built-in page fails with any values: the tests render them all.
        debug_assert!(false, "{why}");
        String::new()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SystemRandom;

    #[test]
    fn what_came_from_outside_is_escaped() {
        let number = Reference::new(&SystemRandom);
        let evil = "<script>alert('x')</script>\"";
        for html in [
            error(Reason::ProviderError, Some(evil), Some(evil), &number),
            signed_in(evil, &[(evil.into(), evil.into())], evil),
            signed_out(evil),
            ask_to_sign_out(evil),
            still_signed_in(evil),
            onward(evil),
            ask_to_end_all(evil, evil),
            kept_form(evil, evil, evil, &[(evil.into(), evil.into())]),
        ] {
            assert!(!html.contains("<script"), "{html}");
            assert!(!html.contains("x')"), "{html}");
        }
    }

    #[test]
    fn pages_are_html_with_a_language_and_one_heading() {
        let number = Reference::new(&SystemRandom);
        for html in [
            signed_out("/l"),
            logged_out("/l", Some("w")),
            error(Reason::StateUnknown, None, Some("/l"), &number),
        ] {
            assert!(html.starts_with("<!DOCTYPE html>\n<html lang=\"en\">"));
            assert_eq!(html.matches("<h1>").count(), 1);
            assert!(html.contains(STYLE.trim_end()));
        }
    }

    #[test]
    fn the_policy_allows_no_script_and_only_this_style() {
        let policy = content_security_policy(false);
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe-inline"));
    }
}
