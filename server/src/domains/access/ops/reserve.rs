//! The end of a reservation: so much was used, the rest goes back.

use super::check::count;
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::access::model::{AccessError, MAX_UNITS};
use crate::domains::access::sql::Found;
use crate::domains::licensing;
use crate::domains::quotas::{self, Moved};
use mintreu::id::ReservationId;

/// Counts what was used of a reservation and gives the rest back; 0 gives all of it back.
///
/// More than was held is counted all the same: the work was done. Settling again alike answers
/// alike.
#[derive(Debug, Clone, Copy)]
pub struct Settle {
    /// Which reservation.
    pub reservation: ReservationId,
    /// Units that were used.
    pub units: i64,
}

impl Command for Settle {
    const NAME: &'static str = "access.settle_reservation";
    const CAPABILITY: Capability = Capability::Sell;
    const AUDITED: bool = false;

    fn subject(&self) -> Option<String> {
        Some(self.reservation.to_string())
    }
}

/// A settled reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// Units counted.
    pub counted: i64,
    /// Units given back.
    pub returned: i64,
}

/// Settles a seller's own reservation, once.
pub fn settle(cx: &mut Cx<'_>, cmd: &Settle) -> Result<Settled, AccessError> {
    let tenant = cx.caller.tenant;
    if !(0..=MAX_UNITS).contains(&cmd.units) {
        return Err(AccessError::OutOfRange {
            field: "units",
            least: 0,
            most: MAX_UNITS,
        });
    }
    let seller = cx.caller.account.ok_or(AccessError::NotFound)?;
    let held = quotas::reservation(cx.tx, tenant, (seller, cmd.reservation))?;
    let held = held.ok_or(AccessError::NotFound)?;
    let settled = Settled {
        counted: cmd.units,
        returned: held.units.saturating_sub(cmd.units).max(0),
    };
    match held.settled_units {
        Some(units) if units == cmd.units => return Ok(settled),
        Some(units) => return Err(AccessError::SettledOtherwise(units)),
        None if held.ends_at <= cx.now && cmd.units > 0 => {
            return Err(AccessError::ReservationOver(held.id));
        }
        None => {}
    }
    let license = licensing::by_id(cx.tx, tenant, held.license)?.ok_or(AccessError::NotFound)?;
    let by = Moved {
        window: u32::try_from(held.window).unwrap_or(0),
        counted: cmd.units,
        // Units whose time is over were free before.
        taken: match held.ends_at > cx.now {
            true => cmd.units.saturating_sub(held.units),
            false => 0,
        },
    };
    quotas::moved(cx.tx, tenant, (held.license, held.meter.as_str()), by)?;
    let found = Found {
        key: held.key,
        license: held.license,
        rate: None,
        disabled: false,
    };
    count(cx, &license, (&found, &held.meter), cmd.units)?;
    quotas::settle_reservation(cx.tx, tenant, held.id, cmd.units)?;
    Ok(settled)
}
