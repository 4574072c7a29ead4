//! What tells hosts apart, hashed under the product.

use std::collections::HashMap;

use mintreu::activation::Fingerprint as Inner;
use mintreu::host::Probe;
use napi_derive::napi;

use crate::value::{Thrown, thrown};

/// Keyed hashes of what tells a host apart. The values stay in here.
#[napi]
pub struct Fingerprint {
    pub(crate) inner: Inner,
    kind: Option<&'static str>,
    platform: Option<&'static str>,
    components: Vec<String>,
}

#[napi]
impl Fingerprint {
    /// What kind of place the host is; `null` where the caller gave all.
    #[napi(getter)]
    pub fn kind(&self) -> Option<&'static str> {
        self.kind
    }

    /// By what a place that is no machine of its own was recognised.
    #[napi(getter)]
    pub fn platform(&self) -> Option<&'static str> {
        self.platform
    }

    /// What the components are, without their values.
    #[napi(getter)]
    pub fn components(&self) -> Vec<String> {
        self.components.clone()
    }

    /// How many components there are.
    #[napi(getter)]
    pub fn size(&self) -> u32 {
        u32::try_from(self.inner.len()).unwrap_or(u32::MAX)
    }
}

/// The fingerprint of what the caller knows alone.
#[napi]
pub fn fingerprint(
    product: String,
    components: HashMap<String, String>,
) -> Result<Fingerprint, Thrown> {
    let named: Vec<_> = components
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let inner = Inner::new(&product, &named).map_err(thrown)?;
    let mut components: Vec<_> = components.into_keys().collect();
    components.sort();
    Ok(Fingerprint {
        inner,
        kind: None,
        platform: None,
        components,
    })
}

/// The host's fingerprint, with what the caller knows of it.
#[napi]
pub fn host_fingerprint(
    product: String,
    components: HashMap<String, String>,
    variables: HashMap<String, String>,
) -> Result<Fingerprint, Thrown> {
    let host = Probe::new().with_variables(variables).read();
    let host = components
        .iter()
        .fold(host, |host, (name, value)| host.with(name, value));
    Ok(Fingerprint {
        inner: host.fingerprint(&product).map_err(thrown)?,
        kind: Some(host.kind().code()),
        platform: host.platform(),
        components: host.names().into_iter().map(str::to_owned).collect(),
    })
}
