//! The steps: who does what, and what the provider says of it when all has been told.

use super::Stop;
use super::books::{Books, Window, state_of};
use super::dice::Dice;
use super::instalments;
use super::jobs::attempt;
use super::usage::{self, Usage, away};
use crate::affiliates;
use crate::money_back::axum_headers::signed;
use crate::payouts::{owner, settle_in};
use crate::shop::{SELLER, person, shop};
use crate::subscriptions::{BUYER, club};
use crate::taxes::register;
use mintreu::id::{OrderId, OrderLineId, PaymentId, PriceId, SubscriptionId};
use mintreu::{Currency, Money, Timestamp};
use mintreu_server::app::{App, Cx};
use mintreu_server::caller::{Caller, Role};
use mintreu_server::domains::affiliates::Referred;
use mintreu_server::domains::catalog::PriceModel;
use mintreu_server::domains::fulfilment::quote::Basis;
use mintreu_server::domains::fulfilment::{Checkout, Item, Wanted, checkout};
use mintreu_server::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use mintreu_server::domains::orders::{self, Order};
use mintreu_server::domains::payments::{self, Payable, ReceiveEvent};
use mintreu_server::domains::payouts::{self, ReceivePayoutEvent, SetSettings, StartRun};
use mintreu_server::domains::refunds::{
    AskRefund, Reason, RefundError, RefundOrder, RefundSale, refund_order, refund_sale,
};
use mintreu_server::domains::subscriptions::{Act, Action, ChangeMethod, act, change_method};
use mintreu_server::gateways::sandbox::Sandbox;
use mintreu_server::gateways::sandbox::model::Choice;
use mintreu_server::gateways::sandbox::objects::{
    Decide, FollowUp, ObjectState, Raise, RefundHere, decide_dispute, follow_up, raise_dispute,
    refund_here,
};
use mintreu_server::gateways::sandbox::ops::{Choose, OpenSession, choose, open_session};
use mintreu_server::gateways::{Gateway, SessionRequest};
use mintreu_server::store::Value;
use mintreu_server::worker::{self, Table};
use mintreu_tests::TestApp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Orders that steps choose from.
const ALIVE: usize = 10;
/// At least so often, everything is told.
const TELL_ALL: usize = 8;
/// At least so often, everything is looked at.
const LOOK_AT_ALL: usize = 64;
/// Webhooks kept to be told again.
const KEPT: usize = 40;
/// The longest pause of a job that is tried again, and how often everything is let pass it.
const PAUSE_MS: i64 = 90 * 60 * 1000;
const PAUSES: usize = 3;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

const NEW_ORDERS: &str = "SELECT order_id FROM customer_order
    WHERE tenant_id = :tenant AND order_id > :newest ORDER BY order_id";
const SESSION: &str = "SELECT session FROM sandbox_session
    WHERE tenant_id = :tenant AND idempotency_key = :key";
const OBJECTS: &str = "SELECT kind, state, amount_minor FROM sandbox_object
    WHERE tenant_id = :tenant AND session = :session";
const REFUNDS: &str = "SELECT object FROM sandbox_object
    WHERE tenant_id = :tenant AND kind = 'refund' AND state = 'succeeded'
    ORDER BY created_at DESC, object LIMIT 8";
const DISPUTE: &str = "SELECT object FROM sandbox_object
    WHERE tenant_id = :tenant AND session = :session AND kind = 'dispute'";
const SUBSCRIPTIONS: &str = "SELECT subscription_id, status, unit_minor, seats FROM subscription
    WHERE tenant_id = :tenant ORDER BY subscription_id DESC LIMIT 4";
const SUBSCRIBED: &str = "SELECT status FROM subscription
    WHERE tenant_id = :tenant AND order_id = :order
    UNION ALL SELECT s.status FROM subscription_bill b
    JOIN subscription s ON s.tenant_id = b.tenant_id AND s.subscription_id = b.subscription_id
    WHERE b.tenant_id = :tenant AND b.order_id = :order";
const LICENSE: &str = "SELECT revoked_at, revoked_for FROM license
    WHERE tenant_id = :tenant AND source = :source";
