//! The question of a seller's backend: may this key use so many units?

use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::access::model::{
    self, AccessError, Allowance, Ask, Checked, MAX_OPEN, MAX_RESERVE_SECS, MAX_UNITS, MAX_WANTED,
    Refused,
};
use crate::domains::access::sql::{self, Found};
use crate::domains::licensing::{self, License, LicenseState};
use crate::domains::quotas::{self, Position, Reservation};
use crate::domains::{catalog, metering};
use crate::store::Tx;
use mintreu::Timestamp;
use mintreu::id::{AccountId, LicenseId, ReservationId, TenantId};
use mintreu::meter::CellKey;

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
        vec![quotas::lock(self.license)]
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
    let mut quota = allowed(cx.tx, tenant, &asked, (&cmd.wanted, now))?;
    let mut crossed = None;
    if let (Ask::Count, Some(at)) = (cmd.wanted.ask, &mut quota) {
        at.kept.units = at.kept.units.saturating_add(cmd.wanted.units);
        crossed = quotas::keep(cx, asked.license.id, &cmd.wanted.meter, at)?;
    }
    let mut checked = answer(&asked, &cmd.wanted, quota.as_ref());
    checked.crossed = crossed;
    match cmd.wanted.ask {
        Ask::Look => {}
        Ask::Count => {
            let counted = (&asked.found, cmd.wanted.meter.as_str());
            count(cx, &asked.license, counted, cmd.wanted.units)?;
        }
        Ask::Reserve(secs) => {
            let held = reserve(cx, &asked, (&cmd.wanted, quota.as_mut()), secs)?;
            checked.allowance = quota.as_ref().map(Allowance::of);
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

/// Where the quota stands that covers the units that are asked for; `None` where there is none.
fn allowed(
    tx: &mut dyn Tx,
    tenant: TenantId,
    asked: &Asked,
    (wanted, now): (&Wanted, Timestamp),
) -> Result<Option<Position>, AccessError> {
    let Some(at) = position(tx, tenant, &asked.license, (&wanted.meter, now))? else {
        return Ok(None);
    };
    if wanted.units > at.free() {
        return Err(AccessError::Refused(Box::new(Refused {
            license: asked.license.id,
            api_key: asked.found.key,
            meter: wanted.meter.clone(),
            allowance: Allowance::of(&at),
        })));
    }
    Ok(Some(at))
}

/// Where a meter's quota stands; `None` for a meter of the product without one.
pub(super) fn position(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: &License,
    (meter, now): (&str, Timestamp),
) -> Result<Option<Position>, AccessError> {
    match quotas::position(tx, tenant, license, (meter, now))? {
        Some(at) => Ok(Some(at)),
        None => known_meter(tx, tenant, license, meter).map(|()| None),
    }
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
        allowance: quota.map(Allowance::of),
        crossed: None,
        reservation: None,
        entitlements: model::wanted(&asked.license.terms.entitlements, &wanted.entitlements),
    }
}

fn reserve(
    cx: &mut Cx<'_>,
    asked: &Asked,
    (wanted, quota): (&Wanted, Option<&mut Position>),
    secs: i64,
) -> Result<Reservation, AccessError> {
    let tenant = cx.caller.tenant;
    let cell = (asked.license.id, wanted.meter.as_str());
    if quotas::count_open(cx.tx, tenant, cell, cx.now)? >= MAX_OPEN {
        return Err(AccessError::TooManyOpen);
    }
    let held = Reservation {
        id: cx.make_id(ReservationId::from_bytes),
        seller: asked.license.seller,
        license: asked.license.id,
        key: asked.found.key,
        meter: wanted.meter.clone(),
        window: quota.as_ref().map_or(0, |at| i64::from(at.kept.window)),
        units: wanted.units,
        ends_at: cx.now.plus_ms(secs * 1000),
        settled_units: None,
    };
    quotas::insert_reservation(cx.tx, tenant, &held)?;
    if let Some(at) = quota {
        // A window is opened by whoever comes first, so that what was left of the last is known.
        quotas::keep(cx, held.license, &held.meter, at)?;
        at.beside.reserved = at.beside.reserved.saturating_add(held.units);
    }
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
