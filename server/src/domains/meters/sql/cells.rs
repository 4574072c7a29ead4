//! Statements of groups and roll-ups.

use super::super::model::waiting::GroupKey;
use super::super::model::window::{Grain, Stretch};
use crate::store::rows::{self, CHUNK};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{LicenseId, MeterId};
use std::collections::{BTreeMap, HashSet};

const PUT_CELL: &str = "INSERT INTO usage_rollup (meter_id, grain, group_key, bucket_at, state)
    VALUES (:meter, :grain, :group, :at, :state)
    ON CONFLICT (meter_id, grain, group_key, bucket_at) DO UPDATE SET state = excluded.state";

const DELETE_CELL: &str = "DELETE FROM usage_rollup WHERE meter_id = :meter AND grain = :grain
    AND group_key = :group AND bucket_at = :at";

const CELLS_OF_GROUP: &str = "SELECT group_key, bucket_at, state FROM usage_rollup
    WHERE meter_id = :meter AND grain = :grain AND group_key = :group
        AND bucket_at >= :start AND bucket_at < :until LIMIT :limit";

const CELLS_AT: &str = "SELECT bucket_at, state FROM usage_rollup
    WHERE meter_id = :meter AND grain = :grain AND group_key = :group AND bucket_at IN (:at)";

const CELLS_OF_METER: &str = "SELECT group_key, bucket_at, state FROM usage_rollup
    WHERE meter_id = :meter AND grain = :grain AND grain > 0
        AND bucket_at >= :start AND bucket_at < :until LIMIT :limit";

/// Minutes have no index of their own in time: whose they are is said by the hours around them.
const MINUTES_OF_METER: &str = "SELECT fine.group_key, fine.bucket_at, fine.state
    FROM usage_rollup AS wide JOIN usage_rollup AS fine
        ON fine.meter_id = wide.meter_id AND fine.grain = 0 AND fine.group_key = wide.group_key
        AND fine.bucket_at >= wide.bucket_at AND fine.bucket_at < wide.bucket_at + 3600000
    WHERE wide.meter_id = :meter AND wide.grain = 1 AND wide.grain > 0
        AND wide.bucket_at > CAST(:start AS BIGINT) - 3600000 AND wide.bucket_at < :until
        AND fine.bucket_at >= :start AND fine.bucket_at < :until LIMIT :limit";

const EXTENT: &str = "SELECT MIN(fine.bucket_at) AS first_at, MAX(fine.bucket_at) AS last_at
    FROM usage_rollup AS wide JOIN usage_rollup AS fine
        ON fine.meter_id = wide.meter_id AND fine.grain = 0 AND fine.group_key = wide.group_key
        AND fine.bucket_at >= wide.bucket_at AND fine.bucket_at < wide.bucket_at + 3600000
    WHERE wide.meter_id = :meter AND wide.grain = 1 AND wide.grain > 0 AND wide.bucket_at IN (
        SELECT MIN(bucket_at) FROM usage_rollup
            WHERE meter_id = :meter AND grain = 1 AND grain > 0
        UNION SELECT MAX(bucket_at) FROM usage_rollup
            WHERE meter_id = :meter AND grain = 1 AND grain > 0)";

const ADD_GROUP: &str = "INSERT INTO usage_group (meter_id, group_key, subject, dimensions)
    VALUES (:meter, :group, :subject, :dimensions)
    ON CONFLICT (meter_id, group_key) DO NOTHING";

const KNOWN_GROUPS: &str = "SELECT group_key FROM usage_group
    WHERE meter_id = :meter AND group_key IN (:group)";

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
    PUT_CELL,
    DELETE_CELL,
    CELLS_AT,
    CELLS_OF_GROUP,
    CELLS_OF_METER,
    MINUTES_OF_METER,
    EXTENT,
    ADD_GROUP,
    KNOWN_GROUPS,
    GROUPS,
    GROUPS_OF_SUBJECT,
    LICENSE_SUM,
    SET_LICENSE_SUM,
];

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

/// Stores roll-ups, each in the place of what was there.
pub fn put_cells(
    tx: &mut dyn Tx,
    cells: impl Iterator<Item = (Bucket, Vec<u8>)>,
) -> Result<(), StoreError> {
    let rows = cells.map(|(bucket, state)| {
        let [meter, grain, group, at] = bucket.params().map(|(_, value)| value);
        [meter, grain, group, at, state.into()]
    });
    rows::insert(tx, PUT_CELL, &[], rows).map(drop)
}

/// Removes a roll-up that no event is left of.
pub fn delete_cell(tx: &mut dyn Tx, bucket: &Bucket) -> Result<(), StoreError> {
    tx.execute(DELETE_CELL, &bucket.params()).map(drop)
}

/// The roll-ups of one group at these first instants.
pub fn cells_at(
    tx: &mut dyn Tx,
    (meter, grain, group): (MeterId, Grain, GroupKey),
    times: &[i64],
) -> Result<Vec<(i64, Vec<u8>)>, StoreError> {
    let shared = [
        ("meter", meter.as_bytes().into()),
        ("grain", grain.number().into()),
        ("group", (&group).into()),
    ];
    let mut cells = Vec::new();
    for chunk in times.chunks(CHUNK) {
        let times = chunk.iter().map(|at| Value::Int(*at));
        for row in rows::any_of(tx, CELLS_AT, &shared, times)? {
            cells.push((row.int("bucket_at")?, row.blob("state")?));
        }
    }
    Ok(cells)
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
    let mut params = vec![
        ("meter", meter.as_bytes().into()),
        ("start", stretch.span.from.into()),
        ("until", stretch.span.until.into()),
        ("limit", limit.into()),
    ];
    let sql = match stretch.grain {
        Grain::Minute => MINUTES_OF_METER,
        Grain::Hour | Grain::Day => {
            params.push(("grain", stretch.grain.number().into()));
            CELLS_OF_METER
        }
    };
    tx.query(sql, &params)?.iter().map(cell_row).collect()
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

/// Which of these groups a meter has.
pub fn known_groups(
    tx: &mut dyn Tx,
    meter: MeterId,
    keys: &[GroupKey],
) -> Result<HashSet<GroupKey>, StoreError> {
    let mut known = HashSet::with_capacity(keys.len());
    let shared = [("meter", meter.as_bytes().into())];
    for chunk in keys.chunks(CHUNK) {
        let keys = chunk.iter().map(Value::from);
        for row in rows::any_of(tx, KNOWN_GROUPS, &shared, keys)? {
            known.insert(row.id("group_key", |bytes| bytes)?);
        }
    }
    Ok(known)
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
