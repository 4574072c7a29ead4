//! How quotas stand, and the alerts that use has reached.

use mintreu::engine::{Alert as Told, QuotaStatus as Standing};
use napi_derive::napi;

use crate::value::ms;

/// How a meter's quota stands.
#[napi(object, use_nullable = true)]
pub struct QuotaStatus {
    pub meter: String,
    pub window: String,
    pub limit: Option<f64>,
    pub used: f64,
    pub remaining: Option<f64>,
    pub overage: f64,
    pub credits: f64,
    pub resets_at: Option<f64>,
}

impl From<Standing> for QuotaStatus {
    fn from(status: Standing) -> Self {
        Self {
            window: status.window.name().to_owned(),
            limit: status.limit.map(|units| units as f64),
            used: status.used as f64,
            remaining: status.remaining.map(|units| units as f64),
            overage: status.overage as f64,
            credits: status.credits as f64,
            resets_at: status.resets_at.map(ms),
            meter: status.meter,
        }
    }
}

/// A quota's use has reached one of its alerts.
#[napi(object)]
pub struct Alert {
    pub meter: String,
    pub percent: u32,
    pub status: QuotaStatus,
}

impl From<Told> for Alert {
    fn from(alert: Told) -> Self {
        Self {
            meter: alert.meter,
            percent: alert.percent.into(),
            status: alert.status.into(),
        }
    }
}
