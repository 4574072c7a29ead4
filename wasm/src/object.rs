//! Plain JavaScript values from the engine's types, and back.

use js_sys::{BigInt, Object, Reflect};
use mintreu::{Error, Timestamp};
use wasm_bindgen::JsValue;

/// The largest whole number that JavaScript's `number` holds exactly.
const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

/// A plain object of these fields, in this order.
pub fn object(fields: &[(&str, JsValue)]) -> JsValue {
    let object = Object::new();
    for (name, value) in fields {
        // Setting a field of an object just made cannot fail.
        let _set = Reflect::set(&object, &JsValue::from_str(name), value);
    }
    object.into()
}

/// An `Error` whose `code` is the engine's.
pub fn thrown(error: Error) -> JsValue {
    let thrown = js_sys::Error::new(error.detail());
    thrown.set_name("MintreuError");
    let _set = Reflect::set(&thrown, &"code".into(), &error.code().into());
    thrown.into()
}

/// A limit as a `number`: exact up to 2⁵³.
pub fn limit(units: u64) -> JsValue {
    JsValue::from_f64(units as f64)
}

/// A sum of units as a `bigint`.
pub fn sum(units: u64) -> JsValue {
    BigInt::from(units).into()
}

/// An instant as milliseconds, or `null`.
pub fn instant(at: Option<Timestamp>) -> JsValue {
    at.map_or(JsValue::NULL, |at| JsValue::from_f64(at.ms() as f64))
}

/// A text, or `null`.
pub fn text(text: Option<&str>) -> JsValue {
    text.map_or(JsValue::NULL, JsValue::from_str)
}

/// The instant the caller gave, or the host's clock.
pub fn now(given: Option<f64>) -> Result<Timestamp, JsValue> {
    let ms = given.unwrap_or_else(js_sys::Date::now);
    if !ms.is_finite() || ms.abs() > MAX_SAFE {
        let detail = "an instant is a number of milliseconds, as Date.now() gives";
        return Err(thrown(Error::new("instant_invalid", detail)));
    }
    Ok(Timestamp::from_ms(ms.floor() as i64))
}

/// Whole units from a `number`.
pub fn units(given: f64) -> Result<u64, JsValue> {
    if !(0.0..=MAX_SAFE).contains(&given) || given.fract() != 0.0 {
        let detail = "units are a whole number from 0 to Number.MAX_SAFE_INTEGER";
        return Err(thrown(Error::new("units_invalid", detail)));
    }
    Ok(given as u64)
}
