//! What clients of Lago's API describe, and what a subscription comes to in its running month.

use super::super::model::MeterError;
use super::super::model::decimal::Decimal;
use super::super::model::window::{Step, windows};
use super::super::sql::{self, LagoObject};
use super::meters::ByMeter;
use super::query::{UsageQuery, usage};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use jiff::tz::TimeZone;
use mintreu::id::AccountId;
use serde::Deserialize;

const MAX_DESCRIPTIONS: i64 = 100_000;

/// Describes a customer, a plan or a subscription.
#[derive(Debug, Clone)]
pub struct DescribeLago {
    /// Whose API it is.
    pub seller: AccountId,
    /// `customer`, `plan` or `subscription`.
    pub kind: &'static str,
    /// Its code or external id.
    pub code: String,
    /// As it was described.
    pub body: String,
}

impl Command for DescribeLago {
    const NAME: &'static str = "meters.describe_lago";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.kind.to_owned())
    }
}

/// Stores the description; one of the same code is replaced and keeps its id.
pub fn describe(cx: &mut Cx<'_>, command: &DescribeLago) -> Result<LagoObject, MeterError> {
    let of = (command.seller, command.kind);
    let stored = sql::lago(cx.tx, of, &command.code)?;
    if stored.is_none() && sql::count_lago(cx.tx, command.seller)? >= MAX_DESCRIPTIONS {
        return Err(MeterError::TooManyDescriptions);
    }
    let object = LagoObject {
        code: command.code.clone(),
        id: stored
            .as_ref()
            .map_or_else(|| cx.make_id(|bytes| bytes), |stored| stored.id),
        body: command.body.clone(),
        created_at: stored.map_or(cx.now, |stored| stored.created_at),
    };
    sql::put_lago(cx, of, &object)?;
    Ok(object)
}

/// A plan's charge: so much for each unit of a metric.
#[derive(Debug, Clone, Deserialize)]
pub struct Charge {
    /// Which metric, by our id of it.
    pub billable_metric_id: String,
    /// `standard` alone.
    pub charge_model: String,
    #[serde(default)]
    properties: ChargeAmount,
}

#[derive(Debug, Clone, Default, Deserialize)]
struct ChargeAmount {
    #[serde(default)]
    amount: Option<String>,
}

#[derive(Debug, Deserialize)]
struct PlanBody {
    #[serde(default)]
    charges: Option<Vec<Charge>>,
    #[serde(default)]
    amount_currency: Option<String>,
}

#[derive(Debug, Deserialize)]
struct SubscriptionBody {
    plan_code: String,
    external_customer_id: String,
}

/// The charges of a plan as it was described, or which field is wrong.
pub fn metrics_of_plan(body: &str) -> Result<Vec<Charge>, &'static str> {
    let plan: PlanBody = serde_json::from_str(body).map_err(|_| "charges")?;
    let charges = plan.charges.unwrap_or_default();
    let priced = |charge: &Charge| {
        let amount = charge.properties.amount.as_deref().unwrap_or("");
        charge.charge_model == "standard" && amount.parse::<Decimal>().is_ok()
    };
    match charges.len() <= 100 && charges.iter().all(priced) {
        true => Ok(charges),
        false => Err("charges"),
    }
}

/// What a subscription comes to so far.
#[derive(Debug, Clone)]
pub struct CurrentUsage {
    /// Whose API it is.
    pub seller: AccountId,
    /// Whose subscription.
    pub customer: String,
    /// Which.
    pub subscription: String,
}

/// One metric's part.
#[derive(Debug, Clone)]
pub struct MetricUsage {
    /// The metric.
    pub meter: super::super::model::meter::Meter,
    /// Units.
    pub units: Decimal,
    /// Events.
    pub events: u64,
    /// Cents, half to even.
    pub amount_cents: i64,
}

/// A running month of a subscription.
#[derive(Debug, Clone)]
pub struct PeriodUsage {
    /// The month (UTC).
    pub month: super::super::model::window::Span,
    /// Of the amounts.
    pub currency: String,
    /// By metric.
    pub metrics: Vec<MetricUsage>,
}

