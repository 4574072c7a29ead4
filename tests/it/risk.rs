//! Risk: what is asked before money moves, at which count it acts, and what it never touches.

use crate::money_back::Desk;
use crate::payouts::owner;
use crate::races::{at_once, insist, won};
use crate::secrets_kept::{copied, holds};
use crate::shop::{SELLER, order_of, person, shop};
use mintreu::id::{AccountId, OrderId, PriceId, RiskEntryId, RiskRuleId};
use mintreu::{Currency, Money};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::fulfilment::{
    DecideReview, FulfilmentError, Item, Network, Purchase, Started, Wanted, decide_review,
    pay_again, start,
};
use mintreu_server::domains::ledger::Traffic;
use mintreu_server::domains::risk::{
    Action, AddEntry, By, ChangeRule, Counts, CreateRule, Decision, Decisions, DeleteRule, Entries,
    EntryKind, Known, LiftEntry, Mode, Outcome, Reviews, RiskError, Rule, Side, Terms, add_entry,
    change_rule, create_rule, decisions, delete_rule, entries, lift_entry, reviews, rules,
};
use mintreu_server::gateways::sandbox::model::{Choice, SessionState};
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_server::gateways::sandbox::ops::{Choose, choose};
use mintreu_tests::TestApp;
use serde_json::json;

pub const MINUTE_MS: i64 = 60_000;
const HOME: &str = "192.0.2.10";

pub fn terms(counts: Counts, by: By, threshold: i64) -> Terms {
    Terms {
        name: "Tried here".to_owned(),
        counts,
        by,
        window_ms: MINUTE_MS,
        threshold,
        currency: None,
        newer_than_days: None,
        action: Action::Refuse,
        mode: Mode::Live,
        block_ms: None,
    }
}

/// Time passes, as much as one wants.
fn pass(test: &TestApp, ms: i64) {
    let mut left = ms;
    while left > 0 {
        let step = left.min(1 << 30);
        test.clock.advance(u32::try_from(step).expect("fits"));
        left -= step;
    }
}

pub async fn ruled(test: &TestApp, terms: Terms) -> RiskRuleId {
    let who = owner(test);
    let made = test
        .app
        .transact(&who, CreateRule { terms }, create_rule)
        .await;
    RiskRuleId::parse(&made.expect("is written")).expect("an id")
}

async fn unruled(test: &TestApp, rule: RiskRuleId) {
    let gone = test
        .app
        .transact(&owner(test), DeleteRule { rule }, delete_rule)
        .await;
    gone.expect("is deleted");
}

/// Somebody who buys from somewhere.
#[derive(Clone, Copy)]
struct Try<'a> {
    email: &'a str,
    from: &'a str,
    minor: i64,
}

const fn at_home(email: &str) -> Try<'_> {
    Try {
        email,
        from: HOME,
        minor: 4_900,
    }
}

async fn buy_as(
    test: &TestApp,
    who: &Caller,
    price: PriceId,
    one: Try<'_>,
) -> Result<Started, FulfilmentError> {
    let purchase = Purchase {
        wanted: Wanted {
            items: vec![Item::new(price, 1)],
            ..Wanted::default()
        },
        seen: Money::new(one.minor, Currency::EUR),
        email: who.account.is_none().then(|| one.email.to_owned()),
        network: Some(Network {
            country: None,
            address: Some(one.from.to_owned()),
        }),
        traffic: Traffic::Unknown,
        provider: None,
    };
    start(&test.app, who, None, purchase).await
}

async fn buy(test: &TestApp, price: PriceId, one: Try<'_>) -> Result<Started, FulfilmentError> {
    buy_as(test, &test.guest(), price, one).await
}

fn is_refused(outcome: &Result<Started, FulfilmentError>) -> bool {
    matches!(outcome, Err(FulfilmentError::Risk(RiskError::Refused(_))))
}

