//! Products that their sellers give up. Archived, a product is no longer for sale; what becomes of its
//! subscriptions its seller says: they go on for who has them, or they end with what is paid.
//!
//! A job comes to each living subscription once, a batch a commit, in the order of their ids: paid ones
//! end with their period, trials with the trial, and those that nobody pays for (past due, paused,
//! without a method) at once, as when their buyers end them. One that a bank asks about ends when it
//! would go on. Called off, nobody's goes on by itself: a buyer who was told that nothing more is charged
//! is told that it can be kept, and keeps it or doesn't.

use super::super::model::{
    DISCONTINUED, Discontinuation, Event, Living, Status, Step, Subscription, SubscriptionError,
    next_status,
};
use super::super::sql::discontinued as sql;
use super::{Action, Done, end, keep, tell};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog::ops::{ArchiveProduct, CatalogError, archive_product};
use crate::domains::catalog::{self, Product, State};
use crate::domains::orders::OrderError;
use crate::queue;
use crate::store::{StoreError, Tx};
use mintreu::id::{ProductId, TenantId};
use serde::{Deserialize, Serialize};

/// The job that comes to the next subscriptions of a product.
pub const RETIRE_JOB: &str = "subscriptions.discontinue";

/// How many in one commit.
pub(super) const BATCH: i64 = 50;

/// Takes a product out of sale, and says what becomes of its subscriptions.
#[derive(Debug, Clone, Copy)]
pub struct Retire {
    /// One of the caller's.
    pub product: ProductId,
    /// Whether they end with what is paid; otherwise they go on.
    pub ends: bool,
}

impl Command for Retire {
    const NAME: &'static str = "subscriptions.retire_product";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.product.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        ArchiveProduct {
            product: self.product,
        }
        .contention_keys()
    }
}

/// See [`Retire`]; the same again changes nothing, and so does wishing nothing of one that is archived.
pub fn retire(cx: &mut Cx<'_>, cmd: &Retire) -> Done<Product> {
    let tenant = cx.caller.tenant;
    let before = catalog::product(cx.tx, tenant, cmd.product)?;
    let was_archived = before.is_some_and(|product| product.state == State::Archived);
    let archive = ArchiveProduct {
        product: cmd.product,
    };
    let product = archive_product(cx, &archive)?;
    let known = sql::find(cx.tx, tenant, cmd.product)?;
    let stands = known.as_ref().is_some_and(Discontinuation::stands);
    match (cmd.ends, known) {
        (true, _) if was_archived && stands => {}
        (true, known) => {
            let of = (product.id, product.seller.account);
            let wished = Discontinuation::new(known.as_ref(), of, cx.now);
            begin_round(cx, &wished)?;
        }
        // It was on sale again, and this time they go on: nobody was told anything of it.
        (false, Some(known)) if stands && !was_archived => {
            let aside = Discontinuation {
                done_at: Some(cx.now),
                ..known.called_off(cx.now)
            };
            sql::put(cx.tx, tenant, &aside)?;
        }
        (false, _) => {}
    }
    Ok(product)
}

/// Calls the end off for those that haven't ended.
#[derive(Debug, Clone, Copy)]
pub struct CallOff {
    /// One of the caller's, which was given up.
    pub product: ProductId,
}

impl Command for CallOff {
    const NAME: &'static str = "subscriptions.call_off_end";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.product.to_string())
    }
}

/// See [`CallOff`]: those that the end hasn't come to go on, and the buyers of the others are told that
/// they can keep theirs. What has ended stays so. The same again changes nothing.
pub fn call_off(cx: &mut Cx<'_>, cmd: &CallOff) -> Done {
    let product = product_of(cx.tx, cx.caller.tenant, cmd.product)?;
    let own = Some(product.seller.account) == cx.caller.account;
    let known = sql::find(cx.tx, cx.caller.tenant, cmd.product)?;
    let known = known.filter(|_| own).ok_or(SubscriptionError::NotFound)?;
    match known.stands() {
        true => begin_round(cx, &known.called_off(cx.now)),
        false => Ok(()),
    }
}

fn product_of(tx: &mut dyn Tx, tenant: TenantId, id: ProductId) -> Done<Product> {
    let product = catalog::product(tx, tenant, id)?;
    Ok(product.ok_or(CatalogError::NotFound("product"))?)
}

fn begin_round(cx: &mut Cx<'_>, of: &Discontinuation) -> Done {
    sql::put(cx.tx, cx.caller.tenant, of)?;
    enqueue(cx, of)
}

fn enqueue(cx: &mut Cx<'_>, of: &Discontinuation) -> Done {
    let job = RetireJob {
        product: of.product.to_string(),
        round: of.round,
    };
    queue::enqueue(cx, RETIRE_JOB, &job, cx.now)?;
    Ok(())
}

/// The payload of [`RETIRE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RetireJob {
    product: String,
    round: i64,
}

/// Comes to the next batch, and plans the one after it in the same commit: killed between two, it goes
/// on where it was.
pub fn retire_step(cx: &mut Cx<'_>, job: &RetireJob) -> Done {
    let tenant = cx.caller.tenant;
    let product = ProductId::parse(&job.product);
    let product = product.map_err(|error| SubscriptionError::Payload(error.to_string()))?;
    let Some(mut of) = sql::find(cx.tx, tenant, product)? else {
        return Ok(());
    };
    if of.round != job.round || of.done_at.is_some() {
        return Ok(());
    }
    let batch = sql::living(cx.tx, tenant, &of, BATCH)?;
    let full = i64::try_from(batch.len()).is_ok_and(|found| found == BATCH);
    for mut one in batch {
        of.cursor = Some(one.id);
        of.told += i64::from(match of.stands() {
            true => give_up(cx, &mut one)?,
            false => may_be_kept(cx, &one)?,
        });
    }
    of.done_at = (!full).then_some(cx.now);
    sql::put(cx.tx, tenant, &of)?;
    match full {
        true => enqueue(cx, &of),
        false => Ok(()),
    }
}

