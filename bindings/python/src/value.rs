//! Instants and errors, to Python and back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mintreu::{Clock as _, Error, SystemClock, Timestamp};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// An instant as Python's `datetime` converts it.
pub fn datetime(at: Timestamp) -> SystemTime {
    let distance = Duration::from_millis(at.ms().unsigned_abs());
    match at.ms() < 0 {
        true => UNIX_EPOCH - distance,
        false => UNIX_EPOCH + distance,
    }
}

/// Milliseconds from a `datetime`, rounded towards the past; the system's clock when absent.
pub fn instant(at: Option<SystemTime>) -> Timestamp {
    let Some(at) = at else {
        return SystemClock.now();
    };
    let ms = match at.duration_since(UNIX_EPOCH) {
        Ok(after) => i128::try_from(after.as_millis()).unwrap_or(i128::MAX),
        Err(before) => -(before.duration().as_nanos().div_ceil(1_000_000) as i128),
    };
    Timestamp::from_ms(i64::try_from(ms).unwrap_or(if ms < 0 { i64::MIN } else { i64::MAX }))
}

/// The engine's error as `MintreuError(code, detail)`.
pub fn raised(error: Error) -> PyErr {
    static CLASS: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    Python::attach(
        |py| match CLASS.import(py, "mintreu._errors", "MintreuError") {
            Ok(class) => PyErr::from_type(class.clone(), (error.code(), error.detail().to_owned())),
            Err(broken_package) => broken_package,
        },
    )
}
