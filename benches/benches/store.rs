//! Durable commands on SQLite: many clients at once, whose commits are grouped, beside one at a
//! time.

use std::sync::Arc;
use std::time::Duration;

use mintreu::id::{AccountId, PriceId};
use mintreu::{Currency, Money};
use mintreu_benches::{report, time, time_async};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::catalog::ops::{
    AddCategory, CreateProduct, OpenShop, PublishProduct, add_category, create_product, open_shop,
    publish_product,
};
use mintreu_server::domains::fulfilment::quote::Basis;
use mintreu_server::domains::fulfilment::{Checkout, Item, Wanted, checkout};
use mintreu_server::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use mintreu_server::domains::tenants::{AddTenant, add_tenant};
use mintreu_tests::TestApp;
use serde_json::json;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const COMMANDS: u32 = 2_048;
const ORDERS: u32 = 1_024;
const CLIENTS: u32 = 64;
const PRICE: i64 = 4_900;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    let alone = time(|| drive(&runtime, 1));
    let grouped = time(|| drive(&runtime, CLIENTS));
    let a_command = |took: Duration| took.as_nanos() as f64 / f64::from(COMMANDS);
    let what = "one-row command, 64 clients";
    report(
        what,
        (a_command(grouped), a_command(alone)),
        "one client",
        "≤ 0.20",
    );
    let alone = runtime.block_on(order(1));
    let grouped = runtime.block_on(order(CLIENTS));
    let an_order = |took: Duration| took.as_nanos() as f64 / f64::from(ORDERS);
    report(
        "order placed, 64 clients",
        (an_order(grouped), an_order(alone)),
        "one client",
        "≤ 0.50",
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

/// How long so many clients take to place all orders, each a whole checkout: quote, lines, tax,
/// split, payment and what is told of it.
async fn order(clients: u32) -> Duration {
    let test = TestApp::sqlite().await;
    let price = something_to_sell(&test).await;
    let (took, ()) = time_async(async {
        let tasks = (0..clients).map(|client| {
            let (app, guest) = (Arc::clone(&test.app), test.guest());
            tokio::spawn(async move {
                for number in 0..ORDERS / clients {
                    let email = format!("guest-{client}-{number}@example.org");
                    let placed = app.transact(&guest, cart(price, email), checkout).await;
                    placed.expect("an order");
                }
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("a client");
        }
    })
    .await;
    test.finish().await;
    took
}

fn cart(price: PriceId, email: String) -> Checkout {
    Checkout {
        wanted: Wanted {
            items: vec![Item::new(price, 1)],
            ..Wanted::default()
        },
        seen: Money::new(PRICE, Currency::EUR),
        email: Some(email),
        network: None,
        provider: "sandbox".to_owned(),
        basis: Basis {
            traffic: Traffic::Unknown,
            fees: FeePolicy::default(),
            tariff: PaymentTariff::default(),
        },
    }
}

async fn something_to_sell(test: &TestApp) -> PriceId {
    let app = &test.app;
    let seller = Caller {
        tenant: test.tenant(),
        account: Some(AccountId::from_bytes(*b"a bench's seller")),
        roles: vec![Role::Developer],
    };
    let open: OpenShop = serde_json::from_value(json!({"name": "Acme"})).expect("a shop");
    app.transact(&seller, open, open_shop).await.expect("opens");
    let tools = json!({"path": "tools", "name": "Tools"});
    let tools: AddCategory = serde_json::from_value(tools).expect("a category");
    let added = app.transact(&test.system(), tools, add_category).await;
    added.expect("is added");
    let draft = json!({
        "code": "acme.editor", "kind": "download", "name": "Acme Editor", "summary": "Edits.",
        "categories": ["tools"],
        "prices": [{"model": "one_time", "amount_minor": PRICE, "currency": "EUR"}],
    });
    let draft = serde_json::from_value(draft).expect("a draft");
    let made = app.transact(&seller, CreateProduct { draft }, create_product);
    let product = made.await.expect("is written").id;
    let publish = PublishProduct { product };
    let published = app.transact(&seller, publish, publish_product).await;
    published.expect("is published").prices[0].id
}
