//! Carts: several sellers, one order; taken along at sign-in; reminded of once.

use crate::shop::{person, shop};
use crate::web_pages::{hidden, page, path_of, send, sign_in};
use mintreu::id::{AccountId, PriceId};
use mintreu_server::caller::Role;
use mintreu_server::demo;
use mintreu_server::domains::carts::{
    CartError, Change, ChangeLine, MAX_LINES, Owner, change_line, view_cart,
};
use mintreu_server::domains::catalog::ops::{
    CreateProduct, PublishProduct, create_product, publish_product,
};
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::json;

const CUSTOMER: &str = "priya@customer.example";
const DAY_MS: u32 = 24 * 60 * 60 * 1000;

pub async fn seeded(test: &TestApp) {
    demo::seed(&test.app).await.expect("the shop is filled");
    test.drain().await;
}

/// Puts the first price of a product into the cart; where the shop sends the visitor.
pub async fn put(browser: &Browser, slug: &str) -> String {
    let product = format!("/p/{slug}");
    let price = hidden(&page(browser, &product).await, "price");
    let (status, to, text) =
        send(browser, &product, "/cart/add", &[("price", price.as_str())]).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
    to
}

async fn price_of(browser: &Browser, slug: &str) -> String {
    hidden(&page(browser, &format!("/checkout/{slug}")).await, "price")
}

