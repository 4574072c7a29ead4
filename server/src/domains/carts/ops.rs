//! Use cases of carts.

use super::model::{Cart, CartError, CartLine, Owner};
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::bundles;
use crate::domains::catalog;
use crate::queue::JobError;
use crate::store::{StoreError, Tx};
use mintreu::id::{AccountId, CartId, PriceId, TenantId};
use serde::{Deserialize, Serialize};

/// Most units of one price.
pub const MAX_QUANTITY: i64 = 100;
/// Most prices of one cart.
pub const MAX_LINES: usize = 50;
/// How long a cart lies untouched before its owner is reminded: a day.
const PATIENCE_MS: i64 = 24 * 60 * 60 * 1000;
/// The job that looks whether a cart was forgotten.
pub const REMIND_JOB: &str = "carts.remind";

/// How the quantity of a price changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// So many more.
    Add(i64),
    /// So many in all; none takes it out.
    Set(i64),
}

/// Puts a price into a cart, changes how many there are, or takes it out.
#[derive(Debug, Clone, Copy)]
pub struct ChangeLine {
    /// Whose cart; one is made when there is none.
    pub owner: Owner,
    /// Which price.
    pub price: PriceId,
    /// How.
    pub change: Change,
}

impl Command for ChangeLine {
    const NAME: &'static str = "carts.change_line";
    const CAPABILITY: Capability = Capability::Browse;
    const AUDITED: bool = false;
}

/// See [`ChangeLine`]. Answers the cart's id, which a guest's cookie keeps.
pub fn change_line(cx: &mut Cx<'_>, cmd: &ChangeLine) -> Result<CartId, CartError> {
    let tenant = cx.caller.tenant;
    let found = sql::find(cx.tx, tenant, checked(cx.caller.account, cmd.owner)?)?;
    let cart = match found {
        Some(cart) => with_offers(cx.tx, tenant, cart)?,
        None if cmd.change == Change::Set(0) => return Err(CartError::NotFound),
        None => new_cart(cx)?,
    };
    let before = cart.line(cmd.price).map_or(0, |line| line.quantity);
    let quantity = match cmd.change {
        Change::Add(more) if more >= 1 => before.saturating_add(more),
        Change::Set(0) => {
            sql::drop_line(cx.tx, tenant, cart.id, cmd.price)?;
            return touched(cx, &cart);
        }
        Change::Set(quantity) if quantity >= 1 => quantity,
        Change::Add(_) | Change::Set(_) => return Err(CartError::Quantity),
    };
    if quantity > MAX_QUANTITY {
        return Err(CartError::Quantity);
    }
    fits(cx, &cart, cmd.price)?;
    put(cx, &cart, (cmd.price, quantity))?;
    touched(cx, &cart)
}

/// Nobody changes an account's cart but the account.
fn checked(account: Option<AccountId>, owner: Owner) -> Result<Owner, CartError> {
    match owner {
        Owner::Account(owner) if account != Some(owner) => Err(CartError::NotFound),
        owner => Ok(owner),
    }
}

fn new_cart(cx: &mut Cx<'_>) -> Result<Cart, CartError> {
    let cart = Cart {
        id: cx.make_id(CartId::from_bytes),
        account: cx.caller.account,
        remind: false,
        updated_at: cx.now,
        lines: Vec::new(),
    };
    sql::insert(cx.tx, cx.caller.tenant, (cart.id, cart.account), cx.now)?;
    Ok(cart)
}

/// Whether a price may be put into the cart.
fn fits(cx: &mut Cx<'_>, cart: &Cart, price: PriceId) -> Result<(), CartError> {
    let mut wanted = CartLine {
        price,
        quantity: 1,
        offer: None,
        bundle: None,
    };
    fill(cx.tx, cx.caller.tenant, &mut wanted)?;
    let unit = wanted.unit().ok_or(CartError::OfferGone)?;
    let seller = wanted.seller().map(|(account, _)| account);
    if seller.is_some() && seller == cx.caller.account {
        return Err(CartError::OwnProduct);
    }
    if cart.line(price).is_none() && cart.lines.len() >= MAX_LINES {
        return Err(CartError::Full);
    }
    let wanted = unit.currency();
    match cart.currency() {
        Some(cart) if cart != wanted => Err(CartError::Currency { cart, wanted }),
        _ => Ok(()),
    }
}

