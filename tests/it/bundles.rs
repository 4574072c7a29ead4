//! Bundles: one price in the cart, a line for each product on the order, shares that add up.

use crate::carts::seeded;
use crate::shop::{Shop, bought, choose, listed, person, shop};
use crate::web_pages::{hidden, page, path_of, send, sign_in};
use mintreu::id::{AccountId, OrderId, OrderLineId, PriceId};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::bundles::{
    Bundle, BundleError, SaveBundle, SwitchBundle, Wrong, save_bundle, switch_bundle,
};
use mintreu_server::domains::catalog::Product;
use mintreu_server::domains::catalog::ops::{ArchiveProduct, archive_product};
use mintreu_server::domains::promotions::{CreateCoupon, create_coupon};
use mintreu_server::domains::refunds::{
    AskRefund, Reason, RefundBundle, RefundSale, refund_bundle, refund_sale,
};
use mintreu_server::store::{Row, Tx};
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn rows(test: &TestApp, sql: &'static str) -> Vec<Row> {
    let read = move |tx: &mut dyn Tx| tx.query(sql, &[]);
    test.app
        .store
        .read(read)
        .await
        .expect("reads")
        .expect("rows")
}

/// A shop with the editor at 49.00 EUR, a second product at 51.00 EUR and 60.00 USD, and their bundle.
pub struct Stall {
    pub shop: Shop,
    editor: String,
    pub brushes: Product,
    pub bundle: Bundle,
    price: PriceId,
}

async fn save(
    test: &TestApp,
    seller: &Caller,
    bundle: Option<&Bundle>,
    draft: Value,
) -> Result<Bundle, BundleError> {
    let command = SaveBundle {
        bundle: bundle.map(|bundle| bundle.id),
        draft: serde_json::from_value(draft).expect("a draft"),
    };
    test.app.transact(seller, command, save_bundle).await
}

fn draft(products: &[&str], minor: i64) -> Value {
    json!({
        "name": "Draw and write", "summary": "Both of them.", "products": products,
        "prices": [{"amount_minor": minor, "currency": "EUR"}],
    })
}

pub async fn stall(test: &TestApp) -> Stall {
    let shop = shop(test).await;
    let brushes = json!({
        "code": "acme.brushes", "kind": "download", "name": "Acme Brushes", "summary": "Paints.",
        "categories": ["tools"],
        "prices": [
            {"model": "one_time", "amount_minor": 5100, "currency": "EUR"},
            {"model": "one_time", "amount_minor": 6000, "currency": "USD"},
        ],
    });
    let brushes = listed(test, &shop.seller, brushes).await;
    let found = rows(
        test,
        "SELECT product_id FROM product WHERE code = 'acme.editor'",
    )
    .await;
    let editor = found[0].id("product_id", mintreu::id::ProductId::from_bytes);
    let editor = editor.expect("an id").to_string();
    let both = draft(&[&editor, &brushes.id.to_string()], 8_000);
    let bundle = save(test, &shop.seller, None, both)
        .await
        .expect("is written");
    Stall {
        price: bundle.prices[0].id,
        shop,
        editor,
        brushes,
        bundle,
    }
}

async fn quote(
    guest: &Browser,
    price: PriceId,
    quantity: i64,
    codes: &[&str],
) -> (StatusCode, Value) {
    let body = json!({
        "items": [{"price_id": price.to_string(), "quantity": quantity}], "codes": codes,
    });
    guest.post_json("/v1/quotes", &body).await
}

/// Buys so many bundles and pays; the order as its buyer sees it.
async fn buy(test: &TestApp, guest: &Browser, price: PriceId, quantity: i64) -> Value {
    let (status, quoted) = quote(guest, price, quantity, &[]).await;
    assert_eq!(status, StatusCode::OK, "{quoted}");
    let body = json!({
        "quote": quoted["quote"], "email": "guest@example.org",
        "accepted": ["withdrawal_waiver"],
    });
    let (status, started) = guest.post_json("/v1/quotes/confirmations", &body).await;
    assert_eq!(status, 201, "{started}");
    let bought = bought(&started);
    choose(guest, &bought, "succeed").await;
    test.drain().await;
    guest.get_json(&bought.path()).await.1
}

