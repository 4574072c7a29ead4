//! Gifts: whoever pays sees no key, whoever gets the link claims once, and refunds decide in between.

use crate::shop::{Bought, Shop, choose, listed, order_of, person, placed, shop};
use crate::web_pages::{hidden, page, path_of, send, sign_in};
use mintreu::id::{AccountId, GiftId, OrderId, PriceId};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::demo;
use mintreu_server::domains::fulfilment::{ClaimGift, FulfilmentError, claim_gift};
use mintreu_server::domains::gifts::{GiftError, claim_token};
use mintreu_server::domains::refunds::{AskRefund, Reason, RefundError, RefundSale, refund_sale};
use mintreu_server::gateways::sandbox::objects::{Decide, ObjectState, decide_dispute};
use mintreu_server::store::{Row, Tx};
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const DAY_MS: i64 = 24 * 60 * 60 * 1000;
const FRIEND: &str = "friend@example.org";

async fn rows(test: &TestApp, sql: &'static str) -> Vec<Row> {
    let read = move |tx: &mut dyn Tx| tx.query(sql, &[]);
    test.app
        .store
        .read(read)
        .await
        .expect("reads")
        .expect("rows")
}

/// What a guest sends to give what a price sells.
fn given(price: PriceId, minor: i64) -> Value {
    let mut order = order_of(price, minor);
    order["gift"] = json!({
        "email": FRIEND, "sender": "Grace", "message": "For your birthday.\nWith love",
    });
    order
}

/// Buys a gift and pays for it.
async fn give(test: &TestApp, guest: &Browser, order: &Value) -> Bought {
    give_by(test, guest, (order, "succeed")).await
}

/// As [`give`], with a card after which the provider does more.
async fn give_by(test: &TestApp, guest: &Browser, (order, card): (&Value, &str)) -> Bought {
    let bought = placed(guest, order).await;
    choose(guest, &bought, card).await;
    test.drain().await;
    bought
}

/// The one gift and the path of its newest link.
async fn link(test: &TestApp) -> (GiftId, String) {
    let found = rows(test, "SELECT gift_id, round FROM gift").await;
    assert_eq!(found.len(), 1);
    let gift = found[0].id("gift_id", GiftId::from_bytes).expect("an id");
    let round = found[0].int("round").expect("a round");
    let token = claim_token(&test.app.keys, test.tenant(), (gift, round));
    (gift, token.reveal().to_owned())
}

async fn state(guest: &Browser, bought: &Bought) -> Value {
    let (_, order) = guest.get_json(&bought.path()).await;
    order["gift"]["state"].clone()
}

/// Mails by their recipient.
fn mails_to(test: &TestApp, email: &str) -> Vec<String> {
    let to = format!("To: {email}");
    let mails = test.mails().into_iter();
    // A long line is broken on its way.
    let mails = mails.map(|mail| mail.replace("=\r\n", ""));
    mails.filter(|mail| mail.contains(&to)).collect()
}

fn refund(order: &str, amount_minor: Option<i64>) -> RefundSale {
    RefundSale(AskRefund {
        order: OrderId::parse(order).expect("an id"),
        line: None,
        amount_minor,
        reason: Reason::RequestedByCustomer,
        note: String::new(),
        keeps_license: false,
        ends_subscription: false,
        seen_left_minor: None,
    })
}

async fn licenses(test: &TestApp) -> usize {
    rows(test, "SELECT license_id FROM license").await.len()
}

