//! Statements of groups and roll-ups.

use super::super::model::window::{Grain, Stretch};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{LicenseId, MeterId};
use std::collections::BTreeMap;

const CELL: &str = "SELECT state FROM usage_rollup WHERE meter_id = :meter AND grain = :grain
    AND group_key = :group AND bucket_at = :at";

const PUT_CELL: &str = "INSERT INTO usage_rollup (meter_id, grain, group_key, bucket_at, state)
    VALUES (:meter, :grain, :group, :at, :state)
    ON CONFLICT (meter_id, grain, group_key, bucket_at) DO UPDATE SET state = excluded.state";

const DELETE_CELL: &str = "DELETE FROM usage_rollup WHERE meter_id = :meter AND grain = :grain
    AND group_key = :group AND bucket_at = :at";

const CELLS_OF_GROUP: &str = "SELECT group_key, bucket_at, state FROM usage_rollup
    WHERE meter_id = :meter AND grain = :grain AND group_key = :group
        AND bucket_at >= :start AND bucket_at < :until LIMIT :limit";

const CELLS_OF_METER: &str = "SELECT group_key, bucket_at, state FROM usage_rollup
    WHERE meter_id = :meter AND grain = :grain
        AND bucket_at >= :start AND bucket_at < :until LIMIT :limit";

const EXTENT: &str = "SELECT MIN(bucket_at) AS first_at, MAX(bucket_at) AS last_at
    FROM usage_rollup WHERE meter_id = :meter AND grain = 0";

const ADD_GROUP: &str = "INSERT INTO usage_group (meter_id, group_key, subject, dimensions)
    VALUES (:meter, :group, :subject, :dimensions)
    ON CONFLICT (meter_id, group_key) DO NOTHING";

const HAS_GROUP: &str = "SELECT meter_id FROM usage_group
    WHERE meter_id = :meter AND group_key = :group";

const GROUPS: &str = "SELECT group_key, subject, dimensions FROM usage_group
    WHERE meter_id = :meter";

const GROUPS_OF_SUBJECT: &str = "SELECT group_key, subject, dimensions FROM usage_group
    WHERE meter_id = :meter AND subject = :subject";

const LICENSE_SUM: &str = "SELECT total FROM usage_license_sum
    WHERE meter_id = :meter AND license_id = :license";

const SET_LICENSE_SUM: &str = "INSERT INTO usage_license_sum (meter_id, license_id, total)
    VALUES (:meter, :license, :total)
    ON CONFLICT (meter_id, license_id) DO UPDATE SET total = excluded.total";

pub(super) const ALL: &[&str] = &[
    CELL,
    PUT_CELL,
    DELETE_CELL,
    CELLS_OF_GROUP,
    CELLS_OF_METER,
    EXTENT,
    ADD_GROUP,
    HAS_GROUP,
    GROUPS,
    GROUPS_OF_SUBJECT,
    LICENSE_SUM,
    SET_LICENSE_SUM,
];

/// A group's key: a hash of its subject and dimensions.
pub type GroupKey = [u8; 16];

/// Which roll-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket {
    /// Of which meter.
    pub meter: MeterId,
    /// How wide.
    pub grain: Grain,
    /// Whose.
    pub group: GroupKey,
    /// Its first instant, in milliseconds.
    pub at: i64,
}