const TAKEN: &str = "SELECT (SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)
            FROM sandbox_session WHERE tenant_id = :tenant AND state = 'succeeded') AS paid,
        (SELECT CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT) FROM sandbox_object
            WHERE tenant_id = :tenant AND ((kind = 'refund' AND state = 'succeeded')
                OR (kind = 'dispute' AND state IN ('opened', 'lost')))) AS back,
        (SELECT CAST(COALESCE(SUM(cost_minor), 0) AS BIGINT) FROM line_reversal
            WHERE tenant_id = :tenant) AS costs,
        (SELECT CAST(COALESCE(SUM(cost_minor), 0) AS BIGINT) FROM invoice_reversal
            WHERE tenant_id = :tenant) AS costs_of_usage";
/// Payments of what was paid or called off before: nothing of them is in the books.
const UNWANTED: &str = "SELECT s.session, s.amount_minor FROM payment_event e
    JOIN sandbox_session s
        ON s.tenant_id = e.tenant_id AND s.idempotency_key = e.payment_reference
    WHERE e.tenant_id = :tenant AND e.kind = 'succeeded'
        AND e.outcome IN ('order_not_payable', 'order_paid_before', 'invoice_paid_before')";

/// Which mistake is made on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mistake {
    None,
    /// Each refund rounds each part by itself.
    NaiveRounding,
    /// A refund that fails gives nothing back to the order.
    ForgottenOrder,
    /// A dispute lets the license work on.
    ForgottenLicense,
    /// A payout that was sent counts as failed.
    LostPayout,
    /// An entry says a cent more than was posted.
    FalseEntry,
    /// A renewal that was declined counts as paid.
    RenewedForNothing,
    /// A subscription goes on although a bank has its money.
    ForgottenSubscription,
    /// What a bank takes of an invoice of usage is written twice.
    TakenTwice,
    /// A refund of usage takes the seller's part out of the platform's fee.
    WrongShare,
    /// An invoice of usage that was called off counts as paid.
    PaidForNothing,
    /// An invoice of usage that paid itself stays open.
    ForgottenCharge,
    /// What is paid in three instalments is paid four times.
    OneInstalmentMore,
}

impl Mistake {
    const fn sql(self) -> Option<&'static str> {
        Some(match self {
            Self::None => return None,
            // The platform's fee is 15 % of what isn't tax.
            Self::NaiveRounding => {
                "UPDATE line_reversal SET
                    platform_fee_minor = ((platform_fee_minor + payment_fee_minor + seller_minor)
                        * 1470 + 4900) / 9800,
                    seller_minor = platform_fee_minor + seller_minor - ((platform_fee_minor
                        + payment_fee_minor + seller_minor) * 1470 + 4900) / 9800
                WHERE state = 'taken'"
            }
            Self::ForgottenOrder => {
                "UPDATE customer_order SET state = 'refunded' WHERE state = 'paid'
                    AND EXISTS (SELECT 1 FROM refund
                        WHERE refund.order_id = customer_order.order_id
                        AND refund.state = 'failed')"
            }
            Self::ForgottenLicense => {
                "UPDATE license SET revoked_at = NULL, revoked_for = NULL
                WHERE revoked_for = 'dispute'"
            }
            Self::LostPayout => "UPDATE payout SET state = 'failed' WHERE state = 'paid'",
            Self::FalseEntry => {
                "UPDATE ledger_entry SET amount_minor = amount_minor + 1
                WHERE amount_minor = 4900"
            }
            Self::ForgottenSubscription => {
                "UPDATE subscription SET status = 'active' WHERE disputed IS NOT NULL"
            }
            Self::TakenTwice => {
                "INSERT INTO invoice_reversal SELECT tenant_id, cause || ':again', invoice_id,
                    currency, tax_minor, platform_fee_minor, payment_fee_minor, seller_minor,
                    fee_returned, from_held_minor, cost_minor, state
                FROM invoice_reversal WHERE state = 'taken'"
            }
            Self::WrongShare => {
                "UPDATE invoice_refund SET seller_minor = 0,
                    platform_fee_minor = platform_fee_minor + seller_minor
                WHERE state = 'succeeded'"
            }
            Self::OneInstalmentMore => {
                "UPDATE subscription SET payments_left = 2 WHERE payments_left = 1"
            }
            Self::PaidForNothing => "UPDATE invoice SET state = 'paid' WHERE state = 'void'",
            Self::ForgottenCharge => {
                "UPDATE invoice SET state = 'open' WHERE state = 'paid' AND payment_id IN
                    (SELECT payment_id FROM payment WHERE method_use = 'saved')"
            }
            Self::RenewedForNothing => {
                "UPDATE customer_order SET state = 'paid', paid_at = placed_at
                WHERE state = 'failed'"
            }
        })
    }
}

