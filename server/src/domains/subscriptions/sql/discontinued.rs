//! SQL of products that are given up, and of the subscriptions that live of them.

use super::subscription;
use crate::domains::subscriptions::model::{Discontinuation, Living, Subscription};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, ProductId, SubscriptionId, TenantId};

const FIND: &str = "\
SELECT product_id, seller_id, wished_at, called_off_at, round, cursor_id, told, done_at
FROM subscription_discontinuation WHERE tenant_id = :tenant AND product_id = :product";

const PUT: &str = "\
INSERT INTO subscription_discontinuation (tenant_id, product_id, seller_id, wished_at,
    called_off_at, round, cursor_id, told, done_at)
VALUES (:tenant, :product, :seller, :wished, :called_off, :round, :cursor, :told, :done)
ON CONFLICT (tenant_id, product_id) DO UPDATE SET seller_id = excluded.seller_id,
    wished_at = excluded.wished_at, called_off_at = excluded.called_off_at,
    round = excluded.round, cursor_id = excluded.cursor_id, told = excluded.told,
    done_at = excluded.done_at";

const LIVING: &str = "\
SELECT * FROM subscription WHERE tenant_id = :tenant AND product_id = :product
    AND status <> 'canceled' AND keeps_license = 0 AND subscription_id > :after AND created_at <= :since
ORDER BY subscription_id LIMIT :limit";

const COUNT_LIVING: &str = "\
SELECT status, COUNT(*) AS living, MAX(period_end) AS last_end FROM subscription
WHERE tenant_id = :tenant AND product_id = :product AND status <> 'canceled' AND keeps_license = 0
GROUP BY status ORDER BY status";

/// What its seller decided of a product's subscriptions, if anything.
pub fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
) -> Result<Option<Discontinuation>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    let row = tx.query_one(FIND, &params)?;
    row.as_ref().map(discontinuation).transpose()
}

fn discontinuation(row: &Row) -> Result<Discontinuation, StoreError> {
    let cursor = row.blob("cursor_id")?;
    let cursor = match cursor.is_empty() {
        true => None,
        false => Some(row.id("cursor_id", SubscriptionId::from_bytes)?),
    };
    Ok(Discontinuation {
        product: row.id("product_id", ProductId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        wished_at: row.at("wished_at")?,
        called_off_at: row.opt_at("called_off_at")?,
        round: row.int("round")?,
        cursor,
        told: row.int("told")?,
        done_at: row.opt_at("done_at")?,
    })
}

/// Writes where it stands.
pub fn put(tx: &mut dyn Tx, tenant: TenantId, of: &Discontinuation) -> Result<(), StoreError> {
    let cursor = of.cursor.as_ref();
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", of.product.as_bytes().into()),
        ("seller", of.seller.as_bytes().into()),
        ("wished", of.wished_at.into()),
        ("called_off", of.called_off_at.into()),
        ("round", of.round.into()),
        ("cursor", cursor.map_or(&[][..], |id| id.as_bytes()).into()),
        ("told", of.told.into()),
        ("done", of.done_at.into()),
    ];
    tx.execute(PUT, &params).map(drop)
}

/// The next living subscriptions of a product that its round comes to, in the order of their ids:
/// those that were there when its seller gave it up.
pub fn living(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: &Discontinuation,
    limit: i64,
) -> Result<Vec<Subscription>, StoreError> {
    let after = of.cursor.unwrap_or(SubscriptionId::from_bytes([0; 16]));
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", of.product.as_bytes().into()),
        ("after", after.as_bytes().into()),
        ("since", of.wished_at.into()),
        ("limit", limit.into()),
    ];
    let rows = tx.query(LIVING, &params)?;
    rows.iter().map(subscription).collect()
}

/// How many subscriptions of a product live, and how.
pub fn count_living(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
) -> Result<Living, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("product", product.as_bytes().into()),
    ];
    let mut living = Living::default();
    for row in tx.query(COUNT_LIVING, &params)? {
        let count = row.int("living")?;
        match row.text("status")?.as_str() {
            "active" => living.paid += count,
            "trialing" => living.trials += count,
            _ => {
                living.at_once += count;
                continue;
            }
        }
        living.last = living.last.max(row.opt_at("last_end")?);
    }
    Ok(living)
}
