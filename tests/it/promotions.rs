//! Coupons over HTTP: what they take off, and whom they refuse; races for the last one are in `races`.

use crate::shop::{Bought, SELLER, Shop, bought, choose, person, shop};
use mintreu::id::{OrderId, PriceId};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Capability, Role};
use mintreu_server::domains::ledger::seller_balances;
use mintreu_server::domains::promotions::{
    Coupon, CreateCoupon, OwnCoupons, PromotionError, Rule, SwitchCoupon, create_coupon, free_slot,
    own_coupons, switch_coupon,
};
use mintreu_server::store::StoreError;
use mintreu_tests::{Browser, TestApp};
use reqwest::StatusCode;
use serde_json::{Value, json};

async fn coupon(test: &TestApp, shop: &Shop, code: &str, rule: Value) -> Coupon {
    let rule: Rule = serde_json::from_value(rule).expect("a rule");
    let code = code.to_owned();
    let command = CreateCoupon { code, rule };
    let made = test
        .app
        .transact(&shop.seller, command, create_coupon)
        .await;
    made.expect("is written")
}

async fn taken(test: &TestApp, shop: &Shop) -> i64 {
    let found = test.app.read(&shop.seller, OwnCoupons, own_coupons).await;
    found.expect("reads").iter().map(|one| one.taken).sum()
}

struct Wish<'a> {
    price: PriceId,
    quantity: i64,
    minor: i64,
    code: &'a str,
    email: &'a str,
}

fn wish(price: PriceId, minor: i64, code: &str) -> Wish<'_> {
    Wish {
        price,
        quantity: 1,
        minor,
        code,
        email: "guest@example.org",
    }
}

async fn buy(guest: &Browser, wish: &Wish<'_>) -> (StatusCode, Value) {
    let body = json!({
        "price_id": wish.price.to_string(), "quantity": wish.quantity,
        "amount_minor": wish.minor, "currency": "EUR", "email": wish.email,
        "codes": [wish.code],
    });
    guest.post_json("/v1/checkouts", &body).await
}

async fn refused(guest: &Browser, wish: &Wish<'_>, code: &str) {
    let (status, problem) = buy(guest, wish).await;
    assert_eq!(
        (status.as_u16(), problem["code"].as_str()),
        (422, Some(code)),
        "{problem}"
    );
}

async fn pay(test: &TestApp, guest: &Browser, started: &Value) -> Bought {
    let bought = bought(started);
    choose(guest, &bought, "succeed").await;
    test.drain().await;
    bought
}

#[tokio::test]
async fn a_code_takes_its_part_before_the_shares_and_the_seller_bears_it() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        coupon(test, &shop, "spring", json!({"percent_bps": 2000})).await;
        let guest = server.browser();
        // The price without the code is not the price with it.
        let (status, problem) = buy(&guest, &wish(shop.price, 4900, "Spring")).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("price_changed"))
        );
        assert_eq!(problem["quote"]["amount_minor"], 3920);
        let (status, started) = buy(&guest, &wish(shop.price, 3920, " SPRING ")).await;
        assert_eq!(status, 201, "{started}");
        let bought = pay(test, &guest, &started).await;
        let (_, page) = guest.get_json(&bought.path()).await;
        let line = &page["lines"][0];
        assert_eq!(
            (&page["state"], &line["discount_minor"]),
            (&json!("paid"), &json!(980))
        );
        assert_eq!(line["amount_minor"], 3920);
        // 15 or 10 or 20 percent of 39.20, the payment fee of 39.20, and the rest is the seller's.
        let query = mintreu_server::domains::orders::SalesQuery::default();
        let sales = mintreu_server::domains::orders::sales;
        let sales = test
            .app
            .read(&shop.seller, query, sales)
            .await
            .expect("reads");
        let split = &sales.sales[0].split;
        assert_eq!((split.gross.minor(), split.discount.minor()), (4900, 980));
        assert_eq!(split.platform_fee.minor(), 588);
        assert_eq!(split.payment_fee.minor(), 144);
        assert_eq!(split.seller.minor(), 3920 - 588 - 144);
        assert!(
            split.explanation.contains("SPRING; the seller bears it"),
            "{split:?}"
        );
        let held = test.app.read(&shop.seller, SELLER, seller_balances).await;
        assert_eq!(held.expect("reads")[0].amount, split.seller);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn each_refusal_has_its_code_and_takes_nothing() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let later = mintreu::Clock::now(&*test.clock).ms() + 1_000;
        let rules = [
            (
                "FEW",
                json!({"percent_bps": 100, "min_quantity": 2}),
                "coupon_insufficient_quantity",
            ),
            (
                "LATER",
                json!({"percent_bps": 100, "starts_at": later}),
                "coupon_inactive",
            ),
            (
                "SPEND",
                json!({"percent_bps": 100,
                    "min_spend": [{"amount_minor": 4901, "currency": "EUR"}]}),
                "coupon_minimum_spend",
            ),
            (
                "DOLLARS",
                json!({"off": [{"amount_minor": 100, "currency": "USD"}]}),
                "coupon_invalid",
            ),
        ];
        for (code, rule, expected) in rules {
            coupon(test, &shop, code, rule).await;
            refused(&guest, &wish(shop.price, 4900, code), expected).await;
        }
        refused(&guest, &wish(shop.price, 4900, "NOBODYS"), "coupon_invalid").await;
        coupon(
            test,
            &shop,
            "TWO",
            json!({"percent_bps": 100, "max_units": 2}),
        )
        .await;
        let three = Wish {
            quantity: 3,
            ..wish(shop.price, 14_700, "TWO")
        };
        refused(&guest, &three, "coupon_exceeding_quantity").await;
        // 49.00 less 48.90 is less than the payment costs; less 49.00 costs nothing at all.
        let off = |minor: i64| json!({"off": [{"amount_minor": minor, "currency": "EUR"}]});
        coupon(test, &shop, "NEARLY", off(4890)).await;
        refused(&guest, &wish(shop.price, 10, "NEARLY"), "below_fees").await;
        let off = coupon(test, &shop, "OFF", json!({"percent_bps": 100})).await;
        let switch = SwitchCoupon {
            coupon: off.id,
            on: false,
        };
        let done = test.app.transact(&shop.seller, switch, switch_coupon).await;
        done.expect("is switched");
        refused(&guest, &wish(shop.price, 4900, "OFF"), "coupon_inactive").await;
        assert_eq!(taken(test, &shop).await, 0);
        coupon(test, &shop, "GIFT", off_all()).await;
        let (status, free) = buy(&guest, &wish(shop.price, 0, "GIFT")).await;
        assert_eq!(
            (status.as_u16(), &free["pay_url"]),
            (201, &Value::Null),
            "{free}"
        );
        server.stop().await;
    })
    .await;
}

