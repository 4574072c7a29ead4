//! What a seller writes of the licenses to a product, checked.

use super::draft::{MeterDraft, Mistakes, is_name};
use super::product::{EntitlementValue, LicenseTerms, Quota};
use mintreu::license::MAX_ALERTS;
use mintreu::meter::Zone;

/// Longest term in days: a century.
const MAX_DAYS: i64 = 36_525;
/// The longest lease of a floating seat in minutes: thirty days.
const MAX_LEASE_MINUTES: i64 = 30 * 24 * 60;
/// The longest that a floating seat is borrowed for in days: a year.
const MAX_BORROW_DAYS: i64 = 366;
/// Longest age and grace of revocation lists in days: ten years.
const MAX_LIST_DAYS: i64 = 3_653;
/// Most devices of one license, and units of one quota.
const MAX_COUNT: i64 = 1_000_000_000_000;

pub(super) fn check_terms(
    found: &mut Mistakes,
    terms: &LicenseTerms,
    meters: &[MeterDraft],
) -> LicenseTerms {
    found.at_most("terms", terms.entitlements.len());
    found.at_most("terms", terms.quotas.len());
    found.within("terms", "the number of devices", terms.seats, 1_000_000);
    if let Some(days) = terms.validity_days {
        found.within("terms", "validity in days", days, MAX_DAYS);
    }
    if let Some(floating) = terms.floating {
        let (lease, borrow) = (floating.lease_minutes, floating.borrow_days);
        found.within(
            "terms",
            "a seat's lease in minutes",
            lease,
            MAX_LEASE_MINUTES,
        );
        if !(0..=MAX_BORROW_DAYS).contains(&borrow) {
            let rule = format!("seats are borrowed for 0 to {MAX_BORROW_DAYS} days");
            found.add("terms", "out_of_range", rule);
        }
    }
    if let Some(freshness) = terms.freshness {
        found.within("terms", "the age of lists", freshness.days, MAX_LIST_DAYS);
        if !(0..=MAX_LIST_DAYS).contains(&freshness.grace_days) {
            let rule = format!("the grace of lists is 0 to {MAX_LIST_DAYS} days");
            found.add("terms", "out_of_range", rule);
        }
    }
    let mut names = Vec::new();
    for entitlement in &terms.entitlements {
        if !is_name(&entitlement.name) || names.contains(&entitlement.name.as_str()) {
            let name = &entitlement.name;
            found.add(
                "terms",
                "malformed",
                format!("{name:?} is no entitlement, or there twice"),
            );
        }
        names.push(&entitlement.name);
        if let EntitlementValue::Text(text) = &entitlement.value {
            found.line("terms", text, (0, 200));
        }
    }
    for (index, quota) in terms.quotas.iter().enumerate() {
        found.within("terms", "a quota", quota.limit, MAX_COUNT);
        check_quota(found, quota);
        if !meters.iter().any(|meter| meter.name.trim() == quota.meter) {
            let meter = &quota.meter;
            found.add(
                "terms",
                "unknown",
                format!("a quota names the meter {meter:?}: none is"),
            );
        }
        if terms.quotas[..index]
            .iter()
            .any(|other| other.meter == quota.meter)
        {
            let meter = &quota.meter;
            found.add("terms", "duplicate", format!("{meter} has two quotas"));
        }
    }
    terms.clone()
}

/// What no license may say of a quota.
fn check_quota(found: &mut Mistakes, quota: &Quota) {
    let units = |units: i64| (0..=MAX_COUNT).contains(&units);
    let mut unfit =
        |rule: &str| found.add("terms", "malformed", format!("{}: {rule}", quota.meter));
    if quota
        .zone
        .as_deref()
        .is_some_and(|zone| Zone::named(zone).is_err())
    {
        unfit("no time zone has this name; write one such as Europe/Berlin");
    }
    if quota
        .overage_cap
        .is_some_and(|cap| !quota.overage || !units(cap))
    {
        unfit("a bound of overage needs overage, and is no number below zero");
    }
    if let Some(rule) = quota.rollover
        && !(units(rule.least) && units(rule.most) && rule.least <= rule.most)
    {
        unfit("what comes along is at least 0, and not less than its least");
    }
    let rising = quota.alerts.is_sorted_by(|a, b| a < b) && !quota.alerts.contains(&0);
    if !rising || quota.alerts.len() > MAX_ALERTS {
        unfit("alerts are at most 8 percentages, rising, from 1 to 255");
    }
}
