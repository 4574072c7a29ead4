//! Invoices of usage that are paid by themselves: agreed to, charged once, tried again, ended.

use crate::metered::{Device, Sold, report, sold_to};
use crate::shop::{Bought, choose, id_of, placed};
use crate::web_pages::{page, send};
use crate::web_usage::signed_in;
use axum::http::StatusCode;
use mintreu_server::app::App;
use mintreu_server::caller::Caller;
use mintreu_server::domains::billing::{BillNow, Billed, bill_now};
use mintreu_server::domains::invoicing::Invoice;
use mintreu_server::domains::payments;
use mintreu_server::domains::subscriptions::charge::{self, ChargePayload};
use mintreu_server::gateways::{self, Charged, Gateway};
use mintreu_server::queue::JobError;
use mintreu_server::store::Tx;
use mintreu_server::worker::{self, Table};
use mintreu_tests::{Browser, TestApp};
use serde_json::{Value, json};
use std::sync::Arc;

const DAY: u32 = 86_400_000;
const TARIFFS: [&str; 2] = ["EUR per_unit 0.01; free 0", "EUR per_unit 0.00"];

/// Somebody whose use is billed now and then.
pub struct Customer<'a> {
    test: &'a TestApp,
    browser: &'a Browser,
    pub sold: Sold,
    device: Device,
    calls: u64,
}

impl<'a> Customer<'a> {
    pub async fn new(test: &'a TestApp, browser: &'a Browser, account: &str) -> Self {
        let sold = sold_to(test, TARIFFS, account.parse().expect("an id")).await;
        let device = Device::activated(test, 1, sold.license).await;
        Self {
            test,
            browser,
            sold,
            device,
            calls: 0,
        }
    }

    /// Five hundred more calls, billed now: five euros.
    pub async fn billed(&mut self) -> Invoice {
        self.billed_by(Arc::new(worker::table())).await
    }

    /// As [`Customer::billed`], with other workers.
    pub async fn billed_by(&mut self, workers: Arc<Table>) -> Invoice {
        self.calls += 500;
        let segment = self.device.seal(self.test, self.calls, 0);
        report(self.test, &segment).await.expect("is taken");
        let command = BillNow {
            license: self.sold.license,
        };
        let app = &self.test.app;
        let billed = app.transact(&self.sold.customer, command, bill_now).await;
        let Billed::Invoiced(invoice) = billed.expect("is billed") else {
            panic!("five hundred calls cost something");
        };
        let drained = worker::drain(&self.test.app, &workers).await;
        drained.expect("jobs can be leased");
        *invoice
    }

    pub async fn state(&self, invoice: &Invoice) -> String {
        let (status, told) = self
            .browser
            .get_json(&format!("/v1/invoices/{}", invoice.id))
            .await;
        assert_eq!(status, 200, "{told}");
        told["state"].as_str().expect("a state").to_owned()
    }

    pub fn path(&self) -> String {
        format!("/v1/licenses/{}/automatic-payment", self.sold.license)
    }

    pub async fn agree(&self, with: Value) -> (StatusCode, Value) {
        put(self.browser, &self.path(), &with).await
    }

    pub async fn usage(&self) -> String {
        page(
            self.browser,
            &format!("/usage?license={}", self.sold.license),
        )
        .await
    }
}

async fn put(browser: &Browser, path: &str, body: &Value) -> (StatusCode, Value) {
    let sent = browser
        .request(reqwest::Method::PUT, path)
        .json(body)
        .send()
        .await;
    let answer = sent.expect("an answer");
    let status = answer.status();
    (status, answer.json().await.expect("json"))
}

/// How many payments of any state there are.
pub async fn attempts(test: &TestApp, state: &str) -> usize {
    let read = move |tx: &mut dyn Tx| tx.query("SELECT state FROM payment", &[]);
    let rows = test
        .app
        .store
        .read(read)
        .await
        .expect("reads")
        .expect("rows");
    let states = rows.iter().map(|row| row.text("state").expect("a state"));
    states.filter(|one| one == state).count()
}

pub fn mails(test: &TestApp, sentence: &str) -> usize {
    // Letters wrap and encode: words of a line are enough.
    let all = test.mails();
    all.iter().filter(|mail| mail.contains(sentence)).count()
}

