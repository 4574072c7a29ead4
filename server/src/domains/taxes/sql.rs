//! SQL of the taxes' tables.

use super::model::{Buyer, Policy, Tax, Taxed, Why};
use super::movements::{AskReport, Movement, ReportLine};
use super::ops::Evidence;
use super::places::Place;
use super::rates::OwnRate;
use super::vat_id::VatId;
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, InvoiceId, OrderId, TenantId};
use mintreu::{Currency, Money, Timestamp};

const POLICY: &str = "SELECT home, inclusive FROM tax_policy WHERE tenant_id = :tenant";

const PUT_POLICY: &str = "\
INSERT INTO tax_policy (tenant_id, home, inclusive, set_at)
VALUES (:tenant, :home, :inclusive, :now)
ON CONFLICT (tenant_id) DO UPDATE SET home = :home, inclusive = :inclusive, set_at = :now";

const OWN_RATES: &str = "\
SELECT place, from_at, bps, note FROM tax_own_rate WHERE tenant_id = :tenant
ORDER BY place, from_at LIMIT 1000";

const OWN_RATES_OF: &str = "\
SELECT place, from_at, bps, note FROM tax_own_rate
WHERE tenant_id = :tenant AND (place = :country OR place = :place) ORDER BY place, from_at";

const PUT_RATE: &str = "\
INSERT INTO tax_own_rate (tenant_id, place, from_at, bps, note, set_at)
VALUES (:tenant, :place, :from, :bps, :note, :now)
ON CONFLICT (tenant_id, place, from_at) DO UPDATE SET bps = :bps, note = :note, set_at = :now";

const INSERT_EVIDENCE: &str = "\
INSERT INTO tax_evidence (tenant_id, order_id, place, vat_id, network_country, method_country,
    noted_at)
VALUES (:tenant, :order, :place, :vat_id, :network, :method, :now)";

const SET_METHOD: &str = "\
UPDATE tax_evidence SET method_country = :country
WHERE tenant_id = :tenant AND order_id = :order";

const EVIDENCE: &str = "\
SELECT place, vat_id, network_country, method_country FROM tax_evidence
WHERE tenant_id = :tenant AND order_id = :order";

const PUT_BUYER: &str = "\
INSERT INTO tax_buyer (tenant_id, account_id, place, vat_id, updated_at)
VALUES (:tenant, :account, :place, :vat_id, :now)
ON CONFLICT (tenant_id, account_id) DO UPDATE
SET place = :place, vat_id = :vat_id, updated_at = :now";

const BUYER: &str = "\
SELECT place, vat_id FROM tax_buyer WHERE tenant_id = :tenant AND account_id = :account";

const INSERT_MOVEMENT: &str = "\
INSERT INTO tax_movement (tenant_id, source, kind, month, jurisdiction, why, bps, currency,
    base_minor, tax_minor, noted_at)
VALUES (:tenant, :source, :kind, :month, :jurisdiction, :why, :bps, :currency, :base, :tax, :now)
ON CONFLICT (tenant_id, source) DO NOTHING";

const INSERT_INVOICE_TAX: &str = "\
INSERT INTO invoice_tax (tenant_id, invoice_id, tax_code, tax_bps, tax_jurisdiction,
    tax_inclusive, tax_reason, currency, tax_base, tax_amount)
VALUES (:tenant, :invoice, :code, :bps, :jurisdiction, :inclusive, :reason, :currency, :base,
    :tax)
ON CONFLICT (tenant_id, invoice_id) DO NOTHING";

const INVOICE_TAX: &str = "\
SELECT tax_code, tax_bps, tax_jurisdiction, tax_inclusive, tax_reason, currency, tax_base,
    tax_amount
FROM invoice_tax WHERE tenant_id = :tenant AND invoice_id = :invoice";

const REPORT: &str = "\
SELECT month, jurisdiction, why, bps, currency,
    CAST(COALESCE(SUM(CASE WHEN kind = 'sale' THEN base_minor ELSE 0 END), 0) AS BIGINT)
        AS sales_base,
    CAST(COALESCE(SUM(CASE WHEN kind = 'sale' THEN tax_minor ELSE 0 END), 0) AS BIGINT)
        AS sales_tax,
    CAST(COALESCE(SUM(CASE WHEN kind = 'refund' THEN base_minor ELSE 0 END), 0) AS BIGINT)
        AS refunds_base,
    CAST(COALESCE(SUM(CASE WHEN kind = 'refund' THEN tax_minor ELSE 0 END), 0) AS BIGINT)
        AS refunds_tax
