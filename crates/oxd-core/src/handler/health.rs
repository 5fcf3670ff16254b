//! `SetHandler oxd-health`: whether httpd lives, and whether its sites work. It answers what the last check
//! has found, with no more than codes: neither addresses nor names of hosts.

use serde_json::json;

use crate::base::{Failure, Reason};
use crate::http::{Header, Method, RequestEnv, Response};
use crate::shm::health::{EVERY_IN_TROUBLE, Readiness};

/// An address of the handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// `.../live`
    Live,
    /// `.../ready`
    Ready,
}

/// What is asked for at a path; `None` for an unknown one.
pub fn asked(path: &str) -> Option<Asked> {
    match path.rsplit('/').next() {
        Some("live") => Some(Asked::Live),
        Some("ready") => Some(Asked::Ready),
        _ => None,
    }
}

/// The word for a site that was not checked yet.
const NOT_CHECKED: &str = "not_checked";

/// Answers a request that reached the handler. `readiness` is asked only where that matters.
pub fn answer(env: &RequestEnv<'_>, asked: Option<Asked>, readiness: impl FnOnce() -> Readiness) -> Response {
    let Some(asked) = asked else {
        let detail = format!(
            "{}: oxd-health answers at .../live and .../ready",
            env.request.path()
        );
        return env.refuse(&Failure::new(Reason::NotFound, detail), None, None);
    };
    if !matches!(env.request.method(), Method::Get | Method::Head) {
        let failure = Failure::new(Reason::MethodNotAllowed, env.request.path());
        return env.refuse(&failure, None, None).with_header("Allow", "GET, HEAD");
    }
    match asked {
        Asked::Live => said(env, 200, "alive", &[], None),
        Asked::Ready => ready(env, &readiness()),
    }
}

fn ready(env: &RequestEnv<'_>, known: &Readiness) -> Response {
    let ago = known.checked.map(|checked| env.now.saturating_sub(checked).0);
    if known.is_ready() {
        return said(env, 200, "ready", &[], ago);
    }
    let mut missing: Vec<&'static str> = known.failing.iter().map(|(reason, _)| reason.code()).collect();
    if known.sites == 0 {
        missing.push(Reason::NotConfigured.code());
    }
    if known.unknown > 0 {
        missing.push(NOT_CHECKED);
    }
    let mut answer =
        said(env, 503, "not_ready", &missing, ago).with_header("Retry-After", EVERY_IN_TROUBLE.to_string());
    answer.code = missing.first().copied();
    answer
}

fn said(
    env: &RequestEnv<'_>,
    status: u16,
    word: &str,
    missing: &[&'static str],
    ago: Option<u64>,
) -> Response {
    // Probes name all kinds of types, or none: text is for all who do not name this one.
    let accept = env.request.header(Header::Accept).unwrap_or_default();
    if accept.to_ascii_lowercase().contains("application/json") {
        let mut body = json!({ "status": word });
        if word != "alive" {
            body["missing"] = missing.into();
            body["checked_seconds_ago"] = ago.into();
        }
        return Response::json(status, &body);
    }
    let lines = std::iter::once(&word).chain(missing);
    let text = lines.map(|line| format!("{line}\n")).collect();
    let mut answer = Response::plain("text/plain; charset=utf-8", text);
    answer.status = status;
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Seconds;
    use crate::http::Body;
    use crate::testing::{Browser, NOW, header, site};

    fn ask(path: &str, accept: &'static str, known: Readiness) -> Response {
        let site = site("one");
        let mut browser = Browser::that_refreshes(&site);
        browser.headers.accept = Some(accept);
        browser.look(path, |ctx| answer(ctx, asked(path), || known.clone()))
    }

    fn known(sites: usize, unknown: usize, failing: &[(Reason, usize)]) -> Readiness {
        Readiness {
            sites,
            unknown,
            failing: failing.to_vec(),
            checked: Some(NOW - 3),
        }
    }

    #[test]
    fn it_says_what_is_missing_as_text_and_as_json() {
        let away = (Reason::OxdUnreachable, 2);
        let token = (Reason::ClientTokenRefused, 1);
        for (known, status, text) in [
            (known(1, 0, &[]), 200, "ready\n"),
            (known(3, 0, &[away]), 503, "not_ready\noxd_unreachable\n"),
            (
                known(4, 1, &[away, token]),
                503,
                "not_ready\noxd_unreachable\nclient_token_refused\nnot_checked\n",
            ),
            (known(0, 0, &[]), 503, "not_ready\nnot_configured\n"),
        ] {
            let plain = ask("/oxd-health/ready", "text/plain", known.clone());
            assert_eq!(
                (plain.status, header(&plain, "Retry-After").is_some()),
                (status, status == 503)
            );
            assert_eq!(
                plain.body,
                Body::Plain("text/plain; charset=utf-8", text.to_owned())
            );
            let answer = ask("/oxd-health/ready", "application/json", known);
            let Body::Json(body) = &answer.body else {
                panic!("{answer:?}")
            };
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let words: Vec<_> = text.lines().skip(1).collect();
            assert_eq!(answer.status, status);
            let expected =
                json!({ "status": text.lines().next(), "missing": words, "checked_seconds_ago": 3 });
            assert_eq!(body, expected);
        }
        let live = ask("/oxd-health/live", "*/*", Readiness::default());
        assert_eq!(live.status, 200);
        assert_eq!(
            live.body,
            Body::Plain("text/plain; charset=utf-8", "alive\n".to_owned())
        );
    }

    #[test]
    fn there_are_two_addresses_and_two_methods() {
        for (path, found) in [
            ("/oxd-health/ready", Some(Asked::Ready)),
            ("/live", Some(Asked::Live)),
            ("/oxd-health", None),
            ("/oxd-health/ready/", None),
            ("/oxd-health/Ready", None),
        ] {
            assert_eq!(asked(path), found, "{path}");
        }
        assert_eq!(ask("/oxd-health/x", "*/*", known(1, 0, &[])).status, 404);
        let site = site("one");
        let mut browser = Browser::that_refreshes(&site);
        browser.method = Method::Post;
        let posted = browser.look("/r/ready", |ctx| {
            answer(ctx, Some(Asked::Ready), || unreachable!("nothing is looked up"))
        });
        assert_eq!(
            (posted.status, header(&posted, "Allow")),
            (405, Some("GET, HEAD"))
        );
        assert!(Seconds(3) < EVERY_IN_TROUBLE);
    }
}
