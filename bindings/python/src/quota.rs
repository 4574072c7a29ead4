//! How quotas stand, and the alerts that use has reached.

use std::time::SystemTime;

use mintreu::engine::{Alert as Told, QuotaStatus as Standing};
use pyo3::prelude::*;

use crate::value::datetime;

/// How a meter's quota stands.
#[pyclass(frozen, get_all, module = "mintreu")]
#[derive(Clone)]
pub struct QuotaStatus {
    meter: String,
    window: &'static str,
    limit: Option<u64>,
    used: u64,
    remaining: Option<u64>,
    overage: u64,
    credits: u64,
    resets_at: Option<SystemTime>,
}

impl From<Standing> for QuotaStatus {
    fn from(status: Standing) -> Self {
        Self {
            window: status.window.name(),
            limit: status.limit,
            used: status.used,
            remaining: status.remaining,
            overage: status.overage,
            credits: status.credits,
            resets_at: status.resets_at.map(datetime),
            meter: status.meter,
        }
    }
}

#[pymethods]
impl QuotaStatus {
    fn __repr__(&self) -> String {
        let Self { meter, used, .. } = self;
        match self.limit {
            Some(limit) => format!("<QuotaStatus {meter}: {used} of {limit}>"),
            None => format!("<QuotaStatus {meter}: {used}>"),
        }
    }
}

/// A quota's use has reached one of its alerts.
#[pyclass(frozen, get_all, module = "mintreu")]
pub struct Alert {
    meter: String,
    percent: u8,
    status: QuotaStatus,
}

impl From<Told> for Alert {
    fn from(alert: Told) -> Self {
        Self {
            meter: alert.meter,
            percent: alert.percent,
            status: alert.status.into(),
        }
    }
}

#[pymethods]
impl Alert {
    fn __repr__(&self) -> String {
        format!("<Alert {} at {} %>", self.meter, self.percent)
    }
}
