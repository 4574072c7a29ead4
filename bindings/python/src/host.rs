//! What tells hosts apart, hashed under the product.

use std::collections::BTreeMap;

use mintreu::activation::Fingerprint as Inner;
use mintreu::host::Probe;
use pyo3::prelude::*;

use crate::value::raised;

/// Keyed hashes of what tells a host apart. The values stay in here.
#[pyclass(frozen, module = "mintreu")]
pub struct Fingerprint {
    pub inner: Inner,
    #[pyo3(get)]
    kind: Option<&'static str>,
    #[pyo3(get)]
    platform: Option<&'static str>,
    #[pyo3(get)]
    components: Vec<String>,
}

#[pymethods]
impl Fingerprint {
    fn __len__(&self) -> usize {
        self.inner.len()
    }

    fn __repr__(&self) -> String {
        let kind = self.kind.unwrap_or("given");
        format!("<Fingerprint {kind}: {}>", self.components.join(", "))
    }
}

/// The fingerprint of what the caller knows alone.
#[pyfunction]
pub fn fingerprint(product: &str, components: BTreeMap<String, String>) -> PyResult<Fingerprint> {
    let named: Vec<_> = components
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let inner = Inner::new(product, &named).map_err(raised)?;
    Ok(Fingerprint {
        inner,
        kind: None,
        platform: None,
        components: components.into_keys().collect(),
    })
}

/// The host's fingerprint, with what the caller knows of it.
#[pyfunction]
pub fn host_fingerprint(
    py: Python<'_>,
    product: &str,
    components: BTreeMap<String, String>,
    variables: BTreeMap<String, String>,
) -> PyResult<Fingerprint> {
    let host = py.detach(|| Probe::new().with_variables(variables).read());
    let host = components
        .iter()
        .fold(host, |host, (name, value)| host.with(name, value));
    Ok(Fingerprint {
        inner: host.fingerprint(product).map_err(raised)?,
        kind: Some(host.kind().code()),
        platform: host.platform(),
        components: host.names().into_iter().map(str::to_owned).collect(),
    })
}
