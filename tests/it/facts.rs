//! What happens to money is told: by mail once a fact, and by webhook under a documented name.

use crate::answers::{self, DAY, HOUR, later, wanted};
use crate::email_change;
use crate::money_back::{Desk, Paid};
use crate::payouts::settle_in;
use crate::sellers::becomes;
use crate::shop::{SELLER, listed, person};
use crate::subscriptions::{BUYER, Club, club, do_it, facts, pay_with, travel, tried};
use crate::webhook_receiver::Receiver;
use crate::wishes;
use mintreu::id::{AccountId, SubscriptionId};
use mintreu::{Currency, Money};
use mintreu_server::caller::Role;
use mintreu_server::domains::answers::Step;
use mintreu_server::domains::catalog::ops::{OpenShop, open_shop};
use mintreu_server::domains::fulfilment::Item;
use mintreu_server::domains::sellers::Standing;
use mintreu_server::domains::subscriptions::{
    Action, AskChange, ChangePlan, SubscriptionError, change_plan,
};
use mintreu_server::domains::webhooks::facts::{DISABLED, TEST, TOLD};
use mintreu_server::domains::webhooks::{CreateEndpoint, create_endpoint};
use mintreu_server::domains::wishes::{WITHDRAWN_FACT, Withdraw, withdraw};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_server::net::Reach;
use mintreu_server::notify;
use mintreu_server::store::{Attempt, StoreError, Value};
use mintreu_tests::{TestApp, source};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// Runs one statement.
pub async fn run(test: &TestApp, sql: &'static str, params: Vec<(&'static str, Value)>) {
    let done = test
        .app
        .store
        .write(Vec::new(), move |tx| match tx.execute(sql, &params) {
            Ok(_) => Attempt::Commit(Ok::<_, StoreError>(())),
            Err(error) => Attempt::Rollback(Err(error)),
        });
    done.await.expect("writes").expect("writes");
}

/// Somebody with an address.
pub async fn sign_up(test: &TestApp, account: AccountId, name: &'static str) {
    let sql = "INSERT INTO account (account_id, tenant_id, email, email_key, name,
            password_hash, created_at)
        VALUES (:account, :tenant, :email, :email, :name, '-', 0)";
    let params = vec![
        ("account", account.as_bytes().into()),
        ("tenant", test.tenant().as_bytes().into()),
        ("email", format!("{name}@example.org").into()),
        ("name", name.into()),
    ];
    run(test, sql, params).await;
}

