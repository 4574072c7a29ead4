//! Another address of an account: what follows it, what doesn't, and who can stop it.

use crate::discontinued::pier;
use crate::facts::sign_up;
use crate::risk::entry;
use crate::shop::{SELLER, bought, choose, order_of, paid, person};
use crate::subscriptions::travel;
use crate::web_pages::{page, send};
use crate::web_papers::account;
use crate::webhook_receiver::Receiver;
use mintreu::id::AccountId;
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::accounts::Email;
use mintreu_server::domains::accounts::address::{
    AddressChange, AskAddress, ConfirmAddress, Link, MyAddress, OPEN_MS, UNDO_MS, ask_address,
    confirm_address, link, my_address,
};
use mintreu_server::domains::promotions::{CreateCoupon, create_coupon};
use mintreu_server::domains::risk::model::{EntryKind, Side};
use mintreu_server::domains::webhooks::{CreateEndpoint, create_endpoint};
use mintreu_server::net::Reach;
use mintreu_tests::{Browser, TestApp};
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PASSWORD: &str = "a tame raven sings";
const OLD: &str = "ada@old.example";
const NEW: &str = "ada@new.example";

/// Somebody signed in, and the same person without HTTP.
async fn signed_in(test: &TestApp, browser: &Browser, email: &str) -> Caller {
    account(browser, email).await;
    let (_, me) = browser.get_json("/v1/me").await;
    let id = AccountId::parse(me["account_id"].as_str().expect("an id"));
    person(test, id.expect("an id"), Role::Customer)
}

async fn enter(browser: &Browser, email: &str) -> StatusCode {
    let body = json!({"email": email, "password": PASSWORD});
    browser.post_json("/v1/sessions", &body).await.0
}

async fn ask(browser: &Browser, email: &str) -> (StatusCode, Value) {
    let body = json!({"email": email, "password": PASSWORD});
    browser.post_json("/v1/me/email", &body).await
}

async fn open(test: &TestApp, who: &Caller) -> AddressChange {
    let found = test.app.read(who, MyAddress, my_address).await;
    found.expect("an account").1.expect("something open")
}

fn token(test: &TestApp, of: &AddressChange, what: Link) -> String {
    link(&test.app.keys, test.tenant(), of, what)
}

async fn use_link(browser: &Browser, path: &str, token: &str) -> (StatusCode, Value) {
    let body = json!({"token": token});
    let sent = browser.request(reqwest::Method::POST, path).json(&body);
    let answer = sent.send().await.expect("an answer");
    let status = answer.status();
    (status, answer.json().await.unwrap_or(Value::Null))
}

async fn confirm(browser: &Browser, token: &str) -> (StatusCode, Value) {
    use_link(browser, "/v1/email-confirmations", token).await
}

async fn stop(browser: &Browser, token: &str) -> (StatusCode, Value) {
    use_link(browser, "/v1/email-stops", token).await
}

async fn email(browser: &Browser) -> Value {
    browser.get_json("/v1/me").await.1["email"].clone()
}

/// Mails to an address, as their readers see them.
fn mails(test: &TestApp, to: &str) -> Vec<String> {
    let to = format!("To: {to}");
    let mails = test.mails().into_iter();
    let mails = mails.map(|mail| mail.replace("=\r\n", "").replace("=3D", "="));
    mails.filter(|mail| mail.contains(&to)).collect()
}

fn told(test: &TestApp, to: &str, words: &str) -> usize {
    mails(test, to)
        .iter()
        .filter(|mail| mail.contains(words))
        .count()
}

/// What an account has, list by list.
async fn belongings(browser: &Browser) -> BTreeMap<&'static str, Value> {
    let mut found = BTreeMap::new();
    for path in [
        "/v1/orders",
        "/v1/licenses",
        "/v1/subscriptions",
        "/v1/payment-methods",
        "/v1/invoices",
    ] {
        let (status, list) = browser.get_json(path).await;
        assert_eq!(status, 200, "{path}: {list}");
        found.insert(path, list);
    }
    found
}

