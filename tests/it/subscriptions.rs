//! Subscriptions: how they begin, renew, are declined, change, pause, end and come back; and races.

use crate::shop::{SELLER, check_out, choose, device_key, listed, paid, person, stall};
use mintreu::activation::{Fingerprint, Request, Wanted};
use mintreu::id::{AccountId, LicenseId, PriceId, ProductId, SubscriptionId};
use mintreu::{Currency, Money, Timestamp};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Caller, Capability, Role};
use mintreu_server::domains::catalog::ops::{ChangePrice, change_price};
use mintreu_server::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use mintreu_server::domains::licensing::{self, Activate, activate};
use mintreu_server::domains::subscriptions::{
    self, Act, Action, AskChange, ChangeMethod, ChangePlan, ChangeQuote, KeepPrice, MySubscription,
    PeriodJob, Reprice, SetTrial, StartTrial, Subscription, SubscriptionError, act, change_method,
    change_plan, keep_price, my_subscription, reprice, set_trial, start_trial,
};
use mintreu_server::store::{Row, StoreError, Tx};
use mintreu_server::text::Locale;
use mintreu_tests::TestApp;
use serde_json::json;

pub const BUYER: AccountId = AccountId::from_bytes(*b"club's buyer acc");
const CODE: &str = "club.app";
const PASSWORD: &str = "a tame raven sings";

/// A product of 10.00 a month, 20.00 a month, 150.00 a year; one seat; 14 days to try.
pub struct Club {
    pub seller: Caller,
    pub buyer: Caller,
    pub product: ProductId,
    pub cheap: PriceId,
    pub dear: PriceId,
    pub yearly: PriceId,
}

pub async fn club(test: &TestApp) -> Club {
    let app = &test.app;
    let seller = stall(test, "Club").await;
    let recurring = |period: &str, minor: i64| json!({"model": "recurring", "period": period, "amount_minor": minor, "currency": "EUR"});
    let draft = json!({
        "code": CODE, "kind": "subscription", "name": "Club App", "summary": "Serves.",
        "categories": ["tools"],
        "prices": [recurring("monthly", 1000), recurring("monthly", 2000),
            recurring("yearly", 15000)],
        "terms": {"seats": 1, "entitlements": []},
    });
    let found = listed(test, &seller, draft).await;
    let trial = SetTrial {
        price: found.prices[0].id,
        days: 14,
        without_method: true,
    };
    let set = app.transact(&seller, trial, set_trial).await;
    set.expect("can be tried");
    Club {
        seller,
        buyer: person(test, BUYER, Role::Customer),
        product: found.id,
        cheap: found.prices[0].id,
        dear: found.prices[1].id,
        yearly: found.prices[2].id,
    }
}

/// The buyer tries the cheap price.
pub async fn tried(test: &TestApp, club: &Club, method: Option<&str>) -> SubscriptionId {
    let begun = try_it(test, club, method).await;
    test.drain().await;
    begun.expect("is begun")
}

async fn try_it(
    test: &TestApp,
    club: &Club,
    method: Option<&str>,
) -> Result<SubscriptionId, SubscriptionError> {
    let start = StartTrial {
        price: club.cheap,
        seen: None,
        country: None,
        locale: Locale::English,
        zone: String::new(),
        provider: "sandbox".to_owned(),
        method: method.map(str::to_owned),
        traffic: Traffic::Seller,
        fees: FeePolicy::default(),
        tariff: PaymentTariff::default(),
    };
    test.app.transact(&club.buyer, start, start_trial).await
}

/// Sets the clock to 08:00 of a day and runs what is due.
pub async fn travel(test: &TestApp, day: &str) {
    let at: jiff::Timestamp = format!("{day}T08:00:00Z").parse().expect("an instant");
    test.clock.set(Timestamp::from_ms(at.as_millisecond()));
    test.drain().await;
}

