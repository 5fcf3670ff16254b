//! Every request that was recorded with a real oxd-server (`tests/recorded`), sent to the stand-in: it must answer with
//! the same status, content type, members and types, and in oxd's own words where they are oxd's.

mod common;
mod replay;
#[path = "../../../tests/recorded/mod.rs"]
mod scenarios;

use std::collections::BTreeMap;

use replay::Replay;

/// Scenarios that want something of the provider, or of oxd's surroundings, that the stand-in has not; by the start of
/// their names.
const NOT_STAGED: [(&str, &str); 20] = [
    (
        "uma_op_down_protected",
        "a provider that is down where oxd asks it about the client token",
    ),
    ("op_", "a provider that is down, slow, wrong or restarted"),
    (
        "introspection_",
        "a provider that refuses oxd's own introspection",
    ),
    (
        "introspect_access_token_",
        "tokens whose introspection the recording provider made up",
    ),
    (
        "strict_client_token",
        "a provider that refuses the scope oxd encodes twice",
    ),
    ("strict_register", "a provider that refuses empty acr_values"),
    ("strict_unprotected", "a provider that refuses every refresh"),
    ("oxdctl_check_op_down", "a provider that is down"),
    (
        "oxdctl_update_base",
        "a provider that refuses updates without client_id",
    ),
    ("refresh_op_down", "a provider that is down"),
    (
        "refresh_provider_answers",
        "refresh answers that the recording provider made up",
    ),
    ("refresh_refused", "a token that was revoked at the provider"),
    ("refresh_oxd_wiped", "an oxd that lost its store"),
    ("oxd_wiped", "an oxd that lost its store"),
    (
        "client_token_revoked",
        "a client token that was revoked at the provider",
    ),
    (
        "userinfo_refused",
        "an access token that was revoked at the provider",
    ),
    ("state_expired", "oxd's hourly clean-up"),
    ("claims_page", "no call to oxd in it"),
    ("oxd_down", "no call to oxd in it"),
    (
        "step_up",
        "an authentication that only the recording provider offered",
    ),
];

/// Single calls, by scenario and number from 0, that cannot be staged.
const CALLS_NOT_STAGED: [(&str, &[usize], &str); 9] = [
    (
        "uma_op_down",
        &[0, 1, 2, 3, 4, 5, 6, 7],
        "a provider that is down where oxd asks it about the client token",
    ),
    ("uma_op_down_unprotected", &[6, 7], "a provider that is down"),
    (
        "uma_op_down_restarted_unprotected",
        &[6, 7],
        "a provider that is down",
    ),
    (
        "introspect_access_token",
        &[
            2, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27,
        ],
        "tokens whose introspection the recording provider made up",
    ),
    (
        "other_commands",
        &[12],
        "check-access-token is no command of the stand-in",
    ),
    (
        "other_commands",
        &[17],
        "a provider that refuses updates without client_id",
    ),
    ("other_commands", &[19], "the stand-in has a default provider"),
    (
        "tokens_by_code_errors",
        &[0, 1, 2],
        "codes from before the recording began",
    ),
    (
        "refresh_without_scope",
        &[0, 1],
        "a refresh token from before the recording began",
    ),
];

#[tokio::test]
async fn the_stand_in_answers_as_recorded() {
    let (mut replayed, mut not_staged, mut different) = (0, BTreeMap::new(), Vec::new());
    for scenario in scenarios::scenarios() {
        let name = scenario["scenario"].as_str().expect("a name");
        let calls = scenario["calls"].as_array().expect("calls");
        if let Some((_, why)) = NOT_STAGED.iter().find(|(start, _)| name.starts_with(start)) {
            *not_staged.entry(*why).or_insert(0) += calls.len();
            continue;
        }
        let mut replay = Replay::new(name).await;
        for (number, call) in calls.iter().enumerate() {
            let left_out = CALLS_NOT_STAGED
                .iter()
                .find(|(scenario, numbers, _)| *scenario == name && numbers.contains(&number));
            if let Some((_, _, why)) = left_out {
                *not_staged.entry(*why).or_insert(0) += 1;
                continue;
            }
            replay.stage(name, number, call).await;
            let answer = replay.send(&call["request"]).await;
            let found = replay.compare(&call["response"], &answer);
            replayed += 1;
            for what in found {
                different.push(format!("{name} {number} {}: {what}", call["request"]["path"]));
            }
        }
    }
    let left_out: usize = not_staged.values().sum();
    println!("{replayed} recorded exchanges replayed, {left_out} not staged:");
    for (why, count) in &not_staged {
        println!("  {count:4} {why}");
    }
    assert!(
        different.is_empty(),
        "{} differences:\n{}",
        different.len(),
        different.join("\n")
    );
    assert_eq!(
        (replayed, left_out),
        (518, 194),
        "the counts of the recorded exchanges"
    );
}
