//! Another method for a subscription that is in nobody's account: left on a page of the provider by
//! who has the link of the order that began it, and charged for that subscription alone.

use super::super::model::{Status, Subscription, SubscriptionError};
use super::super::sql::{self, setups};
use super::act::charge_from_now_on;
use super::{Done, known};
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::orders;
use crate::domains::payments::{EventKind, PaymentEvent};
use mintreu::id::{MethodSetupId, OrderId, SubscriptionId};

/// Asks which subscriptions an order began.
#[derive(Clone)]
pub struct OfOrder {
    /// The order.
    pub order: OrderId,
    /// A guest's token.
    pub token: Option<String>,
}

/// See [`OfOrder`]; for who may see the order.
pub fn of_order_s_link(cx: &mut ReadCx<'_>, query: &OfOrder) -> Done<Vec<Subscription>> {
    let order = orders::view(cx, query.order, query.token.as_deref())?;
    Ok(sql::of_order(cx.tx, cx.caller.tenant, order.id)?)
}

/// Somebody with an order's link wants to leave another method.
#[derive(Clone)]
pub struct BeginMethod {
    /// The order.
    pub order: OrderId,
    /// A guest's token.
    pub token: Option<String>,
    /// Which of those that it began.
    pub subscription: SubscriptionId,
}

impl Command for BeginMethod {
    const NAME: &'static str = "subscriptions.begin_method_by_order";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.subscription.to_string())
    }
}

/// Expects a method for it; the setup's id is what its provider calls it by.
pub fn begin_method(cx: &mut Cx<'_>, cmd: &BeginMethod) -> Done<MethodSetupId> {
    let order = orders::seen_by(cx, cmd.order, cmd.token.as_deref())?;
    let of = known(cx, cmd.subscription)?;
    if of.order != Some(order.id) {
        return Err(SubscriptionError::NotFound);
    }
    if of.account.is_some() {
        return Err(SubscriptionError::OfAccount);
    }
    if of.status == Status::Canceled {
        return Err(SubscriptionError::WrongStatus(of.status));
    }
    let setup = cx.make_id(MethodSetupId::from_bytes);
    setups::insert(cx.tx, cx.caller.tenant, (setup, of.id), cx.now)?;
    Ok(setup)
}

/// What a provider tells of such a setup; `None` when it is none of these. Once the subscription is in
/// an account, the account's methods are charged and this isn't.
pub fn settle_method(
    cx: &mut Cx<'_>,
    setup: MethodSetupId,
    event: &PaymentEvent,
) -> Done<Option<&'static str>> {
    let tenant = cx.caller.tenant;
    let Some((subscription, open)) = setups::find(cx.tx, tenant, setup)? else {
        return Ok(None);
    };
    if !open {
        return Ok(Some("unchanged"));
    }
    let mut of = known(cx, subscription)?;
    let wanted = of.account.is_none() && of.status != Status::Canceled;
    let state = match (event.kind, event.method.as_ref().filter(|_| wanted)) {
        (EventKind::MethodKept, Some(kept)) => {
            charge_from_now_on(cx, &mut of, (&event.provider, &kept.name))?;
            "kept"
        }
        (EventKind::MethodKept | EventKind::MethodRefused, _) => "refused",
        _ => return Ok(Some("noted")),
    };
    setups::end(cx.tx, tenant, setup, state)?;
    Ok(Some(state))
}
