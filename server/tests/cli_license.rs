//! A vendor without a server: keys, certificates and licenses, by the command alone.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn mintreu(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mintreu"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the command runs")
}

fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = mintreu(folder, arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The exit code and the stable code on standard error.
fn fails(folder: &Path, arguments: &[&str]) -> (i32, String) {
    let output = mintreu(folder, &[&["--json"], arguments].concat());
    assert!(!output.status.success(), "{arguments:?} must fail");
    let error: Value = serde_json::from_slice(&output.stderr).expect("JSON on standard error");
    assert!(!error["detail"].as_str().expect("a sentence").is_empty());
    (
        output.status.code().expect("a code"),
        error["code"].as_str().expect("a code").to_owned(),
    )
}

fn vendor() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let home = folder.path();
    succeeds(home, &["keys", "new", "--out", "root.key"]);
    succeeds(home, &["keys", "new", "--out", "acme.key"]);
    let certify = [
        "keys",
        "certificate",
        "--root",
        "root.key",
        "--key",
        "acme.pub",
    ];
    let scope = ["--product", "acme.editor", "--out", "acme.crt"];
    succeeds(home, &[&certify[..], &scope[..]].concat());
    folder
}

const ISSUE: [&str; 8] = [
    "license",
    "issue",
    "--key",
    "acme.key",
    "--certificate",
    "acme.crt",
    "--product",
    "acme.editor",
];

#[test]
fn a_license_is_issued_and_verified_without_a_server() {
    let vendor = vendor();
    let home = vendor.path();
    let terms = [
        "--entitlement",
        "pro",
        "--entitlement",
        "projects=50",
        "--quota",
        "renders=500/month",
        "--expires",
        "2027-01-01",
    ];
    let text = succeeds(home, &[&ISSUE[..], &terms[..]].concat());
    assert!(text.starts_with("MT1-"));
    let verify = ["license", "verify", text.trim(), "--trust", "root.pub"];
    let before = ["--product", "acme.editor", "--at", "2026-12-01"];
    let said = succeeds(home, &[&verify[..], &before[..]].concat());
    for line in [
        "valid: ",
        "projects = 50",
        "renders = 500 / month",
        "ends         2027-01-01",
    ] {
        assert!(said.contains(line), "{line} in {said}");
    }
    let after = ["--product", "acme.editor", "--at", "2027-01-01"];
    assert_eq!(
        fails(home, &[&verify[..], &after[..]].concat()),
        (1, "expired".into())
    );
    let other = ["--product", "acme.viewer"];
    assert_eq!(
        fails(home, &[&verify[..], &other[..]].concat()),
        (1, "wrong_product".into())
    );
    let stranger = ["license", "verify", text.trim(), "--trust", "acme.pub"];
    assert_eq!(fails(home, &stranger), (1, "unknown_key".into()));
    let cut = &text.trim()[..text.trim().len() - 8];
    let cut = ["license", "verify", cut, "--trust", "root.pub"];
    assert_eq!(fails(home, &cut), (1, "malformed".into()));
}

#[test]
fn every_form_of_a_file_reads_back() {
    let vendor = vendor();
    let home = vendor.path();
    let out = ["--entitlement", "pro", "--out", "license.mtl"];
    succeeds(home, &[&ISSUE[..], &out[..]].concat());
    for form in ["text", "armor", "codes"] {
        let shown = succeeds(home, &["license", "show", "license.mtl", "--as", form]);
        std::fs::write(home.join(form), shown).expect("writes");
        let said = succeeds(home, &["license", "verify", form, "--trust", "root.pub"]);
        assert!(said.starts_with("valid: "), "{said}");
    }
    let drawn = succeeds(home, &["license", "show", "license.mtl", "--as", "qr"]);
    assert!(drawn.lines().count() > 20);
    let shown = succeeds(home, &["license", "show", "license.mtl"]);
    assert!(shown.contains("Nothing of it is verified"));
}

#[test]
fn keys_are_private_and_never_overwritten() {
    let vendor = vendor();
    let home = vendor.path();
    let before = std::fs::read(home.join("root.key")).expect("a key");
    assert_eq!(
        fails(home, &["keys", "new", "--out", "root.key"]).1,
        "file_exists"
    );
    assert_eq!(std::fs::read(home.join("root.key")).expect("a key"), before);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(home.join("root.key"))
            .expect("a file")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let shown = succeeds(home, &["keys", "show", "root.key"]);
    let secret = String::from_utf8(before).expect("ASCII");
    let secret = secret.lines().nth(1).expect("the seed");
    assert!(!shown.contains(secret) && shown.contains("MT1K-"));
    std::fs::write(home.join("torn.key"), secret).expect("writes");
    let torn = [
        "license",
        "issue",
        "--key",
        "torn.key",
        "--product",
        "acme.editor",
    ];
    assert_eq!(fails(home, &torn), (1, "key_malformed".into()));
    let missing = [
        "license",
        "issue",
        "--key",
        "none.key",
        "--product",
        "acme.editor",
    ];
    assert_eq!(fails(home, &missing), (1, "file_unreadable".into()));
}

#[test]
fn a_rotated_key_signs_and_the_old_licenses_stay_good() {
    let vendor = vendor();
    let home = vendor.path();
    let old = succeeds(home, &ISSUE);
    let rotate = [
        "keys",
        "rotate",
        "--root",
        "root.key",
        "--certificate",
        "acme.crt",
    ];
    succeeds(home, &[&rotate[..], &["--out", "acme-2.key"]].concat());
    let mut issue = ISSUE;
    (issue[3], issue[5]) = ("acme-2.key", "acme-2.crt");
    let new = succeeds(home, &issue);
    for license in [&old, &new] {
        succeeds(
            home,
            &["license", "verify", license.trim(), "--trust", "root.pub"],
        );
    }
    let shown = succeeds(home, &["keys", "show", "acme-2.crt", "--root", "root.pub"]);
    assert!(shown.contains("acme.editor") && shown.contains("license, activation, lease"));
}

#[test]
fn wrong_arguments_exit_with_two() {
    let vendor = vendor();
    for arguments in [
        &["license", "issue"][..],
        &[
            "license",
            "issue",
            "--key",
            "k",
            "--product",
            "p",
            "--quota",
            "renders=5",
        ],
        &[
            "license",
            "issue",
            "--key",
            "k",
            "--product",
            "p",
            "--expires",
            "soon",
        ],
    ] {
        assert_eq!(
            mintreu(vendor.path(), arguments).status.code(),
            Some(2),
            "{arguments:?}"
        );
    }
    let kind = [
        "keys",
        "certificate",
        "--root",
        "root.key",
        "--key",
        "acme.pub",
    ];
    let unknown = ["--kind", "passport", "--out", "x.crt"];
    let failure = fails(vendor.path(), &[&kind[..], &unknown[..]].concat());
    assert_eq!(failure, (2, "kind_unknown".into()));
}
