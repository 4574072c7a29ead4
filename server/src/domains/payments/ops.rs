//! Use cases of payments: expect one, attach its page, receive an event, settle.

use super::model::{
    EventKind, MethodUse, Payable, Payment, PaymentError, PaymentEvent, PaymentState,
    ProviderEvent, Settled, settle_payment,
};
use super::sql;
use crate::app::{Command, Cx};
use crate::caller::Capability;
use crate::gateways;
use crate::store::{StoreError, Tx};
use mintreu::Money;
use mintreu::id::{PaymentEventId, PaymentId, TenantId};
use serde::{Deserialize, Serialize};

/// The job that decides what an event means.
pub const SETTLE_JOB: &str = "fulfilment.settle_payment";

/// What is to be paid.
#[derive(Debug, Clone)]
pub struct NewPayment {
    /// What for.
    pub payable: Payable,
    /// How much, above zero.
    pub amount: Money,
    /// Whose page takes the money.
    pub provider: String,
    /// What becomes of the method that pays.
    pub method_use: MethodUse,
}

/// Expects a payment, on its way to whoever asks: the first attempt, or the next one after a failure.
pub fn expect(cx: &mut Cx<'_>, new: &NewPayment) -> Result<Payment, PaymentError> {
    let tenant = cx.caller.tenant;
    let last = sql::latest(cx.tx, tenant, new.payable.as_str())?;
    if last
        .as_ref()
        .is_some_and(|last| last.state != PaymentState::Failed)
    {
        return Err(PaymentError::AttemptOpen);
    }
    let payment = Payment {
        id: cx.make_id(PaymentId::from_bytes),
        payable: new.payable.as_str().to_owned(),
        attempt: last.map_or(1, |last| last.attempt + 1),
        provider: new.provider.clone(),
        state: PaymentState::Expected,
        amount: new.amount,
        method_use: new.method_use,
        begun_by: cx.caller.account,
        provider_session: None,
        page_url: None,
        failure_code: None,
    };
    sql::insert_payment(cx.tx, tenant, &payment, cx.now)?;
    Ok(payment)
}

/// An attempt whose page isn't open yet goes to the caller instead.
pub fn hand_to_caller(
    cx: &mut Cx<'_>,
    payment: &Payment,
    method_use: MethodUse,
) -> Result<(), PaymentError> {
    let changed = Payment {
        method_use,
        begun_by: cx.caller.account,
        ..payment.clone()
    };
    Ok(sql::change_use(cx.tx, cx.caller.tenant, &changed, cx.now)?)
}

/// An attempt whose page its provider has closed failed; one that ended before stays as it is.
pub fn close(cx: &mut Cx<'_>, payment: &Payment) -> Result<(), PaymentError> {
    if !payment.is_open() {
        return Ok(());
    }
    let closed = Payment {
        state: PaymentState::Failed,
        failure_code: Some(gateways::PAGE_CLOSED.to_owned()),
        ..payment.clone()
    };
    Ok(sql::move_payment(cx.tx, cx.caller.tenant, &closed, cx.now)?)
}

/// Notes the provider's session and page of a payment.
#[derive(Debug, Clone)]
pub struct AttachSession {
    /// Which payment.
    pub payment: PaymentId,
    /// The provider's name of it.
    pub session: String,
    /// Where the buyer pays.
    pub page_url: String,
}

impl Command for AttachSession {
    const NAME: &'static str = "payments.attach_session";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.payment.to_string())
    }
}

/// Notes the session; the provider's idempotency makes a second call carry the same one.
pub fn attach_session(cx: &mut Cx<'_>, cmd: &AttachSession) -> Result<(), PaymentError> {
    if sql::attach(cx.tx, cx.caller.tenant, cmd, cx.now)? {
        Ok(())
    } else {
        Err(PaymentError::NotFound)
    }
}

/// One attempt.
pub fn by_id(
    tx: &mut dyn Tx,
    tenant: TenantId,
    id: PaymentId,
) -> Result<Option<Payment>, StoreError> {
    sql::find_payment(tx, tenant, id)
}

/// The newest attempt for a payable.
pub fn latest(
    tx: &mut dyn Tx,
    tenant: TenantId,
    payable: &Payable,
) -> Result<Option<Payment>, StoreError> {
    sql::latest(tx, tenant, payable.as_str())
}

/// The attempt that paid for a payable.
pub fn paid_by(
    tx: &mut dyn Tx,
    tenant: TenantId,
    payable: &Payable,
) -> Result<Option<Payment>, StoreError> {
    sql::paid_by(tx, tenant, payable.as_str())
}

/// An event whose signature was checked.
#[derive(Debug, Clone)]
pub struct ReceiveEvent {
    /// Who sent it.
    pub provider: &'static str,
    /// What it says.
    pub event: ProviderEvent,
}

impl Command for ReceiveEvent {
    const NAME: &'static str = "payments.receive_event";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.event.reference.clone())
    }
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inbox {
    /// A new row and its job.
    New(PaymentEventId),
    /// It was here before.
    Duplicate,
}

/// The payload of [`SETTLE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SettlePayload {
    /// The event's id.
    pub payment_event: String,
}

/// Writes an event and its job once, and nothing else.
pub fn receive_event(cx: &mut Cx<'_>, cmd: &ReceiveEvent) -> Result<Inbox, PaymentError> {
    let new = sql::NewEvent {
        tenant: cx.caller.tenant,
        id: cx.make_id(PaymentEventId::from_bytes),
        provider: cmd.provider,
        event: &cmd.event,
        now: cx.now,
    };
    if !sql::insert_event(cx.tx, &new)? {
        return Ok(Inbox::Duplicate);
    }
    let payload = SettlePayload {
        payment_event: new.id.to_string(),
    };
    crate::queue::enqueue(cx, SETTLE_JOB, &payload, cx.now)?;
    Ok(Inbox::New(new.id))
}

/// A row of the inbox.
pub fn event(cx: &mut Cx<'_>, id: PaymentEventId) -> Result<PaymentEvent, PaymentError> {
    let found = sql::find_event(cx.tx, cx.caller.tenant, id)?;
    found.ok_or(PaymentError::NotFound)
}

/// The payment that an event speaks of, if we know it.
pub fn of_event(
    tx: &mut dyn Tx,
    tenant: TenantId,
    event: &PaymentEvent,
) -> Result<Option<Payment>, StoreError> {
    let Ok(id) = PaymentId::parse(&event.reference) else {
        return Ok(None);
    };
    sql::find_payment(tx, tenant, id)
}

/// Applies an event to its payment, and says what came of it. A payment we never asked for is
/// `None`.
pub fn settle(
    cx: &mut Cx<'_>,
    event: &PaymentEvent,
) -> Result<Option<(Payment, Settled)>, PaymentError> {
    let tenant = cx.caller.tenant;
    let Some(mut payment) = of_event(cx.tx, tenant, event)? else {
        return Ok(None);
    };
    let settled = settle_payment(&payment, event.kind, event.amount);
    if let Settled::Moved(state) = settled {
        payment.state = state;
        let failed = event.kind == EventKind::Failed;
        payment.failure_code = event.failure_code.clone().filter(|_| failed);
        sql::move_payment(cx.tx, tenant, &payment, cx.now)?;
    }
    Ok(Some((payment, settled)))
}

/// Notes what was made of an event.
pub fn record_outcome(
    cx: &mut Cx<'_>,
    event: PaymentEventId,
    outcome: &str,
) -> Result<(), StoreError> {
    sql::record_outcome(cx.tx, cx.caller.tenant, event, outcome, cx.now)
}
