//! Writes the JavaScript side of a compiled module, for one kind of host.
//!
//! `mintreu-wasm-bundle MODULE.wasm OUT_DIR (web|node|bundler)`
//!
//! A program of our own rather than the `wasm-bindgen` tool, so that its version is locked next
//! to the library's and nobody has to install anything.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

const USAGE: &str = "usage: mintreu-wasm-bundle MODULE.wasm OUT_DIR (web|node|bundler)";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [module, out_dir, host] = arguments.as_slice() else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match bundle(module, out_dir, host) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn bundle(module: &str, out_dir: &str, host: &str) -> Result<(), String> {
    let mut bindgen = Bindgen::new();
    bindgen
        .input_path(module)
        .out_name("mintreu")
        .typescript(true)
        .omit_default_module_path(false)
        .remove_name_section(true)
        .remove_producers_section(true);
    let chosen = match host {
        "web" => bindgen.web(true),
        "node" => bindgen.nodejs(true),
        "bundler" => bindgen.bundler(true),
        _ => return Err(USAGE.to_owned()),
    };
    chosen
        .and_then(|bindgen| bindgen.generate(out_dir))
        .map_err(|cause| format!("{module}: {cause:#}"))
}
