//! docs/key-ceremony.md, carried out as it is written.

use std::path::Path;
use std::process::{Command, Output};

/// A block of commands, and the code with which the last of them must fail, if it must.
struct Block {
    line: usize,
    script: String,
    refused: Option<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```sh") else {
            continue;
        };
        let refused = info.trim().strip_prefix("refused=").map(str::to_owned);
        let script = lines
            .by_ref()
            .map(|(_, line)| line)
            .take_while(|line| *line != "```");
        found.push(Block {
            line: number + 1,
            script: script.collect::<Vec<_>>().join("\n"),
            refused,
        });
    }
    found
}

/// Runs a block in a shell that stops at the first failure, with `mintreu` on its path.
fn run(block: &Block, folder: &Path) -> Output {
    let binary = Path::new(env!("CARGO_BIN_EXE_mintreu"));
    let tools = binary.parent().expect("a folder").display();
    let script = format!("set -eu\nPATH=\"{tools}:$PATH\"\n{}\n", block.script);
    let mut shell = Command::new("sh");
    shell.current_dir(folder).args(["-c", &script]);
    shell.output().expect("a shell runs")
}

#[test]
fn the_ceremony_works_as_it_is_written() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/key-ceremony.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let blocks = blocks(&page);
    let refusals = blocks.iter().filter(|block| block.refused.is_some());
    assert!(
        blocks.len() > 12 && refusals.count() >= 3,
        "{} blocks",
        blocks.len()
    );
    let folder = tempfile::tempdir().expect("a folder");
    for block in &blocks {
        if block.script.contains("--new-root") {
            // Documents count in seconds: what the old root signed must be of before the change.
            std::thread::sleep(std::time::Duration::from_millis(1100));
        }
        let output = run(block, folder.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        match &block.refused {
            None => assert!(output.status.success(), "line {}: {said}", block.line),
            Some(code) => {
                assert!(
                    !output.status.success(),
                    "line {} must be refused",
                    block.line
                );
                assert!(
                    said.contains(&format!("({code})")),
                    "line {}: {said}",
                    block.line
                );
            }
        }
    }
}

#[test]
fn a_block_that_fails_is_noticed() {
    let page = "```sh\nmintreu keys check nothing.mtk --trust nothing\necho reached\n```\n";
    let found = blocks(page);
    let folder = tempfile::tempdir().expect("a folder");
    let output = run(&found[0], folder.path());
    assert!(!output.status.success());
    assert!(output.stdout.is_empty(), "it stops at the first failure");
}
