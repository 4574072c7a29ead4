//! Races for what there is once: a coupon, a seat, a refund, a payout, a payment, a quote. However
//! many reach for it at the same instant, it goes once, and each of them is told the truth.
//!
//! Every race is run by threads that begin together, several rounds, on both engines. What is
//! asserted is an exact count, not "at most"; that the crowd does collide, and that such a count
//! can be wrong, is shown by [`who_looks_first_and_acts_later_pays_twice`], the same crowd without
//! the one transaction. `finish()` reads the books besides: a second sale, license, statement or
//! refund is a complaint there, which `commerce_control` and `payouts` show by taking guards away.
//!
//! Races of what isn't money lie with what they are about: jobs (`store_jobs`), balances and keys
//! (`store_transactions`), numbers of papers (`papers`), periods and renewals (`billing_periods`,
//! `billing_terms`, `subscriptions`), counted events (`metering_segments`, `access_slices`), and
//! seats that a host lends (`licensing_hosts`).

use crate::money_back::{Desk, axum_headers::signed};
use crate::payouts::{self, Earn};
use crate::shop::{
    Shop, check_out, choose, free_license, id_of, of_license, order_of, request, shop,
};
use mintreu::{Currency, Money};
use mintreu_server::app::App;
use mintreu_server::caller::Caller;
use mintreu_server::domains::ledger::seller_balances;
use mintreu_server::domains::licensing::{Activate, LicensingError, activate};
use mintreu_server::domains::payouts::State;
use mintreu_server::domains::promotions::{CreateCoupon, create_coupon};
use mintreu_server::domains::refunds::{RefundError, RefundSale, refund_sale};
use mintreu_server::worker;
use mintreu_tests::{Browser, TestApp};
use reqwest::Method;
use serde_json::{Value, json};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::Barrier;

/// How often each race is run on each engine.
const ROUNDS: i64 = 4;
/// How many reach for the same thing.
const CROWD: usize = 8;
/// How often somebody who is told that all are busy asks again; more is a failure.
const PATIENCE: usize = 50;

/// What each of a crowd came to; none begins before all are there.
pub async fn at_once<F>(crowd: usize, one: impl Fn(usize) -> F) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let start = Arc::new(Barrier::new(crowd));
    let runner = |number| {
        let (start, one) = (start.clone(), one(number));
        tokio::spawn(async move {
            start.wait().await;
            one.await
        })
    };
    let running: Vec<_> = (0..crowd).map(runner).collect();
    let mut outcomes = Vec::new();
    for one in running {
        outcomes.push(one.await.expect("no panic"));
    }
    outcomes
}

/// POST of JSON; a store that is too busy says so and has done nothing, so that it is asked again.
pub async fn insist(guest: &Browser, path: &str, body: &Value) -> (u16, Value) {
    for _ in 0..PATIENCE {
        let (status, answer) = guest.post_json(path, body).await;
        if status != 503 {
            return (status.as_u16(), answer);
        }
    }
    panic!("{path} is busy for ever");
}

/// How many of the answers have this status; all others must be the problem `code`.
pub fn won(answers: &[(u16, Value)], status: u16, code: &str) -> usize {
    let lost = |one: &&(u16, Value)| one.0 != status;
    for (_, problem) in answers.iter().filter(lost) {
        assert_eq!(problem["code"], code, "{problem}");
    }
    answers.iter().filter(|one| one.0 == status).count()
}

async fn coupon(test: &TestApp, shop: &Shop, code: &str, units: i64) {
    let rule = json!({"percent_bps": 5000, "max_units": units});
    let command = CreateCoupon {
        code: code.to_owned(),
        rule: serde_json::from_value(rule).expect("a rule"),
    };
    let seller = &shop.seller;
    let made = test.app.transact(seller, command, create_coupon).await;
    made.expect("is written");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_coupons_go_to_exactly_as_many_buyers() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        // In the last round there is one for everybody: it is the limit that refuses.
        for left in [1, 3, 1, CROWD] {
            let code = format!("LAST{}", test.app.now().ms());
            coupon(test, &shop, &code, left as i64).await;
            let answers = at_once(CROWD, |number| {
                let (guest, mut order) = (server.browser(), order_of(shop.price, 2450));
                order["codes"] = json!([code]);
                order["email"] = json!(format!("guest{number}@example.org"));
                async move { insist(&guest, "/v1/checkouts", &order).await }
            });
            assert_eq!(won(&answers.await, 201, "coupon_sold_out"), left);
            test.clock.advance(60_000);
        }
        server.stop().await;
    })
    .await;
}

