//! Disputes of usage invoices: what a bank takes of one, part by part, and what follows.
//!
//! Every invoice here comes to 5.00 EUR with 0.80 tax in it; of the
//! rest, 0.63 is the platform's (15 %), 0.44 the provider's (2.9 % of 5.00 and 0.30), 3.13 the seller's.

use crate::dispute_decisions::owner as owner_at;
use crate::metered::{Deal, SELLER};
use crate::money_back::{Desk, Paid};
use crate::payouts::{earn, pay, settle_in};
use crate::usage_invoices::{balance, paid, paid_as, paid_with, refund, texts, wish};
use crate::web_pages::{page, send};
use crate::web_usage::signed_in;
use mintreu::id::AccountId;
use mintreu::{Currency, Money};
use mintreu_server::domains::invoicing::Invoice;
use mintreu_server::domains::refunds::{Reason, RefundError};
use mintreu_server::gateways::sandbox::objects::ObjectState::{
    self, Inquired, Lost, Opened, Warned, Won,
};
use mintreu_tests::{Browser, TestApp};
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

/// The same of five hundred minor units in another currency, when the provider takes `fee` for a
/// dispute: what a bank took, what it left with the buyer, and what came back in the end.
const fn elsewhere(fee: i64) -> [[i64; 7]; 3] {
    [
        [-fee, 0, -63, -44, 0, fee + 107, 0],
        [-fee, 0, 0, -44, 0, fee + 44, 0],
        [500 - fee, -80, -63, -44, -313, 0, fee],
    ]
}

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

