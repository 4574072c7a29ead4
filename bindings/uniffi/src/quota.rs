//! How quotas stand, and the alerts that use has reached.

use mintreu::Timestamp;
use mintreu::engine::{Alert as Told, QuotaStatus as Standing};

/// How a meter's quota stands.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct QuotaStatus {
    /// The meter.
    pub meter: String,
    /// The stretch of time the limit is for: `month`, `rolling`, `lifetime`, …
    pub window: String,
    /// Units a window; absent where use is only counted.
    pub limit: Option<u64>,
    /// Units used in this window beyond those that were carried over.
    pub used: u64,
    /// Units left, prepaid ones included; absent without a limit.
    pub remaining: Option<u64>,
    /// Units used beyond the limit; they are charged.
    pub overage: u64,
    /// Prepaid units left.
    pub credits: u64,
    /// When units come back, in milliseconds since 1970; absent when time alone brings none.
    pub resets_at: Option<i64>,
}

impl From<Standing> for QuotaStatus {
    fn from(status: Standing) -> Self {
        Self {
            window: status.window.name().to_owned(),
            limit: status.limit,
            used: status.used,
            remaining: status.remaining,
            overage: status.overage,
            credits: status.credits,
            resets_at: status.resets_at.map(Timestamp::ms),
            meter: status.meter,
        }
    }
}

/// A quota's use has reached one of its alerts.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct Alert {
    /// The meter.
    pub meter: String,
    /// The percentage of the limit that was reached.
    pub percent: u8,
    /// How the quota stands.
    pub status: QuotaStatus,
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
