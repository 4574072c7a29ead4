//! Payouts: each is sent once through races and crashes, every skip has its reason, and statements
//! add up to the books.

use mintreu::id::{AccountId, PayoutId, PayoutRunId};
use mintreu::{Currency, Money};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::{Caller, Capability, Role};
use mintreu_server::domains::ledger::{
    self, Account, AccountKind, Balanced, LedgerError, Posting, Reason,
};
use mintreu_server::domains::payouts::{
    ConsiderPayload, MyPayouts, PayAgain, Payout, PayoutError, PayoutQuery, PreviewQuery, RunQuery,
    RunView, SetSeller, SetSettings, SkipReason, StartRun, State, StatementQuery, Verdict,
    WriteOffDebt, balances, consider, my_payouts, pay_again, payout, preview, run, set_seller,
    set_settings, start_run, statement, write_off,
};
use mintreu_server::gateways::{self, PayoutOrder};
use mintreu_server::store::{Attempt, StoreError, Tx, Value};
use mintreu_tests::TestApp;

pub const DAY: u32 = 24 * 60 * 60 * 1000;

fn euros(minor: i64) -> Money {
    Money::new(minor, Currency::EUR)
}

pub fn seller(number: u8) -> AccountId {
    AccountId::from_bytes([number; 16])
}

pub fn caller(test: &TestApp, account: AccountId, role: Role) -> Caller {
    Caller {
        tenant: test.tenant(),
        account: Some(account),
        roles: vec![role],
    }
}

pub fn owner(test: &TestApp) -> Caller {
    caller(test, seller(0xee), Role::Admin)
}

/// Money that comes to a seller's releasable balance, or is taken from it when below zero.
pub struct Earn {
    pub key: String,
    pub seller: AccountId,
    pub amount: Money,
}

impl Command for Earn {
    const NAME: &'static str = "test.earn";
    const CAPABILITY: Capability = Capability::Operate;
}

pub fn earned(cx: &mut Cx<'_>, earn: &Earn) -> Result<(), PayoutError> {
    let postings = vec![
        Posting {
            account: Account::platform(AccountKind::PspClearing),
            amount: earn.amount,
        },
        Posting {
            account: Account::of(AccountKind::SellerReleasable, earn.seller),
            amount: earn.amount.checked_neg().map_err(LedgerError::from)?,
        },
    ];
    let balanced = Balanced::new(
        earn.key.clone(),
        Reason::InvoicePayment,
        earn.key.clone(),
        postings,
    )?;
    ledger::post(cx, &balanced)?;
    Ok(())
}

pub async fn earn(test: &TestApp, key: &str, seller: AccountId, amount: Money) {
    let command = Earn {
        key: format!("{key} of {seller}"),
        seller,
        amount,
    };
    let done = test.app.transact(&test.system(), command, earned).await;
    done.expect("is posted");
}

/// A verified seller whose money goes to `destination`.
pub async fn settle_in(test: &TestApp, account: AccountId, destination: &str) {
    let seller = caller(test, account, Role::Developer);
    let command = SetSettings {
        currency: Currency::EUR,
        provider: Some("sandbox"),
        destination: destination.to_owned(),
        threshold_minor: None,
        paused: false,
    };
    let kept = test.app.transact(&seller, command, set_settings).await;
    kept.expect("is kept");
    say(test, account, Some(true), None).await;
}

async fn say(test: &TestApp, seller: AccountId, verified: Option<bool>, pause: Option<&str>) {
    let command = SetSeller {
        seller,
        verified,
        pause: pause.map(str::to_owned),
    };
    let said = test.app.transact(&owner(test), command, set_seller).await;
    said.expect("is said");
}

/// A run by the owner, begun and not yet worked off.
pub async fn begin(test: &TestApp) -> PayoutRunId {
    let begun = test.app.transact(&owner(test), StartRun, start_run).await;
    PayoutRunId::parse(&begun.expect("begins")).expect("an id")
}

async fn result(test: &TestApp, id: PayoutRunId) -> RunView {
    let found = test.app.read(&owner(test), RunQuery { run: id }, run).await;
    found.expect("is there")
}

/// A run by the owner, worked off.
pub async fn pay(test: &TestApp) -> RunView {
    test.clock.advance(1);
    let id = begin(test).await;
    test.drain().await;
    result(test, id).await
}