/// Adds up the running calendar month (UTC).
pub fn current_usage(cx: &mut ReadCx<'_>, query: &CurrentUsage) -> Result<PeriodUsage, MeterError> {
    let of = |kind| (query.seller, kind);
    let found = sql::lago(cx.tx, of("subscription"), &query.subscription)?;
    let subscription = found.and_then(|object| serde_json::from_str(&object.body).ok());
    let subscription: SubscriptionBody =
        subscription.ok_or(MeterError::Undescribed("subscription"))?;
    if subscription.external_customer_id != query.customer {
        return Err(MeterError::Undescribed("customer"));
    }
    let plan = sql::lago(cx.tx, of("plan"), &subscription.plan_code)?;
    let plan = plan.ok_or(MeterError::Undescribed("plan"))?;
    let body: Option<PlanBody> = serde_json::from_str(&plan.body).ok();
    let body = body.ok_or(MeterError::Undescribed("plan"))?;
    let now = cx.now.ms();
    let instant = super::super::model::window::Span {
        from: now,
        until: now + 1,
    };
    let months = windows(Step::Month, &TimeZone::UTC, instant)?;
    let month = months.first().copied().unwrap_or(instant);
    let mut metrics = Vec::new();
    for charge in body.charges.unwrap_or_default() {
        let question = UsageQuery {
            seller: query.seller,
            meter: ByMeter(charge.billable_metric_id.clone()),
            from: Some(month.from),
            until: Some(month.until),
            step: None,
            subjects: vec![query.subscription.clone()],
            by_subject: false,
            filters: Default::default(),
            group_by: Vec::new(),
            percentile: None,
            fill: false,
        };
        let answer = usage(cx, &question)?;
        let figure = answer.rows.first().map(|row| row.figure);
        let units = figure.and_then(|figure| figure.value).unwrap_or_default();
        let price = charge.properties.amount.as_deref().unwrap_or("0").parse();
        let price: Decimal = price.unwrap_or_default();
        metrics.push(MetricUsage {
            meter: answer.meter,
            units,
            events: figure.map_or(0, |figure| figure.events),
            amount_cents: cents(units, price)?,
        });
    }
    Ok(PeriodUsage {
        month,
        currency: body.amount_currency.unwrap_or_else(|| "EUR".to_owned()),
        metrics,
    })
}

/// Units at a price a unit, in hundredths, half to even: both have twelve digits behind the point.
fn cents(units: Decimal, price: Decimal) -> Result<i64, MeterError> {
    let too_large = super::super::model::cell::TooLarge;
    // Whole units and fractions apart, so that the product fits.
    let one = Decimal::whole(1).raw();
    let (whole, part) = (units.raw().div_euclid(one), units.raw().rem_euclid(one));
    let whole = whole.checked_mul(price.raw()).ok_or(too_large)?;
    let part = part.checked_mul(price.raw()).ok_or(too_large)?;
    // In units of 10^-24, of which 10^22 are a cent.
    let carried = whole.checked_add(part.div_euclid(one)).ok_or(too_large)?;
    let rest = part.rem_euclid(one);
    let cents = carried.div_euclid(one / 100);
    let below = carried.rem_euclid(one / 100) * one + rest;
    let half = one / 100 * one / 2;
    let up = below > half || (below == half && cents % 2 != 0);
    let cents = cents + i128::from(up);
    Ok(i64::try_from(cents).map_err(|_| too_large)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cents_are_rounded_once() {
        let cents = |units: &str, price: &str| {
            let read = |text: &str| text.parse::<Decimal>().expect("a number");
            cents(read(units), read(price)).expect("fits")
        };
        assert_eq!(cents("1000", "0.05"), 5000);
        assert_eq!(cents("3", "0.005"), 2, "1.5 cents");
        assert_eq!(cents("1", "0.005"), 0, "half a cent");
        assert_eq!(cents("0.333333333333", "0.03"), 1);
        assert_eq!(cents("-1", "0.05"), -5);
        assert_eq!(cents("1000000000000000", "0.000001"), 100_000_000_000);
    }
}
