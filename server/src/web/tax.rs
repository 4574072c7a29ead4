//! Tax on the shop's pages: the line that says it, and the field for a business's number.

use super::ask::Ask;
use super::checkout::{Basket, BuyForm};
use super::page::Page;
use super::parts::Field;
use crate::domains::fulfilment::{Quoted, Wanted, flow};
use crate::domains::orders::Order;
use crate::domains::taxes::{Buyer, Tax, TaxError, Why, percent};
use crate::problem::Problem;
use mintreu::Money;

/// What is wrong with the VAT id that was typed, if anything is.
pub(super) fn refused_vat_id(page: &Page, wanted: &Wanted) -> Option<String> {
    let country = wanted.country.as_deref();
    match Buyer::declared(country, None, wanted.vat_id.as_deref()) {
        Err(TaxError::VatId) => Some(page.say("checkout-vat-id-wrong")),
        Err(TaxError::VatIdElsewhere(of)) => {
            let of = page.format.country(of);
            Some(page.say_one("checkout-vat-id-elsewhere", "country", of))
        }
        _ => None,
    }
}

/// The field for a VAT id.
pub(super) fn vat_id_field(page: &Page, given: Option<String>, wrong: Option<String>) -> Field {
    let field = Field::text("vat_id", page.say("checkout-vat-id"));
    let field = field.hint(page.say("checkout-vat-id-hint")).max_length(32);
    field.value(given.unwrap_or_default()).error(wrong)
}

/// A tax in words: how much, at which rate, and whose.
fn text(page: &Page, tax: &Tax, amount: Money) -> String {
    let country = tax.jurisdiction.split('-').next().unwrap_or_default();
    let place = page.format.country(country);
    let key = match (tax.why, tax.inclusive) {
        (Why::NotRegistered, _) => "checkout-no-tax",
        (Why::ReverseCharge, _) => "checkout-tax-reverse",
        (Why::NoTax, _) => "checkout-tax-none",
        (_, true) => "checkout-tax-included",
        (_, false) => "checkout-tax-added",
    };
    let amount = page.format.money(amount);
    let rate = percent(tax.bps);
    // Each sentence takes what it names.
    let values = [
        ("amount", amount.into()),
        ("rate", rate.into()),
        ("place", place.into()),
    ];
    page.words.say_with(key, values)
}

fn sum(zero: Money, mut amounts: impl Iterator<Item = Money>) -> Money {
    let sum = amounts.try_fold(zero, |sum, tax| sum.checked_add(tax));
    sum.unwrap_or(zero)
}

/// The tax of a quote in words.
pub(super) fn quote_text(page: &Page, quoted: &Quoted) -> String {
    let zero = Money::zero(quoted.total.currency());
    let amounts = quoted.splits.iter().map(|split| split.tax);
    text(page, &quoted.tax, sum(zero, amounts))
}

/// The tax of an order in words; none when no tax was collected. Its lines all bear the same.
pub(super) fn order_text(page: &Page, order: &Order) -> Option<String> {
    let first = order.lines.first()?;
    if first.tax.why == Why::NotRegistered {
        return None;
    }
    let zero = Money::zero(order.total.currency());
    let amounts = order.lines.iter().map(|line| line.split.tax);
    Some(text(page, &first.tax, sum(zero, amounts)))
}

/// The tax line of a basket as its checkout would show it now; none while no tax is collected or
/// the basket can't be bought as it is.
pub(super) async fn basket_text(
    ask: &Ask,
    page: &Page,
    basket: Basket,
) -> Result<Option<String>, Problem> {
    let basket = basket.located(ask).await?;
    if basket.whereabouts.is_none() || basket.items.is_empty() {
        return Ok(None);
    }
    let wanted = basket.wanted(&BuyForm::default());
    let quoted = flow::quote_of(&ask.app, &ask.visitor.caller, wanted, None).await;
    Ok(quoted.ok().map(|quoted| quote_text(page, &quoted)))
}
