//! Checkout: from a price that somebody saw to an order that awaits its payment.

use super::model::{FulfilmentError, Network};
use super::quote::{Basis, Wanted, givable, known_buyer, price};
use super::risk_asked;
use super::settle::{Cause, fulfil};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::affiliates;
use crate::domains::catalog::{self, PriceModel};
use crate::domains::fees;
use crate::domains::gifts::{self, NewGift};
use crate::domains::orders::{
    self, Buyer, NewLine, Order, OrderError, OrderEvent, OrderState, PlaceOrder,
};
use crate::domains::payments::{self, MethodUse, NewPayment, Payable};
use crate::domains::promotions::{self, Discount, PromotionError, Taken};
use crate::domains::risk;
use crate::domains::subscriptions;
use crate::domains::taxes::{Evidence, Tax};
use crate::store::Tx;
use mintreu::Money;
use mintreu::id::{OrderId, TenantId};
use serde::{Deserialize, Serialize};

/// The job that gives up an order nobody paid for.
pub const EXPIRE_JOB: &str = "fulfilment.expire_order";

/// Buys what is wanted. The caller's account buys; without one, whoever reads mail at `email`.
#[derive(Debug, Clone)]
pub struct Checkout {
    /// What, and with which codes.
    pub wanted: Wanted,
    /// The total that the buyer saw.
    pub seen: Money,
    /// A guest's address.
    pub email: Option<String>,
    /// Whose page takes the money.
    pub provider: String,
    /// What the house takes.
    pub basis: Basis,
    /// Where the request came from, if it is known.
    pub network: Option<Network>,
}

impl Command for Checkout {
    const NAME: &'static str = "fulfilment.checkout";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        let first = self.wanted.items.first();
        first.map(|item| item.price.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        let codes = self.wanted.codes.iter();
        let codes = codes.map(|code| promotions::contention_key(code));
        codes
            .chain(risk_asked::contention_key(self.network.as_ref()))
            .collect()
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
    let known = known_buyer(cx.tx, cx.caller, cx.keys, cmd.email.as_deref())?;
    let at = (cx.caller.tenant, cx.now);
    let quoted = price(cx.tx, cx.keys, at, (&cmd.wanted, &known, &cmd.basis))?;
    if let Some((code, refusal)) = quoted.refused.first().cloned() {
        return Err(PromotionError::Refused { code, refusal }.into());
    }
    let gift = cmd.wanted.gift.as_ref();
    if gift.is_some() {
        givable(&quoted)?;
    }
    let place = Place {
        evidence: Evidence {
            buyer: cmd.wanted.buyer()?,
            network: cmd
                .network
                .as_ref()
                .and_then(|network| network.country.clone()),
            method: None,
        },
        network: cmd.network.as_ref(),
        tax: quoted.tax,
        lines: quoted.lines,
        given: &quoted.given,
        seen: cmd.seen,
        email: cmd.email.as_deref(),
        known: &known,
        provider: &cmd.provider,
        basis: &cmd.basis,
        gift,
    };
    place_priced(cx, place)
}

/// What was priced, and who buys it.
pub(super) struct Place<'a> {
    pub lines: Vec<NewLine>,
    /// What each line bears, and where its buyer is.
    pub tax: Tax,
    pub evidence: Evidence,
    /// Where the request came from.
    pub network: Option<&'a Network>,
    /// What codes do to each line.
    pub given: &'a [Option<Discount>],
    pub seen: Money,
    pub email: Option<&'a str>,
    pub known: &'a promotions::Buyer,
    pub provider: &'a str,
    pub basis: &'a Basis,
    /// Whom it is for, if not for the buyer.
    pub gift: Option<&'a NewGift>,
}

/// Places what was priced, takes its discounts' units, and expects the payment. Risk is asked first:
/// what it refuses places nothing.
pub(super) fn place_priced(
    cx: &mut Cx<'_>,
    place: Place<'_>,
) -> Result<CheckoutPlaced, FulfilmentError> {
    let asked = risk_asked::checkout(cx, &place)?;
    let decision = risk_asked::ask(cx, &asked)?;
    let guest = || Buyer::Guest(place.email.unwrap_or_default().trim().to_owned());
    let new = PlaceOrder {
        lines: place.lines,
        seen: place.seen,
        buyer: cx.caller.account.map_or_else(guest, Buyer::Account),
        traffic: place.basis.traffic,
        tariff: place.basis.tariff,
        tax: place.tax,
        evidence: place.evidence,
    };
    let mut order = orders::place(cx, &new)?;
    let given = order.lines.iter().zip(place.given);
    let taken = Taken {
        order: order.id,
        buyer: place.known,
        lines: given
            .filter_map(|(line, given)| Some((line.id, given.as_ref()?)))
            .collect(),
    };
    promotions::take(cx, &taken)?;
    keep_fees(cx, &order, &new)?;
    if let Some(gift) = place.gift {
        gifts::keep(cx, order.id, gift)?;
    }
    keep_brought(cx, &order, &new)?;
    risk::keep(cx, &asked, (&decision, order.id))?;
    let payment = if order.total.minor() == 0 {
        fulfil(cx, &mut order, Cause::Free)?;
        None
    } else {
        Some(await_payment(cx, &order, place.provider)?)
    };
    Ok(CheckoutPlaced {
        order: order.id.to_string(),
        payment,
    })
}

