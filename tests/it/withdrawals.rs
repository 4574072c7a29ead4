//! Buyers who withdraw from what they bought: when they can, when not, and what comes of it.

use crate::money_back::{Desk, Paid};
use crate::shop::{choose, listed, order_of, paid, person, shop, stall};
use crate::subscriptions::{club, facts};
use crate::web_pages::{hidden, page};
use axum::http::Method;
use mintreu::Timestamp;
use mintreu::id::{AccountId, PriceId};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::domains::orders::access_token;
use mintreu_server::domains::refunds::RefundState;
use mintreu_server::domains::wishes::{
    Standing, ViewWithdrawal, Withdraw, WithdrawalError, WithdrawalView, ends_at, view_withdrawal,
    withdraw,
};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_tests::{Browser, TestApp};
use serde_json::{Value, json};

const DAY: i64 = 24 * 60 * 60 * 1000;
pub const ADA: AccountId = AccountId::from_bytes(*b"ada regrets this");

/// What somebody signed in withdraws from.
async fn declare(
    test: &TestApp,
    who: &Caller,
    paid: &Paid,
) -> Result<WithdrawalView, WithdrawalError> {
    let command = Withdraw {
        order: paid.order,
        token: None,
        line: None,
    };
    test.app.transact(who, command, withdraw).await
}

async fn look(test: &TestApp, who: &Caller, paid: &Paid) -> WithdrawalView {
    let query = ViewWithdrawal {
        order: paid.order,
        token: None,
    };
    let found = test.app.read(who, query, view_withdrawal).await;
    found.expect("is seen")
}

fn standings(view: &WithdrawalView) -> Vec<Standing> {
    view.lines.iter().map(|line| line.standing).collect()
}

/// Ada buys the editor without a waiver, as an API's order is.
pub async fn bought(desk: &Desk<'_>, ada: &Caller) -> Paid {
    let item = Item::new(desk.shop.price, 1);
    desk.buy_as(ada, item, 4_900, &[]).await
}

#[tokio::test]
async fn all_of_it_goes_back_once_and_the_license_with_it() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let ada = person(test, ADA, Role::Customer);
        let paid = bought(&desk, &ada).await;
        let seen = look(test, &ada, &paid).await;
        assert_eq!(standings(&seen), [Standing::Open]);
        assert_eq!(seen.until, Some(ends_at(test.app.now())));
        let first = declare(test, &ada, &paid).await.expect("is declared");
        assert_eq!(standings(&first), [Standing::Withdrawn]);
        let again = declare(test, &ada, &paid).await.expect("the same");
        assert_eq!(again, first, "saying it again answers the same");
        desk.hand_over_all().await;
        assert_eq!(desk.sent_back(&paid).await, [4_900]);
        assert_eq!(desk.state(&paid).await, "refunded");
        assert_eq!(desk.license(&paid).await.as_deref(), Some("refund"));
        assert_eq!(facts(test, "withdrawal.declared").await, 1);
        let later = declare(test, &ada, &paid).await.expect("still the same");
        let (declared, state) = later.lines[0].withdrawal.as_ref().expect("declared");
        assert_eq!(*state, RefundState::Succeeded);
        assert_eq!(
            Some(declared),
            first.lines[0].withdrawal.as_ref().map(|one| &one.0)
        );
        let rows = desk.rows("SELECT reason, source FROM refund").await;
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text("reason").expect("a reason"), "withdrawal");
        assert_eq!(rows[0].text("source").expect("by"), "buyer");
    })
    .await;
}

