//! A meter that lasts as long as the page.

use std::collections::BTreeMap;

use js_sys::{Array, Object, Reflect};
use mintreu::meter::{CellKey, Decision, MemoryMeter, Quota, Total, Window};
use wasm_bindgen::prelude::wasm_bindgen;
use wasm_bindgen::{JsCast, JsValue};

use crate::object::{instant, limit, now, object, sum, text, thrown, units};

/// Counts and quotas in memory.
#[wasm_bindgen]
#[derive(Default)]
pub struct Meter {
    meter: MemoryMeter,
}

#[wasm_bindgen]
impl Meter {
    /// A meter that has counted nothing and limits nothing.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows `count` units of `name` in each window: `lifetime`, `month`, `week`, `day` or `hour`.
    pub fn limit(&mut self, name: &str, count: f64, window: &str) -> Result<(), JsValue> {
        let window = Window::parse(window).map_err(thrown)?;
        let quota = Quota::new(units(count)?, window).map_err(thrown)?;
        self.meter.limit(name, quota);
        Ok(())
    }

    /// Counts `count` units of `name`, whatever its quota says.
    pub fn record(&mut self, name: &str, count: f64, cell: Option<Cell>) -> Result<(), JsValue> {
        let key = key(name, cell)?;
        self.meter.record(&key, units(count)?).map_err(thrown)
    }

    /// Takes `count` units of `name` from its quota and counts them, or does neither.
    #[wasm_bindgen(unchecked_return_type = "Decision")]
    pub fn consume(
        &mut self,
        name: &str,
        count: f64,
        cell: Option<Cell>,
        at: Option<f64>,
    ) -> Result<JsValue, JsValue> {
        let key = key(name, cell)?;
        let decision = self.meter.consume(&key, units(count)?, now(at)?);
        decision.map(|decision| decided(&decision)).map_err(thrown)
    }

    /// What has been counted.
    #[wasm_bindgen(unchecked_return_type = "Total[]")]
    pub fn usage(&self) -> Array {
        self.meter.usage().iter().map(total).collect()
    }
}

#[wasm_bindgen]
extern "C" {
    /// Whose use is counted, and how it is split: `{ subject, dimensions }`.
    #[wasm_bindgen(typescript_type = "Cell")]
    pub type Cell;
}

fn key(name: &str, cell: Option<Cell>) -> Result<CellKey, JsValue> {
    let mut key = CellKey::new(name).map_err(thrown)?;
    let Some(cell) = cell else { return Ok(key) };
    if let Some(subject) = Reflect::get(&cell, &"subject".into())?.as_string() {
        key = key.subject(subject).map_err(thrown)?;
    }
    for (name, value) in dimensions(&cell)? {
        key = key.dimension(name, value).map_err(thrown)?;
    }
    Ok(key)
}

fn dimensions(cell: &Cell) -> Result<BTreeMap<String, String>, JsValue> {
    let given = Reflect::get(cell, &"dimensions".into())?;
    let Some(given) = given.dyn_ref::<Object>() else {
        return Ok(BTreeMap::new());
    };
    let pair = |pair: JsValue| {
        let pair: Array = pair.unchecked_into();
        pair.get(0).as_string().zip(pair.get(1).as_string())
    };
    let pairs = Object::entries(given)
        .iter()
        .map(pair)
        .collect::<Option<_>>();
    pairs.ok_or_else(|| {
        let detail = "a dimension's value is a text";
        thrown(mintreu::Error::new("dimension_invalid", detail))
    })
}

fn decided(decision: &Decision) -> JsValue {
    object(&[
        ("granted", decision.granted().into()),
        ("reason", text(decision.reason())),
        (
            "remaining",
            decision.remaining().map_or(JsValue::NULL, limit),
        ),
        ("resetsAt", instant(decision.resets_at())),
        ("overage", limit(decision.overage())),
    ])
}

fn total(total: &Total) -> JsValue {
    let dimensions: Vec<(&str, JsValue)> = total
        .key
        .dimensions()
        .iter()
        .map(|(name, value)| (name.as_str(), value.into()))
        .collect();
    object(&[
        ("meter", total.key.meter().into()),
        ("subject", total.key.subject_id().into()),
        ("dimensions", object(&dimensions)),
        ("units", sum(total.units)),
    ])
}
