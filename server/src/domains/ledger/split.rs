//! Who gets what of a sale. Pure.
//!
//! The order is fixed: gross → discount → tax → platform fee → payment fee → affiliate → seller.
//! Shares of one line use the largest remainder, and so does the payment fee, which is charged
//! once for a payment and divided among its lines; so parts always add up to what the buyer pays.

use crate::domains::taxes::{Tax, Taxed};
use mintreu::{Error, Money};
use serde::Serialize;

/// Ten thousand basis points are the whole.
const WHOLE: u32 = 10_000;

/// Who found the buyer: it decides the platform's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Traffic {
    /// The seller's own link.
    Seller,
    /// The marketplace's home, search or categories.
    Marketplace,
    /// Nobody can say.
    #[default]
    Unknown,
}

impl Traffic {
    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Seller => "seller",
            Self::Marketplace => "marketplace",
            Self::Unknown => "unknown",
        }
    }

    /// Reads what [`Traffic::code`] wrote; anything else is unknown traffic.
    pub fn parse(code: &str) -> Self {
        match code {
            "seller" => Self::Seller,
            "marketplace" => Self::Marketplace,
            _ => Self::Unknown,
        }
    }
}

/// The platform's share in basis points, by traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeePolicy {
    /// On the seller's own traffic.
    pub seller_bps: u32,
    /// When the marketplace found the buyer.
    pub marketplace_bps: u32,
    /// Otherwise.
    pub default_bps: u32,
}

impl Default for FeePolicy {
    fn default() -> Self {
        Self {
            seller_bps: 1_000,
            marketplace_bps: 2_000,
            default_bps: 1_500,
        }
    }
}

impl FeePolicy {
    /// The share for `traffic`.
    pub const fn share(&self, traffic: Traffic) -> u32 {
        match traffic {
            Traffic::Seller => self.seller_bps,
            Traffic::Marketplace => self.marketplace_bps,
            Traffic::Unknown => self.default_bps,
        }
    }
}

/// What a payment costs, fixed at the sale; the provider's real fee differs by a variance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PaymentTariff {
    /// Of what the buyer pays.
    pub bps: u32,
    /// And so many minor units for each payment.
    pub fixed_minor: i64,
}

impl PaymentTariff {
    /// No fee: for what needs no payment.
    pub const FREE: Self = Self {
        bps: 0,
        fixed_minor: 0,
    };
}

impl Default for PaymentTariff {
    fn default() -> Self {
        Self {
            bps: 290,
            fixed_minor: 30,
        }
    }
}

/// What is sold on one line, before it is divided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitLine {
    /// Unit price times quantity.
    pub gross: Money,
    /// Taken off, at most the gross.
    pub discount: Money,
    /// Its tax.
    pub tax: Tax,
    /// The platform's share of the net price.
    pub platform_bps: u32,
    /// The affiliate's share of the net price.
    pub affiliate_bps: u32,
}

/// One line, divided. `tax + platform_fee + payment_fee + affiliate + seller = charged`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// Unit price times quantity.
    pub gross: Money,
    /// Taken off.
    pub discount: Money,
    /// On top of the price, or contained in it.
    pub tax: Money,
    /// What the buyer pays: gross − discount, and the tax when it comes on top.
    pub charged: Money,
    /// The platform's part.
    pub platform_fee: Money,
    /// This line's part of the payment fee.
    pub payment_fee: Money,
    /// The affiliate's part.
    pub affiliate: Money,
    /// What is left, never below zero.
    pub seller: Money,
    /// What the payment costs beyond what is left for the seller: the platform bears it.
    pub shortfall: Money,
    /// Each step in words and figures, stored with the line.
    pub steps: Vec<Step>,
}

/// One step of a split, for people who ask why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `gross`, `discount`, `tax`, `platform_fee`, `payment_fee`, `affiliate`, `seller`.
    pub step: &'static str,
    /// Minor units.
    pub amount_minor: i64,
    /// How it came about.
    pub why: String,
}

/// Why lines can't be divided.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SplitError {
    /// A price below zero, or a discount above the price.
    #[error("a line's price and discount must be between nothing and the price")]
    Negative,
    /// Platform and affiliate together take more than the whole.
    #[error("the shares of platform and affiliate exceed the whole")]
    Shares,
    /// Amounts too large, or of two currencies.
    #[error(transparent)]
    Money(#[from] Error),
}

/// Divides the lines of one payment, in their order.
pub fn split_sale(lines: &[SplitLine], tariff: PaymentTariff) -> Result<Vec<Split>, SplitError> {
    let charges = lines.iter().map(charge).collect::<Result<Vec<_>, _>>()?;
    let fees = payment_fees(&charges, tariff)?;
    let divided = lines.iter().zip(charges).zip(fees);
    divided
        .map(|((line, charge), fee)| divide(line, charge, fee, tariff))
        .collect()
}

