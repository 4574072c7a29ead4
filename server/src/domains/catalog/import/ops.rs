//! The two commands of an import, and the question for its report.

use super::record::{Item, Place, Record, Refusal, Vendor};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog::model::{
    CategoryRef, CheckedDraft, Price, Product, ProductDraft, Seller, Standing, State, check,
};
use crate::domains::catalog::ops::placing::{Deltas, Tree, place, words};
use crate::domains::catalog::ops::shop::{add_below, insert_seller, root};
use crate::domains::catalog::ops::{COUNTS, CatalogError};
use crate::domains::catalog::sql::imports::{self, RunRow};
use crate::domains::catalog::sql::{listing, products, sellers};
use mintreu::id::{AccountId, ImportId, PriceId, ProductId};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Most items of one chunk: one commit writes at most about ten rows for each.
pub const MAX_CHUNK: usize = 1000;

/// How far a run is; read = created + updated + unchanged + refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRun {
    /// The run.
    pub id: ImportId,
    /// Items read, all of them decided.
    pub position: u64,
    /// A chain of hashes over the items read: equal only for the same items.
    pub prefix: [u8; 32],
    /// New products.
    pub created: u64,
    /// Products written anew because the item had changed.
    pub updated: u64,
    /// Products that stay as they were.
    pub unchanged: u64,
    /// Items that were not taken.
    pub refused: u64,
}

impl From<RunRow> for ImportRun {
    fn from(row: RunRow) -> Self {
        let count = |value| u64::try_from(value).unwrap_or(0);
        Self {
            id: row.import,
            position: count(row.position),
            prefix: row.prefix_hash.try_into().unwrap_or_default(),
            created: count(row.created),
            updated: count(row.updated),
            unchanged: count(row.unchanged),
            refused: count(row.refused),
        }
    }
}

/// The next link of the chain of hashes that a run keeps.
pub(super) fn link(prefix: &[u8; 32], digest: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update(prefix)
        .chain_update(digest)
        .finalize()
        .into()
}

/// Whether a run that hasn't ended is gone on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Where it stopped, if there is one.
    Resume,
    /// From the beginning; open runs end as superseded.
    Anew,
}

/// Opens a run of a source.
#[derive(Debug, Clone)]
pub struct StartImport {
    /// The format's name: runs are told apart by it.
    pub source: &'static str,
    /// What becomes of a run that hasn't ended.
    pub start: Start,
}

impl Command for StartImport {
    const NAME: &'static str = "catalog.start_import";
    const CAPABILITY: Capability = Capability::Administer;
}

/// See [`StartImport`].
pub fn start_import(cx: &mut Cx<'_>, command: &StartImport) -> Result<ImportRun, CatalogError> {
    let tenant = cx.caller.tenant;
    let open = imports::open_run(cx.tx, tenant, command.source)?;
    if let (Start::Resume, Some(open)) = (command.start, open) {
        return Ok(open.into());
    }
    imports::supersede(cx.tx, tenant, command.source, cx.now)?;
    let import = cx.make_id(ImportId::from_bytes);
    Ok(imports::insert_run(cx.tx, tenant, (import, command.source), cx.now)?.into())
}

/// Writes the next items of a run.
#[derive(Debug, Clone)]
pub struct ImportChunk {
    /// An open run.
    pub import: ImportId,
    /// Where it stands: a chunk that is repeated, or runs beside another, is refused.
    pub position: u64,
    /// At most [`MAX_CHUNK`].
    pub items: Vec<Item>,
    /// Whether these are the last.
    pub last: bool,
}

