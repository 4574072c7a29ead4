//! The question of a seller's backend: may this key use so many units?

use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::access::model::{
    self, AccessError, Allowance, Ask, Checked, MAX_OPEN, MAX_RESERVE_SECS, MAX_UNITS, MAX_WANTED,
    Refused,
};
use crate::domains::access::sql::{self, Found, Reservation};
use crate::domains::licensing::{self, License, LicenseState};
use crate::domains::{catalog, metering};
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, LicenseId, ReservationId, TenantId};
use mintreu::meter::{CellKey, Window};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Of which meter.
    pub meter: String,
    /// How many units.
    pub units: i64,
    /// What to do with them.
    pub ask: Ask,
    /// Names of entitlements to tell of; `*` for all.
    pub entitlements: Vec<String>,
}

/// May this key use so many units?
#[derive(Debug, Clone)]
pub struct Check {
    key_mac: [u8; 32],
    license: LicenseId,
    wanted: Wanted,
}

impl Check {
    /// A question within its bounds, about a key whose license is known already.
    pub fn new(key_mac: [u8; 32], license: LicenseId, wanted: Wanted) -> Result<Self, AccessError> {
        let bounds = |field, value: i64, least, most| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(AccessError::OutOfRange { field, least, most }),
        };
        bounds("units", wanted.units, 0, MAX_UNITS)?;
        if let Ask::Reserve(secs) = wanted.ask {
            bounds("reserve_secs", secs, 1, MAX_RESERVE_SECS)?;
        }
        let names = i64::try_from(wanted.entitlements.len()).unwrap_or(i64::MAX);
        bounds("entitlements", names, 0, MAX_WANTED as i64)?;
        Ok(Self {
            key_mac,
            license,
            wanted,
        })
    }
}

impl Check {
    /// Whether nothing shall be counted or held.
    pub fn is_look(&self) -> bool {
        self.wanted.ask == Ask::Look
    }
}

impl Command for Check {
    const NAME: &'static str = "access.check";
    const CAPABILITY: Capability = Capability::Sell;
    /// The counters and the stored outcome say more than an audit row could.
    const AUDITED: bool = false;

    fn contention_keys(&self) -> Vec<String> {
        vec![super::quota_lock(self.license)]
    }
}

/// A key that may be used, and the license it belongs to.
pub(super) struct Asked {
    pub(super) found: Found,
    pub(super) license: License,
}

/// Decides, and counts or holds what it allows, in this commit.
pub fn check(cx: &mut Cx<'_>, cmd: &Check) -> Result<Checked, AccessError> {
    let (tenant, now) = (cx.caller.tenant, cx.now);
    let key = (&cmd.key_mac, cmd.license);
    let asked = asked(cx.tx, (tenant, cx.caller.account), key, now)?;
    let quota = allowed(cx.tx, tenant, &asked, (&cmd.wanted, now))?;
    let mut checked = answer(&asked, &cmd.wanted, quota.as_ref());
    match cmd.wanted.ask {
        Ask::Look => {}
        Ask::Count => {
            if let Some(quota) = &quota {
                let cell = (asked.license.id, cmd.wanted.meter.as_str());
                let used = (quota.window, quota.used + cmd.wanted.units);
                sql::set_used(cx.tx, tenant, cell, used)?;
            }
            count(
                cx,
                &asked.license,
                (&asked.found, &cmd.wanted.meter),
                cmd.wanted.units,
            )?;
        }
        Ask::Reserve(secs) => {
            let held = reserve(cx, &asked, (&cmd.wanted, quota.as_ref()), secs)?;
            checked.reservation = Some((held.id.to_string(), held.ends_at.ms()));
        }
    }
    Ok(checked)
}

/// Only says what [`check`] would decide.
pub fn look(cx: &mut ReadCx<'_>, cmd: &Check) -> Result<Checked, AccessError> {
    let (tenant, now) = (cx.caller.tenant, cx.now);
    let key = (&cmd.key_mac, cmd.license);
    let asked = asked(cx.tx, (tenant, cx.caller.account), key, now)?;
    let quota = allowed(cx.tx, tenant, &asked, (&cmd.wanted, now))?;
    Ok(answer(&asked, &cmd.wanted, quota.as_ref()))
}

/// The key and its license, if this seller may be told of them and they are in force.
pub(super) fn asked(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, Option<AccountId>),
    (key_mac, license): (&[u8; 32], LicenseId),
    now: Timestamp,
) -> Result<Asked, AccessError> {
    let found = sql::find_secret(tx, tenant, key_mac, now)?;
    let found = found.filter(|found| found.license == license);
    let found = found.ok_or(AccessError::KeyUnknown)?;
    let license = licensing::by_id(tx, tenant, found.license)?;
    let license = license.filter(|license| Some(license.seller) == seller);
    let license = license.ok_or(AccessError::KeyUnknown)?;
    if found.disabled {
        return Err(AccessError::KeyDisabled);
    }
    match license.state(now) {
        LicenseState::Active => Ok(Asked { found, license }),
        LicenseState::Expired => Err(AccessError::Expired),
        LicenseState::Revoked => Err(AccessError::Revoked),
    }
}

