//! Use cases of refunds: ask for one, hear what became of it, mirror one made at the provider.

use super::disputes;
use super::effect::{self, Book, Taking};
use super::flow::{SEND_JOB, SendPayload};
use super::model::{
    By, Dispute, DisputeState, LineReversal, MAX_NOTE, MAX_REFUNDS, PaidFor, Reason, Refund,
    RefundError, RefundState,
};
use super::{papers, sql, usage};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::ledger::{self, Fees};
use crate::domains::orders::{Line, OrderState};
use crate::domains::payments::{self, EventKind, Payable, Payment, PaymentEvent, PaymentState};
use crate::store::Tx;
use mintreu::Money;
use mintreu::id::{AccountId, InvoiceId, OrderId, OrderLineId, RefundId, TenantId};

/// What shall go back.
#[derive(Debug, Clone)]
pub struct AskRefund {
    /// Of which order.
    pub order: OrderId,
    /// Of which line; `None` for every line that the caller may refund.
    pub line: Option<OrderLineId>,
    /// How much in minor units of the order's currency; `None` for all that is left.
    pub amount_minor: Option<i64>,
    /// Why.
    pub reason: Reason,
    /// In words, for the buyer; may be empty.
    pub note: String,
    /// Whether the license goes on working although all of its price went back.
    pub keeps_license: bool,
    /// Whether the subscription that the order pays for ends when all of it went back.
    pub ends_subscription: bool,
    /// What was left when the asker looked: refused when that has changed.
    pub seen_left_minor: Option<i64>,
}

/// A seller refunds lines of their own.
#[derive(Debug, Clone)]
pub struct RefundSale(pub AskRefund);

impl Command for RefundSale {
    const NAME: &'static str = "refunds.refund_sale";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.0.order.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.0.order.to_string()]
    }
}

/// The platform refunds any line.
#[derive(Debug, Clone)]
pub struct RefundOrder(pub AskRefund);

impl Command for RefundOrder {
    const NAME: &'static str = "refunds.refund_order";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.0.order.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.0.order.to_string()]
    }
}

/// A seller refunds all of the bundle that a line of theirs was sold in; the line alone where it was
/// sold in none.
#[derive(Debug, Clone)]
pub struct RefundBundle(pub AskRefund);

impl Command for RefundBundle {
    const NAME: &'static str = "refunds.refund_bundle";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.0.order.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.0.order.to_string()]
    }
}

/// Whether a refund of a line is one of the bundle that it was sold in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    Line,
    Bundle,
}

/// Reserves a refund of the caller's own lines and plans to ask the provider; answers its id.
pub fn refund_sale(cx: &mut Cx<'_>, cmd: &RefundSale) -> Result<String, RefundError> {
    ask(cx, &cmd.0, (By::Seller, Scope::Line))
}

/// As [`refund_sale`], of the whole bundle.
pub fn refund_bundle(cx: &mut Cx<'_>, cmd: &RefundBundle) -> Result<String, RefundError> {
    ask(cx, &cmd.0, (By::Seller, Scope::Bundle))
}

/// As [`refund_sale`], of anybody's lines.
pub fn refund_order(cx: &mut Cx<'_>, cmd: &RefundOrder) -> Result<String, RefundError> {
    ask(cx, &cmd.0, (By::Platform, Scope::Line))
}

fn ask(
    cx: &mut Cx<'_>,
    wanted: &AskRefund,
    (by, scope): (By, Scope),
) -> Result<String, RefundError> {
    let book = Book::open(cx, wanted.order)?;
    let (tenant, asker) = (cx.caller.tenant, (by, cx.caller.account, scope));
    let (lines, amount) = consider(cx.tx, tenant, (&book, wanted), asker)?;
    plan(cx, book, (wanted, by), (&lines, amount))
}

/// Refunds all that is left of lines that their buyer withdrew from; the caller of this function knows
/// that they may. A subscription that one of them began ends with it.
pub fn withdraw(
    cx: &mut Cx<'_>,
    order: OrderId,
    lines: &[OrderLineId],
) -> Result<String, RefundError> {
    let book = Book::open(cx, order)?;
    check(&book)?;
    let mut chosen = book.order.lines.clone();
    chosen.retain(|line| lines.contains(&line.id));
    let amount = book.left_of(&chosen)?;
    let wanted = AskRefund {
        order,
        line: None,
        amount_minor: None,
        reason: Reason::Withdrawal,
        note: String::new(),
        keeps_license: false,
        ends_subscription: true,
        seen_left_minor: None,
    };
    plan(cx, book, (&wanted, By::Buyer), (&chosen, amount))
}

