//! Papers by the API: files, the invoices of an order, and the buyer's details, each for who may see
//! it.

use crate::papers::of_order;
use crate::shop::{Bought, SELLER, order_of, paid, person, shop};
use crate::web_papers::account;
use mintreu::id::OrderId;
use mintreu_server::caller::Role;
use mintreu_server::domains::refunds::{AskRefund, Reason, RefundSale, refund_sale};
use mintreu_tests::{Browser, TestApp};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A guest's paid order of the shop.
async fn bought(test: &TestApp, guest: &Browser) -> Bought {
    let shop = shop(test).await;
    paid(test, guest, &order_of(shop.price, 4_900)).await
}

/// The id of the order's one invoice, as its buyer is told.
async fn invoice_of(guest: &Browser, order: &Bought) -> String {
    let path = format!("/v1/orders/{}/invoices?token={}", order.order, order.token);
    let (status, listed) = guest.get_json(&path).await;
    assert_eq!(status, 200, "{listed}");
    let [invoice] = &listed["invoices"].as_array().expect("a list")[..] else {
        panic!("one invoice: {listed}");
    };
    assert_eq!(
        (&invoice["number"], &invoice["total_minor"]),
        (&json!("INV-000001"), &json!(4_900))
    );
    invoice["invoice_id"].as_str().expect("an id").to_owned()
}

/// What is answered to a question about a file: the status, and the file when there is one.
async fn file(browser: &Browser, path: &str) -> (u16, Vec<u8>) {
    let answer = browser.get(path).await;
    let status = answer.status().as_u16();
    let kind = answer.headers()[CONTENT_TYPE].clone();
    let bytes = answer.bytes().await.expect("a body").to_vec();
    match status {
        200 => assert!(kind == "application/pdf" && bytes.starts_with(b"%PDF-")),
        _ => assert_eq!(kind, "application/problem+json"),
    }
    (status, bytes)
}

