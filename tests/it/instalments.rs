//! Prices of a fixed number of payments, what then becomes of the license, and the grace of a price.

use crate::charges_lost::{no_answer, no_line};
use crate::money_back::{Desk, Paid};
use crate::shop::{Shop, listed, person, stall};
use crate::subscriptions::{BUYER, do_it, facts, pay_with, travel};
use crate::subscriptions_money::{Stands, bills, newest_bill, stands};
use mintreu::id::{PriceId, ProductId};
use mintreu_server::caller::Role;
use mintreu_server::domains::catalog::CatalogError;
use mintreu_server::domains::catalog::ops::{AddPrice, ChangePrice, add_price, change_price};
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use mintreu_server::domains::refunds::AskRefund;
use mintreu_server::domains::subscriptions::charge::{CHARGE_JOB, END_JOB};
use mintreu_server::domains::subscriptions::{
    Action, AskChange, Reprice, StartTrial, SubscriptionError, quote_change, reprice, start_trial,
};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_server::text::Locale;
use mintreu_server::worker;
use mintreu_tests::TestApp;
use serde_json::{Value, json};
use std::sync::Arc;

/// The product that is sold, and its price of 10.00 a month that goes on as it says.
pub struct Sold {
    pub product: ProductId,
    price: PriceId,
    /// 12.00 a month, for as long as nobody ends it.
    other: PriceId,
}

fn monthly(minor: i64, renewing: Value) -> Value {
    json!({"model": "recurring", "period": "monthly", "amount_minor": minor, "currency": "EUR",
        "renewing": renewing})
}

pub async fn opened(test: &TestApp, renewing: Value) -> (Desk<'_>, Sold) {
    let seller = stall(test, "Parts").await;
    let draft = json!({
        "code": "parts.app", "kind": "download", "name": "Parts", "summary": "In parts.",
        "categories": ["tools"], "prices": [monthly(1_000, renewing), monthly(1_200, json!({}))],
        "terms": {"seats": 1, "entitlements": []},
    });
    let found = listed(test, &seller, draft).await;
    let price = |at: usize| found.prices[at].id;
    let sold = Sold {
        product: found.id,
        price: price(0),
        other: price(1),
    };
    let shop = Shop {
        seller,
        price: sold.price,
        free: sold.price,
    };
    (Desk::of(test, shop).await, sold)
}

pub async fn bought(desk: &Desk<'_>, sold: &Sold) -> Paid {
    let buyer = person(desk.test, BUYER, Role::Customer);
    let item = Item::new(sold.price, 1);
    desk.buy_as(&buyer, item, 1_000, &[]).await
}

/// Where it stands, and why it ended.
pub async fn state(desk: &Desk<'_>) -> (String, String) {
    let (_, status, reason, _): Stands = stands(desk).await;
    (status, reason.unwrap_or_default())
}

pub fn over(status: &str, reason: &str) -> (String, String) {
    (status.to_owned(), reason.to_owned())
}

/// When the license ends; `None` for never.
pub async fn license_end(desk: &Desk<'_>) -> Option<i64> {
    let rows = desk.rows("SELECT expires_at FROM license").await;
    let at = rows[0].opt_at("expires_at").expect("an instant");
    at.map(mintreu::Timestamp::ms)
}

#[tokio::test]
async fn what_is_paid_in_three_instalments_is_kept() {
    TestApp::both(async |test| {
        let (desk, sold) = opened(test, json!({"payments": 3, "keeps_license": true})).await;
        let first = bought(&desk, &sold).await;
        assert!(license_end(&desk).await.is_some());
        travel(test, "2027-02-16").await;
        assert_eq!(state(&desk).await, over("active", ""));
        travel(test, "2027-03-16").await;
        // With the third it is paid off: nothing more is charged, and the license has no end.
        assert_eq!(bills(&desk).await, [1_000, 1_000]);
        assert_eq!(state(&desk).await, over("canceled", "completed"));
        assert_eq!(license_end(&desk).await, None);
        assert_eq!(desk.license(&first).await, None, "it works");
        travel(test, "2028-03-16").await;
        assert_eq!(bills(&desk).await.len(), 2);
        assert_eq!(desk.license(&first).await, None);
        assert_eq!(facts(test, "subscription.ended").await, 1);
        let again = do_it(
            test,
            stands(&desk).await.0,
            Action::Resubscribe,
            Some(1_000),
        )
        .await;
        assert!(
            matches!(again, Err(SubscriptionError::Completed)),
            "{again:?}"
        );
    })
    .await;
}

