//! Changing a seller's standing, what follows, and looking at it.

use super::model::{Change, SellerError, Standing, fact, may_become, parse_reason};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::domains::bundles;
use crate::domains::catalog::{self, Seller, SellerList};
use crate::domains::subscriptions;
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, ProductId, SubscriptionId, TenantId};
use serde::{Deserialize, Serialize};

/// The job that brings lists and subscriptions to where their seller stands.
pub const FOLLOW_JOB: &str = "sellers.follow";
/// Products or subscriptions of one commit.
const PAGE: i64 = 25;
/// Most changes that are shown.
const MAX_CHANGES: i64 = 50;
/// Most sellers of one page.
const MAX_PAGE: i64 = 100;

/// The owner suspends a seller, lets them sell again, or closes their account.
#[derive(Debug, Clone)]
pub struct SetStanding {
    /// Whom.
    pub seller: AccountId,
    /// What they become.
    pub standing: Standing,
    /// Why, 1 to 500 characters: the seller reads it.
    pub reason: String,
}

impl Command for SetStanding {
    const NAME: &'static str = "sellers.set_standing";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(format!("{} {}", self.seller, self.standing.name()))
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![format!("seller {}", self.seller)]
    }
}

/// See [`SetStanding`]; the same standing again changes nothing.
pub fn set_standing(cx: &mut Cx<'_>, cmd: &SetStanding) -> Result<Standing, SellerError> {
    let reason = parse_reason(&cmd.reason)?;
    become_(cx, cmd.seller, cmd.standing, reason)?;
    Ok(cmd.standing)
}

/// A seller closes their own account, for good.
#[derive(Debug, Clone)]
pub struct CloseOwn {
    /// The slug of their shop, which confirms it.
    pub shop: String,
}

impl Command for CloseOwn {
    const NAME: &'static str = "sellers.close_own";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.shop.clone())
    }
}

/// See [`CloseOwn`]; closing it again changes nothing.
pub fn close_own(cx: &mut Cx<'_>, cmd: &CloseOwn) -> Result<(), SellerError> {
    let account = cx.caller.account.ok_or(SellerError::NotFound)?;
    let shop = catalog::seller(cx.tx, cx.caller.tenant, account)?;
    let shop = shop.ok_or(SellerError::NotFound)?;
    if cmd.shop.trim() != shop.slug {
        return Err(SellerError::NotConfirmed(shop.slug));
    }
    if shop.standing == Standing::Suspended {
        return Err(SellerError::Suspended);
    }
    become_(cx, account, Standing::Closed, String::new())
}

/// Writes the change with its fact, and has lists and subscriptions follow.
fn become_(
    cx: &mut Cx<'_>,
    seller: AccountId,
    standing: Standing,
    reason: String,
) -> Result<(), SellerError> {
    let tenant = cx.caller.tenant;
    let now = catalog::standing(cx.tx, tenant, seller)?.ok_or(SellerError::NotFound)?;
    if !may_become(now, standing, cx.now)? {
        return Ok(());
    }
    let last = sql::changes(cx.tx, (tenant, seller), 1)?;
    let change = Change {
        number: last.first().map_or(1, |last| last.number + 1),
        standing,
        reason,
        by: cx.caller.account,
        at: cx.now,
    };
    catalog::set_standing(cx.tx, tenant, seller, (standing, cx.now))?;
    sql::insert(cx.tx, (tenant, seller), &change)?;
    let about = serde_json::json!({
        "standing": standing.name(),
        "reason": change.reason,
        "by_seller": change.by == Some(seller),
    });
    crate::events::record(cx, fact(standing), &seller.to_string(), &about)?;
    for part in [Part::Products, Part::Subscriptions] {
        go_on(cx, (seller, change.number), part, None)?;
    }
    Ok(())
}

/// What follows a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Products,
    Subscriptions,
}

/// The payload of [`FOLLOW_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FollowPayload {
    seller: String,
    /// Which change is followed.
    number: i64,
    part: Part,
    /// The last one that was brought there.
    after: Option<String>,
}

fn go_on(
    cx: &mut Cx<'_>,
    (seller, number): (AccountId, i64),
    part: Part,
    after: Option<String>,
) -> Result<(), StoreError> {
    let payload = FollowPayload {
        seller: seller.to_string(),
        number,
        part,
        after,
    };
    crate::queue::enqueue(cx, FOLLOW_JOB, &payload, cx.now).map(drop)
}

/// The job: one page of products or subscriptions, then the next; nothing when a later change was
/// made, whose own job does it.
pub fn follow(cx: &mut Cx<'_>, job: &FollowPayload) -> Result<(), SellerError> {
    let unread = |error: mintreu::Error| SellerError::Payload(error.to_string());
    let seller = AccountId::parse(&job.seller).map_err(unread)?;
    let last = sql::changes(cx.tx, (cx.caller.tenant, seller), 1)?;
    let Some(change) = last.first().filter(|last| last.number == job.number) else {
        return Ok(());
    };
    let after = job.after.as_deref();
    let next = match job.part {
        Part::Products => {
            let after = after.map(ProductId::parse).transpose().map_err(unread)?;
            reshelve(cx, seller, after)?.map(|last| last.to_string())
        }
        Part::Subscriptions => {
            let after = after.map(SubscriptionId::parse).transpose();
            let page = (after.map_err(unread)?, PAGE);
            let last = subscriptions::follow_seller(cx, seller, change.standing, page)?;
            last.map(|last| last.to_string())
        }
    };
    if next.is_some() {
        go_on(cx, (seller, job.number), job.part, next)?;
    }
    Ok(())
}