fn off_all() -> Value {
    json!({"off": [{"amount_minor": 9_900, "currency": "EUR"}]})
}

#[tokio::test]
async fn a_buyer_is_one_whatever_stands_behind_the_plus() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let rule = json!({"percent_bps": 1000, "max_per_customer": 1});
        coupon(test, &shop, "ONCE", rule).await;
        let guest = server.browser();
        let first = wish(shop.price, 4410, "ONCE");
        let (status, _) = buy(&guest, &first).await;
        assert_eq!(status, 201);
        let same = Wish {
            email: "Guest+again@Example.org",
            ..first
        };
        refused(&guest, &same, "coupon_customer_limit").await;
        let other = Wish {
            email: "other@example.org",
            ..same
        };
        let (status, started) = buy(&guest, &other).await;
        assert_eq!(status, 201, "{started}");
        server.stop().await;
    })
    .await;
}

struct Free(OrderId);

impl Command for Free {
    const NAME: &'static str = "test.free_slot";
    const CAPABILITY: Capability = Capability::Operate;
}

fn free(cx: &mut Cx<'_>, free: &Free) -> Result<(), PromotionError> {
    let done: Result<(), StoreError> = free_slot(cx, free.0);
    Ok(done?)
}

#[tokio::test]
async fn a_slot_comes_back_when_nobody_pays_and_when_all_is_refunded() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        coupon(
            test,
            &shop,
            "LAST",
            json!({"percent_bps": 5000, "max_units": 1}),
        )
        .await;
        let guest = server.browser();
        let one = wish(shop.price, 2450, "LAST");
        let (_, first) = buy(&guest, &one).await;
        refused(&guest, &one, "coupon_sold_out").await;
        test.clock.advance(24 * 60 * 60 * 1000);
        test.drain().await;
        assert_eq!(taken(test, &shop).await, 0, "expired");
        let (status, second) = buy(&guest, &one).await;
        assert_eq!(status, 201, "{second}");
        // The price was promised: money that comes late is worth it, even beyond the limit.
        pay(test, &guest, &first).await;
        assert_eq!(taken(test, &shop).await, 2);
        let paid = pay(test, &guest, &second).await;
        let order = OrderId::parse(&paid.order).expect("an id");
        for _ in 0..2 {
            let freed = test.app.transact(&test.system(), Free(order), free).await;
            freed.expect("frees");
            assert_eq!(taken(test, &shop).await, 1, "once, however often");
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn another_seller_s_coupons_can_not_be_seen_or_changed() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let made = coupon(test, &shop, "MINE", json!({"percent_bps": 100})).await;
        let stranger = mintreu::id::AccountId::from_bytes(*b"another seller a");
        let stranger = person(test, stranger, Role::Developer);
        let seen = test.app.read(&stranger, OwnCoupons, own_coupons).await;
        assert_eq!(seen.expect("reads"), []);
        let switch = SwitchCoupon {
            coupon: made.id,
            on: false,
        };
        let done = test.app.transact(&stranger, switch, switch_coupon).await;
        assert!(matches!(done, Err(PromotionError::NotFound)), "{done:?}");
        let buyer = person(test, SELLER, Role::Customer);
        let done = test.app.transact(&buyer, switch, switch_coupon).await;
        assert!(matches!(done, Err(PromotionError::Denied(_))), "{done:?}");
    })
    .await;
}
