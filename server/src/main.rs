//! The `mintreu` program; `cli` does the work.

fn main() -> std::process::ExitCode {
    mintreu_server::cli::main()
}
