//! What usage will cost, by the arithmetic that the server bills with.

use js_sys::{Array, BigInt, Object, Reflect};
use mintreu::price::{
    Ask, AskedCharge, AskedCredit, Burn, Burned, Dimensions, Line, Quantity, Tariff, Usage,
    rate_usage,
};
use mintreu::{Error, Money};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::object::{now, object, text, thrown, units};

#[wasm_bindgen]
extern "C" {
    /// A whole `number`, a `bigint`, or a decimal text.
    #[wasm_bindgen(typescript_type = "number | bigint | string")]
    pub type Given;
    /// The meters of a bill.
    #[wasm_bindgen(typescript_type = "Charge[]")]
    pub type Charges;
    /// What they have in common.
    #[wasm_bindgen(typescript_type = "BillTerms")]
    pub type BillTerms;
}

/// Prices a quantity by a tariff such as `EUR per_unit 0.0004; free 1000`.
///
/// Throws `tariff_invalid`, `amount_malformed`, `currency_unknown` or `money_overflow`.
#[wasm_bindgen(unchecked_return_type = "Rated")]
pub fn price(tariff: &str, quantity: Given) -> Result<JsValue, JsValue> {
    let tariff: Tariff = tariff.parse().map_err(thrown)?;
    let used: Quantity = exact(&quantity)?.parse().map_err(thrown)?;
    let rated = rate_usage(&tariff, &Usage::Total(used), Quantity::ZERO).map_err(thrown)?;
    let lines: Array = rated.lines.iter().map(|of| line(None, of)).collect();
    Ok(object(&[
        ("total", money(rated.total)),
        ("lines", lines.into()),
    ]))
}

/// Prices a period: its charges, a commitment over all of them, and the credits that pay first.
#[wasm_bindgen(unchecked_return_type = "Bill")]
pub fn bill(charges: Charges, terms: Option<BillTerms>) -> Result<JsValue, JsValue> {
    let terms = terms.map_or(JsValue::UNDEFINED, JsValue::from);
    let ask = Ask {
        charges: list(&charges)?
            .iter()
            .map(charge)
            .collect::<Result<_, _>>()?,
        credits: list(&field(&terms, "credits")?)?
            .iter()
            .map(credit)
            .collect::<Result<_, _>>()?,
        commitment: string(&terms, "commitment")?,
        share: share(&field(&terms, "share")?)?,
    };
    let at = now(field(&terms, "at")?.as_f64())?;
    let bill = ask.bill(at).map_err(thrown)?;
    let lines = bill.lines.iter();
    let lines: Array = lines
        .map(|of| line(of.charge.as_deref(), &of.line))
        .collect();
    let burns: Array = bill.burns.iter().map(burn).collect();
    Ok(object(&[
        ("cost", money(bill.cost)),
        ("total", money(bill.total)),
        ("lines", lines.into()),
        ("burns", burns.into()),
    ]))
}

/// A quantity as text.
fn exact(given: &JsValue) -> Result<String, JsValue> {
    if let Some(text) = given.as_string() {
        return Ok(text);
    }
    if let Some(large) = given.dyn_ref::<BigInt>() {
        return Ok(String::from(large.to_string(10)?));
    }
    units(given.as_f64().unwrap_or(f64::NAN)).map(|units| units.to_string())
}

fn field(given: &JsValue, name: &str) -> Result<JsValue, JsValue> {
    match given.is_object() {
        true => Reflect::get(given, &name.into()),
        false => Ok(JsValue::UNDEFINED),
    }
}

fn absent(value: &JsValue) -> bool {
    value.is_null() || value.is_undefined()
}

fn string(given: &JsValue, name: &str) -> Result<Option<String>, JsValue> {
    let value = field(given, name)?;
    match (absent(&value), value.as_string()) {
        (true, _) => Ok(None),
        (false, Some(text)) => Ok(Some(text)),
        (false, None) => Err(malformed(&format!("{name} is a text"))),
    }
}

fn malformed(detail: &str) -> JsValue {
    thrown(Error::new("usage_invalid", detail.to_owned()))
}

