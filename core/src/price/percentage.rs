//! A share of what transactions amount to: of each, held to its bounds, or of their sum in steps.

use super::line::{Limited, Line, LineKind};
use super::rate::{Bill, PARTS, exact, overflow, steps};
use super::split::{Split, incomplete};
use super::{Amounts, PercentTier, Percentage, Quantity, UnitPrice, Usage};
use crate::error::Result;

impl Bill<'_> {
    /// One line over all charged transactions: each is priced exactly, held to its bounds, and the
    /// sum is rounded once.
    pub(super) fn percentage(
        &mut self,
        scheme: &Percentage,
        usage: &Usage,
        split: &Split,
    ) -> Result<()> {
        let unit = scheme.of.price(scheme.rate, self.tariff.currency)?;
        let known = usage.transactions();
        let charged = known.map(|count| count.saturating_sub(scheme.free_transactions));
        if split.billable == Quantity::ZERO && charged.unwrap_or(0) == 0 {
            return Ok(());
        }
        let bounded = scheme.each_min.is_some() || scheme.each_max.is_some();
        let mut limits = (None, None);
        let (transactions, exact) = match (usage, charged) {
            (Usage::Each(amounts), Some(charged)) if bounded => {
                let skip = amounts
                    .len()
                    .saturating_sub(usize::try_from(charged).unwrap_or(0));
                let each = Each { scheme, unit };
                let (sum, found) = each.sum(&amounts[skip..], split.covered)?;
                limits = found;
                (charged, sum)
            }
            (_, Some(charged)) if !bounded => {
                let fees = i128::from(charged) * i128::from(scheme.fee);
                (charged, exact(split.billable, unit, fees)?)
            }
            (_, None) if !bounded && scheme.fee == 0 => (0, exact(split.billable, unit, 0)?),
            _ => return Err(incomplete()),
        };
        let kind = LineKind::Percentage {
            rate: scheme.rate,
            of: scheme.of,
            after: None,
            transactions,
            raised: limits.0,
            cut: limits.1,
        };
        let amount = self.round(exact)?;
        self.add(Line {
            kind,
            quantity: split.billable,
            unit: Some(unit),
            fee: scheme.fee,
            amount,
        })
    }

    pub(super) fn graduated_percentage(
        &mut self,
        of: Amounts,
        tiers: &[PercentTier],
        billable: Quantity,
    ) -> Result<()> {
        let ends = tiers.iter().map(|tier| tier.up_to);
        for (tier, (after, to)) in tiers.iter().zip(steps(ends, billable)) {
            if to > after {
                let kind = LineKind::Percentage {
                    rate: tier.rate,
                    of,
                    after: Some(after),
                    transactions: 0,
                    raised: None,
                    cut: None,
                };
                let unit = of.price(tier.rate, self.tariff.currency)?;
                self.push_units(kind, to.less(after), (unit, tier.fee))?;
            }
        }
        Ok(())
    }
}

/// Those raised and those cut.
type Limits = (Option<Limited>, Option<Limited>);

/// The bounds of single transactions.
struct Each<'a> {
    scheme: &'a Percentage,
    unit: UnitPrice,
}

