//! SQL of gifts.

use super::model::{Gift, Recipient};
use crate::store::{Row, StoreError, Tx, Value};
use mintreu::Timestamp;
use mintreu::id::{AccountId, GiftId, OrderId, TenantId};

const INSERT: &str = "\
INSERT INTO gift (tenant_id, gift_id, order_id, round, claim_hash, sendings, send_at, sent_at,
    claimed_at, claimed_by, created_at)
VALUES (:tenant, :gift, :order, :round, :hash, :sendings, :send_at, NULL, NULL, NULL, :now)";

const INSERT_CONTACT: &str = "\
INSERT INTO gift_contact (tenant_id, gift_id, email, sender, message)
VALUES (:tenant, :gift, :email, :sender, :message)";

const BY_ID: &str = "\
SELECT gift_id, order_id, round, claim_hash, sendings, send_at, sent_at, claimed_at, claimed_by
FROM gift WHERE tenant_id = :tenant AND gift_id = :gift";

const OF_ORDER: &str = "\
SELECT gift_id, order_id, round, claim_hash, sendings, send_at, sent_at, claimed_at, claimed_by
FROM gift WHERE tenant_id = :tenant AND order_id = :order";

const RECIPIENT: &str = "\
SELECT email, sender, message FROM gift_contact WHERE tenant_id = :tenant AND gift_id = :gift";

const UPDATE: &str = "\
UPDATE gift SET round = :round, claim_hash = :hash, sendings = :sendings, sent_at = :sent_at
WHERE tenant_id = :tenant AND gift_id = :gift";

const SET_EMAIL: &str = "\
UPDATE gift_contact SET email = :email WHERE tenant_id = :tenant AND gift_id = :gift";

const TAKE: &str = "\
UPDATE gift SET claimed_at = :now, claimed_by = :account
WHERE tenant_id = :tenant AND gift_id = :gift AND claimed_at IS NULL AND round = :round";

const ADOPT: &str = "\
UPDATE gift SET claimed_by = :account
WHERE tenant_id = :tenant AND gift_id = :gift AND claimed_at IS NOT NULL AND claimed_by IS NULL";

fn of(tenant: TenantId, gift: GiftId) -> Vec<(&'static str, Value)> {
    vec![
        ("tenant", tenant.as_bytes().into()),
        ("gift", gift.as_bytes().into()),
    ]
}

fn gift(row: &Row) -> Result<Gift, StoreError> {
    Ok(Gift {
        id: row.id("gift_id", GiftId::from_bytes)?,
        order: row.id("order_id", OrderId::from_bytes)?,
        round: row.int("round")?,
        sendings: row.int("sendings")?,
        send_at: row.at("send_at")?,
        sent_at: row.opt_at("sent_at")?,
        claimed_at: row.opt_at("claimed_at")?,
        claimed_by: row.opt_id("claimed_by", AccountId::from_bytes)?,
        claim_hash: row.blob("claim_hash")?,
    })
}

pub(super) fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (gift, recipient): (&Gift, &Recipient),
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut params = of(tenant, gift.id);
    params.extend([
        ("order", gift.order.as_bytes().into()),
        ("round", gift.round.into()),
        ("hash", gift.claim_hash.as_slice().into()),
        ("sendings", gift.sendings.into()),
        ("send_at", gift.send_at.into()),
        ("now", now.into()),
    ]);
    tx.execute(INSERT, &params)?;
    let mut params = of(tenant, gift.id);
    params.extend([
        ("email", recipient.email.as_str().into()),
        ("sender", recipient.sender.as_str().into()),
        ("message", recipient.message.as_str().into()),
    ]);
    tx.execute(INSERT_CONTACT, &params).map(drop)
}

pub(super) fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: GiftId,
) -> Result<Option<Gift>, StoreError> {
    let row = tx.query_one(BY_ID, &of(tenant, id))?;
    row.as_ref().map(gift).transpose()
}

pub(super) fn of_order(
    tx: &mut dyn Tx,
    tenant: TenantId,
    order: OrderId,
) -> Result<Option<Gift>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let row = tx.query_one(OF_ORDER, &params)?;
    row.as_ref().map(gift).transpose()
}

pub(super) fn recipient(
    tx: &mut dyn Tx,
    tenant: TenantId,
    gift: GiftId,
) -> Result<Option<Recipient>, StoreError> {
    let row = tx.query_one(RECIPIENT, &of(tenant, gift))?;
    let recipient = |row: Row| {
        Ok(Recipient {
            email: row.text("email")?,
            sender: row.text("sender")?,
            message: row.text("message")?,
        })
    };
    row.map(recipient).transpose()
}

pub(super) fn update(tx: &mut dyn Tx, tenant: TenantId, gift: &Gift) -> Result<(), StoreError> {
    let mut params = of(tenant, gift.id);
    params.extend([
        ("round", gift.round.into()),
        ("hash", gift.claim_hash.as_slice().into()),
        ("sendings", gift.sendings.into()),
        ("sent_at", gift.sent_at.into()),
    ]);
    tx.execute(UPDATE, &params).map(drop)
}

pub(super) fn set_email(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (gift, email): (GiftId, &str),
) -> Result<(), StoreError> {
    let mut params = of(tenant, gift);
    params.push(("email", email.into()));
    tx.execute(SET_EMAIL, &params).map(drop)
}

/// Makes it claimed if nobody has and the round that was asked for is still good.
pub(super) fn take(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (gift, account): (&Gift, Option<AccountId>),
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut params = of(tenant, gift.id);
    params.extend([
        ("round", gift.round.into()),
        ("account", account.as_ref().map(AccountId::as_bytes).into()),
        ("now", now.into()),
    ]);
    Ok(tx.execute(TAKE, &params)? == 1)
}

pub(super) fn adopt(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (gift, account): (GiftId, AccountId),
) -> Result<bool, StoreError> {
    let mut params = of(tenant, gift);
    params.push(("account", account.as_bytes().into()));
    Ok(tx.execute(ADOPT, &params)? == 1)
}
