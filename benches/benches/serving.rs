//! What the shop answers a second with a real catalog: every package that this Debian knows of.
//!
//! Beside it stands a bare axum route on the same runtime that answers as many bytes from memory.
//! Products are asked for evenly, all of them, so that most are read from the database's file.
//! `MINTREU_BENCH_PACKAGES` says how many packages; all without.

use std::io::Cursor;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::process::Command;

use mintreu_benches::load::{Served, drive, get};
use mintreu_benches::time_async;
use mintreu_server::domains::catalog::import::{Format, Items, Options, Source, import, open};
use mintreu_server::store::{StoreError, Tx};
use mintreu_tests::TestApp;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CLIENTS: usize = 32;
const REQUESTS: usize = 20_000;

/// What a shop's visitors look for.
const WORDS: [&str; 12] = [
    "python", "image", "editor", "music", "network", "game", "font", "database", "library",
    "terminal", "compiler", "video",
];

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(serve());
}

async fn serve() {
    let test = TestApp::sqlite().await;
    let (took, read) = time_async(bring_in(&test)).await;
    println!("{read} packages imported in {:.1} s", took.as_secs_f64());
    let slugs = test.app.store.read(slugs).await.expect("a read");
    let slugs = slugs.expect("slugs");
    let server = test.serve().await;
    let address = server.address;
    println!("{} products, {CLIENTS} clients", slugs.len());
    // A step that shares no divisor with any count of products meets each before it meets one again.
    let product = move |n: usize| get(&format!("/p/{}", slugs[n * 7_919 % slugs.len()]));
    beside_bare("product page", "≥ 0.3", address, REQUESTS, product).await;
    let one = |n: usize| get(&format!("/search?q={}", WORDS[n % WORDS.len()]));
    beside_bare("search of one word", "≥ 0.3", address, REQUESTS / 10, one).await;
    let two = |n: usize| {
        let (first, second) = (n % WORDS.len(), (n * 5 + 1) % WORDS.len());
        get(&format!("/search?q={}+{}", WORDS[first], WORDS[second]))
    };
    beside_bare(
        "search of two words",
        "p99 ≤ 50 ms",
        address,
        REQUESTS / 10,
        two,
    )
    .await;
    beside_bare("front page", "-", address, REQUESTS / 4, |_| get("/")).await;
    server.stop().await;
    test.finish().await;
}

/// Measures our server, then a bare route that answers as much.
async fn beside_bare(
    what: &str,
    goal: &str,
    address: SocketAddr,
    requests: usize,
    request: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static,
) {
    let ours = drive(address, (CLIENTS, requests), request).await;
    let bare = bare(ours.bytes).await;
    ours.report(what, &bare, goal);
}

async fn bare(bytes: usize) -> Served {
    let body: &'static [u8] = vec![b'x'; bytes].leak();
    let routes =
        axum::Router::new().route("/bare", axum::routing::get(move || async move { body }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    let served = drive(address, (CLIENTS, REQUESTS), |_| get("/bare")).await;
    serving.abort();
    served
}

fn slugs(tx: &mut dyn Tx) -> Result<Vec<String>, StoreError> {
    let rows = tx.query("SELECT slug FROM product ORDER BY product_id", &[])?;
    rows.iter().map(|row| row.text("slug")).collect()
}

struct Packages(Vec<u8>);

impl Source for Packages {
    fn open(&self) -> std::io::Result<Items<'_>> {
        open(Format::Debian, Cursor::new(&self.0))
    }
}

async fn bring_in(test: &TestApp) -> u64 {
    let listed = Command::new("apt-cache").arg("dumpavail").output();
    let mut packages = listed.expect("Debian's list of packages").stdout;
    let most = std::env::var("MINTREU_BENCH_PACKAGES").ok();
    if let Some(most) = most.and_then(|text| text.parse::<usize>().ok()) {
        let ends = packages.windows(2).enumerate();
        let ends = ends.filter(|(_, pair)| *pair == b"\n\n");
        let end = ends.map(|(at, _)| at + 2).nth(most.saturating_sub(1));
        packages.truncate(end.unwrap_or(packages.len()));
    }
    let options = Options {
        format: Format::Debian,
        chunk: 500,
        fresh: true,
    };
    let mut go_on = |_: &_| ControlFlow::Continue(());
    let source = Packages(packages);
    let report = import(&test.app, &test.system(), options, &source, &mut go_on).await;
    report.expect("the import ends").read
}
