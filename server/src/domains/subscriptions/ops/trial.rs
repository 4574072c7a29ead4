//! Trials: a license at once, the first bill when the trial ends.
//!
//! Each person tries a product once: by their account, and by their address, whatever they add to it.

use super::super::model::{
    DAY_MS, GRACE_DAYS, Status, Subscription, SubscriptionError, zone_named,
};
use super::super::sql;
use super::begin::cycle_of;
use super::{Done, renew, tell};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::custody::Custody;
use crate::domains::accounts;
use crate::domains::billing;
use crate::domains::catalog::model::{MAX_TRIAL_DAYS, Offer, Trial};
use crate::domains::catalog::{self, PriceModel};
use crate::domains::fees::Resolver;
use crate::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use crate::domains::licensing::{self, Grant};
use crate::domains::orders::{OrderError, consent};
use crate::store::{StoreError, Tx};
use crate::text::Locale;
use mintreu::Timestamp;
use mintreu::id::{AccountId, LicenseId, PriceId, ProductId, SubscriptionId, TenantId};
use std::sync::Arc;

/// Sets how many days a price of one's own can be tried; 0 for none.
#[derive(Debug, Clone, Copy)]
pub struct SetTrial {
    /// Which price, a recurring one.
    pub price: PriceId,
    /// 0 to 90.
    pub days: i64,
    /// Whether it begins without a payment method.
    pub without_method: bool,
}

impl Command for SetTrial {
    const NAME: &'static str = "subscriptions.set_trial";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.price.to_string())
    }
}

/// See [`SetTrial`]; trials that run already stay as they are, and every version of the price has
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
    let trial = Trial {
        days: cmd.days,
        without_method: cmd.without_method,
    };
    let plan = (offer.product.id, offer.price.plan);
    let trial = Some(trial).filter(|trial| trial.days > 0);
    Ok(catalog::set_trial(cx.tx, tenant, plan, trial)?)
}

/// Tries a price, once for each person and product.
#[derive(Debug, Clone)]
pub struct StartTrial {
    /// Which price.
    pub price: PriceId,
    /// The days, and what a period costs then in minor units, as they were shown; `None` for
    /// whatever holds.
    pub seen: Option<(i64, i64)>,
    /// Where the buyer is, as far as it is known: some prices are for some countries.
    pub country: Option<String>,
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
    /// In which language the texts that are agreed to were shown.
    pub locale: Locale,
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
    let trial = offered(&offer, cmd, account)?;
    zone_named(&cmd.zone)?;
    let id = cx.make_id(SubscriptionId::from_bytes);
    claim(cx, account, (offer.product.id, id))?;
    let until = cx.now.plus_ms(trial.days * DAY_MS);
    let license = license(cx, &offer, (id, account), until)?;
    let mut fees = Resolver::new(tenant, cx.now, cmd.fees, cmd.traffic);
    let fee = fees.product(cx.tx, &offer.product)?;
    let begun = Subscription {
        platform_bps: fee.platform_bps,
        from: cx.now,
        ..trialing(&offer, cmd, (id, account, license), until)
    };
    sql::insert(cx.tx, tenant, &begun, cx.now)?;
    for text in consent::texts(&[&offer], offer.price.amount, cmd.locale) {
        sql::insert_consent(cx.tx, tenant, (id, &text), cx.now)?;
    }
    renew::plan(cx, &begun)?;
    tell(cx, "subscription.trial_begun", &begun)?;
    Ok(id)
}

/// The trial, if the caller may have it as it was shown.
fn offered(offer: &Offer, cmd: &StartTrial, account: AccountId) -> Done<Trial> {
    let (product, price) = (&offer.product, &offer.price);
    if product.seller.account == account {
        return Err(OrderError::OwnProduct.into());
    }
    let recurs = price.model == PriceModel::Recurring;
    let trial = price.trial.filter(|_| recurs);
    let trial = trial.ok_or(SubscriptionError::TrialMissing)?;
    let country = cmd.country.as_deref();
    if !price.serves(country) {
        return Err(OrderError::CountryNotServed(price.bounds.countries.clone()).into());
    }
    // What stands in for it where the buyer is is what they were shown.
    let other = product.price_in(price, country).id != price.id;
    if other
        || cmd
            .seen
            .is_some_and(|seen| seen != (trial.days, price.amount.minor()))
    {
        return Err(SubscriptionError::TrialChanged);
    }
    if cmd.method.is_none() && !trial.without_method {
        return Err(SubscriptionError::TrialMethod);
    }
    Ok(trial)
}

/// Takes the caller's one trial of a product.
fn claim(cx: &mut Cx<'_>, account: AccountId, (product, id): (ProductId, SubscriptionId)) -> Done {
    let tenant = cx.caller.tenant;
    let address = address_of(cx.tx, (tenant, account), cx.keys)?;
    let mut free = sql::claim_trial(cx.tx, tenant, (account, product, id), cx.now)?;
    if let Some(address) = &address {
        free &= sql::claim_address(cx.tx, tenant, (address, product, id))?;
    }
    match free {
        true => Ok(()),
        false => Err(SubscriptionError::TrialUsed),
    }
}

/// A keyed hash of the mailbox of an account; none for one without an address.
fn address_of(
    tx: &mut dyn Tx,
    (tenant, account): (TenantId, AccountId),
    keys: &Custody,
) -> Result<Option<[u8; 32]>, StoreError> {
    let email = accounts::email_of(tx, tenant, account)?;
    Ok(email.map(|email| {
        let mailbox = email.mailbox();
        let data = [tenant.as_bytes().as_slice(), mailbox.as_bytes()].concat();
        keys.mac("subscriptions.trial", &data)
    }))
}

fn license(
    cx: &mut Cx<'_>,
    offer: &Offer,
    (id, account): (SubscriptionId, AccountId),
    until: Timestamp,
) -> Done<LicenseId> {
    let product = &offer.product;
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
    Ok(license)
}

fn trialing(
    offer: &Offer,
    cmd: &StartTrial,
    (id, account, license): (SubscriptionId, AccountId, LicenseId),
    until: Timestamp,
) -> Subscription {
    let (product, price) = (&offer.product, &offer.price);
    let mut begun = Subscription {
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
        from: until,
        until,
        cancel_wished_at: None,
        cancel_reason: None,
        pause_wished_at: None,
        pending: None,
        notice: None,
        notice_price: None,
        granted: Some(price.id),
        free_terms: None,
        traffic: cmd.traffic,
        platform_bps: 0,
        tariff: cmd.tariff,
        provider: cmd.provider.clone(),
        method: cmd.method.clone(),
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
    begun.go_on_as(price.bounds.renewing, 0);
    begun
}

/// Asks whether the caller tried a product before, by account or address.
#[derive(Clone)]
pub struct Tried {
    /// Which.
    pub product: ProductId,
    /// What addresses are hashed with.
    pub keys: Arc<Custody>,
}

/// See [`Tried`]; nobody who isn't signed in did.
pub fn tried(cx: &mut ReadCx<'_>, query: &Tried) -> Done<bool> {
    let Some(account) = cx.caller.account else {
        return Ok(false);
    };
    let tenant = cx.caller.tenant;
    let address = address_of(cx.tx, (tenant, account), &query.keys)?;
    let of = (account, query.product);
    Ok(sql::tried(cx.tx, tenant, of, address.as_ref())?)
}
