//! Use cases of wishes: a buyer asks, takes back, asks the platform; a seller or the platform answers.

use super::asking::{Answerer, MAX_WISHES, MAX_WORDS, Wish, WishError, WishState};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::domains::orders;
use crate::domains::refunds::{self, AskRefund, Reason, RefundOrder, RefundSale, RefundState};
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
/// The fact of money that was granted and came back.
pub const FAILED_FACT: &str = "refund_wish.failed";
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
    if others(cx, (order.id, line.id), None)?.len() >= MAX_WISHES {
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
        failed_at: None,
    };
    sql::insert_wish(cx.tx, tenant, &wish)?;
    let payload = EscalatePayload {
        wish: wish.id.to_string(),
    };
    crate::queue::enqueue(cx, ESCALATE_JOB, &payload, wish.due_at())?;
    tell(cx, OPENED_FACT, &wish)?;
    Ok(payload.wish)
}

/// The other wishes of a line; an error while one of them waits for somebody.
fn others(
    cx: &mut Cx<'_>,
    (order, line): (OrderId, OrderLineId),
    this: Option<RefundWishId>,
) -> Result<Vec<Wish>, WishError> {
    let mut others = sql::wishes_of_order(cx.tx, cx.caller.tenant, order)?;
    others.retain(|one| one.line == line && Some(one.id) != this);
    match others.iter().any(|one| one.state.is_due()) {
        true => Err(WishError::Waiting),
        false => Ok(others),
    }
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
        (Step::TakeBack, state) if state.is_due() => {
            (wish.state, wish.answered_at) = (WishState::TakenBack, Some(cx.now));
            keep(cx, TAKEN_BACK_FACT, &wish)
        }
        (Step::AskPlatform, WishState::Declined | WishState::Failed) => {
            let until = wish.appeal_until().ok_or(WishError::Appeal)?;
            if cx.now >= until {
                return Err(WishError::Appeal);
            }
            others(cx, (order.id, wish.line), Some(wish.id))?;
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

/// Answers as the seller of the line, or sends again what came back.
pub fn answer_wish(cx: &mut Cx<'_>, cmd: &AnswerWish) -> Result<(), WishError> {
    let found = sql::find_wish(cx.tx, cx.caller.tenant, cmd.0.wish)?;
    let own = found.filter(|wish| Some(wish.seller) == cx.caller.account);
    let wish = own.ok_or(WishError::NotFound)?;
    answer(cx, (wish, &cmd.0), Answerer::Seller)
}

/// Answers as the platform, which is asked about escalated wishes alone.
pub fn answer_escalated(cx: &mut Cx<'_>, cmd: &AnswerEscalated) -> Result<(), WishError> {
    let found = sql::find_wish(cx.tx, cx.caller.tenant, cmd.0.wish)?;
    let wish = found.ok_or(WishError::NotFound)?;
    answer(cx, (wish, &cmd.0), Answerer::Platform)
}

fn answer(
    cx: &mut Cx<'_>,
    (mut wish, verdict): (Wish, &Verdict),
    by: Answerer,
) -> Result<(), WishError> {
    if wish.asked() != Some(by) {
        return Err(WishError::Moved(wish.state));
    }
    let (words, again) = (words(&verdict.words)?, wish.state == WishState::Failed);
    // What was said with a yes stands, unless it is said anew.
    if !again || !words.is_empty() {
        wish.answer = words;
    }
    (wish.answered_by, wish.answered_at) = (Some(by), Some(cx.now));
    match (verdict.grant, again) {
        (true, _) => grant(cx, wish, verdict.amount_minor),
        (false, true) => Err(WishError::Granted),
        (false, false) if wish.answer.is_empty() => Err(WishError::Words),
        (false, false) => {
            (wish.state, wish.granted) = (WishState::Declined, None);
            keep(cx, DECLINED_FACT, &wish)
        }
    }
}

/// Refunds a wish: so much, or what was granted before, or all that was wished for.
fn grant(cx: &mut Cx<'_>, mut wish: Wish, minor: Option<i64>) -> Result<(), WishError> {
    let usual = wish.granted.unwrap_or(wish.amount).minor();
    let granted = within(minor.unwrap_or(usual), wish.amount)?;
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
    let refund = match wish.answered_by {
        Some(Answerer::Platform) => refunds::refund_order(cx, &RefundOrder(wanted))?,
        _ => refunds::refund_sale(cx, &RefundSale(wanted))?,
    };
    (wish.refund, wish.granted) = (Some(RefundId::parse(&refund)?), Some(granted));
    (wish.state, wish.failed_at) = (WishState::Granted, None);
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

/// A subscriber of the outbox: money that went back otherwise fulfils the wish that it covers, and
/// money that came back leaves the wish that it answered unfulfilled.
pub fn on_fact(cx: &mut Cx<'_>, event: &Event) -> Result<(), JobError> {
    let act: fn(&mut Cx<'_>, (OrderId, &str)) -> Result<(), WishError> = match event.kind.as_str() {
        "refund.created" | "dispute.opened" => cover,
        "refund.failed" => uncover,
        _ => return Ok(()),
    };
    let Some(order) = event.data["order"].as_str() else {
        return Ok(());
    };
    let order = OrderId::parse(order).map_err(JobError::fail)?;
    Ok(act(cx, (order, &event.subject))?)
}

fn cover(cx: &mut Cx<'_>, (order, cause): (OrderId, &str)) -> Result<(), WishError> {
    let tenant = cx.caller.tenant;
    let refund = RefundId::parse(cause).ok();
    let states = refunds::states_of(cx.tx, tenant, order)?;
    let failed = |(id, state): &(RefundId, RefundState)| {
        Some(*id) == refund && *state == RefundState::Failed
    };
    if states.iter().any(failed) {
        // It came back before this was told.
        return Ok(());
    }
    let due = sql::wishes_of_order(cx.tx, tenant, order)?.into_iter();
    for mut wish in due.filter(|wish| wish.state.is_due()) {
        let wanted = wish.granted.unwrap_or(wish.amount);
        let taken = refunds::taken_of(cx.tx, tenant, (order, cause))?;
        let mut of_line = taken.iter().filter(|(line, _)| *line == wish.line);
        if of_line.any(|(_, amount)| amount.minor() >= wanted.minor()) {
            (wish.state, wish.granted) = (WishState::Granted, Some(wanted));
            (wish.answered_by, wish.answered_at) = (Some(Answerer::Elsewhere), Some(cx.now));
            (wish.refund, wish.failed_at) = (refund, None);
            keep(cx, GRANTED_FACT, &wish)?;
        }
    }
    Ok(())
}

/// A refund failed: the wish that it answered waits for whoever is asked to send it again.
fn uncover(cx: &mut Cx<'_>, (order, refund): (OrderId, &str)) -> Result<(), WishError> {
    let refund = RefundId::parse(refund)?;
    let answered = sql::wishes_of_order(cx.tx, cx.caller.tenant, order)?.into_iter();
    let of = |wish: &Wish| wish.state == WishState::Granted && wish.refund == Some(refund);
    for mut wish in answered.filter(of) {
        (wish.state, wish.failed_at) = (WishState::Failed, Some(cx.now));
        keep(cx, FAILED_FACT, &wish)?;
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

/// Which wishes: those in a state, and which page of them.
#[derive(Debug, Clone, Copy, Default)]
pub struct WishesQuery {
    /// In which state.
    pub state: Option<WishState>,
    /// The last wish of the page before.
    pub before: Option<RefundWishId>,
}

impl WishesQuery {
    fn page(self) -> (RefundWishId, i64) {
        let last = RefundWishId::from_bytes([0xff; 16]);
        (self.before.unwrap_or(last), PAGE)
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
pub fn wishes_at(cx: &mut ReadCx<'_>, query: &WishesQuery) -> Result<Vec<Wish>, WishError> {
    let seller = must(cx, Capability::Sell)?;
    let of = (cx.caller.tenant, seller, query.state);
    Ok(sql::wishes_of_seller(cx.tx, of, query.page())?)
}

/// For the platform: what waits for its decision, or everybody's wishes in a state, the newest first.
pub fn escalated(cx: &mut ReadCx<'_>, query: &WishesQuery) -> Result<Vec<Wish>, WishError> {
    must(cx, Capability::Administer)?;
    let state = query.state.unwrap_or(WishState::Escalated);
    Ok(sql::wishes_in(
        cx.tx,
        (cx.caller.tenant, state),
        query.page(),
    )?)
}

/// A wish, for those who tell of it.
pub fn wish_by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: RefundWishId,
) -> Result<Option<Wish>, StoreError> {
    sql::find_wish(tx, tenant, id)
}
