//! SQL of the log's tables.

use super::model::{Head, Own, Waiting};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, KeyId, LicenseId, TenantId};
use mintreu::log::{Frontier, Hash, Leaf, Node};

const FIND_KEY: &str = "\
SELECT key_id, public_key, seed_sealed FROM log_key WHERE tenant_id = :tenant";

const INSERT_KEY: &str = "\
INSERT INTO log_key (tenant_id, key_id, public_key, seed_sealed, created_at)
VALUES (:tenant, :key, :public, :sealed, :now)
ON CONFLICT (tenant_id) DO NOTHING
RETURNING key_id";

const RESEAL_KEY: &str = "\
UPDATE log_key SET seed_sealed = :sealed WHERE tenant_id = :tenant";

const INSERT_LEAF: &str = "\
INSERT INTO log_leaf (tenant_id, license_id, document_hash, seller_id, product_code, issued_at,
    appended_at, leaf_index, part_index)
VALUES (:tenant, :license, :document, :seller, :product, :issued, :now, NULL, NULL)
ON CONFLICT (tenant_id, license_id, document_hash) DO NOTHING";

const WAITING: &str = "\
SELECT seller_id, license_id, document_hash, product_code, issued_at FROM log_leaf
WHERE tenant_id = :tenant AND leaf_index IS NULL
ORDER BY appended_at, license_id, document_hash LIMIT :most";

const PLACE_LEAF: &str = "\
UPDATE log_leaf SET leaf_index = :index, part_index = :part
WHERE tenant_id = :tenant AND license_id = :license AND document_hash = :document
    AND leaf_index IS NULL";

const FIND_LEAF: &str = "\
SELECT license_id, document_hash, product_code, issued_at, leaf_index, part_index FROM log_leaf
WHERE tenant_id = :tenant AND license_id = :license AND document_hash = :document";

const LEAVES_OF_SELLER: &str = "\
SELECT license_id, document_hash, product_code, issued_at, leaf_index, part_index FROM log_leaf
WHERE tenant_id = :tenant AND seller_id = :seller AND part_index >= :from
ORDER BY part_index LIMIT :most";

const INSERT_NODE: &str = "\
INSERT INTO log_node (tenant_id, level, position, hash)
VALUES (:tenant, :level, :position, :hash)";

const FIND_NODE: &str = "\
SELECT hash FROM log_node WHERE tenant_id = :tenant AND level = :level AND position = :position";

const LEAF_HASHES: &str = "\
SELECT hash FROM log_node
WHERE tenant_id = :tenant AND level = 0 AND position >= :from AND position < :to
ORDER BY position";

const FIND_PART: &str = "\
SELECT size, peaks FROM log_part WHERE tenant_id = :tenant AND seller_id = :seller";

const STORE_PART: &str = "\
INSERT INTO log_part (tenant_id, seller_id, size, peaks)
VALUES (:tenant, :seller, :size, :peaks)
ON CONFLICT (tenant_id, seller_id) DO UPDATE SET size = excluded.size, peaks = excluded.peaks";

const INSERT_HEAD: &str = "\
INSERT INTO log_head (tenant_id, size, root, document, signed_at)
VALUES (:tenant, :size, :root, :document, :now)
ON CONFLICT (tenant_id, size) DO NOTHING
RETURNING size";

const NEWEST_HEAD: &str = "\
SELECT size, root, document, signed_at FROM log_head
WHERE tenant_id = :tenant ORDER BY size DESC LIMIT 1";

const HEAD_OF_SIZE: &str = "\
SELECT size, root, document, signed_at FROM log_head
WHERE tenant_id = :tenant AND size = :size";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    FIND_KEY,
    INSERT_KEY,
    RESEAL_KEY,
    INSERT_LEAF,
    WAITING,
    PLACE_LEAF,
    FIND_LEAF,
    LEAVES_OF_SELLER,
    INSERT_NODE,
    FIND_NODE,
    LEAF_HASHES,
    FIND_PART,
    STORE_PART,
    INSERT_HEAD,
    NEWEST_HEAD,
    HEAD_OF_SIZE,
];

/// A log's key; its seed is sealed.
pub(super) struct StoredKey {
    pub id: KeyId,
    pub public: Hash,
    pub seed_sealed: Vec<u8>,
}

