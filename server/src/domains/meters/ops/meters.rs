//! Meters: made, looked at, renamed, ended.

use super::super::model::MeterError;
use super::super::model::meter::{Draft, MAX_METERS, Meter};
use super::super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog;
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, MeterId, TenantId};

/// A meter by its slug or its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByMeter(pub String);

pub(super) fn found(
    tx: &mut dyn Tx,
    owner: (TenantId, AccountId),
    by: &ByMeter,
) -> Result<Meter, MeterError> {
    let by_slug = sql::meter(tx, owner, &by.0)?;
    // Others know ids without our prefix, in capitals.
    let bare = by.0.to_ascii_lowercase();
    let id = MeterId::parse(&by.0).or_else(|_| MeterId::parse(&format!("mtr_{bare}")));
    let found = match (by_slug, id) {
        (None, Ok(id)) => sql::meter_by_id(tx, owner, id)?,
        (found, _) => found,
    };
    found.ok_or(MeterError::NotFound)
}

/// Makes a meter of the seller's.
#[derive(Debug, Clone)]
pub struct CreateMeter {
    /// Whose.
    pub seller: AccountId,
    /// What it measures.
    pub draft: Draft,
}

impl Command for CreateMeter {
    const NAME: &'static str = "meters.create";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.draft.slug.clone())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![super::ingest::contended(self.seller)]
    }
}

/// Events that arrive from then on count.
pub fn create_meter(cx: &mut Cx<'_>, command: &CreateMeter) -> Result<Meter, MeterError> {
    let (tenant, seller) = (cx.caller.tenant, command.seller);
    if sql::meters(cx.tx, tenant, seller)?.len() >= MAX_METERS {
        return Err(MeterError::TooManyMeters);
    }
    if let Some(product) = command.draft.product {
        let product = catalog::product(cx.tx, tenant, product)?;
        if product.is_none_or(|product| product.seller.account != seller) {
            return Err(MeterError::Malformed {
                field: "productId",
                why: "There is no such product of yours.".to_owned(),
            });
        }
    }
    let id = cx.make_id(MeterId::from_bytes);
    if !sql::insert_meter(cx, (id, seller), &command.draft)? {
        return Err(MeterError::SlugTaken);
    }
    Ok(Meter {
        id,
        draft: command.draft.clone(),
        created_at: cx.now,
        updated_at: cx.now,
    })
}

/// A seller's meters by slug.
#[derive(Debug, Clone, Copy)]
pub struct ListMeters(pub AccountId);

/// Lists them.
pub fn list_meters(cx: &mut ReadCx<'_>, query: &ListMeters) -> Result<Vec<Meter>, StoreError> {
    sql::meters(cx.tx, cx.caller.tenant, query.0)
}

/// One meter of a seller.
#[derive(Debug, Clone)]
pub struct FindMeter {
    /// Whose.
    pub seller: AccountId,
    /// Which.
    pub meter: ByMeter,
}

/// Finds it.
pub fn find_meter(cx: &mut ReadCx<'_>, query: &FindMeter) -> Result<Meter, MeterError> {
    found(cx.tx, (cx.caller.tenant, query.seller), &query.meter)
}

/// Renames a meter. What it measures stays, since its past was measured so.
#[derive(Debug, Clone)]
pub struct UpdateMeter {
    /// Whose.
    pub seller: AccountId,
    /// Which.
    pub meter: ByMeter,
    /// Its new name.
    pub name: Option<String>,
    /// Its new description.
    pub description: Option<String>,
}

impl Command for UpdateMeter {
    const NAME: &'static str = "meters.update";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.meter.0.clone())
    }
}

/// Changes what is given.
pub fn update_meter(cx: &mut Cx<'_>, command: &UpdateMeter) -> Result<Meter, MeterError> {
    let owner = (cx.caller.tenant, command.seller);
    let mut meter = found(cx.tx, owner, &command.meter)?;
    let mut json = meter.draft.to_json();
    json.name = command.name.clone().or(json.name);
    json.description = command.description.clone().or(json.description);
    meter.draft = json.read()?;
    meter.updated_at = cx.now;
    sql::update_meter(cx, &meter)?;
    Ok(meter)
}

/// Ends a meter: nothing counts by it any more, and its slug is free. Events stay.
#[derive(Debug, Clone)]
pub struct DeleteMeter {
    /// Whose.
    pub seller: AccountId,
    /// Which.
    pub meter: ByMeter,
}

impl Command for DeleteMeter {
    const NAME: &'static str = "meters.delete";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.meter.0.clone())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![super::ingest::contended(self.seller)]
    }
}

/// Ends it.
pub fn delete_meter(cx: &mut Cx<'_>, command: &DeleteMeter) -> Result<(), MeterError> {
    let owner = (cx.caller.tenant, command.seller);
    let meter = found(cx.tx, owner, &command.meter)?;
    Ok(sql::delete_meter(cx, meter.id)?)
}
