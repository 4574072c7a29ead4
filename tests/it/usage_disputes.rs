//! Disputes of usage invoices: what a bank takes of one, part by part, and what follows.
//!
//! Every invoice here comes to 5.00 EUR with 0.80 tax in it; of the
//! rest, 0.63 is the platform's (15 %), 0.44 the provider's (2.9 % of 5.00 and 0.30), 3.13 the seller's.

use crate::dispute_decisions::owner as owner_at;
use crate::money_back::{Desk, Paid};
use crate::usage_invoices::{balance, paid, paid_with, refund, texts, wish};
use crate::web_pages::page;
use crate::web_usage::signed_in;
use mintreu_server::domains::invoicing::Invoice;
use mintreu_server::domains::refunds::{Reason, RefundError};
use mintreu_server::gateways::sandbox::objects::ObjectState::{
    self, Inquired, Lost, Opened, Warned, Won,
};
use mintreu_tests::TestApp;
use serde_json::json;

/// What the accounts hold: the provider's, tax, the platform's fee, the provider's fee, and what is
/// the seller's, held and releasable; and what disputes cost the platform. Debits above zero.
async fn books(test: &TestApp) -> [i64; 7] {
    let mut books = [0; 7];
    let kinds = [
        "psp_clearing",
        "tax_payable",
        "platform_fee",
        "processing_fee",
        "seller_held",
        "seller_releasable",
        "dispute_cost",
    ];
    for (place, kind) in books.iter_mut().zip(kinds) {
        *place = balance(test, kind).await;
    }
    books
}

/// As it was paid.
const PAID: [i64; 7] = [500, -80, -63, -44, -313, 0, 0];
/// A bank has it: all but the tax is the seller's, with the 15.00 that the provider takes.
const TAKEN: [i64; 7] = [-1_500, 0, -63, -44, 0, 1_607, 0];
/// It is back, and what the provider took is the platform's.
const BACK: [i64; 7] = [-1_000, -80, -63, -44, -313, 0, 1_500];
/// It stays away, and the platform's fee goes back to the seller.
const GONE: [i64; 7] = [-1_500, 0, 0, -44, 0, 1_544, 0];

async fn credited(test: &TestApp) -> Vec<String> {
    texts(
        test,
        "SELECT series || ' ' || reason AS text FROM credit_note ORDER BY credit_note_id",
    )
    .await
}

async fn hold(test: &TestApp) -> Vec<String> {
    texts(test, "SELECT state AS text FROM ledger_escrow").await
}

async fn states(test: &TestApp) -> Vec<String> {
    texts(
        test,
        "SELECT state AS text FROM dispute ORDER BY dispute_id",
    )
    .await
}

async fn raised(desk: &Desk<'_>, paid: &Paid, state: ObjectState) {
    desk.test.clock.advance(1);
    assert!(desk.raise(paid, state).await);
    desk.hand_over_all().await;
}

async fn decided(desk: &Desk<'_>, paid: &Paid, state: ObjectState) {
    desk.test.clock.advance(1);
    assert!(desk.decide(paid, state).await);
    // All of it again, the newest first: what is told before its time or twice changes nothing.
    desk.hand_over_all().await;
}

/// What was lost is won after all.
async fn think_again(desk: &Desk<'_>) {
    desk.test.clock.advance(1_000);
    let events = desk.events().await;
    let mut lost = events
        .iter()
        .filter(|(_, body)| body.contains("dispute.lost"));
    let decision = &lost.next().expect("the decision").1;
    let mut body: serde_json::Value = serde_json::from_str(decision).expect("an event");
    body["id"] = "evt_thought_again".into();
    body["type"] = "dispute.won".into();
    body["created_at"] = desk.test.app.now().ms().into();
    desk.hand_over(&body.to_string()).await;
    desk.settle().await;
}

