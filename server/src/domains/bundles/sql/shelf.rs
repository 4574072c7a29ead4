//! SQL of what lists and the search read of bundles.

use super::super::shelf::Card;
use crate::store::rows::{self, CHUNK};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::id::{BundleId, CategoryId, TenantId};
use mintreu::{Currency, Money};

const INSERT_CARD: &str = "\
INSERT INTO bundle_card (tenant_id, bundle_id, seller_id, slug, name, summary, amount_minor, currency,
    more_prices)
SELECT tenant_id, bundle_id, seller_id, slug, name, summary, :amount, :currency, :more FROM bundle
WHERE tenant_id = :tenant AND bundle_id = :bundle";

const INSERT_PLACE: &str = "\
INSERT INTO bundle_shelf (tenant_id, category_id, bundle_id, price_band)
VALUES (:tenant, :category, :bundle, :band)
ON CONFLICT (tenant_id, category_id, bundle_id) DO NOTHING";

const INSERT_WORDS: &str = "\
INSERT INTO bundle_word (tenant_id, word, bundle_id) VALUES (:tenant, :word, :bundle)";

const DROP_CARD: &str = "\
DELETE FROM bundle_card WHERE tenant_id = :tenant AND bundle_id = :bundle";

const DROP_PLACES: &str = "\
DELETE FROM bundle_shelf WHERE tenant_id = :tenant AND bundle_id = :bundle";

const DROP_WORDS: &str = "\
DELETE FROM bundle_word WHERE tenant_id = :tenant AND bundle_id = :bundle";

const NEWEST: &str = "\
SELECT c.bundle_id, c.slug, c.name, c.summary, c.amount_minor, c.currency, c.more_prices,
    s.name AS seller
FROM bundle_card c JOIN seller s ON s.account_id = c.seller_id
WHERE c.tenant_id = :tenant AND c.bundle_id < :before ORDER BY c.bundle_id DESC LIMIT :limit";

const SHELVED: &str = "\
SELECT c.bundle_id, c.slug, c.name, c.summary, c.amount_minor, c.currency, c.more_prices,
    s.name AS seller
FROM bundle_shelf l
JOIN bundle_card c ON c.tenant_id = l.tenant_id AND c.bundle_id = l.bundle_id
JOIN seller s ON s.account_id = c.seller_id
WHERE l.tenant_id = :tenant AND l.category_id = :category AND l.bundle_id < :before
    AND (CAST(:band AS BIGINT) < 0 OR l.price_band = :band)
ORDER BY l.bundle_id DESC LIMIT :limit";

const FOUND: &str = "\
SELECT w.bundle_id FROM bundle_word w
JOIN bundle_shelf l ON l.tenant_id = w.tenant_id AND l.category_id = :category
    AND l.bundle_id = w.bundle_id
WHERE w.tenant_id = :tenant AND w.bundle_id < :before
    AND (CAST(:band AS BIGINT) < 0 OR l.price_band = :band)
    AND w.word IN (:word)
GROUP BY w.bundle_id HAVING COUNT(*) = :words ORDER BY w.bundle_id DESC LIMIT :limit";

const CARDS: &str = "\
SELECT c.bundle_id, c.slug, c.name, c.summary, c.amount_minor, c.currency, c.more_prices,
    s.name AS seller
FROM bundle_card c JOIN seller s ON s.account_id = c.seller_id
WHERE c.tenant_id = :tenant AND c.bundle_id IN (:bundle)
ORDER BY c.bundle_id DESC";

fn of(tenant: TenantId, bundle: BundleId) -> Vec<(&'static str, Value)> {
    vec![
        ("tenant", tenant.as_bytes().into()),
        ("bundle", bundle.as_bytes().into()),
    ]
}

/// Takes a bundle out of every list.
pub(in super::super) fn drop_all(
    tx: &mut dyn Tx,
    tenant: TenantId,
    bundle: BundleId,
) -> Result<(), StoreError> {
    for sql in [DROP_CARD, DROP_PLACES, DROP_WORDS] {
        tx.execute(sql, &of(tenant, bundle))?;
    }
    Ok(())
}

