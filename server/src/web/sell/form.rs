//! The product form: its inputs as text, to and from a product draft.

use super::super::cycle::{model_name, read_model};
use super::quotas::{quota_lines, read_quotas};
use crate::domains::catalog::model::{
    Entitlement, EntitlementValue, FieldError, Floating, Freshness, LicenseTerms, Matching,
    MeterDraft, PriceDraft, ProductDraft, Renewing, StaleAction,
};
use crate::domains::catalog::{Kind, Price, PriceModel, Product};
use mintreu::Currency;
use mintreu::price::parse_amount;
use serde::Deserialize;

/// What the form sends. Everything is text, so that what can't be read can be shown again.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct ProductForm {
    pub action: String,
    pub name: String,
    pub summary: String,
    pub description: String,
    pub kind: String,
    pub category: String,
    pub code: String,
    pub slug: String,
    pub version: String,
    pub homepage: String,
    pub spdx: String,
    pub price1_model: String,
    pub price1_amount: String,
    pub price1_currency: String,
    pub price1_minimum: String,
    pub price1_most: String,
    pub price1_countries: String,
    pub price2_model: String,
    pub price2_amount: String,
    pub price2_currency: String,
    pub price2_minimum: String,
    pub price2_most: String,
    pub price2_countries: String,
    pub seats: String,
    pub validity_days: String,
    pub entitlements: String,
    pub quotas: String,
    pub seating: String,
    pub lease_minutes: String,
    pub borrow_days: String,
    pub matching: String,
    pub stale_action: String,
    pub stale_days: String,
    pub stale_grace_days: String,
    pub meter1_name: String,
    pub meter1_unit: String,
    pub meter1_tariff: String,
    pub meter2_name: String,
    pub meter2_unit: String,
    pub meter2_tariff: String,
}

/// A mistake at an input: its name and the key of the sentence.
pub type Mistake = (&'static str, &'static str);

/// How the form names what must match of a fingerprint; empty where nothing must.
const MATCHING: [(&str, Matching); 5] = [
    ("", Matching::Ignore),
    ("any", Matching::Any),
    ("two", Matching::Two),
    ("most", Matching::Most),
    ("all", Matching::All),
];

fn matching_name(matching: Matching) -> &'static str {
    let found = MATCHING.iter().find(|(_, known)| *known == matching);
    found.map_or("", |(name, _)| name)
}

fn read_matching(name: &str) -> Matching {
    let found = MATCHING.iter().find(|(known, _)| *known == name);
    found.map_or(Matching::Ignore, |(_, matching)| *matching)
}

/// How the form names what old lists do; empty where they do nothing.
fn stale_name(action: StaleAction) -> &'static str {
    match action {
        StaleAction::Ignore => "",
        StaleAction::Warn => "warn",
        StaleAction::Lock => "lock",
    }
}

/// The sentence of a mistake's code.
pub fn error_key(code: &str) -> &'static str {
    match code {
        "required" => "field-required",
        "too_long" => "field-too-long",
        "out_of_range" => "field-out-of-range",
        "duplicate" => "field-duplicate",
        "unknown" => "field-unknown",
        _ => "field-malformed",
    }
}

/// The domain's mistakes at the form's inputs.
pub fn mistakes(found: &[FieldError]) -> Vec<Mistake> {
    let at = |error: &FieldError| match error.field {
        "categories" => "category",
        "terms" => "license",
        other => other,
    };
    found
        .iter()
        .map(|error| (at(error), error_key(error.code)))
        .collect()
}

impl ProductForm {
    /// An empty form with the usual answers.
    pub fn new() -> Self {
        Self {
            kind: Kind::Download.name().to_owned(),
            price1_model: "one_time".to_owned(),
            price1_currency: "EUR".to_owned(),
            price2_currency: "EUR".to_owned(),
            seats: "1".to_owned(),
            ..Self::default()
        }
    }