/// Reserves what goes back of `lines`, and plans to ask the provider.
fn plan(
    cx: &mut Cx<'_>,
    book: Book,
    (wanted, by): (&AskRefund, By),
    (lines, amount): (&[Line], Money),
) -> Result<String, RefundError> {
    let payment = paid_by(cx, &book)?;
    let refund = Refund {
        id: cx.make_id(RefundId::from_bytes),
        order: wanted.order,
        payment: payment.id,
        provider: payment.provider,
        provider_refund: None,
        amount,
        state: RefundState::Requested,
        reason: wanted.reason,
        note: wanted.note.trim().to_owned(),
        by,
        asked_by: cx.caller.account,
        keeps_license: wanted.keeps_license,
        ends_subscription: wanted.ends_subscription,
        failure_code: None,
        requested_at: cx.now,
        settled_at: None,
    };
    begin(cx, book, &refund, lines)?;
    let refund = refund.id.to_string();
    let payload = SendPayload {
        refund: refund.clone(),
    };
    crate::queue::enqueue(cx, SEND_JOB, &payload, cx.now)?;
    Ok(refund)
}

/// Which lines, and how much in all: or why not.
pub(super) fn consider(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (book, wanted): (&Book, &AskRefund),
    (by, account, scope): (By, Option<AccountId>, Scope),
) -> Result<(Vec<Line>, Money), RefundError> {
    if wanted.note.chars().count() > MAX_NOTE {
        return Err(RefundError::NoteTooLong);
    }
    let lines = lines_of(book, (wanted.line, scope), (by, account))?;
    check(book)?;
    let left = book.left_of(&lines)?;
    if let (By::Seller, Some(seller)) = (by, account)
        && !ledger::may_refund(tx, tenant, seller, left.currency())?
    {
        return Err(RefundError::NeedsPlatform);
    }
    if wanted
        .seen_left_minor
        .is_some_and(|seen| seen != left.minor())
    {
        return Err(RefundError::Changed { left });
    }
    let minor = wanted.amount_minor.unwrap_or_else(|| left.minor());
    Ok((lines, Money::new(minor, left.currency())))
}

/// The lines that the asker may refund, of those that are wanted.
fn lines_of(
    book: &Book,
    (wanted, scope): (Option<OrderLineId>, Scope),
    (by, seller): (By, Option<AccountId>),
) -> Result<Vec<Line>, RefundError> {
    let line = book.order.lines.iter().find(|line| Some(line.id) == wanted);
    let bundle = line.and_then(|line| line.bundle.as_ref());
    let bundle = bundle.filter(|_| scope == Scope::Bundle);
    let together = |line: &Line| bundle.is_some() && line.bundle.as_ref() == bundle;
    let may = |line: &&Line| by != By::Seller || Some(line.seller) == seller;
    let asked = |line: &&Line| wanted.is_none_or(|id| id == line.id) || together(line);
    let lines = book.order.lines.iter().filter(may).filter(asked);
    let lines: Vec<_> = lines.cloned().collect();
    if lines.is_empty() {
        return Err(RefundError::NotFound);
    }
    Ok(lines)
}

/// Whether anything of an order can be refunded at all.
pub(super) fn check(book: &Book) -> Result<(), RefundError> {
    let order = &book.order;
    if !matches!(
        order.state,
        OrderState::Paid | OrderState::PartiallyRefunded
    ) {
        return Err(RefundError::NotPaid(order.state));
    }
    if order.total.minor() == 0 {
        return Err(RefundError::Free);
    }
    if book.is_disputed() {
        return Err(RefundError::Disputed);
    }
    if book.refunds.len() >= MAX_REFUNDS {
        return Err(RefundError::TooMany);
    }
    Ok(())
}

/// The attempt that paid the order.
fn paid_by(cx: &mut Cx<'_>, book: &Book) -> Result<Payment, RefundError> {
    let payable = Payable::new(book.order.id);
    let found = payments::paid_by(cx.tx, cx.caller.tenant, &payable)?;
    found.ok_or(RefundError::NotPaid(book.order.state))
}

