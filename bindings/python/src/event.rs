//! Events: single happenings, told apart by their ids.

use mintreu::meter::{Decimal, Event as Inner};
use mintreu::{Error, Timestamp};
use pyo3::prelude::*;

use crate::meter::{Dimensions, key};
use crate::price::Exact;
use crate::value::{Moment, raised};

/// What an event stands for: one where nothing is said.
pub fn value(given: Option<Exact>) -> Result<Decimal, Error> {
    given.map_or(Ok(Decimal::ONE), |exact| exact.0.parse())
}

/// One happening of a meter.
#[pyclass(frozen, module = "mintreu", from_py_object)]
#[derive(Clone)]
pub struct Event {
    inner: Inner,
    /// Whether the caller said when it happened.
    dated: bool,
}

impl Event {
    /// The event itself, which happens `now` unless it was said when.
    pub fn happened(self, now: Timestamp) -> Result<Inner, Error> {
        let Self { inner, dated } = self;
        match dated {
            true => Ok(inner),
            false => Inner::new(inner.id(), inner.key().clone(), now, inner.value()),
        }
    }
}

#[pymethods]
impl Event {
    #[new]
    #[pyo3(signature = (id, meter, value=None, *, subject=None, dimensions=None, at=None))]
    fn new(
        id: &str,
        meter: &str,
        value: Option<Exact>,
        subject: Option<&str>,
        dimensions: Option<Dimensions>,
        at: Option<Moment>,
    ) -> PyResult<Self> {
        let key = key(meter, subject, dimensions).map_err(raised)?;
        let value = self::value(value).map_err(raised)?;
        let moment = at.map_or_else(Timestamp::default, |at| at.0);
        let inner = Inner::new(id, key, moment, value).map_err(raised)?;
        let dated = at.is_some();
        Ok(Self { inner, dated })
    }

    fn __repr__(&self) -> String {
        let (id, meter) = (self.inner.id(), self.inner.key().meter());
        format!("<Event {id} of {meter}: {}>", self.inner.value())
    }
}