#[tokio::test]
async fn each_event_moves_its_parts_and_a_later_decision_overturns_an_earlier_one() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let (_, invoice, desk, paid) = paid(test, &account, &ada).await;
        let address = format!("/invoices/{}", invoice.id);
        assert_eq!(books(test).await, PAID);
        raised(&desk, &paid, Warned).await;
        assert_eq!(
            (books(test).await, hold(test).await),
            (PAID, vec!["held".to_owned()])
        );
        assert!(!page(&ada, &address).await.contains("What the bank asks"));
        decided(&desk, &paid, Opened).await;
        assert_eq!(
            (books(test).await, hold(test).await),
            (TAKEN, vec!["frozen".to_owned()])
        );
        assert!(page(&ada, &address).await.contains("hasn’t decided"));
        assert!(credited(test).await.is_empty());
        decided(&desk, &paid, Lost).await;
        assert_eq!(books(test).await, GONE);
        assert_eq!(hold(test).await, ["returned"]);
        assert_eq!(credited(test).await, ["CN chargeback"]);
        assert!(
            page(&ada, &address)
                .await
                .contains("A credit note takes it off")
        );
        assert_eq!(crate::taxes::moved(test).await, (80, 80));
        // The bank thinks again: it is as before, apart from what the provider took for it.
        think_again(&desk).await;
        assert_eq!(books(test).await, BACK);
        assert_eq!(hold(test).await, ["held"]);
        assert!(page(&ada, &address).await.contains("stays paid"));
        assert_eq!(credited(test).await, ["CN chargeback", "CC chargeback"]);
        assert_eq!(states(test).await, ["won"]);
        assert_eq!(crate::taxes::moved(test).await, (80, 0));
        // What was used was used: the license works on.
        assert!(
            texts(
                test,
                "SELECT revoked_for AS text FROM license WHERE revoked_at IS NOT NULL"
            )
            .await
            .is_empty()
        );
        let waits = "SELECT kind AS text FROM event WHERE kind = 'payment.needs_attention'";
        assert!(texts(test, waits).await.is_empty());
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_a_bank_asks_about_is_neither_refunded_nor_released() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let (sold, invoice, desk, paid) = paid(test, &account, &ada).await;
        raised(&desk, &paid, Inquired).await;
        let asked = Reason::RequestedByCustomer;
        let refused = refund(test, &sold.seller, wish(&invoice, Some(100), asked)).await;
        assert!(matches!(refused, Err(RefundError::Disputed)), "{refused:?}");
        test.clock.advance(40 * 86_400_000);
        desk.settle().await;
        assert_eq!(
            (books(test).await, hold(test).await),
            (PAID, vec!["frozen".to_owned()])
        );
        // It is won: what is due long since is released, and a refund is possible again.
        decided(&desk, &paid, Won).await;
        let [psp, tax, fee, processing, held, _, cost] = PAID;
        assert_eq!(
            books(test).await,
            [psp, tax, fee, processing, 0, held, cost]
        );
        refund(test, &sold.seller, wish(&invoice, Some(100), asked))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        // 4.00 are left, of which 0.64 is tax.
        assert_eq!(balance(test, "tax_payable").await, -64);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_bank_takes_what_is_left_and_the_rest_when_a_refund_comes_back() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let (sold, invoice, desk, paid) = paid(test, &account, &ada).await;
        let asked = Reason::RequestedByCustomer;
        refund(test, &sold.seller, wish(&invoice, Some(200), asked))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        // It came back, and the bank took all of it, which is heard of first.
        desk.fail_refunds().await;
        test.clock.advance(1);
        assert!(desk.raise(&paid, Opened).await);
        let events = desk.events().await;
        desk.hand_over(&events.last().expect("an event").1).await;
        desk.settle().await;
        let taken = "SELECT state AS text FROM invoice_reversal ORDER BY cause";
        assert_eq!(texts(test, taken).await, ["taken"]);
        assert_eq!(
            books(test).await,
            TAKEN,
            "two are refunded, three are the bank's"
        );
        let waits = "SELECT kind AS text FROM event WHERE kind = 'payment.needs_attention'";
        assert_eq!(texts(test, waits).await.len(), 1);
        desk.hand_over_all().await;
        assert_eq!(
            texts(test, "SELECT state AS text FROM invoice_refund").await,
            ["failed"]
        );
        assert_eq!(texts(test, taken).await, ["taken", "taken"]);
        assert_eq!(books(test).await, TAKEN);
        decided(&desk, &paid, Lost).await;
        assert_eq!(books(test).await, GONE);
        assert_eq!(
            credited(test).await,
            [
                "CN requested_by_customer",
                "CC requested_by_customer",
                "CN chargeback",
                "CN chargeback"
            ]
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn whoever_disputes_a_charge_is_not_charged_again() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let form = [("later", "on")];
        let (_, _, desk, paid) = paid_with(test, &account, (&ada, &form)).await;
        let agreed = "SELECT provider AS text FROM automatic_payment";
        assert_eq!(texts(test, agreed).await, ["sandbox"]);
        raised(&desk, &paid, Warned).await;
        assert!(texts(test, agreed).await.is_empty());
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_partial_dispute_takes_its_part() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let (sold, invoice, desk, paid) = paid(test, &account, &ada).await;
        let asked = Reason::RequestedByCustomer;
        refund(test, &sold.seller, wish(&invoice, Some(200), asked))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        let before = books(test).await;
        raised(&desk, &paid, Opened).await;
        assert_eq!(books(test).await, TAKEN, "two and three are five");
        decided(&desk, &paid, Won).await;
        let mut after = before;
        after[0] -= 1_500;
        after[6] += 1_500;
        assert_eq!(books(test).await, after);
        server.stop().await;
    })
    .await;
}