async fn pay(desk: &Desk<'_>, started: &Started, choice: Choice) -> SessionState {
    let url = started.pay_url.clone().expect("a page");
    let command = Choose {
        session: url.rsplit('/').next().expect("a session").to_owned(),
        choice,
        country: None,
    };
    // Each event has an instant of its own, so that the newest is known.
    pass(desk.test, 1);
    let guest = desk.test.guest();
    let chosen = desk.test.app.transact(&guest, command, choose).await;
    let state = chosen.expect("is chosen").state;
    let told = desk.events().await;
    desk.hand_over(&told.last().expect("an event").1).await;
    desk.test.drain().await;
    state
}

async fn log(test: &TestApp, outcome: &str) -> Vec<Decision> {
    let query = Decisions {
        outcome: outcome.to_owned(),
        before: None,
    };
    let found = test.app.read(&owner(test), query, decisions).await;
    found.expect("decisions").0
}

/// A rule that two purchases pass and the third doesn't, until the first is out of the window.
async fn third_is_refused(test: &TestApp, price: PriceId, tries: [Try<'_>; 3]) {
    let [first, second, third] = tries;
    assert!(buy(test, price, first).await.is_ok());
    pass(test, 1_000);
    assert!(buy(test, price, second).await.is_ok());
    pass(test, MINUTE_MS - 1_001);
    let refused = buy(test, price, third).await;
    assert!(is_refused(&refused), "{refused:?}");
    pass(test, 1);
    let passed = buy(test, price, third).await;
    assert!(passed.is_ok(), "a window's end: {passed:?}");
}

#[tokio::test]
async fn attempts_are_counted_by_each_key_exactly_at_the_threshold() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let from = |email, from| Try {
            from,
            ..at_home(email)
        };
        let cases = [
            (
                By::Buyer,
                [
                    from("b+1@a.org", "192.0.2.1"),
                    from("B@a.org", "192.0.2.2"),
                    from("b@a.org", "192.0.2.3"),
                ],
            ),
            (
                By::Network,
                ["n1@a.org", "n2@a.org", "n3@a.org"].map(at_home),
            ),
            (
                By::Product,
                [
                    from("p1@a.org", "192.0.2.4"),
                    from("p2@a.org", "192.0.2.5"),
                    from("p3@a.org", "192.0.2.6"),
                ],
            ),
            (
                By::Seller,
                [
                    from("s1@a.org", "192.0.2.7"),
                    from("s2@a.org", "192.0.2.8"),
                    from("s3@a.org", "192.0.2.9"),
                ],
            ),
        ];
        for (by, tries) in cases {
            let rule = ruled(test, terms(Counts::Attempts, by, 3)).await;
            third_is_refused(test, shop.price, tries).await;
            if matches!(by, By::Buyer | By::Network) {
                let other = from("elsewhere@b.org", "198.51.100.1");
                assert!(buy(test, shop.price, other).await.is_ok(), "{by:?}");
            }
            unruled(test, rule).await;
            pass(test, 10 * MINUTE_MS);
        }
    })
    .await;
}

#[tokio::test]
async fn declines_are_counted_by_each_key_and_another_try_is_asked_too() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        for by in [By::Buyer, By::Network, By::Product, By::Seller] {
            let rule = ruled(test, terms(Counts::Declines, by, 2)).await;
            let first = buy(test, desk.shop.price, at_home("d@a.org"))
                .await
                .expect("starts");
            pay(&desk, &first, Choice::Decline).await;
            pass(test, 1_000);
            let token = first.token.clone().map(|token| token.reveal().to_owned());
            let from = || {
                Some(Network {
                    country: None,
                    address: Some(HOME.to_owned()),
                })
            };
            let guest = desk.test.guest();
            let second = pay_again(&test.app, &guest, (first.order, token.clone()), from()).await;
            let second = second.expect("one decline is not two");
            pay(&desk, &second, Choice::Decline).await;
            let sessions = desk.rows("SELECT session FROM sandbox_session").await.len();
            let refused = pay_again(&test.app, &guest, (first.order, token.clone()), from()).await;
            assert!(is_refused(&refused), "{by:?} {refused:?}");
            let asked = desk.rows("SELECT session FROM sandbox_session").await.len();
            assert_eq!(asked, sessions, "no provider is asked");
            assert!(is_refused(
                &buy(test, desk.shop.price, at_home("d@a.org")).await
            ));
            // The first decline leaves the window, and with one that is left nothing is refused.
            pass(test, MINUTE_MS - 1_001);
            assert!(buy(test, desk.shop.price, at_home("d@a.org")).await.is_ok());
            unruled(test, rule).await;
            pass(test, 10 * MINUTE_MS);
        }
    })
    .await;
}