async fn subscription(test: &TestApp, id: SubscriptionId) -> Subscription {
    let buyer = person(test, BUYER, Role::Customer);
    let query = MySubscription { subscription: id };
    let page = test.app.read(&buyer, query, my_subscription).await;
    page.expect("a page").subscription
}

async fn bills(test: &TestApp, id: SubscriptionId) -> usize {
    let buyer = person(test, BUYER, Role::Customer);
    let query = MySubscription { subscription: id };
    let page = test.app.read(&buyer, query, my_subscription).await;
    page.expect("a page").bills.len()
}

pub async fn status(test: &TestApp, id: SubscriptionId) -> &'static str {
    subscription(test, id).await.status.code()
}

/// Where the license stands: `active`, `expired` or `revoked`.
async fn license(test: &TestApp, id: LicenseId) -> &'static str {
    let tenant = test.tenant();
    let found = test
        .app
        .store
        .read(move |tx| licensing::by_id(tx, tenant, id));
    let found = found
        .await
        .expect("reads")
        .expect("reads")
        .expect("is there");
    found.state(test.app.now()).code()
}

pub async fn facts(test: &TestApp, kind: &'static str) -> i64 {
    let read = test.app.store.read(move |tx| {
        let sql = "SELECT COUNT(*) AS facts FROM event WHERE kind = :kind";
        let row = tx.query_one(sql, &[("kind", kind.into())])?;
        row.map_or(Ok(0), |row| row.int("facts"))
    });
    read.await.expect("reads").expect("reads")
}

pub async fn do_it(
    test: &TestApp,
    id: SubscriptionId,
    action: Action,
    seen: Option<i64>,
) -> Result<(), SubscriptionError> {
    let command = Act {
        subscription: id,
        action,
        seen: seen.map(|minor| Money::new(minor, Currency::EUR)),
    };
    let buyer = person(test, BUYER, Role::Customer);
    let done = test.app.transact(&buyer, command, act).await;
    test.drain().await;
    done
}

pub async fn pay_with(test: &TestApp, id: SubscriptionId, method: &str) {
    let command = ChangeMethod {
        subscription: id,
        provider: "sandbox".to_owned(),
        method: method.to_owned(),
    };
    let buyer = person(test, BUYER, Role::Customer);
    let changed = test.app.transact(&buyer, command, change_method).await;
    changed.expect("is changed");
    test.drain().await;
}

async fn change(
    test: &TestApp,
    id: SubscriptionId,
    (price, seats): (Option<PriceId>, Option<i64>),
    due: i64,
) -> Result<ChangeQuote, SubscriptionError> {
    let command = ChangePlan {
        ask: AskChange {
            subscription: id,
            price,
            seats,
        },
        seen: Money::new(due, Currency::EUR),
    };
    let buyer = person(test, BUYER, Role::Customer);
    let changed = test.app.transact(&buyer, command, change_plan).await;
    test.drain().await;
    changed
}

#[tokio::test]
async fn a_first_sale_begins_one_that_its_card_renews() {
    TestApp::both(async |test| {
        let (club, server) = (club(test).await, test.serve().await);
        let guest = server.browser();
        let order = json!({
            "price_id": club.cheap.to_string(), "amount_minor": 1000, "currency": "EUR",
            "email": "guest@example.org",
        });
        paid(test, &guest, &order).await;
        assert_eq!(facts(test, "subscription.begun").await, 1);
        travel(test, "2027-02-15").await;
        assert_eq!(facts(test, "subscription.renewed").await, 1);
        // Who keeps the card can tell its owner what it was charged for.
        let read = |tx: &mut dyn Tx| tx.query("SELECT description FROM sandbox_session", &[]);
        let sessions = test.app.store.read(read).await.expect("reads");
        let of = |row: &Row| row.text("description").expect("a text");
        let mut titles: Vec<_> = sessions.expect("rows").iter().map(of).collect();
        titles.sort();
        assert_eq!(titles, ["Club App", "Club App, every month"]);
        // What is bought once renews never.
        let shop = crate::shop::shop(test).await;
        let once = check_out(&guest, &shop).await;
        choose(&guest, &once, "succeed").await;
        test.drain().await;
        assert_eq!(facts(test, "subscription.begun").await, 1);
        server.stop().await;
    })
    .await;
}

