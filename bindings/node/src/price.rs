//! What usage will cost, by the arithmetic that the server bills with.

use std::collections::HashMap;

use mintreu::price::{self, Ask, AskedCharge, AskedCredit, Burned, Line, Quantity, Tariff, Usage};
use napi::bindgen_prelude::{BigInt, Either3};
use napi_derive::napi;

use crate::value::{Thrown, instant, thrown, units};

/// A quantity: a whole `number`, a `bigint`, or a decimal text.
pub type Given = Either3<f64, BigInt, String>;

fn quantity(given: Given) -> Result<String, Thrown> {
    match given {
        Either3::A(number) => Ok(units(Some(number))?.to_string()),
        Either3::B(large) => match large.get_u64() {
            (false, whole, true) => Ok(whole.to_string()),
            _ => Err(thrown(mintreu::Error::new(
                "units_invalid",
                "units lie between 0 and 2n ** 64n - 1n",
            ))),
        },
        Either3::C(text) => Ok(text),
    }
}

/// One meter of a bill.
#[napi(object, object_to_js = false)]
pub struct Charge {
    pub name: String,
    pub tariff: String,
    pub quantity: Option<Given>,
    pub transactions: Option<f64>,
    pub each: Option<Vec<Given>>,
    pub cells: Option<Vec<CellUsage>>,
}

/// What was used with one set of dimensions.
#[napi(object, object_to_js = false)]
pub struct CellUsage {
    pub dimensions: HashMap<String, String>,
    pub quantity: Given,
}

impl Charge {
    fn asked(self) -> Result<AskedCharge, Thrown> {
        let cell = |cell: CellUsage| {
            Ok((
                cell.dimensions.into_iter().collect(),
                quantity(cell.quantity)?,
            ))
        };
        let cells = self.cells.unwrap_or_default().into_iter().map(cell);
        let each = self.each.unwrap_or_default().into_iter().map(quantity);
        Ok(AskedCharge {
            name: self.name,
            tariff: self.tariff,
            quantity: self.quantity.map(quantity).transpose()?,
            transactions: self.transactions.map(|n| units(Some(n))).transpose()?,
            each: each.collect::<Result<_, Thrown>>()?,
            cells: cells.collect::<Result<_, Thrown>>()?,
        })
    }
}

/// Something paid before it is used.
#[napi(object, object_to_js = false)]
pub struct Credit {
    pub id: String,
    pub amount: Option<String>,
    pub units: Option<Given>,
    pub charge: Option<String>,
    pub priority: Option<u32>,
    pub expires_at: Option<f64>,
    pub created_at: Option<f64>,
}

impl Credit {
    fn asked(self) -> Result<AskedCredit, Thrown> {
        let at = |given: Option<f64>| given.map(|at| instant(Some(at))).transpose();
        Ok(AskedCredit {
            id: self.id,
            amount: self.amount,
            units: self.units.map(quantity).transpose()?,
            charge: self.charge,
            priority: self.priority.unwrap_or(0),
            expires_at: at(self.expires_at)?,
            created_at: at(self.created_at)?,
        })
    }
}

/// What the charges of a bill have in common.
#[napi(object, object_to_js = false)]
#[derive(Default)]
pub struct BillTerms {
    pub credits: Option<Vec<Credit>>,
    pub commitment: Option<String>,
    pub share: Option<Vec<f64>>,
    pub at: Option<f64>,
}

/// An exact amount of money.
#[napi(object)]
pub struct Money {
    pub minor: BigInt,
    pub currency: String,
    pub text: String,
}

impl From<mintreu::Money> for Money {
    fn from(money: mintreu::Money) -> Self {
        Self {
            minor: money.minor().into(),
            currency: money.currency().code().to_owned(),
            text: money.to_string(),
        }
    }
}

/// One line of a bill.
#[napi(object, use_nullable = true)]
pub struct BillLine {
    pub charge: Option<String>,
    pub kind: String,
    pub quantity: String,
    pub unit: Option<String>,
    pub amount: Money,
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

/// A priced quantity.
#[napi(object)]
pub struct Rated {
    pub total: Money,
    pub lines: Vec<BillLine>,
}

/// What a bill took of a credit.
#[napi(object, use_nullable = true)]
pub struct Burn {
    pub credit: String,
    pub charge: Option<String>,
    pub units: Option<String>,
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

/// A priced period.
#[napi(object)]
pub struct Bill {
    pub cost: Money,
    pub total: Money,
    pub lines: Vec<BillLine>,
    pub burns: Vec<Burn>,
}

/// Prices a quantity by a tariff such as `EUR per_unit 0.0004; free 1000`.
#[napi]
pub fn price(tariff: String, used: Given) -> Result<Rated, Thrown> {
    let tariff: Tariff = tariff.parse().map_err(thrown)?;
    let used: Quantity = quantity(used)?.parse().map_err(thrown)?;
    let rated = price::rate_usage(&tariff, &Usage::Total(used), Quantity::ZERO).map_err(thrown)?;
    let lines = rated.lines.iter().map(|line| BillLine::new(None, line));
    Ok(Rated {
        total: rated.total.into(),
        lines: lines.collect(),
    })
}

/// Prices a period: its charges, a commitment over all of them, and the credits that pay first.
#[napi]
pub fn bill(charges: Vec<Charge>, terms: Option<BillTerms>) -> Result<Bill, Thrown> {
    let terms = terms.unwrap_or_default();
    let charges = charges.into_iter().map(Charge::asked);
    let credits = terms.credits.unwrap_or_default();
    let ask = Ask {
        charges: charges.collect::<Result<_, _>>()?,
        credits: credits
            .into_iter()
            .map(Credit::asked)
            .collect::<Result<_, _>>()?,
        commitment: terms.commitment,
        share: terms.share.map(|share| part(&share)).transpose()?,
    };
    let bill = ask.bill(instant(terms.at)?).map_err(thrown)?;
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

fn part(share: &[f64]) -> Result<(u64, u64, u64), Thrown> {
    match share {
        [from, to, whole] => Ok((units(Some(*from))?, units(Some(*to))?, units(Some(*whole))?)),
        _ => {
            let detail = "a share is [from, to, length]";
            Err(thrown(mintreu::Error::new("share_invalid", detail)))
        }
    }
}
