//! Use cases of wishes: a buyer asks, takes back, asks the platform; a seller or the platform answers.

use super::asking::{Answerer, MAX_WISHES, MAX_WORDS, Wish, WishError, WishState};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::domains::orders;
use crate::domains::refunds::{self, AskRefund, Reason, RefundOrder, RefundSale};
use crate::events::Event;
use crate::queue::JobError;
use crate::store::{StoreError, Tx};
use mintreu::Money;
use mintreu::id::{AccountId, OrderId, OrderLineId, RefundId, RefundWishId, TenantId};
use serde::{Deserialize, Serialize};

/// The job that asks the platform when a seller doesn't answer.
pub const ESCALATE_JOB: &str = "wishes.escalate";
/// The fact of a wish that begins.
pub const OPENED_FACT: &str = "refund_wish.opened";
/// The fact of a wish that is fulfilled, here or otherwise.
pub const GRANTED_FACT: &str = "refund_wish.granted";
/// The fact of a no.
pub const DECLINED_FACT: &str = "refund_wish.declined";
/// The fact of a wish that the platform is asked about.
pub const ESCALATED_FACT: &str = "refund_wish.escalated";
/// The fact of a wish that its buyer gives up.
pub const TAKEN_BACK_FACT: &str = "refund_wish.taken_back";

/// A buyer's order, and what opens it.
#[derive(Clone)]
pub struct OwnOrder {
    /// Which.
    pub order: OrderId,
    /// A guest's token.
    pub token: Option<String>,
}

/// A buyer asks the seller of a line for money back.
#[derive(Clone)]
pub struct OpenWish {
    /// Of which order.
    pub of: OwnOrder,
    /// Of which line.
    pub line: OrderLineId,
    /// Why: none that a fraud or a withdrawal has.
    pub reason: Reason,
    /// In the buyer's words, at most [`MAX_WORDS`] characters; may be empty.
    pub words: String,
    /// How much in minor units; all that is left when absent.
    pub amount_minor: Option<i64>,
}

/// What a buyer does with a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Wishes no more.
    TakeBack,
    /// Asks the platform after a seller's no.
    AskPlatform,
}

/// A buyer goes on with a wish.
#[derive(Clone)]
pub struct GoOn {
    /// Of which order.
    pub of: OwnOrder,
    /// Which wish.
    pub wish: RefundWishId,
    /// What to do.
    pub step: Step,
}

/// What is answered.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Which wish.
    pub wish: RefundWishId,
    /// Whether it is granted.
    pub grant: bool,
    /// How much in minor units, when it isn't all that was wished for.
    pub amount_minor: Option<i64>,
    /// For the buyer; a no needs some.
    pub words: String,
}

/// The seller of a line answers.
#[derive(Debug, Clone)]
pub struct AnswerWish(pub Verdict);

/// The platform answers what it is asked.
#[derive(Debug, Clone)]
pub struct AnswerEscalated(pub Verdict);

macro_rules! command {
    ($command:ty, $name:literal, $capability:ident, $of:expr) => {
        impl Command for $command {
            const NAME: &'static str = $name;
            const CAPABILITY: Capability = Capability::$capability;

            fn subject(&self) -> Option<String> {
                let of: fn(&$command) -> String = $of;
                Some(of(self))
            }
        }
    };
}

command!(OpenWish, "wishes.open", Browse, |cmd| cmd
    .of
    .order
    .to_string());
command!(GoOn, "wishes.go_on", Browse, |cmd| cmd.wish.to_string());
command!(AnswerWish, "wishes.answer", Sell, |cmd| cmd
    .0
    .wish
    .to_string());
command!(
    AnswerEscalated,
    "wishes.answer_escalated",
    Administer,
    |cmd| cmd.0.wish.to_string()
);

/// The payload of [`ESCALATE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EscalatePayload {
    /// The wish's id.
    pub wish: String,
}

/// Asks the seller; answers the wish's id.
pub fn open_wish(cx: &mut Cx<'_>, cmd: &OpenWish) -> Result<String, WishError> {
    let tenant = cx.caller.tenant;
    let order = orders::seen_by(cx, cmd.of.order, cmd.of.token.as_deref())?;
    let mut lines = order.lines.iter();
    let line = lines
        .find(|line| line.id == cmd.line)
        .ok_or(WishError::NotFound)?;
    if matches!(cmd.reason, Reason::Fraud | Reason::Withdrawal) {
        return Err(WishError::Reason);
    }
    let mut before = sql::wishes_of_order(cx.tx, tenant, order.id)?;
    before.retain(|one| one.line == line.id);
    if before.iter().any(|one| one.state.waits()) {
        return Err(WishError::Waiting);
    }
    if before.len() >= MAX_WISHES {
        return Err(WishError::Often);
    }
    let left = refunds::refundable(cx.tx, tenant, (&order, line.id))?;
    let wish = Wish {
        id: cx.make_id(RefundWishId::from_bytes),
        order: order.id,
        line: line.id,
        seller: line.seller,
        title: line.title.clone(),
        state: WishState::Open,
        reason: cmd.reason,
        words: words(&cmd.words)?,
        amount: within(cmd.amount_minor.unwrap_or_else(|| left.minor()), left)?,
        appealed: false,
        answer: String::new(),
        answered_by: None,
        refund: None,
        granted: None,
        opened_at: cx.now,
        answered_at: None,
    };
    sql::insert_wish(cx.tx, tenant, &wish)?;
    let payload = EscalatePayload {
        wish: wish.id.to_string(),
    };
    crate::queue::enqueue(cx, ESCALATE_JOB, &payload, wish.due_at())?;
    tell(cx, OPENED_FACT, &wish)?;
    Ok(payload.wish)
}