/// 10.51 is paid by a card from abroad: 1.5 % more, for a renewal as for a first sale.
#[tokio::test]
async fn what_a_renewal_really_cost_is_posted() {
    TestApp::both(async |test| {
        let seller = stall(test, "Club").await;
        let draft = json!({
            "code": CODE, "kind": "subscription", "name": "Club App", "summary": "Serves.",
            "categories": ["tools"],
            "prices": [{"model": "recurring", "period": "monthly", "amount_minor": 1051,
                "currency": "EUR"}],
        });
        let price = listed(test, &seller, draft).await.prices[0].id.to_string();
        let server = test.serve().await;
        let guest = server.browser();
        let order = json!({
            "price_id": price, "amount_minor": 1051, "currency": "EUR",
            "email": "guest@example.org",
        });
        paid(test, &guest, &order).await;
        assert_eq!(differences(test).await, 16);
        travel(test, "2027-02-15").await;
        assert_eq!(facts(test, "subscription.renewed").await, 1);
        assert_eq!(differences(test).await, 2 * 16);
        server.stop().await;
    })
    .await;
}

/// What providers took beyond the tariff, in minor units.
async fn differences(test: &TestApp) -> i64 {
    let read = |tx: &mut dyn Tx| {
        tx.query(
            "SELECT e.amount_minor FROM ledger_entry e JOIN ledger_account a
                ON a.ledger_account_id = e.ledger_account_id
            WHERE a.kind = 'processing_variance'",
            &[],
        )
    };
    let rows = test.app.store.read(read).await.expect("reads");
    let of = |row: &Row| row.int("amount_minor").expect("an amount");
    rows.expect("rows").iter().map(of).sum()
}

#[tokio::test]
async fn a_trial_is_had_once_reminded_once_and_needs_a_method_at_its_end() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, None).await;
        let again = try_it(test, &club, None).await;
        assert!(matches!(again, Err(SubscriptionError::TrialUsed)));
        travel(test, "2027-01-25").await;
        assert_eq!(facts(test, "subscription.trial_ends_soon").await, 0);
        travel(test, "2027-01-26").await;
        travel(test, "2027-01-27").await;
        assert_eq!(facts(test, "subscription.trial_ends_soon").await, 1);
        travel(test, "2027-01-29").await;
        let of = subscription(test, id).await;
        assert_eq!((of.status.code(), bills(test, id).await), ("incomplete", 0));
        assert_eq!(license(test, of.license).await, "expired");
        pay_with(test, id, "sbm_pays").await;
        assert_eq!(status(test, id).await, "active");
        assert_eq!(license(test, of.license).await, "active");
        assert_eq!(bills(test, id).await, 1);
    })
    .await;
}

#[tokio::test]
async fn declined_four_times_more_it_ends_and_its_license_stops_after_the_grace() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_insufficient_funds")).await;
        let of = subscription(test, id).await;
        travel(test, "2027-01-29").await;
        // 2, 5, 7 and 7 days; the license works for 7.
        for (day, next, licensed) in [
            ("2027-01-30", "2027-01-31", "expired"),
            ("2027-01-31", "2027-02-05", "expired"),
            ("2027-02-05", "2027-02-12", "revoked"),
            ("2027-02-12", "2027-02-19", "revoked"),
        ] {
            travel(test, day).await;
            let now = subscription(test, id).await;
            let at = now.next_attempt_at.expect("another try");
            let at = jiff::Timestamp::from_millisecond(at.ms()).expect("an instant");
            assert_eq!(at.strftime("%Y-%m-%d").to_string(), next, "on {day}");
            assert_eq!(now.status.code(), "past_due");
            assert_eq!(license(test, of.license).await, licensed, "on {day}");
        }
        assert_eq!(facts(test, "subscription.past_due").await, 1);
        travel(test, "2027-02-19").await;
        let ended = subscription(test, id).await;
        assert_eq!(ended.end_reason.as_deref(), Some("unpaid"));
        assert_eq!(license(test, of.license).await, "revoked");
        // Nothing is tried any more.
        travel(test, "2027-05-01").await;
        assert_eq!(
            (status(test, id).await, bills(test, id).await),
            ("canceled", 1)
        );
    })
    .await;
}