/// Takes a page of products out of the lists, or puts them in, and the bundles that hold them. Answers
/// the last, when there may be more.
fn reshelve(
    cx: &mut Cx<'_>,
    seller: AccountId,
    after: Option<ProductId>,
) -> Result<Option<ProductId>, StoreError> {
    let page = catalog::reshelve(cx.tx, cx.caller.tenant, seller, (after, PAGE))?;
    for product in &page {
        bundles::reshelve(cx, *product)?;
    }
    let more = i64::try_from(page.len()) == Ok(PAGE);
    Ok(page.last().copied().filter(|_| more))
}

/// The owner's list of sellers.
#[derive(Debug, Clone, Default)]
pub struct Sellers {
    /// Those that stand so; all without.
    pub standing: Option<Standing>,
    /// What their slug begins with, or their account's id.
    pub search: String,
    /// The slug behind which it goes on.
    pub after: String,
    /// How many at most; fifty when 0.
    pub limit: i64,
}

/// A seller in the owner's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SellerRow {
    /// Who.
    pub seller: Seller,
    /// Since when they stand there, if that ever changed.
    pub since: Option<Timestamp>,
}

/// A page of sellers.
#[derive(Debug, Clone)]
pub struct Page {
    /// By slug.
    pub rows: Vec<SellerRow>,
    /// Where it goes on, if it does.
    pub next: Option<String>,
}

fn must_own(cx: &ReadCx<'_>) -> Result<(), Denied> {
    let capability = Capability::Administer;
    match cx.caller.may(capability) {
        true => Ok(()),
        false => Err(Denied {
            capability,
            signed_in: cx.caller.account.is_some(),
        }),
    }
}

/// See [`Sellers`].
pub fn sellers(cx: &mut ReadCx<'_>, query: &Sellers) -> Result<Page, SellerError> {
    must_own(cx)?;
    let tenant = cx.caller.tenant;
    if let Ok(account) = AccountId::parse(query.search.trim()) {
        let found = row(cx.tx, tenant, account)?;
        let suits = |row: &SellerRow| query.standing.is_none_or(|one| one == row.seller.standing);
        return Ok(Page {
            rows: found.into_iter().filter(suits).collect(),
            next: None,
        });
    }
    let limit = match query.limit {
        0 => 50,
        limit => limit.clamp(1, MAX_PAGE),
    };
    let wanted = SellerList {
        standing: query.standing,
        begins: catalog::model::slug_of(&query.search),
        after: query.after.clone(),
        limit,
    };
    let found = catalog::sellers(cx.tx, tenant, &wanted)?;
    let rows = found.into_iter();
    let rows: Vec<_> = rows
        .map(|(seller, since)| SellerRow { seller, since })
        .collect();
    let more = i64::try_from(rows.len()) == Ok(limit);
    let next = rows.last().filter(|_| more);
    Ok(Page {
        next: next.map(|last| last.seller.slug.clone()),
        rows,
    })
}

fn row(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Option<SellerRow>, StoreError> {
    let Some(seller) = catalog::seller(tx, tenant, account)? else {
        return Ok(None);
    };
    let since = catalog::standing(tx, tenant, account)?.and_then(|(_, since)| since);
    Ok(Some(SellerRow { seller, since }))
}

/// One seller, for the owner.
#[derive(Debug, Clone, Copy)]
pub struct SellerAt {
    /// Whom.
    pub seller: AccountId,
}

/// See [`SellerAt`]: the seller, and what changed, the newest first, at most fifty.
pub fn seller_at(
    cx: &mut ReadCx<'_>,
    query: &SellerAt,
) -> Result<(SellerRow, Vec<Change>), SellerError> {
    must_own(cx)?;
    let tenant = cx.caller.tenant;
    let found = row(cx.tx, tenant, query.seller)?.ok_or(SellerError::NotFound)?;
    let changes = sql::changes(cx.tx, (tenant, query.seller), MAX_CHANGES)?;
    Ok((found, changes))
}

/// The caller's own standing.
#[derive(Debug, Clone, Copy)]
pub struct OwnStanding;

/// See [`OwnStanding`]: the shop, and its newest change; nothing without a shop.
pub fn own_standing(
    cx: &mut ReadCx<'_>,
    _query: &OwnStanding,
) -> Result<Option<(Seller, Option<Change>)>, SellerError> {
    let Some(account) = cx.caller.account else {
        return Ok(None);
    };
    let tenant = cx.caller.tenant;
    let Some(shop) = catalog::seller(cx.tx, tenant, account)? else {
        return Ok(None);
    };
    let change = reason_of(cx.tx, tenant, account)?;
    Ok(Some((shop, change)))
}

/// The newest change of a seller's standing, if there was one.
pub fn reason_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<Option<Change>, StoreError> {
    let last = sql::changes(tx, (tenant, seller), 1)?;
    Ok(last.into_iter().next())
}