async fn order(test: &TestApp, browser: &Browser, body: &Value) {
    let (status, started) = browser.post_json("/v1/checkouts", body).await;
    assert_eq!(status, 201, "{started}");
    choose(browser, &bought(&started), "succeed").await;
    test.drain().await;
}

#[tokio::test]
async fn everything_follows_the_account_and_nothing_is_counted_anew() {
    TestApp::both(async |test| {
        sign_up(test, SELLER, "seller").await;
        let (server, receiver) = (test.serve().await, Receiver::start().await);
        let (product, seller) = pier(test).await;
        let [monthly, once] = [0, 1].map(|at| product.prices[at].id);
        let rule = json!({"percent_bps": 5000, "max_per_customer": 1});
        let coupon = CreateCoupon {
            code: "ONCE".to_owned(),
            rule: serde_json::from_value(rule).expect("a rule"),
        };
        let made = test.app.transact(&seller, coupon, create_coupon).await;
        made.expect("is written");
        let (ada, guest) = (server.browser(), server.browser());
        let who = signed_in(test, &ada, OLD).await;

        // What she has: an order of a guest that she claimed, a purchase with a code, a trial.
        let by = |email: &str| {
            let mut body = order_of(once, 12_000);
            body["email"] = json!(email);
            body
        };
        let claimed = paid(test, &guest, &by(OLD)).await;
        let claim =
            |of: &crate::shop::Bought| format!("/v1/orders/{}/claim?token={}", of.order, of.token);
        assert!(
            ada.post_json(&claim(&claimed), &json!({}))
                .await
                .0
                .is_success()
        );
        let with_code = json!({"price_id": once.to_string(), "amount_minor": 6_000,
            "currency": "EUR", "codes": ["ONCE"]});
        order(test, &ada, &with_code).await;
        let subscribes = json!({"price_id": monthly.to_string(), "amount_minor": 1_000,
            "currency": "EUR"});
        order(test, &ada, &subscribes).await;
        let tries = json!({"price_id": monthly.to_string()});
        assert_eq!(ada.post_json("/v1/trials", &tries).await.0, 201);
        let later = paid(test, &guest, &by(NEW)).await;
        let (status, problem) = ada.post_json(&claim(&later), &json!({})).await;
        assert_eq!(problem["code"], "address_differs", "{status} {problem}");
        test.drain().await;
        let (_, invoices) = ada.get_json("/v1/invoices").await;
        let invoice = invoices["invoices"][0]["invoice_id"]
            .as_str()
            .expect("an id");
        let before = belongings(&ada).await;
        listen(test, &seller, &receiver).await;

        // Until the link is used nothing changes.
        let wrong = json!({"email": NEW, "password": "not what it is at all"});
        assert_eq!(ada.post_json("/v1/me/email", &wrong).await.0, 401);
        let (status, answer) = ask(&ada, NEW).await;
        assert_eq!((status.as_u16(), &answer["email"]), (202, &json!(NEW)));
        test.drain().await;
        assert_eq!(email(&ada).await, OLD);
        assert_eq!(enter(&server.browser(), NEW).await, 401);
        let change = open(test, &who).await;
        let (confirms, stops) = (
            token(test, &change, Link::Confirm),
            token(test, &change, Link::Stop),
        );
        assert_eq!(
            told(test, NEW, &format!("/account/email/confirm?t={confirms}")),
            1
        );
        assert_eq!(
            told(test, OLD, &format!("/account/email/stop?t={stops}")),
            1
        );
        assert_eq!(
            told(test, OLD, &confirms),
            0,
            "only the new mailbox confirms"
        );
        // Whoever only follows links confirms nothing; who has the mailbox needn't be signed in.
        let stranger = server.browser();
        let at = format!("/account/email/confirm?t={confirms}");
        assert!(page(&stranger, &at).await.contains("Confirm it"));
        assert_eq!(email(&ada).await, OLD);
        let used = send(
            &stranger,
            &at,
            "/account/email/confirm",
            &[("t", &confirms)],
        )
        .await;
        assert_eq!(used.0, 303, "{}", used.2);
        test.drain().await;

        assert_eq!(email(&ada).await, NEW, "she stays signed in");
        assert_eq!(belongings(&ada).await, before);
        assert_eq!(enter(&server.browser(), OLD).await, 401);
        assert_eq!(enter(&server.browser(), NEW).await, 201);
        assert_eq!(
            told(test, OLD, "Your account has another e-mail address"),
            1
        );
        assert_eq!(confirm(&stranger, &confirms).await.0, 410, "once");
        let paper = page(&ada, &format!("/invoices/{invoice}")).await;
        assert!(
            paper.contains(OLD) && !paper.contains(NEW),
            "an invoice stays as it is"
        );
        // Its seller is told of whose licenses and orders, and of no address.
        let hooks = receiver.take().into_iter();
        let mut hooks = hooks.filter(|hook| hook.json()["type"] == "customer.updated");
        let hook = hooks.next().expect("a delivery");
        assert!(hooks.next().is_none(), "once");
        let data = &hook.json()["data"];
        assert_eq!(data["changed"], json!(["email"]));
        let count = |field: &str| data[field].as_array().map(Vec::len);
        assert_eq!(
            (count("order_ids"), count("license_ids")),
            (Some(3), Some(4)),
            "{data}"
        );
        assert!(
            !hook.body.contains("example") && !hook.body.contains("acc_"),
            "{}",
            hook.body
        );

        // A guest's order of the new address comes into the account now.
        let (status, problem) = ada.post_json(&claim(&later), &json!({})).await;
        assert!(status.is_success(), "{problem}");
        // Mail goes to the new address.
        let receipts = (
            told(test, OLD, "Receipt for Pier"),
            told(test, NEW, "Receipt for Pier"),
        );
        travel(test, "2027-02-16").await;
        assert_eq!(told(test, OLD, "Receipt for Pier"), receipts.0);
        assert!(told(test, NEW, "Receipt for Pier") > receipts.1);

        assert_eq!(enter(&ada, NEW).await, 201, "a month later");
        // Limits of a person are neither hers anew nor those of who takes the old address.
        let again = ada.post_json("/v1/checkouts", &with_code).await;
        assert_eq!(again.1["code"], "coupon_customer_limit", "{}", again.1);
        let tried = ada.post_json("/v1/trials", &tries).await;
        assert_eq!(
            (tried.0.as_u16(), &tried.1["code"]),
            (409, &json!("trial_used"))
        );
        let heir = server.browser();
        signed_in(test, &heir, OLD).await;
        let again = heir.post_json("/v1/checkouts", &with_code).await;
        assert_eq!(again.1["code"], "coupon_customer_limit", "{}", again.1);
        let tried = heir.post_json("/v1/trials", &tries).await;
        assert_eq!(
            (tried.0.as_u16(), &tried.1["code"]),
            (409, &json!("trial_used"))
        );
        // The control: somebody else has both.
        let bob = server.browser();
        signed_in(test, &bob, "bob@else.example").await;
        assert_eq!(bob.post_json("/v1/trials", &tries).await.0, 201);
        assert_eq!(bob.post_json("/v1/checkouts", &with_code).await.0, 201);
        // Who is blocked by the address they had is so still.
        entry(test, Side::Block, EntryKind::Mail, OLD).await;
        let blocked = ada.post_json("/v1/checkouts", &subscribes).await;
        assert_eq!(blocked.1["code"], "purchase_refused", "{}", blocked.1);
        assert_eq!(bob.post_json("/v1/checkouts", &subscribes).await.0, 201);
        test.drain().await;
        server.stop().await;
    })
    .await;
}

