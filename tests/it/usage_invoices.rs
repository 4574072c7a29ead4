//! Usage invoices as people meet them: with their tax on the paper, paid, reminded of, called off and
//! refunded; and plans that end with the money of their order.

use crate::metered::{Deal, Device, SELLER, Sold, report, sold_as};
use crate::money_back::{Desk, Paid};
use crate::payouts::owner;
use crate::shop::{Bought, Shop, choose, listed, stall};
use crate::taxes::register;
use crate::web_pages::{page, path_of, send};
use crate::web_usage::signed_in;
use mintreu::id::{LicenseId, OrderId, OrderLineId};
use mintreu_server::caller::Caller;
use mintreu_server::domains::billing::{
    BillNow, Billed, BillingError, VoidInvoice, bill_now, void_invoice,
};
use mintreu_server::domains::invoicing::{Invoice, InvoiceError};
use mintreu_server::domains::refunds::{
    AskInvoiceRefund, Reason, RefundError, RefundInvoice, RefundUsage, refund_invoice, refund_usage,
};
use mintreu_server::domains::taxes::{Buyer, SetOwnPlace, set_own_place};
use mintreu_server::store::{Row, Tx};
use mintreu_tests::{Browser, TestApp};
use reqwest::StatusCode;
use serde_json::json;

const DAY_MS: u32 = 86_400_000;

/// A cent a call, from the first on.
const TARIFFS: [&str; 2] = ["EUR per_unit 0.01; free 0", "EUR per_unit 0.00"];

/// Five hundred calls of somebody in Germany, billed now.
async fn billed(test: &TestApp, account: &str) -> (Sold, Invoice) {
    billed_as(test, usual(account)).await
}

/// In euros, of the usual seller.
fn usual(account: &str) -> Deal<'static> {
    Deal {
        tariffs: TARIFFS,
        customer: account.parse().expect("an id"),
        seller: SELLER,
        currency: "EUR",
    }
}

