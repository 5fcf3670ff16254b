//! The connection to oxd.

use std::time::Duration;

use super::Group::Site;
use super::{Directive, Place};
use crate::config::raw::defaults;
use crate::config::types::{CaFile, Proxy, Timeouts};
use crate::config::value::{self, Complaint, Parsed};

pub(super) fn ca_file(path: &str, place: &Place<'_, '_>) -> Parsed<CaFile> {
    let complain = |why: String| {
        Complaint::about(
            path,
            format!("a PEM file with certificates ({why}); openssl s_client -connect shows oxd's"),
        )
    };
    let bytes = place.env.read_file(path).map_err(|e| complain(e.to_string()))?;
    CaFile::parse(path, &bytes).map_err(complain)
}

pub(super) const TABLE: &[Directive] = &[
    Directive {
        name: c"OxdServer",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "URL",
        default: "none",
        summary: c"Base URL of the oxd REST API",
        details: "The address of oxd, `https://` or `http://`. A path prefix is allowed, as a gateway in front of oxd \
                  may need one. Needed wherever the module works.",
        example: "OxdServer https://127.0.0.1:8443",
        #[cfg(test)]
        good: &[&["https://oxd:8443"], &["http://h/prefix/"]],
        #[cfg(test)]
        bad: &[
            &["oxd:8443"],
            &["https://u:p@h"],
            &["ftp://h"],
            &["https://h/?x"],
            &["a", "b"],
        ],
        apply: |s, place, args| {
            let url = value::http_url(args[0])?;
            if url.query().is_some() {
                return Err(Complaint::about(args[0], "a URL without a query"));
            }
            s.server = Some(place.arena.keep(url));
            Ok(())
        },
    },
    Directive {
        name: c"OxdServerCAFile",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "FILE",
        default: "the system's roots",
        summary: c"PEM certificates trusted for OxdServer besides the system's roots",
        details: "The certificate that oxd comes with has expired, and everybody has its key: make it one of its own, and \
                  name its PEM file here.",
        example: "OxdServerCAFile /etc/apache2/oxd/oxd-server.pem",
        #[cfg(test)]
        good: &[],
        #[cfg(test)]
        bad: &[&["/none.pem"], &["/text.pem"], &["/empty"]],
        apply: |s, place, args| {
            s.server_ca = Some(place.arena.keep(ca_file(args[0], place)?));
            Ok(())
        },
    },
    Directive {
        name: c"OxdServerVerify",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "On | Off",
        default: "On",
        summary: c"Whether oxd's certificate is verified",
        details: "`Off` lets anyone on the network path to oxd read client secrets and tokens and sign in as any user; \
                  each start logs a warning. Prefer `OxdServerCAFile`.",
        example: "OxdServerVerify On",
        #[cfg(test)]
        good: &[&["On"], &["off"]],
        #[cfg(test)]
        bad: &[&["yes"], &["1"]],
        apply: |s, _, args| {
            s.server_verify = Some(value::flag(args[0])?);
            Ok(())
        },
    },
    Directive {
        name: c"OxdServerTimeout",
        group: Site,
        htaccess: false,
        arguments: 1..=2,
        syntax: "TOTAL [CONNECT]",
        default: "10s 3s",
        summary: c"Time for one call to oxd, and for the connection",
        details: "The total time includes reading the whole answer. The connect time (by default 3 s, or the total \
                  time if that is less) also limits how long a request waits for the same call of another request.",
        example: "OxdServerTimeout 10s 3s",
        #[cfg(test)]
        good: &[&["10s"], &["10s", "3s"], &["500ms"]],
        #[cfg(test)]
        bad: &[&["0"], &["-1"], &["300x"], &["1h"], &["2s", "3s"]],
        apply: |s, _, args| {
            let (least, most) = (Duration::from_millis(10), Duration::from_secs(600));
            let total = value::time(args[0], least, most)?;
            let connect = match args.get(1) {
                Some(text) => value::time(text, least, total)?,
                None => total.min(defaults::SERVER_TIMEOUT.connect),
            };
            s.server_timeout = Some(Timeouts { total, connect });
            Ok(())
        },
    },
    Directive {
        name: c"OxdServerProxy",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "URL | none",
        default: "none",
        summary: c"HTTP proxy for calls to oxd",
        details: "Proxy variables of the environment are ignored, so that no call takes an unexpected route.",
        example: "OxdServerProxy http://proxy.example.org:3128",
        #[cfg(test)]
        good: &[&["none"], &["http://proxy:3128"]],
        #[cfg(test)]
        bad: &[&["proxy:3128"]],
        apply: |s, place, args| {
            let proxy = if args[0].eq_ignore_ascii_case("none") {
                Proxy::Direct
            } else {
                Proxy::Http(value::http_url(args[0]).map_err(|c| Complaint {
                    allowed: format!("none, or {}", c.allowed),
                    ..c
                })?)
            };
            s.server_proxy = Some(place.arena.keep(proxy));
            Ok(())
        },
    },
    Directive {
        name: c"OxdServerMaxCalls",
        group: Site,
        htaccess: false,
        arguments: 1..=1,
        syntax: "NUMBER",
        default: "half of ThreadsPerChild, at least 1",
        summary: c"Maximum number of threads of a child process that wait for oxd",
        details: "Every thread that waits for oxd counts: for a call of its own, for another thread's call for the same \
                  thing, for a refresh. One more gets 503 at once, and nobody waits for another thread's call longer than \
                  the connect time. At most three quarters of ThreadsPerChild may wait, whatever the value, so that \
                  requests which need no oxd find free threads.",
        example: "OxdServerMaxCalls 10",
        #[cfg(test)]
        good: &[&["1"], &["10"]],
        #[cfg(test)]
        bad: &[&["0"], &["-1"], &["many"], &["99999999999"]],
        apply: |s, _, args| {
            s.server_max_calls = Some(value::number(args[0], 1, 10_000)?);
            Ok(())
        },
    },
];