#[tokio::test]
async fn addresses_free_purchases_money_and_the_seller_s_own_mail_are_counted() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let free = |email| Try {
            minor: 0,
            ..at_home(email)
        };
        // Addresses: the same one twice is one.
        let rule = ruled(test, terms(Counts::Addresses, By::Network, 3)).await;
        for email in ["a1@a.org", "a1@a.org", "a2@a.org"] {
            assert!(
                buy(test, shop.price, at_home(email)).await.is_ok(),
                "{email}"
            );
        }
        assert!(is_refused(
            &buy(test, shop.price, at_home("a3@a.org")).await
        ));
        assert!(buy(test, shop.price, at_home("a2@a.org")).await.is_ok());
        unruled(test, rule).await;
        pass(test, 10 * MINUTE_MS);
        // Free ones: what costs something neither counts nor is refused.
        let rule = ruled(test, terms(Counts::Free, By::Network, 3)).await;
        assert!(buy(test, shop.price, at_home("f@a.org")).await.is_ok());
        assert!(buy(test, shop.free, free("f1@a.org")).await.is_ok());
        assert!(buy(test, shop.free, free("f2@a.org")).await.is_ok());
        assert!(is_refused(&buy(test, shop.free, free("f3@a.org")).await));
        assert!(buy(test, shop.price, at_home("f@a.org")).await.is_ok());
        unruled(test, rule).await;
        pass(test, 10 * MINUTE_MS);
        // Money: 98.00 is there exactly with the second.
        for (threshold, second) in [(9_801, true), (9_800, false)] {
            let spent = Terms {
                currency: Some(Currency::EUR),
                newer_than_days: Some(1),
                ..terms(Counts::Spent, By::Seller, threshold)
            };
            let rule = ruled(test, spent).await;
            assert!(buy(test, shop.price, at_home("m@a.org")).await.is_ok());
            let passed = buy(test, shop.price, at_home("m@a.org")).await.is_ok();
            assert_eq!(passed, second, "{threshold}");
            unruled(test, rule).await;
            pass(test, 10 * MINUTE_MS);
        }
        // A shop that is older than the rule says isn't asked about.
        let old = Terms {
            currency: Some(Currency::EUR),
            newer_than_days: Some(1),
            ..terms(Counts::Spent, By::Seller, 1)
        };
        let rule = ruled(test, old).await;
        assert!(is_refused(&buy(test, shop.price, at_home("m@a.org")).await));
        pass(test, 24 * 60 * MINUTE_MS);
        assert!(buy(test, shop.price, at_home("m@a.org")).await.is_ok());
        unruled(test, rule).await;
        // The seller's own mail, by the rule that every shop has.
        sign_up(test, SELLER, "me@acme.example").await;
        assert!(is_refused(
            &buy(test, shop.price, at_home("Me+gift@acme.example")).await
        ));
        assert!(
            buy(test, shop.price, at_home("you@acme.example"))
                .await
                .is_ok()
        );
    })
    .await;
}

