//! Files as the tools read and write them: bounded, never overwritten, secrets for their owner only.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use super::CliError;

/// The most bytes that are read from any file: the largest document in armour.
const MAX_READ: u64 = 2 << 20;

/// Who may read a new file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readable {
    /// Whoever the folder lets in.
    ByAnyone,
    /// Its owner (mode 0600 where there are modes).
    ByOwner,
}

/// Writes a new file and makes it durable; `file_exists` rather than overwriting one.
pub fn write_new(path: &Path, bytes: &[u8], readable: Readable) -> Result<(), CliError> {
    let failed = |error: std::io::Error| {
        let shown = path.display();
        match error.kind() {
            ErrorKind::AlreadyExists => CliError::new(
                "file_exists",
                format!("{shown} already exists; choose another name or move it away first"),
            ),
            _ => CliError::new(
                "file_unwritable",
                format!("{shown} can't be written: {error}"),
            ),
        }
    };
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    if readable == Readable::ByOwner {
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    let mut file = options.open(path).map_err(failed)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(failed)
}

/// Reads a text file, or standard input for `-`.
pub fn read_text(path: &Path) -> Result<String, CliError> {
    let shown = path.display();
    let failed = |error: std::io::Error| {
        CliError::new("file_unreadable", format!("{shown} can't be read: {error}"))
    };
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin()
            .lock()
            .take(MAX_READ + 1)
            .read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(MAX_READ + 1).read_to_string(&mut text)
    };
    if read.map_err(failed)? as u64 > MAX_READ {
        return Err(CliError::new(
            "too_large",
            format!("{shown} has more than {MAX_READ} bytes"),
        ));
    }
    Ok(text)
}

/// Reads a file of at most `limit` bytes.
pub fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, CliError> {
    let shown = path.display();
    let failed = |error: std::io::Error| {
        CliError::new("file_unreadable", format!("{shown} can't be read: {error}"))
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    let read = file
        .take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if read as u64 > limit {
        let detail = format!("{shown} has more than {limit} bytes");
        return Err(CliError::new("too_large", detail));
    }
    Ok(bytes)
}

/// A text given on the command line as it is, or the file that holds it.
///
/// What starts like a text form is one; everything else is a path, `-` standard input.
pub fn text_or_file(given: &str, starts: &[&str]) -> Result<String, CliError> {
    let trimmed = given.trim_start();
    if starts.iter().any(|start| trimmed.starts_with(start)) {
        return Ok(given.to_owned());
    }
    read_text(Path::new(given))
}
