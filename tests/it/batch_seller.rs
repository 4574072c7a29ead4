//! A seller who signed up over HTTP, with a product to issue licenses of.

use mintreu::id::AccountId;
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::catalog::ops::{AddCategory, add_category};
use mintreu_server::store::{Attempt, Tx};
use mintreu_tests::{Browser, TestApp, TestServer};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// A signed-in seller.
pub struct Seller {
    pub browser: Browser,
    /// The same person, without HTTP.
    pub caller: Caller,
    /// The product's: `/v1/products/…`.
    pub path: String,
    pub slug: String,
}

/// Signs `name` up, who sells `{name}.editor` for two devices.
pub async fn seller(test: &TestApp, server: &TestServer, name: &str) -> Seller {
    let browser = server.browser();
    let email = format!("{name}@example.org");
    let password = "a tame raven sings";
    let body = json!({ "email": email, "name": name, "password": password });
    let (status, account) = browser.post_json("/v1/accounts", &body).await;
    assert_eq!(status, StatusCode::CREATED, "{account}");
    let body = json!({ "email": email, "password": password });
    assert_eq!(browser.post_json("/v1/sessions", &body).await.0, 201);
    let (_, me) = browser.get_json("/v1/me").await;
    let account = me["account_id"].as_str().expect("an id");
    let account = AccountId::parse(account).expect("an id");
    browser.post_json("/v1/me/developer", &json!({})).await;
    let shop = browser.request(Method::PUT, "/v1/shop");
    let shop = shop.json(&json!({ "name": name })).send().await;
    assert!(shop.expect("an answer").status().is_success());
    let category = json!({ "path": name, "name": name });
    let category: AddCategory = serde_json::from_value(category).expect("a category");
    let house = test.system();
    let added = test.app.transact(&house, category, add_category);
    added.await.expect("is added");
    let draft = json!({
        "code": format!("{name}.editor"), "kind": "download", "name": format!("{name} Editor"),
        "summary": "Edits.", "categories": [name], "prices": [],
        "terms": {
            "seats": 2, "validity_days": 30,
            "entitlements": [{ "name": "export-4k", "value": true }],
        },
    });
    let (status, product) = browser.post_json("/v1/products", &draft).await;
    assert_eq!(status, StatusCode::CREATED, "{product}");
    let slug = product["slug"].as_str().expect("a slug").to_owned();
    Seller {
        browser,
        caller: Caller {
            tenant: test.tenant(),
            account: Some(account),
            roles: vec![Role::Developer],
        },
        path: format!("/v1/products/{slug}"),
        slug,
    }
}

/// The lines of a CSV file.
pub fn csv_lines(text: &str) -> Vec<String> {
    text.split_terminator("\r\n").map(str::to_owned).collect()
}

/// The one figure that a query answers as `found`.
pub async fn numbers(test: &TestApp, sql: &'static str) -> i64 {
    let read = move |tx: &mut dyn Tx| tx.query_one(sql, &[]);
    let row = test.app.store.read(read).await;
    let row = row.expect("a read").expect("a row").expect("a figure");
    row.int("found").expect("a number")
}

/// Takes the jobs away that tell subscribers of each new license: a thousand times the same.
pub async fn forget_facts(test: &TestApp) {
    let sql = "DELETE FROM job WHERE kind = 'event.dispatch' AND state = 'waiting'";
    let forget = move |tx: &mut dyn Tx| Attempt::Commit(tx.execute(sql, &[]));
    // Whom a killed worker's last commit is in the way of is taken away the next time.
    test.app.store.write(Vec::new(), forget).await.ok();
}
