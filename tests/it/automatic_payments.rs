//! Invoices of usage that are paid by themselves: agreed to, charged once, tried again, ended.

use crate::metered::{Device, Sold, report, sold_to};
use crate::shop::{Bought, choose};
use crate::web_pages::{page, send};
use crate::web_usage::signed_in;
use axum::http::StatusCode;
use mintreu_server::domains::billing::{BillNow, Billed, bill_now};
use mintreu_server::domains::invoicing::Invoice;
use mintreu_server::store::Tx;
use mintreu_tests::{Browser, TestApp};
use serde_json::{Value, json};

const DAY: u32 = 86_400_000;
const TARIFFS: [&str; 2] = ["EUR per_unit 0.01; free 0", "EUR per_unit 0.00"];

/// Somebody whose use is billed now and then.
struct Customer<'a> {
    test: &'a TestApp,
    browser: &'a Browser,
    sold: Sold,
    device: Device,
    calls: u64,
}

impl<'a> Customer<'a> {
    async fn new(test: &'a TestApp, browser: &'a Browser, account: &str) -> Self {
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
    async fn billed(&mut self) -> Invoice {
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
        self.test.drain().await;
        *invoice
    }

    async fn state(&self, invoice: &Invoice) -> String {
        let (status, told) = self
            .browser
            .get_json(&format!("/v1/invoices/{}", invoice.id))
            .await;
        assert_eq!(status, 200, "{told}");
        told["state"].as_str().expect("a state").to_owned()
    }

    fn path(&self) -> String {
        format!("/v1/licenses/{}/automatic-payment", self.sold.license)
    }

    async fn agree(&self, with: Value) -> (StatusCode, Value) {
        put(self.browser, &self.path(), &with).await
    }

    async fn usage(&self) -> String {
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
async fn payments(test: &TestApp, state: &str) -> usize {
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

fn mails(test: &TestApp, sentence: &str) -> usize {
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
            usage.contains("as soon as the payment that you began"),
            "{usage}"
        );
        let second = customer.billed().await;
        assert_eq!(
            customer.state(&second).await,
            "open",
            "the first isn't paid yet"
        );
        let begun = Bought {
            order: String::new(),
            token: String::new(),
            pay_url,
        };
        choose(&ada, &begun, "succeed").await;
        test.drain().await;
        assert_eq!(customer.state(&first).await, "paid");
        let third = customer.billed().await;
        assert_eq!(customer.state(&third).await, "paid", "by itself");
        assert_eq!(payments(test, "succeeded").await, 2, "each invoice once");
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
        assert_eq!(payments(test, "failed").await, 1);
        assert_eq!(
            mails(test, "Subject: Invoice INV-000001 could not be charged"),
            1
        );
        test.clock.advance(DAY);
        test.drain().await;
        assert_eq!(payments(test, "failed").await, 1, "not before two days");
        test.clock.advance(DAY);
        test.drain().await;
        assert_eq!(payments(test, "failed").await, 2);
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
                payments(test, "failed").await,
                payments(test, "succeeded").await
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
            payments(test, "failed").await,
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
            (
                json!({"method": "a card of mine"}),
                422,
                "subscription_invalid",
            ),
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
        let told = (&agreed["provider"], &agreed["ready"]);
        assert_eq!(
            (status, told),
            (StatusCode::OK, (&json!("sandbox"), &json!(true)))
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
