//! Units of quotas that devices share: lent, settled, written off.
//!
//! A device asks with a signed request for units of one meter and says what it used of those it
//! had; [`mintreu::meter::lend`] decides. What a device holds stays taken from the quota until it
//! says that it uses no more of it, or its lease is over and the seller writes it off. Devices that are away for long
//! can't spend what others were lent meanwhile: together they were never lent more than there is.

use super::model::{MAX_REASON, Position, QuotaError};
use super::ops::{self, Moved, shares};
use super::sql::{self, LentUnits, UnitsHolder, WrittenOff};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog::model::Quota;
use crate::domains::licensing::{self, License, LicenseState, LicensingError};
use mintreu::Timestamp;
use mintreu::activation::{UnitsLease, UnitsRequest};
use mintreu::document::PublicKey;
use mintreu::id::{ActivationId, LicenseId};
use mintreu::meter::{AskedUnits, MAX_LIMIT, lend};

/// The longest units are lent for: 30 days.
const LONGEST_MS: i64 = 30 * 24 * 60 * 60 * 1000;
/// How many rows a seller is shown.
const SHOWN: i64 = 1000;

/// A device's signed request for units.
#[derive(Debug)]
pub struct LendUnits {
    request: UnitsRequest,
    device: PublicKey,
}

impl LendUnits {
    /// Reads a request's bytes and checks that whoever made it holds the device's key.
    pub fn read(bytes: &[u8]) -> Result<Self, QuotaError> {
        let (device, request) = UnitsRequest::verify(bytes)?;
        Ok(Self { request, device })
    }
}

impl Command for LendUnits {
    const NAME: &'static str = "quotas.lend_units";
    /// Anybody may bring a request: its signature says whose it is.
    const CAPABILITY: Capability = Capability::Browse;
    /// The row says more than an audit row could.
    const AUDITED: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.request.license.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![ops::lock(self.request.license)]
    }
}

/// Lends a device units, as many as it wants and are left, or the same again that it hasn't taken
/// yet. The answer is a signed lease, of no more units than before when none are left.
pub fn lend_units(cx: &mut Cx<'_>, command: &LendUnits) -> Result<Vec<u8>, QuotaError> {
    let (asked, license) = (&command.request, asking(cx, command)?);
    let shared = |quota: &&Quota| quota.meter == asked.meter && shares(&license, quota);
    let quota = license.terms.quotas.iter().find(shared);
    let quota = quota.ok_or(QuotaError::NothingShared)?;
    let holder = UnitsHolder {
        tenant: cx.caller.tenant,
        license: license.id,
        meter: asked.meter.clone(),
        device: *command.device.as_bytes(),
    };
    let question = question(asked);
    let held = sql::newest(cx.tx, &holder)?;
    let granted = match held {
        // Not taken yet: the same again, to whichever activation asks.
        Some(held) if held.lent.settled(question).is_none() => held,
        held => {
            settle(cx, &holder, held.as_ref(), question)?;
            lend_anew(cx, (&license, quota, &holder), held.as_ref(), command)?
        }
    };
    sign(cx, &license, asked.activation, &granted)
}

const fn question(asked: &UnitsRequest) -> AskedUnits {
    AskedUnits {
        last: asked.last,
        window: asked.window,
        used: asked.used,
        closed: asked.closed,
        wanted: asked.wanted,
    }
}

/// Writes down what a device says of what it was lent; what it will not use goes back, also to the
/// window after its own.
fn settle(
    cx: &mut Cx<'_>,
    holder: &UnitsHolder,
    held: Option<&LentUnits>,
    asked: AskedUnits,
) -> Result<(), QuotaError> {
    let Some((held, lent)) = held.and_then(|held| Some((held, held.lent.settled(asked)?))) else {
        return Ok(());
    };
    let settled = LentUnits {
        lent,
        ..held.clone()
    };
    sql::save(cx.tx, holder, &settled)?;
    let taken = as_stored(lent.units) - as_stored(held.lent.units);
    let cell = (holder.license, holder.meter.as_str());
    Ok(ops::moved(
        cx.tx,
        holder.tenant,
        cell,
        by_device(lent.window, taken),
    )?)
}

/// Units of a device, of which its lease's row keeps the sum.
const fn by_device(window: u32, taken: i64) -> Moved {
    Moved {
        window,
        counted: 0,
        taken,
    }
}

/// Lends what the window that is open has left.
fn lend_anew(
    cx: &mut Cx<'_>,
    (license, quota, holder): (&License, &Quota, &UnitsHolder),
    held: Option<&LentUnits>,
    command: &LendUnits,
) -> Result<LentUnits, QuotaError> {
    let (asked, now) = (&command.request, Timestamp::from_secs(cx.now.secs()));
    let device = (&holder.device, held.map_or(0, |held| held.lent.window));
    let of = (license, quota);
    let mut at = ops::stands(cx.tx, holder.tenant, of, (now, Some(device)))?;
    // Overage without a bound is the device's own: beyond what it was lent it goes on.
    // No word counts more.
    let limit = as_units(at.ceiling().unwrap_or_else(|| at.limit())).min(MAX_LIMIT);
    let lent = held.map(|held| held.lent);
    let taken = as_units(at.taken());
    let lending = lend(limit, taken, lent, question(asked), at.kept.window);
    let granted = LentUnits {
        meter: asked.meter.clone(),
        activation: asked.activation,
        lent: lending.now,
        beside: at.used(),
        lent_at: now,
        ends_at: ends(license, &at, now),
        written_off_at: None,
    };
    sql::save(cx.tx, holder, &granted)?;
    // Alerts go by what all have used, this device too.
    at.beside.reported = at
        .beside
        .reported
        .saturating_add(as_stored(lending.now.used));
    ops::keep(cx, license.id, &quota.meter, &mut at)?;
    Ok(granted)
}

