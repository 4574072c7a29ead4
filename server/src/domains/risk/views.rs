//! What the owner reads: the lists and the decision log.

use super::model::{Decision, Entry, Outcome, RiskError};
use super::ops::must_own;
use super::sql::{entries as stored, log};
use crate::app::ReadCx;
use mintreu::id::{OrderId, RiskDecisionId, RiskEntryId};

/// Most rows of one page.
pub const MAX_ROWS: i64 = 100;

/// Asks for a page of the lists, newest first.
#[derive(Debug, Clone, Copy, Default)]
pub struct Entries {
    /// Where the page before ended.
    pub before: Option<RiskEntryId>,
}

/// A page of entries of both lists. For the owner.
pub fn entries(
    cx: &mut ReadCx<'_>,
    query: &Entries,
) -> Result<(Vec<Entry>, Option<RiskEntryId>), RiskError> {
    must_own(cx)?;
    let found = stored::page(cx.tx, cx.caller.tenant, query.before, MAX_ROWS)?;
    let next = found.last().map(|one| one.id).filter(|_| is_full(&found));
    Ok((found, next))
}

/// Asks for a page of the decision log, newest first.
#[derive(Debug, Clone, Default)]
pub struct Decisions {
    /// An outcome, `shadow` for what rules in shadow mode would have changed, or nothing for all.
    pub outcome: String,
    /// Where the page before ended.
    pub before: Option<RiskDecisionId>,
}

/// A page of decisions. For the owner.
pub fn decisions(
    cx: &mut ReadCx<'_>,
    query: &Decisions,
) -> Result<(Vec<Decision>, Option<RiskDecisionId>), RiskError> {
    must_own(cx)?;
    let which = (query.before, query.outcome.as_str());
    let found = log::page(cx.tx, cx.caller.tenant, which, MAX_ROWS)?;
    let next = found.last().map(|one| one.id).filter(|_| is_full(&found));
    Ok((found, next))
}

/// Whether the newest asking about an order ended in a challenge: its payment shall be proved.
pub fn is_challenged(cx: &mut ReadCx<'_>, order: &OrderId) -> Result<bool, RiskError> {
    let outcome = log::newest_of_order(cx.tx, cx.caller.tenant, *order)?;
    Ok(outcome == Some(Outcome::Challenge))
}

fn is_full<T>(rows: &[T]) -> bool {
    i64::try_from(rows.len()) == Ok(MAX_ROWS)
}
