//! What an invoice is. Pure.

use crate::caller::{Caller, Denied, Role};
use crate::store::StoreError;
use mintreu::id::{
    AccountId, InvoiceId, InvoiceLineId, LicenseId, OrderId, OrderLineId, PaymentId, ProductId,
    TenantId,
};
use mintreu::{Money, Timestamp};

/// Whether an invoice is paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Owed.
    Open,
    /// Settled.
    Paid,
    /// Called off: nothing is owed.
    Void,
}

impl State {
    /// As stored and shown.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
        }
    }

    /// Reads what [`State::name`] wrote.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Open, Self::Paid, Self::Void]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// Who issues: the seller of record, who charges the tax. Each has series of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Issuer {
    /// The platform, known by its tenant.
    Platform(TenantId),
    /// A seller whose provider's account is its own.
    Seller(AccountId),
}

impl Issuer {
    /// As stored.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        match self {
            Self::Platform(tenant) => tenant.as_bytes(),
            Self::Seller(account) => account.as_bytes(),
        }
    }

    /// Reads what [`Issuer::as_bytes`] wrote into a row of `tenant`.
    pub fn from_bytes(tenant: TenantId, bytes: [u8; 16]) -> Self {
        match bytes == *tenant.as_bytes() {
            true => Self::Platform(tenant),
            false => Self::Seller(AccountId::from_bytes(bytes)),
        }
    }

    /// Reads the seller of record as an order's line says it: `platform`, or an account's id.
    pub fn of_record(tenant: TenantId, text: &str) -> Option<Self> {
        match text {
            "platform" => Some(Self::Platform(tenant)),
            id => AccountId::parse(id).ok().map(Self::Seller),
        }
    }
}

/// The tax of a line as it was at the sale.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaxSnapshot {
    /// The rate in basis points.
    pub bps: u32,
    /// Whose tax: `DE`; empty where none applies.
    pub jurisdiction: String,
    /// Whether the price held the tax already.
    pub inclusive: bool,
    /// Why this rate, zero too.
    pub reason: String,
    /// How much.
    pub amount: Money,
}

/// What an invoice's line repeats of the order's line that it bills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sold {
    /// Which line.
    pub line: OrderLineId,
    /// Who earns.
    pub seller: AccountId,
    /// What was sold.
    pub product: ProductId,
    /// Its name at the sale.
    pub title: String,
    /// Unit price times quantity.
    pub gross: Money,
    /// Taken off.
    pub discount: Money,
    /// The tax.
    pub tax: TaxSnapshot,
}

impl Sold {
    /// What the line adds: gross less discount, with the tax unless the price held it.
    pub fn amount(&self) -> Result<Money, mintreu::Error> {
        let reduced = self.gross.checked_sub(self.discount)?;
        match self.tax.inclusive {
            true => Ok(reduced),
            false => reduced.checked_add(self.tax.amount),
        }
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
    /// Who earns; of an order's invoice, who earns by its first line.
    pub seller: AccountId,
    /// What was used; of an order's invoice, what its first line sold.
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
    /// Who issues it: the seller of record.
    pub issuer: Issuer,
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
    /// What it repeats of an order's line, when it bills one.
    pub sold: Option<Sold>,
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
    /// It was called off.
    #[error("the invoice was called off")]
    Void,
    /// Its details were added before.
    #[error("the buyer's details are on the invoice already")]
    Complete,
    /// Something that isn't a name, an address or a tax number.
    #[error("{0} is too long or holds what can't be printed")]
    Detail(&'static str),
    /// A line whose figures contradict each other.
    #[error("a line says {said} and adds up to {found}")]
    DoesNotAddUp {
        /// What it says.
        said: Money,
        /// What its parts come to.
        found: Money,
    },
    /// More than is left of the invoice's line.
    #[error("a credit note takes {wanted} of a line with {left} left")]
    OverCredited {
        /// What it would take.
        wanted: Money,
        /// What there is.
        left: Money,
    },
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

/// Whether `caller` may look at the whole invoice: who owes, who earns by all of it, and who runs
/// the platform.
pub fn may_see(caller: &Caller, invoice: &Invoice, lines: &[InvoiceLine]) -> bool {
    let runs = |role: &Role| matches!(role, Role::Admin | Role::System);
    let earns = |account| earns_all(account, invoice, lines);
    let party = |account| invoice.customer == Some(account) || earns(account);
    caller.roles.iter().any(runs) || caller.account.is_some_and(party)
}

/// Who earns by a line.
fn earner(invoice: &Invoice, line: &InvoiceLine) -> AccountId {
    line.sold
        .as_ref()
        .map_or(invoice.seller, |sold| sold.seller)
}

fn earns_all(account: AccountId, invoice: &Invoice, lines: &[InvoiceLine]) -> bool {
    let own = |line| earner(invoice, line) == account;
    match lines.is_empty() {
        true => invoice.seller == account,
        false => lines.iter().all(own),
    }
}

/// What `caller` sees of an invoice: all of it, a seller's own lines with what they come to, or
/// nothing.
pub fn visible(
    caller: &Caller,
    mut invoice: Invoice,
    mut lines: Vec<InvoiceLine>,
) -> Result<Option<(Invoice, Vec<InvoiceLine>)>, mintreu::Error> {
    if may_see(caller, &invoice, &lines) {
        return Ok(Some((invoice, lines)));
    }
    lines.retain(|line| caller.account == Some(earner(&invoice, line)));
    if lines.is_empty() {
        return Ok(None);
    }
    let zero = Money::zero(invoice.total.currency());
    let mut amounts = lines.iter().map(|line| line.amount);
    invoice.total = amounts.try_fold(zero, |sum, one| sum.checked_add(one))?;
    Ok(Some((invoice, lines)))
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
