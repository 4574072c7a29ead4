//! Puts products into categories and into the word index, and keeps the counts.

use crate::domains::catalog::model::{CategoryRef, PriceBand, Product};
use crate::domains::catalog::sql::counts::Shelved;
use crate::domains::catalog::sql::listing::Placement;
use crate::domains::catalog::sql::{categories, counts, listing, products};
use crate::domains::catalog::tokens::{Tokenizer, fold};
use crate::store::{StoreError, Tx};
use mintreu::id::{CategoryId, TenantId};
use std::collections::{BTreeMap, HashMap};

/// Categories by path, each looked up once.
#[derive(Debug, Default)]
pub(crate) struct Tree(HashMap<String, CategoryRef>);

impl Tree {
    /// The category at `path`.
    pub(crate) fn at(
        &mut self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        path: &str,
    ) -> Result<Option<CategoryRef>, StoreError> {
        if let Some(known) = self.0.get(path) {
            return Ok(Some(known.clone()));
        }
        let found = categories::by_path(tx, tenant, path)?.map(|found| found.category);
        if let Some(category) = &found {
            self.0.insert(path.to_owned(), category.clone());
        }
        Ok(found)
    }

    /// Where a product stands: its chosen categories in order, then those above them.
    pub(crate) fn placements(
        &mut self,
        tx: &mut dyn Tx,
        tenant: TenantId,
        product: &Product,
    ) -> Result<Vec<Placement>, StoreError> {
        let mut places: Vec<(CategoryId, i64)> = Vec::new();
        for (at, category) in product.categories.iter().enumerate() {
            places.push((category.id, i64::try_from(at + 1).unwrap_or(i64::MAX)));
        }
        for category in &product.categories {
            let mut path = category.path.as_str();
            while !path.is_empty() {
                path = path.rsplit_once('/').map_or("", |(above, _)| above);
                let above = self.at(tx, tenant, path)?;
                let above = above.ok_or_else(|| StoreError::shape(format!("no {path:?}")))?;
                if places.iter().all(|(id, _)| *id != above.id) {
                    places.push((above.id, 0));
                }
            }
        }
        let place = |(category, chosen)| Placement {
            category,
            product: product.id,
            chosen,
            listed: product.is_sold(),
            kind: product.kind,
            band: PriceBand::of(&product.prices),
            name_key: fold(&product.name),
            published_at: product.published_at.unwrap_or(product.created_at),
        };
        Ok(places.into_iter().map(place).collect())
    }
}

/// How the counts of categories change in one commit.
#[derive(Debug, Default)]
pub(crate) struct Deltas(BTreeMap<Shelved, i64>);

impl Deltas {
    pub(crate) fn add(&mut self, of: Shelved, delta: i64) {
        *self.0.entry(of).or_default() += delta;
    }

    /// Writes what isn't zero, in the order of ids, so that two commits wait and don't deadlock.
    pub(crate) fn write(self, tx: &mut dyn Tx, tenant: TenantId) -> Result<(), StoreError> {
        let mut categories: BTreeMap<CategoryId, i64> = BTreeMap::new();
        for (of, delta) in &self.0 {
            *categories.entry(of.category).or_default() += delta;
        }
        for (category, delta) in categories.into_iter().filter(|(_, delta)| *delta != 0) {
            categories::add_count(tx, tenant, category, delta)?;
        }
        for (of, delta) in self.0.into_iter().filter(|(_, delta)| *delta != 0) {
            counts::add(tx, tenant, of, delta)?;
        }
        Ok(())
    }
}

/// The tokens of a product.
pub(crate) fn words(product: &Product) -> String {
    let tokenizer = Tokenizer::new(&product.language);
    tokenizer.index(&product.name, &product.summary, &product.description)
}

/// Places a product anew, after it was made or changed.
pub(crate) fn place(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: &Product,
) -> Result<(), StoreError> {
    let mut deltas = Deltas::default();
    for shelved in listing::take_out(tx, tenant, product.id)? {
        deltas.add(shelved, -1);
    }
    let placements = Tree::default().placements(tx, tenant, product)?;
    listing::insert(tx, tenant, &placements)?;
    products::drop_words(tx, product.id)?;
    listing::drop_found(tx, product.id)?;
    if product.is_sold() {
        for placement in &placements {
            deltas.add(placement.shelved(), 1);
        }
        products::insert_words(tx, vec![(product.id, words(product))])?;
        listing::insert_found(tx, tenant, &placements)?;
    }
    deltas.write(tx, tenant)
}