/// Somebody with an address who runs the platform.
pub async fn run_platform(test: &TestApp, account: AccountId, name: &'static str) {
    sign_up(test, account, name).await;
    let sql = "INSERT INTO account_role (tenant_id, account_id, role, granted_at)
        VALUES (:tenant, :account, 'admin', 0)";
    let params = vec![
        ("tenant", test.tenant().as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    run(test, sql, params).await;
}

/// Who sells a tool beside the editor's seller: `other@example.org`.
pub const OTHER: AccountId = AccountId::from_bytes(*b"another seller 2");

/// An order of the editor and of the other's tool.
pub async fn bought_of_two(desk: &Desk<'_>) -> Paid {
    let test = desk.test;
    sign_up(test, OTHER, "other").await;
    let other = person(test, OTHER, Role::Developer);
    let shop: OpenShop = serde_json::from_value(json!({"name": "Other"})).expect("a shop");
    let opened = test.app.transact(&other, shop, open_shop).await;
    opened.expect("opens");
    let draft = json!({
        "code": "other.tool", "kind": "download", "name": "Other Tool", "summary": "Works.",
        "categories": ["tools"],
        "prices": [{"model": "one_time", "amount_minor": 1000, "currency": "EUR"}],
    });
    let price = listed(test, &other, draft).await.prices[0].id;
    let items = vec![Item::new(desk.shop.price, 1), Item::new(price, 1)];
    desk.buy_all(items, 5_900).await
}

async fn counts(desk: &Desk<'_>, sql: &'static str) -> BTreeMap<String, i64> {
    let rows = desk.rows(sql).await;
    let count = |row: &mintreu_server::store::Row| {
        (
            row.text("kind").expect("a kind"),
            row.int("times").expect("times"),
        )
    };
    rows.iter().map(count).collect()
}

/// A year with a seller, as eventful as it can be.
async fn eventful(test: &TestApp, desk: &Desk<'_>) {
    let club = club(test).await;
    settle_in(test, SELLER, "acct_returns").await;
    let item = Item::new(club.cheap, 1);
    let paid = desk.buy_as(&club.buyer, item, 1_000, &[]).await;
    let rows = desk.rows("SELECT subscription_id FROM subscription").await;
    let id = rows[0].id("subscription_id", SubscriptionId::from_bytes);
    let id = id.expect("an id");
    let sold = desk.buy(3).await;
    desk.refund(Desk::wish(&sold, Some(100)))
        .await
        .expect("is asked");
    desk.hand_over_all().await;
    desk.fail_refunds().await;
    desk.hand_over_all().await;
    desk.refund(Desk::wish(&sold, None))
        .await
        .expect("is asked");
    desk.hand_over_all().await;
    for state in [ObjectState::Opened, ObjectState::Won] {
        test.clock.advance(1);
        let done = match state {
            ObjectState::Opened => desk.raise(&paid, state).await,
            _ => desk.decide(&paid, state).await,
        };
        assert!(done, "{state:?}");
        desk.hand_over_all().await;
    }
    let warned = desk.buy(1).await;
    assert!(desk.raise(&warned, ObjectState::Warned).await);
    desk.hand_over_all().await;
    desk.refund(Desk::wish(&warned, None))
        .await
        .expect("is asked");
    desk.hand_over_all().await;
    let lost = desk.buy(1).await;
    for state in [ObjectState::Opened, ObjectState::Lost] {
        test.clock.advance(1);
        let done = match state {
            ObjectState::Opened => desk.raise(&lost, state).await,
            _ => desk.decide(&lost, state).await,
        };
        assert!(done, "{state:?}");
        desk.hand_over_all().await;
    }
    let item = Item::new(desk.shop.price, 1);
    let regretted = desk.buy_as(&club.buyer, item, 4_900, &[]).await;
    let command = Withdraw {
        order: regretted.order,
        token: None,
        line: None,
    };
    let declared = test.app.transact(&club.buyer, command, withdraw).await;
    declared.expect("is declared");
    desk.hand_over_all().await;
    wishes::every_step(desk, &club.buyer).await;
    // Enough for a payout.
    for _ in 0..3 {
        desk.buy(3).await;
    }
    travel(test, "2027-02-10").await;
    tried(test, &club, Some("sbm_pays")).await;
    for day in ["2027-02-13", "2027-02-16", "2027-02-22", "2027-02-25"] {
        travel(test, day).await;
    }
    pay_with(test, id, "sbm_insufficient_funds").await;
    for day in ["2027-03-16", "2027-03-18"] {
        travel(test, day).await;
    }
    pay_with(test, id, "sbm_pays").await;
    for action in [Action::Cancel, Action::Uncancel, Action::Pause] {
        do_it(test, id, action, None).await.expect("is wished");
    }
    travel(test, "2027-04-16").await;
    email_change::moved(test, &club.buyer, "buyer@elsewhere.example").await;
    email_change::moved(test, &club.buyer, "buyer@example.org").await;
    for (action, seen) in [
        (Action::Resume, Some(1_000)),
        (Action::CancelNow, None),
        (Action::Resubscribe, Some(1_000)),
    ] {
        do_it(test, id, action, seen).await.expect("is done");
    }
    for standing in [Standing::Suspended, Standing::Active, Standing::Closed] {
        becomes(test, SELLER, standing).await.expect("becomes");
    }
}

const FACTS: &str = "SELECT kind, COUNT(*) AS times FROM event GROUP BY kind";
const MAILS: &str = "SELECT fact AS kind, COUNT(*) AS times FROM mail GROUP BY fact";

/// The names in the table of events of the documentation.
fn documented() -> BTreeSet<String> {
    let docs = include_str!("../../docs/webhooks.md");
    let table = docs.split("## Events").nth(1).expect("the events");
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let names = rows.flat_map(|row| row.split('|').nth(1).unwrap_or_default().split('`'));
    let names = names.filter(|name| name.contains('.'));
    names.map(str::to_owned).collect()
}

/// What the story below brings about: accounts that are closed or recall a payout, changes of plan,
/// trials without a method, grace that runs out, and banks that are answered or aren't.
const ELSEWHERE: [&str; 9] = [
    "dispute.accepted",
    "dispute.evidence_due",
    "dispute.evidence_refused",
    "dispute.evidence_submitted",
    "payout.failed",
    "payout.reversed",
    "subscription.changed",
    "subscription.completed",
    "subscription.lapsed",
];

/// Whether the server ever records such a fact.
fn is_recorded(name: &str) -> bool {
    let quoted = format!("\"{name}\"");
    source::server_files().any(|file| {
        let tells = file.path.ends_with("webhooks/facts.rs") || file.path.contains("/notify/");
        !tells && file.text.contains(&quoted)
    })
}

/// An order of two sellers is disputed: each is told of their own line.
#[tokio::test]
async fn every_seller_of_a_disputed_order_gets_a_mail() {
    TestApp::both(async |test| {
        sign_up(test, SELLER, "seller").await;
        let desk = Desk::open(test).await;
        let paid = bought_of_two(&desk).await;
        assert!(desk.raise(&paid, ObjectState::Opened).await);
        desk.hand_over_all().await;
        let mails = test.mails();
        let subject = "Subject: A buyer's bank disputes a payment";
        let told: Vec<_> = mails.iter().filter(|mail| mail.contains(subject)).collect();
        assert_eq!(told.len(), 2, "one each, once");
        for (to, own, not) in [
            ("To: seller@", "Acme Editor", "Other Tool"),
            ("To: other@", "Other Tool", "Acme Editor"),
        ] {
            let mail = told.iter().find(|mail| mail.contains(to)).expect("a mail");
            assert!(mail.contains(own) && !mail.contains(not), "{mail}");
            assert!(!mail.contains("59.00"), "more than their own: {mail}");
        }
    })
    .await;
}

/// The dearer plan, at whatever it costs today.
async fn dearer(test: &TestApp, club: &Club, subscription: SubscriptionId) {
    let command = |seen| ChangePlan {
        ask: AskChange {
            subscription,
            price: Some(club.dear),
            seats: None,
        },
        seen,
    };
    let nothing = Money::zero(Currency::EUR);
    let asked = test
        .app
        .transact(&club.buyer, command(nothing), change_plan);
    let Err(SubscriptionError::AmountChanged(due)) = asked.await else {
        panic!("a dearer plan costs something");
    };
    let changed = test.app.transact(&club.buyer, command(due), change_plan);
    changed.await.expect("is charged");
    test.drain().await;
}

#[tokio::test]
async fn what_goes_wrong_and_what_changes_is_told_too() {
    TestApp::both(async |test| {
        sign_up(test, SELLER, "seller").await;
        sign_up(test, BUYER, "buyer").await;
        let (desk, receiver) = (Desk::open(test).await, Receiver::start().await);
        let server = test.serve().await;
        listen(&desk, &receiver).await;
        let club = club(test).await;
        settle_in(test, SELLER, "acct_closed").await;
        for _ in 0..3 {
            desk.buy(3).await;
        }
        let id = tried(test, &club, None).await;
        // What was held is releasable before the next run of payouts.
        travel(test, "2027-01-23").await;
        // The trial is over and nothing can be charged, until it can.
        travel(test, "2027-01-30").await;
        pay_with(test, id, "sbm_pays").await;
        dearer(test, &club, id).await;
        settle_in(test, SELLER, "acct_reversed").await;
        for day in ["2027-02-06", "2027-02-08", "2027-02-10"] {
            travel(test, day).await;
        }
        pay_with(test, id, "sbm_insufficient_funds").await;
        for day in ["2027-03-01", "2027-03-03", "2027-03-09", "2027-03-11"] {
            travel(test, day).await;
        }
        banks_ask(test, &desk).await;
        let types = receiver.take().into_iter();
        let types: BTreeSet<_> = types.map(|hook| hook.json()["type"].to_string()).collect();
        for name in ELSEWHERE {
            assert!(types.contains(&format!("\"{name}\"")), "{name}: {types:?}");
        }
        server.stop().await;
    })
    .await;
}

/// One bank is answered by the house, after its seller was reminded; one too late; one not at all.
async fn banks_ask(test: &TestApp, desk: &Desk<'_>) {
    answers::asked(desk, ObjectState::Opened).await;
    for ms in [6 * DAY + HOUR, 18 * HOUR] {
        later(test, ms);
        test.drain().await;
    }
    answers::asked(desk, ObjectState::Opened).await;
    later(test, 8 * DAY);
    test.drain().await;
    let (_, dispute) = answers::asked(desk, ObjectState::Opened).await;
    let give_up = wanted(dispute, Step::Accept, None);
    let given_up = answers::act(test, &desk.shop.seller, give_up).await;
    given_up.expect("is given up");
    test.drain().await;
}

/// The receiver hears of everything.
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

#[tokio::test]
async fn every_fact_of_money_is_told_once_to_those_it_concerns() {
    TestApp::both(async |test| {
        sign_up(test, SELLER, "seller").await;
        sign_up(test, BUYER, "buyer").await;
        let (desk, receiver) = (Desk::open(test).await, Receiver::start().await);
        let server = test.serve().await;
        listen(&desk, &receiver).await;
        eventful(test, &desk).await;
        let happened = counts(&desk, FACTS).await;
        let before = counts(&desk, MAILS).await;
        let files = test.mails();
        test.drain().await;
        assert_eq!(counts(&desk, MAILS).await, before, "none is sent twice");
        // Each once a fact, a withdrawal to buyer and seller; what isn't charged again by a dispute that was won has no receipt.
        let heads = [
            "subscription.",
            "refund.",
            "dispute.",
            "payout.",
            "credit_note.",
            "withdrawal.",
            "refund_wish.",
        ];
        for (kind, times) in &happened {
            let of_money = heads.iter().any(|head| kind.starts_with(head));
            if of_money && notify::is_told(kind) {
                let several = i64::from(kind == WITHDRAWN_FACT) + 1;
                assert_eq!(before.get(kind), Some(&(times * several)), "{kind}");
            }
        }
        for (subject, to) in [
            ("A payment for Club App was declined", "buyer"),
            ("A refund of 1.00 EUR came back", "guest"),
            ("A refund of 1.00 EUR is on its way", "guest"),
            ("A buyer's bank disputes a payment", "seller"),
            ("Receipt for Club App", "buyer"),
            ("Your subscription to Club App has ended", "buyer"),
            ("Your subscription to Club App goes on", "buyer"),
            ("Your subscription to Club App is paused", "buyer"),
            ("Your trial of Club App ends soon", "buyer"),
        ] {
            let line = format!("Subject: {subject}\r\n");
            let about: Vec<_> = files.iter().filter(|mail| mail.contains(&line)).collect();
            assert!(!about.is_empty(), "{subject}");
            for mail in about {
                assert!(mail.contains(&format!("To: {to}@example.org")), "{mail}");
                assert!(mail.contains("text/plain") && mail.contains("text/html"));
            }
        }
        for subject in ["Subject: Your payout of", "was sent back"] {
            let found = files.iter().any(|mail| mail.contains(subject));
            assert!(found, "{subject}");
        }
        // No key without a name, and no name without a story.
        let mut told: BTreeSet<_> = TOLD.iter().map(|(name, _)| (*name).to_owned()).collect();
        told.insert(TEST.to_owned());
        assert_eq!(documented(), told);
        // Deliveries are forgotten after 90 days; the seller's server forgets none.
        let hooks = receiver.take();
        let types = hooks.iter().map(|hook| hook.json()["type"].clone());
        let sent: BTreeSet<_> = types
            .filter_map(|kind| kind.as_str().map(str::to_owned))
            .collect();
        for name in told
            .iter()
            .filter(|name| **name != TEST && **name != DISABLED)
        {
            assert!(is_recorded(name), "nothing records {name}");
            let of_money = heads.iter().any(|head| name.starts_with(head));
            let here = sent.contains(name) || ELSEWHERE.contains(&name.as_str());
            assert!(here || !of_money, "no story tells {name}");
        }
        assert!(!is_recorded("order.eaten"), "the negative control");
        // What a seller is told names no buyer.
        for hook in hooks {
            for private in ["buyer@", "guest@", &BUYER.to_string()] {
                assert!(!hook.body.contains(private), "{}", hook.body);
            }
        }
        assert_eq!(facts(test, "payment.needs_attention").await, 0);
        server.stop().await;
    })
    .await;
}
