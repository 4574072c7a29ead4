//! Use cases of taxes: the rule as things stand, where buyers are, and what the owner sets.

use super::model::{Buyer, MAX_NOTE, Policy, Tax, TaxError, rule};
use super::places::{self, Place};
use super::rates::{self, OwnRate};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::store::{StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, OrderId, TenantId};

/// What a sale to `buyer` bears now.
pub fn tax_for(
    tx: &mut dyn Tx,
    tenant: TenantId,
    now: Timestamp,
    buyer: &Buyer,
) -> Result<Tax, StoreError> {
    let policy = sql::policy(tx, tenant)?;
    let own = match buyer.place.as_ref().or(policy.home.as_ref()) {
        Some(place) if policy.home.is_some() => sql::own_rates(tx, tenant, Some(place))?,
        _ => Vec::new(),
    };
    Ok(rule(&policy, &own, buyer, now))
}

/// Where the platform is registered, for whoever draws a page.
pub fn policy(cx: &mut ReadCx<'_>, (): &()) -> Result<Policy, TaxError> {
    Ok(sql::policy(cx.tx, cx.caller.tenant)?)
}

/// What is known of where the buyer of an order is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// What the buyer declared.
    pub buyer: Buyer,
    /// The country of the network that they came from, as a trusted proxy says.
    pub network: Option<String>,
    /// The country of what they paid with, as its provider says.
    pub method: Option<String>,
}

impl Evidence {
    fn countries(&self) -> impl Iterator<Item = &str> {
        let declared = self.buyer.place.as_ref().map(Place::country);
        let seen = [self.network.as_deref(), self.method.as_deref()];
        declared.into_iter().chain(seen.into_iter().flatten())
    }

    /// How many pieces there are.
    pub fn pieces(&self) -> usize {
        self.countries().count()
    }

    /// Whether the pieces name different countries.
    pub fn disagrees(&self) -> bool {
        let mut countries = self.countries();
        let first = countries.next();
        first.is_some_and(|first| countries.any(|other| other != first))
    }
}

/// Keeps what is known of where the buyer of an order is, and where their account is from now on.
/// While no tax is collected nothing is kept.
pub fn locate(
    cx: &mut Cx<'_>,
    (order, account): (OrderId, Option<AccountId>),
    evidence: &Evidence,
) -> Result<(), StoreError> {
    let tenant = cx.caller.tenant;
    if sql::policy(cx.tx, tenant)?.home.is_none() {
        return Ok(());
    }
    sql::insert_evidence(cx.tx, (tenant, order), evidence, cx.now)?;
    match account {
        Some(account) => sql::put_buyer(cx.tx, (tenant, account), &evidence.buyer, cx.now),
        None => Ok(()),
    }
}

/// Keeps the country of what an order was paid with, unless it is none.
pub fn note_method(cx: &mut Cx<'_>, order: OrderId, country: &str) -> Result<(), StoreError> {
    match places::name(country) {
        Some(_) => sql::set_method(cx.tx, (cx.caller.tenant, order), country),
        None => Ok(()),
    }
}

/// Where a buyer is who doesn't ask: by their account, otherwise by the order that it began with.
pub fn buyer_again(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (account, order): (Option<AccountId>, Option<OrderId>),
) -> Result<Buyer, StoreError> {
    if let Some(account) = account
        && let Some(buyer) = sql::buyer(tx, (tenant, account))?
    {
        return Ok(buyer);
    }
    let evidence = match order {
        Some(order) => sql::evidence(tx, (tenant, order))?,
        None => None,
    };
    Ok(evidence.map(|evidence| evidence.buyer).unwrap_or_default())
}

/// Asks where one's own account is.
#[derive(Debug, Clone, Copy)]
pub struct OwnPlace;

/// Where one's own account is taxed.
pub fn own_place(cx: &mut ReadCx<'_>, _: &OwnPlace) -> Result<Buyer, TaxError> {
    let account = signed_in(cx.caller.account)?;
    let buyer = sql::buyer(cx.tx, (cx.caller.tenant, account))?;
    Ok(buyer.unwrap_or_default())
}

fn signed_in(account: Option<AccountId>) -> Result<AccountId, TaxError> {
    let denied = Denied {
        capability: Capability::Buy,
        signed_in: false,
    };
    Ok(account.ok_or(denied)?)
}

