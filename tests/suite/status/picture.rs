//! The page for operators in a real browser, with pictures.

use oxd_dev::Fault;
use oxd_tests::{Browser, TestSite, WebDriver, begin, wait_until};
use serde_json::json;

use super::common::{callback_with, refusal, watched};
use super::health::HEALTH;

/// The texts that are hard to read: what stands on its background with a contrast under 4.5 (WCAG 2.2, 1.4.3).
const HARD_TO_READ: &str = r"
    const parts = colour => colour.match(/[\d.]+/g).map(Number);
    const over = (top, below) => {
        const [r, g, b, a = 1] = parts(top), under = below;
        return [r, g, b].map((c, i) => c * a + under[i] * (1 - a));
    };
    const light = rgb => {
        const [r, g, b] = rgb.map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const canvas = matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255];
    const hard = [];
    for (const element of document.body.querySelectorAll('*')) {
        const own = [...element.childNodes].some(n => n.nodeType === 3 && n.data.trim());
        if (!own || element.closest('svg')) continue;
        let chain = [], opacity = 1;
        for (let e = element; e; e = e.parentElement) chain.unshift(e);
        let ground = canvas;
        for (const e of chain) {
            const style = getComputedStyle(e);
            ground = over(style.backgroundColor, ground);
            opacity *= Number(style.opacity);
        }
        const [r, g, b] = parts(getComputedStyle(element).color);
        const ink = over(`rgba(${r}, ${g}, ${b}, ${opacity})`, ground);
        const [dark, bright] = [light(ink), light(ground)].sort((a, b) => a - b);
        const contrast = (bright + .05) / (dark + .05);
        if (contrast < 4.5) hard.push(`${element.textContent.trim()}: ${contrast.toFixed(2)}`);
    }
    return hard;";

/// Logins and failures of many kinds.
fn busy() -> TestSite {
    let site = watched().config(HEALTH).start();
    for number in 0..12 {
        let browser = site.signed_in();
        if number % 4 == 0 {
            browser.get(site.url("/oxd/logoutme")).expect(303);
        }
    }
    callback_with(&site, "get-user-info", Fault::NotJson).expect(502);
    callback_with(&site, "get-tokens-by-code", Fault::Hang).expect(504);
    let fault = refusal(400, "x", "'code' is invalid.");
    callback_with(&site, "get-tokens-by-code", fault).expect(400);
    begin(&Browser::new(), site.url("/app/"));
    site
}

#[track_caller]
fn expect_readable(window: &WebDriver, what: &str) {
    assert_eq!(window.script("return document.scripts.length"), 0);
    assert_eq!(window.script(HARD_TO_READ), json!([]), "{what}");
    // As the script would tell: nothing has a contrast of 22.
    let all = window.script(&HARD_TO_READ.replace("4.5)", "22)"));
    assert!(all.as_array().is_some_and(|all| all.len() > 30), "{all}");
    let wide = window.script("return document.documentElement.scrollWidth > innerWidth");
    assert_eq!(wide, false, "{what}: the page does not scroll sideways");
    let tall = "return [...document.querySelectorAll('th')].filter(e => e.offsetHeight > 90).map(e => e.textContent)";
    assert_eq!(window.script(tall), json!([]), "{what}: words in one piece");
    let small = "return [...document.querySelectorAll('main *')].filter(e => e.textContent.trim() && \
                 parseFloat(getComputedStyle(e).fontSize) < 12).map(e => e.outerHTML)";
    assert_eq!(window.script(small), json!([]), "{what}: letters one can read");
}

/// By day and by night, at a desk and on a phone.
#[test]
fn it_can_be_read_everywhere() {
    let site = busy();
    let window = WebDriver::start("status");
    window.resize(1120, 900);
    window.open(&site.url("/oxd-status"));
    let text = window.text();
    assert!(
        text.contains("3 of 15 logins failed in the last 15 minutes"),
        "{text}"
    );
    assert!(text.contains("works; checked"), "{text}");
    for colours in ["light", "dark"] {
        window.prefer(colours);
        expect_readable(&window, colours);
        window.screenshot(colours);
    }
    window.prefer("light");
    for (width, name) in [(390, "phone"), (320, "small-phone")] {
        window.screen(width, 844);
        assert_eq!(window.script("return innerWidth"), width);
        expect_readable(&window, name);
        let height = window.script("return document.documentElement.scrollHeight");
        let height = height.as_u64().and_then(|height| u32::try_from(height).ok());
        window.screen(width, height.expect("a height"));
        window.screenshot(name);
    }
    // The style sheets count only if the page's policy names them.
    let colour = |css: &str| {
        let script = format!("return getComputedStyle(document.querySelector('{css}')).fill");
        window.script(&script).as_str().map(str::to_owned)
    };
    let (good, bad) = (colour(".plot rect.good"), colour(".plot rect.bad"));
    assert!(good.is_some() && good != bad, "{good:?} {bad:?}");
    assert_ne!(bad.as_deref(), Some("rgb(0, 0, 0)"));
}

/// An administrator ends somebody's sessions with the form, reads that it is done, and everybody else stays.
#[test]
fn the_forms_do_what_they_say() {
    let site = watched().start();
    let user = site.signed_in();
    let window = WebDriver::start("status-forms");
    window.open(&site.url("/oxd-status"));
    assert!(window.text().contains("Logins work: 1 in the last 15 minutes"));
    // The page of before stays until the next one is there.
    let done = |told: &str| {
        wait_until(told, || {
            let told_now = window.script("return document.querySelector('#done')?.textContent");
            told_now == told
        });
    };
    window.fill("#user", "nobody");
    window.click("#end");
    done("All sessions of nobody have ended.");
    assert!(site.user(&user).is_some());
    window.click("#end-all");
    wait_until("the question", || window.text().contains("End all sessions?"));
    assert!(site.user(&user).is_some(), "nothing has ended yet");
    window.screenshot("asked");
    window.click("#end-all");
    done("All sessions have ended.");
    assert_eq!(site.user(&user), None);
    window.screenshot("done");
}
