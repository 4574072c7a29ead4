//! Orders whose money waits for somebody's look.
//!
//! A rule opens a review with the order; from its payment on the holds of its lines are frozen. The
//! owner lets them go or refunds, once; what the seller reads stands with the hold. A refund that takes
//! all of the money, whoever asked for it, ends the review too; money that comes back is held again.

use super::model::{Decision, RiskError};
use super::ops::must_own;
use super::sql::review as sql;
use crate::app::{Cx, ReadCx};
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, OrderId, TenantId};

/// The fact of a paid order whose money waits for a look.
pub const REVIEW_FACT: &str = "risk.review";

/// Why money is held, for its seller to read.
pub const HELD: &str = "held while the platform takes a closer look at this order";
/// The same once it was let go.
pub const LET_GO: &str = "held after the sale; the platform looked at this order and let it go";

/// Where a review stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReviewState {
    /// Nobody decided yet.
    Waiting,
    /// The money goes its usual way.
    Released,
    /// The buyer gets it back.
    Refunded,
}

impl ReviewState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Released, Self::Refunded];

    /// As stored and shown.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Released => "released",
            Self::Refunded => "refunded",
        }
    }

    /// Reads what [`ReviewState::code`] wrote.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// A paid order that waits, or waited, for somebody's look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// Which order.
    pub order: OrderId,
    /// Where it stands.
    pub state: ReviewState,
    /// The names of the rules.
    pub why: String,
    /// When its money came.
    pub paid_at: Timestamp,
    /// Who decided.
    pub decided_by: Option<AccountId>,
    /// When.
    pub decided_at: Option<Timestamp>,
    /// What they wrote.
    pub note: String,
}

/// Opens the review of an order that was placed; one that is open stays.
pub(super) fn open(cx: &mut Cx<'_>, order: OrderId, decision: &Decision) -> Result<(), StoreError> {
    sql::insert(cx.tx, cx.caller.tenant, (order, &decision.why()), cx.now)
}

/// The money of an order came: whether it is held for a review from now on.
pub fn begins(cx: &mut Cx<'_>, order: OrderId) -> Result<bool, StoreError> {
    let begun = sql::begin(cx.tx, cx.caller.tenant, order, cx.now)?;
    if begun {
        crate::events::record(cx, REVIEW_FACT, &order.to_string(), &())?;
    }
    Ok(begun)
}

/// The review of a paid order, for those who tell of it.
pub fn of_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<Review>, StoreError> {
    sql::find(tx, tenant, order)
}

/// Whether an order's money is held for a review.
pub fn is_waiting(tx: &mut dyn Tx, tenant: TenantId, order: OrderId) -> Result<bool, StoreError> {
    let review = sql::find(tx, tenant, order)?;
    Ok(review.is_some_and(|review| review.state == ReviewState::Waiting))
}

/// Ends a review that waits, in the commit that does what was decided.
pub fn close(
    cx: &mut Cx<'_>,
    order: OrderId,
    (state, note): (ReviewState, &str),
) -> Result<(), RiskError> {
    let tenant = cx.caller.tenant;
    if sql::find(cx.tx, tenant, order)?.is_none() {
        return Err(RiskError::NotFound("review"));
    }
    let decided = sql::Decided {
        state,
        by: cx.caller.account,
        note: note.trim(),
        now: cx.now,
    };
    match sql::close(cx.tx, tenant, order, &decided)? {
        true => Ok(()),
        false => Err(RiskError::NotWaiting),
    }
}

/// Ends a review of which no money is left to hold, as what took it says: who asked for the money back,
/// and the reason of the refund, or `chargeback`. Whether it waited.
pub fn end_with_money(
    cx: &mut Cx<'_>,
    order: OrderId,
    (by, why): (Option<AccountId>, &str),
) -> Result<bool, StoreError> {
    let decided = sql::Decided {
        state: ReviewState::Refunded,
        by,
        note: why,
        now: cx.now,
    };
    sql::close(cx.tx, cx.caller.tenant, order, &decided)
}

/// Money of a review that ended with a refund came back: somebody must look again. Whether it did.
pub fn reopen(cx: &mut Cx<'_>, order: OrderId) -> Result<bool, StoreError> {
    sql::reopen(cx.tx, cx.caller.tenant, order)
}

/// Asks for reviews.
#[derive(Debug, Clone, Copy, Default)]
pub struct Reviews {
    /// Those that were decided too.
    pub all: bool,
}

/// Reviews of paid orders, those that wait first and then the newest; at most a hundred. For the
/// owner.
pub fn reviews(cx: &mut ReadCx<'_>, query: &Reviews) -> Result<Vec<Review>, RiskError> {
    must_own(cx)?;
    Ok(sql::list(cx.tx, cx.caller.tenant, query.all)?)
}

/// How many reviews wait. For the owner.
pub fn waiting(cx: &mut ReadCx<'_>, _: &()) -> Result<i64, RiskError> {
    must_own(cx)?;
    Ok(sql::waiting(cx.tx, cx.caller.tenant)?)
}