#[tokio::test]
async fn a_card_that_is_gone_is_not_tried_again_and_another_one_is_at_once() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_lost_card")).await;
        travel(test, "2027-01-29").await;
        let of = subscription(test, id).await;
        assert_eq!((of.status.code(), of.next_attempt_at), ("past_due", None));
        travel(test, "2027-02-02").await;
        assert_eq!(subscription(test, id).await.failures, 1);
        pay_with(test, id, "sbm_pays").await;
        assert_eq!(
            (status(test, id).await, bills(test, id).await),
            ("active", 1)
        );
        // The card is lost again, and nobody minds: it ends with its grace.
        pay_with(test, id, "sbm_card_expired").await;
        travel(test, "2027-02-28").await;
        travel(test, "2027-03-07").await;
        assert_eq!(status(test, id).await, "canceled");
    })
    .await;
}

#[tokio::test]
async fn wishes_are_taken_back_pauses_end_and_an_end_is_not_for_ever() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_pays")).await;
        travel(test, "2027-01-29").await;
        let first = subscription(test, id).await;
        do_it(test, id, Action::Cancel, None).await.expect("wished");
        let both = do_it(test, id, Action::Pause, None).await;
        assert!(matches!(both, Err(SubscriptionError::WrongStatus(_))));
        do_it(test, id, Action::Uncancel, None)
            .await
            .expect("taken back");
        do_it(test, id, Action::Pause, None).await.expect("wished");
        travel(test, "2027-02-28").await;
        assert_eq!(status(test, id).await, "paused");
        assert_eq!(license(test, first.license).await, "revoked");
        travel(test, "2027-04-10").await;
        let wrong = do_it(test, id, Action::Resume, Some(999)).await;
        assert!(matches!(wrong, Err(SubscriptionError::AmountChanged(_))));
        do_it(test, id, Action::Resume, Some(1_000))
            .await
            .expect("goes on");
        let resumed = subscription(test, id).await;
        assert_eq!(resumed.status.code(), "active");
        assert_eq!(license(test, first.license).await, "active");
        let day = |at: Timestamp| {
            let at = jiff::Timestamp::from_millisecond(at.ms()).expect("an instant");
            at.strftime("%Y-%m-%d").to_string()
        };
        assert_eq!(day(resumed.until), "2027-05-10");
        do_it(test, id, Action::CancelNow, None)
            .await
            .expect("ends");
        assert_eq!(license(test, first.license).await, "revoked");
        travel(test, "2027-08-01").await;
        assert_eq!(bills(test, id).await, 2);
        do_it(test, id, Action::Resubscribe, Some(1_000))
            .await
            .expect("comes back");
        let back = subscription(test, id).await;
        assert_eq!(
            (back.status.code(), day(back.until)),
            ("active", "2027-09-01".to_owned())
        );
        assert_eq!(
            (back.license, license(test, back.license).await),
            (first.license, "active")
        );
        travel(test, "2027-09-01").await;
        assert_eq!(bills(test, id).await, 4);
    })
    .await;
}

