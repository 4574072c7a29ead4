//! Use cases of batches: issue many, see how far it is, take the codes out, withdraw.

use super::keys;
use super::model::{self, Batch, BatchKind, BatchState, MAX_AT_ONCE};
use super::sql::{self, Item, Of};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Caller, Capability, Role};
use crate::custody::Custody;
use crate::domains::catalog::{self, Product};
use crate::domains::licensing::ops as licensing;
use crate::domains::licensing::{Code, Grant, LicensingError};
use crate::queue::{self, JobError};
use crate::store::Tx;
use mintreu::Timestamp;
use mintreu::id::{AccountId, BatchId, LicenseId, TenantId};
use serde::{Deserialize, Serialize};

/// The job that issues what a batch still lacks.
pub const FILL_JOB: &str = "licensing.fill_batch";
/// The job that withdraws what a batch has.
pub const REVOKE_JOB: &str = "licensing.revoke_batch";
/// Licenses of one commit of a job: less than a call's, since nobody waits for it.
const CHUNK: i64 = 500;
/// Most rows of one page.
const MAX_PAGE: i64 = 1_000;
/// Later than every id.
const NEWEST: [u8; 16] = [0xff; 16];
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Issues many licenses of one's own product, without owners: whoever redeems one owns it.
#[derive(Debug, Clone, Default)]
pub struct Generate {
    /// Part of the product's address.
    pub slug: String,
    /// How many.
    pub count: i64,
    /// What the batch is called; may be empty.
    pub label: String,
    /// Seats of each, instead of the product's.
    pub seats: Option<i64>,
    /// When each ends, instead of as the product says.
    pub expires_at: Option<Timestamp>,
}

impl Command for Generate {
    const NAME: &'static str = "licensing.generate";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.slug.clone())
    }
}

/// Which batch came of it; it may be stored, since it holds no code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The batch.
    pub batch: String,
    /// Whether all of its licenses are there.
    pub done: bool,
}

impl Generated {
    /// The batch's id.
    pub fn id(&self) -> Result<BatchId, LicensingError> {
        BatchId::parse(&self.batch).map_err(LicensingError::Signing)
    }
}

/// Up to a thousand licenses are there at once; more come by the job, and how far it is shows.
pub fn generate(cx: &mut Cx<'_>, cmd: &Generate) -> Result<Generated, LicensingError> {
    let product = own_product(cx.tx, cx.caller, &cmd.slug)?;
    let mut batch = begin(cx, &product, BatchKind::Codes, &cmd.label)?;
    batch.wanted = model::count(cmd.count)?;
    if let Some(seats) = cmd.seats {
        batch.seats = model::seats(seats)?;
    }
    if let Some(at) = cmd.expires_at {
        batch.expires_at = Some(model::end(at, cx.now)?);
    }
    sql::insert(cx.tx, cx.caller.tenant, &batch)?;
    if batch.wanted <= MAX_AT_ONCE {
        fill_up(cx, &mut batch, MAX_AT_ONCE)?;
    } else {
        queue::enqueue(cx, FILL_JOB, &OfBatch::new(batch.id), cx.now)?;
    }
    Ok(Generated {
        batch: batch.id.to_string(),
        done: batch.state == BatchState::Done,
    })
}

/// The caller's own product; another's isn't there.
pub(super) fn own_product(
    tx: &mut dyn Tx,
    caller: &Caller,
    slug: &str,
) -> Result<Product, LicensingError> {
    let product = catalog::product_by_slug(tx, caller.tenant, slug)?;
    let own = product.filter(|product| Some(product.seller.account) == caller.account);
    own.ok_or(LicensingError::NotFound)
}

/// A batch of nothing yet, with what the product grants now.
pub(super) fn begin(
    cx: &mut Cx<'_>,
    product: &Product,
    kind: BatchKind,
    label: &str,
) -> Result<Batch, LicensingError> {
    let days = product.terms.validity_days;
    let end = days.map(|days| cx.now.plus_ms(days.saturating_mul(DAY_MS)));
    Ok(Batch {
        id: cx.make_id(BatchId::from_bytes),
        seller: product.seller.account,
        product: product.id,
        product_code: product.code.clone(),
        kind,
        label: model::label(label)?,
        state: BatchState::Issuing,
        seats: product.terms.seats.max(1),
        terms: product.terms.clone(),
        expires_at: end,
        wanted: 0,
        issued: 0,
        revoked: 0,
        revoke_reason: None,
        created_at: cx.now,
    })
}

/// What a license of this batch is issued for, and under which name.
pub(super) fn grant(batch: &Batch, source: String) -> Grant {
    Grant {
        source,
        product: batch.product,
        product_code: batch.product_code.clone(),
        seller: batch.seller,
        owner: None,
        terms: batch.terms.clone(),
        seats: batch.seats,
        expires_at: batch.expires_at,
        grace_secs: 0,
    }
}