async fn billed_as(test: &TestApp, deal: Deal<'_>) -> (Sold, Invoice) {
    let sold = sold_as(test, deal).await;
    let buyer = Buyer::declared(Some("DE"), None, None).expect("a buyer");
    let place = SetOwnPlace { buyer };
    let set = test.app.transact(&sold.customer, place, set_own_place);
    set.await.expect("is set");
    let mut device = Device::activated(test, 1, sold.license).await;
    let segment = device.seal(test, 500, 0);
    report(test, &segment).await.expect("is taken");
    let command = BillNow {
        license: sold.license,
    };
    let billed = test.app.transact(&sold.customer, command, bill_now).await;
    match billed.expect("is billed") {
        Billed::Invoiced(invoice) => (sold, *invoice),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_paper_of_usage_shows_its_tax() {
    for (inclusive, net, tax, total) in [
        (false, "€5.00", "€0.95", "€5.95"),
        (true, "€4.20", "€0.80", "€5.00"),
    ] {
        TestApp::both(async |test| {
            register(test, inclusive).await;
            let server = test.serve().await;
            let (ada, account) = signed_in(&server, "ada@buyer.example").await;
            let (_, invoice) = billed(test, &account).await;
            let paper = page(&ada, &format!("/invoices/{}", invoice.id)).await;
            for figure in ["Tax 19 % DE", net, tax, total] {
                assert!(paper.contains(figure), "{figure} isn't in {paper}");
            }
            let listed = page(&ada, "/invoices").await;
            assert!(listed.contains(tax) && listed.contains(total), "{listed}");
            let (status, told) = ada.get_json(&format!("/v1/invoices/{}", invoice.id)).await;
            assert_eq!(status, 200, "{told}");
            assert_eq!(told["tax"]["rate_bps"], 1_900);
            server.stop().await;
        })
        .await;
    }
}

async fn rows(test: &TestApp, sql: &'static str) -> Vec<Row> {
    let read = move |tx: &mut dyn Tx| tx.query(sql, &[]);
    let rows = test.app.store.read(read).await.expect("reads");
    rows.expect("rows")
}

pub async fn texts(test: &TestApp, sql: &'static str) -> Vec<String> {
    let rows = rows(test, sql).await;
    let text = |row: &Row| row.text("text").expect("a text");
    rows.iter().map(text).collect()
}

/// What an account holds, in minor units: debits above zero.
pub async fn balance(test: &TestApp, kind: &str) -> i64 {
    let all = "SELECT a.kind, e.amount_minor FROM ledger_entry e
        JOIN ledger_account a ON a.ledger_account_id = e.ledger_account_id";
    let rows = rows(test, all).await;
    let of = rows
        .iter()
        .filter(|row| row.text("kind").expect("a kind") == kind);
    of.map(|row| row.int("amount_minor").expect("an amount"))
        .sum()
}

/// Presses the button on the invoice's page; answers the provider's page.
async fn press(browser: &Browser, address: &str) -> Bought {
    press_with(browser, address, &[]).await
}

async fn press_with(browser: &Browser, address: &str, form: &[(&str, &str)]) -> Bought {
    let (status, to, text) = send(browser, address, &format!("{address}/pay"), form).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
    Bought::on_page(to)
}

#[tokio::test]
async fn a_usage_invoice_is_paid_on_its_page_once() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let (eve, _) = signed_in(&server, "eve@buyer.example").await;
        let (_, invoice) = billed(test, &account).await;
        let address = format!("/invoices/{}", invoice.id);
        let open = page(&ada, &address).await;
        assert!(open.contains("Pay €5.00") && open.contains("isn’t paid yet"), "{open}");
        let path = format!("/v1{address}/payments");
        assert_eq!(eve.post_json(&path, &json!({})).await.0, StatusCode::NOT_FOUND);
        // While an attempt is on its way, it is the same one.
        let first = press(&ada, &address).await;
        assert_eq!(press(&ada, &address).await.pay_url, first.pay_url);
        let shown = page(&ada, &path_of(&first.pay_url)).await;
        assert!(shown.contains("INV-000001, Acme API") && shown.contains("5.00 EUR"));
        choose(&ada, &first, "decline").await;
        test.drain().await;
        let declined = page(&ada, &address).await;
        assert!(declined.contains("was declined"), "{declined}");
        let second = press(&ada, &address).await;
        assert_ne!(second.pay_url, first.pay_url);
        let back = choose(&ada, &second, "duplicate").await;
        assert_eq!(path_of(&back), address);
        test.drain().await;
        test.clock.advance(60_000);
        test.drain().await;
        let paid = page(&ada, &address).await;
        assert!(paid.contains(">Paid<") && !paid.contains("/pay\""), "{paid}");
        let (status, told) = ada.post_json(&path, &json!({})).await;
        assert_eq!((status, &told["code"]), (StatusCode::CONFLICT, &json!("invoice_paid")));
        assert_eq!((balance(test, "receivable").await, balance(test, "psp_clearing").await), (0, 500));
        let facts = texts(test, "SELECT kind AS text FROM event WHERE kind >= 'invoice.' AND kind < 'invoice/' ORDER BY kind").await;
        assert_eq!(facts, ["invoice.finalized", "invoice.paid", "invoice.payment_failed"]);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_due_is_reminded_of_until_it_is_paid_or_called_off() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (_, account) = signed_in(&server, "ada@buyer.example").await;
        register(test, true).await;
        let (sold, invoice) = billed(test, &account).await;
        let overdue = "SELECT kind AS text FROM event WHERE kind = 'invoice.overdue'";
        test.clock.advance(13 * DAY_MS);
        test.drain().await;
        assert_eq!(texts(test, overdue).await.len(), 0);
        test.clock.advance(DAY_MS);
        test.drain().await;
        assert_eq!(texts(test, overdue).await.len(), 1);
        let mails = test.mails();
        let told = mails
            .iter()
            .find(|mail| mail.contains("Invoice INV-000001 is due"));
        assert!(told.expect("a mail").contains("To: ada@buyer.example"));
        test.clock.advance(7 * DAY_MS);
        test.drain().await;
        assert_eq!(texts(test, overdue).await.len(), 2);
        // The customer can't call it off, its seller can, once.
        let command = VoidInvoice {
            invoice: invoice.id,
        };
        let (app, seller) = (&test.app, &sold.seller);
        let denied = app.transact(&sold.customer, command, void_invoice).await;
        assert!(matches!(denied, Err(BillingError::Denied(_))), "{denied:?}");
        for _ in 0..2 {
            let done = app.transact(seller, command, void_invoice).await;
            done.expect("is called off");
        }
        for _ in 0..3 {
            test.clock.advance(7 * DAY_MS);
            test.drain().await;
        }
        assert_eq!(texts(test, overdue).await.len(), 2);
        // The hold was over: what the seller was given comes out of the balance.
        for kind in [
            "receivable",
            "seller_held",
            "seller_releasable",
            "platform_fee",
            "tax_payable",
        ] {
            assert_eq!(balance(test, kind).await, 0, "{kind}");
        }
        let (ada, path) = (
            server.browser(),
            format!("/v1/invoices/{}/payments", invoice.id),
        );
        let door = json!({"email": "ada@buyer.example", "password": "a tame raven sings"});
        ada.post_json("/v1/sessions", &door).await;
        let (status, told) = ada.post_json(&path, &json!({})).await;
        assert_eq!(
            (status, &told["code"]),
            (StatusCode::CONFLICT, &json!("invoice_void"))
        );
        let moved = rows(
            test,
            "SELECT kind, tax_minor FROM tax_movement ORDER BY kind",
        )
        .await;
        let tax = |row: &Row| row.int("tax_minor").expect("a tax");
        assert_eq!(moved.iter().map(tax).collect::<Vec<_>>(), [80, 80]);
        server.stop().await;
    })
    .await;
}

