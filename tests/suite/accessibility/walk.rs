//! The way past every page of the module, in one browser.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use oxd_dev::{Fault, User};
use oxd_tests::{Browser, TestSite, WebDriver, begin, decide, user, wait_until};
use serde_json::json;

use super::look::Look;

const RULES: &str = r#"
<Location /app/staff>
    Require oxd-claim groups staff
</Location>
<Location /app/strong>
    Require oxd-acr loa3
</Location>
<Location /app/members>
    OxdUnauthAction 401
</Location>
<Location /strict>
    OxdCookieSameSite Strict
</Location>
<Location /oxd-status>
    SetHandler oxd-status
    Require ip 127.0.0.1
</Location>
"#;

/// A form whose answer is kept.
const FORM: &str = "<!DOCTYPE html><html lang=en><title>form</title><form method=post action=/app/echo>\
    <input name=title value=Minutes><textarea name=text>A long text\nwith <b>lines</b></textarea>\
    <input name=csrf type=hidden value=0123456789abcdef><button id=go>Send</button></form>";

/// Somebody of whom there is little to say, and somebody with claims of all kinds and lengths.
fn users() -> Vec<User> {
    let few = json!({ "name": "Anna Muster", "email": "anna@example.org", "groups": ["guests"] });
    let mut many = json!({
        "name": "Maximiliane Wolkenstein-Rodenegg", "email": "maximiliane.wolkenstein-rodenegg@example.org",
        "email_verified": true, "birthdate": "1970-01-01", "updated_at": 1_700_000_000, "auth_time": 1_700_000_000,
        "groups": ["staff", "editors", "a group with a name of several words"],
        "address": { "street_address": "Ring 1", "locality": "Wien", "country": "AT" },
        "website": "https://example.org/a/very/long/address/without/a/place/to/break/it?a=b&c=d",
        "nickname": "مكسيم", "token": "x".repeat(300),
    });
    for number in 0..30 {
        many[format!("claim_{number}")] = json!(format!("the value of number {number}"));
    }
    vec![user("anna", few), user("many", many)]
}

pub(crate) fn site() -> TestSite {
    TestSite::builder()
        .directives("OxdPostPreserve On\nOxdServerTimeout 2s 1s")
        .frontchannel_logout()
        .users(users())
        .provider(|provider| provider.consent = false)
        .another_site("strict")
        .config(RULES)
        .httpd(|httpd| {
            httpd.file("docroot/form.html", FORM);
            let there = httpd.url("/oxd/logoutme");
            let link =
                format!("<!DOCTYPE html><html lang=en><title>link</title><a id=out href=\"{there}\">out</a>");
            httpd.file("docroot/link.html", &link);
            let echo = httpd.file(
                "cgi-bin/echo",
                "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\ncat\n",
            );
            set_permissions(echo, Permissions::from_mode(0o755)).expect("a program");
            httpd
                .config("ScriptAlias /app/echo \"${ROOT}/cgi-bin/echo\"")
                .allow_log(r"\[oxd:(warn|error)\]|AH01630: client denied")
        })
        .start()
}

/// Looks at every page, in the language that `look` asks for.
pub(crate) fn every_page(look: &mut Look<'_>, site: &mut TestSite) {
    let window = look.window;
    let home = site.url("");
    let open = |path: &str| window.open(&format!("{home}{path}"));
    window.forget();
    open("/oxd");
    look.at("signed-out");
    open("/oxd/nonsense");
    look.at("404");
    open("/oxd/callback?code=a&code=b&state=c");
    look.at("400");
    open("/app/members");
    look.at("401");
    onward(look, site);

    open("/app/");
    window.wait_for_url(&site.oxd.provider_url());
    look.at_any("provider-sign-in");
    window.click("#cancel");
    window.wait_for_url(&site.url("/oxd/"));
    look.at("403-cancelled");

    open("/form.html");
    window.click("#go");
    window.wait_for_url("/app/echo");
    look.at("kept-form");

    // Its link opens another window, of which this is the address.
    let link = window.script("return document.querySelector('#sign-in').href");
    window.open(link.as_str().expect("an address"));
    answer(window, "anna");
    window.wait_for_url(&site.url("/oxd"));
    look.at("form-waits");
    open("/oxd");
    look.at("signed-in");
    open("/oxd/logout");
    look.at("still-signed-in");
    window.open(&site.url("/link.html").replace("127.0.0.1", "localhost"));
    window.click("#out");
    window.wait_for_url(&site.url("/oxd/logoutme"));
    look.at("ask-to-sign-out");
    open("/app/staff");
    look.at("403-rule");
    open("/app/strong");
    if window.url().starts_with(&site.oxd.provider_url()) {
        answer(window, "anna");
    }
    window.wait_for_url(&site.url("/app/strong"));
    look.at("403-step-up");
    open("/oxd-status");
    look.at_any("status");
    window.click("#end-all");
    wait_until("the question", || {
        window.script("return document.querySelector('#back') !== null") == true
    });
    look.at_any("status-asks");
    site.oxd
        .fault("get-logout-uri", Fault::Times(1, Box::new(Fault::NotJson)));
    open("/oxd/logoutme");
    look.at("signed-out-here-only");

    window.forget();
    sign_in(window, site, "many");
    look.at("signed-in-many-claims");
    open("/oxd/logoutme");
    window.wait_for_url(&site.oxd.provider_url());
    look.at_any("provider-signs-out");
    open("/oxd/logout");
    look.at("after-logout");
    open("/oxd/frontchannel-logout?iss=https://op.example.org&sid=nobody");
    look.at("frontchannel-logout");

    window.forget();
    site.oxd.stop();
    open("/app/");
    look.at("503");
    site.oxd.resume();
}

/// The page that leads on to where the login began leads on at once. A copy stays.
fn onward(look: &mut Look<'_>, site: &TestSite) {
    let browser = Browser::new();
    let start = begin(&browser, site.url("/strict/app/"));
    let approval = decide(&browser, &start.location(), ("anna", "secret"), "allow");
    let ask = browser.ask("GET", approval.url());
    let page = ask.header("accept-language", look.language.tag).send();
    let text = page.expect(200).text().to_owned();
    let (before, rest) = text
        .split_once("<meta http-equiv=\"refresh\"")
        .expect("a page that leads on");
    let (_, after) = rest.split_once('>').expect("an element");
    let copy = site.httpd.root().join("docroot/onward.html");
    std::fs::write(copy, format!("{before}{after}")).expect("a document");
    look.window.open(&site.url("/onward.html"));
    look.at("onward");
}

/// Signs in at the handler's own page.
fn sign_in(window: &WebDriver, site: &TestSite, name: &str) {
    window.open(&site.url("/oxd/login"));
    window.wait_for_url(&site.oxd.provider_url());
    answer(window, name);
    window.wait_for_url(&site.url("/oxd"));
}

fn answer(window: &WebDriver, name: &str) {
    window.fill("[name=username]", name);
    window.fill("[name=password]", "secret");
    window.click("#sign-in");
}