/// Ends one with what is paid; `false` where that was known already, or its payments go on.
fn give_up(cx: &mut Cx<'_>, of: &mut Subscription) -> Done<bool> {
    if of.keeps_license {
        return Ok(false);
    }
    let step = next_status(of.status, of.flags(), Event::CancelAtEnd);
    match step {
        _ if of.cancel_wished_at.is_some() || of.status == Status::Canceled => return Ok(false),
        // Whoever the bank gives the money to: until then it rests, and then it doesn't go on.
        Step::Move(_) if of.disputed.is_some() => {}
        Step::Move(_) => {
            end(cx, of, DISCONTINUED)?;
            return Ok(true);
        }
        Step::Do => {}
        Step::Stay | Step::Refuse => return Ok(false),
    }
    wish(cx, of);
    keep(cx, of)?;
    tell(cx, "subscription.end_wished", of)?;
    tell(cx, "subscription.discontinued", of)?;
    Ok(true)
}

fn wish(cx: &Cx<'_>, of: &mut Subscription) {
    of.cancel_wished_at = Some(cx.now);
    of.cancel_reason = Some(DISCONTINUED.to_owned());
}

/// Tells that one can be kept that was to end; it still ends where nobody says so.
fn may_be_kept(cx: &mut Cx<'_>, of: &Subscription) -> Done<bool> {
    let was_to_end = of.cancel_reason.as_deref() == Some(DISCONTINUED);
    if was_to_end {
        tell(cx, "subscription.may_be_kept", of)?;
    }
    Ok(was_to_end)
}

/// Whether a product isn't for sale and its subscriptions end.
pub fn is_discontinued(
    tx: &mut dyn Tx,
    tenant: TenantId,
    product: ProductId,
) -> Result<bool, StoreError> {
    let found = sql::find(tx, tenant, product)?;
    if !found.is_some_and(|found| found.stands()) {
        return Ok(false);
    }
    let product = catalog::product(tx, tenant, product)?;
    Ok(product.is_some_and(|product| product.state == State::Archived))
}

/// Whether one ends with its product. What is paid in instalments is bought: it doesn't.
pub(super) fn ends(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: &Subscription,
) -> Result<bool, StoreError> {
    Ok(!of.keeps_license && is_discontinued(tx, tenant, of.product)?)
}

/// What was paid for after its product was given up, by an order or a bill of before, ends with that.
pub(super) fn follow(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    match ends(cx.tx, cx.caller.tenant, of)? {
        true => give_up(cx, of).map(drop),
        false => Ok(()),
    }
}

/// A period that is over before the job has come to it is the last one all the same.
pub(super) fn mark(cx: &mut Cx<'_>, of: &mut Subscription) -> Done {
    let wished = of.cancel_wished_at.is_some();
    if !wished && ends(cx.tx, cx.caller.tenant, of)? {
        wish(cx, of);
    }
    Ok(())
}

/// Refuses what would go on of a product that was given up.
pub(super) fn refuse(cx: &mut Cx<'_>, of: &Subscription) -> Done {
    match ends(cx.tx, cx.caller.tenant, of)? {
        true => Err(SubscriptionError::Discontinued),
        false => Ok(()),
    }
}

/// Whether an action may make it go on: none does of a product that was given up, and what is over
/// isn't taken up again of one that isn't for sale.
pub(super) fn may(cx: &mut Cx<'_>, of: &Subscription, action: Action) -> Done {
    match action {
        Action::Uncancel | Action::Resume => refuse(cx, of),
        Action::Resubscribe => {
            refuse(cx, of)?;
            let product = product_of(cx.tx, cx.caller.tenant, of.product)?;
            match product.state {
                State::Published => Ok(()),
                _ => Err(OrderError::OfferGone.into()),
            }
        }
        Action::Cancel | Action::CancelNow | Action::Pause | Action::Unpause => Ok(()),
    }
}

/// Asks how many subscriptions of one's own product live, and whether they were given up.
#[derive(Debug, Clone, Copy)]
pub struct DiscontinuationOf {
    /// Which product.
    pub product: ProductId,
}

/// What a seller decides with, or decided.
#[derive(Debug, Clone)]
pub struct Discontinuing {
    /// The product.
    pub product: Product,
    /// How many live.
    pub living: Living,
    /// What was decided, if anything was.
    pub decided: Option<Discontinuation>,
}

/// See [`DiscontinuationOf`].
pub fn discontinuation_of(cx: &mut ReadCx<'_>, query: &DiscontinuationOf) -> Done<Discontinuing> {
    let tenant = cx.caller.tenant;
    let product = product_of(cx.tx, tenant, query.product)?;
    if Some(product.seller.account) != cx.caller.account {
        return Err(CatalogError::NotFound("product").into());
    }
    Ok(Discontinuing {
        living: sql::count_living(cx.tx, tenant, product.id)?,
        decided: sql::find(cx.tx, tenant, product.id)?,
        product,
    })
}
