//! Subscriptions by the order that began them: who bought without an account has nothing but its token.

use super::super::model::{Subscription, SubscriptionError};
use super::super::sql;
use super::act::{Act, Action, perform};
use super::{Done, keep, known};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::orders;
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, OrderId, SubscriptionId, TenantId};

/// The subscriptions that an order began.
pub fn begun_by(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Subscription>, StoreError> {
    sql::of_order(tx, tenant, order)
}

/// Ends a subscription with its period, or takes that wish back, by the order that began it.
#[derive(Clone)]
pub struct EndByOrder {
    /// The order.
    pub order: OrderId,
    /// A guest's token.
    pub token: Option<String>,
    /// Which of those that it began.
    pub subscription: SubscriptionId,
    /// Whether it shall end, or go on after all.
    pub ends: bool,
}

impl Command for EndByOrder {
    const NAME: &'static str = "subscriptions.end_by_order";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.subscription.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        // An end may bill what was used.
        vec![crate::domains::invoicing::CONTENDED.to_owned()]
    }
}

/// See [`EndByOrder`]: whoever pays can end it, also where somebody else has the license by now.
pub fn end_by_order(cx: &mut Cx<'_>, cmd: &EndByOrder) -> Done {
    let order = orders::seen_by(cx, cmd.order, cmd.token.as_deref())?;
    let of = known(cx, cmd.subscription)?;
    if of.order != Some(order.id) {
        return Err(SubscriptionError::NotFound);
    }
    let act = Act {
        subscription: of.id,
        action: match cmd.ends {
            true => Action::Cancel,
            false => Action::Uncancel,
        },
        seen: None,
    };
    perform(cx, of, &act)
}

/// Puts what a guest's order began into the account that the order came into.
pub fn give(cx: &mut Cx<'_>, order: OrderId, account: AccountId) -> Done {
    for mut of in sql::of_order(cx.tx, cx.caller.tenant, order)? {
        if of.account.is_none() {
            of.account = Some(account);
            keep(cx, &of)?;
        }
    }
    Ok(())
}