async fn sign_up(test: &TestApp, account: AccountId, email: &'static str) {
    use mintreu_server::store::{Attempt, StoreError};
    let tenant = test.tenant();
    let written = test.app.store.write(Vec::new(), move |tx| {
        let sql = "INSERT INTO account (account_id, tenant_id, email, email_key, name,
                password_hash, created_at)
            VALUES (:account, :tenant, :email, :email, :email, '-', 0)";
        let params = [
            ("account", account.as_bytes().into()),
            ("tenant", tenant.as_bytes().into()),
            ("email", email.into()),
        ];
        match tx.execute(sql, &params) {
            Ok(_) => Attempt::Commit(Ok::<_, StoreError>(())),
            Err(error) => Attempt::Rollback(Err(error)),
        }
    });
    written.await.expect("writes").expect("writes");
}

#[tokio::test]
async fn a_rule_in_shadow_mode_says_what_it_would_do_and_acts_on_nothing() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        for action in [Action::Refuse, Action::Challenge, Action::Review] {
            let shadow = Terms {
                action,
                mode: Mode::Shadow,
                ..terms(Counts::Attempts, By::Network, 1)
            };
            let rule = ruled(test, shadow).await;
            let started = buy(test, desk.shop.price, at_home("s@a.org"))
                .await
                .expect("starts");
            assert_eq!(
                pay(&desk, &started, Choice::Succeed).await,
                SessionState::Succeeded
            );
            let newest = log(test, "shadow").await.remove(0);
            assert_eq!(newest.outcome, Outcome::Allow);
            assert_eq!(
                (newest.shadow, newest.order),
                (Some(action), Some(started.order))
            );
            let looked = newest
                .looked
                .iter()
                .find(|one| one.rule == rule.to_string());
            assert!(looked.expect("is logged").fired());
            unruled(test, rule).await;
            pass(test, 1);
        }
        for table in ["risk_entry", "risk_review"] {
            let sql = format!("SELECT COUNT(*) AS found FROM {table}");
            assert_eq!(
                desk.rows(sql.leak()).await[0]
                    .int("found")
                    .expect("a count"),
                0
            );
        }
        let frozen = desk
            .rows("SELECT state FROM ledger_escrow WHERE state = 'frozen'")
            .await;
        assert!(frozen.is_empty());
        // The same rule, live, does refuse.
        ruled(test, terms(Counts::Attempts, By::Network, 1)).await;
        assert!(is_refused(
            &buy(test, desk.shop.price, at_home("s@a.org")).await
        ));
    })
    .await;
}

#[tokio::test]
async fn a_block_ends_at_its_time_or_when_it_is_taken_back() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let hour = 60 * MINUTE_MS;
        let blocking = Terms {
            block_ms: Some(hour),
            ..terms(Counts::Attempts, By::Network, 2)
        };
        ruled(test, blocking).await;
        assert!(buy(test, shop.price, at_home("t@a.org")).await.is_ok());
        pass(test, 1);
        assert!(is_refused(&buy(test, shop.price, at_home("t@a.org")).await));
        // The window is over, the block isn't.
        pass(test, hour - 1);
        let refused = buy(test, shop.price, at_home("other@a.org")).await;
        assert!(is_refused(&refused), "{refused:?}");
        assert!(log(test, "refuse").await[0].entry.is_some());
        pass(test, 1);
        assert!(buy(test, shop.price, at_home("t@a.org")).await.is_ok());
        // Once more, and taken back.
        assert!(is_refused(&buy(test, shop.price, at_home("t@a.org")).await));
        pass(test, 2 * MINUTE_MS);
        assert!(is_refused(&buy(test, shop.price, at_home("t@a.org")).await));
        let (found, _) = test
            .app
            .read(&owner(test), Entries::default(), entries)
            .await
            .expect("reads");
        let states: Vec<_> = found.iter().map(|one| one.state(test.app.now())).collect();
        assert_eq!(states, ["active", "ended"]);
        let lift = LiftEntry { entry: found[0].id };
        test.app
            .transact(&owner(test), lift, lift_entry)
            .await
            .expect("is lifted");
        assert!(buy(test, shop.price, at_home("t@a.org")).await.is_ok());
        let desk = Desk::of(test, shop).await;
        let lifted = desk
            .rows("SELECT command FROM audit WHERE command = 'risk.lift_entry'")
            .await;
        assert_eq!(lifted.len(), 1);
    })
    .await;
}