FROM tax_movement
WHERE tenant_id = :tenant AND month >= :from AND month <= :until
GROUP BY month, jurisdiction, why, bps, currency
ORDER BY month, jurisdiction, why, bps, currency LIMIT 10000";

/// Every statement here, for the test that prepares them.
pub const ALL: &[&str] = &[
    POLICY,
    PUT_POLICY,
    OWN_RATES,
    OWN_RATES_OF,
    PUT_RATE,
    INSERT_EVIDENCE,
    SET_METHOD,
    EVIDENCE,
    PUT_BUYER,
    BUYER,
    INSERT_MOVEMENT,
    INSERT_INVOICE_TAX,
    INVOICE_TAX,
    REPORT,
];

fn shape(what: impl ToString) -> StoreError {
    StoreError::shape(what.to_string())
}

fn place(row: &Row, column: &str) -> Result<Option<Place>, StoreError> {
    let text = row.opt_text(column)?;
    text.map(|text| Place::parse(&text).map_err(shape))
        .transpose()
}

fn buyer_in(row: &Row) -> Result<Buyer, StoreError> {
    let vat_id = row.opt_text("vat_id")?;
    Ok(Buyer {
        place: place(row, "place")?,
        vat_id: vat_id
            .map(|text| VatId::parse(&text).map_err(shape))
            .transpose()?,
    })
}

pub(super) fn policy(tx: &mut dyn Tx, tenant: TenantId) -> Result<Policy, StoreError> {
    let params = [("tenant", tenant.as_bytes().into())];
    let Some(row) = tx.query_one(POLICY, &params)? else {
        return Ok(Policy::default());
    };
    Ok(Policy {
        home: place(&row, "home")?,
        inclusive: row.int("inclusive")? != 0,
    })
}

pub(super) fn put_policy(
    tx: &mut dyn Tx,
    tenant: TenantId,
    policy: &Policy,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("home", policy.home.as_ref().map(Place::as_str).into()),
        ("inclusive", i64::from(policy.inclusive).into()),
        ("now", now.into()),
    ];
    tx.execute(PUT_POLICY, &params).map(drop)
}

/// Every own rate, or those of a place and its country.
pub(super) fn own_rates(
    tx: &mut dyn Tx,
    tenant: TenantId,
    of: Option<&Place>,
) -> Result<Vec<OwnRate>, StoreError> {
    let rows = match of {
        None => tx.query(OWN_RATES, &[("tenant", tenant.as_bytes().into())])?,
        Some(place) => {
            let params = [
                ("tenant", tenant.as_bytes().into()),
                ("country", place.country().into()),
                ("place", place.as_str().into()),
            ];
            tx.query(OWN_RATES_OF, &params)?
        }
    };
    let rate = |row: &Row| {
        let bps = row.opt_int("bps")?;
        Ok(OwnRate {
            place: Place::parse(&row.text("place")?).map_err(shape)?,
            from: row.at("from_at")?,
            bps: bps
                .map(|bps| u32::try_from(bps).map_err(shape))
                .transpose()?,
            note: row.text("note")?,
        })
    };
    rows.iter().map(rate).collect()
}

pub(super) fn put_rate(
    tx: &mut dyn Tx,
    tenant: TenantId,
    rate: &OwnRate,
    now: Timestamp,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("place", rate.place.as_str().into()),
        ("from", rate.from.into()),
        ("bps", rate.bps.map(i64::from).into()),
        ("note", rate.note.as_str().into()),
        ("now", now.into()),
    ];
    tx.execute(PUT_RATE, &params).map(drop)
}

pub(super) fn insert_evidence(
    tx: &mut dyn Tx,
    (tenant, order): (TenantId, OrderId),
    evidence: &Evidence,
    now: Timestamp,
) -> Result<(), StoreError> {
    let buyer = &evidence.buyer;
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("place", buyer.place.as_ref().map(Place::as_str).into()),
        ("vat_id", buyer.vat_id.as_ref().map(VatId::as_str).into()),
        ("network", evidence.network.as_deref().into()),
        ("method", evidence.method.as_deref().into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_EVIDENCE, &params).map(drop)
}

pub(super) fn set_method(
    tx: &mut dyn Tx,
    (tenant, order): (TenantId, OrderId),
    country: &str,
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
        ("country", country.into()),
    ];
    tx.execute(SET_METHOD, &params).map(drop)
}

