//! Prices as written, checked: by themselves, and among the others of their product.

use super::draft::{CheckedPrice, FieldError, MAX_PARTS, MeterDraft, Mistakes, PriceDraft};
use super::product::{Bounds, Price, PriceModel, Product, Renewing};
use super::regions;
use super::terms::check_terms;
use crate::domains::taxes::places;
use mintreu::{Currency, Money, Timestamp};

/// Largest price in minor units: ten thousand million of a currency with cents.
const MAX_AMOUNT: i64 = 1_000_000_000_000;
/// Most days of a trial.
pub const MAX_TRIAL_DAYS: i64 = 90;
/// How many payments a price of a fixed number of them can have.
pub const PAYMENTS: std::ops::RangeInclusive<i64> = 2..=120;
/// For how many days a license can work after a renewal was declined, as with Polar.
pub const GRACES: [i64; 5] = [0, 2, 7, 14, 21];
/// The usual one of these, in days.
pub const USUAL_GRACE: i64 = 7;
/// Most countries and groups of one price.
const MAX_PLACES: usize = 250;
/// Most regional prices of one product.
const MAX_REGIONAL: usize = 100;
/// A recurring price is charged every three years at least, as with Stripe.
const MAX_CYCLE_DAYS: i64 = 3 * 365;

/// A price with its time: what a seller sees of what was and is for sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As it was offered.
    pub price: Price,
    /// When it came.
    pub created_at: Timestamp,
    /// When it went; `None` while it is for sale.
    pub archived_at: Option<Timestamp>,
}

/// A product with every version of its prices, the newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceBook {
    /// The product.
    pub product: Product,
    /// At most 500 of them.
    pub versions: Vec<Version>,
}

/// Checks one price of a product; each mistake is at its field of [`PriceDraft`].
pub fn check_price(product: &Product, draft: &PriceDraft) -> Result<CheckedPrice, Vec<FieldError>> {
    let mut found = Mistakes::default();
    let Ok(currency) = Currency::parse(draft.currency.trim()) else {
        let detail = format!("{:?} is no currency here", draft.currency);
        found.add("currency", "unknown", detail);
        return Err(found.0);
    };
    let price = checked(draft, currency);
    for (field, detail) in mistakes(&price) {
        found.add(field, "out_of_range", detail);
    }
    if let Some(terms) = &draft.terms {
        check_terms(&mut found, terms, &super::draft_of(product).meters);
    }
    match found.0.is_empty() {
        true => Ok(price),
        false => Err(found.0),
    }
}

/// Checks the prices of a product's draft; mistakes are at `prices`.
pub(super) fn check_prices(
    found: &mut Mistakes,
    prices: &[PriceDraft],
    meters: &[MeterDraft],
) -> Vec<CheckedPrice> {
    found.at_most("prices", prices.len());
    let mut kept = Vec::new();
    for (index, draft) in prices.iter().enumerate() {
        let Ok(currency) = Currency::parse(draft.currency.trim()) else {
            let detail = format!(
                "price {}: {:?} is no currency here",
                index + 1,
                draft.currency
            );
            found.add("prices", "unknown", detail);
            continue;
        };
        let price = checked(draft, currency);
        let mut terms = Mistakes::default();
        if let Some(own) = &draft.terms {
            check_terms(&mut terms, own, meters);
        }
        if let Some((_, detail)) = mistakes(&price).first() {
            let detail = format!("price {}: {detail}", index + 1);
            found.add("prices", "out_of_range", detail);
        } else if let Some(error) = terms.0.first() {
            let detail = format!("price {}: {}", index + 1, error.detail);
            found.add("prices", error.code, detail);
        } else if kept.contains(&price) {
            let detail = format!("price {} is there twice", index + 1);
            found.add("prices", "duplicate", detail);
        } else {
            kept.push(price);
        }
    }
    kept
}

fn checked(draft: &PriceDraft, currency: Currency) -> CheckedPrice {
    CheckedPrice {
        model: draft.model,
        period: draft.period,
        amount: Money::new(draft.amount_minor, currency),
        bounds: bounds_of(draft),
        terms: draft.terms.clone(),
        trial: draft.trial,
    }
}

/// The bounds as they are kept: countries in capitals, in order, once each.
fn bounds_of(draft: &PriceDraft) -> Bounds {
    let countries = draft
        .countries
        .iter()
        .map(|text| text.trim().to_uppercase());
    let mut countries: Vec<_> = countries.collect();
    countries.sort();
    countries.dedup();
    Bounds {
        minimum_minor: draft.minimum_minor,
        most: draft.most,
        countries,
        renewing: Renewing {
            grace_days: (draft.renewing.grace_days).filter(|days| *days != USUAL_GRACE),
            ..draft.renewing
        },
    }
}

/// A country that there is, or a group of them.
fn is_place(text: &str) -> bool {
    places::name(text).is_some() || !regions::members(text).is_empty()
}

type At = (&'static str, &'static str);

