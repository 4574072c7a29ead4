//! What a seller's suspension and the closing of their account do to everything they touch, cell by
//! cell, and how it ends.

use crate::affiliates::{HELPER, buys, follows, has, recommended};
use crate::facts::sign_up;
use crate::money_back::{Desk, Paid};
use crate::payouts::{DAY, balance, earn, owner, pay, payouts_of, settle_in};
use crate::shop::{Bought, SELLER, order_of, person, placed};
use crate::subscriptions::{BUYER, club, facts, status, travel};
use crate::webhook_receiver::Receiver;
use mintreu::id::{AccountId, SubscriptionId};
use mintreu::{Currency, Money, Timestamp};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::domains::payouts::SkipReason;
use mintreu_server::domains::sellers::{
    CloseOwn, SellerError, SetStanding, Standing, close_own, set_standing,
};
use mintreu_server::domains::subscriptions::{MySubscription, Subscription, my_subscription};
use mintreu_server::domains::webhooks::{CreateEndpoint, create_endpoint};
use mintreu_server::net::Reach;
use mintreu_tests::TestApp;
use mintreu_tests::test_server::TestServer;
use reqwest::StatusCode;
use serde_json::json;
use std::collections::BTreeSet;

/// Why, for the seller to read.
pub const REASON: &str = "Two buyers say that nothing was delivered.";

/// The owner says what a seller becomes; all that follows has happened.
pub async fn becomes(
    test: &TestApp,
    seller: AccountId,
    standing: Standing,
) -> Result<(), SellerError> {
    test.clock.advance(1);
    let command = SetStanding {
        seller,
        standing,
        reason: REASON.to_owned(),
    };
    let done = test.app.transact(&owner(test), command, set_standing).await;
    test.drain().await;
    done.map(drop)
}

pub async fn closes(test: &TestApp, who: &Caller, shop: &str) -> Result<(), SellerError> {
    let command = CloseOwn {
        shop: shop.to_owned(),
    };
    let done = test.app.transact(who, command, close_own).await;
    test.drain().await;
    done
}

pub async fn subscribed(test: &TestApp, id: SubscriptionId) -> Subscription {
    let buyer = person(test, BUYER, Role::Customer);
    let query = MySubscription { subscription: id };
    let page = test.app.read(&buyer, query, my_subscription).await;
    page.expect("a page").subscription
}

/// Where the license of an order's line, or a subscription's, stands.
async fn license(desk: &Desk<'_>, line: &str) -> String {
    let rows = desk
        .rows("SELECT source, revoked_at, expires_at FROM license")
        .await;
    let of = rows
        .iter()
        .find(|row| row.text("source").expect("a source") == line);
    let row = of.expect("a license");
    let now = desk.test.app.now();
    let ends = row.opt_at("expires_at").expect("an instant");
    let revoked = row.opt_at("revoked_at").expect("an instant");
    match (revoked, ends) {
        (Some(_), _) => "revoked",
        (None, Some(ends)) if ends <= now => "expired",
        _ => "works",
    }
    .to_owned()
}

/// What a shop has before anything happens to its seller: a sale that somebody brought, a
/// subscription, an order that waits for its money, a bundle's worth of listings.
pub struct Before<'a> {
    pub desk: Desk<'a>,
    sale: Paid,
    first: Paid,
    pub subscription: SubscriptionId,
    waits: Bought,
    receiver: Receiver,
    pub server: TestServer,
}

pub async fn before(test: &TestApp) -> Before<'_> {
    sign_up(test, SELLER, "seller").await;
    sign_up(test, BUYER, "buyer").await;
    let (desk, receiver) = (Desk::open(test).await, Receiver::start().await);
    let server = test.serve().await;
    listen(&desk, &receiver).await;
    let club = club(test).await;
    settle_in(test, SELLER, "acct_seller").await;
    let code = recommended(test).await;
    let referred = follows(test, &code, "192.0.2.1").await;
    let guest = test.guest();
    let sale = buys(&desk, &guest, (Item::new(desk.shop.price, 3), referred)).await;
    let item = Item::new(club.cheap, 1);
    let first = desk.buy_as(&club.buyer, item, 1_000, &[]).await;
    let rows = desk.rows("SELECT subscription_id FROM subscription").await;
    let id = rows[0].id("subscription_id", SubscriptionId::from_bytes);
    let waits = placed(&server.browser(), &order_of(desk.shop.price, 4_900)).await;
    Before {
        subscription: id.expect("an id"),
        desk,
        sale,
        first,
        waits,
        receiver,
        server,
    }
}

