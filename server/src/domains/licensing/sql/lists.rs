//! SQL of revocation lists and of the places in them.

use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{ProductId, TenantId};
use mintreu::license::ListEntry;

const NEWEST_LIST: &str = "\
SELECT list, places FROM revocation_list WHERE tenant_id = :tenant AND product_id = :product
ORDER BY list DESC LIMIT 1";

const INSERT_LIST: &str = "\
INSERT INTO revocation_list (tenant_id, product_id, list, places, version, bits, document,
    signed_at)
VALUES (:tenant, :product, :list, :places, 1, :bits, NULL, NULL)
ON CONFLICT (tenant_id, product_id, list) DO NOTHING
RETURNING list";

const IS_TAKEN: &str = "\
SELECT list_index FROM license
WHERE tenant_id = :tenant AND product_id = :product AND list = :list AND list_index = :index";

const FIND_LIST: &str = "\
SELECT list, places, version, bits, document, signed_at FROM revocation_list
WHERE tenant_id = :tenant AND product_id = :product AND list = :list";

const SET_BITS: &str = "\
UPDATE revocation_list SET bits = :bits, version = version + 1, document = NULL
WHERE tenant_id = :tenant AND product_id = :product AND list = :list";

const KEEP_DOCUMENT: &str = "\
UPDATE revocation_list SET document = :document, signed_at = :now
WHERE tenant_id = :tenant AND product_id = :product AND list = :list";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    NEWEST_LIST,
    INSERT_LIST,
    IS_TAKEN,
    FIND_LIST,
    SET_BITS,
    KEEP_DOCUMENT,
];

/// Which list.
#[derive(Clone, Copy)]
pub(in super::super) struct ListName {
    pub tenant: TenantId,
    pub product: ProductId,
    pub list: i64,
}

impl ListName {
    fn params(self) -> Vec<(&'static str, Value)> {
        vec![
            ("tenant", self.tenant.as_bytes().into()),
            ("product", self.product.as_bytes().into()),
            ("list", self.list.into()),
        ]
    }
}

/// A stored list: its bits, and its document while that says the same.
pub(in super::super) struct StoredList {
    pub places: u32,
    pub version: u64,
    pub bits: Vec<u8>,
    pub document: Option<Vec<u8>>,
    pub signed_at: Option<Timestamp>,
}

/// The number and the places of a product's newest list.
pub(in super::super) fn newest(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
) -> Result<Option<(i64, u32)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    let row = tx.query_one(NEWEST_LIST, &params)?;
    row.map(|row| Ok((row.int("list")?, places(&row)?)))
        .transpose()
}

fn places(row: &Row) -> Result<u32, StoreError> {
    let places = row.int("places")?;
    u32::try_from(places).map_err(|_| StoreError::shape(format!("{places} places")))
}

/// Opens a list; a race that was lost is run again.
pub(in super::super) fn insert(
    tx: &mut dyn Tx,
    name: ListName,
    places: u32,
) -> Result<(), StoreError> {
    let mut params = name.params();
    params.push(("places", i64::from(places).into()));
    params.push(("bits", vec![0_u8; places.div_ceil(8) as usize].into()));
    super::won(tx.query_one(INSERT_LIST, &params)?)
}

pub(in super::super) fn is_taken(
    tx: &mut dyn Tx,
    name: ListName,
    index: u32,
) -> Result<bool, StoreError> {
    let mut params = name.params();
    params.push(("index", i64::from(index).into()));
    Ok(tx.query_one(IS_TAKEN, &params)?.is_some())
}

pub(in super::super) fn find(
    tx: &mut dyn Tx,
    name: ListName,
) -> Result<Option<StoredList>, StoreError> {
    let row = tx.query_one(FIND_LIST, &name.params())?;
    row.map(|row| {
        let version = row.int("version")?;
        let negative = |_| StoreError::shape(format!("version {version}"));
        Ok(StoredList {
            places: places(&row)?,
            version: u64::try_from(version).map_err(negative)?,
            bits: row.blob("bits")?,
            document: row.opt_blob("document")?,
            signed_at: row.opt_at("signed_at")?,
        })
    })
    .transpose()
}

/// Writes other bits, and with them a new version that is yet to be signed.
pub(in super::super) fn set_bits(
    tx: &mut dyn Tx,
    name: ListName,
    bits: Vec<u8>,
) -> Result<(), StoreError> {
    let mut params = name.params();
    params.push(("bits", bits.into()));
    tx.execute(SET_BITS, &params).map(drop)
}

pub(in super::super) fn keep_document(
    tx: &mut dyn Tx,
    name: ListName,
    document: &[u8],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = name.params();
    params.push(("document", document.into()));
    params.push(("now", now.into()));
    tx.execute(KEEP_DOCUMENT, &params).map(drop)
}

/// The product of a license and its place, if it has one.
pub(in super::super) fn place(row: &Row) -> Result<(ProductId, Option<ListEntry>), StoreError> {
    let product = row.id("product_id", ProductId::from_bytes)?;
    let (Some(list), Some(index)) = (row.opt_int("list")?, row.opt_int("list_index")?) else {
        return Ok((product, None));
    };
    let wrong = |_| StoreError::shape(format!("the place {list}, {index}"));
    let entry = ListEntry {
        list: u64::try_from(list).map_err(wrong)?,
        index: u32::try_from(index).map_err(wrong)?,
    };
    Ok((product, Some(entry)))
}
