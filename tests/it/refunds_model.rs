//! Payments, refunds and disputes in random order, with webhooks that are late, doubled and
//! shuffled and transactions that are rolled back before they are repeated.
//!
//! After every step the books are held against the rules. When everything has been told, the shop
//! is held against the provider, which knows nothing of the shop: what the provider says went back
//! is what the order, the license and the money at the provider must say.
//!
//! `MINTREU_TEST_REFUND_SEEDS` says how many seeds run; each is two hundred steps.

use crate::money_back::{Desk, Paid};
use mintreu_server::app::{Command, Cx};
use mintreu_server::caller::Capability;
use mintreu_server::domains::fulfilment::{FulfilmentError, settle_payment};
use mintreu_server::domains::payments::SettlePayload;
use mintreu_server::domains::refunds::RefundError;
use mintreu_server::gateways::sandbox::objects::ObjectState;
use mintreu_server::store::{Engine, Row};
use mintreu_tests::{TestApp, audit_commerce};
use std::collections::BTreeMap;

/// Steps of one seed.
const STEPS: usize = 200;
/// Orders of one seed.
const ORDERS: usize = 10;
/// At least so often, everything is told.
const TELL_ALL: usize = 8;

/// xorshift64*: enough to choose steps, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).expect("31 bits") % most
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Settles an event, and takes it back: a crash right before the commit.
struct CrashAfterSettling(String);

impl Command for CrashAfterSettling {
    const NAME: &'static str = "test.crash";
    const CAPABILITY: Capability = Capability::Operate;
}

fn crash(cx: &mut Cx<'_>, cmd: &CrashAfterSettling) -> Result<(), FulfilmentError> {
    let job = SettlePayload {
        payment_event: cmd.0.clone(),
    };
    settle_payment(cx, &job)?;
    Err(FulfilmentError::ProviderUnknown("a crash".to_owned()))
}

/// Which mistake is made on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mistake {
    None,
    /// Each refund rounds each part by itself.
    NaiveRounding,
    /// A refund that fails gives nothing back to the order.
    ForgottenOrder,
}

struct Run<'a> {
    desk: Desk<'a>,
    dice: Dice,
    paid: Vec<Paid>,
    mistake: Mistake,
}

