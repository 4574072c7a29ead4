//! Every route of the API asked as every role, and the owner's pages as a browser sees them.

use crate::payouts::{earn, seller};
use crate::permissions::needs;
use crate::web_pages::{DEVELOPER, page, send, sign_in};
use mintreu::{Currency, Money};
use mintreu_server::caller::{Capability, Role, grants};
use mintreu_server::demo;
use mintreu_tests::{Browser, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const OWNER: &str = "ines@mintreu.example";
const CUSTOMER: &str = "priya@customer.example";

/// Real ids where there are some, so that what is another's is asked for by its own name.
fn filled(path: &str, ids: &BTreeMap<&str, String>) -> String {
    let mut out = String::new();
    for (index, piece) in path.split('{').enumerate() {
        match piece.split_once('}') {
            Some((name, rest)) if index > 0 => {
                let known = ids.get(name).cloned();
                out.push_str(&known.unwrap_or_else(|| "nothing".to_owned()));
                out.push_str(rest);
            }
            _ => out.push_str(piece),
        }
    }
    out
}

async fn ask(browser: &Browser, (method, path): (&str, &str)) -> (u16, String) {
    let method = Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method");
    let plain = method == Method::GET || method == Method::DELETE;
    let mut request = browser.request(method, path);
    if !plain {
        request = request.json(&json!({}));
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.text().await.unwrap_or_default())
}

/// What is the developer's own, by the names of the paths' parts.
async fn ids_of(seller: &Browser) -> BTreeMap<&'static str, String> {
    let (_, found) = seller.get_json("/v1/shop/products").await;
    let first = |value: &Value, name: &str| {
        let rows = value
            .as_array()
            .or_else(|| value.as_object()?.values().find_map(Value::as_array));
        let row = rows
            .and_then(|rows| rows.first())
            .cloned()
            .unwrap_or_default();
        row[name].as_str().map(str::to_owned)
    };
    let mut ids = BTreeMap::new();
    ids.extend(first(&found, "product_id").map(|id| ("id", id)));
    ids.extend(first(&found, "slug").map(|slug| ("slug", slug)));
    let (_, sales) = seller.get_json("/v1/sales").await;
    ids.extend(first(&sales, "order_line_id").map(|id| ("order_line_id", id)));
    ids.extend(first(&sales, "order_id").map(|id| ("order_id", id)));
    ids.insert("currency", "EUR".to_owned());
    ids.insert("provider", "sandbox".to_owned());
    ids
}

#[tokio::test]
async fn no_route_answers_whom_the_matrix_denies() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        let server = test.serve().await;
        let people = [
            (Role::Guest, None),
            (Role::Customer, Some(CUSTOMER)),
            (Role::Developer, Some(DEVELOPER)),
            (Role::Developer, Some("")),
            (Role::Admin, Some(OWNER)),
        ];
        let mut seen = Vec::new();
        let mut ids = BTreeMap::new();
        for (role, email) in people {
            let browser = server.browser();
            match email {
                Some("") => become_a_seller(&browser).await,
                Some(email) => sign_in(&browser, email).await,
                None => {}
            }
            if email == Some(DEVELOPER) {
                ids = ids_of(&browser).await;
                assert!(ids.contains_key("slug"), "{ids:?}");
            }
            seen.push((role, email.unwrap_or("nobody"), browser));
        }
        let sold = ["order_line_id", "order_id"];
        let own: Vec<_> = sold.iter().filter_map(|name| ids.get(name)).collect();
        let mut wrong = Vec::new();
        let mut allowed = 0;
        for ((method, path), need) in needs() {
            // Signs out or away, and would end this test's own visits.
            if path.starts_with("/v1/sessions") && method == "delete" {
                continue;
            }
            let address = filled(&path, &ids);
            for (role, who, browser) in &seen {
                let (status, body) = ask(browser, (&method, &address)).await;
                // What is the developer's own is told to nobody else.
                let theirs = *who == DEVELOPER || !own.iter().any(|id| body.contains(id.as_str()));
                let capability = Capability::ALL.iter().find(|one| one.name() == need);
                let may = match need.as_str() {
                    "own" => theirs,
                    _ => capability.is_some_and(|one| grants(*role, *one)),
                };
                let done = (200..300).contains(&status);
                let listed = method == "get" && !path.contains('{');
                let what = format!("{method} {address} as {} {who}: {status}", role.name());
                if status >= 500 || (done && !may) {
                    wrong.push(what);
                } else if may && listed && [401, 403].contains(&status) {
                    wrong.push(format!("{what}, and should be let in"));
                }
                allowed += usize::from(done && may);
            }
        }
        assert!(wrong.is_empty(), "{} wrong: {wrong:#?}", wrong.len());
        assert!(allowed > 50, "only {allowed} were answered");
        server.stop().await;
    })
    .await;
}

