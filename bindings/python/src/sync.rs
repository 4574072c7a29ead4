//! What a host's own HTTP client is to send, and how long it waits before it sends again.

use mintreu::sync::{self, Request as EngineRequest};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// What the host's own HTTP client is to send.
#[pyclass(frozen, module = "mintreu")]
pub struct Request(pub EngineRequest);

#[pymethods]
impl Request {
    #[getter]
    fn method(&self) -> &'static str {
        self.0.method
    }

    #[getter]
    fn path(&self) -> &str {
        &self.0.path
    }

    #[getter]
    fn content_type(&self) -> &'static str {
        self.0.content_type
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.0.body)
    }
}

/// How many milliseconds to wait after so many failures in a row, with a random number to spread by.
#[pyfunction]
#[pyo3(signature = (header, failures, draw))]
pub fn retry_after(header: Option<&str>, failures: u32, draw: u64) -> u64 {
    sync::retry_after(header, failures, draw)
}