pub async fn payouts_of(test: &TestApp, account: AccountId) -> Vec<Payout> {
    let seller = caller(test, account, Role::Developer);
    let query = MyPayouts {
        before: None,
        limit: 100,
    };
    let found = test.app.read(&seller, query, my_payouts).await;
    found.expect("are there").0
}

/// Available and on the way, in minor units.
pub async fn balance(test: &TestApp, account: AccountId) -> (i64, i64) {
    let seller = caller(test, account, Role::Developer);
    let found = test.app.read(&seller, (), balances).await;
    let found = found.expect("balances").balances;
    found.first().map_or((0, 0), |view| {
        (view.available.minor(), view.in_transit.minor())
    })
}

#[tokio::test]
async fn a_friday_pays_what_was_there_before_it() {
    TestApp::both(async |test| {
        let (server, ada) = (test.serve().await, seller(1));
        settle_in(test, ada, "acct_ok").await;
        earn(test, "early", ada, euros(5_000)).await;
        // The clock starts on a Friday, at eight; the next one begins in six days and 16 hours.
        test.clock.advance(6 * DAY + 15 * 60 * 60 * 1000);
        test.drain().await;
        assert_eq!(balance(test, ada).await, (5_000, 0), "it is Thursday");
        test.clock.advance(60 * 60 * 1000);
        earn(test, "on the day", ada, euros(700)).await;
        test.drain().await;
        let payouts = payouts_of(test, ada).await;
        assert_eq!(payouts.len(), 1, "{payouts:#?}");
        assert_eq!(
            (payouts[0].amount, payouts[0].state),
            (euros(5_000), State::Paid)
        );
        assert_eq!(balance(test, ada).await, (700, 0));
        // A week later 7.00 are too few; that is noted, and a late job makes no second run.
        test.clock.advance(9 * DAY);
        test.drain().await;
        assert_eq!(payouts_of(test, ada).await.len(), 1);
        let seller = caller(test, ada, Role::Developer);
        let notes = test
            .app
            .read(&seller, (), balances)
            .await
            .expect("balances");
        let notes: Vec<_> = notes.notes.iter().map(|skip| skip.reason).collect();
        assert_eq!(notes, [SkipReason::BelowMinimum]);
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn each_account_of_the_sandbox_ends_as_it_says() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        // Name, state at once, state after a day, what the seller has again.
        let table = [
            ("acct_ok", State::Paid, State::Paid, 0),
            ("acct_repeats", State::Paid, State::Paid, 0),
            ("acct_late", State::Sending, State::Paid, 0),
            ("acct_closed", State::Failed, State::Failed, 4_200),
            ("acct_refused", State::Failed, State::Failed, 4_200),
            ("acct_returns", State::Paid, State::Returned, 4_200),
            ("acct_reversed", State::Paid, State::Reversed, 4_200),
        ];
        for (number, (name, ..)) in (1..).zip(table) {
            settle_in(test, seller(number), name).await;
            earn(test, "sale", seller(number), euros(4_200)).await;
        }
        let view = pay(test).await;
        assert_eq!((view.payouts.len(), view.skips.len()), (7, 0), "{view:#?}");
        assert!(view.run.finished_at.is_some());
        for (number, (name, first, ..)) in (1..).zip(table) {
            let payouts = payouts_of(test, seller(number)).await;
            assert_eq!(payouts[0].state, first, "{name}");
        }
        test.clock.advance(DAY);
        test.drain().await;
        for (number, (name, _, last, again)) in (1..).zip(table) {
            let payouts = payouts_of(test, seller(number)).await;
            assert_eq!(payouts[0].state, last, "{name}");
            let failed = payouts[0].failure_code.is_some();
            assert_eq!(failed, last != State::Paid, "{name}");
            assert_eq!(balance(test, seller(number)).await, (again, 0), "{name}");
        }
        // The owner has one of them paid again at once, and pressing twice pays once.
        settle_in(test, seller(5), "acct_ok").await;
        let refused = payouts_of(test, seller(5)).await[0].id;
        let again = PayAgain { payout: refused };
        let (app, boss) = (&test.app, owner(test));
        let run = app.transact(&boss, again, pay_again).await.expect("a run");
        let same = app.transact(&boss, again, pay_again).await;
        assert_eq!(same.expect("the same run"), run);
        test.drain().await;
        let payouts = payouts_of(test, seller(5)).await;
        assert_eq!((payouts.len(), payouts[0].state), (2, State::Paid));
        let arrived = PayAgain {
            payout: payouts[0].id,
        };
        let refused = app.transact(&boss, arrived, pay_again).await;
        assert!(
            matches!(refused, Err(PayoutError::NotFailed)),
            "{refused:?}"
        );
        let own = caller(test, seller(5), Role::Developer);
        let denied = app.transact(&own, again, pay_again).await;
        assert!(matches!(denied, Err(PayoutError::Denied(_))), "{denied:?}");
        // What came back is paid by the next run, under the next number.
        settle_in(test, seller(4), "acct_ok").await;
        pay(test).await;
        let payouts = payouts_of(test, seller(4)).await;
        assert_eq!(
            (payouts[0].statement_number, payouts[0].state),
            (2, State::Paid)
        );
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn every_skip_has_its_reason_and_the_preview_says_the_same() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let all = [
            (1, SkipReason::NegativeBalance, -1),
            (2, SkipReason::AlreadyInProcess, 3_000),
            (3, SkipReason::PausedByPlatform, 3_000),
            (4, SkipReason::Unverified, 3_000),
            (5, SkipReason::NoDestination, 3_000),
            (6, SkipReason::PausedByYou, 3_000),
            (7, SkipReason::BelowMinimum, 999),
        ];
        for (number, _, amount) in all {
            settle_in(test, seller(number), "acct_late").await;
            earn(test, "sale", seller(number), euros(amount)).await;
        }
        say(test, seller(3), None, Some("papers are missing")).await;
        say(test, seller(4), Some(false), None).await;
        let wish = SetSettings {
            currency: Currency::EUR,
            provider: Some("sandbox"),
            destination: "acct_ok".to_owned(),
            threshold_minor: None,
            paused: true,
        };
        let paused = caller(test, seller(6), Role::Developer);
        let kept = test.app.transact(&paused, wish, set_settings).await;
        kept.expect("is kept");
        forget(
            test,
            "DELETE FROM payout_setting WHERE seller_id = :id",
            seller(5),
        )
        .await;
        // Only the second one is paid; then more comes in while that is under way.
        assert_eq!(pay(test).await.payouts.len(), 1);
        earn(test, "more", seller(2), euros(3_000)).await;
        test.clock.advance(1);
        let query = PreviewQuery { after: None };
        let (seen, more) = test
            .app
            .read(&owner(test), query, preview)
            .await
            .expect("sees");
        assert!(more.is_none());
        let seen: Vec<_> = seen
            .into_iter()
            .map(|line| (line.candidate.seller, line.verdict))
            .collect();
        let view = pay(test).await;
        assert_eq!(view.payouts.len(), 0);
        let noted: Vec<_> = view
            .skips
            .iter()
            .map(|skip| (skip.seller, skip.reason))
            .collect();
        let expected: Vec<_> = all
            .iter()
            .map(|(number, reason, _)| (seller(*number), *reason))
            .collect();
        assert_eq!(noted, expected);
        let expected: Vec<_> = expected
            .into_iter()
            .map(|(seller, reason)| (seller, Verdict::Skip(reason)))
            .collect();
        assert_eq!(seen, expected);
        test.clock.advance(5_000);
        test.drain().await;
        server.stop().await;
    })
    .await;
}

