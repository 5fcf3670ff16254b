//! A page without a mouse: what the Tab key reaches, in which order, and whether one sees where one is.

use oxd_tests::WebDriver;
use serde_json::Value;

use super::look::number;

/// WebDriver's names of keys.
pub(crate) const TAB: char = '\u{E004}';
pub(crate) const ENTER: char = '\u{E007}';
pub(crate) const SPACE: char = ' ';

/// What one can do something with, by its number among all elements.
const OPERABLE: &str = r"
    const all = [...document.querySelectorAll('*')];
    const some = document.querySelectorAll(`a[href], area[href], button:not(:disabled), select:not(:disabled),
        input:not(:disabled):not([type=hidden]), textarea:not(:disabled), summary, [tabindex]:not([tabindex='-1'])`);
    return [...some].filter(e => e.checkVisibility() && e.getClientRects().length)
        .map(e => [all.indexOf(e), e.outerHTML.slice(0, 120)]);";

/// Where the focus is: the element's number and text, its place on the page, and what is wrong with how it is shown.
const FOCUSED: &str = r"
    const e = document.activeElement;
    if (!e || e === document.body || e === document.documentElement) return null;
    const pixel = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const parts = colour => {
        pixel.clearRect(0, 0, 1, 1);
        pixel.fillStyle = colour;
        pixel.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = pixel.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = ([r, g, b, a], below) => [r, g, b].map((c, i) => c * a + below[i] * (1 - a));
    const light = rgb => {
        const [r, g, b] = rgb.map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4);
        return .2126 * r + .7152 * g + .0722 * b;
    };
    const probe = document.body.appendChild(document.createElement('i'));
    probe.style.color = 'Canvas';
    let ground = parts(getComputedStyle(probe).color).slice(0, 3);
    probe.remove();
    const style = getComputedStyle(e);
    const outside = parseFloat(style.outlineOffset) >= 0;
    const chain = [];
    for (let at = outside ? e.parentElement : e; at; at = at.parentElement) chain.unshift(at);
    for (const at of chain) ground = over(parts(getComputedStyle(at).backgroundColor), ground);
    const [dark, bright] = [light(over(parts(style.outlineColor), ground)), light(ground)].sort((a, b) => a - b);
    const contrast = (bright + .05) / (dark + .05);
    let wrong = null;
    if (e instanceof HTMLIFrameElement) {
        // What is in it shows where one is.
    } else if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) {
        wrong = `no outline that one sees: ${style.outline}`;
    } else if (contrast < 3) {
        wrong = `the outline ${style.outlineColor} has a contrast of ${contrast.toFixed(2)} to rgb(${ground})`;
    }
    const first = e.getClientRects()[0] ?? e.getBoundingClientRect();
    const found = document.elementFromPoint(first.x + first.width / 2, first.y + first.height / 2);
    if (!found || !(e.contains(found) || found.contains(e))) wrong ??= 'it is out of sight';
    return {
        number: [...document.querySelectorAll('*')].indexOf(e), text: e.outerHTML.slice(0, 120), wrong,
        top: first.top + scrollY, bottom: first.bottom + scrollY, left: first.left, right: first.right,
    };";

/// More stops than any page has.
const LONGEST: usize = 100;

/// What is wrong for somebody who goes through the page with the Tab key.
pub(crate) fn faults(window: &WebDriver, direction: &str) -> Vec<String> {
    let operable = window.script(OPERABLE);
    let operable = operable.as_array().expect("a list of elements");
    let mut stops = round(window);
    let mut faults = Vec::new();
    for element in operable {
        if !stops.iter().any(|stop| stop["number"] == element[0]) {
            faults.push(format!("Tab does not reach {}", element[1]));
        }
    }
    for stop in &stops {
        if let Some(wrong) = stop["wrong"].as_str() {
            faults.push(format!("{}: {wrong}", stop["text"]));
        }
    }
    // The round may have begun in the middle.
    let first = stops
        .iter()
        .enumerate()
        .min_by_key(|(_, stop)| stop["number"].as_u64());
    if let Some((at, _)) = first {
        stops.rotate_left(at);
    }
    for pair in stops.windows(2) {
        if !follows(&pair[0], &pair[1], direction) {
            faults.push(format!(
                "{} does not stand after {}",
                pair[1]["text"], pair[0]["text"]
            ));
        }
    }
    faults
}

/// Once around the page.
fn round(window: &WebDriver) -> Vec<Value> {
    let mut stops: Vec<Value> = Vec::new();
    let mut outside = 0;
    while outside < 2 {
        window.press(TAB);
        let stop = window.script(FOCUSED);
        if stop.is_null() {
            // Between the last element and the first one the focus is nowhere; twice, and there is none.
            outside += 1;
            continue;
        }
        if stops.iter().any(|seen| seen["number"] == stop["number"]) {
            break;
        }
        stops.push(stop);
        assert!(
            stops.len() < LONGEST,
            "a round without an end at {}",
            window.url()
        );
    }
    stops
}

/// Whether a reader finds `next` after `stop`: further down, or in the same line further on.
fn follows(stop: &Value, next: &Value, direction: &str) -> bool {
    let edge = |element: &Value, name: &str| number(&element[name]);
    let beside = match direction {
        "rtl" => edge(next, "right") <= edge(stop, "left") + 1.0,
        _ => edge(next, "left") >= edge(stop, "right") - 1.0,
    };
    let below = edge(next, "top") >= edge(stop, "bottom") - 1.0;
    below || (beside && edge(next, "bottom") > edge(stop, "top"))
}

/// Presses Tab until the focus is on what a CSS selector finds.
#[track_caller]
pub(crate) fn tab_to(window: &WebDriver, css: &str) {
    let there = format!("return document.activeElement.matches({css:?})");
    for _ in 0..LONGEST {
        window.press(TAB);
        if window.script(&there) == true {
            return;
        }
    }
    panic!("Tab does not come to {css} at {}", window.url());
}

/// Types a text, letter by letter.
pub(crate) fn type_in(window: &WebDriver, text: &str) {
    for letter in text.chars() {
        window.press(letter);
    }
}