/// Writes a refund and reserves what it takes.
fn begin(
    cx: &mut Cx<'_>,
    mut book: Book,
    refund: &Refund,
    lines: &[Line],
) -> Result<Book, RefundError> {
    let none = Money::zero(refund.amount.currency());
    let cause = refund.id.to_string();
    let planned: Vec<LineReversal> = effect::plan(&book, lines, (refund.amount, none), &cause)?;
    sql::insert_refund(cx.tx, cx.caller.tenant, refund)?;
    effect::reserve(cx, &mut book, planned)?;
    book.refunds.push(refund.clone());
    Ok(book)
}

/// The ledger's key of a refund.
fn key(refund: RefundId) -> String {
    format!("refund:{refund}")
}

/// The provider sent the money: everything that follows, once.
pub(super) fn succeed(cx: &mut Cx<'_>, refund: &Refund) -> Result<&'static str, RefundError> {
    if refund.state != RefundState::Requested {
        return Ok("unchanged");
    }
    let mut book = Book::open(cx, refund.order)?;
    settle(cx, &mut book, refund, (RefundState::Succeeded, None))?;
    let cause = refund.id.to_string();
    let taking = Taking {
        cause: &cause,
        key: key(refund.id),
        reason: ledger::Reason::Refund,
        fees: fees(&book.disputes, (refund.by, refund.reason)),
    };
    if let Some(posted) = effect::take(cx, &mut book, &taking)? {
        sql::note_posting(cx.tx, cx.caller.tenant, refund.id, posted)?;
    }
    papers::credit(cx, &book, &cause, (refund.reason.code(), &refund.note))?;
    effect::follow(cx, &mut book)?;
    if book.order.state == OrderState::Refunded {
        disputes::prevent(cx, &book.disputes)?;
    }
    tell(cx, refund, ("refund.created", None))?;
    Ok("refunded")
}

/// A seller's word that it was a fraud is not enough to get the platform's fee back.
pub(super) fn fees(disputes: &[Dispute], (by, reason): (By, Reason)) -> Fees {
    let warned = |state| matches!(state, DisputeState::Warning | DisputeState::Prevented);
    let known = by == By::Platform || disputes.iter().any(|one| warned(one.state));
    match reason {
        Reason::Fraud if known => Fees::Returned,
        _ => Fees::Kept,
    }
}

/// The money didn't go, or came back: order, license and books are as if nothing had been.
pub(super) fn fail(
    cx: &mut Cx<'_>,
    refund: &Refund,
    code: Option<&str>,
) -> Result<&'static str, RefundError> {
    if refund.state == RefundState::Failed {
        return Ok("unchanged");
    }
    let mut book = Book::open(cx, refund.order)?;
    settle(cx, &mut book, refund, (RefundState::Failed, code))?;
    let cause = refund.id.to_string();
    effect::undo(cx, &mut book, (&cause, &key(refund.id)))?;
    papers::take_back(cx, &cause)?;
    disputes::make_good(cx, &mut book)?;
    effect::follow(cx, &mut book)?;
    tell(cx, refund, ("refund.failed", code))?;
    Ok("refund_failed")
}

fn settle(
    cx: &mut Cx<'_>,
    book: &mut Book,
    refund: &Refund,
    (state, code): (RefundState, Option<&str>),
) -> Result<(), RefundError> {
    let settled = Refund {
        state,
        failure_code: code.map(str::to_owned),
        settled_at: Some(cx.now),
        ..refund.clone()
    };
    sql::move_refund(cx.tx, cx.caller.tenant, &settled)?;
    for one in book.refunds.iter_mut().filter(|one| one.id == refund.id) {
        *one = settled.clone();
    }
    Ok(())
}