impl Run<'_> {
    /// One step, by chance.
    async fn step(&mut self) {
        self.desk.test.clock.advance(7);
        if self.paid.is_empty() || (self.paid.len() < ORDERS && self.dice.below(8) == 0) {
            let quantity = 1 + i64::try_from(self.dice.below(3)).expect("small");
            self.paid.push(self.desk.buy(quantity).await);
            return;
        }
        let paid = self.dice.pick(&self.paid).clone();
        match self.dice.below(12) {
            0..=2 => self.refund(&paid).await,
            3 => {
                let amount = self.amount(&paid);
                self.desk.refund_here(&paid, amount).await;
            }
            4 => self.fail_a_refund().await,
            5 => {
                use ObjectState::{Inquired, Opened, Warned};
                let state = *self.dice.pick(&[Warned, Inquired, Opened]);
                self.desk.raise(&paid, state).await;
            }
            6 | 7 => {
                use ObjectState::{Lost, Opened, Won};
                let state = *self.dice.pick(&[Opened, Won, Won, Lost]);
                self.desk.decide(&paid, state).await;
            }
            8 => self.wait().await,
            9 => self.crash().await,
            _ => self.tell_some().await,
        }
    }

    fn amount(&mut self, paid: &Paid) -> Option<i64> {
        let most = usize::try_from(paid.total).expect("an amount");
        let minor = match self.dice.below(4) {
            0 => return None,
            1 => 1 + self.dice.below(9),
            2 => 1 + self.dice.below(most / 3),
            _ => 1 + self.dice.below(most),
        };
        i64::try_from(minor).ok()
    }

    async fn refund(&mut self, paid: &Paid) {
        let amount = self.amount(paid);
        match self.desk.refund(Desk::wish(paid, amount)).await {
            Ok(_)
            | Err(
                RefundError::NotPaid(_)
                | RefundError::Disputed
                | RefundError::OutOfRange { .. }
                | RefundError::NeedsPlatform
                | RefundError::TooMany,
            ) => {}
            Err(error) => panic!("{error}"),
        }
        if self.dice.below(2) == 0 {
            self.desk.test.drain().await;
        }
    }

    async fn fail_a_refund(&mut self) {
        let refunds = self
            .desk
            .rows(
                "SELECT object FROM sandbox_object WHERE kind = 'refund' AND state = 'succeeded'
                ORDER BY object",
            )
            .await;
        if !refunds.is_empty() {
            let object = self.dice.pick(&refunds).text("object").expect("a name");
            self.desk.fail_refund(object).await;
        }
    }

    /// Time passes: sometimes enough for a release.
    async fn wait(&mut self) {
        const DAY_MS: u32 = 24 * 60 * 60 * 1000;
        let days = *self.dice.pick(&[0_u32, 0, 1, 4, 8]);
        self.desk.test.clock.advance(1_000 + days * DAY_MS);
        self.tell_all().await;
    }

    /// Some of the newest webhooks arrive, in any order, some twice.
    async fn tell_some(&mut self) {
        let events = self.desk.events().await;
        let fresh = events.len().saturating_sub(6);
        for _ in 0..3 {
            let (_, body) = self.dice.pick(&events[fresh..]).clone();
            self.desk.hand_over(&body).await;
        }
        self.desk.test.drain().await;
    }

    /// An event is settled, and the commit fails; the job does it again later.
    async fn crash(&mut self) {
        let events = self.desk.events().await;
        let (_, body) = self.dice.pick(&events).clone();
        self.desk.hand_over(&body).await;
        let waiting = self
            .desk
            .rows("SELECT payment_event_id FROM payment_event WHERE outcome IS NULL")
            .await;
        for row in waiting {
            let id = row.id("payment_event_id", mintreu::id::PaymentEventId::from_bytes);
            let command = CrashAfterSettling(id.expect("an id").to_string());
            let (app, house) = (&self.desk.test.app, self.desk.test.system());
            let done = app.transact(&house, command, crash).await;
            assert!(done.is_err(), "a crash leaves nothing");
        }
        self.desk.test.drain().await;
    }

    /// Every webhook arrives, the newest first, and everything that waits is done; what happens at
    /// the provider meanwhile is told as well.
    async fn tell_all(&mut self) {
        let mut known = 0;
        while self.desk.events().await.len() > known {
            known = self.desk.events().await.len();
            self.desk.hand_over_all().await;
            // What came before what explains it is tried again, later and later.
            for _ in 0..6 {
                self.desk.test.clock.advance(60 * 60 * 1000);
                self.desk.test.drain().await;
            }
        }
    }

    async fn make_the_mistake(&self) {
        let sql = match self.mistake {
            Mistake::None => return,
            Mistake::NaiveRounding => NAIVE,
            Mistake::ForgottenOrder => FORGOTTEN,
        };
        let write = move |tx: &mut dyn mintreu_server::store::Tx| match tx.execute(sql, &[]) {
            Ok(_) => mintreu_server::store::Attempt::Commit(Ok(())),
            Err(error) => mintreu_server::store::Attempt::Rollback(Err(error)),
        };
        let done = self.desk.test.app.store.write(Vec::new(), write).await;
        done.expect("writes").expect("writes");
    }

    /// What the rules say, at any time.
    async fn complaints(&self) -> Vec<String> {
        let look = |tx: &mut dyn mintreu_server::store::Tx| {
            let mut complaints = Vec::new();
            audit_commerce::look(tx, &mut complaints).map(|()| complaints)
        };
        let found = self.desk.test.app.store.read(look).await;
        found.expect("reads").expect("audits")
    }

    /// What the provider says, when everything has been told.
    async fn compare(&mut self) -> Vec<String> {
        self.tell_all().await;
        self.make_the_mistake().await;
        let mut wrong = self.complaints().await;
        let back = self.money_back().await;
        let mut at_provider = 0;
        for paid in &self.paid {
            let (refunded, taken) = back.get(&paid.session).copied().unwrap_or_default();
            at_provider += paid.total - refunded - taken.map_or(0, |(amount, _)| amount);
            let state = match refunded {
                0 => "paid",
                all if all == paid.total => "refunded",
                _ => "partially_refunded",
            };
            let found = self.desk.state(paid).await;
            if found != state {
                wrong.push(format!("{} is {found}, not {state}", paid.order));
            }
            let license = match taken {
                Some((_, lost)) => Some(if lost { "chargeback" } else { "dispute" }),
                None => (refunded == paid.total).then_some("refund"),
            };
            let found = self.desk.license(paid).await;
            if found.as_deref() != license {
                wrong.push(format!(
                    "{}: license {found:?}, not {license:?}",
                    paid.order
                ));
            }
        }
        let (books, costs) = self.books().await;
        if books != at_provider - costs {
            wrong.push(format!(
                "the books have {books} at the provider, which has {at_provider} less {costs}"
            ));
        }
        wrong
    }

    /// By payment page: what was refunded, and what a bank has, lost for good or not.
    async fn money_back(&self) -> BTreeMap<String, (i64, Option<(i64, bool)>)> {
        let mut back = BTreeMap::<String, (i64, Option<(i64, bool)>)>::new();
        let text = |row: &Row, column: &str| row.text(column).expect("a text");
        for row in self
            .desk
            .rows("SELECT kind, session, state, amount_minor FROM sandbox_object")
            .await
        {
            let amount = row.int("amount_minor").expect("an amount");
            let of = back.entry(text(&row, "session")).or_default();
            match (text(&row, "kind").as_str(), text(&row, "state").as_str()) {
                ("refund", "succeeded") => of.0 += amount,
                ("dispute", "opened") => of.1 = Some((amount, false)),
                ("dispute", "lost") => of.1 = Some((amount, true)),
                _ => {}
            }
        }
        back
    }

    /// What the books have at the provider, and what disputes cost.
    async fn books(&self) -> (i64, i64) {
        let clearing = self
            .desk
            .rows(
                "SELECT CAST(COALESCE(SUM(e.amount_minor), 0) AS BIGINT) AS amount_minor
                FROM ledger_entry e JOIN ledger_account a ON a.tenant_id = e.tenant_id
                    AND a.ledger_account_id = e.ledger_account_id
                WHERE a.kind = 'psp_clearing'",
            )
            .await;
        let costs = self
            .desk
            .rows(
                "SELECT CAST(COALESCE(SUM(cost_minor), 0) AS BIGINT) AS amount_minor
                FROM line_reversal",
            )
            .await;
        let sum = |rows: &[Row]| rows[0].int("amount_minor").expect("a sum");
        (sum(&clearing), sum(&costs))
    }
}

