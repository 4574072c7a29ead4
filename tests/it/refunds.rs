//! Refunds: who may, how much, and what is said over HTTP.

use crate::money_back::Desk;
use crate::shop::{check_out, choose, person, shop};
use mintreu::id::AccountId;
use mintreu_server::caller::Role;
use mintreu_server::domains::refunds::{AskRefund, RefundError, RefundSale, refund_sale};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_tests::TestApp;

#[tokio::test]
async fn a_refund_after_the_release_takes_from_what_is_releasable() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = desk.buy(1).await;
        test.clock.advance(8 * 24 * 60 * 60 * 1000);
        test.drain().await;
        assert_eq!(desk.earned().await, (0, 3_993));
        desk.refund(Desk::wish(&paid, Some(1_000)))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        assert_eq!(desk.earned().await, (0, 2_993));
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(desk.earned().await, (0, 3_993));
    })
    .await;
}

#[tokio::test]
async fn what_was_held_at_the_refund_is_released_when_the_refund_fails_after_the_hold() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let (whole, part) = (desk.buy(1).await, desk.buy(1).await);
        for (paid, amount) in [(&whole, None), (&part, Some(1_000))] {
            desk.refund(Desk::wish(paid, amount))
                .await
                .expect("is asked");
        }
        desk.hand_over_all().await;
        assert_eq!(desk.earned().await, (2_993, -907));
        test.clock.advance(8 * 24 * 60 * 60 * 1000);
        test.drain().await;
        assert_eq!(desk.earned().await, (0, 2_086));
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(desk.earned().await, (0, 7_986));
    })
    .await;
}

#[tokio::test]
async fn a_frozen_hold_is_not_released_until_the_bank_decides() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = desk.buy(1).await;
        assert!(desk.raise(&paid, ObjectState::Inquired).await);
        desk.hand_over_all().await;
        test.clock.advance(8 * 24 * 60 * 60 * 1000);
        test.drain().await;
        assert_eq!(desk.earned().await, (3_993, 0));
        let refused = desk.refund(Desk::wish(&paid, None)).await;
        assert!(matches!(refused, Err(RefundError::Disputed)), "{refused:?}");
        assert!(desk.decide(&paid, ObjectState::Won).await);
        desk.hand_over_all().await;
        assert_eq!(desk.earned().await, (0, 3_993));
    })
    .await;
}

#[tokio::test]
async fn what_a_seller_withdrew_by_hand_no_money_gives_back() {
    use mintreu_server::domains::licensing::{Revoke, by_source, revoke};
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = desk.buy(1).await;
        let (tenant, source) = (test.tenant(), paid.line.to_string());
        let found = test
            .app
            .store
            .read(move |tx| by_source(tx, tenant, &source));
        let license = found
            .await
            .expect("reads")
            .expect("reads")
            .expect("is there");
        let command = Revoke {
            license: license.id,
            reason: "abuse".to_owned(),
        };
        let seller = &desk.shop.seller;
        let revoked = test.app.transact(seller, command, revoke).await;
        revoked.expect("is withdrawn");
        desk.refund(Desk::wish(&paid, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(desk.license(&paid).await.as_deref(), Some("seller"));
    })
    .await;
}

#[tokio::test]
async fn strangers_refund_nothing_and_nobody_refunds_too_much() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = desk.buy(1).await;
        let stranger = person(
            test,
            AccountId::from_bytes(*b"another seller a"),
            Role::Developer,
        );
        let wish = RefundSale(Desk::wish(&paid, None));
        let asked = test.app.transact(&stranger, wish, refund_sale).await;
        assert!(matches!(asked, Err(RefundError::NotFound)), "{asked:?}");
        let buyer = person(
            test,
            AccountId::from_bytes(*b"a buyer of thing"),
            Role::Customer,
        );
        let wish = RefundSale(Desk::wish(&paid, None));
        let asked = test.app.transact(&buyer, wish, refund_sale).await;
        assert!(matches!(asked, Err(RefundError::Denied(_))), "{asked:?}");
        for amount in [0, -1, 4_901, i64::MAX] {
            let asked = desk.refund(Desk::wish(&paid, Some(amount))).await;
            assert!(
                matches!(asked, Err(RefundError::OutOfRange { .. })),
                "{amount}"
            );
        }
        let stale = AskRefund {
            seen_left_minor: Some(4_899),
            ..Desk::wish(&paid, None)
        };
        let asked = desk.refund(stale).await;
        assert!(
            matches!(asked, Err(RefundError::Changed { .. })),
            "{asked:?}"
        );
        assert_eq!(desk.earned().await, (3_993, 0));
    })
    .await;
}