/// A guest's license of two seats.
async fn licensed(guest: &Browser, shop: &Shop) -> String {
    id_of(&free_license(guest, shop).await.1).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_last_seats_go_to_exactly_as_many_devices() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        for _ in 0..ROUNDS {
            let license = licensed(&guest, &shop).await;
            let outcomes = at_once(12, |device| {
                let (app, guest) = (test.app.clone(), test.guest());
                let bytes = request(device as u8 + 1, of_license(&license));
                let command = Activate::from_bytes(&bytes).expect("a request");
                async move { app.transact(&guest, command, activate).await }
            });
            let outcomes = outcomes.await;
            let full = |outcome: &&Result<_, _>| {
                matches!(outcome, Err(LicensingError::SeatsExhausted { seats: 2 }))
            };
            let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
            assert_eq!(won, 2, "{outcomes:?}");
            assert_eq!(outcomes.iter().filter(full).count(), 10, "{outcomes:?}");
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_refunds_as_many_win_as_the_payment_bears() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        // Of 49.00 there is one 49.00, and there are two 20.00 and 9.00 that nobody asked for.
        for (asked, wins, state, after) in [
            (4_900, 1, "refunded", -907),
            (2_000, 2, "partially_refunded", -914),
        ] {
            let paid = desk.buy(1).await;
            let outcomes = at_once(CROWD, |_| {
                let (app, seller) = (test.app.clone(), desk.shop.seller.clone());
                let wish = RefundSale(Desk::wish(&paid, Some(asked)));
                async move { app.transact(&seller, wish, refund_sale).await }
            });
            let mut won = 0;
            for outcome in outcomes.await {
                match outcome {
                    Ok(_) => won += 1,
                    Err(RefundError::OutOfRange { left }) => {
                        assert_eq!(left.minor(), 4_900 - asked * wins);
                    }
                    Err(error) => panic!("{error}"),
                }
            }
            assert_eq!(won, wins);
            desk.hand_over_all().await;
            assert_eq!(desk.state(&paid).await, state);
            let sent = desk.sent_back(&paid).await;
            assert_eq!(sent, vec![asked; wins as usize], "what the provider sent");
            assert_eq!(desk.earned().await, (0, after));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn runs_and_workers_at_once_pay_everybody_once() {
    TestApp::both(async |test| {
        const SELLERS: u8 = 40;
        let server = test.serve().await;
        for number in 1..=SELLERS {
            let seller = payouts::seller(number);
            payouts::settle_in(test, seller, "acct_ok").await;
            payouts::earn(test, "sale", seller, euros(2_000)).await;
        }
        test.clock.advance(1);
        for _ in 0..4 {
            payouts::begin(test).await;
        }
        let table = Arc::new(worker::table());
        let drained = at_once(CROWD, |_| {
            let (app, table) = (test.app.clone(), table.clone());
            async move { worker::drain(&app, &table).await }
        });
        for one in drained.await {
            one.expect("drains");
        }
        // What lost a race is put back for a few seconds.
        for _ in 0..5 {
            test.clock.advance(60_000);
            test.drain().await;
        }
        for number in 1..=SELLERS {
            let seller = payouts::seller(number);
            let made = payouts::payouts_of(test, seller).await;
            let states: Vec<_> = made.iter().map(|one| one.state).collect();
            assert_eq!(states, [State::Paid], "seller {number}");
            assert_eq!(made[0].statement_number, 1);
            assert_eq!(payouts::asked(test, made[0].id).await.len(), 1, "one order");
            assert_eq!(payouts::balance(test, seller).await, (0, 0));
        }
        server.stop().await;
    })
    .await;
}

/// What the buyer's return page says: whether the license is there.
async fn looked(guest: &Browser, path: &str) -> bool {
    let page = guest.get(path).await;
    assert_eq!(page.status(), 200, "{path}");
    let text = page.text().await.expect("a page");
    text.contains("Check the license in your program")
}

/// Gives one webhook to the shop, as its provider does.
async fn deliver(app: &App, provider: &Browser, body: &str) {
    for _ in 0..PATIENCE {
        let path = "/v1/payments/webhooks/sandbox";
        let request = provider.request(Method::POST, path);
        let request = request.headers(signed(app, body)).body(body.to_owned());
        let status = request.send().await.expect("an answer").status();
        if status != 503 {
            assert_eq!(status, 200);
            return;
        }
    }
    panic!("the shop is busy for ever");
}

const KEPT: &str = "SELECT (SELECT COUNT(*) FROM payment_event) AS events,
    (SELECT COUNT(*) FROM ledger_transaction WHERE kind = 'sale') AS sales,
    (SELECT COUNT(*) FROM license) AS licenses, (SELECT COUNT(*) FROM invoice) AS invoices";

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_webhook_that_comes_often_while_its_buyer_returns_pays_once() {
    TestApp::both(async |test| {
        let (desk, server) = (Desk::open(test).await, test.serve().await);
        let (guest, table) = (server.browser(), Arc::new(worker::table()));
        for round in 1..=ROUNDS {
            let order = check_out(&guest, &desk.shop).await;
            choose(&guest, &order, "succeed").await;
            let page = format!("/orders/{}?t={}", order.order, order.token);
            assert!(!looked(&guest, &page).await, "nothing was heard yet");
            let session = order.pay_url.rsplit('/').next().expect("a session");
            let events = desk.events().await;
            let told = events.iter().find(|(_, body)| body.contains(session));
            let body = told.expect("the provider tells of it").1.clone();
            // A third delivers the webhook, a third looks again and again, a third settles.
            let seen = at_once(12, |number| {
                let (app, table) = (test.app.clone(), table.clone());
                let (guest, page, body) = (guest.clone(), page.clone(), body.clone());
                async move {
                    let mut seen = Vec::new();
                    for _ in 0..3 {
                        match number % 3 {
                            0 => deliver(&app, &guest, &body).await,
                            1 => seen.push(looked(&guest, &page).await),
                            _ => {
                                worker::drain(&app, &table).await.expect("drains");
                            }
                        }
                    }
                    seen
                }
            });
            for looks in seen.await {
                // What was there once doesn't go away again.
                assert!(looks.is_sorted(), "{looks:?}");
            }
            desk.settle().await;
            assert!(looked(&guest, &page).await);
            let kept = desk.rows(KEPT).await;
            for what in ["events", "sales", "licenses", "invoices"] {
                assert_eq!(kept[0].int(what).expect("a count"), round, "{what}");
            }
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_confirmations_of_one_quote_make_one_order_of_one_buyer() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let wanted = json!({"items": [{"price_id": shop.price.to_string()}]});
        // In the last round each of two buyers has a quote of the own: it is the quote that is one.
        for quotes in [1, 1, 1, 2] {
            let mut quoted = Vec::new();
            for _ in 0..quotes {
                let (_, answer) = guest.post_json("/v1/quotes", &wanted).await;
                quoted.push(answer["quote"].clone());
            }
            let answers = at_once(CROWD, |number| {
                let body = json!({
                    "quote": quoted[number % quotes],
                    "email": format!("buyer{}@example.org", number % 2),
                    "accepted": ["withdrawal_waiver"],
                });
                let guest = guest.clone();
                async move { insist(&guest, "/v1/quotes/confirmations", &body).await }
            });
            let answers = answers.await;
            let mut orders: Vec<_> = answers
                .iter()
                .filter_map(|(_, answer)| answer["order_id"].as_str())
                .collect();
            orders.sort_unstable();
            orders.dedup();
            assert_eq!(orders.len(), quotes, "{answers:?}");
            // One buyer's four are told of the order, however often; the other's, that it is late.
            assert_eq!(won(&answers, 201, "quote_used"), quotes * CROWD / 2);
            test.clock.advance(60_000);
        }
        server.stop().await;
    })
    .await;
}

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

/// The control: looks whether enough is there, and takes it in another transaction.
async fn look_then_take(app: Arc<App>, house: Caller, key: String) -> bool {
    if releasable(&app, &house).await < 2_000 {
        return false;
    }
    let mut refused = None;
    for _ in 0..PATIENCE {
        let take = Earn {
            key: key.clone(),
            seller: payouts::seller(1),
            amount: euros(-2_000),
        };
        match app.transact(&house, take, payouts::earned).await {
            Ok(()) => return true,
            Err(error) => refused = Some(error),
        }
    }
    panic!("{refused:?}");
}

async fn releasable(app: &App, house: &Caller) -> i64 {
    let found = app.read(house, payouts::seller(1), seller_balances).await;
    let found = found.expect("balances");
    found.first().map_or(0, |balance| balance.amount.minor())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn who_looks_first_and_acts_later_pays_twice() {
    TestApp::both(async |test| {
        let (app, house) = (&test.app, test.system());
        let mut most = 0;
        for round in 0..ROUNDS {
            let missing = 2_000 - releasable(app, &house).await;
            let key = format!("round {round}");
            payouts::earn(test, &key, payouts::seller(1), euros(missing)).await;
            let took = at_once(CROWD, |number| {
                let key = format!("round {round}, {number}");
                look_then_take(app.clone(), house.clone(), key)
            });
            most = most.max(took.await.iter().filter(|took| **took).count());
        }
        assert!(
            most > 1,
            "the crowd never collides: its races prove nothing"
        );
    })
    .await;
}
