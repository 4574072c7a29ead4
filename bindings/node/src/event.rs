//! Events: single happenings, told apart by their ids.

use std::collections::HashMap;

use mintreu::meter::{Decimal, Event as Inner};
use mintreu::{Error, Timestamp};
use napi::bindgen_prelude::Either3;
use napi_derive::napi;

use crate::meter::Cell;
use crate::price::Given;
use crate::value::{Thrown, instant, thrown};

/// What an event stands for: one where nothing is said. A number has to be whole, since others are
/// not exact.
pub fn value(given: Option<Given>) -> Result<Decimal, Thrown> {
    match given {
        None => Ok(Decimal::ONE),
        Some(Either3::A(number)) => whole(number),
        Some(Either3::B(large)) => match large.get_i64() {
            (whole, true) => Ok(Decimal::whole(whole)),
            _ => Err(invalid()),
        },
        Some(Either3::C(text)) => text.parse().map_err(thrown),
    }
}

fn whole(number: f64) -> Result<Decimal, Thrown> {
    let exact = number.fract() == 0.0 && number.abs() <= crate::value::MAX_SAFE;
    match exact {
        true => Ok(Decimal::whole(number as i64)),
        false => Err(invalid()),
    }
}

fn invalid() -> Thrown {
    let detail = "a value is a whole number, a bigint of 64 bits or a decimal text like '0.5'";
    thrown(Error::new("decimal_invalid", detail))
}

/// One happening of a meter.
#[napi(object, object_to_js = false)]
pub struct Event {
    pub id: String,
    pub meter: String,
    pub value: Option<Given>,
    pub subject: Option<String>,
    pub dimensions: Option<HashMap<String, String>>,
    pub at: Option<f64>,
}

impl Event {
    /// The event itself, which happens `now` unless it was said when.
    pub fn happened(self, now: Timestamp) -> Result<Inner, Thrown> {
        let cell = Cell {
            subject: self.subject,
            dimensions: self.dimensions,
        };
        let key = cell.key(&self.meter).map_err(thrown)?;
        let at = self.at.map_or(Ok(now), |at| instant(Some(at)))?;
        Inner::new(self.id, key, at, value(self.value)?).map_err(thrown)
    }
}
