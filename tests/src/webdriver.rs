//! A real browser: headless Chromium, driven through the W3C WebDriver protocol.
//!
//! The handful of commands that the suites need is spoken here, over the client that the bed has
//! anyway; the crates for it bring an asynchronous runtime and a second HTTP stack along.

use std::fs;
use std::path::PathBuf;
use std::process::Child;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::blocking::Client;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::client;
use crate::chromedriver::{capabilities, launch};
use crate::module::target_dir;
use crate::wait::{WAIT, within};

/// The member that holds an element's id in a WebDriver answer; its name is part of the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How often a browser is started that does not come up.
const STARTS: usize = 3;
/// How long the start of Chromium may take: longer than chromedriver waits for it.
const START: Duration = Duration::from_secs(90);

/// A screen.
#[derive(Clone, Copy, Debug)]
pub struct Screen {
    /// In CSS pixels.
    pub width: u32,
    /// In CSS pixels.
    pub height: u32,
    /// Pixels of the device in a CSS pixel: 2 is a zoom of 200 %.
    pub scale: u32,
    /// Whether it is a phone's, where pages say how wide they want to be.
    pub mobile: bool,
}

/// A window of headless Chromium, with a profile of its own. Gone when dropped.
pub struct WebDriver {
    driver: Child,
    client: Client,
    session: String,
    name: String,
    _profile: TempDir,
}

impl WebDriver {
    /// Starts chromedriver on a free port and Chromium with an empty profile. Screenshots are named
    /// after `name`.
    pub fn start(name: &str) -> WebDriver {
        let mut faults = Vec::new();
        while faults.len() < STARTS {
            match WebDriver::try_start(name) {
                Ok(window) => return window,
                Err(why) => faults.push(why),
            }
        }
        panic!("no browser starts:\n{}", faults.join("\n"));
    }

    /// chromedriver chooses a port for IPv6 and ends when that of IPv4 with the same number is in use, which nobody can
    /// know before; and Chromium has to come up within chromedriver's time.
    fn try_start(name: &str) -> Result<WebDriver, String> {
        let (driver, port) = launch();
        let profile = tempfile::Builder::new().prefix("oxd-chromium-").tempdir();
        let profile = profile.unwrap_or_else(|error| panic!("no directory for a profile: {error}"));
        let mut window = WebDriver {
            driver,
            client: client(1, None),
            session: String::new(),
            name: name.to_owned(),
            _profile: profile,
        };
        window.session = format!("http://127.0.0.1:{}/session", port?);
        let profile = window._profile.path().display().to_string();
        let session = window.try_call("POST", "", &capabilities(&profile))?;
        let id = session["sessionId"]
            .as_str()
            .expect("the id of the WebDriver session");
        window.session = format!("{}/{id}", window.session);
        Ok(window)
    }

    /// Opens an address and waits until the page has loaded.
    #[track_caller]
    pub fn open(&self, url: &str) {
        self.call("POST", "/url", &json!({ "url": url }));
    }

    /// The address of the page.
    #[track_caller]
    pub fn url(&self) -> String {
        self.text_of(&self.call("GET", "/url", &Value::Null))
    }

    /// The title of the page.
    #[track_caller]
    pub fn title(&self) -> String {
        self.text_of(&self.call("GET", "/title", &Value::Null))
    }

    /// The text of the page as a reader sees it.
    #[track_caller]
    pub fn text(&self) -> String {
        // The page may be exchanged for another in between.
        let text = within(WAIT, || {
            let body = self.element("body");
            let path = format!("/element/{body}/text");
            self.try_call("GET", &path, &Value::Null).ok()
        });
        self.text_of(&text.unwrap_or_default())
    }

    /// Clicks what a CSS selector finds, waiting until it is there.
    #[track_caller]
    pub fn click(&self, css: &str) {
        // The page may be replaced between the search and the click.
        let clicked = within(WAIT, || {
            let element = self.element(css);
            let outcome = self.try_call("POST", &format!("/element/{element}/click"), &json!({}));
            match outcome {
                // Chromium says the latter when the page goes while it looks at the element.
                Err(why)
                    if why.contains("stale element") || why.contains("does not belong to the document") =>
                {
                    None
                }
                outcome => Some(outcome),
            }
        });
        match clicked {
            Some(Ok(_)) => {}
            Some(Err(why)) => panic!("WebDriver click {css}: {why}"),
            None => panic!("{css} never stays long enough to be clicked"),
        }
    }

