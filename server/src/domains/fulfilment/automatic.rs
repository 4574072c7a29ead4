//! Invoices of usage that are paid by themselves, with what their owner agreed to.
//!
//! The owner of a license agrees once, to a saved method or by paying one invoice with what is kept. Every
//! invoice of that license's usage that is issued afterwards is charged when it is issued, and again
//! some days after each decline. A method that is gone for good ends the agreement, and so
//! does a bank that asks about such a charge; the invoice then waits for its customer like any other.

use super::model::FulfilmentError;
use super::sql;
use crate::app::{Command, Cx, ReadCx};
use crate::caller::Capability;
use crate::domains::catalog;
use crate::domains::invoicing::{self, Invoice, InvoiceError, State};
use crate::domains::licensing::{self, LicensingError};
use crate::domains::payments::{
    self, EventKind, MethodUse, NewPayment, Payable, Payment, PaymentEvent, PaymentState,
};
use crate::domains::subscriptions::RETRY_DAYS;
use crate::domains::subscriptions::charge::{self, ChargePayload};
use crate::events::{self, Event};
use crate::gateways;
use crate::queue::{self, JobError};
use mintreu::Timestamp;
use mintreu::id::{AccountId, InvoiceId, LicenseId};
use serde::{Deserialize, Serialize};

/// The job that charges an invoice again.
pub const CHARGE_AGAIN_JOB: &str = "fulfilment.charge_invoice_again";
/// The fact of an invoice that could not be charged.
pub const DECLINED_FACT: &str = "invoice.charge_declined";

const DAY_MS: i64 = 86_400_000;

/// What a license's owner agreed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AutomaticPayment {
    /// Of which license the invoices are.
    pub license: LicenseId,
    /// Who agreed, and owes them.
    pub account: AccountId,
    /// Who keeps the method.
    pub provider: String,
    /// The provider's name of it: a saved method, or the payment that it paid.
    pub method: String,
    /// When it was agreed to.
    pub agreed_at: Timestamp,
}

/// What invoices shall be paid with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PayWith {
    /// A method that this provider keeps under this name.
    Method {
        /// Who keeps it.
        provider: String,
        /// Its name.
        method: String,
    },
    /// What this invoice was paid with, by who owes it and to be kept.
    Invoice(InvoiceId),
}

/// Agrees that invoices of a license's usage are paid by themselves; another method takes the
/// place of the one before.
#[derive(Debug, Clone)]
pub struct AgreeToPay {
    /// Which license.
    pub license: LicenseId,
    /// With what.
    pub with: PayWith,
}

impl Command for AgreeToPay {
    const NAME: &'static str = "fulfilment.agree_to_automatic_payment";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }
}

/// Keeps what the owner agreed to. Invoices that were issued before wait for them as they did.
pub fn agree_to_pay(
    cx: &mut Cx<'_>,
    cmd: &AgreeToPay,
) -> Result<AutomaticPayment, FulfilmentError> {
    let account = owner(cx, cmd.license)?;
    let (provider, method) = match &cmd.with {
        PayWith::Method { provider, method } => (provider.clone(), method.clone()),
        PayWith::Invoice(invoice) => paid_with(cx, (cmd.license, account), *invoice)?,
    };
    let agreed = AutomaticPayment {
        license: cmd.license,
        account,
        provider,
        method,
        agreed_at: cx.now,
    };
    sql::put_automatic(cx.tx, cx.caller.tenant, &agreed)?;
    Ok(agreed)
}

/// The caller, who must own the license.
fn owner(cx: &mut Cx<'_>, license: LicenseId) -> Result<AccountId, FulfilmentError> {
    let found = licensing::by_id(cx.tx, cx.caller.tenant, license)?;
    let own = found.filter(|license| license.owner.is_some() && license.owner == cx.caller.account);
    let owner = own.and_then(|license| license.owner);
    owner.ok_or(LicensingError::NotFound.into())
}

/// The attempt that paid an invoice, under whose id its provider keeps the method. Only what the
/// account itself paid with, and was told that it is kept: somebody else may have paid by the link.
fn paid_with(
    cx: &mut Cx<'_>,
    (license, account): (LicenseId, AccountId),
    invoice: InvoiceId,
) -> Result<(String, String), FulfilmentError> {
    let found = invoicing::issued(cx, invoice)?;
    let own = found
        .filter(|found| found.license == Some(license) && found.customer == Some(account))
        .ok_or(InvoiceError::NotFound)?;
    let paid = payments::paid_by(cx.tx, cx.caller.tenant, &Payable::new(own.id))?;
    let paid = paid.ok_or(FulfilmentError::NothingPaidWith)?;
    match is_kept_of(&paid, account) {
        true => Ok((paid.provider, paid.id.to_string())),
        false => Err(FulfilmentError::NotKept),
    }
}

