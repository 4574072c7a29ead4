//! Small files below a root, read with limits.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The most bytes read of one file.
const MAX_BYTES: u64 = 64 * 1024;
/// The most entries read of one folder.
const MAX_ENTRIES: usize = 256;
/// The most bytes of a value.
const MAX_VALUE: usize = 128;

/// What makers write where an id should be.
const PLACEHOLDERS: [&str; 14] = [
    "to be filled by o.e.m.",
    "default string",
    "default_string",
    "not specified",
    "not available",
    "not applicable",
    "system serial number",
    "base board serial number",
    "serial number",
    "123456789",
    "0123456789",
    "uninitialized",
    "03000200-0400-0500-0006-000700080009",
    "unknown",
];

/// The files of a system.
pub(super) struct Files<'a> {
    root: &'a Path,
}

impl<'a> Files<'a> {
    pub fn below(root: &'a Path) -> Self {
        Self { root }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    pub fn has(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The beginning of a file as text; nothing when it can't be read.
    pub fn text(&self, path: &str) -> Option<String> {
        let file = File::open(self.path(path)).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The text of a file that everybody may read: root sees no more than others do.
    pub fn public_text(&self, path: &str) -> Option<String> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(self.path(path)).ok()?.permissions().mode();
            if mode & 0o004 == 0 {
                return None;
            }
        }
        self.text(path)
    }

    /// The names in a folder, in their order.
    pub fn names(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut names: Vec<_> = names.take(MAX_ENTRIES).collect();
        names.sort();
        names
    }

    /// Whether the place that a link leads to has this in its path.
    pub fn leads_through(&self, path: &str, part: &str) -> bool {
        let real = fs::canonicalize(self.path(path));
        real.is_ok_and(|real| real.to_string_lossy().contains(part))
    }
}

/// The value in a text, unless it is a placeholder, one character repeated, or too short or long.
pub(super) fn usable(text: &str) -> Option<&str> {
    let value = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
    let mut characters = value.chars().filter(|c| c.is_alphanumeric());
    let first = characters.next()?;
    let varied = characters.any(|c| c != first);
    let placeholder = PLACEHOLDERS.contains(&value.to_lowercase().as_str());
    (varied && !placeholder && (4..=MAX_VALUE).contains(&value.len())).then_some(value)
}
