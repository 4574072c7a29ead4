//! What buyers and sellers see of subscriptions.

use super::super::model::{Bill, Subscription, SubscriptionError};
use super::super::sql;
use super::Done;
use super::due::{WillCharge, due_of};
use crate::app::ReadCx;
use crate::domains::catalog::{self, Product};
use crate::domains::methods;
use crate::domains::orders::Consent;
use crate::gateways::KeptMethod;
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, ProductId, SubscriptionId, TenantId};

/// Later than every id.
const NEWEST: SubscriptionId = SubscriptionId::from_bytes([0xff; 16]);
/// Most rows of one page.
const MAX_PAGE: i64 = 100;

/// Which page of one's own subscriptions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Mine {
    /// Those begun before this one; `None` for the newest.
    pub before: Option<SubscriptionId>,
    /// At most a hundred; 0 is twenty.
    pub limit: i64,
}

fn limit(wanted: i64) -> i64 {
    match wanted {
        0 => 20,
        wanted => wanted.clamp(1, MAX_PAGE),
    }
}

/// One's own subscriptions, newest first.
pub fn mine(cx: &mut ReadCx<'_>, query: &Mine) -> Done<Vec<Subscription>> {
    let Some(person) = cx.caller.account else {
        return Ok(Vec::new());
    };
    let page = sql::Page {
        tenant: cx.caller.tenant,
        person,
        before: query.before.unwrap_or(NEWEST),
        limit: limit(query.limit),
    };
    Ok(sql::of_account(cx.tx, &page)?)
}

/// The products whose live subscriptions are charged to a method of an account.
pub fn charged_to(
    tx: &mut dyn Tx,
    tenant: TenantId,
    method: (AccountId, &str, &str),
) -> Result<Vec<ProductId>, StoreError> {
    sql::charged_to(tx, tenant, method)
}

/// Asks for one's own subscription.
#[derive(Debug, Clone, Copy)]
pub struct MySubscription {
    /// Which.
    pub subscription: SubscriptionId,
}

/// A subscription with its bills and its product.
#[derive(Debug, Clone)]
pub struct SubscriptionPage {
    /// The subscription.
    pub subscription: Subscription,
    /// Its bills, newest first, at most a hundred.
    pub bills: Vec<Bill>,
    /// Its product as it is now.
    pub product: Product,
    /// What is charged, as its owner knows it; `None` without one, and for one that nobody told of.
    pub kept: Option<KeptMethod>,
    /// What it will charge.
    pub due: WillCharge,
    /// What was agreed to when a trial began.
    pub consents: Vec<Consent>,
}

/// A subscription, for who pays.
pub fn my_subscription(cx: &mut ReadCx<'_>, query: &MySubscription) -> Done<SubscriptionPage> {
    let tenant = cx.caller.tenant;
    let found = sql::find(cx.tx, tenant, query.subscription)?;
    let found = found.ok_or(SubscriptionError::NotFound)?;
    let owner = super::payer(cx.tx, tenant, &found)?;
    let mine = Some(found).filter(|_| owner.is_some() && owner == cx.caller.account);
    let subscription = mine.ok_or(SubscriptionError::NotFound)?;
    let product = catalog::product(cx.tx, tenant, subscription.product)?;
    Ok(SubscriptionPage {
        kept: kept_of(cx, &subscription)?,
        bills: sql::bills(cx.tx, tenant, subscription.id)?,
        due: due_of(cx.tx, (tenant, cx.now), &subscription)?,
        consents: sql::consents(cx.tx, tenant, subscription.id)?,
        product: product.ok_or(SubscriptionError::NotFound)?,
        subscription,
    })
}

/// What its owner knows of the method that is charged.
fn kept_of(cx: &mut ReadCx<'_>, of: &Subscription) -> Done<Option<KeptMethod>> {
    let Some((account, name)) = of.account.zip(of.method.as_deref()) else {
        return Ok(None);
    };
    let method = (account, of.provider.as_str(), name);
    Ok(methods::label_of(cx.tx, cx.caller.tenant, method)?)
}

/// Which page of a product's subscribers.
#[derive(Debug, Clone, Copy)]
pub struct OfProduct {
    /// One's own product.
    pub product: ProductId,
    /// Those begun before this one; `None` for the newest.
    pub before: Option<SubscriptionId>,
    /// At most a hundred; 0 is twenty.
    pub limit: i64,
}

/// Who subscribed to a product, for its seller: nothing that identifies a person.
pub fn of_product(cx: &mut ReadCx<'_>, query: &OfProduct) -> Done<Vec<Subscription>> {
    let person = cx.caller.account.ok_or(SubscriptionError::NotFound)?;
    let page = sql::Page {
        tenant: cx.caller.tenant,
        person,
        before: query.before.unwrap_or(NEWEST),
        limit: limit(query.limit),
    };
    Ok(sql::of_product(cx.tx, &page, query.product)?)
}