#[tokio::test]
async fn what_pays_one_invoice_pays_the_later_ones_until_its_owner_ends_that() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let mut customer = Customer::new(test, &ada, &account).await;
        let first = customer.billed().await;
        assert_eq!(
            customer.state(&first).await,
            "open",
            "nobody agreed to anything"
        );
        let address = format!("/invoices/{}", first.id);
        let shown = page(&ada, &address).await;
        assert!(
            shown.contains("Pay later invoices for this use by themselves"),
            "{shown}"
        );
        let form = [("later", "on")];
        let (status, pay_url, text) = send(&ada, &address, &format!("{address}/pay"), &form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
        let usage = customer.usage().await;
        assert!(
            usage.contains("waits for you to pay it"),
            "begun isn't paid: {usage}"
        );
        let second = customer.billed().await;
        assert_eq!(
            customer.state(&second).await,
            "open",
            "the first isn't paid yet"
        );
        let begun = Bought::on_page(pay_url);
        let provider = ada.client.get(&begun.pay_url).send().await;
        let provider = provider.expect("an answer").text().await.expect("a page");
        assert!(
            provider.contains("is kept, and charged for later"),
            "{provider}"
        );
        choose(&ada, &begun, "succeed").await;
        test.drain().await;
        assert_eq!(customer.state(&first).await, "paid");
        let third = customer.billed().await;
        assert_eq!(customer.state(&third).await, "paid", "by itself");
        assert_eq!(attempts(test, "succeeded").await, 2, "each invoice once");
        let usage = customer.usage().await;
        assert!(usage.contains("Paid by themselves since"), "{usage}");
        let end = format!("/usage/{}/automatic-payment/end", customer.sold.license);
        let (status, _, text) = send(&ada, "/usage", &end, &[]).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
        let fourth = customer.billed().await;
        assert_eq!(customer.state(&fourth).await, "open");
        assert!(customer.usage().await.contains("waits for you to pay it"));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_decline_is_told_and_tried_again_and_a_method_that_is_gone_ends_it() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let mut customer = Customer::new(test, &ada, &account).await;
        let poor = json!({"method": "sbm_insufficient_funds"});
        assert_eq!(customer.agree(poor).await.0, StatusCode::OK);
        let invoice = customer.billed().await;
        assert_eq!(customer.state(&invoice).await, "open");
        assert_eq!(attempts(test, "failed").await, 1);
        assert_eq!(
            mails(test, "Subject: Invoice INV-000001 could not be charged"),
            1
        );
        test.clock.advance(DAY);
        test.drain().await;
        assert_eq!(attempts(test, "failed").await, 1, "not before two days");
        test.clock.advance(DAY);
        test.drain().await;
        assert_eq!(attempts(test, "failed").await, 2);
        assert_eq!(
            customer.agree(json!({"method": "sbm_pays"})).await.0,
            StatusCode::OK
        );
        for _ in 0..5 {
            test.clock.advance(DAY);
        }
        test.drain().await;
        assert_eq!(
            (
                attempts(test, "failed").await,
                attempts(test, "succeeded").await
            ),
            (2, 1)
        );
        crate::web_usage::sign_in(&ada, "ada@buyer.example").await;
        assert_eq!(customer.state(&invoice).await, "paid");
        assert_eq!(
            customer.agree(json!({"method": "sbm_lost_card"})).await.0,
            StatusCode::OK
        );
        let invoice = customer.billed().await;
        assert_eq!(customer.state(&invoice).await, "open");
        let (status, _) = ada.get_json(&customer.path()).await;
        assert_eq!(
            status,
            StatusCode::NOT_FOUND,
            "the agreement ended with its method"
        );
        assert_eq!(
            mails(test, "Subject: Invoice INV-000002 could not be charged"),
            1
        );
        for _ in 0..8 {
            test.clock.advance(DAY);
        }
        test.drain().await;
        assert_eq!(
            attempts(test, "failed").await,
            3,
            "it is not tried any more"
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn only_its_owner_agrees_and_only_to_what_there_is() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let (eve, _) = signed_in(&server, "eve@buyer.example").await;
        let mut customer = Customer::new(test, &ada, &account).await;
        let invoice = customer.billed().await;
        let path = customer.path();
        let pays = json!({"method": "sbm_pays"});
        assert_eq!(put(&eve, &path, &pays).await.0, StatusCode::NOT_FOUND);
        assert_eq!(eve.get_json(&path).await.0, StatusCode::NOT_FOUND);
        let refusals = [
            (json!({}), 422, "input_invalid"),
            (
                json!({"method": "sbm_pays", "invoice_id": invoice.id.to_string()}),
                422,
                "input_invalid",
            ),
            (json!({"method": "a card of mine"}), 422, "method_unknown"),
            (
                json!({"invoice_id": invoice.id.to_string()}),
                409,
                "invoice_never_paid",
            ),
        ];
        for (body, status, code) in refusals {
            let (answered, told) = customer.agree(body.clone()).await;
            assert_eq!(
                (answered.as_u16(), &told["code"]),
                (status, &json!(code)),
                "{body}"
            );
        }
        let (status, agreed) = customer.agree(pays).await;
        assert_eq!(
            (status, &agreed["provider"]),
            (StatusCode::OK, &json!("sandbox"))
        );
        assert_eq!(ada.get_json(&path).await.1, agreed);
        let ended = eve
            .request(reqwest::Method::DELETE, &path)
            .send()
            .await
            .expect("an answer");
        assert_eq!(ended.status(), StatusCode::NOT_FOUND);
        for _ in 0..2 {
            let ended = ada.request(reqwest::Method::DELETE, &path).send().await;
            assert_eq!(ended.expect("an answer").status(), StatusCode::NO_CONTENT);
        }
        assert_eq!(ada.get_json(&path).await.0, StatusCode::NOT_FOUND);
        server.stop().await;
    })
    .await;
}

