//! The sandbox provider's repertoire: declines by kind, lost and shuffled webhooks, and payouts.

use crate::shop::{check_out, choose, shop};
use mintreu::{Currency, Money};
use mintreu_server::gateways::sandbox::tell::{LetGo, Mode, SendAgain, Sequence, SetMode};
use mintreu_server::gateways::sandbox::{self, tell};
use mintreu_server::gateways::{Gateway, GatewayError, PayoutRequest, SentState, is_hard_decline};
use mintreu_server::store::Tx;
use mintreu_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn cards_are_declined_each_for_its_own_reason() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        for (card, hard) in [
            ("insufficient_funds", false),
            ("do_not_honor", false),
            ("processing_error", false),
            ("lost_card", true),
            ("stolen_card", true),
            ("expired_card", true),
        ] {
            let bought = check_out(&guest, &shop).await;
            choose(&guest, &bought, card).await;
            test.drain().await;
            let (_, page) = guest.get_json(&bought.path()).await;
            assert_eq!(page["state"], "failed", "{card}");
            assert_eq!(page["failure_code"], card);
            assert_eq!(is_hard_decline(card), hard, "{card}");
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_lost_webhook_pays_once_it_is_sent_again() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let bought = check_out(&guest, &shop).await;
        choose(&guest, &bought, "lost").await;
        test.clock.advance(3_600_000);
        test.drain().await;
        let (_, page) = guest.get_json(&bought.path()).await;
        assert_eq!(page["state"], "awaiting_payment");
        let session = bought.pay_url.rsplit('/').next().expect("a session");
        let again = SendAgain {
            session: session.to_owned(),
        };
        let caller = test.guest();
        let sent = test.app.transact(&caller, again, tell::send_again).await;
        sent.expect("is planned");
        test.drain().await;
        let (_, page) = guest.get_json(&bought.path()).await;
        assert_eq!(page["state"], "paid");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn webhooks_arrive_in_reverse_and_twice_and_pay_once() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let caller = test.guest();
        for sequence in [Sequence::Reversed, Sequence::Doubled] {
            let mode = SetMode { mode: Mode::Held };
            let set = test.app.transact(&caller, mode, tell::set_mode).await;
            set.expect("is held");
            let bought = check_out(&guest, &shop).await;
            choose(&guest, &bought, "challenge").await;
            choose(&guest, &bought, "confirm").await;
            test.drain().await;
            let (_, page) = guest.get_json(&bought.path()).await;
            assert_eq!(page["state"], "awaiting_payment");
            let gone = test
                .app
                .transact(&caller, LetGo { sequence }, tell::let_go)
                .await;
            assert_eq!(gone.expect("they go"), 2);
            for _ in 0..4 {
                test.drain().await;
                test.clock.advance(1_000);
            }
            test.drain().await;
            let (_, page) = guest.get_json(&bought.path()).await;
            assert_eq!(page["state"], json!("paid"), "{sequence:?}: {page}");
        }
        server.stop().await;
    })
    .await;
}

const TOLD: &str = "SELECT kind, subject FROM event WHERE kind = 'payout.paid'
    OR kind = 'payout.failed' OR kind = 'payout.returned' ORDER BY happened_at, event_id";

async fn told(test: &TestApp) -> Vec<String> {
    let read = |tx: &mut dyn Tx| tx.query(TOLD, &[]);
    let rows = test.app.store.read(read).await.expect("reads");
    let line = |row: &mintreu_server::store::Row| {
        let (kind, subject) = (row.text("kind"), row.text("subject"));
        format!("{} {}", kind.expect("a kind"), subject.expect("a subject"))
    };
    rows.expect("rows").iter().map(line).collect()
}

#[tokio::test]
async fn payouts_are_paid_fail_or_come_back_and_leave_once() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let payout = |name: &str, minor: i64| PayoutRequest {
            tenant: test.tenant(),
            payout: name.to_owned(),
            destination: "acct_test".to_owned(),
            amount: Money::new(minor, Currency::EUR),
            description: "Sales of a week".to_owned(),
        };
        let send = async |request: &PayoutRequest| {
            let sandbox = sandbox::Sandbox;
            sandbox.send_payout(&test.app, request).await
        };
        let first = send(&payout("one", 10_000)).await.expect("is accepted");
        assert_eq!(first.state, SentState::Pending);
        let again = send(&payout("one", 10_000)).await.expect("is accepted");
        assert_eq!(again.id, first.id);
        let other = send(&payout("one", 10_001)).await;
        assert!(matches!(other, Err(GatewayError::Refused(_))), "{other:?}");
        send(&payout("two", 10_051)).await.expect("is accepted");
        send(&payout("three", 10_052)).await.expect("is accepted");
        let refused = send(&payout("four", 10_053)).await;
        assert!(matches!(refused, Err(GatewayError::Refused(_))));
        test.drain().await;
        assert!(told(test).await.is_empty(), "nothing has arrived yet");
        test.clock.advance(5_000);
        test.drain().await;
        test.clock.advance(5_000);
        test.drain().await;
        let mut told = told(test).await;
        assert_eq!(told.pop().as_deref(), Some("payout.returned three"));
        told.sort();
        assert_eq!(
            told,
            ["payout.failed two", "payout.paid one", "payout.paid three"]
        );
        server.stop().await;
    })
    .await;
}