#[tokio::test]
async fn the_key_is_the_recipient_s_alone_and_the_link_claims_it_once() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let buyer = server.browser();
        let bought = placed(&buyer, &given(shop.price, 4_900)).await;
        assert_eq!(state(&buyer, &bought).await, "awaiting_payment");
        test.drain().await;
        assert!(mails_to(test, FRIEND).is_empty(), "nothing goes out unpaid");
        let (gift, token) = link(test).await;
        let received = format!("/v1/gifts/{gift}?token={token}");
        let claim = format!("/v1/gifts/{gift}/claim?token={token}");
        assert_eq!(buyer.get_json(&received).await.0, StatusCode::NOT_FOUND);
        let (status, _) = buyer.post_json(&claim, &json!({})).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "nothing is claimed unpaid");

        choose(&buyer, &bought, "succeed").await;
        test.drain().await;
        let (_, order) = buyer.get_json(&bought.path()).await;
        assert_eq!(order["gift"]["state"], "sent", "{order}");
        assert_eq!(
            (&order["state"], &order["licenses"]),
            (&json!("paid"), &json!([]))
        );
        assert_eq!(
            licenses(test).await,
            0,
            "nothing is issued before it is claimed"
        );
        let mails = mails_to(test, FRIEND);
        assert_eq!(mails.len(), 1, "{mails:#?}");
        assert!(mails[0].contains("A gift from Grace") && mails[0].contains("With love"));
        assert!(mails[0].contains(&format!("/gifts/{gift}")), "{mails:#?}");
        assert!(
            !mails[0].contains(&bought.order),
            "the order is the buyer's business"
        );
        let receipts = mails_to(test, "guest@example.org");
        assert!(receipts[0].contains(FRIEND) && !receipts[0].contains("License key"));

        let friend = server.browser();
        let wrong = format!("/v1/gifts/{gift}?token={}", bought.token);
        assert_eq!(friend.get_json(&wrong).await.0, StatusCode::NOT_FOUND);
        let (_, seen) = friend.get_json(&received).await;
        assert_eq!(seen["lines"][0]["title"], "Acme Editor", "{seen}");
        assert_eq!(
            (&seen["sender"], &seen["licenses"]),
            (&json!("Grace"), &json!([]))
        );
        test.clock.advance(3 * DAY_MS as u32);
        let (status, claimed) = friend.post_json(&claim, &json!({})).await;
        assert_eq!(status, StatusCode::OK, "{claimed}");
        let license = claimed["licenses"][0]["license_id"]
            .as_str()
            .expect("an id");
        assert_eq!(friend.post_json(&claim, &json!({})).await.0, StatusCode::OK);
        assert_eq!(licenses(test).await, 1, "once");
        test.drain().await;

        // The link opens the license; the order's own secret doesn't, nor does it show the key.
        let shown = page(&friend, &format!("/gifts/{gift}?t={token}")).await;
        assert!(
            shown.contains("license.mtl") && shown.contains("ACM"),
            "{shown}"
        );
        let file = format!("/licenses/{license}/license.mtl");
        let opened = friend.get(&format!("{file}?t={token}")).await;
        assert_eq!(opened.status(), StatusCode::OK);
        let refused = buyer.get(&format!("{file}?t={}", bought.token)).await;
        assert_eq!(refused.status(), StatusCode::NOT_FOUND);
        let order = page(
            &buyer,
            &format!("/orders/{}?t={}", bought.order, bought.token),
        )
        .await;
        assert!(
            order.contains("Claimed") && !order.contains("license.mtl"),
            "{order}"
        );
        assert!(!order.contains(license));
        let told = mails_to(test, "guest@example.org");
        assert!(
            told.iter()
                .any(|mail| mail.contains("Your gift was claimed")),
            "{told:#?}"
        );
        let again = format!("/v1/orders/{}/gift?token={}", bought.order, bought.token);
        let (status, problem) = buyer.post_json(&again, &json!({})).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("gift_claimed"))
        );
        // Nothing personal waits in the queue or stays in what is kept for good.
        for row in rows(test, "SELECT kind || subject || data AS line FROM event").await {
            let line = row.text("line").expect("a text");
            assert!(!line.contains(FRIEND) && !line.contains(&token), "{line}");
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn another_address_is_another_link_and_mails_are_counted() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let buyer = server.browser();
        let bought = give(test, &buyer, &given(shop.price, 4_900)).await;
        let (gift, before) = link(test).await;
        let mend = format!("/v1/orders/{}/gift?token={}", bought.order, bought.token);
        let other = json!({ "email": "other@example.org" });
        let (status, mended) = buyer.post_json(&mend, &other).await;
        assert_eq!(
            (status.as_u16(), &mended["email"]),
            (200, &other["email"]),
            "{mended}"
        );
        test.drain().await;
        assert_eq!(mails_to(test, "other@example.org").len(), 1);
        let (_, after) = link(test).await;
        assert_ne!(before, after);
        let (status, _) = buyer
            .post_json(
                &format!("/v1/gifts/{gift}/claim?token={before}"),
                &json!({}),
            )
            .await;
        assert_eq!(
            status,
            StatusCode::NOT_FOUND,
            "the first link opens nothing"
        );
        let (status, problem) = buyer.post_json(&mend, &json!({ "email": "nobody" })).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (422, &json!("email_malformed"))
        );
        // Two went out; eight more may.
        for _ in 0..8 {
            let (status, _) = buyer.post_json(&mend, &json!({})).await;
            assert_eq!(status, StatusCode::OK);
        }
        let (status, problem) = buyer.post_json(&mend, &json!({})).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("gift_sent_often"))
        );
        test.drain().await;
        assert_eq!(mails_to(test, "other@example.org").len(), 9);
        let (_, kept) = link(test).await;
        assert_eq!(kept, after, "sending again keeps the link");
        let stranger = format!("/v1/orders/{}/gift?token=nothing", bought.order);
        assert_eq!(
            buyer.post_json(&stranger, &other).await.0,
            StatusCode::NOT_FOUND
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_gift_waits_for_its_day() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let buyer = server.browser();
        let mut order = given(shop.price, 4_900);
        let days = test.app.now().ms().div_euclid(DAY_MS) + 3;
        let day = jiff::Timestamp::from_millisecond(days * DAY_MS).expect("a day");
        order["gift"]["send_on"] = day.strftime("%Y-%m-%d").to_string().into();
        let bought = give(test, &buyer, &order).await;
        assert_eq!(state(&buyer, &bought).await, "scheduled");
        let mend = format!("/v1/orders/{}/gift?token={}", bought.order, bought.token);
        let other = json!({ "email": "other@example.org" });
        assert_eq!(buyer.post_json(&mend, &other).await.0, StatusCode::OK);
        test.clock.advance(2 * DAY_MS as u32);
        test.drain().await;
        assert!(mails_to(test, "other@example.org").is_empty());
        test.clock.advance(2 * DAY_MS as u32);
        test.drain().await;
        assert_eq!(mails_to(test, "other@example.org").len(), 1);
        assert!(mails_to(test, FRIEND).is_empty());
        assert_eq!(state(&buyer, &bought).await, "sent");
        server.stop().await;
    })
    .await;
}

