//! A license's periods: those that are closed, and what its quotas leave in their windows.

use super::model::{BillingError, Plan, PlanMeter, may_see};
use super::overview::UsageOfLicense;
use super::rated::RatedLine;
use super::sql;
use crate::app::ReadCx;
use crate::domains::catalog;
use crate::domains::catalog::model::Quota;
use crate::domains::licensing::License;
use crate::domains::metering::{self, Day, Grain, Window};
use crate::domains::quotas;
use crate::store::{StoreError, Tx};
use mintreu::id::{LicenseId, TenantId};
use mintreu::license::QuotaClaim;
use mintreu::meter::Zone;
use mintreu::{Money, Timestamp};
use std::collections::BTreeMap;

/// Most closed periods that are listed: two years.
const MAX_PERIODS: i64 = 24;
/// Most lines of one period that are shown.
const MAX_LINES: i64 = 500;

/// A closed period as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClosedPeriod {
    /// Which, from 0.
    pub period: i64,
    /// Its first instant, and the instant after its last.
    pub bounds: (Timestamp, Timestamp),
    /// What it came to, up to the commitment.
    pub cost: Money,
}

/// A license's closed periods, the newest first.
pub(super) fn closed_periods(
    tx: &mut dyn Tx,
    tenant: TenantId,
    plan: &Plan,
) -> Result<Vec<ClosedPeriod>, StoreError> {
    let of = (tenant, plan.license);
    let mut periods = Vec::new();
    for closed in sql::closed::list(tx, of, MAX_PERIODS)? {
        let cost = sql::closed::cost(tx, of, closed.period)?;
        periods.push(ClosedPeriod {
            period: closed.period,
            bounds: (closed.period_start, closed.period_end),
            cost: Money::new(cost.saturating_add(closed.missing_minor), plan.currency),
        });
    }
    Ok(periods)
}

/// Asks for a closed period of a license.
#[derive(Debug, Clone, Copy)]
pub struct PeriodOfLicense {
    /// Which license.
    pub license: LicenseId,
    /// Which period.
    pub period: i64,
}

/// One meter of a closed period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastMeter {
    /// The meter, with its tariff.
    pub meter: PlanMeter,
    /// Units.
    pub units: i64,
    /// What they cost.
    pub cost: Money,
    /// By day, each present.
    pub series: Vec<Day>,
}

/// A closed period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastPeriod {
    /// As it is listed.
    pub period: ClosedPeriod,
    /// By name.
    pub meters: Vec<PastMeter>,
    /// Of its bills, the newest first.
    pub lines: Vec<RatedLine>,
}

/// For who pays, who earns, and who runs the platform.
pub fn past_period(
    cx: &mut ReadCx<'_>,
    query: &PeriodOfLicense,
) -> Result<PastPeriod, BillingError> {
    let of = (cx.caller.tenant, query.license);
    let plan = sql::by_license(cx.tx, of.0, of.1)?;
    let plan = plan.filter(|plan| may_see(cx.caller, plan));
    let plan = plan.ok_or(BillingError::NotFound)?;
    let mut periods = closed_periods(cx.tx, of.0, &plan)?;
    periods.retain(|one| one.period == query.period);
    let period = periods.pop().ok_or(BillingError::NotFound)?;
    let window = days_of(period.bounds);
    let mut series = metering::series_of_license(cx.tx, of.0, of.1, window)?;
    let mut meters = Vec::new();
    for meter in sql::meters(cx.tx, of.0, of.1)? {
        let place = (period.period, meter.name.as_str());
        let known = sql::closed::meter(cx.tx, of, place)?.unwrap_or_default();
        meters.push(PastMeter {
            units: known.units,
            cost: Money::new(known.cost_minor, plan.currency),
            series: series.remove(&meter.name).unwrap_or_else(|| window.empty()),
            meter,
        });
    }
    let mut lines = sql::rated::newest(cx.tx, of, (period.period, MAX_LINES))?;
    lines.retain(|line| line.period == period.period);
    Ok(PastPeriod {
        period,
        meters,
        lines,
    })
}

/// The days that a period touches.
fn days_of((from, until): (Timestamp, Timestamp)) -> Window {
    let from = Grain::Day.start(from);
    let steps = until.plus_ms(-1).since_ms(from).div_euclid(Grain::Day.ms()) + 1;
    Window::ending_at(until.plus_ms(-1), Grain::Day, steps)
}

impl UsageOfLicense {
    /// Of the running day and those before it, `days` in all.
    pub fn of_days(license: LicenseId, now: Timestamp, days: i64) -> Self {
        let window = Window::ending_at(now, Grain::Day, days);
        Self { license, window }
    }
}

/// What a quota leaves in its open window, as far as it was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaLeft {
    /// Units of each window.
    pub limit: u64,
    /// The window.
    pub window: catalog::model::Window,
    /// Units that were reported in it, by all devices together.
    pub used: u64,
    /// When units come back; `None` never.
    pub resets_at: Option<Timestamp>,
    /// Whether all devices have it together; otherwise each has its own, and what one has left isn't
    /// known here where there are several.
    pub together: bool,
}

impl QuotaLeft {
    /// Units that are left.
    pub const fn left(&self) -> u64 {
        self.limit.saturating_sub(self.used)
    }
}