#[tokio::test]
async fn nobody_else_s_too_late_refunded_or_disputed_is_refused() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let ada = person(test, ADA, Role::Customer);
        let paid = bought(&desk, &ada).await;
        let other = person(test, AccountId::from_bytes([7; 16]), Role::Customer);
        for stranger in [&other, &desk.shop.seller, &test.guest()] {
            let refused = declare(test, stranger, &paid).await;
            let error = refused.expect_err("it is Ada's");
            assert!(
                matches!(error, WithdrawalError::Order(ref error) if error.to_string() == "no such order"),
                "{error:?}"
            );
        }
        let disputed = bought(&desk, &ada).await;
        assert!(desk.raise(&disputed, ObjectState::Opened).await);
        desk.hand_over_all().await;
        let refused = declare(test, &ada, &disputed).await;
        assert!(matches!(refused, Err(WithdrawalError::Disputed)));
        assert!(desk.decide(&disputed, ObjectState::Won).await);
        desk.hand_over_all().await;

        let refunded = bought(&desk, &ada).await;
        desk.refund(Desk::wish(&refunded, None)).await.expect("is asked");
        let refused = declare(test, &ada, &refunded).await;
        assert!(matches!(refused, Err(WithdrawalError::NothingLeft)));
        desk.hand_over_all().await;
        let refused = declare(test, &ada, &refunded).await;
        assert!(matches!(refused, Err(WithdrawalError::NothingLeft)));

        // A part of it went back: the rest does.
        let part = bought(&desk, &ada).await;
        desk.refund(Desk::wish(&part, Some(900))).await.expect("is asked");
        desk.hand_over_all().await;
        declare(test, &ada, &part).await.expect("is declared");
        desk.hand_over_all().await;
        assert_eq!(desk.sent_back(&part).await, [900, 4_000]);

        let until = look(test, &ada, &paid).await.until.expect("an end");
        test.clock.set(Timestamp::from_ms(until.ms() - 1));
        assert_eq!(standings(&look(test, &ada, &paid).await), [Standing::Open]);
        test.clock.set(until);
        assert_eq!(standings(&look(test, &ada, &paid).await), [Standing::Late]);
        let refused = declare(test, &ada, &paid).await;
        assert!(matches!(refused, Err(WithdrawalError::Late)));
        test.drain().await;
        assert_eq!(desk.state(&paid).await, "paid");
        assert_eq!(desk.license(&paid).await, None, "nothing happened to it");
    })
    .await;
}