async fn claim(test: &TestApp, caller: &Caller) -> Result<(), FulfilmentError> {
    let (gift, token) = link(test).await;
    let command = ClaimGift {
        gift,
        token: Some(token),
    };
    test.app.transact(caller, command, claim_gift).await
}

fn people(test: &TestApp, count: u8) -> Vec<Caller> {
    let people = (0..count).map(|n| AccountId::from_bytes([n + 40; 16]));
    people
        .map(|account| person(test, account, Role::Customer))
        .collect()
}

#[tokio::test]
async fn of_many_who_claim_at_once_exactly_one_has_it() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let buyer = server.browser();
        give(test, &buyer, &given(shop.price, 4_900)).await;
        let (gift, token) = link(test).await;
        let mut claiming = tokio::task::JoinSet::new();
        for person in people(test, 6) {
            let app = test.app.clone();
            let command = ClaimGift {
                gift,
                token: Some(token.clone()),
            };
            claiming.spawn(async move {
                let done = app.transact(&person, command, claim_gift).await;
                (person.account, done)
            });
        }
        let (mut won, mut refused) = (Vec::new(), 0);
        while let Some(done) = claiming.join_next().await {
            match done.expect("no panic") {
                (account, Ok(())) => won.push(account.expect("an account")),
                (_, Err(FulfilmentError::Gift(GiftError::Claimed))) => refused += 1,
                (_, Err(error)) => panic!("{error}"),
            }
        }
        assert_eq!((won.len(), refused), (1, 5));
        let owned = rows(test, "SELECT owner_id FROM license").await;
        assert_eq!(owned.len(), 1);
        let owner = owned[0].id("owner_id", AccountId::from_bytes).expect("one");
        assert_eq!(owner, won[0]);
        // In an account, no link opens it: who holds the link is told so, and the buyer owns nothing.
        let error = claim(test, &test.guest()).await.expect_err("is refused");
        assert!(matches!(error, FulfilmentError::Gift(GiftError::Claimed)));
        let shown = page(&buyer, &format!("/gifts/{gift}?t={token}")).await;
        assert!(shown.contains("This gift was claimed") && !shown.contains("license.mtl"));
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_claimed_without_an_account_is_taken_into_one() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let buyer = server.browser();
        give(test, &buyer, &given(shop.price, 4_900)).await;
        claim(test, &test.guest()).await.expect("is claimed");
        let people = people(test, 2);
        claim(test, &people[0]).await.expect("is taken in");
        claim(test, &people[0])
            .await
            .expect("again changes nothing");
        let error = claim(test, &people[1]).await.expect_err("is another's");
        assert!(matches!(error, FulfilmentError::Gift(GiftError::Claimed)));
        let owned = rows(test, "SELECT owner_id FROM license").await;
        let owner = owned[0]
            .opt_id("owner_id", AccountId::from_bytes)
            .expect("reads");
        assert_eq!(owner, people[0].account);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_refund_before_the_claim_takes_the_gift_back_and_one_after_it_the_license() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let buyer = server.browser();
        let bought = give(test, &buyer, &given(shop.price, 4_900)).await;
        // A part of it takes nothing back.
        let ask = refund(&bought.order, Some(1_000));
        let asked = test.app.transact(&shop.seller, ask, refund_sale).await;
        asked.expect("is asked");
        test.drain().await;
        assert_eq!(state(&buyer, &bought).await, "sent");
        let ask = refund(&bought.order, None);
        let asked = test.app.transact(&shop.seller, ask, refund_sale).await;
        asked.expect("is asked");
        // It is on its way: nobody claims what is about to be paid back.
        let error = claim(test, &test.guest()).await.expect_err("is refused");
        assert!(matches!(error, FulfilmentError::Gift(GiftError::Void)));
        test.drain().await;
        assert_eq!(state(&buyer, &bought).await, "void");
        let (gift, token) = link(test).await;
        let path = format!("/v1/gifts/{gift}/claim?token={token}");
        let (status, problem) = buyer.post_json(&path, &json!({})).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (410, &json!("gift_void"))
        );
        assert_eq!(licenses(test).await, 0);
        server.stop().await;
    })
    .await;
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let buyer = server.browser();
        let bought = give(test, &buyer, &given(shop.price, 4_900)).await;
        claim(test, &people(test, 1)[0]).await.expect("is claimed");
        let ask = refund(&bought.order, None);
        let asked = test.app.transact(&shop.seller, ask, refund_sale).await;
        asked.expect("is asked");
        test.drain().await;
        let found = rows(test, "SELECT revoked_for FROM license").await;
        let cause = found[0].opt_text("revoked_for").expect("reads");
        assert_eq!(cause.as_deref(), Some("refund"));
        assert_eq!(state(&buyer, &bought).await, "claimed");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_claim_and_a_refund_at_once_leave_no_license_that_nobody_paid() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let buyer = server.browser();
        let bought = give(test, &buyer, &given(shop.price, 4_900)).await;
        let (gift, token) = link(test).await;
        let (app, seller) = (test.app.clone(), shop.seller.clone());
        let ask = refund(&bought.order, None);
        let refunding = tokio::spawn(async move { app.transact(&seller, ask, refund_sale).await });
        let (app, friend) = (test.app.clone(), people(test, 1).remove(0));
        let command = ClaimGift {
            gift,
            token: Some(token),
        };
        let claiming =
            tokio::spawn(async move { app.transact(&friend, command, claim_gift).await });
        let refunded: Result<String, RefundError> = refunding.await.expect("no panic");
        refunded.expect("a refund is never too late");
        let claimed = claiming.await.expect("no panic");
        test.drain().await;
        let found = rows(test, "SELECT revoked_for FROM license").await;
        match claimed {
            Ok(()) => {
                let cause = found[0].opt_text("revoked_for").expect("reads");
                assert_eq!(cause.as_deref(), Some("refund"));
            }
            Err(FulfilmentError::Gift(GiftError::Void)) => assert!(found.is_empty()),
            Err(error) => panic!("{error}"),
        }
        server.stop().await;
    })
    .await;
}

