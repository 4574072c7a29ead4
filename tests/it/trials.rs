//! Trials: offered by a seller, begun in the shop and by programs, reminded, charged or not, and one a
//! person.

use crate::shop::{listed, order_of, paid, stall};
use crate::web_pages::{hidden, page, send, sign_in};
use crate::web_papers::account;
use mintreu::Timestamp;
use mintreu_server::caller::Caller;
use mintreu_server::demo;
use mintreu_server::domains::catalog::Product;
use mintreu_server::domains::catalog::model::{PriceDraft, Trial, draft_of};
use mintreu_server::domains::catalog::ops::{AddPrice, ChangePrice, add_price, change_price};
use mintreu_tests::{Browser, TestApp};
use reqwest::StatusCode;
use serde_json::{Value, json};

const DAY_MS: i64 = 86_400_000;

/// A product of 29.00 a month that can be tried for 14 days, and its seller.
async fn tryable(test: &TestApp, without_method: bool) -> (Product, Caller) {
    let seller = stall(test, "Relay").await;
    let draft = json!({
        "code": "relay.app", "kind": "subscription", "name": "Relay", "summary": "Relays.",
        "categories": ["tools"],
        "prices": [{"model": "recurring", "period": "monthly", "amount_minor": 2900,
            "currency": "EUR", "trial": {"days": 14, "without_method": without_method}}],
    });
    (listed(test, &seller, draft).await, seller)
}

fn address(product: &Product) -> String {
    format!("/p/{}/try?price={}", product.slug, product.prices[0].id)
}

/// Sends the page's form as it stands, with these fields besides.
async fn start(
    browser: &Browser,
    product: &Product,
    fields: &[(&str, &str)],
) -> (StatusCode, String, String) {
    let path = address(product);
    let shown = page(browser, &path).await;
    let kept = ["price", "days", "first"].map(|name| (name, hidden(&shown, name)));
    let mut form: Vec<_> = kept
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    form.extend_from_slice(fields);
    send(browser, &path, &format!("/p/{}/try", product.slug), &form).await
}

const PAYS: [(&str, &str); 1] = [("method", "sbm_pays")];

/// Begins a trial in the shop; answers the path of its subscription in the API.
async fn begun(browser: &Browser, product: &Product, fields: &[(&str, &str)]) -> String {
    let (status, to, text) = start(browser, product, fields).await;
    assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
    assert!(to.starts_with("/subscriptions/sub_"), "{to}");
    format!("/v1{to}")
}

async fn state(browser: &Browser, path: &str) -> (String, usize) {
    let (code, found) = browser.get_json(path).await;
    assert_eq!(code, 200, "{found}");
    let bills = found["bills"].as_array().expect("bills").len();
    (
        found["status"].as_str().expect("a status").to_owned(),
        bills,
    )
}

async fn go(test: &TestApp, days: u32) {
    test.clock.advance(days * 86_400_000);
    test.drain().await;
}

/// By the API, as a program does it.
async fn asked(browser: &Browser, product: &Product, method: Option<&str>) -> (StatusCode, Value) {
    let mut body = json!({"price_id": product.prices[0].id.to_string()});
    if let Some(method) = method {
        body["method"] = json!(method);
    }
    browser.post_json("/v1/trials", &body).await
}

async fn signed_in(test: &TestApp, browser: &Browser, email: &str) {
    account(browser, email).await;
    test.drain().await;
}

