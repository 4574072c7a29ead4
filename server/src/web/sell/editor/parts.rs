//! The inputs of the product form, in groups, each with its rules.

use super::super::form::{Mistake, ProductForm};
use crate::domains::catalog::Kind;
use crate::domains::catalog::model::CategoryCount;
use crate::web::cycle;
use crate::web::page::Page;
use crate::web::parts::{Choice, Field, currencies};
use crate::web::shelf::kind_name;

/// A group of inputs.
pub(super) struct Part {
    pub title: String,
    pub hint: String,
    /// A mistake that no single input is to blame for.
    pub error: Option<String>,
    pub fields: Vec<Field>,
}

/// Draws fields with their labels, hints and mistakes; keys follow from the input's name.
struct Draw<'a> {
    page: &'a Page,
    wrong: &'a [Mistake],
}

impl Draw<'_> {
    fn error(&self, input: &str) -> Option<String> {
        let found = self.wrong.iter().find(|(at, _)| *at == input);
        found.map(|(_, key)| self.page.words.say(key))
    }

    fn finish(&self, input: &str, field: Field, hint: &str, value: &str) -> Field {
        let field = field.value(value).error(self.error(input));
        if hint.is_empty() {
            field
        } else {
            field.hint(self.page.words.say(hint))
        }
    }

    fn text(&self, input: &'static str, label: &str, hint: &str, value: &str) -> Field {
        self.finish(
            input,
            Field::text(input, self.page.words.say(label)),
            hint,
            value,
        )
    }

    fn area(&self, input: &'static str, label: &str, hint: &str, value: &str) -> Field {
        self.finish(
            input,
            Field::area(input, self.page.words.say(label)),
            hint,
            value,
        )
        .full()
    }

    fn select(&self, input: &'static str, label: &str, choices: Vec<Choice>, value: &str) -> Field {
        let field = Field::select(input, self.page.words.say(label), choices);
        self.finish(input, field, "", value)
    }

    fn part(&self, title: &str, hint: &str, input: &str, fields: Vec<Field>) -> Part {
        Part {
            title: self.page.words.say(title),
            hint: if hint.is_empty() {
                String::new()
            } else {
                self.page.words.say(hint)
            },
            error: self.error(input),
            fields,
        }
    }
}

fn choice(value: &str, text: String) -> Choice {
    Choice {
        value: value.to_owned(),
        text,
    }
}

/// Every group of inputs, with what was typed and the mistakes at their inputs.
pub(super) fn parts(
    page: &Page,
    form: &ProductForm,
    tree: &[CategoryCount],
    wrong: &[Mistake],
) -> Vec<Part> {
    let draw = Draw { page, wrong };
    vec![
        about(&draw, form, tree),
        prices(&draw, form),
        license(&draw, form),
        meters(&draw, form),
        links(&draw, form),
    ]
}

fn about(draw: &Draw<'_>, form: &ProductForm, tree: &[CategoryCount]) -> Part {
    let kinds = Kind::ALL
        .iter()
        .map(|kind| choice(kind.name(), kind_name(draw.page, *kind)));
    let mut places = vec![choice("", draw.page.say("edit-category-none"))];
    let paths = tree.iter().filter(|entry| !entry.category.path.is_empty());
    places.extend(paths.map(|entry| {
        let depth = entry.category.path.matches('/').count();
        let indent = "\u{2003}".repeat(depth);
        choice(
            &entry.category.path,
            format!("{indent}{}", entry.category.name),
        )
    }));
    draw.part(
        "edit-about",
        "",
        "",
        vec![
            draw.text("name", "edit-name", "", &form.name)
                .full()
                .required()
                .max_length(120),
            draw.text(
                "summary",
                "edit-summary",
                "edit-summary-hint",
                &form.summary,
            )
            .full()
            .required()
            .max_length(200),
            draw.select("kind", "edit-kind", kinds.collect(), &form.kind),
            draw.select("category", "edit-category", places, &form.category),
            draw.area(
                "description",
                "edit-description",
                "edit-description-hint",
                &form.description,
            ),
            draw.text("code", "edit-code", "edit-code-hint", &form.code)
                .required()
                .max_length(80),
            draw.text("version", "edit-version", "", &form.version)
                .max_length(60),
        ],
    )
}

fn prices(draw: &Draw<'_>, form: &ProductForm) -> Part {
    let models = |chosen: &str| {
        let mut models = vec![choice("", draw.page.say("model-none"))];
        models.extend(cycle::models(draw.page, chosen));
        models
    };
    let amount = |input, value: &str| {
        draw.text(input, "edit-amount", "edit-amount-hint", value)
            .input_mode("decimal")
            .max_length(20)
    };
    let minimum = |input, value: &str| {
        draw.text(input, "edit-minimum", "edit-minimum-hint", value)
            .input_mode("decimal")
            .max_length(20)
    };
    let most = |input, value: &str| {
        draw.text(input, "edit-most", "edit-most-hint", value)
            .input_mode("numeric")
            .max_length(3)
    };
    let countries = |input, value: &str| {
        draw.text(input, "edit-countries", "edit-countries-hint", value)
            .max_length(800)
            .full()
    };
    draw.part(
        "edit-prices",
        "edit-prices-hint",
        "prices",
        vec![
            draw.select(
                "price1_model",
                "edit-price-1",
                models(&form.price1_model),
                &form.price1_model,
            )
            .full(),
            amount("price1_amount", &form.price1_amount),
            draw.select(
                "price1_currency",
                "edit-currency",
                currencies(),
                &form.price1_currency,
            ),
            minimum("price1_minimum", &form.price1_minimum),
            most("price1_most", &form.price1_most),
            countries("price1_countries", &form.price1_countries),
            draw.select(
                "price2_model",
                "edit-price-2",
                models(&form.price2_model),
                &form.price2_model,
            )
            .full(),
            amount("price2_amount", &form.price2_amount),
            draw.select(
                "price2_currency",
                "edit-currency",
                currencies(),
                &form.price2_currency,
            ),
            minimum("price2_minimum", &form.price2_minimum),
            most("price2_most", &form.price2_most),
            countries("price2_countries", &form.price2_countries),
        ],
    )
}

