//! SQL of what is sealed under the key-encryption key: seeds, redeem codes and sellers' own keys.

use crate::store::{Row, StoreError, Tx};
use mintreu::id::TenantId;

const TENANTS: &str = "SELECT tenant_id FROM tenant ORDER BY tenant_id";

const SEEDS: &str = "\
SELECT key_id AS id, seed_sealed AS sealed FROM seller_key
WHERE tenant_id = :tenant AND key_id > :after AND forgotten_at IS NULL
ORDER BY key_id LIMIT :limit";

const CODES: &str = "\
SELECT license_id AS id, redeem_sealed AS sealed FROM license
WHERE tenant_id = :tenant AND license_id > :after
ORDER BY license_id LIMIT :limit";

const KEYS: &str = "\
SELECT license_id AS id, key_sealed AS sealed FROM license_key
WHERE tenant_id = :tenant AND license_id > :after
ORDER BY license_id LIMIT :limit";

const PUT_SEED: &str = "\
UPDATE seller_key SET seed_sealed = :sealed WHERE tenant_id = :tenant AND key_id = :id";

const PUT_CODE: &str = "\
UPDATE license SET redeem_sealed = :sealed WHERE tenant_id = :tenant AND license_id = :id";

const PUT_KEY: &str = "\
UPDATE license_key SET key_sealed = :sealed WHERE tenant_id = :tenant AND license_id = :id";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[TENANTS, SEEDS, CODES, KEYS, PUT_SEED, PUT_CODE, PUT_KEY];

/// Which of the sealed columns.
#[derive(Clone, Copy)]
pub(in super::super) enum Column {
    Seed,
    Code,
    Key,
}

pub(in super::super) fn tenants(tx: &mut dyn Tx) -> Result<Vec<TenantId>, StoreError> {
    let rows = tx.query(TENANTS, &[])?;
    let id = |row: &Row| row.id("tenant_id", TenantId::from_bytes);
    rows.iter().map(id).collect()
}

/// A row's id, and what is sealed in it.
pub(in super::super) type Sealed = ([u8; 16], Vec<u8>);

/// A page of a column.
pub(in super::super) fn page(
    tx: &mut dyn Tx,
    column: Column,
    tenant: TenantId,
    after: [u8; 16],
    limit: i64,
) -> Result<Vec<Sealed>, StoreError> {
    let sql = match column {
        Column::Seed => SEEDS,
        Column::Code => CODES,
        Column::Key => KEYS,
    };
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("after", (&after).into()),
        ("limit", limit.into()),
    ];
    let pair = |row: &Row| Ok((row.id("id", |id| id)?, row.blob("sealed")?));
    tx.query(sql, &params)?.iter().map(pair).collect()
}

pub(in super::super) fn put(
    tx: &mut dyn Tx,
    column: Column,
    tenant: TenantId,
    id: [u8; 16],
    sealed: &[u8],
) -> Result<(), StoreError> {
    let sql = match column {
        Column::Seed => PUT_SEED,
        Column::Code => PUT_CODE,
        Column::Key => PUT_KEY,
    };
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("id", (&id).into()),
        ("sealed", sealed.into()),
    ];
    tx.execute(sql, &params).map(drop)
}
