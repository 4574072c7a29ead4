//! Statements of what clients of Lago's API define.

use crate::app::Cx;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::AccountId;

const PUT: &str = "INSERT INTO lago_object (seller_id, kind, code, lago_id, body, created_at)
    VALUES (:seller, :kind, :code, :id, :body, :now)
    ON CONFLICT (seller_id, kind, code) DO UPDATE SET body = excluded.body";

const OBJECT: &str = "SELECT code, lago_id, body, created_at FROM lago_object
    WHERE seller_id = :seller AND kind = :kind AND code = :code";

const COUNT: &str = "SELECT COUNT(*) AS objects FROM lago_object WHERE seller_id = :seller";

pub(super) const ALL: &[&str] = &[PUT, OBJECT, COUNT];

/// What was described, under its own code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LagoObject {
    /// Its code, or its external id.
    pub code: String,
    /// An id of ours.
    pub id: [u8; 16],
    /// As it was described: a JSON object.
    pub body: String,
    /// When it was described first.
    pub created_at: Timestamp,
}

fn from_row(row: &Row) -> Result<LagoObject, StoreError> {
    Ok(LagoObject {
        code: row.text("code")?,
        id: row.id("lago_id", |bytes| bytes)?,
        body: row.text("body")?,
        created_at: row.at("created_at")?,
    })
}

/// Stores a description, or the newer one of the same code.
pub fn put_lago(
    cx: &mut Cx<'_>,
    (seller, kind): (AccountId, &str),
    object: &LagoObject,
) -> Result<(), StoreError> {
    let params = [
        ("seller", seller.as_bytes().into()),
        ("kind", kind.into()),
        ("code", object.code.as_str().into()),
        ("id", (&object.id).into()),
        ("body", object.body.as_str().into()),
        ("now", object.created_at.into()),
    ];
    cx.tx.execute(PUT, &params).map(drop)
}

/// What was described under a code.
pub fn lago(
    tx: &mut dyn Tx,
    (seller, kind): (AccountId, &str),
    code: &str,
) -> Result<Option<LagoObject>, StoreError> {
    let params = [
        ("seller", seller.as_bytes().into()),
        ("kind", kind.into()),
        ("code", code.into()),
    ];
    tx.query_one(OBJECT, &params)?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// How many a seller has described.
pub fn count_lago(tx: &mut dyn Tx, seller: AccountId) -> Result<i64, StoreError> {
    let params = [("seller", seller.as_bytes().into())];
    let row = tx.query_one(COUNT, &params)?;
    row.map_or(Ok(0), |row| row.int("objects"))
}
