//! Slices of a quota: a node is lent units, spends them without asking, and says what it used.
//!
//! One question reports and asks. Its number makes it the same one however often it comes.

use super::check::{Asked, asked, count, position};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::access::model::{
    self, AccessError, Allowance, MAX_LEASE_SECS, MAX_NODE, MAX_SLICES, MAX_UNITS, MAX_WANTED,
    MIN_NODE, SLICES_KEPT_MS,
};
use crate::domains::access::sql::{self, Found, QuotaSlice};
use crate::domains::catalog::model::EntitlementValue;
use crate::domains::licensing;
use crate::domains::quotas::{self, Moved, Position};
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::gateway::lend_slice;
use mintreu::id::{AccountId, LicenseId};
use mintreu::meter::{AskedUnits, Lent, RateLimit};
use std::collections::BTreeMap;

/// What a node says and asks.
#[derive(Debug, Clone)]
pub struct NodeAsks {
    /// The node's name: random, and new for each slice that it begins.
    pub node: String,
    /// Of which meter.
    pub meter: String,
    /// What it used, and how many units it would like.
    pub asked: AskedUnits,
    /// How long it would like to spend them.
    pub lease_secs: i64,
    /// Names of entitlements to tell of; `*` for all.
    pub entitlements: Vec<String>,
}

/// Takes a node's report and lends it a slice.
#[derive(Debug, Clone)]
pub struct LeaseSlice {
    key_mac: [u8; 32],
    license: LicenseId,
    asks: NodeAsks,
}

impl LeaseSlice {
    /// A question within its bounds; `license` is the key's, or that of the slice that is reported.
    pub fn new(key_mac: [u8; 32], license: LicenseId, asks: NodeAsks) -> Result<Self, AccessError> {
        let bounds = |field, value: i64, least, most| match (least..=most).contains(&value) {
            true => Ok(()),
            false => Err(AccessError::OutOfRange { field, least, most }),
        };
        let units = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let length = match asks.node.bytes().all(plain) {
            true => asks.node.len() as i64,
            false => 0,
        };
        bounds("node", length, MIN_NODE, MAX_NODE)?;
        bounds("wanted", units(asks.asked.wanted), 0, MAX_UNITS)?;
        bounds("used", units(asks.asked.used), 0, MAX_UNITS)?;
        bounds("lease_secs", asks.lease_secs, 1, MAX_LEASE_SECS)?;
        let names = i64::try_from(asks.entitlements.len()).unwrap_or(i64::MAX);
        bounds("entitlements", names, 0, MAX_WANTED as i64)?;
        Ok(Self {
            key_mac,
            license,
            asks,
        })
    }
}

impl Command for LeaseSlice {
    const NAME: &'static str = "access.lease_slice";
    const CAPABILITY: Capability = Capability::Sell;
    /// The slice's row and the counters say more than an audit row could.
    const AUDITED: bool = false;

    fn contention_keys(&self) -> Vec<String> {
        vec![quotas::lock(self.license)]
    }
}

/// What a node is answered.
#[derive(Debug)]
pub struct Sliced {
    /// What it holds now.
    pub slice: QuotaSlice,
    /// For how long, from now.
    pub ends_in_ms: i64,
    /// Where the quota stands; `None` where the license sets none.
    pub allowance: Option<Allowance>,
    /// What the key's owner allows it at most.
    pub rate: Option<RateLimit>,
    /// What the license says of the entitlements asked for.
    pub entitlements: BTreeMap<String, EntitlementValue>,
    /// Why it is lent nothing more; the report was taken all the same.
    pub refused: Option<AccessError>,
}

/// The license of what a node holds already, for a key that is no longer known.
pub fn slice_s_license(
    cx: &mut ReadCx<'_>,
    (seller, node): &(Option<AccountId>, String),
) -> Result<Option<LicenseId>, AccessError> {
    let Some(seller) = *seller else {
        return Ok(None);
    };
    let held = sql::newest_slice(cx.tx, cx.caller.tenant, (seller, node))?;
    Ok(held.map(|held| held.license))
}

