//! The check of a store, for the suites about it.

use oxd_core::config::store::StoreAddress;
use oxd_store::{Purpose, acl_line, needed};
use oxd_tests::RedisNode;
use serde_json::Value;

use super::{Ran, run_with};

/// The password of `mod_oxd`.
pub const PASSWORD: &str = "hunter2-secret";

/// Checks a store; neither output has the password.
#[track_caller]
pub fn check(url: &str, args: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let args: Vec<&str> = ["store", "check", url].iter().chain(args).copied().collect();
    let ran = run_with(folder.path(), &args, "", &[("STORE_PASSWORD", PASSWORD)]);
    ran.keeps(&[PASSWORD.to_owned()]);
    ran
}

/// The findings of a check, which ends with this status.
pub struct Report(pub Value);

impl Report {
    #[track_caller]
    pub fn of(status: i32, url: &str, args: &[&str]) -> Report {
        let args: Vec<&str> = args.iter().chain(&["--json"]).copied().collect();
        Report(check(url, &args).ended(status).json())
    }

    #[track_caller]
    pub fn one(&self, check: &str) -> &Value {
        let mut checks = self.0["checks"].as_array().unwrap().iter();
        let one = checks.find(|one| one["check"] == check);
        one.unwrap_or_else(|| panic!("no {check} in {:#}", self.0))
    }

    /// A check has this status and cause, and says these words in what it found and in what to do.
    #[track_caller]
    pub fn has(&self, check: &str, status: &str, cause: &str, found: &str, advice: &str) -> &Report {
        let one = self.one(check);
        let text = |member: &str| one[member].as_str().unwrap_or_default();
        assert_eq!((text("status"), text("cause")), (status, cause), "{:#}", self.0);
        assert!(text("found").contains(found), "no {found:?} in {one:#}");
        assert!(text("advice").contains(advice), "no {advice:?} in {one:#}");
        self
    }

    #[track_caller]
    pub fn is_ok(&self, checks: &[(&str, &str)]) -> &Report {
        for (check, found) in checks {
            self.has(check, "ok", "", found, "");
        }
        self
    }

    #[track_caller]
    pub fn is_skipped(&self, checks: &[&str]) -> &Report {
        for check in checks {
            self.has(check, "skipped", "", "", "");
        }
        self
    }
}

/// The URL of a server.
pub fn url(node: &RedisNode) -> String {
    format!("redis://{}", node.address())
}

/// `mod_oxd` with just the documented rights for this kind of URL, as the arguments of `ACL`.
pub fn grant(url: &str) -> String {
    let commands = needed(&StoreAddress::parse(url).unwrap(), Purpose::Sessions);
    acl_line("mod_oxd", true, "mod_oxd:", &commands).replace("PASSWORD", PASSWORD)
}

/// Has an administrator run a line of `redis-cli`.
#[track_caller]
pub fn run(node: &RedisNode, line: &str) {
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!(node.ask(&words), "OK", "{line}");
}

/// The options of the module's user.
pub const AS_MODULE: &[&str] = &["--user", "mod_oxd", "--password", "env:STORE_PASSWORD"];
