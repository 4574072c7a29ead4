//! What a buyer sees: an order with its payment and licenses, and a license with its devices.
//!
//! A guest shows an order's token; the same token opens the licenses that came of the order. What was
//! given is its recipient's: the buyer's token and account open none of its licenses.

use super::gifts::{GiftView, view_of};
use super::model::FulfilmentError;
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::gifts;
use crate::domains::invoicing;
use crate::domains::licensing::{self, Code, License, LicenseView, LicensingError};
use crate::domains::orders::Consent;
use crate::domains::orders::{self, Order, OrderError};
use crate::domains::payments::{self, Payable, Payment};
use crate::domains::refunds::{self, OfOrder};
use crate::domains::subscriptions::{self, Subscription, WillCharge};
use mintreu::id::{LicenseId, OrderId, OrderLineId};

/// Asks for an order.
#[derive(Clone)]
pub struct ViewOrder {
    /// Which.
    pub order: OrderId,
    /// A guest's token.
    pub token: Option<String>,
}

/// An order as its buyer sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderPage {
    /// The order with its lines.
    pub order: Order,
    /// The newest attempt to pay; `None` when nothing was to be paid.
    pub payment: Option<Payment>,
    /// What came of each line, in their order; empty until it is paid.
    pub licenses: Vec<License>,
    /// What its buyer agreed to.
    pub consents: Vec<Consent>,
    /// What went back, and what a bank asked.
    pub back: OfOrder,
    /// Whether there is an invoice of it.
    pub invoiced: bool,
    /// Whom it was given to, if it was.
    pub gift: Option<GiftView>,
    /// What renews by itself since, and what it will charge.
    pub subscriptions: Vec<(Subscription, WillCharge)>,
}

/// The order, if the caller owns it or holds its token.
pub fn order_page(cx: &mut ReadCx<'_>, query: &ViewOrder) -> Result<OrderPage, FulfilmentError> {
    let tenant = cx.caller.tenant;
    let order = orders::view(cx, query.order, query.token.as_deref())?;
    let payment = payments::latest(cx.tx, tenant, &Payable::new(order.id))?;
    let gift = view_of(cx, &order)?;
    let licenses = match gift {
        Some(_) => Vec::new(),
        None => licenses_of(cx, &order)?,
    };
    let back = refunds::of_order(cx, order.id)?;
    let mut begun = Vec::new();
    for one in subscriptions::begun_by(cx.tx, tenant, order.id)? {
        let due = subscriptions::due_of(cx.tx, (tenant, cx.now), &one)?;
        begun.push((one, due));
    }
    let invoiced = !invoicing::of_order(cx, order.id)?.is_empty();
    Ok(OrderPage {
        back,
        invoiced,
        gift,
        order,
        payment,
        licenses,
        consents: sql::consents(cx.tx, tenant, query.order)?,
        subscriptions: begun,
    })
}

/// What came of each line of an order.
pub(super) fn licenses_of(
    cx: &mut ReadCx<'_>,
    order: &Order,
) -> Result<Vec<License>, FulfilmentError> {
    let mut licenses = Vec::new();
    for line in &order.lines {
        let source = line.id.to_string();
        licenses.extend(licensing::by_source(cx.tx, cx.caller.tenant, &source)?);
    }
    Ok(licenses)
}

/// Asks for a license.
#[derive(Clone)]
pub struct ViewLicense {
    /// Which.
    pub license: LicenseId,
    /// The token of the order it came of, or of the gift that it was, for a guest.
    pub token: Option<String>,
}

/// A license as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicensePage {
    /// The license with its devices.
    pub view: LicenseView,
    /// The order it came of; `None` for one that was given otherwise.
    pub order: Option<OrderId>,
}

/// The license, if the caller owns it, sold it, or holds its order's token.
pub fn license_page(
    cx: &mut ReadCx<'_>,
    query: &ViewLicense,
) -> Result<LicensePage, FulfilmentError> {
    let tenant = cx.caller.tenant;
    let found = licensing::by_id(cx.tx, tenant, query.license)?;
    let license = found.ok_or(LicensingError::NotFound)?;
    let order = match OrderLineId::parse(&license.source) {
        Ok(line) => orders::of_line(cx.tx, tenant, line)?,
        Err(_) => None,
    };
    let by_token = match order {
        Some(order) => is_opened(cx, order, query.token.as_deref())?,
        None => false,
    };
    let view = if by_token {
        licensing::ops::with_devices(cx, license)?
    } else {
        licensing::view(cx, &query.license)?
    };
    Ok(LicensePage { view, order })
}

/// Whether a token opens the licenses that came of an order: its own, or its gift's.
fn is_opened(
    cx: &mut ReadCx<'_>,
    order: OrderId,
    token: Option<&str>,
) -> Result<bool, FulfilmentError> {
    if token.is_none() {
        return Ok(false);
    }
    if let Some(gift) = gifts::of_order(cx.tx, cx.caller.tenant, order)? {
        return Ok(gift.shows(token));
    }
    match orders::view(cx, order, token) {
        Ok(_) => Ok(true),
        Err(OrderError::NotFound) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Asks for the code of a license in the clear.
#[derive(Clone)]
pub struct RevealCode {
    /// Which license.
    pub license: LicenseId,
    /// The token of the order it came of, or of the gift that it was, for a guest.
    pub token: Option<String>,
}

impl Command for RevealCode {
    const NAME: &'static str = "fulfilment.reveal_code";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }
}

/// The code, for the license's owner or who holds the order's token; sellers don't see it.
pub fn reveal_code(cx: &mut Cx<'_>, cmd: &RevealCode) -> Result<Code, FulfilmentError> {
    let tenant = cx.caller.tenant;
    let found = licensing::by_id(cx.tx, tenant, cmd.license)?;
    let license = found.ok_or(LicensingError::NotFound)?;
    let owned = cx.caller.account.is_some() && license.owner == cx.caller.account;
    if !owned {
        let line = OrderLineId::parse(&license.source).map_err(|_| LicensingError::NotFound)?;
        let order = orders::of_line(cx.tx, tenant, line)?.ok_or(OrderError::NotFound)?;
        match gifts::of_order(cx.tx, tenant, order)? {
            None => drop(orders::seen_by(cx, order, cmd.token.as_deref())?),
            Some(gift) if gift.shows(cmd.token.as_deref()) => {}
            Some(_) => return Err(LicensingError::NotFound.into()),
        }
    }
    Ok(licensing::reveal_code(cx, cmd.license)?)
}
