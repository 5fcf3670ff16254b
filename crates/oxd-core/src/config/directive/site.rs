//! The site's registration at oxd.

use serde_json::Value;

use super::Group::Site;
use super::{Directive, Place};
use crate::base::Secret;
use crate::config::ClientAuth;
use crate::config::types::SiteFile;
use crate::config::value::{self, Complaint, Parsed};

const SECRET_FORMS: &str =
    "text, file:/path, env:NAME or exec:/path arguments, and what it names must not be empty";

/// A secret as a directive gives it: text, or its source. `Ok(None)` when a command was not run in this pass.
pub(super) fn secret(text: &str, place: &Place<'_, '_>) -> Parsed<Option<Secret>> {
    // The source of a secret is not secret, except for the arguments of a command.
    let reference = match text.split_once(':') {
        Some(("file" | "env", _)) => Some(text),
        Some(("exec", command)) => Some(command.split_ascii_whitespace().next().unwrap_or_default()),
        _ => None,
    };
    let complain = |why: String| {
        let allowed = format!("{SECRET_FORMS} ({why})");
        match reference {
            Some(reference) => Complaint::about(reference, allowed),
            None => Complaint::about_secret(allowed),
        }
    };
    let found = if let Some(path) = text.strip_prefix("file:") {
        let bytes = place.env.read_file(path).map_err(|e| complain(e.to_string()))?;
        let text = String::from_utf8(bytes).map_err(|_| complain("it is not text".into()))?;
        text.lines().next().unwrap_or_default().to_owned()
    } else if let Some(name) = text.strip_prefix("env:") {
        place
            .env
            .variable(name)
            .ok_or_else(|| complain("the server's environment does not have it".into()))?
    } else if let Some(command) = text.strip_prefix("exec:") {
        match place.env.run(command).map_err(complain)? {
            Some(line) => line,
            None => return Ok(None),
        }
    } else if is_path(text) {
        return Err(complain(
            "what looks like a path needs file: before it: file:/path".into(),
        ));
    } else {
        text.to_owned()
    };
    if found.is_empty() {
        return Err(complain("it is empty".into()));
    }
    Ok(Some(Secret::new(found)))
}

/// Whether a text looks like the path of a file rather than a secret. So does a key in base64 now and then: the text is not
/// shown.
fn is_path(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    text.starts_with('/') && text.chars().all(fits)
}

/// The path of a secret that a directive names as `file:PATH`, if others may read it.
pub(super) fn exposed_file<'t>(text: &'t str, place: &Place<'_, '_>) -> Option<&'t str> {
    text.strip_prefix("file:")
        .filter(|path| place.env.others_may_read(path))
}

