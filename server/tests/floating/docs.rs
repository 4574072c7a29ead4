//! docs/floating.md says what the program does: its commands run, its options and codes are all there.

use crate::common::{Shop, client, host_key};
use crate::start::CASES;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

const PAGE: &str = include_str!("../../../docs/floating.md");

/// The commands of the page, in its order.
fn commands() -> Vec<&'static str> {
    let blocks = PAGE.split("```sh\n").skip(1);
    blocks
        .map(|block| block.split("\n```").next().expect("an end"))
        .collect()
}

/// A shell in `folder` that finds the program by its name.
fn shell(folder: &Path, command: &str) -> Command {
    let program = Path::new(env!("CARGO_BIN_EXE_mintreu"));
    let found = program.parent().expect("a folder").display();
    let mut shell = Command::new("sh");
    let command = format!("PATH=\"{found}:$PATH\"; exec {command}");
    shell.current_dir(folder).args(["-c", &command]);
    shell
}

#[tokio::test]
async fn the_commands_of_the_page_run() {
    let home = tempfile::tempdir().expect("a folder");
    let commands = commands();
    let [first, serving @ ..] = commands.as_slice() else {
        panic!("the page has commands");
    };
    assert_eq!(serving.len(), 2);
    let made = shell(home.path(), first).output().expect("it runs");
    let key = host_key(&home.path().join("floating"));
    let printed = String::from_utf8(made.stdout).expect("text");
    assert_eq!(printed.trim(), key.public().to_string());
    let shop = Shop::new(2);
    let file = shop
        .file(&key)
        .to_text(&["for people".to_owned()])
        .expect("writes");
    std::fs::write(home.path().join("floating.mtl"), file).expect("is written");
    std::fs::write(home.path().join("page.token"), "sixteen characters").expect("is written");
    for command in serving {
        // As written but for the port, which may be taken where tests run.
        let command = match command.contains("--listen") {
            true => command.replace("0.0.0.0:6350", "127.0.0.1:0"),
            false => format!("{command} --listen 127.0.0.1:0"),
        };
        let mut host = shell(home.path(), &command)
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(host.stderr.take().expect("a pipe")).lines();
        let said = lines.next().expect("a line").expect("text");
        let address = said
            .split("http://")
            .nth(1)
            .unwrap_or_else(|| panic!("{said}"));
        let health = client(1)
            .get(format!("http://{address}/health"))
            .send()
            .await;
        assert_eq!(health.expect("an answer").status(), 200, "{command}");
        host.kill().expect("a signal");
        host.wait().expect("it ends");
    }
}

#[test]
fn the_page_knows_every_option_and_code() {
    let mut help = Command::new(env!("CARGO_BIN_EXE_mintreu"));
    let help = help.args(["serve", "--help"]).output().expect("it runs");
    let help = String::from_utf8(help.stdout).expect("text");
    let words = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"));
    let general = ["--json", "--config", "--help"];
    let mut options = 0;
    for option in words.map(|word| word.trim_end_matches([',', '.', ')'])) {
        assert!(
            PAGE.contains(option) || general.contains(&option),
            "{option}"
        );
        options += 1;
    }
    assert!(options >= 9, "{help}");
    for (code, _) in CASES {
        assert!(PAGE.contains(&format!("`{code}`")), "{code}");
    }
}
