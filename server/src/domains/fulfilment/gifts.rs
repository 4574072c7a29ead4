//! Gifts on their way: sent on their day, corrected by who paid, claimed by who got the link.
//!
//! A gift whose price went back, or is about to, can't be claimed. That is no state of its own but
//! read from the refunds: when one fails afterwards, the same link is good again.

use super::claim::own_licenses;
use super::model::FulfilmentError;
use super::pages::licenses_of;
use super::settle::hand_over_gift;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::gifts::{self, Gift, GiftError, GiftState, Recipient, SendPayload};
use crate::domains::licensing::License;
use crate::domains::orders::{self, Order};
use crate::domains::refunds;
use crate::store::Tx;
use mintreu::Timestamp;
use mintreu::id::{GiftId, OrderId, TenantId};

/// Whether the gift's order was paid, and whether all of that went back or is about to.
fn money_of(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: &Order,
) -> Result<(bool, bool), FulfilmentError> {
    let paid = order.paid_at.is_some();
    Ok((paid, paid && refunds::is_gone(tx, tenant, order.id)?))
}

/// The job: sends a gift on its day, unless it was sent, claimed or taken back meanwhile.
pub fn send_gift(cx: &mut Cx<'_>, job: &SendPayload) -> Result<(), FulfilmentError> {
    let id = GiftId::parse(&job.gift).map_err(FulfilmentError::Payload)?;
    let mut gift = gifts::by_id(cx, id)?;
    let order = orders::by_id(cx, gift.order)?;
    let money = money_of(cx.tx, cx.caller.tenant, &order)?;
    if gift.state(money) == GiftState::Scheduled {
        gifts::send(cx, &mut gift)?;
    }
    Ok(())
}

/// The buyer mends the recipient's address, or has the link sent once more.
#[derive(Clone)]
pub struct CorrectGift {
    /// The order that is given.
    pub order: OrderId,
    /// What opens a guest's order.
    pub token: Option<String>,
    /// The recipient's address; `None` for the one that is known.
    pub email: Option<String>,
}

impl Command for CorrectGift {
    const NAME: &'static str = "fulfilment.correct_gift";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.order.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.order.to_string()]
    }
}

/// See [`CorrectGift`]: what waits for its day or its money isn't sent before.
pub fn correct_gift(cx: &mut Cx<'_>, cmd: &CorrectGift) -> Result<(), FulfilmentError> {
    let tenant = cx.caller.tenant;
    let order = orders::seen_by(cx, cmd.order, cmd.token.as_deref())?;
    let found = gifts::of_order(cx.tx, tenant, order.id)?;
    let mut gift = found.ok_or(GiftError::NotFound)?;
    let money = money_of(cx.tx, tenant, &order)?;
    match gift.state(money) {
        GiftState::Claimed => return Err(GiftError::Claimed.into()),
        GiftState::Void => return Err(GiftError::Void.into()),
        GiftState::AwaitingPayment | GiftState::Scheduled | GiftState::Sent => {}
    }
    if let Some(email) = &cmd.email {
        gifts::correct(cx, &mut gift, email)?;
    }
    let (paid, _) = money;
    if paid && !gift.waits(cx.now) {
        gifts::send(cx, &mut gift)?;
    }
    Ok(())
}

/// Claims a gift: for the account that is signed in, or for who holds the link.
#[derive(Clone)]
pub struct ClaimGift {
    /// Which.
    pub gift: GiftId,
    /// What its link carries.
    pub token: Option<String>,
}

impl Command for ClaimGift {
    const NAME: &'static str = "fulfilment.claim_gift";
    const CAPABILITY: Capability = Capability::Browse;