/// Without a number of payments it goes on: what shows that something ended here.
#[tokio::test]
async fn what_ends_after_three_payments_ends_with_the_last_period() {
    for (renewing, charged, stands, works) in [
        (json!({"payments": 3}), 2, ("canceled", "completed"), false),
        (json!({}), 4, ("active", ""), true),
    ] {
        TestApp::both(async |test| {
            let (desk, sold) = opened(test, renewing.clone()).await;
            let first = bought(&desk, &sold).await;
            for day in ["2027-02-16", "2027-03-16"] {
                travel(test, day).await;
            }
            assert_eq!(state(&desk).await, over("active", ""), "the last is used");
            for day in ["2027-04-16", "2027-05-16"] {
                travel(test, day).await;
            }
            assert_eq!(bills(&desk).await.len(), charged);
            assert_eq!(state(&desk).await, over(stands.0, stands.1));
            assert_eq!(desk.license(&first).await.is_none(), works);
        })
        .await;
    }
}

/// Paid off with two payments; answers the first, and the last.
async fn paid_off(desk: &Desk<'_>, sold: &Sold) -> (Paid, Paid) {
    let first = bought(desk, sold).await;
    travel(desk.test, "2027-02-16").await;
    assert_eq!(state(desk).await, over("canceled", "completed"));
    let last = newest_bill(desk, &first).await;
    desk.test.clock.advance(1_000);
    (first, last)
}

#[tokio::test]
async fn a_bank_takes_back_what_was_paid_off_and_gives_it_again() {
    for (decided, reason, works) in [
        (ObjectState::Won, "completed", true),
        (ObjectState::Lost, "chargeback", false),
    ] {
        TestApp::both(async |test| {
            let (desk, sold) = opened(test, json!({"payments": 2, "keeps_license": true})).await;
            let (first, last) = paid_off(&desk, &sold).await;
            assert!(desk.raise(&last, ObjectState::Opened).await);
            desk.hand_over_all().await;
            assert!(desk.license(&first).await.is_some(), "it rests");
            test.clock.advance(1_000);
            assert!(desk.decide(&last, decided).await);
            desk.hand_over_all().await;
            assert_eq!(state(&desk).await, over("canceled", reason));
            assert_eq!(desk.license(&first).await.is_none(), works);
            travel(test, "2027-06-16").await;
            assert_eq!(bills(&desk).await.len(), 1, "nothing more is charged");
        })
        .await;
    }
}

#[tokio::test]
async fn a_refund_that_says_so_takes_back_what_was_paid_off() {
    for (ends, reason, works) in [(true, "refunded", false), (false, "completed", true)] {
        TestApp::both(async |test| {
            let (desk, sold) = opened(test, json!({"payments": 2, "keeps_license": true})).await;
            let (first, last) = paid_off(&desk, &sold).await;
            let wish = AskRefund {
                ends_subscription: ends,
                ..Desk::wish(&last, None)
            };
            desk.refund(wish).await.expect("is asked for");
            desk.hand_over_all().await;
            assert_eq!(state(&desk).await, over("canceled", reason));
            assert_eq!(desk.license(&first).await.is_none(), works);
        })
        .await;
    }
}

/// A payment that is late completes it too, and who ends it before has nothing for good.
#[tokio::test]
async fn late_and_left_off_instalments() {
    TestApp::both(async |test| {
        let (desk, sold) = opened(test, json!({"payments": 2, "keeps_license": true})).await;
        let first = bought(&desk, &sold).await;
        let id = stands(&desk).await.0;
        pay_with(test, id, "sbm_insufficient_funds").await;
        travel(test, "2027-02-16").await;
        assert_eq!(state(&desk).await, over("past_due", ""));
        assert!(license_end(&desk).await.is_some(), "it isn't paid off");
        pay_with(test, id, "sbm_pays").await;
        assert_eq!(state(&desk).await, over("canceled", "completed"));
        assert_eq!(
            (license_end(&desk).await, desk.license(&first).await),
            (None, None)
        );
    })
    .await;
    TestApp::both(async |test| {
        let (desk, sold) = opened(test, json!({"payments": 3, "keeps_license": true})).await;
        let first = bought(&desk, &sold).await;
        do_it(test, stands(&desk).await.0, Action::Cancel, None)
            .await
            .expect("is wished");
        travel(test, "2027-02-16").await;
        assert_eq!(state(&desk).await, over("canceled", "canceled"));
        assert!(desk.license(&first).await.is_some(), "it stops");
        // Taken up again, two payments are left, and complete it.
        let id = stands(&desk).await.0;
        do_it(test, id, Action::Resubscribe, Some(1_000))
            .await
            .expect("goes on");
        travel(test, "2027-03-17").await;
        assert_eq!(state(&desk).await, over("canceled", "completed"));
        assert_eq!(bills(&desk).await.len(), 2);
    })
    .await;
}