/// Keeps the share that each line was sold at, and what its payments cost.
fn keep_fees(cx: &mut Cx<'_>, order: &Order, new: &PlaceOrder) -> Result<(), FulfilmentError> {
    for (line, agreed) in order.lines.iter().zip(&new.lines) {
        fees::keep(cx, (line.id, order.id, line.product), &agreed.fee)?;
    }
    if let Some(first) = new.lines.first() {
        subscriptions::note_fees(cx, order.id, first.fee.platform_bps, new.tariff)?;
    }
    Ok(())
}

/// Keeps who brought the buyer of each line, or why nobody earns on it.
fn keep_brought(cx: &mut Cx<'_>, order: &Order, new: &PlaceOrder) -> Result<(), FulfilmentError> {
    for (line, agreed) in order.lines.iter().zip(&new.lines) {
        let placed = affiliates::attribute::Placed {
            order: order.id,
            line: line.id,
            seller: line.seller,
            product: line.product,
            commission: line.split.affiliate,
        };
        affiliates::record(cx, &placed, &agreed.brought)?;
    }
    Ok(())
}

fn await_payment(
    cx: &mut Cx<'_>,
    order: &Order,
    provider: &str,
) -> Result<String, FulfilmentError> {
    let new = new_payment(cx, order, provider)?;
    let payment = payments::expect(cx, &new)?;
    let payload = ExpirePayload {
        order: order.id.to_string(),
    };
    crate::queue::enqueue(cx, EXPIRE_JOB, &payload, order.expires_at)?;
    Ok(payment.id.to_string())
}

/// What renews is charged to the method that paid first, so that one is kept; a gift is paid once.
fn new_payment(
    cx: &mut Cx<'_>,
    order: &Order,
    provider: &str,
) -> Result<NewPayment, FulfilmentError> {
    let renews = |line: &orders::Line| line.model == PriceModel::Recurring;
    let is_gift = gifts::of_order(cx.tx, cx.caller.tenant, order.id)?.is_some();
    let keeps = order.lines.iter().any(renews) && !is_gift;
    Ok(NewPayment {
        payable: Payable::new(order.id),
        amount: order.total,
        provider: provider.to_owned(),
        method_use: match keeps {
            true => MethodUse::Setup,
            false => MethodUse::Once,
        },
    })
}

/// Tries again to pay an order whose last attempt failed.
#[derive(Clone)]
pub struct RetryPayment {
    /// Which order; whether the caller may is asked by `orders::may_see`.
    pub order: OrderId,
    /// A guest's token.
    pub token: Option<String>,
    /// Whose page takes the money.
    pub provider: String,
    /// Where the request came from, if it is known.
    pub network: Option<Network>,
}

impl Command for RetryPayment {
    const NAME: &'static str = "fulfilment.retry_payment";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.order.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        let network = risk_asked::contention_key(self.network.as_ref());
        network.into_iter().collect()
    }
}

/// The payment to open a page for: the open attempt, or a new one after a failure, which risk is
/// asked about again.
pub fn retry_payment(
    cx: &mut Cx<'_>,
    cmd: &RetryPayment,
) -> Result<CheckoutPlaced, FulfilmentError> {
    let mut order = orders::seen_by(cx, cmd.order, cmd.token.as_deref())?;
    still_sold(cx.tx, cx.caller.tenant, &order)?;
    let payment = match order.state {
        OrderState::AwaitingPayment => {
            let open = payments::latest(cx.tx, cx.caller.tenant, &Payable::new(order.id))?;
            let open = open.ok_or(OrderError::WrongState(order.state))?;
            if open.is_charging() {
                return Err(FulfilmentError::BeingCharged);
            }
            open
        }
        OrderState::Failed => {
            let (buyer, mail) = risk_asked::buyer_of(cx, &order)?;
            let asked = risk_asked::payment(cx, &order, (&buyer, mail), cmd.network.as_ref());
            let decision = risk_asked::ask(cx, &asked)?;
            orders::apply(cx, &mut order, OrderEvent::PaymentRetried)?;
            risk::keep(cx, &asked, (&decision, order.id))?;
            let new = new_payment(cx, &order, &cmd.provider)?;
            payments::expect(cx, &new)?
        }
        other => return Err(OrderError::WrongState(other).into()),
    };
    Ok(CheckoutPlaced {
        order: order.id.to_string(),
        payment: Some(payment.id.to_string()),
    })
}

/// Whether everybody who sells something of it still sells: else no page opens that takes money.
pub(super) fn still_sold(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: &Order,
) -> Result<(), FulfilmentError> {
    if !matches!(
        order.state,
        OrderState::AwaitingPayment | OrderState::Failed
    ) {
        return Ok(());
    }
    for line in &order.lines {
        if !catalog::sells(tx, tenant, line.seller)? {
            return Err(FulfilmentError::SellerStopped(line.title.clone()));
        }
    }
    Ok(())
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
        promotions::free_slot(cx, id)?;
        crate::events::record(cx, "order.expired", &job.order, &())?;
    }
    Ok(())
}
