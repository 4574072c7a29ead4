//! What sellers want and what the platform says of them.

use super::super::model::{SellerState, Setting, WriteOff};
use super::currency;
use crate::app::Cx;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, TenantId};
use mintreu::{Currency, Money, Timestamp};

const PUT_SETTING: &str = "\
INSERT INTO payout_setting (tenant_id, seller_id, currency, provider, destination,
    threshold_minor, paused, updated_at)
VALUES (:tenant, :seller, :currency, :provider, :destination, :threshold, :paused, :now)
ON CONFLICT (tenant_id, seller_id, currency) DO UPDATE SET provider = :provider,
    destination = :destination, threshold_minor = :threshold, paused = :paused,
    updated_at = :now";

const FIND_SETTING: &str = "\
SELECT currency, provider, destination, threshold_minor, paused FROM payout_setting
WHERE tenant_id = :tenant AND seller_id = :seller AND currency = :currency";

const SETTINGS: &str = "\
SELECT currency, provider, destination, threshold_minor, paused FROM payout_setting
WHERE tenant_id = :tenant AND seller_id = :seller ORDER BY currency";

const FIND_SELLER: &str = "\
SELECT verified_at, paused_reason FROM payout_seller
WHERE tenant_id = :tenant AND seller_id = :seller";

const PUT_SELLER: &str = "\
INSERT INTO payout_seller (tenant_id, seller_id, verified_at, paused_reason, updated_at)
VALUES (:tenant, :seller, :verified, :paused, :now)
ON CONFLICT (tenant_id, seller_id) DO UPDATE SET verified_at = :verified,
    paused_reason = :paused, updated_at = :now";

const INSERT_WRITE_OFF: &str = "\
INSERT INTO payout_write_off (tenant_id, write_off_id, seller_id, amount_minor, currency, reason,
    written_by, written_at)
VALUES (:tenant, :id, :seller, :amount, :currency, :reason, :by, :now)";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    PUT_SETTING,
    FIND_SETTING,
    SETTINGS,
    FIND_SELLER,
    PUT_SELLER,
    INSERT_WRITE_OFF,
];

/// A seller of a tenant.
pub type Owner = (TenantId, AccountId);

fn setting(row: &Row) -> Result<Setting, StoreError> {
    let currency = currency(row)?;
    Ok(Setting {
        currency,
        provider: row.text("provider")?,
        destination: row.text("destination")?,
        threshold: Money::new(row.int("threshold_minor")?, currency),
        paused: row.int("paused")? != 0,
    })
}

pub fn put(
    tx: &mut dyn Tx,
    (tenant, seller): Owner,
    setting: &Setting,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("currency", setting.currency.code().into()),
        ("provider", setting.provider.as_str().into()),
        ("destination", setting.destination.as_str().into()),
        ("threshold", setting.threshold.minor().into()),
        ("paused", i64::from(setting.paused).into()),
        ("now", now.into()),
    ];
    tx.execute(PUT_SETTING, &params).map(drop)
}

pub fn find(
    tx: &mut dyn Tx,
    (tenant, seller): Owner,
    currency: Currency,
) -> Result<Option<Setting>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("currency", currency.code().into()),
    ];
    tx.query_one(FIND_SETTING, &params)?
        .as_ref()
        .map(setting)
        .transpose()
}

pub fn all(tx: &mut dyn Tx, (tenant, seller): Owner) -> Result<Vec<Setting>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    tx.query(SETTINGS, &params)?.iter().map(setting).collect()
}

/// What the platform says of the seller: nothing, when it has no row.
pub fn seller(
    tx: &mut dyn Tx,
    tenant: TenantId,
    seller: AccountId,
) -> Result<SellerState, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(FIND_SELLER, &params)? else {
        return Ok(SellerState::default());
    };
    Ok(SellerState {
        verified_at: row.opt_at("verified_at")?,
        paused: row.opt_text("paused_reason")?,
    })
}

pub fn put_seller(
    tx: &mut dyn Tx,
    (tenant, seller): Owner,
    state: &SellerState,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("seller", seller.as_bytes().into()),
        ("verified", state.verified_at.into()),
        ("paused", state.paused.clone().into()),
        ("now", now.into()),
    ];
    tx.execute(PUT_SELLER, &params).map(drop)
}

pub fn insert_write_off(cx: &mut Cx<'_>, new: &WriteOff) -> Result<(), StoreError> {
    let by = cx.caller.account;
    let params = [
        ("tenant", cx.caller.tenant.as_bytes().into()),
        ("id", new.id.as_bytes().into()),
        ("seller", new.seller.as_bytes().into()),
        ("amount", new.amount.minor().into()),
        ("currency", new.amount.currency().code().into()),
        ("reason", new.reason.as_str().into()),
        ("by", by.as_ref().map(AccountId::as_bytes).into()),
        ("now", cx.now.into()),
    ];
    cx.tx.execute(INSERT_WRITE_OFF, &params).map(drop)
}
