//! What must be true of the transparency log at the end of every test.

use mintreu::Timestamp;
use mintreu::document::PublicKey;
use mintreu::id::{LicenseId, TenantId};
use mintreu::log::{Frontier, Hash, Leaf, TreeHead, document_hash};
use mintreu_server::store::{Row, StoreError, Tx, Value};
use std::collections::{BTreeMap, BTreeSet};

const LICENSES: &str = "SELECT tenant_id, license_id, document FROM license";
const LEAVES: &str = "SELECT tenant_id, license_id, document_hash, product_code, issued_at,
        leaf_index, part_index, seller_id
    FROM log_leaf ORDER BY tenant_id, leaf_index";
const HASHES: &str = "SELECT position, hash FROM log_node WHERE tenant_id = :tenant AND level = 0";
const HEADS: &str = "SELECT h.tenant_id, h.size, h.root, h.document, k.public_key FROM log_head h
    JOIN log_key k ON k.tenant_id = h.tenant_id ORDER BY h.tenant_id, h.size";

/// Every complaint about the log.
pub fn look(tx: &mut dyn Tx, complaints: &mut Vec<String>) -> Result<(), StoreError> {
    let mut logs: BTreeMap<TenantId, Vec<Row>> = BTreeMap::new();
    let (mut logged, mut leaves) = (BTreeSet::new(), 0);
    for row in tx.query(LEAVES, &[])? {
        leaves += 1;
        logged.insert((license(&row)?, row.blob("document_hash")?));
        // A leaf that waits is in the log already, and has no place to judge yet.
        if row.opt_int("leaf_index")?.is_some() {
            let tenant = row.id("tenant_id", TenantId::from_bytes)?;
            logs.entry(tenant).or_default().push(row);
        }
    }
    if logged.len() != leaves {
        complaints.push(format!("{leaves} leaves are of {} documents", logged.len()));
    }
    for row in tx.query(LICENSES, &[])? {
        let id = license(&row)?;
        let document = document_hash(&row.blob("document")?).map_err(broken)?;
        if !logged.contains(&(id, document.to_vec())) {
            complaints.push(format!("license {} is not in the log", id.1));
        }
    }
    for (tenant, leaves) in &logs {
        tree(tx, *tenant, leaves, complaints)?;
    }
    Ok(())
}

fn license(row: &Row) -> Result<(TenantId, LicenseId), StoreError> {
    let tenant = row.id("tenant_id", TenantId::from_bytes)?;
    Ok((tenant, row.id("license_id", LicenseId::from_bytes)?))
}

fn broken(error: mintreu::Error) -> StoreError {
    StoreError::shape(error.to_string())
}

/// Places have no gaps, stored hashes are those of the leaves, and every head is one of the tree.
fn tree(
    tx: &mut dyn Tx,
    tenant: TenantId,
    leaves: &[Row],
    complaints: &mut Vec<String>,
) -> Result<(), StoreError> {
    let params = [("tenant", Value::from(tenant.as_bytes()))];
    let mut stored = BTreeMap::new();
    for row in tx.query(HASHES, &params)? {
        stored.insert(row.int("position")?, row.blob("hash")?);
    }
    let mut roots = vec![Frontier::default().root()];
    let (mut tree, mut parts) = (Frontier::default(), BTreeMap::<Vec<u8>, i64>::new());
    for (place, row) in (0..).zip(leaves) {
        let hash = leaf_of(row)?.hash().map_err(broken)?;
        let part = parts.entry(row.blob("seller_id")?).or_default();
        if row.int("leaf_index")? != place || row.int("part_index")? != *part {
            complaints.push(format!("the log has a gap before its leaf {place}"));
        }
        *part += 1;
        if stored.remove(&place) != Some(hash.to_vec()) {
            complaints.push(format!("leaf {place} of the log was rewritten"));
        }
        tree.push(hash).map_err(broken)?;
        roots.push(tree.root());
    }
    if !stored.is_empty() {
        complaints.push(format!("{} hashes in the log are of no leaf", stored.len()));
    }
    heads(tx, tenant, &roots, complaints)
}

fn leaf_of(row: &Row) -> Result<Leaf, StoreError> {
    let document: Result<Hash, _> = row.blob("document_hash")?.as_slice().try_into();
    let document = document.map_err(|_| StoreError::shape("no hash".to_owned()))?;
    let at = Timestamp::from_ms(row.int("issued_at")?);
    let code = row.text("product_code")?;
    Leaf::new(&code, license(row)?.1, at, document).map_err(broken)
}

fn heads(
    tx: &mut dyn Tx,
    tenant: TenantId,
    roots: &[Hash],
    complaints: &mut Vec<String>,
) -> Result<(), StoreError> {
    let mut newest = 0;
    for row in tx.query(HEADS, &[])? {
        if row.id("tenant_id", TenantId::from_bytes)? != tenant {
            continue;
        }
        let size = usize::try_from(row.int("size")?).unwrap_or(usize::MAX);
        newest = size;
        let key = row.blob("public_key")?;
        let key = <[u8; 32]>::try_from(key.as_slice()).unwrap_or_default();
        let key = PublicKey::from_bytes(&key).map_err(broken)?;
        let head = TreeHead::verify(&row.blob("document")?, &key).map_err(broken)?;
        let agrees = roots.get(size) == Some(&head.root) && head.size == size as u64;
        if !agrees || row.blob("root")? != head.root {
            complaints.push(format!("the head of {size} is not that of the leaves"));
        }
    }
    if newest + 1 != roots.len() {
        let leaves = roots.len() - 1;
        complaints.push(format!("the newest head is of {newest} of {leaves} leaves"));
    }
    Ok(())
}
