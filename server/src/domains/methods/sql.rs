//! SQL of the tables of kept methods.

use super::model::Method;
use crate::gateways::KeptMethod;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{AccountId, MethodId, MethodSetupId, TenantId};

const INSERT: &str = "\
INSERT INTO payment_method (tenant_id, method_id, account_id, provider, name, label, expires,
    added_at)
VALUES (:tenant, :method, :account, :provider, :name, :label, :expires, :now)
ON CONFLICT (tenant_id, provider, name) DO NOTHING";

const OF_ACCOUNT: &str = "\
SELECT method_id, account_id, provider, name, label, expires, added_at FROM payment_method
WHERE tenant_id = :tenant AND account_id = :account ORDER BY added_at DESC, method_id DESC";

const FIND: &str = "\
SELECT method_id, account_id, provider, name, label, expires, added_at FROM payment_method
WHERE tenant_id = :tenant AND method_id = :method";

const DELETE: &str = "\
DELETE FROM payment_method WHERE tenant_id = :tenant AND method_id = :method";

const INSERT_SETUP: &str = "\
INSERT INTO payment_method_setup (tenant_id, setup_id, account_id, provider, begun_at, state)
VALUES (:tenant, :setup, :account, :provider, :now, 'open')";

const OPEN_SETUP: &str = "\
SELECT account_id FROM payment_method_setup
WHERE tenant_id = :tenant AND setup_id = :setup AND state = 'open'";

const END_SETUP: &str = "\
UPDATE payment_method_setup SET state = :state WHERE tenant_id = :tenant AND setup_id = :setup";

fn method(row: &Row) -> Result<Method, StoreError> {
    Ok(Method {
        id: row.id("method_id", MethodId::from_bytes)?,
        account: row.id("account_id", AccountId::from_bytes)?,
        provider: row.text("provider")?,
        kept: KeptMethod {
            name: row.text("name")?,
            label: row.text("label")?,
            expires: row.opt_text("expires")?,
        },
        added_at: row.at("added_at")?,
    })
}

/// Keeps a method; one that is kept already changes nothing.
pub(super) fn insert(tx: &mut dyn Tx, tenant: TenantId, new: &Method) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("method", new.id.as_bytes().into()),
        ("account", new.account.as_bytes().into()),
        ("provider", new.provider.as_str().into()),
        ("name", new.kept.name.as_str().into()),
        ("label", new.kept.label.as_str().into()),
        ("expires", new.kept.expires.clone().into()),
        ("now", new.added_at.into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

pub(super) fn of_account(
    tx: &mut dyn Tx,
    tenant: TenantId,
    account: AccountId,
) -> Result<Vec<Method>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    tx.query(OF_ACCOUNT, &params)?.iter().map(method).collect()
}

pub(super) fn find(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: MethodId,
) -> Result<Option<Method>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("method", id.as_bytes().into()),
    ];
    let row = tx.query_one(FIND, &params)?;
    row.as_ref().map(method).transpose()
}

pub(super) fn delete(tx: &mut dyn Tx, tenant: TenantId, id: MethodId) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("method", id.as_bytes().into()),
    ];
    tx.execute(DELETE, &params).map(drop)
}

pub(super) fn insert_setup(
    tx: &mut dyn Tx,
    tenant: TenantId,
    (setup, account, provider): (MethodSetupId, AccountId, &str),
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("setup", setup.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("provider", provider.into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_SETUP, &params).map(drop)
}

/// Whose setup that is, while nothing is heard of it.
pub(super) fn open_setup(
    tx: &mut dyn Tx,
    tenant: TenantId,
    setup: MethodSetupId,
) -> Result<Option<AccountId>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("setup", setup.as_bytes().into()),
    ];
    let row = tx.query_one(OPEN_SETUP, &params)?;
    row.map(|row| row.id("account_id", AccountId::from_bytes))
        .transpose()
}

pub(super) fn end_setup(
    tx: &mut dyn Tx,
    tenant: TenantId,
    setup: MethodSetupId,
    state: &str,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("setup", setup.as_bytes().into()),
        ("state", state.into()),
    ];
    tx.execute(END_SETUP, &params).map(drop)
}
