//! The desk: a seller's sales and refunds, and what the buyer reads of them, by their forms alone.

use crate::web_pages::{hidden, page, send, sign_in};
use axum::http::StatusCode;
use mintreu::id::OrderId;
use mintreu::{Currency, Money};
use mintreu_server::demo::{self, People};
use mintreu_server::domains::catalog::ops::{ProductAt, product_at};
use mintreu_server::domains::fulfilment::{Item, Purchase, Wanted, start};
use mintreu_server::domains::ledger::Traffic;
use mintreu_server::gateways::sandbox::model::Choice;
use mintreu_server::gateways::sandbox::objects::{ObjectState, Raise, raise_dispute};
use mintreu_server::gateways::sandbox::ops::{Choose, choose};
use mintreu_tests::{Browser, TestApp};

const SELLER: &str = "mara@lichen.example";
const BUYER: &str = "priya@customer.example";

/// Buys the darkroom for 79.00 and pays for it; answers the order and the provider's session.
pub async fn buy(test: &TestApp, people: &People) -> (OrderId, String) {
    let buyer = people.caller(BUYER).expect("a buyer");
    let slug = "lichen-darkroom".to_owned();
    let product = test.app.read(&buyer, ProductAt { slug }, product_at).await;
    let price = product.expect("a product").prices[0].id;
    let purchase = Purchase {
        wanted: Wanted {
            items: vec![Item::new(price, 1)],
            ..Wanted::default()
        },
        seen: Money::new(7_900, Currency::EUR),
        email: None,
        traffic: Traffic::Marketplace,
        network: None,
        provider: None,
    };
    let started = start(&test.app, &buyer, None, purchase)
        .await
        .expect("starts");
    let url = started.pay_url.expect("a page");
    let session = url.rsplit('/').next().expect("a session").to_owned();
    let pay = Choose {
        session: session.clone(),
        choice: Choice::Succeed,
        country: None,
    };
    test.app.transact(&buyer, pay, choose).await.expect("pays");
    test.drain().await;
    (started.order, session)
}

/// The address of the newest sale on the list.
fn newest(list: &str) -> String {
    let at = list.split("href=\"/sell/sales/").nth(1).expect("a sale");
    format!("/sell/sales/{}", at.split('"').next().expect("its line"))
}

#[tokio::test]
async fn a_seller_refunds_by_forms_and_the_buyer_reads_of_it() {
    let test = TestApp::sqlite().await;
    let people = demo::seed(&test.app).await.expect("filled").expect("fresh");
    let server = test.serve().await;
    let (order, _) = buy(&test, &people).await;
    let seller = server.browser();
    sign_in(&seller, SELLER).await;
    let sale = newest(&page(&seller, "/sell/sales").await);
    let shown = page(&seller, &sale).await;
    for said in [
        "Who got what",
        "20.00 % of the net price",
        "on hold until",
        "The buyer’s license",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    let action = format!("{sale}/refund");

    // Every refusal stands at its field, and what was typed is kept.
    for (amount, reason, said) in [
        ("much", "duplicate", "Write the amount in digits"),
        ("79.01", "duplicate", "at most €79.00 can go back"),
        ("0", "duplicate", "at most €79.00 can go back"),
        ("12.00", "", "Say why."),
    ] {
        let fields = [("amount", amount), ("reason", reason), ("note", "sorry")];
        let (status, _, body) = send(&seller, &sale, &action, &fields).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(body.contains(said), "{said}: {body}");
        let kept = format!("value=\"{amount}\"");
        assert!(
            body.contains(&kept) && body.contains("value=\"sorry\""),
            "{body}"
        );
    }
    let long = "x".repeat(501);
    let fields = [
        ("amount", "12"),
        ("reason", "other"),
        ("note", long.as_str()),
    ];
    let (status, _, body) = send(&seller, &sale, &action, &fields).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body.contains("at most 500 characters"), "{body}");

    // A part: told first, then done, and done once however often the button is pressed.
    let wish = [
        ("amount", "9.00"),
        ("reason", "defective"),
        ("note", "A word"),
    ];
    let (status, _, told) = send(&seller, &sale, &action, &wish).await;
    assert_eq!(status, StatusCode::OK);
    for said in [
        "Refund €9.00?",
        "The license works on",
        "€70.00 could be refunded",
    ] {
        assert!(told.contains(said), "{said}: {told}");
    }
    assert!(
        page(&seller, &sale).await.contains("At most €79.00"),
        "nothing happened"
    );
    let (key, left) = (hidden(&told, "key"), hidden(&told, "left"));
    let mut confirmed = wish.to_vec();
    confirmed.extend([("key", key.as_str()), ("left", &left), ("step", "confirm")]);
    for _ in 0..2 {
        let (status, to, body) = send(&seller, &sale, &action, &confirmed).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{body}");
        assert_eq!(to, format!("{sale}?done=refund"));
    }
    test.drain().await;
    let shown = page(&seller, &sale).await;
    let rows = shown.matches("A word</span>").count();
    assert_eq!(rows, 1, "one refund: {shown}");
    assert!(shown.contains("At most €70.00"), "{shown}");
    let list = page(&seller, "/sell/sales?state=partially_refunded").await;
    assert!(list.contains(&sale), "{list}");
    let list = page(&seller, "/sell/sales?state=paid").await;
    assert!(
        !list.contains(&sale) && list.contains("No sale in this state"),
        "{list}"
    );

    // Figures of a page that has grown old are refused.
    let mut stale = confirmed.clone();
    stale[3] = ("key", "another");
    let (status, _, body) = send(&seller, &sale, &action, &stale).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body.contains("€70.00 is left now"), "{body}");

    // All of the rest: the license goes.
    let wish = [("amount", "70.00"), ("reason", "requested_by_customer")];
    let (_, _, told) = send(&seller, &sale, &action, &wish).await;
    assert!(told.contains("The license is withdrawn"), "{told}");
    let (key, left) = (hidden(&told, "key"), hidden(&told, "left"));
    let mut confirmed = wish.to_vec();
    confirmed.extend([("key", key.as_str()), ("left", &left), ("step", "confirm")]);
    assert_eq!(
        send(&seller, &sale, &action, &confirmed).await.0,
        StatusCode::SEE_OTHER
    );
    test.drain().await;
    assert!(
        page(&seller, &sale)
            .await
            .contains("Nothing is left to refund")
    );

    let buyer = server.browser();
    sign_in(&buyer, BUYER).await;
    let read = page(&buyer, &format!("/orders/{order}")).await;
    for said in [
        "€9.00 went back to the card",
        "A word",
        "€70.00 went back to the card",
    ] {
        assert!(read.contains(said), "{said}: {read}");
    }
    let stranger = server.browser();
    sign_in(&stranger, "tomasz@northbeam.example").await;
    let seen = stranger.get(&sale).await;
    assert_eq!(seen.status(), StatusCode::NOT_FOUND);
    drop((seller, buyer, stranger));
    server.stop().await;
    test.finish().await;
}