/// A webhook that left the provider.
#[derive(Debug, Clone)]
pub struct Told {
    pub event: String,
    pub body: String,
    pub heard: bool,
}

/// An order that steps may choose.
#[derive(Debug, Clone)]
struct Sold {
    order: OrderId,
    line: OrderLineId,
    placed_at: Timestamp,
    total: i64,
    /// Whether its license follows nothing but its money.
    once: bool,
}

impl Sold {
    fn payable(&self) -> Payable {
        Payable::new(self.order)
    }
}

/// Who acts; they live as long as the tests.
#[derive(Debug)]
pub struct People {
    pub house: &'static Caller,
    pub guest: &'static Caller,
    seller: &'static Caller,
    buyer: &'static Caller,
    pub owner: &'static Caller,
}

#[derive(Clone)]
pub struct Sim {
    pub dice: Dice,
    pub now: Timestamp,
    pub people: Arc<People>,
    pub table: Arc<Table>,
    pub bag: Vec<Told>,
    pub usage: Usage,
    app: Arc<App>,
    once: PriceId,
    monthly: PriceId,
    /// The same, three times.
    instalments: PriceId,
    /// What the links of somebody who brings every other buyer carry.
    code: String,
    sold: Vec<Sold>,
    newest: OrderId,
    books: Books,
    paid_out: BTreeMap<String, i64>,
    steps: usize,
    mistake: Mistake,
}

fn leak(caller: Caller) -> &'static Caller {
    Box::leak(Box::new(caller))
}

impl Sim {
    pub async fn open(test: &TestApp, seed: u64, mistake: Mistake) -> Self {
        let shop = shop(test).await;
        let club = club(test).await;
        let instalments = instalments::price(test, &club).await;
        settle_in(test, SELLER, "acct_ok").await;
        let code = affiliates::recommended(test).await;
        register(test, true).await;
        let usage = Usage::open(test).await;
        test.drain().await;
        let people = People {
            house: leak(test.system()),
            guest: leak(test.guest()),
            seller: leak(shop.seller),
            buyer: leak(person(test, BUYER, Role::Customer)),
            owner: leak(owner(test)),
        };
        Self {
            dice: Dice::new(seed),
            now: test.app.now(),
            people: Arc::new(people),
            table: Arc::new(worker::table()),
            bag: Vec::new(),
            usage,
            app: test.app.clone(),
            once: shop.price,
            monthly: club.cheap,
            instalments,
            code,
            sold: Vec::new(),
            newest: OrderId::from_bytes([0; 16]),
            books: Books::default(),
            paid_out: BTreeMap::new(),
            steps: 0,
            mistake,
        }
    }

    /// The story as a number.
    pub const fn happened(&self) -> u64 {
        self.books.story
    }

    fn pass(&mut self, cx: &mut Cx<'_>, ms: i64) {
        self.now = self.now.plus_ms(ms);
        cx.now = self.now;
    }

