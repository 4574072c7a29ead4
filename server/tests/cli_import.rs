//! A Keygen user moves in, by the command alone.

use std::path::Path;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE};
use mintreu::document::SigningKey;
use serde_json::{Value, json};

fn mintreu(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mintreu"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn account() -> SigningKey {
    SigningKey::from_seed(&[9; 32])
}

fn signed_key(id: &str) -> String {
    let payload = json!({
        "product": {"id": "p"}, "policy": {"id": "q"},
        "license": {"id": id, "created": "2026-01-01T00:00:00.000Z", "expiry": null},
    });
    let text = format!("key/{}", BASE64_URL_SAFE.encode(payload.to_string()));
    let signature = BASE64_URL_SAFE.encode(account().sign(text.as_bytes()));
    format!("{text}.{signature}")
}

fn license_file(id: &str, suspended: bool) -> String {
    let document = json!({
        "data": {
            "id": id, "type": "licenses",
            "attributes": {
                "key": "K-1", "expiry": "2099-01-01T00:00:00.000Z", "suspended": suspended,
                "floating": false, "maxMachines": 1, "uses": 4, "maxUses": 10,
            },
            "relationships": {"policy": {"data": {"type": "policies", "id": "q"}}},
        },
        "included": [{"id": "e", "type": "entitlements", "attributes": {"code": "EXPORT_4K"}}],
        // Long over: what was sold is still what was sold.
        "meta": {"issued": "2020-01-01T00:00:00.000Z", "expiry": "2020-02-01T00:00:00.000Z"},
    });
    let enc = BASE64_STANDARD.encode(document.to_string());
    let sig = BASE64_STANDARD.encode(account().sign(format!("license/{enc}").as_bytes()));
    let body = json!({"enc": enc, "sig": sig, "alg": "base64+ed25519"}).to_string();
    let body = BASE64_STANDARD.encode(body);
    format!("-----BEGIN LICENSE FILE-----\n{body}\n-----END LICENSE FILE-----\n")
}

/// The report of moving everything in the folder.
fn moved(home: &Path, more: &[&str]) -> (bool, Value) {
    let key: String = account()
        .public()
        .as_bytes()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let arguments = [
        "--json",
        "import",
        "keygen",
        "keys.txt",
        "good.lic",
        "held.lic",
        "--account-key",
        &key,
        "--key",
        "root.key",
        "--product",
        "acme.editor",
        "--out",
        "moved",
    ];
    let output = mintreu(home, &[&arguments[..], more].concat());
    let report = serde_json::from_slice(&output.stdout).expect("a report");
    (output.status.success(), report)
}

fn outcomes(report: &Value) -> Vec<&str> {
    let lines = report["inputs"].as_array().expect("lines");
    lines
        .iter()
        .map(|line| {
            line["code"]
                .as_str()
                .or(line["outcome"].as_str())
                .expect("a text")
        })
        .collect()
}

#[test]
fn every_license_is_moved_once_or_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    assert!(
        mintreu(home, &["keys", "new", "--out", "root.key"])
            .status
            .success()
    );
    let forged = signed_key("three").replace("key/ey", "key/eZ");
    let keys = format!("{}\n\n{}\n{forged}\n", signed_key("one"), signed_key("two"));
    let write = |name: &str, text: &str| std::fs::write(home.join(name), text).expect("writes");
    write("keys.txt", &keys);
    write("good.lic", &license_file("four", false));
    write("held.lic", &license_file("five", true));

    let (whole, report) = moved(home, &[]);
    assert!(!whole, "what failed must be seen");
    let expected = [
        "written",
        "written",
        "bad_signature",
        "written",
        "suspended",
    ];
    assert_eq!(outcomes(&report), expected);
    assert_eq!(report["inputs"][1]["input"], "keys.txt:3");

    let file = report["inputs"][3]["file"]
        .as_str()
        .expect("a file")
        .to_owned();
    let before = std::fs::read(home.join(&file)).expect("reads");
    let (_, again) = moved(home, &[]);
    let expected = [
        "unchanged",
        "unchanged",
        "bad_signature",
        "unchanged",
        "suspended",
    ];
    assert_eq!(outcomes(&again), expected);
    let (_, other) = moved(home, &["--map", "q=pro"]);
    assert_eq!(
        outcomes(&other)[3],
        "file_exists",
        "other terms are not written over"
    );
    assert_eq!(std::fs::read(home.join(&file)).expect("reads"), before);

    let verify = ["--json", "license", "verify", &file, "--trust", "root.pub"];
    let output = mintreu(home, &verify);
    let verdict: Value = serde_json::from_slice(&output.stdout).expect("a verdict");
    assert_eq!(verdict["verdict"], "device_not_activated");
    let claims = &verdict["claims"];
    assert_eq!(claims["seats"], 1);
    assert_eq!(claims["entitlements"], json!({"EXPORT_4K": true}));
    assert_eq!(claims["quotas"]["uses"]["limit"], 6);
    assert_eq!(claims["expires_at"], 4_070_908_800_000_i64);
}

#[test]
fn licenses_of_another_product_stay_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    assert!(
        mintreu(home, &["keys", "new", "--out", "root.key"])
            .status
            .success()
    );
    let write = |name: &str, text: &str| std::fs::write(home.join(name), text).expect("writes");
    write("keys.txt", &signed_key("one"));
    write("good.lic", "no license");
    let (_, report) = moved(home, &["--keygen-product", "other"]);
    let expected = ["wrong_product", "malformed", "file_unreadable"];
    assert_eq!(outcomes(&report), expected);
    assert_eq!(report["failed"], 3);
    let (_, report) = moved(home, &["--keygen-product", "p"]);
    assert_eq!(outcomes(&report)[0], "written");
}
