//! Addresses that are too long, or that would be read as another host.

use super::*;
use crate::config::RawSettings;
use crate::testing::{Browser, site};

#[test]
fn an_address_that_is_too_long_loses_its_query_and_then_its_path() {
    let file = site("s");
    let default = "/start".to_owned();
    let browser = Browser::at(RawSettings {
        site: Some(&file),
        default_url: Some(&default),
        ..RawSettings::default()
    });
    let own = |target: &str| browser.look(target, |ctx| own_address(ctx));
    let of_length = |begin: &str, length: usize| format!("{begin}{}", "x".repeat(length - begin.len()));
    let longest = of_length("/app?q=", LINK_LIMIT);
    assert_eq!(own(&longest), longest);
    assert_eq!(own(&format!("{longest}x")), "/app");
    let path = of_length("/", COOKIE_LIMIT);
    assert_eq!(own(&of_length(&format!("{path}?"), LINK_LIMIT + 1)), path);
    assert_eq!(own(&of_length(&format!("{path}x?"), LINK_LIMIT + 1)), "/start");
    // One that is not plain, and so is read and written anew.
    let other = "https://app.example";
    let odd = of_length("//app?q=", LINK_LIMIT - other.len());
    assert_eq!(own(&odd), format!("{other}{odd}"));
    assert_eq!(own(&format!("{odd}x")), format!("{other}//app"));
    assert_eq!(own("//app?q=x"), format!("{other}//app?q=x"));
}

#[test]
fn a_login_is_started_over_where_there_is_a_handler_or_a_page() {
    let file = site("s");
    let browser = Browser::at(RawSettings {
        site: Some(&file),
        ..RawSettings::default()
    });
    browser.look("/app", |ctx| {
        assert_eq!(
            start_over(ctx, Some("/app?x=1")).as_deref(),
            Some("/oxd/login?return_to=%2Fapp%3Fx%3D1")
        );
        assert_eq!(start_over(ctx, None).as_deref(), Some("/oxd/login"));
        assert_eq!(
            other_account_link(ctx, "/app").as_deref(),
            Some("/oxd/login?return_to=%2Fapp&prompt=login")
        );
        assert_eq!(below(ctx, "claims"), "/oxd/claims");
    });
}