/// What lists shall read of a bundle.
pub(in super::super) struct Shelved<'a> {
    /// What it costs; the first of its currencies in which it can be bought.
    pub amount: Money,
    /// Whether it can be bought in another currency too.
    pub more: bool,
    /// The number of its price band.
    pub band: i64,
    /// Where it stands, each once or more.
    pub places: &'a [CategoryId],
    /// What finds it, each once.
    pub words: &'a [String],
}

/// Puts a bundle into the lists that it is in none of.
pub(in super::super) fn insert(
    tx: &mut dyn Tx,
    (tenant, bundle): (TenantId, BundleId),
    shelved: &Shelved<'_>,
) -> Result<(), StoreError> {
    let mut params = of(tenant, bundle);
    params.extend([
        ("amount", shelved.amount.minor().into()),
        ("currency", shelved.amount.currency().code().into()),
        ("more", i64::from(shelved.more).into()),
    ]);
    tx.execute(INSERT_CARD, &params)?;
    for category in shelved.places {
        let mut params = of(tenant, bundle);
        params.push(("category", category.as_bytes().into()));
        params.push(("band", shelved.band.into()));
        tx.execute(INSERT_PLACE, &params)?;
    }
    for word in shelved.words {
        let mut params = of(tenant, bundle);
        params.push(("word", word.as_str().into()));
        tx.execute(INSERT_WORDS, &params)?;
    }
    Ok(())
}

fn card(row: &Row) -> Result<Card, StoreError> {
    let currency = Currency::parse(&row.text("currency")?);
    let currency = currency.map_err(|error| StoreError::shape(error.to_string()))?;
    Ok(Card {
        id: row.id("bundle_id", BundleId::from_bytes)?,
        slug: row.text("slug")?,
        name: row.text("name")?,
        summary: row.text("summary")?,
        seller: row.text("seller")?,
        price: Money::new(row.int("amount_minor")?, currency),
        more_prices: row.int("more_prices")? != 0,
    })
}

/// The newest of all.
pub(in super::super) fn newest(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (before, limit): (&[u8; 16], i64),
) -> Result<Vec<Card>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("before", before.into()),
        ("limit", limit.into()),
    ];
    tx.query(NEWEST, &params)?.iter().map(card).collect()
}

/// Where to look: a category and a price band, below zero for any.
pub(in super::super) type Within = (TenantId, CategoryId, i64);

/// The newest of a category.
pub(in super::super) fn shelved(
    tx: &mut dyn Tx,
    (tenant, category, band): Within,
    (before, limit): (&[u8; 16], i64),
) -> Result<Vec<Card>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("category", category.as_bytes().into()),
        ("band", band.into()),
        ("before", before.into()),
        ("limit", limit.into()),
    ];
    tx.query(SHELVED, &params)?.iter().map(card).collect()
}

/// The newest of a category that every one of these words finds.
pub(in super::super) fn found(
    tx: &mut dyn Tx,
    ((tenant, category, band), words): (Within, &[String]),
    (before, limit): (&[u8; 16], i64),
) -> Result<Vec<Card>, StoreError> {
    let shared = [
        ("tenant", tenant.as_bytes().into()),
        ("category", category.as_bytes().into()),
        ("band", band.into()),
        ("before", before.into()),
        (
            "words",
            i64::try_from(words.len()).unwrap_or(i64::MAX).into(),
        ),
        ("limit", limit.min(CHUNK as i64).into()),
    ];
    let among = words.iter().map(|word| word.as_str().into());
    let found = rows::any_of(tx, FOUND, &shared, among)?;
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let ids = found
        .iter()
        .map(|row| row.id("bundle_id", BundleId::from_bytes));
    let ids = ids.collect::<Result<Vec<_>, _>>()?;
    let shared = [("tenant", tenant.as_bytes().into())];
    let among = ids.iter().map(|id| id.as_bytes().into());
    let cards = rows::any_of(tx, CARDS, &shared, among)?;
    cards.iter().map(card).collect()
}