#[tokio::test]
async fn a_refund_that_fails_can_be_asked_for_again() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let ada = person(test, ADA, Role::Customer);
        let paid = bought(&desk, &ada).await;
        declare(test, &ada, &paid).await.expect("is declared");
        desk.hand_over_all().await;
        desk.fail_refunds().await;
        desk.hand_over_all().await;
        assert_eq!(desk.state(&paid).await, "paid");
        let seen = look(test, &ada, &paid).await;
        assert_eq!(standings(&seen), [Standing::Open]);
        let (_, state) = seen.lines[0].withdrawal.as_ref().expect("it was declared");
        assert_eq!(*state, RefundState::Failed);
        declare(test, &ada, &paid).await.expect("again");
        desk.hand_over_all().await;
        assert_eq!(desk.state(&paid).await, "refunded");
        assert_eq!(facts(test, "withdrawal.declared").await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_subscription_ends_with_its_first_period_and_not_by_a_renewal() {
    TestApp::both(async |test| {
        let (desk, club) = (Desk::open(test).await, club(test).await);
        let items = |price| Item::new(price, 1);
        let paid = desk
            .buy_as(&club.buyer, items(club.cheap), 1_000, &[])
            .await;
        declare(test, &club.buyer, &paid)
            .await
            .expect("is declared");
        let ended = "SELECT status, end_reason FROM subscription";
        let rows = desk.rows(ended).await;
        assert_eq!(rows[0].text("status").expect("a status"), "canceled");
        assert_eq!(rows[0].text("end_reason").expect("why"), "refunded");
        desk.hand_over_all().await;
        assert_eq!(desk.sent_back(&paid).await, [1_000]);
        assert_eq!(desk.state(&paid).await, "refunded");

        let stays = desk.buy_as(&club.buyer, items(club.dear), 2_000, &[]).await;
        test.clock
            .set(Timestamp::from_ms(test.app.now().ms() + 32 * DAY));
        test.drain().await;
        let bills = desk
            .rows("SELECT order_id FROM subscription_bill ORDER BY placed_at")
            .await;
        let renewal = bills.last().expect("a renewal");
        let renewal = Paid {
            order: renewal
                .id("order_id", mintreu::id::OrderId::from_bytes)
                .expect("an id"),
            ..stays.clone()
        };
        desk.hand_over_all().await;
        let refused = declare(test, &club.buyer, &renewal).await;
        assert!(
            matches!(refused, Err(WithdrawalError::Renewal)),
            "{refused:?}"
        );
        let refused = declare(test, &club.buyer, &stays).await;
        assert!(matches!(refused, Err(WithdrawalError::Late)), "{refused:?}");
    })
    .await;
}

/// What the order's buyer is told by the API, and what saying so answers.
async fn said(guest: &Browser, path: &str) -> (u16, Value) {
    let (status, found) = guest.post_json(path, &json!({})).await;
    (status.as_u16(), found)
}

#[tokio::test]
async fn a_guest_withdraws_in_two_steps_by_the_order_s_link_and_is_told_by_mail() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let order = paid(test, &guest, &order_of(shop.price, 4_900)).await;
        let by_page = format!("/orders/{}?t={}", order.order, order.token);
        let first = page(&guest, &by_page).await;
        assert!(first.contains("Withdraw from contract here"), "{first}");
        let step = format!("/orders/{}/withdraw?t={}", order.order, order.token);
        assert!(first.contains(&format!("/orders/{}/withdraw", order.order)));
        let second = page(&guest, &step).await;
        assert!(second.contains("Confirm withdrawal"), "{second}");
        let before = test.mails().len();
        let csrf = hidden(&second, "csrf");
        for _ in 0..2 {
            let form = [("csrf", csrf.as_str()), ("line", "all")];
            let pressed = guest.request(Method::POST, &step).form(&form).send().await;
            let pressed = pressed.expect("an answer");
            assert_eq!(pressed.status().as_u16(), 303, "{pressed:?}");
        }
        test.drain().await;
        let done = page(&guest, &step).await;
        assert!(done.contains("You withdrew on"), "{done}");
        assert!(!done.contains("Confirm withdrawal"), "{done}");
        let mails = test.mails();
        let subject = format!("You withdrew from order {}", order.order);
        let told: Vec<_> = mails
            .iter()
            .filter(|mail| mail.contains(&subject))
            .collect();
        assert_eq!(told.len(), 1, "once: {:?}", mails.len() - before);
        for said in [
            "guest@example.org",
            "Acme Editor",
            "49.00 EUR",
            "2027-01-15T",
        ] {
            assert!(told[0].contains(said), "{said}: {}", told[0]);
        }
        assert!(
            !page(&guest, &by_page)
                .await
                .contains("Withdraw from contract here")
        );

        // Without the token there is no such order; the address of another is no help.
        let path = format!("/v1/orders/{}/withdrawal", order.order);
        assert_eq!(said(&guest, &path).await.0, 404);
        assert_eq!(said(&guest, &format!("{path}?token=other")).await.0, 404);
        let (status, found) = said(&guest, &format!("{path}?token={}", order.token)).await;
        assert_eq!(status, 200, "{found}");
        assert_eq!(found["lines"][0]["standing"], "withdrawn");
        assert_eq!(found["lines"][0]["refund_state"], "succeeded");
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn what_was_waived_stays_bought_and_what_is_free_is_no_contract_to_withdraw_from() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        let guest = server.browser();
        let body = json!({"items": [{"price_id": shop.price.to_string()}]});
        let (_, quoted) = guest.post_json("/v1/quotes", &body).await;
        let body = json!({"quote": quoted["quote"], "email": "ada@example.org",
            "accepted": ["withdrawal_waiver"]});
        let (status, started) = guest.post_json("/v1/quotes/confirmations", &body).await;
        assert_eq!(status.as_u16(), 201, "{started}");
        let order = crate::shop::bought(&started);
        let path = format!(
            "/v1/orders/{}/withdrawal?token={}",
            order.order, order.token
        );
        let (status, problem) = said(&guest, &path).await;
        assert_eq!((status, &problem["code"]), (409, &json!("order_state")));
        choose(&guest, &order, "succeed").await;
        test.drain().await;
        let (status, problem) = said(&guest, &path).await;
        assert_eq!(
            (status, &problem["code"]),
            (409, &json!("withdrawal_waived"))
        );
        let step = format!("/orders/{}/withdraw?t={}", order.order, order.token);
        let read = page(&guest, &step).await;
        assert!(read.contains("lose your right to withdraw"), "{read}");
        let by_page = format!("/orders/{}?t={}", order.order, order.token);
        assert!(
            !page(&guest, &by_page)
                .await
                .contains("Withdraw from contract here")
        );

        let free = crate::shop::placed(&guest, &order_of(shop.free, 0)).await;
        let path = format!("/v1/orders/{}/withdrawal?token={}", free.order, free.token);
        let (status, problem) = said(&guest, &path).await;
        assert_eq!(
            (status, &problem["code"]),
            (409, &json!("withdrawal_of_nothing"))
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn of_several_lines_each_is_withdrawn_from_by_itself() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let other = stall(test, "Other").await;
        let draft = json!({
            "code": "other.tool", "kind": "download", "name": "Other Tool", "summary": "Works.",
            "categories": ["tools"],
            "prices": [{"model": "one_time", "amount_minor": 1000, "currency": "EUR"}],
        });
        let price = listed(test, &other, draft).await.prices[0].id;
        let items = vec![Item::new(desk.shop.price, 1), Item::new(price, 1)];
        let paid = desk.buy_all(items, 5_900).await;
        let token = access_token(&test.app.keys, test.tenant(), paid.order);
        let query = ViewWithdrawal {
            order: paid.order,
            token: Some(token.reveal().to_owned()),
        };
        let guest = test.guest();
        let seen = test.app.read(&guest, query, view_withdrawal).await;
        let seen = seen.expect("is seen");
        let tool = seen.lines.iter().find(|line| line.title == "Other Tool");
        let mut command = Withdraw {
            order: paid.order,
            token: Some(token.reveal().to_owned()),
            line: Some(mintreu::id::OrderLineId::from_bytes([3; 16])),
        };
        let refused = test.app.transact(&guest, command.clone(), withdraw).await;
        assert!(matches!(refused, Err(WithdrawalError::NotFound)));
        command.line = tool.map(|line| line.line);
        let done = test.app.transact(&guest, command.clone(), withdraw).await;
        let done = standings(&done.expect("is declared"));
        assert_eq!(done, [Standing::Open, Standing::Withdrawn]);
        desk.hand_over_all().await;
        assert_eq!(desk.sent_back(&paid).await, [1_000]);
        assert_eq!(desk.state(&paid).await, "partially_refunded");
        command.line = None;
        let done = test.app.transact(&guest, command, withdraw).await;
        assert_eq!(
            standings(&done.expect("the rest")),
            [Standing::Withdrawn; 2]
        );
        desk.hand_over_all().await;
        assert_eq!(desk.sent_back(&paid).await, [1_000, 4_900]);
        assert_eq!(desk.state(&paid).await, "refunded");
    })
    .await;
}