pub async fn entry(test: &TestApp, side: Side, kind: EntryKind, value: &str) -> RiskEntryId {
    let command = AddEntry {
        side,
        kind,
        known: Known::Typed(value.to_owned()),
        reason: "seen before".to_owned(),
        ends_at: None,
    };
    let made = test.app.transact(&owner(test), command, add_entry).await;
    RiskEntryId::parse(&made.expect("is written")).expect("an id")
}

#[tokio::test]
async fn who_is_allowed_is_let_through_whatever_else_is_said() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let known = [
            (EntryKind::Mail, "Ada+x@a.org"),
            (EntryKind::Domain, "A.org"),
            (EntryKind::Network, HOME),
        ];
        for (kind, value) in known {
            let blocked = entry(test, Side::Block, kind, value).await;
            assert!(
                is_refused(&buy(test, shop.price, at_home("ada@a.org")).await),
                "{kind:?}"
            );
            let elsewhere = Try {
                email: "ada@b.org",
                from: "192.0.2.11",
                minor: 4_900,
            };
            assert!(buy(test, shop.price, elsewhere).await.is_ok(), "{kind:?}");
            let lift = LiftEntry { entry: blocked };
            test.app
                .transact(&owner(test), lift, lift_entry)
                .await
                .expect("is lifted");
            assert!(buy(test, shop.price, at_home("ada@a.org")).await.is_ok());
        }
        entry(test, Side::Block, EntryKind::Domain, "a.org").await;
        ruled(test, terms(Counts::Attempts, By::Product, 1)).await;
        assert!(is_refused(
            &buy(test, shop.price, at_home("ada@a.org")).await
        ));
        assert!(is_refused(
            &buy(test, shop.price, at_home("bob@b.org")).await
        ));
        entry(test, Side::Allow, EntryKind::Mail, "ada@a.org").await;
        assert!(buy(test, shop.price, at_home("ada@a.org")).await.is_ok());
        assert!(is_refused(
            &buy(test, shop.price, at_home("bob@b.org")).await
        ));
    })
    .await;
}

#[tokio::test]
async fn what_is_refused_places_nothing_and_asks_no_provider() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let rule = ruled(test, terms(Counts::Attempts, By::Buyer, 1)).await;
        let refused = buy(test, desk.shop.price, at_home("r@a.org")).await;
        assert!(is_refused(&refused));
        let count = async || {
            let mut found = Vec::new();
            for sql in [
                "SELECT COUNT(*) AS found FROM customer_order",
                "SELECT COUNT(*) AS found FROM payment",
                "SELECT COUNT(*) AS found FROM sandbox_session",
                "SELECT COUNT(*) AS found FROM risk_signal",
                "SELECT COUNT(*) AS found FROM job WHERE kind = 'fulfilment.expire_order'",
            ] {
                found.push(desk.rows(sql).await[0].int("found").expect("a count"));
            }
            found
        };
        assert_eq!(count().await, [0; 5]);
        let told = "SELECT kind FROM event WHERE kind = 'risk.refused'";
        assert_eq!(desk.rows(told).await.len(), 1);
        assert_eq!(log(test, "refuse").await.len(), 1);
        // Without the rule the same purchase does all of that.
        unruled(test, rule).await;
        assert!(buy(test, desk.shop.price, at_home("r@a.org")).await.is_ok());
        let done = count().await;
        assert!(done.iter().all(|count| *count > 0), "{done:?}");
    })
    .await;
}

