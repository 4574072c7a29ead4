//! A period of several meters: priced, held to a commitment, paid by credits first.

use super::credit::Purse;
use super::{Burn, Credit, Line, LineKind, Quantity, Rounding, Tariff, Usage, invalid, rate_usage};
use crate::error::Result;
use crate::money::Money;
use crate::time::Timestamp;

/// How many charges a bill may have.
pub const MAX_CHARGES: usize = 256;

/// One meter of a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// Its name on the bill, and the one that credits of units carry.
    pub name: String,
    /// What it costs.
    pub tariff: Tariff,
    /// What was used.
    pub usage: Usage,
}

/// What a period's charges have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The least that all lines together come to.
    pub commitment: Option<Money>,
    /// What was paid before.
    pub credits: Vec<Credit>,
    /// Credits that expire until then pay nothing.
    pub at: Timestamp,
}

/// One line, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BillLine {
    /// The charge; none where the line is of the whole bill.
    pub charge: Option<String>,
    /// The line.
    pub line: Line,
}

/// A priced period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// In the order they are printed: the charges', the commitment's, the credits'.
    pub lines: Vec<BillLine>,
    /// What the period costs: all lines but those that credits pay.
    pub cost: Money,
    /// Exactly what the lines add up to, never below zero.
    pub total: Money,
    /// What was taken of which credit, in the order it was taken.
    pub burns: Vec<Burn>,
}

/// Prices a period. Credits of units lower what is priced; the commitment is held against what the
/// priced lines come to; credits of money pay the rest, as far as they reach.
///
/// `currency_mixed` when the charges or the commitment are in several currencies; a credit in
/// another currency is left alone.
pub fn bill(charges: &[Charge], terms: &Terms) -> Result<Bill> {
    if charges.len() > MAX_CHARGES {
        return Err(invalid(format!("a bill has at most {MAX_CHARGES} charges")));
    }
    let first = charges.first().map(|charge| charge.tariff.currency());
    let currency = first.or(terms.commitment.map(|least| least.currency()));
    let zero = Money::zero(currency.ok_or_else(|| invalid("a bill needs a charge"))?);
    let mut purse = Purse::open(&terms.credits, terms.at)?;
    let (mut lines, mut cost) = (Vec::new(), zero);
    for charge in charges {
        let need = charge.tariff.prepayable(&charge.usage)?;
        let prepaid = purse.burn_units(&charge.name, need)?;
        let rated = rate_usage(&charge.tariff, &charge.usage, prepaid)?;
        cost = cost.checked_add(rated.total)?;
        lines.extend(rated.lines.into_iter().map(|line| BillLine {
            charge: Some(charge.name.clone()),
            line,
        }));
    }
    if let Some(least) = terms.commitment {
        let missing = least.checked_sub(cost)?;
        if missing.minor() > 0 {
            cost = least;
            lines.push(whole(LineKind::Commitment, missing));
        }
    }
    let mut total = cost;
    for (id, paid) in purse.burn_money(cost)? {
        total = total.checked_sub(paid)?;
        lines.push(whole(LineKind::Credit { id }, paid.checked_neg()?));
    }
    let burns = purse.burns;
    Ok(Bill {
        lines,
        cost,
        total,
        burns,
    })
}

/// A line of the whole bill.
fn whole(kind: LineKind, amount: Money) -> BillLine {
    let line = Line {
        kind,
        quantity: Quantity::ZERO,
        unit: None,
        fee: 0,
        amount,
    };
    BillLine { charge: None, line }
}

impl Terms {
    /// Nothing promised and nothing paid before.
    pub fn none(at: Timestamp) -> Self {
        Self {
            commitment: None,
            credits: Vec::new(),
            at,
        }
    }

    /// The terms of a part of a period: the commitment is shared by time, half to even.
    #[must_use]
    pub fn prorated(mut self, share: super::Share) -> Self {
        self.commitment = self.commitment.map(|least| {
            let minor = share.of_amount(least.minor(), Rounding::HalfEven);
            Money::new(minor, least.currency())
        });
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::Currency;
    use crate::price::rate::tests::tariffs;
    use crate::price::{Burned, CreditOf};
    use proptest::prelude::*;

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(ms)
    }

    fn charge(name: &str, tariff: &str, units: u64) -> Charge {
        Charge {
            name: name.into(),
            tariff: tariff.parse().expect("a tariff"),
            usage: Usage::units(units),
        }
    }

    fn money(id: &str, minor: i64, priority: u32, expires: Option<i64>, created: i64) -> Credit {
        Credit {
            id: id.into(),
            of: CreditOf::Money(Money::new(minor, Currency::EUR)),
            priority,
            expires_at: expires.map(at),
            created_at: at(created),
        }
    }

    fn said(bill: &Bill) -> Vec<String> {
        bill.lines.iter().map(|line| line.line.explain()).collect()
    }

