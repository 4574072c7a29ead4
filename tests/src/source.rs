//! The project's own source, for tests that judge it.

use std::path::{Path, PathBuf};

/// A file and its text.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// Relative to the workspace, with forward slashes.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// The workspace's folder.
pub fn workspace() -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("a parent").to_owned()
}

/// Every Rust file of the server.
pub fn server_files() -> impl Iterator<Item = SourceFile> {
    rust_files("server/src")
}

/// Every Rust file below a folder of the workspace.
pub fn rust_files(folder: &str) -> impl Iterator<Item = SourceFile> {
    let (root, mut found) = (workspace(), Vec::new());
    collect(&root.join(folder), &mut found);
    found.sort();
    assert!(!found.is_empty(), "no files below {folder}");
    found.into_iter().map(move |path| SourceFile {
        text: std::fs::read_to_string(&path).expect("a readable file"),
        path: relative(&root, &path),
    })
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn relative(root: &Path, path: &Path) -> String {
    let path = path.strip_prefix(root).expect("below the workspace");
    path.to_string_lossy().replace('\\', "/")
}

/// Whether house rule 6 lets a file hold SQL.
pub fn may_hold_sql(path: &str) -> bool {
    path.ends_with("/sql.rs") || path.contains("/sql/") || path.contains("/store/")
}

/// A file's code without its tests and comments.
pub fn code(file: &SourceFile) -> String {
    let code = file.text.split("#[cfg(test)]").next().unwrap_or("");
    let lines = code
        .lines()
        .map(|line| line.split("//").next().unwrap_or(""));
    lines.collect::<Vec<_>>().join("\n")
}

/// A string literal's value, from behind its opening quote.
pub fn literal(text: &str) -> String {
    let (mut value, mut letters) = (String::new(), text.chars().peekable());
    while let Some(letter) = letters.next() {
        match letter {
            '"' => break,
            '\\' => match letters.next() {
                Some('n') => value.push('\n'),
                // A line that goes on: its indentation doesn't count.
                Some('\n') => while letters.next_if(|next| next.is_whitespace()).is_some() {},
                Some(other) => value.push(other),
                None => break,
            },
            other => value.push(other),
        }
    }
    value
}
