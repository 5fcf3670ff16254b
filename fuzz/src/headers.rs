//! Headers of a request that decide something.

use std::sync::LazyLock;

use oxd_core::base::Trace;
use oxd_core::fuzzing;
use oxd_core::http::{Header, Request as _};
use oxd_core::texts::{Language, choose};
use url::Url;

use crate::place::{Answering, Asked, Place};

thread_local! {
    static IN_FRONT: LazyLock<Place> = LazyLock::new(|| Place::with(&[], None, Answering::default()));
    static BEHIND_A_PROXY: LazyLock<Place> = LazyLock::new(|| {
        let trust: &[&str] = &[
            "OxdTrustForwarded",
            "X-Forwarded-Proto",
            "X-Forwarded-Host",
            "X-Forwarded-Port",
            "Forwarded",
        ];
        Place::with(&[trust], None, Answering::default())
    });
}

/// The headers, in the order of the values of an input; `Authorization` follows them.
pub const HEADERS: [Header; 15] = [
    Header::Accept,
    Header::SecFetchMode,
    Header::SecFetchSite,
    Header::SecFetchDest,
    Header::SecPurpose,
    Header::Purpose,
    Header::XMoz,
    Header::RequestedWith,
    Header::Origin,
    Header::ForwardedProto,
    Header::ForwardedHost,
    Header::ForwardedPort,
    Header::Forwarded,
    Header::ContentType,
    Header::AcceptLanguage,
];

/// What is made of a request's headers: an origin that is one, and answers that agree with each other.
pub fn request_headers(data: &[u8]) {
    // httpd takes no other header values.
    let is_value = |text: &&str| !text.chars().any(|c| c.is_control() && c != '\t');
    let mut headers = Vec::new();
    let mut parts = crate::parts(data);
    for header in HEADERS {
        if let Some(value) = parts
            .next()
            .and_then(|part| str::from_utf8(part).ok())
            .filter(is_value)
            && !value.is_empty()
        {
            headers.push((header, value));
        }
    }
    let asked = Asked {
        target: "/app",
        authorization: parts.next(),
        headers,
        ..Asked::default()
    };
    IN_FRONT.with(|place| {
        place.see(&asked, |env| {
            assert_eq!(env.origin(), asked.origin(), "a header counts that nobody trusts")
        });
    });
    BEHIND_A_PROXY.with(|place| {
        place.see(&asked, |env| {
            let origin = env.origin();
            let url = Url::parse(&origin.url_of("/")).expect("an origin is the beginning of a URL");
            assert!(matches!(url.scheme(), "http" | "https"));
            assert_eq!(origin.is_https(), url.scheme() == "https");
            assert!(
                url.host_str().is_some_and(|host| !host.is_empty()) && url.path() == "/",
                "{url}"
            );
            assert!(url.username().is_empty() && url.password().is_none() && url.query().is_none());
            assert_eq!(
                url.as_str(),
                origin.url_of("/"),
                "an origin that is not written as browsers do"
            );
        });
    });
    if asked.header(Header::Accept).is_none_or(|accept| accept == "*/*") && asked.headers.len() < 2 {
        assert!(asked.accepts_html());
    }
    if asked.wants_json() && !asked.is_script() {
        assert!(
            asked
                .header(Header::Accept)
                .is_some_and(|accept| accept.to_ascii_lowercase().contains("json"))
        );
    }
    let _ = (asked.is_prefetch(), asked.is_framed(), asked.is_cross_site());
    if let Some(token) = fuzzing::bearer_token(&asked) {
        assert!(
            token
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !b",\"\\".contains(&byte)),
            "{token:?}"
        );
        let header = asked.authorization.unwrap_or_default();
        assert!(
            header
                .windows(token.len())
                .any(|window| window == token.as_bytes())
        );
    }
}

/// The language of a page: one of those offered, whatever the case and the blanks of the header.
pub fn language(data: &[u8]) {
    let mut parts = crate::parts(data);
    let offered: Vec<Language> = crate::text(parts.next())
        .split(' ')
        .filter_map(Language::named)
        .collect();
    let Some(accept) = parts.next().and_then(|part| str::from_utf8(part).ok()) else {
        return;
    };
    let chosen = choose(Some(accept), &offered);
    let first = offered.first().copied().unwrap_or(Language::ENGLISH);
    assert!(
        offered.contains(&chosen) || chosen == first,
        "{chosen:?} is not offered"
    );
    if accept.is_ascii() {
        assert_eq!(
            choose(Some(&accept.to_ascii_uppercase()), &offered),
            chosen,
            "its case counts"
        );
    }
    if accept.len() < 300 {
        assert_eq!(
            choose(Some(&accept.replace(',', " , ")), &offered),
            chosen,
            "its blanks count"
        );
        // What the reader wants most is chosen where it is offered.
        for language in &offered {
            let wanted = format!("{},{accept}", language.code());
            let is_named = accept.to_ascii_lowercase().contains(language.code());
            let best = choose(Some(&wanted), &offered);
            assert!(best == *language || is_named, "{} of {wanted}", best.code());
        }
    }
}

/// `traceparent` and `tracestate`: what is taken is of version 00, and what goes on is the same trace.
pub fn trace(data: &[u8]) {
    let mut parts = crate::parts(data);
    let Some(parent) = parts.next().and_then(|part| str::from_utf8(part).ok()) else {
        return;
    };
    let state = parts.next().and_then(|part| str::from_utf8(part).ok());
    let fields: Vec<&str> = parent.split('-').collect();
    let is_hex = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    let is_good = match fields[..] {
        ["00", trace, span, flags] => {
            (trace.len(), span.len(), flags.len()) == (32, 16, 2)
                && [trace, span, flags].into_iter().all(is_hex)
                && [trace, span]
                    .into_iter()
                    .all(|id| id.bytes().any(|byte| byte != b'0'))
        }
        _ => false,
    };
    let trace = Trace::parse(parent, state);
    assert_eq!(trace.is_some(), is_good, "{parent:?}");
    let Some(trace) = trace else { return };
    assert_eq!(trace.id(), fields[1]);
    let onward = trace
        .onward(&crate::place::Server::default())
        .expect("there is randomness");
    let again = Trace::parse(&onward, trace.state()).expect("what goes on is a trace");
    assert!(again == trace, "{onward}");
    assert_eq!(
        u8::from_str_radix(&onward[53..], 16).ok().map(|f| f & 1),
        u8::from_str_radix(fields[3], 16).ok().map(|f| f & 1)
    );
    if let Some(state) = trace.state() {
        assert!(state.len() <= 512 && crate::is_one_line(state));
    }
}
