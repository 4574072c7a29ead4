//! The job that charges a saved method, between transactions. What came of it goes into the inbox
//! of payments as if the provider had told it, so it settles on the way of every other payment.

use super::super::model::Cycle;
use crate::app::{App, Cx, ReadCx};
use crate::caller::Caller;
use crate::domains::payments::{
    self, EventKind, Payment, PaymentError, ProviderEvent, ReceiveEvent, receive_event,
};
use crate::gateways::{self, Charged, GatewayError, SavedCharge};
use crate::queue::JobError;
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{PaymentId, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The job's kind.
pub const CHARGE_JOB: &str = "subscriptions.charge";

/// The payload of [`CHARGE_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ChargePayload {
    /// The payment's id.
    pub payment: String,
    /// The provider's name of the method.
    pub method: String,
    /// The subscription's id.
    pub subscription: String,
    /// What the method's owner reads; jobs of before it was kept have none.
    #[serde(default)]
    pub title: String,
}

pub(super) fn enqueue(
    cx: &mut Cx<'_>,
    of: &super::Subscription,
    (payment, product): (PaymentId, &str),
) -> Result<(), StoreError> {
    let payload = ChargePayload {
        payment: payment.to_string(),
        method: of.method.clone().unwrap_or_default(),
        subscription: of.id.to_string(),
        title: title(product, of.cycle),
    };
    crate::queue::enqueue(cx, CHARGE_JOB, &payload, cx.now).map(drop)
}

/// `Club App, every month`: plans have no names of their own, and go by how often they are paid.
fn title(product: &str, cycle: Cycle) -> String {
    let unit = cycle.unit().code();
    match cycle.count() {
        1 => format!("{product}, every {unit}"),
        count => format!("{product}, every {count} {unit}s"),
    }
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
    let request = request(caller.tenant, &payment, payload);
    let charged = gateway.charge_saved(&app, &request).await;
    let receive = told(gateway.name(), &payment, charged, app.now())?;
    let told = app.transact(&caller, receive, receive_event).await;
    told.map(drop).map_err(JobError::retry)
}

/// What the provider is asked for.
pub fn request(tenant: TenantId, payment: &Payment, payload: ChargePayload) -> SavedCharge {
    SavedCharge {
        tenant,
        payment: payment.id,
        method: payload.method,
        amount: payment.amount,
        description: match payload.title.is_empty() {
            true => payload.subscription,
            false => payload.title,
        },
    }
}

/// What came of it, for the inbox; an error when the provider must be asked again.
pub fn told(
    provider: &'static str,
    payment: &Payment,
    charged: Result<Charged, GatewayError>,
    now: Timestamp,
) -> Result<ReceiveEvent, JobError> {
    let charged = match charged {
        Err(GatewayError::Refused(_)) => Charged::Refused("method_unknown"),
        other => other.map_err(JobError::retry)?,
    };
    let (kind, fee, failure) = match charged {
        Charged::Succeeded { fee } => (EventKind::Succeeded, fee, None),
        Charged::Declined(code) | Charged::Refused(code) => (EventKind::Failed, None, Some(code)),
    };
    Ok(ReceiveEvent {
        provider,
        event: ProviderEvent {
            id: format!("saved {}", payment.id),
            kind,
            reference: payment.id.to_string(),
            object: None,
            object_reference: None,
            amount: payment.amount,
            fee,
            failure_code: failure.map(str::to_owned),
            method_country: None,
            method: None,
            evidence_due_at: None,
            occurred_at: now,
        },
    })
}