fn optional(given: &JsValue, name: &str) -> Result<Option<String>, JsValue> {
    let value = field(given, name)?;
    (!absent(&value)).then(|| exact(&value)).transpose()
}

fn list(value: &JsValue) -> Result<Array, JsValue> {
    match value.dyn_ref::<Array>() {
        Some(list) => Ok(list.clone()),
        None if absent(value) => Ok(Array::new()),
        None => Err(malformed("expected an array")),
    }
}

fn charge(given: JsValue) -> Result<AskedCharge, JsValue> {
    let transactions = field(&given, "transactions")?.as_f64();
    let each = list(&field(&given, "each")?)?;
    let cells = list(&field(&given, "cells")?)?;
    Ok(AskedCharge {
        name: string(&given, "name")?.unwrap_or_default(),
        tariff: string(&given, "tariff")?.unwrap_or_default(),
        quantity: optional(&given, "quantity")?,
        transactions: transactions.map(units).transpose()?,
        each: each
            .iter()
            .map(|one| exact(&one))
            .collect::<Result<_, _>>()?,
        cells: cells.iter().map(cell).collect::<Result<_, _>>()?,
    })
}

fn cell(given: JsValue) -> Result<(Dimensions, String), JsValue> {
    let dimensions = field(&given, "dimensions")?;
    let named = dimensions.dyn_ref::<Object>().map(Object::entries);
    let pair = |pair: JsValue| {
        let pair: Array = pair.unchecked_into();
        pair.get(0).as_string().zip(pair.get(1).as_string())
    };
    let pairs: Option<Dimensions> = named.unwrap_or_default().iter().map(pair).collect();
    let pairs = pairs.ok_or_else(|| {
        let detail = "a dimension's value is a text";
        thrown(Error::new("dimension_invalid", detail))
    });
    Ok((pairs?, exact(&field(&given, "quantity")?)?))
}

fn credit(given: JsValue) -> Result<AskedCredit, JsValue> {
    let at = |name: &str| {
        let at = field(&given, name)?.as_f64();
        at.map(|at| now(Some(at))).transpose()
    };
    let priority = field(&given, "priority")?.as_f64().unwrap_or(0.0);
    let priority = u32::try_from(units(priority)?);
    Ok(AskedCredit {
        id: string(&given, "id")?.unwrap_or_default(),
        amount: string(&given, "amount")?,
        units: optional(&given, "units")?,
        charge: string(&given, "charge")?,
        priority: priority.map_err(|_| malformed("a priority has 32 bits"))?,
        expires_at: at("expiresAt")?,
        created_at: at("createdAt")?,
    })
}

fn share(given: &JsValue) -> Result<Option<(u64, u64, u64)>, JsValue> {
    if absent(given) {
        return Ok(None);
    }
    let parts = list(given)?;
    let part = |index: u32| units(parts.get(index).as_f64().unwrap_or(f64::NAN));
    Ok(Some((part(0)?, part(1)?, part(2)?)))
}

fn line(charge: Option<&str>, line: &Line) -> JsValue {
    let unit = line.unit.map(|unit| unit.to_text(line.amount.currency()));
    object(&[
        ("charge", text(charge)),
        ("kind", line.kind.name().into()),
        ("quantity", line.quantity.to_string().into()),
        ("unit", text(unit.as_deref())),
        ("amount", money(line.amount)),
        ("text", text(Some(&line.explain()))),
    ])
}

fn burn(burn: &Burn) -> JsValue {
    let (charge, units, amount) = match &burn.of {
        Burned::Units { charge, units } => (
            charge.as_str().into(),
            units.to_string().into(),
            JsValue::NULL,
        ),
        Burned::Money(paid) => (JsValue::NULL, JsValue::NULL, money(*paid)),
    };
    object(&[
        ("credit", burn.credit.as_str().into()),
        ("charge", charge),
        ("units", units),
        ("amount", amount),
    ])
}

fn money(money: Money) -> JsValue {
    object(&[
        ("minor", BigInt::from(money.minor()).into()),
        ("currency", money.currency().code().into()),
        ("text", money.to_string().into()),
    ])
}