#[tokio::test]
async fn a_trial_begins_in_the_shop_is_reminded_of_and_charged_at_its_end() {
    TestApp::both(async |test| {
        let (product, _) = tryable(test, false).await;
        let server = test.serve().await;
        let ada = server.browser();
        let offered = page(&ada, &format!("/p/{}", product.slug)).await;
        let says = "14 days free, then €29.00 a month; cancel any time before.";
        assert!(offered.contains(says), "{offered}");
        assert!(offered.contains(&address(&product)), "{offered}");
        let bought = page(&ada, &format!("/checkout/{}", product.slug)).await;
        assert!(bought.contains(says), "{bought}");
        let led = ada.get(&address(&product)).await;
        assert_eq!(
            led.status(),
            StatusCode::SEE_OTHER,
            "nobody tries as a guest"
        );

        signed_in(test, &ada, "ada@example.org").await;
        let shown = page(&ada, &address(&product)).await;
        for told in [says, "Today", "€0.00", "First charge, on", "€29.00"] {
            assert!(shown.contains(told), "{told}: {shown}");
        }
        assert!(!shown.contains("right to withdraw"), "{shown}");
        let (status, _, text) = start(&ada, &product, &[]).await;
        assert_eq!(status, 422, "its seller asks for a method");
        assert!(text.contains("Choose what is charged"), "{text}");
        let path = begun(&ada, &product, &PAYS).await;
        assert_eq!(state(&ada, &path).await, ("trialing".to_owned(), 0));
        agreed(&ada, &path).await;

        test.drain().await;
        let reminded = |test: &TestApp| {
            let mails = test.mails().into_iter();
            let about = mails.filter(|mail| mail.contains("Your trial of Relay ends soon"));
            about.count()
        };
        assert_eq!(reminded(test), 0);
        go(test, 11).await;
        assert_eq!(reminded(test), 1, "three days before");
        go(test, 2).await;
        assert_eq!(state(&ada, &path).await, ("trialing".to_owned(), 0));
        go(test, 1).await;
        assert_eq!(state(&ada, &path).await, ("active".to_owned(), 1));
        let orders = page(&ada, "/orders").await;
        assert!(
            orders.contains("Relay") && orders.contains("€29.00"),
            "{orders}"
        );
        drop(ada);
        server.stop().await;
    })
    .await;
}

/// What its license grants was agreed to when it began; nothing was waived.
async fn agreed(browser: &Browser, path: &str) {
    let (_, found) = browser.get_json(path).await;
    let consents = found["consents"].as_array().expect("consents");
    let kinds: Vec<_> = consents.iter().map(|one| &one["kind"]).collect();
    assert_eq!(kinds, ["license_terms"], "{found}");
    assert_eq!(consents[0]["version"], "2026-11-en");
    let hash = consents[0]["text_sha256"].as_str().expect("a hash");
    assert_eq!(hash.len(), 64, "{hash}");
    let shown = page(browser, path.trim_start_matches("/v1")).await;
    assert!(
        shown.contains("What you agreed to") && shown.contains("The terms of each license"),
        "{shown}"
    );
    assert!(!shown.contains("right to withdraw"), "{shown}");
}

#[tokio::test]
async fn everybody_tries_once_also_under_an_alias_and_is_offered_to_buy() {
    TestApp::both(async |test| {
        let (product, _) = tryable(test, false).await;
        let server = test.serve().await;
        let ada = server.browser();
        signed_in(test, &ada, "A.da+one@gmail.com").await;
        let path = begun(&ada, &product, &PAYS).await;
        let (status, found) = ada
            .post_json(&format!("{path}/actions"), &json!({"action": "cancel_now"}))
            .await;
        assert_eq!(status, 200, "{found}");
        let (status, refused) = asked(&ada, &product, Some("sbm_pays")).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (409, &json!("trial_used"))
        );
        for alias in ["ada+two@gmail.com", "ADA@googlemail.com", "ad.a@gmail.com"] {
            let other = server.browser();
            signed_in(test, &other, alias).await;
            let shown = page(&other, &address(&product)).await;
            assert!(
                shown.contains("You have tried this already"),
                "{alias}: {shown}"
            );
            let buy = format!("/checkout/{}?price={}", product.slug, product.prices[0].id);
            assert!(shown.contains(&format!("href=\"{buy}\"")), "{shown}");
            let (status, refused) = asked(&other, &product, Some("sbm_pays")).await;
            assert_eq!(
                (status.as_u16(), &refused["code"]),
                (409, &json!("trial_used"))
            );
        }
        // What is bought after that is paid at once, and is no second trial.
        let buyer = server.browser();
        signed_in(test, &buyer, "ada+three@gmail.com").await;
        paid(test, &buyer, &order_of(product.prices[0].id, 2_900)).await;
        let (_, found) = buyer.get_json("/v1/subscriptions").await;
        assert_eq!(found["subscriptions"][0]["status"], "active", "{found}");
        // Somebody else, whose address only looks alike, has a trial of their own.
        for other in ["ada@example.org", "a.da@example.org"] {
            let browser = server.browser();
            signed_in(test, &browser, other).await;
            begun(&browser, &product, &PAYS).await;
        }
        drop(ada);
        server.stop().await;
        test.drain().await;
    })
    .await;
}

