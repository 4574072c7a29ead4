//! Quotes that can't drift: what was shown is charged, once, or nothing is.

use crate::shop::{Shop, shop};
use mintreu_server::demo::{self, PASSWORD};
use mintreu_server::domains::promotions::{
    CreateCoupon, OwnCoupons, SwitchCoupon, create_coupon, own_coupons, switch_coupon,
};
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

async fn spring(test: &TestApp, shop: &Shop) {
    let rule = serde_json::from_value(json!({"percent_bps": 2000})).expect("a rule");
    let code = "SPRING".to_owned();
    let command = CreateCoupon { code, rule };
    let made = test
        .app
        .transact(&shop.seller, command, create_coupon)
        .await;
    made.expect("is written");
}

async fn quote(guest: &Browser, shop: &Shop) -> Value {
    let body = json!({
        "items": [{"price_id": shop.price.to_string()}], "codes": ["spring", "nobody's"],
    });
    let (status, quoted) = guest.post_json("/v1/quotes", &body).await;
    assert_eq!(status, StatusCode::OK, "{quoted}");
    quoted
}

async fn confirm(guest: &Browser, quoted: &Value, email: &str) -> (StatusCode, Value) {
    let body = json!({
        "quote": quoted["quote"], "email": email, "accepted": ["withdrawal_waiver"],
    });
    guest.post_json("/v1/quotes/confirmations", &body).await
}

#[tokio::test]
async fn what_was_shown_is_charged_or_the_answer_says_what_changed() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        spring(test, &shop).await;
        let guest = server.browser();
        let quoted = quote(&guest, &shop).await;
        assert_eq!(
            (
                &quoted["total_minor"],
                &quoted["lines"][0]["discount_minor"]
            ),
            (&json!(3920), &json!(980))
        );
        assert_eq!(quoted["refused"][0]["reason"], "coupon_invalid");
        let coupon = test
            .app
            .read(&shop.seller, OwnCoupons, own_coupons)
            .await
            .expect("reads")[0]
            .id;
        let switch = SwitchCoupon { coupon, on: false };
        test.app
            .transact(&shop.seller, switch, switch_coupon)
            .await
            .expect("is switched");
        let (status, problem) = confirm(&guest, &quoted, "a@example.org").await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("quote_changed")),
            "{problem}"
        );
        let change =
            json!({"title": "Acme Editor", "what": "discount", "was_minor": 980, "now_minor": 0});
        assert_eq!(problem["changes"], json!([change]));
        assert_eq!(problem["quote"]["total_minor"], 4900);
        // The quote of the answer holds.
        let (status, started) = confirm(&guest, &problem["quote"], "a@example.org").await;
        assert_eq!(status, StatusCode::CREATED, "{started}");
        let (_, page) = guest
            .get_json(&format!(
                "/v1/orders/{}?token={}",
                started["order_id"].as_str().expect("an id"),
                started["token"].as_str().expect("a token")
            ))
            .await;
        assert_eq!(page["total_minor"], 4900);
        // A day later nothing is promised any more.
        let old = quote(&guest, &shop).await;
        test.clock.advance(24 * 60 * 60 * 1000);
        let (status, problem) = confirm(&guest, &old, "a@example.org").await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("quote_changed"))
        );
        let forged = json!({ "quote": "AAAA" });
        let (status, problem) = confirm(&guest, &forged, "a@example.org").await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("quote_malformed"))
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn who_tries_too_often_waits() {
    let test = TestApp::sqlite().await;
    let server = test.serve().await;
    let guest = server.browser();
    let forged = json!({ "quote": "AAAA" });
    let mut told = 0;
    for _ in 0..=test.app.config.checkout.confirms_per_minute {
        let (status, _) = confirm(&guest, &forged, "a@example.org").await;
        told += u32::from(status == StatusCode::TOO_MANY_REQUESTS);
    }
    assert_eq!(told, 1, "the one beyond the limit");
    test.clock.advance(60_000);
    let (status, _) = confirm(&guest, &forged, "a@example.org").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    server.stop().await;
    test.finish().await;
}

fn hidden(text: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" value=\"");
    let rest = text.split_once(&start).expect("the field").1;
    rest.split('"').next().expect("its end").to_owned()
}

