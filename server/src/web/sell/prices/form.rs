//! The form of one price: its inputs as text, to and from a price draft, and its mistakes.

use super::super::form::{entitlement_lines, error_key, read_amount, read_entitlements};
use super::super::quotas::{quota_lines, read_quotas};
use crate::domains::catalog::model::{
    Cycle, FieldError, GRACES, LicenseTerms, PriceDraft, Renewing, Trial, USUAL_GRACE, Unit,
};
use crate::domains::catalog::{Price, PriceModel, Product};
use crate::web::cycle::{self, read_model};
use crate::web::page::Page;
use crate::web::parts::{Choice, Field, currencies};
use crate::web::shelf::price_text;
use mintreu::Currency;
use serde::Deserialize;

/// Inputs that can't be read, and the keys of why.
pub(super) type Unread = Vec<(&'static str, &'static str)>;

/// The name of a cycle of one's own in the list of ways to charge.
const OTHER: &str = "other";

/// What the form says where a trial begins without a payment method.
const LATER: &str = "later";

/// What the form says where a license is kept after the last payment.
const KEEPS: &str = "keeps";

/// What the form of a price sends.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct PriceForm {
    pub(super) price: String,
    model: String,
    /// A cycle of one's own: so many of which unit.
    cycle_count: String,
    cycle_unit: String,
    amount: String,
    currency: String,
    minimum: String,
    most: String,
    countries: String,
    pub(super) region_of: String,
    seats: String,
    entitlements: String,
    quotas: String,
    /// Days; nothing for none.
    trial: String,
    /// `later` where no payment method is asked for first.
    trial_method: String,
    /// After how many payments it ends; nothing for never by itself.
    payments: String,
    /// `keeps` where the license is the buyer's then.
    then: String,
    /// Days that a license works after a declined payment; nothing for the usual.
    grace: String,
}

