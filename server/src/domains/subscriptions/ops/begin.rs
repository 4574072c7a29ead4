//! How subscriptions begin: with a paid order, or with a trial.

use super::super::model::{
    Cycle, DAY_MS, GRACE_DAYS, Status, Subscription, SubscriptionError, zone_named,
};
use super::super::sql;
use super::{Done, renew, tell};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::billing;
use crate::domains::catalog::{self, PriceModel};
use crate::domains::fees::{self, Resolver};
use crate::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use crate::domains::licensing::{self, Grant};
use crate::domains::orders::{Line, Order, OrderError};
use mintreu::id::{LicenseId, OrderId, PriceId, SubscriptionId};
use mintreu::meter::Zone;

/// Most days of a trial.
const MAX_TRIAL_DAYS: i64 = 90;

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
    let begun = Subscription {
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
        ended_at: None,
        end_reason: None,
        disputed: None,
    };
    sql::insert(cx.tx, tenant, &begun, cx.now)?;
    renew::plan(cx, &begun)?;
    tell(cx, "subscription.begun", &begun)
}

/// Sets how many days a price of one's own can be tried; 0 for none.
#[derive(Debug, Clone, Copy)]
pub struct SetTrial {
    /// Which price, a recurring one.
    pub price: PriceId,
    /// 0 to 90.
    pub days: i64,
}

impl Command for SetTrial {
    const NAME: &'static str = "subscriptions.set_trial";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.price.to_string())
    }
}

/// See [`SetTrial`]; trials that run already stay as they are, and later versions of the price have
/// the same one.
pub fn set_trial(cx: &mut Cx<'_>, cmd: &SetTrial) -> Done {
    let tenant = cx.caller.tenant;
    let offer = catalog::offer(cx.tx, tenant, cmd.price)?;
    let own = offer.filter(|offer| Some(offer.product.seller.account) == cx.caller.account);
    let offer = own.ok_or(SubscriptionError::NotFound)?;
    if offer.price.model != PriceModel::Recurring {
        return Err(SubscriptionError::TrialMissing);
    }
    if !(0..=MAX_TRIAL_DAYS).contains(&cmd.days) {
        return Err(SubscriptionError::Invalid {
            field: "days",
            detail: format!("a trial lasts 0 to {MAX_TRIAL_DAYS} days"),
        });
    }
    Ok(sql::set_trial(cx.tx, tenant, offer.price.plan, cmd.days)?)
}

/// Tries a price, once for each account and product.
#[derive(Debug, Clone)]
pub struct StartTrial {
    /// Which price.
    pub price: PriceId,
    /// Where the buyer's days begin; empty for UTC.
    pub zone: String,
    /// Who will take the money.
    pub provider: String,
    /// The provider's name of a saved method; without one nothing is charged at the end.
    pub method: Option<String>,
    /// Who found the buyer.
    pub traffic: Traffic,
    /// The platform's share where no rule says another.
    pub fees: FeePolicy,
    /// What a payment costs.
    pub tariff: PaymentTariff,
}

impl Command for StartTrial {
    const NAME: &'static str = "subscriptions.start_trial";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.price.to_string())
    }
}

/// Begins a trial: the license at once, the first bill when it ends.
pub fn start_trial(cx: &mut Cx<'_>, cmd: &StartTrial) -> Done<SubscriptionId> {
    let tenant = cx.caller.tenant;
    let account = cx.caller.account.ok_or(SubscriptionError::NotFound)?;
    let offer = catalog::offer(cx.tx, tenant, cmd.price)?;
    let offer = offer.ok_or(OrderError::OfferGone)?;
    let (product, price) = (&offer.product, &offer.price);
    if product.seller.account == account {
        return Err(OrderError::OwnProduct.into());
    }
    let days = sql::trial_days(cx.tx, tenant, price.plan)?;
    if days == 0 || price.model != PriceModel::Recurring {
        return Err(SubscriptionError::TrialMissing);
    }
    zone_named(&cmd.zone)?;
    let id = cx.make_id(SubscriptionId::from_bytes);
    if !sql::claim_trial(cx.tx, tenant, (account, product.id, id), cx.now)? {
        return Err(SubscriptionError::TrialUsed);
    }
    let until = cx.now.plus_ms(days * DAY_MS);
    let grant = Grant {
        source: id.to_string(),
        product: product.id,
        product_code: product.code.clone(),
        seller: product.seller.account,
        owner: Some(account),
        terms: offer.terms().clone(),
        seats: offer.terms().seats.max(1),
        expires_at: Some(until),
        grace_secs: 0,
    };
    let license = licensing::issue(cx, &grant)?.license.id;
    let plan = billing::StartPlan {
        license,
        customer: Some(account),
        order: None,
        product: product.id,
    };
    billing::start_plan(cx, &plan)?;
    let mut fees = Resolver::new(tenant, cx.now, cmd.fees, cmd.traffic);
    let fee = fees.product(cx.tx, product)?;
    let begun = Subscription {
        id,
        account: Some(account),
        order: None,
        license,
        seller: product.seller.account,
        product: product.id,
        price: price.id,
        status: Status::Trialing,
        unit: price.amount,
        seats: 1,
        paid: None,
        cycle: cycle_of(price.period),
        zone: cmd.zone.clone(),
        anchor: until,
        period: 0,
        from: cx.now,
        until,
        cancel_wished_at: None,
        pause_wished_at: None,
        pending: None,
        notice: None,
        notice_price: None,
        granted: Some(price.id),
        free_terms: None,
        traffic: cmd.traffic,
        platform_bps: fee.platform_bps,
        tariff: cmd.tariff,
        provider: cmd.provider.clone(),
        method: cmd.method.clone(),
        failures: 0,
        next_attempt_at: None,
        past_due_at: None,
        grace_days: GRACE_DAYS,
        ended_at: None,
        end_reason: None,
        disputed: None,
    };
    sql::insert(cx.tx, tenant, &begun, cx.now)?;
    renew::plan(cx, &begun)?;
    tell(cx, "subscription.trial_begun", &begun)?;
    Ok(id)
}