    /// Types into what a CSS selector finds.
    #[track_caller]
    pub fn fill(&self, css: &str, text: &str) {
        let element = self.element(css);
        self.call(
            "POST",
            &format!("/element/{element}/value"),
            &json!({ "text": text }),
        );
    }

    /// Opens a tab and turns to it; it is the last of the windows.
    #[track_caller]
    pub fn new_tab(&self) {
        let tab = self.call("POST", "/window/new", &json!({ "type": "tab" }));
        self.call("POST", "/window", &json!({ "handle": tab["handle"] }));
    }

    /// Turns to another window, counted from 0 in the order in which they were opened.
    #[track_caller]
    pub fn turn_to(&self, window: usize) {
        let handle = within(WAIT, || {
            let handles = self.call("GET", "/window/handles", &Value::Null);
            handles.get(window).cloned()
        });
        let handle = handle.unwrap_or_else(|| panic!("there is no window {window}"));
        self.call("POST", "/window", &json!({ "handle": handle }));
    }

    /// Goes back, as the button does.
    #[track_caller]
    pub fn back(&self) {
        self.call("POST", "/back", &json!({}));
    }

    /// Runs a script in the page and returns its value.
    #[track_caller]
    pub fn script(&self, script: &str) -> Value {
        self.script_with(script, &json!([]))
    }

    /// Runs a script with `arguments` in the page and returns its value, or what its promise comes to. Unlike the
    /// page's own, it is not subject to the page's policy.
    #[track_caller]
    pub fn script_with(&self, script: &str, arguments: &Value) -> Value {
        self.call(
            "POST",
            "/execute/sync",
            &json!({ "script": script, "args": arguments }),
        )
    }

    /// Presses and releases a key; `'\u{E004}'` and the like are WebDriver's names of keys without a letter.
    #[track_caller]
    pub fn press(&self, key: char) {
        let strokes = json!([{ "type": "keyDown", "value": key }, { "type": "keyUp", "value": key }]);
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.call("POST", "/actions", &json!({ "actions": [keyboard] }));
    }

    /// Runs a script in the frame that a CSS selector finds.
    #[track_caller]
    pub fn frame_script(&self, css: &str, script: &str) -> Value {
        let frame = self.element(css);
        self.call("POST", "/frame", &json!({ "id": { ELEMENT: frame } }));
        let value = self.script(script);
        self.call("POST", "/frame", &json!({ "id": null }));
        value
    }

    /// Sets the size of the window in CSS pixels.
    #[track_caller]
    pub fn resize(&self, width: u32, height: u32) {
        self.call(
            "POST",
            "/window/rect",
            &json!({ "width": width, "height": height }),
        );
    }

    /// Asks pages for their `dark` or `light` colours from now on.
    #[track_caller]
    pub fn prefer(&self, colours: &str) {
        self.media(&[("prefers-color-scheme", colours)]);
    }