/// What the provider does a moment after a payment or a refund, and what the shop makes of it.
async fn moment(test: &TestApp) {
    test.clock.advance(6_000);
    test.drain().await;
}

/// Why the one license doesn't work; nothing when it does.
async fn stopped(test: &TestApp) -> Option<String> {
    let found = rows(test, "SELECT revoked_at, revoked_for FROM license").await;
    assert_eq!(found.len(), 1);
    let revoked = found[0].opt_at("revoked_at").expect("an instant");
    let cause = found[0].opt_text("revoked_for").expect("a cause");
    revoked.map(|_| cause.unwrap_or_default())
}

async fn is_void(test: &TestApp) -> bool {
    let refused = claim(test, &test.guest()).await;
    matches!(refused, Err(FulfilmentError::Gift(GiftError::Void)))
}

#[tokio::test]
async fn a_refund_that_comes_back_gives_the_gift_back() {
    for claimed in [false, true] {
        TestApp::both(async |test| {
            let (shop, server) = (shop(test).await, test.serve().await);
            let buyer = server.browser();
            let order = given(shop.price, 4_900);
            let bought = give_by(test, &buyer, (&order, "refund_fails")).await;
            if claimed {
                claim(test, &people(test, 1)[0]).await.expect("is claimed");
            }
            let ask = refund(&bought.order, None);
            let asked = test.app.transact(&shop.seller, ask, refund_sale).await;
            asked.expect("is asked");
            test.drain().await;
            match claimed {
                true => assert_eq!(stopped(test).await.as_deref(), Some("refund")),
                false => {
                    assert_eq!(state(&buyer, &bought).await, "void");
                    assert!(is_void(test).await);
                }
            }
            moment(test).await;
            if !claimed {
                assert_eq!(state(&buyer, &bought).await, "sent");
                claim(test, &people(test, 1)[0]).await.expect("is claimed");
            }
            assert_eq!(state(&buyer, &bought).await, "claimed");
            assert_eq!(stopped(test).await, None);
            server.stop().await;
        })
        .await;
    }
}