    /// One step, by chance, and a look at what came of it.
    pub fn step(&mut self, cx: &mut Cx<'_>) -> Result<(), Stop> {
        cx.now = self.now;
        self.pass(cx, 7);
        self.steps += 1;
        let what = self.choose(cx)?;
        self.books.remember(what.as_bytes());
        if self.dice.below(2) == 0 {
            self.run_due(cx)?;
        }
        self.track(cx)?;
        self.make_the_mistake(cx)?;
        let mut wrong = self.look(cx)?;
        if wrong.is_empty() && self.steps.is_multiple_of(TELL_ALL) {
            wrong = self.compare(cx)?;
        }
        match wrong.is_empty() {
            true => Ok(()),
            false => {
                let said = |one| format!("step {} ({what}): {one}", self.steps);
                Err(Stop::Wrong(wrong.into_iter().map(said).collect()))
            }
        }
    }

    fn choose(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        use ObjectState::{Inquired, Lost, Opened, Warned, Won};
        if self.sold.is_empty() || self.dice.below(12) == 0 {
            return self.buy(cx);
        }
        let sold = self.dice.pick(&self.sold).clone();
        match self.dice.below(28) {
            0..=3 => self.refund(cx, &sold),
            4 => self.refund_at_provider(cx, (&sold.payable(), sold.total)),
            5 => self.fail_a_refund(cx),
            6 | 7 => {
                let state = *self.dice.pick(&[Warned, Inquired, Opened]);
                self.raise(cx, &sold.payable(), state)
            }
            8 | 9 => {
                let state = *self.dice.pick(&[Opened, Won, Won, Lost]);
                self.decide(cx, &sold.payable(), state)
            }
            10 => self.wait(cx),
            11 | 12 => self.subscriber_acts(cx),
            13 => self.seller_moves_account(cx),
            14 => self.pay_out(cx),
            20.. => self.usage_happens(cx),
            _ => self.tell_some(cx),
        }
    }

    fn buy(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        let often = self.dice.below(3) == 0;
        let quantity = 1 + i64::try_from(self.dice.below(3))?;
        let (price, each, email) = match often {
            true => {
                let price = *self.dice.pick(&[self.monthly, self.instalments]);
                (price, 1_000, None)
            }
            false => (self.once, 4_900, Some("guest@example.org".to_owned())),
        };
        cx.caller = if often {
            self.people.buyer
        } else {
            self.people.guest
        };
        let cart = Checkout {
            wanted: Wanted {
                items: vec![Item::new(price, quantity)],
                referred: Referred {
                    clicks: Vec::new(),
                    code: self.steps.is_multiple_of(2).then(|| self.code.clone()),
                },
                ..Wanted::default()
            },
            seen: Money::new(each * quantity, Currency::EUR),
            email,
            network: None,
            provider: "sandbox".to_owned(),
            basis: Basis {
                traffic: Traffic::Unknown,
                fees: FeePolicy::default(),
                tariff: PaymentTariff::default(),
            },
        };
        let placed = attempt(cx, |cx| checkout(cx, &cart))??;
        let payment = PaymentId::parse(&placed.payment.unwrap_or_default())?;
        let open = OpenSession {
            request: SessionRequest {
                keep: true,
                strong: false,
                tenant: cx.caller.tenant,
                payment,
                amount: cart.seen,
                description: String::new(),
                return_url: String::new(),
            },
        };
        let session = attempt(cx, |cx| open_session(cx, &open))??;
        let pay = Choose {
            session,
            choice: Choice::Succeed,
            country: None,
        };
        attempt(cx, |cx| choose(cx, &pay))??;
        // Often the shop hears of the payment at once, and sometimes after what becomes of its money.
        self.run_due(cx)?;
        if self.dice.below(4) > 0 {
            let of_page = |told: &Told| told.body.contains(&pay.session);
            if let Some(at) = self.bag.iter().rposition(of_page) {
                self.hear(cx, at)?;
            }
            self.run_due(cx)?;
        }
        Ok(if often { "subscribes" } else { "buys" })
    }

