//! The pages of claims gathering and of the owner.

use super::{GATHER, REQUESTS};
use crate::UmaRequest;
use crate::provider::pages::layout;
use maud::{Markup, html};

/// What an application wants.
pub(super) struct Asked<'a> {
    pub(super) client: &'a str,
    pub(super) path: &'a str,
    pub(super) scopes: &'a [String],
}

/// Asks a person who they are, and whether they want what the application asks for.
pub(super) fn gather(
    kept: &[(&str, &str)],
    asked: &Asked<'_>,
    user: Option<&str>,
    tried: Option<&str>,
) -> Markup {
    let wrong = tried.is_some();
    layout(
        "Ask for access",
        html! {
            p { strong { (asked.client) } " needs access to " code { (asked.path) } ":" }
            ul { @for scope in asked.scopes { li { (scope) } } }
            @if wrong {
                p.error #error role="alert" { "The name or the password is wrong." }
            }
            form method="post" action=(GATHER) {
                @for (name, value) in kept {
                    input type="hidden" name=(name) value=(value);
                }
                @match user {
                    Some(user) => p { "You are " strong { (user) } "." },
                    None => {
                        label for="username" { "User name" }
                        input #username type="text" name="username" value=(tried.unwrap_or_default())
                            autocomplete="username" autocapitalize="none" spellcheck="false"
                            required autofocus aria-describedby=[wrong.then_some("error")];
                        label for="password" { "Password" }
                        input #password type="password" name="password" autocomplete="current-password"
                            required aria-describedby=[wrong.then_some("error")];
                    },
                }
                div.buttons {
                    button #confirm type="submit" name="action" value="confirm" { "Confirm" }
                    button #decline.quiet type="submit" name="action" value="decline"
                        formnovalidate { "Decline" }
                }
            }
        },
    )
}

/// What others asked for.
pub(super) fn requests(waiting: &[UmaRequest]) -> Markup {
    layout(
        "Requests for access",
        html! {
            @if waiting.is_empty() {
                p { "Nobody waits for your decision." }
            }
            @for (number, request) in waiting.iter().enumerate() {
                form method="post" action=(REQUESTS) {
                    p {
                        strong { (request.user.as_deref().unwrap_or("Somebody")) } " asks for "
                        code { (request.resource) } ": " (request.scopes.join(", "))
                    }
                    @if let Some(user) = &request.user {
                        input type="hidden" name="user" value=(user);
                    }
                    input type="hidden" name="resource" value=(request.resource);
                    div.buttons {
                        button.grant id=(format!("grant-{number}")) type="submit" name="action" value="grant" { "Grant" }
                        button.quiet type="submit" name="action" value="refuse" { "Refuse" }
                    }
                }
            }
        },
    )
}