#[tokio::test]
async fn a_challenge_is_signing_in_and_then_a_proof_at_the_provider() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let challenge = Terms {
            action: Action::Challenge,
            ..terms(Counts::Attempts, By::Network, 1)
        };
        let rule = ruled(test, challenge).await;
        let guest = buy(test, desk.shop.price, at_home("c@a.org")).await;
        assert!(
            matches!(guest, Err(FulfilmentError::Risk(RiskError::SignIn(_)))),
            "{guest:?}"
        );
        let buyer = person(
            test,
            AccountId::from_bytes(*b"challenged buyer"),
            Role::Customer,
        );
        let started = buy_as(test, &buyer, desk.shop.price, at_home(""))
            .await
            .expect("starts");
        assert_eq!(
            pay(&desk, &started, Choice::Succeed).await,
            SessionState::Challenge
        );
        assert_eq!(
            pay(&desk, &started, Choice::Confirm).await,
            SessionState::Succeeded
        );
        // A card that is declined is declined.
        let started = buy_as(test, &buyer, desk.shop.price, at_home(""))
            .await
            .expect("starts");
        assert_eq!(
            pay(&desk, &started, Choice::Decline).await,
            SessionState::Failed
        );
        unruled(test, rule).await;
        let started = buy_as(test, &buyer, desk.shop.price, at_home(""))
            .await
            .expect("starts");
        assert_eq!(
            pay(&desk, &started, Choice::Succeed).await,
            SessionState::Succeeded
        );
    })
    .await;
}

pub async fn reviewed(desk: &Desk<'_>) -> OrderId {
    let started = buy(desk.test, desk.shop.price, at_home("v@a.org"))
        .await
        .expect("starts");
    pay(desk, &started, Choice::Succeed).await;
    started.order
}

pub async fn decide(desk: &Desk<'_>, order: OrderId, refund: bool) -> Result<(), FulfilmentError> {
    let command = DecideReview {
        order,
        refund,
        note: "looked at it".to_owned(),
    };
    desk.test
        .app
        .transact(&owner(desk.test), command, decide_review)
        .await
}

pub async fn hold(desk: &Desk<'_>) -> (String, String) {
    let rows = desk
        .rows("SELECT state, reason FROM ledger_escrow ORDER BY held_at DESC")
        .await;
    (
        rows[0].text("state").expect("a state"),
        rows[0].text("reason").expect("a reason"),
    )
}

#[tokio::test]
async fn a_review_holds_the_money_until_it_is_let_go() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let week = 7 * 24 * 60 * MINUTE_MS;
        let review = Terms {
            action: Action::Review,
            ..terms(Counts::Attempts, By::Network, 1)
        };
        ruled(test, review).await;
        let order = reviewed(&desk).await;
        let (state, reason) = hold(&desk).await;
        assert_eq!(state, "frozen");
        assert!(reason.contains("closer look"), "{reason}");
        pass(test, 2 * week);
        test.drain().await;
        let (held, releasable) = desk.earned().await;
        assert!(held > 0 && releasable == 0, "{held} {releasable}");
        let waits = test
            .app
            .read(&owner(test), Reviews::default(), reviews)
            .await
            .expect("reads");
        assert_eq!((waits.len(), waits[0].order), (1, order));
        decide(&desk, order, false).await.expect("is let go");
        test.drain().await;
        assert_eq!(desk.earned().await, (0, held));
        let again = decide(&desk, order, true).await;
        assert!(
            matches!(again, Err(FulfilmentError::Risk(RiskError::NotWaiting))),
            "{again:?}"
        );
        let told = "SELECT kind FROM event WHERE kind = 'risk.review'";
        assert_eq!(desk.rows(told).await.len(), 1);
        // Without a rule a sale's money is free after its week.
        let found = test.app.read(&owner(test), (), rules).await.expect("rules");
        let own: Vec<&Rule> = found
            .iter()
            .filter(|rule| rule.built_in.is_none())
            .collect();
        unruled(test, own[0].id).await;
        reviewed(&desk).await;
        assert_eq!(hold(&desk).await.0, "held");
        pass(test, week);
        test.drain().await;
        assert_eq!(desk.earned().await, (0, 2 * held));
    })
    .await;
}

