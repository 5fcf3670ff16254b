//! The redirect URI in the authorization URLs that oxd makes.

/// Whether an authorization URL has this redirect URI. oxd writes it raw, so that its own parameters, if any, run into
/// those of the URL; a gateway may have encoded it.
pub fn has_redirect_uri(url: &str, wanted: &str) -> bool {
    let raw = format!("redirect_uri={wanted}");
    url.match_indices(&raw).any(|(at, _)| {
        let rest = &url[at + raw.len()..];
        (rest.is_empty() || rest.starts_with('&')) && url[..at].ends_with(['?', '&'])
    }) || redirect_uri_in(url).as_deref() == Some(wanted)
}

/// The redirect URI of an authorization URL.
pub fn redirect_uri_in(url: &str) -> Option<String> {
    let query = url.split_once('?')?.1;
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(name, _)| name == "redirect_uri")
        .map(|(_, value)| value.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_are_found_raw_and_encoded() {
        let plain = "https://app.example/oxd/login";
        let odd = "https://app.example/login?a=1&b=2";
        for (url, wanted, expected) in [
            (
                "https://op/a?x=1&redirect_uri=https://app.example/oxd/login&scope=x",
                plain,
                true,
            ),
            (
                "https://op/a?redirect_uri=https://app.example/oxd/login",
                plain,
                true,
            ),
            (
                "https://op/a?redirect_uri=https%3A%2F%2Fapp.example%2Foxd%2Flogin&x",
                plain,
                true,
            ),
            (
                "https://op/a?x=1&redirect_uri=https://app.example/login?a=1&b=2&scope=x",
                odd,
                true,
            ),
            (
                "https://op/a?redirect_uri=https%3A%2F%2Fapp.example%2Flogin%3Fa%3D1%26b%3D2",
                odd,
                true,
            ),
            (
                "https://op/a?redirect_uri=https://app.example/oxd/login2&scope=x",
                plain,
                false,
            ),
            (
                "https://op/a?my_redirect_uri=https://app.example/oxd/login&scope=x",
                plain,
                false,
            ),
            ("https://op/a?scope=x", plain, false),
            ("https://op/a", plain, false),
        ] {
            assert_eq!(has_redirect_uri(url, wanted), expected, "{url}");
        }
    }
}
