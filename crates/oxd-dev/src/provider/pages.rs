//! The pages for people. No scripts; one stylesheet; maud escapes all external text.

use super::Shared;
use super::respond::page;
use super::uma;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use maud::{DOCTYPE, Markup, html};
use std::collections::{BTreeMap, HashMap};

pub(super) fn layout(title: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – development provider" }
                link rel="stylesheet" href="/style.css";
            }
            body {
                header { p { strong { "Development provider" } " for demos and tests only" } }
                main { h1 { (title) } (content) }
                footer { p { "Everything here is made up. Never enter a real password." } }
            }
        }
    }
}

/// The sign-in form.
pub(super) fn sign_in(request: &str, client: &str, name: &str, wrong: bool) -> Markup {
    layout(
        "Sign in",
        html! {
            p { "to continue to " strong { (client) } }
            @if wrong {
                p.error #error role="alert" { "The name or the password is wrong." }
            }
            form method="post" action="/sign-in" {
                input type="hidden" name="request" value=(request);
                label for="username" { "User name" }
                input #username type="text" name="username" value=(name) autocomplete="username"
                    autocapitalize="none" spellcheck="false" required autofocus
                    aria-describedby=[wrong.then_some("error")];
                label for="password" { "Password" }
                input #password type="password" name="password" autocomplete="current-password"
                    required aria-describedby=[wrong.then_some("error")];
                div.buttons {
                    button #sign-in type="submit" name="action" value="sign-in" { "Sign in" }
                    button #cancel.quiet type="submit" name="action" value="cancel"
                        formnovalidate { "Cancel" }
                }
            }
        },
    )
}

/// The description of a scope.
fn meaning(scope: &str) -> &str {
    match scope {
        "openid" => "who you are here",
        "profile" => "your name and profile",
        "email" => "your e-mail address",
        "address" => "your postal address",
        "phone" => "your telephone number",
        "offline_access" => "access while you are away",
        other => other,
    }
}

/// The consent form.
pub(super) fn consent(request: &str, client: &str, user: &str, scope: &[String]) -> Markup {
    layout(
        "Allow access?",
        html! {
            p { strong { (client) } " would like to know, about " strong { (user) } ":" }
            ul { @for name in scope { li { (meaning(name)) } } }
            form method="post" action="/consent" {
                input type="hidden" name="request" value=(request);
                div.buttons {
                    button #allow type="submit" name="action" value="allow" { "Allow" }
                    button #cancel.quiet type="submit" name="action" value="cancel" { "Cancel" }
                }
            }
        },
    )
}

/// The page that carries a form_post answer; without scripts the user sends it on.
pub(super) fn form_post(to: &str, fields: &[(&str, &str)]) -> Markup {
    layout(
        "Almost there",
        html! {
            p { "Continue to return to the application." }
            form method="post" action=(to) {
                @for (name, value) in fields {
                    input type="hidden" name=(name) value=(value);
                }
                div.buttons { button #continue type="submit" autofocus { "Continue" } }
            }
        },
    )
}

/// Asks before signing out; sends the same parameters again, with `action`.
pub(super) fn confirm_sign_out(given: &HashMap<String, String>) -> Markup {
    let given: BTreeMap<_, _> = given.iter().filter(|(name, _)| *name != "action").collect();
    layout(
        "Sign out?",
        html! {
            p { "Do you want to sign out of the development provider?" }
            form method="post" action="/end_session" {
                @for (name, value) in given {
                    input type="hidden" name=(name) value=(value);
                }
                div.buttons {
                    button #sign-out type="submit" name="action" value="sign-out" { "Sign out" }
                    button #cancel.quiet type="submit" name="action" value="cancel" { "Cancel" }
                }
            }
        },
    )
}

/// Loads the clients' front-channel logout addresses; without scripts the user goes on.
pub(super) fn signing_out(frames: &[String], target: &str) -> Markup {
    layout(
        "Signed out",
        html! {
            p { "The applications that you used are being told." }
            @for frame in frames {
                iframe src=(frame) title="An application that is being told" {}
            }
            p { a #continue href=(target) { "Continue" } }
        },
    )
}

/// After “Cancel” on the page before.
pub(super) fn still_signed_in() -> Markup {
    layout(
        "Still signed in",
        html! { p { "Nothing was changed. You can close this page." } },
    )
}

/// Something that cannot be sent back to the client.
pub(super) fn problem(why: &str) -> Markup {
    layout("This did not work", html! { p role="alert" { (why) } })
}

/// `GET /signed-out`
pub(super) async fn signed_out() -> Response {
    page(
        200,
        layout(
            "Signed out",
            html! { p { "You are signed out. You can close this page." } },
        ),
    )
}

/// `GET /`
pub(super) async fn home(State(op): Shared) -> Response {
    let discovery = op.url("/.well-known/openid-configuration");
    let content = html! {
        p { "A small OpenID Provider, part of oxd-dev. Its issuer is " code { (op.issuer) } "." }
        p { a href=(discovery) { "Discovery document" } }
        @if op.uma.is_some() {
            p { a href=(uma::REQUESTS) { "Requests for access" } ", for the owner" }
        }
        h2 { "Who can sign in" }
        ul { @for user in &op.options.users { li { code { (user.name) } } } }
    };
    page(200, layout("Development provider", content))
}

/// Any other path.
pub(super) async fn not_found() -> Response {
    page(404, problem("There is no such page."))
}

/// `GET /style.css`
pub(super) async fn style() -> Response {
    let headers = [
        (CONTENT_TYPE, "text/css; charset=utf-8"),
        (CACHE_CONTROL, "max-age=3600"),
    ];
    (headers, include_str!("style.css")).into_response()
}

/// Browsers ask for one whatever a page says.
pub(super) async fn no_icon() -> StatusCode {
    StatusCode::NO_CONTENT
}