async fn dispute_of(invoice: &Invoice, owner: &Browser) -> String {
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

/// Currencies without minor units, with two and with three digits of them.
#[tokio::test]
async fn it_is_as_exact_in_other_currencies() {
    assert_eq!(elsewhere(1_500), [TAKEN, GONE, BACK], "as in euros");
    for (currency, tariff, fee, said) in [
        ("JPY", "JPY per_unit 1; free 0", 2_000, "¥500"),
        ("KWD", "KWD per_unit 0.001; free 0", 5_000, "0.500"),
        ("USD", "USD per_unit 0.01; free 0", 1_500, "$5.00"),
    ] {
        TestApp::both(async |test| {
            let server = test.serve().await;
            let (ada, account) = signed_in(&server, "ada@buyer.example").await;
            let nothing = format!("{currency} per_unit 0");
            let deal = Deal {
                tariffs: [tariff, &nothing],
                customer: account.parse().expect("an id"),
                seller: SELLER,
                currency,
            };
            let (_, invoice, desk, paid) = paid_as(test, deal, (&ada, &[])).await;
            assert_eq!(books(test).await, PAID, "{currency}");
            let [taken, gone, back] = elsewhere(fee);
            raised(&desk, &paid, Opened).await;
            assert_eq!(books(test).await, taken, "{currency}");
            let shown = page(&ada, &format!("/invoices/{}", invoice.id)).await;
            assert!(
                shown.contains("hasn’t decided") && shown.contains(said),
                "{shown}"
            );
            decided(&desk, &paid, Lost).await;
            assert_eq!(books(test).await, gone, "{currency}");
            assert_eq!(credited(test).await, ["CN chargeback"]);
            think_again(&desk).await;
            assert_eq!(books(test).await, back, "{currency}");
            server.stop().await;
        })
        .await;
    }
}

/// The statement of what is paid out next names each movement of a lost dispute.
async fn stated(test: &TestApp, sam: &Browser, seller: AccountId) {
    settle_in(test, seller, "acct_ok").await;
    earn(test, "a sale", seller, Money::new(10_000, Currency::EUR)).await;
    let paid = pay(test).await.payouts.remove(0);
    assert_eq!(paid.amount.minor(), 10_000 - GONE[5]);
    let statement = page(sam, &format!("/sell/payouts/{}", paid.id)).await;
    for said in [
        "A buyer’s bank took a payment back",
        "Fee of a dispute",
        "The platform gave its fee back",
    ] {
        assert!(statement.contains(said), "{said}: {statement}");
    }
}

/// Somebody who sells, signed in, and an invoice of theirs that a bank took.
#[tokio::test]
async fn its_seller_hands_in_by_program_and_by_page() {
    for by_page in [false, true] {
        TestApp::both(async |test| {
            let server = test.serve().await;
            let (ada, account) = signed_in(&server, "ada@buyer.example").await;
            let (sam, seller) = signed_in(&server, "sam@seller.example").await;
            let became = sam.post_json("/v1/me/developer", &json!({})).await;
            assert_eq!(became.0, 204, "{}", became.1);
            let deal = Deal {
                tariffs: ["EUR per_unit 0.01; free 0", "EUR per_unit 0.00"],
                customer: account.parse().expect("an id"),
                seller: seller.parse().expect("an id"),
                currency: "EUR",
            };
            let (_, invoice, desk, paid) = paid_as(test, deal, (&ada, &[])).await;
            raised(&desk, &paid, Opened).await;
            let paper = page(&sam, &format!("/invoices/{}", invoice.id)).await;
            let at = paper.find("/sell/disputes/").expect("the way to answer");
            let at = &paper[at..];
            let path = &at[..at.find('"').expect("its end")];
            let id = path.rsplit('/').next().expect("an id");
            let answer = format!("/v1/disputes/{id}/answer");
            assert_eq!(ada.get_json(&answer).await.0, 404, "no buyer answers");
            let asked = page(&sam, path).await;
            assert!(asked.contains(&invoice.number_text()), "{asked}");
            if by_page {
                let form = [
                    ("seen", "chargeback"),
                    ("statement", "It was used."),
                    ("step", "submit"),
                ];
                let (status, _, text) = send(&sam, path, path, &form).await;
                assert_eq!(status, 303, "{text}");
            } else {
                let written = sam.request(reqwest::Method::PUT, &answer);
                let written = written.json(&json!({"statement": "It was used."})).send();
                assert_eq!(written.await.expect("an answer").status(), 204);
                let (status, told) = sam.post_json(&format!("{answer}/submit"), &json!({})).await;
                assert_eq!(status, 202, "{told}");
            }
            desk.settle().await;
            let given = "SELECT state || ' ' || statement AS text FROM dispute_answer";
            assert_eq!(texts(test, given).await, ["sent It was used."]);
            let kept = "SELECT object AS text FROM sandbox_evidence";
            assert_eq!(texts(test, kept).await.len(), 1, "the bank has it once");
            if by_page {
                decided(&desk, &paid, Lost).await;
                stated(test, &sam, seller.parse().expect("an id")).await;
            }
            server.stop().await;
        })
        .await;
    }
}

/// The page of usage says what a bank does, and that nothing is charged by itself any more; the books
/// and the seller's statement name each movement.
#[tokio::test]
async fn everybody_who_looks_is_told() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let form = [("later", "on")];
        let (sold, invoice, desk, paid) = paid_with(test, &account, (&ada, &form)).await;
        let usage = format!("/usage?license={}", sold.license);
        let before = page(&ada, &usage).await;
        assert!(before.contains("Paid by themselves since"), "{before}");
        raised(&desk, &paid, Warned).await;
        let warned = page(&ada, &usage).await;
        assert!(
            !warned.contains("bank"),
            "a suspicion is nobody's to read: {warned}"
        );
        decided(&desk, &paid, Opened).await;
        let taken = page(&ada, &usage).await;
        for said in ["The bank took it back", "that ended what you had agreed to"] {
            assert!(taken.contains(said), "{said}: {taken}");
        }
        decided(&desk, &paid, Lost).await;
        assert!(page(&ada, &usage).await.contains("Charged back"));
        let owner = owner_at(test, &server).await;
        let entries = format!("/owner/ledger/entries?of={}", invoice.id);
        let entries = page(&owner, &entries).await;
        for said in [
            "Invoice paid",
            "Chargeback",
            "Fee of a dispute",
            "fee given back",
        ] {
            assert!(entries.contains(said), "{said}: {entries}");
        }
        think_again(&desk).await;
        let usage = page(&ada, &usage).await;
        assert!(usage.contains("waits for you to pay it"), "{usage}");
        server.stop().await;
    })
    .await;
}
