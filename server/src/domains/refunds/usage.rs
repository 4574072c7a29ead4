//! Refunds of usage invoices: of the payment of one, in full or in part.
//!
//! What was used was used: nothing is un-counted, and the license works on. Apart from that it is
//! as with orders: the amount is reserved, the provider is asked between transactions, and when it
//! says yes, the parts of the invoice, its tax and its paper follow in one commit.

use super::disputed::Disputed;
use super::effect::{self, Sides};
use super::flow::{SEND_JOB, SendPayload};
use super::model::{
    By, Dispute, MAX_NOTE, MAX_REFUNDS, Reason, RefundError, RefundState, ReversalState,
};
use super::ops::Heard;
use super::sql::{invoices, usage as sql};
use super::usage_disputes::InvoiceReversal;
use super::{disputes, ops};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::invoicing::{self, Invoice, State};
use crate::domains::ledger::{self, AccountKind, Fees, Part, Parts};
use crate::domains::payments::{self, EventKind, Payment, PaymentEvent, PaymentState};
use crate::domains::taxes::{self, Movement, Way};
use mintreu::id::{AccountId, InvoiceId, PaymentId, RefundId};
use mintreu::{Money, Timestamp};

/// Money of a usage invoice on its way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceRefund {
    /// The refund.
    pub id: RefundId,
    /// Of which invoice.
    pub invoice: InvoiceId,
    /// Of which payment.
    pub payment: PaymentId,
    /// Who sends it.
    pub provider: String,
    /// The provider's name of it, once it has one.
    pub provider_refund: Option<String>,
    /// How much the buyer gets.
    pub amount: Money,
    /// From which part of the invoice how much.
    pub parts: Parts,
    /// Whether the platform gave its fee back.
    pub fee_returned: bool,
    /// What of it came out of the seller's hold.
    pub from_held: Money,
    /// Where it stands.
    pub state: RefundState,
    /// Why.
    pub reason: Reason,
    /// In words, for the buyer; may be empty.
    pub note: String,
    /// Who wanted it.
    pub by: By,
    /// Whose account that was.
    pub asked_by: Option<AccountId>,
    /// Why it failed.
    pub failure_code: Option<String>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it succeeded or failed.
    pub settled_at: Option<Timestamp>,
}

/// What shall go back of an invoice.
#[derive(Debug, Clone)]
pub struct AskInvoiceRefund {
    /// Of which invoice.
    pub invoice: InvoiceId,
    /// How much in minor units; `None` for all that is left.
    pub amount_minor: Option<i64>,
    /// Why.
    pub reason: Reason,
    /// In words, for the buyer; may be empty.
    pub note: String,
    /// What was left when the asker looked: refused when that has changed.
    pub seen_left_minor: Option<i64>,
}

/// A seller refunds an invoice that they earn by.
#[derive(Debug, Clone)]
pub struct RefundUsage(pub AskInvoiceRefund);

impl Command for RefundUsage {
    const NAME: &'static str = "refunds.refund_usage";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.0.invoice.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.0.invoice.to_string()]
    }
}

/// The platform refunds any invoice of usage.
#[derive(Debug, Clone)]
pub struct RefundInvoice(pub AskInvoiceRefund);

impl Command for RefundInvoice {
    const NAME: &'static str = "refunds.refund_invoice";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.0.invoice.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.0.invoice.to_string()]
    }
}

/// Reserves a refund of an invoice that the caller earns by; answers its id.
pub fn refund_usage(cx: &mut Cx<'_>, cmd: &RefundUsage) -> Result<String, RefundError> {
    ask(cx, &cmd.0, By::Seller)
}

/// As [`refund_usage`], of any.
pub fn refund_invoice(cx: &mut Cx<'_>, cmd: &RefundInvoice) -> Result<String, RefundError> {
    ask(cx, &cmd.0, By::Platform)
}

/// An invoice of usage with what went back of it.
pub(super) struct UsageBook {
    pub(super) invoice: Invoice,
    refunds: Vec<InvoiceRefund>,
    pub(super) disputes: Vec<Dispute>,
    /// What disputes took of it.
    pub(super) reversals: Vec<InvoiceReversal>,
    /// What it was divided into.
    sold: Parts,
}

