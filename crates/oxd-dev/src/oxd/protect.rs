//! oxd's `bind_ip_addresses`: who may call at all; and its `protect_commands_with_access_token`: which client token
//! opens which command.

use super::failure::{
    ACCESS_DENIED, BLANK_TOKEN, Failure, INACTIVE_TOKEN, INSUFFICIENT_SCOPE, INVALID_TOKEN, UNKNOWN_OXD_ID,
};
use super::{Oxd, Request};
use crate::util::lock;
use std::net::{IpAddr, Ipv4Addr};

/// Commands that work without a client token.
const OPEN: [&str; 5] = [
    "register-site",
    "get-client-token",
    "get-discovery",
    "get-issuer",
    "get-jwks",
];

/// Those that do so from oxd 4.2 on.
const OPEN_SINCE_4_2: [&str; 3] = ["get-rp", "update-site", "remove-site"];

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

/// Checks the `Authorization` header in the order of the real one: blank, site, inactive, scope, client. A site that
/// is not named and a token that is empty are no case of their own there: its code fails.
pub(crate) fn check(oxd: &Oxd, request: &Request) -> Result<(), Failure> {
    let command = request.command.as_str();
    let since_4_2 = oxd.options.like.is_since_4_2();
    if OPEN.contains(&command) || (since_4_2 && OPEN_SINCE_4_2.contains(&command)) {
        return Ok(());
    }
    if !oxd.options.protect_commands {
        return Ok(());
    }
    let header = request.authorization.as_deref().unwrap_or_default();
    if header.is_empty() {
        return Err(BLANK_TOKEN);
    }
    let store = lock(&oxd.store);
    let other = request.authorization_oxd_id.as_deref().filter(|_| since_4_2);
    let oxd_id = other.or(request.oxd_id()).ok_or(Failure::Logged)?;
    let site = store.site(oxd_id).ok_or(UNKNOWN_OXD_ID)?;
    let token = match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ if header.eq_ignore_ascii_case("bearer") => "",
        _ => header,
    };
    if token.is_empty() {
        return Err(Failure::Logged);
    }
    let record = store.active_token(&oxd.clock, token).ok_or(INACTIVE_TOKEN)?;
    if !record.scope.iter().any(|scope| scope == "oxd") {
        return Err(INSUFFICIENT_SCOPE);
    }
    if site.site.client_id != record.client_id {
        return Err(INVALID_TOKEN);
    }
    Ok(())
}
