//! `OxdPostPreserve`: a form that was sent after the session had ended.
//!
//! The response is a page with the form's fields. The user signs in in another window and then sends the page. Nothing
//! is stored on the server, so no other client can read the form, and the page needs no script.

use url::form_urlencoded;

use super::multipart;
use super::target::{login_link, own_address};
use crate::base::{Level, Step};
use crate::config::{AccessSettings, PostPreserve, UnauthAction};
use crate::flow::Ctx;
use crate::http::{Form, Header, Method, Response};
use crate::pages;

/// The query of the handler's own page where the sign-in ends: it sends the user back to the form.
pub(crate) const FORM_WAITS: &str = "form";
/// The most fields that a form may have.
const MOST_FIELDS: usize = 1_000;

/// The size limit for a request's form; `None` when the request is not one that the location preserves.
pub(crate) fn limit(settings: &AccessSettings, method: Method) -> Option<usize> {
    // A place that answers 403, 404 and so on does not want its visitors to sign in.
    let hidden = matches!(settings.unauth_action, UnauthAction::Status(status) if status != 401);
    match settings.post_preserve {
        PostPreserve::UpTo(limit) if method == Method::Post && !hidden => Some(limit),
        _ => None,
    }
}

/// The page that preserves the form, or `None` where that is impossible or unsafe: the usual 401 then says so.
pub(crate) fn offer(ctx: &Ctx<'_>, form: &Form) -> Option<Response> {
    let refuse = |why: &str| {
        ctx.log(Level::Info, || {
            format!("a form is not kept during the login: {why}")
        });
        None
    };
    if ctx.request.is_script() {
        return None;
    }
    if !is_of_this_site(ctx) {
        return refuse("it does not come from a page of this site");
    }
    let Form::Read(body) = form else {
        return refuse("it is larger than OxdPostPreserve allows");
    };
    let Some((encoding, fields)) = fields(ctx.request.header(Header::ContentType).unwrap_or_default(), body)
    else {
        return refuse("it has files, too many fields, or is not UTF-8");
    };
    let target = own_address(ctx);
    let done = ctx
        .base
        .map_or_else(|| "/".to_owned(), |base| format!("{base}?{FORM_WAITS}"));
    let sign_in = login_link(ctx, &done).unwrap_or_else(|| target.clone());
    let page = ctx.page(401, |view| {
        pages::kept_form(view, &sign_in, &target, encoding, &fields)
    });
    let answer = page.with_challenge(ctx.request.realm());
    Some(answer.as_step(Step::FormKept))
}

/// Whether a page of this origin sent the form. A form from another site would make users send data that they never
/// entered (CSRF).
fn is_of_this_site(ctx: &Ctx<'_>) -> bool {
    let own = ctx.origin().url_of("");
    // Our own pages send no referrer, so browsers send `Origin: null` here: the preserved form, sent before the login.
    let named = ctx
        .request
        .header(Header::Origin)
        .filter(|origin| *origin != "null");
    let origin = named.map(|origin| origin.eq_ignore_ascii_case(&own));
    let site = ctx
        .request
        .header(Header::SecFetchSite)
        .map(|site| site.eq_ignore_ascii_case("same-origin"));
    origin.or(site).unwrap_or(false) && site.unwrap_or(true)
}

/// The encoding and the text fields of a form, in order; `None` when it is not made of text fields alone.
fn fields(content_type: &str, body: &[u8]) -> Option<(&'static str, Vec<(String, String)>)> {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    let (encoding, fields) = match essence.as_str() {
        "application/x-www-form-urlencoded" => {
            let fields = form_urlencoded::parse(body)
                .map(|(n, v)| (n.into_owned(), v.into_owned()))
                .collect();
            ("application/x-www-form-urlencoded", fields)
        }
        "multipart/form-data" => ("multipart/form-data", multipart::fields(content_type, body)?),
        _ => return None,
    };
    // Decoding puts U+FFFD where the bytes were not UTF-8; sending that on would be a silent loss.
    let whole = |text: &String| !text.contains('\u{fffd}') && !text.contains('\0');
    let fit = fields.len() <= MOST_FIELDS && fields.iter().all(|(name, value)| whole(name) && whole(value));
    fit.then_some((encoding, fields))
}