fn words(given: &str) -> Result<String, WishError> {
    let given = given.trim();
    match given.chars().count() > MAX_WORDS {
        true => Err(WishError::Words),
        false => Ok(given.to_owned()),
    }
}

fn within(minor: i64, left: Money) -> Result<Money, WishError> {
    match (1..=left.minor()).contains(&minor) {
        true => Ok(Money::new(minor, left.currency())),
        false => Err(WishError::OutOfRange { left }),
    }
}

/// Takes a wish back, or asks the platform. Doing it again changes nothing.
pub fn go_on(cx: &mut Cx<'_>, cmd: &GoOn) -> Result<(), WishError> {
    let order = orders::seen_by(cx, cmd.of.order, cmd.of.token.as_deref())?;
    let found = sql::find_wish(cx.tx, cx.caller.tenant, cmd.wish)?;
    let mut wish = found
        .filter(|one| one.order == order.id)
        .ok_or(WishError::NotFound)?;
    match (cmd.step, wish.state) {
        (Step::TakeBack, WishState::TakenBack) | (Step::AskPlatform, WishState::Escalated) => {
            Ok(())
        }
        (Step::TakeBack, state) if state.waits() => {
            (wish.state, wish.answered_at) = (WishState::TakenBack, Some(cx.now));
            keep(cx, TAKEN_BACK_FACT, &wish)
        }
        (Step::AskPlatform, WishState::Declined) => {
            let until = wish.appeal_until().ok_or(WishError::Appeal)?;
            if cx.now >= until {
                return Err(WishError::Appeal);
            }
            let others = sql::wishes_of_order(cx.tx, cx.caller.tenant, order.id)?;
            if others
                .iter()
                .any(|one| one.line == wish.line && one.state.waits())
            {
                return Err(WishError::Waiting);
            }
            escalate_now(cx, &mut wish)
        }
        (_, state) => Err(WishError::Moved(state)),
    }
}

fn escalate_now(cx: &mut Cx<'_>, wish: &mut Wish) -> Result<(), WishError> {
    wish.state = WishState::Escalated;
    wish.appealed = true;
    keep(cx, ESCALATED_FACT, wish)
}

/// The job: who didn't answer in time is passed over.
pub fn escalate(cx: &mut Cx<'_>, payload: &EscalatePayload) -> Result<(), JobError> {
    let id = RefundWishId::parse(&payload.wish).map_err(JobError::fail)?;
    let found = sql::find_wish(cx.tx, cx.caller.tenant, id)?;
    match found.filter(|wish| wish.state == WishState::Open) {
        Some(mut wish) => Ok(escalate_now(cx, &mut wish)?),
        None => Ok(()),
    }
}

/// Answers as the seller of the line.
pub fn answer_wish(cx: &mut Cx<'_>, cmd: &AnswerWish) -> Result<(), WishError> {
    let found = sql::find_wish(cx.tx, cx.caller.tenant, cmd.0.wish)?;
    let own = found.filter(|wish| Some(wish.seller) == cx.caller.account);
    let wish = own.ok_or(WishError::NotFound)?;
    answer(cx, (wish, &cmd.0), (Answerer::Seller, WishState::Open))
}

/// Answers as the platform, which is asked about escalated wishes alone.
pub fn answer_escalated(cx: &mut Cx<'_>, cmd: &AnswerEscalated) -> Result<(), WishError> {
    let found = sql::find_wish(cx.tx, cx.caller.tenant, cmd.0.wish)?;
    let wish = found.ok_or(WishError::NotFound)?;
    answer(
        cx,
        (wish, &cmd.0),
        (Answerer::Platform, WishState::Escalated),
    )
}

