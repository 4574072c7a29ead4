//! What an account bought, newest first: each order with what its buyer can do about it.

use super::gifts::{GiftView, view_of};
use super::model::FulfilmentError;
use crate::app::ReadCx;
use crate::domains::orders::{self, History, Order, OrderState};
use crate::domains::payments::{self, Payable};
use crate::domains::refunds;
use mintreu::id::OrderId;

/// One of the caller's orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bought {
    /// The order with its lines.
    pub order: Order,
    /// Whether a bank asks about its payment, undecided.
    pub disputed: bool,
    /// Whether its buyer can pay it now: it failed, or its page at the provider is still open.
    pub payable: bool,
    /// Whom it was given to, if it was.
    pub gift: Option<GiftView>,
}

/// A page of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoughtPage {
    /// Newest first.
    pub orders: Vec<Bought>,
    /// What to ask for next.
    pub next: Option<OrderId>,
}

/// The caller's own orders, with a guest's that they claimed; see [`orders::history`].
pub fn bought(cx: &mut ReadCx<'_>, query: &History) -> Result<BoughtPage, FulfilmentError> {
    let found = orders::history(cx, query)?;
    let full = found.len() == usize::try_from(query.size()).unwrap_or(usize::MAX);
    let next = found.last().map(|order| order.id).filter(|_| full);
    let mut orders = Vec::with_capacity(found.len());
    for order in found {
        let tenant = cx.caller.tenant;
        orders.push(Bought {
            disputed: refunds::is_disputed(cx.tx, tenant, order.id)?,
            payable: is_payable(cx, &order)?,
            gift: view_of(cx, &order)?,
            order,
        });
    }
    Ok(BoughtPage { orders, next })
}

/// What [`super::retry_payment`] would take: not what a saved method is being charged for.
fn is_payable(cx: &mut ReadCx<'_>, order: &Order) -> Result<bool, FulfilmentError> {
    match order.state {
        OrderState::Failed => Ok(true),
        OrderState::AwaitingPayment => {
            let payable = Payable::new(order.id);
            let open = payments::latest(cx.tx, cx.caller.tenant, &payable)?;
            Ok(open.is_some_and(|open| open.is_open() && !open.is_charging()))
        }
        _ => Ok(false),
    }
}
