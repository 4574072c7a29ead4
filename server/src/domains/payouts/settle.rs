//! What a provider says of a payout: kept first, then settled once.

use super::model::{EventKind, Payout, PayoutError, State, Step, next_state};
use super::sql;
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::ledger::{self, Account, AccountKind, Balanced, Posting, Reason};
use crate::gateways::PayoutEvent;
use mintreu::id::PayoutEventId;
use serde::{Deserialize, Serialize};

/// The job that decides what an event means.
pub const SETTLE_JOB: &str = "payouts.settle_event";

/// An event whose signature was checked.
#[derive(Debug, Clone)]
pub struct ReceivePayoutEvent {
    /// Who sent it.
    pub provider: &'static str,
    /// What it says.
    pub event: PayoutEvent,
}

impl Command for ReceivePayoutEvent {
    const NAME: &'static str = "payouts.receive_event";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.event.payout.to_string())
    }
}

/// The payload of [`SETTLE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SettlePayload {
    /// The event's id.
    pub payout_event: String,
}

/// Writes an event and its job once, and nothing else; whether it is new.
pub fn receive_event(cx: &mut Cx<'_>, cmd: &ReceivePayoutEvent) -> Result<bool, PayoutError> {
    let id = cx.make_id(PayoutEventId::from_bytes);
    let origin = (cx.caller.tenant, cmd.provider);
    if !sql::events::insert(cx.tx, origin, id, &cmd.event, cx.now)? {
        return Ok(false);
    }
    let payload = SettlePayload {
        payout_event: id.to_string(),
    };
    crate::queue::enqueue(cx, SETTLE_JOB, &payload, cx.now)?;
    Ok(true)
}

/// The job: one event of the inbox, once.
pub fn settle_event(cx: &mut Cx<'_>, job: &SettlePayload) -> Result<(), PayoutError> {
    let id = PayoutEventId::parse(&job.payout_event).map_err(PayoutError::Payload)?;
    let tenant = cx.caller.tenant;
    let found = sql::events::find(cx.tx, tenant, id)?;
    let (event, settled) = found.ok_or(PayoutError::NotFound)?;
    if settled {
        return Ok(());
    }
    let outcome = decide(cx, &event)?;
    if matches!(outcome, "payout_unknown" | "amount_differs" | "contradicts") {
        let about = serde_json::json!({ "event": id.to_string(), "why": outcome });
        crate::events::record(
            cx,
            "payout.needs_attention",
            &event.payout.to_string(),
            &about,
        )?;
    }
    Ok(sql::events::settle(cx.tx, tenant, id, outcome, cx.now)?)
}

/// What came of the event, as it is kept with it.
fn decide(cx: &mut Cx<'_>, event: &PayoutEvent) -> Result<&'static str, PayoutError> {
    let Some(mut payout) = sql::payouts::find(cx.tx, cx.caller.tenant, event.payout)? else {
        return Ok("payout_unknown");
    };
    if payout.amount != event.amount {
        return Ok("amount_differs");
    }
    let known = payout.failure_code.take();
    payout.failure_code = event.failure_code.clone().or(known);
    Ok(match apply(cx, &mut payout, event.kind)? {
        Settled::Moved => payout.state.code(),
        Settled::Stayed => "unchanged",
        Settled::Contradicts => "contradicts",
    })
}

/// What became of a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    /// It moved, and the books with it.
    Moved,
    /// Nothing changed.
    Stayed,
    /// Nothing changed, and somebody must look.
    Contradicts,
}

/// Moves the payout and the books in this commit.
pub(super) fn apply(
    cx: &mut Cx<'_>,
    payout: &mut Payout,
    event: EventKind,
) -> Result<Settled, PayoutError> {
    let to = match next_state(payout.state, event) {
        Step::Move(to) => to,
        Step::Stay => return Ok(Settled::Stayed),
        Step::Refuse => return Ok(Settled::Contradicts),
    };
    let posted = postings(payout, to)?;
    ledger::post(cx, &posted)?;
    payout.state = to;
    match to {
        State::Paid => payout.paid_at = Some(cx.now),
        _ => payout.ended_at = Some(cx.now),
    }
    sql::payouts::update(cx.tx, cx.caller.tenant, payout, cx.now)?;
    let kind = match to {
        State::Paid => "payout.paid",
        State::Returned => "payout.returned",
        State::Reversed => "payout.reversed",
        _ => "payout.failed",
    };
    crate::events::record(cx, kind, &payout.id.to_string(), &payout.told())?;
    Ok(Settled::Moved)
}

/// Paid: it is no longer on its way and no longer at the provider. Back: from where it is to the
/// seller's balance.
fn postings(payout: &Payout, to: State) -> Result<Balanced, ledger::LedgerError> {
    let amount = payout.amount;
    let transit = Account::of(AccountKind::PayoutsInTransit, payout.seller);
    let clearing = Account::platform(AccountKind::PspClearing);
    let (from, onto, reason, word) = match (payout.state, to) {
        (_, State::Paid) => (transit, clearing, Reason::PayoutPaid, "payout_paid"),
        (State::Paid, _) => (clearing, balance(payout), Reason::PayoutBack, "payout_back"),
        _ => (transit, balance(payout), Reason::PayoutBack, "payout_back"),
    };
    let postings = vec![
        Posting {
            account: from,
            amount,
        },
        Posting {
            account: onto,
            amount: amount.checked_neg()?,
        },
    ];
    let key = format!("{word}:{}", payout.id);
    Balanced::new(key, reason, payout.id.to_string(), postings)
}

fn balance(payout: &Payout) -> Account {
    Account::of(AccountKind::SellerReleasable, payout.seller)
}
