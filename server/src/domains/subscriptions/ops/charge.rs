//! The job that charges a saved method, between transactions. What came of it goes into the inbox
//! of payments as if the provider had told it, so it settles on the way of every other payment.

use crate::app::{App, Cx, ReadCx};
use crate::caller::Caller;
use crate::domains::payments::{
    self, EventKind, Payment, PaymentError, ProviderEvent, ReceiveEvent, receive_event,
};
use crate::gateways::{self, Charged, SavedCharge};
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::id::PaymentId;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The job's kind.
pub const CHARGE_JOB: &str = "subscriptions.charge";

/// The payload of [`CHARGE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChargePayload {
    payment: String,
    method: String,
    subscription: String,
}

pub(super) fn enqueue(
    cx: &mut Cx<'_>,
    of: &super::Subscription,
    payment: PaymentId,
) -> Result<(), StoreError> {
    let payload = ChargePayload {
        payment: payment.to_string(),
        method: of.method.clone().unwrap_or_default(),
        subscription: of.id.to_string(),
    };
    crate::queue::enqueue(cx, CHARGE_JOB, &payload, cx.now).map(drop)
}

fn payment_of(cx: &mut ReadCx<'_>, id: &PaymentId) -> Result<Payment, PaymentError> {
    let found = payments::by_id(cx.tx, cx.caller.tenant, *id)?;
    found.ok_or(PaymentError::NotFound)
}

/// Charges once and tells the inbox once, however often it runs.
pub async fn charge(app: Arc<App>, caller: Caller, payload: ChargePayload) -> Result<(), JobError> {
    let id = PaymentId::parse(&payload.payment).map_err(JobError::fail)?;
    let payment = app.read(&caller, id, payment_of).await;
    let payment = payment.map_err(JobError::retry)?;
    let gateway = gateways::find(&app, &payment.provider)
        .ok_or_else(|| JobError::retry(format!("no provider {:?}", payment.provider)))?;
    let request = SavedCharge {
        tenant: caller.tenant,
        payment: id,
        method: payload.method,
        amount: payment.amount,
        description: payload.subscription,
    };
    let charged = gateway.charge_saved(&app, &request).await;
    let charged = match charged {
        Err(gateways::GatewayError::Refused(_)) => Charged::Refused("method_unknown"),
        other => other.map_err(JobError::retry)?,
    };
    let (kind, failure) = match charged {
        Charged::Succeeded => (EventKind::Succeeded, None),
        Charged::Declined(code) | Charged::Refused(code) => (EventKind::Failed, Some(code)),
    };
    let receive = ReceiveEvent {
        provider: gateway.name(),
        event: ProviderEvent {
            id: format!("saved {id}"),
            kind,
            reference: id.to_string(),
            object: None,
            object_reference: None,
            amount: payment.amount,
            failure_code: failure.map(str::to_owned),
            method_country: None,
            occurred_at: app.now(),
        },
    };
    let told = app.transact(&caller, receive, receive_event).await;
    told.map(drop).map_err(JobError::retry)
}