fn put(cx: &mut Cx<'_>, cart: &Cart, (price, quantity): (PriceId, i64)) -> Result<(), StoreError> {
    sql::put_line(cx.tx, cx.caller.tenant, cart.id, (price, quantity))
}

fn touched(cx: &mut Cx<'_>, cart: &Cart) -> Result<CartId, CartError> {
    sql::touch(cx.tx, cx.caller.tenant, cart.id, cx.now)?;
    Ok(cart.id)
}

fn with_offers(tx: &mut dyn Tx, tenant: TenantId, mut cart: Cart) -> Result<Cart, StoreError> {
    for line in &mut cart.lines {
        fill(tx, tenant, line)?;
    }
    Ok(cart)
}

/// Looks up what a line's price sells: a product, or a bundle.
fn fill(tx: &mut dyn Tx, tenant: TenantId, line: &mut CartLine) -> Result<(), StoreError> {
    line.offer = catalog::offer(tx, tenant, line.price)?;
    if line.offer.is_none() {
        line.bundle = bundles::offer(tx, tenant, line.price)?;
    }
    Ok(())
}

/// The owner's cart as it stands now; `None` when there is none.
pub fn view_cart(cx: &mut ReadCx<'_>, owner: &Owner) -> Result<Option<Cart>, CartError> {
    let tenant = cx.caller.tenant;
    let owner = checked(cx.caller.account, *owner)?;
    let found = sql::find(cx.tx, tenant, owner)?;
    let cart = found.map(|cart| with_offers(cx.tx, tenant, cart));
    Ok(cart.transpose()?)
}

/// How many units lie in the owner's cart.
pub fn count_cart(cx: &mut ReadCx<'_>, owner: &Owner) -> Result<i64, CartError> {
    let owner = checked(cx.caller.account, *owner)?;
    let found = sql::find(cx.tx, cx.caller.tenant, owner)?;
    let lines = found.map(|cart| cart.lines).unwrap_or_default();
    Ok(lines.iter().map(|line| line.quantity).sum())
}

/// Who signed in takes along what they put into a cart before.
#[derive(Debug, Clone, Copy)]
pub struct MergeCart {
    /// The guest's cart.
    pub guest: CartId,
}

impl Command for MergeCart {
    const NAME: &'static str = "carts.merge";
    const CAPABILITY: Capability = Capability::Buy;
    const AUDITED: bool = false;
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// Lines that are in the account's cart now.
    pub moved: usize,
    /// Lines that didn't fit and stay in the guest's: of another currency, or too many.
    pub left: usize,
}

/// See [`MergeCart`]. Doing it again changes nothing.
pub fn merge_cart(cx: &mut Cx<'_>, cmd: &MergeCart) -> Result<Merged, CartError> {
    let tenant = cx.caller.tenant;
    let account = cx.caller.account.ok_or(CartError::NotFound)?;
    let mut merged = Merged { moved: 0, left: 0 };
    let Some(guest) = sql::find(cx.tx, tenant, Owner::Guest(cmd.guest))? else {
        return Ok(merged);
    };
    if sql::find(cx.tx, tenant, Owner::Account(account))?.is_none() {
        sql::give(cx.tx, tenant, (guest.id, account), cx.now)?;
        merged.moved = guest.lines.len();
        return Ok(merged);
    }
    for line in &guest.lines {
        let own = sql::find(cx.tx, tenant, Owner::Account(account))?.ok_or(CartError::NotFound)?;
        let own = with_offers(cx.tx, tenant, own)?;
        let before = own.line(line.price).map_or(0, |own| own.quantity);
        match fits(cx, &own, line.price) {
            Ok(()) => {
                let quantity = before.saturating_add(line.quantity).min(MAX_QUANTITY);
                put(cx, &own, (line.price, quantity))?;
            }
            // What can't be bought any more is no loss.
            Err(CartError::OfferGone | CartError::OwnProduct) => {}
            Err(CartError::Currency { .. } | CartError::Full) => {
                merged.left += 1;
                continue;
            }
            Err(other) => return Err(other),
        }
        sql::drop_line(cx.tx, tenant, guest.id, line.price)?;
        merged.moved += 1;
        touched(cx, &own)?;
    }
    if merged.left == 0 {
        sql::drop(cx.tx, tenant, guest.id)?;
    }
    Ok(merged)
}

