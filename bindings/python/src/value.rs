//! Instants and errors, to Python and back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mintreu::{Error, Timestamp};
use pyo3::exceptions::PyValueError;
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

/// An instant that Python gave as an aware `datetime`.
#[derive(Clone, Copy)]
pub struct Moment(pub Timestamp);

impl<'py> FromPyObject<'_, 'py> for Moment {
    type Error = PyErr;

    /// Rounds towards the past, to the millisecond; a naive `datetime` names no instant.
    fn extract(given: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if given.call_method0("utcoffset")?.is_none() {
            return Err(PyValueError::new_err("the datetime needs a time zone"));
        }
        let seconds: f64 = given.call_method0("timestamp")?.extract()?;
        let microseconds = (seconds * 1e6).round() as i64;
        Ok(Self(Timestamp::from_ms(microseconds.div_euclid(1000))))
    }
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
