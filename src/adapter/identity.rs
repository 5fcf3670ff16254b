//! Passes the session's identity to the application in environment variables and request headers, and removes forged
//! ones.

use std::ffi::CStr;

use oxd_core::base::Seconds;
use oxd_core::config::{ClaimHeader, IdentitySettings, PassTokens, Settings};
use oxd_core::session::claims::{self, lookup};
use oxd_core::session::{ClaimView, NAMES, Opened, SessionRecord, Terminated, VARIABLE, Via};

use crate::ffi::known_names::{Entries, KnownNames, Name};
use crate::ffi::pool::Pool;
use crate::ffi::request::Request;
use crate::ffi::request_state::PoolText;
use crate::ffi::table::Table;

/// Prefix of the request headers for claims.
const HEADER: &[u8] = b"Oxd-Claim-";

/// The variables besides those of claims.
#[derive(Clone, Copy)]
enum Own {
    Acr,
    Scope,
    Auth,
    SessionExpires,
    ClientId,
    TokenExpires,
    AccessToken,
    IdToken,
    RefreshToken,
    AccessTokenExpires,
}

/// Their names, in that order.
const OWN: [&CStr; 10] = [
    c"OXD_ACR",
    c"OXD_SCOPE",
    c"OXD_AUTH",
    c"OXD_SESSION_EXPIRES",
    c"OXD_CLIENT_ID",
    c"OXD_TOKEN_EXPIRES",
    c"OXD_ACCESS_TOKEN",
    c"OXD_ID_TOKEN",
    c"OXD_REFRESH_TOKEN",
    c"OXD_ACCESS_TOKEN_EXPIRES",
];

/// The names of all variables that are known beforehand.
const ALL: usize = NAMES.len() + OWN.len();

static VARIABLES: KnownNames<ALL> = {
    let mut all = [c""; ALL];
    let (claims, own) = all.split_at_mut(NAMES.len());
    claims.copy_from_slice(&NAMES);
    own.copy_from_slice(&OWN);
    KnownNames::new(all)
};

/// Makes ready for requests what all of them need, in the parent.
pub fn prepare(pool: Pool<'_>) {
    VARIABLES.prepare(pool);
}

/// Passes the session's identity to the application.
pub fn publish<'r>(request: Request<'r>, settings: &Settings<'_>, session: &Opened<'r>) {
    let (identity, record) = (&settings.identity(), &session.record);
    remove_stand_ins(request);
    let (names, mut environment) = request.environment_entries(&VARIABLES);
    let Some((of_claims, own)) = names.split_first_chunk() else {
        unreachable!("there are names besides those of claims");
    };
    if identity.claims_as.in_env() {
        claims_into_environment(request, identity, record, of_claims, &mut environment);
    }
    publish_headers(request, identity, record);
    let strings = &record.strings;
    let mut digits = itoa::Buffer::new();
    let mut add = |name: Own, value: &[u8]| {
        if !value.is_empty() {
            environment.add(&own[name as usize], request.pool().copy(value));
        }
    };
    if session.via() == Via::Bearer {
        add(Own::Acr, strings.acr);
        add(Own::Scope, strings.scope);
        add(Own::Auth, b"bearer");
        let client = record.claims().find(|claim| claim.is("client_id"));
        add(Own::ClientId, client.map_or(&[], |claim| claim.text()));
        if !record.access_expires.is_zero() {
            add(Own::TokenExpires, decimal(record.access_expires, &mut digits));
        }
        // The application that is to have the token gets its header: OxdBearerPass.
        return environment.finish();
    }
    let PassTokens {
        access_token,
        id_token,
        refresh_token,
        expires,
    } = identity.pass_tokens;
    let tokens = session.opened_tokens().unwrap_or_default();
    if access_token {
        add(Own::AccessToken, tokens.access_token);
    }
    if id_token {
        add(Own::IdToken, tokens.id_token);
    }
    if refresh_token {
        add(Own::RefreshToken, tokens.refresh_token);
    }
    if expires && !record.access_expires.is_zero() {
        add(
            Own::AccessTokenExpires,
            decimal(record.access_expires, &mut digits),
        );
    }
    // Every request with a session has these.
    let ends = decimal(session.ends(&settings.session()), &mut digits);
    let [acr, scope, ends] = request.pool().copies([strings.acr, strings.scope, ends]);
    if !strings.acr.is_empty() {
        environment.add(&own[Own::Acr as usize], acr);
    }
    if !strings.scope.is_empty() {
        environment.add(&own[Own::Scope as usize], scope);
    }
    environment.add(&own[Own::Auth as usize], c"session".into());
    environment.add(&own[Own::SessionExpires as usize], ends);
    environment.finish();
}

/// Removes variables with the names of the module's own: of the main request, or set from what a client sent (`SetEnvIf`).
/// What an application finds there comes from the session alone.
#[inline]
fn remove_stand_ins(request: Request<'_>) {
    // httpd's tables ignore case.
    let is_own = |name: &[u8]| {
        let start = name.get(..VARIABLE.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(VARIABLE.as_bytes()))
            || OWN.iter().any(|own| own.to_bytes().eq_ignore_ascii_case(name))
    };
    for (name, _) in request.entries_that(Table::Environment, |first| matches!(first, b'O' | b'o'), is_own) {
        request.unset(Table::Environment, name);
    }
}

