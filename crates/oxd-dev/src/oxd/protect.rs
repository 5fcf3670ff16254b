//! oxd's `bind_ip_addresses`: who may call at all; and its `protect_commands_with_access_token`: which client token
//! opens which command.

use super::failure::{
    ACCESS_DENIED, BLANK_TOKEN, Failure, INACTIVE_TOKEN, INSUFFICIENT_SCOPE, INVALID_TOKEN, NO_OXD_ID,
    UNKNOWN_AUTHORIZATION_OXD_ID, UNKNOWN_OXD_ID,
};
use super::{Oxd, Request};
use crate::util::lock;
use std::net::{IpAddr, Ipv4Addr};

/// Commands that work without a client token.
pub(crate) const OPEN: [&str; 4] = ["register-site", "get-client-token", "get-discovery", "get-issuer"];

/// Whether oxd answers callers at this address. Like the real one it compares texts, so that ::1 is not 127.0.0.1.
pub(crate) fn lets_in(oxd: &Oxd, caller: IpAddr) -> Result<(), Failure> {
    let listed = &oxd.options.bind_ip_addresses;
    let caller_text = caller.to_string();
    let welcome = match listed.is_empty() {
        true => caller == Ipv4Addr::LOCALHOST,
        false => listed.iter().any(|known| known == "*" || *known == caller_text),
    };
    if welcome { Ok(()) } else { Err(ACCESS_DENIED) }
}

/// Checks the `Authorization` header in the order of the real one: blank, unknown site,
/// inactive, scope, client.
pub(crate) fn check(oxd: &Oxd, request: &Request) -> Result<(), Failure> {
    if OPEN.contains(&request.command.as_str()) {
        return Ok(());
    }
    let store = lock(&oxd.store);
    if let Some(other) = &request.authorization_oxd_id
        && store.site(other).is_none()
    {
        return Err(UNKNOWN_AUTHORIZATION_OXD_ID);
    }
    if !oxd.options.protect_commands {
        return Ok(());
    }
    let header = request.authorization.as_deref().unwrap_or_default();
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ if header.trim().is_empty() || header.eq_ignore_ascii_case("bearer") => "",
        _ => return Err(INVALID_TOKEN),
    };
    if token.is_empty() {
        return Err(BLANK_TOKEN);
    }
    let oxd_id = request.authorization_oxd_id.as_deref().or(request.oxd_id());
    let site = match oxd_id {
        Some(oxd_id) => Some(store.site(oxd_id).ok_or(UNKNOWN_OXD_ID)?),
        // get-jwks is about a provider, not about a site: any client's token will do.
        None if request.command == "get-jwks" => None,
        None => return Err(NO_OXD_ID),
    };
    let record = store.active_token(&oxd.clock, token).ok_or(INACTIVE_TOKEN)?;
    if !record.scope.iter().any(|scope| scope == "oxd") {
        return Err(INSUFFICIENT_SCOPE);
    }
    if site.is_some_and(|site| site.site.client_id != record.client_id) {
        return Err(INVALID_TOKEN);
    }
    Ok(())
}
