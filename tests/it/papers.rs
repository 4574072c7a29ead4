//! Invoices of first sales and the credit notes of what goes back: once, without gaps, to the cent.

use crate::carts::{put, seeded};
use crate::money_back::{Desk, Paid};
use crate::shop::{Bought, bought, check_out, choose, order_of, person, shop};
use crate::web_pages::{hidden, page, path_of, sign_in};
use mintreu::Timestamp;
use mintreu::id::{AccountId, CreditNoteId, InvoiceId, OrderId};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Capability, Role};
use mintreu_server::domains::fulfilment::{
    AddBuyer, ViewInvoice, ViewInvoices, add_buyer, invoice_paper, invoices_of_order,
};
use mintreu_server::domains::invoicing::{
    CreditQuery, InvoiceError, InvoiceQuery, ListPapers, Party, credit_note, invoice, papers,
    take_number,
};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_server::store::Tx;
use mintreu_tests::TestApp;
use reqwest::Method;

/// Numbers, totals and states of all invoices; numbers and totals of all credit notes.
async fn books(desk: &Desk<'_>) -> (Vec<String>, Vec<String>) {
    let invoices = desk
        .rows("SELECT series, number, total_minor, state FROM invoice ORDER BY number")
        .await;
    let invoice = |row: &mintreu_server::store::Row| {
        let state = row.text("state").expect("a state");
        format!(
            "{}-{} {} {state}",
            row.text("series").expect("a series"),
            row.int("number").expect("a number"),
            row.int("total_minor").expect("a total")
        )
    };
    let credits = desk
        .rows(
            "SELECT series, number, total_minor, reason AS state FROM credit_note
            ORDER BY issued_at, series, number",
        )
        .await;
    (
        invoices.iter().map(invoice).collect(),
        credits.iter().map(invoice).collect(),
    )
}

#[tokio::test]
async fn a_first_sale_is_invoiced_once_however_often_it_is_settled() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        desk.buy(1).await;
        desk.buy(2).await;
        for _ in 0..2 {
            desk.hand_over_all().await;
        }
        let (invoices, credits) = books(&desk).await;
        assert_eq!(invoices, ["INV-1 4900 paid", "INV-2 9800 paid"]);
        assert!(credits.is_empty(), "{credits:?}");
    })
    .await;
}

#[tokio::test]
async fn buyer_and_seller_read_the_figures_and_others_find_nothing() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let order = check_out(&guest, &shop).await;
        choose(&guest, &order, "succeed").await;
        test.drain().await;
        let found = of_order(test, &order, Some(&order.token)).await;
        let [first] = &found.expect("are seen")[..] else {
            panic!("one invoice");
        };
        assert_eq!(first.number_text(), "INV-000001");
        let view = ViewInvoice {
            invoice: first.id,
            token: Some(order.token.clone()),
        };
        let paper = test.app.read(&test.guest(), view, invoice_paper).await;
        let paper = paper.expect("opens by its token");
        let buyer = paper.parties.buyer.expect("the buyer");
        assert_eq!(
            (buyer.email.as_str(), buyer.name.as_str()),
            ("guest@example.org", "")
        );
        assert_eq!(paper.parties.issuer.expect("an issuer").name, "Mintreu");
        let [line] = &paper.lines[..] else {
            panic!("one line");
        };
        let sold = line.sold.as_ref().expect("is of an order");
        assert_eq!((line.quantity, line.amount.minor()), (1, 4_900));
        assert_eq!(
            (sold.title.as_str(), sold.gross.minor()),
            ("Acme Editor", 4_900)
        );
        assert_eq!((sold.discount.minor(), sold.tax.amount.minor()), (0, 0));
        assert!(!sold.tax.reason.is_empty(), "a zero has its reason");
        assert_eq!(paper.invoice.paid_at, Some(test.app.now()));
        assert!(paper.invoice.payment.is_some());

        // The seller sees the line and no buyer; strangers, and a wrong token, see nothing.
        let view = |token: Option<&str>| ViewInvoice {
            invoice: first.id,
            token: token.map(str::to_owned),
        };
        let seen = test.app.read(&shop.seller, view(None), invoice_paper).await;
        let seen = seen.expect("its seller sees it");
        assert!(seen.parties.buyer.is_none() && seen.parties.issuer.is_some());
        let stranger = person(
            test,
            AccountId::from_bytes(*b"somebody else ac"),
            Role::Developer,
        );
        for (caller, token) in [
            (&stranger, None),
            (&test.guest(), None),
            (&test.guest(), Some("wrong")),
        ] {
            let refused = test.app.read(caller, view(token), invoice_paper).await;
            assert!(refused.is_err(), "{caller:?}");
        }
        assert!(of_order(test, &order, Some("wrong")).await.is_err());
        let (status, _) = guest.get_json(&format!("/v1/invoices/{}", first.id)).await;
        assert_eq!(status, 404);
        server.stop().await;
    })
    .await;
}

