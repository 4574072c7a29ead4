//! What a bank, a refund and a code do to a subscription.

use crate::money_back::{Desk, Paid};
use crate::subscriptions::{Club, club, do_it, facts, travel};
use mintreu::id::{OrderId, SubscriptionId};
use mintreu::{Currency, Money};
use mintreu_server::domains::catalog::ops::{AddPrice, add_price};
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::domains::promotions::{
    CreateCoupon, OwnCoupons, Rule, create_coupon, own_coupons,
};
use mintreu_server::domains::refunds::{AskRefund, Reason};
use mintreu_server::domains::subscriptions::{
    Action, AskChange, ChangePlan, SubscriptionError, change_plan, quote_change,
};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_tests::TestApp;
use serde_json::{Value, json};

/// Which, where it stands, why it ended, and in which period.
pub type Stands = (SubscriptionId, String, Option<String>, i64);

pub async fn stands(desk: &Desk<'_>) -> Stands {
    let rows = desk
        .rows("SELECT subscription_id, status, end_reason, period FROM subscription")
        .await;
    let row = rows.first().expect("a subscription");
    (
        row.id("subscription_id", SubscriptionId::from_bytes)
            .expect("an id"),
        row.text("status").expect("a status"),
        row.opt_text("end_reason").expect("a reason"),
        row.int("period").expect("a period"),
    )
}

async fn subscribed(desk: &Desk<'_>, club: &Club) -> (SubscriptionId, Paid) {
    let item = Item::new(club.cheap, 1);
    let paid = desk.buy_as(&club.buyer, item, 1_000, &[]).await;
    (stands(desk).await.0, paid)
}

/// The totals of the bills, the oldest first.
pub async fn bills(desk: &Desk<'_>) -> Vec<i64> {
    let rows = desk
        .rows(
            "SELECT o.total_minor FROM subscription_bill b JOIN customer_order o
                ON o.tenant_id = b.tenant_id AND o.order_id = b.order_id ORDER BY b.placed_at",
        )
        .await;
    let total = |row: &mintreu_server::store::Row| row.int("total_minor").expect("a total");
    rows.iter().map(total).collect()
}

/// The newest bill, as what was paid.
pub async fn newest_bill(desk: &Desk<'_>, first: &Paid) -> Paid {
    let orders = desk
        .rows("SELECT order_id FROM subscription_bill ORDER BY placed_at DESC")
        .await;
    let sessions = desk
        .rows("SELECT session FROM sandbox_session ORDER BY created_at DESC")
        .await;
    Paid {
        order: orders[0]
            .id("order_id", OrderId::from_bytes)
            .expect("an id"),
        session: sessions[0].text("session").expect("a page"),
        ..first.clone()
    }
}

#[tokio::test]
async fn while_a_bank_asks_nothing_is_charged_and_what_is_won_goes_on() {
    TestApp::both(async |test| {
        let (club, desk) = (club(test).await, Desk::open(test).await);
        let (id, paid) = subscribed(&desk, &club).await;
        test.clock.advance(1);
        assert!(desk.raise(&paid, ObjectState::Opened).await);
        desk.hand_over_all().await;
        assert_eq!(stands(&desk).await.1, "paused");
        assert_eq!(desk.license(&paid).await.as_deref(), Some("dispute"));
        let resumed = do_it(test, id, Action::Resume, Some(1_000)).await;
        assert!(matches!(resumed, Err(SubscriptionError::Disputed)));
        travel(test, "2027-03-01").await;
        assert_eq!(bills(&desk).await, Vec::<i64>::new(), "nothing is charged");
        assert!(desk.decide(&paid, ObjectState::Won).await);
        desk.hand_over_all().await;
        // The period was over by then: a new one begins, and is paid for.
        let (_, status, _, period) = stands(&desk).await;
        assert_eq!((status.as_str(), period), ("active", 1));
        assert_eq!(bills(&desk).await, [1_000]);
        assert_eq!(desk.license(&paid).await, None);
        for fact in [
            "subscription.disputed",
            "subscription.undisputed",
            "subscription.resumed",
        ] {
            assert_eq!(facts(test, fact).await, 1, "{fact}");
        }
        travel(test, "2027-04-02").await;
        assert_eq!(bills(&desk).await, [1_000, 1_000]);
    })
    .await;
}

#[tokio::test]
async fn what_a_bank_gives_back_within_the_period_costs_nothing_more() {
    TestApp::both(async |test| {
        let (club, desk) = (club(test).await, Desk::open(test).await);
        let (_, paid) = subscribed(&desk, &club).await;
        test.clock.advance(1);
        assert!(desk.raise(&paid, ObjectState::Opened).await);
        desk.hand_over_all().await;
        assert!(desk.decide(&paid, ObjectState::Won).await);
        desk.hand_over_all().await;
        let (_, status, _, period) = stands(&desk).await;
        assert_eq!((status.as_str(), period), ("active", 0));
        assert_eq!(bills(&desk).await, Vec::<i64>::new());
        travel(test, "2027-02-16").await;
        assert_eq!(bills(&desk).await, [1_000]);
    })
    .await;
}

