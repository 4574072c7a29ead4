//! The sandbox provider's repertoire: declines by kind, lost and shuffled webhooks.

use crate::shop::{check_out, choose, shop};
use mintreu_server::gateways::is_hard;
use mintreu_server::gateways::sandbox::tell;
use mintreu_server::gateways::sandbox::tell::{LetGo, Mode, SendAgain, Sequence, SetMode};
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
            assert_eq!(is_hard(card), hard, "{card}");
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