pub(super) fn evidence(
    tx: &mut dyn Tx,
    (tenant, order): (TenantId, OrderId),
) -> Result<Option<Evidence>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("order", order.as_bytes().into()),
    ];
    let row = tx.query_one(EVIDENCE, &params)?;
    let evidence = |row: Row| {
        Ok(Evidence {
            buyer: buyer_in(&row)?,
            network: row.opt_text("network_country")?,
            method: row.opt_text("method_country")?,
        })
    };
    row.map(evidence).transpose()
}

/// Keeps where an account is; who declared nothing stays where they were.
pub(super) fn put_buyer(
    tx: &mut dyn Tx,
    (tenant, account): (TenantId, AccountId),
    buyer: &Buyer,
    now: Timestamp,
) -> Result<(), StoreError> {
    let Some(place) = &buyer.place else {
        return Ok(());
    };
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
        ("place", place.as_str().into()),
        ("vat_id", buyer.vat_id.as_ref().map(VatId::as_str).into()),
        ("now", now.into()),
    ];
    tx.execute(PUT_BUYER, &params).map(drop)
}

pub(super) fn buyer(
    tx: &mut dyn Tx,
    (tenant, account): (TenantId, AccountId),
) -> Result<Option<Buyer>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("account", account.as_bytes().into()),
    ];
    let row = tx.query_one(BUYER, &params)?;
    row.map(|row| buyer_in(&row)).transpose()
}

pub(super) fn insert_movement(
    tx: &mut dyn Tx,
    tenant: TenantId,
    movement: &Movement<'_>,
    (month, now): (&str, Timestamp),
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("source", movement.source.as_str().into()),
        ("kind", movement.way.code().into()),
        ("month", month.into()),
        ("jurisdiction", movement.tax.jurisdiction.as_str().into()),
        ("why", movement.tax.why.code().into()),
        ("bps", i64::from(movement.tax.bps).into()),
        ("currency", movement.amount.currency().code().into()),
        ("base", movement.base.minor().into()),
        ("tax", movement.amount.minor().into()),
        ("now", now.into()),
    ];
    tx.execute(INSERT_MOVEMENT, &params).map(drop)
}

pub(super) fn insert_invoice_tax(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
    (tax, parts): (&Tax, &Taxed),
) -> Result<(), StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
        ("code", tax.why.code().into()),
        ("bps", i64::from(tax.bps).into()),
        ("jurisdiction", tax.jurisdiction.as_str().into()),
        ("inclusive", i64::from(tax.inclusive).into()),
        ("reason", tax.reason.as_str().into()),
        ("currency", parts.tax.currency().code().into()),
        ("base", parts.base.minor().into()),
        ("tax", parts.tax.minor().into()),
    ];
    tx.execute(INSERT_INVOICE_TAX, &params).map(drop)
}

pub(super) fn invoice_tax(
    tx: &mut dyn Tx,
    (tenant, invoice): (TenantId, InvoiceId),
) -> Result<Option<(Tax, Taxed)>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("invoice", invoice.as_bytes().into()),
    ];
    let Some(row) = tx.query_one(INVOICE_TAX, &params)? else {
        return Ok(None);
    };
    let currency = Currency::parse(&row.text("currency")?).map_err(shape)?;
    let why = Why::parse(&row.text("tax_code")?);
    let tax = Tax {
        why: why.ok_or_else(|| shape("a tax without a reason"))?,
        bps: u32::try_from(row.int("tax_bps")?).map_err(shape)?,
        jurisdiction: row.text("tax_jurisdiction")?,
        inclusive: row.int("tax_inclusive")? != 0,
        reason: row.text("tax_reason")?,
    };
    let base = Money::new(row.int("tax_base")?, currency);
    let amount = Money::new(row.int("tax_amount")?, currency);
    let parts = Taxed {
        base,
        tax: amount,
        charged: base.checked_add(amount).map_err(shape)?,
    };
    Ok(Some((tax, parts)))
}

pub(super) fn report(
    tx: &mut dyn Tx,
    tenant: TenantId,
    query: &AskReport,
) -> Result<Vec<ReportLine>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("from", query.from.as_str().into()),
        ("until", query.until.as_str().into()),
    ];
    let line = |row: &Row| {
        Ok(ReportLine {
            month: row.text("month")?,
            jurisdiction: row.text("jurisdiction")?,
            why: row.text("why")?,
            bps: row.int("bps")?,
            currency: Currency::parse(&row.text("currency")?).map_err(shape)?,
            sales: (row.int("sales_base")?, row.int("sales_tax")?),
            refunds: (row.int("refunds_base")?, row.int("refunds_tax")?),
        })
    };
    tx.query(REPORT, &params)?.iter().map(line).collect()
}