async fn text(browser: &Browser, path: &str) -> String {
    let response = browser.get(path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    response.text().await.expect("a body")
}

async fn send(
    browser: &Browser,
    from: &str,
    to: &str,
    fields: &[(&str, &str)],
) -> (StatusCode, String) {
    let csrf = hidden(&text(browser, from).await, "csrf");
    let mut form = vec![("csrf", csrf.as_str())];
    form.extend_from_slice(fields);
    let sent = browser.request(Method::POST, to).form(&form).send().await;
    let answer = sent.expect("an answer");
    (answer.status(), answer.text().await.expect("a body"))
}

#[tokio::test]
async fn a_seller_writes_a_coupon_and_a_buyer_types_it() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        test.drain().await;
        let server = test.serve().await;
        let seller = server.browser();
        let door = [("email", "mara@lichen.example"), ("password", PASSWORD)];
        assert_eq!(
            send(&seller, "/sign-in", "/sign-in", &door).await.0,
            StatusCode::SEE_OTHER
        );
        let page = "/sell/coupons";
        let wrong = [("code", "x"), ("off", "much"), ("products", "no.such")];
        let (status, drawn) = send(&seller, page, page, &wrong).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(drawn.contains("id=\"off-error\"") && drawn.contains("id=\"products-error\""));
        let sound = [
            ("code", "hush50"),
            ("off", "50 %"),
            ("most", "5"),
            ("least", "2"),
        ];
        assert_eq!(
            send(&seller, page, page, &sound).await.0,
            StatusCode::SEE_OTHER
        );
        let (status, drawn) = send(&seller, page, page, &sound).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(drawn.contains("id=\"code-error\""), "the code is taken");
        let list = text(&seller, page).await;
        assert!(list.contains("HUSH50") && list.contains("0 of 5"), "{list}");

        let guest = server.browser();
        let hush = "/checkout/hush";
        // The link brings the code; one unit is too few for it, and the page says so.
        let drawn = text(&guest, &format!("{hush}?code=Hush50&email=ada@example.org")).await;
        assert!(
            drawn.contains("id=\"code-error\"") && drawn.contains("at least 2"),
            "{drawn}"
        );
        assert!(drawn.contains("value=\"ada@example.org\""));
        let drawn = text(&guest, &format!("{hush}?code=hush50&quantity=2")).await;
        assert!(
            drawn.contains("Discount by HUSH50") && drawn.contains("Pay €49.00"),
            "{drawn}"
        );
        let (price, quote) = (hidden(&drawn, "price"), hidden(&drawn, "quote"));
        let typed = [
            ("price", price.as_str()),
            ("quote", &quote),
            ("email", "ada@example.org"),
            ("waiver", "yes"),
            ("quantity", "2"),
        ];
        // The code was taken out of the field: that is another total, so nothing is charged yet.
        let (status, again) = send(&guest, hush, hush, &typed).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(
            again.contains("Pay €98.00") && again.contains("Nothing was charged"),
            "{again}"
        );
        let mut whole = typed.to_vec();
        whole.push(("code", "hush50"));
        let (status, _) = send(&guest, hush, hush, &whole).await;
        assert_eq!(status, StatusCode::SEE_OTHER);
        assert!(text(&seller, page).await.contains("2 of 5"));
        // Switched off while a buyer looks, the page says what changed.
        let drawn = text(&guest, &format!("{hush}?code=hush50&quantity=2")).await;
        let quote = hidden(&drawn, "quote");
        let id = list.split_once("href=\"/sell/coupons/").expect("a link").1;
        let id = id.split('"').next().expect("its end");
        let switch = format!("{page}/{id}/switch");
        assert_eq!(
            send(&seller, page, &switch, &[("on", "no")]).await.0,
            StatusCode::SEE_OTHER
        );
        let late = [
            ("price", price.as_str()),
            ("quote", &quote),
            ("email", "ada@example.org"),
            ("waiver", "yes"),
            ("quantity", "2"),
            ("code", "hush50"),
        ];
        let (status, told) = send(&guest, hush, hush, &late).await;
        assert_eq!(status, StatusCode::CONFLICT);
        assert!(
            told.contains("the discount was €49.00 and is €0.00 now"),
            "{told}"
        );
        assert!(told.contains("id=\"code-error\""), "and why");
        server.stop().await;
    })
    .await;
}