#[tokio::test]
async fn what_stands_in_for_a_price_is_tried_as_it_is_where_the_buyer_is() {
    TestApp::both(async |test| {
        let (product, seller) = tryable(test, false).await;
        let usual = product.prices[0].id;
        let mut draft = draft_of(&product).prices.remove(0);
        draft.amount_minor = 500;
        draft.countries = vec!["IN".to_owned()];
        draft.trial = None;
        let there = |draft: PriceDraft| AddPrice {
            product: product.id,
            draft,
            region_of: Some(usual),
        };
        let mut other = draft.clone();
        other.trial = Some(Trial {
            days: 3,
            without_method: false,
        });
        let refused = test.app.transact(&seller, there(other), add_price).await;
        assert!(refused.is_err(), "it is tried as the plan is");
        let added = test.app.transact(&seller, there(draft), add_price).await;
        let (_, regional) = added.expect("is added");
        let server = test.serve().await;
        let ada = server.browser();
        signed_in(test, &ada, "ada@example.org").await;
        let everywhere = page(&ada, &address(&product)).await;
        assert!(
            everywhere.contains("€29.00") && everywhere.contains("India"),
            "{everywhere}"
        );
        let path = format!("{}&country=IN", address(&product));
        let shown = page(&ada, &path).await;
        assert!(
            shown.contains("14 days free, then €5.00 a month"),
            "{shown}"
        );
        let kept = ["price", "days", "first"].map(|name| (name, hidden(&shown, name)));
        let mut form: Vec<_> = kept
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        form.extend(PAYS);
        let to = format!("/p/{}/try", product.slug);
        // Without the country it is the usual price, which isn't what was shown.
        let (status, _, text) = send(&ada, &path, &to, &form).await;
        assert_eq!(status, StatusCode::CONFLICT, "{text}");
        form.push(("country", "IN"));
        let (status, to, text) = send(&ada, &path, &to, &form).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
        let (_, found) = ada.get_json(&format!("/v1{to}")).await;
        assert_eq!(
            (&found["unit_minor"], &found["status"]),
            (&json!(500), &json!("trialing"))
        );
        let bob = server.browser();
        signed_in(test, &bob, "bob@example.org").await;
        let body = json!({"price_id": regional.to_string(), "method": "sbm_pays"});
        let (status, refused) = bob.post_json("/v1/trials", &body).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (422, &json!("country_not_served"))
        );
        drop((ada, bob));
        server.stop().await;
    })
    .await;
}