    /// New orders, those too that a subscription placed.
    fn track(&mut self, cx: &mut Cx<'_>) -> Result<(), Stop> {
        let tenant = cx.caller.tenant;
        let params = [
            ("tenant", tenant.as_bytes().into()),
            ("newest", self.newest.as_bytes().into()),
        ];
        for row in cx.tx.query(NEW_ORDERS, &params)? {
            let id = row.id("order_id", OrderId::from_bytes)?;
            let order = orders::find(cx.tx, tenant, id)?;
            let order = order.ok_or_else(|| Stop::Wrong(vec![format!("no order {id}")]))?;
            self.newest = id;
            self.sold.extend(order.lines.first().map(|line| Sold {
                order: id,
                line: line.id,
                placed_at: order.placed_at,
                total: order.total.minor(),
                once: line.model == PriceModel::OneTime,
            }));
        }
        self.track_invoices(cx)
    }

    /// The page that what is paid was paid on.
    pub fn session(&self, cx: &mut Cx<'_>, payable: &Payable) -> Result<Option<String>, Stop> {
        let tenant = cx.caller.tenant;
        let payment = payments::paid_by(cx.tx, tenant, payable)?;
        let payment = match payment {
            Some(payment) => Some(payment),
            None => payments::latest(cx.tx, tenant, payable)?,
        };
        let Some(payment) = payment else {
            return Ok(None);
        };
        let params = [
            ("tenant", tenant.as_bytes().into()),
            ("key", payment.id.to_string().into()),
        ];
        let row = cx.tx.query_one(SESSION, &params)?;
        Ok(row.map(|row| row.text("session")).transpose()?)
    }

    pub fn amount(&mut self, total: i64) -> Result<Option<i64>, Stop> {
        let most = usize::try_from(total)?;
        let minor = match self.dice.below(4) {
            0 => return Ok(None),
            1 => 1 + self.dice.below(9),
            2 => 1 + self.dice.below((most / 3).max(1)),
            _ => 1 + self.dice.below(most),
        };
        Ok(Some(i64::try_from(minor)?))
    }

    fn refund(&mut self, cx: &mut Cx<'_>, sold: &Sold) -> Result<&'static str, Stop> {
        let by_platform = self.dice.below(3) == 0;
        let wish = AskRefund {
            order: sold.order,
            line: None,
            amount_minor: self.amount(sold.total)?,
            reason: *self
                .dice
                .pick(&[Reason::RequestedByCustomer, Reason::Fraud]),
            note: String::new(),
            keeps_license: false,
            ends_subscription: false,
            seen_left_minor: None,
        };
        let asked = if by_platform {
            cx.caller = self.people.owner;
            attempt(cx, |cx| refund_order(cx, &RefundOrder(wish)))?
        } else {
            cx.caller = self.people.seller;
            attempt(cx, |cx| refund_sale(cx, &RefundSale(wish)))?
        };
        match asked {
            Ok(_) => Ok("refunds"),
            Err(
                RefundError::NotPaid(_)
                | RefundError::Disputed
                | RefundError::OutOfRange { .. }
                | RefundError::NeedsPlatform
                | RefundError::TooMany,
            ) => Ok("would refund"),
            Err(error) => Err(error.into()),
        }
    }

    pub fn refund_at_provider(
        &mut self,
        cx: &mut Cx<'_>,
        (payable, total): (&Payable, i64),
    ) -> Result<&'static str, Stop> {
        let amount_minor = self.amount(total)?;
        if let Some(session) = self.session(cx, payable)? {
            let here = RefundHere {
                session,
                amount_minor,
            };
            // The provider refuses what it can't do.
            let _ = attempt(cx, |cx| refund_here(cx, &here))?;
        }
        Ok("refunds at the provider")
    }

    fn fail_a_refund(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        let tenant = [("tenant", cx.caller.tenant.as_bytes().into())];
        let refunds = cx.tx.query(REFUNDS, &tenant)?;
        if !refunds.is_empty() {
            let follow = FollowUp {
                object: self.dice.pick(&refunds).text("object")?,
                to: ObjectState::Failed,
                failure_code: Some("account_closed".to_owned()),
            };
            attempt(cx, |cx| follow_up(cx, &follow))??;
        }
        Ok("a refund comes back")
    }