#[tokio::test]
async fn a_bank_that_takes_the_money_takes_the_gift_until_it_gives_it_back() {
    use ObjectState::{Lost, Won};
    for (claimed, decided) in [(false, Won), (false, Lost), (true, Won), (true, Lost)] {
        TestApp::both(async |test| {
            let (shop, server) = (shop(test).await, test.serve().await);
            let buyer = server.browser();
            let order = given(shop.price, 4_900);
            give_by(test, &buyer, (&order, "disputed")).await;
            if claimed {
                claim(test, &people(test, 1)[0]).await.expect("is claimed");
            }
            moment(test).await;
            match claimed {
                true => assert_eq!(stopped(test).await.as_deref(), Some("dispute")),
                false => assert!(is_void(test).await, "nobody claims what a bank has"),
            }
            let disputes = "SELECT object FROM sandbox_object WHERE kind = 'dispute'";
            let disputes = rows(test, disputes).await;
            let decide = Decide {
                object: disputes[0].text("object").expect("a name"),
                state: decided,
            };
            let guest = test.guest();
            let done = test.app.transact(&guest, decide, decide_dispute);
            done.await.expect("is decided");
            moment(test).await;
            match (claimed, decided) {
                (true, Won) => assert_eq!(stopped(test).await, None),
                (true, _) => assert_eq!(stopped(test).await.as_deref(), Some("chargeback")),
                (false, Won) => {
                    claim(test, &people(test, 1)[0]).await.expect("is claimed");
                    assert_eq!(stopped(test).await, None);
                }
                (false, _) => {
                    assert!(is_void(test).await);
                    assert_eq!(licenses(test).await, 0);
                }
            }
            server.stop().await;
        })
        .await;
    }
}

/// A shop that sells by the month, and by usage.
async fn other_offers(test: &TestApp, shop: &Shop) -> (PriceId, PriceId) {
    let monthly = listed(
        test,
        &shop.seller,
        json!({
            "code": "acme.cloud", "kind": "subscription", "name": "Acme Cloud",
            "summary": "Hosts.", "categories": ["tools"],
            "prices": [{"model": "recurring", "period": "monthly", "amount_minor": 900,
                "currency": "EUR"}],
        }),
    )
    .await;
    let metered = listed(
        test,
        &shop.seller,
        json!({
            "code": "acme.api", "kind": "api", "name": "Acme API", "summary": "Answers.",
            "categories": ["tools"],
            "prices": [{"model": "one_time", "amount_minor": 900, "currency": "EUR"}],
            "meters": [{"name": "calls", "unit": "call", "tariff": "EUR per_unit 0.01"}],
        }),
    )
    .await;
    (monthly.prices[0].id, metered.prices[0].id)
}