/// What makes no sense, each at its field.
fn mistakes(price: &CheckedPrice) -> Vec<At> {
    let mut found = Vec::new();
    let bounds = &price.bounds;
    let amount = price.amount.minor();
    let charged = matches!(price.model, PriceModel::OneTime | PriceModel::Recurring);
    if charged && !(1..=MAX_AMOUNT).contains(&amount) {
        let detail = "an amount is above zero and at most ten thousand million";
        found.push(("amount_minor", detail));
    }
    if !charged && amount != 0 {
        found.push(("amount_minor", "a free or metered price has no amount"));
    }
    match (price.model, price.period) {
        (PriceModel::Recurring, None) => {
            found.push((
                "period",
                "say how often a recurring price is charged: monthly",
            ));
        }
        (PriceModel::Recurring, Some(period)) if period.rough_days() > MAX_CYCLE_DAYS => {
            found.push((
                "period",
                "a recurring price is charged every three years at least",
            ));
        }
        (PriceModel::Free | PriceModel::Metered | PriceModel::OneTime, Some(_)) => {
            found.push(("period", "only a recurring price has a period"));
        }
        _ => {}
    }
    match price.trial {
        Some(_) if price.model != PriceModel::Recurring => {
            found.push(("trial", "only a recurring price can be tried"));
        }
        Some(trial) if !(1..=MAX_TRIAL_DAYS).contains(&trial.days) => {
            found.push(("trial", "a trial lasts 1 to 90 days"));
        }
        _ => {}
    }
    if let Some(detail) = renewing(price) {
        found.push(("renewing", detail));
    }
    if let Some(minimum) = bounds.minimum_minor {
        if price.model != PriceModel::OneTime {
            let detail = "the buyer can name a price only if it is charged once";
            found.push(("minimum_minor", detail));
        } else if !(0..=amount).contains(&minimum) {
            found.push(("minimum_minor", "the least is at most what is suggested"));
        }
    }
    if bounds.most.is_some_and(|most| !(1..=100).contains(&most)) {
        found.push(("most", "1 to 100 fit into one order"));
    }
    if bounds.countries.len() > MAX_PLACES || !bounds.countries.iter().all(|text| is_place(text)) {
        let detail = "a country is two letters of ISO 3166-1, such as DE; a group is EU, for one";
        found.push(("countries", detail));
    }
    found
}

fn renewing(price: &CheckedPrice) -> Option<&'static str> {
    let says = price.bounds.renewing;
    if price.model != PriceModel::Recurring {
        let detail = "only a recurring price has a number of payments or a grace";
        return (!says.is_usual()).then_some(detail);
    }
    match (says.payments, says.grace_days) {
        (Some(payments), _) if !PAYMENTS.contains(&payments) => {
            Some("a price ends after 2 to 120 payments, or not by itself")
        }
        (None, _) if says.keeps_license => {
            Some("only after a number of payments is a license its buyer's for good")
        }
        (_, Some(days)) if !GRACES.contains(&days) => {
            Some("a license works for 0, 2, 7, 14 or 21 days after a renewal was declined")
        }
        _ => None,
    }
}

/// Whether a price fits among the others of its product; `replaced` is the one it comes after.
pub fn check_among(
    product: &Product,
    price: &Price,
    replaced: Option<&Price>,
) -> Result<(), Vec<FieldError>> {
    let mut found = Mistakes::default();
    let others = |prices: &[Price]| -> Vec<Price> {
        let other = |one: &&Price| replaced.is_none_or(|replaced| one.id != replaced.id);
        prices.iter().filter(other).cloned().collect()
    };
    if price.model == PriceModel::Metered
        && product.meters.iter().all(|meter| meter.tariff.is_none())
    {
        let detail = "a metered price needs a meter with a tariff";
        found.add("model", "required", detail);
    }
    match price.regional {
        false => usual(&mut found, price, &others(&product.prices)),
        true => regional(&mut found, product, price, &others(&product.regional)),
    }
    match found.0.is_empty() {
        true => Ok(()),
        false => Err(found.0),
    }
}

fn usual(found: &mut Mistakes, price: &Price, others: &[Price]) {
    let same = |one: &Price| {
        (one.model, one.period, one.amount, &one.bounds, &one.terms)
            == (
                price.model,
                price.period,
                price.amount,
                &price.bounds,
                &price.terms,
            )
    };
    if others.iter().any(same) {
        found.add("amount_minor", "duplicate", "this price is there already");
    }
    if others.len() >= MAX_PARTS {
        let detail = format!("a product has at most {MAX_PARTS} prices");
        found.add("model", "out_of_range", detail);
    }
}

fn regional(found: &mut Mistakes, product: &Product, price: &Price, others: &[Price]) {
    let of = product.prices.iter().find(|one| one.plan == price.plan);
    let Some(of) = of else {
        let detail = "the price that this one stands in for is not for sale";
        return found.add("region_of", "unknown", detail);
    };
    if (of.model, of.period) != (price.model, price.period) {
        let detail = "it is charged as the price that it stands in for";
        found.add("model", "fixed", detail);
    }
    if of.bounds.renewing != price.bounds.renewing {
        let detail = "it goes on as the price that it stands in for";
        found.add("renewing", "fixed", detail);
    }
    if price.bounds.countries.is_empty() {
        found.add("countries", "required", "name the countries that it is for");
    }
    let plan = others.iter().filter(|other| other.plan == price.plan);
    let taken = plan.flat_map(|other| &other.bounds.countries);
    if let Some(twice) = { taken }.find(|name| price.bounds.countries.contains(name)) {
        let detail = format!("{twice} has a price of its own already");
        found.add("countries", "duplicate", detail);
    }
    if others.len() >= MAX_REGIONAL {
        let detail = format!("a product has at most {MAX_REGIONAL} regional prices");
        found.add("countries", "out_of_range", detail);
    }
}
