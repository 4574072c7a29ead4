//! Orders that a subscription makes by itself: one line, at the price that was agreed.

use super::model::{Line, Order, OrderError, OrderState, SplitAmounts};
use super::ops::{contact, say, store};
use crate::app::Cx;
use crate::domains::affiliates::Commission;
use crate::domains::catalog::model::LicenseTerms;
use crate::domains::catalog::{Price, Product};
use crate::domains::ledger::{PaymentTariff, SplitLine, Traffic, split_sale};
use crate::domains::taxes::{self, Evidence};
use crate::store::StoreError;
use mintreu::Money;
use mintreu::id::{AccountId, OrderId, OrderLineId};

/// How long a bill waits for its money: longer than any dunning.
const PATIENCE_MS: i64 = 60 * 24 * 60 * 60 * 1000;

/// What is billed.
#[derive(Debug, Clone)]
pub struct PlaceBill<'a> {
    /// What is paid for, in any state: a product that is no longer sold is still renewed.
    pub product: &'a Product,
    /// The price it is billed under; the amount is `unit`.
    pub price: &'a Price,
    /// What the license grants.
    pub terms: &'a LicenseTerms,
    /// For one, above zero.
    pub unit: Money,
    /// How many.
    pub quantity: i64,
    /// Off all of it.
    pub discount: Money,
    /// Who pays.
    pub account: Option<AccountId>,
    /// The first order, whose address a guest's bills go to.
    pub first: Option<OrderId>,
    /// Who found the buyer, then.
    pub traffic: Traffic,
    /// The platform's share, then.
    pub platform_bps: u32,
    /// Whose rule that is, in a sentence.
    pub platform_why: &'a str,
    /// What a payment costs, as it was then.
    pub tariff: PaymentTariff,
    /// Who brought the subscriber, if somebody did and still earns.
    pub brought: Option<&'a Commission>,
}

/// Places the order; it awaits its payment.
pub fn place_bill(cx: &mut Cx<'_>, new: &PlaceBill<'_>) -> Result<Order, OrderError> {
    let tenant = cx.caller.tenant;
    let buyer = taxes::buyer_again(cx.tx, tenant, (new.account, new.first))?;
    let line = line(cx, new, &buyer)?;
    let email = match new.first.filter(|_| new.account.is_none()) {
        Some(first) => contact(cx, first)?,
        None => None,
    };
    let order = Order {
        id: cx.make_id(OrderId::from_bytes),
        account: new.account,
        state: OrderState::AwaitingPayment,
        total: line.split.charged,
        traffic: new.traffic,
        placed_at: cx.now,
        expires_at: cx.now.plus_ms(PATIENCE_MS),
        paid_at: None,
        lines: vec![line],
    };
    let order = store(cx, order, email.as_deref())?;
    let evidence = Evidence {
        buyer,
        ..Evidence::default()
    };
    taxes::locate(cx, (order.id, new.account), &evidence)?;
    Ok(order)
}

/// The line, taxed as things stand now where its buyer is now.
fn line(cx: &mut Cx<'_>, new: &PlaceBill<'_>, buyer: &taxes::Buyer) -> Result<Line, OrderError> {
    let gross = new.unit.checked_mul(new.quantity)?;
    let tax = taxes::tax_for(cx.tx, cx.caller.tenant, cx.now, buyer)?;
    let sold = SplitLine {
        gross,
        discount: new.discount,
        tax: tax.clone(),
        platform_bps: new.platform_bps,
        affiliate_bps: new.brought.map_or(0, |commission| commission.bps),
    };
    let mut split = split_sale(&[sold], new.tariff)?;
    let shape = |what: &str| StoreError::shape(what.to_owned());
    let split = split
        .first_mut()
        .ok_or_else(|| shape("a line without its split"))?;
    say(split, "platform_fee", new.platform_why);
    if let Some(commission) = new.brought {
        say(split, "affiliate", &commission.why);
    }
    let split = SplitAmounts::of(split).map_err(|error| shape(&error.to_string()))?;
    Ok(Line {
        id: cx.make_id(OrderLineId::from_bytes),
        product: new.product.id,
        price: new.price.id,
        seller: new.product.seller.account,
        title: new.product.name.clone(),
        product_code: new.product.code.clone(),
        product_slug: new.product.slug.clone(),
        kind: new.product.kind,
        model: new.price.model,
        period: new.price.period,
        quantity: new.quantity,
        unit: new.unit,
        tax,
        split,
        terms: new.terms.clone(),
    })
}