/// The last payment is declined until it ends: taken up again, it is still owed, and is the last.
#[tokio::test]
async fn an_instalment_that_was_never_paid_is_owed() {
    TestApp::both(async |test| {
        let (desk, sold) = opened(test, json!({"payments": 2, "keeps_license": true})).await;
        let first = bought(&desk, &sold).await;
        let id = stands(&desk).await.0;
        pay_with(test, id, "sbm_insufficient_funds").await;
        for day in [16, 18, 23] {
            travel(test, &format!("2027-02-{day}")).await;
        }
        for day in ["2027-03-02", "2027-03-09"] {
            travel(test, day).await;
        }
        assert_eq!(state(&desk).await, over("canceled", "unpaid"));
        assert!(desk.license(&first).await.is_some(), "it isn't paid off");
        pay_with(test, id, "sbm_pays").await;
        let again = do_it(test, id, Action::Resubscribe, Some(1_000)).await;
        again.expect("is taken up");
        assert_eq!(state(&desk).await, over("canceled", "completed"));
        assert_eq!(
            (license_end(&desk).await, desk.license(&first).await),
            (None, None)
        );
    })
    .await;
}

/// While a payment is on its way no second one is asked for, so that nobody pays once too often.
#[tokio::test]
async fn no_payment_is_asked_for_beside_one_that_is_on_its_way() {
    TestApp::both(async |test| {
        let (desk, mut sold) = opened(test, json!({})).await;
        let mut draft = monthly(1_000, json!({"payments": 2, "keeps_license": true}));
        draft["period"] = json!("daily");
        let add = AddPrice {
            product: sold.product,
            draft: serde_json::from_value(draft).expect("a draft"),
            region_of: None,
        };
        let added = test.app.transact(&desk.shop.seller, add, add_price).await;
        sold.price = added.expect("is added").1;
        let first = bought(&desk, &sold).await;
        let dead = worker::table().network(CHARGE_JOB, no_line);
        let dead = Arc::new(dead.network(END_JOB, no_answer));
        for hours in [25, 24] {
            test.clock.advance(hours * 3_600_000);
            let drained = worker::drain(&test.app, &dead).await;
            drained.expect("jobs can be leased");
        }
        assert_eq!(bills(&desk).await, [1_000], "one is on its way");
        test.clock.advance(3_600_000);
        test.drain().await;
        assert_eq!(bills(&desk).await, [1_000]);
        assert_eq!(state(&desk).await, over("canceled", "completed"));
        assert_eq!(desk.license(&first).await, None);
    })
    .await;
}

#[tokio::test]
async fn a_trial_comes_before_the_payments() {
    TestApp::both(async |test| {
        let mut price = monthly(1_000, json!({"payments": 2}));
        price["trial"] = json!({"days": 10, "without_method": true});
        let seller = stall(test, "Parts").await;
        let draft = json!({
            "code": "parts.app", "kind": "download", "name": "Parts", "summary": "In parts.",
            "categories": ["tools"], "prices": [price],
            "terms": {"seats": 1, "entitlements": []},
        });
        let found = listed(test, &seller, draft).await;
        let start = StartTrial {
            price: found.prices[0].id,
            seen: None,
            country: None,
            locale: Locale::English,
            zone: String::new(),
            provider: "sandbox".to_owned(),
            method: Some("sbm_pays".to_owned()),
            traffic: Traffic::Seller,
            fees: FeePolicy::default(),
            tariff: PaymentTariff::default(),
        };
        let buyer = person(test, BUYER, Role::Customer);
        let begun = test.app.transact(&buyer, start, start_trial).await;
        begun.expect("is begun");
        let shop = Shop {
            seller,
            price: found.prices[0].id,
            free: found.prices[0].id,
        };
        let desk = Desk::of(test, shop).await;
        for day in ["2027-01-26", "2027-02-26"] {
            travel(test, day).await;
            assert_eq!(state(&desk).await, over("active", ""));
        }
        for day in ["2027-03-26", "2027-04-26"] {
            travel(test, day).await;
        }
        assert_eq!(bills(&desk).await, [1_000, 1_000]);
        assert_eq!(state(&desk).await, over("canceled", "completed"));
    })
    .await;
}

