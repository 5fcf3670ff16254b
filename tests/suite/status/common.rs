//! A site that is watched: its access log, its status page, its metrics.

use std::fs;

use oxd_dev::Fault;
use oxd_tests::{Answer, Browser, Httpd, SiteBuilder, TestSite, WAIT, approve, begin, within};
use serde_json::json;

/// What an operator configures to watch the module. `X-Mark` is how a test finds the line of a request of its own.
pub(crate) const WATCHED: &str = r#"
LogFormat "%{X-Mark}i %P %s %{oxd-reason}n %{oxd-ref}n" watched
CustomLog "${ROOT}/access.log" watched
<Location /oxd-status>
    SetHandler oxd-status
    Require ip 127.0.0.1
</Location>
<Location /oxd-metrics>
    SetHandler oxd-metrics
    Require ip 127.0.0.1
</Location>
"#;

/// A line of the access log.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) mark: String,
    /// The process that answered.
    pub(crate) process: String,
    pub(crate) status: String,
    /// The code of what the module answered; `-` where it answered nothing of its own.
    pub(crate) code: String,
    pub(crate) reference: String,
}

/// A site with all that, whose calls to oxd end soon. Its log may tell of what the suite does to it.
pub(crate) fn watched() -> SiteBuilder {
    TestSite::builder()
        .directives("OxdServerTimeout 1s 1s")
        .config(WATCHED)
        .httpd(|httpd| httpd.allow_log(r"\[oxd:(warn|error)\]|AH01630: client denied"))
}

/// All lines of the access log.
pub(crate) fn access_log(httpd: &Httpd) -> Vec<Line> {
    let text = fs::read_to_string(httpd.file("access.log")).unwrap_or_default();
    // The last line may not be whole yet.
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let line = |line: &str| {
        let words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        let [mark, process, status, code, reference] = words.try_into().expect("five words");
        Line {
            mark,
            process,
            status,
            code,
            reference,
        }
    };
    whole.lines().map(line).collect()
}

/// The only line that is so; httpd writes it when the answer has been sent already.
#[track_caller]
pub(crate) fn logged(httpd: &Httpd, is_it: impl Fn(&Line) -> bool) -> Line {
    let find = || {
        let mut lines = access_log(httpd);
        lines.retain(|line| is_it(line));
        (!lines.is_empty()).then_some(lines)
    };
    let found = within(WAIT, find).unwrap_or_default();
    match <[Line; 1]>::try_from(found) {
        Ok([line]) => line,
        Err(lines) => panic!("{lines:?} in {:?}", access_log(httpd)),
    }
}

/// A refusal in oxd's own words.
pub(crate) fn refusal(code: u16, error: &str, description: &str) -> Fault {
    let body = json!({ "error": error, "error_description": description, "details": null });
    Fault::Status {
        code,
        body: body.to_string(),
        content_type: "application/json".to_owned(),
    }
}

/// Brings a good callback while this command fails like this.
#[track_caller]
pub(crate) fn callback_with(site: &TestSite, command: &str, fault: Fault) -> Answer {
    let browser = Browser::new();
    let start = begin(&browser, site.url("/app/"));
    let approval = approve(&browser, &start.location());
    site.oxd.fault(command, fault);
    let answer = approval.deliver(&browser);
    site.oxd.clear_faults();
    answer
}

/// A request as a program makes it: without cookies, without what browsers say.
pub(crate) fn by_program(method: &str, url: &str, fields: &[(&str, &str)]) -> Answer {
    let nobody = Browser::new();
    let ask = nobody.ask(method, url).header("accept", "*/*");
    let ask = ask.without("sec-fetch-dest").without("sec-fetch-mode");
    if fields.is_empty() {
        ask.send()
    } else {
        ask.form(fields).send()
    }
}