/// The key under which billing posted and held an invoice.
pub(super) fn posted_as(invoice: InvoiceId) -> String {
    format!("invoice:{invoice}")
}

impl UsageBook {
    pub(super) fn open(cx: &mut Cx<'_>, id: InvoiceId) -> Result<Self, RefundError> {
        let found = invoicing::issued(cx, id)?;
        let used = |invoice: &Invoice| invoice.source.starts_with("usage:");
        let invoice = found.filter(used).ok_or(RefundError::NoInvoice)?;
        let of = (cx.caller.tenant, id);
        let refunds = sql::of_invoice(cx.tx, of)?;
        let disputes = invoices::disputes_of(cx.tx, of)?;
        let reversals = invoices::of_invoice(cx.tx, of)?;
        let (key, currency) = (posted_as(id), invoice.total.currency());
        let mut of =
            |kind| Ok::<_, RefundError>(ledger::credited(cx, &key, kind, currency)?.minor());
        let minor = [
            of(AccountKind::TaxPayable)?,
            of(AccountKind::PlatformFee)?,
            of(AccountKind::ProcessingFee)?,
            0,
            of(AccountKind::SellerHeld)?,
        ];
        Ok(Self {
            invoice,
            refunds,
            disputes,
            reversals,
            sold: Parts::new(currency, minor),
        })
    }

    /// What went back, or is about to.
    fn gone(&self) -> Result<Parts, RefundError> {
        let refunds = self.refunds.iter();
        let refunds = refunds.filter(|one| one.state != RefundState::Failed);
        let taken = self.reversals.iter();
        let taken = taken.filter(|one| one.state != ReversalState::Undone);
        let parts = refunds.map(|one| &one.parts);
        let mut parts = parts.chain(taken.map(|one| &one.parts));
        let none = Parts::zero(self.invoice.total.currency());
        Ok(parts.try_fold(none, |sum, parts| sum.checked_add(parts))?)
    }

    /// What was paid and didn't go back.
    pub(super) fn left_to_refund(&self) -> Result<Money, RefundError> {
        Ok(self.invoice.total.checked_sub(self.gone()?.total()?)?)
    }

    /// Whether refunds gave all of it back.
    fn is_refunded(&self) -> Result<bool, RefundError> {
        let refunds = self.refunds.iter();
        let mut sent = refunds.filter(|one| one.state == RefundState::Succeeded);
        let none = Money::zero(self.invoice.total.currency());
        let sum = sent.try_fold(none, |sum, one| sum.checked_add(one.amount))?;
        Ok(sum == self.invoice.total)
    }

    fn note(&mut self, refund: &InvoiceRefund) {
        for one in self.refunds.iter_mut().filter(|one| one.id == refund.id) {
            *one = refund.clone();
        }
    }

    /// From which parts `amount` comes.
    pub(super) fn plan(&self, amount: Money) -> Result<Parts, RefundError> {
        Ok(ledger::give_back(&self.sold, &self.gone()?, amount)?)
    }
}

fn ask(cx: &mut Cx<'_>, wanted: &AskInvoiceRefund, by: By) -> Result<String, RefundError> {
    if wanted.note.chars().count() > MAX_NOTE {
        return Err(RefundError::NoteTooLong);
    }
    let (tenant, asker) = (cx.caller.tenant, cx.caller.account);
    let book = UsageBook::open(cx, wanted.invoice)?;
    if by == By::Seller && asker != Some(book.invoice.seller) {
        return Err(RefundError::NoInvoice);
    }
    let paid = book
        .invoice
        .payment
        .filter(|_| book.invoice.state == State::Paid);
    let payment = match paid {
        Some(id) => payments::by_id(cx.tx, tenant, id)?,
        None => None,
    };
    let payment = payment.ok_or(RefundError::InvoiceOpen)?;
    if book.is_disputed() {
        return Err(RefundError::Disputed);
    }
    if book.refunds.len() >= MAX_REFUNDS {
        return Err(RefundError::TooMany);
    }
    let left = book.left_to_refund()?;
    if let (By::Seller, Some(seller)) = (by, asker)
        && !ledger::may_refund(cx.tx, tenant, seller, left.currency())?
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
    let amount = Money::new(minor, left.currency());
    let refund = InvoiceRefund {
        reason: wanted.reason,
        note: wanted.note.trim().to_owned(),
        by,
        asked_by: asker,
        ..new(cx, (&book, &payment), amount, book.plan(amount)?)
    };
    sql::insert(cx.tx, tenant, &refund)?;
    let refund = refund.id.to_string();
    let payload = SendPayload {
        refund: refund.clone(),
    };
    crate::queue::enqueue(cx, SEND_JOB, &payload, cx.now)?;
    Ok(refund)
}

