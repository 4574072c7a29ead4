//! What will be charged: as the bill will be placed, with what a code takes off and the tax on top.

use super::super::model::{Subscription, SubscriptionError};
use super::super::sql;
use super::{Done, discontinue, renew};
use crate::domains::catalog::{self, Product, Standing};
use crate::domains::licensing;
use crate::domains::orders;
use crate::domains::promotions;
use crate::domains::taxes::{self, Tax};
use crate::store::{StoreError, Tx};
use mintreu::id::TenantId;
use mintreu::{Money, Timestamp};

/// What a subscription charges, as things stand now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WillCharge {
    /// What a bill of it would bear.
    pub tax: Tax,
    /// What the next period charges, all in all: by what waits for it, less what a code that still
    /// lasts takes off.
    pub next: Money,
    /// What a period that begins now charges, all in all: after a pause, an end or a trial.
    pub now: Money,
    /// Whether its product was given up, and it with that: it doesn't go on beyond what is paid.
    pub discontinued: bool,
    /// Where its seller stands.
    pub standing: Standing,
    /// Whether its product is for sale: only then it is changed, or taken up after its end.
    pub for_sale: bool,
}

/// What a subscription will charge its buyer, where they are.
pub fn due_of(
    tx: &mut dyn Tx,
    (tenant, now): (TenantId, Timestamp),
    of: &Subscription,
) -> Done<WillCharge> {
    let tax = tax_of(tx, (tenant, now), of)?;
    due_with(tx, tenant, of, tax)
}

/// What a subscription will charge under a tax.
pub fn due_with(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: &Subscription,
    tax: Tax,
) -> Done<WillCharge> {
    let mut then = of.clone();
    renew::advance(&mut then)?;
    let off = lasting(tx, tenant, &then)?;
    let next = then.amount()?.checked_sub(off)?;
    let product = catalog::product(tx, tenant, of.product)?;
    let for_sale = product.as_ref().is_some_and(Product::is_sold);
    let standing = product.map_or(Standing::Active, |product| product.seller.standing);
    Ok(WillCharge {
        discontinued: !for_sale && discontinue::ends(tx, tenant, of)?,
        standing,
        for_sale,
        next: tax.on(next)?.charged,
        now: tax.on(of.amount()?)?.charged,
        tax,
    })
}

/// What the order of the newest bill charges, whatever became of it; none before the first bill.
pub fn billed(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: &Subscription,
) -> Result<Option<Money>, SubscriptionError> {
    let bills = sql::bills(tx, tenant, of.id)?;
    let Some(newest) = bills.first() else {
        return Ok(None);
    };
    let order = orders::find(tx, tenant, newest.order)?;
    Ok(order.map(|order| order.total))
}

/// What the code of the first sale takes off the running period: the same part of its price, for as
/// many payments as it lasts.
pub(super) fn lasting(tx: &mut dyn Tx, tenant: TenantId, of: &Subscription) -> Done<Money> {
    let none = Money::zero(of.currency());
    let first = match of.order {
        Some(order) => orders::find(tx, tenant, order)?,
        None => None,
    };
    let Some(first) = first else {
        return Ok(none);
    };
    let license = licensing::by_id(tx, tenant, of.license)?;
    let source = license.map(|license| license.source);
    let line = first.lines.iter();
    let mut line = line.filter(|line| Some(line.id.to_string()) == source);
    let Some(line) = line.next().filter(|line| line.split.gross.minor() > 0) else {
        return Ok(none);
    };
    let lasts = promotions::lasting_of(tx, tenant, line.id)?;
    if !lasts.is_some_and(|lasts| lasts.covers(of.period + 1)) {
        return Ok(none);
    }
    let (off, gross) = (line.split.discount, line.split.gross);
    let weights = [off.minor(), gross.minor() - off.minor()].map(i64::unsigned_abs);
    let parts = of.amount()?.split(&weights)?;
    Ok(parts.first().copied().unwrap_or(none))
}

/// What a bill of a subscription would bear now, where its buyer is.
pub fn tax_of(
    tx: &mut dyn Tx,
    (tenant, now): (TenantId, Timestamp),
    of: &Subscription,
) -> Result<Tax, StoreError> {
    let buyer = taxes::buyer_again(tx, tenant, (of.account, of.order))?;
    taxes::tax_for(tx, tenant, now, &buyer)
}
