//! Every example runs to its end and says what it is there to show.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::process::Command;

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    said
}

#[test]
fn a_desktop_program_runs_for_ever_and_updates_for_a_year() {
    let said = run(env!("CARGO_BIN_EXE_desktop"), &[]);
    assert!(said.contains("20 years on     runs   valid"), "{said}");
    assert!(said.contains("stops  wrong_version"), "{said}");
    assert!(
        said.contains("half of the line pasted      malformed"),
        "{said}"
    );
}

#[test]
fn a_subscription_warns_waits_ends_and_is_renewed() {
    let said = run(env!("CARGO_BIN_EXE_subscription"), &[]);
    for status in [
        "expiring_soon",
        "in_grace",
        "expired",
        "renewed              runs   valid",
    ] {
        assert!(said.contains(status), "{status} is missing in {said}");
    }
    assert_eq!(said.matches("rendered; left").count(), 3, "{said}");
    assert!(said.contains("not rendered: quota_spent"), "{said}");
}

#[test]
fn a_trial_ends_and_a_sale_takes_its_place() {
    let said = run(env!("CARGO_BIN_EXE_trial"), &[]);
    assert!(said.contains("stops  expired"), "{said}");
    assert!(said.contains(r#"Value("clean")"#), "{said}");
}

#[test]
fn a_backend_verifies_each_key_once() {
    let said = run(env!("CARGO_BIN_EXE_backend"), &["500"]);
    assert!(said.contains("500 verified and judged"), "{said}");
    assert!(said.contains("500 known and judged again"), "{said}");
    assert!(said.contains("one character changed: Err"), "{said}");
}

#[test]
fn floating_seats_come_and_go() {
    let said = run(env!("CARGO_BIN_EXE_floating"), &[]);
    assert_eq!(said.matches("seats_exhausted").count(), 1, "{said}");
    for line in [
        "bert, asleep since           stops  lease_over",
        "cleo, in his place           runs   valid",
        "cleo, closed                 stops  device_not_activated",
        "anna, six days away          runs   valid",
        "anna, too long away          stops  lease_over",
    ] {
        assert!(said.contains(line), "{line} is missing in {said}");
    }
}

#[test]
fn a_machine_without_a_network_lives_by_codes() {
    let said = run(env!("CARGO_BIN_EXE_air_gapped"), &[]);
    for line in [
        "activated by codes           runs   valid",
        "a clock that is wrong        runs   clock_suspect",
        "wrong for three days         stops  clock_refused",
        "told what time it is         runs   valid",
        "given back                   stops  device_not_activated",
    ] {
        assert!(said.contains(line), "{line} is missing in {said}");
    }
    assert!(said.matches("MT1:").count() >= 7, "{said}");
}

#[test]
fn an_api_lets_keys_in_counts_once_and_refuses() {
    let said = run(env!("CARGO_BIN_EXE_axum"), &[]);
    for line in [
        "key-of-ada   HTTP/1.1 200 OK  ratelimit: \"api.calls\";r=2;",
        "key-of-ada   HTTP/1.1 429 Too Many Requests  ratelimit: \"api.calls\";r=0;",
        "retry-after: ",
        "key-of-bob   HTTP/1.1 200 OK  ratelimit: \"api.calls\";r=999999;",
        "a guess      HTTP/1.1 401 Unauthorized",
    ] {
        assert!(said.contains(line), "{line} is missing in {said}");
    }
    let mut counted: Vec<_> = said.lines().filter(|l| l.starts_with("counted ")).collect();
    counted.sort_by_key(|line| line.rsplit(' ').next());
    assert_eq!(counted.len(), 2, "{said}");
    assert!(
        counted[0].ends_with(" 1") && counted[1].ends_with(" 3"),
        "{said}"
    );
}
