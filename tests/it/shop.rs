//! A shop with something to sell, and somebody who buys it over HTTP.

use mintreu::activation::{Fingerprint, Request, Wanted};
use mintreu::document::SigningKey;
use mintreu::id::{AccountId, PriceId};
use mintreu::{Timestamp, id};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::catalog::ops::{
    AddCategory, CreateProduct, OpenShop, PublishProduct, add_category, create_product, open_shop,
    publish_product,
};
use mintreu_server::domains::catalog::{self, Product};
use mintreu_tests::{Browser, TestApp};
use serde_json::{Value, json};

pub const SELLER: AccountId = AccountId::from_bytes(*b"shop seller acct");
pub const CODE: &str = "acme.editor";

/// A published product with a price of 49.00 EUR, one that is free, and two seats.
pub struct Shop {
    pub seller: Caller,
    pub price: PriceId,
    pub free: PriceId,
}

pub fn person(test: &TestApp, account: AccountId, role: Role) -> Caller {
    Caller {
        tenant: test.tenant(),
        account: Some(account),
        roles: vec![role],
    }
}

/// A seller with a shop, and a category to sell in.
pub async fn stall(test: &TestApp, name: &str) -> Caller {
    let app = &test.app;
    let seller = person(test, SELLER, Role::Developer);
    let open: OpenShop = serde_json::from_value(json!({"name": name})).expect("a shop");
    app.transact(&seller, open, open_shop).await.expect("opens");
    let tools: AddCategory =
        serde_json::from_str(r#"{"path":"tools","name":"Tools"}"#).expect("a category");
    let added = app.transact(&test.system(), tools, add_category).await;
    added.expect("is added");
    seller
}

/// Lists what a draft describes; answers it with its prices, in the draft's order.
pub async fn listed(test: &TestApp, seller: &Caller, draft: Value) -> Product {
    let app = &test.app;
    let draft = serde_json::from_value(draft).expect("a draft");
    let made = app.transact(seller, CreateProduct { draft }, create_product);
    let product = made.await.expect("is written").id;
    let publish = PublishProduct { product };
    let published = app.transact(seller, publish, publish_product).await;
    published.expect("is published");
    let tenant = test.tenant();
    let found = app
        .store
        .read(move |tx| catalog::product(tx, tenant, product));
    let found = found.await.expect("reads").expect("reads");
    found.expect("is there")
}

pub async fn shop(test: &TestApp) -> Shop {
    let seller = stall(test, "Acme").await;
    let draft = json!({
        "code": CODE, "kind": "download", "name": "Acme Editor", "summary": "Edits.",
        "categories": ["tools"],
        "prices": [
            {"model": "one_time", "amount_minor": 4900, "currency": "EUR"},
            {"model": "free", "currency": "EUR"},
        ],
        "terms": {
            "seats": 2,
            "entitlements": [{"name": "export-4k", "value": true}, {"name": "gpus", "value": 4}],
        },
    });
    let found = listed(test, &seller, draft).await;
    Shop {
        seller,
        price: found.prices[0].id,
        free: found.prices[1].id,
    }
}

/// What a guest sends to buy at `amount_minor`.
pub fn order_of(price: PriceId, amount_minor: i64) -> Value {
    json!({
        "price_id": price.to_string(), "amount_minor": amount_minor, "currency": "EUR",
        "email": "guest@example.org",
    })
}

/// A guest's order, by its id and token.
pub struct Bought {
    pub order: String,
    pub token: String,
    pub pay_url: String,
}

impl Bought {
    /// What is paid on a page, whatever it is of.
    pub fn on_page(pay_url: impl Into<String>) -> Self {
        Self {
            order: String::new(),
            token: String::new(),
            pay_url: pay_url.into(),
        }
    }

    pub fn path(&self) -> String {
        format!("/v1/orders/{}?token={}", self.order, self.token)
    }
}

/// Checks out and answers what to pay.
pub async fn check_out(guest: &Browser, shop: &Shop) -> Bought {
    placed(guest, &order_of(shop.price, 4900)).await
}

/// Places an order.
pub async fn placed(guest: &Browser, order: &Value) -> Bought {
    let (status, started) = guest.post_json("/v1/checkouts", order).await;
    assert_eq!(status, 201, "{started}");
    bought(&started)
}

/// Places an order and pays for it; all that follows has happened.
pub async fn paid(test: &TestApp, guest: &Browser, order: &Value) -> Bought {
    let bought = placed(guest, order).await;
    choose(guest, &bought, "succeed").await;
    test.drain().await;
    bought
}

/// Takes what is free; answers the order and its license, as the order's page shows it.
pub async fn free_license(guest: &Browser, shop: &Shop) -> (Bought, Value) {
    let bought = placed(guest, &order_of(shop.free, 0)).await;
    let (_, page) = guest.get_json(&bought.path()).await;
    let license = page["licenses"][0].clone();
    assert!(license["license_id"].is_string(), "{page}");
    (bought, license)
}

/// The id of a license that a page shows.
pub fn id_of(license: &Value) -> id::LicenseId {
    let text = license["license_id"].as_str().expect("a license");
    id::LicenseId::parse(text).expect("an id")
}

pub fn bought(started: &Value) -> Bought {
    let text = |name: &str| started[name].as_str().unwrap_or_default().to_owned();
    Bought {
        order: text("order_id"),
        token: text("token"),
        pay_url: text("pay_url"),
    }
}

/// Chooses on the sandbox's page; answers where the page sends the buyer.
pub async fn choose(guest: &Browser, bought: &Bought, choice: &str) -> String {
    let form = [("choice", choice)];
    let sent = guest.client.post(&bought.pay_url).form(&form).send().await;
    let answer = sent.expect("an answer");
    assert_eq!(answer.status(), 303, "{choice}");
    let location = &answer.headers()["location"];
    location.to_str().expect("an address").to_owned()
}

/// A device's request for a seat of the license.
pub fn request(device: u8, wanted: Wanted) -> Vec<u8> {
    let request = Request {
        product: CODE.to_owned(),
        issued_at: Timestamp::from_secs(1_800_000_000),
        nonce: [device; 16],
        wanted,
        fingerprint: Fingerprint::default(),
        version: None,
        renews: None,
        lend_secs: None,
    };
    request.seal(&device_key(device)).expect("seals")
}

pub fn device_key(device: u8) -> SigningKey {
    SigningKey::from_seed(&[device; 32])
}

/// Wants a seat of the license with this id.
pub fn of_license(license: &str) -> Wanted {
    Wanted::License(id::LicenseId::parse(license).expect("an id"))
}