pub async fn of_order(
    test: &TestApp,
    order: &Bought,
    token: Option<&str>,
) -> Result<
    Vec<mintreu_server::domains::invoicing::Invoice>,
    mintreu_server::domains::fulfilment::FulfilmentError,
> {
    let query = ViewInvoices {
        order: OrderId::parse(&order.order).expect("an id"),
        token: token.map(str::to_owned),
    };
    test.app.read(&test.guest(), query, invoices_of_order).await
}

#[tokio::test]
async fn what_costs_nothing_has_no_invoice() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let (status, started) = guest
            .post_json("/v1/checkouts", &order_of(shop.free, 0))
            .await;
        assert_eq!(status, 201, "{started}");
        test.drain().await;
        let order = bought(&started);
        let found = of_order(test, &order, Some(&order.token)).await;
        assert!(found.expect("is seen").is_empty());
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn sellers_of_one_order_see_their_own_lines_with_what_they_come_to() {
    TestApp::both(async |test| {
        seeded(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        put(&guest, "hush").await;
        put(&guest, "paperlane-scan").await;
        let drawn = page(&guest, "/cart/checkout").await;
        let (quote, csrf) = (hidden(&drawn, "quote"), hidden(&drawn, "csrf"));
        let fields = [
            ("csrf", csrf.as_str()),
            ("quote", quote.as_str()),
            ("email", "ada@example.org"),
            ("waiver", "yes"),
        ];
        let sent = guest.request(Method::POST, "/cart/checkout").form(&fields);
        let answer = sent.send().await.expect("an answer");
        let to = answer.headers()["location"]
            .to_str()
            .expect("text")
            .to_owned();
        let paid = guest
            .request(Method::POST, &path_of(&to))
            .form(&[("choice", "succeed")]);
        paid.send().await.expect("an answer");
        test.drain().await;
        let mut seen = Vec::new();
        for seller in ["mara@lichen.example", "adaeze@paperlane.example"] {
            let browser = server.browser();
            sign_in(&browser, seller).await;
            let (_, listed) = browser.get_json("/v1/invoices?as=seller&limit=1").await;
            let newest = &listed["invoices"][0];
            let id = newest["invoice_id"].as_str().expect("an id");
            let (_, one) = browser.get_json(&format!("/v1/invoices/{id}")).await;
            assert_eq!(newest["total_minor"], one["total_minor"]);
            let lines = one["lines"].as_array().expect("lines");
            assert_eq!(lines.len(), 1, "{one}");
            assert_eq!(lines[0]["amount_minor"], one["total_minor"]);
            seen.push((
                one["number"].clone(),
                one["total_minor"].clone(),
                lines[0]["sold"]["title"].clone(),
            ));
        }
        assert_eq!(seen[0].0, seen[1].0, "one paper");
        assert_eq!((&seen[0].1, &seen[0].2), (&4_900.into(), &"Hush".into()));
        assert_eq!(
            (&seen[1].1, &seen[1].2),
            (&3_900.into(), &"Paperlane Scan".into())
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn each_seller_of_record_issues_in_a_series_of_its_own() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let mut orders = Vec::new();
        for own in [false, true, true] {
            let order = check_out(&guest, &shop).await;
            if own {
                // A seller whose provider's account is its own sells by itself.
                let record = shop.seller.account.expect("an account").to_string();
                let id = *OrderId::parse(&order.order).expect("an id").as_bytes();
                let change = move |tx: &mut dyn Tx| {
                    let params = [("record", record.as_str().into()), ("order", (&id).into())];
                    let sql = "UPDATE order_line SET seller_of_record = :record
                        WHERE order_id = :order";
                    match tx.execute(sql, &params) {
                        Ok(_) => mintreu_server::store::Attempt::Commit(()),
                        Err(error) => panic!("{error}"),
                    }
                };
                test.app
                    .store
                    .write(Vec::new(), change)
                    .await
                    .expect("is changed");
            }
            choose(&guest, &order, "succeed").await;
            test.drain().await;
            orders.push(order);
        }
        let mut numbers = Vec::new();
        for order in &orders {
            let found = of_order(test, order, Some(&order.token)).await;
            numbers.extend(found.expect("is seen").iter().map(|one| one.number_text()));
        }
        assert_eq!(numbers, ["INV-000001", "INV-000001", "INV-000002"]);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn many_sales_settled_at_once_are_numbered_without_gaps() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        for _ in 0..6 {
            desk.buy(1).await;
        }
        let refunds = desk.rows("SELECT order_id FROM customer_order").await;
        for row in &refunds {
            let order = row.id("order_id", OrderId::from_bytes).expect("an id");
            let paid = Paid {
                order,
                line: mintreu::id::OrderLineId::from_bytes([0; 16]),
                session: String::new(),
            };
            desk.refund(Desk::wish(&paid, Some(100)))
                .await
                .expect("is asked");
        }
        // Several workers at once: sends race with each other for the numbers.
        tokio::join!(test.drain(), test.drain(), test.drain(), test.drain());
        desk.hand_over_all().await;
        let (invoices, credits) = books(&desk).await;
        assert_eq!((invoices.len(), credits.len()), (6, 6));
        assert_eq!(credits[5], "CN-6 100 requested_by_customer");
    })
    .await;
}

/// Takes a number and fails.
struct Fails;

impl Command for Fails {
    const NAME: &'static str = "test.fails";
    const CAPABILITY: Capability = Capability::Operate;
}

#[tokio::test]
async fn a_commit_that_is_rolled_back_takes_no_number() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let fails = |cx: &mut Cx<'_>, _: &Fails| {
            assert_eq!(take_number(cx, "INV")?, 1);
            Err::<(), _>(InvoiceError::Empty)
        };
        let failed = test.app.transact(&test.system(), Fails, fails).await;
        assert!(matches!(failed, Err(InvoiceError::Empty)), "{failed:?}");
        desk.buy(1).await;
        assert_eq!(books(&desk).await.0, ["INV-1 4900 paid"]);
    })
    .await;
}

