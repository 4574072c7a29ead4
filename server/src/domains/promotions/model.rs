//! A coupon, its rule, and what it does to the lines of a purchase. Pure.

use crate::caller::Denied;
use crate::store::StoreError;
use mintreu::id::{AccountId, CouponId, ProductId};
use mintreu::{Currency, Money, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most products or currencies of one rule.
const MAX_PARTS: usize = 100;
/// Largest amount and count of a rule.
const MAX_NUMBER: i64 = 1_000_000_000;
/// Most periods that a discount lasts for.
const MAX_CYCLES: i64 = 120;
/// Ten thousand basis points are the whole price.
const WHOLE: u32 = 10_000;

/// Money in one currency, as rules write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PromotionAmount)]
pub struct Amount {
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
}

impl Amount {
    fn money(&self) -> Option<Money> {
        let currency = Currency::parse(&self.currency).ok()?;
        Some(Money::new(self.amount_minor, currency))
    }
}

/// For how many periods of a subscription a discount lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lasts {
    /// The first payment alone.
    #[default]
    Once,
    /// So many payments, the first included.
    Cycles(i64),
    /// Every payment.
    Forever,
}

impl Lasts {
    /// Whether the payment of this number has the discount; the first sale is number 1.
    pub const fn covers(self, number: i64) -> bool {
        match self {
            Self::Once => number <= 1,
            Self::Cycles(cycles) => number <= cycles,
            Self::Forever => true,
        }
    }
}

fn one() -> i64 {
    1
}

/// What a coupon takes off, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Hundredths of a percent off the price, up to 10000; or else `off`.
    #[serde(default)]
    pub percent_bps: Option<u32>,
    /// Taken off each unit, an amount a currency; in other currencies the code doesn't work.
    #[serde(default)]
    pub off: Vec<Amount>,
    /// Ids of the seller's products; empty for all of them.
    #[serde(default)]
    pub products: Vec<String>,
    /// Milliseconds since 1970 (UTC) from which it works.
    #[serde(default)]
    pub starts_at: Option<i64>,
    /// The instant from which it doesn't any more.
    #[serde(default)]
    pub ends_at: Option<i64>,
    /// Units it is good for in all.
    #[serde(default)]
    pub max_units: Option<i64>,
    /// Units it is good for with one buyer.
    #[serde(default)]
    pub max_per_customer: Option<i64>,
    /// Units that a line must have at least.
    #[serde(default = "one")]
    pub min_quantity: i64,
    /// What the covered lines must cost at least, an amount a currency; none in other currencies.
    #[serde(default)]
    pub min_spend: Vec<Amount>,
    /// For subscriptions: how long it lasts.
    #[serde(default)]
    pub lasts: Lasts,
}

/// A code of a seller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coupon {
    /// The coupon.
    pub id: CouponId,
    /// Whose products it makes cheaper.
    pub seller: AccountId,
    /// In capitals.
    pub code: String,
    /// What it does.
    pub rule: Rule,
    /// Units taken so far.
    pub taken: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was switched off.
    pub disabled_at: Option<Timestamp>,
}

impl Coupon {
    /// Whether the clock and its seller let it work.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.disabled_at.is_none()
            && self.rule.starts_at.is_none_or(|start| start <= now.ms())
            && self.rule.ends_at.is_none_or(|end| now.ms() < end)
    }

    fn covers(&self, line: &Candidate) -> bool {
        let products = &self.rule.products;
        let id = line.product.to_string();
        line.seller == self.seller && (products.is_empty() || products.contains(&id))
    }
}

/// A code as it is compared: in capitals, without blanks around it.
pub fn fold_code(text: &str) -> String {
    text.trim().to_uppercase()
}

/// A line that a code may make cheaper.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Who sells it.
    pub seller: AccountId,
    /// What.
    pub product: ProductId,
    /// For one.
    pub unit: Money,
    /// How many.
    pub quantity: i64,
    /// Whether it is charged again every period.
    pub recurring: bool,
}

/// What a code does to one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discount {
    /// Which coupon.
    pub coupon: CouponId,
    /// Its code.
    pub code: String,
    /// Off the whole line.
    pub off: Money,
    /// Units of the coupon that it takes.
    pub units: i64,
    /// For how many payments.
    pub lasts: Lasts,
    /// In words, for the split.
    pub why: String,
}

