//! Instants, units and errors, to JavaScript and back.

use mintreu::{Clock as _, Error, SystemClock, Timestamp};

/// What napi throws: the status becomes the `code` of the JavaScript `Error`.
pub type Thrown = napi::Error<&'static str>;

/// The largest whole number that JavaScript's `number` holds exactly.
pub const MAX_SAFE: f64 = 9_007_199_254_740_991.0;

/// An `Error` whose `code` is the engine's.
pub fn thrown(error: Error) -> Thrown {
    Thrown::new(error.code(), error.detail())
}

/// An instant as milliseconds.
pub fn ms(at: Timestamp) -> f64 {
    at.ms() as f64
}

/// The instant the caller gave, or the system's clock.
pub fn instant(given: Option<f64>) -> Result<Timestamp, Thrown> {
    let Some(ms) = given else {
        return Ok(SystemClock.now());
    };
    if !ms.is_finite() || ms.abs() > MAX_SAFE {
        let detail = "an instant is a number of milliseconds, as Date.now() gives";
        return Err(Thrown::new("instant_invalid", detail));
    }
    Ok(Timestamp::from_ms(ms.floor() as i64))
}

/// Whole units from a `number`; one when absent.
pub fn units(given: Option<f64>) -> Result<u64, Thrown> {
    let given = given.unwrap_or(1.0);
    if !(0.0..=MAX_SAFE).contains(&given) || given.fract() != 0.0 {
        let detail = "units are a whole number from 0 to Number.MAX_SAFE_INTEGER";
        return Err(Thrown::new("units_invalid", detail));
    }
    Ok(given as u64)
}

/// Whole seconds; what is longer than the engine counts is cut there.
pub fn seconds(given: f64) -> Result<u32, Thrown> {
    Ok(u32::try_from(units(Some(given))?).unwrap_or(u32::MAX))
}
