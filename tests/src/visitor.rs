//! Somebody who visits a site, looks at each page, and says what is as it should be: for the
//! demo and for packages, where a person reads along.

use url::Url;

use crate::answer::Answer;
use crate::browser::Browser;

/// The most forms that a provider may show before it redirects back.
const FORMS: usize = 4;

/// A browser and the page that it shows.
pub struct Visitor {
    /// The browser.
    pub browser: Browser,
    page: Option<Answer>,
}

impl Visitor {
    /// A visitor without cookies.
    pub fn new(browser: Browser) -> Visitor {
        Visitor { browser, page: None }
    }

    /// Goes to an address, and on to where the answers lead.
    #[track_caller]
    pub fn visit(&mut self, address: impl AsRef<str>) {
        self.page = Some(self.browser.follow(address));
    }

    /// Looks at an answer that came another way.
    pub fn show(&mut self, page: Answer) {
        self.page = Some(page);
    }

    /// The page that is shown.
    #[track_caller]
    pub fn page(&self) -> &Answer {
        self.page.as_ref().expect("a page has been visited")
    }

    /// Says that this is so, or fails: the status, the address (the beginning of it, where that ends
    /// with `*`), and what stands in the page.
    #[track_caller]
    pub fn expect(&self, what: &str, status: u16, address: &str, texts: &[&str]) {
        let page = self.page();
        let fail = |why: String| -> ! { panic!("not ok: {what}: {why}\n{}", page.summary()) };
        if page.status != status {
            fail(format!("expected status {status}"));
        }
        let here = page.url.as_str();
        let arrived = match address.strip_suffix('*') {
            Some(beginning) => here.starts_with(beginning),
            None => here == address,
        };
        if !arrived {
            fail(format!("expected to end at {address}"));
        }
        let body = page.text();
        if let Some(text) = texts.iter().find(|text| !body.contains(*text)) {
            fail(format!("expected {text:?} in the page"));
        }
        println!("  ok  {what}");
    }

    /// Fills in the form with this button, presses it, and goes where that leads.
    #[track_caller]
    pub fn submit(&mut self, button: &str, values: &[(&str, &str)]) {
        let page = self.page();
        let Some((mut form, button)) = page.page().form_with_button(button) else {
            panic!("no button {button:?} in {}", page.summary());
        };
        for (name, value) in values {
            form.fill(name, value);
        }
        let fields = form.press(&button);
        let fields: Vec<_> = fields.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        let target = page.url.join(&form.action).expect("the form's action");
        // What a browser says of where a form stands.
        let here = page.url.origin();
        let site = if here == target.origin() {
            "same-origin"
        } else {
            "same-site"
        };
        let ask = self.browser.ask("POST", target).header("sec-fetch-site", site);
        let answer = ask
            .header("origin", &here.ascii_serialization())
            .form(&fields)
            .send();
        self.page = Some(self.browser.follow_from(answer));
    }

    /// Fills in the form of the development provider.
    #[track_caller]
    pub fn give_password(&mut self, password: &str) {
        self.submit("sign-in", &[("username", "test_user"), ("password", password)]);
    }

    /// Signs in at the development provider, and agrees, until it sends the visitor back.
    #[track_caller]
    pub fn sign_in(&mut self) {
        let provider = self.page().url.origin();
        for _ in 0..FORMS {
            if self.page().url.origin() != provider {
                return;
            }
            match self.page().page().form_with_button("sign-in") {
                Some(_) => self.give_password("secret"),
                None => self.submit("allow", &[]),
            }
        }
        panic!(
            "the provider does not send the visitor back: {}",
            self.page().summary()
        );
    }

    /// Goes to where the first element of the page with this name leads, by this attribute.
    #[track_caller]
    pub fn follow(&mut self, element: &str, attribute: &str) {
        let page = self.page();
        let html = page.page();
        let value = html.all(element).find_map(|element| element.attribute(attribute));
        let value = value.unwrap_or_else(|| panic!("no {element} with {attribute}: {}", page.summary()));
        let target: Url = page.url.join(value).expect("an address");
        self.visit(target);
    }
}