#[tokio::test]
async fn more_is_paid_now_less_waits_and_the_latest_wish_holds() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_pays")).await;
        travel(test, "2027-01-29").await;
        // 30 days from 29 January to 28 February; on 7 February 10 are used and 20 left.
        travel(test, "2027-02-07").await;
        let wrong = change(test, id, (None, Some(3)), 1_332).await;
        assert!(matches!(wrong, Err(SubscriptionError::AmountChanged(_))));
        change(test, id, (None, Some(3)), 1_333)
            .await
            .expect("is paid");
        let more = subscription(test, id).await;
        assert_eq!((more.seats, more.period), (3, 1));
        assert_eq!(seats_of(test, more.license).await, 3);
        change(test, id, (None, Some(1)), 0).await.expect("waits");
        change(test, id, (None, Some(2)), 0)
            .await
            .expect("takes its place");
        assert_eq!(subscription(test, id).await.seats, 3);
        travel(test, "2027-02-28").await;
        let fewer = subscription(test, id).await;
        assert_eq!((fewer.seats, fewer.pending), (2, None));
        assert_eq!(seats_of(test, fewer.license).await, 2);
        // What isn't paid doesn't change.
        pay_with(test, id, "sbm_insufficient_funds").await;
        let quoted = change(test, id, (Some(club.yearly), None), 28_070).await;
        assert!(quoted.is_err(), "300.00 less 19.31 for 28 of 29 days");
        let due = 30_000 - (2_000 - 69);
        change(test, id, (Some(club.yearly), None), due)
            .await
            .expect("is charged");
        let same = subscription(test, id).await;
        assert_eq!((same.price, same.status.code()), (club.cheap, "active"));
        assert_eq!(facts(test, "subscription.payment_failed").await, 1);
        pay_with(test, id, "sbm_pays").await;
        change(test, id, (Some(club.yearly), None), due)
            .await
            .expect("is paid");
        let yearly = subscription(test, id).await;
        assert_eq!(
            (yearly.price, yearly.cycle.unit().code()),
            (club.yearly, "year")
        );
        travel(test, "2028-02-20").await;
        assert_eq!(facts(test, "subscription.renews_soon").await, 0);
        travel(test, "2028-02-21").await;
        travel(test, "2028-02-23").await;
        assert_eq!(facts(test, "subscription.renews_soon").await, 1);
    })
    .await;
}

async fn seats_of(test: &TestApp, id: LicenseId) -> i64 {
    let tenant = test.tenant();
    let found = test
        .app
        .store
        .read(move |tx| licensing::by_id(tx, tenant, id));
    let found = found.await.expect("reads").expect("reads");
    found.expect("is there").seats
}

/// Puts 12.00 a month in the place of the cheap price; the version's id.
async fn dearer(test: &TestApp, club: &Club) -> PriceId {
    let draft = serde_json::from_value(json!({"model": "recurring", "period": "monthly",
        "amount_minor": 1200, "currency": "EUR"}));
    let command = ChangePrice {
        price: club.cheap,
        draft: draft.expect("a draft"),
    };
    let changed = test.app.transact(&club.seller, command, change_price).await;
    changed.expect("is changed").1
}

#[tokio::test]
async fn who_subscribed_keeps_the_price_unless_told_thirty_days_before() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_pays")).await;
        travel(test, "2027-02-01").await;
        let to = dearer(test, &club).await;
        let mut new = Reprice {
            product: club.product,
            price: club.cheap,
            to,
            from: test.app.now().plus_ms(29 * 86_400_000),
        };
        let early = test.app.transact(&club.seller, new, reprice).await;
        assert!(matches!(
            early,
            Err(SubscriptionError::Invalid { field: "from", .. })
        ));
        new.from = test.app.now().plus_ms(40 * 86_400_000);
        // Another period, or a price that isn't for sale, is nothing to be moved to.
        for other in [club.yearly, club.cheap] {
            let wrong = Reprice { to: other, ..new };
            let refused = test.app.transact(&club.seller, wrong, reprice).await;
            assert!(
                matches!(refused, Err(SubscriptionError::Invalid { .. })),
                "{other}"
            );
        }
        let told = test.app.transact(&club.seller, new, reprice).await;
        assert_eq!(told.expect("are told"), 1);
        assert_eq!(facts(test, "subscription.price_will_change").await, 1);
        travel(test, "2027-02-28").await;
        assert_eq!(subscription(test, id).await.unit.minor(), 1_000);
        travel(test, "2027-03-29").await;
        let moved = subscription(test, id).await;
        assert_eq!(
            (
                moved.unit.minor(),
                moved.price,
                moved.notice,
                moved.notice_price
            ),
            (1_200, to, None, None)
        );
    })
    .await;
}

