//! Invoices and credit notes as people see them: pages, lists by year, files; others find nothing.

use crate::papers::of_order;
use crate::shop::{Bought, SELLER, check_out, choose, person, shop};
use crate::web_pages::{hidden, page, send};
use mintreu::id::OrderId;
use mintreu_server::caller::Role;
use mintreu_server::domains::refunds::{AskRefund, Reason, RefundSale, refund_sale};
use mintreu_tests::{Browser, TestApp};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, StatusCode};
use serde_json::json;

/// A paid order of a guest, and its invoice's address with the order's secret.
async fn bought(test: &TestApp, guest: &Browser) -> (Bought, String) {
    let shop = shop(test).await;
    let order = check_out(guest, &shop).await;
    choose(guest, &order, "succeed").await;
    test.drain().await;
    let from = format!("/orders/{}/invoice?t={}", order.order, order.token);
    let sent = guest.get(&from).await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    let to = sent.headers()[LOCATION].to_str().expect("text").to_owned();
    (order, to)
}

/// Somebody with an account of the guest's address, signed in.
pub async fn account(browser: &Browser, email: &str) {
    let password = "a tame raven sings";
    let body = json!({"email": email, "name": "Ada", "password": password});
    assert_eq!(browser.post_json("/v1/accounts", &body).await.0, 201);
    let door = json!({"email": email, "password": password});
    assert_eq!(browser.post_json("/v1/sessions", &door).await.0, 201);
}