#[tokio::test]
async fn refunds_are_credited_in_part_and_taken_back_when_they_fail() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = desk.buy(1).await;
        for amount in [Some(1_000), Some(333), None] {
            desk.refund(Desk::wish(&paid, amount))
                .await
                .expect("is asked");
            desk.hand_over_all().await;
        }
        let credits = books(&desk).await.1;
        assert_eq!(
            credits,
            [
                "CN-1 1000 requested_by_customer",
                "CN-2 333 requested_by_customer",
                "CN-3 3567 requested_by_customer",
            ]
        );
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        desk.hand_over_all().await;
        let credits = books(&desk).await.1;
        assert_eq!(credits.len(), 6, "{credits:?}");
        let mut taken_back: Vec<_> = credits[3..].to_vec();
        taken_back.sort();
        assert!(taken_back[0].starts_with("CC-1 ") && taken_back[2].starts_with("CC-3 "));
        // Credited anew, in numbers that go on.
        desk.refund(Desk::wish(&paid, None))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        let credits = books(&desk).await.1;
        assert_eq!(credits[6], "CN-4 4900 requested_by_customer");
    })
    .await;
}

#[tokio::test]
async fn a_lost_chargeback_is_credited_when_it_is_lost_and_not_before() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let (lost, won) = (desk.buy(1).await, desk.buy(1).await);
        for paid in [&lost, &won] {
            assert!(desk.raise(paid, ObjectState::Opened).await);
        }
        desk.hand_over_all().await;
        assert!(books(&desk).await.1.is_empty(), "nothing is decided");
        test.clock.advance(1_000);
        assert!(desk.decide(&lost, ObjectState::Lost).await);
        assert!(desk.decide(&won, ObjectState::Won).await);
        desk.hand_over_all().await;
        assert_eq!(books(&desk).await.1, ["CN-1 4900 chargeback"]);
        // The bank thinks again: what was credited no longer is.
        test.clock.advance(1_000);
        let events = desk.events().await;
        let decision = events
            .iter()
            .find(|(_, body)| body.contains("dispute.lost"));
        let decision = &decision.expect("the decision").1;
        let mut body: serde_json::Value = serde_json::from_str(decision).expect("an event");
        body["id"] = "evt_thought_again".into();
        body["type"] = "dispute.won".into();
        body["created_at"] = test.app.now().ms().into();
        desk.hand_over(&body.to_string()).await;
        desk.settle().await;
        let credits = books(&desk).await.1;
        assert_eq!(credits, ["CN-1 4900 chargeback", "CC-1 4900 chargeback"]);
    })
    .await;
}