/// Says where one's own account is taxed from now on: renewals and usage follow.
#[derive(Debug, Clone)]
pub struct SetOwnPlace {
    /// With a place.
    pub buyer: Buyer,
}

impl Command for SetOwnPlace {
    const NAME: &'static str = "taxes.set_own_place";
    const CAPABILITY: Capability = Capability::Buy;
}

/// See [`SetOwnPlace`].
pub fn set_own_place(cx: &mut Cx<'_>, cmd: &SetOwnPlace) -> Result<(), TaxError> {
    let account = signed_in(cx.caller.account)?;
    if cmd.buyer.place.is_none() {
        return Err(TaxError::Country);
    }
    let of = (cx.caller.tenant, account);
    Ok(sql::put_buyer(cx.tx, of, &cmd.buyer, cx.now)?)
}

fn administers(cx: &ReadCx<'_>) -> Result<(), Denied> {
    let capability = Capability::Administer;
    let denied = Denied {
        capability,
        signed_in: cx.caller.account.is_some(),
    };
    cx.caller.may(capability).then_some(()).ok_or(denied)
}

/// The policy, for the owner.
pub fn policy_of(cx: &mut ReadCx<'_>, (): &()) -> Result<Policy, TaxError> {
    administers(cx)?;
    policy(cx, &())
}

/// Says where the platform is registered, and whether prices contain their tax.
#[derive(Debug, Clone)]
pub struct SetPolicy {
    /// From now on.
    pub policy: Policy,
}

impl Command for SetPolicy {
    const NAME: &'static str = "taxes.set_policy";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        let home = self.policy.home.as_ref();
        home.map(|home| home.as_str().to_owned())
    }
}

/// See [`SetPolicy`]; what was sold keeps its own.
pub fn set_policy(cx: &mut Cx<'_>, cmd: &SetPolicy) -> Result<(), TaxError> {
    Ok(sql::put_policy(
        cx.tx,
        cx.caller.tenant,
        &cmd.policy,
        cx.now,
    )?)
}

/// Sets a rate of the owner's own.
#[derive(Debug, Clone)]
pub struct SetRate {
    /// Where: a country or a region.
    pub place: Place,
    /// Hundredths of a percent; `None` to follow the table again.
    pub bps: Option<u32>,
    /// From when on; `None` for now.
    pub from: Option<Timestamp>,
    /// Why, for people.
    pub note: String,
}

impl Command for SetRate {
    const NAME: &'static str = "taxes.set_rate";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.place.as_str().to_owned())
    }
}

/// See [`SetRate`]: now or later, since what was charged stays.
pub fn set_rate(cx: &mut Cx<'_>, cmd: &SetRate) -> Result<(), TaxError> {
    let from = cmd.from.unwrap_or(cx.now);
    if from < cx.now {
        return Err(TaxError::Past);
    }
    let note = cmd.note.trim();
    if note.chars().count() > MAX_NOTE || note.chars().any(char::is_control) {
        return Err(TaxError::Note);
    }
    let rate = OwnRate {
        place: cmd.place.clone(),
        from,
        bps: cmd.bps.map(rates::checked).transpose()?,
        note: note.to_owned(),
    };
    Ok(sql::put_rate(cx.tx, cx.caller.tenant, &rate, cx.now)?)
}

/// Asks for the owner's own rates.
#[derive(Debug, Clone, Copy)]
pub struct TaxTable;

/// The owner's own rates, by place and instant.
pub fn table(cx: &mut ReadCx<'_>, _: &TaxTable) -> Result<Vec<OwnRate>, TaxError> {
    administers(cx)?;
    Ok(sql::own_rates(cx.tx, cx.caller.tenant, None)?)
}

/// Asks what is known of where the buyer of an order is.
#[derive(Debug, Clone, Copy)]
pub struct AskEvidence {
    /// Which order.
    pub order: OrderId,
}

/// What is known of where the buyer of an order is, for the owner.
pub fn evidence_of(cx: &mut ReadCx<'_>, query: &AskEvidence) -> Result<Option<Evidence>, TaxError> {
    administers(cx)?;
    Ok(sql::evidence(cx.tx, (cx.caller.tenant, query.order))?)
}
