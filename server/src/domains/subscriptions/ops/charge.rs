//! The job that charges a saved method, between transactions. What came of it goes into the inbox
//! of payments as if the provider had told it, so it settles on the way of every other payment.
//!
//! While a charge is on its way nobody else may pay the same, so each is planned with its end: a
//! second job asks the provider what came of it, long after the first has had all of its tries.
//! What isn't paid by then never will be, and the payment has failed like any that is declined.

use super::super::model::Cycle;
use crate::app::{App, Command, Cx, ReadCx};
use crate::caller::{Caller, Capability};
use crate::domains::payments::{
    self, EventKind, Payment, PaymentError, ProviderEvent, ReceiveEvent, receive_event,
};
use crate::gateways::{self, Charged, GatewayError, SavedCharge};
use crate::queue::{self, JobError};
use crate::store::StoreError;
use mintreu::Timestamp;
use mintreu::id::{PaymentId, TenantId};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The job's kind.
pub const CHARGE_JOB: &str = "subscriptions.charge";
/// The job that asks what came of a charge.
pub const END_JOB: &str = "subscriptions.end_charge";
/// The reason of a charge that ended because nobody knows what came of it.
pub const UNANSWERED: &str = "charge_unanswered";

/// When a charge is asked after, in milliseconds: its job is given up after three hours.
const END_AFTER_MS: i64 = 6 * 60 * 60 * 1000;
/// How often a provider that doesn't answer is asked, each time so much later: three days.
const MOST_ASKED: u32 = 12;
/// Who tells the inbox of a payment whose provider takes no money here any more.
const HOUSE: &str = "house";

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
    plan(cx, &payload)
}

/// Plans a charge, and the question what came of it.
pub fn plan(cx: &mut Cx<'_>, payload: &ChargePayload) -> Result<(), StoreError> {
    queue::enqueue(cx, CHARGE_JOB, payload, cx.now)?;
    let end = EndPayload {
        charge: payload.clone(),
        asked: 0,
    };
    plan_end(cx, &end)
}

fn plan_end(cx: &mut Cx<'_>, payload: &EndPayload) -> Result<(), StoreError> {
    queue::enqueue(cx, END_JOB, payload, cx.now.plus_ms(END_AFTER_MS)).map(drop)
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

/// The payment while something can still come of it.
async fn open(app: &App, caller: &Caller, payment: &str) -> Result<Option<Payment>, JobError> {
    let id = PaymentId::parse(payment).map_err(JobError::fail)?;
    let payment = app.read(caller, id, payment_of).await;
    Ok(Some(payment.map_err(JobError::retry)?).filter(Payment::is_open))
}

/// Charges once and tells the inbox once, however often it runs; not what has ended meanwhile.
pub async fn charge(app: Arc<App>, caller: Caller, payload: ChargePayload) -> Result<(), JobError> {
    let Some(payment) = open(&app, &caller, &payload.payment).await? else {
        return Ok(());
    };
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

/// The payload of [`END_JOB`].
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EndPayload {
    /// What was asked for.
    pub charge: ChargePayload,
    /// How often its provider was asked and didn't answer.
    pub asked: u32,
}

/// Asks a provider again later.
#[derive(Debug, Clone)]
struct AskLater(EndPayload);

impl Command for AskLater {
    const NAME: &'static str = "subscriptions.ask_after_charge_later";
    const CAPABILITY: Capability = Capability::Operate;

    fn subject(&self) -> Option<String> {
        Some(self.0.charge.payment.clone())
    }
}

fn ask_later(cx: &mut Cx<'_>, cmd: &AskLater) -> Result<(), PaymentError> {
    Ok(plan_end(cx, &cmd.0)?)
}

/// Ends a charge that is still on its way: paid if its provider says so, else failed.
pub async fn end_charge(
    app: Arc<App>,
    caller: Caller,
    payload: EndPayload,
) -> Result<(), JobError> {
    let Some(payment) = open(&app, &caller, &payload.charge.payment).await? else {
        return Ok(());
    };
    let request = request(caller.tenant, &payment, payload.charge.clone());
    let ended = match gateways::find(&app, &payment.provider) {
        Some(gateway) => gateway.end_charge(&app, &request).await,
        None => Err(GatewayError::Unavailable("it takes no money here".into())),
    };
    heard(&app, &caller, (payload, &payment), ended).await
}

/// What a provider says of a charge that it was asked to end, or that it says nothing. After three days
/// of that the payment has failed; money that is told of later counts all the same, or goes back.
pub async fn heard(
    app: &App,
    caller: &Caller,
    (payload, payment): (EndPayload, &Payment),
    ended: Result<Charged, GatewayError>,
) -> Result<(), JobError> {
    let ended = match ended {
        Err(GatewayError::Refused(_)) | Ok(_) => ended,
        Err(error) if payload.asked + 1 < MOST_ASKED => {
            tracing::warn!(%error, payment = %payment.id, "nobody says what came of a charge");
            let later = AskLater(EndPayload {
                asked: payload.asked + 1,
                ..payload
            });
            let planned = app.transact(caller, later, ask_later).await;
            return planned.map_err(JobError::retry);
        }
        Err(error) => {
            tracing::error!(%error, payment = %payment.id, "a charge ended unanswered");
            Ok(Charged::Declined(UNANSWERED))
        }
    };
    let provider = gateways::find(app, &payment.provider).map_or(HOUSE, |found| found.name());
    let receive = told(provider, payment, ended, app.now())?;
    let told = app.transact(caller, receive, receive_event).await;
    told.map(drop).map_err(JobError::retry)
}
