//! What tells hosts apart, hashed under the product.

use std::collections::HashMap;
use std::sync::Arc;

use mintreu::activation::Fingerprint as Inner;
use mintreu::host::Probe;

use crate::value::MintreuError;

/// Keyed hashes of what tells a host apart. The values stay in here.
#[derive(Debug, uniffi::Object)]
pub struct Fingerprint {
    pub(crate) inner: Inner,
    kind: Option<&'static str>,
    platform: Option<&'static str>,
    components: Vec<String>,
}

#[uniffi::export]
impl Fingerprint {
    /// `physical`, `virtual`, `container` or `ci`; nothing where the caller gave all.
    pub fn kind(&self) -> Option<String> {
        self.kind.map(str::to_owned)
    }

    /// By what a place that is no machine of its own was recognised.
    pub fn platform(&self) -> Option<String> {
        self.platform.map(str::to_owned)
    }

    /// What the components are, without their values.
    pub fn components(&self) -> Vec<String> {
        self.components.clone()
    }

    /// How many components there are.
    pub fn size(&self) -> u32 {
        u32::try_from(self.inner.len()).unwrap_or(u32::MAX)
    }
}

/// The fingerprint of what the caller knows alone.
#[uniffi::export]
pub fn fingerprint(
    product: &str,
    components: HashMap<String, String>,
) -> Result<Arc<Fingerprint>, MintreuError> {
    let named: Vec<_> = components
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let inner = Inner::new(product, &named)?;
    let mut components: Vec<_> = components.into_keys().collect();
    components.sort();
    Ok(Arc::new(Fingerprint {
        inner,
        kind: None,
        platform: None,
        components,
    }))
}

/// The host's fingerprint, with what the caller knows of it. `variables` is the program's
/// environment, by which containers and CI are told; it may be left out.
#[uniffi::export(default(components = None, variables = None))]
pub fn host_fingerprint(
    product: &str,
    components: Option<HashMap<String, String>>,
    variables: Option<HashMap<String, String>>,
) -> Result<Arc<Fingerprint>, MintreuError> {
    let host = Probe::new()
        .with_variables(variables.unwrap_or_default())
        .read();
    let host = components
        .unwrap_or_default()
        .iter()
        .fold(host, |host, (name, value)| host.with(name, value));
    Ok(Arc::new(Fingerprint {
        inner: host.fingerprint(product)?,
        kind: Some(host.kind().code()),
        platform: host.platform(),
        components: host.names().into_iter().map(str::to_owned).collect(),
    }))
}