async fn listen(desk: &Desk<'_>, receiver: &Receiver) {
    let listen = CreateEndpoint {
        url: format!("http://{}/hooks", receiver.address),
        description: String::new(),
        events: Vec::new(),
        scheme: "v1".to_owned(),
        reach: Reach::ThisMachine,
    };
    let (app, seller) = (&desk.test.app, &desk.shop.seller);
    let made = app.transact(seller, listen, create_endpoint).await;
    made.expect("is made");
}

/// One row of the matrix.
struct Row {
    event: &'static str,
    standing: Standing,
    /// What a product's page answers, and what is listed of two products.
    sold: (u16, usize),
    /// What a checkout answers, and a page for an order that waits.
    bought: ((u16, &'static str), (u16, &'static str)),
    /// The sale of before.
    order: &'static str,
    /// Its license, and the subscription's, after its period.
    licenses: (&'static str, &'static str),
    /// How the subscription stands after its period, and how many renewals were charged.
    subscription: (&'static str, i64),
    /// How many payouts the seller had, and why there were no others.
    ledger: (usize, Option<SkipReason>),
    /// What the affiliate has: held, and paid or payable.
    affiliate: (i64, bool),
    /// What the seller's server is told besides what a month tells anyway.
    webhooks: &'static [&'static str],
    /// What the buyer's mail begins with.
    mail: Option<&'static str>,
}

/// The first row is the control: the same month with a seller who sells, in which a renewal is
/// charged, the seller is paid, and so is the affiliate.
const TABLE: [Row; 3] = [
    Row {
        event: "nothing",
        standing: Standing::Active,
        sold: (200, 2),
        bought: ((201, ""), (201, "")),
        order: "paid",
        licenses: ("works", "works"),
        subscription: ("active", 1),
        ledger: (1, None),
        affiliate: (0, true),
        webhooks: &[],
        mail: None,
    },
    Row {
        event: "seller suspended",
        standing: Standing::Suspended,
        sold: (404, 0),
        bought: ((410, "offer_gone"), (409, "seller_not_selling")),
        order: "paid",
        licenses: ("works", "works"),
        subscription: ("active", 0),
        ledger: (0, Some(SkipReason::Suspended)),
        affiliate: (1_176, false),
        webhooks: &["seller.suspended", "subscription.rests"],
        mail: Some("Your subscription to Club App is not charged for now"),
    },
    Row {
        event: "seller account closed",
        standing: Standing::Closed,
        sold: (404, 0),
        bought: ((410, "offer_gone"), (409, "seller_not_selling")),
        order: "paid",
        licenses: ("works", "revoked"),
        subscription: ("canceled", 0),
        ledger: (0, Some(SkipReason::Closing)),
        affiliate: (0, true),
        webhooks: &[
            "seller.closed",
            "subscription.end_wished",
            "subscription.ended",
            "subscription.seller_closed",
        ],
        mail: Some("Your subscription to Club App ends with its period"),
    },
];

/// What only a change of standing tells.
const OF_STANDING: [&str; 7] = [
    "seller.suspended",
    "seller.resumed",
    "seller.closed",
    "subscription.rests",
    "subscription.goes_on",
    "subscription.seller_closed",
    "subscription.end_wished",
];

#[tokio::test]
async fn a_suspension_and_a_closing_have_their_effects_and_no_others() {
    for row in TABLE {
        TestApp::both(async |test| {
            let at = before(test).await;
            if row.standing != Standing::Active {
                becomes(test, SELLER, row.standing).await.expect("becomes");
            }
            new_sales(&at, &row).await;
            // Renewals, releases and Fridays of a month.
            for day in ["2027-01-30", "2027-02-06", "2027-02-14"] {
                travel(test, day).await;
            }
            let of = subscribed(test, at.subscription).await;
            assert_eq!(
                of.status.code(),
                "active",
                "{}: as long as it is paid",
                row.event
            );
            for day in ["2027-02-16", "2027-02-20"] {
                travel(test, day).await;
            }
            after_a_month(test, &at, &row).await;
            at.server.stop().await;
        })
        .await;
    }
}

