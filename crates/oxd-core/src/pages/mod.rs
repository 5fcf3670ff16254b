//! The HTML pages: what each template is given.

mod shown;
pub mod status;

pub use shown::{Told, utc};

use serde::Serialize;

use crate::base::{Reason, Reference};
use crate::templates::{Templates, Words};
use crate::texts::Language;
use shown::{Claim, Field};
use status::Shown;

/// The longest text of the provider that a page shows, in characters.
const TOLD_LIMIT: usize = 300;

/// What shapes every page of a request.
#[derive(Clone, Copy, Debug)]
pub struct View<'v> {
    /// The templates.
    pub templates: &'v Templates,
    /// The language and the site's name.
    pub words: Words<'v>,
}

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Its HTML.
    pub html: String,
    /// Its language.
    pub language: Language,
    /// Its Content-Security-Policy, without `frame-ancestors`.
    pub policy: String,
    /// Why the administrator's template could not be used; then the page is the built-in one.
    pub trouble: Option<String>,
}

#[derive(Serialize)]
struct SignedOut<'p> {
    kind: &'static str,
    title: &'p str,
    text: &'p str,
    user: Option<&'p str>,
    warning: Option<&'p str>,
    link: &'p str,
    label: &'p str,
}

#[derive(Serialize)]
struct SignedIn<'p> {
    kind: &'static str,
    title: &'p str,
    user: &'p str,
    claims: Vec<Claim<'p>>,
    logout: &'p str,
}

#[derive(Serialize)]
struct Error<'p> {
    code: &'p str,
    status: u16,
    title: &'p str,
    text: &'p str,
    user: Option<&'p str>,
    says: Option<&'p str>,
    told: Option<&'p str>,
    link: Option<&'p str>,
    label: &'p str,
    other_account: Option<&'p str>,
    reference: &'p str,
}

#[derive(Serialize)]
struct KeptForm<'p> {
    title: &'p str,
    sign_in: &'p str,
    target: &'p str,
    encoding: &'p str,
    fields: Vec<Field<'p>>,
}

#[derive(Serialize)]
struct Onward<'p> {
    title: &'p str,
    target: &'p str,
}

#[derive(Serialize)]
struct LogoutNoted<'p> {
    title: &'p str,
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

/// What a page about a refusal says besides the reason's own words.
#[derive(Clone, Copy, Debug, Default)]
pub struct Details<'d> {
    /// What somebody else said, or what is needed.
    pub told: Option<Told<'d>>,
    /// The address to try again.
    pub link: Option<&'d str>,
    /// Who is signed in.
    pub user: Option<&'d str>,
    /// The address to sign in with another account.
    pub other_account: Option<&'d str>,
}

impl View<'_> {
    fn text(&self, name: &str) -> &'static str {
        self.words.language.text(name)
    }

    fn page(&self, file: &str, values: impl Serialize) -> Page {
        let (html, policy, trouble) = match self.templates.render(file, self.words, &values) {
            Ok(html) => (html, self.templates.policy(), None),
            Err(why) => {
                let built_in = Templates::built_in();
                let html = built_in.render(file, self.words, &values);
                // No built-in page fails with any values: the tests render them all.
                debug_assert!(html.is_ok(), "{html:?}");
                (html.unwrap_or_default(), built_in.policy(), Some(why))
            }
        };
        Page {
            html,
            language: self.words.language,
            policy: policy.to_owned(),
            trouble,
        }
    }
}

/// The handler's own page without a session.
pub fn signed_out(view: &View<'_>, login: &str) -> Page {
    let page = SignedOut {
        kind: "signed_out",
        title: view.text("signed-out"),
        text: view.text("signed-out-text"),
        user: None,
        warning: None,
        link: login,
        label: view.text("sign-in"),
    };
    view.page("signed_out.html", page)
}

/// The page that asks before it signs out: a page of another site led to the address.
pub fn ask_to_sign_out(view: &View<'_>, logout: &str) -> Page {
    let page = SignedOut {
        kind: "ask_to_sign_out",
        title: view.text("ask-to-sign-out"),
        text: view.text("ask-to-sign-out-text"),
        user: None,
        warning: None,
        link: logout,
        label: view.text("sign-out"),
    };
    view.page("signed_out.html", page)
}

/// The page for the address after a logout while there is a session.
pub fn still_signed_in(view: &View<'_>, user: &str, logout: &str) -> Page {
    let page = SignedOut {
        kind: "still_signed_in",
        title: view.text("still-signed-in"),
        text: "",
        user: Some(user),
        warning: None,
        link: logout,
        label: view.text("sign-out"),
    };
    view.page("signed_out.html", page)
}

