//! Statements of minutes that wait to be added to the roll-ups.

use crate::store::{StoreError, Tx};
use mintreu::id::AccountId;

const SIZE: &str = "SELECT CAST(COUNT(*) AS BIGINT) AS batches,
        CAST(COALESCE(MAX(batch_no), 0) AS BIGINT) AS last_no,
        CAST(COALESCE(SUM(bytes), 0) AS BIGINT) AS bytes
    FROM usage_waiting WHERE seller_id = :seller";

const APPEND: &str = "INSERT INTO usage_waiting (seller_id, batch_no, bytes, state)
    VALUES (:seller, :batch, :bytes, :state)";

const ALL_OF_SELLER: &str = "SELECT state FROM usage_waiting WHERE seller_id = :seller";

const TAKE: &str = "DELETE FROM usage_waiting WHERE seller_id = :seller RETURNING state";

pub(super) const ALL: &[&str] = &[SIZE, APPEND, ALL_OF_SELLER, TAKE];

/// How much waits.
#[derive(Debug, Clone, Copy)]
pub struct Waiting {
    /// Requests.
    pub batches: i64,
    /// The last one's number.
    pub last: i64,
    /// Bytes of their minutes.
    pub bytes: i64,
}

/// How much of a seller's waits.
pub fn waiting(tx: &mut dyn Tx, seller: AccountId) -> Result<Waiting, StoreError> {
    let row = tx.query_one(SIZE, &[("seller", seller.as_bytes().into())])?;
    let row = row.ok_or_else(|| StoreError::shape("a count without a row".to_owned()))?;
    Ok(Waiting {
        batches: row.int("batches")?,
        last: row.int("last_no")?,
        bytes: row.int("bytes")?,
    })
}

/// Lets a request's minutes wait.
pub fn append_waiting(
    tx: &mut dyn Tx,
    (seller, batch): (AccountId, i64),
    state: Vec<u8>,
) -> Result<(), StoreError> {
    let params = [
        ("seller", seller.as_bytes().into()),
        ("batch", batch.into()),
        (
            "bytes",
            i64::try_from(state.len()).unwrap_or(i64::MAX).into(),
        ),
        ("state", state.into()),
    ];
    tx.execute(APPEND, &params).map(drop)
}

/// All that waits of a seller's.
pub fn waiting_states(tx: &mut dyn Tx, seller: AccountId) -> Result<Vec<Vec<u8>>, StoreError> {
    states(tx, ALL_OF_SELLER, seller)
}

/// The same, and it waits no more.
pub fn take_waiting(tx: &mut dyn Tx, seller: AccountId) -> Result<Vec<Vec<u8>>, StoreError> {
    states(tx, TAKE, seller)
}

fn states(tx: &mut dyn Tx, sql: &str, seller: AccountId) -> Result<Vec<Vec<u8>>, StoreError> {
    let rows = tx.query(sql, &[("seller", seller.as_bytes().into())])?;
    rows.iter().map(|row| row.blob("state")).collect()
}
