//! How often customers hear of their usage.

use crate::domains::billing::reports::{Cadence, Preference};
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, TenantId};

pub(super) const INSERT: &str = "INSERT INTO usage_report (tenant_id, account_id, cadence,
        anchor_at, next_at)
    VALUES (:tenant, :account, :cadence, :anchor, :next)
    ON CONFLICT (tenant_id, account_id) DO NOTHING";

pub(super) const SET: &str = "INSERT INTO usage_report (tenant_id, account_id, cadence, anchor_at,
        next_at)
    VALUES (:tenant, :account, :cadence, :anchor, :next)
    ON CONFLICT (tenant_id, account_id) DO UPDATE SET cadence = excluded.cadence,
        anchor_at = excluded.anchor_at, next_at = excluded.next_at";

pub(super) const FIND: &str = "SELECT cadence, anchor_at, next_at FROM usage_report
    WHERE tenant_id = :tenant AND account_id = :account";

fn params(
    (tenant, account): &(TenantId, AccountId),
    preference: &Preference,
) -> [(&'static str, crate::store::Value); 5] {
    [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("cadence", preference.cadence.name().into()),
        ("anchor", preference.anchor.into()),
        ("next", preference.next_at.into()),
    ]
}

/// Stores a first preference; whether there was none before.
pub fn insert(
    tx: &mut dyn Tx,
    owner: (TenantId, AccountId),
    preference: &Preference,
) -> Result<bool, StoreError> {
    Ok(tx.execute(INSERT, &params(&owner, preference))? > 0)
}

/// Stores a preference, whatever was there.
pub fn set(
    tx: &mut dyn Tx,
    owner: (TenantId, AccountId),
    preference: &Preference,
) -> Result<(), StoreError> {
    tx.execute(SET, &params(&owner, preference)).map(|_| ())
}

/// An account's preference.
pub fn find(
    tx: &mut dyn Tx,
    (tenant, account): (TenantId, AccountId),
) -> Result<Option<Preference>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(FIND, &params)? else {
        return Ok(None);
    };
    let name = row.text("cadence")?;
    let cadence = Cadence::parse(&name).ok_or_else(|| StoreError::shape(name.clone()))?;
    Ok(Some(Preference {
        cadence,
        anchor: row.at("anchor_at")?,
        next_at: row.opt_at("next_at")?,
    }))
}