fn amounts(lines: &Value, name: &str) -> Vec<i64> {
    let lines = lines.as_array().expect("lines").iter();
    lines
        .map(|line| line[name].as_i64().expect("a number"))
        .collect()
}

#[tokio::test]
async fn a_bundle_is_one_thing_in_the_cart_and_a_line_a_product_on_the_order() {
    TestApp::both(async |test| {
        let (stall, server) = (stall(test).await, test.serve().await);
        let guest = server.browser();
        let (status, quoted) = quote(&guest, stall.price, 2, &[]).await;
        assert_eq!(status, StatusCode::OK, "{quoted}");
        assert_eq!(quoted["total_minor"], 16_000);
        assert_eq!(amounts(&quoted["lines"], "unit_minor"), [3_920, 4_080]);
        assert_eq!(quoted["lines"][1]["bundle_title"], "Draw and write");
        let order = buy(test, &guest, stall.price, 2).await;
        assert_eq!(
            (&order["state"], &order["total_minor"]),
            (&json!("paid"), &json!(16_000))
        );
        assert_eq!(amounts(&order["lines"], "amount_minor"), [7_840, 8_160]);
        let bundle = stall.bundle.id.to_string();
        for line in order["lines"].as_array().expect("lines") {
            assert_eq!(line["bundle_id"], json!(bundle));
        }
        assert_eq!(
            order["licenses"].as_array().expect("licenses").len(),
            2,
            "a key each"
        );
        // The seller's part of each line, and one payment fee for both.
        let found = rows(
            test,
            "SELECT CAST(SUM(payment_fee_minor) AS BIGINT) AS fee,
                CAST(SUM(charged_minor) AS BIGINT) AS charged FROM order_line",
        )
        .await;
        assert_eq!(found[0].int("charged").expect("a sum"), 16_000);
        assert_eq!(
            found[0].int("fee").expect("a sum"),
            494,
            "2.9 % and 0.30, once"
        );
        let whole = |guest: &Browser| {
            let guest = guest.clone();
            async move { guest.get_json("/v1/cart").await.1 }
        };
        let add = json!({ "price_id": stall.price.to_string() });
        let (status, cart) = guest.post_json("/v1/cart/lines", &add).await;
        assert_eq!(status, StatusCode::OK, "{cart}");
        assert_eq!(cart["lines"].as_array().expect("lines").len(), 1);
        assert_eq!(cart["lines"][0]["bundle_id"], json!(bundle));
        assert_eq!(whole(&guest).await["total_minor"], 8_000);
        server.stop().await;
    })
    .await;
}

fn refund(order: &Value, line: usize) -> AskRefund {
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    AskRefund {
        order: OrderId::parse(&text(&order["order_id"])).expect("an id"),
        line: OrderLineId::parse(&text(&order["lines"][line]["order_line_id"])).ok(),
        amount_minor: None,
        reason: Reason::RequestedByCustomer,
        note: String::new(),
        keeps_license: false,
        ends_subscription: false,
        seen_left_minor: None,
    }
}

/// How many licenses were withdrawn, and where the newest order stands.
async fn after(test: &TestApp) -> (usize, String) {
    test.drain().await;
    let licenses = rows(test, "SELECT revoked_for FROM license").await;
    let gone = licenses.iter().filter(|row| {
        let cause = row.opt_text("revoked_for").expect("reads");
        cause.as_deref() == Some("refund")
    });
    let orders = rows(
        test,
        "SELECT state FROM customer_order ORDER BY order_id DESC",
    )
    .await;
    (gone.count(), orders[0].text("state").expect("a state"))
}

