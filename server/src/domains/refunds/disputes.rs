//! Disputes: a bank's question about a payment, as its provider tells of it.

use super::effect::{self, Book, Taking};
use super::model::{
    Dispute, DisputeEvent, DisputeState, LineReversal, RefundError, ReversalState, next_state,
};
use super::ops::Heard;
use super::{papers, sql};
use crate::app::Cx;
use crate::domains::fees;
use crate::domains::ledger::{self, Account, AccountKind, Fees, Part, Posting};
use crate::domains::payments::{EventKind, Payment, PaymentEvent};
use crate::store::{StoreError, Tx};
use mintreu::Money;
use mintreu::id::{AccountId, DisputeId, OrderId, TenantId};

/// Acts on what a provider tells of a dispute; what is older than what is known changes nothing.
pub(super) fn hear(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    (payment, order): (&Payment, OrderId),
    name: &str,
) -> Result<Heard, RefundError> {
    let Some(what) = meaning(event.kind) else {
        return Ok(Heard::Done("noted"));
    };
    let key = (event.provider.as_str(), name);
    let known = sql::dispute_at_provider(cx.tx, cx.caller.tenant, key)?;
    let Some(next) = next_state(known.as_ref().map(|one| one.state), what) else {
        return Ok(Heard::Done("unchanged"));
    };
    if known.as_ref().is_some_and(|one| is_stale(one, event)) {
        return Ok(Heard::Done("unchanged"));
    }
    let mut book = Book::open(cx, order)?;
    let sound = event.amount.currency() == book.order.total.currency()
        && event.amount.minor() > 0
        && book.order.paid_at.is_some();
    if !sound {
        return Ok(Heard::Attention("dispute_differs"));
    }
    let (dispute, before) = match known {
        Some(dispute) => (dispute.clone(), Some(dispute.state)),
        None => (begin(cx, event, (payment, order), name), None),
    };
    change(cx, &mut book, (dispute, before), next, event)
}

const fn meaning(kind: EventKind) -> Option<DisputeEvent> {
    Some(match kind {
        EventKind::DisputeWarned => DisputeEvent::Warned,
        EventKind::DisputeInquired => DisputeEvent::Inquired,
        EventKind::DisputeOpened => DisputeEvent::Opened,
        EventKind::DisputeWon => DisputeEvent::Won,
        EventKind::DisputeLost => DisputeEvent::Lost,
        _ => return None,
    })
}

/// An event of the past; a decision is only overturned by a later one.
fn is_stale(dispute: &Dispute, event: &PaymentEvent) -> bool {
    let decided = matches!(dispute.state, DisputeState::Won | DisputeState::Lost);
    event.occurred_at < dispute.told_at || (decided && event.occurred_at == dispute.told_at)
}

fn begin(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    (payment, order): (&Payment, OrderId),
    name: &str,
) -> Dispute {
    Dispute {
        id: cx.make_id(DisputeId::from_bytes),
        order,
        payment: payment.id,
        provider: event.provider.clone(),
        provider_dispute: name.to_owned(),
        amount: event.amount,
        state: DisputeState::Warning,
        reason: event.failure_code.clone(),
        rounds: 0,
        evidence_due_at: event.evidence_due_at,
        told_at: event.occurred_at,
        opened_at: cx.now,
        closed_at: None,
    }
}

/// One dispute, whoever asks: the caller of this function knows who may.
pub fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: DisputeId,
) -> Result<Option<Dispute>, StoreError> {
    sql::queue::find(tx, tenant, id)
}

/// Moves a dispute, with all that follows.
fn change(
    cx: &mut Cx<'_>,
    book: &mut Book,
    (mut dispute, before): (Dispute, Option<DisputeState>),
    next: DisputeState,
    event: &PaymentEvent,
) -> Result<Heard, RefundError> {
    let had_money = before.is_some_and(DisputeState::has_money);
    dispute.state = next;
    dispute.amount = event.amount;
    dispute.told_at = event.occurred_at;
    if next.is_open() {
        dispute.evidence_due_at = event.evidence_due_at;
    }
    dispute.closed_at = (!next.is_open() && next != DisputeState::Warning).then_some(cx.now);
    let takes = next.has_money() && !had_money;
    dispute.rounds += i64::from(takes);
    keep(cx, book, (&dispute, before.is_none()))?;
    if next.is_open() || takes {
        effect::freeze(cx, book)?;
    }
    if takes {
        take(cx, book, &dispute)?;
    }
    match (next, before) {
        (DisputeState::Lost, _) => lose(cx, book, &dispute)?,
        (DisputeState::Won, Some(before)) if before.has_money() => {
            give_back(cx, book, &dispute)?;
        }
        _ => {}
    }
    effect::thaw(cx, book)?;
    effect::follow(cx, book)?;
    tell(cx, &dispute)?;
    Ok(match missing(book, &dispute)?.minor() {
        ..=0 => Heard::Done(dispute.state.code()),
        // More than was left. A refund that fails later makes it good; otherwise somebody must.
        _ => Heard::Attention("dispute_exceeds_payment"),
    })
}