/// Issues the next licenses of a batch, at most `most`.
fn fill_up(cx: &mut Cx<'_>, batch: &mut Batch, most: i64) -> Result<(), LicensingError> {
    let until = batch.wanted.min(batch.issued.saturating_add(most));
    for place in batch.issued + 1..=until {
        let grant = grant(batch, format!("{} {place}", batch.id));
        let license = licensing::issue(cx, &grant)?.license.id;
        let item = Item {
            batch: batch.id,
            place,
            license,
            reference: "",
        };
        sql::insert_item(cx.tx, cx.caller.tenant, &item)?;
    }
    batch.issued = until;
    if batch.issued == batch.wanted {
        batch.state = BatchState::Done;
    }
    Ok(sql::advance(cx.tx, cx.caller.tenant, batch)?)
}

/// What a job of a batch carries.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OfBatch {
    /// The text of the batch's id.
    pub batch: String,
}

impl OfBatch {
    fn new(batch: BatchId) -> Self {
        Self {
            batch: batch.to_string(),
        }
    }

    fn find(&self, cx: &mut Cx<'_>) -> Result<Batch, JobError> {
        let id = BatchId::parse(&self.batch).map_err(JobError::fail)?;
        let found = sql::by_id(cx.tx, cx.caller.tenant, id)?;
        found.ok_or_else(|| JobError::fail(format!("{id} is no batch")))
    }
}

impl From<LicensingError> for JobError {
    fn from(error: LicensingError) -> Self {
        match error {
            LicensingError::Store(error) => error.into(),
            error => Self::fail(error),
        }
    }
}

/// The job: a chunk, and itself again for the rest. A batch that is withdrawn meanwhile gets no more.
pub fn fill_job(cx: &mut Cx<'_>, job: &OfBatch) -> Result<(), JobError> {
    let mut batch = job.find(cx)?;
    if batch.state != BatchState::Issuing {
        return Ok(());
    }
    fill_up(cx, &mut batch, CHUNK)?;
    if batch.state == BatchState::Issuing {
        queue::enqueue(cx, FILL_JOB, job, cx.now)?;
    }
    Ok(())
}

/// Issues the next chunk of one's own batch: for the command line, which waits for it.
#[derive(Debug, Clone, Copy)]
pub struct FillBatch {
    /// Which.
    pub batch: BatchId,
}

impl Command for FillBatch {
    const NAME: &'static str = "licensing.fill";
    const CAPABILITY: Capability = Capability::Sell;
    const AUDITED: bool = false;
}

/// See [`FillBatch`]; answers how far it is.
pub fn fill(cx: &mut Cx<'_>, cmd: &FillBatch) -> Result<Batch, LicensingError> {
    let mut batch = own(cx.tx, cx.caller, cmd.batch)?;
    if batch.state == BatchState::Issuing {
        fill_up(cx, &mut batch, CHUNK)?;
    }
    Ok(batch)
}

/// The caller's own batch; another's isn't there.
fn own(tx: &mut dyn Tx, caller: &Caller, id: BatchId) -> Result<Batch, LicensingError> {
    let batch = sql::by_id(tx, caller.tenant, id)?;
    let own = batch.filter(|batch| Some(batch.seller) == caller.account);
    own.ok_or(LicensingError::NotFound)
}

/// One of the caller's own batches.
pub fn view(cx: &mut ReadCx<'_>, id: &BatchId) -> Result<Batch, LicensingError> {
    own(cx.tx, cx.caller, *id)
}

/// Which page of a product's batches.
#[derive(Debug, Clone, Default)]
pub struct Batches {
    /// Part of the product's address.
    pub slug: String,
    /// Batches begun before this one; `None` for the newest.
    pub before: Option<BatchId>,
    /// Batches a page, at most a hundred; 0 is twenty.
    pub limit: i64,
}

/// The batches of one's own product, newest first.
pub fn list(cx: &mut ReadCx<'_>, query: &Batches) -> Result<Vec<Batch>, LicensingError> {
    let product = own_product(cx.tx, cx.caller, &query.slug)?;
    let of = Of {
        tenant: cx.caller.tenant,
        seller: product.seller.account,
        product: product.id,
    };
    let limit = match query.limit {
        0 => 20,
        limit => limit.clamp(1, 100),
    };
    let before = query.before.map_or(NEWEST, |batch| *batch.as_bytes());
    Ok(sql::page(cx.tx, of, before, limit)?)
}

/// A batch of codes that was begun and not ended, to go on with.
#[derive(Debug, Clone, Default)]
pub struct Unfinished {
    /// Part of the product's address.
    pub slug: String,
    /// Its name.
    pub label: String,
    /// How many licenses it is to have.
    pub count: i64,
}

/// See [`Unfinished`].
pub fn unfinished(
    cx: &mut ReadCx<'_>,
    query: &Unfinished,
) -> Result<Option<Batch>, LicensingError> {
    let product = own_product(cx.tx, cx.caller, &query.slug)?;
    let of = Of {
        tenant: cx.caller.tenant,
        seller: product.seller.account,
        product: product.id,
    };
    let label = model::label(&query.label)?;
    let kind = BatchKind::Codes;
    let found = sql::newest_named(cx.tx, of, kind, &label, BatchState::Issuing)?;
    Ok(found.filter(|batch| batch.wanted == query.count))
}

