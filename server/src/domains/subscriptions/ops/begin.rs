//! How subscriptions begin with a paid order; trials begin in [`super::trial`].

use super::super::model::{Cycle, GRACE_DAYS, Status, Subscription};
use super::super::sql;
use super::{Done, discontinue, renew, tell};
use crate::app::Cx;
use crate::domains::catalog;
use crate::domains::fees;
use crate::domains::ledger::{FeePolicy, PaymentTariff};
use crate::domains::orders::{Line, Order};
use mintreu::id::{LicenseId, OrderId, SubscriptionId};
use mintreu::meter::Zone;

/// Keeps the fees that an order is placed with, for the subscription that comes of it.
pub fn note_fees(
    cx: &mut Cx<'_>,
    order: OrderId,
    platform_bps: u32,
    tariff: PaymentTariff,
) -> Done {
    let of = (cx.caller.tenant, order);
    Ok(sql::keep_fees(cx.tx, of, platform_bps, tariff)?)
}

/// What `fulfilment` says when it issued the license of a recurring line.
#[derive(Debug, Clone)]
pub struct Begin<'a> {
    /// The paid order.
    pub order: &'a Order,
    /// Its recurring line.
    pub line: &'a Line,
    /// What came of it.
    pub license: LicenseId,
    /// Who took the money, and the payment whose method is charged again; `None` for neither.
    pub method: Option<(String, String)>,
}

/// The cycle of a price.
pub fn cycle_of(period: Option<Cycle>) -> Cycle {
    period.unwrap_or(Cycle::MONTHLY)
}

/// Begins the subscription of a line, in the commit that fulfils its order. Asking again changes
/// nothing.
pub fn begin(cx: &mut Cx<'_>, new: &Begin<'_>) -> Done {
    let tenant = cx.caller.tenant;
    if sql::of_license(cx.tx, tenant, new.license)?.is_some() {
        return Ok(());
    }
    let (order, line) = (new.order, new.line);
    let noted = sql::fees(cx.tx, tenant, order.id)?;
    let (noted_bps, tariff) = noted.unwrap_or_else(|| {
        let usual = FeePolicy::default().share(order.traffic);
        (usual, PaymentTariff::default())
    });
    let agreed = fees::of_line(cx.tx, tenant, line.id)?;
    let platform_bps = agreed.map_or(noted_bps, |agreed| agreed.platform_bps);
    let cycle = cycle_of(line.period);
    let (provider, method) = new.method.clone().unzip();
    let mut begun = Subscription {
        id: cx.make_id(SubscriptionId::from_bytes),
        account: order.account,
        order: Some(order.id),
        license: new.license,
        seller: line.seller,
        product: line.product,
        price: line.price,
        status: Status::Active,
        unit: line.unit,
        seats: line.quantity,
        paid: Some(line.split.gross.checked_sub(line.split.discount)?),
        cycle,
        zone: String::new(),
        anchor: cx.now,
        period: 0,
        from: cx.now,
        until: cycle.end_after(cx.now, &Zone::default(), cx.now),
        cancel_wished_at: None,
        cancel_reason: None,
        pause_wished_at: None,
        pending: None,
        notice: None,
        notice_price: None,
        granted: Some(line.price),
        free_terms: None,
        traffic: order.traffic,
        platform_bps,
        tariff,
        provider: provider.unwrap_or_default(),
        method,
        failures: 0,
        next_attempt_at: None,
        past_due_at: None,
        grace_days: GRACE_DAYS,
        payments_left: None,
        keeps_license: false,
        ended_at: None,
        end_reason: None,
        disputed: None,
        rests_since: None,
    };
    if let Some((_, price)) = catalog::price(cx.tx, tenant, line.price)? {
        begun.go_on_as(price.bounds.renewing, 1);
    }
    sql::insert(cx.tx, tenant, &begun, cx.now)?;
    renew::plan(cx, &begun)?;
    tell(cx, "subscription.begun", &begun)?;
    discontinue::follow(cx, &mut begun)
}
