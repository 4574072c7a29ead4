//! SQL of the allow list and the block list.

use super::coded;
use crate::domains::risk::model::{Entry, EntryKind, Side};
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, RiskEntryId, RiskRuleId, TenantId};

const INSERT: &str = "\
INSERT INTO risk_entry (tenant_id, entry_id, side, kind, key_hash, label, reason, rule_id, set_by,
    set_at, ends_at, lifted_by, lifted_at)
VALUES (:tenant, :entry, :side, :kind, :key, :label, :reason, :rule, :by, :now, :ends, NULL, NULL)";

// `allow` comes before `block`.
const ACTIVE: &str = "\
SELECT side, entry_id FROM risk_entry
WHERE tenant_id = :tenant AND kind = :kind AND key_hash = :key AND lifted_at IS NULL
    AND (ends_at IS NULL OR ends_at > :now)
ORDER BY side, entry_id LIMIT 1";

const PAGE: &str = "\
SELECT entry_id, side, kind, label, reason, rule_id, set_by, set_at, ends_at, lifted_at
FROM risk_entry WHERE tenant_id = :tenant AND entry_id < :before
ORDER BY entry_id DESC LIMIT :limit";

const FIND: &str = "\
SELECT entry_id, side, kind, label, reason, rule_id, set_by, set_at, ends_at, lifted_at
FROM risk_entry WHERE tenant_id = :tenant AND entry_id = :entry";

const LIFT: &str = "\
UPDATE risk_entry SET lifted_at = :now, lifted_by = :by
WHERE tenant_id = :tenant AND entry_id = :entry AND lifted_at IS NULL";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[INSERT, ACTIVE, PAGE, FIND, LIFT];

/// An entry to write.
pub(in super::super) struct NewEntry<'a> {
    pub id: RiskEntryId,
    pub side: Side,
    pub kind: EntryKind,
    pub key: &'a [u8],
    pub label: &'a str,
    pub reason: &'a str,
    pub rule: Option<RiskRuleId>,
    pub set_by: Option<AccountId>,
    pub ends_at: Option<Timestamp>,
}

pub(in super::super) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &NewEntry<'_>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("entry", new.id.as_bytes().into()),
        ("side", new.side.code().into()),
        ("kind", new.kind.code().into()),
        ("key", new.key.into()),
        ("label", new.label.into()),
        ("reason", new.reason.into()),
        ("rule", new.rule.map(|rule| rule.as_bytes().to_vec()).into()),
        ("by", new.set_by.map(|by| by.as_bytes().to_vec()).into()),
        ("now", now.into()),
        ("ends", new.ends_at.into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

/// The entry that counts for a key now; one of the allow list before one of the block list.
pub(in super::super) fn active(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (kind, key): (EntryKind, &[u8]),
    now: Timestamp,
) -> Result<Option<(Side, RiskEntryId)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("kind", kind.code().into()),
        ("key", key.into()),
        ("now", now.into()),
    ];
    let Some(row) = tx.query_one(ACTIVE, &params)? else {
        return Ok(None);
    };
    let side = coded(&row, "side", Side::parse)?;
    Ok(Some((side, row.id("entry_id", RiskEntryId::from_bytes)?)))
}

fn entry(row: &Row) -> Result<Entry, StoreError> {
    Ok(Entry {
        id: row.id("entry_id", RiskEntryId::from_bytes)?,
        side: coded(row, "side", Side::parse)?,
        kind: coded(row, "kind", EntryKind::parse)?,
        label: row.text("label")?,
        reason: row.text("reason")?,
        rule: row.opt_id("rule_id", RiskRuleId::from_bytes)?,
        set_by: row.opt_id("set_by", AccountId::from_bytes)?,
        set_at: row.at("set_at")?,
        ends_at: row.opt_at("ends_at")?,
        lifted_at: row.opt_at("lifted_at")?,
    })
}

/// The newest entries, or those before one.
pub(in super::super) fn page(
    tx: &mut dyn Tx,
    tenant: TenantId,
    before: Option<RiskEntryId>,
    limit: i64,
) -> Result<Vec<Entry>, StoreError> {
    let before = before.map_or([0xff; 16], |id| *id.as_bytes());
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("before", (&before).into()),
        ("limit", limit.into()),
    ];
    tx.query(PAGE, &params)?.iter().map(entry).collect()
}

pub(in super::super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: RiskEntryId,
) -> Result<Option<Entry>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("entry", id.as_bytes().into()),
    ];
    tx.query_one(FIND, &params)?.as_ref().map(entry).transpose()
}

/// Takes an entry back; once.
pub(in super::super) fn lift(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (id, by): (RiskEntryId, Option<AccountId>),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("entry", id.as_bytes().into()),
        ("by", by.map(|by| by.as_bytes().to_vec()).into()),
        ("now", now.into()),
    ];
    tx.execute(LIFT, &params).map(drop)
}
