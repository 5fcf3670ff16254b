//! `oxdctl register`

use oxd_core::base::Secret;
use oxd_core::config::Provider;
use oxd_core::oxd::Request as _;
use oxd_core::oxd::commands::register_site::{ExistingClient, RegisterSite};
use serde_json::json;

use crate::advice;
use crate::cli::{Profile, Register};
use crate::files::{self, NewFile};
use crate::httpd::lines::Lines;
use crate::members;
use crate::oxd::Oxd;
use crate::problem::{Kind, Outcome, Problem};
use crate::profile::SCOPES;
use crate::route::Link;
use crate::screen::{BOLD, Screen, YELLOW};
use crate::secret_source;
use crate::site::SiteFile;

/// Registers a site.
pub fn run(screen: &Screen, args: &Register) -> Outcome {
    let route = args.connection.route(None)?;
    let mut scopes = match args.profile.scopes()? {
        Some(scopes) => scopes,
        None => SCOPES.map(String::from).to_vec(),
    };
    if args.uma && !scopes.iter().any(|scope| scope == UMA_SCOPE) {
        scopes.push(UMA_SCOPE.to_owned());
    }
    let secret = match (&args.client_id, &args.client_secret) {
        (None, _) => None,
        (Some(_), Some(source)) => Some(secret_source::read("--client-secret", source)?),
        (Some(_), None) if signed(&args.profile) => None,
        (Some(_), None) => Some(secret_source::prompt("--client-secret")?),
    };
    if let Some(secret) = &secret {
        screen.hide(secret.expose());
    }
    let request = request(args, &scopes, secret.as_ref())?;
    let link = Link::new(route)?;
    // Before oxd is asked: a registration that cannot be kept would be lost, and stay at oxd for ever.
    let place = NewFile::prepare(&args.site_file, args.force).map_err(|problem| match problem.cause {
        "file_exists" => problem.advise(
            "it holds a site that is registered already: oxdctl update changes that one; --force registers another \
             one and replaces the file",
        ),
        _ => problem,
    })?;
    let registered = request.members();
    let answer = request
        .send(&Oxd::new(&link, screen))
        .map_err(|error| advice::problem(&error, &link))?;
    let mut file = SiteFile::new(&files::absolute(&args.site_file), answer);
    file.hide_secrets(screen);
    if file.text("oxd_id").is_none() {
        return Err(Problem::new(
            Kind::Unreachable,
            "not_oxd",
            format!(
                "{} answered 200, but without an oxd_id",
                link.server().command_url("register-site")
            ),
        )
        .advise(advice::not_oxd()));
    }
    complete(&mut file, args, secret.as_ref().map(|secret| secret.expose()));
    file.remember_route(&link.route);
    file.remember_registered(&registered);
    file.remember("base", args.base.to_string().into());
    file.remember(
        "redirect_uris",
        json!(args.profile.redirect_uris(Some(&args.base))),
    );
    if let Some(auth) = &args.profile.client_auth {
        file.remember("client_auth", auth.to_string().into());
    }
    place.put(&file.content())?;
    report(screen, args, &file, &link, &scopes);
    Ok(())
}

/// What the `uma-rs-*` commands need.
const UMA_SCOPE: &str = "uma_protection";

fn request<'a>(
    args: &'a Register,
    scopes: &[String],
    secret: Option<&'a Secret>,
) -> Outcome<RegisterSite<'a>> {
    let base = &args.base;
    let mut profile = args.profile.named()?;
    profile.scope = scopes.to_vec();
    profile.redirect_uris = args.profile.redirect_uris(Some(base));
    profile.post_logout_redirect_uris = args.profile.post_logout_redirect_uris(Some(base));
    // Providers take an https address only (OpenID Connect Dynamic Client Registration 2).
    let login = base.below("login");
    profile.initiate_login_uri = Some(login).filter(|uri| uri.starts_with("https://"));
    profile
        .client_name
        .get_or_insert_with(|| format!("mod_oxd at {}", base.host()));
    if !args.no_frontchannel_logout {
        profile.client_frontchannel_logout_uris = vec![base.below("frontchannel-logout")];
    }
    let client = args.client_id.as_deref();
    let uma = scopes.iter().any(|scope| scope == UMA_SCOPE);
    let mut others = members::object(&args.profile.set);
    if args.uma {
        // Only a JWT says whose RPT it is.
        others.entry("rpt_as_jwt").or_insert(true.into());
    }
    Ok(RegisterSite {
        provider: Provider::of(args.op_host.as_deref(), args.op_configuration_endpoint.as_deref()),
        profile,
        response_types: &["code"],
        // The third is for client tokens, which oxd gets in the client's own name.
        grant_types: &["authorization_code", "refresh_token", "client_credentials"],
        // With it the provider says whose session ends, and the others stay.
        front_channel_logout_session_required: (!args.no_frontchannel_logout).then_some(true),
        claims_redirect_uri: uma.then(|| base.below("claims")).into_iter().collect(),
        client: client.map(|client_id| ExistingClient {
            client_id,
            client_secret: secret,
        }),
        others,
    })
}