    /// What stands in the form for a product that exists.
    pub fn of(product: &Product) -> Self {
        let mut form = Self {
            name: product.name.clone(),
            summary: product.summary.clone(),
            description: product.description.clone(),
            kind: product.kind.name().to_owned(),
            category: product
                .categories
                .first()
                .map(|category| category.path.clone())
                .unwrap_or_default(),
            code: product.code.clone(),
            slug: product.slug.clone(),
            version: product.version.clone(),
            homepage: product.homepage.clone().unwrap_or_default(),
            spdx: product.spdx.clone().unwrap_or_default(),
            seats: product.terms.seats.to_string(),
            validity_days: optional(product.terms.validity_days),
            entitlements: entitlement_lines(&product.terms),
            quotas: quota_lines(&product.terms),
            ..Self::new()
        };
        if let Some(floating) = product.terms.floating {
            "floating".clone_into(&mut form.seating);
            form.lease_minutes = floating.lease_minutes.to_string();
            form.borrow_days = floating.borrow_days.to_string();
        }
        matching_name(product.terms.matching).clone_into(&mut form.matching);
        if let Some(freshness) = product.terms.freshness {
            stale_name(freshness.action).clone_into(&mut form.stale_action);
            form.stale_days = freshness.days.to_string();
            form.stale_grace_days = freshness.grace_days.to_string();
        }
        form.price1_model.clear();
        for (index, price) in product.prices.iter().take(2).enumerate() {
            let (model, amount, currency) = match index {
                0 => (
                    &mut form.price1_model,
                    &mut form.price1_amount,
                    &mut form.price1_currency,
                ),
                _ => (
                    &mut form.price2_model,
                    &mut form.price2_amount,
                    &mut form.price2_currency,
                ),
            };
            *model = model_name(price);
            let text = price.amount.to_string();
            text.split(' ')
                .next()
                .unwrap_or_default()
                .clone_into(amount);
            price.amount.currency().code().clone_into(currency);
            form.keep_bounds(index, price);
        }
        for (index, meter) in product.meters.iter().take(2).enumerate() {
            let (name, unit, tariff) = match index {
                0 => (
                    &mut form.meter1_name,
                    &mut form.meter1_unit,
                    &mut form.meter1_tariff,
                ),
                _ => (
                    &mut form.meter2_name,
                    &mut form.meter2_unit,
                    &mut form.meter2_tariff,
                ),
            };
            name.clone_from(&meter.name);
            unit.clone_from(&meter.unit);
            *tariff = meter
                .tariff
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
        }
        form
    }

    /// The bounds of the first price, or of the second, as text.
    fn keep_bounds(&mut self, index: usize, price: &Price) {
        let (minimum, most, countries) = match index {
            0 => (
                &mut self.price1_minimum,
                &mut self.price1_most,
                &mut self.price1_countries,
            ),
            _ => (
                &mut self.price2_minimum,
                &mut self.price2_most,
                &mut self.price2_countries,
            ),
        };
        let least = price.minimum().map(|least| least.to_string());
        let least = least.as_deref().and_then(|text| text.split(' ').next());
        least.unwrap_or_default().clone_into(minimum);
        *most = optional(price.bounds.most);
        *countries = price.bounds.countries.join(" ");
    }

    /// The draft that the form describes, or what can't be read of it. What the form has no input
    /// for (third prices, further categories) is kept from `before`.
    pub fn draft(&self, before: Option<&Product>) -> Result<ProductDraft, Vec<Mistake>> {
        let mut wrong = Vec::new();
        let draft = ProductDraft {
            slug: Some(self.slug.clone()),
            code: self.code.clone(),
            kind: Kind::parse(&self.kind).unwrap_or(Kind::Download),
            name: self.name.clone(),
            summary: self.summary.clone(),
            description: self.description.clone(),
            language: before.map_or_else(|| "en".to_owned(), |product| product.language.clone()),
            version: self.version.clone(),
            homepage: Some(self.homepage.clone()),
            spdx: Some(self.spdx.clone()),
            categories: self.categories(before),
            prices: self.prices(before, &mut wrong),
            meters: self.meters(before),
            terms: LicenseTerms {
                entitlements: read_entitlements(&self.entitlements),
                quotas: read_quotas(&self.quotas, &mut wrong),
                seats: read_number("seats", &self.seats, &mut wrong).unwrap_or(1),
                validity_days: read_number("validity_days", &self.validity_days, &mut wrong),
                freshness: self.freshness(&mut wrong),
                floating: self.floating(&mut wrong),
                matching: read_matching(&self.matching),
            },
        };
        if wrong.is_empty() {
            Ok(draft)
        } else {
            Err(wrong)
        }
    }

