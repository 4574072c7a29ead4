//! Statements that show usage.

use super::super::model::{Day, LicenseUnits, Window};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{LicenseId, ProductId, TenantId};
use std::collections::BTreeMap;

/// Most licenses that a product's table shows.
const TOP: i64 = 50;

const TOTALS: &str = "SELECT meter, CAST(COALESCE(SUM(units), 0) AS BIGINT) AS units
    FROM usage_total WHERE tenant_id = :tenant AND license_id = :license GROUP BY meter";

const DISPUTED: &str = "SELECT meter, CAST(COALESCE(SUM(disputed_units), 0) AS BIGINT) AS units
    FROM usage_total WHERE tenant_id = :tenant AND license_id = :license GROUP BY meter";

const LICENSE_SERIES: &str = "SELECT meter, bucket_at, units FROM usage_bucket
    WHERE tenant_id = :tenant AND license_id = :license AND grain = :grain
        AND bucket_at >= :start AND bucket_at < :until";

const PRODUCT_SERIES: &str = "SELECT meter, bucket_at,
        CAST(COALESCE(SUM(units), 0) AS BIGINT) AS units
    FROM usage_bucket
    WHERE tenant_id = :tenant AND product_id = :product AND grain = :grain
        AND bucket_at >= :start AND bucket_at < :until
    GROUP BY meter, bucket_at";

const TOP_LICENSES: &str = "SELECT license_id, CAST(COALESCE(SUM(units), 0) AS BIGINT) AS units
    FROM usage_bucket
    WHERE tenant_id = :tenant AND product_id = :product AND grain = :grain
        AND bucket_at >= :start AND bucket_at < :until
    GROUP BY license_id ORDER BY units DESC, license_id LIMIT :limit";

pub(super) const ALL: &[&str] = &[
    TOTALS,
    DISPUTED,
    LICENSE_SERIES,
    PRODUCT_SERIES,
    TOP_LICENSES,
];

fn by_meter(rows: Vec<Row>) -> Result<BTreeMap<String, i64>, StoreError> {
    let pair = |row: Row| Ok((row.text("meter")?, row.int("units")?));
    rows.into_iter().map(pair).collect()
}

/// What a license has used in all, by meter name.
pub fn totals(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    by_meter(tx.query(TOTALS, &params)?)
}

/// What copies of a license's devices reported beside its totals, by meter name.
pub fn disputed(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
) -> Result<BTreeMap<String, i64>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    by_meter(tx.query(DISPUTED, &params)?)
}

fn window_params(owner: (&'static str, &[u8; 16]), window: Window) -> [(&'static str, Value); 4] {
    [
        (owner.0, owner.1.into()),
        ("grain", window.grain.name().into()),
        ("start", window.from.into()),
        ("until", window.until().into()),
    ]
}

fn series(rows: Vec<Row>, window: Window) -> Result<BTreeMap<String, Vec<Day>>, StoreError> {
    let mut meters: BTreeMap<String, Vec<Day>> = BTreeMap::new();
    for row in rows {
        let day = Day {
            at: row.at("bucket_at")?,
            units: row.int("units")?,
        };
        meters.entry(row.text("meter")?).or_default().push(day);
    }
    for days in meters.values_mut() {
        *days = window.fill(days);
    }
    Ok(meters)
}

/// A license's units by step of the window, by meter name.
pub fn series_of_license(
    tx: &mut dyn Tx,
    tenant: TenantId,
    license: LicenseId,
    window: Window,
) -> Result<BTreeMap<String, Vec<Day>>, StoreError> {
    let mut params = window_params(("license", license.as_bytes()), window).to_vec();
    params.push(("tenant", tenant.as_bytes().into()));
    series(tx.query(LICENSE_SERIES, &params)?, window)
}

/// A product's units by step of the window, over all its licenses, by meter name.
pub fn series_of_product(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
    window: Window,
) -> Result<BTreeMap<String, Vec<Day>>, StoreError> {
    let mut params = window_params(("product", product.as_bytes()), window).to_vec();
    params.push(("tenant", tenant.as_bytes().into()));
    series(tx.query(PRODUCT_SERIES, &params)?, window)
}

/// The licenses of a product that used most in the window.
pub fn top_licenses(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
    window: Window,
) -> Result<Vec<LicenseUnits>, StoreError> {
    let mut params = window_params(("product", product.as_bytes()), window).to_vec();
    params.push(("tenant", tenant.as_bytes().into()));
    params.push(("limit", TOP.into()));
    let license = |row: &Row| {
        Ok(LicenseUnits {
            license: row.id("license_id", LicenseId::from_bytes)?,
            units: row.int("units")?,
        })
    };
    tx.query(TOP_LICENSES, &params)?
        .iter()
        .map(license)
        .collect()
}
