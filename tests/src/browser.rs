//! A browser without a window: requests with a cookie jar, one at a time, redirects left alone.

use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, Once, OnceLock};
use std::time::Duration;

use cookie_store::CookieStore;
use reqwest::blocking::{Client, RequestBuilder};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Certificate, Method};
use url::{Url, form_urlencoded};

use crate::answer::{Answer, Cookie};

/// The number of redirects in a row that counts as a loop.
const REDIRECTS: usize = 20;

/// The largest cookie that browsers keep, name and value together.
const COOKIE: usize = 4096;

/// The header fields that Chromium sends for a typed address or a link.
const NAVIGATION: [(&str, &str); 5] = [
    (
        "accept",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    ),
    ("accept-language", "en-US,en;q=0.9"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) Chrome/142.0.0.0 Safari/537.36",
    ),
];

/// Somebody's browser: cookies of its own, and the header fields of a navigation unless a request
/// says otherwise. Every name resolves to 127.0.0.1.
pub struct Browser {
    client: Client,
    jar: Mutex<CookieStore>,
}

impl Default for Browser {
    fn default() -> Browser {
        Browser::new()
    }
}

impl Browser {
    /// A browser without cookies. Each request has a connection of its own.
    pub fn new() -> Browser {
        static CLIENT: OnceLock<Client> = OnceLock::new();
        Browser::with_client(CLIENT.get_or_init(|| client(0, None)).clone())
    }

    /// A browser that keeps its connections for the next request.
    pub fn keeping_connections() -> Browser {
        Browser::with_client(client(8, None))
    }

    /// A browser that trusts only this authority, in PEM.
    pub fn trusting(authority: &str) -> Browser {
        Browser::with_client(client(0, Some(authority)))
    }

    fn with_client(client: Client) -> Browser {
        Browser {
            client,
            jar: Mutex::new(CookieStore::new()),
        }
    }