/// A refund that was made at the provider, until it is said otherwise.
fn new(
    cx: &mut Cx<'_>,
    (book, payment): (&UsageBook, &Payment),
    amount: Money,
    parts: Parts,
) -> InvoiceRefund {
    InvoiceRefund {
        id: cx.make_id(RefundId::from_bytes),
        invoice: book.invoice.id,
        payment: payment.id,
        provider: payment.provider.clone(),
        provider_refund: None,
        amount,
        parts,
        fee_returned: false,
        from_held: Money::zero(amount.currency()),
        state: RefundState::Requested,
        reason: Reason::Other,
        note: String::new(),
        by: By::Provider,
        asked_by: None,
        failure_code: None,
        requested_at: cx.now,
        settled_at: None,
    }
}

fn key(refund: RefundId) -> String {
    format!("refund:{refund}")
}

/// The provider sent the money: everything that follows, once.
pub(super) fn succeed(
    cx: &mut Cx<'_>,
    refund: &InvoiceRefund,
) -> Result<&'static str, RefundError> {
    if refund.state != RefundState::Requested {
        return Ok("unchanged");
    }
    let mut book = UsageBook::open(cx, refund.invoice)?;
    let fees = ops::fees(&book.disputes, (refund.by, refund.reason));
    let borne = fees.borne_by_seller(&refund.parts)?;
    let refund = InvoiceRefund {
        state: RefundState::Succeeded,
        settled_at: Some(cx.now),
        fee_returned: fees == Fees::Returned,
        from_held: ledger::take_held(cx, &posted_as(refund.invoice), borne)?,
        ..refund.clone()
    };
    sql::keep(cx.tx, cx.caller.tenant, &refund)?;
    let sides = Sides {
        parts: &refund.parts,
        fee_returned: refund.fee_returned,
        from_held: refund.from_held,
    };
    let postings = effect::postings_of(&sides, book.invoice.seller, borne)?;
    let posting = (&*key(refund.id), ledger::Reason::Refund);
    effect::post(cx, refund.invoice, posting, postings)?;
    note_tax(cx, (refund.invoice, &key(refund.id)), &refund.parts, false)?;
    let credit = invoicing::NewUsageCredit {
        invoice: &book.invoice,
        cause: &refund.id.to_string(),
        reason: refund.reason.code(),
        note: &refund.note,
        amount: refund.amount,
        tax: refund.parts.get(Part::Tax),
    };
    invoicing::credit_usage(cx, &credit)?;
    book.note(&refund);
    if book.is_refunded()? {
        disputes::prevent(cx, &book.disputes)?;
    }
    tell(cx, &refund, "refund.created")?;
    Ok("refunded")
}

/// The money didn't go, or came back: the books are as if nothing had been.
pub(super) fn fail(
    cx: &mut Cx<'_>,
    refund: &InvoiceRefund,
    code: Option<&str>,
) -> Result<&'static str, RefundError> {
    if refund.state == RefundState::Failed {
        return Ok("unchanged");
    }
    let had_gone = refund.state == RefundState::Succeeded;
    let refund = InvoiceRefund {
        state: RefundState::Failed,
        settled_at: Some(cx.now),
        failure_code: code.map(str::to_owned),
        ..refund.clone()
    };
    sql::keep(cx.tx, cx.caller.tenant, &refund)?;
    if had_gone {
        let (cause, source) = (refund.id.to_string(), posted_as(refund.invoice));
        ledger::reverse_key(cx, &key(refund.id), &refund.invoice.to_string())?;
        ledger::put_back(cx, &source, refund.from_held, &cause)?;
        note_tax(cx, (refund.invoice, &key(refund.id)), &refund.parts, true)?;
        invoicing::take_back(cx, &cause)?;
    }
    let mut book = UsageBook::open(cx, refund.invoice)?;
    if book.is_disputed() {
        book.freeze(cx)?;
    }
    disputes::make_good(cx, &mut book)?;
    tell(cx, &refund, "refund.failed")?;
    Ok("refund_failed")
}

