//! What would come of a sale that nobody made: divided by the rules that divide a real one.

use super::model::FulfilmentError;
use crate::app::ReadCx;
use crate::domains::catalog::{self, Product};
use crate::domains::fees::{Agreed, Resolver, Scope, Subject};
use crate::domains::ledger::{FeePolicy, PaymentTariff, Split, SplitLine, Traffic, split_sale};
use crate::domains::orders::OrderError;
use crate::domains::taxes::{self, Buyer};
use mintreu::Money;
use mintreu::id::ProductId;

/// Asks what would come of a sale to somebody where the platform is at home.
#[derive(Debug, Clone)]
pub struct AskExample {
    /// What is asked for it.
    pub amount: Money,
    /// Who found the buyer.
    pub traffic: Traffic,
    /// The product, when there is one already.
    pub product: Option<ProductId>,
    /// Where it is to stand, while there is none: a category's path.
    pub category: String,
    /// The shares where no rule says anything.
    pub settings: FeePolicy,
    /// What a payment costs.
    pub tariff: PaymentTariff,
}

/// The same division as a real sale's: by the nearest rule of fees, with the tax of the platform's
/// own place.
pub fn example(cx: &mut ReadCx<'_>, ask: &AskExample) -> Result<Split, FulfilmentError> {
    let tenant = cx.caller.tenant;
    let product = match ask.product {
        Some(id) => catalog::product(cx.tx, tenant, id)?,
        None => None,
    };
    let fee = fee(cx, ask, product.as_ref())?;
    let line = SplitLine {
        gross: ask.amount,
        discount: Money::zero(ask.amount.currency()),
        tax: taxes::tax_for(cx.tx, tenant, cx.now, &Buyer::default())?,
        platform_bps: fee.platform_bps,
        affiliate_bps: 0,
    };
    let mut splits = split_sale(&[line], ask.tariff).map_err(OrderError::Split)?;
    splits.pop().ok_or(OrderError::Lines.into())
}

/// A product that is there has its own rules; one that is being written, those of its seller, then
/// of its category.
fn fee(
    cx: &mut ReadCx<'_>,
    ask: &AskExample,
    product: Option<&Product>,
) -> Result<Agreed, FulfilmentError> {
    let mut fees = Resolver::new(cx.caller.tenant, cx.now, ask.settings, ask.traffic);
    if let Some(product) = product {
        return Ok(fees.product(cx.tx, product)?);
    }
    if let Some(seller) = cx.caller.account {
        let own = Subject::of(Scope::Developer, &seller.to_string());
        let rule = fees.rule(cx.tx, &own)?;
        if let Some(rule) = rule.filter(|rule| rule.scope == Scope::Developer) {
            return Ok(Agreed::by(Some(&rule), ask.settings, ask.traffic));
        }
    }
    let rule = fees.rule(cx.tx, &Subject::of(Scope::Category, &ask.category))?;
    Ok(Agreed::by(rule.as_ref(), ask.settings, ask.traffic))
}
