//! What usage will cost, by the arithmetic that the server bills with.

use js_sys::Array;
use mintreu::Money;
use mintreu::price::{Line, Tariff, rate};
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::object::{object, sum, text, thrown, units};

/// Prices a quantity by a tariff such as `EUR per_unit 0.0004; free 1000`.
///
/// Throws `tariff_invalid`, `amount_malformed`, `currency_unknown` or `money_overflow`.
#[wasm_bindgen(unchecked_return_type = "Rated")]
pub fn price(tariff: &str, quantity: f64) -> Result<JsValue, JsValue> {
    let tariff: Tariff = tariff.parse().map_err(thrown)?;
    let rated = rate(&tariff, units(quantity)?).map_err(thrown)?;
    let lines: Array = rated.lines.iter().map(line).collect();
    Ok(object(&[
        ("total", money(rated.total)),
        ("lines", lines.into()),
    ]))
}

fn line(line: &Line) -> JsValue {
    object(&[
        ("kind", line.kind.name().into()),
        ("quantity", sum(line.quantity)),
        ("amount", money(line.amount)),
        ("text", text(Some(&line.explain()))),
    ])
}

fn money(money: Money) -> JsValue {
    object(&[
        ("minor", js_sys::BigInt::from(money.minor()).into()),
        ("currency", money.currency().code().into()),
        ("text", money.to_string().into()),
    ])
}