async fn new_sales(at: &Before<'_>, row: &Row) {
    let event = row.event;
    let guest = at.server.browser();
    for slug in ["acme-editor", "club-app"] {
        let found = guest.get(&format!("/p/{slug}")).await;
        assert_eq!(found.status().as_u16(), row.sold.0, "{event}: {slug}");
        let api = guest.get(&format!("/v1/products/{slug}")).await;
        assert_eq!(api.status().as_u16(), row.sold.0, "{event}: {slug}");
        let link = guest.get(&format!("/checkout/{slug}")).await;
        assert_eq!(link.status().as_u16(), row.sold.0, "{event}: {slug}");
    }
    let (_, listed) = guest.get_json("/v1/products").await;
    let items = listed["items"].as_array().expect("items");
    assert_eq!(items.len(), row.sold.1, "{event}: {listed}");
    assert_eq!(listed["total"], json!(row.sold.1), "{event}: counts follow");
    let (_, searched) = guest.get_json("/v1/search?q=editor").await;
    let found = searched["items"].as_array().expect("items").len();
    assert_eq!(found, row.sold.1.min(1), "{event}: {searched}");
    // What was open before.
    let (order, token) = (&at.waits.order, &at.waits.token);
    let path = format!("/v1/orders/{order}/payments?token={token}");
    let retried = guest.post_json(&path, &json!({})).await;
    let ((status, code), (waits, why)) = row.bought;
    assert_eq!(retried.0.as_u16(), waits, "{event}: {}", retried.1);
    if !why.is_empty() {
        assert_eq!(retried.1["code"], why, "{event}");
    }
    let order = order_of(at.desk.shop.price, 4_900);
    let (answered, body) = guest.post_json("/v1/checkouts", &order).await;
    assert_eq!(answered.as_u16(), status, "{event}: {body}");
    if !code.is_empty() {
        assert_eq!(body["code"], code, "{event}");
    }
}

async fn after_a_month(test: &TestApp, at: &Before<'_>, row: &Row) {
    let event = row.event;
    assert_eq!(at.desk.state(&at.sale).await, row.order, "{event}");
    let of = [&at.sale, &at.first].map(|paid| paid.line.to_string());
    let works = (
        license(&at.desk, &of[0]).await,
        license(&at.desk, &of[1]).await,
    );
    assert_eq!(
        (works.0.as_str(), works.1.as_str()),
        row.licenses,
        "{event}"
    );
    let renewed = facts(test, "subscription.renewed").await;
    let now = status(test, at.subscription).await;
    assert_eq!((now, renewed), row.subscription, "{event}");
    let paid = payouts_of(test, SELLER).await.len();
    let skips = pay(test).await.skips;
    let why = skips.iter().find(|skip| skip.seller == SELLER);
    let (payouts, reason) = row.ledger;
    match reason {
        None => assert!(paid >= payouts, "{event}: {paid} payouts"),
        Some(reason) => {
            assert_eq!(paid, payouts, "{event}");
            assert_eq!(why.map(|skip| skip.reason), Some(reason), "{event}");
            assert!(balance(test, SELLER).await.0 > 0, "{event}: it isn't lost");
        }
    }
    let (held, theirs) = row.affiliate;
    let helped = payouts_of(test, HELPER).await.len();
    assert_eq!(has(test, HELPER).await.0, held, "{event}");
    assert_eq!(helped > 0, theirs, "{event}: {helped} payouts");
    told(test, at, row).await;
}

async fn told(test: &TestApp, at: &Before<'_>, row: &Row) {
    let event = row.event;
    let hooks = at.receiver.take();
    let types = hooks.iter().map(|hook| hook.json()["type"].clone());
    let sent: BTreeSet<_> = types
        .filter_map(|kind| kind.as_str().map(str::to_owned))
        .filter(|kind| OF_STANDING.contains(&kind.as_str()) || kind == "subscription.ended")
        .collect();
    let expected = row.webhooks.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(sent, expected, "{event}");
    let mails = test.mails();
    let about = |subject: &str| {
        let line = format!("Subject: {subject}");
        let to = "To: buyer@example.org";
        let found = mails
            .iter()
            .filter(|mail| mail.contains(&line) && mail.contains(to));
        found.count()
    };
    for other in TABLE.iter().filter_map(|row| row.mail) {
        let times = usize::from(row.mail == Some(other));
        assert_eq!(about(other), times, "{event}: {other}");
    }
    let why = mails.iter().filter(|mail| mail.contains(REASON)).count();
    let stopped = usize::from(row.standing != Standing::Active);
    assert_eq!(why, stopped, "{event}: the seller reads why, once");
}