    /// Lets these media features have these values from now on, and all others their own.
    #[track_caller]
    pub fn media(&self, features: &[(&str, &str)]) {
        let features = features
            .iter()
            .map(|(name, value)| json!({ "name": name, "value": value }));
        let features: Vec<_> = features.collect();
        self.command("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// Shows pages as on the screen of a phone of this size in CSS pixels; unlike a window, it may be that small.
    #[track_caller]
    pub fn screen(&self, width: u32, height: u32) {
        self.show_on(Screen {
            width,
            height,
            scale: 1,
            mobile: true,
        });
    }

    /// Shows pages as on this screen.
    #[track_caller]
    pub fn show_on(&self, screen: Screen) {
        let size = json!({
            "width": screen.width,
            "height": screen.height,
            "deviceScaleFactor": screen.scale,
            "mobile": screen.mobile,
        });
        self.command("Emulation.setDeviceMetricsOverride", &size);
    }

    /// Asks for pages in these languages from now on, as the `Accept-Language` of HTTP names them.
    #[track_caller]
    pub fn speak(&self, languages: &str) {
        let agent = self.script("return navigator.userAgent");
        let user = json!({ "userAgent": agent, "acceptLanguage": languages });
        self.command("Emulation.setUserAgentOverride", &user);
    }

    /// Forgets all cookies.
    #[track_caller]
    pub fn forget(&self) {
        self.command("Network.clearBrowserCookies", &json!({}));
    }

    /// A command of Chromium's own, which is no part of WebDriver.
    #[track_caller]
    pub(crate) fn command(&self, name: &str, parameters: &Value) -> Value {
        let command = json!({ "cmd": name, "params": parameters });
        self.call("POST", "/goog/cdp/execute", &command)
    }

    /// Waits until the page's address holds this; fails the test when it never does.
    #[track_caller]
    pub fn wait_for_url(&self, part: &str) {
        let found = within(WAIT, || self.url().contains(part).then_some(()));
        assert!(found.is_some(), "still at {} instead of {part}", self.url());
    }

    /// Keeps a picture of the whole page below `screenshots` in cargo's target directory.
    #[track_caller]
    pub fn screenshot(&self, page: &str) -> PathBuf {
        let size = self
            .script("return [outerWidth, outerHeight, document.documentElement.scrollHeight - innerHeight]");
        let size = [0, 1, 2].map(|at| size[at].as_i64().unwrap_or_default().max(0) as u32);
        let [width, height, below] = size;
        self.resize(width, height + below);
        let file = self.picture(page);
        self.resize(width, height);
        file
    }

    /// The same on a screen of [`WebDriver::show_on`], whose width stays as it is.
    #[track_caller]
    pub fn whole_page(&self, page: &str) -> PathBuf {
        let whole = json!({ "captureBeyondViewport": true });
        let picture = self.command("Page.captureScreenshot", &whole);
        self.keep(page, &self.text_of(&picture["data"]))
    }

    #[track_caller]
    fn picture(&self, page: &str) -> PathBuf {
        let picture = self.text_of(&self.call("GET", "/screenshot", &Value::Null));
        self.keep(page, &picture)
    }

    #[track_caller]
    fn keep(&self, page: &str, picture: &str) -> PathBuf {
        let picture = BASE64_STANDARD.decode(picture).expect("a picture in base64");
        let directory = target_dir().join("screenshots");
        fs::create_dir_all(&directory).expect("the directory for screenshots");
        let file = directory.join(format!("{}-{page}.png", self.name));
        fs::write(&file, picture).expect("the screenshot can be written");
        file
    }

    #[track_caller]
    fn element(&self, css: &str) -> String {
        let find = json!({ "using": "css selector", "value": css });
        let found = within(WAIT, || {
            let answer = self.try_call("POST", "/element", &find).ok()?;
            Some(answer[ELEMENT].as_str()?.to_owned())
        });
        found.unwrap_or_else(|| panic!("{} has no {css}", self.url()))
    }

    #[track_caller]
    fn text_of(&self, value: &Value) -> String {
        value
            .as_str()
            .unwrap_or_else(|| panic!("not text: {value}"))
            .to_owned()
    }

    #[track_caller]
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_call(method, path, body);
        answer.unwrap_or_else(|error| panic!("WebDriver {method} {path}: {error}"))
    }

    fn try_call(&self, method: &str, path: &str, body: &Value) -> Result<Value, String> {
        let method = reqwest::Method::from_bytes(method.as_bytes()).map_err(|e| e.to_string())?;
        let mut request = self.client.request(method, format!("{}{path}", self.session));
        if path.is_empty() {
            request = request.timeout(START);
        }
        if !body.is_null() {
            request = request
                .header("content-type", "application/json")
                .body(body.to_string());
        }
        let response = request.send().map_err(|error| error.to_string())?;
        let ok = response.status().is_success();
        let text = response.text().map_err(|error| error.to_string())?;
        let mut answer: Value = serde_json::from_str(&text).map_err(|e| e.to_string())?;
        if ok { Ok(answer["value"].take()) } else { Err(text) }
    }
}

impl Drop for WebDriver {
    fn drop(&mut self) {
        // Chromium ends with its session, or else with its driver.
        let _ = self.try_call("DELETE", "", &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
