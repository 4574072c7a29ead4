//! How many listed products a category has by kind and price band: what facets are made of.

use crate::domains::catalog::model::{
    CategoryCount, CategoryRef, Kind, KindCount, PriceBand, PriceBandCount,
};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{CategoryId, TenantId};

const ADD: &str = "INSERT INTO placement_count
    (tenant_id, category_id, kind, price_band, products)
    VALUES (:tenant, :category, :kind, :band, :delta)
    ON CONFLICT (tenant_id, category_id, kind, price_band)
    DO UPDATE SET products = placement_count.products + excluded.products";

const KINDS: &str = "SELECT kind, CAST(SUM(products) AS BIGINT) AS products FROM placement_count
    WHERE tenant_id = :tenant AND category_id = :category
    AND (CAST(:band AS BIGINT) < 0 OR price_band = :band)
    GROUP BY kind HAVING SUM(products) > 0";

const BANDS: &str = "SELECT price_band, CAST(SUM(products) AS BIGINT) AS products
    FROM placement_count
    WHERE tenant_id = :tenant AND category_id = :category
    AND (CAST(:kind AS TEXT) = '' OR kind = :kind)
    GROUP BY price_band HAVING SUM(products) > 0";

const CHILDREN: &str = "SELECT c.category_id, c.path, c.name,
        CAST(SUM(n.products) AS BIGINT) AS products
    FROM category c JOIN placement_count n
    ON n.tenant_id = c.tenant_id AND n.category_id = c.category_id
    WHERE c.tenant_id = :tenant AND c.parent_id = :category
    AND (CAST(:kind AS TEXT) = '' OR n.kind = :kind)
    AND (CAST(:band AS BIGINT) < 0 OR n.price_band = :band)
    GROUP BY c.category_id, c.path, c.name HAVING SUM(n.products) > 0
    ORDER BY c.name, c.category_id LIMIT 500";

/// What a listed product is counted under in one of its categories.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Shelved {
    pub category: CategoryId,
    pub kind: Kind,
    pub band: PriceBand,
}

impl Shelved {
    /// Reads `category_id`, `kind` and `price_band`.
    pub(super) fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            category: row.id("category_id", CategoryId::from_bytes)?,
            kind: kind_of(row)?,
            band: band_of(row)?,
        })
    }
}

/// The row's `kind`.
pub(super) fn kind_of(row: &Row) -> Result<Kind, StoreError> {
    let kind = row.text("kind")?;
    Kind::parse(&kind).ok_or_else(|| StoreError::shape(format!("kind {kind:?}")))
}

/// The row's `price_band`.
pub(super) fn band_of(row: &Row) -> Result<PriceBand, StoreError> {
    let band = row.int("price_band")?;
    PriceBand::from_number(band).ok_or_else(|| StoreError::shape(format!("price band {band}")))
}

fn products(row: &Row) -> Result<u64, StoreError> {
    Ok(u64::try_from(row.int("products")?).unwrap_or(0))
}

/// Adds `delta` to one count.
pub(crate) fn add(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: Shelved,
    delta: i64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("category", of.category.as_bytes().into()),
        ("kind", of.kind.name().into()),
        ("band", of.band.number().into()),
        ("delta", Value::Int(delta)),
    ];
    tx.execute(ADD, &params).map(drop)
}

/// A category, and the kind and the band that its counts are narrowed to: an absent one is empty
/// or negative.
fn narrowed(
    (tenant, category): (TenantId, CategoryId),
    kind: Option<Kind>,
    band: Option<PriceBand>,
) -> [(&'static str, Value); 4] {
    [
        ("tenant", tenant.as_bytes().into()),
        ("category", category.as_bytes().into()),
        ("kind", kind.map_or("", Kind::name).into()),
        ("band", band.map_or(-1, PriceBand::number).into()),
    ]
}

/// Listed products of a category by kind, in the kinds' order.
pub(crate) fn kinds(
    tx: &mut dyn Tx,
    place: (TenantId, CategoryId),
    band: Option<PriceBand>,
) -> Result<Vec<KindCount>, StoreError> {
    let [tenant, category, _, band] = narrowed(place, None, band);
    let rows = tx.query(KINDS, &[tenant, category, band])?;
    let entry = |row: &Row| {
        Ok(KindCount {
            kind: kind_of(row)?,
            count: products(row)?,
        })
    };
    let mut counts: Vec<KindCount> = rows.iter().map(entry).collect::<Result<_, StoreError>>()?;
    counts.sort_by_key(|entry| Kind::ALL.iter().position(|kind| *kind == entry.kind));
    Ok(counts)
}

/// Listed products of a category by price band, cheapest first.
pub(crate) fn bands(
    tx: &mut dyn Tx,
    place: (TenantId, CategoryId),
    kind: Option<Kind>,
) -> Result<Vec<PriceBandCount>, StoreError> {
    let [tenant, category, kind, _] = narrowed(place, kind, None);
    let rows = tx.query(BANDS, &[tenant, category, kind])?;
    let entry = |row: &Row| {
        Ok(PriceBandCount {
            band: band_of(row)?,
            count: products(row)?,
        })
    };
    let mut counts: Vec<PriceBandCount> =
        rows.iter().map(entry).collect::<Result<_, StoreError>>()?;
    counts.sort_by_key(|entry| entry.band.number());
    Ok(counts)
}

/// How a narrowed list spreads over the categories right below.
pub(crate) fn children(
    tx: &mut dyn Tx,
    place: (TenantId, CategoryId),
    kind: Option<Kind>,
    band: Option<PriceBand>,
) -> Result<Vec<CategoryCount>, StoreError> {
    let rows = tx.query(CHILDREN, &narrowed(place, kind, band))?;
    let entry = |row: &Row| {
        Ok(CategoryCount {
            category: CategoryRef {
                id: row.id("category_id", CategoryId::from_bytes)?,
                path: row.text("path")?,
                name: row.text("name")?,
            },
            count: products(row)?,
        })
    };
    rows.iter().map(entry).collect()
}