    pub fn raise(
        &mut self,
        cx: &mut Cx<'_>,
        payable: &Payable,
        state: ObjectState,
    ) -> Result<&'static str, Stop> {
        if let Some(session) = self.session(cx, payable)? {
            let raise = Raise { session, state };
            let _ = attempt(cx, |cx| raise_dispute(cx, &raise))?;
        }
        Ok("a bank asks")
    }

    pub fn decide(
        &mut self,
        cx: &mut Cx<'_>,
        payable: &Payable,
        state: ObjectState,
    ) -> Result<&'static str, Stop> {
        let Some(session) = self.session(cx, payable)? else {
            return Ok("a bank thinks");
        };
        let params = [
            ("tenant", cx.caller.tenant.as_bytes().into()),
            ("session", session.into()),
        ];
        if let Some(row) = cx.tx.query_one(DISPUTE, &params)? {
            let object = row.text("object")?;
            let _ = attempt(cx, |cx| decide_dispute(cx, &Decide { object, state }))?;
        }
        Ok("a bank decides")
    }

    /// Time passes: sometimes enough for a release or a renewal, and nobody is told anything.
    fn wait(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        let days = *self.dice.pick(&[0_i64, 0, 1, 4, 8, 31]);
        self.pass(cx, 1_000 + days * DAY_MS);
        self.run_due(cx)?;
        Ok("time passes")
    }

    fn subscriber_acts(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        let tenant = [("tenant", cx.caller.tenant.as_bytes().into())];
        let all = cx.tx.query(SUBSCRIPTIONS, &tenant)?;
        if all.is_empty() {
            return Ok("nobody subscribed");
        }
        let row = self.dice.pick(&all).clone();
        let subscription = row.id("subscription_id", SubscriptionId::from_bytes)?;
        cx.caller = self.people.buyer;
        if self.dice.below(2) == 0 {
            let methods = [
                "sbm_pays",
                "sbm_pays",
                "sbm_insufficient_funds",
                "sbm_lost_card",
            ];
            let change = ChangeMethod {
                subscription,
                provider: "sandbox".to_owned(),
                method: (*self.dice.pick(&methods)).to_owned(),
            };
            let _ = attempt(cx, |cx| change_method(cx, &change))?;
            return Ok("another method");
        }
        let actions = [
            Action::Cancel,
            Action::Uncancel,
            Action::Uncancel,
            Action::Pause,
            Action::Unpause,
            Action::Resume,
            Action::Resubscribe,
            Action::Resubscribe,
            Action::CancelNow,
        ];
        let amount = row.int("unit_minor")? * row.int("seats")?;
        let does = Act {
            subscription,
            action: *self.dice.pick(&actions),
            seen: Some(Money::new(amount, Currency::EUR)),
        };
        let _ = attempt(cx, |cx| act(cx, &does))?;
        Ok("a subscriber acts")
    }

    fn seller_moves_account(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        let accounts = [
            "acct_ok",
            "acct_repeats",
            "acct_late",
            "acct_closed",
            "acct_refused",
            "acct_returns",
            "acct_reversed",
        ];
        cx.caller = self.people.seller;
        let settings = SetSettings {
            currency: Currency::EUR,
            provider: Some("sandbox"),
            destination: (*self.dice.pick(&accounts)).to_owned(),
            threshold_minor: None,
            paused: false,
        };
        attempt(cx, |cx| payouts::set_settings(cx, &settings))??;
        Ok("another account")
    }

    fn pay_out(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        cx.caller = self.people.owner;
        attempt(cx, |cx| payouts::start_run(cx, &StartRun))??;
        Ok("a run of payouts")
    }

    /// Some of the newest webhooks arrive, in any order, some twice.
    fn tell_some(&mut self, cx: &mut Cx<'_>) -> Result<&'static str, Stop> {
        for _ in 0..3 {
            let fresh = self.bag.len().min(6);
            if fresh > 0 {
                let back = 1 + self.dice.below(fresh);
                self.hear(cx, self.bag.len() - back)?;
            }
        }
        self.run_due(cx)?;
        Ok("webhooks arrive")
    }

    /// One webhook arrives.
    fn hear(&mut self, cx: &mut Cx<'_>, at: usize) -> Result<(), Stop> {
        let Some(told) = self.bag.get_mut(at) else {
            return Ok(());
        };
        told.heard = true;
        cx.caller = self.people.house;
        let (headers, body) = (signed(&self.app, &told.body), told.body.as_bytes());
        if told.event.starts_with("spe_") {
            let event = Sandbox.verify_payout_webhook(&self.app, &headers, body);
            let event = event?;
            let sign = match told.body.contains("\"payout.failed\"") {
                true => 0,
                false if told.body.contains("\"payout.paid\"") => event.amount.minor(),
                false => -event.amount.minor(),
            };
            self.paid_out.insert(told.event.clone(), sign);
            let receive = ReceivePayoutEvent {
                provider: "sandbox",
                event,
            };
            attempt(cx, |cx| payouts::receive_event(cx, &receive))??;
            return Ok(());
        }
        let receive = ReceiveEvent {
            provider: "sandbox",
            event: Sandbox.verify_webhook(&self.app, &headers, body)?,
        };
        attempt(cx, |cx| payments::receive_event(cx, &receive))??;
        Ok(())
    }

    /// Every webhook arrives, the newest first, and everything that waits is done; what happens at
    /// the provider meanwhile is told as well.
    fn tell_all(&mut self, cx: &mut Cx<'_>) -> Result<(), Stop> {
        // What was looked at has its instant; what comes now has a later one.
        self.pass(cx, 1);
        loop {
            for at in (0..self.bag.len()).rev() {
                if !self.bag[at].heard {
                    self.hear(cx, at)?;
                }
            }
            // What came before what explains it is tried again, later and later.
            for _ in 0..PAUSES {
                self.run_due(cx)?;
                self.pass(cx, PAUSE_MS);
            }
            self.run_due(cx)?;
            // A process that died in the very last round left something to do again.
            let told = self.bag.iter().all(|told| told.heard);
            if told && self.nothing_waits_again(cx)? {
                break;
            }
        }
        let old = self.bag.len().saturating_sub(KEPT);
        self.bag.drain(..old);
        Ok(())
    }

    fn make_the_mistake(&self, cx: &mut Cx<'_>) -> Result<(), Stop> {
        if let Some(sql) = self.mistake.sql() {
            cx.tx.execute(sql, &[])?;
        }
        Ok(())
    }

    fn look(&mut self, cx: &mut Cx<'_>) -> Result<Vec<String>, Stop> {
        let Some(oldest) = self.sold.first() else {
            return Ok(Vec::new());
        };
        let window = Window {
            tenant: cx.caller.tenant,
            sellers: [SELLER, usage::SELLER],
            oldest: oldest.order,
            since: oldest.placed_at,
        };
        let mut wrong = self.books.look(cx, &window)?;
        wrong.extend(self.usage.look(cx)?);
        Ok(wrong)
    }

    /// What the provider says, when everything has been told.
    fn compare(&mut self, cx: &mut Cx<'_>) -> Result<Vec<String>, Stop> {
        self.tell_all(cx)?;
        self.track(cx)?;
        self.make_the_mistake(cx)?;
        let mut wrong = self.look(cx)?;
        for sold in self.sold.clone() {
            self.compare_order(cx, &sold, &mut wrong)?;
        }
        self.compare_usage(cx, &mut wrong)?;
        self.compare_money(cx, &mut wrong)?;
        instalments::look(cx, &mut wrong)?;
        if self.mistake != Mistake::None || self.steps.is_multiple_of(LOOK_AT_ALL) {
            wrong.extend(self.books.look_at_all(cx)?);
        }
        let old = self.sold.len().saturating_sub(ALIVE);
        self.sold.drain(..old);
        Ok(wrong)
    }

    fn compare_order(
        &self,
        cx: &mut Cx<'_>,
        sold: &Sold,
        wrong: &mut Vec<String>,
    ) -> Result<(), Stop> {
        let tenant = cx.caller.tenant;
        let order = orders::find(cx.tx, tenant, sold.order)?;
        let Some(order) = order.filter(|order: &Order| order.paid_at.is_some()) else {
            // A bill that was declined, or called off.
            return Ok(());
        };
        let session = self.session(cx, &sold.payable())?.unwrap_or_default();
        let (refunded, taken) = back(cx, &session)?;
        let state = state_of(refunded, sold.total);
        if order.state.code() != state {
            let found = order.state.code();
            wrong.push(format!("{} is {found}, not {state}", sold.order));
        }
        if !sold.once {
            return of_subscription(cx, sold.order, taken, wrong);
        }
        let license = match taken {
            Some(lost) => Some(if lost { "chargeback" } else { "dispute" }),
            None => (refunded == sold.total).then_some("refund"),
        };
        let found = license_of(cx, sold.line)?;
        if found.as_deref() != license {
            let order = sold.order;
            wrong.push(format!("{order}: license {found:?}, not {license:?}"));
        }
        Ok(())
    }

    fn compare_money(&self, cx: &mut Cx<'_>, wrong: &mut Vec<String>) -> Result<(), Stop> {
        let tenant = [("tenant", cx.caller.tenant.as_bytes().into())];
        let sums = cx.tx.query_one(TAKEN, &tenant)?;
        let sums = sums.ok_or_else(|| Stop::Wrong(vec!["no sums".to_owned()]))?;
        let out: i64 = self.paid_out.values().sum();
        let mut unwanted = 0;
        for row in cx.tx.query(UNWANTED, &tenant)? {
            unwanted += row.int("amount_minor")? - away(cx, &row.text("session")?)?;
        }
        let costs = sums.int("costs")? + sums.int("costs_of_usage")?;
        // What the provider took of each payment beside its tariff.
        let more = self.books.of_kind("processing_variance");
        let there = sums.int("paid")? - sums.int("back")? - costs - more - unwanted - out;
        let books = self.books.of_kind("psp_clearing");
        if books != there {
            wrong.push(format!(
                "the books have {books} at the provider, which has {there}"
            ));
        }
        Ok(())
    }
}

