//! Logins.

use std::time::Duration;

use super::Directive;
use super::Group::Login;
use crate::base::Seconds;
use crate::config::raw::defaults;
use crate::config::types::{AuthParam, PostPreserve, UnauthAction, UnautzAction, UserInfo};
use crate::config::value::{self, Complaint};

/// Parameters that the module or oxd set; configured ones would break the login.
const RESERVED: [&str; 7] = [
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
    "nonce",
    "client_secret",
];

const LONGEST: Duration = Duration::from_secs(365 * 86_400);

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdScope",
        group: Login,
        htaccess: false,
        arguments: 1..=64,
        syntax: "SCOPE ...",
        default: "openid profile email",
        summary: c"Scopes requested at login",
        details: "Must include `openid`: without it there is no id token.",
        example: "OxdScope openid profile email groups",
        #[cfg(test)]
        good: &[&["openid"], &["openid profile", "email"]],
        #[cfg(test)]
        bad: &[&["profile"], &["openid", "a\"b"], &[""]],
        apply: |s, place, args| {
            let allowed = "scope names (letters, digits and signs without quotes), openid among them";
            let words = value::words(args, allowed, value::is_scope_token)?;
            if !words.contains(&"openid") {
                return Err(Complaint::about(&words.join(" "), allowed));
            }
            s.scope = Some(place.arena.keep(words.into_iter().map(str::to_owned).collect()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdAcrValues",
        group: Login,
        htaccess: true,
        arguments: 1..=64,
        syntax: "ACR ...",
        default: "none",
        summary: c"Authentication methods requested at login (acr_values)",
        details: "In order of preference (OpenID Connect Core 3.1.2.1).",
        example: "OxdAcrValues u2f basic",
        #[cfg(test)]
        good: &[&["u2f", "basic"]],
        #[cfg(test)]
        bad: &[&[" "]],
        apply: |s, place, args| {
            let words = value::words(args, "acr names without control characters", |w| {
                value::text(w).is_ok()
            })?;
            s.acr_values = Some(place.arena.keep(words.into_iter().map(str::to_owned).collect()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdPrompt",
        group: Login,
        htaccess: true,
        arguments: 1..=1,
        syntax: "login | consent | select_account | none",
        default: "none",
        summary: c"Prompt that the provider must show the user (prompt)",
        details: "OpenID Connect Core 3.1.2.1. With `none` the provider shows no page, and answers with an error when \
                  one would be needed.",
        example: "OxdPrompt login",
        #[cfg(test)]
        good: &[&["login"], &["none"]],
        #[cfg(test)]
        bad: &[&["logon"], &[""]],
        apply: |s, place, args| {
            let words = [
                ("login", "login"),
                ("consent", "consent"),
                ("select_account", "select_account"),
                ("none", "none"),
            ];
            let word = value::choice(args[0], &words)?;
            s.prompt = Some(place.arena.keep(word.to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdAuthParam",
        group: Login,
        htaccess: false,
        arguments: 2..=2,
        syntax: "NAME EXPRESSION",
        default: "none",
        summary: c"Parameter for the authorization request; may repeat",
        details: "Goes into the `params` of `get-authorization-url`. The value is an [httpd expression] \
                  (https://httpd.apache.org/docs/2.4/expr.html) in its string form; if it is empty, the parameter is \
                  left out. A section that has the directive does not inherit those of outer sections.",
        example: "OxdAuthParam ui_locales \"%{HTTP:Accept-Language}\"",
        #[cfg(test)]
        good: &[&["ui_locales", "de"]],
        #[cfg(test)]
        bad: &[&["state", "x"], &["a b", "x"], &["x", "%{broken"], &["x"]],
        apply: |s, place, args| {
            let name = args[0];
            if !value::is_token(name) || RESERVED.contains(&name) {
                let allowed = format!("a parameter name other than {}", RESERVED.join(", "));
                return Err(Complaint::about(name, allowed));
            }
            let compiled = place
                .env
                .compile(args[1])
                .map_err(|why| Complaint::about(args[1], format!("an httpd expression ({why})")))?;
            let param = AuthParam {
                name: place.arena.keep(name.to_owned()),
                value: compiled,
            };
            s.auth_params = Some(place.arena.keep_list(s.auth_params.unwrap_or_default(), param));
            Ok(())
        },
    },
    Directive {
        name: c"OxdCustomParam",
        group: Login,
        htaccess: false,
        arguments: 2..=2,
        syntax: "NAME VALUE",
        default: "none",
        summary: c"Custom parameter for the provider; may repeat",
        details: "Goes into the `custom_parameters` of `get-authorization-url`, which Gluu's provider passes to its \
                  scripts. A section that has the directive does not inherit those of outer sections.",
        example: "OxdCustomParam tenant blue",
        #[cfg(test)]
        good: &[&["k", "v"]],
        #[cfg(test)]
        bad: &[&["k", ""], &["k k", "v"], &["k"]],
        apply: |s, place, args| {
            if !value::is_token(args[0]) {
                return Err(Complaint::about(
                    args[0],
                    "a parameter name (letters, digits, - _ .)",
                ));
            }
            let mut list = s.custom_params.cloned().unwrap_or_default();
            list.push((args[0].to_owned(), value::text(args[1])?.to_owned()));
            s.custom_params = Some(place.arena.keep(list));
            Ok(())
        },
    },
    Directive {
        name: c"OxdRedirectUri",
        group: Login,
        htaccess: false,
        arguments: 1..=1,
        syntax: "URL",
        default: "not sent: oxd uses the first one registered",
        summary: c"redirect_uri of the authorization request",
        details: "An absolute URL that is registered with oxd and leads to the handler's `login` or `callback`. oxd \
                  always exchanges the code with the first registered address, so this should be the same one.",
        example: "OxdRedirectUri https://www.example.org/oxd/callback",
        #[cfg(test)]
        good: &[&["https://h/cb"]],
        #[cfg(test)]
        bad: &[&["/cb"], &["https://h/#f"]],
        apply: |s, place, args| {
            value::http_url(args[0])?;
            s.redirect_uri = Some(place.arena.keep(args[0].to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdMaxAge",
        group: Login,
        htaccess: true,
        arguments: 1..=1,
        syntax: "TIME",
        default: "none",
        summary: c"Maximum age of the user's authentication at the provider",
        details: "Sent as `max_age`. A session whose `auth_time` is older, or unknown, has to log in again: first silently \
                  (`prompt=none`), as the user may have authenticated again elsewhere, then with a prompt. An ID token \
                  that is older at this login, or has no `auth_time`, creates no session: a page says so, and nobody goes \
                  round in a loop. `oxd_claim()` does not see a session that is too old here.",
        example: "OxdMaxAge 30min",
        #[cfg(test)]
        good: &[&["30min"], &["1"]],
        #[cfg(test)]
        bad: &[&["0"], &["soon"]],
        apply: |s, _, args| {
            s.max_age = Some(value::seconds(args[0], Duration::from_secs(1), LONGEST)?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdUnauthAction",
        group: Login,
        htaccess: true,
        arguments: 1..=1,
        syntax: "auto | login | 401 | 403 | 404 | 407 | 410 | pass",
        default: "auto",
        summary: c"Answer to a request without a session",
        details: "`auto` redirects navigations to the login and answers scripts with 401. `login` redirects all GET \
                  and HEAD requests to the login. A number answers with that status, 401 with a page that has a \
                  sign-in link. A request with a form is not redirected but gets 401, as its content would be lost. \
                  With `pass` the request continues without a user; with a session, the application gets the identity, \
                  also under `Require all granted`: for public pages that greet a signed-in user.",
        example: "OxdUnauthAction 401",
        #[cfg(test)]
        good: &[&["auto"], &["login"], &["401"]],
        #[cfg(test)]
        bad: &[&["maybe"], &["200"]],
        apply: |s, _, args| {
            s.unauth_action = Some(value::choice(
                args[0],
                &[
                    ("auto", UnauthAction::Auto),
                    ("login", UnauthAction::Login),
                    ("401", UnauthAction::Status(401)),
                    ("403", UnauthAction::Status(403)),
                    ("404", UnauthAction::Status(404)),
                    ("407", UnauthAction::Status(407)),
                    ("410", UnauthAction::Status(410)),
                    ("pass", UnauthAction::Pass),
                ],
            )?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdUnautzAction",
        group: Login,
        htaccess: true,
        arguments: 1..=1,
        syntax: "403 | 401 | login",
        default: "login where the unmet rule is oxd-acr, else 403",
        summary: c"Answer to a signed-in user whom the rules do not admit",
        details: "`login` sends the user to log in again, once, with the `acr_values` of an unmet `Require oxd-acr` \
                  (step-up). If the provider still did not use one of them, the user gets a page that says so.",
        example: "OxdUnautzAction 403",
        #[cfg(test)]
        good: &[&["403"], &["login"]],
        #[cfg(test)]
        bad: &[&["404"], &["pass"]],
        apply: |s, _, args| {
            let words = [
                ("403", UnautzAction::Status(403)),
                ("401", UnautzAction::Status(401)),
                ("login", UnautzAction::Login),
            ];
            s.unautz_action = Some(value::choice(args[0], &words)?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdPostPreserve",
        group: Login,
        htaccess: true,
        arguments: 1..=2,
        syntax: "On | Off [SIZE]",
        default: "Off, 64K",
        summary: c"Whether a form sent after the session has ended is preserved during the login",
        details: "The answer is a page that holds the form's content: the user signs in in a new window, comes back \
                  and sends it. Nothing is stored on the server, no other site can read the content, and a form from \
                  another site is not preserved. Only text fields are preserved; a form with files, one larger than \
                  SIZE, or one that is not UTF-8 gets 401 as without the directive, so that nothing is lost silently.",
        example: "OxdPostPreserve On 128K",
        #[cfg(test)]
        good: &[&["On"], &["On", "128K"], &["Off"]],
        #[cfg(test)]
        bad: &[&["maybe"], &["On", "2M"], &["On", "lots"], &["Off", "1K"]],
        apply: |s, _, args| {
            let on = value::flag(args[0])?;
            let limit = match args.get(1) {
                None => defaults::POST_PRESERVE_SIZE,
                Some(_) if !on => return Err(Complaint::about("Off", "On before a size")),
                Some(text) => value::size(text, 1, 1 << 20)?,
            };
            s.post_preserve = Some(if on {
                PostPreserve::UpTo(limit)
            } else {
                PostPreserve::Off
            });
            Ok(())
        },
    },
    Directive {
        name: c"OxdReturnTo",
        group: Login,
        htaccess: false,
        arguments: 1..=64,
        syntax: "HOST[:PORT] ...",
        default: "none",
        summary: c"Hosts that a return address may name besides the request's own",
        details: "A login started with `?return_to=` can return only to this host or one of these.",
        example: "OxdReturnTo app.example.org intranet.example.org:8443",
        #[cfg(test)]
        good: &[&["a.example", "b.example:8080"]],
        #[cfg(test)]
        bad: &[&["https://a"], &["a/b"], &[" "]],
        apply: |s, place, args| {
            let words: Vec<&str> = args.iter().flat_map(|a| a.split_ascii_whitespace()).collect();
            if words.is_empty() {
                return Err(Complaint::about("", "host names, each with an optional :port"));
            }
            let hosts = words
                .into_iter()
                .map(value::host_port)
                .collect::<Result<Vec<_>, _>>()?;
            s.return_hosts = Some(place.arena.keep(hosts));
            Ok(())
        },
    },
    Directive {
        name: c"OxdDefaultUrl",
        group: Login,
        htaccess: false,
        arguments: 1..=1,
        syntax: "PATH | URL",
        default: "the handler's own page",
        summary: c"Target of a login without a return address",
        details: "A path on this host, or an absolute URL.",
        example: "OxdDefaultUrl /app/",
        #[cfg(test)]
        good: &[&["/app/"], &["https://h/x"]],
        #[cfg(test)]
        bad: &[&["app"], &["//h"], &["/\\h"]],
        apply: |s, place, args| {
            s.default_url = Some(place.arena.keep(value::path_or_url(args[0])?.to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdStateTimeout",
        group: Login,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TIME",
        default: "5min",
        summary: c"Maximum time between the redirect to the provider and the callback",
        details: "oxd keeps a state for 5 minutes; a longer time here does not extend that.",
        example: "OxdStateTimeout 5min",
        #[cfg(test)]
        good: &[&["5min"]],
        #[cfg(test)]
        bad: &[&["0"], &["x"]],
        apply: |s, _, args| {
            s.state_timeout = Some(value::seconds(args[0], Duration::from_secs(1), LONGEST)?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdStateMax",
        group: Login,
        htaccess: false,
        arguments: 1..=1,
        syntax: "NUMBER",
        default: "8",
        summary: c"Maximum number of pending logins in one browser",
        details: "Each login has its own cookie, so that several tabs can log in at once; the oldest is dropped when \
                  there are more. Very long return addresses may cause that earlier: all state cookies together are \
                  limited to 3,000 bytes of the request header.",
        example: "OxdStateMax 8",
        #[cfg(test)]
        good: &[&["1"], &["32"]],
        #[cfg(test)]
        bad: &[&["0"], &["33"], &["x"]],
        apply: |s, _, args| {
            s.state_max = Some(value::number(args[0], 1, 32)?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdUserInfo",
        group: Login,
        htaccess: false,
        arguments: 1..=2,
        syntax: "On | Off [INTERVAL]",
        default: "On, at login only",
        summary: c"Whether get-user-info is called, and how often",
        details: "`Off` saves a call if the id token has all needed claims. With an interval, a request refreshes the \
                  session's claims when they are older than that; if oxd fails, they stay unchanged. The provider \
                  answers only while the access token is valid: see `OxdTokenRefresh`.",
        example: "OxdUserInfo On 10min",
        #[cfg(test)]
        good: &[&["Off"], &["On", "10min"]],
        #[cfg(test)]
        bad: &[&["60"], &["Off", "60"], &["On", "often"]],
        apply: |s, _, args| {
            let on = value::flag(args[0])?;
            s.user_info = Some(match args.get(1) {
                None if on => UserInfo::AtLogin,
                None => UserInfo::Off,
                Some(_) if !on => return Err(Complaint::about("Off", "On before an interval")),
                Some(text) => {
                    UserInfo::Every(Seconds::of(value::time(text, Duration::from_secs(1), LONGEST)?))
                }
            });
            Ok(())
        },
    },
];