/// The price after its discount, taxed: shares are of what is left without the tax.
fn charge(line: &SplitLine) -> Result<Taxed, SplitError> {
    let price = line.gross.checked_sub(line.discount)?;
    if price.minor() < 0 || line.discount.minor() < 0 {
        return Err(SplitError::Negative);
    }
    Ok(line.tax.on(price)?)
}

/// The fee of the whole payment, shared by what each line costs the buyer.
fn payment_fees(charges: &[Taxed], tariff: PaymentTariff) -> Result<Vec<Money>, SplitError> {
    let Some(first) = charges.first() else {
        return Ok(Vec::new());
    };
    let zero = Money::zero(first.charged.currency());
    let total = charges
        .iter()
        .try_fold(zero, |sum, charge| sum.checked_add(charge.charged))?;
    if total.minor() == 0 {
        return Ok(vec![zero; charges.len()]);
    }
    let fixed = Money::new(tariff.fixed_minor, total.currency());
    let fee = total.basis_points(tariff.bps)?.checked_add(fixed)?;
    let weights: Vec<u64> = charges
        .iter()
        .map(|charge| charge.charged.minor().unsigned_abs())
        .collect();
    Ok(fee.split(&weights)?)
}

fn divide(
    line: &SplitLine,
    charge: Taxed,
    fee: Money,
    tariff: PaymentTariff,
) -> Result<Split, SplitError> {
    let taken = line.platform_bps.checked_add(line.affiliate_bps);
    let rest = taken.and_then(|taken| WHOLE.checked_sub(taken));
    let rest = rest.ok_or(SplitError::Shares)?;
    let weights = [line.platform_bps, line.affiliate_bps, rest].map(u64::from);
    let shares = charge.base.split(&weights)?;
    let platform_fee = shares[0];
    let before_fee = shares[1].checked_add(shares[2])?;
    // No part is ever negative: what the tariff asks beyond them, the platform bears. The payment
    // comes before the affiliate, so whether somebody brought the buyer never makes a sale fail.
    let payment_fee = Money::new(fee.minor().min(before_fee.minor()), fee.currency());
    let after_fee = before_fee.checked_sub(payment_fee)?;
    let affiliate = Money::new(shares[1].minor().min(after_fee.minor()), fee.currency());
    let seller = after_fee.checked_sub(affiliate)?;
    let shortfall = fee.checked_sub(payment_fee)?;
    let parts = Parts {
        platform_fee,
        payment_fee,
        affiliate,
        seller,
    };
    let steps = explain(line, &charge, &parts, tariff);
    Ok(Split {
        gross: line.gross,
        discount: line.discount,
        tax: charge.tax,
        charged: charge.charged,
        platform_fee,
        payment_fee,
        affiliate,
        seller,
        shortfall,
        steps,
    })
}

struct Parts {
    platform_fee: Money,
    payment_fee: Money,
    affiliate: Money,
    seller: Money,
}

fn percent(bps: u32) -> String {
    format!("{}.{:02} %", bps / 100, bps % 100)
}