/// Whether oxd signs for the client, so that there need be no secret.
fn signed(profile: &Profile) -> bool {
    profile
        .client_auth
        .as_ref()
        .is_some_and(|auth| !auth.needs_secret())
}

/// Adds what oxd left out of its answer and httpd needs: versions differ in what they repeat.
fn complete(file: &mut SiteFile, args: &Register, secret: Option<&str>) {
    file.fill("client_id", args.client_id.as_deref());
    file.fill("client_secret", secret);
    file.fill(
        "op_configuration_endpoint",
        args.op_configuration_endpoint.as_deref(),
    );
    if file.text("op_configuration_endpoint").is_none() {
        file.fill("op_host", args.op_host.as_deref());
    }
}

/// Further advice for the administrator.
fn notes(args: &Register, file: &SiteFile) -> Vec<String> {
    let mut notes = Vec::new();
    if file.credentials().is_none() {
        notes.push(
            "oxd answered without client_id or client_secret: name them with OxdClientId and OxdClientSecret"
                .to_owned(),
        );
    }
    if file.text("op_host").is_none() && file.text("op_configuration_endpoint").is_none() {
        notes.push("oxd did not say which provider it uses: name it with OxdOpHost".to_owned());
    }
    if let Some(end) = file.secret_expires() {
        let end = crate::check::date_text(end);
        notes.push(format!(
            "the provider lets this client expire on {end}: ask its administrator for a longer time, or nobody can \
             sign in from then on"
        ));
    }
    if args.client_id.is_some() {
        notes.push(
            "the client existed already, and oxd changed nothing at the provider: the addresses above must be \
             registered there, too"
                .to_owned(),
        );
    }
    if signed(&args.profile) && args.profile.client_jwks_uri.is_none() {
        notes.push(
            "the provider must know oxd's public keys: name their address with --client-jwks-uri, unless they are \
             registered there already"
                .to_owned(),
        );
    }
    notes.extend(args.base.notes());
    notes
}

fn report(screen: &Screen, args: &Register, file: &SiteFile, link: &Link, scopes: &[String]) {
    let lines = Lines {
        route: &link.route,
        site_file: &file.path,
        base: &args.base,
        scopes,
        client_auth: args.profile.client_auth.as_ref(),
    };
    let redirect_uris = args.profile.redirect_uris(Some(&args.base));
    let logout_uris = args.profile.post_logout_redirect_uris(Some(&args.base));
    let notes = notes(args, file);
    if screen.json {
        let mut site = file.without_secrets();
        if args.show_secret {
            site.insert("client_secret".into(), json!(file.text("client_secret")));
        }
        let result = json!({
            "ok": true,
            "site_file": file.path.display().to_string(),
            "site": site,
            "redirect_uris": redirect_uris,
            "post_logout_redirect_uris": logout_uris,
            "scope": scopes,
            "httpd": lines.text(),
            "notes": notes,
        });
        if args.show_secret {
            screen.json_with_secrets(&result);
        } else {
            screen.json(result);
        }
        return;
    }
    screen.say(format!(
        "{BOLD}Registered.{BOLD:#} The site file is {} (mode 0600).",
        file.path.display()
    ));
    screen.say("");
    for (name, value) in [
        ("oxd_id", file.text("oxd_id")),
        ("client_id", file.text("client_id")),
        (
            "provider",
            file.text("op_configuration_endpoint").or(file.text("op_host")),
        ),
    ] {
        screen.say(format!(
            "  {name:<13} {}",
            value.map(crate::screen::plain).unwrap_or_default()
        ));
    }
    if args.show_secret {
        screen.verbatim(&format!(
            "  client_secret {}\n",
            file.text("client_secret").unwrap_or_default()
        ));
    }
    screen.say(format!(
        "  redirect URIs {}",
        redirect_uris.join("\n                ")
    ));
    screen.say(format!(
        "  after logout  {}",
        logout_uris.join("\n                ")
    ));
    screen.say(format!("  scopes        {}", scopes.join(" ")));
    for note in notes {
        screen.say(format!("\n{YELLOW}Note:{YELLOW:#} {note}."));
    }
    screen.say(format!("\n{BOLD}For httpd:{BOLD:#}\n\n{}", lines.text()));
    screen.say(format!(
        "oxdctl key --out {} makes the key; oxdctl check --site-file {} checks the whole.",
        lines.key_file().display(),
        file.path.display()
    ));
}