fn keep(
    cx: &mut Cx<'_>,
    book: &mut Book,
    (dispute, new): (&Dispute, bool),
) -> Result<(), RefundError> {
    let tenant = cx.caller.tenant;
    if new {
        sql::insert_dispute(cx.tx, tenant, dispute)?;
        book.disputes.push(dispute.clone());
        return Ok(());
    }
    sql::move_dispute(cx.tx, tenant, dispute)?;
    for one in book.disputes.iter_mut().filter(|one| one.id == dispute.id) {
        *one = dispute.clone();
    }
    Ok(())
}

/// The ledger's keys of what a dispute moves.
struct Keys {
    money: String,
    cost: String,
    cost_back: String,
    fee: String,
}

impl Keys {
    fn of(cause: &str) -> Self {
        Self {
            money: format!("dispute:{cause}"),
            cost: format!("dispute_cost:{cause}"),
            cost_back: format!("dispute_cost_back:{cause}"),
            fee: format!("dispute_fee:{cause}"),
        }
    }
}

/// What is taken for a dispute just now, by cause: mostly one, and one more for each time that
/// something was missing before.
fn taken<'a>(
    book: &'a Book,
    dispute: &'a Dispute,
) -> impl Iterator<Item = &'a LineReversal> + use<'a> {
    let of_dispute = book.reversals.iter().filter(|one| one.is_of(dispute));
    of_dispute.filter(|one| one.state == ReversalState::Taken)
}

fn causes(book: &Book, dispute: &Dispute) -> Vec<String> {
    let mut causes: Vec<_> = taken(book, dispute).map(|one| one.cause.clone()).collect();
    causes.dedup();
    causes
}

/// What the bank has and was not taken: a refund was under way when it took the money.
fn missing(book: &Book, dispute: &Dispute) -> Result<Money, RefundError> {
    let none = Money::zero(dispute.amount.currency());
    if !dispute.state.has_money() {
        return Ok(none);
    }
    taken(book, dispute).try_fold(dispute.amount, |missing, one| {
        Ok(missing.checked_sub(one.parts.total()?)?)
    })
}

/// A refund failed or a dispute was won, so that there is more left than when a bank took its
/// money: what was missing then is taken now.
pub(super) fn make_good(cx: &mut Cx<'_>, book: &mut Book) -> Result<(), RefundError> {
    for mut dispute in book.disputes.clone() {
        let left = book.left_of(&book.order.lines)?;
        if missing(book, &dispute)?.minor() <= 0 || left.minor() <= 0 {
            continue;
        }
        dispute.rounds += 1;
        keep(cx, book, (&dispute, false))?;
        take(cx, book, &dispute)?;
        if dispute.state == DisputeState::Lost {
            lose(cx, book, &dispute)?;
        }
    }
    Ok(())
}

/// The bank took the money and the provider its fee: the seller bears both, and the platform keeps
/// its own fee until the bank decides.
fn take(cx: &mut Cx<'_>, book: &mut Book, dispute: &Dispute) -> Result<(), RefundError> {
    let lines = book.order.lines.clone();
    let left = book.left_of(&lines)?;
    let minor = missing(book, dispute)?.minor().min(left.minor());
    if minor <= 0 {
        return Ok(());
    }
    let currency = left.currency();
    // What a dispute costs is charged once, however often it takes.
    let cost = match taken(book, dispute).next() {
        Some(_) => Money::zero(currency),
        None => fees::dispute_fee(cx.tx, cx.caller.tenant, currency)?,
    };
    let amounts = (Money::new(minor, currency), cost);
    let cause = dispute.cause();
    let planned = effect::plan(book, &lines, amounts, &cause)?;
    effect::reserve(cx, book, planned)?;
    let keys = Keys::of(&cause);
    let taking = Taking {
        cause: &cause,
        key: keys.money,
        reason: ledger::Reason::Chargeback,
        fees: Fees::Kept,
    };
    effect::take(cx, book, &taking)?;
    let costs = sides(book, &cause, |one, seller| {
        let releasable = Account::of(AccountKind::SellerReleasable, seller);
        Ok((
            releasable,
            Account::platform(AccountKind::PspClearing),
            one.cost,
        ))
    })?;
    effect::post(
        cx,
        book.order.id,
        (&keys.cost, ledger::Reason::DisputeFee),
        costs,
    )?;
    Ok(())
}