#[tokio::test]
async fn who_refuses_an_announced_price_in_time_keeps_theirs() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_pays")).await;
        travel(test, "2027-02-01").await;
        let to = dearer(test, &club).await;
        let new = Reprice {
            product: club.product,
            price: club.cheap,
            to,
            from: test.app.now().plus_ms(31 * 86_400_000),
        };
        test.app
            .transact(&club.seller, new, reprice)
            .await
            .expect("are told");
        let stranger = person(test, SELLER, Role::Customer);
        let refusal = KeepPrice { subscription: id };
        let theirs = test.app.transact(&stranger, refusal, keep_price).await;
        assert!(matches!(theirs, Err(SubscriptionError::NotFound)));
        for _ in 0..2 {
            let kept = test.app.transact(&club.buyer, refusal, keep_price).await;
            kept.expect("is kept");
        }
        assert_eq!(facts(test, "subscription.price_kept").await, 1);
        travel(test, "2027-04-29").await;
        let kept = subscription(test, id).await;
        assert_eq!((kept.unit.minor(), kept.price), (1_000, club.cheap));
    })
    .await;
}

#[tokio::test]
async fn nobody_else_sees_or_moves_it() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_pays")).await;
        let stranger = person(
            test,
            AccountId::from_bytes(*b"somebody unknown"),
            Role::Customer,
        );
        let query = MySubscription { subscription: id };
        let seen = test.app.read(&stranger, query, my_subscription).await;
        assert!(matches!(seen, Err(SubscriptionError::NotFound)));
        let end = Act {
            subscription: id,
            action: Action::CancelNow,
            seen: None,
        };
        for caller in [&stranger, &club.seller] {
            let ended = test.app.transact(caller, end, act).await;
            assert!(matches!(ended, Err(SubscriptionError::NotFound)));
        }
        assert_eq!(status(test, id).await, "trialing");
    })
    .await;
}

/// The token of a page's forms.
fn csrf(html: &str) -> String {
    let rest = html.split("name=\"csrf\" value=\"").nth(1).expect("a form");
    rest.split('"').next().expect("a token").to_owned()
}

#[tokio::test]
async fn pages_say_what_comes_before_it_is_done() {
    TestApp::both(async |test| {
        let (mut club, server) = (club(test).await, test.serve().await);
        let ada = server.browser();
        let body = json!({"email": "ada@buyer.example", "name": "Ada", "password": PASSWORD});
        let (made, account) = ada.post_json("/v1/accounts", &body).await;
        assert_eq!(made, 201, "{account}");
        let body = json!({"email": "ada@buyer.example", "password": PASSWORD});
        ada.post_json("/v1/sessions", &body).await;
        let id = account["account_id"].as_str().expect("an id");
        club.buyer = person(test, id.parse().expect("an id"), Role::Customer);
        let path = format!(
            "/subscriptions/{}",
            tried(test, &club, Some("sbm_pays")).await
        );
        let read = async |path: &str| {
            let answer = ada.get(path).await;
            assert_eq!(answer.status(), 200, "{path}");
            answer.text().await.expect("a page")
        };
        assert!(read("/subscriptions").await.contains("On trial"));
        let html = read(&path).await;
        assert!(
            html.contains("The trial ends on") && html.contains("10.00"),
            "{html}"
        );
        let form = [("csrf", csrf(&html)), ("action", "cancel".to_owned())];
        let post = ada.request(reqwest::Method::POST, &path).form(&form);
        assert_eq!(post.send().await.expect("an answer").status(), 303);
        assert!(read(&path).await.contains("It ends on"));
        let quote = read(&format!("{path}?price={}&seats=2", club.dear)).await;
        assert!(
            quote.contains("id=\"quote\"") && quote.contains("40.00"),
            "{quote}"
        );
        let stranger = server.browser().get(&path).await;
        assert_ne!(stranger.status(), 200);
        let (found, list) = ada.get_json("/v1/subscriptions").await;
        assert_eq!(
            (found.as_u16(), &list["subscriptions"][0]["status"]),
            (200, &json!("trialing"))
        );
        server.stop().await;
    })
    .await;
}

