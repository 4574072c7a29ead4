//! What happens to a hold when its sale is refunded or disputed.
//!
//! While a hold is `held` or `frozen`, its amount is what lies in its account (the seller's held
//! one, or an affiliate's) for its source; the use cases here change the row, and their callers post what they say.

use super::closings::Held;
use super::model::{Balanced, LedgerError, Reason};
use super::ops::{RELEASE_JOB, ReleasePayload, post, released_from};
use super::sql::{self, Escrow};
use crate::app::Cx;
use crate::store::{StoreError, Tx};
use mintreu::Money;
use mintreu::id::TenantId;

/// What is, or was, held of one sale; `None` when nothing ever was.
pub fn hold_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    source: &str,
) -> Result<Option<Held>, StoreError> {
    let found = sql::find_escrow(tx, tenant, source)?;
    Ok(found.map(|escrow| Held {
        source: escrow.source,
        amount: escrow.amount,
        state: escrow.state,
        reason: escrow.reason,
        releasable_at: escrow.releasable_at,
    }))
}

/// Takes at most `most` out of a hold and says how much that was; the caller debits the account it
/// is held in by it. A hold that is emptied is `returned`.
pub fn take_held(cx: &mut Cx<'_>, source: &str, most: Money) -> Result<Money, LedgerError> {
    let none = Money::zero(most.currency());
    let Some(mut escrow) = open(cx, source)? else {
        return Ok(none);
    };
    let taken = Money::new(
        most.minor().min(escrow.amount.minor()).max(0),
        most.currency(),
    );
    escrow.amount = escrow.amount.checked_sub(taken)?;
    if escrow.amount == none && escrow.state == "held" {
        escrow.state = "returned".to_owned();
    }
    sql::update_escrow(cx.tx, cx.caller.tenant, &escrow)?;
    Ok(taken)
}

/// The hold, while it holds something back.
fn open(cx: &mut Cx<'_>, source: &str) -> Result<Option<Escrow>, LedgerError> {
    let found = sql::find_escrow(cx.tx, cx.caller.tenant, source)?;
    Ok(found.filter(|escrow| matches!(escrow.state.as_str(), "held" | "frozen")))
}

/// Puts back what [`take_held`] took, which the caller has credited to the seller's held account
/// again. When the hold was over meanwhile, it goes on to what is releasable; `cause` names why.
pub fn put_back(
    cx: &mut Cx<'_>,
    source: &str,
    amount: Money,
    cause: &str,
) -> Result<(), LedgerError> {
    if amount.minor() == 0 {
        return Ok(());
    }
    let tenant = cx.caller.tenant;
    let found = sql::find_escrow(cx.tx, tenant, source)?;
    let mut escrow = found.ok_or(LedgerError::NotFound)?;
    escrow.amount = escrow.amount.checked_add(amount)?;
    match escrow.state.as_str() {
        "held" | "frozen" => sql::update_escrow(cx.tx, tenant, &escrow)?,
        "returned" => {
            escrow.state = "held".to_owned();
            sql::update_escrow(cx.tx, tenant, &escrow)?;
            plan_release(cx, &escrow)?;
        }
        _ => {
            sql::update_escrow(cx.tx, tenant, &escrow)?;
            let key = format!("release:{source}:{cause}");
            let postings = released_from(escrow.account, amount)?;
            post(cx, &Balanced::new(key, Reason::Release, source, postings)?)?;
        }
    }
    Ok(())
}

fn plan_release(cx: &mut Cx<'_>, escrow: &Escrow) -> Result<(), LedgerError> {
    let payload = ReleasePayload {
        source: escrow.source.clone(),
    };
    let due = escrow.releasable_at.max(cx.now);
    crate::queue::enqueue(cx, RELEASE_JOB, &payload, due)?;
    Ok(())
}

/// Keeps a hold from being released while a bank asks about its sale.
pub fn freeze(cx: &mut Cx<'_>, source: &str) -> Result<(), LedgerError> {
    if let Some(mut escrow) = open(cx, source)? {
        escrow.state = "frozen".to_owned();
        sql::update_escrow(cx.tx, cx.caller.tenant, &escrow)?;
    }
    Ok(())
}

/// Says anew why something is held, for its owner to read.
pub fn explain(cx: &mut Cx<'_>, source: &str, reason: &str) -> Result<(), LedgerError> {
    if let Some(mut escrow) = open(cx, source)? {
        reason.clone_into(&mut escrow.reason);
        sql::update_escrow(cx.tx, cx.caller.tenant, &escrow)?;
    }
    Ok(())
}

/// Ends a freeze: what is left is held as before and released at its date; an empty hold is
/// `returned`.
pub fn thaw(cx: &mut Cx<'_>, source: &str) -> Result<(), LedgerError> {
    let frozen = open(cx, source)?.filter(|escrow| escrow.state == "frozen");
    let Some(mut escrow) = frozen else {
        return Ok(());
    };
    let empty = escrow.amount.minor() == 0;
    escrow.state = if empty { "returned" } else { "held" }.to_owned();
    sql::update_escrow(cx.tx, cx.caller.tenant, &escrow)?;
    if !empty {
        plan_release(cx, &escrow)?;
    }
    Ok(())
}
