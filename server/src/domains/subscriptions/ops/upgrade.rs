//! Free licenses that are upgraded in place: the same license grants more while it is paid for, and
//! what it granted free of charge whenever it isn't.

use super::super::model::{
    Cycle, DAY_MS, GRACE_DAYS, Status, Subscription, SubscriptionError, zone_named,
};
use super::super::sql;
use super::begin::cycle_of;
use super::change::invalid;
use super::{Done, keep, renew, tell};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog::model::LicenseTerms;
use crate::domains::catalog::{self, Offer, PriceModel, Product};
use crate::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use crate::domains::licensing::{self, License, LicenseState, Suspended};
use crate::domains::orders::{self, MAX_QUANTITY, OrderError};
use crate::domains::taxes::{self, Tax};
use crate::store::Tx;
use mintreu::Money;
use mintreu::id::{LicenseId, OrderLineId, PriceId, SubscriptionId, TenantId};

/// Why an upgrade has ended whose first period nobody paid yet.
pub(super) const NOT_BEGUN: &str = "not_begun";

/// Upgrades a free license of one's own to a price that recurs.
#[derive(Debug, Clone)]
pub struct Upgrade {
    /// Which license.
    pub license: LicenseId,
    /// A recurring price of its product.
    pub price: PriceId,
    /// How many seats.
    pub seats: i64,
    /// What was seen to be due now: the first period.
    pub seen: Money,
    /// Where the buyer's days begin; empty for UTC.
    pub zone: String,
    /// Who takes the money.
    pub provider: String,
    /// The provider's name of a saved method.
    pub method: String,
    /// Who found the buyer.
    pub traffic: Traffic,
    /// The platform's share.
    pub fees: FeePolicy,
    /// What a payment costs.
    pub tariff: PaymentTariff,
}

impl Command for Upgrade {
    const NAME: &'static str = "subscriptions.upgrade";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }
}

/// See [`Upgrade`]. The first period is charged; when it is paid the license is signed again under
/// its id, so that devices and counts stay. When it is declined, nothing has changed.
pub fn upgrade(cx: &mut Cx<'_>, cmd: &Upgrade) -> Done<SubscriptionId> {
    let tenant = cx.caller.tenant;
    let account = cx.caller.account.ok_or(SubscriptionError::NotFound)?;
    let license = licensing::by_id(cx.tx, tenant, cmd.license)?;
    let license = license.filter(|license| license.owner == Some(account));
    let license = license.ok_or(SubscriptionError::NotFound)?;
    let offer = offered(cx.tx, (tenant, cmd.price), &license)?;
    if offer.product.seller.account == account {
        return Err(OrderError::OwnProduct.into());
    }
    if !(1..=MAX_QUANTITY).contains(&cmd.seats) {
        return Err(invalid("seats", format!("1 to {MAX_QUANTITY} seats")));
    }
    zone_named(&cmd.zone)?;
    let before = sql::of_license(cx.tx, tenant, license.id)?;
    let mut of = match before {
        Some(of) if of.status != Status::Canceled => {
            return Err(SubscriptionError::WrongStatus(of.status));
        }
        // Ended, and not of a free license: it is taken up again instead.
        Some(of) if of.free_terms.is_none() => {
            return Err(SubscriptionError::WrongStatus(of.status));
        }
        Some(of) => {
            renew::refuse_while_open(cx, &of)?;
            of
        }
        None => {
            if license.state(cx.now) != LicenseState::Active || !is_free(cx.tx, tenant, &license)? {
                let detail = "a license in force that was given at a free price".to_owned();
                return Err(invalid("license_id", detail));
            }
            let of = not_begun(cx, cmd, (&license, &offer));
            sql::insert(cx.tx, tenant, &of, cx.now)?;
            of
        }
    };
    wish(&mut of, cmd, &offer);
    let due = of.amount()?;
    if due != cmd.seen {
        return Err(SubscriptionError::AmountChanged(due));
    }
    keep(cx, &of)?;
    renew::come_back(cx, &of)?;
    tell(cx, "subscription.upgrade_wished", &of)?;
    Ok(of.id)
}

fn offered(tx: &mut dyn Tx, (tenant, price): (TenantId, PriceId), of: &License) -> Done<Offer> {
    let offer = catalog::offer(tx, tenant, price)?.ok_or(OrderError::OfferGone)?;
    if offer.product.id != of.product || offer.price.model != PriceModel::Recurring {
        let detail = "a recurring price of the license's product".to_owned();
        return Err(invalid("price_id", detail));
    }
    if !offer.price.serves(None) {
        let countries = offer.price.bounds.countries;
        return Err(OrderError::CountryNotServed(countries).into());
    }
    Ok(offer)
}

/// Whether a license was given at a free price.
fn is_free(tx: &mut dyn Tx, tenant: TenantId, license: &License) -> Done<bool> {
    let Ok(line) = OrderLineId::parse(&license.source) else {
        return Ok(false);
    };
    let Some(order) = orders::of_line(tx, tenant, line)? else {
        return Ok(false);
    };
    let order = orders::find(tx, tenant, order)?;
    let mut lines = order.into_iter().flat_map(|order| order.lines);
    Ok(lines.any(|one| one.id == line && one.model == PriceModel::Free))
}