/// A paid usage invoice of 5.00 with 0.80 tax in it, its payment's page, and a provider that waits.
pub async fn paid<'a>(
    test: &'a TestApp,
    account: &str,
    ada: &Browser,
) -> (Sold, Invoice, Desk<'a>, Paid) {
    paid_with(test, account, (ada, &[])).await
}

/// The same, with what the form of the button says.
pub async fn paid_with<'a>(
    test: &'a TestApp,
    account: &str,
    by: (&Browser, &[(&str, &str)]),
) -> (Sold, Invoice, Desk<'a>, Paid) {
    paid_as(test, usual(account), by).await
}

/// The same, on these terms.
pub async fn paid_as<'a>(
    test: &'a TestApp,
    deal: Deal<'_>,
    (ada, form): (&Browser, &[(&str, &str)]),
) -> (Sold, Invoice, Desk<'a>, Paid) {
    register(test, true).await;
    let (sold, invoice) = billed_as(test, deal).await;
    let page = press_with(ada, &format!("/invoices/{}", invoice.id), form).await;
    choose(ada, &page, "succeed").await;
    test.drain().await;
    let shop = Shop {
        seller: sold.seller.clone(),
        price: mintreu::id::PriceId::from_bytes([0; 16]),
        free: mintreu::id::PriceId::from_bytes([0; 16]),
    };
    let session = page
        .pay_url
        .rsplit('/')
        .next()
        .expect("a session")
        .to_owned();
    let paid = Paid {
        order: OrderId::from_bytes([0; 16]),
        line: OrderLineId::from_bytes([0; 16]),
        session,
    };
    (sold, invoice, Desk::of(test, shop).await, paid)
}

pub fn wish(invoice: &Invoice, amount_minor: Option<i64>, reason: Reason) -> AskInvoiceRefund {
    AskInvoiceRefund {
        invoice: invoice.id,
        amount_minor,
        reason,
        note: String::new(),
        seen_left_minor: None,
    }
}

pub async fn refund(
    test: &TestApp,
    who: &Caller,
    wish: AskInvoiceRefund,
) -> Result<String, RefundError> {
    test.app
        .transact(who, RefundUsage(wish), refund_usage)
        .await
}

