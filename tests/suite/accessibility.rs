//! Every page for everybody: axe-core and the keyboard in a real browser, by day and by night, in forced colours, on
//! screens from 320 to 1280 pixels, at 200 %. Pictures in `target/screenshots`.

mod accessibility {
    pub(crate) mod demo;
    pub(crate) mod keyboard;
    pub(crate) mod look;
    pub(crate) mod walk;
}

use accessibility::keyboard::{ENTER, SPACE, tab_to, type_in};
use accessibility::look::{ARABIC, ENGLISH, GERMAN, Look};
use accessibility::{demo, walk};
use oxd_tests::{TestSite, WebDriver};

#[test]
fn every_page_is_for_everybody() {
    let mut site = walk::site();
    let window = WebDriver::start("accessibility");
    let mut look = Look::through(&window);
    for language in [ENGLISH, GERMAN, ARABIC] {
        look.speak(language);
        walk::every_page(&mut look, &mut site);
    }
    println!("{} pages", look.pages);
    look.verdict();
}

#[test]
fn the_demos_pages_are_for_everybody() {
    let window = WebDriver::start("demo");
    let mut look = Look::through(&window);
    demo::every_page(&mut look);
    look.verdict();
}

/// In and out again without a mouse.
#[test]
fn the_keyboard_is_enough() {
    const OUT: &str = "a[href$='/logoutme'], form[action$='/logoutme'] button";
    let site = TestSite::start();
    let window = WebDriver::start("keyboard");
    for key in [ENTER, SPACE] {
        window.forget();
        window.open(&site.url("/oxd"));
        tab_to(&window, "a[href='/oxd/login']");
        window.press(ENTER);
        window.wait_for_url(&site.oxd.provider_url());
        tab_to(&window, "#username");
        type_in(&window, "test_user");
        tab_to(&window, "#password");
        type_in(&window, "secret");
        window.press(ENTER);
        window.wait_for_url("/consent");
        tab_to(&window, "#allow");
        window.press(key);
        window.wait_for_url(&site.url("/oxd"));
        tab_to(&window, OUT);
        // The space bar presses buttons; a link it does not follow.
        let is_button = window.script("return document.activeElement.tagName === 'BUTTON'") == true;
        window.press(if is_button { key } else { ENTER });
        window.wait_for_url("/oxd/logout?state=");
    }
}
