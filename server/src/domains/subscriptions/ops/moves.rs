//! Prices that sellers move their subscribers to: told well before, and theirs to refuse.

use super::super::model::{
    DAY_MS, Event, NOTICE_DAYS, Status, Step, Subscription, SubscriptionError, next_status,
};
use super::super::sql;
use super::begin::cycle_of;
use super::change::invalid;
use super::{Done, keep, own};
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::catalog::{self, Price, PriceModel};
use mintreu::id::{PriceId, ProductId, SubscriptionId};
use mintreu::{Money, Timestamp};

/// Subscriptions that are read at once.
const BATCH: i64 = 500;
/// Most batches that one command goes through.
const MOST_BATCHES: usize = 20;

/// Moves who subscribed to a price of one's own to another one, from a day on.
#[derive(Debug, Clone, Copy)]
pub struct Reprice {
    /// The product.
    pub product: ProductId,
    /// Under which price they subscribed, which may be archived by now.
    pub price: PriceId,
    /// What they are moved to: for sale, of the same period and currency.
    pub to: PriceId,
    /// The first period that begins then or later costs so much: in 30 days at the earliest.
    pub from: Timestamp,
}

impl Command for Reprice {
    const NAME: &'static str = "subscriptions.reprice";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.price.to_string())
    }
}

/// See [`Reprice`]: answers how many were told. Who isn't moved keeps the price they had, and so
/// does who refuses in time ([`KeepPrice`]).
pub fn reprice(cx: &mut Cx<'_>, cmd: &Reprice) -> Done<i64> {
    let tenant = cx.caller.tenant;
    let seller = cx.caller.account.ok_or(SubscriptionError::NotFound)?;
    if cmd.from < cx.now.plus_ms(NOTICE_DAYS * DAY_MS) {
        let detail = format!("a price is told {NOTICE_DAYS} days before it holds");
        return Err(invalid("from", detail));
    }
    let offer = catalog::offer(cx.tx, tenant, cmd.to)?;
    let offer = offer.filter(|offer| {
        let (product, price) = (&offer.product, &offer.price);
        product.seller.account == seller
            && product.id == cmd.product
            && price.model == PriceModel::Recurring
            && price.bounds.renewing.payments.is_none()
    });
    let detail =
        || "a recurring price of the product for sale, of no fixed number of payments".to_owned();
    let to = offer.ok_or_else(|| invalid("to_price_id", detail()))?.price;
    let before = catalog::price(cx.tx, tenant, cmd.price)?;
    let alike = |price: &Price| {
        (price.period, price.amount.currency()) == (to.period, to.amount.currency())
    };
    let before = before.filter(|(product, price)| *product == cmd.product && alike(price));
    if before.is_none() {
        let detail = "a price of the same product, period and currency".to_owned();
        return Err(invalid("price_id", detail));
    }
    tell_all(cx, cmd, &to)
}

fn tell_all(cx: &mut Cx<'_>, cmd: &Reprice, to: &Price) -> Done<i64> {
    let mut page = sql::Page {
        tenant: cx.caller.tenant,
        person: cx.caller.account.ok_or(SubscriptionError::NotFound)?,
        before: SubscriptionId::from_bytes([0xff; 16]),
        limit: BATCH,
    };
    let mut told = 0;
    for _ in 0..MOST_BATCHES {
        let found = sql::of_product(cx.tx, &page, cmd.product)?;
        let Some(last) = found.last() else {
            return Ok(told);
        };
        page.before = last.id;
        for mut of in found {
            let fixed = of.payments_left.is_some();
            if of.status == Status::Canceled || of.price != cmd.price || fixed {
                continue;
            }
            // Who changed the length of the period themselves isn't under the price as it was.
            if of.cycle != cycle_of(to.period) || of.currency() != to.amount.currency() {
                continue;
            }
            of.notice = Some((to.amount.minor(), cmd.from));
            of.notice_price = Some(to.id);
            keep(cx, &of)?;
            announce(cx, &of, to.amount, cmd.from)?;
            told += 1;
        }
    }
    let detail = "a product with more subscribers is moved by its operator".to_owned();
    Err(invalid("product_id", detail))
}

/// The fact that a price was announced, with what it was and will be.
fn announce(cx: &mut Cx<'_>, of: &Subscription, unit: Money, from: Timestamp) -> Done {
    let about = serde_json::json!({
        "period": of.period,
        "status": of.status.code(),
        "price": of.price.to_string(),
        "new_price": of.notice_price.map(|price| price.to_string()),
        "amount_minor": of.amount()?.minor(),
        "new_amount_minor": unit.checked_mul(of.seats)?.minor(),
        "currency": of.currency().code(),
        "holds_from": from.ms(),
    });
    let kind = "subscription.price_will_change";
    crate::events::record(cx, kind, &of.id.to_string(), &about)?;
    Ok(())
}

/// Refuses the price that was announced: one's own stays.
#[derive(Debug, Clone, Copy)]
pub struct KeepPrice {
    /// Which subscription.
    pub subscription: SubscriptionId,
}

impl Command for KeepPrice {
    const NAME: &'static str = "subscriptions.keep_price";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.subscription.to_string())
    }
}

/// See [`KeepPrice`]; where nothing is announced, nothing changes.
pub fn keep_price(cx: &mut Cx<'_>, cmd: &KeepPrice) -> Done {
    let mut of = own(cx, cmd.subscription)?;
    if of.notice.is_none() {
        return Ok(());
    }
    if next_status(of.status, of.flags(), Event::Change) == Step::Refuse {
        return Err(SubscriptionError::WrongStatus(of.status));
    }
    (of.notice, of.notice_price) = (None, None);
    keep(cx, &of)?;
    super::tell(cx, "subscription.price_kept", &of)
}
