//! From the start of the process to its first answer, and the memory it then has, beside a process
//! that serves one bare axum route.
//!
//! `MINTREU_BENCH_BINARY` is the server's binary, `target/release/mintreu` without
//! (`cargo build --release` makes it). Linux only: memory is read from `/proc`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mintreu_benches::{report, time};

/// Where the server's binary is, if not beside this bench.
const BINARY: &str = "MINTREU_BENCH_BINARY";
/// Set in the process that is the peer: where it listens.
const BARE: &str = "MINTREU_BENCH_BARE";
/// How the world reaches the server; it serves nothing under a name without TLS.
const HOST: &str = "bench.example";
/// A key-encryption key that protects nothing but this bench's database.
const KEK: &str = "YmVuY2ggYmVuY2ggYmVuY2ggYmVuY2ggYmVuY2ggISE=";
const SECRET: &str = "a bench's webhook secret, long enough";
const STARTS: usize = 9;
const REST: Duration = Duration::from_secs(2);
const MIB: f64 = 1024.0 * 1024.0;

/// What one process took.
struct Started {
    to_answer: Duration,
    resident: f64,
}

fn main() {
    if let Ok(address) = std::env::var(BARE) {
        return serve_bare(&address);
    }
    let binary = binary();
    let size = std::fs::metadata(&binary).expect("its size").len();
    let bare = median(|| start(&bare_command(), "/bare"));
    let folder = tempfile::tempdir().expect("a folder");
    let mut fresh = 0;
    let first = median(|| {
        fresh += 1;
        start(
            &server_command(&binary, &folder.path().join(fresh.to_string())),
            "/",
        )
    });
    let kept = folder.path().join("kept");
    let again = median(|| start(&server_command(&binary, &kept), "/"));
    for (what, ours) in [
        ("first start, front page", &first),
        ("next start, front page", &again),
    ] {
        let ns = |one: &Started| one.to_answer.as_nanos() as f64;
        report(what, (ns(ours), ns(&bare)), "bare axum process", "≤ 200 ms");
    }
    println!(
        "memory at rest {:.1} MiB (goal ≤ 50), of a bare axum process {:.1} MiB; binary {:.1} MiB (goal ≤ 40)",
        again.resident / MIB,
        bare.resident / MIB,
        size as f64 / MIB,
    );
}

fn binary() -> PathBuf {
    let named = std::env::var_os(BINARY).map(PathBuf::from);
    let built = || {
        // target/release/deps/startup-…: the binary lies a folder above.
        let own = std::env::current_exe().expect("this file");
        own.ancestors().nth(2).expect("its folder").join("mintreu")
    };
    let binary = named.unwrap_or_else(built);
    assert!(
        binary.exists(),
        "{}: cargo build --release",
        binary.display()
    );
    binary
}

/// A command and where what it starts will answer.
type Serving = (Command, SocketAddr);

fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

fn bare_command() -> impl Fn() -> Serving {
    || {
        let address = free_address();
        let mut command = Command::new(std::env::current_exe().expect("this file"));
        command.env(BARE, address.to_string());
        (command, address)
    }
}

fn server_command(binary: &Path, folder: &Path) -> impl Fn() -> Serving {
    std::fs::create_dir_all(folder).expect("a folder");
    move || {
        let address = free_address();
        let mut command = Command::new(binary);
        command
            .arg("serve")
            .current_dir(folder)
            // The server refuses settings that it doesn't know.
            .env_remove(BINARY)
            .env("MINTREU_SERVER_LISTEN", address.to_string())
            .env("MINTREU_SERVER_BASE_URL", format!("https://{HOST}"))
            .env("MINTREU_KEYS_KEK", KEK)
            .env("MINTREU_PAYMENTS_WEBHOOK_SECRET", SECRET)
            .env("MINTREU_MAIL_URL", "file:mail")
            .env("MINTREU_MAIL_FROM", "Bench <bench@example.org>");
        (command, address)
    }
}

fn start(serving: &impl Fn() -> Serving, path: &str) -> Started {
    let (mut command, address) = serving();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = None;
    let to_answer = time(|| {
        child = Some(command.spawn().expect("it starts"));
        while !answers(address, path) {
            std::thread::sleep(Duration::from_micros(500));
            let ended = child
                .as_mut()
                .and_then(|child| child.try_wait().ok().flatten());
            assert!(ended.is_none(), "it ended: {ended:?}");
        }
    });
    std::thread::sleep(REST);
    let mut child = child.expect("it started");
    let resident = resident(&child);
    child.kill().expect("it ends");
    child.wait().expect("it ended");
    Started {
        to_answer,
        resident,
    }
}

fn answers(address: SocketAddr, path: &str) -> bool {
    let Ok(mut stream) = TcpStream::connect(address) else {
        return false;
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: {HOST}\r\nconnection: close\r\n\r\n");
    let mut answer = Vec::new();
    let read = stream.write_all(request.as_bytes());
    let read = read.and_then(|()| stream.read_to_end(&mut answer));
    read.is_ok() && answer.starts_with(b"HTTP/1.1 200 ")
}

/// Bytes of memory that a process holds.
fn resident(child: &Child) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
    let status = status.expect("its status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1));
    kib.and_then(|kib| kib.parse::<f64>().ok()).expect("a size") * 1024.0
}

/// The start that took as long as half of them at most.
fn median(mut start: impl FnMut() -> Started) -> Started {
    let mut all: Vec<_> = (0..STARTS).map(|_| start()).collect();
    all.sort_by_key(|one| one.to_answer);
    all.swap_remove(STARTS / 2)
}

fn serve_bare(address: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let route = axum::routing::get(async || "bare");
        let routes = axum::Router::new().route("/bare", route);
        let listener = tokio::net::TcpListener::bind(address).await;
        axum::serve(listener.expect("its port"), routes)
            .await
            .expect("it serves");
    });
}