#[tokio::test]
async fn products_of_two_sellers_become_one_order_with_a_license_and_an_escrow_each() {
    TestApp::both(async |test| {
        seeded(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        assert!(page(&guest, "/cart").await.contains("Nothing in your cart"));
        assert_eq!(put(&guest, "hush").await, "/cart");
        assert_eq!(put(&guest, "paperlane-scan").await, "/cart");
        let cart = page(&guest, "/cart").await;
        assert!(cart.contains("€49.00") && cart.contains("€39.00"), "{cart}");
        assert!(cart.contains("€88.00"), "in all");

        // Dollars don't go with euros; the way to buy them alone is shown, and nothing is lost.
        let apart = put(&guest, "formwork").await;
        assert!(apart.starts_with("/cart?apart=prc_"), "{apart}");
        let told = page(&guest, &apart).await;
        assert!(
            told.contains("another currency") && told.contains("/checkout/formwork?price=prc_")
        );

        let scan = price_of(&guest, "paperlane-scan").await;
        let two = [("price", scan.as_str()), ("quantity", "2")];
        let (_, to, _) = send(&guest, "/cart", "/cart/change", &two).await;
        assert_eq!(to, "/cart");
        assert!(page(&guest, "/cart").await.contains("€127.00"));
        let many = [("price", scan.as_str()), ("quantity", "101")];
        let (_, to, _) = send(&guest, "/cart", "/cart/change", &many).await;
        assert_eq!(to, "/cart?wrong=quantity");
        let (_, undo, _) = send(&guest, "/cart", "/cart/remove", &two).await;
        let told = page(&guest, &undo).await;
        assert!(
            told.contains("Put it back") && told.contains("€49.00") && !told.contains("€39.00")
        );
        send(&guest, "/cart", "/cart/add", &two).await;

        let drawn = page(&guest, "/cart/checkout").await;
        assert!(drawn.contains("Pay €127.00"), "{drawn}");
        let quote = hidden(&drawn, "quote");
        let form = [
            ("quote", quote.as_str()),
            ("email", "ada@example.org"),
            ("waiver", "yes"),
        ];
        let at = "/cart/checkout";
        let csrf = hidden(&drawn, "csrf");
        let mut orders = Vec::new();
        for _ in 0..2 {
            let mut fields = vec![("csrf", csrf.as_str())];
            fields.extend_from_slice(&form);
            let sent = guest.request(Method::POST, at).form(&fields).send().await;
            let answer = sent.expect("an answer");
            assert_eq!(answer.status(), StatusCode::SEE_OTHER);
            let to = answer.headers()["location"]
                .to_str()
                .expect("text")
                .to_owned();
            orders.push(to);
        }
        assert_eq!(orders[0], orders[1], "sent twice it is one order");
        assert!(page(&guest, "/cart").await.contains("Nothing in your cart"));

        let pay = path_of(&orders[0]);
        let paid = guest
            .request(Method::POST, &pay)
            .form(&[("choice", "succeed")]);
        let paid = paid.send().await.expect("an answer");
        let back = paid.headers()["location"]
            .to_str()
            .expect("text")
            .to_owned();
        test.drain().await;
        let order = page(&guest, &path_of(&back)).await;
        assert_eq!(order.matches("/license.mtl").count(), 2, "{order}");
        assert!(order.contains("€127.00"));
        // Each seller sees the own line alone.
        for (seller, own, other) in [
            ("mara@lichen.example", "Hush", "Paperlane Scan"),
            ("adaeze@paperlane.example", "Paperlane Scan", "Hush"),
        ] {
            let browser = server.browser();
            sign_in(&browser, seller).await;
            let sales = page(&browser, "/sell/sales").await;
            assert!(
                sales.contains(own) && !sales.contains(other),
                "{seller}: {sales}"
            );
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn who_signs_in_takes_the_cart_along_and_loses_nothing() {
    TestApp::both(async |test| {
        seeded(test).await;
        let server = test.serve().await;
        let browser = server.browser();
        put(&browser, "hush").await;
        sign_in(&browser, CUSTOMER).await;
        assert!(page(&browser, "/cart").await.contains("Hush"));
        // Elsewhere, the same account has the same cart, and what was put in there is added.
        let phone = server.browser();
        put(&phone, "hush").await;
        put(&phone, "paperlane-scan").await;
        sign_in(&phone, CUSTOMER).await;
        let merged = page(&phone, "/cart").await;
        assert!(
            merged.contains("€98.00") && merged.contains("€137.00"),
            "{merged}"
        );
        assert!(
            page(&phone, "/cart").await.contains("€137.00"),
            "and is added once"
        );
        // What is in another currency waits.
        let work = server.browser();
        put(&work, "formwork").await;
        sign_in(&work, CUSTOMER).await;
        let told = page(&work, "/cart").await;
        assert!(told.contains("It waits until this cart is bought") && told.contains("€137.00"));
        for slug in ["hush", "paperlane-scan"] {
            let price = price_of(&work, slug).await;
            send(&work, "/cart", "/cart/remove", &[("price", price.as_str())]).await;
        }
        let then = page(&work, "/cart").await;
        assert!(then.contains("$99.00"), "{then}");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_forgotten_cart_is_told_of_once_and_only_to_who_wished_it() {
    TestApp::both(async |test| {
        seeded(test).await;
        let server = test.serve().await;
        let told = || {
            let mails = test.mails();
            let about = |mail: &&String| mail.contains("Subject: Your cart is still there");
            mails.iter().filter(about).count()
        };
        let (wishes, silent) = (server.browser(), server.browser());
        sign_in(&wishes, CUSTOMER).await;
        sign_in(&silent, "jonas@customer.example").await;
        for browser in [&wishes, &silent] {
            put(browser, "paperlane-scan").await;
        }
        send(&wishes, "/cart", "/cart/remind", &[("remind", "yes")]).await;
        test.clock.advance(DAY_MS / 2);
        put(&wishes, "paperlane-scan").await;
        test.clock.advance(DAY_MS / 2);
        test.drain().await;
        assert_eq!(told(), 0, "it was touched half a day ago");
        test.clock.advance(DAY_MS / 2);
        test.drain().await;
        assert_eq!(told(), 1);
        put(&wishes, "paperlane-scan").await;
        send(&wishes, "/cart", "/cart/remind", &[("remind", "yes")]).await;
        test.clock.advance(2 * DAY_MS);
        test.drain().await;
        assert_eq!(told(), 1, "once ever");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_cart_has_its_owner_and_its_limits() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let ada = AccountId::from_bytes(*b"ada the customer");
        let caller = person(test, ada, Role::Customer);
        let own = Owner::Account(ada);
        let wish = |owner, price, change| ChangeLine {
            owner,
            price,
            change,
        };
        let add = wish(own, shop.price, Change::Add(1));
        let stranger = person(
            test,
            AccountId::from_bytes(*b"somebody else .."),
            Role::Customer,
        );
        let done = test.app.transact(&stranger, add, change_line).await;
        assert!(matches!(done, Err(CartError::NotFound)), "{done:?}");
        let seen = test.app.read(&stranger, own, view_cart).await;
        assert!(matches!(seen, Err(CartError::NotFound)), "{seen:?}");
        let cart = test
            .app
            .transact(&caller, add, change_line)
            .await
            .expect("is put in");
        // An account's cart isn't opened by its id.
        let guessed = test
            .app
            .read(&stranger, Owner::Guest(cart), view_cart)
            .await;
        assert_eq!(guessed.expect("reads"), None);
        let seller = wish(
            Owner::Account(crate::shop::SELLER),
            shop.price,
            Change::Add(1),
        );
        let done = test.app.transact(&shop.seller, seller, change_line).await;
        assert!(matches!(done, Err(CartError::OwnProduct)), "{done:?}");
        for change in [
            Change::Add(0),
            Change::Add(-1),
            Change::Set(-1),
            Change::Add(100),
        ] {
            let done = test
                .app
                .transact(&caller, wish(own, shop.price, change), change_line);
            let done = done.await;
            assert!(
                matches!(done, Err(CartError::Quantity)),
                "{change:?}: {done:?}"
            );
        }
        let mut prices = Vec::new();
        for number in 0..3 {
            prices.extend(twenty_prices(test, &shop, number).await);
        }
        let mut last = Ok(cart);
        for price in &prices[..MAX_LINES] {
            last = test
                .app
                .transact(&caller, wish(own, *price, Change::Add(1)), change_line)
                .await;
        }
        assert!(matches!(last, Err(CartError::Full)), "{last:?}");
        let full = test
            .app
            .read(&caller, own, view_cart)
            .await
            .expect("reads")
            .expect("a cart");
        assert_eq!(full.lines.len(), MAX_LINES);
        assert_eq!(full.lines[0].price, shop.price, "in the order put in");
    })
    .await;
}

async fn twenty_prices(test: &TestApp, shop: &crate::shop::Shop, number: i64) -> Vec<PriceId> {
    let price = |minor: i64| json!({"model": "one_time", "amount_minor": minor, "currency": "EUR"});
    let prices: Vec<_> = (1..=20).map(|minor| price(minor * 100)).collect();
    let draft = serde_json::from_value(json!({
        "code": format!("acme.tool{number}"), "kind": "download", "name": format!("Tool {number}"),
        "summary": "Helps.", "categories": ["tools"], "prices": prices,
    }));
    let draft = draft.expect("a draft");
    let made = test
        .app
        .transact(&shop.seller, CreateProduct { draft }, create_product)
        .await;
    let product = made.expect("is written");
    let publish = PublishProduct {
        product: product.id,
    };
    let done = test
        .app
        .transact(&shop.seller, publish, publish_product)
        .await;
    done.expect("is published");
    product.prices.iter().map(|price| price.id).collect()
}