/// Takes what a batch's licenses are exchanged for out of the house: the audit log keeps it.
#[derive(Debug, Clone, Copy)]
pub struct OpenBatch {
    /// Which.
    pub batch: BatchId,
}

impl Command for OpenBatch {
    const NAME: &'static str = "licensing.open_batch";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.batch.to_string())
    }
}

/// The caller's own batch, whose [`batch_page`]s may now be [`opened`].
pub fn open_batch(cx: &mut Cx<'_>, cmd: &OpenBatch) -> Result<Batch, LicensingError> {
    own(cx.tx, cx.caller, cmd.batch)
}

/// Which page of a batch.
#[derive(Debug, Clone, Copy)]
pub struct SealedPage {
    /// Of which batch.
    pub batch: BatchId,
    /// The last place of the page before; 0 for the first page.
    pub after: i64,
    /// Rows a page, at most a thousand.
    pub limit: i64,
}

/// A license of a batch with what it is exchanged for, sealed.
pub struct SealedRow {
    /// Its place, from 1.
    pub place: i64,
    /// The license.
    pub license: LicenseId,
    /// What its seller knows the customer by.
    pub reference: String,
    sealed: Sealed,
}

enum Sealed {
    Code(Vec<u8>),
    Key(Vec<u8>),
}

/// A page of one's own batch; nothing of another's.
pub fn batch_page(
    cx: &mut ReadCx<'_>,
    query: &SealedPage,
) -> Result<Vec<SealedRow>, LicensingError> {
    let seller: AccountId = cx.caller.account.ok_or(LicensingError::NotFound)?;
    let tenant: TenantId = cx.caller.tenant;
    let window = (query.after, query.limit.clamp(1, MAX_PAGE));
    let found = sql::sealed(cx.tx, tenant, seller, query.batch, window)?;
    let row = |item: sql::SealedItem| SealedRow {
        place: item.place,
        license: item.license,
        reference: item.reference,
        sealed: item.key.map_or(Sealed::Code(item.code), Sealed::Key),
    };
    Ok(found.into_iter().map(row).collect())
}

/// What a row's license is exchanged for, in the clear.
pub fn opened(custody: &Custody, row: &SealedRow) -> Result<Code, LicensingError> {
    match &row.sealed {
        Sealed::Code(sealed) => licensing::unseal_code(custody, row.license, sealed),
        Sealed::Key(sealed) => keys::unseal(custody, row.license, sealed).ok_or_else(|| {
            let detail = "a key doesn't open with this key-encryption key";
            LicensingError::Signing(mintreu::Error::new("key_sealed", detail))
        }),
    }
}

/// Withdraws every license of one's own batch.
#[derive(Debug, Clone)]
pub struct RevokeBatch {
    /// Which.
    pub batch: BatchId,
    /// Why, for customers to read; 1 to 500 characters.
    pub reason: String,
}

impl Command for RevokeBatch {
    const NAME: &'static str = "licensing.revoke_batch";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.batch.to_string())
    }
}

/// Stops issuing at once, and has a job withdraw what was issued. Once is enough.
pub fn revoke(cx: &mut Cx<'_>, cmd: &RevokeBatch) -> Result<Batch, LicensingError> {
    let mut batch = own(cx.tx, cx.caller, cmd.batch)?;
    if matches!(batch.state, BatchState::Revoking | BatchState::Revoked) {
        return Ok(batch);
    }
    batch.state = BatchState::Revoking;
    batch.revoke_reason = Some(cmd.reason.clone());
    sql::advance(cx.tx, cx.caller.tenant, &batch)?;
    queue::enqueue(cx, REVOKE_JOB, &OfBatch::new(batch.id), cx.now)?;
    Ok(batch)
}

/// The job: withdraws a chunk, and itself again for the rest.
pub fn revoke_job(cx: &mut Cx<'_>, job: &OfBatch) -> Result<(), JobError> {
    let mut batch = job.find(cx)?;
    if batch.state != BatchState::Revoking {
        return Ok(());
    }
    let until = batch.issued.min(batch.revoked.saturating_add(CHUNK));
    let window = (batch.revoked, until);
    for license in sql::places(cx.tx, cx.caller.tenant, batch.id, window)? {
        withdraw(cx, &batch, license)?;
    }
    batch.revoked = until;
    if batch.revoked == batch.issued {
        batch.state = BatchState::Revoked;
    } else {
        queue::enqueue(cx, REVOKE_JOB, job, cx.now)?;
    }
    Ok(sql::advance(cx.tx, cx.caller.tenant, &batch)?)
}

/// As its seller would, one by one.
fn withdraw(cx: &mut Cx<'_>, batch: &Batch, license: LicenseId) -> Result<(), LicensingError> {
    let seller = Caller {
        tenant: cx.caller.tenant,
        account: Some(batch.seller),
        roles: vec![Role::System],
    };
    let mut as_seller = Cx {
        tx: &mut *cx.tx,
        now: cx.now,
        caller: &seller,
        keys: cx.keys,
        ids: &mut *cx.ids,
    };
    let reason = batch.revoke_reason.clone().unwrap_or_default();
    licensing::revoke(&mut as_seller, &licensing::Revoke { license, reason })
}
