//! What was used: a total, single transactions, or a count for each set of dimensions.

use super::Quantity;
use crate::error::Result;

/// Names and values that split a count, such as `model` = `gpt-4`; sorted by name.
pub type Dimensions = Vec<(String, String)>;

/// What was used of one meter in one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Usage {
    /// So much in all.
    Total(Quantity),
    /// So much in all, in so many transactions.
    Counted {
        /// In all.
        quantity: Quantity,
        /// How many transactions.
        transactions: u64,
    },
    /// Every transaction by itself, in the order they happened.
    Each(Vec<Quantity>),
    /// A count for each set of dimensions.
    Cells(Vec<(Dimensions, Quantity)>),
}

impl Usage {
    /// Whole units in all.
    pub fn units(units: u64) -> Self {
        Self::Total(Quantity::units(units))
    }

    /// In all; `quantity_too_large` past 2⁶⁴ − 1 units.
    pub fn quantity(&self) -> Result<Quantity> {
        match self {
            Self::Total(quantity) | Self::Counted { quantity, .. } => Ok(*quantity),
            Self::Each(amounts) => sum(amounts.iter()),
            Self::Cells(cells) => sum(cells.iter().map(|(_, quantity)| quantity)),
        }
    }

    /// How many transactions, where that is known.
    pub fn transactions(&self) -> Option<u64> {
        match self {
            Self::Counted { transactions, .. } => Some(*transactions),
            Self::Each(amounts) => u64::try_from(amounts.len()).ok(),
            Self::Total(_) | Self::Cells(_) => None,
        }
    }
}

pub(super) fn sum<'a>(mut parts: impl Iterator<Item = &'a Quantity>) -> Result<Quantity> {
    parts.try_fold(Quantity::ZERO, |sum, part| sum.checked_add(*part))
}