/// Another seller, with a shop and nothing in it.
async fn become_a_seller(browser: &Browser) {
    let fields = [
        ("name", "Other Seller"),
        ("email", "other@seller.example"),
        ("password", "a long enough password"),
    ];
    let (status, _, body) = send(browser, "/sign-up", "/sign-up", &fields).await;
    assert!(status.is_redirection(), "{status} {body}");
    let fields = [("name", "Other Shop")];
    let (status, _, body) = send(browser, "/sell", "/sell/open", &fields).await;
    assert!(status.is_redirection(), "{status} {body}");
}

/// Every page of the owner's, and what the forms on them are sent to.
const PAGES: [&str; 8] = [
    "/owner",
    "/owner/ledger",
    "/owner/ledger/entries?of=ord_nothing",
    "/owner/payouts",
    "/owner/disputes",
    "/owner/risk",
    "/owner/fees",
    "/owner/taxes",
];

#[tokio::test]
async fn the_owner_s_pages_are_there_for_the_owner_alone() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        let server = test.serve().await;
        for email in [None, Some(CUSTOMER), Some(DEVELOPER)] {
            let browser = server.browser();
            if let Some(email) = email {
                sign_in(&browser, email).await;
            }
            for path in PAGES {
                let status = browser.get(path).await.status().as_u16();
                // Who isn't signed in is asked to, and comes back.
                let expected = if email.is_some() { 404 } else { 303 };
                assert_eq!(status, expected, "{path} as {email:?}");
            }
            let home = page(&browser, "/").await;
            assert!(!home.contains("href=\"/owner\""), "{email:?}");
        }
        let owner = server.browser();
        sign_in(&owner, OWNER).await;
        for path in PAGES {
            let text = page(&owner, path).await;
            assert!(text.contains("href=\"/owner\""), "{path}");
        }
        owner_sets_a_rule(&owner).await;
        owner_writes_a_risk_rule(&owner).await;
        earn(test, "a sale", seller(1), Money::new(100, Currency::EUR)).await;
        owner_looks_at_a_transaction(&owner).await;
        let (status, to, _) = send(&owner, "/owner/payouts", "/owner/payouts/start", &[]).await;
        assert_eq!(status.as_u16(), 303);
        test.drain().await;
        page(&owner, &to).await;
        server.stop().await;
    })
    .await;
}

/// A rule of risk is looked at before it is kept, and an entry is taken back by one click.
async fn owner_writes_a_risk_rule(owner: &Browser) {
    let at = "/owner/risk";
    let form = |act, threshold| {
        [
            ("act", act),
            ("name", "Every second one"),
            ("counts", "attempts"),
            ("by", "buyer"),
            ("window", "30"),
            ("unit", "days"),
            ("threshold", threshold),
            ("action", "review"),
            ("mode", "shadow"),
        ]
    };
    let rules = "/owner/risk/rules";
    let (status, _, body) = send(owner, at, rules, &form("look", "0")).await;
    assert_eq!(status.as_u16(), 422, "{body}");
    assert!(body.contains("threshold-error") && body.contains("Every second one"));
    let (status, _, body) = send(owner, at, rules, &form("look", "2")).await;
    assert_eq!(status.as_u16(), 200, "{body}");
    assert!(body.contains("id=\"trial\""), "{body}");
    assert!(!page(owner, at).await.contains("Every second one"));
    let (status, to, _) = send(owner, at, rules, &form("keep", "2")).await;
    assert_eq!(
        (status.as_u16(), to.as_str()),
        (303, "/owner/risk?saved=1#rules")
    );
    assert!(page(owner, at).await.contains("Every second one"));
    let entry = [
        ("side", "block"),
        ("kind", "domain"),
        ("value", "bad.example"),
        ("days", "7"),
        ("entry_reason", "seen before"),
    ];
    let (status, ..) = send(owner, at, "/owner/risk/entries", &entry).await;
    assert_eq!(status.as_u16(), 303);
    let listed = page(owner, at).await;
    let lift = listed
        .split("action=\"")
        .find(|part| part.contains("Take back bad.example"));
    let lift = lift.and_then(|part| part.split('"').next());
    let lift = lift.expect("a button that takes it back").to_owned();
    let (status, ..) = send(owner, at, &lift, &[]).await;
    assert_eq!(status.as_u16(), 303);
    assert!(!page(owner, at).await.contains("Take back bad.example"));
}