/// Sets the identity headers for the application, in place of any that the request has already.
fn publish_headers<'r>(request: Request<'r>, identity: &IdentitySettings<'_>, record: &SessionRecord<'r>) {
    if !identity.claims_as.in_headers() && identity.claim_headers.is_empty() {
        return;
    }
    let is_ours = |name: &[u8]| is_look_alike(name, identity.claim_headers);
    let anything = |_| true;
    for (name, _) in request.entries_that(Table::HeadersIn, anything, is_ours) {
        request.unset(Table::HeadersIn, name);
    }
    if identity.claims_as.in_headers() {
        claims_into_headers(request, identity, record);
    }
    for header in identity.claim_headers {
        if let Some(value) = lookup::header_value(record, &header.claim, header.format) {
            let name = request.pool().text(header.name.as_bytes());
            request.set(Table::HeadersIn, name, request.pool().text(&value));
        }
    }
    let values: Vec<_> = request
        .entries_that(Table::HeadersIn, anything, is_ours)
        .into_iter()
        .map(|(_, value)| value)
        .collect();
    let values = request.pool().list(&values);
    request.update_state(|state| state.published = values);
}

/// Adds the claims to the environment. Values are not copied; names are built where they are not ready-made.
fn claims_into_environment<'r>(
    request: Request<'r>,
    settings: &IdentitySettings<'_>,
    record: &SessionRecord<'r>,
    variables: &[Name; NAMES.len()],
    environment: &mut Entries<'r>,
) {
    let add_other = |claim: ClaimView<'r>| {
        if !claim.hidden
            && let Some(name) = claim_name(request, VARIABLE.as_bytes(), claim.name, b'_')
            && let Some(text) = PoolText::terminated(claim.text_nul)
        {
            request.add(Table::Environment, name, text);
        }
    };
    let Some(names) = settings.claim_names else {
        let add_known = |name: &Name, text: Terminated<'r>| environment.add(name, text.into());
        return record.claims().each(variables, add_known, add_other);
    };
    record
        .claims()
        .filter(|claim| names.allow(claim.name))
        .for_each(add_other);
}

/// Adds the claims to the request's headers.
fn claims_into_headers<'r>(
    request: Request<'r>,
    settings: &IdentitySettings<'_>,
    record: &SessionRecord<'r>,
) {
    let is_wanted = |claim: &ClaimView<'r>| {
        !claim.hidden && settings.claim_names.is_none_or(|names| names.allow(claim.name))
    };
    for claim in record.claims().filter(is_wanted) {
        let name = claim_name(request, HEADER, claim.name, b'-');
        if let (Some(name), Some(text)) = (name, PoolText::terminated(claim.text_nul)) {
            request.add(Table::HeadersIn, name, text);
        }
    }
}

/// A point in time in decimal digits.
fn decimal(time: Seconds, digits: &mut itoa::Buffer) -> &[u8] {
    digits.format(time.0).as_bytes()
}

/// The name of a claim's variable or header.
fn claim_name<'r>(request: Request<'r>, prefix: &[u8], claim: &[u8], filler: u8) -> Option<PoolText<'r>> {
    let name = request.pool().bytes(prefix.len() + claim.len() + 1);
    name[..prefix.len()].copy_from_slice(prefix);
    for (place, byte) in name[prefix.len()..].iter_mut().zip(claims::env_name(claim)) {
        *place = if byte == b'_' { filler } else { byte };
    }
    PoolText::terminated(name)
}

/// Removes identity headers that the client sent itself, before anything reads them, with or without a session. What the
/// module has set for this request or one that it came from stays.
///
/// `Oxd-Claim-...` is removed everywhere; the headers of `OxdClaimHeader` where that applies.
pub fn remove_look_alikes(request: Request<'_>) {
    let config = request.config().filter(|config| config.configured);
    let own = config.map_or(&[][..], |config| config.settings.claim_headers());
    let may_be = |first: u8| matches!(first, b'o' | b'O') || !own.is_empty();
    let found = request.entries_that(Table::HeadersIn, may_be, |name| is_look_alike(name, own));
    if !found.is_empty() {
        let mut published: &[_] = &[];
        request.each_state(|state| {
            if published.is_empty() {
                published = state.published;
            }
        });
        for (name, value) in found {
            if !published.contains(&value) {
                request.unset(Table::HeadersIn, name);
            }
        }
    }
    if request.is_subrequest() {
        // mod_include has put the main request's headers into the environment that a subrequest inherits.
        let of_header = |name: &[u8]| {
            name.strip_prefix(b"HTTP_")
                .is_some_and(|name| is_look_alike(name, own))
        };
        for (name, _) in request.entries_that(Table::Environment, |first| first == b'H', of_header) {
            request.unset(Table::Environment, name);
        }
    }
    if config.is_some() {
        let id = request.config_id();
        request.update_state(|state| state.cleaned_for = Some(id));
    }
}

/// Passes the identity on again after httpd has replaced the request's location: it carries the environment of its own
/// request for the new location over, but not the headers.
pub fn publish_again<'r>(request: Request<'r>, settings: &Settings<'_>, session: &Opened<'r>) {
    if request.has(Table::Environment, c"OXD_AUTH") {
        publish_headers(request, &settings.identity(), session.record);
    } else {
        publish(request, settings, session);
    }
}

#[inline]
fn is_look_alike(name: &[u8], own: &[ClaimHeader]) -> bool {
    is_claim_header(name) || own.iter().any(|header| look_alike(name, header.name.as_bytes()))
}

/// Whether a header is named `Oxd-Claim-...`, in any spelling.
#[inline]
fn is_claim_header(name: &[u8]) -> bool {
    name.get(..HEADER.len())
        .is_some_and(|start| look_alike(start, HEADER))
}

/// Whether a CGI script or a backend may take two header names for the same one: case does not count there, and any
/// character other than a letter or a digit may become `_`.
fn look_alike(name: &[u8], other: &[u8]) -> bool {
    let plain = |b: &u8| {
        if b.is_ascii_alphanumeric() {
            b.to_ascii_lowercase()
        } else {
            b'_'
        }
    };
    name.len() == other.len() && name.iter().map(plain).eq(other.iter().map(plain))
}