impl Command for ImportChunk {
    const NAME: &'static str = "catalog.import_chunk";
    const CAPABILITY: Capability = Capability::Administer;
    fn subject(&self) -> Option<String> {
        Some(self.import.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![COUNTS.to_owned()]
    }
}

/// What one chunk gathers before it is written.
#[derive(Default)]
struct Batch {
    tree: Tree,
    sellers: HashMap<String, Seller>,
    fresh: Vec<(String, Product, [u8; 32])>,
    refusals: Vec<(i64, &'static str, String)>,
}

/// See [`ImportChunk`].
pub fn import_chunk(cx: &mut Cx<'_>, command: &ImportChunk) -> Result<ImportRun, CatalogError> {
    let tenant = cx.caller.tenant;
    let run = imports::run(cx.tx, tenant, command.import)?;
    let mut run = run.ok_or(CatalogError::NotFound("import"))?;
    if u64::try_from(run.position) != Ok(command.position) || command.items.len() > MAX_CHUNK {
        return Err(CatalogError::CursorUnknown);
    }
    let mut batch = Batch::default();
    for item in &command.items {
        let digest = item.digest();
        let prefix = run.prefix_hash.as_slice().try_into().unwrap_or_default();
        run.prefix_hash = link(&prefix, &digest).to_vec();
        run.position += 1;
        let taken = match &item.outcome {
            Ok(record) => take(cx, &mut batch, (&mut run, record), digest)?,
            Err(refusal) => Err(refusal.clone()),
        };
        if let Err(refusal) = taken {
            run.refused += 1;
            let line = i64::try_from(item.line).unwrap_or(i64::MAX);
            batch.refusals.push((line, refusal.code, refusal.detail));
        }
    }
    write(cx, batch, command.import)?;
    imports::save_run(cx.tx, tenant, (&run, command.last), cx.now)?;
    Ok(run.into())
}

/// Decides about one record: new, changed, the same, or refused.
fn take(
    cx: &mut Cx<'_>,
    batch: &mut Batch,
    (run, record): (&mut RunRow, &Record),
    digest: [u8; 32],
) -> Result<Result<(), Refusal>, CatalogError> {
    let tenant = cx.caller.tenant;
    let twice = || Refusal::new("duplicate", format!("{} is there twice", record.origin));
    if batch
        .fresh
        .iter()
        .any(|(origin, ..)| *origin == record.origin)
    {
        return Ok(Err(twice()));
    }
    let Some(known) = imports::item(cx.tx, tenant, &record.origin)? else {
        return create(cx, batch, (run, record), digest);
    };
    if known.import == run.import {
        return Ok(Err(twice()));
    }
    if known.content_hash == digest {
        imports::save_item(cx.tx, (tenant, run.import), &record.origin, &digest)?;
        run.unchanged += 1;
        return Ok(Ok(()));
    }
    let Some(product) = products::by_id(cx.tx, tenant, known.product)? else {
        return Err(CatalogError::NotFound("product"));
    };
    if product.seller.claimed_at.is_some() {
        let detail = format!("{} is managed by its seller now", record.slug);
        return Ok(Err(Refusal::new("claimed", detail)));
    }
    let draft = match draft(record) {
        Ok(draft) => draft,
        Err(refusal) => return Ok(Err(refusal)),
    };
    update(cx, batch, product, (record, &draft))?;
    imports::save_item(cx.tx, (tenant, run.import), &record.origin, &digest)?;
    run.updated += 1;
    Ok(Ok(()))
}

fn create(
    cx: &mut Cx<'_>,
    batch: &mut Batch,
    (run, record): (&mut RunRow, &Record),
    digest: [u8; 32],
) -> Result<Result<(), Refusal>, CatalogError> {
    let draft = match draft(record) {
        Ok(draft) => draft,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let mut product = Product {
        id: cx.make_id(ProductId::from_bytes),
        seller: seller(cx, batch, &record.vendor)?,
        slug: draft.slug.clone(),
        code: draft.code.clone(),
        kind: draft.kind,
        state: State::Published,
        name: String::new(),
        summary: String::new(),
        description: String::new(),
        language: draft.language.clone(),
        version: String::new(),
        homepage: None,
        spdx: None,
        terms: draft.terms.clone(),
        prices: Vec::new(),
        regional: Vec::new(),
        meters: Vec::new(),
        categories: places(cx, batch, &record.places)?,
        created_at: cx.now,
        updated_at: cx.now,
        published_at: Some(cx.now),
    };
    describe(&mut product, &draft);
    for wanted in &draft.prices {
        let id = cx.make_id(PriceId::from_bytes);
        product.prices.push(Price {
            id,
            plan: id,
            regional: false,
            terms: None,
            trial: wanted.trial,
            model: wanted.model,
            period: wanted.period,
            amount: wanted.amount,
            bounds: wanted.bounds.clone(),
        });
    }
    if !products::insert_if_free(cx.tx, cx.caller.tenant, &product)? {
        let detail = format!(
            "the address {} or the code {} is taken",
            record.slug, record.code
        );
        return Ok(Err(Refusal::new("name_taken", detail)));
    }
    run.created += 1;
    batch.fresh.push((record.origin.clone(), product, digest));
    Ok(Ok(()))
}

/// The record as a seller would have written it, so that the same rules hold for both.
fn draft(record: &Record) -> Result<CheckedDraft, Refusal> {
    let paths = record.places.iter().map(|place| path(&place.0));
    let draft = ProductDraft {
        slug: Some(record.slug.clone()),
        code: record.code.clone(),
        kind: record.kind,
        name: record.name.clone(),
        summary: record.summary.clone(),
        description: record.description.clone(),
        language: "en".to_owned(),
        version: record.version.clone(),
        homepage: record.homepage.clone(),
        spdx: record.spdx.clone(),
        categories: paths.take(20).collect(),
        prices: vec![record.price.clone()],
        meters: Vec::new(),
        terms: Default::default(),
    };
    check(&draft).map_err(|found| {
        let sentences: Vec<String> = found
            .iter()
            .map(|error| format!("{}: {}", error.field, error.detail))
            .collect();
        Refusal::new("field_invalid", sentences.join("; "))
    })
}

fn describe(product: &mut Product, draft: &CheckedDraft) {
    product.name.clone_from(&draft.name);
    product.summary.clone_from(&draft.summary);
    product.description.clone_from(&draft.description);
    product.version.clone_from(&draft.version);
    product.homepage.clone_from(&draft.homepage);
    product.spdx.clone_from(&draft.spdx);
}

fn update(
    cx: &mut Cx<'_>,
    batch: &mut Batch,
    mut product: Product,
    (record, draft): (&Record, &CheckedDraft),
) -> Result<(), CatalogError> {
    let tenant = cx.caller.tenant;
    describe(&mut product, draft);
    product.categories = places(cx, batch, &record.places)?;
    product.updated_at = cx.now;
    let vendor = seller(cx, batch, &record.vendor)?;
    if vendor.account != product.seller.account {
        products::hand_over(cx.tx, tenant, product.id, vendor.account)?;
        product.seller = vendor;
    }
    if !products::update(cx.tx, tenant, &product)? {
        return Err(CatalogError::NotFound("product"));
    }
    Ok(place(cx.tx, tenant, &product)?)
}

/// The seller that a vendor is, made with the first product; nobody can sign in as it yet.
fn seller(cx: &mut Cx<'_>, batch: &mut Batch, vendor: &Vendor) -> Result<Seller, CatalogError> {
    if let Some(known) = batch.sellers.get(&vendor.key) {
        return Ok(known.clone());
    }
    let origin = Sha256::digest(vendor.key.as_bytes());
    let seller = match sellers::by_origin(cx.tx, cx.caller.tenant, &origin)? {
        Some(known) => known,
        None => {
            let unclaimed = Seller {
                account: cx.make_id(AccountId::from_bytes),
                slug: String::new(),
                name: vendor.name.clone(),
                about: String::new(),
                claimed_at: None,
                standing: Standing::Active,
            };
            insert_seller(cx, unclaimed, Some(&origin))?
        }
    };
    batch.sellers.insert(vendor.key.clone(), seller.clone());
    Ok(seller)
}

fn path(levels: &[(String, String)]) -> String {
    let slugs: Vec<&str> = levels.iter().map(|(slug, _)| slug.as_str()).collect();
    slugs.join("/")
}

fn places(
    cx: &mut Cx<'_>,
    batch: &mut Batch,
    places: &[Place],
) -> Result<Vec<CategoryRef>, CatalogError> {
    let top = root(cx, &mut batch.tree)?;
    let mut chosen: Vec<CategoryRef> = Vec::new();
    for Place(levels) in places {
        let mut at = top.clone();
        for depth in 1..=levels.len() {
            let (path, name) = (path(&levels[..depth]), &levels[depth - 1].1);
            at = add_below(cx, &mut batch.tree, &at, (&path, name))?;
        }
        if chosen.iter().all(|known| known.id != at.id) {
            chosen.push(at);
        }
    }
    Ok(chosen)
}

/// Writes what the chunk gathered, rows of one kind together.
fn write(cx: &mut Cx<'_>, mut batch: Batch, import: ImportId) -> Result<(), CatalogError> {
    let (tenant, now) = (cx.caller.tenant, cx.now);
    let (mut deltas, mut placements) = (Deltas::default(), Vec::new());
    let (mut prices, mut tokens, mut items) = (Vec::new(), Vec::new(), Vec::new());
    for (origin, product, digest) in batch.fresh {
        for placement in batch.tree.placements(cx.tx, tenant, &product)? {
            deltas.add(placement.shelved(), 1);
            placements.push(placement);
        }
        prices.extend(
            (0..)
                .zip(&product.prices)
                .map(|(at, price)| (product.id, at, price.clone())),
        );
        tokens.push((product.id, words(&product)));
        items.push((origin, product.id, digest));
    }
    products::insert_prices(cx.tx, tenant, &prices, now)?;
    listing::insert(cx.tx, tenant, &placements)?;
    products::insert_words(cx.tx, tokens)?;
    listing::insert_found(cx.tx, tenant, &placements)?;
    imports::insert_items(cx.tx, (tenant, import), items)?;
    imports::insert_refusals(cx.tx, import, batch.refusals)?;
    Ok(deltas.write(cx.tx, tenant)?)
}

/// Asks for a run's refusals.
#[derive(Debug, Clone, Copy)]
pub(super) struct Refusals {
    pub import: ImportId,
    /// How many are told one by one.
    pub limit: u32,
}

/// How many items were refused for each reason, and the first of them: line, code, sentence.
pub(super) type Refused = (Vec<(String, u64)>, Vec<(u64, String, String)>);

/// See [`Refusals`].
pub(super) fn refusals(cx: &mut ReadCx<'_>, query: &Refusals) -> Result<Refused, CatalogError> {
    let codes = imports::refusal_codes(cx.tx, query.import)?;
    Ok((
        codes,
        imports::refusals(cx.tx, query.import, i64::from(query.limit))?,
    ))
}