/// One worker's run of a renewal, without the queue that would keep others away.
#[derive(Debug, Clone)]
struct Renew(PeriodJob);

impl Command for Renew {
    const NAME: &'static str = "tests.renew";
    const CAPABILITY: Capability = Capability::Operate;
}

fn renew(cx: &mut Cx<'_>, cmd: &Renew) -> Result<(), SubscriptionError> {
    subscriptions::process_renewal(cx, &cmd.0)
}

#[tokio::test]
async fn two_workers_renew_a_period_once() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_pays")).await;
        let job = json!({"subscription": id.to_string(), "period": 0});
        let job: PeriodJob = serde_json::from_value(job).expect("a job");
        test.clock.set(subscription(test, id).await.until);
        let system = test.system();
        let run = || test.app.transact(&system, Renew(job.clone()), renew);
        let (a, b, c, d) = tokio::join!(run(), run(), run(), run());
        for outcome in [a, b, c, d] {
            outcome.expect("runs");
        }
        test.drain().await;
        let of = subscription(test, id).await;
        assert_eq!((of.period, bills(test, id).await), (1, 1));
        assert_eq!(facts(test, "subscription.renewed").await, 1);
    })
    .await;
}

#[tokio::test]
async fn the_audit_sees_a_period_that_was_renewed_twice() {
    let test = TestApp::sqlite().await;
    let club = club(&test).await;
    tried(&test, &club, Some("sbm_pays")).await;
    travel(&test, "2027-01-29").await;
    let again = test.app.store.write(Vec::new(), |tx| {
        let sql = "INSERT INTO subscription_bill (tenant_id, order_id, subscription_id, kind,
                period_start, period_end, placed_at)
            SELECT tenant_id, license_id, subscription_id, 'renewal', period_start, period_end, 0
            FROM subscription";
        match tx.execute(sql, &[]) {
            Ok(_) => mintreu_server::store::Attempt::Commit(Ok::<_, StoreError>(())),
            Err(error) => mintreu_server::store::Attempt::Rollback(Err(error)),
        }
    });
    again.await.expect("writes").expect("writes");
    test.finish_expecting("a period was renewed 2 times").await;
}

fn wants_seat(test: &TestApp, device: u8, license: LicenseId) -> Activate {
    let request = Request {
        product: CODE.to_owned(),
        issued_at: test.app.now(),
        nonce: [device; 16],
        wanted: Wanted::License(license),
        fingerprint: Fingerprint::default(),
        version: None,
        renews: None,
        lend_secs: None,
    };
    let bytes = request.seal(&device_key(device)).expect("seals");
    Activate::from_bytes(&bytes).expect("a request")
}

#[tokio::test]
async fn one_device_gets_the_last_seat_and_a_seat_that_is_held_is_not_taken_away() {
    TestApp::both(async |test| {
        let club = club(test).await;
        let id = tried(test, &club, Some("sbm_pays")).await;
        travel(test, "2027-01-29").await;
        change(test, id, (None, Some(2)), 966)
            .await
            .expect("is paid");
        let of = subscription(test, id).await;
        let guest = test.guest();
        let take = |device| {
            let wants = wants_seat(test, device, of.license);
            test.app.transact(&guest, wants, activate)
        };
        let (a, b, c) = tokio::join!(take(1), take(2), take(3));
        let won = [a, b, c].into_iter().filter(Result::is_ok).count();
        assert_eq!(won, 2);
        change(test, id, (None, Some(1)), 0).await.expect("waits");
        travel(test, "2027-02-28").await;
        assert_eq!(subscription(test, id).await.seats, 1);
        assert_eq!(seats_of(test, of.license).await, 2);
    })
    .await;
}