#[tokio::test]
async fn what_a_bank_asks_is_said_to_both_and_stops_refunds() {
    let test = TestApp::sqlite().await;
    let people = demo::seed(&test.app).await.expect("filled").expect("fresh");
    let server = test.serve().await;
    let (order, session) = buy(&test, &people).await;
    let raise = Raise {
        session,
        state: ObjectState::Opened,
    };
    let guest = test.guest();
    test.app
        .transact(&guest, raise, raise_dispute)
        .await
        .expect("is raised");
    test.drain().await;
    let seller = server.browser();
    sign_in(&seller, SELLER).await;
    let list = page(&seller, "/sell/sales").await;
    assert!(list.contains("The bank asks"), "{list}");
    let shown = page(&seller, &newest(&list)).await;
    for said in [
        "Took the money",
        "The bank has it until it decides",
        "until then nothing can be refunded",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(
        !shown.contains("name=\"amount\""),
        "there is no form: {shown}"
    );
    let buyer = server.browser();
    sign_in(&buyer, BUYER).await;
    let read = page(&buyer, &format!("/orders/{order}")).await;
    assert!(read.contains("Your bank took €79.00 back on"), "{read}");
    answers_the_bank(&seller, &shown).await;
    test.drain().await;
    let stranger = server.browser();
    sign_in(&stranger, "tomasz@northbeam.example").await;
    let seen = stranger.get(&answer_page(&shown)).await;
    assert_eq!(seen.status(), StatusCode::NOT_FOUND);
    drop((seller, buyer, stranger));
    server.stop().await;
    test.finish().await;
}

/// Where the sale's page leads to answer the bank.
fn answer_page(sale: &str) -> String {
    let at = sale.split("href=\"/sell/disputes/").nth(1).expect("a link");
    format!("/sell/disputes/{}", at.split('"').next().expect("an id"))
}

/// A draft is kept, a mistake is shown at its field, and the answer is sent once.
async fn answers_the_bank(seller: &Browser, sale: &str) {
    let path = answer_page(sale);
    let shown = page(seller, &path).await;
    for said in [
        "7 days are left",
        "1 x Lichen Darkroom",
        "Give the dispute up",
    ] {
        assert!(shown.contains(said), "{said}: {shown}");
    }
    assert!(!shown.contains(BUYER), "the buyer's address is not shown");
    let fields = [
        ("step", "save"),
        ("seen", "chargeback"),
        ("statement", "It <works>."),
    ];
    let (status, to, _) = send(seller, &path, &path, &fields).await;
    assert_eq!(
        (status, to.as_str()),
        (StatusCode::SEE_OTHER, &*format!("{path}?done=save"))
    );
    let kept = page(seller, &path).await;
    assert!(kept.contains("It &#60;works&#62;."), "{kept}");
    let long = "x".repeat(5_001);
    let fields = [("step", "save"), ("statement", long.as_str())];
    let (status, _, body) = send(seller, &path, &path, &fields).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        body.contains("At most 5000 characters") || body.contains("At most 5,000"),
        "{body}"
    );
    let (status, _, body) = send(seller, &path, &path, &[("step", "accept")]).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(body.contains("Say that you mean it."), "{body}");
    let fields = [("step", "submit"), ("statement", "It works.")];
    let (status, _, body) = send(seller, &path, &path, &fields).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{body}");
    let (status, _, body) = send(seller, &path, &path, &fields).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        body.contains("It was answered or given up meanwhile"),
        "{body}"
    );
    assert!(!body.contains("<textarea"), "{body}");
}