    /// Where seats belong to their devices, the numbers don't count.
    fn floating(&self, wrong: &mut Vec<Mistake>) -> Option<Floating> {
        if self.seating != "floating" {
            return None;
        }
        let lease = read_number("lease_minutes", &self.lease_minutes, wrong);
        let borrow = read_number("borrow_days", &self.borrow_days, wrong);
        Some(Floating {
            lease_minutes: lease.unwrap_or(60),
            borrow_days: borrow.unwrap_or(0),
        })
    }

    /// Where nothing is chosen, lists may be of any age and the numbers don't count.
    fn freshness(&self, wrong: &mut Vec<Mistake>) -> Option<Freshness> {
        let action = match self.stale_action.as_str() {
            "warn" => StaleAction::Warn,
            "lock" => StaleAction::Lock,
            _ => return None,
        };
        let days = read_number("stale_days", &self.stale_days, wrong);
        let grace = read_number("stale_grace_days", &self.stale_grace_days, wrong);
        Some(Freshness {
            action,
            days: days.unwrap_or(30),
            grace_days: grace.unwrap_or(0),
        })
    }

    fn categories(&self, before: Option<&Product>) -> Vec<String> {
        let further = before
            .into_iter()
            .flat_map(|product| product.categories.iter().skip(1));
        let mut paths = vec![self.category.clone()];
        paths.extend(further.map(|category| category.path.clone()));
        paths
    }

    fn prices(&self, before: Option<&Product>, wrong: &mut Vec<Mistake>) -> Vec<PriceDraft> {
        let rows = [
            (
                "price1_amount",
                &self.price1_model,
                &self.price1_amount,
                &self.price1_currency,
                ("price1_minimum", &self.price1_minimum),
                ("price1_most", &self.price1_most),
                &self.price1_countries,
            ),
            (
                "price2_amount",
                &self.price2_model,
                &self.price2_amount,
                &self.price2_currency,
                ("price2_minimum", &self.price2_minimum),
                ("price2_most", &self.price2_most),
                &self.price2_countries,
            ),
        ];
        let mut prices = Vec::new();
        for (input, model, amount, currency, minimum, most, countries) in rows {
            let Some((model, period)) = read_model(model) else {
                continue;
            };
            let charged = matches!(model, PriceModel::OneTime | PriceModel::Recurring);
            let amount_minor = match Currency::parse(currency) {
                Ok(currency) if charged => read_amount(amount, currency).unwrap_or_else(|_| {
                    wrong.push((input, "field-amount"));
                    0
                }),
                _ => 0,
            };
            // The form has no inputs for what else a price says; the page of prices has.
            let at = usize::from(input == "price2_amount");
            let kept = before.and_then(|product| product.prices.get(at));
            let kept = kept.filter(|kept| (kept.model, kept.period) == (model, period));
            prices.push(PriceDraft {
                model,
                period,
                amount_minor,
                currency: currency.clone(),
                minimum_minor: read_minimum(minimum, currency, wrong),
                most: read_number(most.0, most.1, wrong),
                countries: countries
                    .split([' ', ','])
                    .filter(|code| !code.is_empty())
                    .map(str::to_owned)
                    .collect(),
                terms: kept.and_then(|kept| kept.terms.clone()),
                trial: kept.and_then(|kept| kept.trial),
                renewing: kept.map_or_else(Renewing::default, |kept| kept.bounds.renewing),
            });
        }
        let further = before
            .into_iter()
            .flat_map(|product| product.prices.iter().skip(2));
        prices.extend(further.map(|price| PriceDraft {
            model: price.model,
            period: price.period,
            amount_minor: price.amount.minor(),
            currency: price.amount.currency().code().to_owned(),
            minimum_minor: price.bounds.minimum_minor,
            most: price.bounds.most,
            countries: price.bounds.countries.clone(),
            terms: price.terms.clone(),
            trial: price.trial,
            renewing: price.bounds.renewing,
        }));
        prices
    }

