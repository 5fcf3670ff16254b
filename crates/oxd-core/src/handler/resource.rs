//! What a place that takes bearer tokens tells of itself (RFC 9728, OAuth 2.0 Protected Resource Metadata).

use serde_json::json;

use crate::bearer::WELL_KNOWN;
use crate::flow::Ctx;
use crate::http::{Method, Response};

/// The document of the resource with this path, to a request with this method.
pub fn answer(ctx: &Ctx<'_>, path: &str, method: Method) -> Response {
    if !method.can_be_repeated() {
        return Response::bare(405).with_header("Allow", "GET, HEAD");
    }
    let issuer = match ctx.oxd.issuer() {
        Ok(issuer) => issuer,
        Err(error) => return ctx.refuse(&error.into(), None, None),
    };
    let named = || {
        ctx.settings
            .server()
            .provider
            .map(|provider| provider.name().to_owned())
    };
    let origin = ctx.origin();
    let resource = origin.url_of(if path == "/" { "" } else { path });
    let mut document = json!({
        "resource": resource,
        "bearer_methods_supported": ["header"],
    });
    if let Some(issuer) = issuer.or_else(named) {
        document["authorization_servers"] = json!([issuer]);
    }
    if let Some(realm) = ctx.settings.bearer().and_then(|bearer| bearer.realm) {
        document["resource_name"] = realm.into();
    }
    // A client in a browser reads it from another origin; there is nothing in it that not everybody may know.
    Response::json(200, &document).with_header("Access-Control-Allow-Origin", "*")
}

/// The path of the resource that an address describes.
pub fn path_of(address: &str) -> Option<&str> {
    match address.strip_prefix(WELL_KNOWN)? {
        "" => Some("/"),
        path => path.starts_with('/').then_some(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_has_the_resources_path_behind_it() {
        for (address, path) in [
            ("/.well-known/oauth-protected-resource", Some("/")),
            ("/.well-known/oauth-protected-resource/api/v1", Some("/api/v1")),
            ("/.well-known/oauth-protected-resources", None),
            ("/.well-known/openid-configuration", None),
            ("/api", None),
        ] {
            assert_eq!(path_of(address), path, "{address}");
        }
    }
}