pub(super) fn find_key(tx: &mut dyn Tx, tenant: TenantId) -> Result<Option<StoredKey>, StoreError> {
    let row = tx.query_one(FIND_KEY, &[("tenant", tenant.as_bytes().into())])?;
    row.map(|row| {
        Ok(StoredKey {
            id: row.id("key_id", KeyId::from_bytes)?,
            public: hash(&row, "public_key")?,
            seed_sealed: row.blob("seed_sealed")?,
        })
    })
    .transpose()
}

/// Puts another sealing of the same seed in place.
pub(super) fn reseal_key(
    tx: &mut dyn Tx,
    tenant: TenantId,
    sealed: &[u8],
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("sealed", sealed.into()),
    ];
    tx.execute(RESEAL_KEY, &params).map(drop)
}

/// Writes the one key of a log; a race that was lost is run again.
pub(super) fn insert_key(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &StoredKey,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("key", new.id.as_bytes().into()),
        ("public", new.public.as_slice().into()),
        ("sealed", new.seed_sealed.as_slice().into()),
        ("now", now.into()),
    ];
    won(tx.query_one(INSERT_KEY, &params)?)
}

fn won(row: Option<Row>) -> Result<(), StoreError> {
    row.map(drop).ok_or(StoreError::Retry)
}

/// Lets a leaf wait for its places; whether it is new.
pub(super) fn insert_leaf(
    tx: &mut dyn Tx,
    tenant: TenantId,
    new: &Waiting,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", new.leaf.license().as_bytes().into()),
        ("document", new.leaf.document().as_slice().into()),
        ("seller", new.seller.as_bytes().into()),
        ("product", new.leaf.product().into()),
        ("issued", new.leaf.issued_at().into()),
        ("now", now.into()),
    ];
    Ok(tx.execute(INSERT_LEAF, &params)? == 1)
}

/// The leaves that wait, in the order of their places.
pub(super) fn waiting(
    tx: &mut dyn Tx,
    tenant: TenantId,
    most: i64,
) -> Result<Vec<Waiting>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("most", most.into())];
    let rows = tx.query(WAITING, &params)?;
    let one = |row: &Row| {
        Ok(Waiting {
            seller: row.id("seller_id", AccountId::from_bytes)?,
            leaf: leaf(row)?,
        })
    };
    rows.iter().map(one).collect()
}

/// Gives a leaf its place in the log and among its seller's.
pub(super) fn place_leaf(
    tx: &mut dyn Tx,
    tenant: TenantId,
    waiting: &Waiting,
    index: u64,
    part: u64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", waiting.leaf.license().as_bytes().into()),
        ("document", waiting.leaf.document().as_slice().into()),
        ("index", number(index)?),
        ("part", number(part)?),
    ];
    match tx.execute(PLACE_LEAF, &params)? {
        1 => Ok(()),
        // Somebody else placed it meanwhile.
        _ => Err(StoreError::Retry),
    }
}

/// A leaf, and its places once it has them.
pub(super) fn find_leaf(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    document: &Hash,
) -> Result<Option<(Leaf, Option<Own>)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("document", document.as_slice().into()),
    ];
    let row = tx.query_one(FIND_LEAF, &params)?;
    row.map(|row| {
        let placed = row.opt_int("leaf_index")?.is_some();
        let own = placed.then(|| own(&row)).transpose()?;
        Ok((leaf(&row)?, own))
    })
    .transpose()
}

/// A seller's leaves that have their places, from the place `from` among them.
pub(super) fn leaves_of_seller(
    tx: &mut dyn Tx,
    (tenant, seller): (TenantId, AccountId),
    from: u64,
    most: i64,
) -> Result<Vec<Own>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("from", number(from)?),
        ("most", most.into()),
    ];
    let rows = tx.query(LEAVES_OF_SELLER, &params)?;
    rows.iter().map(own).collect()
}

pub(super) fn insert_node(
    tx: &mut dyn Tx,
    tenant: TenantId,
    node: Node,
    hash: &Hash,
) -> Result<(), StoreError> {
    let mut params = node_params(tenant, node)?;
    params.push(("hash", hash.as_slice().into()));
    tx.execute(INSERT_NODE, &params).map(drop)
}