async fn forget(test: &TestApp, sql: &'static str, id: AccountId) {
    let body = move |tx: &mut dyn Tx| match tx.execute(sql, &[("id", id.as_bytes().into())]) {
        Ok(_) => Attempt::Commit(Ok(())),
        Err(error) => Attempt::Rollback(Err(error)),
    };
    let done: Result<(), StoreError> = test.app.store.write(Vec::new(), body).await.expect("runs");
    done.expect("is forgotten");
}

const ASKED: &str = "SELECT asked FROM sandbox_payout WHERE idempotency_key = :key";

pub async fn asked(test: &TestApp, payout: PayoutId) -> Vec<i64> {
    let key = payout.to_string();
    let body = move |tx: &mut dyn Tx| {
        let rows = tx.query(ASKED, &[("key", Value::from(key.as_str()))])?;
        rows.iter()
            .map(|row| row.int("asked"))
            .collect::<Result<Vec<_>, StoreError>>()
    };
    test.app
        .store
        .read(body)
        .await
        .expect("reads")
        .expect("reads")
}

#[tokio::test]
async fn a_crash_between_sending_and_recording_sends_once() {
    TestApp::both(async |test| {
        let ada = seller(1);
        settle_in(test, ada, "acct_late").await;
        earn(test, "sale", ada, euros(2_500)).await;
        test.clock.advance(1);
        let id = begin(test).await;
        // The balances alone: the payout exists and nobody has asked for it.
        let looked = test.app.transact(&test.system(), Look(id), look).await;
        looked.expect("looks");
        let made = payouts_of(test, ada).await.remove(0);
        assert_eq!(
            (made.state, asked(test, made.id).await),
            (State::Created, vec![])
        );
        // The process asks the provider, hears the answer, and dies before it writes it down.
        let request = PayoutOrder {
            tenant: test.tenant(),
            payout: made.id,
            amount: made.amount,
            destination: made.destination.clone(),
        };
        let gateway = gateways::find(&test.app, "sandbox").expect("the sandbox");
        let first = gateway.pay_out(&test.app, &request).await.expect("is sent");
        test.drain().await;
        let found = payouts_of(test, ada).await.remove(0);
        assert_eq!(found.provider_reference.as_deref(), Some(first.as_str()));
        assert_eq!(asked(test, made.id).await, [2], "asked twice, sent once");
        let server = test.serve().await;
        test.clock.advance(60_000);
        test.drain().await;
        assert_eq!(payouts_of(test, ada).await[0].state, State::Paid);
        server.stop().await;
    })
    .await;
}

