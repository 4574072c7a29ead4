//! The gateway of a backend: API keys to decisions.

use std::collections::HashMap;
use std::time::SystemTime;

use mintreu::gateway::{Answer as Inner, Gateway as Kept, Plan as Terms};
use mintreu::meter::{Quota, RateLimit, Window};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::engine::Engine;
use crate::value::{datetime, raised};

/// What a customer on a plan may use.
#[pyclass(frozen, from_py_object, module = "mintreu")]
#[derive(Clone)]
pub struct Plan {
    terms: Terms,
}

#[pymethods]
impl Plan {
    #[new]
    #[pyo3(signature = (*, limit=None, window="month", rate=None))]
    fn new(limit: Option<u64>, window: &str, rate: Option<&str>) -> PyResult<Self> {
        let window = Window::parse(window).map_err(raised)?;
        let quota = limit.map(|limit| Quota::new(limit, window)).transpose();
        let rate = rate.map(RateLimit::parse).transpose();
        let terms = Terms {
            quota: quota.map_err(raised)?,
            rate: rate.map_err(raised)?,
        };
        Ok(Self { terms })
    }
}

/// What a request is told; true when it may go on.
#[pyclass(frozen, get_all, module = "mintreu")]
pub struct Answer {
    allowed: bool,
    code: &'static str,
    subject: String,
    remaining: Option<u64>,
    resets_at: Option<SystemTime>,
    headers: HashMap<&'static str, String>,
}

#[pymethods]
impl Answer {
    fn __bool__(&self) -> bool {
        self.allowed
    }

    fn __repr__(&self) -> String {
        format!("Answer({:?}, subject={:?})", self.code, self.subject)
    }
}

impl From<Inner> for Answer {
    fn from(answer: Inner) -> Self {
        Self {
            allowed: answer.allowed,
            code: answer.code,
            headers: answer.headers.fields().iter().cloned().collect(),
            subject: answer.subject,
            remaining: answer.remaining,
            resets_at: answer.resets_at.map(datetime),
        }
    }
}

/// Decides about API keys in this process, and counts what it allows. Safe to share between threads.
#[pyclass(frozen, module = "mintreu")]
pub struct Gateway(Kept);

#[pymethods]
impl Gateway {
    #[new]
    #[pyo3(signature = (engine, meter, *, secret, plans))]
    fn new(
        engine: &Bound<'_, Engine>,
        meter: &str,
        secret: &[u8],
        plans: HashMap<String, Plan>,
    ) -> PyResult<Self> {
        let secret = <[u8; 32]>::try_from(secret)
            .map_err(|_| PyValueError::new_err("the secret has 32 bytes"))?;
        let mut gateway = Kept::new(engine.get().inner.clone(), meter, secret).map_err(raised)?;
        for (name, plan) in plans {
            gateway = gateway.plan(name, plan.terms).map_err(raised)?;
        }
        Ok(Self(gateway))
    }

    /// The subject that usage names for a key.
    fn subject(&self, key: &str) -> String {
        self.0.subject(key)
    }

    /// May the holder of this key use so many units? What is allowed is counted.
    #[pyo3(signature = (key, plan, n=1))]
    fn allow(&self, key: &str, plan: &str, n: u64) -> PyResult<Answer> {
        let answer = self.0.allow(key, plan, n).map_err(raised)?;
        Ok(answer.into())
    }
}