#[tokio::test]
async fn a_buyer_sees_the_refund_on_the_order_and_it_travels_by_webhooks() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let bought = check_out(&guest, &shop).await;
        choose(&guest, &bought, "refund_fails").await;
        test.drain().await;
        let order = mintreu::id::OrderId::parse(&bought.order).expect("an id");
        let wish = AskRefund {
            order,
            line: None,
            amount_minor: None,
            reason: mintreu_server::domains::refunds::Reason::Defective,
            note: "It crashed.".to_owned(),
            keeps_license: false,
            ends_subscription: false,
            seen_left_minor: Some(4_900),
        };
        let asked = test
            .app
            .transact(&shop.seller, RefundSale(wish), refund_sale);
        asked.await.expect("is asked");
        test.drain().await;
        let (_, page) = guest.get_json(&bought.path()).await;
        assert_eq!(page["state"], "refunded", "{page}");
        assert_eq!(page["refunds"][0]["state"], "succeeded");
        assert_eq!(page["refunds"][0]["note"], "It crashed.");
        assert_eq!(page["licenses"][0]["state"], "revoked");
        test.clock.advance(5_000);
        test.drain().await;
        let (_, page) = guest.get_json(&bought.path()).await;
        assert_eq!(page["state"], "paid", "{page}");
        assert_eq!(page["refunds"][0]["failure_code"], "account_closed");
        assert_eq!(page["licenses"][0]["state"], "active");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_dispute_that_is_heard_before_a_refund_came_back_takes_what_the_bank_took() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = desk.buy(1).await;
        desk.refund(Desk::wish(&paid, Some(4_000)))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        assert_eq!(desk.state(&paid).await, "partially_refunded");
        desk.fail_refunds().await;
        test.clock.advance(1);
        assert!(desk.raise(&paid, ObjectState::Opened).await);
        let events = desk.events().await;
        // The newest, the bank's, comes first: only 9.00 are left of the 49.00 it took.
        desk.hand_over(&events.last().expect("an event").1).await;
        test.drain().await;
        assert_eq!(desk.license(&paid).await.as_deref(), Some("dispute"));
        desk.hand_over_all().await;
        assert_eq!(desk.state(&paid).await, "paid");
        assert_eq!(desk.license(&paid).await.as_deref(), Some("dispute"));
        // 49.00 went, of which the platform keeps its 7.35, and 1.72 are the payment's; and 15.00.
        assert_eq!(desk.earned().await, (0, -907 - 1_500));
        test.clock.advance(1);
        assert!(desk.decide(&paid, ObjectState::Lost).await);
        desk.hand_over_all().await;
        assert_eq!(desk.earned().await, (0, -172 - 1_500));
    })
    .await;
}

/// What the provider tells of a payment's money may come before what it tells of the payment.
#[tokio::test]
async fn what_is_heard_before_its_payment_waits_for_it() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let (refunded, told) = desk.buy_unheard().await;
        test.clock.advance(1);
        assert!(desk.refund_here(&refunded, None).await);
        test.clock.advance(1);
        let (disputed, told_later) = desk.buy_unheard().await;
        test.clock.advance(1);
        assert!(desk.raise(&disputed, ObjectState::Opened).await);
        for (_, body) in desk.events().await {
            if body != told && body != told_later {
                desk.hand_over(&body).await;
            }
        }
        test.drain().await;
        assert_eq!(desk.state(&refunded).await, "awaiting_payment");
        assert!(desk.facts().await.is_empty());
        for payment in [told, told_later] {
            desk.hand_over(&payment).await;
        }
        desk.settle().await;
        assert_eq!(desk.state(&refunded).await, "refunded");
        assert_eq!(desk.license(&refunded).await.as_deref(), Some("refund"));
        assert_eq!(desk.license(&disputed).await.as_deref(), Some("dispute"));
        let waits = "SELECT kind FROM event WHERE kind = 'payment.needs_attention'";
        assert!(desk.rows(waits).await.is_empty());
    })
    .await;
}