/// The page after a logout. `warning` is the name of the text that says what failed, although the session here has ended.
pub fn logged_out(view: &View<'_>, login: &str, warning: Option<&str>) -> Page {
    let page = SignedOut {
        kind: "logged_out",
        title: view.text("logged-out"),
        text: view.text("logged-out-text"),
        user: None,
        warning: warning.map(|name| view.text(name)),
        link: login,
        label: view.text("sign-in-again"),
    };
    view.page("signed_out.html", page)
}

/// The handler's own page with a session: the claims and a sign-out link. `form_waits` after a sign-in for a form that a
/// page in another window keeps.
pub fn signed_in(
    view: &View<'_>,
    user: &str,
    claims: &[(String, String)],
    logout: &str,
    form_waits: bool,
) -> Page {
    let claims = claims.iter().filter(|_| !form_waits);
    let page = SignedIn {
        kind: if form_waits { "form_waits" } else { "signed_in" },
        title: view.text("signed-in"),
        user,
        claims: claims.map(|(name, value)| Claim::of(name, value)).collect(),
        logout,
    };
    view.page("signed_in.html", page)
}

/// The page for a refusal.
pub fn error(view: &View<'_>, reason: Reason, details: &Details<'_>, reference: &Reference) -> Page {
    let language = view.words.language;
    let (mut text, mut says, mut told) = (reason.text_in(language), None, None);
    match details.told {
        // What the module has found out itself takes the place of its usual text.
        Some(Told::Cause(name)) => text = view.text(name),
        Some(Told::Provider(words)) => (says, told) = (Some("provider-said"), Some(words)),
        Some(Told::Acr(values)) => (says, told) = (Some("acr-wanted"), Some(values)),
        Some(Told::Authorization(words)) => (says, told) = (Some("authorization-said"), Some(words)),
        None => {}
    }
    let told = told.map(|words| words.chars().take(TOLD_LIMIT).collect::<String>());
    let page = Error {
        code: reason.code(),
        status: reason.status(),
        title: reason.title_in(language),
        text,
        user: details.user,
        says: says.map(|name| view.text(name)),
        told: told.as_deref(),
        link: details.link,
        label: view.text(if reason == Reason::LoginRequired {
            "sign-in"
        } else {
            "start-over"
        }),
        other_account: details.other_account,
        reference: &reference.on_page(),
    };
    view.page("error.html", page)
}

/// The page that preserves a form while the user signs in. `encoding` is the form's `enctype`.
pub fn kept_form(
    view: &View<'_>,
    sign_in: &str,
    target: &str,
    encoding: &str,
    fields: &[(String, String)],
) -> Page {
    let page = KeptForm {
        title: Reason::LoginRequired.title_in(view.words.language),
        sign_in,
        target,
        encoding,
        fields: fields
            .iter()
            .map(|(name, value)| Field::of(name, value))
            .collect(),
    };
    view.page("kept_form.html", page)
}

/// A page that forwards to the target: with `SameSite=Strict` a redirect would still count as cross-site, and the
/// browser would not send the new session cookie.
pub fn onward(view: &View<'_>, target: &str) -> Page {
    let title = view.text("signed-in");
    view.page("onward.html", Onward { title, target })
}

/// The page in the provider's hidden frame after a front-channel logout.
pub fn logout_noted(view: &View<'_>) -> Page {
    let title = view.text("logout-noted");
    view.page("logout_noted.html", LogoutNoted { title })
}

/// The administrator's page, in English. `token` authorizes its forms, which need a site; `done` is the result of the last
/// one.
pub fn status_page(
    site: &str,
    address: &str,
    token: Option<&str>,
    done: Option<&str>,
    shown: &Shown,
) -> Page {
    let view = View {
        templates: Templates::built_in(),
        words: Words {
            language: Language::ENGLISH,
            site,
        },
    };
    let page = Status {
        address,
        token,
        done,
        shown,
    };
    view.page("status.html", page)
}

/// The question before all sessions end, in English.
pub fn ask_to_end_all(site: &str, address: &str, token: &str) -> Page {
    let words = Words {
        language: Language::ENGLISH,
        site,
    };
    let view = View {
        templates: Templates::built_in(),
        words,
    };
    view.page("status_ask.html", EndAll { address, token })
}

#[cfg(test)]
mod tests;
