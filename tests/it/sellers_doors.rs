//! Every door of a suspended seller's shop: what was open before, who may change a standing, what the
//! pages say, and the race against a renewal.

use crate::bundles;
use crate::facts::sign_up;
use crate::money_back::Desk;
use crate::payouts::{owner, settle_in};
use crate::races::at_once;
use crate::sellers::{REASON, becomes, before, closes, subscribed};
use crate::shop::{SELLER, Shop, free_license, of_license, order_of, person, request};
use crate::subscriptions::{BUYER, club, do_it, facts, pay_with, status, travel, tried};
use crate::web_pages::{page, send};
use mintreu::Timestamp;
use mintreu::id::AccountId;
use mintreu_server::caller::Role;
use mintreu_server::domains::accounts::{MakeAdminLink, make_admin_link};
use mintreu_server::domains::catalog::ops::{
    CatalogError, CreateProduct, PublishProduct, create_product, publish_product,
};
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::domains::licensing::{Activate, activate};
use mintreu_server::domains::sellers::{SellerError, SetStanding, Standing, set_standing};
use mintreu_server::domains::subscriptions::{Action, SubscriptionError};
use mintreu_server::worker;
use mintreu_tests::{Browser, TestApp};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::Arc;

/// What a bundle's page, its row in lists and its price in a quote are.
async fn bundle(guest: &Browser, stall: &bundles::Stall) -> (usize, StatusCode, Value) {
    let (_, listed) = guest.get_json("/v1/bundles").await;
    let count = listed["bundles"].as_array().map_or(0, Vec::len);
    let price = stall.bundle.prices[0].id.to_string();
    let body = json!({"items": [{"price_id": price, "quantity": 1}]});
    let (status, quoted) = guest.post_json("/v1/quotes", &body).await;
    (count, status, quoted)
}

