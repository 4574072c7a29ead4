//! Statements of meters.

use super::super::model::meter::{Draft, DraftIn, Meter};
use crate::app::Cx;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, MeterId, TenantId};

const INSERT: &str = "INSERT INTO usage_meter (meter_id, tenant_id, seller_id, slug, live,
        definition, group_count, created_at, updated_at)
    VALUES (:meter, :tenant, :seller, :slug, 1, :definition, 0, :now, :now)
    ON CONFLICT (tenant_id, seller_id, slug, live) DO NOTHING";

const METERS: &str = "SELECT meter_id, definition, created_at, updated_at FROM usage_meter
    WHERE tenant_id = :tenant AND seller_id = :seller AND live = 1 ORDER BY slug";

const METER: &str = "SELECT meter_id, definition, created_at, updated_at FROM usage_meter
    WHERE tenant_id = :tenant AND seller_id = :seller AND slug = :slug AND live = 1";

const METER_BY_ID: &str = "SELECT meter_id, definition, created_at, updated_at FROM usage_meter
    WHERE tenant_id = :tenant AND seller_id = :seller AND meter_id = :meter AND live = 1";

const UPDATE: &str = "UPDATE usage_meter SET definition = :definition, updated_at = :now
    WHERE meter_id = :meter";

const DELETE: &str = "UPDATE usage_meter SET live = NULL, deleted_at = :now
    WHERE meter_id = :meter";

const ADD_GROUPS: &str = "UPDATE usage_meter SET group_count = group_count + :more
    WHERE meter_id = :meter RETURNING group_count";

pub(super) const ALL: &[&str] = &[
    INSERT,
    METERS,
    METER,
    METER_BY_ID,
    UPDATE,
    DELETE,
    ADD_GROUPS,
];

fn from_row(row: &Row) -> Result<Meter, StoreError> {
    let broken = |what: String| StoreError::shape(format!("a meter's definition: {what}"));
    let definition = row.text("definition")?;
    let json: DraftIn =
        serde_json::from_str(&definition).map_err(|error| broken(error.to_string()))?;
    Ok(Meter {
        id: row.id("meter_id", MeterId::from_bytes)?,
        draft: json.read().map_err(|error| broken(error.to_string()))?,
        created_at: row.at("created_at")?,
        updated_at: row.at("updated_at")?,
    })
}

fn definition(draft: &Draft) -> Result<String, StoreError> {
    serde_json::to_string(&draft.to_json()).map_err(|error| StoreError::Backend(Box::new(error)))
}

/// Stores a meter; false when the slug is taken.
pub fn insert_meter(
    cx: &mut Cx<'_>,
    (meter, seller): (MeterId, AccountId),
    draft: &Draft,
) -> Result<bool, StoreError> {
    let params = [
        ("meter", meter.as_bytes().into()),
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("slug", draft.slug.as_str().into()),
        ("definition", definition(draft)?.into()),
        ("now", cx.now.into()),
    ];
    Ok(cx.tx.execute(INSERT, &params)? == 1)
}

/// A seller's meters by slug.
pub fn meters(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Vec<Meter>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    tx.query(METERS, &params)?.iter().map(from_row).collect()
}

/// A seller's meter by its slug.
pub fn meter(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    slug: &str,
) -> Result<Option<Meter>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("slug", slug.into()),
    ];
    tx.query_one(METER, &params)?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// A seller's meter by its id.
pub fn meter_by_id(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    meter: MeterId,
) -> Result<Option<Meter>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("meter", meter.as_bytes().into()),
    ];
    tx.query_one(METER_BY_ID, &params)?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// Stores a meter's changed name and description.
pub fn update_meter(cx: &mut Cx<'_>, meter: &Meter) -> Result<(), StoreError> {
    let params = [
        ("meter", meter.id.as_bytes().into()),
        ("definition", definition(&meter.draft)?.into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(UPDATE, &params).map(drop)
}

/// Ends a meter; its events stay.
pub fn delete_meter(cx: &mut Cx<'_>, meter: MeterId) -> Result<(), StoreError> {
    let params = [("meter", meter.as_bytes().into()), ("now", cx.now.into())];
    cx.tx.execute(DELETE, &params).map(drop)
}

/// Adds to a meter's number of groups; answers how many there are now.
pub fn add_group_count(tx: &mut dyn Tx, meter: MeterId, more: i64) -> Result<i64, StoreError> {
    let params = [("meter", meter.as_bytes().into()), ("more", more.into())];
    let row = tx.query_one(ADD_GROUPS, &params)?;
    row.map_or(Ok(0), |row| row.int("group_count"))
}