#[tokio::test]
async fn a_review_ends_with_a_refund_and_no_bank_ends_it() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let review = Terms {
            action: Action::Review,
            ..terms(Counts::Attempts, By::Network, 1)
        };
        ruled(test, review).await;
        let order = reviewed(&desk).await;
        let sessions = desk.rows("SELECT session FROM sandbox_session").await;
        let lines = desk.rows("SELECT order_line_id FROM order_line").await;
        let paid = crate::money_back::Paid {
            order,
            line: lines[0]
                .id("order_line_id", mintreu::id::OrderLineId::from_bytes)
                .expect("an id"),
            session: sessions[0].text("session").expect("a session"),
        };
        // A bank asks and is content: the review goes on.
        assert!(desk.raise(&paid, ObjectState::Opened).await);
        desk.hand_over_all().await;
        assert!(desk.decide(&paid, ObjectState::Won).await);
        desk.hand_over_all().await;
        assert_eq!(hold(&desk).await.0, "frozen");
        decide(&desk, order, true).await.expect("is refunded");
        desk.hand_over_all().await;
        assert_eq!(desk.state(&paid).await, "refunded");
        assert_eq!(desk.earned().await.0, 0);
        let fee = desk.rows("SELECT reason FROM refund").await;
        assert_eq!(fee[0].text("reason").expect("a reason"), "fraud");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_a_crowd_at_the_threshold_exactly_so_many_are_let_through() {
    TestApp::both(async |test| {
        let (shop, server) = (shop(test).await, test.serve().await);
        for least in [2, 4] {
            let rule = ruled(test, terms(Counts::Attempts, By::Network, least + 1)).await;
            let answers = at_once(8, |number| {
                let (guest, mut order) = (server.browser(), order_of(shop.price, 4_900));
                order["email"] = json!(format!("crowd{number}@example.org"));
                async move { insist(&guest, "/v1/checkouts", &order).await }
            });
            let through = won(&answers.await, 201, "purchase_refused");
            assert_eq!(i64::try_from(through), Ok(least));
            unruled(test, rule).await;
            pass(test, 10 * MINUTE_MS);
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_log_holds_no_mail_and_no_network() {
    TestApp::both(async |test| {
        let desk = Desk::open(test).await;
        let (placed, refused) = ("placed.person@example.org", "refused.person@example.org");
        let (near, far) = ("203.0.113.77", "2001:db8:7:7::7");
        let from = |email, from| Try {
            from,
            ..at_home(email)
        };
        entry(test, Side::Block, EntryKind::Mail, refused).await;
        entry(test, Side::Block, EntryKind::Network, far).await;
        assert!(buy(test, desk.shop.price, from(placed, near)).await.is_ok());
        assert!(is_refused(
            &buy(test, desk.shop.price, from(refused, near)).await
        ));
        assert!(is_refused(
            &buy(test, desk.shop.price, from("x@a.org", far)).await
        ));
        let logged = log(test, "").await;
        assert_eq!(logged.len(), 3);
        assert!(logged[2].buyer.is_some() && logged[2].network.is_some());
        let copy = copied(test).await;
        for secret in [refused, near, far, "2001:db8:7:7"] {
            assert!(!holds(&copy, secret), "{secret}");
        }
        // The ears work: the order that was placed has its buyer's address.
        assert!(holds(&copy, placed));
        // What is old is forgotten, and what isn't stays.
        let count = async || {
            desk.rows("SELECT COUNT(*) AS found FROM risk_decision")
                .await[0]
                .int("found")
        };
        let day = 24 * 60 * MINUTE_MS;
        forget(test).await;
        pass(test, 90 * day);
        forget(test).await;
        assert_eq!(count().await.expect("a count"), 3);
        pass(test, 1);
        forget(test).await;
        assert_eq!(count().await.expect("a count"), 0);
        let signals = desk.rows("SELECT COUNT(*) AS found FROM risk_signal").await;
        assert_eq!(signals[0].int("found").expect("a count"), 0);
    })
    .await;
}

async fn forget(test: &TestApp) {
    use mintreu_server::app::{Command, Cx};
    use mintreu_server::caller::Capability;
    use mintreu_server::domains::risk;
    struct Plan;
    impl Command for Plan {
        const NAME: &'static str = "test.forget";
        const CAPABILITY: Capability = Capability::Operate;
    }
    fn plan(cx: &mut Cx<'_>, _: &Plan) -> Result<(), RiskError> {
        Ok(risk::plan_forget(cx)?)
    }
    test.app
        .transact(&test.system(), Plan, plan)
        .await
        .expect("is planned");
    test.drain().await;
}

#[tokio::test]
async fn rules_are_the_owner_s_over_http() {
    TestApp::both(async |test| {
        let shop = shop(test).await;
        let found = test.app.read(&owner(test), (), rules).await.expect("rules");
        assert!(
            found
                .iter()
                .all(|rule| rule.built_in.is_some() && rule.changed_at.is_none())
        );
        // A built-in rule is changed, switched off and deleted like any other.
        let mut rule = found[0].clone();
        rule.terms.mode = Mode::Off;
        let change = ChangeRule {
            rule: rule.id,
            terms: rule.terms.clone(),
        };
        test.app
            .transact(&owner(test), change, change_rule)
            .await
            .expect("is changed");
        let now = test.app.read(&owner(test), (), rules).await.expect("rules");
        assert_eq!((now[0].terms.mode, now.len()), (Mode::Off, found.len()));
        assert_eq!(now[0].built_in, found[0].built_in);
        unruled(test, rule.id).await;
        let now = test.app.read(&owner(test), (), rules).await.expect("rules");
        assert_eq!(now.len(), found.len() - 1);
        for stranger in [test.guest(), shop.seller.clone()] {
            let denied = test.app.read(&stranger, (), rules).await;
            assert!(matches!(denied, Err(RiskError::Denied(_))));
            let denied = test
                .app
                .read(&stranger, Decisions::default(), decisions)
                .await;
            assert!(matches!(denied, Err(RiskError::Denied(_))));
            let denied = test.app.read(&stranger, Entries::default(), entries).await;
            assert!(matches!(denied, Err(RiskError::Denied(_))));
            let denied = test.app.read(&stranger, Reviews::default(), reviews).await;
            assert!(matches!(denied, Err(RiskError::Denied(_))));
            let command = CreateRule {
                terms: terms(Counts::Attempts, By::Buyer, 1),
            };
            let denied = test.app.transact(&stranger, command, create_rule).await;
            assert!(matches!(denied, Err(RiskError::Denied(_))));
        }
        // What a guest is told, over HTTP.
        ruled(test, terms(Counts::Attempts, By::Product, 1)).await;
        let server = test.serve().await;
        let guest = server.browser();
        let (status, problem) = guest
            .post_json("/v1/checkouts", &order_of(shop.price, 4_900))
            .await;
        assert_eq!(
            (status.as_u16(), problem["code"].as_str()),
            (403, Some("purchase_refused"))
        );
        let number = log(test, "refuse").await[0].id.to_string();
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|text| text.contains(&number))
        );
        let (status, _) = guest.get_json("/v1/risk-decisions").await;
        assert_eq!(status, 401);
        server.stop().await;
    })
    .await;
}

/// Every statement prepares, with parameters of the three types.
#[tokio::test]
async fn every_statement_prepares() {
    use mintreu_server::domains::risk::sql;
    TestApp::both(async |test| {
        let all = [sql::ALL, sql::entries::ALL, sql::log::ALL, sql::review::ALL].concat();
        assert!(all.len() > 20);
        for statement in all {
            let prepared = test.app.store.prepare(statement).await;
            assert!(prepared.is_ok(), "{statement}: {prepared:?}");
        }
    })
    .await;
}