/// A mistake at an input: its name and the sentence.
pub(super) type Mistake = (&'static str, String);

/// An amount without its currency, as it is typed.
fn digits(minor: i64, currency: Currency) -> String {
    let text = mintreu::Money::new(minor, currency).to_string();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn typed(number: Option<i64>) -> String {
    number.map_or(String::new(), |number| number.to_string())
}

impl PriceForm {
    pub(super) fn new() -> Self {
        Self {
            model: "one_time".to_owned(),
            currency: "EUR".to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn of(price: &Price) -> Self {
        let currency = price.amount.currency();
        let least = price.bounds.minimum_minor;
        let terms = price.terms.as_ref();
        Self {
            price: price.id.to_string(),
            model: cycle::model_name(price),
            cycle_count: String::new(),
            cycle_unit: String::new(),
            amount: digits(price.amount.minor(), currency),
            currency: currency.code().to_owned(),
            minimum: least.map_or(String::new(), |least| digits(least, currency)),
            most: (price.bounds.most).map_or(String::new(), |most| most.to_string()),
            countries: price.bounds.countries.join(" "),
            region_of: String::new(),
            seats: terms.map_or(String::new(), |terms| terms.seats.to_string()),
            entitlements: terms.map_or(String::new(), entitlement_lines),
            quotas: terms.map_or(String::new(), quota_lines),
            trial: (price.trial).map_or(String::new(), |trial| trial.days.to_string()),
            trial_method: match price.trial {
                Some(trial) if trial.without_method => LATER.to_owned(),
                _ => String::new(),
            },
            payments: typed(price.bounds.renewing.payments),
            then: match price.bounds.renewing.keeps_license {
                true => KEEPS.to_owned(),
                false => String::new(),
            },
            grace: typed(price.bounds.renewing.grace_days),
        }
    }

    /// How it goes on, as the form says; what only a recurring price has is left out of any other.
    fn renewing(&self, model: PriceModel, wrong: &mut Unread) -> Renewing {
        let mut number = |text: &str| match text.trim() {
            "" => None,
            text => text.parse().map_or_else(
                |_| {
                    wrong.push(("payments", "field-number"));
                    None
                },
                Some,
            ),
        };
        Renewing {
            payments: number(&self.payments),
            keeps_license: self.then == KEEPS,
            grace_days: number(&self.grace).filter(|_| model == PriceModel::Recurring),
        }
    }

    /// How it can be tried, as the form says.
    fn trial(&self, wrong: &mut Vec<(&'static str, &'static str)>) -> Option<Trial> {
        let days = self.trial.trim();
        if days.is_empty() || days == "0" {
            return None;
        }
        let days = days.parse().unwrap_or_else(|_| {
            wrong.push(("trial", "field-number"));
            1
        });
        Some(Trial {
            days,
            without_method: self.trial_method == LATER,
        })
    }

    /// What the form says that a license grants; nothing where it says nothing.
    fn terms(&self, product: &Product, wrong: &mut Unread) -> Option<LicenseTerms> {
        let said = [&self.seats, &self.entitlements, &self.quotas];
        if said.iter().all(|text| text.trim().is_empty()) {
            return None;
        }
        let seats = match self.seats.trim() {
            "" => product.terms.seats,
            text => text.parse().unwrap_or_else(|_| {
                wrong.push(("seats", "field-number"));
                1
            }),
        };
        Some(LicenseTerms {
            seats,
            entitlements: read_entitlements(&self.entitlements),
            quotas: read_quotas(&self.quotas, wrong),
            ..product.terms.clone()
        })
    }

    /// How it is charged, and how often.
    fn model(&self) -> Result<(PriceModel, Option<Cycle>), Unread> {
        if self.model != OTHER {
            return read_model(&self.model).ok_or_else(|| vec![("model", "field-required")]);
        }
        let count = self.cycle_count.trim().parse();
        let count = count.map_err(|_| vec![("cycle_count", "field-number")])?;
        let cycle = Unit::parse(&self.cycle_unit).and_then(|unit| Cycle::new(unit, count));
        match cycle {
            Some(cycle) => Ok((PriceModel::Recurring, Some(cycle))),
            None => Err(vec![("cycle_count", "field-out-of-range")]),
        }
    }

    /// The draft that the form says, or the inputs that can't be read.
    pub(super) fn draft(&self, product: &Product) -> Result<PriceDraft, Unread> {
        let mut wrong = Vec::new();
        let (model, period) = self.model()?;
        let currency = Currency::parse(&self.currency);
        let mut amount = |input, text: &str| {
            let text = text.trim();
            let read = currency
                .as_ref()
                .ok()
                .map(|currency| read_amount(text, *currency));
            match read {
                Some(Ok(minor)) => Some(minor),
                _ if text.is_empty() => None,
                _ => {
                    wrong.push((input, "field-amount"));
                    None
                }
            }
        };
        let charged = matches!(model, PriceModel::OneTime | PriceModel::Recurring);
        let amount_minor = if charged {
            amount("amount", &self.amount)
        } else {
            None
        };
        let minimum_minor = amount("minimum", &self.minimum);
        let most = match self.most.trim() {
            "" => None,
            text => match text.parse() {
                Ok(most) => Some(most),
                Err(_) => {
                    wrong.push(("most", "field-number"));
                    None
                }
            },
        };
        let terms = self.terms(product, &mut wrong);
        let trial = self.trial(&mut wrong);
        let renewing = self.renewing(model, &mut wrong);
        let places = self.countries.split([' ', ',', ';', '\n', '\r']);
        let draft = PriceDraft {
            model,
            period,
            amount_minor: amount_minor.unwrap_or(0),
            currency: self.currency.clone(),
            minimum_minor,
            most,
            countries: places
                .filter(|place| !place.is_empty())
                .map(str::to_owned)
                .collect(),
            terms,
            trial,
            renewing,
        };
        match wrong.is_empty() {
            true => Ok(draft),
            false => Err(wrong),
        }
    }
}

/// The input that a mistake of the domain stands at.
fn input_of(field: &str) -> &'static str {
    match field {
        "amount_minor" => "amount",
        "minimum_minor" => "minimum",
        "most" => "most",
        "countries" => "countries",
        "currency" => "currency",
        "region_of" => "region_of",
        "terms" => "entitlements",
        "period" => "cycle_count",
        "trial" => "trial",
        "renewing" => "payments",
        _ => "model",
    }
}

pub(super) fn told(page: &Page, found: &[FieldError]) -> Vec<Mistake> {
    let at = |error: &FieldError| {
        let key = match (error.field, error.code) {
            ("countries", "out_of_range") => "prices-countries-wrong",
            ("countries", "duplicate") => "prices-countries-twice",
            ("countries", "required") => "prices-countries-missing",
            ("prices", _) => "prices-last",
            ("trial", "out_of_range") => "trial-days-wrong",
            ("renewing", "out_of_range") => "renewing-wrong",
            (_, "fixed") => "prices-fixed",
            (_, code) => error_key(code),
        };
        (input_of(error.field), page.words.say(key))
    };
    found.iter().map(at).collect()
}

pub(super) fn choice(value: impl Into<String>, text: impl Into<String>) -> Choice {
    Choice {
        value: value.into(),
        text: text.into(),
    }
}

/// The ways to charge, and a cycle of one's own.
fn models(page: &Page, chosen: &str) -> Vec<Choice> {
    let mut models = cycle::models(page, chosen);
    let at = models.len().saturating_sub(1);
    models.insert(at, choice(OTHER, page.say("cycle-other")));
    models
}

/// A price with its countries.
pub(super) fn full_text(page: &Page, price: &Price) -> String {
    match price.bounds.countries.as_slice() {
        [] => price_text(page, price),
        places => format!(
            "{} · {}",
            price_text(page, price),
            page.format.places(places)
        ),
    }
}

/// After how many payments it ends, what then becomes of the license, and the grace.
fn renewing_fields(page: &Page, form: &PriceForm, error: Option<String>) -> [Field; 3] {
    let then = vec![
        choice("", page.say("renewing-then-ends")),
        choice(KEEPS, page.say("renewing-then-keeps")),
    ];
    let grace = match form.grace.as_str() {
        "" => USUAL_GRACE.to_string(),
        days => days.to_owned(),
    };
    let days = GRACES.iter().map(|days| {
        let text = page.say_one("renewing-grace-days", "count", *days);
        choice(days.to_string(), text)
    });
    [
        Field::text("payments", page.say("renewing-payments"))
            .hint(page.say("renewing-payments-hint"))
            .input_mode("numeric")
            .max_length(3)
            .value(&form.payments)
            .error(error),
        Field::select("then", page.say("renewing-then"), then).value(&form.then),
        Field::select("grace", page.say("renewing-grace"), days.collect()).value(&grace),
    ]
}

pub(super) fn fields(
    page: &Page,
    product: &Product,
    form: &PriceForm,
    wrong: &[Mistake],
) -> Vec<Field> {
    let error = |input: &str| {
        let found = wrong.iter().find(|(at, _)| *at == input);
        found.map(|(_, text)| text.clone())
    };
    let text = |input: &'static str, label: &str, hint: &str, value: &str| {
        let field = Field::text(input, page.words.say(label)).hint(page.words.say(hint));
        field.value(value).error(error(input))
    };
    let model = Field::select("model", page.say("prices-model"), models(page, &form.model));
    let unit = Field::select("cycle_unit", page.say("cycle-unit"), cycle::units(page));
    let currency = Field::select("currency", page.say("edit-currency"), currencies());
    let mut fields = vec![
        model.value(&form.model).error(error("model")).full(),
        text(
            "cycle_count",
            "cycle-count",
            "cycle-count-hint",
            &form.cycle_count,
        )
        .input_mode("numeric")
        .max_length(3),
        unit.value(&form.cycle_unit).error(error("cycle_unit")),
        text("amount", "edit-amount", "edit-amount-hint", &form.amount)
            .input_mode("decimal")
            .max_length(20),
        currency.value(&form.currency).error(error("currency")),
        text(
            "minimum",
            "edit-minimum",
            "edit-minimum-hint",
            &form.minimum,
        )
        .input_mode("decimal")
        .max_length(20),
        text("most", "edit-most", "edit-most-hint", &form.most)
            .input_mode("numeric")
            .max_length(3),
        text(
            "countries",
            "edit-countries",
            "prices-countries-hint",
            &form.countries,
        )
        .max_length(800)
        .full(),
    ];
    let area = |input: &'static str, label: &str, hint: &str, value: &str| {
        let field = Field::area(input, page.words.say(label)).hint(page.words.say(hint));
        field.value(value).error(error(input)).full()
    };
    fields.extend([
        text("seats", "edit-seats", "prices-terms-hint", &form.seats)
            .input_mode("numeric")
            .max_length(7),
        area(
            "entitlements",
            "edit-entitlements",
            "edit-entitlements-hint",
            &form.entitlements,
        ),
        area("quotas", "edit-quotas", "edit-quotas-hint", &form.quotas),
    ]);
    let methods = vec![
        choice("", page.say("trial-method-first")),
        choice(LATER, page.say("trial-method-later")),
    ];
    fields.extend([
        text("trial", "trial-days", "trial-days-hint", &form.trial)
            .input_mode("numeric")
            .max_length(2),
        Field::select("trial_method", page.say("trial-method"), methods).value(&form.trial_method),
    ]);
    fields.extend(renewing_fields(page, form, error("payments")));
    if form.price.is_empty() && !product.prices.is_empty() {
        let mut of = vec![choice("", page.say("prices-by-itself"))];
        let plans = product.prices.iter();
        of.extend(plans.map(|price| choice(price.id.to_string(), full_text(page, price))));
        let field = Field::select("region_of", page.say("prices-region-of"), of);
        let field = field.hint(page.say("prices-region-of-hint")).full();
        fields.push(field.value(&form.region_of).error(error("region_of")));
    }
    fields
}