#[tokio::test]
async fn a_guest_reads_the_invoice_and_puts_the_own_details_on_it_once() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let guest = server.browser();
        let (order, address) = bought(test, &guest).await;
        let shown = page(
            &guest,
            &format!("/orders/{}?t={}", order.order, order.token),
        )
        .await;
        assert!(shown.contains(&format!("/orders/{}/invoice?t=", order.order)));
        let drawn = page(&guest, &address).await;
        for told in [
            "Invoice INV-000001",
            "Acme Editor",
            "€49.00",
            "Mintreu",
            "guest@example.org",
            "0 % €0.00",
            "not registered: the seller of record collects no tax",
            "Paid",
        ] {
            assert!(drawn.contains(told), "{told}: {drawn}");
        }
        let (base, token) = address.split_once('?').expect("a token");
        let action = format!("{base}/buyer?{token}");
        let long = "x".repeat(200);
        let (status, _, text) = send(&guest, &address, &action, &[("name", long.as_str())]).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(text.contains("120 characters"), "{text}");
        let fields = [
            ("name", "Ada & Söhne GmbH"),
            ("address", "Limaweg 1\r\n10115 Berlin"),
            ("tax_number", "DE136695976"),
        ];
        let csrf = hidden(&page(&guest, &address).await, "csrf");
        let (status, to, _) = send(&guest, &address, &action, &fields).await;
        assert_eq!((status, &to), (StatusCode::SEE_OTHER, &address));
        let drawn = page(&guest, &address).await;
        assert!(drawn.contains("Ada &#38; Söhne GmbH") && drawn.contains("10115 Berlin"));
        assert!(drawn.contains("Tax number DE136695976"), "{drawn}");
        assert!(!drawn.contains("Add your details"), "the form is gone");
        let mut again = vec![("csrf", csrf.as_str())];
        again.extend_from_slice(&fields);
        let sent = guest
            .request(Method::POST, &action)
            .form(&again)
            .send()
            .await;
        assert_eq!(sent.expect("an answer").status(), StatusCode::CONFLICT);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_file_is_the_same_bytes_until_the_paper_says_something_else() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let guest = server.browser();
        let (_, address) = bought(test, &guest).await;
        let (base, token) = address.split_once('?').expect("a token");
        let mut files = Vec::new();
        for round in 0..3 {
            let file = guest.get(&format!("{base}/invoice.pdf?{token}")).await;
            assert_eq!(file.status(), StatusCode::OK);
            assert_eq!(file.headers()[CONTENT_TYPE], "application/pdf");
            let bytes = file.bytes().await.expect("a body");
            assert!(bytes.starts_with(b"%PDF-") && bytes.len() > 5_000);
            files.push(bytes);
            test.clock.advance(86_400_000);
            if round == 1 {
                let action = format!("{base}/buyer?{token}");
                let fields = [("name", "شركة ליאור 漢字 Łódź")];
                let (status, _, _) = send(&guest, &address, &action, &fields).await;
                assert_eq!(status, StatusCode::SEE_OTHER);
            }
        }
        assert_eq!(files[0], files[1]);
        assert_ne!(files[1], files[2]);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn others_find_no_invoice_and_no_file() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let guest = server.browser();
        let (order, address) = bought(test, &guest).await;
        let base = address.split('?').next().expect("a path");
        let of_order = format!("/orders/{}/invoice", order.order);
        let stranger = server.browser();
        account(&stranger, "somebody@example.org").await;
        for path in [
            base.to_owned(),
            format!("{base}?t=wrong"),
            format!("{base}/invoice.pdf"),
            format!("{base}/invoice.pdf?t=wrong"),
            of_order.clone(),
            "/invoices/inv_0".to_owned(),
            "/credit-notes/crn_0".to_owned(),
            "/invoices?year=99999999".to_owned(),
            "/invoices?after=1.zz".to_owned(),
        ] {
            let status = stranger.get(&path).await.status();
            assert!(status == 404 || status == 400, "{path}: {status}");
        }
        let empty = page(&stranger, "/invoices").await;
        assert!(empty.contains("No invoice here"), "{empty}");
        for path in ["/invoices", "/invoices.csv", base, of_order.as_str()] {
            let status = server.browser().get(path).await.status();
            assert_ne!(status, 200, "{path}");
        }
        let file = stranger.get("/sell/invoices").await.status();
        assert_eq!(file, 403);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn lists_and_files_hold_what_was_paid_and_credited_by_year() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let guest = server.browser();
        let (order, address) = bought(test, &guest).await;
        test.clock.advance(60_000);
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
        let drawn = page(&guest, &address).await;
        assert!(drawn.contains("Credit note CN-000001"), "{drawn}");
        let ada = server.browser();
        account(&ada, "guest@example.org").await;
        let claim = format!("/v1/orders/{}/claim?token={}", order.order, order.token);
        assert_eq!(ada.post_json(&claim, &serde_json::Value::Null).await.0, 204);
        let listed = page(&ada, "/invoices").await;
        for told in [
            "Invoice INV-000001",
            "Credit note CN-000001",
            "€49.00",
            "\u{2212}€9.00",
        ] {
            assert!(listed.contains(told), "{told}: {listed}");
        }
        assert!(
            page(&ada, "/invoices?year=2027")
                .await
                .contains("INV-000001")
        );
        assert!(
            page(&ada, "/invoices?year=2026")
                .await
                .contains("No invoice here")
        );
        let file = ada.get("/invoices.csv?year=2027").await;
        assert_eq!(file.headers()[CONTENT_TYPE], "text/csv; charset=utf-8");
        let text = file.text().await.expect("a body");
        let lines: Vec<_> = text.split("\r\n").collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[1].starts_with("CN-000001,credit_note,INV-000001,2027-01-15T"));
        assert!(lines[1].ends_with(",EUR,0.00,-9.00"), "{text}");
        assert!(lines[2].starts_with("INV-000001,invoice,,2027-01-15T08:00:00Z,paid,ord_"));
        assert!(lines[2].ends_with(",EUR,0.00,49.00"), "{text}");
        let found = of_order(test, &order, Some(&order.token))
            .await
            .expect("is seen");
        let credits = test.app.read(
            &seller,
            mintreu_server::domains::fulfilment::ViewInvoice {
                invoice: found[0].id,
                token: None,
            },
            mintreu_server::domains::fulfilment::invoice_paper,
        );
        let credit = credits.await.expect("is seen").credits[0].note.id;
        let note = page(&ada, &format!("/credit-notes/{credit}")).await;
        for told in [
            "Credit note CN-000001",
            "Invoice INV-000001",
            "It doesn’t work",
            "It crashed.",
            "€9.00",
        ] {
            assert!(note.contains(told), "{told}: {note}");
        }
        server.stop().await;
    })
    .await;
}