async fn owner_sets_a_rule(owner: &Browser) {
    let form = |action, share| {
        [
            ("action", action),
            ("scope", "category"),
            ("subject", "developer"),
            ("kind", "shares"),
            ("seller", share),
            ("marketplace", "18.25"),
            ("otherwise", "15"),
            ("reason", "spring of tools"),
        ]
    };
    let (status, _, body) = send(owner, "/owner/fees", "/owner/fees", &form("look", "9")).await;
    assert_eq!(status.as_u16(), 422);
    // What was typed is kept, and the mistake stands at its field.
    assert!(body.contains("seller-error") && body.contains("spring of tools"));
    let (status, _, body) = send(owner, "/owner/fees", "/owner/fees", &form("look", "11")).await;
    assert_eq!(status.as_u16(), 200, "{body}");
    assert!(
        body.contains("id=\"trial\"") && body.contains("€18.25"),
        "{body}"
    );
    assert!(!page(owner, "/owner/fees").await.contains("spring of tools"));
    let (status, to, _) = send(owner, "/owner/fees", "/owner/fees", &form("keep", "11")).await;
    assert_eq!((status.as_u16(), to.as_str()), (303, "/owner/fees?saved=1"));
    let kept = page(owner, "/owner/fees").await;
    assert!(
        kept.contains("spring of tools") && kept.contains("18.25 %"),
        "{kept}"
    );
    let fee = [
        ("currency", "jpy"),
        ("amount", "2500"),
        ("dispute_reason", "new tariff"),
    ];
    let (status, _, _) = send(owner, "/owner/fees", "/owner/fees/disputes", &fee).await;
    assert_eq!(status.as_u16(), 303);
    assert!(page(owner, "/owner/fees").await.contains("¥2,500"));
    let wrong = [
        ("currency", "jpy"),
        ("amount", "2.5"),
        ("dispute_reason", "new tariff"),
    ];
    let (status, _, _) = send(owner, "/owner/fees", "/owner/fees/disputes", &wrong).await;
    assert_eq!(status.as_u16(), 422);
}

async fn owner_looks_at_a_transaction(owner: &Browser) {
    let (_, found) = owner.get_json("/v1/ledger/accounts").await;
    let account = found["accounts"][0]["ledger_account_id"].as_str();
    let account = account.expect("an account");
    let entries = format!("/owner/ledger/entries?of={account}&from=2000-01-01");
    let text = page(owner, &entries).await;
    let link = text.split("href=\"/owner/ledger/transactions/").nth(1);
    let id = link
        .and_then(|rest| rest.split('"').next())
        .expect("a transaction");
    let one = page(owner, &format!("/owner/ledger/transactions/{id}")).await;
    assert!(one.contains("0.00"), "{one}");
    let file = format!("/owner/ledger/entries.csv?of={account}");
    let lines = page(owner, &file).await;
    assert!(lines.lines().count() > 1, "{lines}");
    assert!(lines.contains(id), "{lines}");
    let none = page(
        owner,
        &format!("/owner/ledger/entries?of={account}&until=2000-01-01"),
    )
    .await;
    assert!(!none.contains("/owner/ledger/transactions/"), "{none}");
    let wrong = format!("/owner/ledger/entries?of={account}&from=yesterday");
    let bad = owner.get(&wrong);
    assert_eq!(bad.await.status().as_u16(), 422);
}