#[tokio::test]
async fn a_renewal_that_is_charged_back_ends_it_when_the_bank_keeps_the_money() {
    TestApp::both(async |test| {
        let (club, desk) = (club(test).await, Desk::open(test).await);
        let (id, first) = subscribed(&desk, &club).await;
        travel(test, "2027-02-16").await;
        let bill = newest_bill(&desk, &first).await;
        assert!(desk.raise(&bill, ObjectState::Opened).await);
        desk.hand_over_all().await;
        assert_eq!(stands(&desk).await.1, "paused");
        // Not the first sale's money: the subscription itself suspends the license.
        assert_eq!(desk.license(&first).await.as_deref(), Some("seller"));
        test.clock.advance(1);
        assert!(desk.decide(&bill, ObjectState::Lost).await);
        desk.hand_over_all().await;
        let (_, status, reason, _) = stands(&desk).await;
        assert_eq!(
            (status.as_str(), reason.as_deref()),
            ("canceled", Some("chargeback"))
        );
        let again = do_it(test, id, Action::Resubscribe, Some(1_000)).await;
        assert!(matches!(again, Err(SubscriptionError::Disputed)));
        travel(test, "2027-05-16").await;
        assert_eq!(bills(&desk).await, [1_000]);
    })
    .await;
}

#[tokio::test]
async fn a_full_refund_ends_it_only_when_it_says_so() {
    TestApp::both(async |test| {
        let (club, desk) = (club(test).await, Desk::open(test).await);
        let (_, first) = subscribed(&desk, &club).await;
        desk.refund(Desk::wish(&first, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        assert_eq!(desk.state(&first).await, "refunded");
        assert_eq!(stands(&desk).await.1, "active");
        assert_eq!(desk.license(&first).await, None, "it goes on");
        travel(test, "2027-02-16").await;
        let bill = newest_bill(&desk, &first).await;
        let wish = AskRefund {
            ends_subscription: true,
            ..Desk::wish(&bill, None)
        };
        desk.refund(wish).await.expect("is asked");
        desk.hand_over_all().await;
        let (_, status, reason, _) = stands(&desk).await;
        assert_eq!(
            (status.as_str(), reason.as_deref()),
            ("canceled", Some("refunded"))
        );
        assert_eq!(desk.license(&first).await.as_deref(), Some("seller"));
    })
    .await;
}

pub async fn coupon(test: &TestApp, club: &Club, code: &str, rule: Value) {
    let rule: Rule = serde_json::from_value(rule).expect("a rule");
    let code = code.to_owned();
    let command = CreateCoupon { code, rule };
    let made = test.app.transact(&club.seller, command, create_coupon);
    made.await.expect("is written");
}

async fn taken(test: &TestApp, club: &Club) -> i64 {
    let found = test.app.read(&club.seller, OwnCoupons, own_coupons).await;
    found.expect("reads").iter().map(|one| one.taken).sum()
}

#[tokio::test]
async fn a_code_lasts_for_as_many_payments_as_it_says() {
    TestApp::both(async |test| {
        let (club, desk) = (club(test).await, Desk::open(test).await);
        let rule = json!({"percent_bps": 2500, "lasts": {"cycles": 2}});
        coupon(test, &club, "TWICE", rule).await;
        let item = Item::new(club.cheap, 1);
        desk.buy_as(&club.buyer, item, 750, &["TWICE"]).await;
        for day in ["2027-02-16", "2027-03-16", "2027-04-16"] {
            travel(test, day).await;
        }
        assert_eq!(bills(&desk).await, [750, 1_000, 1_000]);
    })
    .await;
}

#[tokio::test]
async fn a_code_s_unit_goes_back_with_the_money_and_comes_again_with_it() {
    TestApp::both(async |test| {
        let (club, desk) = (club(test).await, Desk::open(test).await);
        let rule = json!({"percent_bps": 2500, "max_units": 1});
        coupon(test, &club, "LAST", rule).await;
        let (guest, item) = (test.guest(), Item::new(desk.shop.price, 1));
        let first = desk.buy_as(&guest, item.clone(), 3_675, &["LAST"]).await;
        assert_eq!(taken(test, &club).await, 1);
        desk.refund(Desk::wish(&first, Some(3_000)))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        assert_eq!(taken(test, &club).await, 1, "a part went back");
        desk.refund(Desk::wish(&first, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        assert_eq!(taken(test, &club).await, 0);
        let second = desk.buy_as(&club.buyer, item, 3_675, &["LAST"]).await;
        assert_eq!(taken(test, &club).await, 1);
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(taken(test, &club).await, 2, "its price was promised");
        let fraud = AskRefund {
            reason: Reason::Fraud,
            ..Desk::wish(&second, None)
        };
        desk.refund(fraud).await.expect("is asked");
        desk.hand_over_all().await;
        assert_eq!(desk.state(&second).await, "refunded");
        assert_eq!(taken(test, &club).await, 2, "a fraud gives nothing back");
    })
    .await;
}

/// What a change to the yearly plan of 150.00 would cost now: credit and due.
async fn yearly(test: &TestApp, club: &Club, id: SubscriptionId) -> (i64, i64) {
    let ask = AskChange {
        subscription: id,
        price: Some(club.yearly),
        seats: None,
    };
    let quoted = test.app.read(&club.buyer, ask, quote_change).await;
    let quote = quoted.expect("is quoted").quote;
    (quote.credit.minor(), quote.due.minor())
}

/// 30 of 31 days are left on the day of the sale.
#[tokio::test]
async fn a_change_credits_what_was_paid_and_no_more() {
    TestApp::both(async |test| {
        let (desk, club) = (Desk::open(test).await, club(test).await);
        coupon(test, &club, "TENTH", json!({"percent_bps": 9000})).await;
        let item = Item::new(club.cheap, 2);
        let paid = desk.buy_as(&club.buyer, item, 200, &["TENTH"]).await;
        let id = stands(&desk).await.0;
        let two = 200 * 30 / 31 + 1;
        assert_eq!(yearly(test, &club, id).await, (two, 30_000 - two));
        // A third seat costs what seats cost, and is credited with the others.
        let seats = AskChange {
            subscription: id,
            price: None,
            seats: Some(3),
        };
        let more = ChangePlan {
            ask: seats,
            seen: Money::new(968, Currency::EUR),
        };
        let changed = test.app.transact(&club.buyer, more, change_plan).await;
        changed.expect("is charged");
        test.drain().await;
        let three = 1_200 * 30 / 31;
        assert_eq!(yearly(test, &club, id).await, (three, 45_000 - three));
        // What went back is no credit.
        desk.refund(Desk::wish(&paid, None))
            .await
            .expect("is asked");
        test.drain().await;
        desk.hand_over_all().await;
        let one = 1_000 * 30 / 31 + 1;
        assert_eq!(yearly(test, &club, id).await, (one, 45_000 - one));
    })
    .await;
}

#[tokio::test]
async fn nobody_changes_to_the_price_of_another_country() {
    TestApp::both(async |test| {
        let (desk, club) = (Desk::open(test).await, club(test).await);
        let draft = json!({"model": "recurring", "period": "monthly", "amount_minor": 200,
            "currency": "EUR", "countries": ["IN"]});
        let add = AddPrice {
            product: club.product,
            draft: serde_json::from_value(draft).expect("a price"),
            region_of: Some(club.cheap),
        };
        let added = test.app.transact(&club.seller, add, add_price).await;
        let (_, price) = added.expect("is added");
        let (id, _) = subscribed(&desk, &club).await;
        let ask = AskChange {
            subscription: id,
            price: Some(price),
            seats: None,
        };
        let quoted = test.app.read(&club.buyer, ask, quote_change).await;
        let error = quoted.expect_err("it is for India");
        assert!(matches!(
            error,
            SubscriptionError::Invalid {
                field: "price_id",
                ..
            }
        ));
    })
    .await;
}

/// What the next period charges after a change is what it then charges: a code that still lasts counts.
#[tokio::test]
async fn a_change_names_what_the_next_period_charges_with_a_code() {
    TestApp::both(async |test| {
        let (desk, club) = (Desk::open(test).await, club(test).await);
        let rule = json!({"percent_bps": 2500, "lasts": {"cycles": 3}});
        coupon(test, &club, "THRICE", rule).await;
        let item = Item::new(club.dear, 1);
        desk.buy_as(&club.buyer, item, 1_500, &["THRICE"]).await;
        let id = stands(&desk).await.0;
        let ask = |price, seats| AskChange {
            subscription: id,
            price,
            seats,
        };
        let quoted = async |asked| {
            let quoted = test.app.read(&club.buyer, asked, quote_change).await;
            let quoted = quoted.expect("is quoted");
            (
                quoted.now,
                quoted.amount.minor(),
                quoted.next_charge.minor(),
            )
        };
        // The cheaper plan waits for the second payment, more seats count at once.
        assert_eq!(
            quoted(ask(Some(club.cheap), None)).await,
            (false, 1_000, 750)
        );
        assert_eq!(quoted(ask(None, Some(2))).await, (true, 4_000, 3_000));
        // A year begins now: that is the second payment, and the next is the third.
        assert_eq!(
            quoted(ask(Some(club.yearly), None)).await,
            (true, 15_000, 11_250)
        );
        let planned = ChangePlan {
            ask: ask(Some(club.cheap), None),
            seen: Money::zero(Currency::EUR),
        };
        let planned = test.app.transact(&club.buyer, planned, change_plan).await;
        planned.expect("is planned");
        for day in ["2027-02-16", "2027-03-16", "2027-04-16"] {
            travel(test, day).await;
        }
        assert_eq!(bills(&desk).await, [750, 750, 1_000]);
        assert_eq!(
            quoted(ask(None, Some(3))).await,
            (true, 3_000, 3_000),
            "it is over"
        );
    })
    .await;
}