#[tokio::test]
async fn a_refund_is_of_the_whole_bundle_or_of_a_line_at_its_share() {
    TestApp::both(async |test| {
        let (stall, server) = (stall(test).await, test.serve().await);
        let guest = server.browser();
        let (app, seller) = (&test.app, &stall.shop.seller);
        let order = buy(test, &guest, stall.price, 1).await;
        let line = RefundSale(refund(&order, 1));
        app.transact(seller, line, refund_sale)
            .await
            .expect("is asked");
        assert_eq!(after(test).await, (1, "partially_refunded".to_owned()));
        let taken = rows(test, "SELECT amount_minor FROM refund").await;
        assert_eq!(taken[0].int("amount_minor").expect("an amount"), 4_080);
        // What is left of the bundle is the other line.
        let rest = RefundBundle(refund(&order, 1));
        app.transact(seller, rest, refund_bundle)
            .await
            .expect("is asked");
        assert_eq!(after(test).await, (2, "refunded".to_owned()));

        let order = buy(test, &guest, stall.price, 1).await;
        let whole = RefundBundle(refund(&order, 0));
        app.transact(seller, whole, refund_bundle)
            .await
            .expect("is asked");
        assert_eq!(after(test).await, (4, "refunded".to_owned()));
        let other = person(test, AccountId::from_bytes([7; 16]), Role::Developer);
        let theirs = RefundBundle(refund(&order, 0));
        let refused = app.transact(&other, theirs, refund_bundle).await;
        assert!(refused.is_err(), "a stranger refunds nothing");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_bundle_is_not_sold_while_a_product_within_is_not() {
    TestApp::both(async |test| {
        let (stall, server) = (stall(test).await, test.serve().await);
        let guest = server.browser();
        let add = json!({ "price_id": stall.price.to_string() });
        assert_eq!(
            guest.post_json("/v1/cart/lines", &add).await.0,
            StatusCode::OK
        );
        let (_, held) = quote(&guest, stall.price, 1, &[]).await;
        let (app, seller) = (&test.app, &stall.shop.seller);
        let switch = |on| SwitchBundle {
            bundle: stall.bundle.id,
            on,
        };
        app.transact(seller, switch(false), switch_bundle)
            .await
            .expect("is withdrawn");
        let (status, problem) = quote(&guest, stall.price, 1, &[]).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (410, &json!("bundle_withdrawn"))
        );
        app.transact(seller, switch(true), switch_bundle)
            .await
            .expect("is back");
        assert_eq!(quote(&guest, stall.price, 1, &[]).await.0, StatusCode::OK);

        let archive = ArchiveProduct {
            product: stall.brushes.id,
        };
        app.transact(seller, archive, archive_product)
            .await
            .expect("is archived");
        let (status, problem) = quote(&guest, stall.price, 1, &[]).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (410, &json!("bundle_incomplete"))
        );
        let said = problem["detail"].as_str().expect("a sentence");
        assert!(
            said.contains("Acme Brushes") && said.contains("Draw and write"),
            "{said}"
        );
        let body = json!({
            "quote": held["quote"], "email": "a@example.org", "accepted": ["withdrawal_waiver"],
        });
        let (status, _) = guest.post_json("/v1/quotes/confirmations", &body).await;
        assert_eq!(
            status,
            StatusCode::GONE,
            "what was quoted isn't sold either"
        );
        let (_, cart) = guest.get_json("/v1/cart").await;
        assert_eq!(cart["lines"][0]["for_sale"], false, "{cart}");
        let shown = page(&guest, "/cart").await;
        assert!(
            shown.contains("Acme Brushes") && shown.contains("isn’t sold just now"),
            "{shown}"
        );
        let shown = page(&guest, "/b/draw-and-write").await;
        assert!(shown.contains("isn’t sold just now") && !shown.contains("Buy the bundle"));
        assert!(
            page(&guest, "/bundles")
                .await
                .contains("Nothing is sold together yet")
        );
        assert!(
            rows(test, "SELECT order_id FROM customer_order")
                .await
                .is_empty()
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_bundle_holds_own_products_with_prices_that_fit() {
    TestApp::both(async |test| {
        let stall = stall(test).await;
        let (seller, brushes) = (&stall.shop.seller, stall.brushes.id.to_string());
        let (editor, other) = (
            stall.editor.as_str(),
            person(test, AccountId::from_bytes([7; 16]), Role::Developer),
        );
        let both = [editor, brushes.as_str()];
        let wrong = async |draft: Value| match save(test, seller, None, draft).await {
            Err(BundleError::Invalid(wrong)) => wrong,
            other => panic!("{other:?}"),
        };
        assert_eq!(wrong(draft(&[editor], 4_000)).await, Wrong::Products);
        assert_eq!(wrong(draft(&[editor, editor], 4_000)).await, Wrong::Twice);
        let gone = wrong(draft(&[editor, "prd_nothing"], 4_000)).await;
        assert_eq!(gone, Wrong::NotOwn("prd_nothing".to_owned()));
        let apart = mintreu::Money::new(10_000, mintreu::Currency::EUR);
        assert_eq!(wrong(draft(&both, 10_001)).await, Wrong::Amount(apart));
        assert_eq!(wrong(draft(&both, 0)).await, Wrong::Amount(apart));
        let mut dollars = draft(&both, 5_000);
        dollars["prices"][0]["currency"] = "USD".into();
        let found = wrong(dollars).await;
        assert!(
            matches!(found, Wrong::NoSingle { ref product, .. } if product == "Acme Editor"),
            "{found:?}"
        );
        let mut twice = draft(&both, 5_000);
        let price = twice["prices"][0].clone();
        twice["prices"].as_array_mut().expect("prices").push(price);
        assert_eq!(wrong(twice).await, Wrong::Prices);
        let mut nameless = draft(&both, 5_000);
        nameless["name"] = "…".into();
        assert_eq!(wrong(nameless).await, Wrong::Name);
        let again = save(test, seller, None, draft(&both, 10_000)).await;
        assert!(matches!(again, Err(BundleError::NameTaken)));
        let theirs = save(test, &other, Some(&stall.bundle), draft(&both, 5_000)).await;
        assert!(matches!(theirs, Err(BundleError::NotFound)));
        // A change keeps the address and the price's id.
        let mut changed = draft(&both, 7_000);
        changed["name"] = "Write and draw".into();
        let changed = save(test, seller, Some(&stall.bundle), changed)
            .await
            .expect("is changed");
        assert_eq!(
            (changed.slug.as_str(), changed.prices[0].id),
            ("draw-and-write", stall.price)
        );
        assert_eq!(changed.prices[0].amount.minor(), 7_000);
    })
    .await;
}

#[tokio::test]
async fn a_coupon_makes_the_lines_cheaper_that_it_covers() {
    TestApp::both(async |test| {
        let (stall, server) = (stall(test).await, test.serve().await);
        let rule = json!({"percent_bps": 1000, "products": [stall.editor]});
        let command = CreateCoupon {
            code: "TEN".to_owned(),
            rule: serde_json::from_value(rule).expect("a rule"),
        };
        let made = test
            .app
            .transact(&stall.shop.seller, command, create_coupon);
        made.await.expect("is written");
        let (_, quoted) = quote(&server.browser(), stall.price, 1, &["ten"]).await;
        assert_eq!(
            amounts(&quoted["lines"], "discount_minor"),
            [392, 0],
            "{quoted}"
        );
        assert_eq!(quoted["total_minor"], 8_000 - 392);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_bundle_is_bought_made_and_refunded_without_scripts() {
    TestApp::both(async |test| {
        seeded(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        assert!(page(&guest, "/bundles").await.contains("The Quiet Studio"));
        assert!(
            page(&guest, "/p/hush")
                .await
                .contains("Also in The Quiet Studio")
        );
        let shown = page(&guest, "/b/the-quiet-studio").await;
        for said in [
            "€119.00",
            "€147.00",
            "You save €28.00",
            "Lichen Darkroom",
            "Hush",
        ] {
            assert!(shown.contains(said), "{said} in {shown}");
        }
        let price = hidden(&shown, "price");
        let at = "/b/the-quiet-studio";
        let (_, to, _) = send(&guest, at, "/cart/add", &[("price", price.as_str())]).await;
        assert_eq!(to, "/cart");
        let cart = page(&guest, "/cart").await;
        assert!(
            cart.contains("The Quiet Studio") && !cart.contains("Contact Sheet"),
            "{cart}"
        );
        let checkout = format!("{at}/checkout?price={price}");
        let drawn = page(&guest, &checkout).await;
        assert!(
            drawn.contains("Pay €119.00") && drawn.contains("In The Quiet Studio"),
            "{drawn}"
        );
        let quote = hidden(&drawn, "quote");
        let form = [
            ("quote", quote.as_str()),
            ("email", "ada@example.org"),
            ("waiver", "yes"),
        ];
        let (status, to, text) = send(&guest, &checkout, &checkout, &form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
        let paid = guest.request(Method::POST, &path_of(&to));
        let paid = paid
            .form(&[("choice", "succeed")])
            .send()
            .await
            .expect("an answer");
        let back = paid.headers()["location"]
            .to_str()
            .expect("text")
            .to_owned();
        test.drain().await;
        let order = page(&guest, &path_of(&back)).await;
        assert_eq!(order.matches("/license.mtl").count(), 3, "{order}");
        assert_eq!(order.matches("In The Quiet Studio").count(), 3);

        let seller = server.browser();
        sign_in(&seller, "mara@lichen.example").await;
        let own = page(&seller, "/sell/bundles").await;
        assert!(
            own.contains("The Quiet Studio") && own.contains("Sold"),
            "{own}"
        );
        let fields = [
            ("name", "Sound and sight"),
            ("summary", "Two of them."),
            ("products", "lichen.hush\nlichen.nothing"),
            ("prices", "60.00 EUR"),
        ];
        let (status, _, text) = send(&seller, "/sell/bundles", "/sell/bundles", &fields).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            text.contains("lichen.nothing") && text.contains("products-error"),
            "{text}"
        );
        let mut fields = fields;
        fields[2].1 = "lichen.hush\nlichen.darkroom";
        let (status, _, text) = send(&seller, "/sell/bundles", "/sell/bundles", &fields).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
        assert!(
            page(&seller, "/b/sound-and-sight")
                .await
                .contains("You save €68.00")
        );
        let own = page(&seller, "/sell/bundles").await;
        let before = own.split(">Sound and sight<").next().expect("a row");
        let edit = before.rsplit("href=\"").next().expect("its link");
        let edit = edit.split('"').next().expect("an address").to_owned();
        let drawn = page(&seller, &edit).await;
        assert!(drawn.contains("lichen.hush\nlichen.darkroom") && drawn.contains("60.00 EUR"));
        let off = [("on", "no")];
        let (_, to, _) = send(&seller, &edit, &format!("{edit}/switch"), &off).await;
        assert_eq!(to, "/sell/bundles");
        assert!(
            page(&seller, "/b/sound-and-sight")
                .await
                .contains("isn’t sold any more")
        );

        // The refund of a line is of its bundle, unless the box is left empty.
        let sold = rows(
            test,
            "SELECT order_line_id FROM order_line WHERE product_code = 'lichen.hush'
                AND bundle_id IS NOT NULL",
        )
        .await;
        let line = sold[0]
            .id("order_line_id", OrderLineId::from_bytes)
            .expect("an id");
        let sale = format!("/sell/sales/{line}");
        let shown = page(&seller, &sale).await;
        assert!(
            shown.contains("All of the bundle The Quiet Studio"),
            "{shown}"
        );
        let action = format!("{sale}/refund");
        let whole = [("amount", "119.00"), ("reason", "other"), ("whole", "on")];
        let (status, _, text) = send(&seller, &sale, &action, &whole).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        assert!(
            text.contains("€119.00") && text.contains("value=\"confirm\""),
            "{text}"
        );
        let (status, _, text) = send(&seller, &sale, &action, &whole[..2]).await;
        assert_eq!(
            status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "more than the line's share"
        );
        assert!(text.contains("€39.67"), "{text}");
        server.stop().await;
    })
    .await;
}