#[tokio::test]
async fn a_usage_invoice_is_refunded_like_an_order() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let (sold, invoice, desk, paid) = paid(test, &account, &ada).await;
        let asked = Reason::RequestedByCustomer;
        let held = balance(test, "seller_held").await;
        // Strangers and buyers refund nothing, and nobody too much.
        let stranger = crate::shop::person(test, crate::shop::SELLER, mintreu_server::caller::Role::Developer);
        let refused = refund(test, &stranger, wish(&invoice, None, asked)).await;
        assert!(matches!(refused, Err(RefundError::NoInvoice)), "{refused:?}");
        let refused = refund(test, &sold.seller, wish(&invoice, Some(501), asked)).await;
        assert!(matches!(refused, Err(RefundError::OutOfRange { .. })), "{refused:?}");
        // A part by the seller, a part at the provider, the rest by the platform.
        refund(test, &sold.seller, wish(&invoice, Some(200), asked)).await.expect("is asked");
        desk.settle().await;
        assert!(desk.refund_here(&paid, Some(100)).await);
        desk.hand_over_all().await;
        let rest = RefundInvoice(wish(&invoice, None, asked));
        let done = test.app.transact(&owner(test), rest, refund_invoice).await;
        done.expect("is asked");
        desk.hand_over_all().await;
        let back = texts(test, "SELECT source AS text FROM invoice_refund WHERE state = 'succeeded' ORDER BY refund_id").await;
        assert_eq!(back, ["seller", "provider", "platform"]);
        assert_eq!((balance(test, "psp_clearing").await, balance(test, "tax_payable").await), (0, 0));
        assert_eq!(crate::taxes::moved(test).await, (80, 80));
        // What the platform and the provider took for it stays taken, and its seller bears it.
        assert!(held < 0 && balance(test, "seller_held").await == 0);
        let fees = balance(test, "platform_fee").await + balance(test, "processing_fee").await;
        assert_eq!(balance(test, "seller_releasable").await, -fees);
        let notes = texts(test, "SELECT series AS text FROM credit_note").await;
        assert_eq!(notes, ["CN", "CN", "CN"]);
        // One of them comes back: a correction, and it is as if it had not been.
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        let failed = texts(test, "SELECT state AS text FROM invoice_refund WHERE state = 'failed'").await;
        let corrected = texts(test, "SELECT series AS text FROM credit_note WHERE series = 'CC'").await;
        assert_eq!(failed.len(), corrected.len());
        assert!(!failed.is_empty());
        let waits = "SELECT kind AS text FROM event WHERE kind = 'payment.needs_attention'";
        assert!(texts(test, waits).await.is_empty());
        // The license works on, and both see the papers.
        assert!(texts(test, "SELECT revoked_for AS text FROM license WHERE revoked_at IS NOT NULL").await.is_empty());
        let paper = page(&ada, &format!("/invoices/{}", invoice.id)).await;
        assert!(paper.contains("Credit note CN-000001"), "{paper}");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_seller_refunds_an_invoice_on_its_page_once() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let (_, invoice, desk, _) = paid(test, &account, &ada).await;
        let address = format!("/invoices/{}", invoice.id);
        assert!(
            !page(&ada, &address).await.contains("/refund\""),
            "not a buyer's to do"
        );
        assert_eq!(
            ada.get(&format!("{address}/refund")).await.status(),
            StatusCode::NOT_FOUND
        );
        let boss = crate::taxes::owner(test, &server, true).await;
        assert!(page(&boss, &address).await.contains("/refund\""));
        let form = format!("{address}/refund");
        let drawn = page(&boss, &form).await;
        let hidden = |name| crate::web_pages::hidden(&drawn, name);
        let (key, left) = (hidden("key"), hidden("left"));
        let fields = |amount| {
            [
                ("amount", amount),
                ("reason", "defective"),
                ("key", &*key),
                ("left", &*left),
            ]
        };
        let (status, _, text) = send(&boss, &form, &form, &fields("9.00")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{text}");
        for _ in 0..2 {
            let (status, to, text) = send(&boss, &form, &form, &fields("1.50")).await;
            assert_eq!((status, &*to), (StatusCode::SEE_OTHER, &*address), "{text}");
        }
        desk.hand_over_all().await;
        let back = rows(test, "SELECT amount_minor FROM invoice_refund").await;
        assert_eq!(back.len(), 1, "pressing twice refunds once");
        assert!(page(&ada, &address).await.contains("Credit note CN-000001"));
        server.stop().await;
    })
    .await;
}

