//! The owner's queue of disputes: what waits for a decision, and one decision at a time.
//!
//! A decision belongs to where the dispute stands: when the bank moves it, it waits again. Only a
//! refund of what a bank warned of moves money; the other decisions say what the owner means to
//! tell the provider, and why.

use super::model::{Dispute, DisputeState, MAX_NOTE, PaidFor, Reason, RefundError};
use super::ops::{AskRefund, RefundOrder, refund_order};
use super::sql::queue as sql;
use super::usage::{AskInvoiceRefund, RefundInvoice, refund_invoice};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use mintreu::Timestamp;
use mintreu::id::{AccountId, DisputeId};

/// Most rows of one page.
const MAX_ROWS: i64 = 50;

/// What the owner does about a dispute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// All of the order goes back as a fraud, before the bank takes it.
    Refund,
    /// Nothing: the sale is trusted.
    Leave,
    /// The bank is told why the sale was right.
    Contest,
    /// The bank's word is taken.
    Accept,
}

impl Decision {
    /// Every decision.
    pub const ALL: [Self; 4] = [Self::Refund, Self::Leave, Self::Contest, Self::Accept];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Refund => "refund",
            Self::Leave => "leave",
            Self::Contest => "contest",
            Self::Accept => "accept",
        }
    }

    /// Reads what [`Decision::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.code() == code)
    }

    /// What can be decided while a dispute stands there; what is over needs no decision.
    pub const fn of(state: DisputeState) -> &'static [Self] {
        match state {
            DisputeState::Warning => &[Self::Refund, Self::Leave],
            DisputeState::Inquiry | DisputeState::Chargeback => &[Self::Contest, Self::Accept],
            DisputeState::Won | DisputeState::Lost | DisputeState::Prevented => &[],
        }
    }
}

/// A decision that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Where the dispute stood.
    pub state: DisputeState,
    /// What was decided.
    pub decision: Decision,
    /// Why.
    pub reason: String,
    /// By whom.
    pub by: Option<AccountId>,
    /// When.
    pub at: Timestamp,
}

/// Asks for disputes.
#[derive(Debug, Clone, Copy, Default)]
pub struct QueueQuery {
    /// All of them, the newest first, instead of those that wait, the oldest first.
    pub all: bool,
    /// Where the page before ended.
    pub after: Option<DisputeId>,
}

/// A page of disputes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// At most fifty.
    pub disputes: Vec<Dispute>,
    /// What to ask for next.
    pub next: Option<DisputeId>,
}

fn must_own(cx: &ReadCx<'_>) -> Result<(), RefundError> {
    let capability = Capability::Administer;
    let signed_in = cx.caller.account.is_some();
    let denied = Denied {
        capability,
        signed_in,
    };
    match cx.caller.may(capability) {
        true => Ok(()),
        false => Err(denied.into()),
    }
}

/// Disputes that wait for a decision, or all of them. For the owner.
pub fn dispute_queue(cx: &mut ReadCx<'_>, query: &QueueQuery) -> Result<Queue, RefundError> {
    must_own(cx)?;
    let tenant = cx.caller.tenant;
    let after = query.after.map(|id| *id.as_bytes());
    let disputes = match query.all {
        true => sql::every(cx.tx, tenant, after.unwrap_or([0xff; 16]), MAX_ROWS)?,
        false => sql::waiting(cx.tx, tenant, after.unwrap_or([0; 16]), MAX_ROWS)?,
    };
    let full = i64::try_from(disputes.len()) == Ok(MAX_ROWS);
    let next = disputes.last().map(|one| one.id).filter(|_| full);
    Ok(Queue { disputes, next })
}

/// A dispute with what was decided about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queued {
    /// The dispute.
    pub dispute: Dispute,
    /// The oldest first.
    pub decided: Vec<Decided>,
    /// The next one that waits, when there is one.
    pub next: Option<DisputeId>,
}

/// One dispute. For the owner.
pub fn queued(cx: &mut ReadCx<'_>, id: &DisputeId) -> Result<Queued, RefundError> {
    must_own(cx)?;
    let tenant = cx.caller.tenant;
    let dispute = sql::find(cx.tx, tenant, *id)?.ok_or(RefundError::NotFound)?;
    let decided = sql::decisions(cx.tx, tenant, *id)?;
    let waiting = sql::waiting(cx.tx, tenant, [0; 16], 2)?;
    let next = waiting.iter().map(|one| one.id).find(|one| one != id);
    Ok(Queued {
        dispute,
        decided,
        next,
    })
}

/// Decides about a dispute as it stands.
#[derive(Debug, Clone)]
pub struct Decide {
    /// Which.
    pub dispute: DisputeId,
    /// Where the owner saw it: refused when it has moved since.
    pub seen: DisputeState,
    /// What.
    pub decision: Decision,
    /// Why, 1 to 500 characters.
    pub reason: String,
}

impl Command for Decide {
    const NAME: &'static str = "refunds.decide_dispute";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.dispute.to_string())
    }
}

/// Keeps the decision, and refunds what was paid when that is it. Deciding again while the dispute
/// stands there replaces the decision; a refund that was asked for goes its way.
pub fn decide(cx: &mut Cx<'_>, cmd: &Decide) -> Result<(), RefundError> {
    let tenant = cx.caller.tenant;
    let dispute = sql::find(cx.tx, tenant, cmd.dispute)?.ok_or(RefundError::NotFound)?;
    let offered = Decision::of(dispute.state).contains(&cmd.decision);
    if dispute.state != cmd.seen || !offered {
        return Err(RefundError::DisputeMoved(dispute.state));
    }
    let reason = cmd.reason.trim().to_owned();
    if !(1..=MAX_NOTE).contains(&reason.chars().count()) {
        return Err(RefundError::Reason);
    }
    if cmd.decision == Decision::Refund {
        refund(cx, dispute.of)?;
    }
    let decided = Decided {
        state: dispute.state,
        decision: cmd.decision,
        reason,
        by: cx.caller.account,
        at: cx.now,
    };
    Ok(sql::decide(cx.tx, (tenant, dispute.id), &decided, cx.now)?)
}

/// All of what a bank warns of goes back, as a fraud.
fn refund(cx: &mut Cx<'_>, of: PaidFor) -> Result<String, RefundError> {
    match of {
        PaidFor::Order(order) => {
            let wanted = AskRefund {
                order,
                line: None,
                amount_minor: None,
                reason: Reason::Fraud,
                note: String::new(),
                keeps_license: false,
                ends_subscription: true,
                seen_left_minor: None,
            };
            refund_order(cx, &RefundOrder(wanted))
        }
        PaidFor::Invoice(invoice) => {
            let wanted = AskInvoiceRefund {
                invoice,
                amount_minor: None,
                reason: Reason::Fraud,
                note: String::new(),
                seen_left_minor: None,
            };
            refund_invoice(cx, &RefundInvoice(wanted))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_can_be_decided_and_what_is_over_can_not() {
        for state in DisputeState::ALL {
            let open = state.is_open() || state == DisputeState::Warning;
            assert_eq!(!Decision::of(state).is_empty(), open, "{state:?}");
        }
        for one in Decision::ALL {
            assert_eq!(Decision::parse(one.code()), Some(one));
        }
    }
}
