//! Checkout: from a price that somebody saw to an order that awaits its payment.

use super::model::FulfilmentError;
use super::settle::{Cause, fulfil};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::catalog;
use crate::domains::ledger::{FeePolicy, PaymentTariff, Traffic};
use crate::domains::orders::{self, Buyer, Order, OrderError, OrderEvent, OrderState, PlaceOrder};
use crate::domains::payments::{self, NewPayment, Payable};
use crate::domains::subscriptions;
use mintreu::Money;
use mintreu::id::{OrderId, PriceId};
use serde::{Deserialize, Serialize};

/// The job that gives up an order nobody paid for.
pub const EXPIRE_JOB: &str = "fulfilment.expire_order";

/// Buys one price. The caller's account buys; without one, whoever reads mail at `email`.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// Which price.
    pub price: PriceId,
    /// How many.
    pub quantity: i64,
    /// The total that the buyer saw.
    pub seen: Money,
    /// A guest's address.
    pub email: Option<String>,
    /// Who found the buyer.
    pub traffic: Traffic,
    /// Whose page takes the money.
    pub provider: String,
    /// The platform's share.
    pub fees: FeePolicy,
    /// What a payment costs.
    pub tariff: PaymentTariff,
}

impl Command for Checkout {
    const NAME: &'static str = "fulfilment.checkout";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.price.to_string())
    }
}

/// What a checkout made: stored under the buyer's idempotency key, so it holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckoutPlaced {
    /// The order's id.
    pub order: String,
    /// The payment's id; `None` when nothing was to be paid.
    pub payment: Option<String>,
}

/// Places the order and expects its payment, or fulfils it when it costs nothing.
pub fn checkout(cx: &mut Cx<'_>, cmd: &Checkout) -> Result<CheckoutPlaced, FulfilmentError> {
    let offer = catalog::offer(cx.tx, cx.caller.tenant, cmd.price)?;
    let offer = offer.ok_or(OrderError::OfferGone)?;
    let guest = || Buyer::Guest(cmd.email.clone().unwrap_or_default().trim().to_owned());
    let new = PlaceOrder {
        offer,
        quantity: cmd.quantity,
        seen: cmd.seen,
        buyer: cx.caller.account.map_or_else(guest, Buyer::Account),
        traffic: cmd.traffic,
        fees: cmd.fees,
        tariff: cmd.tariff,
    };
    let mut order = orders::place(cx, &new)?;
    let share = cmd.fees.share(cmd.traffic);
    subscriptions::note_fees(cx, order.id, share, cmd.tariff)?;
    let payment = if order.total.minor() == 0 {
        fulfil(cx, &mut order, Cause::Free)?;
        None
    } else {
        Some(await_payment(cx, &order, &cmd.provider)?)
    };
    Ok(CheckoutPlaced {
        order: order.id.to_string(),
        payment,
    })
}

fn await_payment(
    cx: &mut Cx<'_>,
    order: &Order,
    provider: &str,
) -> Result<String, FulfilmentError> {
    let payment = payments::expect(cx, &new_payment(order, provider))?;
    let payload = ExpirePayload {
        order: order.id.to_string(),
    };
    crate::queue::enqueue(cx, EXPIRE_JOB, &payload, order.expires_at)?;
    Ok(payment.id.to_string())
}

fn new_payment(order: &Order, provider: &str) -> NewPayment {
    NewPayment {
        payable: Payable::new(order.id),
        amount: order.total,
        provider: provider.to_owned(),
    }
}

/// Tries again to pay an order whose last attempt failed.
#[derive(Debug, Clone)]
pub struct RetryPayment {
    /// Which order; whether the caller may is asked by `orders::may_see`.
    pub order: OrderId,
    /// A guest's token.
    pub token: Option<String>,
    /// Whose page takes the money.
    pub provider: String,
}

impl Command for RetryPayment {
    const NAME: &'static str = "fulfilment.retry_payment";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.order.to_string())
    }
}

/// The payment to open a page for: the open attempt, or a new one after a failure.
pub fn retry_payment(
    cx: &mut Cx<'_>,
    cmd: &RetryPayment,
) -> Result<CheckoutPlaced, FulfilmentError> {
    let mut order = orders::seen_by(cx, cmd.order, cmd.token.as_deref())?;
    let payment = match order.state {
        OrderState::AwaitingPayment => {
            let open = payments::latest(cx.tx, cx.caller.tenant, &Payable::new(order.id))?;
            open.ok_or(OrderError::WrongState(order.state))?
        }
        OrderState::Failed => {
            orders::apply(cx, &mut order, OrderEvent::PaymentRetried)?;
            payments::expect(cx, &new_payment(&order, &cmd.provider))?
        }
        other => return Err(OrderError::WrongState(other).into()),
    };
    Ok(CheckoutPlaced {
        order: order.id.to_string(),
        payment: Some(payment.id.to_string()),
    })
}

/// The payload of [`EXPIRE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ExpirePayload {
    /// The order's id.
    pub order: String,
}

/// Gives up an order that nobody paid for in time; any other stays as it is.
pub fn expire(cx: &mut Cx<'_>, job: &ExpirePayload) -> Result<(), FulfilmentError> {
    let id = OrderId::parse(&job.order).map_err(FulfilmentError::Payload)?;
    let mut order = orders::by_id(cx, id)?;
    if let orders::Step::Move(_) = orders::apply(cx, &mut order, OrderEvent::TimedOut)? {
        crate::events::record(cx, "order.expired", &job.order, &())?;
    }
    Ok(())
}