/// A refund is under way when the bank takes the money, and comes back: the bank's second round.
#[tokio::test]
async fn every_round_of_a_lost_chargeback_is_credited() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        for lost_first in [false, true] {
            let paid = desk.buy(1).await;
            let before = books(&desk).await.1.len();
            desk.refund(Desk::wish(&paid, Some(4_000)))
                .await
                .expect("is asked");
            desk.hand_over_all().await;
            desk.fail_refunds().await;
            test.clock.advance(1);
            assert!(desk.raise(&paid, ObjectState::Opened).await);
            // Only 9.00 are left of the 49.00 that the bank took.
            desk.hand_over(&desk.events().await.last().expect("an event").1)
                .await;
            test.drain().await;
            test.clock.advance(1);
            if lost_first {
                assert!(desk.decide(&paid, ObjectState::Lost).await);
                desk.hand_over(&desk.events().await.last().expect("an event").1)
                    .await;
                test.drain().await;
                desk.hand_over_all().await;
            } else {
                desk.hand_over_all().await;
                test.clock.advance(1);
                assert!(desk.decide(&paid, ObjectState::Lost).await);
                desk.hand_over_all().await;
            }
            let mut credits: Vec<String> = books(&desk).await.1[before..].to_vec();
            for credit in &mut credits {
                *credit = credit.split_once(' ').expect("a number").1.to_owned();
            }
            credits.sort();
            assert_eq!(
                credits,
                [
                    "4000 chargeback",
                    "4000 requested_by_customer",
                    "4000 requested_by_customer",
                    "900 chargeback",
                ],
                "lost first: {lost_first}"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn credit_notes_are_seen_by_who_sees_the_invoice() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let paid = desk.buy(1).await;
        // A moment later, so that the list has an order.
        test.clock.advance(1_000);
        desk.refund(Desk::wish(&paid, Some(900)))
            .await
            .expect("is asked");
        desk.hand_over_all().await;
        let rows = desk
            .rows("SELECT credit_note_id, invoice_id FROM credit_note")
            .await;
        let id = rows[0]
            .id("credit_note_id", CreditNoteId::from_bytes)
            .expect("an id");
        let of = rows[0]
            .id("invoice_id", InvoiceId::from_bytes)
            .expect("an id");
        let seller = &desk.shop.seller;
        let seen = test.app.read(seller, CreditQuery { id }, credit_note).await;
        let seen = seen.expect("its seller sees it");
        assert_eq!((seen.note.total.minor(), seen.note.invoice), (900, of));
        assert_eq!(seen.note.number_text(), "CN-000001");
        assert_eq!(
            seen.lines[0].1.as_ref().expect("a sale").title,
            "Acme Editor"
        );
        let admin = person(
            test,
            AccountId::from_bytes(*b"the owner's acct"),
            Role::Admin,
        );
        let query = InvoiceQuery { id: of };
        assert!(test.app.read(&admin, query, invoice).await.is_ok());
        assert!(
            test.app
                .read(&admin, CreditQuery { id }, credit_note)
                .await
                .is_ok()
        );
        for caller in [
            test.guest(),
            person(
                test,
                AccountId::from_bytes(*b"somebody else ac"),
                Role::Developer,
            ),
        ] {
            let refused = test
                .app
                .read(&caller, CreditQuery { id }, credit_note)
                .await;
            assert!(
                matches!(refused, Err(InvoiceError::NotFound)),
                "{refused:?}"
            );
        }
        let list = ListPapers {
            as_seller: true,
            within: None,
            after: None,
            limit: 1,
        };
        let first = test.app.read(seller, list, papers).await.expect("a page");
        let rest = ListPapers {
            after: first.next,
            ..list
        };
        let second = test.app.read(seller, rest, papers).await.expect("a page");
        let told = [&first.papers[0], &second.papers[0]]
            .map(|one| (one.number.as_str(), one.total.minor()));
        assert_eq!(told, [("CN-000001", -900), ("INV-000001", 4_900)]);
        assert_eq!(first.papers[0].about.as_deref(), Some("INV-000001"));
        assert_eq!(second.next, None);
        let before = ListPapers {
            within: Some((Timestamp::from_ms(0), Timestamp::from_secs(1_800_000_000))),
            ..list
        };
        let none = test.app.read(seller, before, papers).await.expect("a page");
        assert!(none.papers.is_empty(), "of another year");
    })
    .await;
}

