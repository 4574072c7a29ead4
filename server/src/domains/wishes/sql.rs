//! SQL of withdrawals and of wishes for refunds.

use super::asking::{Answerer, Wish, WishState};
use super::model::Withdrawal;
use crate::domains::refunds::Reason;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, OrderId, OrderLineId, RefundId, RefundWishId, TenantId};
use mintreu::{Currency, Money};

const KEEP: &str = "\
INSERT INTO withdrawal (tenant_id, order_line_id, order_id, refund_id, amount_minor, currency,
    declared_at)
VALUES (:tenant, :line, :order, :refund, :amount, :currency, :declared)
ON CONFLICT (tenant_id, order_line_id) DO UPDATE SET refund_id = excluded.refund_id,
    amount_minor = excluded.amount_minor, currency = excluded.currency,
    declared_at = excluded.declared_at";

const OF_ORDER: &str = "\
SELECT order_line_id, order_id, refund_id, amount_minor, currency, declared_at
FROM withdrawal WHERE tenant_id = :tenant AND order_id = :order ORDER BY order_line_id";

const INSERT_WISH: &str = "\
INSERT INTO refund_wish (tenant_id, refund_wish_id, order_id, order_line_id, seller_id,
    title, open_line_id, state, reason, words, amount_minor, currency, appealed, answer, answered_by,
    refund_id, granted_minor, opened_at, answered_at, failed_at)
VALUES (:tenant, :wish, :order, :line, :seller, :title, :line, :state, :reason, :words, :amount,
    :currency, 0, '', NULL, NULL, NULL, :opened, NULL, NULL)";

const MOVE_WISH: &str = "\
UPDATE refund_wish SET state = :state, open_line_id = :open, appealed = :appealed, answer = :answer,
    answered_by = :by, refund_id = :refund, granted_minor = :granted, answered_at = :answered,
    failed_at = :failed
WHERE tenant_id = :tenant AND refund_wish_id = :wish";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT refund_wish_id, order_id, order_line_id, seller_id, title, state, reason, words,
    amount_minor, currency, appealed, answer, answered_by, refund_id, granted_minor,
    opened_at, answered_at, failed_at
FROM refund_wish WHERE tenant_id = :tenant AND ",
            $rest
        )
    };
}

const FIND_WISH: &str = select!("refund_wish_id = :wish");

const WISHES_OF_ORDER: &str = select!("order_id = :order ORDER BY refund_wish_id");

const WISHES_OF_SELLER: &str = select!(
    "seller_id = :seller AND refund_wish_id < :before ORDER BY refund_wish_id DESC LIMIT :limit"
);

const WISHES_OF_SELLER_IN: &str = select!(
    "seller_id = :seller AND state = :state AND refund_wish_id < :before
ORDER BY refund_wish_id DESC LIMIT :limit"
);

const WISHES_IN: &str = select!(
    "state = :state AND refund_wish_id < :before ORDER BY refund_wish_id DESC LIMIT :limit"
);

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    KEEP,
    OF_ORDER,
    INSERT_WISH,
    MOVE_WISH,
    FIND_WISH,
    WISHES_OF_ORDER,
    WISHES_OF_SELLER,
    WISHES_OF_SELLER_IN,
    WISHES_IN,
];

/// Writes a declaration; one whose refund failed is replaced.
pub(super) fn keep(tx: &mut dyn Tx, tenant: TenantId, one: &Withdrawal) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("line", one.line.as_bytes().into()),
        ("order", one.order.as_bytes().into()),
        ("refund", one.refund.as_bytes().into()),
        ("amount", one.amount.minor().into()),
        ("currency", one.amount.currency().code().into()),
        ("declared", one.declared_at.into()),
    ];
    tx.execute(KEEP, &params).map(drop)
}

fn amount(row: &Row) -> Result<Money, StoreError> {
    let currency = Currency::parse(&row.text("currency")?);
    let currency = currency.map_err(|error| StoreError::shape(error.to_string()))?;
    Ok(Money::new(row.int("amount_minor")?, currency))
}

fn withdrawal(row: &Row) -> Result<Withdrawal, StoreError> {
    Ok(Withdrawal {
        line: row.id("order_line_id", OrderLineId::from_bytes)?,
        order: row.id("order_id", OrderId::from_bytes)?,
        refund: row.id("refund_id", RefundId::from_bytes)?,
        amount: amount(row)?,
        declared_at: row.at("declared_at")?,
    })
}

/// What was withdrawn from of an order.
pub(super) fn of_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Withdrawal>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    tx.query(OF_ORDER, &params)?
        .iter()
        .map(withdrawal)
        .collect()
}