    #[test]
    fn credits_burn_by_priority_then_expiry_then_age() {
        let terms = Terms {
            credits: vec![
                money("old", 100, 2, None, 1),
                money("late", 100, 1, None, 1),
                money("younger", 100, 1, Some(90), 3),
                money("soon", 100, 1, Some(50), 5),
                money("older", 100, 1, Some(90), 2),
                money("gone", 100, 0, Some(10), 0),
            ],
            ..Terms::none(at(10))
        };
        let bill = bill(&[charge("calls", "EUR per_unit 0.01", 450)], &terms).expect("a bill");
        let burned: Vec<_> = bill.burns.iter().map(|burn| burn.credit.as_str()).collect();
        assert_eq!(burned, ["soon", "older", "younger", "late", "old"]);
        let last = Burned::Money(Money::new(50, Currency::EUR));
        assert_eq!(bill.burns[4].of, last);
        assert_eq!((bill.cost.minor(), bill.total.minor()), (450, 0));
    }

    #[test]
    fn units_are_covered_before_money_and_the_commitment_is_of_what_was_priced() {
        let units = Credit {
            of: CreditOf::Units {
                charge: "calls".into(),
                left: Quantity::units(150),
            },
            ..money("pack", 0, 0, None, 0)
        };
        let terms = Terms {
            commitment: Some(Money::new(1000, Currency::EUR)),
            credits: vec![money("gift", 300, 0, None, 0), units],
            at: at(0),
        };
        let charges = [
            charge("calls", "EUR per_unit 0.02; free 100", 500),
            charge("seats", "EUR package 5=3.00", 1),
        ];
        let bill = bill(&charges, &terms).expect("a bill");
        assert_eq!(
            said(&bill),
            [
                "100 free",
                "150 prepaid",
                "250 × 0.02 = 5.00 EUR",
                "1 in 1 packages of 5 = 3.00 EUR",
                "up to the commitment, 2.00 EUR",
                "paid by credit, -3.00 EUR",
            ]
        );
        assert_eq!((bill.cost.minor(), bill.total.minor()), (1000, 700));
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        let mixed = [
            charge("a", "EUR flat 1.00", 0),
            charge("b", "JPY flat 1", 0),
        ];
        let code = |charges: &[Charge], terms: &Terms| bill(charges, terms).map_err(|e| e.code());
        assert_eq!(code(&mixed, &Terms::none(at(0))), Err("currency_mixed"));
        assert_eq!(code(&[], &Terms::none(at(0))), Err("tariff_invalid"));
        let below = Terms {
            credits: vec![money("debt", -1, 0, None, 0)],
            ..Terms::none(at(0))
        };
        assert_eq!(code(&mixed[..1], &below), Err("credit_invalid"));
        let foreign = Terms {
            credits: vec![money("euros", 100, 0, None, 0)],
            ..Terms::none(at(0))
        };
        let yen = bill(&mixed[1..], &foreign).expect("a bill");
        assert_eq!((yen.total.minor(), yen.burns.len()), (1, 0));
    }

    proptest! {
        #[test]
        fn bills_add_up_and_credits_are_never_overdrawn(
            tariffs in proptest::collection::vec((tariffs(), 0_u64..100_000), 1..5),
            commitment in proptest::option::of(0_i64..100_000),
            credits in proptest::collection::vec((0_i64..50_000, 0_u32..3), 0..5),
        ) {
            let currency = tariffs[0].0.currency();
            let charges: Vec<Charge> = tariffs.into_iter().enumerate()
                .filter(|(_, (tariff, _))| tariff.currency() == currency)
                .map(|(index, (tariff, units))| Charge {
                    name: index.to_string(), tariff, usage: Usage::units(units),
                }).collect();
            let credits: Vec<Credit> = credits.into_iter().enumerate().map(|(index, (left, priority))| Credit {
                of: match index % 2 {
                    0 => CreditOf::Money(Money::new(left, currency)),
                    _ => CreditOf::Units { charge: "0".into(), left: Quantity::units(left as u64) },
                },
                ..money(&index.to_string(), 0, priority, None, 0)
            }).collect();
            let terms = Terms {
                commitment: commitment.map(|minor| Money::new(minor, currency)),
                credits: credits.clone(),
                at: at(0),
            };
            let bill = bill(&charges, &terms).expect("a bill");
            let sum: i64 = bill.lines.iter().map(|line| line.line.amount.minor()).sum();
            prop_assert_eq!(sum, bill.total.minor());
            prop_assert!(bill.total.minor() >= 0);
            prop_assert!(bill.cost.minor() >= commitment.unwrap_or(0));
            for credit in &credits {
                let burned = |burn: &&Burn| burn.credit == credit.id;
                for burn in bill.burns.iter().filter(burned) {
                    let fits = match (&burn.of, &credit.of) {
                        (Burned::Money(paid), CreditOf::Money(had)) => paid.minor() <= had.minor(),
                        (Burned::Units { units, .. }, CreditOf::Units { left, .. }) => units <= left,
                        _ => false,
                    };
                    prop_assert!(fits);
                }
            }
        }
    }
}