fn answer(
    cx: &mut Cx<'_>,
    (mut wish, verdict): (Wish, &Verdict),
    (by, asked): (Answerer, WishState),
) -> Result<(), WishError> {
    if wish.state != asked {
        return Err(WishError::Moved(wish.state));
    }
    wish.answer = words(&verdict.words)?;
    (wish.answered_by, wish.answered_at) = (Some(by), Some(cx.now));
    if !verdict.grant {
        if wish.answer.is_empty() {
            return Err(WishError::Words);
        }
        wish.state = WishState::Declined;
        return keep(cx, DECLINED_FACT, &wish);
    }
    let minor = verdict.amount_minor.unwrap_or_else(|| wish.amount.minor());
    let granted = within(minor, wish.amount)?;
    let wanted = AskRefund {
        order: wish.order,
        line: Some(wish.line),
        amount_minor: Some(granted.minor()),
        reason: wish.reason,
        note: String::new(),
        keeps_license: false,
        ends_subscription: false,
        seen_left_minor: None,
    };
    let refund = match by {
        Answerer::Platform => refunds::refund_order(cx, &RefundOrder(wanted))?,
        Answerer::Seller | Answerer::Elsewhere => refunds::refund_sale(cx, &RefundSale(wanted))?,
    };
    (wish.refund, wish.granted) = (Some(RefundId::parse(&refund)?), Some(granted));
    wish.state = WishState::Granted;
    keep(cx, GRANTED_FACT, &wish)
}

fn keep(cx: &mut Cx<'_>, fact: &'static str, wish: &Wish) -> Result<(), WishError> {
    sql::move_wish(cx.tx, cx.caller.tenant, wish)?;
    tell(cx, fact, wish)
}

fn tell(cx: &mut Cx<'_>, fact: &'static str, wish: &Wish) -> Result<(), WishError> {
    let about = serde_json::json!({
        "order": wish.order.to_string(),
        "line": wish.line.to_string(),
        "seller": wish.seller.to_string(),
        "amount_minor": wish.amount.minor(),
        "granted_minor": wish.granted.map(|of| of.minor()),
        "currency": wish.amount.currency().code(),
        "reason": wish.reason.code(),
        "by": wish.answered_by.map(Answerer::code),
    });
    crate::events::record(cx, fact, &wish.id.to_string(), &about)?;
    Ok(())
}

/// A subscriber of the outbox: money that went back otherwise fulfils the wish that it covers.
pub fn on_fact(cx: &mut Cx<'_>, event: &Event) -> Result<(), JobError> {
    if !matches!(event.kind.as_str(), "refund.created" | "dispute.opened") {
        return Ok(());
    }
    let Some(order) = event.data["order"].as_str() else {
        return Ok(());
    };
    let order = OrderId::parse(order).map_err(JobError::fail)?;
    Ok(cover(cx, (order, &event.subject))?)
}

fn cover(cx: &mut Cx<'_>, (order, cause): (OrderId, &str)) -> Result<(), WishError> {
    let tenant = cx.caller.tenant;
    let waiting = sql::wishes_of_order(cx.tx, tenant, order)?.into_iter();
    for mut wish in waiting.filter(|wish| wish.state.waits()) {
        let taken = refunds::taken_of(cx.tx, tenant, (order, cause))?;
        let mut of_line = taken.iter().filter(|(line, _)| *line == wish.line);
        if of_line.any(|(_, amount)| amount.minor() >= wish.amount.minor()) {
            (wish.state, wish.granted) = (WishState::Granted, Some(wish.amount));
            (wish.answered_by, wish.answered_at) = (Some(Answerer::Elsewhere), Some(cx.now));
            keep(cx, GRANTED_FACT, &wish)?;
        }
    }
    Ok(())
}

/// The wishes of an order, for its buyer; the oldest first.
pub fn own_wishes(cx: &mut ReadCx<'_>, of: &OwnOrder) -> Result<Vec<Wish>, WishError> {
    let order = orders::view(cx, of.order, of.token.as_deref())?;
    Ok(sql::wishes_of_order(cx.tx, cx.caller.tenant, order.id)?)
}

/// Wishes on one page.
pub const PAGE: i64 = 50;

/// Which page of wishes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before(pub Option<RefundWishId>);

impl Before {
    fn page(self) -> (RefundWishId, i64) {
        let last = RefundWishId::from_bytes([0xff; 16]);
        (self.0.unwrap_or(last), PAGE)
    }
}

fn must(cx: &ReadCx<'_>, capability: Capability) -> Result<AccountId, Denied> {
    let account = cx.caller.account;
    account.filter(|_| cx.caller.may(capability)).ok_or(Denied {
        capability,
        signed_in: account.is_some(),
    })
}

/// The wishes that the caller's buyers have, the newest first.
pub fn wishes_at(cx: &mut ReadCx<'_>, before: &Before) -> Result<Vec<Wish>, WishError> {
    let of = (cx.caller.tenant, must(cx, Capability::Sell)?);
    Ok(sql::wishes_of_seller(cx.tx, of, before.page())?)
}

/// What waits for the platform, the newest first.
pub fn escalated(cx: &mut ReadCx<'_>, before: &Before) -> Result<Vec<Wish>, WishError> {
    must(cx, Capability::Administer)?;
    let of = (cx.caller.tenant, WishState::Escalated);
    Ok(sql::wishes_in(cx.tx, of, before.page())?)
}

/// A wish, for those who tell of it.
pub fn wish_by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: RefundWishId,
) -> Result<Option<Wish>, StoreError> {
    sql::find_wish(tx, tenant, id)
}
