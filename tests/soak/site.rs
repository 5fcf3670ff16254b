//! The site of one store's turn.

use std::time::Duration;

use oxd_tests::{Install, Mpm, SiteBuilder, Store, StoreKind, TestSite, user};
use serde_json::json;

/// How long a session lives: long enough to be visited, short enough to end during a turn.
pub const LIFETIME: Duration = Duration::from_secs(150);

/// Everybody's password.
pub const PASSWORD: &str = "secret";

/// How long an access token works; it is refreshed when half of that is left.
const TOKEN: Duration = Duration::from_secs(12);

/// The child processes that httpd begins with, and keeps.
pub const CHILDREN: usize = 2;

/// The name of a visitor of a thread.
pub fn name(thread: usize, visitor: usize) -> String {
    format!("u{thread}-{visitor}")
}

/// Starts httpd and its oxd server. With piped logs `rotatelogs` writes and rotates them, every so many seconds.
pub fn start(store: &Store, visitors: impl Iterator<Item = String>, rotated_every: Option<u64>) -> TestSite {
    let people = visitors.map(|name| {
        let email = format!("{name}@example.org");
        user(
            &name,
            json!({ "email": email, "email_verified": true, "name": name, "groups": ["a", "b"] }),
        )
    });
    let people = people.collect();
    let site = match store.kind() {
        // The bed's is too small for all sessions of a turn: it would forget some.
        StoreKind::Shmcb => builder()
            .httpd(|httpd| httpd.load("socache_shmcb"))
            .directives(SHMCB),
        _ => builder().store(store),
    };
    site.provider(|provider| {
        provider.users = people;
        provider.consent = false;
        provider.access_token_lifetime = TOKEN;
    })
    .backchannel_logout()
    .directives(DIRECTIVES)
    .config(&logs(rotated_every))
    .config(PLACES)
    .start()
}

fn builder() -> SiteBuilder {
    TestSite::builder().mpm(Mpm::Event).httpd(|httpd| {
        httpd.file("oxd-key", &key(0));
        httpd.file("oxd-key.old", &key(0));
        // What is overwritten when it is freed, and what that costs, is not what an administrator runs. And this
        // program has an eye of its own on the log: the bed lets every line pass.
        httpd.without_overwriting().log_level("warn").allow_log("")
    })
}

/// The text of the key of this number.
pub fn key(number: u64) -> String {
    format!("soak key number {number}, which is long enough\n")
}

const SHMCB: &str = "OxdSessionStore \"shmcb:${ROOT}/run/sessions(33554432)\"";

const DIRECTIVES: &str = r#"
OxdServerTimeout 8s 4s
OxdSessionLifetime 150s
OxdCryptoKey "file:${ROOT}/oxd-key" "file:${ROOT}/oxd-key.old"
OxdTokenRefresh 6s
OxdUserInfo On 10s
"#;

/// The bed's own limits make few children, and change their number; here it stays.
const PLACES: &str = r#"
StartServers 2
ServerLimit 12
ThreadsPerChild 24
ThreadLimit 24
MinSpareThreads 1
MaxSpareThreads 48
MaxRequestWorkers 48
KeepAliveTimeout 20
Header always set Soak-Time "%D"
Alias /api ${ROOT}/docroot/app
Alias /tokens ${ROOT}/docroot/app
<Location /app>
    Header set Soak-User "expr=%{REMOTE_USER} %{oxd_claim:email}"
</Location>
<Location /tokens>
    AuthType oxd
    Require valid-user
    OxdPassTokens access_token
    Header set Soak-Token "expr=%{reqenv:OXD_ACCESS_TOKEN}"
</Location>
<Location /api>
    AuthType oxd
    Require valid-user
    OxdBearer jwt introspect
    OxdBearerCache 10s 200
    Header set Soak-User "expr=%{REMOTE_USER}"
</Location>
<Location /metrics>
    SetHandler oxd-metrics
    Require local
</Location>
<Location /health>
    SetHandler oxd-health
    Require local
</Location>
"#;

fn logs(rotated_every: Option<u64>) -> String {
    let format = "LogFormat \"%h %t \\\"%r\\\" %>s %D %{oxd-reason}n %{oxd-ref}n\" soak\n";
    let Some(seconds) = rotated_every else {
        return format!(
            "{format}CustomLog \"${{ROOT}}/access.log\" soak\nOxdAuditLog \"${{ROOT}}/audit.log\"\n"
        );
    };
    // The bed looks for httpd's start in the file that -L names.
    let program = Install::get().binary.with_file_name("rotatelogs");
    let program = if program.is_file() {
        program
    } else {
        "/usr/bin/rotatelogs".into()
    };
    let pipe =
        |name: &str, more: &str| format!("\"|{} {more}-n 3 ${{ROOT}}/{name} {seconds}\"", program.display());
    format!(
        "{format}ErrorLog \"|{} -L ${{ROOT}}/error.log ${{ROOT}}/error-piped.%s {seconds}\"\n\
         CustomLog {} soak\nOxdAuditLog {}\n",
        program.display(),
        pipe("access-piped", ""),
        pipe("audit-piped", "")
    )
}
