//! The sandbox's page and its clock: what can be done there, and that time goes by as it should.

use crate::web_pages::{page, send, sign_in};
use axum::http::StatusCode;
use mintreu::{Clock, Timestamp};
use mintreu_server::app::App;
use mintreu_server::demo::{self, PAST_MS, travel};
use mintreu_server::domains::orders::{History, OrderState, history};
use mintreu_server::domains::payouts::{MyPayouts, State, my_payouts};
use mintreu_server::domains::promotions::{OwnCoupons, own_coupons};
use mintreu_server::domains::refunds::{DisputeState, RefundState, of_order};
use mintreu_server::domains::subscriptions::{Mine, Status, mine};
use mintreu_server::gateways::sandbox::clock::{SandboxClock, kept};
use mintreu_server::gateways::sandbox::ops::SandboxError;
use mintreu_tests::TestApp;
use std::sync::Arc;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Gives the app a clock that can be moved.
fn movable(test: &mut TestApp) -> Arc<SandboxClock> {
    let clock = Arc::new(SandboxClock::new(test.clock.clone(), 0));
    let app = Arc::get_mut(&mut test.app).expect("nobody else holds it");
    app.clock = clock.clone();
    app.sandbox_clock = Some(clock.clone());
    clock
}

fn config(test: &mut TestApp) -> &mut mintreu_server::config::Config {
    let app: &mut App = Arc::get_mut(&mut test.app).expect("nobody else holds it");
    Arc::get_mut(&mut app.config).expect("nobody else holds it")
}

