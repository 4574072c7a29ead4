//! Where a quota stands, and writing down what changed.

use super::model::{Beside, Position, QuotaError, opened};
use super::sql::{self, Cell};
use crate::app::Cx;
use crate::domains::catalog::model::Quota;
use crate::domains::licensing::{License, documents};
use crate::events;
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{LicenseId, TenantId};
use mintreu::meter::{Opened, Zone};
use serde::Serialize;

/// The fact of an alert that a quota's use has reached.
pub const REACHED_FACT: &str = "quota.reached";

/// The hot row of a license's quotas: whoever decides about it queues up.
pub fn lock(license: LicenseId) -> String {
    format!("quota {}", mintreu::id::encode(license.as_bytes()))
}

/// Where the quota of a meter stands at `now`; `None` where the license sets none.
pub fn position(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: &License,
    (meter, now): (&str, Timestamp),
) -> Result<Option<Position>, QuotaError> {
    let Some(quota) = license.terms.quotas.iter().find(|one| one.meter == meter) else {
        return Ok(None);
    };
    stands(tx, tenant, (license, quota), (now, None)).map(Some)
}

/// Where a quota stands; with a device's holder beside what that device holds itself, in the window
/// of its newest lease or a later one.
pub(super) fn stands(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (license, quota): (&License, &Quota),
    (now, device): (Timestamp, Option<(&[u8; 32], u32)>),
) -> Result<Position, QuotaError> {
    let claim = documents::quota(quota, license.issued_at)?;
    let zone = claim.zone.as_deref().map(Zone::named).transpose()?;
    let current = claim.window.at_in(now, &zone.unwrap_or_default());
    let least = device.map_or(0, |(_, window)| window);
    let opening = Opened {
        number: current.number.max(least),
        ..current
    };
    let cell = Cell {
        tenant,
        license: license.id,
        meter: &quota.meter,
    };
    let shared = shares(license, quota);
    let stored = sql::kept(tx, cell)?;
    let kept = match stored {
        // What the window before has left matters only where some of it comes along.
        Some(old) if old.window < opening.number && claim.rollover.is_some() => {
            let beside = beside(tx, cell, (old.window, now), shared.then_some(&[]))?;
            opened(&claim, Some(old), beside, opening)
        }
        stored => opened(&claim, stored, Beside::default(), opening),
    };
    let except = device.map_or(&[][..], |(device, _)| device);
    let beside = beside(tx, cell, (kept.window, now), shared.then_some(except))?;
    Ok(Position {
        claim,
        kept,
        beside,
        resets_at: current.ends.filter(|_| kept.window == current.number),
    })
}

/// Whether devices of a license share a quota of it.
pub(super) fn shares(license: &License, quota: &Quota) -> bool {
    quota.shared && license.seats > 1
}

/// What is reserved of a window, and what devices hold of it where they share it.
fn beside(
    tx: &mut dyn Tx,
    cell: Cell<'_>,
    (window, now): (u32, Timestamp),
    except: Option<&[u8]>,
) -> Result<Beside, StoreError> {
    let reserved = sql::reserved(tx, cell, (window, now))?;
    let (lent, reported) = match except {
        Some(device) => sql::lent_of(tx, cell, (window, device))?,
        None => (0, 0),
    };
    Ok(Beside {
        reserved,
        lent,
        reported,
    })
}

/// What the fact of an alert tells.
#[derive(Serialize)]
struct Reached<'a> {
    meter: &'a str,
    percent: u8,
    limit: i64,
    used: i64,
    resets_at: Option<i64>,
}

/// Writes down where a quota stands, and tells of the alert that was reached: the highest of those
/// that nobody was told of in this window.
pub fn keep(
    cx: &mut Cx<'_>,
    license: LicenseId,
    meter: &str,
    position: &mut Position,
) -> Result<Option<u8>, QuotaError> {
    let reached = position.alert();
    if let Some(percent) = reached {
        let told = Reached {
            meter,
            percent,
            limit: position.limit(),
            used: position.kept.units.saturating_add(position.beside.reported),
            resets_at: position.resets_at.map(Timestamp::ms),
        };
        events::record(cx, REACHED_FACT, &license.to_string(), &told)?;
    }
    let cell = Cell {
        tenant: cx.caller.tenant,
        license,
        meter,
    };
    sql::keep(cx.tx, cell, &position.kept)?;
    Ok(reached)
}

/// What a change to units comes to: by how much more are counted of their window while it is open,
/// and taken of what it left to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved {
    /// Whose window.
    pub window: u32,
    /// While it is open. Zero where another row keeps the sum.
    pub counted: i64,
    /// When it is the one before.
    pub taken: i64,
}

/// Writes down that units moved. A window that is longer over weighs on nothing.
pub fn moved(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (license, meter): (LicenseId, &str),
    moved: Moved,
) -> Result<(), StoreError> {
    let cell = Cell {
        tenant,
        license,
        meter,
    };
    let Some(mut kept) = sql::kept(tx, cell)? else {
        return Ok(());
    };
    match &mut kept.before {
        _ if kept.window == moved.window => {
            kept.units = kept.units.saturating_add(moved.counted).max(0);
        }
        Some((before, left)) if *before == moved.window => {
            *left = left.saturating_sub(moved.taken);
        }
        _ => return Ok(()),
    }
    sql::keep(tx, cell, &kept)
}
