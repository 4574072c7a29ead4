//! Prices that buyers name, that hold few, and that are for some countries.

use crate::shop::{Shop, shop};
use crate::web_pages::{hidden, page, sign_in};
use mintreu::id::PriceId;
use mintreu_server::demo;
use mintreu_server::domains::catalog::ops::{
    CatalogError, CreateProduct, PublishProduct, create_product, publish_product,
};
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn made(test: &TestApp, shop: &Shop, prices: Value) -> Result<Vec<PriceId>, CatalogError> {
    let draft = serde_json::from_value(json!({
        "code": "acme.fair", "kind": "download", "name": "Fair", "summary": "Is fair.",
        "categories": ["tools"], "prices": prices,
    }));
    let draft = draft.expect("a draft");
    let made = test
        .app
        .transact(&shop.seller, CreateProduct { draft }, create_product);
    let product = made.await?;
    let publish = PublishProduct {
        product: product.id,
    };
    test.app
        .transact(&shop.seller, publish, publish_product)
        .await?;
    Ok(product.prices.iter().map(|price| price.id).collect())
}

async fn quote(guest: &Browser, item: Value, country: Option<&str>) -> (StatusCode, Value) {
    let body = json!({"items": [item], "country": country});
    guest.post_json("/v1/quotes", &body).await
}

#[tokio::test]
async fn a_buyer_names_the_price_from_the_least_on() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let named = json!([{"model": "one_time", "amount_minor": 1000, "minimum_minor": 0,
            "currency": "EUR"}]);
        let price = made(test, &shop, named).await.expect("is written")[0].to_string();
        let item = |unit: Option<i64>| json!({"price_id": price, "unit_minor": unit});
        for (unit, total) in [
            (None, 1000),
            (Some(0), 0),
            (Some(250), 250),
            (Some(99_900), 99_900),
        ] {
            let (status, quoted) = quote(&guest, item(unit), None).await;
            assert_eq!(
                (status.as_u16(), &quoted["total_minor"]),
                (200, &json!(total)),
                "{quoted}"
            );
        }
        for (unit, code) in [(-1, "amount_too_low"), (20, "below_fees")] {
            let (status, problem) = quote(&guest, item(Some(unit)), None).await;
            assert_eq!((status.as_u16(), &problem["code"]), (422, &json!(code)));
        }
        // A fixed price is nobody's to name.
        let fixed = json!({"price_id": shop.price.to_string(), "unit_minor": 5_000});
        let (_, problem) = quote(&guest, fixed, None).await;
        assert_eq!(problem["code"], "amount_too_low");

        // The page asks for it, and charges what was named.
        let drawn = page(&guest, &format!("/checkout/fair?price={price}&amount=7.50")).await;
        assert!(
            drawn.contains("Pay €7.50") && drawn.contains("€0.00 or more"),
            "{drawn}"
        );
        let low = page(&guest, &format!("/checkout/fair?price={price}&amount=0.20")).await;
        assert!(low.contains("id=\"amount-error\""), "{low}");
        let free = page(&guest, &format!("/checkout/fair?price={price}&amount=0")).await;
        assert!(free.contains("Get the license"), "{free}");
        assert!(
            page(&guest, "/p/fair")
                .await
                .contains("from €0.00, €10.00 suggested")
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_price_holds_few_and_is_for_some_countries() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let prices = json!([
            {"model": "one_time", "amount_minor": 1000, "currency": "EUR", "most": 2},
            {"model": "one_time", "amount_minor": 500, "currency": "EUR", "countries": ["in", "BD"]},
        ]);
        let prices = made(test, &shop, prices).await.expect("is written");
        let few = |quantity: i64| json!({"price_id": prices[0].to_string(), "quantity": quantity});
        assert_eq!(quote(&guest, few(2), None).await.0, StatusCode::OK);
        let (status, problem) = quote(&guest, few(3), None).await;
        assert_eq!((status.as_u16(), &problem["code"]), (422, &json!("quantity_out_of_range")));
        let there = json!({"price_id": prices[1].to_string()});
        for (country, served) in [(Some("IN"), true), (Some("BD"), true), (Some("DE"), false), (None, false)] {
            let (status, answer) = quote(&guest, there.clone(), country).await;
            assert_eq!(status == StatusCode::OK, served, "{country:?}: {answer}");
            assert!(served || answer["code"] == "country_not_served");
        }
        let drawn = page(&guest, &format!("/checkout/fair?price={}&country=IN", prices[1])).await;
        assert!(drawn.contains("<option value=\"IN\" selected") && drawn.contains("Pay €5.00"), "{drawn}");
        let (_, product) = guest.get_json("/v1/products/fair").await;
        assert_eq!(product["prices"][1]["countries"], json!(["BD", "IN"]));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn bounds_that_make_no_sense_are_refused() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let base = |extra: Value| {
            let mut price = json!({"model": "one_time", "amount_minor": 1000, "currency": "EUR"});
            let more = extra.as_object().expect("an object").clone();
            price.as_object_mut().expect("an object").extend(more);
            json!([price])
        };
        for wrong in [
            json!({"minimum_minor": 1001}),
            json!({"minimum_minor": -1}),
            json!({"most": 0}),
            json!({"most": 101}),
            json!({"countries": ["Germany"]}),
            json!({"model": "recurring", "period": "monthly", "minimum_minor": 5}),
        ] {
            let done = made(test, &shop, base(wrong.clone())).await;
            assert!(
                matches!(done, Err(CatalogError::Invalid(_))),
                "{wrong}: {done:?}"
            );
        }
        assert!(
            made(test, &shop, base(json!({"minimum_minor": 1000})))
                .await
                .is_ok()
        );
    })
    .await;
}

