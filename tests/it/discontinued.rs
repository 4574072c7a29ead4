//! Products that their sellers give up: what becomes of everything that hangs on them, and that each
//! buyer is told once, whatever happens to the worker.

use crate::facts::{run, sign_up};
use crate::shop::{SELLER, choose, listed, order_of, paid, person, placed, stall};
use crate::subscriptions::travel;
use crate::webhook_receiver::Receiver;
use mintreu::id::{AccountId, LicenseId, ProductId, SubscriptionId};
use mintreu::{Currency, Money};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::catalog::Product;
use mintreu_server::domains::catalog::ops::{PublishProduct, publish_product};
use mintreu_server::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use mintreu_server::domains::licensing;
use mintreu_server::domains::orders::OrderError;
use mintreu_server::domains::subscriptions::{
    Act, Action, AskChange, CallOff, MySubscription, Retire, StartTrial, Subscription,
    SubscriptionError, act, call_off, my_subscription, quote_change, retire, start_trial,
};
use mintreu_server::domains::webhooks::{CreateEndpoint, create_endpoint};
use mintreu_server::net::Reach;
use mintreu_server::queue::LEASE_MS;
use mintreu_server::store::{Row, Tx};
use mintreu_server::text::Locale;
use mintreu_server::worker;
use mintreu_tests::TestApp;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// A product of 10.00 a month, of 120.00 once, with 14 days to try; it has meters of none.
pub async fn pier(test: &TestApp) -> (Product, Caller) {
    let seller = stall(test, "Pier").await;
    let draft = json!({
        "code": "pier.app", "kind": "subscription", "name": "Pier", "summary": "Stands.",
        "categories": ["tools"],
        "prices": [
            {"model": "recurring", "period": "monthly", "amount_minor": 1000, "currency": "EUR",
                "trial": {"days": 14, "without_method": true}},
            {"model": "one_time", "amount_minor": 12000, "currency": "EUR"},
            {"model": "recurring", "period": "monthly", "amount_minor": 2000, "currency": "EUR"},
        ],
        "terms": {"seats": 1, "entitlements": []},
    });
    (listed(test, &seller, draft).await, seller)
}

/// The nth buyer.
fn account(n: u8) -> AccountId {
    let mut bytes = *b"a buyer of piers";
    bytes[15] = n;
    AccountId::from_bytes(bytes)
}

