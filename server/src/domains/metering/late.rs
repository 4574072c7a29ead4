//! Usage that happened in a period that was closed before it arrived.
//!
//! It is counted like all usage, and noted beside by the period it belongs to. How it is billed is
//! `billing`'s to decide: a job asks it to, soon after the usage came.

use super::model::MeteringError;
use super::sql;
use crate::app::Cx;
use mintreu::Timestamp;
use mintreu::id::LicenseId;
use mintreu::meter::CellKey;
use serde::{Deserialize, Serialize};

/// The job that decides how late usage is billed.
pub const LATE_JOB: &str = "billing.late_usage";

/// How long it waits for more of the same: a device sends what it kept in several segments.
const WAIT_MS: i64 = 60_000;

/// The payload of [`LATE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LateUsage {
    /// Whose usage.
    pub license: String,
}

/// Late units of one cell that nobody has decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Late {
    /// The end of the period they happened in.
    pub ended_at: Timestamp,
    /// Whose use of what.
    pub key: CellKey,
    /// How many.
    pub units: i64,
}

/// The end of the closed period of a license that `at` falls into; `None` for the running one.
pub fn closed_period(
    cx: &mut Cx<'_>,
    license: LicenseId,
    at: Timestamp,
) -> Result<Option<Timestamp>, MeteringError> {
    Ok(sql::late::ended(cx.tx, (cx.caller.tenant, license), at)?)
}

/// Notes units that happened in a closed period. Units that are taken back aren't noted: they are
/// given back with the next bill.
pub(super) fn note(
    cx: &mut Cx<'_>,
    license: LicenseId,
    (key, ended_at): (&CellKey, Timestamp),
    units: u64,
) -> Result<(), MeteringError> {
    let late = Late {
        ended_at,
        key: key.clone(),
        units: i64::try_from(units).unwrap_or(i64::MAX),
    };
    sql::late::add(cx.tx, (cx.caller.tenant, license), &late)?;
    let license = license.to_string();
    let job = LateUsage {
        license: license.clone(),
    };
    let soon = cx.now.plus_ms(WAIT_MS);
    Ok(crate::queue::enqueue_once(
        cx, LATE_JOB, &license, &job, soon,
    )?)
}

/// Settles late units with their period: the running one's no longer.
pub fn settle_late(
    cx: &mut Cx<'_>,
    license: LicenseId,
    late: &[Late],
) -> Result<(), MeteringError> {
    for late in late {
        let of = (cx.caller.tenant, license);
        sql::settle_late(cx.tx, of, (&late.key, late.units))?;
    }
    Ok(())
}

/// Late units that nobody has decided about, by period; they count as decided from here on.
pub fn take_late(cx: &mut Cx<'_>, license: LicenseId) -> Result<Vec<Late>, MeteringError> {
    let of = (cx.caller.tenant, license);
    let late = sql::late::pending(cx.tx, of)?;
    if !late.is_empty() {
        sql::late::decide(cx.tx, of)?;
    }
    Ok(late)
}
