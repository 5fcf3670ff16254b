//! One page, looked at by day and by night, in forced colours, on screens of all sizes, and with the keyboard.

use oxd_tests::{Screen, WebDriver};
use serde_json::Value;

use super::keyboard;

const DESK: Screen = screen(1280, 900, 1, false);
const TABLET: Screen = screen(768, 1024, 1, false);
const PHONE: Screen = screen(320, 640, 1, true);
/// 640 pixels at 200 %: as many CSS pixels as WCAG 2.2 asks for (1.4.10).
const ZOOMED: Screen = screen(320, 450, 2, false);

const LIGHT: [(&str, &str); 1] = [("prefers-color-scheme", "light")];
const DARK: [(&str, &str); 1] = [("prefers-color-scheme", "dark")];
const FORCED: [(&str, &str); 2] = [("forced-colors", "active"), ("prefers-color-scheme", "light")];
const FORCED_DARK: [(&str, &str); 2] = [("forced-colors", "active"), ("prefers-color-scheme", "dark")];

const fn screen(width: u32, height: u32, scale: u32, mobile: bool) -> Screen {
    Screen {
        width,
        height,
        scale,
        mobile,
    }
}

/// Of which language the pages should be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Language {
    /// As `Accept-Language` and `<html lang>` name it.
    pub(crate) tag: &'static str,
    /// Which way it is written.
    pub(crate) direction: &'static str,
}

pub(crate) const ENGLISH: Language = Language {
    tag: "en",
    direction: "ltr",
};

pub(crate) const GERMAN: Language = Language {
    tag: "de",
    direction: "ltr",
};

pub(crate) const ARABIC: Language = Language {
    tag: "ar",
    direction: "rtl",
};

/// The looks at pages in one window, and what is wrong with them.
pub(crate) struct Look<'w> {
    pub(crate) window: &'w WebDriver,
    pub(crate) language: Language,
    pub(crate) faults: Vec<String>,
    pub(crate) pages: usize,
}

impl<'w> Look<'w> {
    pub(crate) fn through(window: &'w WebDriver) -> Look<'w> {
        window.bring_axe();
        Look {
            window,
            language: ENGLISH,
            faults: Vec::new(),
            pages: 0,
        }
    }

    /// Asks for another language from now on.
    pub(crate) fn speak(&mut self, language: Language) {
        self.language = language;
        self.window.speak(language.tag);
    }

    /// Looks at a page of the module's, which is in the language that is asked for.
    pub(crate) fn at(&mut self, page: &str) {
        let Language { tag, direction } = self.language;
        let found = self.window.script(
            "return [document.documentElement.lang, getComputedStyle(document.documentElement).direction]",
        );
        if found != serde_json::json!([tag, direction]) {
            self.wrong(
                page,
                &format!("asked for in {tag}, {direction}: it is in {found}"),
            );
        }
        self.everywhere(page);
    }

    /// Looks at a page that is the same in every language; once.
    pub(crate) fn at_any(&mut self, page: &str) {
        if self.is_first() {
            self.everywhere(page);
        }
    }

    /// Everything is looked at in the first language; in the others, what they change.
    fn is_first(&self) -> bool {
        self.language.tag == ENGLISH.tag
    }

    fn everywhere(&mut self, page: &str) {
        self.pages += 1;
        let first = self.is_first();
        self.window.show_on(DESK);
        self.window.media(&LIGHT);
        self.judge(page, "light");
        self.fit(page, DESK);
        if first {
            self.reach(page, "light");
        }
        self.keep(page, "light");
        if first {
            self.window.media(&DARK);
            self.judge(page, "dark");
            self.reach(page, "dark");
            self.keep(page, "dark");
            for (name, media) in [("forced", &FORCED), ("forced-dark", &FORCED_DARK)] {
                self.window.media(media);
                self.reach(page, name);
            }
            self.keep(page, "forced");
            self.window.media(&LIGHT);
            for screen in [TABLET, ZOOMED] {
                self.window.show_on(screen);
                self.fit(page, screen);
            }
        }
        self.window.show_on(PHONE);
        if first {
            self.judge(page, "phone");
        }
        self.reach(page, "phone");
        self.fit(page, PHONE);
        self.keep(page, "phone");
        self.window.show_on(DESK);
    }

    /// What axe-core says.
    fn judge(&mut self, page: &str, how: &str) {
        for violation in self.window.violations() {
            self.wrong(page, &format!("{how}: {violation}"));
        }
    }

    /// What the keyboard reaches.
    fn reach(&mut self, page: &str, how: &str) {
        for fault in keyboard::faults(self.window, self.language.direction) {
            self.wrong(page, &format!("{how}: {fault}"));
        }
    }

    /// Whether it can be read without scrolling to the side.
    fn fit(&mut self, page: &str, screen: Screen) {
        let widths =
            "const page = document.documentElement; return [page.scrollWidth, page.clientWidth, innerWidth]";
        let [content, shown, asked] =
            [0, 1, 2].map(|at| self.window.script(widths)[at].as_u64().unwrap_or(0));
        if content > shown {
            let width = screen.width;
            self.wrong(page, &format!("at {width} px it is {content} px wide"));
        }
        if asked != u64::from(screen.width) {
            self.wrong(
                page,
                &format!("at {} px it is laid out for {asked} px", screen.width),
            );
        }
    }

    fn keep(&self, page: &str, how: &str) {
        let tag = self.language.tag;
        self.window.whole_page(&format!("{page}-{tag}-{how}"));
    }

    fn wrong(&mut self, page: &str, why: &str) {
        let tag = self.language.tag;
        self.faults.push(format!("{page} ({tag}): {why}"));
    }

    /// Fails the test when anything is wrong.
    #[track_caller]
    pub(crate) fn verdict(self) {
        let count = self.faults.len();
        assert!(count == 0, "{count} faults:\n{}", self.faults.join("\n"));
    }
}

/// A number of a script's answer.
pub(crate) fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}