async fn try_it(
    test: &TestApp,
    product: &Product,
    buyer: AccountId,
    method: Option<&str>,
) -> Result<SubscriptionId, SubscriptionError> {
    let start = StartTrial {
        price: product.prices[0].id,
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
    let buyer = person(test, buyer, Role::Customer);
    test.app.transact(&buyer, start, start_trial).await
}

/// Somebody with an address who tries it.
pub async fn tried(
    test: &TestApp,
    product: &Product,
    (n, name): (u8, &'static str),
    method: Option<&str>,
) -> SubscriptionId {
    sign_up(test, account(n), name).await;
    let begun = try_it(test, product, account(n), method).await;
    let begun = begun.expect("is begun");
    test.drain().await;
    begun
}

pub async fn wish(
    test: &TestApp,
    of: (u8, SubscriptionId),
    action: Action,
    seen: Option<i64>,
) -> Result<(), SubscriptionError> {
    let command = Act {
        subscription: of.1,
        action,
        seen: seen.map(|minor| Money::new(minor, Currency::EUR)),
    };
    let buyer = person(test, account(of.0), Role::Customer);
    let done = test.app.transact(&buyer, command, act).await;
    test.drain().await;
    done
}

pub async fn archive(test: &TestApp, seller: &Caller, product: ProductId, ends: bool) {
    let command = Retire { product, ends };
    let done = test.app.transact(seller, command, retire).await;
    done.expect("is archived");
}

async fn publish(test: &TestApp, seller: &Caller, product: ProductId) {
    let command = PublishProduct { product };
    let done = test.app.transact(seller, command, publish_product).await;
    done.expect("is for sale");
}

pub async fn subscription(test: &TestApp, (n, id): (u8, SubscriptionId)) -> Subscription {
    let buyer = person(test, account(n), Role::Customer);
    let query = MySubscription { subscription: id };
    let page = test.app.read(&buyer, query, my_subscription).await;
    page.expect("a page").subscription
}

pub async fn rows(test: &TestApp, sql: &'static str) -> Vec<Row> {
    let read = move |tx: &mut dyn Tx| tx.query(sql, &[]);
    test.app
        .store
        .read(read)
        .await
        .expect("reads")
        .expect("rows")
}

/// How often each fact happened to each subject.
async fn told(test: &TestApp, kind: &'static str) -> BTreeMap<String, i64> {
    let all = rows(test, "SELECT kind, subject FROM event").await;
    let mut found = BTreeMap::new();
    for row in all {
        if row.text("kind").expect("a kind") == kind {
            *found
                .entry(row.text("subject").expect("a subject"))
                .or_default() += 1;
        }
    }
    found
}

async fn license(test: &TestApp, id: LicenseId) -> &'static str {
    let tenant = test.tenant();
    let read = test
        .app
        .store
        .read(move |tx| licensing::by_id(tx, tenant, id));
    let found = read.await.expect("reads").expect("reads");
    found.expect("is there").state(test.app.now()).code()
}

/// Mails to somebody with these words in the subject.
pub fn mails(test: &TestApp, name: &str, subject: &str) -> usize {
    let to = format!("To: {name}@example.org");
    let all = test.mails().into_iter();
    let all = all.map(|mail| mail.replace("=\r\n", "").replace("\r\n ", " "));
    all.filter(|mail| mail.contains(&to) && mail.contains(subject))
        .count()
}

/// Sums of the accounts; what a seller earned is one, held or releasable.
async fn ledger(test: &TestApp) -> BTreeMap<String, i64> {
    let sql = "SELECT a.kind, CAST(COALESCE(SUM(e.amount_minor), 0) AS BIGINT) AS total
        FROM ledger_entry e JOIN ledger_account a ON a.ledger_account_id = e.ledger_account_id
        GROUP BY a.kind ORDER BY a.kind";
    let mut sums = BTreeMap::new();
    for row in rows(test, sql).await {
        let kind = row.text("kind").expect("a kind");
        let kind = kind.replace("seller_held", "seller_releasable");
        *sums.entry(kind).or_default() += row.int("total").expect("a sum");
    }
    sums
}

async fn orders(test: &TestApp) -> Vec<String> {
    let sql = "SELECT state FROM customer_order ORDER BY order_id";
    let state = |row: &Row| row.text("state").expect("a state");
    rows(test, sql).await.iter().map(state).collect()
}

/// Status, whether it ends with its period and why, why it ended, and where its license stands.
async fn stands(
    test: &TestApp,
    of: (u8, SubscriptionId),
) -> (
    &'static str,
    bool,
    Option<String>,
    Option<String>,
    &'static str,
) {
    let found = subscription(test, of).await;
    let (wished, why) = (found.cancel_wished_at.is_some(), found.cancel_reason);
    (
        found.status.code(),
        wished,
        why,
        found.end_reason,
        license(test, found.license).await,
    )
}

const GONE: &str = "will end";
const OVER: &str = "has ended";

#[tokio::test]
async fn a_product_given_up_ends_what_lives_of_it_and_nothing_else() {
    TestApp::both(async |test| {
        sign_up(test, SELLER, "seller").await;
        let (server, receiver) = (test.serve().await, Receiver::start().await);
        let (product, seller) = pier(test).await;
        let pays = Some("sbm_pays");
        let paused = (1, tried(test, &product, (1, "paused"), pays).await);
        travel(test, "2027-01-29").await;
        wish(test, paused, Action::Pause, None)
            .await
            .expect("will pause");
        travel(test, "2027-03-01").await;
        let active = (2, tried(test, &product, (2, "active"), pays).await);
        let declined = Some("sbm_insufficient_funds");
        let due = (3, tried(test, &product, (3, "due"), declined).await);
        let without = (4, tried(test, &product, (4, "without"), None).await);
        let own = (5, tried(test, &product, (5, "own"), pays).await);
        let guest = server.browser();
        let once = paid(test, &guest, &order_of(product.prices[1].id, 12_000)).await;
        travel(test, "2027-03-15").await;
        travel(test, "2027-03-16").await;
        let trial = (6, tried(test, &product, (6, "trial"), pays).await);
        wish(test, own, Action::Cancel, None)
            .await
            .expect("will end");
        listen(test, &seller, &receiver).await;
        let (books, placed) = (ledger(test).await, orders(test).await);

        archive(test, &seller, product.id, true).await;
        test.drain().await;
        let why = Some("discontinued".to_owned());
        for (name, of, wanted, mail) in [
            (
                "active",
                active,
                ("active", true, why.clone(), None, "active"),
                (1, 0),
            ),
            (
                "trial",
                trial,
                ("trialing", true, why.clone(), None, "active"),
                (1, 0),
            ),
            // What nobody pays for is over at once, as when its buyer ends it.
            (
                "due",
                due,
                ("canceled", false, None, why.clone(), "revoked"),
                (0, 1),
            ),
            (
                "without",
                without,
                ("canceled", false, None, why.clone(), "revoked"),
                (0, 1),
            ),
            (
                "paused",
                paused,
                ("canceled", false, None, why.clone(), "revoked"),
                (0, 1),
            ),
            // Whoever had ended it needs to be told nothing.
            ("own", own, ("active", true, None, None, "active"), (0, 0)),
        ] {
            assert_eq!(stands(test, of).await, wanted, "{name}");
            let told = (mails(test, name, GONE), mails(test, name, OVER));
            assert_eq!(told, mail, "{name}");
        }
        // The order of the one-time purchase, its license, and what the seller earned.
        assert_eq!(ledger(test).await, books);
        let voided = |state: &String| match state.as_str() {
            // The renewal that was declined isn't tried any more.
            "failed" => "void".to_owned(),
            other => other.to_owned(),
        };
        let expected: Vec<_> = placed.iter().map(voided).collect();
        assert_eq!(orders(test).await, expected);
        let (_, shown) = guest.get_json(&once.path()).await;
        assert_eq!(shown["state"], "paid", "{shown}");
        let kept = crate::shop::id_of(&shown["licenses"][0]);
        assert_eq!(license(test, kept).await, "active");
        let mut hooks = BTreeMap::new();
        for hook in receiver.take() {
            let hook = hook.json();
            let name = hook["type"].as_str().expect("a type").to_owned();
            if name.starts_with("subscription.") {
                let id = hook["data"]["subscription_id"].to_string();
                hooks.entry(name).or_insert_with(BTreeSet::new).insert(id);
            }
        }
        let of = |all: &[(u8, SubscriptionId)]| -> BTreeSet<_> {
            all.iter().map(|one| format!("\"{}\"", one.1)).collect()
        };
        assert_eq!(hooks["subscription.end_wished"], of(&[active, trial]));
        assert_eq!(hooks["subscription.ended"], of(&[due, without, paused]));

        // The same again tells nobody again; and nobody's goes on.
        archive(test, &seller, product.id, true).await;
        test.drain().await;
        assert_eq!(told(test, "subscription.discontinued").await.len(), 2);
        assert_eq!(mails(test, "active", GONE), 1);
        for (of, action, seen) in [
            (active, Action::Uncancel, None),
            (own, Action::Uncancel, None),
            (trial, Action::Uncancel, None),
            (paused, Action::Resubscribe, Some(1000)),
        ] {
            let refused = wish(test, of, action, seen).await;
            assert!(
                matches!(refused, Err(SubscriptionError::Discontinued)),
                "{action:?}: {refused:?}"
            );
        }

        // The trial ends uncharged, the paid one with its month.
        travel(test, "2027-04-16").await;
        for (of, why) in [
            (active, "discontinued"),
            (trial, "discontinued"),
            (own, "canceled"),
        ] {
            let found = subscription(test, of).await;
            assert_eq!(found.status.code(), "canceled");
            assert_eq!(found.end_reason.as_deref(), Some(why));
            assert_eq!(license(test, found.license).await, "revoked");
        }
        assert_eq!(ledger(test).await, books, "nothing more was charged");
        assert_eq!(license(test, kept).await, "active");

        // On sale again nothing is revived by itself, and a buyer may come back.
        publish(test, &seller, product.id).await;
        travel(test, "2027-05-16").await;
        assert_eq!(subscription(test, active).await.status.code(), "canceled");
        wish(test, active, Action::Resubscribe, Some(1000))
            .await
            .expect("is taken up again");
        let again = subscription(test, active).await;
        assert_eq!((again.status.code(), again.cancel_reason), ("active", None));
        // Archived again with its subscriptions going on, it does.
        archive(test, &seller, product.id, false).await;
        travel(test, "2027-06-17").await;
        assert_eq!(subscription(test, active).await.period, again.period + 1);
        server.stop().await;
    })
    .await;
}

async fn listen(test: &TestApp, seller: &Caller, receiver: &Receiver) {
    let listen = CreateEndpoint {
        url: receiver.url("/hooks"),
        description: String::new(),
        events: Vec::new(),
        scheme: "v1".to_owned(),
        reach: Reach::ThisMachine,
    };
    let made = test.app.transact(seller, listen, create_endpoint).await;
    made.expect("is written");
}

#[tokio::test]
async fn archived_without_the_wish_they_go_on_for_who_has_them() {
    TestApp::both(async |test| {
        let (product, seller) = pier(test).await;
        let active = (
            1,
            tried(test, &product, (1, "active"), Some("sbm_pays")).await,
        );
        let over = (
            2,
            tried(test, &product, (2, "over"), Some("sbm_pays")).await,
        );
        wish(test, over, Action::CancelNow, None)
            .await
            .expect("ends");
        archive(test, &seller, product.id, false).await;
        travel(test, "2027-01-29").await;
        travel(test, "2027-03-01").await;
        let found = subscription(test, active).await;
        assert_eq!((found.status.code(), found.period), ("active", 2));
        assert_eq!(license(test, found.license).await, "active");
        assert!(told(test, "subscription.discontinued").await.is_empty());
        // Whoever ended theirs may take that back; what is over isn't for sale any more.
        wish(test, active, Action::Cancel, None)
            .await
            .expect("will end");
        wish(test, active, Action::Uncancel, None)
            .await
            .expect("goes on");
        wish(test, active, Action::Pause, None)
            .await
            .expect("rests");
        travel(test, "2027-04-01").await;
        wish(test, active, Action::Resume, Some(1000))
            .await
            .expect("goes on");
        let gone = wish(test, over, Action::Resubscribe, Some(1000)).await;
        let gone = gone.expect_err("is refused");
        assert!(
            matches!(gone, SubscriptionError::Order(OrderError::OfferGone)),
            "{gone}"
        );
        // Another's, and a product that nobody gave up.
        let stranger = person(test, account(9), Role::Developer);
        let theirs = Retire {
            product: product.id,
            ends: true,
        };
        let refused = test.app.transact(&stranger, theirs, retire).await;
        assert!(matches!(refused, Err(SubscriptionError::Catalog(_))));
        let nothing = CallOff {
            product: product.id,
        };
        let refused = test.app.transact(&seller, nothing, call_off).await;
        assert!(matches!(refused, Err(SubscriptionError::NotFound)));
    })
    .await;
}

/// What was under way when the product was given up: refused with words, or kept as it was agreed.
#[tokio::test]
async fn what_was_open_is_refused_or_kept_and_nothing_is_broken() {
    TestApp::both(async |test| {
        let (server, (product, seller)) = (test.serve().await, pier(test).await);
        let [monthly, once, dearer] = [0, 1, 2].map(|at| product.prices[at].id);
        let active = (
            1,
            tried(test, &product, (1, "active"), Some("sbm_pays")).await,
        );
        travel(test, "2027-01-29").await;
        let guest = server.browser();
        let ask = json!({"items": [{"price_id": once.to_string()}]});
        let (_, quoted) = guest.post_json("/v1/quotes", &ask).await;
        let waits = placed(&guest, &order_of(monthly, 1000)).await;
        let mut gift = order_of(monthly, 1000);
        gift["gift"] = json!({"email": "friend@example.org"});
        let given = paid(test, &guest, &gift).await;
        let page = guest.get(&format!("/checkout/{}", product.slug)).await;
        assert_eq!(page.status(), 200);

        archive(test, &seller, product.id, true).await;
        test.drain().await;
        // A link to the checkout, a quote and whatever else would sell it.
        let page = guest.get(&format!("/checkout/{}", product.slug)).await;
        assert_eq!(page.status(), 410);
        let page = page.text().await.expect("a page");
        assert!(page.contains("no longer for sale"), "{page}");
        let body = json!({
            "quote": quoted["quote"], "email": "a@example.org", "accepted": ["withdrawal_waiver"],
        });
        for (path, body) in [
            ("/v1/quotes/confirmations", &body),
            ("/v1/quotes", &ask),
            ("/v1/checkouts", &order_of(once, 12_000)),
        ] {
            let (status, problem) = guest.post_json(path, body).await;
            assert_eq!(
                (status.as_u16(), &problem["code"]),
                (410, &json!("offer_gone")),
                "{path}"
            );
        }
        let refused = try_it(test, &product, account(8), Some("sbm_pays")).await;
        let refused = refused.expect_err("isn't tried any more");
        assert!(
            matches!(refused, SubscriptionError::Order(OrderError::OfferGone)),
            "{refused}"
        );
        let ask = AskChange {
            subscription: active.1,
            price: Some(dearer),
            seats: None,
        };
        let buyer = person(test, account(1), Role::Customer);
        let refused = test.app.read(&buyer, ask, quote_change).await;
        let refused = refused.expect_err("no other plan");
        assert!(
            matches!(refused, SubscriptionError::Order(OrderError::OfferGone)),
            "{refused}"
        );

        // What was ordered before is given when it is paid, and ends with what was paid.
        choose(&guest, &waits, "succeed").await;
        test.drain().await;
        let (_, order) = guest.get_json(&waits.path()).await;
        assert_eq!(order["state"], "paid", "{order}");
        assert_eq!(
            license(test, crate::shop::id_of(&order["licenses"][0])).await,
            "active"
        );
        // And so is a gift that nobody had claimed.
        let (_, order) = guest.get_json(&given.path()).await;
        assert_eq!(order["gift"]["state"], "sent", "{order}");
        let (gift, token) = link(test).await;
        let claim = format!("/v1/gifts/{gift}/claim?token={token}");
        let (status, claimed) = server.browser().post_json(&claim, &json!({})).await;
        assert_eq!(status, 200, "{claimed}");
        test.drain().await;
        let sql = "SELECT status, cancel_reason FROM subscription ORDER BY subscription_id";
        for row in rows(test, sql).await {
            let reason = row.opt_text("cancel_reason").expect("a text");
            assert_eq!(row.text("status").expect("a status"), "active");
            assert_eq!(reason.as_deref(), Some("discontinued"));
        }
        assert_eq!(
            mails(test, "guest", GONE),
            1,
            "a gift is of one period, and ends with it"
        );
        travel(test, "2027-03-01").await;
        let sql = "SELECT status, end_reason FROM subscription ORDER BY subscription_id";
        let ended = rows(test, sql).await;
        assert_eq!(ended.len(), 2);
        for row in ended {
            assert_eq!(row.text("end_reason").expect("a text"), "discontinued");
        }
        server.stop().await;
    })
    .await;
}

/// The one gift and the token of its link.
async fn link(test: &TestApp) -> (mintreu::id::GiftId, String) {
    let found = rows(test, "SELECT gift_id, round FROM gift").await;
    let gift = found[0].id("gift_id", mintreu::id::GiftId::from_bytes);
    let gift = gift.expect("an id");
    let round = found[0].int("round").expect("a round");
    let of = (gift, round);
    let token = mintreu_server::domains::gifts::claim_token(&test.app.keys, test.tenant(), of);
    (gift, token.reveal().to_owned())
}

const MANY: u8 = 170;

/// Each of many subscriptions is come to once, whenever its worker dies.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_between_its_batches_the_job_tells_each_buyer_once() {
    TestApp::both(async |test| {
        let (product, seller) = pier(test).await;
        for n in 0..MANY {
            let begun = try_it(test, &product, account(n), Some("sbm_pays")).await;
            begun.expect("is begun");
        }
        test.drain().await;
        archive(test, &seller, product.id, true).await;
        let (kills, seen) = killing(test).await;
        assert!(kills > 0 && seen.len() > 2, "{kills} kills, seen {seen:?}");
        test.drain().await;
        let all = told(test, "subscription.discontinued").await;
        assert_eq!(all.len(), usize::from(MANY));
        assert!(all.values().all(|times| *times == 1), "{all:?}");
        assert_eq!(told(test, "subscription.end_wished").await, all);
        // The control: a job that neither keeps its place nor marks whom it came to tells all again.
        let forget = "UPDATE subscription SET cancel_wished_at = NULL, cancel_reason = NULL";
        run(test, forget, Vec::new()).await;
        let command = CallOff {
            product: product.id,
        };
        let done = test.app.transact(&seller, command, call_off).await;
        done.expect("is called off");
        archive(test, &seller, product.id, true).await;
        test.drain().await;
        let twice = told(test, "subscription.discontinued").await;
        assert!(
            twice.values().all(|times| *times == 2),
            "the control lost nothing"
        );
    })
    .await;
}

/// Runs the worker and kills it after moments, until all buyers were come to: how often, and how many
/// had been come to at each look.
async fn killing(test: &TestApp) -> (usize, BTreeSet<i64>) {
    let (mut kills, mut seen) = (0, BTreeSet::new());
    let mut patience = Duration::from_millis(10);
    loop {
        let sql = "SELECT told, done_at FROM subscription_discontinuation";
        let found = &rows(test, sql).await[0];
        seen.insert(found.int("told").expect("a count"));
        if found.opt_at("done_at").expect("an instant").is_some() {
            return (kills, seen);
        }
        let (app, table) = (test.app.clone(), Arc::new(worker::table()));
        let working = tokio::spawn(async move { worker::drain(&app, &table).await.map(drop) });
        tokio::time::sleep(patience).await;
        patience += Duration::from_millis(10);
        kills += usize::from(!working.is_finished());
        working.abort();
        let lease = u32::try_from(LEASE_MS).expect("a minute");
        test.clock.advance(lease + 1);
        assert!(kills < 1_000, "it gets nowhere");
    }
}