/// What the quotas of a license leave, by meter.
pub(super) fn quotas_left(
    cx: &mut ReadCx<'_>,
    license: &License,
    totals: &BTreeMap<String, i64>,
) -> Result<BTreeMap<String, QuotaLeft>, StoreError> {
    let mut left = BTreeMap::new();
    for quota in &license.terms.quotas {
        let of_quota = (license, quota);
        left.insert(quota.meter.clone(), quota_left(cx, of_quota, totals)?);
    }
    Ok(left)
}

fn quota_left(
    cx: &mut ReadCx<'_>,
    (license, quota): (&License, &Quota),
    totals: &BTreeMap<String, i64>,
) -> Result<QuotaLeft, StoreError> {
    let (tenant, now) = (cx.caller.tenant, cx.now);
    let shape = |error: &dyn std::fmt::Display| StoreError::shape(error.to_string());
    let at = quotas::position(cx.tx, tenant, license, (&quota.meter, now));
    let at = at.map_err(|error| shape(&error))?;
    let at = at.ok_or_else(|| shape(&"a quota without a position"))?;
    let used = match window_so_far(&at.claim, quota.window, now)? {
        Some(window) => {
            let mut series = metering::series_of_license(cx.tx, tenant, license.id, window)?;
            let days = series.remove(&quota.meter).unwrap_or_default();
            days.iter().map(|day| day.units).sum()
        }
        None => totals.get(&quota.meter).copied().unwrap_or(0),
    };
    // What comes along is known here where devices share the quota.
    let shared = quota.shared && license.seats > 1;
    let limit = if shared { at.limit() } else { quota.limit };
    let zone = zone_of(&at.claim)?;
    Ok(QuotaLeft {
        limit: u64::try_from(limit).unwrap_or(0),
        window: quota.window,
        used: u64::try_from(used).unwrap_or(0),
        resets_at: at.claim.window.at_in(now, &zone).ends,
        together: quota.shared || license.seats == 1,
    })
}

fn zone_of(claim: &QuotaClaim) -> Result<Zone, StoreError> {
    let zone = claim.zone.as_deref().map(Zone::named).transpose();
    let zone = zone.map_err(|error| StoreError::shape(error.to_string()))?;
    Ok(zone.unwrap_or_default())
}

/// The open window from its beginning until now, in steps of usage; `None` for a lifetime. One that
/// begins within a step is taken from that step's beginning on.
fn window_so_far(
    claim: &QuotaClaim,
    window: catalog::model::Window,
    now: Timestamp,
) -> Result<Option<Window>, StoreError> {
    use catalog::model::Window as W;
    let zone = zone_of(claim)?;
    let grain = match window {
        W::Lifetime => return Ok(None),
        W::Hour => Grain::Hour,
        W::Day | W::Week | W::Month if claim.zone.is_none() => Grain::Day,
        W::Year => Grain::Day,
        W::Day | W::Week | W::Month | W::BillingMonth => Grain::Hour,
    };
    let number = claim.window.at_in(now, &zone).number;
    let mut steps = 1;
    let mut from = grain.start(now);
    while steps < MOST_STEPS && claim.window.at_in(from.plus_ms(-1), &zone).number == number {
        from = from.plus_ms(-grain.ms());
        steps += 1;
    }
    Ok(Some(Window { from, steps, grain }))
}

/// More hours than a month has, and days than a year.
const MOST_STEPS: i64 = 32 * 24;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domains::catalog::model::Window as W;
    use crate::domains::licensing::documents;

    #[test]
    fn a_window_so_far_begins_where_its_number_does() {
        let at = |text: &str| {
            let parsed: jiff::Timestamp = text.parse().expect("an instant");
            Timestamp::from_ms(parsed.as_millisecond())
        };
        let now = at("2027-03-31T10:20:00Z");
        let so_far = |window, zone: Option<&str>| {
            let quota = Quota {
                zone: zone.map(str::to_owned),
                ..Quota::new("calls", 1, window)
            };
            let claim = documents::quota(&quota, at("2026-12-15T08:00:00Z")).expect("a quota");
            window_so_far(&claim, window, now).expect("a zone")
        };
        for (window, from, steps) in [
            (W::Hour, "2027-03-31T10:00:00Z", 1),
            (W::Day, "2027-03-31T00:00:00Z", 1),
            (W::Week, "2027-03-29T00:00:00Z", 3),
            (W::Month, "2027-03-01T00:00:00Z", 31),
        ] {
            let found = so_far(window, None).expect("a window");
            assert_eq!((found.from, found.steps), (at(from), steps), "{window:?}");
        }
        assert_eq!(so_far(W::Lifetime, None), None);
        let tokyo = so_far(W::Day, Some("Asia/Tokyo")).expect("a window");
        assert_eq!((tokyo.from, tokyo.steps), (at("2027-03-30T15:00:00Z"), 20));
        let own = so_far(W::BillingMonth, None).expect("a window");
        assert_eq!((own.from, own.steps), (at("2027-03-15T08:00:00Z"), 387));
        let period = (at("2027-01-31T08:00:00Z"), at("2027-02-28T08:00:00Z"));
        let days = days_of(period);
        assert_eq!((days.from, days.steps), (at("2027-01-31T00:00:00Z"), 29));
    }
}
