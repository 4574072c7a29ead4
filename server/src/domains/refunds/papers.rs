//! The papers of money that goes back: a credit note in the commit that takes it, a correction in the
//! commit that brings it back.

use super::effect::Book;
use super::model::{RefundError, ReversalState};
use crate::app::Cx;
use crate::domains::invoicing::{self, Back, NewCredit};
use crate::domains::ledger::Part;

/// Credits what a cause took, line by line.
pub(super) fn credit(
    cx: &mut Cx<'_>,
    book: &Book,
    cause: &str,
    (reason, note): (&str, &str),
) -> Result<(), RefundError> {
    let taken = book
        .reversals
        .iter()
        .filter(|one| one.cause == cause && one.state == ReversalState::Taken);
    let mut lines = Vec::new();
    for one in taken {
        lines.push(Back {
            line: one.line,
            amount: one.parts.total()?,
            tax: one.parts.get(Part::Tax),
        });
    }
    let new = NewCredit {
        cause,
        reason,
        note,
        lines: &lines,
    };
    invoicing::credit(cx, &new)?;
    Ok(())
}

/// What was credited for a cause no longer is.
pub(super) fn take_back(cx: &mut Cx<'_>, cause: &str) -> Result<(), RefundError> {
    invoicing::take_back(cx, cause)?;
    Ok(())
}