/// A product of 49.00 whose calls cost a cent each.
async fn priced(test: &TestApp) -> Shop {
    let seller = stall(test, "Acme").await;
    let draft = json!({
        "code": "acme.api", "kind": "api", "name": "Acme API", "summary": "Renders.",
        "categories": ["tools"],
        "prices": [{"model": "one_time", "amount_minor": 4900, "currency": "EUR"}],
        "meters": [{"name": "calls", "unit": "call", "tariff": "EUR per_unit 0.01; free 0"},
            {"name": "renders", "unit": "render", "tariff": "EUR per_unit 0.00"}],
    });
    let price = listed(test, &seller, draft).await.prices[0].id;
    Shop {
        seller,
        price,
        free: price,
    }
}

/// The license of a paid order, with five hundred calls.
async fn counted(test: &TestApp, paid: &Paid, seed: u8) -> LicenseId {
    let all = rows(test, "SELECT license_id, source FROM license").await;
    let source = paid.line.to_string();
    let own = all
        .iter()
        .find(|row| row.text("source").expect("a source") == source);
    let license = own
        .expect("a license")
        .id("license_id", LicenseId::from_bytes);
    let license = license.expect("an id");
    let mut device = Device::activated(test, seed, license).await;
    let segment = device.seal(test, 500, 0);
    report(test, &segment).await.expect("is taken");
    license
}

#[tokio::test]
async fn a_plan_of_usage_ends_with_the_money_of_its_order() {
    TestApp::both(async |test| {
        let desk = Desk::of(test, priced(test).await).await;
        let (gone, stays) = (desk.buy(1).await, desk.buy(1).await);
        let (ended, goes_on) = (counted(test, &gone, 1).await, counted(test, &stays, 2).await);
        desk.refund(Desk::wish(&gone, None)).await.expect("is asked");
        desk.hand_over_all().await;
        let usage = "SELECT total_minor, license_id FROM invoice WHERE license_id IS NOT NULL ORDER BY number";
        let of = |row: &Row| (row.int("total_minor").expect("a total"), row.id("license_id", LicenseId::from_bytes).expect("an id"));
        let bills = rows(test, usage).await;
        assert_eq!(bills.iter().map(of).collect::<Vec<_>>(), [(500, ended)], "the last bill");
        for _ in 0..2 {
            test.clock.advance(32 * DAY_MS);
            test.drain().await;
        }
        let bills = rows(test, usage).await;
        assert_eq!(bills.iter().map(of).collect::<Vec<_>>(), [(500, ended), (500, goes_on)]);
        let plans = "SELECT license_id, period, ended_at FROM metered_plan";
        let period = async |license| {
            let all = rows(test, plans).await;
            let own = all.iter().find(|row| row.id("license_id", LicenseId::from_bytes).expect("an id") == license);
            let own = own.expect("a plan");
            (own.int("period").expect("a period"), own.opt_at("ended_at").expect("an end").is_some())
        };
        assert_eq!((period(ended).await, period(goes_on).await), ((0, true), (2, false)));
        // The money comes back, and the plan goes on.
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        test.drain().await;
        assert_eq!(period(ended).await, (2, false));
        // A chargeback that is lost ends it without a bill.
        let lost = desk.buy(1).await;
        let license = counted(test, &lost, 3).await;
        for state in [mintreu_server::gateways::sandbox::objects::ObjectState::Opened, mintreu_server::gateways::sandbox::objects::ObjectState::Lost] {
            test.clock.advance(1);
            assert!(match state {
                mintreu_server::gateways::sandbox::objects::ObjectState::Opened => desk.raise(&lost, state).await,
                _ => desk.decide(&lost, state).await,
            });
            desk.hand_over_all().await;
        }
        assert!(period(license).await.1);
        assert_eq!(rows(test, usage).await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn an_open_invoice_has_nothing_to_refund() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (_, account) = signed_in(&server, "ada@buyer.example").await;
        let (sold, invoice) = billed(test, &account).await;
        let asked = wish(&invoice, None, Reason::Other);
        let refused = refund(test, &sold.seller, asked).await;
        assert!(
            matches!(refused, Err(RefundError::InvoiceOpen)),
            "{refused:?}"
        );
        let command = VoidInvoice {
            invoice: mintreu::id::InvoiceId::from_bytes([9; 16]),
        };
        let unknown = test.app.transact(&sold.seller, command, void_invoice).await;
        assert!(
            matches!(unknown, Err(BillingError::Invoice(InvoiceError::NotFound))),
            "{unknown:?}"
        );
        server.stop().await;
    })
    .await;
}