#[tokio::test]
async fn where_real_money_is_taken_there_is_no_sandbox() {
    let mut test = TestApp::sqlite().await;
    config(&mut test).payments.sandbox = false;
    let server = test.serve().await;
    let guest = server.browser();
    let seen = guest.get("/sandbox").await;
    assert_eq!(seen.status(), StatusCode::NOT_FOUND);
    for (action, field) in [
        ("/sandbox", ("act", "mode:held")),
        ("/sandbox/clock", ("to", "day")),
    ] {
        let (status, _, _) = send(&guest, "/sign-in", action, &[field]).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{action}");
    }
    drop(guest);
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn a_sandbox_without_a_demo_has_no_clock() {
    let test = TestApp::sqlite().await;
    let server = test.serve().await;
    let guest = server.browser();
    let shown = page(&guest, "/sandbox").await;
    assert!(
        shown.contains("No payment yet") && !shown.contains("/sandbox/clock"),
        "{shown}"
    );
    let (status, _, _) = send(&guest, "/sandbox", "/sandbox/clock", &[("to", "day")]).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    drop(guest);
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn anything_can_happen_to_a_payment_by_forms() {
    let test = TestApp::sqlite().await;
    let (shop, server) = (crate::shop::shop(&test).await, test.serve().await);
    let guest = server.browser();
    let bought = crate::shop::check_out(&guest, &shop).await;
    let session = bought.pay_url.rsplit('/').next().expect("a session");
    let act = async |act: &str, field: (&str, &str)| {
        let fields = [("act", act), field];
        let (status, to, body) = send(&guest, "/sandbox", "/sandbox", &fields).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{act}: {body}");
        test.drain().await;
        to.rsplit('=').next().unwrap_or_default().to_owned()
    };
    let of = async |kind: &str| {
        let shown = page(&guest, "/sandbox").await;
        let from = format!("name=\"object\" value=\"{kind}");
        let rest = shown.split(&from).nth(1).expect("an object").to_owned();
        format!("{kind}{}", rest.split('"').next().expect("its name"))
    };
    let here = ("session", session);
    assert_eq!(act("mode:held", here).await, "act");
    assert_eq!(act("pay:challenge", here).await, "act");
    assert_eq!(act("pay:confirm", here).await, "act");
    let shown = page(&guest, "/sandbox").await;
    assert!(shown.contains("2 webhooks wait."), "{shown}");
    assert!(shown.contains("payment.action_required"), "{shown}");
    assert_eq!(
        guest.get_json(&bought.path()).await.1["state"],
        "awaiting_payment"
    );
    assert_eq!(act("go:reversed", here).await, "act");
    test.clock.advance(5_000);
    test.drain().await;
    assert_eq!(guest.get_json(&bought.path()).await.1["state"], "paid");
    assert_eq!(act("mode:prompt", here).await, "act");

    assert_eq!(act("raise:warned", here).await, "act");
    assert_eq!(
        act("raise:opened", here).await,
        "refused",
        "there is one dispute at most"
    );
    let dispute = of("sbd_").await;
    let dispute = ("object", dispute.as_str());
    assert_eq!(act("decide:opened", dispute).await, "act");
    assert_eq!(
        act("refund", here).await,
        "refused",
        "the bank has the money"
    );
    test.clock.advance(1_000);
    assert_eq!(act("decide:won", dispute).await, "act");
    assert_eq!(act("refund", here).await, "act");
    assert_eq!(guest.get_json(&bought.path()).await.1["state"], "refunded");
    let refund = of("sbr_").await;
    assert_eq!(act("fail", ("object", &refund)).await, "act");
    assert_eq!(guest.get_json(&bought.path()).await.1["state"], "paid");
    let fields = [("act", "eat"), here];
    let (status, _, _) = send(&guest, "/sandbox", "/sandbox", &fields).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let unsigned = guest
        .request(reqwest::Method::POST, "/sandbox")
        .form(&fields);
    let unsigned = unsigned.send().await.expect("an answer");
    assert_eq!(
        unsigned.status(),
        StatusCode::FORBIDDEN,
        "without the form's token"
    );
    drop(guest);
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn the_clock_goes_forward_alone_and_is_kept_before_it_moves() {
    let mut test = TestApp::sqlite().await;
    let clock = movable(&mut test);
    let begun = clock.now();
    let (app, tenant) = (test.app.clone(), test.tenant());
    let week = begun.plus_ms(7 * DAY_MS);
    travel(&app, tenant, week).await.expect("a week goes by");
    assert_eq!(clock.now(), week);
    travel(&app, tenant, begun).await.expect("nothing happens");
    assert_eq!(clock.now(), week, "it never goes back");
    let known = kept(&app.store, tenant).await.expect("is read");
    assert_eq!(known, Some(7 * DAY_MS), "not for a restart either");
    let far = travel(&app, tenant, begun.plus_ms(11 * 365 * DAY_MS)).await;
    assert!(
        matches!(far, Err(SandboxError::Refused("clock_too_far"))),
        "{far:?}"
    );
    let alone = clock.moving.lock().await;
    let second = travel(&app, tenant, week.plus_ms(1)).await;
    assert!(
        matches!(second, Err(SandboxError::Refused("clock_moving"))),
        "{second:?}"
    );
    drop((alone, app));
    test.finish().await;
}

/// How many orders, in which state, somebody has.
async fn in_state(test: &TestApp, people: &demo::People, email: &str, state: OrderState) -> usize {
    let caller = people.caller(email).expect("somebody");
    let found = test.app.read(&caller, History::default(), history).await;
    let found = found.expect("orders");
    found.iter().filter(|order| order.state == state).count()
}

/// What stands with somebody's subscriptions, the newest first.
async fn statuses(test: &TestApp, people: &demo::People, email: &str) -> Vec<(Status, i64)> {
    let caller = people.caller(email).expect("somebody");
    let query = Mine {
        before: None,
        limit: 0,
    };
    let found = test
        .app
        .read(&caller, query, mine)
        .await
        .expect("subscriptions");
    found.iter().map(|one| (one.status, one.period)).collect()
}

#[tokio::test]
async fn a_demo_tells_its_past_and_a_month_later_all_of_it_went_on() {
    let mut test = TestApp::sqlite().await;
    let clock = movable(&mut test);
    let people = demo::seed(&test.app).await.expect("filled").expect("fresh");
    let server = test.serve().await;
    let begun = clock.now();
    demo::season(&test.app, &people)
        .await
        .expect("the past is told");
    let present = begun.plus_ms(PAST_MS);
    travel(&test.app, test.tenant(), present)
        .await
        .expect("is present");
    let (priya, jonas) = ("priya@customer.example", "jonas@customer.example");
    assert_eq!(
        statuses(&test, &people, priya).await,
        [(Status::Trialing, 0), (Status::Active, 1)]
    );
    assert_eq!(
        statuses(&test, &people, jonas).await,
        [(Status::PastDue, 1)]
    );
    assert_eq!(
        in_state(&test, &people, priya, OrderState::Paid).await,
        2,
        "a renewal is an order"
    );

    let mara = people.seller("mara@lichen.example").expect("a seller");
    let query = MyPayouts {
        before: None,
        limit: 50,
    };
    let (paid, _) = test
        .app
        .read(&mara, query, my_payouts)
        .await
        .expect("payouts");
    assert!(paid.len() >= 2, "{paid:?}");
    assert!(
        paid.iter().all(|payout| payout.state == State::Paid),
        "{paid:?}"
    );
    let numbers: Vec<_> = paid
        .iter()
        .rev()
        .map(|payout| payout.statement_number)
        .collect();
    let expected: Vec<_> = (1..=i64::try_from(paid.len()).expect("few")).collect();
    assert_eq!(numbers, expected);
    let adaeze = people.seller("adaeze@paperlane.example").expect("a seller");
    let query = MyPayouts {
        before: None,
        limit: 50,
    };
    let (sent, _) = test
        .app
        .read(&adaeze, query, my_payouts)
        .await
        .expect("payouts");
    assert!(
        sent.iter().any(|payout| payout.state == State::Returned),
        "{sent:?}"
    );
    let coupons = test.app.read(&mara, OwnCoupons, own_coupons).await;
    let taken: i64 = coupons
        .expect("coupons")
        .iter()
        .map(|coupon| coupon.taken)
        .sum();
    assert_eq!(taken, 3);

    let seller = server.browser();
    sign_in(&seller, "mara@lichen.example").await;
    let sales = page(&seller, "/sell/sales").await;
    for said in ["Refunded", "Partly refunded", "The bank asks"] {
        assert!(sales.contains(said), "{said}: {sales}");
    }

    // The trial ends and is charged, the failed renewal is given up, holds are released.
    let visitor = server.browser();
    let (status, to, body) = send(&visitor, "/sandbox", "/sandbox/clock", &[("to", "month")]).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{body}");
    // A slow machine answers before all of the month went by.
    assert!(to.starts_with("/sandbox?done=mov"), "{to}");
    drop(clock.moving.lock().await);
    assert!(test.app.now() >= present.plus_ms(30 * DAY_MS));
    let trial_and_plan = statuses(&test, &people, priya).await;
    let going_on = trial_and_plan
        .iter()
        .all(|(status, _)| *status == Status::Active);
    assert!(going_on, "{trial_and_plan:?}");
    assert_eq!(trial_and_plan[1].1, 2, "renewed once more");
    let given_up = statuses(&test, &people, jonas).await;
    assert_eq!(given_up[0].0, Status::Canceled, "{given_up:?}");
    drop((seller, visitor));
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn the_past_is_the_same_each_time() {
    let mut told = Vec::new();
    for _ in 0..2 {
        let mut test = TestApp::sqlite().await;
        movable(&mut test);
        let people = demo::seed(&test.app).await.expect("filled").expect("fresh");
        let server = test.serve().await;
        demo::season(&test.app, &people)
            .await
            .expect("the past is told");
        let mara = people.seller("mara@lichen.example").expect("a seller");
        let query = mintreu_server::domains::orders::SalesQuery::default();
        let sales = test
            .app
            .read(&mara, query, mintreu_server::domains::orders::sales)
            .await;
        let sales = sales.expect("sales");
        let mut seen: Vec<(Timestamp, OrderState, i64)> = Vec::new();
        let mut back: Vec<(Vec<RefundState>, Vec<DisputeState>)> = Vec::new();
        for sale in &sales.sales {
            seen.push((sale.paid_at, sale.state, sale.split.seller.minor()));
            let found = test
                .app
                .read(&mara, sale.order, |cx, order| of_order(cx, *order))
                .await;
            let found = found.expect("what came back");
            back.push((
                found.refunds.iter().map(|one| one.state).collect(),
                found.disputes.iter().map(|one| one.state).collect(),
            ));
        }
        told.push((seen, back, sales.totals));
        server.stop().await;
        test.finish().await;
    }
    assert_eq!(told[0], told[1]);
    assert!(told[0].0.len() >= 8, "{told:?}");
}