/// A quota's open window, and the units used in it without those that are reserved.
pub(super) struct Position {
    pub(super) window: i64,
    /// Units that nodes hold are among them.
    pub(super) used: i64,
    pub(super) held: i64,
    pub(super) allowance: Allowance,
}

/// Where the quota stands after the units that are asked for; `None` where there is none.
fn allowed(
    tx: &mut dyn Tx,
    tenant: TenantId,
    asked: &Asked,
    (wanted, now): (&Wanted, Timestamp),
) -> Result<Option<Position>, AccessError> {
    let Some(mut at) = position(tx, tenant, &asked.license, (&wanted.meter, now))? else {
        return Ok(None);
    };
    if wanted.units > at.allowance.remaining {
        return Err(AccessError::Refused(Box::new(Refused {
            license: asked.license.id,
            api_key: asked.found.key,
            meter: wanted.meter.clone(),
            allowance: at.allowance,
        })));
    }
    if wanted.ask != Ask::Look {
        at.allowance.remaining -= wanted.units;
    }
    Ok(Some(at))
}

pub(super) fn position(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: &License,
    (meter, now): (&str, Timestamp),
) -> Result<Option<Position>, AccessError> {
    let Some(quota) = license.terms.quotas.iter().find(|one| one.meter == meter) else {
        return known_meter(tx, tenant, license, meter).map(|()| None);
    };
    let window =
        Window::parse(quota.window.name()).map_err(|error| StoreError::shape(error.to_string()))?;
    let stored = sql::used(tx, tenant, (license.id, meter))?;
    let opened = window.at(now);
    let (current, ends) = (i64::from(opened.number), opened.ends);
    // Windows open only forward: a clock that was set back goes on in the newest.
    let (number, used) = match stored {
        Some((number, used)) if number >= current => (number, used),
        _ => (current, 0),
    };
    let held = sql::held(tx, tenant, (license.id, meter), (number, now))?;
    let resets_at = ends.filter(|_| number == current);
    let remaining = quota.limit.saturating_sub(used).saturating_sub(held).max(0);
    Ok(Some(Position {
        window: number,
        used,
        held,
        allowance: Allowance {
            limit: quota.limit,
            remaining,
            resets_at: resets_at.map(Timestamp::ms),
        },
    }))
}

/// A meter without a quota must be one of the product's.
fn known_meter(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: &License,
    meter: &str,
) -> Result<(), AccessError> {
    let product = catalog::product(tx, tenant, license.product)?;
    let known = product.is_some_and(|product| product.meters.iter().any(|one| one.name == meter));
    let unknown = || AccessError::MeterUnknown(meter.to_owned());
    known.then_some(()).ok_or_else(unknown)
}

fn answer(asked: &Asked, wanted: &Wanted, quota: Option<&Position>) -> Checked {
    Checked {
        license: asked.license.id.to_string(),
        api_key: asked.found.key.to_string(),
        meter: wanted.meter.clone(),
        units: wanted.units,
        allowance: quota.map(|quota| quota.allowance),
        reservation: None,
        entitlements: model::wanted(&asked.license.terms.entitlements, &wanted.entitlements),
    }
}

fn reserve(
    cx: &mut Cx<'_>,
    asked: &Asked,
    (wanted, quota): (&Wanted, Option<&Position>),
    secs: i64,
) -> Result<Reservation, AccessError> {
    let tenant = cx.caller.tenant;
    let cell = (asked.license.id, wanted.meter.as_str());
    if sql::count_open(cx.tx, tenant, cell, cx.now)? >= MAX_OPEN {
        return Err(AccessError::TooManyOpen);
    }
    let held = Reservation {
        id: cx.make_id(ReservationId::from_bytes),
        seller: asked.license.seller,
        license: asked.license.id,
        key: asked.found.key,
        meter: wanted.meter.clone(),
        window: quota.map_or(0, |quota| quota.window),
        units: wanted.units,
        ends_at: cx.now.plus_ms(secs * 1000),
        settled_units: None,
    };
    sql::insert_reservation(cx.tx, tenant, &held)?;
    Ok(held)
}

/// Adds units to the license's usage, under the key's id.
pub(super) fn count(
    cx: &mut Cx<'_>,
    license: &License,
    (found, meter): (&Found, &str),
    units: i64,
) -> Result<(), AccessError> {
    let key = CellKey::new(meter).and_then(|key| key.subject(found.key.to_string()));
    let key = key.map_err(metering::MeteringError::Segment)?;
    let counted = metering::Direct {
        license: license.id,
        product: license.product,
        key: &key,
        units: u64::try_from(units).unwrap_or(0),
    };
    Ok(metering::count_directly(cx, &counted)?)
}
