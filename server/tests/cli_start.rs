//! What the command line says when something is in the way, and what it brings in from real
//! catalogs: codes and exit codes that scripts match on.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn mintreu(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mintreu"));
    command.current_dir(folder).arg("--json").args(arguments);
    command
}

/// The error's code and the exit code.
fn refused(folder: &Path, arguments: &[&str]) -> (String, i32) {
    let output = mintreu(folder, arguments).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr);
    let error = told.lines().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line["code"].as_str().map(str::to_owned)
    });
    let code = error.unwrap_or_else(|| panic!("no code in: {told}"));
    (code, output.status.code().expect("an exit code"))
}

fn imported(folder: &Path, format: &str, input: &[u8]) -> Value {
    let arguments = ["catalog", "import", "--format", format, "-"];
    let mut child = mintreu(folder, &arguments)
        .args(["--database", "sqlite:shop.db"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(input).expect("it reads");
    drop(pipe);
    let Output { stdout, stderr, .. } = child.wait_with_output().expect("it ends");
    serde_json::from_slice(&stdout)
        .unwrap_or_else(|_| panic!("no report: {}", String::from_utf8_lossy(&stderr)))
}

#[test]
fn what_is_in_the_way_is_named() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    std::fs::write(home.join("file"), "not a folder").expect("written");
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let busy = taken.local_addr().expect("an address").to_string();
    let cases: [(&[&str], &str, i32); 6] = [
        (&["serve"], "settings_unsafe", 3),
        (&["demo", "--listen", "0.0.0.0:0"], "demo_not_loopback", 3),
        (&["demo", "--folder", "file"], "folder_unwritable", 4),
        (
            &["demo", "--database", "mysql://x"],
            "database_url_invalid",
            4,
        ),
        (
            &["demo", "--database", "postgres://x@127.0.0.1:1/x"],
            "database_unreachable",
            4,
        ),
        (&["demo", "--listen", &busy], "port_in_use", 5),
    ];
    for (arguments, code, exit) in cases {
        assert_eq!(
            refused(home, arguments),
            (code.to_owned(), exit),
            "{arguments:?}"
        );
    }
}

#[test]
fn no_arguments_say_what_there_is() {
    let output = Command::new(env!("CARGO_BIN_EXE_mintreu"))
        .output()
        .expect("it runs");
    let help = String::from_utf8_lossy(&output.stderr);
    for command in [
        "demo", "serve", "catalog", "keys", "license", "usage", "log",
    ] {
        assert!(
            help.contains(&format!("\n  {command} ")),
            "{command} is missing:\n{help}"
        );
    }
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn broken_lines_are_refused_by_line_and_the_rest_comes_in() {
    let home = tempfile::tempdir().expect("a folder");
    let csv = "code,name,summary,kind,seller,category\n\
               acme.one,One,The first,download,Acme,tools/one\n\
               acme.two,\"Two,The quote never ends\n";
    let report = imported(home.path(), "csv", csv.as_bytes());
    let number = |field: &str| report[field].as_u64().unwrap_or_else(|| panic!("{report}"));
    assert_eq!(
        number("read"),
        number("created") + number("refused"),
        "{report}"
    );
    assert!(number("refused") > 0, "{report}");
}

#[test]
fn the_crates_that_build_this_come_in_whole_and_once() {
    let home = tempfile::tempdir().expect("a folder");
    let metadata = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(
        metadata.status.success(),
        "{}",
        String::from_utf8_lossy(&metadata.stderr)
    );
    let first = imported(home.path(), "cargo", &metadata.stdout);
    let again = imported(home.path(), "cargo", &metadata.stdout);
    let number = |report: &Value, field: &str| report[field].as_u64().unwrap_or_default();
    assert!(number(&first, "created") > 300, "{first}");
    let parts = number(&first, "created") + number(&first, "refused");
    assert_eq!(number(&first, "read"), parts, "{first}");
    assert_eq!(
        number(&again, "unchanged"),
        number(&first, "created"),
        "{again}"
    );
    assert_eq!(number(&again, "created"), 0, "{again}");
}
