//! Disputes: a bank's question about a payment, as its provider tells of it.

use super::disputed::{Disputed, Share, open};
use super::effect::{self, Taking};
use super::model::{Dispute, DisputeEvent, DisputeState, PaidFor, RefundError, next_state};
use super::ops::Heard;
use super::{papers, sql};
use crate::app::Cx;
use crate::domains::fees;
use crate::domains::ledger::{self, Account, AccountKind, Fees, Posting};
use crate::domains::payments::{EventKind, Payment, PaymentEvent};
use crate::store::{StoreError, Tx};
use mintreu::Money;
use mintreu::id::{DisputeId, TenantId};

/// Acts on what a provider tells of a dispute; what is older than what is known changes nothing.
pub(super) fn hear(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
    (payment, of): (&Payment, PaidFor),
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
    let mut book = open(cx, of)?;
    let sound = event.amount.currency() == book.left()?.currency()
        && event.amount.minor() > 0
        && book.is_paid_by(payment);
    if !sound {
        return Ok(Heard::Attention("dispute_differs"));
    }
    let (dispute, before) = match known {
        Some(dispute) => (dispute.clone(), Some(dispute.state)),
        None => (begin(cx, event, (payment, of), name), None),
    };
    change(cx, &mut *book, (dispute, before), next, event)
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
    (payment, of): (&Payment, PaidFor),
    name: &str,
) -> Dispute {
    Dispute {
        id: cx.make_id(DisputeId::from_bytes),
        of,
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
    book: &mut dyn Disputed,
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
        book.freeze(cx)?;
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
    book.thaw(cx)?;
    book.follow(cx)?;
    tell(cx, &dispute)?;
    Ok(match missing(book, &dispute)?.minor() {
        ..=0 => Heard::Done(dispute.state.code()),
        // More than was left. A refund that fails later makes it good; otherwise somebody must.
        _ => Heard::Attention("dispute_exceeds_payment"),
    })
}

fn keep(
    cx: &mut Cx<'_>,
    book: &mut dyn Disputed,
    (dispute, new): (&Dispute, bool),
) -> Result<(), RefundError> {
    let tenant = cx.caller.tenant;
    if new {
        sql::insert_dispute(cx.tx, tenant, dispute)?;
        book.disputes_mut().push(dispute.clone());
        return Ok(());
    }
    sql::move_dispute(cx.tx, tenant, dispute)?;
    for one in book
        .disputes_mut()
        .iter_mut()
        .filter(|one| one.id == dispute.id)
    {
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

fn causes(book: &dyn Disputed, dispute: &Dispute) -> Result<Vec<String>, RefundError> {
    let mut causes: Vec<_> = book.taken(dispute)?.into_iter().map(|one| one.0).collect();
    causes.dedup();
    Ok(causes)
}

/// What the bank has and was not taken: a refund was under way when it took the money.
fn missing(book: &dyn Disputed, dispute: &Dispute) -> Result<Money, RefundError> {
    let none = Money::zero(dispute.amount.currency());
    if !dispute.state.has_money() {
        return Ok(none);
    }
    let taken = book.taken(dispute)?.into_iter();
    Ok(taken
        .map(|one| one.1)
        .try_fold(dispute.amount, |left, one| left.checked_sub(one))?)
}

/// A refund failed or a dispute was won, so that there is more left than when a bank took its
/// money: what was missing then is taken now.
pub(super) fn make_good(cx: &mut Cx<'_>, book: &mut dyn Disputed) -> Result<(), RefundError> {
    for mut dispute in book.disputes().to_vec() {
        let left = book.left()?;
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
fn take(cx: &mut Cx<'_>, book: &mut dyn Disputed, dispute: &Dispute) -> Result<(), RefundError> {
    let left = book.left()?;
    let minor = missing(book, dispute)?.minor().min(left.minor());
    if minor <= 0 {
        return Ok(());
    }
    let currency = left.currency();
    // What a dispute costs is charged once, however often it takes.
    let cost = match book.taken(dispute)?.is_empty() {
        false => Money::zero(currency),
        true => fees::dispute_fee(cx.tx, cx.caller.tenant, currency)?,
    };
    let amounts = (Money::new(minor, currency), cost);
    let cause = dispute.cause();
    let keys = Keys::of(&cause);
    let taking = Taking {
        cause: &cause,
        key: keys.money,
        reason: ledger::Reason::Chargeback,
        fees: Fees::Kept,
    };
    book.take(cx, &taking, amounts)?;
    let costs = sides(book, &cause, |share| {
        let psp = Account::platform(AccountKind::PspClearing);
        (releasable(share), psp, share.cost)
    })?;
    effect::post(
        cx,
        book.of(),
        (&keys.cost, ledger::Reason::DisputeFee),
        costs,
    )?;
    Ok(())
}

/// The bank gave the money back: so does everybody. What the provider took for its work it keeps,
/// and the platform bears it.
fn give_back(
    cx: &mut Cx<'_>,
    book: &mut dyn Disputed,
    dispute: &Dispute,
) -> Result<(), RefundError> {
    for cause in causes(book, dispute)? {
        give_cause_back(cx, book, &cause)?;
        papers::take_back(cx, &cause)?;
    }
    make_good(cx, book)
}

fn give_cause_back(
    cx: &mut Cx<'_>,
    book: &mut dyn Disputed,
    cause: &str,
) -> Result<(), RefundError> {
    let keys = Keys::of(cause);
    ledger::reverse_key(cx, &keys.fee, &book.of().to_string())?;
    book.undo(cx, (cause, &keys.money))?;
    let costs = sides(book, cause, |share| {
        let cost = Account::platform(AccountKind::DisputeCost);
        (cost, releasable(share), share.cost)
    })?;
    effect::post(
        cx,
        book.of(),
        (&keys.cost_back, ledger::Reason::DisputeFee),
        costs,
    )?;
    Ok(())
}

/// The bank keeps the money: the platform gives its fee of the sale back to the seller, and the
/// buyer's invoice is credited with what each round took.
fn lose(cx: &mut Cx<'_>, book: &mut dyn Disputed, dispute: &Dispute) -> Result<(), RefundError> {
    for cause in causes(book, dispute)? {
        give_fee_of(cx, book, &cause)?;
        book.credit(cx, &cause)?;
    }
    Ok(())
}

fn give_fee_of(cx: &mut Cx<'_>, book: &mut dyn Disputed, cause: &str) -> Result<(), RefundError> {
    let keys = Keys::of(cause);
    book.return_fee(cx, cause)?;
    let fees = sides(book, cause, |share| {
        let fee = Account::platform(AccountKind::PlatformFee);
        (fee, releasable(share), share.platform_fee)
    })?;
    effect::post(cx, book.of(), (&keys.fee, ledger::Reason::FeeReturn), fees)?;
    Ok(())
}

fn releasable(share: &Share) -> Account {
    Account::of(AccountKind::SellerReleasable, share.seller)
}

/// From one account to another, for each share that a cause took from: debit, credit, how much.
fn sides(
    book: &dyn Disputed,
    cause: &str,
    side: impl Fn(&Share) -> (Account, Account, Money),
) -> Result<Vec<Posting>, RefundError> {
    let mut postings = Vec::new();
    for share in book.shares(cause)? {
        let (debit, credit, amount) = side(&share);
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
pub(super) fn prevent(cx: &mut Cx<'_>, disputes: &[Dispute]) -> Result<(), RefundError> {
    for dispute in disputes {
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
        "order": dispute.of.order().map(|order| order.to_string()),
        "invoice": dispute.of.invoice().map(|invoice| invoice.to_string()),
        "stage": dispute.state.code(),
        "amount_minor": dispute.amount.minor(),
        "currency": dispute.amount.currency().code(),
        "reason": dispute.reason,
        "evidence_due_at": dispute.evidence_due_at.map(mintreu::Timestamp::ms),
    });
    crate::events::record(cx, fact, &dispute.id.to_string(), &about)?;
    Ok(())
}