    fn meters(&self, before: Option<&Product>) -> Vec<MeterDraft> {
        let rows = [
            (&self.meter1_name, &self.meter1_unit, &self.meter1_tariff),
            (&self.meter2_name, &self.meter2_unit, &self.meter2_tariff),
        ];
        let written = rows
            .into_iter()
            .filter(|(name, _, _)| !name.trim().is_empty());
        let mut meters: Vec<MeterDraft> = written
            .map(|(name, unit, tariff)| MeterDraft {
                name: name.clone(),
                unit: unit.clone(),
                tariff: Some(tariff.clone()),
            })
            .collect();
        let further = before
            .into_iter()
            .flat_map(|product| product.meters.iter().skip(2));
        meters.extend(further.map(|meter| MeterDraft {
            name: meter.name.clone(),
            unit: meter.unit.clone(),
            tariff: meter.tariff.as_ref().map(ToString::to_string),
        }));
        meters
    }
}

fn optional(number: Option<i64>) -> String {
    number.map(|number| number.to_string()).unwrap_or_default()
}

/// An amount as somebody typed it. One comma is a decimal mark where it can't part thousands:
/// `9,50` is nine and a half, `1,234` is refused.
pub fn read_amount(text: &str, currency: Currency) -> Result<i64, mintreu::Error> {
    let text = text.trim();
    let digits = usize::from(currency.exponent()).min(2);
    match text.split_once(',') {
        Some((whole, part)) if (1..=digits).contains(&part.len()) && !text.contains('.') => {
            parse_amount(&format!("{whole}.{part}"), currency)
        }
        _ => parse_amount(text, currency),
    }
}

/// The least that a buyer may name; empty for a fixed price.
fn read_minimum(
    (input, text): (&'static str, &String),
    currency: &str,
    wrong: &mut Vec<Mistake>,
) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let read = Currency::parse(currency).and_then(|currency| read_amount(text, currency));
    if read.is_err() {
        wrong.push((input, "field-amount"));
    }
    read.ok()
}

fn read_number(input: &'static str, text: &str, wrong: &mut Vec<Mistake>) -> Option<i64> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let number = text.parse().ok();
    if number.is_none() {
        wrong.push((input, "field-number"));
    }
    number
}

pub fn entitlement_lines(terms: &LicenseTerms) -> String {
    let line = |entitlement: &Entitlement| match &entitlement.value {
        EntitlementValue::Flag(true) => entitlement.name.clone(),
        EntitlementValue::Flag(false) => format!("{} = off", entitlement.name),
        EntitlementValue::Limit(most) => format!("{} = {most}", entitlement.name),
        EntitlementValue::Text(text) => format!("{} = {text}", entitlement.name),
    };
    terms
        .entitlements
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

/// One a line: `export`, `projects = 10`, `tier = gold`.
pub fn read_entitlements(text: &str) -> Vec<Entitlement> {
    let read = |line: &str| {
        let (name, value) = line.split_once('=').unwrap_or((line, "on"));
        let value = value.trim();
        let value = match (value, value.parse()) {
            ("on", _) => EntitlementValue::Flag(true),
            ("off", _) => EntitlementValue::Flag(false),
            (_, Ok(most)) => EntitlementValue::Limit(most),
            (text, Err(_)) => EntitlementValue::Text(text.to_owned()),
        };
        Entitlement {
            name: name.trim().to_owned(),
            value,
        }
    };
    text.lines()
        .filter(|line| !line.trim().is_empty())
        .map(read)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terms_survive_their_lines() {
        let text = "export\nbeta = off\nprojects = 10\ntier = gold";
        let terms = LicenseTerms {
            entitlements: read_entitlements(text),
            ..LicenseTerms::default()
        };
        assert_eq!(entitlement_lines(&terms), text);
    }

    #[test]
    fn what_can_not_be_read_is_named_at_its_input() {
        let form = ProductForm {
            price1_amount: "a lot".to_owned(),
            seats: "many".to_owned(),
            ..ProductForm::new()
        };
        let wrong = form.draft(None).expect_err("two mistakes");
        assert_eq!(
            wrong,
            [("price1_amount", "field-amount"), ("seats", "field-number")]
        );
    }
}