/// Writes a new wish, which waits.
pub(super) fn insert_wish(
    tx: &mut dyn Tx,
    tenant: TenantId,
    wish: &Wish,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("wish", wish.id.as_bytes().into()),
        ("order", wish.order.as_bytes().into()),
        ("line", wish.line.as_bytes().into()),
        ("seller", wish.seller.as_bytes().into()),
        ("title", wish.title.as_str().into()),
        ("state", wish.state.code().into()),
        ("reason", wish.reason.code().into()),
        ("words", wish.words.as_str().into()),
        ("amount", wish.amount.minor().into()),
        ("currency", wish.amount.currency().code().into()),
        ("opened", wish.opened_at.into()),
    ];
    tx.execute(INSERT_WISH, &params).map(drop)
}

/// Writes where a wish stands now, and its answer.
pub(super) fn move_wish(tx: &mut dyn Tx, tenant: TenantId, wish: &Wish) -> Result<(), StoreError> {
    let open = wish.state.waits().then_some(&wish.line);
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("wish", wish.id.as_bytes().into()),
        ("state", wish.state.code().into()),
        ("open", open.map(OrderLineId::as_bytes).into()),
        ("appealed", i64::from(wish.appealed).into()),
        ("answer", wish.answer.as_str().into()),
        ("by", wish.answered_by.map(|by| by.code().to_owned()).into()),
        (
            "refund",
            wish.refund.as_ref().map(RefundId::as_bytes).into(),
        ),
        ("granted", wish.granted.map(|of| of.minor()).into()),
        ("answered", wish.answered_at.into()),
        ("failed", wish.failed_at.into()),
    ];
    tx.execute(MOVE_WISH, &params).map(drop)
}

fn wish(row: &Row) -> Result<Wish, StoreError> {
    let no = |what: &str, text: &str| StoreError::shape(format!("no {what} {text:?}"));
    let (state, reason) = (row.text("state")?, row.text("reason")?);
    let by = row.opt_text("answered_by")?;
    let by = by.map(|by| Answerer::parse(&by).ok_or_else(|| no("answerer", &by)));
    let amount = amount(row)?;
    let granted = row.opt_int("granted_minor")?;
    Ok(Wish {
        id: row.id("refund_wish_id", RefundWishId::from_bytes)?,
        order: row.id("order_id", OrderId::from_bytes)?,
        line: row.id("order_line_id", OrderLineId::from_bytes)?,
        seller: row.id("seller_id", AccountId::from_bytes)?,
        title: row.text("title")?,
        state: WishState::parse(&state).ok_or_else(|| no("state", &state))?,
        reason: Reason::parse(&reason).ok_or_else(|| no("reason", &reason))?,
        words: row.text("words")?,
        amount,
        appealed: row.int("appealed")? != 0,
        answer: row.text("answer")?,
        answered_by: by.transpose()?,
        refund: row.opt_id("refund_id", RefundId::from_bytes)?,
        granted: granted.map(|minor| Money::new(minor, amount.currency())),
        opened_at: row.at("opened_at")?,
        answered_at: row.opt_at("answered_at")?,
        failed_at: row.opt_at("failed_at")?,
    })
}

/// A wish.
pub(super) fn find_wish(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: RefundWishId,
) -> Result<Option<Wish>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("wish", id.as_bytes().into()),
    ];
    let row = tx.query_one(FIND_WISH, &params)?;
    row.as_ref().map(wish).transpose()
}

/// The wishes of an order, the oldest first.
pub(super) fn wishes_of_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Vec<Wish>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    tx.query(WISHES_OF_ORDER, &params)?
        .iter()
        .map(wish)
        .collect()
}

/// A seller's wishes before one, the newest first: all of them, or those in a state.
pub(super) fn wishes_of_seller(
    tx: &mut dyn Tx,
    (tenant, seller, state): (TenantId, AccountId, Option<WishState>),
    (before, limit): (RefundWishId, i64),
) -> Result<Vec<Wish>, StoreError> {
    let mut params = vec![
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("before", before.as_bytes().into()),
        ("limit", limit.into()),
    ];
    let statement = match state {
        None => WISHES_OF_SELLER,
        Some(state) => {
            params.push(("state", state.code().into()));
            WISHES_OF_SELLER_IN
        }
    };
    tx.query(statement, &params)?.iter().map(wish).collect()
}

/// The wishes in a state before one, the newest first.
pub(super) fn wishes_in(
    tx: &mut dyn Tx,
    (tenant, state): (TenantId, WishState),
    (before, limit): (RefundWishId, i64),
) -> Result<Vec<Wish>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("state", state.code().into()),
        ("before", before.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(WISHES_IN, &params)?.iter().map(wish).collect()
}