async fn listen(test: &TestApp, seller: &Caller, receiver: &Receiver) {
    let listen = CreateEndpoint {
        url: receiver.url("/hooks"),
        description: String::new(),
        events: vec!["customer.updated".to_owned()],
        scheme: "v1".to_owned(),
        reach: Reach::ThisMachine,
    };
    let made = test.app.transact(seller, listen, create_endpoint).await;
    made.expect("is written");
}

/// Asks for another address and uses its link.
pub async fn moved(test: &TestApp, who: &Caller, email: &str) {
    let email = Email::parse(email).expect("an address");
    let asked = test
        .app
        .transact(who, AskAddress { email }, ask_address)
        .await;
    let confirms = token(test, &asked.expect("is asked"), Link::Confirm);
    let command = ConfirmAddress { token: confirms };
    let done = test
        .app
        .transact(&test.guest(), command, confirm_address)
        .await;
    done.expect("is confirmed");
    test.drain().await;
}

fn pass(test: &TestApp, ms: i64) {
    test.clock.advance(u32::try_from(ms).expect("days"));
}

#[tokio::test]
async fn who_asks_never_learns_whose_an_address_is() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, bob) = (server.browser(), server.browser());
        let who = signed_in(test, &ada, OLD).await;
        signed_in(test, &bob, "bob@else.example").await;
        let (free, theirs) = (ask(&ada, NEW).await, ask(&ada, "Bob@else.example").await);
        assert_eq!(free.0, theirs.0);
        let keys = |answer: &Value| -> Vec<String> {
            answer
                .as_object()
                .expect("an object")
                .keys()
                .cloned()
                .collect()
        };
        assert_eq!(keys(&free.1), keys(&theirs.1));
        test.drain().await;
        // Only the mailbox hears that it has an account, and gets no link.
        assert_eq!(
            told(
                test,
                "Bob@else.example",
                "There is an account with this address"
            ),
            1
        );
        assert_eq!(told(test, "Bob@else.example", "/account/email/confirm"), 0);
        assert_eq!(told(test, OLD, "Another e-mail address was asked for"), 2);
        let taken = open(test, &who).await;
        let (status, problem) = confirm(&ada, &token(test, &taken, Link::Confirm)).await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (409, &json!("email_taken"))
        );
        assert_eq!(email(&ada).await, OLD);
        // What it is already, and what is none.
        for (address, code) in [(OLD, "email_same"), ("nowhere", "email_malformed")] {
            let (status, problem) = ask(&ada, address).await;
            assert_eq!((status.as_u16(), &problem["code"]), (422, &json!(code)));
        }
        assert_eq!(
            ask(&server.browser(), NEW).await.0,
            401,
            "nobody's is nobody's"
        );
        // Mails to mailboxes of others are few.
        assert_eq!(ask(&ada, "third@new.example").await.0, 202);
        let (status, problem) = ask(&ada, "fourth@new.example").await;
        assert_eq!(
            (status.as_u16(), &problem["code"]),
            (429, &json!("too_many_requests"))
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn a_link_ends_and_only_the_newest_confirms() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let ada = server.browser();
        let who = signed_in(test, &ada, OLD).await;
        ask(&ada, NEW).await;
        let first = token(test, &open(test, &who).await, Link::Confirm);
        ask(&ada, "ada@other.example").await;
        let second = token(test, &open(test, &who).await, Link::Confirm);
        assert_eq!(confirm(&ada, &first).await.0, 410, "another was asked for");
        for wrong in [
            "",
            "acc_nobody.1.AAAA",
            &second[..second.len() - 2],
            "a.b.c.d",
        ] {
            assert_eq!(confirm(&ada, wrong).await.0, 410, "{wrong}");
        }
        // A link that stops confirms nothing, and the other way round.
        let stops = token(test, &open(test, &who).await, Link::Stop);
        assert_eq!(confirm(&ada, &stops).await.0, 410);
        assert_eq!(stop(&ada, &second).await.0, 410);
        pass(test, OPEN_MS);
        assert_eq!(confirm(&ada, &second).await.0, 410, "a day is over");
        let (_, mine) = ada.get_json("/v1/me/email").await;
        assert_eq!(mine, json!({"email": OLD, "pending": null}));

        // On the page: mistakes at their fields, what waits, and leaving it.
        let form = [("email", NEW), ("password", "not what it is at all")];
        let (status, _, text) = send(&ada, "/account", "/account/email", &form).await;
        assert_eq!(status, 422);
        assert!(
            text.contains("The password is wrong.") && text.contains(NEW),
            "{text}"
        );
        let form = [("email", NEW), ("password", PASSWORD)];
        let (status, to, text) = send(&ada, "/account", "/account/email", &form).await;
        assert_eq!((status.as_u16(), to.as_str()), (303, "/account"), "{text}");
        assert!(
            page(&ada, "/account")
                .await
                .contains(&format!("A link went to {NEW}"))
        );
        let confirms = token(test, &open(test, &who).await, Link::Confirm);
        let left = send(&ada, "/account", "/account/email/leave", &[]).await;
        assert_eq!(left.0, 303);
        assert_eq!(confirm(&ada, &confirms).await.0, 410, "it was left");
        assert_eq!(email(&ada).await, OLD);
        test.drain().await;
        server.stop().await;
    })
    .await;
}

