//! What risk is asked of a checkout and of another try to pay.

use super::checkout::Place;
use super::model::{FulfilmentError, Network};
use crate::app::Cx;
use crate::domains::accounts;
use crate::domains::orders::{self, NewLine, Order};
use crate::domains::promotions::{self, Buyer};
use crate::domains::risk::{self, Asked, Decision, Step};
use mintreu::Money;

/// The name under which purchases from one network wait for each other: they are counted together.
pub(super) fn contention_key(network: Option<&Network>) -> Option<String> {
    let address = network?.address.as_ref()?;
    Some(format!("risk.network:{address}"))
}

/// Decides; what is refused goes no further.
pub(super) fn ask(cx: &mut Cx<'_>, asked: &Asked<'_>) -> Result<Decision, FulfilmentError> {
    let decision = risk::ask(cx, asked)?;
    match decision.stop(cx.caller.account.is_some()) {
        Some(refused) => Err(refused.into()),
        None => Ok(decision),
    }
}

/// What is asked before an order is placed.
pub(super) fn checkout<'a>(
    cx: &mut Cx<'_>,
    place: &Place<'a>,
) -> Result<Asked<'a>, FulfilmentError> {
    let email = match cx.caller.account {
        Some(account) => {
            let email = accounts::email_of(cx.tx, cx.caller.tenant, account)?;
            email.map(|email| email.as_str().to_owned())
        }
        None => place.email.map(str::to_owned),
    };
    let line = |line: &NewLine| {
        let product = &line.offer.product;
        (product.seller.account, product.id, price_of(line))
    };
    Ok(Asked {
        step: Step::Checkout,
        buyer: place.known,
        domain: domain(cx, email.as_deref()),
        network: network(cx, place.network),
        lines: place.lines.iter().map(line).collect(),
        total: place.seen,
    })
}

/// What a line costs before tax; one that can't be added up is refused when it is placed.
fn price_of(line: &NewLine) -> Money {
    let whole = line.unit.checked_mul(line.quantity);
    let price = whole.and_then(|whole| whole.checked_sub(line.discount));
    price.unwrap_or(line.unit)
}

/// Whose order it is, and their mail.
pub(super) fn buyer_of(
    cx: &mut Cx<'_>,
    order: &Order,
) -> Result<(Buyer, Option<String>), FulfilmentError> {
    let tenant = cx.caller.tenant;
    let email = match order.account {
        Some(account) => {
            let email = accounts::email_of(cx.tx, tenant, account)?;
            email.map(|email| email.as_str().to_owned())
        }
        None => orders::contact(cx, order.id)?,
    };
    let hash = |email: &String| promotions::address_hash(cx.keys, tenant, email);
    let buyer = Buyer {
        account: order.account,
        address: email.as_ref().map(hash),
    };
    Ok((buyer, email))
}

/// What is asked before another try to pay.
pub(super) fn payment<'a>(
    cx: &Cx<'_>,
    order: &Order,
    (buyer, email): (&'a Buyer, Option<String>),
    from: Option<&Network>,
) -> Asked<'a> {
    let lines = order.lines.iter();
    Asked {
        step: Step::Payment,
        buyer,
        domain: domain(cx, email.as_deref()),
        network: network(cx, from),
        lines: lines
            .map(|line| (line.seller, line.product, line.split.charged))
            .collect(),
        total: order.total,
    }
}

fn domain(cx: &Cx<'_>, email: Option<&str>) -> Option<[u8; 32]> {
    risk::domain_hash(cx.keys, cx.caller.tenant, email?)
}

fn network(cx: &Cx<'_>, from: Option<&Network>) -> Option<[u8; 32]> {
    let address = from?.address.as_ref()?;
    risk::network_hash(cx.keys, cx.caller.tenant, address)
}
