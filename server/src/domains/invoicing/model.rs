//! What an invoice is. Pure.

use crate::caller::{Caller, Denied, Role};
use crate::store::StoreError;
use mintreu::id::{
    AccountId, InvoiceId, InvoiceLineId, LicenseId, OrderId, PaymentId, ProductId, TenantId,
};
use mintreu::{Money, Timestamp};

/// Whether an invoice is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Owed.
    Open,
    /// Settled.
    Paid,
}

impl State {
    /// As stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
        }
    }

    /// Reads what [`State::name`] wrote.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Open, Self::Paid]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// Who owes whom for what: everything of an invoice that isn't a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInvoice {
    /// What caused it, unique in the tenant: `usage:lic_…:3.0`.
    pub source: String,
    /// Who owes; a guest who never made an account has none and is reached through the order.
    pub customer: Option<AccountId>,
    /// The order that began it.
    pub order: Option<OrderId>,
    /// Who earns.
    pub seller: AccountId,
    /// What was used.
    pub product: ProductId,
    /// Under which license.
    pub license: Option<LicenseId>,
    /// From the first instant to the instant after the last.
    pub period: (Timestamp, Timestamp),
    /// When it should be paid.
    pub due_at: Timestamp,
    /// At least one; all of one currency.
    pub lines: Vec<NewLine>,
}

/// A line before it has an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLine {
    /// Its stable kind: a rated line's, or `already_invoiced`.
    pub kind: String,
    /// The meter, for usage.
    pub meter: Option<String>,
    /// Units it covers.
    pub quantity: u64,
    /// Free units of the meter's tariff in a period.
    pub free_units: u64,
    /// 10⁻⁹ minor units a unit, where units have a price.
    pub unit_price_nanos: Option<i64>,
    /// What it adds; below zero takes off.
    pub amount: Money,
    /// The tariff as it was when rated.
    pub tariff: Option<String>,
    /// The arithmetic, for people.
    pub explanation: String,
}

/// A finalized invoice without its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoice {
    /// Its id.
    pub id: InvoiceId,
    /// Who issues it: the platform is the seller of record, and its id the tenant's.
    pub issuer: TenantId,
    /// The number's series.
    pub series: String,
    /// Rises by one in its series.
    pub number: i64,
    /// What caused it.
    pub source: String,
    /// Who owes.
    pub customer: Option<AccountId>,
    /// The order that began it.
    pub order: Option<OrderId>,
    /// Who earns.
    pub seller: AccountId,
    /// What was used.
    pub product: ProductId,
    /// Under which license.
    pub license: Option<LicenseId>,
    /// From the first instant to the instant after the last.
    pub period: (Timestamp, Timestamp),
    /// What its lines add up to.
    pub total: Money,
    /// Whether it is paid.
    pub state: State,
    /// When it got its number.
    pub finalized_at: Timestamp,
    /// When it should be paid.
    pub due_at: Timestamp,
    /// When it was.
    pub paid_at: Option<Timestamp>,
    /// By which payment.
    pub payment: Option<PaymentId>,
}

impl Invoice {
    /// The number people quote: `INV-000042`.
    pub fn number_text(&self) -> String {
        format!("{}-{:06}", self.series, self.number)
    }
}

/// A line of a finalized invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoiceLine {
    /// Its id.
    pub id: InvoiceLineId,
    /// Its stable kind.
    pub kind: String,
    /// The meter, for usage.
    pub meter: Option<String>,
    /// Units it covers.
    pub quantity: i64,
    /// Free units of the meter's tariff in a period.
    pub free_units: i64,
    /// 10⁻⁹ minor units a unit, where units have a price.
    pub unit_price_nanos: Option<i64>,
    /// What it adds.
    pub amount: Money,
    /// The tariff as it was when rated.
    pub tariff: Option<String>,
    /// The arithmetic, for people.
    pub explanation: String,
}

/// Some invoices, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvoicePage {
    /// The rows.
    pub invoices: Vec<Invoice>,
    /// Ask again with this to go on; `None` at the end.
    pub next: Option<InvoiceId>,
}

/// What a caller may act on.
#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    /// Nothing by that id for this caller.
    #[error("there is no such invoice")]
    NotFound,
    /// An invoice asks for something.
    #[error("an invoice needs lines that add up to more than nothing")]
    Empty,
    /// It was paid by another payment before.
    #[error("the invoice is paid already")]
    AlreadyPaid,
    /// Amounts that can't be added.
    #[error(transparent)]
    Money(#[from] mintreu::Error),
    /// Not this caller.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the lines add up to; refused unless above zero.
pub fn total(lines: &[NewLine]) -> Result<Money, InvoiceError> {
    let first = lines.first().ok_or(InvoiceError::Empty)?;
    let zero = Money::zero(first.amount.currency());
    let total = lines
        .iter()
        .try_fold(zero, |sum, line| sum.checked_add(line.amount))?;
    match total.minor() > 0 {
        true => Ok(total),
        false => Err(InvoiceError::Empty),
    }
}

/// Whether `caller` may look at the invoice: who owes, who earns, and who runs the platform.
pub fn may_see(caller: &Caller, invoice: &Invoice) -> bool {
    let runs = |role: &Role| matches!(role, Role::Admin | Role::System);
    let party = |account: AccountId| invoice.customer == Some(account) || invoice.seller == account;
    caller.roles.iter().any(runs) || caller.account.is_some_and(party)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mintreu::Currency;

    fn line(minor: i64, currency: Currency) -> NewLine {
        NewLine {
            kind: "units".to_owned(),
            meter: None,
            quantity: 1,
            free_units: 0,
            unit_price_nanos: None,
            amount: Money::new(minor, currency),
            tariff: None,
            explanation: String::new(),
        }
    }

    #[test]
    fn lines_add_up_to_more_than_nothing() {
        let euros = |minors: &[i64]| {
            let lines: Vec<_> = minors.iter().map(|m| line(*m, Currency::EUR)).collect();
            total(&lines).map(|total| total.minor())
        };
        assert_eq!(euros(&[500, -120]).ok(), Some(380));
        for nothing in [&[][..], &[0], &[5, -5], &[5, -6]] {
            assert!(matches!(euros(nothing), Err(InvoiceError::Empty)));
        }
        let mixed = [line(1, Currency::EUR), line(1, Currency::JPY)];
        assert!(matches!(total(&mixed), Err(InvoiceError::Money(_))));
    }
}