/// A node that must be there.
pub(super) fn find_node(tx: &mut dyn Tx, tenant: TenantId, node: Node) -> Result<Hash, StoreError> {
    let row = tx.query_one(FIND_NODE, &node_params(tenant, node)?)?;
    let row = row.ok_or_else(|| StoreError::shape(format!("the log lost its {node:?}")))?;
    hash(&row, "hash")
}

fn node_params(tenant: TenantId, node: Node) -> Result<Vec<(&'static str, Value)>, StoreError> {
    Ok(vec![
        ("tenant", tenant.as_bytes().into()),
        ("level", i64::from(node.level).into()),
        ("position", number(node.position)?),
    ])
}

/// The hashes of the leaves from `from` to before `to`.
pub(super) fn leaf_hashes(
    tx: &mut dyn Tx,
    tenant: TenantId,
    from: u64,
    to: u64,
) -> Result<Vec<Hash>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("from", number(from)?),
        ("to", number(to)?),
    ];
    let rows = tx.query(LEAF_HASHES, &params)?;
    rows.iter().map(|row| hash(row, "hash")).collect()
}

/// The edge of the tree of a seller's leaves; empty when there is none.
pub(super) fn find_part(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Frontier, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(FIND_PART, &params)? else {
        return Ok(Frontier::default());
    };
    let blob = row.blob("peaks")?;
    let (peaks, rest) = blob.as_chunks::<32>();
    let edge = Frontier::new(count(&row, "size")?, peaks.to_vec());
    edge.ok()
        .filter(|_| rest.is_empty())
        .ok_or_else(|| StoreError::shape("peaks are no edge of a tree".to_owned()))
}

pub(super) fn store_part(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
    part: &Frontier,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("size", number(part.size())?),
        ("peaks", part.peaks().concat().into()),
    ];
    tx.execute(STORE_PART, &params).map(drop)
}

/// Writes a head; a race that was lost is run again.
pub(super) fn insert_head(
    tx: &mut dyn Tx,
    tenant: TenantId,
    head: &Head,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("size", number(head.size)?),
        ("root", head.root.as_slice().into()),
        ("document", head.document.as_slice().into()),
        ("now", head.signed_at.into()),
    ];
    won(tx.query_one(INSERT_HEAD, &params)?)
}

/// The head of this size, or the newest.
pub(super) fn find_head(
    tx: &mut dyn Tx,
    tenant: TenantId,
    size: Option<u64>,
) -> Result<Option<Head>, StoreError> {
    let mut params = vec![("tenant", tenant.as_bytes().into())];
    let sql = match size {
        None => NEWEST_HEAD,
        Some(size) => {
            params.push(("size", number(size)?));
            HEAD_OF_SIZE
        }
    };
    let row = tx.query_one(sql, &params)?;
    row.map(|row| {
        Ok(Head {
            size: count(&row, "size")?,
            root: hash(&row, "root")?,
            document: row.blob("document")?,
            signed_at: row.at("signed_at")?,
        })
    })
    .transpose()
}

fn own(row: &Row) -> Result<Own, StoreError> {
    Ok(Own {
        index: count(row, "leaf_index")?,
        part_index: count(row, "part_index")?,
        leaf: leaf(row)?,
    })
}

fn leaf(row: &Row) -> Result<Leaf, StoreError> {
    let leaf = Leaf::new(
        &row.text("product_code")?,
        row.id("license_id", LicenseId::from_bytes)?,
        row.at("issued_at")?,
        hash(row, "document_hash")?,
    );
    leaf.map_err(|error| StoreError::shape(error.to_string()))
}

fn hash(row: &Row, name: &str) -> Result<Hash, StoreError> {
    let bytes = <Hash>::try_from(row.blob(name)?.as_slice());
    bytes.map_err(|_| StoreError::shape(format!("{name} is no hash")))
}

fn count(row: &Row, name: &str) -> Result<u64, StoreError> {
    let number = u64::try_from(row.int(name)?);
    number.map_err(|_| StoreError::shape(format!("{name} is negative")))
}

fn number(count: u64) -> Result<Value, StoreError> {
    let number = i64::try_from(count);
    let number = number.map_err(|_| StoreError::shape(format!("{count} passes 63 bits")))?;
    Ok(Value::Int(number))
}