/// Takes a report and lends a slice, in this commit.
pub fn lease_slice(cx: &mut Cx<'_>, cmd: &LeaseSlice) -> Result<Sliced, AccessError> {
    let (tenant, now) = (cx.caller.tenant, cx.now);
    let seller = cx.caller.account.ok_or(AccessError::NotFound)?;
    let held = sql::newest_slice(cx.tx, tenant, (seller, &cmd.asks.node))?;
    let key = asked(
        cx.tx,
        (tenant, Some(seller)),
        (&cmd.key_mac, cmd.license),
        now,
    );
    fits(held.as_ref(), cmd, key.as_ref().ok())?;
    if let (Ok(_), Some(held)) = (&key, &held) {
        give_back(cx, held, cmd)?;
    }
    let key = key.and_then(|asked| {
        let at = position(cx.tx, tenant, &asked.license, (&cmd.asks.meter, now))?;
        Ok((asked, at))
    });
    match (key, held) {
        (Err(AccessError::Store(error)), _) => Err(error.into()),
        (Err(refused), Some(held)) => settle(cx, (seller, cmd), held, refused),
        (Err(refused), None) => Err(refused),
        (Ok((asked, at)), held) => lend(cx, (seller, cmd), (&asked, at), held),
    }
}

/// What a node says that it will not spend goes back, also to the window after its own.
fn give_back(cx: &mut Cx<'_>, held: &QuotaSlice, cmd: &LeaseSlice) -> Result<(), AccessError> {
    let Some(settled) = as_lent(held)?.settled(cmd.asks.asked) else {
        return Ok(());
    };
    let by = as_stored(settled.units) - held.units;
    Ok(moved(cx, held, by)?)
}

fn moved(cx: &mut Cx<'_>, held: &QuotaSlice, by: i64) -> Result<(), StoreError> {
    let cell = (held.license, held.meter.as_str());
    let by = Moved {
        window: as_window(held.window)?,
        counted: by,
        taken: by,
    };
    quotas::moved(cx.tx, cx.caller.tenant, cell, by)
}

/// A node asks about what it holds, not about something else or something yet to come.
fn fits(
    held: Option<&QuotaSlice>,
    cmd: &LeaseSlice,
    key: Option<&Asked>,
) -> Result<(), AccessError> {
    let asked = &cmd.asks.asked;
    let Some(held) = held else {
        return match asked.last {
            0 => Ok(()),
            _ => Err(AccessError::SliceUnknown),
        };
    };
    let same_key = key.is_none_or(|key| key.found.key == held.key);
    let same = same_key && held.license == cmd.license && held.meter == cmd.asks.meter;
    if !same || as_units(held.number) < asked.last {
        return Err(AccessError::SliceUnknown);
    }
    let newest = asked.last == as_units(held.number);
    if newest && (i64::from(asked.window) != held.window || asked.used > as_units(held.units)) {
        return Err(AccessError::OutOfRange {
            field: "used",
            least: 0,
            most: held.units,
        });
    }
    Ok(())
}

fn lend(
    cx: &mut Cx<'_>,
    (seller, cmd): (AccountId, &LeaseSlice),
    (key, mut at): (&Asked, Option<Position>),
    held: Option<QuotaSlice>,
) -> Result<Sliced, AccessError> {
    let (tenant, now) = (cx.caller.tenant, cx.now);
    let cell = (key.license.id, cmd.asks.meter.as_str());
    let others = sql::count_live(cx.tx, tenant, cell, (&cmd.asks.node, now))?;
    if held.is_none() && others >= MAX_SLICES {
        return Err(AccessError::TooManySlices);
    }
    let lent_before = held.as_ref().map(as_lent).transpose()?;
    // What it will not spend of that went back already.
    let settled = lent_before.map(|lent| lent.settled(cmd.asks.asked).unwrap_or(lent));
    let window = at.as_ref().map_or(0, |at| at.kept.window);
    let own = settled.filter(|lent| lent.window == window);
    let own = own.map_or(0, |lent| as_stored(lent.units));
    let limits = at.as_ref().map_or((i64::MAX, 0), |at| {
        (at.ceiling().unwrap_or(i64::MAX), at.taken() - own)
    });
    let lending = lend_slice(
        (as_units(limits.0), as_units(limits.1)),
        lent_before,
        cmd.asks.asked,
        (window, as_units(others + 1)),
    );
    if let Some((held, before)) = held.as_ref().zip(lending.before) {
        count_used(cx, held, as_stored(before.used))?;
        if before.window != lending.now.window {
            let settled = QuotaSlice {
                units: as_stored(before.units),
                used: as_stored(before.used),
                ..held.clone()
            };
            sql::set_slice(cx.tx, tenant, (seller, &cmd.asks.node), &settled)?;
        }
    }
    let taken = held.filter(|held| as_units(held.number) == lending.now.number);
    let slice = match taken {
        Some(same) => same,
        None => {
            let slice = lent(key, cmd, lending.now, (at.as_ref(), now));
            sql::set_slice(cx.tx, tenant, (seller, &cmd.asks.node), &slice)?;
            if let Some(at) = at.as_mut().filter(|_| lending.now.window == window) {
                at.kept.units = at.kept.units.saturating_add(slice.units - own).max(0);
                quotas::keep(cx, key.license.id, &cmd.asks.meter, at)?;
            }
            let before = now.plus_ms(-SLICES_KEPT_MS);
            sql::forget_slices(cx.tx, tenant, cell, (i64::from(window), before))?;
            slice
        }
    };
    let at = position(cx.tx, tenant, &key.license, (&cmd.asks.meter, now))?;
    Ok(Sliced {
        ends_in_ms: slice.ends_at.since_ms(now).max(0),
        slice,
        allowance: at.as_ref().map(Allowance::of),
        rate: key.found.rate,
        entitlements: model::wanted(&key.license.terms.entitlements, &cmd.asks.entitlements),
        refused: None,
    })
}

