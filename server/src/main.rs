//! The `mintreu` program; `cli` does the work.

/// A page is made of thousands of short-lived strings, by several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    mintreu_server::cli::main()
}
