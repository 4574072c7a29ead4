//! All SQL of parties.

use crate::domains::invoicing::parties::Party;
use crate::store::{Row, StoreError, Tx};
use mintreu::Timestamp;
use mintreu::id::{InvoiceId, TenantId};

const INSERT: &str = "INSERT INTO invoice_party (tenant_id, invoice_id, name, email, address,
        tax_number, completed_at)
    VALUES (:tenant, :invoice, :name, :email, :address, :tax_number, NULL)";

const PARTY: &str = "SELECT name, email, address, tax_number, completed_at
    FROM invoice_party WHERE tenant_id = :tenant AND invoice_id = :invoice";

const COMPLETE: &str = "UPDATE invoice_party SET name = :name, address = :address,
        tax_number = :tax_number, completed_at = :now
    WHERE tenant_id = :tenant AND invoice_id = :invoice AND completed_at IS NULL";

const INSERT_ISSUER: &str = "INSERT INTO invoice_issuer (tenant_id, from_at, name, address,
        tax_number)
    VALUES (:tenant, :from, :name, :address, :tax_number)
    ON CONFLICT (tenant_id, from_at) DO UPDATE SET name = :name, address = :address,
        tax_number = :tax_number";

const ISSUER: &str = "SELECT name, '' AS email, address, tax_number FROM invoice_issuer
    WHERE tenant_id = :tenant AND from_at <= :at ORDER BY from_at DESC LIMIT 1";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[INSERT, PARTY, COMPLETE, INSERT_ISSUER, ISSUER];

fn from_row(row: &Row) -> Result<Party, StoreError> {
    Ok(Party {
        name: row.text("name")?,
        email: row.text("email")?,
        address: row.text("address")?,
        tax_number: row.text("tax_number")?,
    })
}

/// Keeps the buyer as given.
pub fn insert(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
    party: &Party,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
        ("name", party.name.as_str().into()),
        ("email", party.email.as_str().into()),
        ("address", party.address.as_str().into()),
        ("tax_number", party.tax_number.as_str().into()),
    ];
    tx.execute(INSERT, &params).map(drop)
}

fn row(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
) -> Result<Option<Row>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
    ];
    tx.query_one(PARTY, &params)
}

/// The buyer of an invoice.
pub fn party(tx: &mut dyn Tx, key: (TenantId, InvoiceId)) -> Result<Option<Party>, StoreError> {
    row(tx, key)?.as_ref().map(from_row).transpose()
}

/// Whether the buyer's details can still be added.
pub fn is_open(tx: &mut dyn Tx, key: (TenantId, InvoiceId)) -> Result<bool, StoreError> {
    match row(tx, key)? {
        Some(row) => Ok(row.opt_at("completed_at")?.is_none()),
        None => Ok(false),
    }
}

/// Adds details; answers whether none had been added.
pub fn complete(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
    party: &Party,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
        ("name", party.name.as_str().into()),
        ("address", party.address.as_str().into()),
        ("tax_number", party.tax_number.as_str().into()),
        ("now", now.into()),
    ];
    Ok(tx.execute(COMPLETE, &params)? == 1)
}

/// Keeps who issues from an instant on.
pub fn insert_issuer(
    tx: &mut dyn Tx,
    (tenant, from): (TenantId, Timestamp),
    party: &Party,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("from", from.into()),
        ("name", party.name.as_str().into()),
        ("address", party.address.as_str().into()),
        ("tax_number", party.tax_number.as_str().into()),
    ];
    tx.execute(INSERT_ISSUER, &params).map(drop)
}

/// Who issued at an instant.
pub fn issuer(
    tx: &mut dyn Tx,
    tenant: TenantId,
    at: Timestamp,
) -> Result<Option<Party>, StoreError> {
    let params = [("tenant", tenant.as_bytes().into()), ("at", at.into())];
    tx.query_one(ISSUER, &params)?
        .as_ref()
        .map(from_row)
        .transpose()
}