/// The bank gave the money back: so does everybody. What the provider took for its work it keeps,
/// and the platform bears it.
fn give_back(cx: &mut Cx<'_>, book: &mut Book, dispute: &Dispute) -> Result<(), RefundError> {
    for cause in causes(book, dispute) {
        give_cause_back(cx, book, &cause)?;
        papers::take_back(cx, &cause)?;
    }
    make_good(cx, book)
}

fn give_cause_back(cx: &mut Cx<'_>, book: &mut Book, cause: &str) -> Result<(), RefundError> {
    let keys = Keys::of(cause);
    ledger::reverse_key(cx, &keys.fee, &book.order.id.to_string())?;
    effect::undo(cx, book, (cause, &keys.money))?;
    let costs = sides(book, cause, |one, seller| {
        let releasable = Account::of(AccountKind::SellerReleasable, seller);
        Ok((
            Account::platform(AccountKind::DisputeCost),
            releasable,
            one.cost,
        ))
    })?;
    effect::post(
        cx,
        book.order.id,
        (&keys.cost_back, ledger::Reason::DisputeFee),
        costs,
    )?;
    Ok(())
}

/// The bank keeps the money: the platform gives its fee of the sale back to the seller, and the
/// buyer's invoice is credited with what each round took.
fn lose(cx: &mut Cx<'_>, book: &mut Book, dispute: &Dispute) -> Result<(), RefundError> {
    for cause in causes(book, dispute) {
        give_fee_of(cx, book, &cause)?;
        papers::credit(cx, book, &cause, ("chargeback", ""))?;
    }
    Ok(())
}

fn give_fee_of(cx: &mut Cx<'_>, book: &mut Book, cause: &str) -> Result<(), RefundError> {
    let keys = Keys::of(cause);
    for one in book.reversals.iter_mut().filter(|one| one.cause == cause) {
        one.fee_returned = true;
        sql::update_reversal(cx.tx, cx.caller.tenant, one)?;
    }
    let fees = sides(book, cause, |one, seller| {
        let releasable = Account::of(AccountKind::SellerReleasable, seller);
        let fee = one.parts.get(Part::PlatformFee);
        Ok((Account::platform(AccountKind::PlatformFee), releasable, fee))
    })?;
    effect::post(
        cx,
        book.order.id,
        (&keys.fee, ledger::Reason::FeeReturn),
        fees,
    )?;
    Ok(())
}

/// From one account to another, for each line that a cause took from: debit, credit, how much.
fn sides(
    book: &Book,
    cause: &str,
    side: impl Fn(&LineReversal, AccountId) -> Result<(Account, Account, Money), RefundError>,
) -> Result<Vec<Posting>, RefundError> {
    let mut postings = Vec::new();
    for one in book.reversals.iter().filter(|one| one.cause == cause) {
        let line = book.order.lines.iter().find(|line| line.id == one.line);
        let line = line.ok_or(RefundError::NotFound)?;
        let (debit, credit, amount) = side(one, line.seller)?;
        postings.push(Posting {
            account: debit,
            amount,
        });
        postings.push(Posting {
            account: credit,
            amount: amount.checked_neg()?,
        });
    }
    Ok(postings)
}

/// A payment that was warned of and is refunded in full won't be charged back.
pub(super) fn prevent(cx: &mut Cx<'_>, book: &Book) -> Result<(), RefundError> {
    for dispute in &book.disputes {
        if let Some(state) = next_state(Some(dispute.state), DisputeEvent::Refunded) {
            let prevented = Dispute {
                state,
                closed_at: Some(cx.now),
                ..dispute.clone()
            };
            sql::move_dispute(cx.tx, cx.caller.tenant, &prevented)?;
            tell(cx, &prevented)?;
        }
    }
    Ok(())
}

fn tell(cx: &mut Cx<'_>, dispute: &Dispute) -> Result<(), RefundError> {
    let fact = match dispute.state {
        DisputeState::Warning => "dispute.warned",
        DisputeState::Inquiry | DisputeState::Chargeback => "dispute.opened",
        DisputeState::Won => "dispute.won",
        DisputeState::Lost => "dispute.lost",
        DisputeState::Prevented => "dispute.prevented",
    };
    let about = serde_json::json!({
        "order": dispute.order.to_string(),
        "stage": dispute.state.code(),
        "amount_minor": dispute.amount.minor(),
        "currency": dispute.amount.currency().code(),
        "reason": dispute.reason,
        "evidence_due_at": dispute.evidence_due_at.map(mintreu::Timestamp::ms),
    });
    crate::events::record(cx, fact, &dispute.id.to_string(), &about)?;
    Ok(())
}
