//! `mintreu codes`: many licenses by one command, killed on the way, and keys that move in.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

const PRODUCTS: &str = "code,name,summary,category,seller\n\
    acme.editor,Acme Editor,Edits.,Tools,Acme\n";

fn mintreu(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mintreu"));
    command
        .current_dir(folder)
        .env(
            "MINTREU_KEYS_KEK",
            "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
        )
        .args(["--json"])
        .args(arguments)
        .args(["--database", "sqlite:shop.db"]);
    command
}

fn told(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text)
        .unwrap_or_else(|_| panic!("no result: {}", String::from_utf8_lossy(&output.stderr)))
}

fn done(folder: &Path, arguments: &[&str]) -> Value {
    told(&mintreu(folder, arguments).output().expect("it runs"))
}

/// The error's code.
fn refused(folder: &Path, arguments: &[&str]) -> String {
    let output = mintreu(folder, arguments).output().expect("it runs");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let told = String::from_utf8_lossy(&output.stderr);
    let error = told.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line["code"].as_str().map(str::to_owned)
    });
    error.unwrap_or_else(|| panic!("no code in: {told}"))
}

fn shop() -> tempfile::TempDir {
    let home = tempfile::tempdir().expect("a folder");
    std::fs::write(home.path().join("products.csv"), PRODUCTS).expect("written");
    let brought = done(
        home.path(),
        &["catalog", "import", "--format", "csv", "products.csv"],
    );
    assert_eq!(brought["created"], 1);
    home
}

fn codes_of(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("the file");
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("code,license_id"));
    lines
        .map(|line| line.split(',').next().expect("a code").to_owned())
        .collect()
}

#[test]
fn a_killed_run_goes_on_and_issues_exactly_what_was_asked_for() {
    let home = shop();
    let home = home.path();
    let arguments = [
        "codes",
        "new",
        "--product",
        "acme.editor",
        "--count",
        "4000",
        "--label",
        "box",
        "--out",
        "codes.csv",
    ];
    let mut child = mintreu(home, &arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("it starts");
    let wal = home.join("shop.db-wal");
    let mut looks = 0;
    // Some chunks are written by then, and not all.
    while std::fs::metadata(&wal).map_or(0, |meta| meta.len()) < 3_000_000 {
        looks += 1;
        assert!(looks < 60_000, "it writes nothing");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().expect("is killed");
    child.wait().expect("has ended");
    assert!(!home.join("codes.csv").exists(), "it was killed too late");

    let result = done(home, &arguments);
    let resumed = result["resumed_at"].as_i64().expect("a count");
    assert!((1..4000).contains(&resumed), "{result}");
    assert_eq!(result["issued"], 4000);
    let codes = codes_of(&home.join("codes.csv"));
    assert_eq!(
        (codes.len(), codes.iter().collect::<BTreeSet<_>>().len()),
        (4000, 4000)
    );
    for code in codes {
        code.parse::<mintreu::activation::RedeemCode>()
            .expect("a code");
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let meta = std::fs::metadata(home.join("codes.csv")).expect("the file");
        assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    }
    assert_eq!(refused(home, &arguments), "file_exists");
    // Ended, it is not gone on with: the same words mean new licenses.
    let mut other = arguments;
    other[9] = "more.csv";
    other[5] = "3";
    let again = done(home, &other);
    assert_ne!(again["batch_id"], result["batch_id"]);
    assert_eq!(codes_of(&home.join("more.csv")).len(), 3);
    other[3] = "no.such";
    other[9] = "none.csv";
    assert_eq!(refused(home, &other), "not_found");
}

#[test]
fn keys_move_in_page_by_page_and_twice_is_once() {
    let home = shop();
    let home = home.path();
    let mut file = std::fs::File::create(home.join("old shop.csv")).expect("a file");
    writeln!(file, "key;expires;reference").expect("written");
    for row in 1_u64..=2_500 {
        let spread = row.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        writeln!(file, "{spread:016x}-{:08x};;order {row}", spread >> 13).expect("written");
    }
    writeln!(file, "tiny;;\n1234567890;;").expect("written");
    drop(file);
    let arguments = [
        "codes",
        "import",
        "old shop.csv",
        "--product",
        "acme.editor",
    ];
    let first = done(home, &arguments);
    let counts = |report: &Value| {
        ["read", "created", "unchanged", "refused"]
            .map(|name| report[name].as_i64().expect("a count"))
    };
    assert_eq!(counts(&first), [2502, 2500, 0, 2], "{first}");
    assert_eq!(first["reasons"]["key_too_short"], 1);
    assert_eq!(first["reasons"]["key_weak"], 1);
    assert_eq!(first["refusals"][0]["line"], 2502);
    let again = done(home, &arguments);
    assert_eq!(counts(&again), [2502, 0, 2500, 2], "{again}");
    let mut weak = arguments.to_vec();
    weak.push("--allow-weak");
    assert_eq!(counts(&done(home, &weak)), [2502, 1, 2500, 1]);
    std::fs::write(home.join("none.csv"), "license\nabc\n").expect("written");
    let none = ["codes", "import", "none.csv", "--product", "acme.editor"];
    assert_eq!(refused(home, &none), "csv_malformed");
}
