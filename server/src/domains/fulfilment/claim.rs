//! A guest's order comes into an account: with its token, which only its buyer was sent, and by who
//! has the address that it was placed with.

use super::model::FulfilmentError;
use super::sql;
use crate::app::{Command, Cx};
use crate::caller::{Capability, Denied};
use crate::domains::orders;
use crate::domains::orders::{Consent, ConsentKind};
use crate::domains::{accounts, billing, gifts, invoicing, licensing, subscriptions};
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, OrderId, TenantId};

/// Puts a guest's order into the caller's account.
#[derive(Clone)]
pub struct ClaimOrder {
    /// Which.
    pub order: OrderId,
    /// What opens it.
    pub token: Option<String>,
}

impl Command for ClaimOrder {
    const NAME: &'static str = "fulfilment.claim_order";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.order.to_string())
    }
}

/// See [`ClaimOrder`]: the order, its licenses, its subscriptions and what usage is billed by. Doing it again changes
/// nothing.
pub fn claim(cx: &mut Cx<'_>, cmd: &ClaimOrder) -> Result<(), FulfilmentError> {
    let tenant = cx.caller.tenant;
    let denied = Denied {
        capability: Capability::Buy,
        signed_in: false,
    };
    let account = cx.caller.account.ok_or(denied)?;
    let order = orders::seen_by(cx, cmd.order, cmd.token.as_deref())?;
    match order.account {
        Some(owner) if owner == account => return Ok(()),
        Some(_) => return Err(FulfilmentError::OrderOwned),
        None => {}
    }
    let own = accounts::email_of(cx.tx, tenant, account)?.map(|email| email.key());
    let contact = orders::contact(cx, order.id)?;
    if own.is_none() || own != contact.map(|contact| contact.to_lowercase()) {
        return Err(FulfilmentError::AddressDiffers);
    }
    orders::give(cx, order.id, account)?;
    // What was given is its recipient's, whoever paid for it.
    if !gifts::is_given(cx.tx, tenant, order.id)? {
        own_licenses(cx, &order, account)?;
    }
    subscriptions::give(cx, order.id, account)?;
    billing::give_plans(cx, order.id, account)?;
    invoicing::give(cx, order.id, account)?;
    crate::events::record(cx, "order.claimed", &order.id.to_string(), &())?;
    Ok(())
}

/// Makes `account` the owner of what came of an order, as far as nobody is.
pub(super) fn own_licenses(
    cx: &mut Cx<'_>,
    order: &orders::Order,
    account: AccountId,
) -> Result<(), FulfilmentError> {
    for line in &order.lines {
        let source = line.id.to_string();
        if let Some(license) = licensing::by_source(cx.tx, cx.caller.tenant, &source)? {
            licensing::claim(cx, license.id, account)?;
        }
    }
    Ok(())
}

/// What the buyer of an order agreed to, in all.
pub fn consents_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Consent>, StoreError> {
    sql::consents(tx, tenant, order)
}

/// What the buyer of an order agreed to about withdrawing from it, if anything.
pub fn waiver_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<Consent>, StoreError> {
    let mut consents = consents_of(tx, tenant, order)?.into_iter();
    Ok(consents.find(|consent| consent.kind == ConsentKind::Waiver.name()))
}
