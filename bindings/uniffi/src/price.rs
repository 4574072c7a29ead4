//! What usage will cost, by the arithmetic that the server bills with.

use std::collections::HashMap;

use mintreu::Timestamp;
use mintreu::price::{self, Ask, AskedCharge, AskedCredit, Burned, Line, Quantity, Tariff, Usage};

use crate::value::{MintreuError, instant};

/// One meter of a bill; quantities are decimal texts.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct Charge {
    /// Its name on the bill.
    pub name: String,
    /// A tariff such as `EUR per_unit 0.0004; free 1000`.
    pub tariff: String,
    /// How much in all; left out where transactions or cells say it.
    #[uniffi(default = None)]
    pub quantity: Option<String>,
    /// How many transactions the quantity came in.
    #[uniffi(default = None)]
    pub transactions: Option<u64>,
    /// Or each transaction's quantity by itself.
    #[uniffi(default = [])]
    pub each: Vec<String>,
    /// Or a quantity for each set of dimensions.
    #[uniffi(default = [])]
    pub cells: Vec<CellUsage>,
}

/// What was used with one set of dimensions.
#[derive(Debug, Clone, uniffi::Record)]
pub struct CellUsage {
    /// Names and values.
    pub dimensions: HashMap<String, String>,
    /// How much.
    pub quantity: String,
}

/// Something paid before it is used: an amount of money, or units of a charge.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct Credit {
    /// Whose name its burns carry.
    pub id: String,
    /// Money left, in the bill's currency: `25.00`.
    #[uniffi(default = None)]
    pub amount: Option<String>,
    /// Units left.
    #[uniffi(default = None)]
    pub units: Option<String>,
    /// Whose units.
    #[uniffi(default = None)]
    pub charge: Option<String>,
    /// Lower burns first.
    #[uniffi(default = 0)]
    pub priority: u32,
    /// From then on it pays nothing; milliseconds since 1970.
    #[uniffi(default = None)]
    pub expires_at: Option<i64>,
    /// When it was granted; milliseconds since 1970.
    #[uniffi(default = None)]
    pub created_at: Option<i64>,
}

/// A part of a period, in any unit of time.
#[derive(Debug, Clone, Copy, uniffi::Record)]
pub struct Share {
    /// Where it begins.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// How long the period is.
    pub whole: u64,
}

/// What the charges of a bill have in common.
#[derive(Debug, Clone, Default, uniffi::Record)]
pub struct BillTerms {
    /// What was paid before.
    #[uniffi(default = [])]
    pub credits: Vec<Credit>,
    /// The least that all lines come to, in the bill's currency.
    #[uniffi(default = None)]
    pub commitment: Option<String>,
    /// The part of the period that is billed; the whole when absent.
    #[uniffi(default = None)]
    pub share: Option<Share>,
    /// The system's clock when absent.
    #[uniffi(default = None)]
    pub at: Option<i64>,
}

/// An exact amount of money.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Money {
    /// In the currency's minor unit.
    pub minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// `12.30 EUR`.
    pub text: String,
}

impl From<mintreu::Money> for Money {
    fn from(money: mintreu::Money) -> Self {
        Self {
            minor: money.minor(),
            currency: money.currency().code().to_owned(),
            text: money.to_string(),
        }
    }
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct BillLine {
    /// Whose it is; absent where it is of the whole bill.
    pub charge: Option<String>,
    /// Why it is there: `free`, `units`, `tier`, …
    pub kind: String,
    /// Units it covers, a decimal.
    pub quantity: String,
    /// What one unit costs, in the major unit, where units have a price.
    pub unit: Option<String>,
    /// Rounded.
    pub amount: Money,
    /// One sentence that a person can check with a calculator.
    pub text: String,
}

impl BillLine {
    fn new(charge: Option<String>, line: &Line) -> Self {
        let currency = line.amount.currency();
        Self {
            charge,
            kind: line.kind.name().to_owned(),
            quantity: line.quantity.to_string(),
            unit: line.unit.map(|unit| unit.to_text(currency)),
            amount: line.amount.into(),
            text: line.explain(),
        }
    }
}

/// A priced quantity: the lines add up to the total exactly.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Rated {
    /// The sum of the lines.
    pub total: Money,
    /// In the order they are printed.
    pub lines: Vec<BillLine>,
}

/// What a bill took of a credit: units of a charge, or money.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Burn {
    /// Of which credit.
    pub credit: String,
    /// Whose units.
    pub charge: Option<String>,
    /// How many, a decimal.
    pub units: Option<String>,
    /// Or how much money.
    pub amount: Option<Money>,
}

impl From<price::Burn> for Burn {
    fn from(burn: price::Burn) -> Self {
        let (charge, units, amount) = match burn.of {
            Burned::Units { charge, units } => (Some(charge), Some(units.to_string()), None),
            Burned::Money(paid) => (None, None, Some(paid.into())),
        };
        Self {
            credit: burn.credit,
            charge,
            units,
            amount,
        }
    }
}

/// A priced period: the lines add up to the total exactly.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Bill {
    /// What the period costs: all lines but those that credits pay.
    pub cost: Money,
    /// The sum of the lines, never below zero.
    pub total: Money,
    /// In the order they are printed.
    pub lines: Vec<BillLine>,
    /// What was taken of which credit.
    pub burns: Vec<Burn>,
}

/// Prices a quantity, a decimal text, by a tariff such as `EUR per_unit 0.0004; free 1000`.
#[uniffi::export]
pub fn price(tariff: &str, quantity: &str) -> Result<Rated, MintreuError> {
    let tariff: Tariff = tariff.parse()?;
    let used = Usage::Total(quantity.parse()?);
    let rated = price::rate_usage(&tariff, &used, Quantity::ZERO)?;
    let lines = rated.lines.iter().map(|line| BillLine::new(None, line));
    Ok(Rated {
        total: rated.total.into(),
        lines: lines.collect(),
    })
}

/// Prices a period: its charges, a commitment over all of them, and the credits that pay first.
#[uniffi::export]
pub fn bill(charges: Vec<Charge>, terms: BillTerms) -> Result<Bill, MintreuError> {
    let ask = Ask {
        charges: charges.into_iter().map(asked_charge).collect(),
        credits: terms.credits.into_iter().map(asked_credit).collect(),
        commitment: terms.commitment,
        share: terms.share.map(|share| (share.from, share.to, share.whole)),
    };
    let bill = ask.bill(instant(terms.at))?;
    let lines = bill.lines.into_iter();
    Ok(Bill {
        cost: bill.cost.into(),
        total: bill.total.into(),
        lines: lines
            .map(|line| BillLine::new(line.charge, &line.line))
            .collect(),
        burns: bill.burns.into_iter().map(Burn::from).collect(),
    })
}

fn asked_charge(charge: Charge) -> AskedCharge {
    let cell = |cell: CellUsage| (cell.dimensions.into_iter().collect(), cell.quantity);
    AskedCharge {
        name: charge.name,
        tariff: charge.tariff,
        quantity: charge.quantity,
        transactions: charge.transactions,
        each: charge.each,
        cells: charge.cells.into_iter().map(cell).collect(),
    }
}

fn asked_credit(credit: Credit) -> AskedCredit {
    AskedCredit {
        id: credit.id,
        amount: credit.amount,
        units: credit.units,
        charge: credit.charge,
        priority: credit.priority,
        expires_at: credit.expires_at.map(Timestamp::from_ms),
        created_at: credit.created_at.map(Timestamp::from_ms),
    }
}
