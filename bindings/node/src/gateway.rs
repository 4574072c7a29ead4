//! The gateway of a backend: API keys to decisions.

use std::collections::HashMap;

use mintreu::gateway::{Answer as Inner, Gateway as Kept, Plan};
use mintreu::meter::{Quota, RateLimit, Window};
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use crate::engine::Engine;
use crate::value::{Thrown, ms, thrown, units};

/// What a plan allows.
#[napi(object, object_to_js = false)]
pub struct PlanIn {
    pub limit: Option<f64>,
    pub window: Option<String>,
    pub rate: Option<String>,
}

impl PlanIn {
    fn read(self) -> Result<Plan, Thrown> {
        let window = Window::parse(self.window.as_deref().unwrap_or("month")).map_err(thrown)?;
        let quota = |limit| Quota::new(units(Some(limit))?, window).map_err(thrown);
        let rate = self
            .rate
            .map(|text| RateLimit::parse(&text).map_err(thrown));
        Ok(Plan {
            quota: self.limit.map(quota).transpose()?,
            rate: rate.transpose()?,
        })
    }
}

/// What a request is told.
#[napi(object, use_nullable = true)]
pub struct GatewayAnswer {
    pub allowed: bool,
    pub code: String,
    pub subject: String,
    pub remaining: Option<f64>,
    pub resets_at: Option<f64>,
    pub headers: HashMap<String, String>,
}

impl From<Inner> for GatewayAnswer {
    fn from(answer: Inner) -> Self {
        let fields = answer.headers.fields().iter();
        Self {
            allowed: answer.allowed,
            code: answer.code.to_owned(),
            headers: fields
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect(),
            subject: answer.subject,
            remaining: answer.remaining.map(|units| units as f64),
            resets_at: answer.resets_at.map(ms),
        }
    }
}

/// Decides about API keys in this process, and counts what it allows.
#[napi]
pub struct Gateway {
    inner: Kept,
}

#[napi]
impl Gateway {
    /// Counts into a meter of the engine. The secret keys the hashes of API keys.
    #[napi(constructor)]
    pub fn new(
        engine: &Engine,
        meter: String,
        secret: Uint8Array,
        plans: HashMap<String, PlanIn>,
    ) -> Result<Self, Thrown> {
        let secret = <[u8; 32]>::try_from(&secret[..])
            .map_err(|_| Thrown::new("secret_invalid", "the secret has 32 bytes"))?;
        let mut inner = Kept::new(engine.inner.clone(), &meter, secret).map_err(thrown)?;
        for (name, plan) in plans {
            inner = inner.plan(name, plan.read()?).map_err(thrown)?;
        }
        Ok(Self { inner })
    }

    /// The subject that usage names for a key.
    #[napi]
    pub fn subject(&self, key: String) -> String {
        self.inner.subject(&key)
    }

    /// May the holder of this key use so many units? What is allowed is counted.
    #[napi]
    pub fn allow(
        &self,
        key: String,
        plan: String,
        n: Option<f64>,
    ) -> Result<GatewayAnswer, Thrown> {
        let answer = self.inner.allow(&key, &plan, units(n)?).map_err(thrown)?;
        Ok(answer.into())
    }
}
