//! Confirming a quote: exactly what was shown is charged, once, or nothing is.

use super::checkout::{CheckoutPlaced, Place, place_priced};
use super::model::{FulfilmentError, Network};
use super::promise::Promise;
use super::quote::{Basis, givable, known_buyer, price};
use super::risk_asked;
use super::sql;
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::carts::{self, Owner};
use crate::domains::gifts::NewGift;
use crate::domains::orders;
use crate::domains::orders::ConsentKind;
use crate::domains::payments::{self, Payable};
use crate::domains::promotions;
use crate::domains::taxes::Evidence;
use mintreu::id::{OrderId, encode};

/// Buys what was quoted.
#[derive(Debug, Clone)]
pub struct Confirm {
    /// What the buyer was shown.
    pub promise: Promise,
    /// A guest's address.
    pub email: Option<String>,
    /// Whose page takes the money.
    pub provider: String,
    /// What the house takes.
    pub basis: Basis,
    /// Where the request came from, if it is known.
    pub network: Option<Network>,
    /// The cart that was quoted: it ends with the order.
    pub cart: Option<Owner>,
    /// Whether the buyer agreed to lose the right to withdraw, where that is asked.
    pub waived: bool,
    /// Whom it is for, if not for the buyer.
    pub gift: Option<NewGift>,
}

impl Command for Confirm {
    const NAME: &'static str = "fulfilment.confirm_quote";
    const CAPABILITY: Capability = Capability::Browse;

    fn contention_keys(&self) -> Vec<String> {
        let hash = self.promise.hash();
        let mut half = [0; 16];
        half.copy_from_slice(&hash[..16]);
        let codes = self.promise.codes().iter();
        let mut keys: Vec<_> = codes.map(|code| promotions::contention_key(code)).collect();
        keys.push(format!("fulfilment.quote:{}", encode(&half)));
        keys.extend(risk_asked::contention_key(self.network.as_ref()));
        keys
    }
}

/// Places the order if everything is as it was shown. Confirmed again by the same buyer, a quote
/// answers the order it became.
pub fn confirm(cx: &mut Cx<'_>, cmd: &Confirm) -> Result<CheckoutPlaced, FulfilmentError> {
    let tenant = cx.caller.tenant;
    let hash = cmd.promise.hash();
    if let Some(order) = sql::order_of_quote(cx.tx, tenant, &hash)? {
        return placed_before(cx, order, cmd.email.as_deref());
    }
    let known = known_buyer(cx.tx, cx.caller, cx.keys, cmd.email.as_deref())?;
    let (now, wanted) = (cx.now, cmd.promise.wanted()?);
    let what = (&wanted, &known, &cmd.basis);
    let quoted = price(cx.tx, cx.keys, (tenant, now), what)?;
    if !cmd.promise.holds(&quoted, now) {
        return Err(FulfilmentError::QuoteChanged(Box::new(quoted)));
    }
    if cmd.gift.is_some() {
        givable(&quoted)?;
    }
    let texts = quoted.consents(cmd.promise.locale());
    let asked = texts.iter().any(|text| text.kind == ConsentKind::Waiver);
    if asked && !cmd.waived {
        return Err(FulfilmentError::ConsentMissing);
    }
    let place = Place {
        evidence: Evidence {
            buyer: wanted.buyer()?,
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
        seen: quoted.total,
        email: cmd.email.as_deref(),
        known: &known,
        provider: &cmd.provider,
        basis: &cmd.basis,
        gift: cmd.gift.as_ref(),
    };
    let placed = place_priced(cx, place)?;
    let order = OrderId::parse(&placed.order).map_err(FulfilmentError::Payload)?;
    sql::use_quote(cx.tx, tenant, (&hash, order), now)?;
    for text in &texts {
        sql::insert_consent(cx.tx, tenant, (order, text), now)?;
    }
    if let Some(owner) = cmd.cart {
        carts::finish(cx, owner)?;
    }
    Ok(placed)
}

fn placed_before(
    cx: &mut Cx<'_>,
    id: OrderId,
    email: Option<&str>,
) -> Result<CheckoutPlaced, FulfilmentError> {
    let order = orders::by_id(cx, id)?;
    let same = match order.account {
        Some(account) => cx.caller.account == Some(account),
        None => orders::contact(cx, id)?.as_deref() == email.map(str::trim),
    };
    if !same {
        return Err(FulfilmentError::QuoteUsed);
    }
    let payment = payments::latest(cx.tx, cx.caller.tenant, &Payable::new(id))?;
    Ok(CheckoutPlaced {
        order: id.to_string(),
        payment: payment.map(|payment| payment.id.to_string()),
    })
}
