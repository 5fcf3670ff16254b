//! `oxdctl store check`: the module's way to its Redis store, step by step, with what to do where it ends.

mod advice;
mod judge;
mod nodes;
mod reach;
mod several;
mod topology;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use oxd_core::base::Secret;
use oxd_core::config::CaFile;
use oxd_core::config::store::{
    BadAddress, PemFile, Servers, StoreAddress, StoreSettings, StoreTimeouts, URL_FORMS,
};
use oxd_core::oxd::fit_together;
use oxd_store::Purpose;
use oxd_store::probe::{Place, Probe};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::check::report::Report;
use crate::cli::time;
use crate::problem::{Kind, Outcome, Problem};
use crate::screen::Screen;
use crate::secret_source;

/// All checks, in the order in which they run.
const CHECKS: [&str; 12] = [
    "address",
    "tls",
    "sentinel",
    "cluster",
    "user",
    "server",
    "rights",
    "client",
    "memory",
    "persistence",
    "clock",
    "replication",
];

/// `oxdctl store`
#[derive(Args)]
pub struct Store {
    /// What to do.
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Check the servers of a store, and say what to do where it does not work
    ///
    /// Each check is one line: ok, warning, failed or skipped, what was found, and what to do. The rights of the user
    /// are tried with a key of the check's own below the prefix, which is removed again.
    Check(Box<Check>),
}

/// `oxdctl store check`
#[derive(Args)]
struct Check {
    /// The servers, as OxdSessionStore has them: redis://HOST:PORT and its relatives
    #[arg(value_name = "URL", value_parser = address)]
    url: StoreAddress,
    /// The user, as OxdStoreUser has it
    #[arg(long, value_name = "NAME", requires = "password")]
    user: Option<String>,
    /// Where the password is: file:PATH, env:NAME, "exec:PATH ARGUMENTS", prompt, or - for standard input
    #[arg(long, value_name = "SOURCE")]
    password: Option<String>,
    /// Where the password of the sentinels is
    #[arg(long, value_name = "SOURCE")]
    sentinel_password: Option<String>,
    /// PEM certificates to trust besides the system's, as OxdStoreCAFile has it
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// PEM client certificate, as OxdStoreCert has it
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key, as OxdStoreKey has it
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Text before every key, as OxdStorePrefix has it
    #[arg(long, value_name = "TEXT", default_value = "mod_oxd:", value_parser = prefix)]
    prefix: String,
    /// Time for one operation, as OxdStoreTimeout has it
    #[arg(long, value_name = "TIME", default_value = "500ms", value_parser = time)]
    timeout: Duration,
    /// Time within it for the connection [default: half of it]
    #[arg(long, value_name = "TIME", value_parser = time)]
    connect_timeout: Option<Duration>,
    /// Try the commands that OxdRevocations needs, not those of a session store
    #[arg(long)]
    revocations: bool,
}

fn address(text: &str) -> Result<StoreAddress, String> {
    StoreAddress::parse(text).map_err(|why| match why {
        BadAddress::HoldsCredentials => {
            "must not hold a user or a password, which every user of this machine could read: --user and --password \
             have them"
                .to_owned()
        }
        BadAddress::Malformed(why) => format!("must be {URL_FORMS} ({why})"),
    })
}

