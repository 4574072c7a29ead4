//! Units of quotas that several devices share: asked for when few are left, and taken up.
//!
//! A device uses such a quota through leases alone. It keeps the newest of each meter; of one window
//! each lease says how many units it has in all, and one word counts what was used of them. When a
//! lease is over it is put away before the device says what it used of it, for good: its number is
//! remembered, and none that isn't higher is ever taken again.

use super::held::Held;
use super::limits::used_of_lease;
use super::{Installed, Shared, enrol};
use crate::activation::{UnitsLease, UnitsRequest};
use crate::error::{Error, Result};
use crate::id::{ActivationId, LicenseId};
use crate::meter::MAX_LIMIT;
use crate::sync::{LEASES, Request};
use crate::time::Timestamp;

/// The kind of the documents that are kept, each for a license and a meter.
pub(super) const UNITS: &str = "units";
/// The request that waits for its answer, and the number of the last lease.
const REQUEST: &str = "units request";
const NUMBER: &str = "units number";
/// How long after its end a lease is put away: nobody who began to take units is still at it.
const SETTLED_MS: i64 = 60_000;
/// A device asks for a tenth of the quota at a time.
const PARTS: u64 = 10;

/// A meter of a license whose quota is shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shares {
    pub license: LicenseId,
    pub meter: String,
}

impl Shares {
    fn named(&self, kind: &str) -> String {
        format!("{kind} {} {}", self.license, self.meter)
    }
}

/// A quota that is shared, as the licenses that hold now say.
#[derive(Debug, Clone)]
pub(super) struct Share {
    pub of: Shares,
    pub limit: u64,
    /// The window that is open.
    pub window: u32,
}

/// The request for units that is next, each once a turn.
pub(super) fn next(shared: &Shared) -> Result<Option<Request>> {
    let now = shared.now();
    if now.is_suspect() {
        return Ok(None);
    }
    let shares = shared.with_judged(|judged| match judged.allowed() {
        Ok(()) => judged.shares(now),
        Err(_) => Vec::new(),
    });
    for share in shares {
        if shared.turn().units.contains(&share.of) {
            continue;
        }
        if let Some(bytes) = wanted(shared, &share, now.at)? {
            shared.turn().units.insert(share.of);
            return Ok(Some(Request::post(LEASES, bytes)));
        }
    }
    Ok(None)
}

/// The request for one share: the one that waits, or a new one when few units are left.
fn wanted(shared: &Shared, share: &Share, now: Timestamp) -> Result<Option<Vec<u8>>> {
    let (of, journal) = (&share.of, &shared.journal);
    let seat = shared.held(|held| {
        held.seat(of.license)
            .map(|seat| seat.activation.claims().id)
    });
    let Some(activation) = seat else {
        return Ok(None);
    };
    if let Some(bytes) = journal.state(&of.named(REQUEST))? {
        // One of a former seat is nothing that anybody would answer.
        if UnitsRequest::verify(&bytes)?.1.activation == activation {
            return Ok(Some(bytes));
        }
    }
    let lease = shared.held(|held| held.units(of).cloned());
    let part = (share.limit.min(MAX_LIMIT) / PARTS).max(1);
    let over = lease
        .as_ref()
        .is_some_and(|lease| now >= lease.ends_at() || lease.window < share.window);
    if let Some(lease) = &lease {
        let left = lease
            .units
            .saturating_sub(used_of_lease(journal, of, lease.window)?);
        let settled = now >= lease.ends_at().plus_ms(SETTLED_MS);
        // Between its end and a minute later nothing is said of it.
        if (over && !settled) || (!over && left > part / 2) {
            return Ok(None);
        }
    }
    if over {
        shared.hold(|held| held.drop_units(of));
    }
    request(shared, of, (activation, lease.as_ref()), (over, part)).map(Some)
}

fn request(
    shared: &Shared,
    of: &Shares,
    (activation, lease): (ActivationId, Option<&UnitsLease>),
    (closed, wanted): (bool, u64),
) -> Result<Vec<u8>> {
    let journal = &shared.journal;
    let used = match lease {
        Some(lease) => used_of_lease(journal, of, lease.window)?,
        None => 0,
    };
    let request = UnitsRequest {
        product: enrol::product(shared)?.to_owned(),
        issued_at: shared.keeper.wall(),
        nonce: enrol::fresh_nonce()?,
        license: of.license,
        activation,
        meter: of.meter.clone(),
        last: u64::try_from(journal.number(&of.named(NUMBER))?).unwrap_or(0),
        window: lease.map_or(0, |lease| lease.window),
        used,
        closed,
        wanted,
    };
    let bytes = request.seal(journal.device())?;
    let forget = of.named(UNITS);
    let forget = [forget.as_str()];
    let states = [(&*of.named(REQUEST), Some(&bytes[..]))];
    journal.replace_documents(if closed { &forget } else { &[] }, &[], &states)?;
    Ok(bytes)
}

/// Takes a lease of units for one of this device's seats, and keeps it.
pub(super) fn install(shared: &Shared, bundle: &[u8]) -> Result<Installed> {
    let (of, lease) = shared.held(|held| for_a_seat(held, bundle))?;
    let journal = &shared.journal;
    let number = i64::try_from(lease.number).unwrap_or(i64::MAX);
    shared.trust_time(lease.issued_at)?;
    // An older one, or the same again, says nothing new.
    if number > journal.number(&of.named(NUMBER))? {
        let states = [
            (&*of.named(NUMBER), Some(&number.to_be_bytes()[..])),
            (&*of.named(REQUEST), None),
        ];
        let kept = of.named(UNITS);
        journal.replace_documents(&[], &[(&kept, bundle)], &states)?;
        shared.hold(|held| held.lend_units(of.clone(), lease));
    }
    Ok(Installed::Units(of.license))
}

/// Holds a lease that the folder keeps; one of a seat that is no longer held says nothing.
pub(super) fn take_up(shared: &Shared, bundle: &[u8]) {
    if let Ok((of, lease)) = shared.held(|held| for_a_seat(held, bundle)) {
        shared.hold(|held| held.lend_units(of, lease));
    }
}

fn for_a_seat(held: &Held, bundle: &[u8]) -> Result<(Shares, UnitsLease)> {
    let mut refusal = Error::new(
        "nothing_activated",
        "this device holds no seat that these units are for; activate it first",
    );
    for seat in held.seats() {
        match UnitsLease::verify(bundle, &seat.activation, &held.ring) {
            Ok(lease) => {
                let license = seat.activation.claims().license;
                let lease = lease.claims().clone();
                let meter = lease.meter.clone();
                return Ok((Shares { license, meter }, lease));
            }
            Err(error) => refusal = error,
        }
    }
    Err(refusal)
}