/// Why a code does nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Nobody's code, or not for these products or this currency.
    #[error("this code isn't valid for what is bought")]
    Invalid,
    /// Not yet, not any more, or switched off.
    #[error("this code isn't active now")]
    Inactive,
    /// A line has too few units.
    #[error("this code needs a quantity of at least {0}")]
    InsufficientQuantity(i64),
    /// A line has more units than are left.
    #[error("this code is good for {0} more only")]
    ExceedingQuantity(i64),
    /// All units are taken.
    #[error("this code is used up")]
    SoldOut,
    /// This buyer took theirs.
    #[error("you have used this code as often as it allows")]
    CustomerLimit,
    /// The lines cost too little.
    #[error("this code needs a purchase of at least {0}")]
    MinimumSpend(Money),
    /// A subscription would cost nothing for a while: that is a trial, not a discount.
    #[error("this code would make a subscription free for a while")]
    FreePeriod,
}

impl Refusal {
    /// As problems and pages name it.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid => "coupon_invalid",
            Self::Inactive => "coupon_inactive",
            Self::InsufficientQuantity(_) => "coupon_insufficient_quantity",
            Self::ExceedingQuantity(_) => "coupon_exceeding_quantity",
            Self::SoldOut => "coupon_sold_out",
            Self::CustomerLimit => "coupon_customer_limit",
            Self::MinimumSpend(_) => "coupon_minimum_spend",
            Self::FreePeriod => "coupon_free_period",
        }
    }
}