#[tokio::test]
async fn what_was_open_before_ends_and_what_was_paid_settles() {
    TestApp::both(async |test| {
        let stall = bundles::stall(test).await;
        let server = test.serve().await;
        let shop = Shop {
            seller: stall.shop.seller.clone(),
            ..stall.shop
        };
        let desk = Desk::of(test, shop).await;
        settle_in(test, SELLER, "acct_seller").await;
        let guest = server.browser();
        let (_, free) = free_license(&guest, &desk.shop).await;
        let (paid, unheard) = desk.buy_unheard().await;
        let (count, status, quoted) = bundle(&guest, &stall).await;
        assert_eq!((count, status), (1, StatusCode::OK), "{quoted}");
        let line = json!({"price_id": desk.shop.price.to_string(), "quantity": 1});
        let (status, cart) = guest.post_json("/v1/cart/lines", &line).await;
        assert!(status.is_success(), "{cart}");
        becomes(test, SELLER, Standing::Suspended)
            .await
            .expect("is");
        // The quote, another quote, what is free: nothing is sold any more.
        let confirm = json!({
            "quote": quoted["quote"], "email": "guest@example.org",
            "accepted": ["withdrawal_waiver"],
        });
        let (status, refused) = guest.post_json("/v1/quotes/confirmations", &confirm).await;
        let gone = (410, &json!("bundle_incomplete"));
        assert_eq!((status.as_u16(), &refused["code"]), gone, "{refused}");
        let (count, status, again) = bundle(&guest, &stall).await;
        assert_eq!((count, status.as_u16()), (0, 410), "{again}");
        let shelved = desk.rows("SELECT bundle_id FROM bundle_card").await;
        assert_eq!(shelved.len(), 0, "lists read no bundle of theirs");
        let (_, cart) = guest.get_json("/v1/cart").await;
        assert_eq!(cart["lines"][0]["for_sale"], false, "{cart}");
        let nothing = order_of(desk.shop.free, 0);
        let (status, refused) = guest.post_json("/v1/checkouts", &nothing).await;
        assert_eq!(
            (status.as_u16(), &refused["code"]),
            (410, &json!("offer_gone"))
        );
        // What was paid before settles, and its license is issued; what was sold goes on.
        desk.hand_over(&unheard).await;
        test.drain().await;
        assert_eq!(desk.state(&paid).await, "paid");
        assert_eq!(desk.license(&paid).await, None, "it works");
        assert_eq!(desk.earned().await, (3_993, 0), "and waits with the rest");
        let license = free["license_id"].as_str().expect("an id");
        let wants = Activate::from_bytes(&request(7, of_license(license))).expect("a request");
        let seat = test.app.transact(&test.guest(), wants, activate).await;
        assert!(seat.is_ok(), "a device activates: {:?}", seat.err());
        becomes(test, SELLER, Standing::Active).await.expect("is");
        let (count, status, again) = bundle(&guest, &stall).await;
        assert_eq!((count, status), (1, StatusCode::OK), "{again}");
        let (status, started) = guest.post_json("/v1/checkouts", &nothing).await;
        assert_eq!(status, StatusCode::CREATED, "the control: {started}");
        let item = Item::new(desk.shop.price, 1);
        desk.buy_as(&test.guest(), item, 4_900, &[]).await;
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn only_the_owner_changes_anothers_standing_and_twice_is_once() {
    TestApp::both(async |test| {
        let at = before(test).await;
        let other = AccountId::from_bytes(*b"another seller 3");
        for who in [
            person(test, other, Role::Developer),
            person(test, SELLER, Role::Developer),
            person(test, BUYER, Role::Customer),
            test.guest(),
        ] {
            for standing in Standing::ALL {
                let command = SetStanding {
                    seller: SELLER,
                    standing: *standing,
                    reason: REASON.to_owned(),
                };
                let done = test.app.transact(&who, command, set_standing).await;
                assert!(matches!(done, Err(SellerError::Denied(_))), "{standing:?}");
            }
        }
        // Another's shop is never one's own.
        let another = person(test, other, Role::Developer);
        assert!(matches!(
            closes(test, &another, "acme").await,
            Err(SellerError::NotFound)
        ));
        let nobody = becomes(test, other, Standing::Suspended).await;
        assert!(matches!(nobody, Err(SellerError::NotFound)));
        for _ in 0..2 {
            becomes(test, SELLER, Standing::Suspended)
                .await
                .expect("is");
        }
        assert_eq!(facts(test, "seller.suspended").await, 1);
        assert_eq!(facts(test, "subscription.rests").await, 1);
        let rows = at.desk.rows("SELECT number FROM seller_standing").await;
        assert_eq!(rows.len(), 1);
        let audited = at
            .desk
            .rows("SELECT subject FROM audit WHERE command = 'sellers.set_standing'")
            .await;
        assert!(audited.len() >= 2, "whoever asked is on record");
        let seller = person(test, SELLER, Role::Developer);
        let slug = at.desk.rows("SELECT slug FROM seller").await[0]
            .text("slug")
            .expect("a slug");
        assert!(matches!(
            closes(test, &seller, &slug).await,
            Err(SellerError::Suspended)
        ));
        let silent = SetStanding {
            seller: SELLER,
            standing: Standing::Active,
            reason: " ".to_owned(),
        };
        let done = test.app.transact(&owner(test), silent, set_standing).await;
        assert!(matches!(done, Err(SellerError::Reason)));
        // Overtaken: what the suspension's job would do, the resumption's undoes.
        becomes(test, SELLER, Standing::Active).await.expect("is");
        let of = subscribed(test, at.subscription).await;
        assert_eq!(of.rests_since, None);
        at.server.stop().await;
    })
    .await;
}

/// Ends on either side of a renewal: either it was billed before and is charged, or it rests. Never
/// both, and the seller's suspension always holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_suspension_and_a_renewal_at_once_charge_once_or_not_at_all() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_pays")).await;
        let table = Arc::new(worker::table());
        let (mut charged, mut rested) = (0, 0);
        for month in ["2027-01-30", "2027-03-02", "2027-04-04", "2027-05-06"] {
            let at: jiff::Timestamp = format!("{month}T08:00:00Z").parse().expect("an instant");
            test.clock.set(Timestamp::from_ms(at.as_millisecond()));
            let before = subscribed(test, id).await;
            let (house, seller) = (owner(test), SELLER);
            at_once(2, |number| {
                let (app, table, house) = (test.app.clone(), table.clone(), house.clone());
                async move {
                    if number == 0 {
                        worker::drain(&app, &table).await.expect("drains");
                        return;
                    }
                    let command = SetStanding {
                        seller,
                        standing: Standing::Suspended,
                        reason: REASON.to_owned(),
                    };
                    let done = app.transact(&house, command, set_standing).await;
                    done.expect("is suspended");
                }
            })
            .await;
            test.drain().await;
            let now = subscribed(test, id).await;
            assert!(now.rests_since.is_some(), "{month}: it rests from now on");
            let bills = facts(test, "subscription.cycled").await;
            match now.period - before.period {
                0 => rested += 1,
                1 => charged += 1,
                other => panic!("{month}: {other} periods at once"),
            }
            // Those that rested in earlier rounds began when they went on.
            let waits = i64::from(now.period == before.period);
            assert_eq!(bills, charged + rested - waits);
            becomes(test, SELLER, Standing::Active).await.expect("is");
            let after = subscribed(test, id).await;
            assert_eq!(
                after.period,
                before.period + 1,
                "{month}: one period, whoever won"
            );
        }
        // The first is the trial's end; each period was paid once.
        assert_eq!(facts(test, "subscription.cycled").await, 4);
        assert_eq!(facts(test, "subscription.renewed").await, 4);
    })
    .await;
}

