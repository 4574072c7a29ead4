//! `mintreu log`: receipts and an auditor's folder, judged by somebody who has the log's public key
//! alone, and folders that follow a server, honest or not.

mod fetch;
mod made;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use made::{Log, NOW, hex, leaf, license};
use mintreu::document::{SigningKey, to_armor, to_text};
use mintreu::id::LicenseId;
use mintreu::log::TreeHead;
use serde_json::Value;

fn log(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mintreu"))
        .current_dir(folder)
        .args(["--json", "log", "verify"])
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn accepted(folder: &Path, arguments: &[&str]) -> Value {
    let output = log(folder, arguments);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The code of a refusal and the exit code.
fn refused(folder: &Path, arguments: &[&str]) -> (String, i32) {
    let output = log(folder, arguments);
    let error: Value = serde_json::from_slice(&output.stderr).expect("JSON on standard error");
    let code = error["code"].as_str().expect("a code").to_owned();
    (code, output.status.code().expect("an exit code"))
}

#[test]
fn a_receipt_is_checked_with_the_log_s_key_and_for_its_license() {
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, log) = (folder.path(), Log::new());
    let key = log.key.public().to_string();
    let text = log.receipt(6).to_text().expect("writes");
    fs::write(folder.join("receipt.txt"), &text).expect("writes");
    for number in [6, 7] {
        let armor = to_armor(&license(number)).expect("armour");
        fs::write(folder.join(format!("{number}.mtl")), armor).expect("writes");
    }
    let found = accepted(folder, &["receipt.txt", "--log-key", &key]);
    assert_eq!((&found["index"], &found["size"]), (&6.into(), &9.into()));
    assert_eq!(found["license_checked"], false);
    let arguments = ["receipt.txt", "--log-key", &key, "--license", "6.mtl"];
    assert_eq!(accepted(folder, &arguments)["license_checked"], true);
    let arguments = ["receipt.txt", "--log-key", &key, "--license", "7.mtl"];
    assert_eq!(refused(folder, &arguments), ("wrong_license".to_owned(), 1));
    let other = SigningKey::from_seed(&[2; 32]).public().to_string();
    let (code, _) = refused(folder, &["receipt.txt", "--log-key", &other]);
    assert_eq!(code, "unknown_key");
    assert_eq!(
        refused(folder, &["receipt.txt"]),
        ("key_missing".to_owned(), 2)
    );
    let mut moved = log.receipt(6);
    moved.index = 5;
    fs::write(folder.join("moved.txt"), moved.to_text().expect("writes")).expect("writes");
    let (code, _) = refused(folder, &["moved.txt", "--log-key", &key]);
    assert_eq!(code, "not_in_log");
    fs::write(folder.join("cut.txt"), &text[..text.len() / 2]).expect("writes");
    let (code, _) = refused(folder, &["cut.txt", "--log-key", &key]);
    assert_eq!(code, "malformed");
}

#[test]
fn a_folder_holds_until_anything_in_it_is_rewritten() {
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, log) = (folder.path(), Log::new());
    let audit = folder.join("audit");
    log.write(&audit);
    let found = accepted(folder, &["audit"]);
    assert_eq!((&found["size"], &found["heads"]), (&9.into(), &2.into()));
    assert_eq!(found["own_leaves"], 4);
    let other = SigningKey::from_seed(&[2; 32]).public().to_string();
    let (code, _) = refused(folder, &["audit", "--log-key", &other]);
    assert_eq!(code, "log_key_changed");
    let same = to_text(&log.head(7, None));
    accepted(folder, &["audit", "--head", &same]);
    // What another seller was shown, where the log has two faces.
    let split = TreeHead::new("ten_1", 7, [7; 32], NOW).expect("a head");
    let split = to_text(&split.issue(&log.key).expect("signs"));
    let (code, _) = refused(folder, &["audit", "--head", &split]);
    assert_eq!(code, "log_rewritten");
    let changed = |name: &str, line: usize, with: &str| {
        log.write(&audit);
        let text = fs::read_to_string(audit.join(name)).expect("reads");
        let mut lines: Vec<&str> = text.lines().collect();
        lines[line] = with;
        fs::write(audit.join(name), lines.join("\n") + "\n").expect("writes");
        refused(folder, &["audit"]).0
    };
    let zeros = "0".repeat(64);
    assert_eq!(changed("hashes.txt", 2, &zeros), "log_rewritten");
    assert_eq!(changed("hashes.txt", 8, &zeros), "log_rewritten");
    assert_eq!(changed("hashes.txt", 8, "no hash"), "folder_damaged");
    let id = LicenseId::from_bytes([1; 16]);
    let moved = format!(
        "2,{id},acme.editor,{},{}",
        NOW.secs(),
        hex(leaf(1).document())
    );
    assert_eq!(changed("own.csv", 1, &moved), "not_in_log");
    // A leaf of somebody else's is in the log, and not in the part that was signed as one's own.
    let id = LicenseId::from_bytes([2; 16]);
    let foreign = format!(
        "2,{id},acme.editor,{},{}",
        NOW.secs(),
        hex(leaf(2).document())
    );
    assert_eq!(changed("own.csv", 1, &foreign), "log_rewritten");
}

#[test]
fn a_list_of_licenses_is_held_against_the_log_both_ways() {
    let folder = tempfile::tempdir().expect("a folder");
    let (folder, log) = (folder.path(), Log::new());
    log.write(&folder.join("audit"));
    let id = |number: u8| LicenseId::from_bytes([number; 16]).to_string();
    let list = |numbers: &[u8]| {
        let rows = numbers
            .iter()
            .map(|number| format!("sale,{}\n", id(*number)));
        let text = format!("what,license_id\n{}", rows.collect::<String>());
        fs::write(folder.join("list.csv"), text).expect("writes");
    };
    let arguments = ["audit", "--licenses", "list.csv"];
    list(&[1, 3, 5, 7]);
    assert_eq!(accepted(folder, &arguments)["ok"], true);
    list(&[1, 3, 5, 8]);
    let output = log_output(folder, &arguments);
    assert_eq!(output["not_in_log"], serde_json::json!([id(8)]));
    assert_eq!(output["not_in_list"][0]["license_id"], id(7));
    assert_eq!(
        refused(folder, &arguments),
        ("licenses_differ".to_owned(), 1)
    );
    // Another product's leaves are not asked for.
    list(&[1]);
    let one = ["audit", "--licenses", "list.csv", "--product", "acme.other"];
    assert_eq!(accepted(folder, &one)["ok"], true);
    fs::write(folder.join("list.csv"), "a,b\n1,2\n").expect("writes");
    assert_eq!(refused(folder, &arguments).0, "list_malformed");
    fs::remove_file(folder.join("audit/statement.txt")).expect("removes");
    list(&[1]);
    assert_eq!(refused(folder, &arguments).0, "own_leaves_missing");
}

fn log_output(folder: &Path, arguments: &[&str]) -> Value {
    serde_json::from_slice(&log(folder, arguments).stdout).expect("JSON")
}