/// Whether that account paid, and was told that its method is kept.
fn is_kept_of(payment: &Payment, account: AccountId) -> bool {
    payment.method_use == MethodUse::Setup && payment.begun_by == Some(account)
}

/// Whoever paid an invoice with a method that is to be kept agreed by that, if the license is theirs.
pub(super) fn agreed_by_paying(
    cx: &mut Cx<'_>,
    invoice: InvoiceId,
    payment: &Payment,
) -> Result<(), FulfilmentError> {
    let found = invoicing::issued(cx, invoice)?;
    let Some((license, account)) = found.and_then(|found| found.license.zip(found.customer)) else {
        return Ok(());
    };
    let owned = licensing::by_id(cx.tx, cx.caller.tenant, license)?;
    let owns = owned.is_some_and(|license| license.owner == Some(account));
    if !owns || !is_kept_of(payment, account) {
        return Ok(());
    }
    let agreed = AutomaticPayment {
        license,
        account,
        provider: payment.provider.clone(),
        method: payment.id.to_string(),
        agreed_at: cx.now,
    };
    Ok(sql::put_automatic(cx.tx, cx.caller.tenant, &agreed)?)
}

/// Ends the agreement: invoices wait for their customer again. What is being charged goes on.
#[derive(Debug, Clone, Copy)]
pub struct EndAutomaticPayment {
    /// Which license.
    pub license: LicenseId,
}

impl Command for EndAutomaticPayment {
    const NAME: &'static str = "fulfilment.end_automatic_payment";
    const CAPABILITY: Capability = Capability::Buy;

    fn subject(&self) -> Option<String> {
        Some(self.license.to_string())
    }
}

/// Ends it; once is enough.
pub fn end_automatic_payment(
    cx: &mut Cx<'_>,
    cmd: &EndAutomaticPayment,
) -> Result<(), FulfilmentError> {
    owner(cx, cmd.license)?;
    Ok(sql::end_automatic(cx.tx, cx.caller.tenant, cmd.license)?)
}

/// What the caller agreed to for a license of theirs. `None` when nothing.
pub fn automatic_payment(
    cx: &mut ReadCx<'_>,
    license: &LicenseId,
) -> Result<Option<AutomaticPayment>, FulfilmentError> {
    let found = licensing::view(cx, license)?.license;
    let agreed = sql::automatic(cx.tx, cx.caller.tenant, *license)?;
    let own = |agreed: &AutomaticPayment| {
        Some(agreed.account) == cx.caller.account && found.owner == cx.caller.account
    };
    Ok(agreed.filter(own))
}

/// A subscriber of the outbox: charges an invoice of usage that was issued, where that was agreed to.
pub fn on_fact(cx: &mut Cx<'_>, event: &Event) -> Result<(), JobError> {
    if event.kind != "invoice.finalized" {
        return Ok(());
    }
    let invoice = InvoiceId::parse(&event.subject).map_err(JobError::fail)?;
    begin(cx, invoice).map_err(JobError::retry)
}

/// The payload of [`CHARGE_AGAIN_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChargeAgain {
    /// The invoice's id.
    pub invoice: String,
}

/// The job: charges an invoice again that was declined.
pub fn charge_again(cx: &mut Cx<'_>, payload: &ChargeAgain) -> Result<(), JobError> {
    let invoice = InvoiceId::parse(&payload.invoice).map_err(JobError::fail)?;
    begin(cx, invoice).map_err(JobError::retry)
}

/// Begins an attempt and queues its charge; not for an invoice that is paid or called off, whose
/// owner agreed to nothing, or where an attempt is on its way.
fn begin(cx: &mut Cx<'_>, invoice: InvoiceId) -> Result<(), FulfilmentError> {
    let Some((invoice, agreed)) = agreed_for(cx, invoice)? else {
        return Ok(());
    };
    let payable = Payable::new(invoice.id);
    let last = payments::latest(cx.tx, cx.caller.tenant, &payable)?;
    if last.is_some_and(|last| last.state != PaymentState::Failed) {
        return Ok(());
    }
    let payment = payments::expect(
        cx,
        &NewPayment {
            payable,
            amount: invoice.total,
            provider: agreed.provider,
            method_use: MethodUse::Saved,
        },
    )?;
    let payload = ChargePayload {
        payment: payment.id.to_string(),
        method: agreed.method,
        subscription: invoice.id.to_string(),
        title: title(cx, &invoice)?,
    };
    Ok(charge::plan(cx, &payload)?)
}