#[tokio::test]
async fn the_owner_and_the_seller_see_what_happens_in_words() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        crate::shop::stall(test, "Elsewhere").await;
        let (seller, account) = crate::web_usage::signed_in(&server, "ada@seller.example").await;
        let opened = send(&seller, "/sell", "/sell/open", &[("name", "Ada Tools")]).await;
        assert_eq!(opened.0, StatusCode::SEE_OTHER, "{}", opened.2);
        let (boss, _) = crate::web_usage::signed_in(&server, "owner@example.org").await;
        let house = test.system();
        let made = test.app.transact(&house, MakeAdminLink, make_admin_link);
        let token = json!({ "token": made.await.expect("a token") });
        assert_eq!(boss.post_json("/v1/me/admin", &token).await.0, 204);
        // For everybody else there is nothing there.
        let path = format!("/owner/sellers/{account}");
        for hidden in ["/owner/sellers", path.as_str()] {
            assert_eq!(seller.get(hidden).await.status(), StatusCode::NOT_FOUND);
        }
        let list = page(&boss, "/owner/sellers?search=Ada%20T").await;
        assert!(
            list.contains("Ada Tools") && !list.contains("Elsewhere"),
            "{list}"
        );
        let shown = page(&boss, &path).await;
        for told in [
            "Suspend this seller",
            "Licenses that were sold go on working",
            "Close this account",
            "120 days",
        ] {
            assert!(shown.contains(told), "{told}: {shown}");
        }
        let none = [("standing", "suspended"), ("why_suspended", "")];
        assert_eq!(send(&boss, &path, &path, &none).await.0, 422);
        let form = [("standing", "suspended"), ("why_suspended", REASON)];
        assert_eq!(
            send(&boss, &path, &path, &form).await.0,
            StatusCode::SEE_OTHER
        );
        test.drain().await;
        let list = page(&boss, "/owner/sellers?standing=suspended").await;
        assert!(
            list.contains("Ada Tools") && !list.contains("Elsewhere"),
            "{list}"
        );
        for own in ["/sell", "/sell/products", "/sell/payouts"] {
            let text = page(&seller, own).await;
            assert!(text.contains("Your account is suspended"), "{own}: {text}");
            assert!(text.contains(REASON), "{own}");
        }
        let (_, standing) = seller.get_json("/v1/shop/standing").await;
        assert_eq!(
            (&standing["standing"], &standing["reason"]),
            (&json!("suspended"), &json!(REASON))
        );
        let form = [("standing", "active"), ("why_active", "It was settled.")];
        assert_eq!(
            send(&boss, &path, &path, &form).await.0,
            StatusCode::SEE_OTHER
        );
        let text = page(&seller, "/sell").await;
        assert!(!text.contains("Your account is suspended"), "{text}");
        // The seller closes it, by its name.
        let close = page(&seller, "/sell/close").await;
        assert!(
            close.contains("ada-tools") && close.contains("120 days"),
            "{close}"
        );
        let slip = send(&seller, "/sell/close", "/sell/close", &[("shop", "ada")]).await;
        assert_eq!(slip.0, 422, "{}", slip.2);
        let done = send(
            &seller,
            "/sell/close",
            "/sell/close",
            &[("shop", "ada-tools")],
        )
        .await;
        assert_eq!(done.0, StatusCode::SEE_OTHER, "{}", done.2);
        let text = page(&seller, "/sell").await;
        assert!(
            text.contains("Your account as a seller is closed"),
            "{text}"
        );
        let put = |standing: &str| json!({ "standing": standing, "reason": REASON });
        let path = format!("/v1/sellers/{account}/standing");
        for (who, status) in [(&seller, 403), (&boss, 409)] {
            let sent = who.request(Method::PUT, &path).json(&put("suspended"));
            let sent = sent.send().await.expect("an answer");
            assert_eq!(sent.status().as_u16(), status);
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn nothing_is_charged_by_any_door_while_the_seller_is_suspended() {
    TestApp::both(async |test| {
        sign_up(test, SELLER, "seller").await;
        let club = club(test).await;
        // Declined once before; the card would pay now.
        let id = tried(test, &club, Some("sbm_insufficient_funds")).await;
        travel(test, "2027-01-30").await;
        assert_eq!(status(test, id).await, "past_due");
        becomes(test, SELLER, Standing::Suspended)
            .await
            .expect("is");
        pay_with(test, id, "sbm_pays").await;
        for day in ["2027-02-01", "2027-02-07", "2027-02-20"] {
            travel(test, day).await;
            assert_eq!(status(test, id).await, "past_due", "on {day}");
        }
        assert_eq!(facts(test, "subscription.recovered").await, 0);
        assert_eq!(
            facts(test, "subscription.lapsed").await,
            0,
            "its grace waits"
        );
        becomes(test, SELLER, Standing::Active).await.expect("is");
        assert_eq!(status(test, id).await, "active");
        assert_eq!(facts(test, "subscription.recovered").await, 1);
        // Who paused can't go on, and who cancels ends.
        do_it(test, id, Action::Pause, None).await.expect("pauses");
        travel(test, "2027-03-25").await;
        assert_eq!(status(test, id).await, "paused");
        becomes(test, SELLER, Standing::Suspended)
            .await
            .expect("is");
        let resumed = do_it(test, id, Action::Resume, Some(1_000)).await;
        let stopped: Result<(), _> = Err(SubscriptionError::SellerStopped(Standing::Suspended));
        assert_eq!(said(resumed), said(stopped));
        do_it(test, id, Action::CancelNow, None)
            .await
            .expect("ends");
        assert_eq!(status(test, id).await, "canceled");
    })
    .await;
}

fn said<T>(done: Result<T, SubscriptionError>) -> Option<String> {
    done.err().map(|error| error.to_string())
}

#[tokio::test]
async fn what_is_wished_while_it_rests_is_done_at_once() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_pays")).await;
        becomes(test, SELLER, Standing::Suspended)
            .await
            .expect("is");
        travel(test, "2027-02-10").await;
        assert_eq!(status(test, id).await, "trialing", "the trial is longer");
        do_it(test, id, Action::Cancel, None).await.expect("ends");
        assert_eq!(status(test, id).await, "canceled");
        becomes(test, SELLER, Standing::Active).await.expect("is");
        assert_eq!(facts(test, "subscription.goes_on").await, 0);
        assert_eq!(status(test, id).await, "canceled");
    })
    .await;
}

