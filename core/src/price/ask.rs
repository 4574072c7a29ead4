//! A bill asked for in plain text and numbers, as every other language writes it.

use super::{
    Bill, Charge, Credit, CreditOf, Dimensions, Quantity, Share, Tariff, Terms, Usage, bill,
    invalid, parse_amount,
};
use crate::error::{Error, Result};
use crate::money::Money;
use crate::time::Timestamp;

/// Most transactions or cells of one charge.
const MAX_PARTS: usize = 100_000;

/// One meter, in text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskedCharge {
    /// Its name on the bill.
    pub name: String,
    /// A tariff's text form.
    pub tariff: String,
    /// How much in all; left out where transactions or cells say it.
    pub quantity: Option<String>,
    /// How many transactions the quantity came in.
    pub transactions: Option<u64>,
    /// Or each transaction's quantity by itself.
    pub each: Vec<String>,
    /// Or a quantity for each set of dimensions.
    pub cells: Vec<(Dimensions, String)>,
}

/// One prepaid credit, in text: of money when `units` is missing, else of units of `charge`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AskedCredit {
    /// Whose name its burns carry.
    pub id: String,
    /// Money left, in the bill's currency: `25.00`.
    pub amount: Option<String>,
    /// Units left.
    pub units: Option<String>,
    /// Whose units.
    pub charge: Option<String>,
    /// Lower burns first.
    pub priority: u32,
    /// From then on it pays nothing.
    pub expires_at: Option<Timestamp>,
    /// When it was granted.
    pub created_at: Option<Timestamp>,
}

/// A bill that someone asks for.
///
/// ```
/// use mintreu::Timestamp;
/// use mintreu::price::{Ask, AskedCharge};
///
/// let calls = AskedCharge {
///     name: "api.calls".into(),
///     tariff: "USD graduated 1000=0.01 *=0.005".into(),
///     quantity: Some("1500".into()),
///     ..AskedCharge::default()
/// };
/// let ask = Ask { charges: vec![calls], commitment: Some("20.00".into()), ..Ask::default() };
/// let bill = ask.bill(Timestamp::from_ms(0))?;
/// assert_eq!(bill.total.to_string(), "20.00 USD");
/// assert_eq!(bill.lines.len(), 3);
/// # Ok::<(), mintreu::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// The meters, at least one.
    pub charges: Vec<AskedCharge>,
    /// What was paid before.
    pub credits: Vec<AskedCredit>,
    /// The least that all lines come to, in the bill's currency.
    pub commitment: Option<String>,
    /// The part of the period that is billed: from, to and the period's length, in one unit.
    pub share: Option<(u64, u64, u64)>,
}

impl Ask {
    /// The bill at an instant; the codes of everything that it reads say what is wrong.
    pub fn bill(&self, at: Timestamp) -> Result<Bill> {
        let read = self.charges.iter().map(AskedCharge::read);
        let mut charges = read.collect::<Result<Vec<Charge>>>()?;
        let first = charges
            .first()
            .ok_or_else(|| invalid("a bill needs a charge"))?;
        let currency = first.tariff.currency();
        let money = |text: &String| Ok(Money::new(parse_amount(text, currency)?, currency));
        let credit = |asked: &AskedCredit| asked.read(money);
        let mut terms = Terms {
            commitment: self.commitment.as_ref().map(money).transpose()?,
            credits: self.credits.iter().map(credit).collect::<Result<_>>()?,
            at,
        };
        if let Some((from, to, whole)) = self.share {
            let share = Share::new(from, to, whole)?;
            terms = terms.prorated(share);
            for charge in &mut charges {
                charge.tariff = charge.tariff.clone().prorated(share);
            }
        }
        bill(&charges, &terms)
    }
}

impl AskedCharge {
    fn read(&self) -> Result<Charge> {
        Ok(Charge {
            name: self.name.clone(),
            tariff: self.tariff.parse::<Tariff>()?,
            usage: self.usage()?,
        })
    }

    fn usage(&self) -> Result<Usage> {
        let twice = || Error::new("usage_invalid", "say the usage in one way, not in several");
        if self.each.len().max(self.cells.len()) > MAX_PARTS {
            let detail = format!("at most {MAX_PARTS} transactions or cells");
            return Err(Error::new("usage_invalid", detail));
        }
        let quantity = self.quantity.as_ref().map(|text| text.parse());
        match (quantity.transpose()?, self.transactions) {
            (Some(_), _) if !self.each.is_empty() || !self.cells.is_empty() => Err(twice()),
            (Some(quantity), Some(transactions)) => Ok(Usage::Counted {
                quantity,
                transactions,
            }),
            (Some(quantity), None) => Ok(Usage::Total(quantity)),
            (None, Some(_)) => Err(twice()),
            (None, None) if !self.each.is_empty() && !self.cells.is_empty() => Err(twice()),
            (None, None) if !self.cells.is_empty() => {
                let cell = |(dimensions, text): &(Dimensions, String)| {
                    Ok((dimensions.clone(), text.parse::<Quantity>()?))
                };
                Ok(Usage::Cells(
                    self.cells.iter().map(cell).collect::<Result<_>>()?,
                ))
            }
            (None, None) => {
                let each = self.each.iter().map(|text| text.parse());
                Ok(Usage::Each(each.collect::<Result<_>>()?))
            }
        }
    }
}

impl AskedCredit {
    fn read(&self, money: impl Fn(&String) -> Result<Money>) -> Result<Credit> {
        let of = match (&self.amount, &self.units, &self.charge) {
            (Some(amount), None, None) => CreditOf::Money(money(amount)?),
            (None, Some(units), Some(charge)) => CreditOf::Units {
                charge: charge.clone(),
                left: units.parse()?,
            },
            _ => {
                let detail = "a credit is an amount, or units and their charge";
                return Err(Error::new("credit_invalid", detail));
            }
        };
        Ok(Credit {
            id: self.id.clone(),
            of,
            priority: self.priority,
            expires_at: self.expires_at,
            created_at: self.created_at.unwrap_or(Timestamp::from_ms(0)),
        })
    }
}
