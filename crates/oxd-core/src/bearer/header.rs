//! The `Authorization` header (RFC 6750 section 2.1).

use crate::http::Request;
use crate::tokens::jws;

/// What a request brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Presented<'r> {
    /// No bearer token; perhaps another scheme.
    Nothing,
    /// A bearer token, as it came.
    Token(&'r str),
    /// Something in the form of a bearer token that is none.
    NoToken(&'static str),
    /// A header that cannot be understood.
    Malformed(&'static str),
}

const SCHEME: &[u8] = b"bearer";

/// Reads the header. httpd joins several ones with a comma, which no token has.
pub(crate) fn presented(request: &dyn Request) -> Presented<'_> {
    let Some(header) = request.authorization() else {
        return Presented::Nothing;
    };
    let header = header.trim_ascii();
    let end = header
        .iter()
        .position(u8::is_ascii_whitespace)
        .unwrap_or(header.len());
    let (scheme, rest) = header.split_at(end);
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return if holds_another(header) {
            Presented::Malformed("there is more than one Authorization header")
        } else {
            Presented::Nothing
        };
    }
    let token = rest.trim_ascii();
    if token.is_empty() {
        return Presented::Malformed("Authorization: Bearer comes without a token");
    }
    if token.len() > jws::LONGEST {
        return Presented::NoToken("the token is too long");
    }
    if let Some(token) = b64token(token) {
        return Presented::Token(token);
    }
    if token.contains(&b',') {
        return Presented::Malformed("there is more than one Authorization header");
    }
    if token.iter().any(u8::is_ascii_whitespace) {
        return Presented::Malformed("the bearer token has blanks in it");
    }
    Presented::NoToken("the token has characters that no token has")
}

/// Whether a header of another scheme is joined with one of this.
fn holds_another(header: &[u8]) -> bool {
    header.split(|byte| *byte == b',').skip(1).any(|part| {
        let part = part.trim_ascii_start();
        part.get(..SCHEME.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(SCHEME))
            && part.get(SCHEME.len()).is_none_or(u8::is_ascii_whitespace)
    })
}

/// Whether a byte is one of a `b64token` but for its `=` at the end (RFC 6750 section 2.1). Without a branch, so that the
/// compiler looks at many at once: each request has some hundred.
#[inline]
const fn is_of_token(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    // - . / and the digits stand in a row.
    let digit = byte.wrapping_sub(b'-') <= b'9' - b'-';
    letter | digit | (byte == b'+') | (byte == b'_') | (byte == b'~')
}

/// The token, if it is one.
fn b64token(token: &[u8]) -> Option<&str> {
    let padding = token.iter().rev().take_while(|byte| **byte == b'=').count();
    let name = &token[..token.len() - padding];
    let fits = !name.is_empty() & name.iter().fold(true, |fits, byte| fits & is_of_token(*byte));
    std::str::from_utf8(token).ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRequest;

    #[test]
    fn the_bytes_of_a_token_are_those_of_the_rfc() {
        for byte in 0..=u8::MAX {
            let is_one = byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
            assert_eq!(is_of_token(byte), is_one, "{byte:#x}");
            // At every place of a token that is looked at in pieces.
            for place in [0, 1, 15, 16, 31, 32, 63, 99] {
                let mut token = [b'a'; 100];
                token[place] = byte;
                let expected = is_one || (place == 99 && byte == b'=');
                assert_eq!(b64token(&token).is_some(), expected, "{byte:#x} at {place}");
            }
        }
    }

    #[test]
    fn headers_are_read_as_rfc_6750_has_them() {
        const TWO: Presented<'_> = Presented::Malformed("there is more than one Authorization header");
        const NONE: Presented<'_> = Presented::Malformed("Authorization: Bearer comes without a token");
        const ODD: Presented<'_> = Presented::NoToken("the token has characters that no token has");
        let long = format!("Bearer {}", "a".repeat(jws::LONGEST + 1));
        for (header, expected) in [
            ("Bearer abc", Presented::Token("abc")),
            ("bearer  a.b-c_d~e+f/g== ", Presented::Token("a.b-c_d~e+f/g==")),
            ("Basic dXNlcjpwYXNz", Presented::Nothing),
            ("Digest a=\"b\", c=\"bearer x\"", Presented::Nothing),
            ("Digest a=b, bearertype=c", Presented::Nothing),
            ("", Presented::Nothing),
            ("Bearer", NONE),
            ("Bearer   ", NONE),
            ("Bearer a, Bearer b", TWO),
            ("Bearer a, Basic dXNlcg==", TWO),
            ("Basic dXNlcg==, Bearer a", TWO),
            (
                "Bearer a b",
                Presented::Malformed("the bearer token has blanks in it"),
            ),
            ("Bearer =", ODD),
            ("Bearer a\"b", ODD),
            ("Bearer \u{e9}", ODD),
            (&long, Presented::NoToken("the token is too long")),
        ] {
            let mut request = TestRequest::navigation("/");
            request.authorization = Some(header.to_owned());
            assert_eq!(presented(&request), expected, "{header:.40}");
        }
        assert_eq!(presented(&TestRequest::navigation("/")), Presented::Nothing);
    }
}
