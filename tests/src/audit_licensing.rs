//! What must be true of revocation lists at the end of every test.

use mintreu_server::store::{Row, StoreError, Tx};
use std::collections::BTreeMap;

const LISTS: &str = "SELECT product_id, list, places, bits FROM revocation_list";
const PLACES: &str = "SELECT product_id, list, list_index, revoked_at FROM license";

type Name = (Vec<u8>, i64);

/// Every complaint about lists: a license's bit is set exactly while it is revoked.
pub fn look(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    let mut expected: BTreeMap<Name, Vec<u8>> = BTreeMap::new();
    let mut stored: BTreeMap<Name, Vec<u8>> = BTreeMap::new();
    for row in tx.query(LISTS, &[])? {
        let bytes = usize::try_from(row.int("places")?.div_euclid(8)).unwrap_or(0);
        expected.insert(name(&row)?, vec![0; bytes]);
        stored.insert(name(&row)?, row.blob("bits")?);
    }
    for row in tx.query(PLACES, &[])? {
        let Some(index) = row.opt_int("list_index")? else {
            complaints.push("a license has no place in a list".to_owned());
            continue;
        };
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let list = expected.get_mut(&name(&row)?);
        match list.and_then(|bits| bits.get_mut(index / 8)) {
            None => complaints.push(format!("a license's list has no place {index}")),
            Some(byte) if row.opt_int("revoked_at")?.is_some() => *byte |= 1 << (index % 8),
            Some(_) => {}
        }
    }
    if stored != expected {
        complaints.push("a revocation list says something else than its licenses".to_owned());
    }
    Ok(())
}

fn name(row: &Row) -> Result<Name, StoreError> {
    Ok((row.blob("product_id")?, row.int("list")?))
}
