//! Prices and plans: versions, regional stand-ins, the seller's page, and what a quote makes of them.

use crate::shop::{Shop, check_out, choose, shop};
use crate::web_pages::{DEVELOPER, page, send, sign_in};
use mintreu::id::{PriceId, ProductId};
use mintreu_server::demo;
use mintreu_server::domains::catalog::model::PriceDraft;
use mintreu_server::domains::catalog::ops::{
    AddPrice, CatalogError, ChangePrice, PriceVersions, SwitchPrice, add_price, change_price,
    price_versions, switch_price,
};
use mintreu_server::domains::catalog::{self, PriceModel};
use mintreu_tests::{Browser, TestApp};
use reqwest::StatusCode;
use serde_json::{Value, json};

fn once(minor: i64) -> PriceDraft {
    PriceDraft::plain(PriceModel::OneTime, minor, "EUR")
}

fn there(minor: i64, countries: &[&str]) -> PriceDraft {
    PriceDraft {
        countries: countries.iter().map(|one| (*one).to_owned()).collect(),
        ..once(minor)
    }
}

async fn product_of(test: &TestApp, price: PriceId) -> ProductId {
    let tenant = test.tenant();
    let found = test
        .app
        .store
        .read(move |tx| catalog::price(tx, tenant, price));
    found
        .await
        .expect("reads")
        .expect("reads")
        .expect("is there")
        .0
}

async fn change(
    test: &TestApp,
    shop: &Shop,
    price: PriceId,
    draft: PriceDraft,
) -> Result<PriceId, CatalogError> {
    let command = ChangePrice { price, draft };
    let changed = test.app.transact(&shop.seller, command, change_price).await;
    changed.map(|(_, id)| id)
}

async fn add(
    test: &TestApp,
    shop: &Shop,
    draft: PriceDraft,
    region_of: Option<PriceId>,
) -> Result<PriceId, CatalogError> {
    let product = product_of(test, shop.price).await;
    let command = AddPrice {
        product,
        draft,
        region_of,
    };
    let added = test.app.transact(&shop.seller, command, add_price).await;
    added.map(|(_, id)| id)
}

async fn switch(test: &TestApp, shop: &Shop, price: PriceId, on: bool) -> Result<(), CatalogError> {
    let command = SwitchPrice { price, on };
    let done = test.app.transact(&shop.seller, command, switch_price).await;
    done.map(drop)
}

/// What is for sale, in the seller's order, and how many versions there are in all.
async fn book(test: &TestApp, shop: &Shop) -> (Vec<i64>, usize) {
    let product = product_of(test, shop.price).await;
    let read = test
        .app
        .read(&shop.seller, PriceVersions { product }, price_versions);
    let book = read.await.expect("reads");
    let prices = book.product.prices.iter();
    (
        prices.map(|price| price.amount.minor()).collect(),
        book.versions.len(),
    )
}

/// The field of the first mistake, and its code.
fn wrong<T: std::fmt::Debug>(refused: Result<T, CatalogError>) -> (&'static str, &'static str) {
    match refused.expect_err("is refused") {
        CatalogError::Invalid(found) => (found[0].field, found[0].code),
        CatalogError::NotFound(what) => (what, "not_found"),
        other => panic!("{other}"),
    }
}

async fn quote(guest: &Browser, price: PriceId, country: Option<&str>) -> (StatusCode, Value) {
    let body = json!({"items": [{"price_id": price.to_string()}], "country": country});
    guest.post_json("/v1/quotes", &body).await
}

async fn confirm(guest: &Browser, quoted: &Value) -> (StatusCode, Value) {
    let body = json!({
        "quote": quoted["quote"], "email": "a@example.org", "accepted": ["withdrawal_waiver"],
    });
    guest.post_json("/v1/quotes/confirmations", &body).await
}

