//! What is owed to whom: every sale and every way back with its tax, and what they come to.

use super::model::{Tax, TaxError, Taxed, Why};
use super::rates::month;
use super::sql;
use crate::app::{Cx, ReadCx};
use crate::caller::{Capability, Denied};
use crate::store::{StoreError, Tx};
use mintreu::id::{InvoiceId, TenantId};
use mintreu::{Currency, Money};

/// Most months of one report.
const MAX_MONTHS: i64 = 120;

/// Which way money went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A sale was posted.
    Sale,
    /// Money went back to the buyer; less than nothing when that was undone.
    Refund,
}

impl Way {
    /// As stored.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Refund => "refund",
        }
    }
}

/// One sale or way back of one line.
#[derive(Debug, Clone)]
pub struct Movement<'a> {
    /// What caused it, unique in the tenant: the ledger's key and the line.
    pub source: String,
    /// Which way.
    pub way: Way,
    /// The tax that the line bears.
    pub tax: &'a Tax,
    /// What was taxed.
    pub base: Money,
    /// The tax.
    pub amount: Money,
}

/// Keeps a movement, once. What no tax was collected of isn't kept.
pub fn note(cx: &mut Cx<'_>, movement: &Movement<'_>) -> Result<(), StoreError> {
    if movement.tax.why == Why::NotRegistered {
        return Ok(());
    }
    let month = month(cx.now);
    sql::insert_movement(cx.tx, cx.caller.tenant, movement, (&month, cx.now))
}

/// Keeps the snapshot of a usage invoice.
pub fn keep_invoice(
    cx: &mut Cx<'_>,
    invoice: InvoiceId,
    (tax, parts): (&Tax, &Taxed),
) -> Result<(), StoreError> {
    sql::insert_invoice_tax(cx.tx, (cx.caller.tenant, invoice), (tax, parts))
}

/// The snapshot of a usage invoice; other invoices have the tax of what they sold.
pub fn of_invoice(
    tx: &mut dyn Tx,
    tenant: TenantId,
    invoice: InvoiceId,
) -> Result<Option<(Tax, Taxed)>, StoreError> {
    sql::invoice_tax(tx, (tenant, invoice))
}

/// Asks what is owed, from the first month to the last: `2027-01`.
#[derive(Debug, Clone)]
pub struct AskReport {
    /// The first month.
    pub from: String,
    /// The last month.
    pub until: String,
}

/// What sales and refunds of a month came to, at one rate of one jurisdiction in one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportLine {
    /// `2027-01`, of UTC.
    pub month: String,
    /// Whose tax.
    pub jurisdiction: String,
    /// Why: the code of a [`Why`].
    pub why: String,
    /// In hundredths of a percent.
    pub bps: i64,
    /// Of all amounts here.
    pub currency: Currency,
    /// What was taxed of the sales, and their tax, in minor units.
    pub sales: (i64, i64),
    /// The same of what went back.
    pub refunds: (i64, i64),
}

impl ReportLine {
    /// What is left of base and tax: the tax is what is due.
    pub const fn net(&self) -> (i64, i64) {
        let base = self.sales.0.saturating_sub(self.refunds.0);
        (base, self.sales.1.saturating_sub(self.refunds.1))
    }
}

/// Whole months since year 0, when it is a month.
fn months(text: &str) -> Option<i64> {
    let (year, month) = text.split_once('-')?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if year.len() != 4 || month.len() != 2 || !digits(year) || !digits(month) {
        return None;
    }
    let (year, month): (i64, i64) = (year.parse().ok()?, month.parse().ok()?);
    (1..=12).contains(&month).then_some(year * 12 + month)
}

/// What is owed, for the owner: by month, jurisdiction, rate and currency.
pub fn report(cx: &mut ReadCx<'_>, query: &AskReport) -> Result<Vec<ReportLine>, TaxError> {
    let capability = Capability::Administer;
    if !cx.caller.may(capability) {
        let signed_in = cx.caller.account.is_some();
        return Err(Denied {
            capability,
            signed_in,
        }
        .into());
    }
    let both = months(&query.from).zip(months(&query.until));
    let sound = both.is_some_and(|(from, until)| (0..MAX_MONTHS).contains(&(until - from)));
    if !sound {
        return Err(TaxError::Months);
    }
    Ok(sql::report(cx.tx, cx.caller.tenant, query)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_strictly() {
        assert_eq!(months("2027-01"), Some(2027 * 12 + 1));
        for bad in [
            "", "2027", "2027-13", "2027-00", "2027-1", "-027-01", "2027-+1", "27-01",
        ] {
            assert_eq!(months(bad), None, "{bad}");
        }
    }
}