impl Bucket {
    fn params(&self) -> [(&'static str, crate::store::Value); 4] {
        [
            ("meter", self.meter.as_bytes().into()),
            ("grain", self.grain.number().into()),
            ("group", (&self.group).into()),
            ("at", self.at.into()),
        ]
    }
}

/// A stored roll-up.
pub fn cell(tx: &mut dyn Tx, bucket: &Bucket) -> Result<Option<Vec<u8>>, StoreError> {
    let row = tx.query_one(CELL, &bucket.params())?;
    row.map(|row| row.blob("state")).transpose()
}

/// Stores a roll-up.
pub fn put_cell(tx: &mut dyn Tx, bucket: &Bucket, state: Vec<u8>) -> Result<(), StoreError> {
    let [meter, grain, group, at] = bucket.params();
    let params = [meter, grain, group, at, ("state", state.into())];
    tx.execute(PUT_CELL, &params).map(drop)
}

/// Removes a roll-up that no event is left of.
pub fn delete_cell(tx: &mut dyn Tx, bucket: &Bucket) -> Result<(), StoreError> {
    tx.execute(DELETE_CELL, &bucket.params()).map(drop)
}

/// A stored roll-up: its group, its first instant, its state.
pub type CellRow = (GroupKey, i64, Vec<u8>);

fn cell_row(row: &Row) -> Result<CellRow, StoreError> {
    let group = row.id("group_key", |bytes| bytes)?;
    Ok((group, row.int("bucket_at")?, row.blob("state")?))
}

/// The roll-ups of one group in a stretch, at most `limit`.
pub fn cells_of_group(
    tx: &mut dyn Tx,
    (meter, group): (MeterId, GroupKey),
    stretch: Stretch,
    limit: i64,
) -> Result<Vec<CellRow>, StoreError> {
    let params = [
        ("meter", meter.as_bytes().into()),
        ("grain", stretch.grain.number().into()),
        ("group", (&group).into()),
        ("start", stretch.span.from.into()),
        ("until", stretch.span.until.into()),
        ("limit", limit.into()),
    ];
    tx.query(CELLS_OF_GROUP, &params)?
        .iter()
        .map(cell_row)
        .collect()
}

/// The roll-ups of all groups in a stretch, at most `limit`.
pub fn cells_of_meter(
    tx: &mut dyn Tx,
    meter: MeterId,
    stretch: Stretch,
    limit: i64,
) -> Result<Vec<CellRow>, StoreError> {
    let params = [
        ("meter", meter.as_bytes().into()),
        ("grain", stretch.grain.number().into()),
        ("start", stretch.span.from.into()),
        ("until", stretch.span.until.into()),
        ("limit", limit.into()),
    ];
    tx.query(CELLS_OF_METER, &params)?
        .iter()
        .map(cell_row)
        .collect()
}

/// The first and the last minute in which something happened.
pub fn extent(tx: &mut dyn Tx, meter: MeterId) -> Result<Option<(i64, i64)>, StoreError> {
    let params = [("meter", meter.as_bytes().into())];
    let Some(row) = tx.query_one(EXTENT, &params)? else {
        return Ok(None);
    };
    Ok(row.opt_int("first_at")?.zip(row.opt_int("last_at")?))
}

/// A subject with the values of a meter's properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its key.
    pub key: GroupKey,
    /// Whose use.
    pub subject: String,
    /// The properties' values.
    pub dimensions: BTreeMap<String, String>,
}

/// Stores a group; false when it was there.
pub fn add_group(tx: &mut dyn Tx, meter: MeterId, group: &Group) -> Result<bool, StoreError> {
    let dimensions = serde_json::to_string(&group.dimensions);
    let dimensions = dimensions.map_err(|error| StoreError::Backend(Box::new(error)))?;
    let params = [
        ("meter", meter.as_bytes().into()),
        ("group", (&group.key).into()),
        ("subject", group.subject.as_str().into()),
        ("dimensions", dimensions.into()),
    ];
    Ok(tx.execute(ADD_GROUP, &params)? == 1)
}

/// Whether a meter has a group.
pub fn has_group(tx: &mut dyn Tx, (meter, group): (MeterId, GroupKey)) -> Result<bool, StoreError> {
    let params = [
        ("meter", meter.as_bytes().into()),
        ("group", (&group).into()),
    ];
    Ok(tx.query_one(HAS_GROUP, &params)?.is_some())
}

fn group_row(row: &Row) -> Result<Group, StoreError> {
    let dimensions = serde_json::from_str(&row.text("dimensions")?);
    Ok(Group {
        key: row.id("group_key", |bytes| bytes)?,
        subject: row.text("subject")?,
        dimensions: dimensions.map_err(|error| StoreError::Backend(Box::new(error)))?,
    })
}

/// A meter's groups.
pub fn groups(tx: &mut dyn Tx, meter: MeterId) -> Result<Vec<Group>, StoreError> {
    let params = [("meter", meter.as_bytes().into())];
    tx.query(GROUPS, &params)?.iter().map(group_row).collect()
}

/// A meter's groups of one subject.
pub fn groups_of_subject(
    tx: &mut dyn Tx,
    meter: MeterId,
    subject: &str,
) -> Result<Vec<Group>, StoreError> {
    let params = [
        ("meter", meter.as_bytes().into()),
        ("subject", subject.into()),
    ];
    tx.query(GROUPS_OF_SUBJECT, &params)?
        .iter()
        .map(group_row)
        .collect()
}

/// What a license came to by a meter, as a decimal's text.
pub fn license_sum(
    tx: &mut dyn Tx,
    meter: MeterId,
    license: LicenseId,
) -> Result<Option<String>, StoreError> {
    let params = [
        ("meter", meter.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let row = tx.query_one(LICENSE_SUM, &params)?;
    row.map(|row| row.text("total")).transpose()
}

/// Stores what a license came to.
pub fn set_license_sum(
    tx: &mut dyn Tx,
    (meter, license): (MeterId, LicenseId),
    total: String,
) -> Result<(), StoreError> {
    let params = [
        ("meter", meter.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("total", total.into()),
    ];
    tx.execute(SET_LICENSE_SUM, &params).map(drop)
}