#[tokio::test]
async fn the_owner_opens_a_closed_account_in_time_and_its_seller_never_does() {
    TestApp::both(async |test| {
        let at = before(test).await;
        let seller = person(test, SELLER, Role::Developer);
        let slug = at.desk.rows("SELECT slug FROM seller").await;
        let slug = slug[0].text("slug").expect("a slug");
        let wrong = closes(test, &seller, "another").await;
        assert!(matches!(wrong, Err(SellerError::NotConfirmed(name)) if name == slug));
        closes(test, &seller, &slug).await.expect("closes");
        closes(test, &seller, &slug).await.expect("twice is once");
        assert_eq!(facts(test, "seller.closed").await, 1);
        // Nothing is put up for sale; to suspend what is closed means nothing.
        let rows = at.desk.rows("SELECT product_id FROM product").await;
        let product = rows[0].id("product_id", mintreu::id::ProductId::from_bytes);
        let publish = PublishProduct {
            product: product.expect("an id"),
        };
        let draft = json!({
            "code": "later.tool", "kind": "download", "name": "Later", "summary": "Works.",
            "categories": ["tools"],
            "prices": [{"model": "one_time", "amount_minor": 1000, "currency": "EUR"}],
        });
        let draft = serde_json::from_value(draft).expect("a draft");
        let made = CreateProduct { draft };
        let made = test
            .app
            .transact(&seller, made, create_product)
            .await
            .expect("a draft");
        let later = PublishProduct { product: made.id };
        let done = test.app.transact(&seller, later, publish_product).await;
        assert!(matches!(done, Err(CatalogError::Stopped(Standing::Closed))));
        let known = test.app.transact(&seller, publish, publish_product).await;
        assert!(known.is_ok(), "what is published stays so");
        let suspended = becomes(test, SELLER, Standing::Suspended).await;
        assert!(matches!(suspended, Err(SellerError::Closed)));
        // The owner opens it; who wished meanwhile to stay may say so.
        becomes(test, SELLER, Standing::Active)
            .await
            .expect("opens");
        let of = subscribed(test, at.subscription).await;
        assert!(of.cancel_wished_at.is_some());
        do_it(test, at.subscription, Action::Uncancel, None)
            .await
            .expect("stays");
        travel(test, "2027-02-16").await;
        assert_eq!(facts(test, "subscription.renewed").await, 1);
        at.server.stop().await;
    })
    .await;
}
