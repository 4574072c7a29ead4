//! Import runs, what they brought and what they refused.

use super::insert_rows;
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{ImportId, ProductId, TenantId};

const INSERT_RUN: &str = "INSERT INTO import_run (import_id, tenant_id, source, state, position,
    prefix_hash, created_count, updated_count, unchanged_count, refused_count, started_at,
    updated_at)
    VALUES (:import, :tenant, :source, 'running', 0, :prefix, 0, 0, 0, 0, :now, :now)";

const OPEN_RUN: &str = "SELECT import_id, position, prefix_hash, created_count, updated_count,
    unchanged_count, refused_count FROM import_run
    WHERE tenant_id = :tenant AND source = :source AND state = 'running'
    ORDER BY started_at DESC, import_id DESC LIMIT 1";

const RUN: &str = "SELECT import_id, position, prefix_hash, created_count, updated_count,
    unchanged_count, refused_count FROM import_run
    WHERE tenant_id = :tenant AND import_id = :import AND state = 'running'";

const SAVE_RUN: &str = "UPDATE import_run SET position = :position, prefix_hash = :prefix,
    created_count = :created, updated_count = :updated, unchanged_count = :unchanged,
    refused_count = :refused, state = :state, updated_at = :now
    WHERE tenant_id = :tenant AND import_id = :import";

const SUPERSEDE: &str = "UPDATE import_run SET state = 'superseded', updated_at = :now
    WHERE tenant_id = :tenant AND source = :source AND state = 'running'";

const ITEM: &str = "SELECT product_id, content_hash, import_id FROM import_item
    WHERE tenant_id = :tenant AND origin = :origin";

const INSERT_ITEMS: &str = "INSERT INTO import_item
    (tenant_id, origin, product_id, content_hash, import_id)";

const SAVE_ITEM: &str = "UPDATE import_item SET content_hash = :hash, import_id = :import
    WHERE tenant_id = :tenant AND origin = :origin";

const INSERT_REFUSALS: &str = "INSERT INTO import_refusal (import_id, line, code, detail)";

const REFUSALS: &str = "SELECT line, code, detail FROM import_refusal
    WHERE import_id = :import ORDER BY line LIMIT :limit";

const REFUSAL_CODES: &str = "SELECT code, COUNT(*) AS items FROM import_refusal
    WHERE import_id = :import GROUP BY code ORDER BY code";

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunRow {
    pub import: ImportId,
    pub position: i64,
    pub prefix_hash: Vec<u8>,
    pub created: i64,
    pub updated: i64,
    pub unchanged: i64,
    pub refused: i64,
}

fn run_from_row(row: &Row) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        import: row.id("import_id", ImportId::from_bytes)?,
        position: row.int("position")?,
        prefix_hash: row.blob("prefix_hash")?,
        created: row.int("created_count")?,
        updated: row.int("updated_count")?,
        unchanged: row.int("unchanged_count")?,
        refused: row.int("refused_count")?,
    })
}

/// A product that an import brought.
#[derive(Debug, Clone)]
pub(crate) struct ItemRow {
    pub product: ProductId,
    pub content_hash: Vec<u8>,
    pub import: ImportId,
}

/// Starts a run at the beginning of `source`.
pub(crate) fn insert_run(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (import, source): (ImportId, &str),
    now: Timestamp,
) -> Result<RunRow, StoreError> {
    let run = RunRow {
        import,
        position: 0,
        prefix_hash: vec![0; 32],
        created: 0,
        updated: 0,
        unchanged: 0,
        refused: 0,
    };
    let params = [
        ("import", import.as_bytes().into()),
        ("tenant", tenant.as_bytes().into()),
        ("source", source.into()),
        ("prefix", run.prefix_hash.clone().into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_RUN, &params)?;
    Ok(run)
}

/// The run of `source` that hasn't ended.
pub(crate) fn open_run(
    tx: &mut dyn Tx,
    tenant: TenantId,
    source: &str,
) -> Result<Option<RunRow>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("source", source.into()),
    ];
    tx.query_one(OPEN_RUN, &params)?
        .as_ref()
        .map(run_from_row)
        .transpose()
}

