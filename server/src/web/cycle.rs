//! How often a price is charged, in words and to choose from.

use super::page::Page;
use super::parts::Choice;
use crate::domains::catalog::model::{Cycle, Unit};
use crate::domains::catalog::{Price, PriceModel};

/// The cycles that forms offer by name, as texts of [`Cycle`].
const USUAL: [&str; 5] = ["weekly", "monthly", "3 months", "6 months", "yearly"];

/// `€9.00 a month`, `€24.00 every 3 months`.
pub fn price_each(page: &Page, amount: String, cycle: Cycle) -> String {
    let values = [
        ("price", amount.into()),
        ("unit", cycle.unit().code().into()),
        ("count", cycle.count().into()),
    ];
    page.words.say_with("price-cycle", values)
}

/// `Every month`, `Every 3 months`.
pub fn every(page: &Page, cycle: Cycle) -> String {
    let values = [
        ("unit", cycle.unit().code().into()),
        ("count", cycle.count().into()),
    ];
    page.words.say_with("cycle-every", values)
}

/// The ways to charge, by the names that [`read_model`] reads; with `chosen`, when that is a cycle
/// of its own.
pub fn models(page: &Page, chosen: &str) -> Vec<Choice> {
    let choice = |value: &str, text: String| Choice {
        value: value.to_owned(),
        text,
    };
    let mut models = vec![
        choice("free", page.say("model-free")),
        choice("one_time", page.say("model-one-time")),
    ];
    let own = (!USUAL.contains(&chosen)).then_some(chosen);
    for text in USUAL.into_iter().chain(own) {
        if let Ok(cycle) = text.parse() {
            models.push(choice(text, every(page, cycle)));
        }
    }
    models.push(choice("metered", page.say("model-metered")));
    models
}

/// The units that a cycle of one's own is counted in.
pub fn units(page: &Page) -> Vec<Choice> {
    let choice = |unit: Unit| Choice {
        value: unit.code().to_owned(),
        text: page.say(match unit {
            Unit::Day => "cycle-days",
            Unit::Week => "cycle-weeks",
            Unit::Month => "cycle-months",
            Unit::Year => "cycle-years",
        }),
    };
    Unit::ALL.map(choice).into()
}

/// How a price is charged, as a form's field says it.
pub fn model_name(price: &Price) -> String {
    match (price.model, price.period) {
        (PriceModel::Recurring, cycle) => cycle.unwrap_or(Cycle::MONTHLY).to_string(),
        (model, _) => model.name().to_owned(),
    }
}

/// Reads what [`model_name`] wrote; `None` for any other text.
pub fn read_model(name: &str) -> Option<(PriceModel, Option<Cycle>)> {
    match PriceModel::parse(name) {
        Some(PriceModel::Recurring) => None,
        Some(model) => Some((model, None)),
        None => {
            let cycle = name.parse().ok()?;
            Some((PriceModel::Recurring, Some(cycle)))
        }
    }
}