async fn put(browser: &Browser, path: &str, body: Value) -> (u16, Value) {
    let sent = browser.request(Method::PUT, path).json(&body).send().await;
    let answer = sent.expect("an answer");
    let status = answer.status().as_u16();
    (status, answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_guest_s_file_is_the_page_s_file_and_others_find_none() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let guest = server.browser();
        let order = bought(test, &guest).await;
        let invoice = invoice_of(&guest, &order).await;
        let path = format!("/v1/invoices/{invoice}/pdf");
        let (status, bytes) = file(&guest, &format!("{path}?token={}", order.token)).await;
        assert_eq!(status, 200);
        let page = format!("/invoices/{invoice}/invoice.pdf?t={}", order.token);
        assert_eq!(file(&guest, &page).await, (200, bytes.clone()));
        // In another language it is another file.
        let asked = guest.request(Method::GET, &format!("{path}?token={}", order.token));
        let asked = asked.header("accept-language", "qps-plocm").send().await;
        let other = asked.expect("an answer").bytes().await.expect("a body");
        assert!(other.starts_with(b"%PDF-") && other != bytes);
        let stranger = server.browser();
        account(&stranger, "somebody@example.org").await;
        for browser in [&guest, &stranger] {
            for query in ["", "?token=wrong"] {
                for what in ["pdf", "buyer"] {
                    let path = format!("/v1/invoices/{invoice}/{what}{query}");
                    assert_eq!(browser.get(&path).await.status(), 404, "{path}");
                }
                let path = format!("/v1/orders/{}/invoices{query}", order.order);
                assert_eq!(browser.get(&path).await.status(), 404, "{path}");
            }
            assert_eq!(file(browser, "/v1/invoices/inv_0/pdf").await.0, 404);
            assert_eq!(file(browser, "/v1/credit-notes/crn_0/pdf").await.0, 404);
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_buyer_s_details_are_added_once_and_no_seller_reads_them() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let guest = server.browser();
        let order = bought(test, &guest).await;
        let invoice = invoice_of(&guest, &order).await;
        let path = format!("/v1/invoices/{invoice}/buyer");
        let opened = format!("{path}?token={}", order.token);
        let (status, before) = guest.get_json(&opened).await;
        assert_eq!(status, 200, "{before}");
        assert_eq!(
            before,
            json!({"name": "", "email": "guest@example.org", "address": "", "tax_number": "",
                "open": true})
        );
        let details = json!({"name": "Ada GmbH", "address": "Limaweg 1\r\n10115 Berlin",
            "tax_number": "DE136695976"});
        let secret = format!("{path}?token=wrong");
        for (path, body, expected) in [
            (&path, details.clone(), (404, "not_found")),
            (&secret, details.clone(), (404, "not_found")),
            (&opened, json!({}), (422, "invoice_details")),
            (
                &opened,
                json!({"name": "x".repeat(121)}),
                (422, "invoice_details"),
            ),
            (
                &opened,
                json!({"address": "a\n".repeat(9)}),
                (422, "invoice_details"),
            ),
            (
                &opened,
                json!({"email": "a@example.org"}),
                (400, "json_unexpected"),
            ),
        ] {
            let (status, told) = put(&guest, path, body).await;
            assert_eq!(
                (status, told["code"].as_str()),
                (expected.0, Some(expected.1)),
                "{told}"
            );
        }
        assert_eq!(guest.get_json(&opened).await.1, before, "nothing was kept");
        let pdf = format!("/v1/invoices/{invoice}/pdf?token={}", order.token);
        let blank = file(&guest, &pdf).await.1;
        let (status, told) = put(&guest, &opened, details.clone()).await;
        let kept = json!({"name": "Ada GmbH", "email": "guest@example.org",
            "address": "Limaweg 1\n10115 Berlin", "tax_number": "DE136695976", "open": false});
        assert_eq!((status, &told), (200, &kept));
        assert_eq!(guest.get_json(&opened).await.1, kept);
        let named = file(&guest, &pdf).await.1;
        assert_ne!(named, blank, "the paper names them");
        let (status, told) = put(&guest, &opened, details).await;
        assert_eq!((status, &told["code"]), (409, &json!("invoice_complete")));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_seller_prints_the_own_lines_and_a_credit_note_has_a_file_too() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let guest = server.browser();
        let order = bought(test, &guest).await;
        let invoice = invoice_of(&guest, &order).await;
        let seller = person(test, SELLER, Role::Developer);
        let wish = AskRefund {
            order: OrderId::parse(&order.order).expect("an id"),
            line: None,
            amount_minor: Some(900),
            reason: Reason::Defective,
            note: "It crashed.".to_owned(),
            keeps_license: false,
            ends_subscription: false,
            seen_left_minor: None,
        };
        let asked = test.app.transact(&seller, RefundSale(wish), refund_sale);
        asked.await.expect("is asked");
        test.drain().await;
        let shown = of_order(test, &order, Some(&order.token)).await;
        assert_eq!(shown.expect("is seen")[0].id.to_string(), invoice);
        let page = format!("/invoices/{invoice}?t={}", order.token);
        let drawn = guest.get(&page).await.text().await.expect("a page");
        let credit = drawn.split("/credit-notes/").nth(1).expect("a credit note");
        let credit = credit.split('?').next().expect("an id");
        let path = format!("/v1/credit-notes/{credit}/pdf");
        let (status, bytes) = file(&guest, &format!("{path}?token={}", order.token)).await;
        assert_eq!(status, 200);
        let page = format!("/credit-notes/{credit}/credit-note.pdf?t={}", order.token);
        assert_eq!(file(&guest, &page).await, (200, bytes));
        assert_eq!(file(&guest, &path).await.0, 404, "a guest needs the secret");
        // The buyer who claims the order needs none.
        let ada = server.browser();
        account(&ada, "guest@example.org").await;
        let claim = format!("/v1/orders/{}/claim?token={}", order.order, order.token);
        assert_eq!(ada.post_json(&claim, &Value::Null).await.0, 204);
        assert_eq!(file(&ada, &path).await.0, 200);
        assert_eq!(
            file(&ada, &format!("/v1/invoices/{invoice}/pdf")).await.0,
            200
        );
        let (status, listed) = ada
            .get_json(&format!("/v1/orders/{}/invoices", order.order))
            .await;
        assert_eq!(
            (status, listed["invoices"].as_array().map(Vec::len)),
            (StatusCode::OK, Some(1))
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_seller_s_file_is_another_than_the_buyer_s() {
    TestApp::both(async |test| {
        crate::carts::seeded(test).await;
        let server = test.serve().await;
        let guest = server.browser();
        crate::carts::put(&guest, "hush").await;
        let drawn = crate::web_pages::page(&guest, "/cart/checkout").await;
        let hidden = |name| crate::web_pages::hidden(&drawn, name);
        let (csrf, quote) = (hidden("csrf"), hidden("quote"));
        let fields = [
            ("csrf", csrf.as_str()),
            ("quote", quote.as_str()),
            ("email", "ada@example.org"),
            ("waiver", "yes"),
        ];
        let sent = guest.request(Method::POST, "/cart/checkout").form(&fields);
        let answer = sent.send().await.expect("an answer");
        let to = answer.headers()[LOCATION]
            .to_str()
            .expect("text")
            .to_owned();
        let to = crate::web_pages::path_of(&to);
        let paid = guest
            .request(Method::POST, &to)
            .form(&[("choice", "succeed")]);
        paid.send().await.expect("an answer");
        test.drain().await;
        let mara = server.browser();
        crate::web_pages::sign_in(&mara, "mara@lichen.example").await;
        let (_, listed) = mara.get_json("/v1/invoices?as=seller&limit=1").await;
        let id = listed["invoices"][0]["invoice_id"].as_str().expect("an id");
        let (status, theirs) = file(&mara, &format!("/v1/invoices/{id}/pdf")).await;
        assert_eq!(status, 200);
        let path = format!("/v1/invoices/{id}/buyer");
        assert_eq!(mara.get(&path).await.status(), 404, "no buyer is told");
        let (status, _) = put(&mara, &path, json!({"name": "Somebody"})).await;
        assert_eq!(status, 404);
        let owner = server.browser();
        crate::web_pages::sign_in(&owner, "ines@mintreu.example").await;
        let (status, whole) = file(&owner, &format!("/v1/invoices/{id}/pdf")).await;
        assert_eq!(status, 200);
        assert_ne!(theirs, whole, "the owner's names the buyer");
        server.stop().await;
    })
    .await;
}
