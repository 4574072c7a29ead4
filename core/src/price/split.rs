//! A quantity by what it costs: what is free, what credits cover, and what is left.

use super::usage::sum;
use super::{Percentage, Quantity, Scheme, Tariff, Usage};
use crate::error::{Error, Result};

impl Tariff {
    /// The units of `usage` that a prepaid credit could cover: what is left after the free ones.
    /// None of a flat tariff, which doesn't charge by units.
    pub fn prepayable(&self, usage: &Usage) -> Result<Quantity> {
        match self.scheme {
            Scheme::Flat { .. } => Ok(Quantity::ZERO),
            _ => Ok(split(self, usage, Quantity::ZERO)?.billable),
        }
    }
}

/// A quantity by what it costs.
pub(super) struct Split {
    /// Of whole transactions that cost nothing, and of free units.
    pub(super) free: Quantity,
    /// Covered by credits.
    pub(super) prepaid: Quantity,
    /// What is left.
    pub(super) billable: Quantity,
    /// Free and prepaid units that the charged transactions or rows are reduced by.
    pub(super) covered: Quantity,
}

pub(super) fn split(tariff: &Tariff, usage: &Usage, prepaid: Quantity) -> Result<Split> {
    let quantity = usage.quantity()?;
    let of_free_transactions = match &tariff.scheme {
        Scheme::Percentage(scheme) => free_transactions(scheme, usage, quantity)?,
        _ => Quantity::ZERO,
    };
    let charged = quantity.less(of_free_transactions);
    let free = charged.min(Quantity::units(tariff.free_units));
    let prepaid = charged.less(free).min(prepaid);
    let covered = free.checked_add(prepaid)?;
    Ok(Split {
        free: free.checked_add(of_free_transactions)?,
        prepaid,
        billable: charged.less(covered),
        covered,
    })
}

/// What the transactions that cost nothing amount to.
fn free_transactions(scheme: &Percentage, usage: &Usage, quantity: Quantity) -> Result<Quantity> {
    let free = scheme.free_transactions;
    match (usage, usage.transactions()) {
        _ if free == 0 => Ok(Quantity::ZERO),
        (_, Some(count)) if count <= free => Ok(quantity),
        (Usage::Each(amounts), _) => sum(amounts
            .iter()
            .take(usize::try_from(free).unwrap_or(usize::MAX))),
        _ => Err(incomplete()),
    }
}

pub(super) fn incomplete() -> Error {
    Error::new(
        "usage_incomplete",
        "the tariff charges by transaction: say what the transactions were",
    )
}