/// Begun by a program it keeps the same, and each is told in writing what they began.
#[tokio::test]
async fn a_trial_keeps_what_was_agreed_to_and_a_mail_says_what_it_is() {
    TestApp::both(async |test| {
        let (product, _) = tryable(test, true).await;
        let server = test.serve().await;
        let (ada, bob) = (server.browser(), server.browser());
        signed_in(test, &ada, "ada@example.org").await;
        signed_in(test, &bob, "bob@example.org").await;
        let (status, begun) = asked(&ada, &product, Some("sbm_pays")).await;
        assert_eq!(status, 201, "{begun}");
        let id = begun["subscription_id"].as_str().expect("an id");
        agreed(&ada, &format!("/v1/subscriptions/{id}")).await;
        let (status, begun) = asked(&bob, &product, None).await;
        assert_eq!(status, 201, "{begun}");
        go(test, 0).await;
        let letter = |to: &str| {
            let mut mails = test.mails();
            mails.retain(|mail| mail.contains("Your trial of Relay has begun"));
            mails.retain(|mail| mail.contains(to));
            assert_eq!(mails.len(), 1, "to {to}: {mails:?}");
            // Long lines are folded.
            mails.concat().replace("=\r\n", "").replace("\r\n", " ")
        };
        let told = letter("ada@example.org");
        for said in ["29.00 EUR", "2027-01-29", "end it before", id] {
            assert!(told.contains(said), "{said}: {told}");
        }
        assert!(told.contains("to the method that you chose"), "{told}");
        let told = letter("bob@example.org");
        assert!(told.contains("unless you add a payment method"), "{told}");
        drop((ada, bob));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_trial_that_is_canceled_or_has_no_method_charges_nothing() {
    TestApp::both(async |test| {
        let (product, _) = tryable(test, true).await;
        let server = test.serve().await;
        let (ada, bob) = (server.browser(), server.browser());
        signed_in(test, &ada, "ada@example.org").await;
        signed_in(test, &bob, "bob@example.org").await;
        let path = begun(&ada, &product, &PAYS).await;
        let cancel = json!({"action": "cancel"});
        let canceled = ada.post_json(&format!("{path}/actions"), &cancel).await;
        assert_eq!(canceled.0, 200, "{}", canceled.1);
        let shown = page(&bob, &address(&product)).await;
        assert!(shown.contains("No payment method now"), "{shown}");
        let bobs = begun(&bob, &product, &[]).await;
        // Who comes back within a fortnight stays signed in.
        go(test, 13).await;
        assert_eq!(state(&ada, &path).await, ("trialing".to_owned(), 0));
        assert_eq!(state(&bob, &bobs).await, ("trialing".to_owned(), 0));
        go(test, 1).await;
        assert_eq!(state(&ada, &path).await, ("canceled".to_owned(), 0));
        assert_eq!(state(&bob, &bobs).await, ("incomplete".to_owned(), 0));
        go(test, 8).await;
        assert_eq!(state(&bob, &bobs).await, ("canceled".to_owned(), 0));
        assert!(page(&ada, "/orders").await.contains("Nothing ordered yet"));
        drop((ada, bob));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn another_length_is_for_who_begins_then_and_an_old_page_is_refused() {
    TestApp::both(async |test| {
        let (product, seller) = tryable(test, false).await;
        let server = test.serve().await;
        let (ada, bob) = (server.browser(), server.browser());
        signed_in(test, &ada, "ada@example.org").await;
        signed_in(test, &bob, "bob@example.org").await;
        let (status, _) = asked(&bob, &product, None).await;
        assert_eq!(status, 409, "a method is asked for");
        let path = begun(&ada, &product, &PAYS).await;
        let (_, before) = ada.get_json(&path).await;
        let old = page(&bob, &address(&product)).await;

        let mut draft = draft_of(&product).prices.remove(0);
        draft.trial = Some(Trial {
            days: 30,
            without_method: false,
        });
        let price = product.prices[0].id;
        let change = ChangePrice { price, draft };
        let changed = test.app.transact(&seller, change, change_price).await;
        let (_, same) = changed.expect("is changed");
        assert_eq!(same, price, "how it is tried is no part of what is bought");

        let (_, after) = ada.get_json(&path).await;
        assert_eq!(before["period_end"], after["period_end"]);
        let kept = ["price", "days", "first"].map(|name| (name, hidden(&old, name)));
        let mut form: Vec<_> = kept
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        form.extend(PAYS);
        let to = format!("/p/{}/try", product.slug);
        let (status, _, text) = send(&bob, &address(&product), &to, &form).await;
        assert_eq!(status, StatusCode::CONFLICT, "{text}");
        assert!(text.contains("has changed since"), "{text}");
        let bobs = begun(&bob, &product, &PAYS).await;
        let (_, found) = bob.get_json(&bobs).await;
        let until = test.app.now().plus_ms(30 * DAY_MS);
        assert_eq!(
            found["period_end"].as_i64().map(Timestamp::from_ms),
            Some(until)
        );
        go(test, 7).await;
        assert_eq!(state(&ada, &path).await.0, "trialing");
        assert_eq!(state(&bob, &bobs).await.0, "trialing");
        go(test, 7).await;
        assert_eq!(state(&ada, &path).await.0, "active");
        assert_eq!(state(&bob, &bobs).await.0, "trialing");
        drop((ada, bob));
        server.stop().await;
    })
    .await;
}

/// What stands in an input of a form.
fn typed(text: &str, name: &str) -> String {
    let start = format!("name=\"{name}\" type=\"text\" value=\"");
    let rest = text.split_once(&start).expect("the input is there").1;
    rest.split('"').next().expect("its value").to_owned()
}

#[tokio::test]
async fn a_seller_offers_changes_and_ends_a_trial_by_the_form_of_a_price() {
    let test = TestApp::sqlite().await;
    let people = demo::seed(&test.app).await.expect("filled").expect("fresh");
    let server = test.serve().await;
    let tomasz = server.browser();
    sign_in(&tomasz, "tomasz@northbeam.example").await;
    let (_, relay) = tomasz.get_json("/v1/products/webhook-relay").await;
    let id = relay["product_id"].as_str().expect("a product").to_owned();
    let price = relay["prices"][0]["price_id"]
        .as_str()
        .expect("a price")
        .to_owned();
    let base = format!("/sell/products/{id}/prices");
    let edit = format!("{base}?edit={price}");
    let amount = typed(&page(&tomasz, &edit).await, "amount");
    let put = async |days: &str, method: &str| {
        let fields = [
            ("price", price.as_str()),
            ("model", "monthly"),
            ("currency", "EUR"),
            ("amount", amount.as_str()),
            ("trial", days),
            ("trial_method", method),
        ];
        let (status, _, text) = send(&tomasz, &edit, &base, &fields).await;
        let (_, now) = tomasz.get_json("/v1/products/webhook-relay").await;
        (status.as_u16(), text, now["prices"][0].clone())
    };
    let (status, text, now) = put("14", "").await;
    assert_eq!(status, 303, "{text}");
    assert_eq!(now["trial"], json!({"days": 14, "without_method": false}));
    let shown = page(&tomasz, &edit).await;
    assert_eq!(typed(&shown, "trial"), "14");
    assert!(
        shown.contains("14 days free") && shown.contains("Who begins today"),
        "{shown}"
    );
    for wrong in ["91", "-1", "soon"] {
        let (status, text, now) = put(wrong, "").await;
        assert_eq!(status, 422, "{wrong}: {text}");
        assert_eq!(now["trial"]["days"], 14, "{wrong}");
    }
    let (status, text, now) = put("30", "later").await;
    assert_eq!(status, 303, "{text}");
    assert_eq!(now["trial"], json!({"days": 30, "without_method": true}));
    assert_eq!(now["price_id"], json!(price), "the same version");
    let again = page(&tomasz, &edit).await;
    assert_eq!(typed(&again, "trial"), "30");
    let (status, text, now) = put("", "").await;
    assert_eq!((status, &now["trial"]), (303, &Value::Null), "{text}");
    let gone = tomasz
        .get(&format!("/p/webhook-relay/try?price={price}"))
        .await;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    drop((tomasz, people));
    server.stop().await;
    test.finish().await;
}

/// What a program's buyer read in another language is kept in that one.
#[tokio::test]
async fn a_program_s_trial_keeps_the_text_in_the_language_that_was_asked_for() {
    TestApp::both(async |test| {
        let (product, _) = tryable(test, true).await;
        let server = test.serve().await;
        let mut hashes = Vec::new();
        for (language, kept) in [("de, en;q=0.5", "en"), ("qps-plocm", "qps-plocm")] {
            let buyer = server.browser();
            signed_in(test, &buyer, &format!("{kept}@example.org")).await;
            let asked = buyer
                .request(reqwest::Method::POST, "/v1/trials")
                .header("accept-language", language)
                .json(&json!({"price_id": product.prices[0].id.to_string()}));
            let begun = asked.send().await.expect("an answer");
            let begun: Value = begun.json().await.expect("json");
            let consent = &begun["consents"][0];
            assert_eq!(consent["version"], format!("2026-11-{kept}"), "{begun}");
            hashes.push(consent["text_sha256"].to_string());
        }
        assert_ne!(hashes[0], hashes[1], "another text was read");
        server.stop().await;
    })
    .await;
}