#[tokio::test]
async fn of_withdrawals_and_refunds_at_once_the_money_goes_back_once() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let ada = person(test, ADA, Role::Customer);
        let paid = bought(&desk, &ada).await;
        let (first, second, refund) = tokio::join!(
            declare(test, &ada, &paid),
            declare(test, &ada, &paid),
            desk.refund(Desk::wish(&paid, None)),
        );
        match refund {
            // The seller was first: nothing was left to withdraw from.
            Ok(_) => assert!(first.is_err() && second.is_err(), "{first:?} {second:?}"),
            Err(_) => assert_eq!(first.expect("declared"), second.expect("the same")),
        }
        desk.hand_over_all().await;
        assert_eq!(desk.sent_back(&paid).await, [4_900]);
        assert_eq!(desk.state(&paid).await, "refunded");
    })
    .await;
}

/// A subscription asks for no waiver, and its buyer withdraws from it; what is bought with it and
/// supplied at once stays bought.
#[tokio::test]
async fn a_subscription_asks_for_no_waiver_and_can_be_withdrawn_from() {
    TestApp::both(async |test| {
        let (club, shop) = (club(test).await, shop(test).await);
        let server = test.serve().await;
        let guest = server.browser();
        let quote = async |prices: &[PriceId]| {
            let items = prices
                .iter()
                .map(|price| json!({"price_id": price.to_string()}));
            let body = json!({"items": items.collect::<Vec<_>>()});
            let (_, quoted) = guest.post_json("/v1/quotes", &body).await;
            let texts = quoted["consents"].as_array().expect("texts").clone();
            let asked = texts.iter().any(|text| text["kind"] == "withdrawal_waiver");
            (quoted["quote"].clone(), asked)
        };
        let (_, asked) = quote(&[club.cheap, shop.price]).await;
        assert!(asked, "one of both is supplied at once");
        let (quoted, asked) = quote(&[club.cheap]).await;
        assert!(!asked, "it is supplied bit by bit");
        let shown = page(&guest, "/checkout/club-app").await;
        assert!(!shown.contains("name=\"waiver\""), "{shown}");
        let body = json!({"quote": quoted, "email": "ada@example.org"});
        let (status, started) = guest.post_json("/v1/quotes/confirmations", &body).await;
        assert_eq!(status.as_u16(), 201, "{started}");
        let order = crate::shop::bought(&started);
        choose(&guest, &order, "succeed").await;
        test.drain().await;
        let path = format!(
            "/v1/orders/{}/withdrawal?token={}",
            order.order, order.token
        );
        let (_, found) = guest.get_json(&path).await;
        assert_eq!(found["lines"][0]["standing"], "open", "{found}");
        let (status, found) = said(&guest, &path).await;
        assert_eq!(status, 200, "{found}");
        server.stop().await;
    })
    .await;
}