#[tokio::test]
async fn the_editor_keeps_bounds_and_shows_an_example_bill() {
    let test = TestApp::sqlite().await;
    demo::seed(&test.app).await.expect("the shop is filled");
    test.drain().await;
    let server = test.serve().await;
    let seller = server.browser();
    sign_in(&seller, "mara@lichen.example").await;
    let list = page(&seller, "/sell/products").await;
    let hush = list
        .split("href=\"")
        .find(|rest| rest.starts_with("/sell/products/prd_") && rest.contains(">Hush<"));
    let hush = hush
        .expect("the product")
        .split('"')
        .next()
        .expect("a link")
        .to_owned();
    let drawn = page(&seller, &hush).await;
    // 49.00: 20 % and 2.9 % with 0.30 leave 37.48; by the seller's own link 10 % leave 42.38.
    for figure in ["Example bill", "€37.48", "€42.38"] {
        assert!(drawn.contains(figure), "{figure}: {drawn}");
    }
    let value = |name: &str| hidden_value(&drawn, name);
    let names = ["code", "slug", "version", "price1_amount", "seats"];
    let mut form: Vec<(&str, String)> = names.iter().map(|name| (*name, value(name))).collect();
    form.extend([
        ("csrf", hidden(&drawn, "csrf")),
        ("name", "Hush".to_owned()),
        ("summary", "Quiet.".to_owned()),
        ("kind", "download".to_owned()),
        ("category", chosen(&drawn, "category")),
        ("price1_model", "one_time".to_owned()),
        ("price1_currency", "EUR".to_owned()),
        ("price1_minimum", "5".to_owned()),
        ("price1_most", "3".to_owned()),
        ("price1_countries", "de, at".to_owned()),
        ("price2_currency", "EUR".to_owned()),
        ("action", "save".to_owned()),
    ]);
    let sent = seller.request(Method::POST, &hush).form(&form).send().await;
    let answer = sent.expect("an answer");
    let status = answer.status();
    let text = answer.text().await.expect("a body");
    assert!(
        status.is_redirection() || status.is_success(),
        "{status}: {text}"
    );
    let kept = page(&seller, &hush).await;
    assert_eq!(hidden_value(&kept, "price1_minimum"), "5.00");
    assert_eq!(hidden_value(&kept, "price1_most"), "3");
    assert_eq!(hidden_value(&kept, "price1_countries"), "AT DE");
    server.stop().await;
    test.finish().await;
}

/// The value of an input that people see.
fn hidden_value(text: &str, name: &str) -> String {
    let rest = text.split_once(&format!("name=\"{name}\" type=\"text\" value=\""));
    let rest = rest.expect("the input").1;
    rest.split('"').next().expect("its end").to_owned()
}

/// The chosen value of a list.
fn chosen(text: &str, name: &str) -> String {
    let list = text
        .split_once(&format!("id=\"{name}\""))
        .expect("the list")
        .1;
    let list = list.split("</select>").next().expect("its end");
    let options = list.split("<option value=\"").skip(1);
    let mut found = options.filter(|option| option.contains(" selected"));
    let option = found.next().expect("one is chosen");
    option.split('"').next().expect("its value").to_owned()
}