/// Platform fee 7.35 and payment fee 1.72 of 49.00, rounded in each refund by itself.
const NAIVE: &str = "UPDATE line_reversal SET
    platform_fee_minor = ((platform_fee_minor + payment_fee_minor + seller_minor) * 1470 + 4900)
        / 9800,
    seller_minor = platform_fee_minor + seller_minor
        - ((platform_fee_minor + payment_fee_minor + seller_minor) * 1470 + 4900) / 9800
    WHERE state = 'taken'";
const FORGOTTEN: &str = "UPDATE customer_order SET state = 'refunded' WHERE state = 'paid'
    AND EXISTS (SELECT 1 FROM refund WHERE refund.order_id = customer_order.order_id
        AND refund.state = 'failed')";

/// Runs one seed and answers the first complaint.
async fn run(test: &TestApp, seed: u64, steps: usize, mistake: Mistake) -> Option<String> {
    let mut run = Run {
        desk: Desk::open(test).await,
        dice: Dice::new(seed),
        paid: Vec::new(),
        mistake,
    };
    for step in 0..steps {
        run.step().await;
        run.make_the_mistake().await;
        let mut wrong = run.complaints().await;
        if wrong.is_empty() && step % TELL_ALL == TELL_ALL - 1 {
            wrong = run.compare().await;
        }
        if let Some(first) = wrong.first() {
            return Some(format!("seed {seed}, step {step}: {first}"));
        }
    }
    let wrong = run.compare().await;
    wrong.first().map(|first| format!("seed {seed}: {first}"))
}

fn seeds() -> u64 {
    let wanted = std::env::var("MINTREU_TEST_REFUND_SEEDS").ok();
    wanted.and_then(|text| text.parse().ok()).unwrap_or(5)
}

#[tokio::test]
async fn any_order_of_events_leaves_the_books_as_the_provider_has_them() {
    for seed in 1..=seeds() {
        let test = TestApp::sqlite().await;
        let wrong = run(&test, seed, STEPS, Mistake::None).await;
        assert_eq!(wrong, None);
        test.finish().await;
    }
    if let Some(test) = TestApp::postgres().await {
        assert_eq!(test.engine(), Engine::Postgres);
        assert_eq!(run(&test, 1, STEPS / 4, Mistake::None).await, None);
        test.finish().await;
    }
}

#[tokio::test]
async fn mistakes_made_on_purpose_are_found() {
    for (mistake, complaint) in [
        (Mistake::NaiveRounding, "gave back more than it got"),
        (Mistake::ForgottenOrder, "is refunded"),
    ] {
        let mut found = None;
        for seed in 1..=6 {
            let test = TestApp::sqlite().await;
            found = run(&test, seed, STEPS, mistake).await;
            test.finish_whatever().await;
            // What a mistake leads to may be noticed before the mistake itself.
            if found
                .as_ref()
                .is_some_and(|found| found.contains(complaint))
            {
                break;
            }
        }
        let found = found.expect("the mistake is found");
        assert!(found.contains(complaint), "{mistake:?}: {found}");
    }
}