/// Somebody who knows the password moves the account twice; the old mailbox has it back.
#[tokio::test]
async fn the_old_mailbox_stops_it_or_takes_it_back_for_three_days() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, thief) = (server.browser(), server.browser());
        let who = signed_in(test, &ada, OLD).await;
        assert_eq!(enter(&thief, OLD).await, 201);
        ask(&thief, "thief@one.example").await;
        let change = open(test, &who).await;
        let nobody = server.browser();
        assert_eq!(
            stop(&nobody, &token(test, &change, Link::Stop)).await.0,
            204
        );
        let late = confirm(&thief, &token(test, &change, Link::Confirm)).await;
        assert_eq!(late.0, 410, "it was stopped");
        for session in [&ada, &thief] {
            assert_eq!(
                session.get_json("/v1/me").await.0,
                401,
                "all are signed out"
            );
        }

        assert_eq!(enter(&thief, OLD).await, 201);
        ask(&thief, "thief@one.example").await;
        let first = open(test, &who).await;
        assert_eq!(
            confirm(&thief, &token(test, &first, Link::Confirm)).await.0,
            204
        );
        ask(&thief, "thief@two.example").await;
        let second = open(test, &who).await;
        assert_eq!(
            confirm(&thief, &token(test, &second, Link::Confirm))
                .await
                .0,
            204
        );
        test.drain().await;
        assert_eq!(email(&thief).await, "thief@two.example");
        pass(test, UNDO_MS - 1);
        let back = token(test, &first, Link::Stop);
        for _ in 0..2 {
            assert_eq!(stop(&nobody, &back).await.0, 204);
        }
        assert_eq!(thief.get_json("/v1/me").await.0, 401);
        assert_eq!(enter(&thief, "thief@two.example").await, 401);
        assert_eq!(enter(&ada, OLD).await, 201);
        // What the thief's second mailbox was sent takes nothing back any more.
        stop(&nobody, &token(test, &second, Link::Stop)).await;
        assert_eq!(email(&ada).await, OLD);

        // After three days it stays where it is.
        pass(test, OPEN_MS);
        assert_eq!(ask(&ada, NEW).await.0, 202);
        let own = open(test, &who).await;
        assert_eq!(
            confirm(&ada, &token(test, &own, Link::Confirm)).await.0,
            204
        );
        pass(test, UNDO_MS);
        assert_eq!(stop(&nobody, &token(test, &own, Link::Stop)).await.0, 410);
        assert_eq!(enter(&ada, NEW).await, 201);
        test.drain().await;
        server.stop().await;
    })
    .await;
}