#[tokio::test]
async fn a_new_version_takes_the_place_of_a_price_and_orders_keep_theirs() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let bought = check_out(&guest, &shop).await;
        let (_, quoted) = quote(&guest, shop.price, None).await;
        let new = change(test, &shop, shop.price, once(5900)).await;
        let new = new.expect("is changed");
        assert_eq!(book(test, &shop).await, (vec![5900, 0], 3));
        // The order that waits is paid at its price; nothing new is sold at it.
        choose(&guest, &bought, "succeed").await;
        test.drain().await;
        let (_, order) = guest.get_json(&bought.path()).await;
        assert_eq!(
            (&order["state"], &order["total_minor"]),
            (&json!("paid"), &json!(4900))
        );
        assert_eq!(confirm(&guest, &quoted).await.0, StatusCode::GONE);
        assert_eq!(quote(&guest, shop.price, None).await.0, StatusCode::GONE);
        let (_, quoted) = quote(&guest, new, None).await;
        assert_eq!(quoted["total_minor"], 5900);
        // The same again is no version; how it is charged stays.
        let same = change(test, &shop, new, once(5900)).await;
        assert_eq!(same.expect("is as it was"), new);
        let other = PriceDraft {
            currency: "USD".to_owned(),
            ..once(5900)
        };
        assert_eq!(
            wrong(change(test, &shop, new, other).await),
            ("currency", "fixed")
        );
        let gone = change(test, &shop, shop.price, once(100)).await;
        assert_eq!(wrong(gone), ("price", "not_found"));
        // What comes back takes the place of what is for sale.
        switch(test, &shop, shop.price, true)
            .await
            .expect("comes back");
        assert_eq!(book(test, &shop).await, (vec![4900, 0], 3));
        switch(test, &shop, shop.price, true)
            .await
            .expect("is back");
        switch(test, &shop, shop.free, false).await.expect("goes");
        let last = switch(test, &shop, shop.price, false).await;
        assert_eq!(wrong(last), ("prices", "required"));
        let again = add(test, &shop, once(4900), None).await;
        assert_eq!(wrong(again), ("amount_minor", "duplicate"));
        // Two mistakes of one price are told together, each at its field.
        let two = PriceDraft {
            most: Some(0),
            ..once(-5)
        };
        let Err(CatalogError::Invalid(found)) = add(test, &shop, two, None).await else {
            panic!("two mistakes were taken");
        };
        let fields: Vec<_> = found.iter().map(|one| one.field).collect();
        assert_eq!(fields, ["amount_minor", "most"]);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn buyers_pay_the_price_of_their_country_and_no_other_one() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let usual = Some(shop.price);
        let india = add(test, &shop, there(1900, &["in"]), usual).await;
        let india = india.expect("is added");
        let group = add(test, &shop, there(2500, &["South-Asia", "ke"]), usual).await;
        group.expect("is added");
        for (country, total, why, place) in [
            (None, 4900, "usual", Value::Null),
            (Some("DE"), 4900, "usual", Value::Null),
            (Some("IN"), 1900, "country", json!("IN")),
            (Some("BD"), 2500, "group", json!("SOUTH-ASIA")),
            (Some("KE"), 2500, "country", json!("KE")),
        ] {
            let (status, quoted) = quote(&guest, shop.price, country).await;
            assert_eq!(status, StatusCode::OK, "{quoted}");
            let line = &quoted["lines"][0];
            let told = (&quoted["total_minor"], &line["why"], &line["place"]);
            assert_eq!(told, (&json!(total), &json!(why), &place), "{country:?}");
        }
        let (_, problem) = quote(&guest, shop.price, Some("in")).await;
        assert_eq!(problem["code"], "country_unknown", "countries are capitals");
        // A stand-in by itself is for its countries only.
        let (_, problem) = quote(&guest, india, Some("DE")).await;
        assert_eq!(problem["code"], "country_not_served");
        // The country is sealed with the price: a confirmation has no say in it.
        let (_, quoted) = quote(&guest, shop.price, Some("IN")).await;
        let body = json!({
            "quote": quoted["quote"], "email": "a@example.org",
            "accepted": ["withdrawal_waiver"], "country": "DE",
        });
        let (status, _) = guest.post_json("/v1/quotes/confirmations", &body).await;
        assert!(status.is_client_error());
        let (status, started) = confirm(&guest, &quoted).await;
        assert_eq!(status, StatusCode::CREATED, "{started}");
        let path = format!(
            "/v1/orders/{}?token={}",
            started["order_id"].as_str().expect("an id"),
            started["token"].as_str().expect("a token")
        );
        assert_eq!(guest.get_json(&path).await.1["total_minor"], 1900);
        // A price that comes between quote and confirmation is told, not charged.
        let (_, quoted) = quote(&guest, shop.price, Some("DE")).await;
        let eea = add(test, &shop, there(4500, &["EEA"]), usual).await;
        eea.expect("is added");
        let (status, problem) = confirm(&guest, &quoted).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("quote_changed"))
        );
        assert_eq!(problem["quote"]["total_minor"], 4500);
        // What stands in follows its plan's versions, and goes with it.
        let new = change(test, &shop, shop.price, once(5900))
            .await
            .expect("is changed");
        assert_eq!(quote(&guest, new, Some("IN")).await.1["total_minor"], 1900);
        assert_eq!(quote(&guest, new, Some("US")).await.1["total_minor"], 5900);
        let (_, product) = guest.get_json("/v1/products/acme-editor").await;
        assert_eq!(
            product["regional_prices"].as_array().map(Vec::len),
            Some(3),
            "{product}"
        );
        assert_eq!(product["prices"].as_array().map(Vec::len), Some(2));
        switch(test, &shop, new, false).await.expect("goes");
        assert_eq!(quote(&guest, india, Some("IN")).await.0, StatusCode::GONE);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn regional_prices_that_make_no_sense_are_refused() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let usual = Some(shop.price);
        let added = add(test, &shop, there(1900, &["IN", "EU"]), usual).await;
        added.expect("is added");
        let other = PriceDraft::plain(PriceModel::Free, 0, "EUR");
        for (draft, of, expected) in [
            (
                there(1800, &["NP", "in"]),
                usual,
                ("countries", "duplicate"),
            ),
            (there(1800, &["eu"]), usual, ("countries", "duplicate")),
            (once(1800), usual, ("countries", "required")),
            (
                there(1800, &["Utopia"]),
                usual,
                ("countries", "out_of_range"),
            ),
            // Two letters, and no country's.
            (there(1800, &["XX"]), usual, ("countries", "out_of_range")),
            (other, usual, ("model", "fixed")),
            (
                there(1800, &["NP"]),
                Some(PriceId::from_bytes([9; 16])),
                ("region_of", "unknown"),
            ),
        ] {
            assert_eq!(wrong(add(test, &shop, draft, of).await), expected);
        }
        // The control: a country that no other one names.
        let sound = add(test, &shop, there(1800, &["NP"]), usual).await;
        sound.expect("is added");
    })
    .await;
}

