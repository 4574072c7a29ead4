//! SQL of the house's own secrets.

use crate::store::{StoreError, Tx};

const FIND_SECRET: &str = "SELECT sealed FROM house_secret WHERE name = :name";

const PUT_SECRET: &str = "INSERT INTO house_secret (name, sealed) VALUES (:name, :sealed)
    ON CONFLICT (name) DO UPDATE SET sealed = :sealed";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[FIND_SECRET, PUT_SECRET];

pub(super) fn find(tx: &mut dyn Tx, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let row = tx.query_one(FIND_SECRET, &[("name", name.into())])?;
    row.map(|row| row.blob("sealed")).transpose()
}

pub(super) fn put(tx: &mut dyn Tx, name: &str, sealed: &[u8]) -> Result<(), StoreError> {
    let params = [("name", name.into()), ("sealed", sealed.into())];
    tx.execute(PUT_SECRET, &params).map(drop)
}
