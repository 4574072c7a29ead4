//! Units that a seller's own backend counts here, with no device between.

use super::model::{Grain, MAX_INCREASE, MeteringError};
use super::sql;
use crate::app::Cx;
use mintreu::id::{LicenseId, ProductId};
use mintreu::meter::CellKey;

/// What to count for which license.
#[derive(Debug, Clone)]
pub struct Direct<'a> {
    /// Which license.
    pub license: LicenseId,
    /// That license's product.
    pub product: ProductId,
    /// Whose use of what.
    pub key: &'a CellKey,
    /// How many units.
    pub units: u64,
}

/// Adds units to a license's totals and charts. Whoever calls sees to it that it happens once.
pub fn count_directly(cx: &mut Cx<'_>, counted: &Direct<'_>) -> Result<(), MeteringError> {
    if counted.units > MAX_INCREASE {
        return Err(MeteringError::Implausible);
    }
    if counted.units == 0 {
        return Ok(());
    }
    let tenant = cx.caller.tenant;
    sql::add_direct_total(cx.tx, tenant, counted)?;
    for grain in Grain::ALL {
        let step = (grain.name(), grain.start(cx.now));
        sql::add_direct_bucket(cx.tx, tenant, counted, step)?;
    }
    Ok(())
}