#[tokio::test]
async fn what_was_bought_in_so_many_payments_stays_so() {
    TestApp::both(async |test| {
        let (desk, sold) = opened(test, json!({"payments": 3, "keeps_license": true})).await;
        bought(&desk, &sold).await;
        let buyer = person(test, BUYER, Role::Customer);
        let id = stands(&desk).await.0;
        for (price, seats) in [(Some(sold.other), None), (None, Some(2))] {
            let ask = AskChange {
                subscription: id,
                price,
                seats,
            };
            let quoted = test.app.read(&buyer, ask, quote_change).await;
            assert!(
                matches!(quoted, Err(SubscriptionError::FixedLength)),
                "{quoted:?}"
            );
        }
        // Its seller neither moves them to another price nor others to this one.
        let seller = &desk.shop.seller;
        let move_them = |price, to| Reprice {
            product: sold.product,
            price,
            to,
            from: test.app.now().plus_ms(40 * 24 * 60 * 60 * 1000),
        };
        let told = test
            .app
            .transact(seller, move_them(sold.price, sold.other), reprice)
            .await;
        assert_eq!(told.expect("nobody is moved"), 0);
        let refused = test
            .app
            .transact(seller, move_them(sold.other, sold.price), reprice)
            .await;
        let wrong = matches!(
            refused,
            Err(SubscriptionError::Invalid {
                field: "to_price_id",
                ..
            })
        );
        assert!(wrong, "{refused:?}");
        // A new version is for who comes then.
        let draft = monthly(1_000, json!({"payments": 12}));
        let change = ChangePrice {
            price: sold.price,
            draft: serde_json::from_value(draft).expect("a draft"),
        };
        let changed = test.app.transact(seller, change, change_price).await;
        assert_ne!(changed.expect("is a new version").1, sold.price);
        for day in ["2027-02-16", "2027-03-16"] {
            travel(test, day).await;
        }
        assert_eq!(state(&desk).await, over("canceled", "completed"));
    })
    .await;
}

/// For how many days the license works after a declined renewal.
#[tokio::test]
async fn the_grace_is_the_price_s() {
    for (renewing, last_day, first_day) in [
        (json!({"grace_days": 0}), None, "2027-02-16"),
        (json!({"grace_days": 2}), Some("2027-02-17"), "2027-02-18"),
        (json!({}), Some("2027-02-22"), "2027-02-23"),
        (json!({"grace_days": 14}), Some("2027-03-01"), "2027-03-02"),
    ] {
        TestApp::both(async |test| {
            let (desk, sold) = opened(test, renewing.clone()).await;
            let first = bought(&desk, &sold).await;
            pay_with(test, stands(&desk).await.0, "sbm_insufficient_funds").await;
            travel(test, "2027-02-16").await;
            if let Some(day) = last_day {
                travel(test, day).await;
                assert_eq!(desk.license(&first).await, None, "{renewing} on {day}");
            }
            travel(test, first_day).await;
            assert!(
                desk.license(&first).await.is_some(),
                "{renewing} on {first_day}"
            );
            assert_eq!(state(&desk).await, over("past_due", ""), "it is tried on");
        })
        .await;
    }
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_name() {
    let test = TestApp::sqlite().await;
    let (desk, sold) = opened(&test, json!({})).await;
    let mut once = json!({"model": "one_time", "amount_minor": 1_000, "currency": "EUR"});
    once["renewing"] = json!({"payments": 3});
    for draft in [
        monthly(1_300, json!({"payments": 1})),
        monthly(1_300, json!({"payments": 121})),
        monthly(1_300, json!({"payments": -3})),
        monthly(1_300, json!({"keeps_license": true})),
        monthly(1_300, json!({"grace_days": 5})),
        once,
    ] {
        let add = AddPrice {
            product: sold.product,
            draft: serde_json::from_value(draft.clone()).expect("a draft"),
            region_of: None,
        };
        let added = test.app.transact(&desk.shop.seller, add, add_price).await;
        let Err(CatalogError::Invalid(found)) = added else {
            panic!("{draft} was taken");
        };
        assert_eq!(
            (found[0].field, found[0].code),
            ("renewing", "out_of_range")
        );
    }
    test.finish().await;
}