/// Why a coupon could not be written, or a discount not be given.
#[derive(Debug, thiserror::Error)]
pub enum PromotionError {
    /// No such coupon, or another seller's.
    #[error("no such coupon")]
    NotFound,
    /// The seller has this code already.
    #[error("you have a coupon with this code already")]
    CodeTaken,
    /// A field of the rule is wrong.
    #[error("{1}")]
    Rule(&'static str, String),
    /// A buyer's code does nothing.
    #[error("{refusal}")]
    Refused {
        /// The code as it was given.
        code: String,
        /// Why.
        refusal: Refusal,
    },
    /// An amount is too large.
    #[error(transparent)]
    Money(#[from] mintreu::Error),
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives the lines that `coupon` covers and that have no discount yet what it takes off, in their
/// order, for as long as units are left; `used` is how many this buyer took before.
///
/// A line gets the discount for all of its units or for none: with 4 left, lines of 2, 3 and 2
/// make the first and the last one cheaper. When no line gets one, the first reason is answered.
pub fn apply(
    coupon: &Coupon,
    used: i64,
    now: Timestamp,
    lines: &[Candidate],
    given: &mut [Option<Discount>],
) -> Result<Result<(), Refusal>, mintreu::Error> {
    if !coupon.is_active(now) {
        return Ok(Err(Refusal::Inactive));
    }
    let covered: Vec<usize> = (0..lines.len())
        .filter(|&at| given[at].is_none() && coupon.covers(&lines[at]))
        .collect();
    let Some(&first) = covered.first() else {
        return Ok(Err(Refusal::Invalid));
    };
    if let Some(refusal) = too_little(coupon, lines, &covered, lines[first].unit.currency())? {
        return Ok(Err(refusal));
    }
    let of_all = left(coupon.rule.max_units, coupon.taken);
    let of_buyer = left(coupon.rule.max_per_customer, used);
    if of_all <= 0 {
        return Ok(Err(Refusal::SoldOut));
    }
    if of_buyer <= 0 {
        return Ok(Err(Refusal::CustomerLimit));
    }
    let mut left = of_all.min(of_buyer);
    let mut refused = None;
    let mut gave = false;
    for at in covered {
        match discount(coupon, &lines[at], left)? {
            Ok(found) => {
                left -= found.units;
                gave = true;
                given[at] = Some(found);
            }
            Err(refusal) => refused = refused.or(Some(refusal)),
        }
    }
    Ok(match (gave, refused) {
        (false, Some(refusal)) => Err(refusal),
        _ => Ok(()),
    })
}

fn left(most: Option<i64>, taken: i64) -> i64 {
    most.map_or(i64::MAX, |most| most.saturating_sub(taken))
}

/// Whether the covered lines together cost less than the coupon wants.
fn too_little(
    coupon: &Coupon,
    lines: &[Candidate],
    covered: &[usize],
    currency: Currency,
) -> Result<Option<Refusal>, mintreu::Error> {
    let Some(least) = amount_in(&coupon.rule.min_spend, currency) else {
        return Ok(None);
    };
    let mut spent = Money::zero(currency);
    for &at in covered {
        let gross = lines[at].unit.checked_mul(lines[at].quantity)?;
        spent = spent.checked_add(gross)?;
    }
    Ok((spent.minor() < least.minor()).then_some(Refusal::MinimumSpend(least)))
}

fn amount_in(amounts: &[Amount], currency: Currency) -> Option<Money> {
    let mut amounts = amounts.iter().filter_map(Amount::money);
    amounts.find(|amount| amount.currency() == currency)
}

fn discount(
    coupon: &Coupon,
    line: &Candidate,
    left: i64,
) -> Result<Result<Discount, Refusal>, mintreu::Error> {
    let rule = &coupon.rule;
    if line.quantity < rule.min_quantity {
        return Ok(Err(Refusal::InsufficientQuantity(rule.min_quantity)));
    }
    if line.quantity > left {
        return Ok(Err(Refusal::ExceedingQuantity(left)));
    }
    let gross = line.unit.checked_mul(line.quantity)?;
    let currency = gross.currency();
    let (off, words) = match rule.percent_bps {
        Some(bps) => {
            let words = format!("{}.{:02} %", bps / 100, bps % 100);
            (gross.basis_points(bps.min(WHOLE))?, words)
        }
        None => {
            let Some(each) = amount_in(&rule.off, currency) else {
                return Ok(Err(Refusal::Invalid));
            };
            let capped = Money::new(each.minor().min(line.unit.minor()), currency);
            (
                capped.checked_mul(line.quantity)?,
                format!("{each} for each"),
            )
        }
    };
    if line.recurring && off == gross && rule.lasts != Lasts::Forever {
        return Ok(Err(Refusal::FreePeriod));
    }
    Ok(Ok(Discount {
        coupon: coupon.id,
        why: format!(
            "{words} off by the code {}; the seller bears it",
            coupon.code
        ),
        code: coupon.code.clone(),
        off,
        units: line.quantity,
        lasts: rule.lasts,
    }))
}

/// Checks a code as a seller writes it: 3 to 40 letters, digits, `-` and `_`.
pub fn check_code(text: &str) -> Result<String, PromotionError> {
    let code = fold_code(text);
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    if (3..=40).contains(&code.chars().count()) && code.chars().all(plain) {
        return Ok(code);
    }
    let rule = "a code is 3 to 40 letters, digits, - and _".to_owned();
    Err(PromotionError::Rule("code", rule))
}

/// Checks a rule as a seller writes it; whether the products are theirs is asked elsewhere.
pub fn check_rule(rule: &Rule) -> Result<(), PromotionError> {
    let wrong = |field, why: &str| Err(PromotionError::Rule(field, why.to_owned()));
    match (rule.percent_bps, rule.off.is_empty()) {
        (Some(1..=WHOLE), true) => {}
        (None, false) => check_amounts("off", &rule.off, 1)?,
        (Some(_), true) => return wrong("percent_bps", "a percentage is 0.01 to 100 percent"),
        _ => return wrong("off", "either a percentage or amounts are taken off"),
    }
    check_amounts("min_spend", &rule.min_spend, 0)?;
    if rule.products.len() > MAX_PARTS {
        return wrong("products", "at most 100 products are named");
    }
    let counts = [
        ("max_units", rule.max_units),
        ("max_per_customer", rule.max_per_customer),
        ("min_quantity", Some(rule.min_quantity)),
    ];
    for (field, count) in counts {
        if count.is_some_and(|count| !(1..=MAX_NUMBER).contains(&count)) {
            return wrong(field, "a number from 1 to 1000000000");
        }
    }
    if let (Some(start), Some(end)) = (rule.starts_at, rule.ends_at)
        && end <= start
    {
        return wrong("ends_at", "it ends after it starts");
    }
    match rule.lasts {
        Lasts::Cycles(cycles) if !(1..=MAX_CYCLES).contains(&cycles) => {
            wrong("lasts", "it lasts for 1 to 120 payments")
        }
        _ => Ok(()),
    }
}

fn check_amounts(
    field: &'static str,
    amounts: &[Amount],
    least: i64,
) -> Result<(), PromotionError> {
    let wrong = |why: &str| Err(PromotionError::Rule(field, why.to_owned()));
    if amounts.len() > MAX_PARTS {
        return wrong("at most 100 amounts");
    }
    for (at, amount) in amounts.iter().enumerate() {
        if amount.money().is_none() || !(least..=MAX_NUMBER).contains(&amount.amount_minor) {
            return wrong("an amount in minor units of a known currency");
        }
        let same = |other: &Amount| other.currency == amount.currency;
        if amounts[..at].iter().any(same) {
            return wrong("one amount a currency");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const SELLER: AccountId = AccountId::from_bytes([1; 16]);

    fn rule() -> Rule {
        serde_json::from_str(r#"{"percent_bps": 2000}"#).expect("a rule")
    }

    fn coupon(rule: Rule) -> Coupon {
        Coupon {
            id: CouponId::from_bytes([2; 16]),
            seller: SELLER,
            code: "SPRING".to_owned(),
            rule,
            taken: 0,
            created_at: NOW,
            disabled_at: None,
        }
    }

    fn line(product: u8, minor: i64, quantity: i64) -> Candidate {
        Candidate {
            seller: SELLER,
            product: ProductId::from_bytes([product; 16]),
            unit: Money::new(minor, Currency::EUR),
            quantity,
            recurring: false,
        }
    }

    fn offs(coupon: &Coupon, used: i64, lines: &[Candidate]) -> Result<Vec<Option<i64>>, Refusal> {
        let mut given = vec![None; lines.len()];
        let done = apply(coupon, used, NOW, lines, &mut given).expect("small amounts");
        let off = |one: Option<Discount>| one.map(|one| one.off.minor());
        done.map(|()| given.into_iter().map(off).collect())
    }

    #[test]
    fn what_is_left_goes_to_lines_in_their_order_whole_or_not_at_all() {
        let mut coupon = coupon(Rule {
            max_units: Some(10),
            ..rule()
        });
        coupon.taken = 6;
        let lines = [line(1, 1_000, 2), line(2, 1_000, 3), line(3, 1_000, 2)];
        assert_eq!(
            offs(&coupon, 0, &lines),
            Ok(vec![Some(400), None, Some(400)])
        );
        coupon.taken = 10;
        assert_eq!(offs(&coupon, 0, &lines), Err(Refusal::SoldOut));
        coupon.taken = 9;
        let refused = Refusal::ExceedingQuantity(1);
        assert_eq!(offs(&coupon, 0, &lines), Err(refused));
    }

    #[test]
    fn each_reason_is_named() {
        let one = [line(1, 1_000, 1)];
        let least = Amount {
            amount_minor: 1_001,
            currency: "EUR".to_owned(),
        };
        let dollars = Amount {
            amount_minor: 100,
            currency: "USD".to_owned(),
        };
        let cases = [
            (
                Rule {
                    starts_at: Some(NOW.ms() + 1),
                    ..rule()
                },
                Refusal::Inactive,
            ),
            (
                Rule {
                    ends_at: Some(NOW.ms()),
                    ..rule()
                },
                Refusal::Inactive,
            ),
            (
                Rule {
                    min_quantity: 2,
                    ..rule()
                },
                Refusal::InsufficientQuantity(2),
            ),
            (
                Rule {
                    max_per_customer: Some(3),
                    ..rule()
                },
                Refusal::CustomerLimit,
            ),
            (
                Rule {
                    min_spend: vec![least],
                    ..rule()
                },
                Refusal::MinimumSpend(Money::new(1_001, Currency::EUR)),
            ),
            (
                Rule {
                    percent_bps: None,
                    off: vec![dollars],
                    ..rule()
                },
                Refusal::Invalid,
            ),
            (
                Rule {
                    products: vec!["prd_other".to_owned()],
                    ..rule()
                },
                Refusal::Invalid,
            ),
        ];
        for (rule, refusal) in cases {
            assert_eq!(offs(&coupon(rule), 3, &one), Err(refusal));
        }
        let mut off = coupon(rule());
        off.disabled_at = Some(NOW);
        assert_eq!(offs(&off, 0, &one), Err(Refusal::Inactive));
        let other = Coupon {
            seller: AccountId::from_bytes([9; 16]),
            ..coupon(rule())
        };
        assert_eq!(offs(&other, 0, &one), Err(Refusal::Invalid));
    }

    #[test]
    fn amounts_are_taken_off_each_unit_and_never_more_than_it_costs() {
        let off = Amount {
            amount_minor: 700,
            currency: "EUR".to_owned(),
        };
        let coupon = coupon(Rule {
            percent_bps: None,
            off: vec![off],
            ..rule()
        });
        let lines = [line(1, 1_000, 3), line(2, 500, 2)];
        assert_eq!(offs(&coupon, 0, &lines), Ok(vec![Some(2_100), Some(1_000)]));
    }

    #[test]
    fn a_subscription_is_never_free_for_a_while() {
        let mut monthly = line(1, 900, 1);
        monthly.recurring = true;
        let all = |lasts| {
            coupon(Rule {
                percent_bps: Some(10_000),
                lasts,
                ..rule()
            })
        };
        let lines = [monthly];
        for lasts in [Lasts::Once, Lasts::Cycles(3)] {
            assert_eq!(offs(&all(lasts), 0, &lines), Err(Refusal::FreePeriod));
        }
        assert_eq!(offs(&all(Lasts::Forever), 0, &lines), Ok(vec![Some(900)]));
    }

    #[test]
    fn codes_and_rules_that_say_nothing_sound_are_refused() {
        assert_eq!(check_code(" spring-27 ").expect("a code"), "SPRING-27");
        for code in ["", "ab", "a b c", "50%", &"x".repeat(41)] {
            assert!(check_code(code).is_err(), "{code}");
        }
        let field = |rule: &Rule| match check_rule(rule) {
            Err(PromotionError::Rule(field, _)) => field,
            other => panic!("{other:?}"),
        };
        assert!(check_rule(&rule()).is_ok());
        assert_eq!(
            field(&Rule {
                percent_bps: Some(10_001),
                ..rule()
            }),
            "percent_bps"
        );
        assert_eq!(
            field(&Rule {
                percent_bps: None,
                ..rule()
            }),
            "off"
        );
        assert_eq!(
            field(&Rule {
                min_quantity: 0,
                ..rule()
            }),
            "min_quantity"
        );
        assert_eq!(
            field(&Rule {
                lasts: Lasts::Cycles(0),
                ..rule()
            }),
            "lasts"
        );
        let turned = Rule {
            starts_at: Some(5),
            ends_at: Some(5),
            ..rule()
        };
        assert_eq!(field(&turned), "ends_at");
    }

    proptest! {
        #[test]
        fn units_given_never_exceed_what_is_left(
            quantities in proptest::collection::vec(1_i64..20, 1..8),
            most in 1_i64..40, taken in 0_i64..40, bps in 1_u32..=10_000,
        ) {
            let rule = Rule { percent_bps: Some(bps), max_units: Some(most), ..rule() };
            let coupon = Coupon { taken, ..coupon(rule) };
            let lines: Vec<_> = quantities.iter().map(|&q| line(1, 333, q)).collect();
            let mut given = vec![None; lines.len()];
            let _ = apply(&coupon, 0, NOW, &lines, &mut given).expect("small amounts");
            let units: i64 = given.iter().flatten().map(|one: &Discount| one.units).sum();
            prop_assert!(units <= (most - taken).max(0));
            for (line, given) in lines.iter().zip(&given) {
                let off = given.as_ref().map_or(0, |one| one.off.minor());
                prop_assert!((0..=line.unit.minor() * line.quantity).contains(&off));
            }
        }
    }
}