/// `INV-000042, Atlas Geocoder`: what the payment says of itself.
pub(super) fn title(cx: &mut Cx<'_>, invoice: &Invoice) -> Result<String, FulfilmentError> {
    let product = catalog::product(cx.tx, cx.caller.tenant, invoice.product)?;
    let number = invoice.number_text();
    Ok(match product {
        Some(product) => format!("{number}, {}", product.name),
        None => number,
    })
}

/// An open invoice of usage and what its customer agreed to.
fn agreed_for(
    cx: &mut Cx<'_>,
    invoice: InvoiceId,
) -> Result<Option<(Invoice, AutomaticPayment)>, FulfilmentError> {
    let tenant = cx.caller.tenant;
    let found = invoicing::issued(cx, invoice)?;
    let Some(invoice) = found.filter(|invoice| invoice.state == State::Open) else {
        return Ok(None);
    };
    let Some(license) = invoice.license else {
        return Ok(None);
    };
    let agreed = sql::automatic(cx.tx, tenant, license)?;
    let Some(agreed) = agreed.filter(|agreed| invoice.customer == Some(agreed.account)) else {
        return Ok(None);
    };
    Ok(Some((invoice, agreed)))
}

/// A bank suspects, asks about or took what an invoice was paid with: whoever disputes a charge isn't
/// charged again unless they agree anew.
pub(super) fn disputed(cx: &mut Cx<'_>, event: &PaymentEvent) -> Result<(), FulfilmentError> {
    use EventKind::{DisputeInquired, DisputeLost, DisputeOpened, DisputeWarned};
    let tenant = cx.caller.tenant;
    let against = [DisputeWarned, DisputeInquired, DisputeOpened, DisputeLost];
    if !against.contains(&event.kind) {
        return Ok(());
    }
    let payment = payments::of_event(cx.tx, tenant, event)?;
    let invoice = payment.and_then(|payment| InvoiceId::parse(&payment.payable).ok());
    let found = match invoice {
        Some(invoice) => invoicing::issued(cx, invoice)?,
        None => None,
    };
    match found.and_then(|invoice| invoice.license) {
        Some(license) => Ok(sql::end_automatic(cx.tx, tenant, license)?),
        None => Ok(()),
    }
}

/// What the fact of a declined charge tells.
#[derive(Debug, Serialize)]
struct Declined<'a> {
    failure_code: Option<&'a str>,
    /// When it is tried again; `None` when the customer must.
    again_at: Option<i64>,
    /// Whether the method is gone, and with it the agreement.
    ended: bool,
}

/// After an attempt that nobody was there for: plans the next, or ends an agreement to a method that
/// is gone.
pub(super) fn declined(
    cx: &mut Cx<'_>,
    invoice: InvoiceId,
    payment: &Payment,
) -> Result<(), FulfilmentError> {
    if payment.method_use != MethodUse::Saved {
        return Ok(());
    }
    let Some((invoice, agreed)) = agreed_for(cx, invoice)? else {
        return Ok(());
    };
    let code = payment.failure_code.as_deref();
    let ended = code.is_some_and(gateways::is_hard);
    let tries = usize::try_from(payment.attempt).unwrap_or(usize::MAX);
    let days = RETRY_DAYS.get(tries.saturating_sub(1)).filter(|_| !ended);
    let again_at = days.map(|days| cx.now.plus_ms(days * DAY_MS));
    if ended {
        sql::end_automatic(cx.tx, cx.caller.tenant, agreed.license)?;
    }
    if let Some(at) = again_at {
        let payload = ChargeAgain {
            invoice: invoice.id.to_string(),
        };
        queue::enqueue(cx, CHARGE_AGAIN_JOB, &payload, at)?;
    }
    let told = Declined {
        failure_code: code,
        again_at: again_at.map(Timestamp::ms),
        ended,
    };
    events::record(cx, DECLINED_FACT, &invoice.id.to_string(), &told)?;
    Ok(())
}