async fn dispute_of(invoice: &Invoice, owner: &mintreu_tests::Browser) -> String {
    let (status, told) = owner.get_json("/v1/disputes?which=all").await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(told["disputes"][0]["invoice_id"], invoice.id.to_string());
    let id = &told["disputes"][0]["dispute_id"];
    id.as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn a_warning_is_prevented_by_a_refund_in_full() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let (_, invoice, desk, paid) = paid(test, &account, &ada).await;
        raised(&desk, &paid, Warned).await;
        let owner = owner_at(test, &server).await;
        let id = dispute_of(&invoice, &owner).await;
        assert!(
            page(&owner, &format!("/owner/disputes/{id}"))
                .await
                .contains(&invoice.id.to_string())
        );
        let body = json!({ "state": "warning", "decision": "refund", "reason": "Looked at it." });
        let path = format!("/v1/disputes/{id}/decisions");
        assert_eq!(owner.post_json(&path, &body).await.0, 204);
        desk.hand_over_all().await;
        assert_eq!(states(test).await, ["prevented"]);
        // A fraud that was warned of: the platform gives its fee back, and no bank's fee is due.
        let [_, _, _, processing, ..] = PAID;
        assert_eq!(books(test).await, [0, 0, 0, processing, 0, -processing, 0]);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn its_seller_answers_the_bank_and_nobody_else() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let (sold, invoice, desk, paid) = paid(test, &account, &ada).await;
        raised(&desk, &paid, Opened).await;
        let owner = owner_at(test, &server).await;
        let id = dispute_of(&invoice, &owner).await;
        let path = format!("/v1/disputes/{id}/answer");
        let (status, told) = owner.get_json(&path).await;
        assert_eq!(status, 200, "{told}");
        assert_eq!(told["invoice_id"], invoice.id.to_string());
        assert!(
            told["known"].to_string().contains(&invoice.number_text()),
            "{told}"
        );
        assert!(
            page(&owner, &format!("/owner/disputes/{id}/answer"))
                .await
                .contains(&id)
        );
        assert!(
            page(&owner, &format!("/invoices/{}", invoice.id))
                .await
                .contains("hasn’t decided")
        );
        let (status, _) = ada.get_json(&path).await;
        assert!(status.as_u16() == 404 || status.as_u16() == 403, "{status}");
        // Its seller sees it and hands in.
        let view = mintreu_server::domains::answers::view_answer;
        let dispute = id.parse().expect("an id");
        let seen = test.app.read(&sold.seller, dispute, view).await;
        assert!(seen.expect("is shown").asked.can_submit);
        let (status, told) = owner.post_json(&format!("{path}/submit"), &json!({})).await;
        assert!(status.is_success(), "{status} {told}");
        desk.settle().await;
        let states = texts(test, "SELECT state AS text FROM dispute_answer").await;
        assert_eq!(states, ["sent"]);
        server.stop().await;
    })
    .await;
}