/// A node's lease ends with its window and its license, however long it asked for.
fn lent(
    key: &Asked,
    cmd: &LeaseSlice,
    now_lent: Lent,
    (at, now): (Option<&Position>, Timestamp),
) -> QuotaSlice {
    let stale = at.is_some_and(|at| now_lent.window < at.kept.window);
    let ends = [at.and_then(|at| at.resets_at), key.license.expires_at];
    let wished = match stale {
        true => now,
        false => now.plus_ms(cmd.asks.lease_secs * 1000),
    };
    QuotaSlice {
        license: key.license.id,
        key: key.found.key,
        meter: cmd.asks.meter.clone(),
        window: i64::from(now_lent.window),
        number: as_stored(now_lent.number),
        units: as_stored(now_lent.units),
        used: as_stored(now_lent.used),
        lent_at: now,
        ends_at: ends.into_iter().flatten().fold(wished, Ord::min),
    }
}

/// Takes the last report of a node whose key is in force no more: the rest goes back.
fn settle(
    cx: &mut Cx<'_>,
    (seller, cmd): (AccountId, &LeaseSlice),
    held: QuotaSlice,
    refused: AccessError,
) -> Result<Sliced, AccessError> {
    let (tenant, now) = (cx.caller.tenant, cx.now);
    let mut slice = held.clone();
    if cmd.asks.asked.last == as_units(held.number) {
        let used = as_stored(cmd.asks.asked.used).max(held.used);
        slice = QuotaSlice {
            number: held.number + 1,
            units: used,
            used,
            ends_at: now,
            ..held.clone()
        };
        count_used(cx, &held, used)?;
        sql::set_slice(cx.tx, tenant, (seller, &cmd.asks.node), &slice)?;
        moved(cx, &held, used - held.units)?;
    }
    Ok(Sliced {
        slice,
        ends_in_ms: 0,
        allowance: None,
        rate: None,
        entitlements: BTreeMap::new(),
        refused: Some(refused),
    })
}

/// Counts what a node used since its last report, however late it says so.
fn count_used(cx: &mut Cx<'_>, held: &QuotaSlice, used: i64) -> Result<(), AccessError> {
    let more = used - held.used;
    if more <= 0 {
        return Ok(());
    }
    let license = licensing::by_id(cx.tx, cx.caller.tenant, held.license)?;
    let license = license.ok_or(AccessError::SliceUnknown)?;
    let key = Found {
        key: held.key,
        license: held.license,
        rate: None,
        disabled: false,
    };
    count(cx, &license, (&key, &held.meter), more)
}

fn as_units(stored: i64) -> u64 {
    u64::try_from(stored).unwrap_or(0)
}

fn as_stored(units: u64) -> i64 {
    i64::try_from(units).unwrap_or(i64::MAX)
}

fn as_window(window: i64) -> Result<u32, StoreError> {
    u32::try_from(window).map_err(|error| StoreError::shape(error.to_string()))
}

fn as_lent(held: &QuotaSlice) -> Result<Lent, StoreError> {
    Ok(Lent {
        number: as_units(held.number),
        window: as_window(held.window)?,
        units: as_units(held.units),
        used: as_units(held.used),
    })
}
