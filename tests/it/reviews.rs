//! Orders whose money risk holds for a look, and money that goes back before anybody looked.

use crate::money_back::{Desk, Paid};
use crate::payouts::owner;
use crate::risk::{decide, hold, reviewed, ruled, terms};
use mintreu::id::{OrderId, OrderLineId};
use mintreu_server::domains::fulfilment::FulfilmentError;
use mintreu_server::domains::orders::access_token;
use mintreu_server::domains::risk::{
    Action, By, Counts, Review, ReviewState, Reviews, RiskError, Terms, reviews,
};
use mintreu_server::domains::wishes::{Withdraw, withdraw};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_tests::TestApp;

const WEEK: u32 = 7 * 24 * 60 * 60 * 1000;

/// An order whose money waits for a look.
async fn held(desk: &Desk<'_>) -> Paid {
    let review = Terms {
        action: Action::Review,
        ..terms(Counts::Attempts, By::Network, 1)
    };
    ruled(desk.test, review).await;
    let order = reviewed(desk).await;
    let sessions = desk.rows("SELECT session FROM sandbox_session").await;
    let lines = desk
        .rows("SELECT order_id, order_line_id FROM order_line")
        .await;
    assert_eq!((sessions.len(), lines.len()), (1, 1));
    assert_eq!(
        lines[0].id("order_id", OrderId::from_bytes).ok(),
        Some(order)
    );
    let line = lines[0].id("order_line_id", OrderLineId::from_bytes);
    let paid = Paid {
        order,
        line: line.expect("an id"),
        session: sessions[0].text("session").expect("a session"),
    };
    assert_eq!(hold(desk).await.0, "frozen");
    assert_eq!(waiting(desk).await.len(), 1);
    paid
}

async fn found(desk: &Desk<'_>, all: bool) -> Vec<Review> {
    let (app, owner) = (&desk.test.app, owner(desk.test));
    app.read(&owner, Reviews { all }, reviews)
        .await
        .expect("reads")
}

async fn waiting(desk: &Desk<'_>) -> Vec<Review> {
    found(desk, false).await
}

/// The only review, which ended: how it did, and that nothing is held for it.
async fn ended(desk: &Desk<'_>, paid: &Paid) -> Review {
    assert_eq!(waiting(desk).await, [], "it stays listed");
    let mut all = found(desk, true).await;
    assert_eq!((all.len(), all[0].state), (1, ReviewState::Refunded));
    assert_eq!(hold(desk).await.0, "returned");
    for refund in [true, false] {
        let late = decide(desk, paid.order, refund).await;
        assert!(
            matches!(late, Err(FulfilmentError::Risk(RiskError::NotWaiting))),
            "{late:?}"
        );
    }
    all.remove(0)
}

async fn withdrawn(desk: &Desk<'_>, paid: &Paid) {
    let token = access_token(&desk.test.app.keys, desk.test.tenant(), paid.order);
    let command = Withdraw {
        order: paid.order,
        token: Some(token.reveal().to_owned()),
        line: None,
    };
    let guest = desk.test.guest();
    let done = desk.test.app.transact(&guest, command, withdraw).await;
    done.expect("a look takes nobody's right to withdraw");
}

#[tokio::test]
async fn a_withdrawal_ends_the_hold_and_money_that_comes_back_is_held_again() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = held(&desk).await;
        withdrawn(&desk, &paid).await;
        desk.hand_over_all().await;
        assert_eq!(desk.sent_back(&paid).await, [4_900]);
        assert_eq!(desk.state(&paid).await, "refunded");
        let review = ended(&desk, &paid).await;
        assert_eq!(
            (review.note.as_str(), review.decided_by),
            ("withdrawal", None)
        );
        assert_eq!(desk.earned().await.0, 0);

        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(desk.state(&paid).await, "paid");
        let again = waiting(&desk).await;
        assert_eq!((again.len(), again[0].decided_at), (1, None));
        let (state, reason) = hold(&desk).await;
        assert_eq!(state, "frozen");
        assert!(reason.contains("closer look"), "{reason}");
        test.clock.advance(2 * WEEK);
        test.drain().await;
        let (held, free) = desk.earned().await;
        assert!(held > 0 && free == 0, "nobody looked: {held} {free}");
        decide(&desk, paid.order, false).await.expect("is let go");
        test.drain().await;
        assert_eq!(desk.earned().await, (0, held));
    })
    .await;
}

#[tokio::test]
async fn a_refund_by_the_seller_ends_a_review_once_it_is_all_of_it() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = held(&desk).await;
        desk.refund(Desk::wish(&paid, Some(1_900)))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        assert_eq!(waiting(&desk).await.len(), 1, "the rest is held");
        assert_eq!(hold(&desk).await.0, "frozen");
        desk.refund(Desk::wish(&paid, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        let review = ended(&desk, &paid).await;
        assert_eq!(review.note, "requested_by_customer");
        assert_eq!(review.decided_by, desk.shop.seller.account);
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_the_owner_decided_and_that_comes_back_waits_again() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = held(&desk).await;
        decide(&desk, paid.order, true).await.expect("is refunded");
        assert_eq!(waiting(&desk).await, [], "while it is under way");
        desk.hand_over_all().await;
        let review = ended(&desk, &paid).await;
        assert_eq!(review.note, "looked at it", "the owner's words stay");
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(waiting(&desk).await.len(), 1);
        assert_eq!(hold(&desk).await.0, "frozen");
    })
    .await;
}

#[tokio::test]
async fn a_bank_that_keeps_the_money_ends_a_review() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = held(&desk).await;
        assert!(desk.raise(&paid, ObjectState::Opened).await);
        desk.hand_over_all().await;
        assert_eq!(waiting(&desk).await.len(), 1, "it may think again");
        assert!(desk.decide(&paid, ObjectState::Lost).await);
        desk.hand_over_all().await;
        let review = ended(&desk, &paid).await;
        assert_eq!(
            (review.note.as_str(), review.decided_by),
            ("chargeback", None)
        );
    })
    .await;
}
