//! What may be typed as the value of an option.

use std::time::Duration;

use oxd_core::config::ClientAuth;
use oxd_core::config::value::{self, Complaint};
use url::Url;

pub fn complaint(complaint: &Complaint) -> String {
    format!("must be {}", complaint.allowed)
}

pub fn server_url(text: &str) -> Result<Url, String> {
    let url = value::http_url(text).map_err(|why| complaint(&why))?;
    if url.query().is_some() {
        return Err("must have no query".to_owned());
    }
    Ok(url)
}

pub fn client_auth(text: &str) -> Result<ClientAuth, String> {
    let args: Vec<&str> = text.split_ascii_whitespace().collect();
    ClientAuth::parse(&args).map_err(|why| complaint(&why))
}

pub fn absolute_url(text: &str) -> Result<String, String> {
    value::http_url(text).map_err(|why| complaint(&why))?;
    Ok(text.to_owned())
}

pub fn time(text: &str) -> Result<Duration, String> {
    value::time(text, Duration::from_millis(10), Duration::from_secs(600)).map_err(|why| complaint(&why))
}