/// Ends a cart whose content became an order, in that order's commit.
pub fn finish(cx: &mut Cx<'_>, owner: Owner) -> Result<(), CartError> {
    let owner = checked(cx.caller.account, owner)?;
    if let Some(cart) = sql::find(cx.tx, cx.caller.tenant, owner)? {
        sql::drop(cx.tx, cx.caller.tenant, cart.id)?;
    }
    Ok(())
}

/// The caller wants to be reminded of their cart once, or not any more.
#[derive(Debug, Clone, Copy)]
pub struct WishReminder {
    /// Whether.
    pub remind: bool,
}

impl Command for WishReminder {
    const NAME: &'static str = "carts.wish_reminder";
    const CAPABILITY: Capability = Capability::Buy;
}

/// See [`WishReminder`]: consent is asked for here, and mail goes to accounts only.
pub fn wish_reminder(cx: &mut Cx<'_>, cmd: &WishReminder) -> Result<(), CartError> {
    let tenant = cx.caller.tenant;
    let account = cx.caller.account.ok_or(CartError::NotFound)?;
    let cart = sql::find(cx.tx, tenant, Owner::Account(account))?.ok_or(CartError::NotFound)?;
    sql::wish(cx.tx, tenant, cart.id, cmd.remind)?;
    if cmd.remind {
        later(cx, &cart)?;
    }
    Ok(())
}

/// The payload of [`REMIND_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemindPayload {
    /// The cart's id.
    pub cart: String,
}

fn later(cx: &mut Cx<'_>, cart: &Cart) -> Result<(), StoreError> {
    let payload = RemindPayload {
        cart: cart.id.to_string(),
    };
    let due = cart.updated_at.plus_ms(PATIENCE_MS).max(cx.now);
    crate::queue::enqueue(cx, REMIND_JOB, &payload, due)?;
    Ok(())
}

/// A cart that was touched since is looked at again later; one that wasn't is told of, once ever.
pub fn remind(cx: &mut Cx<'_>, job: &RemindPayload) -> Result<(), CartError> {
    let id = CartId::parse(&job.cart).map_err(|_| CartError::NotFound)?;
    let Some(cart) = sql::by_id(cx.tx, cx.caller.tenant, id)? else {
        return Ok(());
    };
    if !cart.remind || cart.account.is_none() || cart.lines.is_empty() {
        return Ok(());
    }
    if cx.now.since_ms(cart.updated_at) < PATIENCE_MS {
        return Ok(later(cx, &cart)?);
    }
    if sql::set_reminded(cx.tx, cx.caller.tenant, id, cx.now)? {
        crate::events::record(cx, "cart.abandoned", &job.cart, &())?;
    }
    Ok(())
}

/// Whom to remind of a cart: its owner, if it still holds something.
pub fn reminded(
    tx: &mut dyn Tx,
    tenant: TenantId,
    cart: CartId,
) -> Result<Option<AccountId>, StoreError> {
    let cart = sql::by_id(tx, tenant, cart)?;
    let full = cart.filter(|cart| cart.remind && !cart.lines.is_empty());
    Ok(full.and_then(|cart| cart.account))
}

impl From<CartError> for JobError {
    fn from(error: CartError) -> Self {
        match error {
            CartError::Store(error) => Self::retry(error),
            other => Self::fail(other),
        }
    }
}