/// A run that hasn't ended.
pub(crate) fn run(
    tx: &mut dyn Tx,
    tenant: TenantId,
    import: ImportId,
) -> Result<Option<RunRow>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("import", import.as_bytes().into()),
    ];
    tx.query_one(RUN, &params)?
        .as_ref()
        .map(run_from_row)
        .transpose()
}

/// Writes how far a run is, and whether it has ended.
pub(crate) fn save_run(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (run, ended): (&RunRow, bool),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("import", run.import.as_bytes().into()),
        ("position", run.position.into()),
        ("prefix", run.prefix_hash.clone().into()),
        ("created", run.created.into()),
        ("updated", run.updated.into()),
        ("unchanged", run.unchanged.into()),
        ("refused", run.refused.into()),
        ("state", if ended { "done" } else { "running" }.into()),
        ("now", now.into()),
    ];
    tx.execute(SAVE_RUN, &params).map(drop)
}

/// Ends the open runs of `source` without finishing them: their input has changed.
pub(crate) fn supersede(
    tx: &mut dyn Tx,
    tenant: TenantId,
    source: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("source", source.into()),
        ("now", now.into()),
    ];
    tx.execute(SUPERSEDE, &params).map(drop)
}

/// What was brought under that origin.
pub(crate) fn item(
    tx: &mut dyn Tx,
    tenant: TenantId,
    origin: &str,
) -> Result<Option<ItemRow>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("origin", origin.into()),
    ];
    let row = tx.query_one(ITEM, &params)?;
    row.map(|row| {
        Ok(ItemRow {
            product: row.id("product_id", ProductId::from_bytes)?,
            content_hash: row.blob("content_hash")?,
            import: row.id("import_id", ImportId::from_bytes)?,
        })
    })
    .transpose()
}

/// Records what new products came from: origin, product, hash of the content.
pub(crate) fn insert_items(
    tx: &mut dyn Tx,
    (tenant, import): (TenantId, ImportId),
    items: Vec<(String, ProductId, [u8; 32])>,
) -> Result<(), StoreError> {
    let row = |(origin, product, hash): (String, ProductId, [u8; 32])| {
        [
            tenant.as_bytes().into(),
            Value::Text(origin),
            product.as_bytes().into(),
            Value::Blob(hash.to_vec()),
            import.as_bytes().into(),
        ]
    };
    insert_rows(tx, INSERT_ITEMS, items.into_iter().map(row).collect())
}

/// Records that a run saw an origin, and with which content.
pub(crate) fn save_item(
    tx: &mut dyn Tx,
    (tenant, import): (TenantId, ImportId),
    origin: &str,
    hash: &[u8; 32],
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("origin", origin.into()),
        ("hash", hash.as_slice().into()),
        ("import", import.as_bytes().into()),
    ];
    tx.execute(SAVE_ITEM, &params).map(drop)
}

/// Records refusals: line, code and sentence.
pub(crate) fn insert_refusals(
    tx: &mut dyn Tx,
    import: ImportId,
    refusals: Vec<(i64, &'static str, String)>,
) -> Result<(), StoreError> {
    let row = |(line, code, detail): (i64, &'static str, String)| {
        [
            import.as_bytes().into(),
            line.into(),
            Value::from(code),
            Value::Text(detail),
        ]
    };
    insert_rows(tx, INSERT_REFUSALS, refusals.into_iter().map(row).collect())
}

/// The first `limit` refusals of a run by line.
pub(crate) fn refusals(
    tx: &mut dyn Tx,
    import: ImportId,
    limit: i64,
) -> Result<Vec<(u64, String, String)>, StoreError> {
    let params = [
        ("import", import.as_bytes().into()),
        ("limit", limit.into()),
    ];
    let refusal = |row: &Row| {
        let line = u64::try_from(row.int("line")?).unwrap_or(0);
        Ok((line, row.text("code")?, row.text("detail")?))
    };
    tx.query(REFUSALS, &params)?.iter().map(refusal).collect()
}

/// How many items a run refused for each reason.
pub(crate) fn refusal_codes(
    tx: &mut dyn Tx,
    import: ImportId,
) -> Result<Vec<(String, u64)>, StoreError> {
    let params = [("import", import.as_bytes().into())];
    let code = |row: &Row| {
        Ok((
            row.text("code")?,
            u64::try_from(row.int("items")?).unwrap_or(0),
        ))
    };
    tx.query(REFUSAL_CODES, &params)?.iter().map(code).collect()
}