fn prefix(text: &str) -> Result<String, String> {
    let is_one = (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    match is_one {
        true => Ok(text.to_owned()),
        false => Err("must be at most 64 printable ASCII characters, without spaces".to_owned()),
    }
}

/// What the command line says, with the contents of its files.
struct Given {
    address: StoreAddress,
    user: Option<String>,
    password: Option<Secret>,
    sentinel_password: Option<Secret>,
    ca: Option<CaFile>,
    certificate: Option<PemFile>,
    key: Option<PemFile>,
    prefix: String,
    timeouts: StoreTimeouts,
    purpose: Purpose,
}

impl Given {
    fn read(screen: &Screen, args: &Check) -> Outcome<Self> {
        let is_sentinel = matches!(args.url.servers, Servers::Sentinel { .. });
        if !args.url.tls && (args.ca_file.is_some() || args.cert.is_some()) {
            return Err(Problem::usage(
                "certificates are for TLS: write rediss:// instead of redis://",
            ));
        }
        if args.sentinel_password.is_some() && !is_sentinel {
            return Err(Problem::usage("--sentinel-password is for redis+sentinel://"));
        }
        let secret = |option: &str, source: &Option<String>| -> Outcome<Option<Secret>> {
            let Some(source) = source else { return Ok(None) };
            let secret = secret_source::read(option, source)?;
            screen.hide(secret.expose());
            Ok(Some(secret))
        };
        let ca = |path: &PathBuf| {
            let pem = std::fs::read(path).map_err(|why| Problem::file("ca_file", path, why))?;
            CaFile::parse(&path.display().to_string(), &pem).map_err(|why| {
                Problem::file("ca_file", path, format!("no PEM file with certificates: {why}"))
            })
        };
        let certificate = args.cert.as_deref().map(pem).transpose()?;
        let key = args.key.as_deref().map(pem).transpose()?;
        if let (Some(certificate), Some(key)) = (&certificate, &key) {
            fit_together(certificate.text.expose(), key.text.expose())
                .map_err(|why| Problem::file("pem_file", Path::new(&key.path), why))?;
        }
        let connect = args.connect_timeout.unwrap_or(args.timeout / 2);
        Ok(Self {
            address: args.url.clone(),
            user: args.user.clone(),
            password: secret("--password", &args.password)?,
            sentinel_password: secret("--sentinel-password", &args.sentinel_password)?,
            ca: args.ca_file.as_ref().map(ca).transpose()?,
            certificate,
            key,
            prefix: args.prefix.clone(),
            timeouts: StoreTimeouts {
                operation: args.timeout,
                connect: connect.min(args.timeout),
            },
            purpose: match args.revocations {
                true => Purpose::Revocations,
                false => Purpose::Sessions,
            },
        })
    }

    fn settings(&self) -> StoreSettings<'_> {
        StoreSettings {
            address: &self.address,
            user: self.user.as_deref(),
            password: self.password.as_ref(),
            sentinel_password: self.sentinel_password.as_ref(),
            ca: self.ca.as_ref(),
            certificate: self.certificate.as_ref(),
            key: self.key.as_ref(),
            timeouts: self.timeouts,
            prefix: &self.prefix,
        }
    }

    /// The commands that the user needs.
    fn commands(&self) -> Vec<&'static str> {
        oxd_store::needed(&self.address, self.purpose)
    }

    /// The name of the user, for texts.
    fn user(&self) -> &str {
        self.user.as_deref().unwrap_or("default")
    }
}

fn pem(path: &Path) -> Outcome<PemFile> {
    let text = std::fs::read_to_string(path).map_err(|why| Problem::file("pem_file", path, why))?;
    Ok(PemFile {
        path: path.display().to_string(),
        text: Secret::new(text),
    })
}

/// What a check has at hand.
struct Ctx<'a> {
    given: &'a Given,
    probe: Probe,
    runtime: Runtime,
    screen: &'a Screen,
}

/// Runs the command; answers whether no check failed.
pub fn run(screen: &Screen, args: &Store) -> Outcome<bool> {
    let Command::Check(args) = &args.command;
    let given = Given::read(screen, args)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| {
            Problem::new(
                Kind::Usage,
                "usage",
                format!("the client cannot be set up: {why}"),
            )
        })?;
    let ctx = Ctx {
        probe: Probe::new(&given.settings()),
        given: &given,
        runtime,
        screen,
    };
    let mut report = Report::new(screen);
    screen.say(format!(
        "Checking the store at {}, keys below {}\n",
        given.address, given.prefix
    ));
    examine(&ctx, &mut report);
    let applies: Vec<&'static str> = CHECKS
        .into_iter()
        .filter(|check| match *check {
            "sentinel" => matches!(given.address.servers, Servers::Sentinel { .. }),
            "cluster" => matches!(given.address.servers, Servers::Cluster(_)),
            _ => true,
        })
        .collect();
    report.skip_rest(&applies);
    Ok(report.close(json!({"server": given.address.to_string()})))
}

fn examine(ctx: &Ctx<'_>, report: &mut Report<'_>) {
    let Some(reached) = reach::named(ctx, report) else {
        return;
    };
    let targets = match &ctx.given.address.servers {
        Servers::One(_) | Servers::Socket(_) => reached.into_iter().map(nodes::Target::alone).collect(),
        Servers::Sentinel { service, .. } => {
            match ctx
                .runtime
                .block_on(topology::sentinel(ctx, report, &reached, service))
            {
                Some(targets) => targets,
                None => return,
            }
        }
        Servers::Cluster(_) => match ctx.runtime.block_on(topology::cluster(ctx, report, &reached)) {
            Some(targets) => targets,
            None => return,
        },
    };
    ctx.runtime.block_on(nodes::examine(ctx, report, targets));
}

/// The name of a server for a line about it.
fn line(place: &Place, text: &str) -> String {
    format!("{place}: {text}")
}
