//! The pages in a real browser, in three languages, by day and by night, on a desk and on a phone.

use std::fs::{Permissions, set_permissions};
use std::os::unix::fs::PermissionsExt;

use oxd_tests::{TestSite, WebDriver};
use serde_json::json;

/// What a page must not do, whatever it shows.
#[track_caller]
fn expect_in_order(window: &WebDriver, what: &str) {
    let wide = window.script("return document.documentElement.scrollWidth > innerWidth");
    assert_eq!(wide, false, "{what}: the page does not scroll sideways");
    let home = "const box = document.querySelector('#home').getBoundingClientRect(); return box.width > 20 && box.height > 10";
    assert_eq!(window.script(home), true, "{what}: the way home");
}

/// Contrast of the focus ring with the page and with the button (WCAG 2.2, 1.4.11).
const RING: &str = r"
    const parts = colour => colour.match(/[\d.]+/g).map(Number);
    const light = colour => {
        const [r, g, b] = parts(colour).map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const contrast = (one, other) => {
        const [dark, bright] = [light(one), light(other)].sort((a, b) => a - b);
        return (bright + .05) / (dark + .05);
    };
    const button = document.querySelector('.button') || document.querySelector('#home');
    button.focus({ focusVisible: true });
    const style = getComputedStyle(button);
    const page = getComputedStyle(document.body).backgroundColor;
    const ground = parts(style.backgroundColor)[3] === 0 ? page : style.backgroundColor;
    return [style.outlineStyle, parseFloat(style.outlineWidth) >= 2, contrast(style.outlineColor, page) >= 3,
            contrast(style.outlineColor, ground) >= 3, contrast(style.color, ground) >= 4.5];";

#[test]
fn they_are_in_order_in_every_direction_and_size() {
    let site = TestSite::builder()
        .directives("OxdPostPreserve On")
        .httpd(|httpd| {
            let form = "<form method=post action=/app/echo><input name=subject value='A long subject'>\
                        <input name=password type=password value=hidden><textarea name=t></textarea><button id=go>Go</button></form>";
            httpd.file("docroot/form.html", form);
            let program = httpd.file("cgi-bin/echo", "#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\ncat\n");
            set_permissions(program, Permissions::from_mode(0o755)).expect("a program");
            httpd.config(
                "ScriptAlias /app/echo \"${ROOT}/cgi-bin/echo\"\n\
                 <Location /app/env>\nRequire user nobody\n</Location>",
            )
        })
        .start();
    site.httpd
        .allow_log("denied by server configuration|authorization failure");
    let window = WebDriver::start("pages");
    let open_form = || {
        window.open(&site.url("/form.html"));
        window.fill("textarea", "two lines\nof text");
        window.click("#go");
        oxd_tests::wait_until("the page with the form", || {
            window.script("return !!document.querySelector('#send')") == true
        });
    };
    open_form();
    let shown = window.text();
    assert!(
        shown.contains("A long subject") && shown.contains("of text") && !shown.contains("hidden"),
        "{shown}"
    );
    let look = |page: &str, name: &str| {
        for language in ["en", "de", "ar"] {
            window.speak(language);
            if page == "form" {
                open_form();
            } else {
                window.open(&site.url(page));
            }
            assert_eq!(window.script("return document.documentElement.lang"), language);
            let direction = window.script("return getComputedStyle(document.body).direction");
            assert_eq!(direction, if language == "ar" { "rtl" } else { "ltr" });
            for (width, size) in [(1024, "desk"), (320, "phone")] {
                window.screen(width, 900);
                for colours in ["light", "dark"] {
                    window.prefer(colours);
                    let what = format!("{name}-{language}-{size}-{colours}");
                    expect_in_order(&window, &what);
                    let ring = window.script(RING);
                    assert_eq!(
                        ring,
                        json!(["solid", true, true, true, true]),
                        "{what}: the focus ring"
                    );
                    window.screenshot(&what);
                }
            }
            window.screen(1024, 900);
        }
    };
    look("/oxd", "signed-out");
    look("/oxd/callback", "refused");
    look("form", "form");
    window.speak("en");
    window.open(&site.url("/oxd/login"));
    sign_in(&window, &site);
    look("/oxd", "signed-in");
    look("/oxd?form", "form-waits");
    look("/oxd/logout", "still-signed-in");
    look("/app/env", "forbidden");
}

fn sign_in(window: &WebDriver, site: &TestSite) {
    window.fill("[name=username]", "test_user");
    window.fill("[name=password]", "secret");
    window.click("#sign-in");
    window.click("#allow");
    window.wait_for_url(&site.url("/oxd"));
}