/// Opens the page where an invoice is paid, as the API does it.
pub async fn pay_page(browser: &Browser, invoice: &Invoice, query: &str) -> (StatusCode, Value) {
    let path = format!("/v1/invoices/{}/payments{query}", invoice.id);
    browser.post_json(&path, &Value::Null).await
}

/// What a guest took and an account has claimed: its link still opens it.
async fn claimed<'a>(
    test: &'a TestApp,
    guest: &Browser,
    ada: &'a Browser,
    account: &str,
) -> (Customer<'a>, String) {
    let mut sold = sold_to(test, TARIFFS, account.parse().expect("an id")).await;
    let (_, product) = ada.get_json("/v1/products/acme-api").await;
    let price = product["prices"][0]["price_id"].as_str().expect("a price");
    let order = json!({
        "price_id": price, "amount_minor": 0, "currency": "EUR", "email": "ada@buyer.example",
    });
    let bought = placed(guest, &order).await;
    let (_, shown) = guest.get_json(&bought.path()).await;
    sold.license = id_of(&shown["licenses"][0]);
    let claim = format!("/v1/orders/{}/claim?token={}", bought.order, bought.token);
    assert_eq!(ada.post_json(&claim, &Value::Null).await.0, 204);
    let device = Device::activated(test, 1, sold.license).await;
    let customer = Customer {
        test,
        browser: ada,
        sold,
        device,
        calls: 0,
    };
    (customer, bought.token)
}

/// Whoever holds an order's link may pay its invoices, and is never charged for later ones; nor does
/// a page that keeps what pays lead anybody but who wished so.
#[tokio::test]
async fn who_pays_by_the_link_of_another_is_charged_once() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let friend = server.browser();
        let (mut customer, token) = claimed(test, &friend, &ada, &account).await;
        let invoice = customer.billed().await;
        let link = format!("?token={token}");
        let later = format!("{link}&later=true");
        let (status, told) = pay_page(&friend, &invoice, &later).await;
        assert_eq!(
            (status.as_u16(), &told["code"]),
            (403, &json!("later_not_yours"))
        );
        let (_, keeping) = pay_page(&ada, &invoice, "?later=true").await;
        let (_, again) = pay_page(&ada, &invoice, "?later=true").await;
        assert_eq!(keeping, again, "the page that she opened");
        let (_, once) = pay_page(&friend, &invoice, &link).await;
        assert_ne!(keeping["pay_url"], once["pay_url"]);
        let closed = ada
            .client
            .get(keeping["pay_url"].as_str().expect("a page"))
            .send()
            .await;
        assert_eq!(
            closed.expect("an answer").status(),
            303,
            "nobody pays there any more"
        );
        let page = |told: &Value| Bought::on_page(told["pay_url"].as_str().expect("a page"));
        let (_, shared) = pay_page(&ada, &invoice, "").await;
        assert_eq!(shared, once, "one page for who pays once, whoever it is");
        choose(&friend, &page(&once), "succeed").await;
        test.drain().await;
        assert_eq!(customer.state(&invoice).await, "paid");
        assert_eq!(attempts(test, "succeeded").await, 1);
        assert_eq!(
            mails(test, "could not be charged") + mails(test, "was declined"),
            0
        );
        let by = json!({"invoice_id": invoice.id.to_string()});
        let (status, told) = customer.agree(by).await;
        assert_eq!(
            (status.as_u16(), &told["code"]),
            (409, &json!("method_not_kept"))
        );
        let next = customer.billed().await;
        assert_eq!(customer.state(&next).await, "open", "nobody agreed");
        let (_, hers) = pay_page(&ada, &next, "?later=true").await;
        choose(&ada, &page(&hers), "succeed").await;
        test.drain().await;
        let third = customer.billed().await;
        assert_eq!(customer.state(&third).await, "paid", "her own");
        let end = ada
            .request(reqwest::Method::DELETE, &customer.path())
            .send()
            .await;
        assert_eq!(end.expect("an answer").status(), StatusCode::NO_CONTENT);
        let by = json!({"invoice_id": next.id.to_string()});
        assert_eq!(
            customer.agree(by).await.0,
            StatusCode::OK,
            "what she paid with, again"
        );
        server.stop().await;
    })
    .await;
}

