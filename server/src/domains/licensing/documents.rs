//! From what was granted to a signed document.

use super::custody::Held;
use super::model::{Grant, LicensingError};
use crate::app::Cx;
use crate::domains::catalog::model::{self as catalog, EntitlementValue};
use crate::domains::transparency;
use mintreu::id::{AccountId, LicenseId};
use mintreu::license::{
    Binding, Claims, Entitlement, Freshness, ListEntry, Matching, Name, QuotaClaim, StaleAction,
};
use mintreu::log::{Leaf, document_hash};
use mintreu::meter::{Period, PeriodUnit, Rollover, Window};
use mintreu::{Error, Timestamp};
use std::collections::BTreeMap;

fn unfit(detail: String) -> Error {
    Error::new("malformed", detail)
}

/// Signs the license of a grant, which was `first` issued then: the bytes of its bundle.
pub(super) fn license(
    grant: &Grant,
    id: LicenseId,
    place: ListEntry,
    (first, now): (Timestamp, Timestamp),
    key: &Held,
) -> Result<Vec<u8>, LicensingError> {
    let mut claims = claims(grant, id, (first, now)).map_err(LicensingError::Signing)?;
    claims.status = Some(place);
    mintreu::license::issue(&claims, &key.key, &key.certificates()).map_err(LicensingError::Signing)
}

/// Puts a license's document into the log, in the commit that signs it.
pub(super) fn log(
    cx: &mut Cx<'_>,
    seller: AccountId,
    (product, license, issued_at): (&str, LicenseId, Timestamp),
    bundle: &[u8],
) -> Result<(), LicensingError> {
    let leaf = document_hash(bundle)
        .and_then(|document| Leaf::new(product, license, issued_at, document))
        .map_err(LicensingError::Signing)?;
    Ok(transparency::append(cx, seller, leaf)?)
}

fn claims(
    grant: &Grant,
    id: LicenseId,
    (first, now): (Timestamp, Timestamp),
) -> Result<Claims, Error> {
    let mut claims = Claims::new(id, grant.product_code.as_str(), now);
    claims.expires_at = grant.expires_at;
    claims.grace_secs = grant.grace_secs;
    claims.entitlements = entitlements(&grant.terms.entitlements)?;
    claims.quotas = quotas(&grant.terms.quotas, first)?;
    let seats = u32::try_from(grant.seats);
    claims.seats = Some(seats.map_err(|_| unfit(format!("{} seats", grant.seats)))?);
    claims.binding = match grant.terms.floating {
        Some(_) => Binding::Floating,
        None => Binding::NodeLocked,
    };
    claims.matching = matching(grant.terms.matching);
    claims.freshness = grant.terms.freshness.map(freshness);
    // An opaque id: a document never names a person.
    claims.customer = grant.owner.map(|owner| owner.to_string());
    Ok(claims)
}

const fn matching(terms: catalog::Matching) -> Matching {
    match terms {
        catalog::Matching::Ignore => Matching::Ignore,
        catalog::Matching::Any => Matching::Any,
        catalog::Matching::Two => Matching::Two,
        catalog::Matching::Most => Matching::Most,
        catalog::Matching::All => Matching::All,
    }
}

fn freshness(terms: catalog::Freshness) -> Freshness {
    const DAY_SECS: u32 = 24 * 60 * 60;
    let secs = |days| u32::try_from(days).map_or(u32::MAX, |days| days.saturating_mul(DAY_SECS));
    Freshness {
        max_age_secs: secs(terms.days),
        action: match terms.action {
            catalog::StaleAction::Ignore => StaleAction::Ignore,
            catalog::StaleAction::Warn => StaleAction::Warn,
            catalog::StaleAction::Lock => StaleAction::Lock,
        },
        grace_secs: secs(terms.grace_days),
    }
}

fn entitlements(terms: &[catalog::Entitlement]) -> Result<BTreeMap<Name, Entitlement>, Error> {
    let mut map = BTreeMap::new();
    for term in terms {
        let value = match &term.value {
            EntitlementValue::Flag(false) => continue,
            EntitlementValue::Flag(true) => Entitlement::Granted,
            EntitlementValue::Text(text) => Entitlement::Value(text.clone()),
            EntitlementValue::Limit(limit) => Entitlement::Limit(count(&term.name, *limit)?),
        };
        map.insert(term.name.parse()?, value);
    }
    Ok(map)
}

fn quotas(
    terms: &[catalog::Quota],
    issued_at: Timestamp,
) -> Result<BTreeMap<Name, QuotaClaim>, Error> {
    let named = |term: &catalog::Quota| Ok((term.meter.parse()?, quota(term, issued_at)?));
    terms.iter().map(named).collect()
}

/// A quota of a license that was first issued at `issued_at`, as its document says it.
pub(crate) fn quota(term: &catalog::Quota, issued_at: Timestamp) -> Result<QuotaClaim, Error> {
    let units = |units| count(&term.meter, units);
    let rollover = |rule: &catalog::QuotaRollover| {
        Ok::<_, Error>(Rollover {
            least: units(rule.least)?,
            most: units(rule.most)?,
        })
    };
    Ok(QuotaClaim {
        per_device: !term.shared,
        overage: term.overage,
        overage_cap: term.overage_cap.map(units).transpose()?,
        zone: term.zone.clone(),
        rollover: term.rollover.as_ref().map(rollover).transpose()?,
        alerts: term.alerts.clone(),
        ..QuotaClaim::new(units(term.limit)?, window(term.window, issued_at))
    })
}

fn count(name: &str, limit: i64) -> Result<u64, Error> {
    u64::try_from(limit).map_err(|_| unfit(format!("{name} has the limit {limit}")))
}

/// A quota's window, as documents have it; months of its own begin when the license was issued.
pub(crate) fn window(window: catalog::Window, issued_at: Timestamp) -> Window {
    match window {
        catalog::Window::Lifetime => Window::Lifetime,
        catalog::Window::Hour => Window::Hour,
        catalog::Window::Day => Window::Day,
        catalog::Window::Week => Window::Week,
        catalog::Window::Month => Window::Month,
        catalog::Window::Year => Window::Year,
        catalog::Window::BillingMonth => Window::Period(Period {
            unit: PeriodUnit::Month,
            count: 1,
            // Documents know whole seconds.
            anchor: Timestamp::from_secs(issued_at.secs()),
        }),
    }
}
