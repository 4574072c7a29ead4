//! SQL of carts.

use super::model::{Cart, CartLine, Owner};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, CartId, PriceId, TenantId};

const INSERT: &str = "\
INSERT INTO cart (tenant_id, cart_id, account_id, remind, reminded_at, created_at, updated_at)
VALUES (:tenant, :cart, :account, 0, NULL, :now, :now)";

const OF_ACCOUNT: &str = "\
SELECT cart_id, account_id, remind, updated_at FROM cart
WHERE tenant_id = :tenant AND account_id = :account";

const OF_GUEST: &str = "\
SELECT cart_id, account_id, remind, updated_at FROM cart
WHERE tenant_id = :tenant AND cart_id = :cart AND account_id IS NULL";

const BY_ID: &str = "\
SELECT cart_id, account_id, remind, updated_at FROM cart
WHERE tenant_id = :tenant AND cart_id = :cart";

const LINES: &str = "\
SELECT price_id, quantity FROM cart_line
WHERE tenant_id = :tenant AND cart_id = :cart ORDER BY position, price_id";

const PUT_LINE: &str = "\
INSERT INTO cart_line (tenant_id, cart_id, price_id, position, quantity)
VALUES (:tenant, :cart, :price,
    (SELECT COALESCE(MAX(position), 0) + 1 FROM cart_line
        WHERE tenant_id = :tenant AND cart_id = :cart), :quantity)
ON CONFLICT (tenant_id, cart_id, price_id) DO UPDATE SET quantity = excluded.quantity";

const DROP_LINE: &str = "\
DELETE FROM cart_line
WHERE tenant_id = :tenant AND cart_id = :cart AND price_id = :price";

const DROP_LINES: &str = "DELETE FROM cart_line WHERE tenant_id = :tenant AND cart_id = :cart";

const DROP: &str = "DELETE FROM cart WHERE tenant_id = :tenant AND cart_id = :cart";

const TOUCH: &str = "\
UPDATE cart SET updated_at = :now WHERE tenant_id = :tenant AND cart_id = :cart";

const GIVE: &str = "\
UPDATE cart SET account_id = :account, updated_at = :now
WHERE tenant_id = :tenant AND cart_id = :cart AND account_id IS NULL";

const WISH: &str = "\
UPDATE cart SET remind = :remind WHERE tenant_id = :tenant AND cart_id = :cart";

const SET_REMINDED: &str = "\
UPDATE cart SET reminded_at = :now
WHERE tenant_id = :tenant AND cart_id = :cart AND remind = 1 AND reminded_at IS NULL";

fn of(tenant: TenantId, cart: CartId) -> Vec<(&'static str, Value)> {
    vec![
        ("tenant", tenant.as_bytes().into()),
        ("cart", cart.as_bytes().into()),
    ]
}

pub(super) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (cart, account): (CartId, Option<AccountId>),
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = of(tenant, cart);
    params.push(("account", account.as_ref().map(AccountId::as_bytes).into()));
    params.push(("now", now.into()));
    tx.execute(INSERT, &params)?;
    Ok(())
}

/// The owner's cart; its lines have no offers yet.
pub(super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    owner: Owner,
) -> Result<Option<Cart>, StoreError> {
    let (sql, params) = match owner {
        Owner::Nobody => return Ok(None),
        Owner::Guest(cart) => (OF_GUEST, of(tenant, cart)),
        Owner::Account(account) => {
            let params = vec![
                ("tenant", tenant.as_bytes().into()),
                ("account", account.as_bytes().into()),
            ];
            (OF_ACCOUNT, params)
        }
    };
    let row = tx.query_one(sql, &params)?;
    row.map(|row| with_lines(tx, tenant, &row)).transpose()
}

/// A cart by its id alone: for the house itself.
pub(super) fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    cart: CartId,
) -> Result<Option<Cart>, StoreError> {
    let row = tx.query_one(BY_ID, &of(tenant, cart))?;
    row.map(|row| with_lines(tx, tenant, &row)).transpose()
}

fn with_lines(tx: &mut dyn Tx, tenant: TenantId, row: &Row) -> Result<Cart, StoreError> {
    let id = row.id("cart_id", CartId::from_bytes)?;
    let line = |row: &Row| {
        Ok(CartLine {
            price: row.id("price_id", PriceId::from_bytes)?,
            quantity: row.int("quantity")?,
            offer: None,
            bundle: None,
        })
    };
    let lines = tx.query(LINES, &of(tenant, id))?;
    Ok(Cart {
        id,
        account: row.opt_id("account_id", AccountId::from_bytes)?,
        remind: row.int("remind")? == 1,
        updated_at: row.at("updated_at")?,
        lines: lines.iter().map(line).collect::<Result<_, StoreError>>()?,
    })
}

/// Puts a price in at the end, or changes how many there are.
pub(super) fn put_line(
    tx: &mut dyn Tx,
    tenant: TenantId,
    cart: CartId,
    (price, quantity): (PriceId, i64),
) -> Result<(), StoreError> {
    let mut params = of(tenant, cart);
    params.push(("price", price.as_bytes().into()));
    params.push(("quantity", quantity.into()));
    tx.execute(PUT_LINE, &params)?;
    Ok(())
}

pub(super) fn drop_line(
    tx: &mut dyn Tx,
    tenant: TenantId,
    cart: CartId,
    price: PriceId,
) -> Result<(), StoreError> {
    let mut params = of(tenant, cart);
    params.push(("price", price.as_bytes().into()));
    tx.execute(DROP_LINE, &params)?;
    Ok(())
}

pub(super) fn drop(tx: &mut dyn Tx, tenant: TenantId, cart: CartId) -> Result<(), StoreError> {
    tx.execute(DROP_LINES, &of(tenant, cart))?;
    tx.execute(DROP, &of(tenant, cart))?;
    Ok(())
}

pub(super) fn touch(
    tx: &mut dyn Tx,
    tenant: TenantId,
    cart: CartId,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = of(tenant, cart);
    params.push(("now", now.into()));
    tx.execute(TOUCH, &params)?;
    Ok(())
}

/// Makes a guest's cart an account's that has none.
pub(super) fn give(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (cart, account): (CartId, AccountId),
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = of(tenant, cart);
    params.push(("account", account.as_bytes().into()));
    params.push(("now", now.into()));
    tx.execute(GIVE, &params)?;
    Ok(())
}

pub(super) fn wish(
    tx: &mut dyn Tx,
    tenant: TenantId,
    cart: CartId,
    remind: bool,
) -> Result<(), StoreError> {
    let mut params = of(tenant, cart);
    params.push(("remind", i64::from(remind).into()));
    tx.execute(WISH, &params)?;
    Ok(())
}

/// Notes that the one reminder goes out; false when it did before or isn't wished for.
pub(super) fn set_reminded(
    tx: &mut dyn Tx,
    tenant: TenantId,
    cart: CartId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut params = of(tenant, cart);
    params.push(("now", now.into()));
    Ok(tx.execute(SET_REMINDED, &params)? == 1)
}