#[cfg(test)]
mod tests {
    use super::*;

    const URLENCODED: &str = "application/x-www-form-urlencoded";

    fn pairs(content_type: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
        fields(content_type, body).map(|(_, fields)| fields)
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.into(), value.into())
    }

    #[test]
    fn text_fields_are_read_in_order() {
        assert_eq!(
            pairs(URLENCODED, b"b=1&a=x+y%0D%0Az&b=%C3%A9&empty="),
            Some(vec![
                pair("b", "1"),
                pair("a", "x y\r\nz"),
                pair("b", "\u{e9}"),
                pair("empty", "")
            ])
        );
        let body = b"--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\ntwo\r\n--X\r\n\
                     Content-Disposition: form-data; name=\"b\"\r\n\r\n\r\n--X--\r\n";
        let kept = pairs("multipart/form-data; boundary=X", body);
        assert_eq!(kept, Some(vec![pair("a", "one\r\ntwo"), pair("b", "")]));
    }

    #[test]
    fn what_cannot_be_kept_whole_is_not_kept() {
        let file =
            b"--X\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.txt\"\r\n\r\nx\r\n--X--\r\n";
        assert_eq!(pairs("multipart/form-data; boundary=X", file), None);
        assert_eq!(pairs("multipart/form-data; boundary=X", b"--X\r\nbroken"), None);
        assert_eq!(pairs("multipart/form-data", b""), None);
        assert_eq!(pairs(URLENCODED, b"a=%FF"), None);
        assert_eq!(pairs("text/plain", b"a=b"), None);
        assert_eq!(pairs("application/json", b"{}"), None);
        assert_eq!(pairs(URLENCODED, "a=b&".repeat(MOST_FIELDS + 1).as_bytes()), None);
    }

    #[test]
    fn a_form_is_kept_for_pages_of_this_origin_only() {
        use crate::config::RawSettings;
        use crate::testing::{Browser, site};

        let file = site("s");
        for (origin, fetch_site, is_own) in [
            (Some("https://app.example"), None, true),
            (Some("https://APP.example"), Some("same-origin"), true),
            (Some("https://app.example"), Some("cross-site"), false),
            (Some("https://app.example"), Some("same-site"), false),
            (Some("https://evil.example"), None, false),
            (Some("https://evil.example"), Some("same-origin"), false),
            (Some("null"), Some("same-origin"), true),
            (Some("null"), None, false),
            (None, Some("same-origin"), true),
            (None, Some("cross-site"), false),
            (None, None, false),
        ] {
            let mut browser = Browser::at(RawSettings {
                site: Some(&file),
                ..RawSettings::default()
            });
            browser.headers.origin = origin;
            browser.headers.sec_fetch_site = fetch_site;
            browser.headers.content_type = Some(URLENCODED);
            let form = Form::Read(b"a=1".to_vec());
            let is_kept = browser.look("/app", |ctx| offer(ctx, &form).is_some());
            assert_eq!(is_kept, is_own, "{origin:?} {fetch_site:?}");
        }
    }

    #[test]
    fn only_forms_that_lead_to_a_sign_in_are_kept() {
        let kept = |post_preserve, unauth_action, method| {
            let settings = AccessSettings {
                max_age: None,
                unauth_action,
                unautz_action: None,
                post_preserve,
            };
            limit(&settings, method)
        };
        let on = PostPreserve::UpTo(100);
        for (post_preserve, unauth_action, method, expected) in [
            (on, UnauthAction::Auto, Method::Post, Some(100)),
            (on, UnauthAction::Status(401), Method::Post, Some(100)),
            (on, UnauthAction::Status(404), Method::Post, None),
            (on, UnauthAction::Auto, Method::Get, None),
            (PostPreserve::Off, UnauthAction::Auto, Method::Post, None),
        ] {
            assert_eq!(kept(post_preserve, unauth_action, method), expected);
        }
    }
}
