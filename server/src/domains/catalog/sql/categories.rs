//! The category tree.

use crate::domains::catalog::model::{CategoryCount, CategoryRef};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{CategoryId, TenantId};

const INSERT: &str = "INSERT INTO category
    (category_id, tenant_id, parent_id, path, name, depth, product_count)
    VALUES (:category, :tenant, :parent, :path, :name, :depth, 0)
    ON CONFLICT DO NOTHING";

const BY_PATH: &str = "SELECT category_id, path, name, product_count FROM category
    WHERE tenant_id = :tenant AND path = :path";

const BY_ID: &str = "SELECT category_id, path, name, product_count FROM category
    WHERE tenant_id = :tenant AND category_id = :category";

const CHILDREN: &str = "SELECT category_id, path, name, product_count FROM category
    WHERE tenant_id = :tenant AND parent_id = :category AND product_count > 0
    ORDER BY name, category_id LIMIT 500";

const ALL: &str = "SELECT category_id, path, name, product_count FROM category
    WHERE tenant_id = :tenant AND depth > 0 ORDER BY path LIMIT 2000";

const ADD_COUNT: &str = "UPDATE category SET product_count = product_count + :delta
    WHERE tenant_id = :tenant AND category_id = :category";

fn from_row(row: &Row) -> Result<CategoryCount, StoreError> {
    Ok(CategoryCount {
        category: CategoryRef {
            id: row.id("category_id", CategoryId::from_bytes)?,
            path: row.text("path")?,
            name: row.text("name")?,
        },
        count: u64::try_from(row.int("product_count")?).unwrap_or(0),
    })
}

/// Inserts a node below `parent` (`None` for the root); `false` when the path is there already.
pub(crate) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    category: &CategoryRef,
    parent: Option<CategoryId>,
) -> Result<bool, StoreError> {
    let depth = match category.path.as_str() {
        "" => 0,
        path => 1 + path.matches('/').count(),
    };
    let params = [
        ("category", category.id.as_bytes().into()),
        ("tenant", tenant.as_bytes().into()),
        ("parent", parent.as_ref().map(CategoryId::as_bytes).into()),
        ("path", category.path.as_str().into()),
        ("name", category.name.as_str().into()),
        ("depth", i64::try_from(depth).unwrap_or(i64::MAX).into()),
    ];
    Ok(tx.execute(INSERT, &params)? == 1)
}

/// The category at `path`; the root's is empty.
pub(crate) fn by_path(
    tx: &mut dyn Tx,
    tenant: TenantId,
    path: &str,
) -> Result<Option<CategoryCount>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("path", path.into())];
    tx.query_one(BY_PATH, &params)?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// The category with that id.
pub(crate) fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: CategoryId,
) -> Result<Option<CategoryCount>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("category", id.as_bytes().into()),
    ];
    tx.query_one(BY_ID, &params)?
        .as_ref()
        .map(from_row)
        .transpose()
}

/// What is right below a category and not empty, by name.
pub(crate) fn children(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: CategoryId,
) -> Result<Vec<CategoryCount>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("category", id.as_bytes().into()),
    ];
    tx.query(CHILDREN, &params)?.iter().map(from_row).collect()
}

/// Every category but the root, by path.
pub(crate) fn all(tx: &mut dyn Tx, tenant: TenantId) -> Result<Vec<CategoryCount>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into())];
    tx.query(ALL, &params)?.iter().map(from_row).collect()
}

/// Adds `delta` to a category's count of listed products.
pub(crate) fn add_count(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: CategoryId,
    delta: i64,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("category", id.as_bytes().into()),
        ("delta", Value::Int(delta)),
    ];
    tx.execute(ADD_COUNT, &params).map(drop)
}
