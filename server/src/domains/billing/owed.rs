//! What becomes of an invoice that isn't paid: its customer is reminded, and who earns by it may
//! call it off.

use super::model::BillingError;
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::domains::invoicing::{self, Invoice, InvoiceError, NewUsageCredit, State};
use crate::domains::ledger::{self, Account, AccountKind, Balanced, Posting, Reason, post};
use crate::domains::taxes::{self, Movement, Way};
use mintreu::Money;
use mintreu::id::InvoiceId;
use serde::{Deserialize, Serialize};

/// The job that reminds of an invoice that is due.
pub const REMIND_JOB: &str = "billing.remind_of_invoice";
/// The fact of an invoice that is due and isn't paid.
pub const OVERDUE_FACT: &str = "invoice.overdue";

const DAY_MS: i64 = 86_400_000;
/// How many days after a reminder the next one follows; after the last none does.
const AGAIN_DAYS: [i64; 2] = [7, 7];

/// The payload of [`REMIND_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Remind {
    /// The invoice's id.
    pub invoice: String,
    /// How often it was reminded of before.
    pub round: usize,
}

/// Plans the first reminder of an invoice: when it is due.
pub(super) fn watch(cx: &mut Cx<'_>, invoice: &Invoice) -> Result<(), BillingError> {
    let first = Remind {
        invoice: invoice.id.to_string(),
        round: 0,
    };
    crate::queue::enqueue(cx, REMIND_JOB, &first, invoice.due_at)?;
    Ok(())
}

/// Tells that an invoice is due, and plans the next reminder; one that was paid meanwhile needs none.
pub fn remind(cx: &mut Cx<'_>, job: &Remind) -> Result<(), BillingError> {
    let id = InvoiceId::parse(&job.invoice);
    let id = id.map_err(|error| BillingError::Payload(error.to_string()))?;
    let found = invoicing::issued(cx, id)?;
    let Some(invoice) = found.filter(|invoice| invoice.state == State::Open) else {
        return Ok(());
    };
    let about = serde_json::json!({
        "reminders": job.round + 1,
        "total_minor": invoice.total.minor(),
        "currency": invoice.total.currency().code(),
    });
    crate::events::record(cx, OVERDUE_FACT, &job.invoice, &about)?;
    if let Some(days) = AGAIN_DAYS.get(job.round) {
        let next = Remind {
            invoice: job.invoice.clone(),
            round: job.round + 1,
        };
        crate::queue::enqueue(cx, REMIND_JOB, &next, cx.now.plus_ms(days * DAY_MS))?;
    }
    Ok(())
}

/// Who earns by an open invoice of usage calls it off: nothing is owed any more.
#[derive(Debug, Clone, Copy)]
pub struct VoidInvoice {
    /// Which.
    pub invoice: InvoiceId,
}

impl Command for VoidInvoice {
    const NAME: &'static str = "billing.void_invoice";
    const CAPABILITY: Capability = Capability::Sell;

    fn subject(&self) -> Option<String> {
        Some(self.invoice.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![invoicing::CONTENDED.to_owned()]
    }
}

/// The platform calls any of them off.
#[derive(Debug, Clone, Copy)]
pub struct VoidAny {
    /// Which.
    pub invoice: InvoiceId,
}

impl Command for VoidAny {
    const NAME: &'static str = "billing.void_any_invoice";
    const CAPABILITY: Capability = Capability::Administer;

    fn subject(&self) -> Option<String> {
        Some(self.invoice.to_string())
    }

    fn contention_keys(&self) -> Vec<String> {
        vec![invoicing::CONTENDED.to_owned()]
    }
}

/// See [`VoidAny`].
pub fn void_any(cx: &mut Cx<'_>, cmd: &VoidAny) -> Result<(), BillingError> {
    let invoice = cmd.invoice;
    void_invoice(cx, &VoidInvoice { invoice })
}

/// The books go back, a credit note takes all of it, and its number stays; calling it off again
/// changes nothing. What its units came to isn't billed again.
pub fn void_invoice(cx: &mut Cx<'_>, cmd: &VoidInvoice) -> Result<(), BillingError> {
    let found = invoicing::issued(cx, cmd.invoice)?;
    let platform = cx.caller.may(Capability::Administer);
    let may = |invoice: &Invoice| {
        let own = cx.caller.account == Some(invoice.seller);
        invoice.source.starts_with("usage:") && (own || platform)
    };
    let invoice = found.filter(may).ok_or(InvoiceError::NotFound)?;
    match invoice.state {
        State::Void => return Ok(()),
        State::Paid => return Err(InvoiceError::AlreadyPaid.into()),
        State::Open => invoicing::mark_void(cx, invoice.id)?,
    }
    let source = format!("invoice:{}", invoice.id);
    let tax = post_void(cx, &invoice, &source)?;
    note_tax(cx, &invoice, tax)?;
    let credit = NewUsageCredit {
        invoice: &invoice,
        cause: &format!("void:{}", invoice.id),
        reason: "void",
        note: "",
        amount: invoice.total,
        tax,
    };
    invoicing::credit_usage(cx, &credit)?;
    crate::events::record(cx, "invoice.voided", &invoice.id.to_string(), &())?;
    Ok(())
}

/// The opposite of what the invoice posted; a seller's part comes out of the hold, or, when that is
/// over, out of the balance. Answers the tax of it.
fn post_void(cx: &mut Cx<'_>, invoice: &Invoice, source: &str) -> Result<Money, BillingError> {
    let currency = invoice.total.currency();
    let mut of = |kind| ledger::credited(cx, source, kind, currency);
    let tax = of(AccountKind::TaxPayable)?;
    let platform = of(AccountKind::PlatformFee)?;
    let payment = of(AccountKind::ProcessingFee)?;
    let seller = of(AccountKind::SellerHeld)?;
    let held = ledger::take_held(cx, source, seller)?;
    let receivable = Account {
        kind: AccountKind::Receivable,
        owner: invoice.customer,
    };
    let sides = [
        (receivable, invoice.total.checked_neg()?),
        (Account::platform(AccountKind::TaxPayable), tax),
        (Account::platform(AccountKind::PlatformFee), platform),
        (Account::platform(AccountKind::ProcessingFee), payment),
        (Account::of(AccountKind::SellerHeld, invoice.seller), held),
        (
            Account::of(AccountKind::SellerReleasable, invoice.seller),
            seller.checked_sub(held)?,
        ),
    ];
    let postings = sides.map(|(account, amount)| Posting { account, amount });
    let postings = postings.into_iter().filter(|one| one.amount.minor() != 0);
    let key = format!("invoice_void:{}", invoice.id);
    let reference = invoice.id.to_string();
    let balanced = Balanced::new(key, Reason::Reversal, reference, postings.collect())?;
    post(cx, &balanced)?;
    Ok(tax)
}

fn note_tax(cx: &mut Cx<'_>, invoice: &Invoice, amount: Money) -> Result<(), BillingError> {
    let Some((tax, _)) = taxes::of_invoice(cx.tx, cx.caller.tenant, invoice.id)? else {
        return Ok(());
    };
    let movement = Movement {
        source: format!("void:{}", invoice.id),
        way: Way::Refund,
        tax: &tax,
        base: invoice.total.checked_sub(amount)?,
        amount,
    };
    Ok(taxes::note(cx, &movement)?)
}