fn license(draw: &Draw<'_>, form: &ProductForm) -> Part {
    let number = |input, label: &str, hint: &str, value: &str| {
        draw.text(input, label, hint, value)
            .input_mode("numeric")
            .max_length(10)
    };
    draw.part(
        "edit-license",
        "edit-license-hint",
        "license",
        vec![
            number("seats", "edit-seats", "edit-seats-hint", &form.seats),
            number(
                "validity_days",
                "edit-validity",
                "edit-validity-hint",
                &form.validity_days,
            ),
            draw.area(
                "entitlements",
                "edit-entitlements",
                "edit-entitlements-hint",
                &form.entitlements,
            ),
            draw.area("quotas", "edit-quotas", "edit-quotas-hint", &form.quotas),
            draw.select(
                "seating",
                "edit-seating",
                seating_choices(draw),
                &form.seating,
            )
            .full(),
            number(
                "lease_minutes",
                "edit-lease",
                "edit-lease-hint",
                &form.lease_minutes,
            ),
            number(
                "borrow_days",
                "edit-borrow",
                "edit-borrow-hint",
                &form.borrow_days,
            ),
            draw.select(
                "matching",
                "edit-matching",
                matching_choices(draw),
                &form.matching,
            )
            .full(),
            draw.select(
                "stale_action",
                "edit-stale",
                stale_choices(draw),
                &form.stale_action,
            )
            .full(),
            number(
                "stale_days",
                "edit-stale-days",
                "edit-stale-days-hint",
                &form.stale_days,
            ),
            number(
                "stale_grace_days",
                "edit-stale-grace",
                "edit-stale-grace-hint",
                &form.stale_grace_days,
            ),
        ],
    )
}

/// What a program does that hasn't heard of withdrawn licenses for long.
fn stale_choices(draw: &Draw<'_>) -> Vec<Choice> {
    choices(
        draw,
        &[
            ("", "edit-stale-ignore"),
            ("warn", "edit-stale-warn"),
            ("lock", "edit-stale-lock"),
        ],
    )
}

/// Whose a seat is.
fn seating_choices(draw: &Draw<'_>) -> Vec<Choice> {
    choices(
        draw,
        &[
            ("", "edit-seating-device"),
            ("floating", "edit-seating-floating"),
        ],
    )
}

/// How much of a device must still be the same.
fn matching_choices(draw: &Draw<'_>) -> Vec<Choice> {
    choices(
        draw,
        &[
            ("", "edit-matching-ignore"),
            ("any", "edit-matching-any"),
            ("two", "edit-matching-two"),
            ("most", "edit-matching-most"),
            ("all", "edit-matching-all"),
        ],
    )
}

fn choices(draw: &Draw<'_>, choices: &[(&str, &str)]) -> Vec<Choice> {
    let choice = |&(value, key): &(&str, &str)| Choice {
        value: value.to_owned(),
        text: draw.page.say(key),
    };
    choices.iter().map(choice).collect()
}

fn meters(draw: &Draw<'_>, form: &ProductForm) -> Part {
    draw.part(
        "edit-meters",
        "edit-meters-hint",
        "meters",
        vec![
            draw.text(
                "meter1_name",
                "edit-meter-1",
                "edit-meter-hint",
                &form.meter1_name,
            )
            .max_length(40),
            draw.text(
                "meter1_unit",
                "edit-meter-unit",
                "edit-meter-unit-hint",
                &form.meter1_unit,
            )
            .max_length(40),
            draw.text(
                "meter1_tariff",
                "edit-tariff",
                "edit-tariff-hint",
                &form.meter1_tariff,
            )
            .full()
            .max_length(2000),
            draw.text(
                "meter2_name",
                "edit-meter-2",
                "edit-meter-hint",
                &form.meter2_name,
            )
            .max_length(40),
            draw.text(
                "meter2_unit",
                "edit-meter-unit",
                "edit-meter-unit-hint",
                &form.meter2_unit,
            )
            .max_length(40),
            draw.text(
                "meter2_tariff",
                "edit-tariff",
                "edit-tariff-hint",
                &form.meter2_tariff,
            )
            .full()
            .max_length(2000),
        ],
    )
}

fn links(draw: &Draw<'_>, form: &ProductForm) -> Part {
    draw.part(
        "edit-more",
        "",
        "",
        vec![
            draw.text("slug", "edit-slug", "edit-slug-hint", &form.slug)
                .max_length(80),
            draw.text("spdx", "edit-spdx", "edit-spdx-hint", &form.spdx)
                .max_length(200),
            draw.text("homepage", "edit-homepage", "", &form.homepage)
                .full()
                .input_mode("url")
                .max_length(300),
        ],
    )
}