fn tell(
    cx: &mut Cx<'_>,
    refund: &Refund,
    (fact, code): (&'static str, Option<&str>),
) -> Result<(), RefundError> {
    let about = serde_json::json!({
        "order": refund.order.to_string(),
        "amount_minor": refund.amount.minor(),
        "currency": refund.amount.currency().code(),
        "reason": refund.reason.code(),
        "by": refund.by.code(),
        "failure_code": code,
    });
    crate::events::record(cx, fact, &refund.id.to_string(), &about)?;
    Ok(())
}

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It was acted on, or changed nothing; kept with the event.
    Done(&'static str),
    /// It can't be acted on: somebody must look.
    Attention(&'static str),
}

/// Acts on what a provider tells of a refund or a dispute.
pub fn hear(cx: &mut Cx<'_>, event: &PaymentEvent) -> Result<Heard, RefundError> {
    let Some(payment) = payments::of_event(cx.tx, cx.caller.tenant, event)? else {
        return Ok(Heard::Attention("payment_unknown"));
    };
    let Some(name) = event.object.as_deref() else {
        return Ok(Heard::Attention("object_missing"));
    };
    if matches!(
        payment.state,
        PaymentState::Expected | PaymentState::ActionRequired
    ) {
        // The provider knows that it was paid, and will say so.
        let left = Money::zero(payment.amount.currency());
        return Err(RefundError::Early { left });
    }
    let refunded = matches!(
        event.kind,
        EventKind::RefundSucceeded | EventKind::RefundFailed
    );
    if let Ok(invoice) = InvoiceId::parse(&payment.payable) {
        return match refunded {
            true => usage::hear(cx, event, (&payment, invoice), name),
            false => disputes::hear(cx, event, (&payment, PaidFor::Invoice(invoice)), name),
        };
    }
    let Ok(order) = OrderId::parse(&payment.payable) else {
        return Ok(Heard::Attention("payable_unknown"));
    };
    match refunded {
        true => hear_refund(cx, event, (&payment, order), name),
        false => disputes::hear(cx, event, (&payment, PaidFor::Order(order)), name),
    }
}

fn hear_refund(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    (payment, order): (&Payment, OrderId),
    name: &str,
) -> Result<Heard, RefundError> {
    let failed = event.kind == EventKind::RefundFailed;
    let code = event.failure_code.as_deref();
    if let Some(refund) = known(cx, event, name)? {
        sql::name_refund(cx.tx, cx.caller.tenant, refund.id, name)?;
        let done = match failed {
            true => fail(cx, &refund, code)?,
            false => succeed(cx, &refund)?,
        };
        return Ok(Heard::Done(done));
    }
    mirror(cx, event, (payment, order), name)
}

/// The refund that the event speaks of, by our name or the provider's.
fn known(cx: &mut Cx<'_>, event: &PaymentEvent, name: &str) -> Result<Option<Refund>, RefundError> {
    let tenant = cx.caller.tenant;
    let ours = event.object_reference.as_deref().map(RefundId::parse);
    if let Some(Ok(id)) = ours {
        return Ok(sql::find_refund(cx.tx, tenant, id)?);
    }
    Ok(sql::refund_at_provider(
        cx.tx,
        tenant,
        (&event.provider, name),
    )?)
}

/// Writes a refund that was made at the provider, and lets it take effect. One that is told to have
/// failed before it was told to have succeeded is kept as failed, so that it never takes effect.
fn mirror(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    (payment, order): (&Payment, OrderId),
    name: &str,
) -> Result<Heard, RefundError> {
    if payment.state != PaymentState::Succeeded {
        return Ok(Heard::Attention("refund_of_unpaid"));
    }
    let book = Book::open(cx, order)?;
    let failed = event.kind == EventKind::RefundFailed;
    let mut refund = Refund {
        id: cx.make_id(RefundId::from_bytes),
        order,
        payment: payment.id,
        provider: event.provider.clone(),
        provider_refund: Some(name.to_owned()),
        amount: event.amount,
        state: RefundState::Requested,
        reason: Reason::Other,
        note: String::new(),
        by: By::Provider,
        asked_by: None,
        keeps_license: false,
        ends_subscription: false,
        failure_code: None,
        requested_at: cx.now,
        settled_at: None,
    };
    if failed {
        refund.state = RefundState::Failed;
        refund.failure_code.clone_from(&event.failure_code);
        refund.settled_at = Some(cx.now);
        sql::insert_refund(cx.tx, cx.caller.tenant, &refund)?;
        return Ok(Heard::Done("refund_failed"));
    }
    let lines = book.order.lines.clone();
    let left = book.left_of(&lines)?;
    if event.amount.currency() != left.currency() || event.amount.minor() <= 0 {
        return Ok(Heard::Attention("refund_amount_differs"));
    }
    if event.amount.minor() > left.minor() {
        return Err(RefundError::Early { left });
    }
    begin(cx, book, &refund, &lines)?;
    succeed(cx, &refund).map(Heard::Done)
}