#[tokio::test]
async fn a_subscription_is_given_for_one_period_from_the_claim_on() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let (monthly, _) = other_offers(test, &shop).await;
        let buyer = server.browser();
        let bought = give(test, &buyer, &given(monthly, 900)).await;
        test.clock.advance(10 * DAY_MS as u32);
        claim(test, &test.guest()).await.expect("is claimed");
        let found = rows(test, "SELECT issued_at, expires_at FROM license").await;
        let days = found[0]
            .at("expires_at")
            .expect("ends")
            .since_ms(test.app.now())
            / DAY_MS;
        assert!((28..=31).contains(&days), "{days} days from the claim");
        assert!(
            rows(test, "SELECT subscription_id FROM subscription")
                .await
                .is_empty()
        );
        test.clock.advance(40 * DAY_MS as u32);
        test.drain().await;
        let paid = rows(test, "SELECT payment_id FROM payment").await;
        assert_eq!(paid.len(), 1, "nobody pays the next period");
        // What was given ends with its money, as nothing of it renews by itself.
        let ask = refund(&bought.order, None);
        let asked = test.app.transact(&shop.seller, ask, refund_sale).await;
        asked.expect("is asked");
        test.drain().await;
        let found = rows(test, "SELECT revoked_for FROM license").await;
        assert_eq!(
            found[0].opt_text("revoked_for").expect("reads").as_deref(),
            Some("refund")
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_is_free_or_billed_later_is_not_given() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let (_, metered) = other_offers(test, &shop).await;
        let buyer = server.browser();
        let refused = async |order: Value| {
            let (status, problem) = buyer.post_json("/v1/checkouts", &order).await;
            assert!(status.is_client_error(), "{problem}");
            (problem["code"].clone(), problem["field"].clone())
        };
        let (code, _) = refused(given(shop.free, 0)).await;
        assert_eq!(code, "gift_free");
        let (code, _) = refused(given(metered, 900)).await;
        assert_eq!(code, "gift_metered");
        for (field, value, code) in [
            ("email", json!("nobody"), "email_malformed"),
            ("sender", json!("a\nb"), "gift_invalid"),
            ("message", json!("x".repeat(501)), "gift_invalid"),
            ("send_on", json!("2020-01-01"), "gift_invalid"),
        ] {
            let mut order = given(shop.price, 4_900);
            order["gift"][field] = value;
            let found = refused(order).await;
            assert_eq!(found, (json!(code), json!(format!("gift.{field}"))));
        }
        assert!(
            rows(test, "SELECT order_id FROM customer_order")
                .await
                .is_empty()
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_gift_is_given_and_claimed_without_scripts() {
    TestApp::both(async |test| {
        demo::seed(&test.app).await.expect("the shop is filled");
        test.drain().await;
        let before = rows(test, "SELECT gift_id FROM gift").await.len();
        assert_eq!(before, 0);
        let server = test.serve().await;
        let buyer = server.browser();
        let checkout = page(&buyer, "/checkout/hush").await;
        assert!(checkout.contains("This is a gift"), "{checkout}");
        let (quote, price) = (hidden(&checkout, "quote"), hidden(&checkout, "price"));
        let fields = |email| {
            [
                ("price", price.as_str()),
                ("quote", quote.as_str()),
                ("waiver", "yes"),
                ("email", "guest@example.org"),
                ("gift", "yes"),
                ("gift_email", email),
                ("gift_message", "Sleep <well>"),
            ]
        };
        let at = "/checkout/hush";
        let (status, _, drawn) = send(&buyer, at, at, &fields("friend")).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(drawn.contains("gift_email-error") && drawn.contains("Sleep &#60;well&#62;"));
        let (status, to, text) = send(&buyer, at, at, &fields(FRIEND)).await;
        assert_eq!(status, StatusCode::SEE_OTHER, "{text}");
        let paid = buyer.request(Method::POST, &path_of(&to));
        let paid = paid.form(&[("choice", "succeed")]).send().await;
        let paid = paid.expect("an answer");
        let back = paid.headers()["location"]
            .to_str()
            .expect("text")
            .to_owned();
        test.drain().await;
        let order = path_of(&back);
        let shown = page(&buyer, &order).await;
        assert!(
            shown.contains("Waits to be claimed") && shown.contains(FRIEND),
            "{shown}"
        );
        assert!(!shown.contains("license.mtl"));
        let action = order.replacen("?", "/gift?", 1);
        let (_, to, _) = send(&buyer, &order, &action, &[("email", "friend")]).await;
        let to = to.split('#').next().expect("a path").to_owned();
        assert!(page(&buyer, &to).await.contains("email-error"));

        let (gift, token) = link(test).await;
        let own = format!("/gifts/{gift}?t={token}");
        let friend = server.browser();
        sign_in(&friend, "priya@customer.example").await;
        let drawn = page(&friend, &own).await;
        assert!(
            drawn.contains("Claim it as") && drawn.contains("Sleep &#60;well&#62;"),
            "{drawn}"
        );
        let (status, to, _) = send(&friend, &own, &own, &[]).await;
        assert_eq!((status, to.as_str()), (StatusCode::SEE_OTHER, own.as_str()));
        assert!(page(&friend, &own).await.contains("Open my licenses"));
        assert!(page(&friend, "/licenses").await.contains("Hush"));
        assert!(page(&buyer, &order).await.contains("It is theirs now"));
        server.stop().await;
    })
    .await;
}