    fn subject(&self) -> Option<String> {
        Some(self.gift.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![self.gift.to_string()]
    }
}

/// Hands over what was given, once. What was claimed without an account is put into one by claiming
/// it again, signed in; for who has it, claiming again changes nothing.
pub fn claim_gift(cx: &mut Cx<'_>, cmd: &ClaimGift) -> Result<(), FulfilmentError> {
    let tenant = cx.caller.tenant;
    let mut gift = opened(cx.tx, tenant, (cmd.gift, cmd.token.as_deref()))?;
    let order = orders::by_id(cx, gift.order)?;
    let account = cx.caller.account;
    if gift.claimed_at.is_some() {
        return match (gift.claimed_by, account) {
            (Some(owner), Some(account)) if owner == account => Ok(()),
            (None, None) => Ok(()),
            (None, Some(account)) if gifts::adopt(cx, &gift, account)? => {
                own_licenses(cx, &order, account)
            }
            _ => Err(GiftError::Claimed.into()),
        };
    }
    match gift.state(money_of(cx.tx, tenant, &order)?) {
        GiftState::AwaitingPayment => return Err(GiftError::NotFound.into()),
        GiftState::Void => return Err(GiftError::Void.into()),
        GiftState::Claimed | GiftState::Scheduled | GiftState::Sent => {}
    }
    if !gifts::take(cx, &mut gift, account)? {
        return Err(GiftError::Claimed.into());
    }
    hand_over_gift(cx, &order, account)?;
    // A part of it may have gone back, or a bank may have it.
    Ok(refunds::catch_up(cx, order.id)?)
}

/// The gift whose link this is; to others it doesn't exist.
fn opened(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (id, token): (GiftId, Option<&str>),
) -> Result<Gift, FulfilmentError> {
    let found = gifts::find(tx, tenant, id)?;
    let opened = found.filter(|gift| token.is_some_and(|token| gift.opens(token)));
    Ok(opened.ok_or(GiftError::NotFound)?)
}

/// A gift as who paid for it sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiftView {
    /// Where it stands.
    pub state: GiftState,
    /// Whom it is for; none once that was erased.
    pub recipient: Option<Recipient>,
    /// When it is sent, at the earliest.
    pub send_at: Timestamp,
    /// When it was last sent.
    pub sent_at: Option<Timestamp>,
    /// When it was claimed.
    pub claimed_at: Option<Timestamp>,
}

/// The gift that an order is, if it is one.
pub(super) fn view_of(
    cx: &mut ReadCx<'_>,
    order: &Order,
) -> Result<Option<GiftView>, FulfilmentError> {
    let tenant = cx.caller.tenant;
    let Some(gift) = gifts::of_order(cx.tx, tenant, order.id)? else {
        return Ok(None);
    };
    Ok(Some(GiftView {
        state: gift.state(money_of(cx.tx, tenant, order)?),
        recipient: gifts::recipient(cx.tx, tenant, gift.id)?,
        send_at: gift.send_at,
        sent_at: gift.sent_at,
        claimed_at: gift.claimed_at,
    }))
}

/// Asks for a gift by its link.
#[derive(Clone)]
pub struct ViewGift {
    /// Which.
    pub gift: GiftId,
    /// What its link carries.
    pub token: Option<String>,
}

/// A gift as who got the link sees it: nothing of its price, or of who paid beyond what they wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GiftPage {
    /// Where it stands.
    pub state: GiftState,
    /// Whom it is from; may be empty.
    pub sender: String,
    /// May be empty.
    pub message: String,
    /// What is given: each line's title, quantity and part of its product's address.
    pub lines: Vec<(String, i64, String)>,
    /// What came of it; empty until it is claimed, and to others than who has it.
    pub licenses: Vec<License>,
    /// Whether the caller's account has it.
    pub is_own: bool,
    /// Whether it was claimed without an account.
    pub is_loose: bool,
}

/// See [`ViewGift`].
pub fn gift_page(cx: &mut ReadCx<'_>, query: &ViewGift) -> Result<GiftPage, FulfilmentError> {
    let tenant = cx.caller.tenant;
    let token = query.token.as_deref();
    let gift = opened(cx.tx, tenant, (query.gift, token))?;
    let order = orders::find(cx.tx, tenant, gift.order)?.ok_or(GiftError::NotFound)?;
    let state = gift.state(money_of(cx.tx, tenant, &order)?);
    if state == GiftState::AwaitingPayment {
        return Err(GiftError::NotFound.into());
    }
    let account = cx.caller.account;
    let is_own = account.is_some() && account == gift.claimed_by;
    let is_loose = gift.shows(token);
    let licenses = match is_own || is_loose {
        true => licenses_of(cx, &order)?,
        false => Vec::new(),
    };
    let recipient = gifts::recipient(cx.tx, tenant, gift.id)?;
    let (sender, message) = recipient.map_or_else(Default::default, |written| {
        (written.sender, written.message)
    });
    let line = |line: &orders::Line| (line.title.clone(), line.quantity, line.product_slug.clone());
    Ok(GiftPage {
        state,
        sender,
        message,
        lines: order.lines.iter().map(line).collect(),
        licenses,
        is_own,
        is_loose,
    })
}