    /// A browser with the cookies that [`Browser::keep_cookies_in`] has left, or none without that file.
    #[track_caller]
    pub fn with_cookies_in(file: &Path) -> Browser {
        let browser = Browser::new();
        match File::open(file).map(BufReader::new) {
            Ok(file) => {
                let jar = cookie_store::serde::json::load_all(file);
                *browser.lock() = jar.unwrap_or_else(|error| panic!("kept cookies: {error}"));
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => panic!("{}: {error}", file.display()),
        }
        browser
    }

    /// Writes the cookies to a file, those included that end with the browser.
    #[track_caller]
    pub fn keep_cookies_in(&self, file: &Path) {
        let mut open = File::create(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let kept = cookie_store::serde::json::save_incl_expired_and_nonpersistent(&self.lock(), &mut open);
        kept.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }

    /// Another browser with a copy of this one's cookies.
    pub fn copy(&self) -> Browser {
        Browser {
            client: self.client.clone(),
            jar: Mutex::new(self.lock().clone()),
        }
    }

    /// Asks for a page, as a navigation does.
    #[track_caller]
    pub fn get(&self, url: impl AsRef<str>) -> Answer {
        self.ask("GET", url).send()
    }

    /// Asks for the header fields of a page only.
    #[track_caller]
    pub fn head(&self, url: impl AsRef<str>) -> Answer {
        self.ask("HEAD", url).send()
    }

    /// Sends a form.
    #[track_caller]
    pub fn post(&self, url: impl AsRef<str>, fields: &[(&str, &str)]) -> Answer {
        self.ask("POST", url).form(fields).send()
    }

    /// Asks for a page and goes where the answers send it; returns the last answer.
    #[track_caller]
    pub fn follow(&self, url: impl AsRef<str>) -> Answer {
        self.follow_from(self.get(url))
    }

    /// Goes where an answer sends it; returns the last answer.
    #[track_caller]
    pub fn follow_from(&self, mut answer: Answer) -> Answer {
        for _ in 0..REDIRECTS {
            match answer.status {
                301..=303 => answer = self.get(answer.location()),
                _ => return answer,
            }
        }
        panic!("a redirect loop, last {}", answer.summary());
    }

    /// Begins a request that is not a plain navigation.
    #[track_caller]
    pub fn ask(&self, method: &str, url: impl AsRef<str>) -> Ask<'_> {
        let url = url.as_ref();
        let url = Url::parse(url).unwrap_or_else(|error| panic!("the address {url:?}: {error}"));
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        Ask {
            browser: self,
            url,
            method,
            headers: NAVIGATION
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
            body: None,
            stored: true,
        }
    }

    /// The cookies that a request to this address would carry, name and value.
    pub fn cookies(&self, url: impl AsRef<str>) -> Vec<(String, String)> {
        let url = Url::parse(url.as_ref()).expect("an address");
        let jar = self.lock();
        let mut cookies: Vec<_> = jar
            .get_request_values(&url)
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        cookies.sort();
        cookies
    }

    /// The names and values of the cookies whose name begins like this.
    pub fn cookies_named(&self, prefix: &str, url: impl AsRef<str>) -> Vec<(String, String)> {
        let mut cookies = self.cookies(url);
        cookies.retain(|(name, _)| name.starts_with(prefix));
        cookies
    }

    /// Puts a cookie into the jar as if the server at this address had set it.
    #[track_caller]
    pub fn set_cookie(&self, cookie: &str, url: impl AsRef<str>) {
        let url = Url::parse(url.as_ref()).expect("an address");
        let stored = self.lock().parse(cookie, &url);
        stored.unwrap_or_else(|error| panic!("the cookie {cookie:?}: {error}"));
    }

    /// Forgets the cookies whose name begins like this.
    pub fn forget(&self, prefix: &str) {
        let mut jar = self.lock();
        let found: Vec<_> = jar
            .iter_any()
            .filter(|cookie| cookie.name().starts_with(prefix))
            .map(|cookie| {
                let domain = String::from(&cookie.domain);
                (domain, String::from(&cookie.path), cookie.name().to_owned())
            })
            .collect();
        for (domain, path, name) in found {
            jar.remove(&domain, &path, &name);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, CookieStore> {
        self.jar.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// A request in the making.
pub struct Ask<'a> {
    browser: &'a Browser,
    url: Url,
    method: Method,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
    stored: bool,
}

impl Ask<'_> {
    /// Sets a header field instead of what a navigation sends.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Leaves out a header field that a navigation sends.
    pub fn without(mut self, name: &str) -> Self {
        self.headers
            .retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self
    }

    /// Sends form fields.
    pub fn form(mut self, fields: &[(&str, &str)]) -> Self {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        self = self.header("content-type", "application/x-www-form-urlencoded");
        self.body(body.into_bytes())
    }

    /// Sends a body.
    pub fn body(mut self, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self
    }

    /// Sends this `Cookie` field instead of the jar's cookies and keeps nothing of the answer's.
    pub fn cookie_field(mut self, value: &str) -> Self {
        self.stored = false;
        self.header("cookie", value)
    }

    /// Sends the request and reads the whole answer.
    #[track_caller]
    pub fn send(self) -> Answer {
        let url = self.url.clone();
        self.try_send().unwrap_or_else(|error| panic!("{url}: {error:?}"))
    }

    /// Sends the request; an error when there was no complete answer.
    pub fn try_send(self) -> Result<Answer, reqwest::Error> {
        let mut request: RequestBuilder = self.browser.client.request(self.method, self.url.clone());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if self.stored {
            let cookies = self.browser.cookies(&self.url);
            if !cookies.is_empty() {
                let pairs: Vec<_> = cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
                request = request.header("cookie", pairs.join("; "));
            }
        }
        if let Some(body) = self.body {
            request = request.body(body);
        }
        let response = request.send()?;
        let answer = Answer {
            url: self.url,
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes()?.to_vec(),
        };
        if self.stored {
            let mut cookies: Vec<Cookie> = answer.set_cookies();
            // Browsers do not take larger ones, and do not say so.
            cookies.retain(|cookie| cookie.name().len() + cookie.value().len() <= COOKIE);
            self.browser
                .lock()
                .store_response_cookies(cookies.into_iter(), &answer.url);
        }
        Ok(answer)
    }
}

/// Resolves every name to this machine, so that a test can use several.
struct Here;

impl Resolve for Here {
    fn resolve(&self, _name: Name) -> Resolving {
        let here: Addrs = Box::new(std::iter::once(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
        Box::pin(std::future::ready(Ok(here)))
    }
}

pub(crate) fn client(idle_connections: usize, authority: Option<&str>) -> Client {
    static PROVIDER: Once = Once::new();
    PROVIDER.call_once(|| {
        // Somebody in this process may have installed one already: theirs will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    let authorities = authority.map(|pem| {
        Certificate::from_pem(pem.as_bytes()).unwrap_or_else(|error| panic!("authority: {error}"))
    });
    Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .http1_only()
        .referer(false)
        .timeout(Duration::from_secs(60))
        .pool_max_idle_per_host(idle_connections)
        .dns_resolver(Arc::new(Here))
        .tls_certs_only(authorities)
        .build()
        .unwrap_or_else(|error| panic!("no HTTP client: {error}"))
}