#[tokio::test]
async fn after_a_suspension_what_waited_goes_on_from_that_day() {
    TestApp::both(async |test| {
        let at = before(test).await;
        becomes(test, SELLER, Standing::Suspended)
            .await
            .expect("is");
        for day in ["2027-01-30", "2027-02-16", "2027-03-10", "2027-04-08"] {
            travel(test, day).await;
            let line = at.first.line.to_string();
            assert_eq!(license(&at.desk, &line).await, "works", "on {day}");
        }
        let rests = subscribed(test, at.subscription).await;
        assert_eq!((rests.period, rests.status.code()), (0, "active"));
        assert!(rests.rests_since.is_some());
        travel(test, "2027-04-10").await;
        let (waited, _) = balance(test, SELLER).await;
        assert!(waited > 0 && payouts_of(test, SELLER).await.is_empty());
        becomes(test, SELLER, Standing::Active).await.expect("is");
        let of = subscribed(test, at.subscription).await;
        assert_eq!((of.period, of.rests_since), (1, None));
        assert_eq!(
            (day(of.from), day(of.until)),
            ("2027-04-10".into(), "2027-05-10".into())
        );
        assert_eq!(
            facts(test, "subscription.renewed").await,
            1,
            "one period, one charge"
        );
        // On sale again, in lists and by its page.
        let guest = at.server.browser();
        let (_, listed) = guest.get_json("/v1/products").await;
        assert_eq!(listed["total"], json!(2), "{listed}");
        assert_eq!(guest.get("/p/acme-editor").await.status(), StatusCode::OK);
        // What waited is paid: the sale's part and the first period's, nothing lost.
        for day in ["2027-04-12", "2027-04-24"] {
            travel(test, day).await;
        }
        // The new period's part came after the Friday.
        assert_eq!(balance(test, SELLER).await, (791, 0));
        let sent = payouts_of(test, SELLER).await;
        let sent: i64 = sent.iter().map(|payout| payout.amount.minor()).sum();
        assert_eq!(sent, waited, "what waited, to the cent");
        assert_eq!(payouts_of(test, HELPER).await.len(), 1);
        assert_eq!(has(test, HELPER).await, (0, 0));
        travel(test, "2027-05-11").await;
        assert_eq!(facts(test, "subscription.renewed").await, 2);
        at.server.stop().await;
    })
    .await;
}

fn day(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.ms()).expect("an instant");
    at.strftime("%Y-%m-%d").to_string()
}

#[tokio::test]
async fn what_a_closed_account_earned_is_sent_after_120_days() {
    TestApp::both(async |test| {
        let at = before(test).await;
        for day in ["2027-01-30", "2027-02-06"] {
            travel(test, day).await;
        }
        let (sent, before) = (
            payouts_of(test, SELLER).await.len(),
            balance(test, SELLER).await,
        );
        assert!(sent > 0, "the control: as long as they sell they are paid");
        // Less than the smallest payout, which is sent all the same at the end.
        let five = Money::new(500, Currency::EUR);
        earn(test, "the last", SELLER, five).await;
        becomes(test, SELLER, Standing::Closed).await.expect("is");
        let seller = person(test, SELLER, Role::Developer);
        assert!(closes(test, &seller, "acme").await.is_ok(), "twice is once");
        for _ in 0..119 {
            test.clock.advance(DAY);
        }
        test.drain().await;
        let run = pay(test).await;
        let why = run.skips.iter().find(|skip| skip.seller == SELLER);
        assert_eq!(why.map(|skip| skip.reason), Some(SkipReason::Closing));
        assert_eq!(payouts_of(test, SELLER).await.len(), sent);
        test.clock.advance(DAY);
        pay(test).await;
        assert_eq!(payouts_of(test, SELLER).await.len(), sent + 1);
        assert_eq!(
            balance(test, SELLER).await,
            (0, 0),
            "of {before:?} and 5.00"
        );
        // Below zero nothing is sent, and it can't be opened again any more.
        earn(test, "taken", SELLER, Money::new(-500, Currency::EUR)).await;
        let run = pay(test).await;
        let why = run.skips.iter().find(|skip| skip.seller == SELLER);
        assert_eq!(
            why.map(|skip| skip.reason),
            Some(SkipReason::NegativeBalance)
        );
        let late = becomes(test, SELLER, Standing::Active).await;
        assert!(matches!(late, Err(SellerError::TooLate)));
        at.server.stop().await;
    })
    .await;
}
