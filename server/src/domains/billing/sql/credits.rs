//! Prepaid credits and what was taken of them.

use super::shape;
use crate::domains::billing::credits::{Held, HeldCredit};
use crate::store::{Row, StoreError, Tx};
use mintreu::id::{AccountId, CreditId, LicenseId, TenantId};
use mintreu::price::Quantity;
use mintreu::{Currency, Money, Timestamp};

pub(super) const INSERT: &str = "INSERT INTO usage_credit (credit_id, tenant_id, license_id, meter,
        currency, granted, remaining, priority, expires_at, note, granted_by, created_at)
    VALUES (:id, :tenant, :license, :meter, :currency, :granted, :granted, :priority, :expires,
        :note, :by, :now)";

pub(super) const COUNT: &str = "SELECT COUNT(*) AS credits FROM usage_credit
    WHERE tenant_id = :tenant AND license_id = :license AND spent_at IS NULL";

/// Those with something left; which of them hold at an instant is the price engine's to say.
pub(super) const UNSPENT: &str =
    "SELECT credit_id, license_id, meter, currency, granted, remaining,
        priority, expires_at, note, created_at
    FROM usage_credit
    WHERE tenant_id = :tenant AND license_id = :license AND spent_at IS NULL
        AND (expires_at IS NULL OR expires_at > :now)
    ORDER BY credit_id LIMIT :limit";

pub(super) const NEWEST: &str = "SELECT credit_id, license_id, meter, currency, granted, remaining,
        priority, expires_at, note, created_at
    FROM usage_credit WHERE tenant_id = :tenant AND license_id = :license
    ORDER BY credit_id DESC LIMIT :limit";

pub(super) const TAKE: &str = "UPDATE usage_credit SET remaining = :remaining, spent_at = :spent
    WHERE tenant_id = :tenant AND credit_id = :id";

pub(super) const BURN: &str = "INSERT INTO usage_credit_burn (tenant_id, credit_id, period, bill,
        taken, burned_at)
    VALUES (:tenant, :id, :period, :bill, :taken, :now)";

/// Stores a new credit.
pub fn insert(
    tx: &mut dyn Tx,
    tenant: TenantId,
    credit: &HeldCredit,
    by: Option<AccountId>,
) -> Result<(), StoreError> {
    let (meter, currency, granted) = columns(&credit.granted);
    let params = [
        ("id", credit.id.as_bytes().into()),
        ("tenant", tenant.as_bytes().into()),
        ("license", credit.license.as_bytes().into()),
        ("meter", meter.into()),
        ("currency", currency.into()),
        ("granted", granted.into()),
        ("priority", i64::from(credit.priority).into()),
        ("expires", credit.expires_at.into()),
        ("note", credit.note.as_str().into()),
        ("by", by.as_ref().map(AccountId::as_bytes).into()),
        ("now", credit.created_at.into()),
    ];
    tx.execute(INSERT, &params).map(|_| ())
}

/// Meter, currency and how much.
fn columns(of: &Held) -> (Option<String>, Option<String>, String) {
    match of {
        Held::Units { meter, units } => (Some(meter.clone()), None, units.to_string()),
        Held::Money(money) => {
            let currency = money.currency().code().to_owned();
            (None, Some(currency), money.minor().to_string())
        }
    }
}

/// How many credits of a license have something left.
pub fn count(tx: &mut dyn Tx, (tenant, license): (TenantId, LicenseId)) -> Result<i64, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
    ];
    let row = tx.query_one(COUNT, &params)?;
    row.map_or(Ok(0), |row| row.int("credits"))
}

/// A license's credits with something left that haven't expired at `now`.
pub fn unspent(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    (now, limit): (Timestamp, i64),
) -> Result<Vec<HeldCredit>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("now", now.into()),
        ("limit", limit.into()),
    ];
    tx.query(UNSPENT, &params)?.iter().map(from_row).collect()
}

/// A license's newest credits, spent and expired ones too.
pub fn newest(
    tx: &mut dyn Tx,
    (tenant, license): (TenantId, LicenseId),
    limit: i64,
) -> Result<Vec<HeldCredit>, StoreError> {
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("license", license.as_bytes().into()),
        ("limit", limit.into()),
    ];
    tx.query(NEWEST, &params)?.iter().map(from_row).collect()
}

/// Keeps what is left of a credit, and what a bill took.
pub fn take(
    tx: &mut dyn Tx,
    (tenant, id): (TenantId, CreditId),
    (left, taken): (&Held, &Held),
    (period, bill, now): (i64, i64, Timestamp),
) -> Result<(), StoreError> {
    let spent = left.is_nothing().then_some(now);
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("id", id.as_bytes().into()),
        ("remaining", columns(left).2.into()),
        ("spent", spent.into()),
    ];
    tx.execute(TAKE, &params)?;
    let params = [
        ("tenant", tenant.as_bytes().into()),
        ("id", id.as_bytes().into()),
        ("period", period.into()),
        ("bill", bill.into()),
        ("taken", columns(taken).2.into()),
        ("now", now.into()),
    ];
    tx.execute(BURN, &params).map(|_| ())
}

fn from_row(row: &Row) -> Result<HeldCredit, StoreError> {
    let (meter, currency) = (row.opt_text("meter")?, row.opt_text("currency")?);
    let held = |text: String| match (&meter, &currency) {
        (Some(meter), None) => Ok(Held::Units {
            meter: meter.clone(),
            units: text.parse::<Quantity>().map_err(shape)?,
        }),
        (None, Some(code)) => {
            let minor = text.parse().map_err(|_| StoreError::shape(text.clone()))?;
            let currency = Currency::parse(code).map_err(shape)?;
            Ok(Held::Money(Money::new(minor, currency)))
        }
        _ => Err(StoreError::shape("a credit of nothing".to_owned())),
    };
    let priority = u32::try_from(row.int("priority")?);
    Ok(HeldCredit {
        id: row.id("credit_id", CreditId::from_bytes)?,
        license: row.id("license_id", LicenseId::from_bytes)?,
        granted: held(row.text("granted")?)?,
        left: held(row.text("remaining")?)?,
        priority: priority.map_err(|e| StoreError::shape(e.to_string()))?,
        expires_at: row.opt_at("expires_at")?,
        note: row.text("note")?,
        created_at: row.at("created_at")?,
    })
}
