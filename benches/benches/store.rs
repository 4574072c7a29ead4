//! Durable commands on SQLite: many clients at once, whose commits are grouped, beside one at a
//! time.

use std::sync::Arc;

use mintreu_benches::{report, time};
use mintreu_server::domains::tenants::{AddTenant, add_tenant};
use mintreu_tests::TestApp;

const COMMANDS: u32 = 2_048;
const CLIENTS: u32 = 64;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let alone = time(|| drive(&runtime, 1));
    let grouped = time(|| drive(&runtime, CLIENTS));
    let a_command = |took: std::time::Duration| took.as_nanos() as f64 / f64::from(COMMANDS);
    let what = "one-row command, 64 clients";
    report(
        what,
        (a_command(grouped), a_command(alone)),
        "one client",
        "≤ 0.20",
    );
}

fn drive(runtime: &tokio::runtime::Runtime, clients: u32) {
    runtime.block_on(async {
        let test = TestApp::sqlite().await;
        let app = Arc::clone(&test.app);
        let tasks = (0..clients).map(|client| {
            let (app, caller) = (Arc::clone(&app), test.system());
            tokio::spawn(async move {
                for number in 0..COMMANDS / clients {
                    let name = format!("Shop {client} {number}");
                    let command = AddTenant {
                        name,
                        hosts: Vec::new(),
                    };
                    app.transact(&caller, command, add_tenant)
                        .await
                        .expect("a commit");
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("a client");
        }
        drop(app);
        test.finish().await;
    });
}