fn explain(line: &SplitLine, charge: &Taxed, parts: &Parts, tariff: PaymentTariff) -> Vec<Step> {
    let step = |step, amount: Money, why: String| Step {
        step,
        amount_minor: amount.minor(),
        why,
    };
    let fee = format!(
        "{} of what the buyer pays and {} minor units a payment, shared among its lines",
        percent(tariff.bps),
        tariff.fixed_minor
    );
    vec![
        step("gross", line.gross, "unit price times quantity".to_owned()),
        step("discount", line.discount, "taken off the gross".to_owned()),
        step("tax", charge.tax, line.tax.reason.clone()),
        step(
            "platform_fee",
            parts.platform_fee,
            format!("{} of the net price", percent(line.platform_bps)),
        ),
        step("payment_fee", parts.payment_fee, fee),
        step(
            "affiliate",
            parts.affiliate,
            match line.affiliate_bps {
                0 => "nobody else brought the buyer".to_owned(),
                bps => format!("{} of the net price, after the payment fee", percent(bps)),
            },
        ),
        step("seller", parts.seller, "what is left".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintreu::Currency;
    use proptest::prelude::*;

    fn eur(minor: i64) -> Money {
        Money::new(minor, Currency::EUR)
    }

    fn line(gross: i64, discount: i64, tax_bps: u32, platform: u32, affiliate: u32) -> SplitLine {
        SplitLine {
            gross: eur(gross),
            discount: eur(discount),
            tax: Tax {
                bps: tax_bps,
                ..Tax::zero("test")
            },
            platform_bps: platform,
            affiliate_bps: affiliate,
        }
    }

    #[test]
    fn a_sale_of_49_euro_in_its_parts() {
        let policy = FeePolicy::default();
        let sold = line(4_900, 0, 0, policy.share(Traffic::Unknown), 0);
        let parts = split_sale(&[sold], PaymentTariff::default()).expect("splits");
        let part = &parts[0];
        assert_eq!(part.charged, eur(4_900));
        assert_eq!(part.platform_fee, eur(735)); // 15 %
        assert_eq!(part.payment_fee, eur(172)); // 2.9 % of 49.00 is 142.1, and 0.30
        assert_eq!(part.seller, eur(3_993));
        let order: Vec<_> = part.steps.iter().map(|step| step.step).collect();
        let expected = [
            "gross",
            "discount",
            "tax",
            "platform_fee",
            "payment_fee",
            "affiliate",
            "seller",
        ];
        assert_eq!(order, expected);
    }

    #[test]
    fn a_tiny_price_leaves_the_seller_nothing_but_no_debt() {
        let parts = split_sale(&[line(20, 0, 0, 1_500, 800)], PaymentTariff::default());
        let part = parts.expect("splits").remove(0);
        assert_eq!(part.seller, eur(0));
        assert_eq!(
            part.payment_fee.minor() + part.platform_fee.minor() + part.affiliate.minor(),
            20
        );
        assert_eq!(part.shortfall, eur(31 - part.payment_fee.minor()));
    }

    /// An affiliate's share comes out of what is left of the seller's, and never out of the fee.
    #[test]
    fn an_affiliate_makes_no_sale_dearer_than_it_was() {
        for gross in 0..200 {
            let tariff = PaymentTariff::default();
            let split = |bps| split_sale(&[line(gross, 0, 0, 1_500, bps)], tariff).expect("splits");
            let (alone, brought) = (split(0).remove(0), split(800).remove(0));
            // A unit of rounding may change sides between the platform and the rest.
            let differs = (alone.shortfall.minor() - brought.shortfall.minor()).abs();
            assert!(differs <= 1, "{gross}: {brought:?}");
            let earned = brought.seller.minor() + brought.affiliate.minor();
            assert!(
                (earned - alone.seller.minor()).abs() <= 1,
                "{gross}: {brought:?}"
            );
        }
        let tiny = split_sale(&[line(40, 0, 0, 1_500, 800)], PaymentTariff::default());
        let tiny = tiny.expect("splits").remove(0);
        assert_eq!((tiny.affiliate, tiny.seller), (eur(3), eur(0)));
    }

    #[test]
    fn what_is_free_costs_nobody_anything() {
        let parts = split_sale(&[line(0, 0, 1_900, 1_500, 0)], PaymentTariff::default());
        let part = parts.expect("splits").remove(0);
        assert_eq!(
            (part.charged, part.payment_fee, part.seller),
            (eur(0), eur(0), eur(0))
        );
    }

    /// The price contains 7.82 of tax, and 15 % of the other 41.18 are the platform's.
    #[test]
    fn a_price_that_contains_its_tax_is_all_that_is_paid() {
        let mut sold = line(4_900, 0, 1_900, 1_500, 0);
        sold.tax.inclusive = true;
        let parts = split_sale(&[sold], PaymentTariff::default()).expect("splits");
        let part = &parts[0];
        assert_eq!((part.charged, part.tax), (eur(4_900), eur(782)));
        assert_eq!(part.platform_fee, eur(618)); // 617.7
        assert_eq!((part.payment_fee, part.seller), (eur(172), eur(3_328)));
    }

    #[test]
    fn impossible_lines_are_refused() {
        let tariff = PaymentTariff::default();
        let above = split_sale(&[line(100, 101, 0, 0, 0)], tariff);
        assert_eq!(above, Err(SplitError::Negative));
        let greedy = split_sale(&[line(100, 0, 0, 9_000, 2_000)], tariff);
        assert_eq!(greedy, Err(SplitError::Shares));
        let both = [
            line(100, 0, 0, 0, 0),
            SplitLine {
                gross: Money::new(100, Currency::USD),
                discount: Money::zero(Currency::USD),
                ..line(0, 0, 0, 0, 0)
            },
        ];
        assert!(matches!(
            split_sale(&both, tariff),
            Err(SplitError::Money(_))
        ));
    }

    proptest! {
        #[test]
        fn parts_add_up_and_nobody_owes(
            lines in proptest::collection::vec(
                (0_i64..50_000_000, 0_u32..=100, 0_u32..=3_000, 0_u32..=5_000, 0_u32..=5_000), 1..8),
            bps in 0_u32..1_000, fixed_minor in 0_i64..500, inclusive: bool,
        ) {
            let lines: Vec<_> = lines.iter().map(|&(gross, off, tax, platform, affiliate)| {
                let mut line = line(gross, gross * i64::from(off) / 100, tax, platform, affiliate);
                line.tax.inclusive = inclusive;
                line
            }).collect();
            let parts = split_sale(&lines, PaymentTariff { bps, fixed_minor }).expect("splits");
            prop_assert_eq!(parts.len(), lines.len());
            for part in &parts {
                let sum: i64 = [part.tax, part.platform_fee, part.payment_fee, part.affiliate,
                    part.seller].iter().map(Money::minor).sum();
                prop_assert_eq!(sum, part.charged.minor());
                for amount in [part.platform_fee, part.payment_fee, part.affiliate, part.seller] {
                    prop_assert!(amount.minor() >= 0);
                }
            }
        }
    }
}
