//! Starts of httpd that are killed at random points.

use std::fs;
use std::time::Instant;

use oxd_tests::StoreKind;

use super::random::{Random, rounds, seed};
use super::service::{expect_own, sign_out, signed_in, site, status_with};
use super::victim::{kill_httpd, pause};

/// The file of ended sessions is written anew when httpd starts, and when `OxdSessionMarks` has changed in another way.
/// A start that is killed leaves the earlier one or the new one, and each has every end.
#[test]
fn a_start_that_is_killed_forgets_no_end() {
    const SIZES: [&str; 2] = ["OxdSessionMarks 200000", "OxdSessionMarks 2000"];
    let seed = seed();
    println!("starts: OXD_CRASH_SEED={seed}");
    let mut random = Random::new(seed, 0);
    let mut site = site(&StoreKind::Cookie.start()).directives(SIZES[0]).start();
    site.httpd.allow_log("AH00098: pid file .* overwritten");
    let stays = signed_in(&site, 0);
    let ended: Vec<_> = (1..6)
        .map(|number| sign_out(&site, &signed_in(&site, number)))
        .collect();
    for round in 0..rounds(6) {
        site.httpd.edit_config(SIZES[round % 2], SIZES[(round + 1) % 2]);
        kill_httpd(&mut site.httpd);
        for _ in 0..3 {
            site.httpd.begin_to_start();
            pause(&mut random, 400);
            kill_httpd(&mut site.httpd);
        }
        let begun = Instant::now();
        site.httpd.start();
        for cookies in &ended {
            assert_eq!(status_with(&site, cookies), 302, "round {round}, seed {seed}");
        }
        expect_own(&site, &stays, 0);
        let beside = fs::exists(site.httpd.file("run/oxd-sessions.new"));
        assert!(!beside.expect("a directory"), "round {round}, seed {seed}");
        if round == 0 {
            println!("starts: one takes {:.1?}", begun.elapsed());
        }
    }
    site.httpd.finish();
}