/// Looks at the balances and leaves all that follows to the queue.
struct Look(PayoutRunId);

impl Command for Look {
    const NAME: &'static str = "test.look";
    const CAPABILITY: Capability = Capability::Operate;
}

fn look(cx: &mut Cx<'_>, look: &Look) -> Result<(), PayoutError> {
    let job = ConsiderPayload {
        run: look.0.to_string(),
        after: None,
    };
    consider(cx, &job)
}

#[tokio::test]
async fn a_debt_is_made_up_for_by_sales_or_written_off_with_a_reason() {
    TestApp::both(async |test| {
        let (ada, owner) = (seller(1), owner(test));
        settle_in(test, ada, "acct_ok").await;
        let may = async || {
            let tenant = test.tenant();
            let asked = test
                .app
                .store
                .read(move |tx| ledger::may_refund(tx, tenant, ada, Currency::EUR));
            asked.await.expect("reads").expect("answers")
        };
        assert!(may().await);
        earn(test, "refund", ada, euros(-10_000)).await;
        assert!(may().await, "exactly the floor");
        earn(test, "one more", ada, euros(-1)).await;
        assert!(!may().await);
        let debt = |reason: &str| WriteOffDebt {
            seller: ada.to_string(),
            currency: "EUR".to_owned(),
            reason: reason.to_owned(),
        };
        let own = caller(test, ada, Role::Developer);
        let denied = test.app.transact(&own, debt("I am poor"), write_off).await;
        assert!(matches!(denied, Err(PayoutError::Denied(_))));
        let mute = test.app.transact(&owner, debt(" "), write_off).await;
        assert!(matches!(mute, Err(PayoutError::Reason)));
        // A later sale makes up for a part by itself.
        earn(test, "sale", ada, euros(4_001)).await;
        assert_eq!(balance(test, ada).await, (-6_000, 0));
        let written = test
            .app
            .transact(&owner, debt("gone for good"), write_off)
            .await;
        assert_eq!(written.expect("is written off").amount, euros(6_000));
        assert_eq!(balance(test, ada).await, (0, 0));
        let again = test
            .app
            .transact(&owner, debt("once more"), write_off)
            .await;
        assert!(matches!(again, Err(PayoutError::NoDebt)));
    })
    .await;
}

