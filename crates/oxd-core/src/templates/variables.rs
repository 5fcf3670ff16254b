//! The variables of each template, with samples of their values: `docs/PAGES.md` describes them, `OxdPages` is tried with
//! them, and a test compares them with what the pages are given.

use std::collections::BTreeMap;

use minijinja::context;
use minijinja::value::Value;

/// A variable of a template.
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// An example of its value.
    example: fn() -> Value,
    /// Whether it may be empty (`none`).
    pub is_optional: bool,
}

/// The variables of one template.
pub struct Variables {
    /// The name of its file.
    pub file: &'static str,
    /// Which page it is.
    pub about: &'static str,
    /// Its variables, besides [`COMMON`].
    pub variables: &'static [Variable],
}

/// Which samples are wanted.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Sample {
    /// All values.
    Full,
    /// Only those that a page always has.
    Bare,
}

impl Variables {
    pub(super) fn has(&self, name: &str) -> bool {
        COMMON
            .iter()
            .chain(self.variables)
            .any(|variable| variable.name == name)
    }

    pub(super) fn sample(&self, sample: Sample) -> Value {
        let value = |variable: &Variable| {
            let is_there = sample == Sample::Full || !variable.is_optional;
            (
                variable.name,
                if is_there {
                    (variable.example)()
                } else {
                    Value::from(())
                },
            )
        };
        Value::from(self.variables.iter().map(value).collect::<BTreeMap<_, _>>())
    }
}

macro_rules! variables {
    ($( $name:ident $(: $optional:ident)? = $example:expr, $about:literal; )*) => {
        &[$( Variable {
            name: stringify!($name),
            about: $about,
            example: || Value::from($example),
            is_optional: variables!(@ $($optional)?),
        } ),*]
    };
    (@) => { false };
    (@ optional) => { true };
}

/// The variables that every template has.
pub const COMMON: &[Variable] = variables! {
    lang = "en", "The language of the page, for `lang`.";
    dir = "ltr", "`ltr` or `rtl`, for `dir`.";
    site = "www.example.org", "The name of the site: the host, and a port other than the usual one, as the browser addressed it.";
    home = "/", "The address of the way home.";
    style = "", "The built-in style sheet, for a `<style>` element.";
    t = "", "A function: `t(\"sign-in\")` is that text in the language of the page. Texts with variables want them: `t(\"signed-in-as\", user=user)`.";
};

/// All templates that `OxdPages` can replace.
pub const PAGES: &[Variables] = &[
    Variables {
        file: "signed_out.html",
        about: "Without a session; after a sign-out; and the two pages that offer to sign out.",
        variables: variables! {
            kind = "logged_out", "`signed_out`, `logged_out` (after a sign-out), `ask_to_sign_out` (another site's link led to the sign-out) or `still_signed_in` (at the address after a sign-out, with a session).";
            title = "You are signed out", "The heading.";
            text = "Your session at this site has ended.", "The text below it.";
            user: optional = "Jane Doe", "Who is signed in, where somebody is.";
            warning: optional = "The sign-in service could not be told.", "What failed, although the session here has ended.";
            link = "/oxd/login", "The address for signing in or out.";
            label = "Sign in again", "What the link says.";
        },
    },
    Variables {
        file: "signed_in.html",
        about: "With a session: who, and the claims; also where the sign-in for a kept form ends.",
        variables: variables! {
            kind = "signed_in", "`signed_in`, or `form_waits` where a form waits in another window.";
            title = "You are signed in", "The heading.";
            user = "Jane Doe", "The name: the claim `name`, else `email`, `preferred_username`, or the value of `OxdRemoteUser`.";
            claims = vec![
                context! { name => "email", value => "jane@example.org", time => (), text => () },
                context! { name => "iat", value => "1796054820", time => "2026-11-30T16:07:00Z", text => "2026-11-30 16:07:00 UTC" },
            ], "A list. Each claim has `name` and `value`; one that is a point in time also `time` (for `<time datetime>`) and `text`, else both are empty.";
            logout = "/oxd/logoutme", "The address for signing out.";
        },
    },
    Variables {
        file: "error.html",
        about: "Every refusal.",
        variables: variables! {
            code = "forbidden", "The reason's code, as in the log ([TROUBLESHOOTING.md](TROUBLESHOOTING.md)).";
            status = 403, "The HTTP status.";
            title = "You cannot see this page", "The heading.";
            text = "Only certain accounts have access to this page.", "The text below it.";
            user: optional = "Jane Doe", "Who is signed in, where that matters.";
            says: optional = "The sign-in service said:", "What introduces `told`.";
            told: optional = "Access was denied.", "What the provider said, or the acr values that are needed.";
            link: optional = "/oxd/login?return_to=%2F", "The address for trying again.";
            label = "Start over", "What that link says.";
            other_account: optional = "/oxd/login?return_to=%2F&prompt=login", "The address for signing in with another account.";
            reference = "K7QF-2M9D", "The reference number.";
        },
    },
    Variables {
        file: "kept_form.html",
        about: "A form that was sent after the session had ended (`OxdPostPreserve`). It must send all fields again.",
        variables: variables! {
            title = "Please sign in", "The heading.";
            sign_in = "/oxd/login?return_to=%2Foxd", "The address for signing in, for another window.";
            target = "/app/save", "The address that the form is sent to.";
            encoding = "application/x-www-form-urlencoded", "Its `enctype`.";
            fields = vec![
                context! { name => "subject", value => "Hello", shown => "Hello" },
                context! { name => "password", value => "secret", shown => () },
            ], "A list. Each field has `name` and `value`, and `shown`: what can be shown of the value, empty for a password and the like.";
        },
    },
    Variables {
        file: "onward.html",
        about: "Leads on after a sign-in, with `OxdCookieSameSite Strict`.",
        variables: variables! {
            title = "You are signed in", "The heading.";
            target = "/app/", "The address that it leads to.";
        },
    },
    Variables {
        file: "logout_noted.html",
        about: "In the provider's hidden frame after a front-channel logout.",
        variables: variables! {
            title = "Signed out", "The heading.";
        },
    },
];