impl Each<'_> {
    /// The exact sum of all, and which bounds changed how many.
    fn sum(&self, amounts: &[Quantity], mut covered: Quantity) -> Result<(i128, Limits)> {
        let (mut sum, mut raised, mut cut) = (0_i128, 0, 0);
        for amount in amounts {
            let billable = amount.less(covered);
            covered = covered.less(*amount);
            let one = exact(billable, self.unit, i128::from(self.scheme.fee))?;
            let least = self
                .scheme
                .each_min
                .map_or(one, |least| i128::from(least) * PARTS);
            let most = self
                .scheme
                .each_max
                .map_or(i128::MAX, |most| i128::from(most) * PARTS);
            raised += u64::from(one < least);
            cut += u64::from(one > most);
            let bounded = one.max(least).min(most);
            sum = sum.checked_add(bounded).ok_or_else(overflow)?;
        }
        let limited = |count: u64, to: Option<i64>| {
            let to = to.filter(|_| count > 0)?;
            Some(Limited { count, to })
        };
        let raised = limited(raised, self.scheme.each_min);
        Ok((sum, (raised, limited(cut, self.scheme.each_max))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::rate::tests::{explained, percents};
    use super::super::usage::sum;
    use super::super::{Scheme, Tariff, rate_usage};
    use super::*;
    use crate::money::Currency;
    use proptest::prelude::*;

    fn quantities(texts: &[&str]) -> Vec<Quantity> {
        texts
            .iter()
            .map(|text| text.parse().expect("a quantity"))
            .collect()
    }

    #[test]
    fn transactions_are_held_to_their_bounds_one_by_one() {
        let payments = Usage::Each(quantities(&["4.00", "1.00", "100.00", "900.00", "0"]));
        let tariff = "USD percentage 2.9%+0.30; free_transactions 1; each_min 0.35; each_max 5.00";
        let (lines, total) = explained(tariff, &payments, 0);
        let line = "1001 × 2.9% + 4 × 0.30, 2 raised to 0.35, 1 cut to 5.00 = 8.90 USD";
        assert_eq!((lines, total), (vec!["4 free".into(), line.into()], 890));
        let counted = Usage::Counted {
            quantity: Quantity::units(1005),
            transactions: 5,
        };
        let (lines, total) = explained("USD percentage 2.9%+0.30; free 5", &counted, 0);
        let line = "1000 × 2.9% + 5 × 0.30 = 30.50 USD";
        assert_eq!((lines, total), (vec!["5 free".into(), line.into()], 3050));
    }

    #[test]
    fn usage_that_says_too_little_is_refused() {
        let counted = Usage::Counted {
            quantity: Quantity::units(10),
            transactions: 5,
        };
        for (tariff, usage) in [
            ("USD percentage 2.9%+0.30", Usage::units(10)),
            ("USD percentage 2.9%; each_max 1.00", counted.clone()),
            ("USD percentage 2.9%; free_transactions 2", counted.clone()),
        ] {
            let tariff: Tariff = tariff.parse().expect("a tariff");
            assert!(tariff.by_transaction());
            let refused = rate_usage(&tariff, &usage, Quantity::ZERO).map_err(|e| e.code());
            assert_eq!(refused, Err("usage_incomplete"), "{tariff}");
        }
        let all_free = explained("USD percentage 2.9%; free_transactions 5", &counted, 0);
        assert_eq!(all_free, (vec!["10 free".into()], 0));
    }

    proptest! {
        #[test]
        fn transactions_told_one_by_one_cost_what_their_sum_costs(
            nanos in proptest::collection::vec(0_u128..1_000_000_000_000, 1..20),
            fee in 0_i64..100, rate in percents(),
        ) {
            let scheme = Percentage { fee, ..Percentage::new(rate) };
            let tariff = Tariff::new(Currency::USD, Scheme::Percentage(scheme.clone())).expect("sound");
            let wide = Percentage { each_min: Some(0), each_max: Some(i64::MAX), ..scheme };
            let bounded = Tariff::new(Currency::USD, Scheme::Percentage(wide)).expect("sound");
            let each: Vec<_> = nanos.iter().map(|n| Quantity::from_nanos(*n).expect("fits")).collect();
            let counted = Usage::Counted {
                quantity: sum(each.iter()).expect("fits"), transactions: each.len() as u64,
            };
            let each = Usage::Each(each);
            let total = |tariff, usage| rate_usage(tariff, usage, Quantity::ZERO).map(|r| r.total);
            prop_assert_eq!(total(&tariff, &each), total(&tariff, &counted));
            prop_assert_eq!(total(&bounded, &each), total(&tariff, &counted));
        }
    }
}