fn site_file(path: &str, place: &Place<'_, '_>) -> Parsed<SiteFile> {
    let complain = |why: String| {
        Complaint::about(
            path,
            format!("a JSON file as register-site answers it ({why}); oxdctl register writes one"),
        )
    };
    let bytes = place.env.read_file(path).map_err(|e| complain(e.to_string()))?;
    let json: Value = serde_json::from_slice(&bytes)
        .map_err(|e| complain(format!("not JSON: line {}, column {}", e.line(), e.column())))?;
    let object = json
        .as_object()
        .ok_or_else(|| complain("not a JSON object".into()))?;
    let text = |name: &str| match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
        Some(_) => Err(complain(format!("its member {name} is not a text"))),
    };
    let file = SiteFile {
        oxd_id: text("oxd_id")?,
        client_id: text("client_id")?,
        client_secret: text("client_secret")?.map(Secret::new),
        op_host: text("op_host")?,
        op_configuration_endpoint: text("op_configuration_endpoint")?,
        redirect_uri: object
            .get("redirect_uris")
            .and_then(|uris| uris.get(0)?.as_str())
            .map(str::to_owned),
    };
    if file.client_secret.is_some() && place.env.others_may_read(path) {
        place.env.warn(format!(
            "OxdSite {path}: every user of this machine can read the client secret in this file: chmod 640 {path}"
        ));
    }
    if file.oxd_id.is_none() && file.client_id.is_none() {
        return Err(complain("it has neither oxd_id nor client_id".into()));
    }
    Ok(file)
}

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdSite",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "FILE",
        default: "none",
        summary: c"JSON file with the answer of register-site",
        details: "The answer of oxd's `register-site`; `oxd_id`, `client_id`, `client_secret`, `op_host` and \
                  `op_configuration_endpoint` are read from it, other members are ignored. The single directives \
                  override its members. Make it readable by root only: httpd reads it before it drops privileges.",
        example: "OxdSite /etc/apache2/oxd/oxd-site.json",
        #[cfg(test)]
        good: &[&["/site.json"]],
        #[cfg(test)]
        bad: &[
            &["/none.json"],
            &["/broken.json"],
            &["/list.json"],
            &["/odd.json"],
        ],
        apply: |s, place, args| {
            s.site = Some(place.arena.keep(site_file(args[0], place)?));
            Ok(())
        },
    },
    Directive {
        name: c"OxdId",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "OXD_ID",
        default: "none",
        summary: c"The site's oxd_id",
        details: "The member `oxd_id` of the `register-site` answer. Cookies are bound to it: those of one site are \
                  not valid at another.",
        example: "OxdId bcad760f-91ba-46e1-a020-05e4281d91b6",
        #[cfg(test)]
        good: &[&["x"]],
        #[cfg(test)]
        bad: &[&[""], &["a\nb"]],
        apply: |s, place, args| {
            s.oxd_id = Some(place.arena.keep(value::text(args[0])?.to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdClientId",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "CLIENT_ID",
        default: "none",
        summary: c"The site's client_id",
        details: "The member `client_id` of the `register-site` answer; sent with `get-client-token`.",
        example: "OxdClientId @!1736.179E.AA60.16B2!0001!8F7C.B9AB!0008",
        #[cfg(test)]
        good: &[&["@!1736"]],
        #[cfg(test)]
        bad: &[&[""]],
        apply: |s, place, args| {
            s.client_id = Some(place.arena.keep(value::text(args[0])?.to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdClientSecret",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "TEXT | file:PATH | env:NAME | \"exec:PATH ARGUMENTS\"",
        default: "none",
        summary: c"The site's client_secret, or its source",
        details: "`file:` reads the first line of the file, `env:` a variable of the server's environment, `exec:` the \
                  first line of the command's output; the command runs once at each start and restart, without a \
                  shell. A path alone is refused: it would become the secret. Make the file readable by root only.",
        example: "OxdClientSecret file:/etc/apache2/oxd/oxd-secret",
        #[cfg(test)]
        good: &[
            &["text"],
            &["file:/secret"],
            &["env:SECRET"],
            &["exec:/bin/good x"],
            &["exec:/bin/later"],
        ],
        #[cfg(test)]
        bad: &[
            &["file:/none"],
            &["file:/empty"],
            &["env:NONE"],
            &["exec:/bin/bad"],
            &["/etc/oxd.secret"],
            &[""],
        ],
        apply: |s, place, args| {
            if let Some(path) = exposed_file(args[0], place) {
                place.env.warn(format!(
                    "OxdClientSecret {}: every user of this machine can read this file: chmod 640 {path}",
                    args[0]
                ));
            }
            s.client_secret = secret(args[0], place)?.map(|secret| place.arena.keep(secret));
            if s.client_secret.is_none() {
                s.client_secret = Some(place.arena.keep(Secret::new(String::new())));
            }
            Ok(())
        },
    },
    Directive {
        name: c"OxdOpHost",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "URL",
        default: "none",
        summary: c"The OpenID Provider that get-client-token names (op_host)",
        details: "The provider's address for oxd, sent as `op_host`. This or `OxdOpConfigurationEndpoint` overrides \
                  the provider of `OxdSite`.",
        example: "OxdOpHost https://op.example.org",
        #[cfg(test)]
        good: &[&["https://op"]],
        #[cfg(test)]
        bad: &[&[""]],
        apply: |s, place, args| {
            s.op_host = Some(place.arena.keep(value::text(args[0])?.to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdOpConfigurationEndpoint",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "URL",
        default: "none",
        summary: c"The provider's configuration endpoint (oxd 4.3 and later)",
        details: "Sent as `op_configuration_endpoint`.",
        example: "OxdOpConfigurationEndpoint https://op.example.org/.well-known/openid-configuration",
        #[cfg(test)]
        good: &[&["https://op/.well-known/openid-configuration"]],
        #[cfg(test)]
        bad: &[&["op"]],
        apply: |s, place, args| {
            value::http_url(args[0])?;
            s.op_configuration_endpoint = Some(place.arena.keep(args[0].to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdClientAuth",
        group: Site,
        htaccess: false,
        arguments: 1..=3,
        syntax: "client_secret_basic | private_key_jwt ALG [KEY_ID]",
        default: "not sent (oxd takes client_secret_basic)",
        summary: c"How oxd authenticates the site's client at the provider",
        details: "Told to `get-client-token`, and to `get-tokens-by-code`, which heeds it from oxd 4.2.3 on. With \
                  `private_key_jwt` oxd signs with a key of its own by ALG (`RS256` to `RS512`, `ES256` to `ES512`, \
                  `PS256` to `PS512`), `KEY_ID` names the key; no client secret is needed then. The client must be \
                  registered with the same method: `oxdctl register --client-auth`.",
        example: "OxdClientAuth private_key_jwt RS256",
        #[cfg(test)]
        good: &[
            &["client_secret_basic"],
            &["private_key_jwt", "RS256"],
            &["private_key_jwt", "ES384", "key-1"],
        ],
        #[cfg(test)]
        bad: &[
            &["private_key_jwt"],
            &["private_key_jwt", "HS256"],
            &["client_secret_basic", "RS256"],
            &["client_secret_post"],
        ],
        apply: |s, place, args| {
            s.client_auth = Some(place.arena.keep(ClientAuth::parse(args)?));
            Ok(())
        },
    },
    Directive {
        name: c"OxdAuthorizationSite",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "OXD_ID",
        default: "not sent",
        summary: c"The site whose client gets the client token (oxd 4.2 and later)",
        details: "Sent as the header `AuthorizationOxdId`. Several sites at one oxd then share one client token: \
                  `OxdClientId` and `OxdClientSecret` (or `OxdClientAuth`) are those of the site named here, `OxdId` or \
                  `OxdSite` names the site that users sign in to.",
        example: "OxdAuthorizationSite 33e57fc8-07ee-42dd-8cf2-33dff6cba7d7",
        #[cfg(test)]
        good: &[&["x"]],
        #[cfg(test)]
        bad: &[&[""], &["a\nb"], &["\u{e9}"]],
        apply: |s, place, args| {
            let id = value::text(args[0])?;
            if !id.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Complaint::about(args[0], "an oxd_id"));
            }
            s.authorization_site = Some(place.arena.keep(id.to_owned()));
            Ok(())
        },
    },
    Directive {
        name: c"OxdProtectedCommands",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "On | Off",
        default: "On",
        summary: c"Whether oxd requires a client token",
        details: "`Off` is for an oxd with `protect_commands_with_access_token: false`; client id and secret are then \
                  not needed.",
        example: "OxdProtectedCommands On",
        #[cfg(test)]
        good: &[&["Off"]],
        #[cfg(test)]
        bad: &[&["maybe"]],
        apply: |s, _, args| {
            s.protected_commands = Some(value::flag(args[0])?);
            Ok(())
        },
    },
];
