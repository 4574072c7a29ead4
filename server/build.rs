//! Lists the migrations, so that adding a file is adding a file; and builds the verifier for the
//! browser, where this machine can.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

const WASM: &str = "wasm32-unknown-unknown";
/// `1` builds the verifier in any profile, `0` never does. Without it, releases build it where the
/// target is installed.
const WANTED: &str = "MINTREU_VERIFIER";

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    migrations(&here, &out)?;
    let module = match verifier(&here, &out) {
        Ok(module) => module,
        Err(cause) => {
            println!("cargo::warning=without the usage verifier for browsers: {cause}");
            Vec::new()
        }
    };
    fs::write(out.join("verify.wasm"), module)?;
    Ok(())
}

fn migrations(here: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let folder = here.join("migrations");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names: Vec<String> = fs::read_dir(&folder)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, std::io::Error>>()?;
    names.retain(|name| name.ends_with(".sql"));
    names.sort();
    let mut list = String::from("&[\n");
    for name in &names {
        let path = folder.join(name);
        writeln!(list, "    ({name:?}, include_str!({path:?})),")?;
    }
    list.push_str("]\n");
    Ok(fs::write(out.join("migrations.rs"), list)?)
}

/// The compiled module; empty where none is wanted. A page then verifies on the server, and says so.
fn verifier(here: &Path, out: &Path) -> Result<Vec<u8>, Box<dyn Error>> {
    println!("cargo::rerun-if-env-changed={WANTED}");
    let asked = env::var(WANTED).ok();
    let wanted = match asked.as_deref() {
        Some("0") => false,
        Some(_) => true,
        None => env::var("PROFILE")? == "release",
    };
    let sources = here.join("../wasm/verify");
    if !wanted || !sources.is_dir() {
        return Ok(Vec::new());
    }
    for source in ["../core/src", "../wasm/verify/src", "../Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", here.join(source).display());
    }
    if !is_installed()? {
        let hint = format!("`rustup target add {WASM}` and build again");
        return match asked {
            Some(_) => Err(hint.into()),
            // A release must build with nothing but Rust; the page says what it lacks.
            None => {
                println!("cargo::warning=usage is verified on the server alone; {hint}");
                Ok(Vec::new())
            }
        };
    }
    let folder = out.join("wasm");
    let built = Command::new(env::var("CARGO")?)
        .args(["build", "--quiet", "--locked", "--target", WASM])
        .args(["--profile", "wasm", "--package", "mintreu-verify"])
        .arg("--manifest-path")
        .arg(sources.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&folder)
        // A verifier draws no lots, so that it needs no source of them.
        .env("RUSTFLAGS", "--cfg getrandom_backend=\"unsupported\"")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr)
            .replace('\n', " ")
            .into());
    }
    let module = folder.join(WASM).join("wasm/mintreu_verify.wasm");
    Ok(fs::read(module)?)
}

/// Whether the compiler can build for the browser.
fn is_installed() -> Result<bool, Box<dyn Error>> {
    let printed = Command::new(env::var("RUSTC")?)
        .args(["--print", "target-libdir", "--target", WASM])
        .output()?;
    let folder = String::from_utf8(printed.stdout)?;
    Ok(printed.status.success() && Path::new(folder.trim()).is_dir())
}
