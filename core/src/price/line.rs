//! A line of a bill, and the sentence that explains it.

use super::unit::amount_text;
use super::{Amounts, Percent, Quantity, UnitPrice};
use crate::money::Money;

/// Transactions that a bound changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    /// How many.
    pub count: u64,
    /// What each of them costs instead, in minor units.
    pub to: i64,
}

/// Why a line is on the bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineKind {
    /// Units that cost nothing.
    Free,
    /// Units that a prepaid credit covers.
    Prepaid,
    /// One amount whatever the quantity.
    Flat,
    /// Units at one price.
    Units,
    /// Units of one tier, counted after the free ones.
    Tier {
        /// The tier begins after so many.
        after: Quantity,
        /// Last unit of the line.
        to: Quantity,
    },
    /// Packages begun; the line's quantity counts units.
    Packages {
        /// How many.
        count: u64,
        /// Units in each.
        size: u64,
    },
    /// A part of an amount; the line's quantity is the amount.
    Percentage {
        /// Which part.
        rate: Percent,
        /// What the amount is counted in.
        of: Amounts,
        /// Of a tier: the tier begins after so much.
        after: Option<Quantity>,
        /// How many transactions pay the line's fee.
        transactions: u64,
        /// Transactions below the least that each costs.
        raised: Option<Limited>,
        /// Transactions above the most that each costs.
        cut: Option<Limited>,
    },
    /// Units with the dimensions of one row of a matrix.
    Cell {
        /// The row's conditions, `model=gpt-4`.
        row: String,
    },
    /// What is missing to the minimum.
    Minimum,
    /// What is above the maximum, taken off.
    Maximum,
    /// What all lines of the period together miss to the commitment.
    Commitment,
    /// Prepaid money that pays a part.
    Credit {
        /// Which credit.
        id: String,
    },
}

impl LineKind {
    /// Its stable name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Prepaid => "prepaid",
            Self::Flat => "flat",
            Self::Units => "units",
            Self::Tier { .. } => "tier",
            Self::Packages { .. } => "packages",
            Self::Percentage { .. } => "percentage",
            Self::Cell { .. } => "cell",
            Self::Minimum => "minimum",
            Self::Maximum => "maximum",
            Self::Commitment => "commitment",
            Self::Credit { .. } => "credit",
        }
    }

    /// The row of a matrix it is priced by.
    pub fn row(&self) -> Option<&str> {
        match self {
            Self::Cell { row } => Some(row),
            _ => None,
        }
    }
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Why it is there.
    pub kind: LineKind,
    /// Units it covers; zero in lines that don't depend on units.
    pub quantity: Quantity,
    /// What one unit costs, where units have a price.
    pub unit: Option<UnitPrice>,
    /// Added to the units' price, in minor units: once, or for each transaction.
    pub fee: i64,
    /// Rounded amount; below zero only for [`LineKind::Maximum`] and [`LineKind::Credit`].
    pub amount: Money,
}

impl Line {
    /// One sentence that a person can check with a calculator: `2500 × 0.0004 = 1.00 EUR`.
    pub fn explain(&self) -> String {
        let (quantity, amount) = (self.quantity, self.amount);
        let currency = amount.currency();
        let price = self.unit.map(|unit| unit.to_text(currency));
        let price = price.unwrap_or_default();
        let fee = match self.fee {
            0 => String::new(),
            fee => format!(" + {}", amount_text(fee, currency)),
        };
        match &self.kind {
            LineKind::Free => format!("{quantity} free"),
            LineKind::Prepaid => format!("{quantity} prepaid"),
            LineKind::Flat => format!("flat, {amount}"),
            LineKind::Units => format!("{quantity} × {price}{fee} = {amount}"),
            LineKind::Tier { after, to } => {
                format!(
                    "{quantity} ({}) × {price}{fee} = {amount}",
                    span(*after, *to)
                )
            }
            LineKind::Packages { count, size } => {
                format!("{quantity} in {count} packages of {size} = {amount}")
            }
            LineKind::Cell { row } => format!("{quantity} ({row}) × {price} = {amount}"),
            LineKind::Percentage { .. } => self.explain_percentage(),
            LineKind::Minimum => format!("up to the minimum, {amount}"),
            LineKind::Maximum => format!("down to the maximum, {amount}"),
            LineKind::Commitment => format!("up to the commitment, {amount}"),
            LineKind::Credit { .. } => format!("paid by credit, {amount}"),
        }
    }

    fn explain_percentage(&self) -> String {
        let LineKind::Percentage {
            rate,
            of,
            after,
            transactions,
            raised,
            cut,
        } = &self.kind
        else {
            return String::new();
        };
        let (quantity, amount) = (self.quantity, self.amount);
        let money = |minor| amount_text(minor, amount.currency());
        let minor = match of {
            Amounts::Major => "",
            Amounts::Minor => " minor units",
        };
        let tier = match after.and_then(|after| Some((after, after.checked_add(quantity).ok()?))) {
            Some((after, to)) => format!(" (over {after} to {to})"),
            None => String::new(),
        };
        let fee = match (self.fee, transactions) {
            (0, _) => String::new(),
            (fee, 0) => format!(" + {}", money(fee)),
            (fee, count) => format!(" + {count} × {}", money(fee)),
        };
        let limited = |what: &str, limited: &Option<Limited>| match limited {
            Some(Limited { count, to }) => format!(", {count} {what} {}", money(*to)),
            None => String::new(),
        };
        let (raised, cut) = (limited("raised to", raised), limited("cut to", cut));
        format!("{quantity}{minor}{tier} × {rate}{fee}{raised}{cut} = {amount}")
    }
}

/// `11 to 20` for whole units, `over 10.5 to 20` for others.
fn span(after: Quantity, to: Quantity) -> String {
    match (after.whole(), to.whole()) {
        (Some(after), Some(to)) => format!("{} to {to}", after.saturating_add(1)),
        _ => format!("over {after} to {to}"),
    }
}
