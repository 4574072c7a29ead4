//! Writes the vectors that every language runs: `cargo run -p mintreu --example write-vectors -- DIR`.
//!
//! Every key comes from a fixed seed, so the same engine writes the same files.

mod cases;

use std::process::ExitCode;

fn main() -> ExitCode {
    let Some(folder) = std::env::args().nth(1) else {
        eprintln!("usage: write-vectors FOLDER");
        return ExitCode::from(2);
    };
    match write(std::path::Path::new(&folder)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the vectors could not be written to {folder}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write(folder: &std::path::Path) -> std::io::Result<()> {
    std::fs::create_dir_all(folder)?;
    for (name, content) in cases::files() {
        std::fs::write(folder.join(name), content)?;
    }
    Ok(())
}