#[tokio::test]
async fn a_claimed_order_brings_its_invoice_along_and_details_are_added_once() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let order = check_out(&guest, &shop).await;
        choose(&guest, &order, "succeed").await;
        test.drain().await;
        let ada = server.browser();
        let about = serde_json::json!({
            "email": "guest@example.org", "name": "Ada", "password": "a long enough password",
        });
        assert_eq!(ada.post_json("/v1/accounts", &about).await.0, 201);
        let sign_in = serde_json::json!({
            "email": "guest@example.org", "password": "a long enough password",
        });
        assert!(ada.post_json("/v1/sessions", &sign_in).await.0.is_success());
        let (_, before) = ada.get_json("/v1/invoices").await;
        assert_eq!(before["invoices"], serde_json::json!([]));
        let claim = format!("/v1/orders/{}/claim?token={}", order.order, order.token);
        assert_eq!(ada.post_json(&claim, &serde_json::Value::Null).await.0, 204);
        let (_, after) = ada.get_json("/v1/invoices").await;
        assert_eq!(after["invoices"][0]["number"], "INV-000001", "{after}");
        let found = of_order(test, &order, Some(&order.token)).await;
        let id = found.expect("is seen")[0].id;
        let add = |token: Option<&str>, name: &str| AddBuyer {
            invoice: id,
            token: token.map(str::to_owned),
            party: Party {
                name: name.to_owned(),
                address: "Lima\u{df}weg 1\n10115 Berlin".to_owned(),
                ..Party::default()
            },
        };
        let (app, nobody) = (&test.app, test.guest());
        let refused = app.transact(&nobody, add(None, "Eve"), add_buyer).await;
        assert!(refused.is_err(), "{refused:?}");
        let token = Some(order.token.as_str());
        let added = app
            .transact(&nobody, add(token, "Ada Ltd"), add_buyer)
            .await;
        let added = added.expect("is added");
        assert_eq!(
            (added.name.as_str(), added.email.as_str()),
            ("Ada Ltd", "guest@example.org")
        );
        let again = app.transact(&nobody, add(token, "Eve"), add_buyer).await;
        assert!(again.is_err(), "an invoice isn't edited");
        server.stop().await;
    })
    .await;
}

/// Spoils the books by one statement.
async fn spoiled(sql: &'static str, complaint: &str) {
    let test = TestApp::sqlite().await;
    let desk = Desk::open(&test).await;
    let paid = desk.buy(1).await;
    desk.refund(Desk::wish(&paid, Some(900)))
        .await
        .expect("is asked");
    desk.hand_over_all().await;
    let spoil = move |tx: &mut dyn Tx| match tx.execute(sql, &[]) {
        Ok(1) => mintreu_server::store::Attempt::Commit(()),
        other => panic!("{other:?}"),
    };
    test.app
        .store
        .write(Vec::new(), spoil)
        .await
        .expect("is spoiled");
    drop(desk);
    test.finish_expecting(complaint).await;
}

#[tokio::test]
async fn the_audit_notices_papers_that_are_missing_or_wrong() {
    spoiled("DELETE FROM invoice_sale", "is on no invoice").await;
    spoiled("UPDATE invoice SET number = 2", "has gaps").await;
    spoiled(
        "UPDATE invoice_line SET amount_minor = 4901",
        "its lines 4901",
    )
    .await;
    spoiled(
        "UPDATE invoice_sale SET discount_minor = 1",
        "isn't invoiced as it was sold",
    )
    .await;
    spoiled("UPDATE invoice SET state = 'open'", "(papers, invoiced)").await;
    spoiled(
        "UPDATE credit_note SET total_minor = 4901",
        "are credited of",
    )
    .await;
    spoiled(
        "UPDATE credit_note_line SET amount_minor = 899",
        "is credited instead of",
    )
    .await;
}