fn as_units(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

fn as_stored(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

/// The license, when this device may use it now.
fn asking(cx: &mut Cx<'_>, command: &LendUnits) -> Result<License, QuotaError> {
    let asked = &command.request;
    let found = licensing::device(cx, asked.license, command.device.as_bytes())?;
    let device = found.ok_or(QuotaError::UnknownDevice)?;
    if device.activation.seat.is_none() || device.activation.id != asked.activation {
        return Err(QuotaError::Deactivated);
    }
    if device.license.product_code != asked.product {
        return Err(QuotaError::WrongProduct);
    }
    match device.license.state(cx.now) {
        LicenseState::Active => Ok(device.license),
        LicenseState::Revoked => Err(QuotaError::Revoked),
        LicenseState::Expired => Err(LicensingError::Expired.into()),
    }
}

/// Units end with their window, and with their license.
fn ends(license: &License, at: &Position, now: Timestamp) -> Timestamp {
    let ends = [at.resets_at, license.expires_at];
    let longest = now.plus_ms(LONGEST_MS);
    ends.into_iter().flatten().fold(longest, Timestamp::min)
}

fn sign(
    cx: &mut Cx<'_>,
    license: &License,
    activation: ActivationId,
    granted: &LentUnits,
) -> Result<Vec<u8>, QuotaError> {
    let seconds = granted.ends_at.since_ms(granted.lent_at).max(0) / 1000;
    let lease = UnitsLease {
        issued_at: granted.lent_at,
        activation,
        seconds: u32::try_from(seconds).unwrap_or(u32::MAX),
        meter: granted.meter.clone(),
        number: granted.lent.number,
        window: granted.lent.window,
        units: granted.lent.units,
        beside: granted.beside,
    };
    let signer = licensing::signer_for_product(cx, license)?;
    let certificates: Vec<&[u8]> = signer.certificates.iter().map(Vec::as_slice).collect();
    Ok(lease.issue(&signer.key, &certificates)?)
}

/// What devices of a license hold, and what was taken back from them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Units {
    /// The newest first.
    pub lent: Vec<LentUnits>,
    /// The newest first; for the seller alone.
    pub written_off: Vec<WrittenOff>,
}

/// What was lent of a license's quotas, for its owner and its seller.
pub fn lent_units(cx: &mut ReadCx<'_>, license: &LicenseId) -> Result<Units, QuotaError> {
    let seller = licensing::view(cx, license)?.license.seller;
    let tenant = cx.caller.tenant;
    let written_off = match cx.caller.account == Some(seller) {
        true => sql::write_offs(cx.tx, tenant, *license, SHOWN)?,
        false => Vec::new(),
    };
    Ok(Units {
        lent: sql::all_of(cx.tx, tenant, *license, SHOWN)?,
        written_off,
    })
}

/// Takes back units that a device will never account for: it is lost, or was wiped.
#[derive(Debug, Clone)]
pub struct WriteOffUnits {
    /// The license.
    pub license: LicenseId,
    /// The meter.
    pub meter: String,
    /// The device's activation.
    pub activation: ActivationId,
    /// Why; kept.
    pub reason: String,
}

impl Command for WriteOffUnits {
    const NAME: &'static str = "quotas.write_off_units";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![ops::lock(self.license)]
    }
}

/// Gives units that a device holds back to the quota, on the seller's own risk: should the device
/// turn up and have used them, more was used than there is, and it is counted all the same. Not
/// while the device may still use them, since that would lend them twice. Once is enough.
pub fn write_off_units(cx: &mut Cx<'_>, command: &WriteOffUnits) -> Result<(), QuotaError> {
    let license = licensing::by_id(cx.tx, cx.caller.tenant, command.license)?;
    let by = cx.caller.account.ok_or(LicensingError::NotFound)?;
    let own = license.filter(|license| license.seller == by);
    let license = own.ok_or(LicensingError::NotFound)?;
    let reason = reason(&command.reason)?;
    let of = (cx.caller.tenant, license.id);
    let held = sql::unaccounted(cx.tx, of, (&command.meter, command.activation))?;
    let running = held.iter().map(|(_, held)| held.ends_at);
    if let Some(until) = running.max().filter(|ends| cx.now < *ends) {
        return Err(QuotaError::LeaseRunning { until });
    }
    for (device, held) in held {
        let holder = UnitsHolder {
            tenant: of.0,
            license: of.1,
            meter: held.meter.clone(),
            device,
        };
        let written = WrittenOff {
            license: license.id,
            meter: held.meter,
            activation: held.activation,
            window: held.lent.window,
            units: held.lent.units.saturating_sub(held.lent.used),
            reason: reason.to_owned(),
            by,
            at: cx.now,
        };
        sql::write_off(
            cx.tx,
            (&holder, license.product),
            held.lent.number,
            &written,
        )?;
        let cell = (of.1, written.meter.as_str());
        let back = by_device(written.window, -as_stored(written.units));
        ops::moved(cx.tx, of.0, cell, back)?;
    }
    Ok(())
}

fn reason(text: &str) -> Result<&str, QuotaError> {
    match text.trim() {
        "" => Err(QuotaError::ReasonMissing),
        long if long.chars().count() > MAX_REASON => Err(QuotaError::ReasonTooLong),
        reason => Ok(reason),
    }
}
