//! Prepaid credits: units of a meter or money, burned before anything is asked for.

use super::Quantity;
use crate::error::{Error, Result};
use crate::money::Money;
use crate::time::Timestamp;

/// How many credits one bill looks at.
pub const MAX_CREDITS: usize = 1000;

/// What a credit holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CreditOf {
    /// Units of one charge: they lower what is priced.
    Units {
        /// The charge's name.
        charge: String,
        /// Units left.
        left: Quantity,
    },
    /// Money: it pays what was priced.
    Money(Money),
}

/// Something paid before it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credit {
    /// Whose name its burns carry.
    pub id: String,
    /// What is left of it.
    pub of: CreditOf,
    /// Lower burns first.
    pub priority: u32,
    /// From then on it pays nothing.
    pub expires_at: Option<Timestamp>,
    /// When it was granted.
    pub created_at: Timestamp,
}

impl Credit {
    /// Whether it pays at `at`.
    pub fn holds(&self, at: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| at < end)
    }
}

/// What a bill took of a credit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Burn {
    /// Of which credit.
    pub credit: String,
    /// How much.
    pub of: Burned,
}

/// How much a bill took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Burned {
    /// Units of a charge.
    Units {
        /// The charge's name.
        charge: String,
        /// How many.
        units: Quantity,
    },
    /// Money, above zero.
    Money(Money),
}

/// Puts credits in the order they burn: priority, then what expires first, then what was granted
/// first, then the id.
pub fn burn_order(credits: &mut [Credit]) {
    credits.sort_by(|a, b| {
        let key = |credit: &Credit| {
            let expires = credit.expires_at.map_or(i64::MAX, |at| at.ms());
            (credit.priority, expires, credit.created_at.ms())
        };
        key(a).cmp(&key(b)).then_with(|| a.id.cmp(&b.id))
    });
}

/// What credits pay of `need` at an instant, in burn order: for a bill whose lines were priced
/// before. Credits of units and of other currencies are left alone.
pub fn pay(need: Money, credits: &[Credit], at: Timestamp) -> Result<Vec<Burn>> {
    let mut purse = Purse::open(credits, at)?;
    purse.burn_money(need)?;
    Ok(purse.burns)
}

/// Credits while a bill burns them.
pub(super) struct Purse {
    credits: Vec<Credit>,
    pub(super) burns: Vec<Burn>,
}

impl Purse {
    /// Those that hold at `at`, in burn order; `credit_invalid` for too many, or money below zero.
    pub(super) fn open(credits: &[Credit], at: Timestamp) -> Result<Self> {
        let invalid = |detail: &'static str| Error::new("credit_invalid", detail);
        if credits.len() > MAX_CREDITS {
            return Err(invalid("a bill looks at 1000 credits at most"));
        }
        let below = |credit: &Credit| matches!(&credit.of, CreditOf::Money(m) if m.minor() < 0);
        if credits.iter().any(below) {
            return Err(invalid("a credit can't be below zero"));
        }
        let holding = credits.iter().filter(|credit| credit.holds(at));
        let mut credits: Vec<Credit> = holding.cloned().collect();
        burn_order(&mut credits);
        let burns = Vec::new();
        Ok(Self { credits, burns })
    }

    /// Takes up to `need` units of `charge`; what was taken.
    pub(super) fn burn_units(&mut self, charge: &str, need: Quantity) -> Result<Quantity> {
        let mut taken = Quantity::ZERO;
        for credit in &mut self.credits {
            let CreditOf::Units { charge: of, left } = &mut credit.of else {
                continue;
            };
            let units = need.less(taken).min(*left);
            if of == charge && units > Quantity::ZERO {
                *left = left.less(units);
                taken = taken.checked_add(units)?;
                let charge = charge.to_owned();
                self.burns.push(Burn {
                    credit: credit.id.clone(),
                    of: Burned::Units { charge, units },
                });
            }
        }
        Ok(taken)
    }

    /// Takes up to `need` of money in its currency; what each credit pays.
    pub(super) fn burn_money(&mut self, need: Money) -> Result<Vec<(String, Money)>> {
        let (mut open, mut paid) = (need.minor(), Vec::new());
        for credit in &mut self.credits {
            let CreditOf::Money(left) = &mut credit.of else {
                continue;
            };
            let minor = open.min(left.minor());
            if left.currency() == need.currency() && minor > 0 {
                let part = Money::new(minor, need.currency());
                *left = left.checked_sub(part)?;
                open -= minor;
                paid.push((credit.id.clone(), part));
                self.burns.push(Burn {
                    credit: credit.id.clone(),
                    of: Burned::Money(part),
                });
            }
        }
        Ok(paid)
    }
}
