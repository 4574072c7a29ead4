//! To whom a fact is told, when not to the one whom its letter finds by itself.

use crate::app::Cx;
use crate::domains::orders::{self, Line, Order};
use crate::domains::wishes::{self, Answerer};
use crate::domains::{accounts, risk};
use crate::events::Event;
use crate::store::StoreError;
use mintreu::id::{AccountId, OrderId, RefundId, RefundWishId};

/// Who gets a letter about a fact; `None` is the one whom the letter finds by itself.
pub(super) fn told_to(
    cx: &mut Cx<'_>,
    event: &Event,
) -> Result<Vec<Option<AccountId>>, StoreError> {
    Ok(match event.kind.as_str() {
        // Each seller hears of a bank that asks.
        kind if kind.starts_with("dispute.") => {
            let order = order_of(cx, event)?;
            let lines = order.iter().flat_map(|order| &order.lines);
            or_one(sellers(lines))
        }
        wishes::WITHDRAWN_FACT => and_one(withdrawn_from(cx, event)?),
        wishes::ESCALATED_FACT => and_one(owners(cx)?),
        wishes::FAILED_FACT => and_one(senders_again(cx, event)?),
        risk::REVIEW_FACT => owners(cx)?.into_iter().map(Some).collect(),
        _ => vec![None],
    })
}

fn or_one(several: Vec<AccountId>) -> Vec<Option<AccountId>> {
    match several.is_empty() {
        true => vec![None],
        false => several.into_iter().map(Some).collect(),
    }
}

fn and_one(several: Vec<AccountId>) -> Vec<Option<AccountId>> {
    let several = several.into_iter().map(Some);
    std::iter::once(None).chain(several).collect()
}

/// Who runs the platform.
fn owners(cx: &mut Cx<'_>) -> Result<Vec<AccountId>, StoreError> {
    accounts::owners(cx.tx, cx.caller.tenant)
}

/// Who runs the platform, when it is theirs to send money again that came back.
fn senders_again(cx: &mut Cx<'_>, event: &Event) -> Result<Vec<AccountId>, StoreError> {
    let Ok(wish) = RefundWishId::parse(&event.subject) else {
        return Ok(Vec::new());
    };
    let wish = wishes::wish_by_id(cx.tx, cx.caller.tenant, wish)?;
    match wish.and_then(|wish| wish.asked()) {
        Some(Answerer::Platform) => owners(cx),
        _ => Ok(Vec::new()),
    }
}

/// The order that a fact names.
fn order_of(cx: &mut Cx<'_>, event: &Event) -> Result<Option<Order>, StoreError> {
    match event.data["order"].as_str().map(OrderId::parse) {
        Some(Ok(order)) => orders::find(cx.tx, cx.caller.tenant, order),
        _ => Ok(None),
    }
}

fn sellers<'a>(lines: impl Iterator<Item = &'a Line>) -> Vec<AccountId> {
    let mut sellers: Vec<_> = lines.map(|line| line.seller).collect();
    sellers.sort();
    sellers.dedup();
    sellers
}

/// The sellers of what a buyer withdrew from.
fn withdrawn_from(cx: &mut Cx<'_>, event: &Event) -> Result<Vec<AccountId>, StoreError> {
    let (Some(order), Ok(refund)) = (order_of(cx, event)?, RefundId::parse(&event.subject)) else {
        return Ok(Vec::new());
    };
    let declared = wishes::declared_of(cx.tx, cx.caller.tenant, (order.id, refund))?;
    let of = |line: &&Line| declared.iter().any(|one| one.line == line.id);
    Ok(sellers(order.lines.iter().filter(of)))
}