#[tokio::test]
async fn the_page_of_prices_adds_changes_archives_and_works_out_an_example() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        let server = test.serve().await;
        let developer = server.browser();
        sign_in(&developer, DEVELOPER).await;
        let products = own_products(&developer).await;
        let metered = products.iter().find(|one| {
            let mut meters = one["meters"].as_array().into_iter().flatten();
            meters.any(|meter| !meter["tariff"].is_null())
        });
        let path = format!(
            "/sell/products/{}/prices",
            text(metered.expect("is metered"), "product_id")
        );
        let few = page(&developer, &format!("{path}?units=10")).await;
        let many = page(&developer, &format!("{path}?units=12345678")).await;
        assert!(few.contains("Example bill") && many.contains("value=\"12345678\""));
        let total = |drawn: &str| {
            let rest = drawn.split("class=\"total\"").nth(1).expect("a total");
            rest.split("</dd>").next().expect("its end").to_owned()
        };
        assert_ne!(total(&few), total(&many));

        let seller = server.browser();
        sign_in(&seller, "mara@lichen.example").await;
        let products = own_products(&seller).await;
        let hush = products.iter().find(|one| one["slug"] == "hush");
        let hush = hush.expect("is there");
        let base = format!("/sell/products/{}/prices", text(hush, "product_id"));
        let first = hush["prices"][0]["price_id"]
            .as_str()
            .expect("an id")
            .to_owned();

        // Mistakes stand at their inputs, and what was typed is kept.
        let fields = [
            ("model", "one_time"),
            ("amount", "a lot"),
            ("currency", "USD"),
            ("most", "many"),
        ];
        let (status, _, drawn) = send(&seller, &base, &base, &fields).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        for shown in ["id=\"amount-error\"", "id=\"most-error\"", "a lot"] {
            assert!(drawn.contains(shown), "{shown}: {drawn}");
        }
        // A comma parts euros from cents; thousands, and both marks at once, are refused.
        for amount in ["5,900", "5.900,00", "59,", "5,9,0"] {
            let fields = [
                ("model", "one_time"),
                ("amount", amount),
                ("currency", "USD"),
            ];
            let (status, _, drawn) = send(&seller, &base, &base, &fields).await;
            assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{amount}");
            assert!(drawn.contains("id=\"amount-error\""), "{amount}: {drawn}");
        }
        let fields = [
            ("model", "one_time"),
            ("amount", "59,00"),
            ("currency", "USD"),
        ];
        let (status, to, _) = send(&seller, &base, &base, &fields).await;
        assert_eq!(
            (status, to.as_str()),
            (StatusCode::SEE_OTHER, base.as_str())
        );
        let drawn = page(&seller, &base).await;
        assert!(drawn.contains("$59.00"), "{drawn}");
        let fields = [
            ("model", "one_time"),
            ("amount", "19"),
            ("currency", "EUR"),
            ("countries", "in, LATIN-AMERICA"),
            ("region_of", first.as_str()),
        ];
        let (status, _, drawn) = send(&seller, &base, &base, &fields).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{drawn}");
        let drawn = page(&seller, &base).await;
        assert!(
            drawn.contains("instead, in India, Latin America"),
            "{drawn}"
        );

        // The checkout asks where the buyer is, and says why it costs what it costs.
        let guest = server.browser();
        assert!(page(&guest, "/p/hush").await.contains("In some countries"));
        let usual = page(&guest, "/checkout/hush").await;
        assert!(
            usual.contains("€49.00") && usual.contains("Elsewhere"),
            "{usual}"
        );
        let brazil = page(&guest, "/checkout/hush?country=BR").await;
        assert!(
            brazil.contains("€19.00") && brazil.contains("The price in Latin America"),
            "{brazil}"
        );

        // A new version, archived and brought back.
        let edited = page(&seller, &format!("{base}?edit={first}")).await;
        assert!(edited.contains("A new version") && edited.contains("value=\"49.00\""));
        let fields = [
            ("price", first.as_str()),
            ("model", "one_time"),
            ("amount", "51"),
            ("currency", "EUR"),
        ];
        assert_eq!(
            send(&seller, &base, &base, &fields).await.0,
            StatusCode::SEE_OTHER
        );
        assert!(page(&guest, "/p/hush").await.contains("€51.00"));
        let back = [("price", first.as_str()), ("on", "yes")];
        let switch = format!("{base}/switch");
        assert_eq!(
            send(&seller, &base, &switch, &back).await.0,
            StatusCode::SEE_OTHER
        );
        let (_, book) = seller.get_json("/v1/products/hush/prices").await;
        let versions = book["versions"].as_array().expect("a list");
        let old = versions
            .iter()
            .find(|one| one["price_id"] == *first)
            .expect("is there");
        assert!(old["archived_at"].is_null(), "{book}");

        // Nobody else sees or changes it.
        let other = server.browser();
        sign_in(&other, "priya@customer.example").await;
        assert_eq!(
            other.get_json("/v1/products/hush/prices").await.0,
            StatusCode::NOT_FOUND
        );
        let archive = format!("/v1/prices/{first}/archive");
        assert!(
            other
                .post_json(&archive, &json!({}))
                .await
                .0
                .is_client_error()
        );
        server.stop().await;
    })
    .await;
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().expect("a text")
}

async fn own_products(seller: &Browser) -> Vec<Value> {
    let (_, products) = seller.get_json("/v1/shop/products").await;
    products.as_array().expect("a list").clone()
}
