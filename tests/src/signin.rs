//! What a person does to sign in: open a protected page, fill in the provider's form, agree, and
//! come back.

use url::Url;

use crate::answer::Answer;
use crate::browser::Browser;

/// How many pages and redirects the provider may put between leaving and coming back.
const STEPS: usize = 12;

/// How the provider hands its answer back to the site.
#[derive(Clone, Debug)]
pub enum Approval {
    /// By a redirect to this address.
    Redirect(Url),
    /// By a form that the browser sends to this address (`response_mode=form_post`).
    Post(Url, Vec<(String, String)>),
}

impl Approval {
    /// The callback's address; its query names `code` and `state` unless a form carries them.
    pub fn url(&self) -> &Url {
        match self {
            Approval::Redirect(url) | Approval::Post(url, _) => url,
        }
    }

    /// Brings the provider's answer to the site.
    #[track_caller]
    pub fn deliver(&self, browser: &Browser) -> Answer {
        match self {
            Approval::Redirect(url) => browser.get(url),
            Approval::Post(url, fields) => {
                let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                // A form that comes from another site's page.
                browser
                    .ask("POST", url)
                    .header("origin", "null")
                    .header("sec-fetch-site", "cross-site")
                    .form(&fields)
                    .send()
            }
        }
    }
}

/// The answers of a whole sign-in.
#[derive(Debug)]
pub struct Walk {
    /// The redirect from the protected page to the provider.
    pub start: Answer,
    /// The address that got the provider's answer.
    pub approval: Approval,
    /// The site's answer to the callback.
    pub callback: Answer,
    /// The page at the end.
    pub page: Answer,
}

/// Opens a protected page without a session and returns the redirect to the provider.
#[track_caller]
pub fn begin(browser: &Browser, url: impl AsRef<str>) -> Answer {
    let answer = browser.get(url);
    answer.expect(302);
    let target = answer.location();
    let leaves = target.query_pairs().any(|(name, _)| name == "client_id");
    assert!(leaves, "not a redirect to the provider: {}", answer.summary());
    answer
}

/// Signs in at the provider as the demo user and agrees; does not yet bring the answer back.
#[track_caller]
pub fn approve(browser: &Browser, authorization: &Url) -> Approval {
    decide(browser, authorization, ("test_user", "secret"), "allow")
}

/// Signs in at the provider and presses this button (`allow`, `cancel`) when asked for consent.
#[track_caller]
pub fn decide(
    browser: &Browser,
    authorization: &Url,
    (name, password): (&str, &str),
    decision: &str,
) -> Approval {
    let mut answer = browser.get(authorization);
    for _ in 0..STEPS {
        if matches!(answer.status, 302 | 303) {
            let target = answer.location();
            if target.origin() != authorization.origin() {
                return Approval::Redirect(target);
            }
            answer = browser.get(target);
            continue;
        }
        answer.expect(200);
        let page = answer.page();
        if let Some((mut form, button)) = page.form_with_button("sign-in") {
            form.fill("username", name);
            form.fill("password", password);
            answer = submit(browser, &answer, &form.action, &form.press(&button));
        } else if let Some((form, button)) = page.form_with_button(decision) {
            answer = submit(browser, &answer, &form.action, &form.press(&button));
        } else if let [form] = page.forms() {
            // The form of response_mode=form_post, which a script sends by itself.
            let target = answer.url.join(&form.action).expect("the form's action");
            assert_ne!(target.origin(), authorization.origin(), "{}", answer.summary());
            return Approval::Post(target, form.fields.clone());
        } else {
            panic!("no form to fill in: {}", answer.summary());
        }
    }
    panic!("the provider does not come to an end: {}", answer.summary());
}

/// Signs in as the demo user, from the protected page to the protected page.
#[track_caller]
pub fn sign_in(browser: &Browser, url: impl AsRef<str>) -> Walk {
    sign_in_as(browser, url, "test_user", "secret")
}

/// Signs in as a user, from the protected page back to it.
#[track_caller]
pub fn sign_in_as(browser: &Browser, url: impl AsRef<str>, name: &str, password: &str) -> Walk {
    let start = begin(browser, url);
    let approval = decide(browser, &start.location(), (name, password), "allow");
    let callback = approval.deliver(browser);
    callback.expect(303);
    let page = browser.get(callback.location());
    Walk {
        start,
        approval,
        callback,
        page,
    }
}

#[track_caller]
fn submit(browser: &Browser, page: &Answer, action: &str, fields: &[(String, String)]) -> Answer {
    let target = page.url.join(action).expect("the form's action");
    let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    browser.post(target, &fields)
}

/// The answers of a whole sign-out.
#[derive(Debug)]
pub struct Farewell {
    /// The site's redirect to the provider.
    pub leave: Answer,
    /// The page at the end.
    pub page: Answer,
}

/// Signs out at `BASE/logoutme`, agrees at the provider and comes back.
#[track_caller]
pub fn sign_out(browser: &Browser, logoutme: impl AsRef<str>) -> Farewell {
    let leave = browser.get(logoutme);
    leave.expect(303);
    let mut page = browser.follow_from(leave.clone());
    if let Some((form, button)) = page.page().form_with_button("sign-out") {
        let answer = submit(browser, &page, &form.action, &form.press(&button));
        page = browser.follow_from(answer);
    }
    Farewell { leave, page }
}