/// The subscription that waits for its first payment: ended, so that nothing happens by itself.
fn not_begun(cx: &mut Cx<'_>, cmd: &Upgrade, (license, offer): (&License, &Offer)) -> Subscription {
    let free = LicenseTerms {
        seats: license.seats,
        ..license.terms.clone()
    };
    Subscription {
        id: cx.make_id(SubscriptionId::from_bytes),
        account: cx.caller.account,
        order: None,
        disputed: None,
        rests_since: None,
        license: license.id,
        seller: license.seller,
        product: license.product,
        price: offer.price.id,
        status: Status::Canceled,
        unit: offer.price.amount,
        seats: cmd.seats,
        paid: None,
        cycle: Cycle::MONTHLY,
        zone: cmd.zone.clone(),
        anchor: cx.now,
        period: 0,
        from: cx.now,
        until: cx.now,
        cancel_wished_at: None,
        cancel_reason: None,
        pause_wished_at: None,
        pending: None,
        notice: None,
        notice_price: None,
        granted: None,
        free_terms: Some(free),
        traffic: cmd.traffic,
        platform_bps: cmd.fees.share(cmd.traffic),
        tariff: cmd.tariff,
        provider: cmd.provider.clone(),
        method: Some(cmd.method.clone()),
        failures: 0,
        next_attempt_at: None,
        past_due_at: None,
        grace_days: GRACE_DAYS,
        payments_left: None,
        keeps_license: false,
        ended_at: Some(cx.now),
        end_reason: Some(NOT_BEGUN.to_owned()),
    }
}

/// What is paid for when the first period is: at today's price, by the method named now.
fn wish(of: &mut Subscription, cmd: &Upgrade, offer: &Offer) {
    of.price = offer.price.id;
    of.unit = offer.price.amount;
    of.seats = cmd.seats;
    of.cycle = cycle_of(offer.price.period);
    of.go_on_as(offer.price.bounds.renewing, 0);
    of.zone.clone_from(&cmd.zone);
    of.provider.clone_from(&cmd.provider);
    of.method = Some(cmd.method.clone());
}

/// What the license shall grant from now on, when that isn't what it grants: another plan's terms.
pub(super) fn granted(cx: &mut Cx<'_>, of: &Subscription) -> Done<Option<LicenseTerms>> {
    let tenant = cx.caller.tenant;
    let back = of.free_terms.is_some() && of.granted.is_none();
    if !back && of.granted.is_none_or(|granted| granted == of.price) {
        return Ok(None);
    }
    let before = match of.granted {
        Some(granted) => catalog::price(cx.tx, tenant, granted)?,
        None => None,
    };
    let had = before.is_some_and(|(_, price)| price.terms.is_some());
    let now = catalog::price(cx.tx, tenant, of.price)?;
    match now.and_then(|(_, price)| price.terms) {
        Some(terms) => Ok(Some(terms)),
        // Neither plan says what it grants: what was sold stays.
        None if !back && !had => Ok(None),
        None => {
            let product = catalog::product(cx.tx, tenant, of.product)?;
            Ok(product.map(|product| product.terms))
        }
    }
}

/// Nothing is paid for any more: a free license grants what it did before, any other is suspended.
pub(super) fn stop(cx: &mut Cx<'_>, of: &mut Subscription, why: Suspended) -> Done {
    let Some(terms) = of.free_terms.clone() else {
        return Ok(licensing::suspend(cx, of.license, why)?);
    };
    if of.granted.is_none() {
        return Ok(());
    }
    let license = licensing::by_id(cx.tx, cx.caller.tenant, of.license)?;
    let license = license.ok_or(SubscriptionError::NotFound)?;
    let days = terms.validity_days;
    let revision = licensing::Revision {
        license: of.license,
        seats: terms.seats,
        expires_at: days.map(|days| license.issued_at.plus_ms(days.saturating_mul(DAY_MS))),
        grace_secs: 0,
        terms,
    };
    licensing::revise(cx, revision)?;
    of.granted = None;
    keep(cx, of)?;
    tell(cx, "subscription.back_to_free", of)
}

/// Asks what a license of one's own can be upgraded to.
#[derive(Debug, Clone, Copy)]
pub struct UpgradesOf {
    /// Which license.
    pub license: LicenseId,
}

/// A free license and its product.
#[derive(Debug, Clone)]
pub struct UpgradeOffer {
    /// With the prices that are for sale.
    pub product: Product,
    /// The upgrade that was asked for before, if one was; it has ended.
    pub before: Option<Subscription>,
    /// What its bill would bear now.
    pub tax: Tax,
}

/// See [`UpgradesOf`]; `None` where there is nothing to upgrade.
pub fn upgrades_of(cx: &mut ReadCx<'_>, query: &UpgradesOf) -> Done<Option<UpgradeOffer>> {
    let tenant = cx.caller.tenant;
    let license = licensing::by_id(cx.tx, tenant, query.license)?;
    let me = cx.caller.account;
    let license = license.filter(|license| me.is_some() && license.owner == me);
    let license = license.ok_or(SubscriptionError::NotFound)?;
    let before = sql::of_license(cx.tx, tenant, license.id)?;
    let may = match &before {
        Some(of) => of.status == Status::Canceled && of.free_terms.is_some(),
        None => license.state(cx.now) == LicenseState::Active && is_free(cx.tx, tenant, &license)?,
    };
    let product = catalog::product(cx.tx, tenant, license.product)?;
    let product = product.filter(|product| {
        let recurs = product
            .prices
            .iter()
            .any(|price| price.model == PriceModel::Recurring);
        may && recurs && product.is_sold()
    });
    let buyer = taxes::buyer_again(cx.tx, tenant, (me, None))?;
    let tax = taxes::tax_for(cx.tx, tenant, cx.now, &buyer)?;
    Ok(product.map(|product| UpgradeOffer {
        product,
        before,
        tax,
    }))
}