/// Keeps what tax went back with what was posted under a key; undoing it is the same as less than
/// nothing.
pub(super) fn note_tax(
    cx: &mut Cx<'_>,
    (invoice, key): (InvoiceId, &str),
    parts: &Parts,
    undone: bool,
) -> Result<(), RefundError> {
    let Some((tax, _)) = taxes::of_invoice(cx.tx, cx.caller.tenant, invoice)? else {
        return Ok(());
    };
    let amount = parts.get(Part::Tax);
    let base = parts.total()?.checked_sub(amount)?;
    let (sign, base, amount) = match undone {
        false => ("", base, amount),
        true => ("undone:", base.checked_neg()?, amount.checked_neg()?),
    };
    let movement = Movement {
        source: format!("{sign}{key}:{invoice}"),
        way: Way::Refund,
        tax: &tax,
        base,
        amount,
    };
    Ok(taxes::note(cx, &movement)?)
}

fn tell(cx: &mut Cx<'_>, refund: &InvoiceRefund, fact: &'static str) -> Result<(), RefundError> {
    let about = serde_json::json!({
        "invoice": refund.invoice.to_string(),
        "amount_minor": refund.amount.minor(),
        "currency": refund.amount.currency().code(),
        "reason": refund.reason.code(),
        "by": refund.by.code(),
        "failure_code": refund.failure_code,
    });
    crate::events::record(cx, fact, &refund.id.to_string(), &about)?;
    Ok(())
}

/// Acts on what a provider tells of a refund of an invoice's payment.
pub(super) fn hear(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    (payment, invoice): (&Payment, InvoiceId),
    name: &str,
) -> Result<Heard, RefundError> {
    let tenant = cx.caller.tenant;
    let failed = event.kind == EventKind::RefundFailed;
    let code = event.failure_code.as_deref();
    let ours = event.object_reference.as_deref().map(RefundId::parse);
    let known = match ours {
        Some(Ok(id)) => sql::find(cx.tx, (tenant, id))?,
        _ => sql::at_provider(cx.tx, tenant, (&event.provider, name))?,
    };
    if let Some(refund) = known {
        sql::name(cx.tx, (tenant, refund.id), name)?;
        return Ok(Heard::Done(match failed {
            true => fail(cx, &refund, code)?,
            false => succeed(cx, &refund)?,
        }));
    }
    mirror(cx, event, (payment, invoice), name)
}

/// Writes a refund that was made at the provider, and lets it take effect; one that failed before
/// it was told to have succeeded is kept as failed.
fn mirror(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    (payment, invoice): (&Payment, InvoiceId),
    name: &str,
) -> Result<Heard, RefundError> {
    if payment.state != PaymentState::Succeeded {
        return Ok(Heard::Attention("refund_of_unpaid"));
    }
    let book = UsageBook::open(cx, invoice)?;
    if book.invoice.payment != Some(payment.id) {
        // A second payment of an invoice that another one paid: nothing of it was posted.
        return Ok(Heard::Attention("refund_of_unposted"));
    }
    let (left, amount) = (book.left_to_refund()?, event.amount);
    if amount.currency() != left.currency() || amount.minor() <= 0 {
        return Ok(Heard::Attention("refund_amount_differs"));
    }
    let failed = event.kind == EventKind::RefundFailed;
    if amount.minor() > left.minor() && !failed {
        return Err(RefundError::Early { left });
    }
    let parts = match failed {
        true => Parts::zero(amount.currency()),
        false => book.plan(amount)?,
    };
    let mut refund = new(cx, (&book, payment), amount, parts);
    refund.provider_refund = Some(name.to_owned());
    if failed {
        refund.state = RefundState::Failed;
        refund.failure_code.clone_from(&event.failure_code);
        refund.settled_at = Some(cx.now);
    }
    sql::insert(cx.tx, cx.caller.tenant, &refund)?;
    match failed {
        true => Ok(Heard::Done("refund_failed")),
        false => succeed(cx, &refund).map(Heard::Done),
    }
}