/// A page that was paid when somebody else comes is not closed, and nothing is paid twice.
#[tokio::test]
async fn a_page_that_was_paid_is_not_opened_again() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let mut customer = Customer::new(test, &ada, &account).await;
        let invoice = customer.billed().await;
        let (_, keeping) = pay_page(&ada, &invoice, "?later=true").await;
        let page = Bought::on_page(keeping["pay_url"].as_str().expect("a page"));
        choose(&ada, &page, "lost").await;
        let (status, told) = pay_page(&ada, &invoice, "").await;
        assert_eq!(status, 200, "{told}");
        let way = told["pay_url"].as_str().expect("a way");
        assert!(
            way.contains("/invoices/"),
            "it leads back to the paper: {way}"
        );
        assert_eq!(
            attempts(test, "expected").await,
            1,
            "and there is no second attempt"
        );
        server.stop().await;
    })
    .await;
}

/// The provider charged, and the process died before it could say so.
pub async fn die_after_charging(
    app: Arc<App>,
    caller: Caller,
    payload: ChargePayload,
) -> Result<(), JobError> {
    let read = {
        let id = payload.payment.clone();
        move |tx: &mut dyn Tx| payments::by_id(tx, caller.tenant, id.parse().expect("an id"))
    };
    let payment = app
        .store
        .read(read)
        .await
        .expect("reads")
        .expect("reads")
        .expect("is there");
    let charge = charge::request(caller.tenant, &payment, payload);
    let charged = gateways::sandbox::Sandbox.charge_saved(&app, &charge).await;
    assert!(
        matches!(charged, Ok(Charged::Succeeded { .. })),
        "{charged:?}"
    );
    Err(JobError::retry("the power went"))
}

/// A charge whose answer was lost is asked for again and charged once; meanwhile nobody is led to a
/// page beside it.
#[tokio::test]
async fn a_charge_whose_answer_was_lost_is_charged_once() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, account) = signed_in(&server, "ada@buyer.example").await;
        let mut customer = Customer::new(test, &ada, &account).await;
        let pays = json!({"method": "sbm_pays"});
        assert_eq!(customer.agree(pays).await.0, StatusCode::OK);
        let dying = worker::table().network(charge::CHARGE_JOB, die_after_charging);
        let invoice = customer.billed_by(Arc::new(dying)).await;
        assert_eq!(customer.state(&invoice).await, "open");
        let (status, told) = pay_page(&ada, &invoice, "").await;
        assert_eq!(
            (status.as_u16(), &told["code"]),
            (409, &json!("being_charged"))
        );
        let paper = page(&ada, &format!("/invoices/{}", invoice.id)).await;
        assert!(
            paper.contains("It is being charged") && !paper.contains("/pay\""),
            "{paper}"
        );
        test.clock.advance(DAY);
        test.drain().await;
        crate::web_usage::sign_in(&ada, "ada@buyer.example").await;
        assert_eq!(customer.state(&invoice).await, "paid");
        let read = |tx: &mut dyn Tx| tx.query("SELECT state FROM sandbox_session", &[]);
        let sessions = test
            .app
            .store
            .read(read)
            .await
            .expect("reads")
            .expect("rows");
        assert_eq!(sessions.len(), 1, "asked twice, charged once");
        assert_eq!(attempts(test, "succeeded").await, 1);
        server.stop().await;
    })
    .await;
}
