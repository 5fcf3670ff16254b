//! The demo: httpd with the module, and the development oxd server with its built-in provider, on
//! 127.0.0.1. It ends on Ctrl-C and leaves nothing behind. `make demo` builds and runs it.

#![forbid(unsafe_code)]

mod directory;
mod ports;
mod servers;
mod signals;
mod walk;

use std::io::Write as _;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::process::ExitCode;

use clap::Parser;

use ports::Ports;
use servers::{Servers, last_lines};
use signals::Signals;

/// httpd with mod_oxd and a sign-in to try
#[derive(Parser)]
#[command(name = "oxd-demo", version)]
struct Arguments {
    /// Where httpd listens, on 127.0.0.1
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "8080",
        allow_hyphen_values = true
    )]
    port: String,
    /// Where the oxd API listens
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "8443",
        allow_hyphen_values = true
    )]
    oxd_port: String,
    /// Where the OpenID Provider listens
    #[arg(
        long,
        value_name = "NUMBER",
        default_value = "8444",
        allow_hyphen_values = true
    )]
    provider_port: String,
    /// Choose free ports, sign in and out, and end
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    // The bed asserts by panicking; here a person reads why.
    std::panic::set_hook(Box::new(|panic| {
        if !signals::ending() {
            eprintln!("demo: {}", message(panic));
        }
    }));
    let arguments = Arguments::parse();
    let outcome = catch_unwind(AssertUnwindSafe(|| run(&arguments)));
    signals::let_it_end();
    match outcome {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(why)) => {
            eprintln!("demo: {why}");
            ExitCode::FAILURE
        }
        Err(_) => ExitCode::FAILURE,
    }
}

/// Prints a line. Who has closed the terminal does not read it, which is no failure.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn message<'a>(panic: &'a PanicHookInfo<'_>) -> &'a str {
    let payload = panic.payload();
    let owned = payload.downcast_ref::<String>().map(String::as_str);
    owned
        .or(payload.downcast_ref::<&str>().copied())
        .unwrap_or("something went wrong")
}

fn run(arguments: &Arguments) -> Result<(), String> {
    let signals = Signals::take().map_err(|why| format!("no signals: {why}"))?;
    let ports = match arguments.check {
        true => Ports::free(),
        false => Ports::claim(&arguments.port, &arguments.oxd_port, &arguments.provider_port)?,
    };
    let directory = directory::make()?;
    signals.watch(directory.path());
    let servers = Servers::start(ports, directory)?;
    match arguments.check {
        true => check(servers),
        false => show(servers),
    }
}

fn check(servers: Servers) -> Result<(), String> {
    let walked = catch_unwind(AssertUnwindSafe(|| walk::walk(&servers)));
    let log = servers.httpd.error_log();
    let ended = servers.end();
    if walked.is_err() {
        return Err(format!("the end of httpd's error log:\n{}", last_lines(&log)));
    }
    ended?;
    say("  ok  httpd logged no error and ended well");
    Ok(())
}

fn show(mut servers: Servers) -> Result<(), String> {
    let (site, files) = (servers.site(), servers.httpd.root().display());
    let oxd = servers.oxd();
    let owners_page = servers.owners_page();
    // Before the line that tells how to end it: whoever reads that may be quick.
    signals::ready();
    say(&format!(
        "
  mod_oxd is running. Open this address in a browser:

      {site}/

  and sign in as

      user      test_user
      password  secret

  That page says what there is to try: claims, groups, step-up, a kept form, an API, a photo album
  (UMA), the status page, metrics, signing out everywhere.

  A second user, other_user with the same password, asks for the album (in a private window);
  test_user, once signed in, grants it here:
      {owners_page}

  A client of the API gets a token from oxd, and is refused without one:
      TOKEN=$(curl -sk -H 'Content-Type: application/json' -d @{files}/client.json \\
          {oxd}/get-client-token | grep -o '\"access_token\":\"[^\"]*' | cut -d'\"' -f4)
      curl -H \"Authorization: Bearer $TOKEN\" {site}/api/
      curl -i -H \"Authorization: Bearer made-up\" {site}/api/

  Logs and configuration of this run: {files}
  Ctrl-C ends it.
"
    ));
    let log = servers.httpd.wait_for_its_end();
    signals::let_it_end();
    // It was not asked to: that it ended is what is wrong.
    let _ = servers.end();
    Err(format!(
        "httpd has ended; the end of its log:\n{}",
        last_lines(&log)
    ))
}