/// What was refunded of a payment, and whether a bank has the rest, for good or not.
fn back(cx: &mut Cx<'_>, session: &str) -> Result<(i64, Option<bool>), Stop> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("session", session.into()),
    ];
    let (mut refunded, mut taken) = (0, None);
    for row in cx.tx.query(OBJECTS, &params)? {
        let amount = row.int("amount_minor")?;
        match (row.text("kind")?.as_str(), row.text("state")?.as_str()) {
            ("refund", "succeeded") => refunded += amount,
            ("dispute", "opened") => taken = Some(false),
            ("dispute", "lost") => taken = Some(true),
            _ => {}
        }
    }
    Ok((refunded, taken))
}

/// A subscription isn't charged while a bank has money of it, and is over when the bank keeps it.
fn of_subscription(
    cx: &mut Cx<'_>,
    order: OrderId,
    taken: Option<bool>,
    wrong: &mut Vec<String>,
) -> Result<(), Stop> {
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    for row in cx.tx.query(SUBSCRIBED, &params)? {
        let status = row.text("status")?;
        let sound = match taken {
            None => true,
            Some(false) => !matches!(status.as_str(), "active" | "past_due"),
            Some(true) => status == "canceled",
        };
        if !sound {
            wrong.push(format!("{order}: a bank has it, and it is {status}"));
        }
    }
    Ok(())
}

/// Why a license doesn't work; nothing when it does.
fn license_of(cx: &mut Cx<'_>, line: OrderLineId) -> Result<Option<String>, Stop> {
    let params = [
        ("tenant", Value::from(cx.caller.tenant.as_bytes())),
        ("source", line.to_string().into()),
    ];
    let row = cx.tx.query_one(LICENSE, &params)?;
    let row = row.ok_or_else(|| Stop::Wrong(vec![format!("no license of {line}")]))?;
    let cause = row.opt_text("revoked_for")?;
    let revoked = row.opt_at("revoked_at")?;
    Ok(revoked.map(|_| cause.unwrap_or_else(|| "seller".to_owned())))
}
