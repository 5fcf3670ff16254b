//! The test bed: runs the built module in a real httpd, against the development oxd server, and
//! plays the browser.
//!
//! A suite describes what it wants with [`TestSite`] (or with [`Httpd`] alone), asks with
//! [`Browser`] and looks at the [`Answer`]. When a test ends, its httpd is stopped and the test
//! fails if httpd left an unexpected line in its error log, lost a child or ended badly.
//!
//! The bed asserts by panicking: each function that can fail fails the test that called it.

mod answer;
mod axe;
mod browser;
mod builder;
mod certificate;
mod certified;
mod chromedriver;
mod configuration;
mod connection;
mod counted;
mod freed;
mod html;
mod httpd;
mod httpd_log;
mod install;
mod memcached;
mod module;
mod npm;
mod port;
mod process;
mod proxy;
mod raw;
mod redis;
mod redis_group;
mod redis_node;
mod signin;
mod site;
mod store;
mod store_server;
mod visitor;
mod wait;
mod webdriver;

pub use answer::{Answer, Cookie};
pub use browser::{Ask, Browser};
pub use certificate::{Authority, Certificate};
pub use certified::CertifiedProvider;
pub use connection::{Brief, Connection};
pub use counted::valgrind;
pub use freed::compile_shared;
pub use html::{Element, Form, Page};
pub use httpd::{Builder, ConfigTest, Httpd, Mpm};
pub use httpd_log::unexpected;
pub use install::Install;
pub use module::module;
pub use port::Port;
pub use process::{end_children, kill_group, kill_process};
pub use proxy::Proxy;
pub use raw::{raw, raw_connection};
pub use redis_group::RedisGroup;
pub use redis_node::RedisNode;
pub use signin::{Approval, Farewell, Walk, approve, begin, decide, sign_in, sign_in_as, sign_out};
pub use site::{DEMO_SUB, SHOWS_TOKENS, SiteBuilder, TestSite, user};
pub use store::{PATIENT, Store, StoreKind};
pub use store_server::{Entry, StoreServer};
pub use visitor::Visitor;
pub use wait::{WAIT, wait_until, within};
pub use webdriver::{Screen, WebDriver};

/// The name of the running test as a file name: the test runner names a test's thread after it.
pub(crate) fn test_name() -> String {
    let thread = std::thread::current();
    let name = thread.name().filter(|name| *name != "main").unwrap_or("bed");
    name.chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect()
}