#[tokio::test]
async fn payouts_are_their_seller_s_and_settings_have_limits() {
    TestApp::both(async |test| {
        let server = test.serve().await;
        let (ada, eve) = (seller(1), seller(2));
        settle_in(test, ada, "acct_ok").await;
        earn(test, "sale", ada, euros(2_500)).await;
        let paid = pay(test).await.payouts.remove(0);
        let others = caller(test, eve, Role::Developer);
        let query = PayoutQuery { payout: paid.id };
        let hidden = test.app.read(&others, query, payout).await;
        assert!(matches!(hidden, Err(PayoutError::NotFound)));
        let query = StatementQuery {
            payout: paid.id,
            after: None,
        };
        let hidden = test.app.read(&others, query, statement).await;
        assert!(matches!(hidden, Err(PayoutError::NotFound)));
        let seen = test
            .app
            .read(&owner(test), query, statement)
            .await
            .expect("the owner sees");
        let moved: Vec<_> = seen
            .lines
            .iter()
            .map(|line| (line.movement.kind.as_str(), line.movement.amount.minor()))
            .collect();
        assert_eq!(moved, [("invoice_payment", 2_500), ("payout", -2_500)]);
        let preview = test
            .app
            .read(&others, PreviewQuery { after: None }, preview)
            .await;
        assert!(matches!(preview, Err(PayoutError::Denied(_))));
        let started = test.app.transact(&others, StartRun, start_run).await;
        assert!(matches!(started, Err(PayoutError::Denied(_))));
        let wish = |destination: &str, threshold: i64, currency: &str| SetSettings {
            currency: Currency::parse(currency).expect("a currency"),
            provider: Some("sandbox"),
            destination: destination.to_owned(),
            threshold_minor: Some(threshold),
            paused: false,
        };
        for (destination, threshold, currency, good) in [
            ("acct_ok", 1_000, "EUR", true),
            ("acct_ok", 999, "EUR", false),
            ("acct_ok", 1_000, "JPY", true),
            ("acct_ok", 9_999, "KWD", false),
            ("acct_ok", 10_000, "KWD", true),
            ("acct_ok", i64::MAX, "EUR", false),
            ("DE89 3704", 1_000, "EUR", false),
        ] {
            let wish = wish(destination, threshold, currency);
            let kept = test.app.transact(&others, wish, set_settings).await;
            assert_eq!(kept.is_ok(), good, "{destination} {threshold} {currency}");
        }
        server.stop().await;
    })
    .await;
}

#[tokio::test]
async fn the_audit_sees_a_payout_taken_twice_and_a_statement_that_lost_a_line() {
    const TWICE: &str =
        "UPDATE ledger_transaction SET posting_key = 'lost' WHERE kind = 'payout_paid'";
    const REOPEN: &str = "UPDATE payout SET state = 'sending', paid_at = NULL";
    const FORGET: &str = "UPDATE payout_event SET outcome = NULL";
    const AGAIN: &str = "SELECT payout_event_id FROM payout_event";
    let test = paid_once().await;
    struct Twice;
    impl Command for Twice {
        const NAME: &'static str = "test.twice";
        const CAPABILITY: Capability = Capability::Operate;
    }
    let house = test.system();
    let twice = test.app.transact(&house, Twice, |cx, _| {
        for sql in [TWICE, REOPEN, FORGET] {
            cx.tx.execute(sql, &[])?;
        }
        let row = cx.tx.query_one(AGAIN, &[])?.expect("an event");
        let id = row.id("payout_event_id", mintreu::id::PayoutEventId::from_bytes)?;
        let job = mintreu_server::domains::payouts::SettlePayload {
            payout_event: id.to_string(),
        };
        mintreu_server::domains::payouts::settle_event(cx, &job)
    });
    twice.await.expect("is settled again");
    test.finish_expecting("took 5000 instead of 2500").await;

    let test = paid_once().await;
    const LOSE: &str = "DELETE FROM ledger_closed_entry WHERE ledger_entry_id IN
        (SELECT MIN(ledger_entry_id) FROM ledger_closed_entry)";
    let body = |tx: &mut dyn Tx| Attempt::Commit(tx.execute(LOSE, &[]));
    test.app
        .store
        .write(Vec::new(), body)
        .await
        .expect("runs")
        .expect("loses");
    test.finish_expecting("the statement of pyo_").await;
}

async fn paid_once() -> TestApp {
    let test = TestApp::sqlite().await;
    let server = test.serve().await;
    settle_in(&test, seller(1), "acct_ok").await;
    earn(&test, "sale", seller(1), euros(2_500)).await;
    assert_eq!(pay(&test).await.payouts.len(), 1);
    server.stop().await;
    test
}
